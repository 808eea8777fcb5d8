//! A grammar of texts: alternatives in braces, names for what is used often.
//!
//! ```text
//! $name = one | another {thing|matter|}
//! + user override: {ignore|forget} $name
//! - both quoted: what does "{ignore|forget} it" mean?
//! ```
//!
//! A line that begins with `+` is an attack, one with `-` an ordinary text; then who may say it (`user`, `data`, `tool`,
//! `both`), and the family it belongs to.

use std::collections::HashMap;

use crate::random::Random;

/// Who may say it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Who {
    User,
    Data,
    Tool,
    Both,
}

/// One line of the grammar.
#[derive(Debug)]
pub(crate) struct Line {
    pub(crate) attack: bool,
    pub(crate) who: Who,
    pub(crate) family: String,
    pub(crate) text: String,
}

/// The lines and names of one language.
#[derive(Debug)]
pub(crate) struct Grammar {
    pub(crate) lang: &'static str,
    names: HashMap<String, Vec<String>>,
    pub(crate) lines: Vec<Line>,
}

impl Grammar {
    /// Reads a grammar. `Err` names the line.
    pub(crate) fn read(lang: &'static str, text: &str) -> Result<Grammar, String> {
        let mut grammar = Grammar { lang, names: HashMap::new(), lines: Vec::new() };
        for (number, line) in text.lines().enumerate() {
            let line = line.trim();
            let wrong = || format!("{lang}:{}: {line:?} is no rule", number + 1);
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            if let Some(rest) = line.strip_prefix('$') {
                let (name, alternatives) = rest.split_once('=').ok_or_else(wrong)?;
                let list = grammar.names.entry(name.trim().to_owned()).or_default();
                list.extend(split(alternatives).iter().map(|one| one.trim().to_owned()));
                continue;
            }
            let (attack, rest) = match line.split_at(1) {
                ("+", rest) => (true, rest),
                ("-", rest) => (false, rest),
                _ => return Err(wrong()),
            };
            let (head, text) = rest.split_once(':').ok_or_else(wrong)?;
            let (who, family) = head.trim().split_once(' ').ok_or_else(wrong)?;
            let who = match who {
                "user" => Who::User,
                "data" => Who::Data,
                "tool" => Who::Tool,
                "both" => Who::Both,
                _ => return Err(wrong()),
            };
            let (family, text) = (family.trim().to_owned(), text.trim().to_owned());
            grammar.lines.push(Line { attack, who, family, text });
        }
        Ok(grammar)
    }

    /// One text of those that `template` stands for.
    pub(crate) fn say(&self, template: &str, random: &mut Random) -> String {
        let mut out = String::new();
        self.expand(template, random, &mut out, 0);
        let mut text = String::with_capacity(out.len());
        for c in out.chars() {
            // An empty alternative leaves two spaces, or one before a sign.
            if matches!(c, ',' | '.' | '?' | '!' | ' ')
                && text.ends_with(' ')
                && !text.ends_with("  ")
                && c != ' '
            {
                text.pop();
            }
            if !(c == ' ' && (text.ends_with(' ') || text.is_empty())) {
                text.push(c);
            }
        }
        text.replace("\\n", "\n").trim().to_owned()
    }

    fn expand(&self, template: &str, random: &mut Random, out: &mut String, depth: usize) {
        assert!(depth < 20, "the grammar runs in circles at {template:?}");
        let mut rest = template;
        while let Some(c) = rest.chars().next() {
            match c {
                '{' => {
                    let end = close(rest);
                    let alternatives = split(&rest[1..end]);
                    let one = *random.pick(&alternatives);
                    self.expand(one, random, out, depth + 1);
                    rest = &rest[end + 1..];
                }
                '$' => {
                    let length = rest[1..].find(|c: char| !c.is_ascii_alphanumeric() && c != '_');
                    let end = length.map_or(rest.len(), |n| n + 1);
                    let name = &rest[1..end];
                    match self.names.get(name) {
                        Some(list) => {
                            let one: &String = random.pick(list);
                            self.expand(one, random, out, depth + 1);
                        }
                        None => {
                            assert!(
                                name.is_empty() || name.starts_with(|c: char| c.is_ascii_digit()),
                                "no ${name} in {}",
                                self.lang
                            );
                            out.push_str(&rest[..end]);
                        }
                    }
                    rest = &rest[end..];
                }
                '~' => {
                    // A brace or a bar that means itself.
                    let mut chars = rest[1..].chars();
                    let literal = chars.next().unwrap_or('~');
                    out.push(literal);
                    rest = chars.as_str();
                }
                _ => {
                    out.push(c);
                    rest = &rest[c.len_utf8()..];
                }
            }
        }
    }
}

/// Where the brace that opens at the start closes.
fn close(text: &str) -> usize {
    let mut depth = 0;
    let mut escaped = false;
    for (i, c) in text.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '~' => escaped = true,
            '{' => depth += 1,
            '}' => {
                depth -= 1;
                if depth == 0 {
                    return i;
                }
            }
            _ => {}
        }
    }
    panic!("a brace stays open in {text:?}")
}

/// The alternatives between bars outside of braces.
fn split(text: &str) -> Vec<&str> {
    let (mut depth, mut from, mut escaped) = (0, 0, false);
    let mut parts = Vec::new();
    for (i, c) in text.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '~' => escaped = true,
            '{' => depth += 1,
            '}' => depth -= 1,
            '|' if depth == 0 => {
                parts.push(&text[from..i]);
                from = i + 1;
            }
            _ => {}
        }
    }
    parts.push(&text[from..]);
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn alternatives_and_names_are_expanded() {
        let grammar =
            Grammar::read("en", "$it = it | {all|most} of it\n+ user override: {Drop|Lose} $it ~{now~}")
                .unwrap();
        let mut seen: Vec<String> =
            (0..100).map(|i| grammar.say(&grammar.lines[0].text, &mut Random::new(i))).collect();
        seen.sort();
        seen.dedup();
        assert_eq!(seen.len(), 6, "{seen:?}");
        assert!(seen.contains(&"Drop most of it {now}".to_owned()));
    }
}
