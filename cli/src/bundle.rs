//! OPA's bundles on disk: a folder with a `.manifest`, or a `.tar.gz` archive of one. Sizes and counts are bounded while
//! reading, and links are refused: a bundle may come from anybody.

use std::{
    fs::File,
    io::{ErrorKind, Read},
    path::{Path, PathBuf},
};

use mesh_policy::{MAX_BUNDLE_BYTES, MAX_BUNDLE_FILES, is_bundle_path};

use crate::failure::{Exit, Failure, Outcome};

/// Most bytes that an archive may unpack to, files that are no part of the policy included.
const MAX_UNPACKED: u64 = 64 << 20;

/// Files of a bundle, each with its path in it.
type Files = Vec<(String, Vec<u8>)>;

/// Whether this is a bundle, and not a folder of documents or a document.
pub(crate) fn is_bundle(path: &Path) -> bool {
    path.join(".manifest").is_file() || is_archive(path)
}

fn is_archive(path: &Path) -> bool {
    let name = path.to_string_lossy();
    name.ends_with(".tar.gz") || name.ends_with(".tgz")
}

/// The policy's name if the manifest gives none.
pub(crate) fn name(path: &Path) -> String {
    let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let name = path.file_name().unwrap_or_default().to_string_lossy().to_lowercase();
    let name = name.strip_suffix(".tar.gz").or_else(|| name.strip_suffix(".tgz")).unwrap_or(&name);
    name.replace(['_', '.', ' '], "-")
}

/// The files that matter to a policy.
pub(crate) fn files(path: &Path) -> Outcome<Files> {
    if is_archive(path) { unpacked(path) } else { folder(path) }
}

fn matters(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or(path);
    matches!(name, ".manifest" | "data.json" | "data.yaml" | "data.yml") || name.ends_with(".rego")
}

fn refused(path: &Path, why: impl std::fmt::Display) -> Failure {
    Failure::failed(format!("{}: {why}", path.display())).exit(Exit::Policy)
}

/// Adds a file, as long as the bundle stays within its bounds.
fn add(files: &mut Files, from: &Path, path: String, reader: impl Read) -> Outcome {
    let held: u64 = files.iter().map(|(_, bytes)| bytes.len() as u64).sum();
    let mut bytes = Vec::new();
    let read = reader.take(MAX_BUNDLE_BYTES.saturating_sub(held) + 1).read_to_end(&mut bytes);
    read.map_err(|error| Failure::file("read", from, &error))?;
    if held + bytes.len() as u64 > MAX_BUNDLE_BYTES || files.len() >= MAX_BUNDLE_FILES {
        let most = format!("at most {MAX_BUNDLE_FILES} files and {MAX_BUNDLE_BYTES} bytes are read");
        return Err(refused(from, format!("the bundle is too large: {most}")));
    }
    files.push((path, bytes));
    Ok(())
}

/// An archive that unpacks to more than the bound is an error, not an end of file: otherwise its rest would be dropped silently.
struct Bounded<R> {
    inner: R,
    left: u64,
}

impl<R: Read> Read for Bounded<R> {
    fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
        let read = self.inner.read(into)?;
        self.left = self.left.checked_sub(read as u64).ok_or(ErrorKind::FileTooLarge)?;
        Ok(read)
    }
}

fn unpacked(path: &Path) -> Outcome<Files> {
    let file = File::open(path).map_err(|error| Failure::file("read", path, &error))?;
    let plain = Bounded { inner: flate2::read::GzDecoder::new(file), left: MAX_UNPACKED };
    let mut archive = tar::Archive::new(plain);
    let broken = |error: std::io::Error| match error.kind() {
        ErrorKind::FileTooLarge => {
            refused(path, format!("the archive unpacks to more than {MAX_UNPACKED} bytes"))
        }
        _ => refused(path, format!("no tar.gz archive: {error}")),
    };
    let mut files = Vec::new();
    for (index, entry) in archive.entries().map_err(broken)?.enumerate() {
        let entry = entry.map_err(broken)?;
        if index >= 10 * MAX_BUNDLE_FILES {
            return Err(refused(path, "the archive has too many entries"));
        }
        let kind = entry.header().entry_type();
        if kind.is_dir() || kind.is_pax_global_extensions() {
            continue;
        }
        let name = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
        // `opa build` writes paths from the root, `tar` from the folder it stands in.
        let inside = name.strip_prefix("./").or_else(|| name.strip_prefix('/')).unwrap_or(&name).to_owned();
        if !is_bundle_path(&inside) {
            return Err(refused(path, format!("the entry {name:?} leads out of the bundle")));
        }
        if !kind.is_file() {
            return Err(refused(path, format!("the entry {name:?} is a link or a device, expected a file")));
        }
        if matters(&inside) {
            add(&mut files, path, inside, entry)?;
        }
    }
    Ok(files)
}

fn folder(path: &Path) -> Outcome<Files> {
    let mut found: Vec<(String, PathBuf)> = Vec::new();
    let mut pending = vec![(String::new(), path.to_owned())];
    while let Some((prefix, folder)) = pending.pop() {
        let entries = std::fs::read_dir(&folder).map_err(|error| Failure::file("read", &folder, &error))?;
        for entry in entries {
            let entry = entry.map_err(|error| Failure::file("read", &folder, &error))?;
            let inside = format!("{prefix}{}", entry.file_name().to_string_lossy());
            let kind = entry.file_type().map_err(|error| Failure::file("read", &entry.path(), &error))?;
            if found.len() + pending.len() > 10 * MAX_BUNDLE_FILES {
                return Err(refused(path, "the folder has too many entries"));
            }
            if kind.is_dir() {
                if is_bundle_path(&inside) && !inside.starts_with(".git") {
                    pending.push((format!("{inside}/"), entry.path()));
                }
            } else if matters(&inside) {
                if kind.is_symlink() {
                    return Err(refused(&entry.path(), "a link, expected a file"));
                }
                found.push((inside, entry.path()));
            }
        }
    }
    found.sort();
    let mut files = Vec::new();
    for (inside, file) in found {
        let reader = File::open(&file).map_err(|error| Failure::file("read", &file, &error))?;
        add(&mut files, path, inside, reader)?;
    }
    Ok(files)
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    /// Writes an archive. Each entry: a path, and text or where a link leads.
    fn write_archive(path: &Path, entries: &[(&str, Result<&str, &str>)]) {
        let out = flate2::write::GzEncoder::new(File::create(path).unwrap(), flate2::Compression::fast());
        let mut builder = tar::Builder::new(out);
        for (name, content) in entries {
            let mut header = tar::Header::new_ustar();
            // Written past the library's own check of paths.
            header.as_old_mut().name[..name.len()].copy_from_slice(name.as_bytes());
            header.set_mode(0o644);
            let text = match content {
                Ok(text) => *text,
                Err(target) => {
                    header.set_entry_type(tar::EntryType::Symlink);
                    header.set_link_name(target).unwrap();
                    ""
                }
            };
            header.set_size(text.len() as u64);
            header.set_cksum();
            builder.append(&header, text.as_bytes()).unwrap();
        }
        builder.into_inner().unwrap().finish().unwrap().flush().unwrap();
    }

    #[test]
    fn an_archive_is_read_and_hostile_ones_are_refused() {
        let huge = "x".repeat(2 << 20);
        type Entry<'a> = (&'a str, Result<&'a str, &'a str>);
        let rows: &[(&str, &[Entry], Result<usize, &str>)] = &[
            (
                "good",
                &[("/.manifest", Ok("{}")), ("./a/b.rego", Ok("package mesh")), ("README", Ok("x"))],
                Ok(2),
            ),
            ("up", &[("../x.rego", Ok("package mesh"))], Err("leads out of the bundle")),
            ("deep", &[("a/../../x.rego", Ok("package mesh"))], Err("leads out of the bundle")),
            ("link", &[("a.rego", Err("/etc/passwd"))], Err("is a link")),
            ("huge", &[("data.json", Ok(&huge))], Err("too large")),
            ("ignored", &[("other.bin", Ok(&huge)), ("a.rego", Ok("package mesh"))], Ok(1)),
        ];
        let folder = tempfile::tempdir().unwrap();
        for (name, entries, expected) in rows {
            let path = folder.path().join(format!("{name}.tar.gz"));
            write_archive(&path, entries);
            match (files(&path), expected) {
                (Ok(found), Ok(count)) => assert_eq!(found.len(), *count, "{name}"),
                (Err(failure), Err(said)) => {
                    assert!(failure.to_string().contains(said), "{name}: {failure}");
                }
                (found, _) => panic!("{name}: {:?}", found.map(|files| files.len())),
            }
        }
    }

    #[test]
    fn what_is_over_the_bound_is_no_end() {
        for (left, expected) in [(3, Ok(3)), (4, Ok(3)), (2, Err(ErrorKind::FileTooLarge))] {
            let read = Bounded { inner: b"abc".as_slice(), left }.read_to_end(&mut Vec::new());
            assert_eq!(read.map_err(|error| error.kind()), expected, "{left}");
        }
    }

    #[test]
    fn a_name_is_made_of_the_path() {
        for (path, expected) in [("/x/My_Rules.tar.gz", "my-rules"), ("/x/agents/", "agents"), ("a.tgz", "a")]
        {
            assert_eq!(name(Path::new(path)), expected);
        }
    }
}
