//! Which lines of a Rust file are code.

/// Number of lines of code before the tests: neither blank nor comment.
///
/// Tests beside the code start at `#[cfg(test)]` on a line of its own, followed by a module, and go to the end of the file.
pub(super) fn code_lines(text: &str) -> usize {
    let lines: Vec<&str> = text.lines().map(str::trim).collect();
    let end = lines
        .windows(2)
        .position(|pair| pair[0] == "#[cfg(test)]" && pair[1].contains("mod ") && pair[1].ends_with('{'))
        .unwrap_or(lines.len());
    lines[..end].iter().filter(|line| !line.is_empty() && !line.starts_with("//")).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blank_lines_comments_and_tests_are_not_code() {
        let text = "//! Head.\n\nuse a;\n// why\nfn f() {}\n#[cfg(test)]\nmod other;\n\n#[cfg(test)]\nmod tests {\n    fn g() {}\n}\n";
        assert_eq!(code_lines(text), 4);
        assert_eq!(code_lines(""), 0);
    }
}
