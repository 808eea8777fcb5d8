//! The position of a text, stored without an allocation for each: a list of steps that refer to their parents.

/// The root of a document.
pub(crate) const ROOT: u32 = u32::MAX;

/// Names of a part's text.
const TEXTS: &[&str] = &["text", "refusal"];
/// Names of lists of parts of one message.
const PARTS: &[&str] = &["content", "parts", "system"];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Name {
    Index(u32),
    /// A range of `Paths::names`.
    Key(u32, u32),
}

/// All paths of one message.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Paths {
    steps: Vec<(u32, Name)>,
    names: String,
}

impl Paths {
    /// The path to a member of the value at `parent`. A name is shown only if it looks like one ([`is_plain`]); any
    /// other is shown as `*`, because keys can contain what must not be shown.
    pub(crate) fn key(&mut self, parent: u32, name: &str) -> u32 {
        if self.steps.is_empty() {
            // Enough for an ordinary message.
            self.steps.reserve(32);
            self.names.reserve(256);
        }
        let shown = if is_plain(name) { name } else { "*" };
        let start = self.names.len() as u32;
        self.names.push_str(shown);
        self.step(parent, Name::Key(start, self.names.len() as u32))
    }

    pub(crate) fn index(&mut self, parent: u32, index: u32) -> u32 {
        self.step(parent, Name::Index(index))
    }

    fn step(&mut self, parent: u32, name: Name) -> u32 {
        self.steps.push((parent, name));
        self.steps.len() as u32 - 1
    }

    /// Whether two paths are items of one list.
    pub(crate) fn are_siblings(&self, one: u32, other: u32) -> bool {
        let list = |path: u32| match self.steps.get(path as usize) {
            Some((parent, Name::Index(_))) => Some(*parent),
            _ => None,
        };
        list(one).is_some() && list(one) == list(other)
    }

    /// Whether two texts are in one part of a list: a reader uses one or the other.
    pub(crate) fn are_of_one_part(&self, one: u32, other: u32) -> bool {
        let part = |path: u32| match self.steps.get(path as usize) {
            Some((part, Name::Key(..))) => *part,
            _ => path,
        };
        part(one) == part(other)
    }

    /// The list whose items contain the parts of a text, if `path` is one of them: `content` for `content[1].text`. A
    /// text that is itself an item of a `content` is a part, too: `content[1]`. The contents of the items of an
    /// `output` (or of `steps` in Gemini's Interactions), which clients join, are one list: `output` for
    /// `output[2].content[1].text`; so is a `content` with the contents cited in it: `content` for
    /// `content[1].citationsContent.content[0].text`. Also returns whether the whole list belongs to one message.
    pub(crate) fn list_of(&self, path: u32) -> Option<(u32, bool)> {
        let list = match self.steps.get(path as usize)? {
            (list, Name::Index(_)) => Some(*list).filter(|list| self.is_called(*list, "content")),
            (item, Name::Key(..)) if self.is_any_of(path, TEXTS) => self.list_with(*item),
            _ => None,
        }?;
        let outer = match self.steps.get(list as usize)? {
            (cited, _) if self.is_called(*cited, "citationsContent") => {
                self.steps.get(*cited as usize).and_then(|(block, _)| self.list_with(*block))
            }
            (item, _) if self.is_called(list, "content") => {
                self.list_with(*item).filter(|outer| self.is_any_of(*outer, &["output", "steps"]))
            }
            _ => None,
        };
        let list = outer.unwrap_or(list);
        Some((list, self.is_any_of(list, PARTS)))
    }

    fn list_with(&self, item: u32) -> Option<u32> {
        match self.steps.get(item as usize)? {
            (list, Name::Index(_)) => Some(*list),
            (_, Name::Key(..)) => None,
        }
    }

    fn is_any_of(&self, path: u32, names: &[&str]) -> bool {
        names.iter().any(|name| self.is_called(path, name))
    }

    fn is_called(&self, path: u32, name: &str) -> bool {
        match self.steps.get(path as usize) {
            Some((_, Name::Key(start, end))) => {
                self.names.get(*start as usize..*end as usize).is_some_and(|own| own == name)
            }
            _ => false,
        }
    }

    /// The path in readable form: `messages[0].content`; `$` for the whole document.
    pub(crate) fn show(&self, path: u32) -> String {
        let mut names = Vec::new();
        let mut at = path;
        while let Some((parent, name)) = self.steps.get(at as usize) {
            names.push(*name);
            at = *parent;
        }
        let mut out = String::new();
        for name in names.into_iter().rev() {
            match name {
                Name::Index(index) => {
                    out.push('[');
                    out.push_str(&index.to_string());
                    out.push(']');
                }
                Name::Key(start, end) => {
                    if !out.is_empty() {
                        out.push('.');
                    }
                    out.push_str(self.names.get(start as usize..end as usize).unwrap_or_default());
                }
            }
        }
        if out.is_empty() { "$".to_owned() } else { out }
    }
}

/// A name that discloses nothing: at most 32 bytes, starting with a lower-case letter, `_` or `$`, and consisting of
/// letters, `_`, `-`, `$` and at most four digits. Access keys and account numbers do not match.
pub(crate) fn is_plain(name: &str) -> bool {
    let bytes = name.as_bytes();
    if bytes.len() > 32 || !bytes.first().is_some_and(|b| b.is_ascii_lowercase() || matches!(b, b'_' | b'$'))
    {
        return false;
    }
    let mut digits = 0;
    for b in bytes {
        match b {
            b'a'..=b'z' | b'A'..=b'Z' | b'_' | b'-' | b'$' => {}
            b'0'..=b'9' => digits += 1,
            _ => return false,
        }
    }
    digits <= 4
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_show_structure_only() {
        let mut paths = Paths::default();
        let messages = paths.key(ROOT, "messages");
        let first = paths.index(messages, 0);
        let content = paths.key(first, "content");
        let hidden = paths.key(first, "123-45-6789");
        let access_key = paths.key(first, "AKIAIOSFODNN7EXAMPLE");
        assert_eq!(paths.show(content), "messages[0].content");
        assert_eq!(paths.show(hidden), "messages[0].*");
        assert_eq!(paths.show(access_key), "messages[0].*");
        assert_eq!(paths.show(ROOT), "$");
    }
}
