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
        self.find(name).is_some()
    }

    fn find(&self, name: &str) -> Option<&Glob> {
        self.0.iter().find(|glob| glob.matches(name))
    }
}

/// Allow and deny lists of one rule: denied names stay denied whatever `allow` says.
#[derive(Debug)]
pub(crate) struct NameGuard {
    /// Place in the document's rule list.
    pub(crate) rule: usize,
    allow: Globs,
    deny: Globs,
}

impl NameGuard {
    pub(crate) fn new(rule: usize, allow: &[String], deny: &[String]) -> Self {
        NameGuard { rule, allow: Globs::new(allow), deny: Globs::new(deny) }
    }

    /// Why the name is refused, if it is: the entry of the deny list, or nothing where the allow list lacks it.
    pub(crate) fn refuses(&self, name: &str) -> Option<String> {
        match self.deny.find(name) {
            Some(entry) => Some(entry.to_string()),
            None => (!self.allow.is_empty() && !self.allow.matches(name)).then(String::new),
        }
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
            let guard = NameGuard::new(0, &list(allow), &list(deny));
            assert_eq!(
                guard.refuses(name).is_none(),
                *permitted,
                "allow {allow:?} deny {deny:?} name {name}"
            );
        }
        let guard = NameGuard::new(0, &list(&["b*"]), &list(&["x", "a*"]));
        assert_eq!(guard.refuses("abc").as_deref(), Some("a*"));
        assert_eq!(guard.refuses("cde").as_deref(), Some(""));
    }
}
