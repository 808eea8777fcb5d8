//! Checks that what the documents name exists: xtask commands and linked files.

use super::Report;
use super::tree::{TextFile, Tree};

/// The commands of xtask.
const COMMANDS: [&str; 10] = ["up", "test", "bench", "eval", "fuzz", "setup", "build", "gen", "tidy", "deny"];

/// Documents that every clone has.
const WANTED: [&str; 4] = ["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "SECURITY.md"];

/// Checks every Markdown file.
pub(super) fn check(tree: &Tree, report: &mut Report) {
    for path in WANTED {
        if tree.get(path).is_none() {
            report.breach(path, 0, "the document is missing");
        }
    }
    if let Some(readme) = tree.get("README.md") {
        for command in ["cargo xtask up", "cargo xtask test"] {
            if !readme.text.contains(command) {
                report.breach("README.md", 0, format_args!("the README names `{command}`"));
            }
        }
    }
    for file in tree.files.iter().filter(|file| file.path.ends_with(".md")) {
        for (index, line) in file.text.lines().enumerate() {
            for command in commands(line) {
                if !COMMANDS.contains(&command) {
                    report.breach(&file.path, index + 1, format_args!("xtask has no command `{command}`"));
                }
            }
            for link in links(line) {
                if !resolves(tree, file, link) {
                    report.breach(&file.path, index + 1, format_args!("the link `{link}` leads nowhere"));
                }
            }
        }
    }
}

/// The words that follow `cargo xtask`.
fn commands(line: &str) -> impl Iterator<Item = &str> {
    line.split("cargo xtask ").skip(1).map(|rest| {
        let end = rest.find(|c: char| !c.is_ascii_lowercase()).unwrap_or(rest.len());
        &rest[..end]
    })
}

/// Targets of Markdown links that stay inside the clone.
fn links(line: &str) -> impl Iterator<Item = &str> {
    line.split("](")
        .skip(1)
        .filter_map(|rest| rest.split_once(')'))
        .map(|(target, _)| target.split('#').next().unwrap_or_default())
        .filter(|target| !target.is_empty() && !target.contains("://") && !target.starts_with("mailto:"))
}

fn resolves(tree: &Tree, file: &TextFile, link: &str) -> bool {
    let mut parts: Vec<&str> = file.path.split('/').collect();
    parts.pop();
    for part in link.trim_end_matches('/').split('/') {
        match part {
            "." | "" => {}
            ".." => {
                parts.pop();
            }
            name => parts.push(name),
        }
    }
    let path = parts.join("/");
    let folder = format!("{path}/");
    tree.files.iter().any(|other| other.path == path || other.path.starts_with(&folder))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_and_links_are_found_in_a_line() {
        let line = "Run `cargo xtask up` or `cargo xtask test -p x` ([why](docs/a.md#b), [site](https://x.test/), [here](#c)).";
        assert_eq!(commands(line).collect::<Vec<_>>(), ["up", "test"]);
        assert_eq!(links(line).collect::<Vec<_>>(), ["docs/a.md"]);
    }

    #[test]
    fn a_link_resolves_from_its_document() {
        let file = |path: &str| TextFile { path: path.to_owned(), text: String::new() };
        let tree = Tree { files: vec![file("README.md"), file("docs/a.md"), file("docs/decisions/1.md")] };
        for (from, link, expected) in [
            ("README.md", "docs/a.md", true),
            ("docs/a.md", "../README.md", true),
            ("docs/a.md", "decisions/", true),
            ("docs/a.md", "README.md", false),
        ] {
            assert_eq!(resolves(&tree, &file(from), link), expected, "{from} -> {link}");
        }
    }
}
