//! Remembers what a folder was made from, so that it is made again only when that changes.

use std::fs;
use std::path::{Path, PathBuf};

use crate::failure::{Doing, Outcome};

/// The file that says what a folder holds. It is written last: a run that was cut short leaves none.
pub(super) struct Stamp {
    path: PathBuf,
    content: String,
}

impl Stamp {
    /// The stamp of `folder` made from `content`.
    pub(super) fn new(folder: &Path, content: &str) -> Self {
        Self { path: folder.join(".ai-mesh-stamp"), content: content.to_owned() }
    }

    /// Whether the folder was completely made from the same content.
    pub(super) fn holds(&self) -> bool {
        fs::read_to_string(&self.path).is_ok_and(|found| found == self.content)
    }

    /// Says that the folder is complete.
    pub(super) fn write(&self) -> Outcome {
        fs::write(&self.path, &self.content).doing(format_args!("write {}", self.path.display()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stamp_holds_for_the_content_it_was_written_for() {
        let folder = tempfile::tempdir().unwrap();
        let stamp = Stamp::new(folder.path(), "openai==1.0");
        assert!(!stamp.holds());
        stamp.write().unwrap();
        assert!(stamp.holds());
        assert!(!Stamp::new(folder.path(), "openai==2.0").holds());
    }
}
