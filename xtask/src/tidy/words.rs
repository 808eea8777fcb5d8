//! Words that do not belong in a finished tree: promises for later, tests that do not run, paths of one machine.

use super::Report;
use super::tree::Tree;

/// The word, cut in two so that this file does not hold it, and what to do instead.
const WORDS: [(&str, &str, &str); 6] = [
    ("TO", "DO", "do it, or file an issue"),
    ("FIX", "ME", "fix it, or file an issue"),
    ("tod", "o!(", "write the code"),
    ("unimple", "mented!(", "write the code"),
    ("#[igno", "re", "a test runs or is removed"),
    ("@pytest.mark.sk", "ip", "a test runs or is removed"),
];

/// Beginnings of paths that exist on one machine only.
const MACHINE_PATHS: [(&str, &str); 3] = [("/wo", "rk/"), ("/ro", "ot/"), ("/tmp", "/t/")];

/// Lock files are not written by hand; corpora and grammars hold what others might say.
fn is_written(path: &str) -> bool {
    let data = ["/corpus/", "/grammar/"].iter().any(|folder| path.contains(folder));
    !(path.ends_with(".lock") || path.ends_with("package-lock.json") || data)
}

/// Checks every text file.
pub(super) fn check(tree: &Tree, report: &mut Report) {
    for file in tree.files.iter().filter(|file| is_written(&file.path)) {
        for (index, line) in file.text.lines().enumerate() {
            for (head, tail, instead) in WORDS {
                if is_word(line, &format!("{head}{tail}")) {
                    report.breach(&file.path, index + 1, format_args!("`{head}{tail}`: {instead}"));
                }
            }
            for (head, tail) in MACHINE_PATHS {
                if is_path(line, &format!("{head}{tail}")) {
                    report.breach(
                        &file.path,
                        index + 1,
                        format_args!("`{head}{tail}`: a path of one machine"),
                    );
                }
            }
        }
    }
}

/// Whether the word stands in the line and is not part of a longer one.
fn is_word(line: &str, word: &str) -> bool {
    line.match_indices(word).any(|(start, _)| {
        let before = line[..start].chars().next_back();
        let after = line[start + word.len()..].chars().next();
        let joins = |c: Option<char>| c.is_some_and(|c| c.is_alphanumeric() || c == '_');
        !joins(before) && (word.ends_with('(') || !joins(after))
    })
}

/// Whether an absolute path starts like this in the line.
fn is_path(line: &str, start_of_path: &str) -> bool {
    line.match_indices(start_of_path).any(|(start, _)| {
        line[..start].chars().next_back().is_none_or(|c| c.is_whitespace() || "\"'`(=:,".contains(c))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_whole_words_and_absolute_paths_count() {
        assert!(is_word("// LATER: x", "LATER"));
        assert!(!is_word("RELATER", "LATER"));
        assert!(!is_word("LATERAL", "LATER"));
        assert!(is_path("cd /here/x", "/here/"));
        assert!(is_path("\"/here/x\"", "/here/"));
        assert!(!is_path("http://a/here/x", "/here/"));
    }
}
