//! The text files of the clone.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::failure::Outcome;
use crate::run::output;

/// A text file.
pub(super) struct TextFile {
    /// Path from the root of the clone, with `/`.
    pub(super) path: String,
    /// What it holds.
    pub(super) text: String,
}

/// Everything git tracks, or would track.
pub(super) struct Tree {
    pub(super) files: Vec<TextFile>,
}

impl Tree {
    /// Reads all files that are text.
    pub(super) fn read(root: &Path) -> Outcome<Self> {
        let listing = output(Command::new("git").current_dir(root).args([
            "ls-files",
            "--cached",
            "--others",
            "--exclude-standard",
        ]))?;
        let files = listing
            .lines()
            .filter_map(|path| {
                // A tracked file that was deleted, or one that is no text.
                let text = fs::read_to_string(root.join(path)).ok()?;
                Some(TextFile { path: path.to_owned(), text })
            })
            .collect();
        Ok(Self { files })
    }

    /// The Rust files that people write: not generated ones.
    pub(super) fn rust(&self) -> impl Iterator<Item = &TextFile> {
        self.files.iter().filter(|file| file.path.ends_with(".rs") && !file.path.contains("/generated/"))
    }

    /// The file at this path.
    pub(super) fn get(&self, path: &str) -> Option<&TextFile> {
        self.files.iter().find(|file| file.path == path)
    }
}
