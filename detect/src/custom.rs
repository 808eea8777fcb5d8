//! The policy author's own patterns.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use regex_automata::meta::{BuildError, Config, Regex};

/// The longest pattern an author may write, in bytes.
pub const MAX_PATTERN_BYTES: usize = 4096;
/// The automaton of one compiled pattern, in bytes. The filter keeps every pattern in every worker.
const MAX_COMPILED_BYTES: usize = 256 * 1024;
/// What searches for one pattern may remember in each direction, in bytes.
const REMEMBERED_BYTES: usize = 64 * 1024;
/// The most patterns a rule may hold.
const MAX_PATTERNS: usize = 64;

/// Compiled custom patterns. Matching takes time linear in the text, whatever the pattern says.
#[derive(Debug, Clone, Default)]
pub struct CustomPatterns {
    patterns: Vec<(Arc<str>, Regex)>,
    bytes: usize,
}

/// Why a custom pattern was refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PatternError {
    /// The name of the pattern.
    pub name: String,
    /// What is wrong with it and what to do.
    pub message: String,
}

impl fmt::Display for PatternError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "pattern `{}`: {}", self.name, self.message)
    }
}

impl std::error::Error for PatternError {}

impl CustomPatterns {
    /// Compiles `(name, regular expression)` pairs in the syntax of the `regex` crate.
    ///
    /// # Errors
    /// An expression that does not parse, is longer than [`MAX_PATTERN_BYTES`], matches the empty text, has a name that is empty, has
    /// an automaton that is too large to keep in memory, or takes more than `room` bytes together with those before it.
    pub fn compile<N: AsRef<str>, R: AsRef<str>>(
        pairs: &[(N, R)],
        room: usize,
    ) -> Result<CustomPatterns, PatternError> {
        let mut compiled = CustomPatterns::default();
        for (index, (name, source)) in pairs.iter().enumerate() {
            let (name, source) = (name.as_ref(), source.as_ref());
            let refuse = |message: String| PatternError { name: name.to_owned(), message };
            if index >= MAX_PATTERNS {
                return Err(refuse(format!("a rule holds at most {MAX_PATTERNS} patterns")));
            }
            if name.is_empty() {
                return Err(refuse("a pattern needs a name".to_owned()));
            }
            if source.len() > MAX_PATTERN_BYTES {
                let found = source.len();
                return Err(refuse(format!(
                    "it is {found} bytes long; at most {MAX_PATTERN_BYTES} are allowed"
                )));
            }
            let config = Config::new()
                .nfa_size_limit(Some(MAX_COMPILED_BYTES))
                .onepass_size_limit(Some(MAX_COMPILED_BYTES))
                .hybrid_cache_capacity(REMEMBERED_BYTES);
            let regex = Regex::builder().configure(config).build(source);
            let regex = regex.map_err(|error| refuse(explain(&error)))?;
            if regex.is_match("") {
                return Err(refuse("it matches the empty text, so it would match everywhere".to_owned()));
            }
            compiled.bytes += memory(&regex);
            if compiled.bytes > room {
                return Err(refuse(format!(
                    "with the patterns before it, it takes {} KiB of memory when compiled; {} KiB are left for it: \
                     shorten repetitions (`{{1,1000}}`) and Unicode classes, or write fewer patterns",
                    compiled.bytes / 1024,
                    room / 1024
                )));
            }
            compiled.patterns.push((Arc::from(name), regex));
        }
        Ok(compiled)
    }

    /// The memory that all of them may take together, in bytes.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Whether there is no pattern.
    pub fn is_empty(&self) -> bool {
        self.patterns.is_empty()
    }

    /// Calls `found` for every match of every pattern.
    pub(crate) fn each(&self, text: &str, mut found: impl FnMut(&Arc<str>, Range<usize>)) {
        for (name, regex) in &self.patterns {
            for hit in regex.find_iter(text) {
                if !hit.is_empty() {
                    found(name, hit.range());
                }
            }
        }
    }
}

/// The automata of a pattern, and what a search keeps beside them: of each state of an automaton, and of what it has seen.
fn memory(regex: &Regex) -> usize {
    2 * regex.memory_usage() + 2 * REMEMBERED_BYTES
}

fn explain(error: &BuildError) -> String {
    match (error.size_limit(), error.syntax_error()) {
        (Some(limit), _) => format!(
            "it compiles to more than {limit} bytes; shorten its repetitions (`{{1,1000}}`) or its Unicode classes"
        ),
        (None, Some(syntax)) => {
            // The crate draws the expression over several lines; its last line says what is wrong.
            let text = syntax.to_string();
            let last = text.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or("it does not parse");
            last.trim().trim_start_matches("error: ").to_owned()
        }
        (None, None) => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_that_would_hurt_are_refused_by_name() {
        for (source, says) in [
            ("(", "unclosed group"),
            ("a*", "empty text"),
            ("(?:\\pL{1,200}){1,200}", "compiles to more than"),
            (&"a".repeat(MAX_PATTERN_BYTES + 1), "bytes long"),
        ] {
            let error = CustomPatterns::compile(&[("EMPLOYEE", source)], usize::MAX).unwrap_err();
            assert_eq!(error.name, "EMPLOYEE");
            assert!(error.message.contains(says), "{}", error.message);
        }
        assert!(CustomPatterns::compile(&[("", "a")], usize::MAX).is_err());
        assert!(CustomPatterns::compile(&[("EMPLOYEE", r"EMP-\d{6}")], usize::MAX).is_ok());
    }

    #[test]
    fn patterns_that_take_too_much_together_are_refused() {
        let large = r"a{1000}b{1000}c{1000}";
        let one = CustomPatterns::compile(&[("ONE", large)], usize::MAX).unwrap().bytes();
        assert!((REMEMBERED_BYTES..8 * MAX_COMPILED_BYTES).contains(&one), "{one}");
        let both = [("ONE", large), ("TWO", large)];
        assert_eq!(CustomPatterns::compile(&both, 2 * one).unwrap().bytes(), 2 * one);
        let error = CustomPatterns::compile(&both, 2 * one - 1).unwrap_err();
        assert_eq!(error.name, "TWO");
        assert!(error.message.contains("KiB are left for it"), "{}", error.message);
    }
}
