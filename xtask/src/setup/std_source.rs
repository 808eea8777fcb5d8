//! Debian's packages of std's source and of wasi-libc, unpacked into a folder of ours.
//!
//! The machine's own apt configuration stays as it is: a private source list, private package lists, `dpkg -x`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::failure::{Doing, Failure, Outcome};
use crate::place::find_program;
use crate::run::{output, run_logged, say};

/// Suites that carry recent compilers for stable Debian, newest first.
const SUITES: [&str; 2] = ["trixie-backports", "bookworm-backports"];

/// Debian's archive keys, from the package debian-archive-keyring.
const KEYRING: &str = "/usr/share/keyrings/debian-archive-keyring.gpg";

/// The unpacked sources.
pub(super) struct Source {
    /// What `<sysroot>/lib/rustlib/src/rust` must be.
    pub(super) rust: PathBuf,
    /// Folder with `libc.a` and the start-up objects for wasm32-wasi.
    pub(super) libc: PathBuf,
}

/// Fetches and unpacks both packages below `work`.
pub(super) fn fetch(work: &Path, version: &str) -> Outcome<Source> {
    let no = |why: &str| {
        Failure::new(format!(
            "cannot get the standard library's source: {why}. Run `rustup target add wasm32-wasip1` where the network \
             allows it"
        ))
    };
    if find_program("apt-get", &[]).is_none() || find_program("dpkg", &[]).is_none() {
        return Err(no("this machine has no apt-get and dpkg"));
    }
    if !Path::new(KEYRING).exists() {
        return Err(no("Debian's archive keyring is not installed"));
    }
    let archive =
        archive_in(&apt_configuration()).ok_or_else(|| no("no apt source of this machine is Debian's"))?;

    let _ = fs::remove_dir_all(work);
    let apt = Apt::new(work, &archive)?;
    apt.update()?;
    let rust_version = apt
        .versions("rust-src")?
        .into_iter()
        .find(|found| is_of_compiler(found, version))
        .ok_or_else(|| no(&format!("Debian has no rust-src of rustc's version {version}")))?;
    apt.unpack(&format!("rust-src={rust_version}"))?;
    apt.unpack("wasi-libc")?;
    let source = Source {
        rust: work.join(format!("root/usr/src/rustc-{version}")),
        libc: work.join("root/usr/lib/wasm32-wasi"),
    };
    if !source.rust.join("library/Cargo.toml").exists() || !source.libc.join("libc.a").exists() {
        return Err(no("Debian's packages do not hold what they used to"));
    }
    Ok(source)
}

/// Whether a Debian version such as `1.95.0+dfsg1-2~bpo13+1` is of this compiler version.
fn is_of_compiler(debian: &str, version: &str) -> bool {
    debian.strip_prefix(version).is_some_and(|rest| rest.starts_with(['+', '-', '~']))
}

/// The text of all apt source files.
fn apt_configuration() -> String {
    let further =
        fs::read_dir("/etc/apt/sources.list.d").into_iter().flatten().flatten().map(|entry| entry.path());
    std::iter::once(PathBuf::from("/etc/apt/sources.list"))
        .chain(further)
        .filter_map(|path| fs::read_to_string(path).ok())
        .collect::<Vec<_>>()
        .join("\n\n")
}

/// The address of the Debian archive that this machine uses, from one-line (`deb …`) or deb822 (`URIs:`) sources.
fn archive_in(configuration: &str) -> Option<String> {
    let is_debian = |suite: &str| {
        ["bookworm", "trixie", "forky", "bullseye", "sid", "stable", "testing", "unstable"].contains(&suite)
    };
    let one_line = configuration.lines().find_map(|line| {
        let rest = line.trim().strip_prefix("deb ")?.trim();
        let rest = if rest.starts_with('[') { rest.split_once(']')?.1 } else { rest };
        let mut words = rest.split_whitespace();
        let address = words.next()?;
        is_debian(words.next()?).then(|| address.to_owned())
    });
    let stanza = || {
        configuration.split("\n\n").find_map(|stanza| {
            let field = |name: &str| {
                stanza.lines().find_map(|line| line.strip_prefix(name)).map(str::split_whitespace)
            };
            let address = field("URIs:")?.next()?;
            field("Suites:")?.any(is_debian).then(|| address.to_owned())
        })
    };
    one_line.or_else(stanza)
}

/// apt with its own lists and cache.
struct Apt {
    work: PathBuf,
    options: Vec<String>,
}

impl Apt {
    fn new(work: &Path, archive: &str) -> Outcome<Self> {
        for folder in ["lists/partial", "cache/archives/partial", "debs", "root"] {
            fs::create_dir_all(work.join(folder))
                .doing(format_args!("make a folder in {}", work.display()))?;
        }
        let list = work.join("sources.list");
        let lines: String = SUITES
            .iter()
            .map(|suite| format!("deb [signed-by={KEYRING}] {archive} {suite} main\n"))
            .collect();
        fs::write(&list, lines).doing(format_args!("write {}", list.display()))?;
        let options = [
            format!("Dir::Etc::sourcelist={}", list.display()),
            "Dir::Etc::sourceparts=-".to_owned(),
            format!("Dir::State::lists={}", work.join("lists").display()),
            format!("Dir::Cache={}", work.join("cache").display()),
            // As root apt would fetch as the user `_apt`, who cannot write here.
            "APT::Sandbox::User=root".to_owned(),
        ];
        Ok(Self {
            work: work.to_owned(),
            options: options.into_iter().flat_map(|o| ["-o".to_owned(), o]).collect(),
        })
    }

    fn update(&self) -> Outcome {
        say("  reading Debian's package lists");
        run_logged(
            Command::new("apt-get").arg("-q").args(&self.options).arg("update"),
            &self.work.join("update.log"),
        )
    }

    /// The versions on offer, as `apt-cache madison` lists them: `package | version | source`.
    fn versions(&self, package: &str) -> Outcome<Vec<String>> {
        let table = output(Command::new("apt-cache").args(&self.options).args(["madison", package]))?;
        Ok(table
            .lines()
            .filter_map(|line| line.split('|').nth(1))
            .map(|version| version.trim().to_owned())
            .collect())
    }

    /// Downloads `package` or `package=version` and unpacks it below `root`.
    fn unpack(&self, package: &str) -> Outcome {
        let debs = self.work.join("debs");
        let name = package.split('=').next().unwrap_or(package);
        run_logged(
            Command::new("apt-get")
                .current_dir(&debs)
                .arg("-q")
                .args(&self.options)
                .args(["download", package]),
            &self.work.join("download.log"),
        )?;
        let deb = fs::read_dir(&debs)
            .doing(format_args!("read {}", debs.display()))?
            .flatten()
            .find(|entry| entry.file_name().to_string_lossy().starts_with(&format!("{name}_")))
            .ok_or_else(|| Failure::new(format!("apt-get left no package {name} in {}", debs.display())))?;
        run_logged(
            Command::new("dpkg").arg("-x").arg(deb.path()).arg(self.work.join("root")),
            &self.work.join("unpack.log"),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_archive_is_the_one_the_machine_uses() {
        let cases = [
            ("deb http://mirror.test/debian bookworm main", Some("http://mirror.test/debian")),
            (
                "deb [arch=amd64 signed-by=/k] http://mirror.test/debian trixie main",
                Some("http://mirror.test/debian"),
            ),
            ("# deb http://mirror.test/debian bookworm main", None),
            ("deb https://packages.test/apt some-sdk main", None),
            (
                "Types: deb\nURIs: https://node.test/20\nSuites: nodistro\n\nTypes: deb\nURIs: http://m.test/debian\n\
                 Suites: bookworm bookworm-updates\nComponents: main",
                Some("http://m.test/debian"),
            ),
            ("Types: deb\nURIs: http://m.test/debian-security\nSuites: bookworm-security", None),
            ("", None),
        ];
        for (configuration, expected) in cases {
            assert_eq!(archive_in(configuration).as_deref(), expected, "{configuration}");
        }
    }

    #[test]
    fn a_package_is_of_exactly_the_compilers_version() {
        for (debian, expected) in [
            ("1.95.0+dfsg1-2~bpo13+1", true),
            ("1.95.0-1", true),
            ("1.95.01-1", false),
            ("1.94.0+dfsg1-1", false),
        ] {
            assert_eq!(is_of_compiler(debian, "1.95.0"), expected, "{debian}");
        }
    }
}
