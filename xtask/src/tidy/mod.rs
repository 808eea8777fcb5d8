//! `cargo xtask tidy`: the laws of ARCHITECTURE.md that neither the compiler nor clippy knows.
//!
//! Every breach is one line, `file:line: what is wrong and what to do`; any of them fails the command. Warnings are
//! for a person to weigh and fail nothing.

mod heads;
mod law;
mod prose;
mod pure;
mod rust_text;
mod size;
mod tree;
mod words;

use crate::failure::{Failure, Outcome};
use crate::place::Place;
use crate::run::say;
use tree::Tree;

/// What the checks found.
#[derive(Debug, Default)]
pub(crate) struct Report {
    breaches: Vec<String>,
    warnings: Vec<String>,
}

impl Report {
    /// A law is broken here. Lines are counted from 1; 0 means the whole file.
    fn breach(&mut self, file: &str, line: usize, what: impl std::fmt::Display) {
        self.breaches.push(at(file, line, what));
    }

    /// Something here wants a reason.
    fn warning(&mut self, file: &str, line: usize, what: impl std::fmt::Display) {
        self.warnings.push(at(file, line, what));
    }
}

fn at(file: &str, line: usize, what: impl std::fmt::Display) -> String {
    if line == 0 { format!("{file}: {what}") } else { format!("{file}:{line}: {what}") }
}

/// Runs every check and prints what they found.
pub(crate) fn run(rest: &[String]) -> Outcome {
    if let Some(word) = rest.first() {
        return Err(Failure::new(format!("`tidy` takes no argument, found `{word}`")));
    }
    let place = Place::find()?;
    let tree = Tree::read(&place.root)?;
    let mut report = Report::default();
    law::check(&place, &mut report)?;
    pure::check(&place, &mut report)?;
    size::check(&tree, &mut report);
    words::check(&tree, &mut report);
    heads::check(&tree, &mut report);
    prose::check(&tree, &mut report);
    for warning in &report.warnings {
        println!("warning: {warning}");
    }
    for breach in &report.breaches {
        println!("{breach}");
    }
    match report.breaches.len() {
        0 => {
            say(format_args!("tidy: {} files, {} warnings", tree.files.len(), report.warnings.len()));
            Ok(())
        }
        count => Err(Failure::new(format!("tidy: {count} breaches of the laws"))),
    }
}
