//! The tests' Node clients.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::PathBuf;
use std::process::Command;

use super::stamp::Stamp;
use crate::failure::{Doing, Failure, Outcome};
use crate::place::{Place, find_program};
use crate::run::{run_logged, say};

/// Installs the packages that `tests/clients/node/package-lock.json` pins; returns their `node_modules`.
///
/// They live in the target folder, so that a fresh clone with a cached target folder is quick; a link beside the
/// scripts lets Node find them.
pub(super) fn for_tests(place: &Place) -> Outcome<PathBuf> {
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
        let npm = find_program("npm", &[]).ok_or_else(|| {
            Failure::new(
                "no `npm` on PATH; install Node.js 20 or newer (on Debian and Ubuntu: `apt-get install npm`)",
            )
        })?;
        say("installing the tests' Node clients");
        fs::create_dir_all(&folder).doing(format_args!("make {}", folder.display()))?;
        fs::write(folder.join("package.json"), package).doing("copy package.json")?;
        fs::write(folder.join("package-lock.json"), &lock).doing("copy package-lock.json")?;
        run_logged(
            Command::new(npm).current_dir(&folder).args([
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
