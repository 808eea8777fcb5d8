//! What is printed: results on standard output, everything said beside them on standard error.

use std::io::{self, Write};

use anstyle::{AnsiColor, Style};
use serde_json::Value;
use unicode_width::UnicodeWidthStr;

use crate::args::{Color, Format};

/// Bold.
pub(crate) const STRONG: Style = Style::new().bold();
/// Something good.
pub(crate) const GOOD: Style = AnsiColor::Green.on_default();
/// Something to look at.
pub(crate) const WARN: Style = AnsiColor::Yellow.on_default();
/// Something bad.
pub(crate) const BAD: Style = AnsiColor::Red.on_default().bold();
/// Something of less interest.
pub(crate) const FAINT: Style = Style::new().dimmed();

/// Where results go, and how.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Output {
    format: Format,
}

/// Sets when colours are used, for everything that is printed from now on.
pub(crate) fn choose_color(color: Color) {
    match color {
        Color::Auto => {}
        Color::Always => anstream::ColorChoice::Always.write_global(),
        Color::Never => anstream::ColorChoice::Never.write_global(),
    }
}

/// Says a line on standard error.
pub(crate) fn say(line: impl std::fmt::Display) {
    // If nobody reads standard error any more, the command goes on all the same.
    let _ = writeln!(anstream::stderr(), "{line}");
}

/// Text in a style; plain where colours are off.
pub(crate) fn styled(style: Style, text: impl std::fmt::Display) -> String {
    format!("{style}{text}{style:#}")
}

impl Output {
    pub(crate) fn new(format: Format) -> Self {
        Self { format }
    }

    /// Whether the reader is a program.
    pub(crate) fn for_programs(self) -> bool {
        self.format == Format::Json
    }

    /// Prints a result: as JSON for programs, else what `table` makes of it.
    pub(crate) fn show(self, value: &Value, table: impl FnOnce(&Value) -> String) -> io::Result<()> {
        if self.for_programs() { self.text(&format!("{value:#}")) } else { self.text(&table(value)) }
    }

    /// Prints a line or several.
    pub(crate) fn text(self, text: &str) -> io::Result<()> {
        let mut out = anstream::stdout().lock();
        writeln!(out, "{}", text.trim_end_matches('\n'))?;
        out.flush()
    }
}

/// A table without borders, its columns two blanks apart.
pub(crate) struct Rows {
    rows: Vec<Vec<String>>,
    empty: &'static str,
}

impl Rows {
    /// A table with these columns; `empty` is said when there is no row.
    pub(crate) fn new(columns: &[&str], empty: &'static str) -> Self {
        Self { rows: vec![columns.iter().map(|column| styled(STRONG, column)).collect()], empty }
    }

    /// One more row.
    pub(crate) fn push(&mut self, cells: impl IntoIterator<Item = String>) {
        self.rows.push(cells.into_iter().collect());
    }
}

impl std::fmt::Display for Rows {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.rows.len() == 1 {
            return f.write_str(self.empty);
        }
        let columns = self.rows.iter().map(Vec::len).max().unwrap_or(0);
        let width_of =
            |at: usize| self.rows.iter().filter_map(|row| row.get(at)).map(|cell| width(cell)).max();
        let widths: Vec<usize> = (0..columns).map(|at| width_of(at).unwrap_or(0)).collect();
        for row in &self.rows {
            let mut line = String::new();
            for (at, cell) in row.iter().enumerate() {
                line.push_str(cell);
                if at + 1 < row.len() {
                    line.push_str(&" ".repeat(widths[at] - width(cell) + 2));
                }
            }
            writeln!(f, "{}", line.trim_end())?;
        }
        Ok(())
    }
}

/// Columns of the terminal that a text takes; styles take none.
fn width(text: &str) -> usize {
    UnicodeWidthStr::width(anstream::adapter::strip_str(text).to_string().as_str())
}

/// A field as text: nothing for null, words as they are, everything else as JSON.
pub(crate) fn field(value: &Value, name: &str) -> String {
    match &value[name] {
        Value::Null => String::new(),
        Value::String(text) => printable(text),
        other => other.to_string(),
    }
}

/// Text from elsewhere without control characters: a name must not move the cursor.
pub(crate) fn printable(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '\u{FFFD}' } else { c }).collect()
}

/// A number of things, as people write it: `1 policy`, `2 policies`, `0 errors`.
pub(crate) fn counted(count: usize, what: &str) -> String {
    match (count, what.strip_suffix('y')) {
        (1, _) => format!("1 {what}"),
        (_, Some(stem)) => format!("{count} {stem}ies"),
        (_, None) => format!("{count} {what}s"),
    }
}

/// An outcome in its colour.
pub(crate) fn outcome(decision: &str) -> String {
    let style = match decision {
        "allow" => GOOD,
        "allow_with_modifications" => WARN,
        "deny" | "throttle" => BAD,
        _ => Style::new(),
    };
    styled(style, printable(decision))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plain(text: &str) -> String {
        anstream::adapter::strip_str(text).to_string()
    }

    #[test]
    fn tables_are_aligned_and_without_borders() {
        let mut rows = Rows::new(&["NAME", "VERSION"], "nothing");
        assert_eq!(rows.to_string(), "nothing");
        rows.push(["starter".into(), "1".into()]);
        rows.push([outcome("deny"), "12".into()]);
        assert_eq!(plain(&rows.to_string()), "NAME     VERSION\nstarter  1\ndeny     12\n");
    }

    #[test]
    fn names_from_elsewhere_cannot_move_the_cursor() {
        let value = serde_json::json!({ "agent": "a\u{1b}[2Jb", "n": 3, "none": null });
        assert_eq!(field(&value, "agent"), "a\u{FFFD}[2Jb");
        assert_eq!(field(&value, "n"), "3");
        assert_eq!(field(&value, "none"), "");
    }
}
