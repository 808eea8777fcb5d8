//! Globs over names of agents, tools, models and resources: `*` is any run of characters, `/` included.
use wildmatch::WildMatchPattern;

/// `*` only; a `?` in a name is a plain character, so the single-character wildcard is a character no name has.
type Glob = WildMatchPattern<'*', '\u{10FFFF}'>;

/// A list of globs, one of which has to match.
#[derive(Debug, Default)]
pub(crate) struct Globs(Vec<Glob>);

impl Globs {
    pub(crate) fn new(patterns: &[String]) -> Self {
        Globs(patterns.iter().map(|pattern| Glob::new(pattern)).collect())
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn matches(&self, name: &str) -> bool {
        self.0.iter().any(|glob| glob.matches(name))
    }
}

/// Allow and deny lists of one rule: denied names stay denied whatever `allow` says.
#[derive(Debug)]
pub(crate) struct NameGuard {
    allow: Globs,
    deny: Globs,
}

impl NameGuard {
    pub(crate) fn new(allow: &[String], deny: &[String]) -> Self {
        NameGuard { allow: Globs::new(allow), deny: Globs::new(deny) }
    }

    pub(crate) fn permits(&self, name: &str) -> bool {
        !self.deny.matches(name) && (self.allow.is_empty() || self.allow.matches(name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_decide_by_name() {
        let list = |names: &[&str]| names.iter().map(|n| (*n).to_owned()).collect::<Vec<_>>();
        // allow, deny, name, permitted
        let cases: &[(&[&str], &[&str], &str, bool)] = &[
            (&[], &[], "anything", true),
            (&["gpt-4*"], &[], "gpt-4o-mini", true),
            (&["gpt-4*"], &[], "gpt-3.5-turbo", false),
            (&["gpt-4*"], &["gpt-4-32k"], "gpt-4-32k", false),
            (&["calendar.*", "search"], &[], "calendar.create", true),
            (&["calendar.*", "search"], &[], "calendar", false),
            (&["a?c"], &[], "abc", false),
            (&["a?c"], &[], "a?c", true),
            (&[], &["*"], "search", false),
        ];
        for (allow, deny, name, permitted) in cases {
            let guard = NameGuard::new(&list(allow), &list(deny));
            assert_eq!(guard.permits(name), *permitted, "allow {allow:?} deny {deny:?} name {name}");
        }
    }
}
