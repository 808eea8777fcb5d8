//! Custom patterns written by the policy author.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use regex_automata::meta::{BuildError, Config, Regex};

/// The maximum length of a pattern in bytes.
pub const MAX_PATTERN_BYTES: usize = 4096;
/// The maximum size of one compiled pattern's automaton in bytes. The filter keeps every pattern in every worker.
const MAX_COMPILED_BYTES: usize = 256 * 1024;
/// The cache capacity of a search for one pattern, per direction, in bytes.
const REMEMBERED_BYTES: usize = 64 * 1024;
/// The maximum number of patterns in a rule.
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
    /// Fails if there are more than 64 patterns, or if a pattern does not parse, is longer than [`MAX_PATTERN_BYTES`],
    /// matches the empty text, has an empty name, compiles to an automaton that is too large to keep in memory, or
    /// takes more than `room` bytes together with the patterns before it.
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

    /// The memory that all patterns may take together, in bytes.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Whether there are no patterns.
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

/// The memory of one pattern: its automata, and what a search caches for them (per state, and of states already built).
fn memory(regex: &Regex) -> usize {
    2 * regex.memory_usage() + 2 * REMEMBERED_BYTES
}

fn explain(error: &BuildError) -> String {
    match (error.size_limit(), error.syntax_error()) {
        (Some(limit), _) => format!(
            "it compiles to more than {limit} bytes; shorten its repetitions (`{{1,1000}}`) or its Unicode classes"
        ),
        (None, Some(syntax)) => {
            // The crate prints the expression over several lines; the last line says what is wrong.
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
