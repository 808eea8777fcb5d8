//! Tables of figures, printed and written as Markdown and JSON.

use std::fmt::Write;
use std::path::Path;

use serde_json::{Map, Value, json};

use crate::score::Share;

/// One figure of a table.
#[derive(Debug, Clone)]
pub(crate) enum Cell {
    Count(usize),
    Share(Share),
    Number(f64),
    /// Measured for nothing: no rows of that kind.
    None,
}

/// A table: what each row is about, and its figures.
#[derive(Debug)]
pub(crate) struct Table {
    pub(crate) title: String,
    pub(crate) columns: &'static [&'static str],
    pub(crate) rows: Vec<(String, Vec<Cell>)>,
}

/// All tables of one run.
#[derive(Debug, Default)]
pub(crate) struct Report {
    tables: Vec<Table>,
}

impl Table {
    fn markdown(&self) -> String {
        let mut out = format!("## {}\n\n| | {} |\n|---|", self.title, self.columns.join(" | "));
        out.push_str(&"---:|".repeat(self.columns.len()));
        out.push('\n');
        for (name, cells) in &self.rows {
            let _ = write!(out, "| {name} |");
            for cell in cells {
                let _ = match cell {
                    Cell::Count(n) => write!(out, " {n} |"),
                    Cell::Share(Share { value, interval }) => {
                        write!(out, " {value:.3} ({:.3}–{:.3}) |", interval.start, interval.end)
                    }
                    Cell::Number(n) => write!(out, " {n:.3} |"),
                    Cell::None => write!(out, " – |"),
                };
            }
            out.push('\n');
        }
        out
    }

    fn json(&self) -> Value {
        let rows = self.rows.iter().map(|(name, cells)| {
            let mut row = Map::new();
            row.insert("name".to_owned(), json!(name));
            for (column, cell) in self.columns.iter().zip(cells) {
                let value = match cell {
                    Cell::Count(n) => json!(n),
                    Cell::Share(s) => {
                        json!({"value": s.value, "low": s.interval.start, "high": s.interval.end})
                    }
                    Cell::Number(n) => json!(n),
                    Cell::None => Value::Null,
                };
                row.insert((*column).to_owned(), value);
            }
            Value::Object(row)
        });
        json!({"title": self.title, "rows": rows.collect::<Vec<_>>()})
    }
}

impl Report {
    /// Prints a table and keeps it for the files.
    pub(crate) fn add(&mut self, table: Table) {
        println!("{}", table.markdown());
        self.tables.push(table);
    }

    /// Writes `report.md` and `report.json` into `folder`.
    pub(crate) fn write(&self, folder: &Path) -> Result<(), String> {
        let mut markdown =
            "# Detection, measured\n\nIn brackets: 95 % confidence intervals (Wilson).\n\n".to_owned();
        for table in &self.tables {
            markdown.push_str(&table.markdown());
            markdown.push('\n');
        }
        let json = json!({"tables": self.tables.iter().map(Table::json).collect::<Vec<_>>()});
        std::fs::create_dir_all(folder).map_err(|error| format!("{}: {error}", folder.display()))?;
        for (name, text) in [("report.md", markdown), ("report.json", format!("{json:#}\n"))] {
            let path = folder.join(name);
            std::fs::write(&path, text).map_err(|error| format!("{}: {error}", path.display()))?;
        }
        Ok(())
    }
}
