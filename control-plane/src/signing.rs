//! The keys that policies are signed by.
//!
//! `policy-signing-keys` holds a secret key a line (64 hex digits): the first one signs. The public keys of all
//! stand in `policy-keys.pub`, which sidecars are given at their start. So a key is changed in three steps, each with a restart
//! of control planes and sidecars: add the new one below, put it on top, take the old one away.
use std::fs::{self, File};
use std::io::Write;
use std::path::Path;

use mesh_audit::SigningKey;

use crate::error::StartError;
use crate::tokens;

const SECRET: &str = "policy-signing-keys";

/// Of a secret key.
const HEX_DIGITS: usize = 64;

/// The file in the data folder with the public keys, one a line.
pub const POLICY_KEYS: &str = "policy-keys.pub";

/// The key that signs, made at the first start. Writes the public keys.
pub(crate) fn key(data: &Path) -> Result<SigningKey, StartError> {
    let path = data.join(SECRET);
    tokens::secret_file(&path)?;
    let failed = |what, path: &Path| {
        let path = path.to_owned();
        move |source| StartError::Data { what, path, source }
    };
    let text = fs::read_to_string(&path).map_err(failed("read", &path))?;
    let keys =
        read(&text).map_err(|(found, help)| StartError::SigningKeys { path: path.clone(), found, help })?;
    let public: String = keys.iter().map(|key| key.public() + "\n").collect();
    let Some(first) = keys.into_iter().next() else {
        let (found, help) = ("it is empty".to_owned(), PUT_BACK);
        return Err(StartError::SigningKeys { path, found, help });
    };
    let path = data.join(POLICY_KEYS);
    replace(&path, &public).map_err(failed("write", &path))?;
    Ok(first)
}

const PUT_BACK: &str = "put the file back as it was, for sidecars run nothing that another key has signed";

/// The keys of a file; or what is found in a line in place of one, without telling it, and what to do.
fn read(text: &str) -> Result<Vec<SigningKey>, (String, &'static str)> {
    let mut keys = Vec::new();
    for (line, text) in (1..).zip(text.lines()) {
        for word in text.split_whitespace() {
            let hex = word.bytes().all(|byte| byte.is_ascii_hexdigit());
            let help = if hex && word.len() == 2 * HEX_DIGITS {
                "these seem to be two keys: put a line end between them"
            } else {
                PUT_BACK
            };
            let what = if hex { "hex digits" } else { "characters that are not all hex digits" };
            let found = || (format!("found {} {what} in line {line}", word.chars().count()), help);
            keys.push(SigningKey::from_hex(word).ok_or_else(found)?);
        }
    }
    Ok(keys)
}

/// Writes a file that is there whole or as it was, whenever this ends: a sidecar that starts meanwhile reads all keys.
fn replace(path: &Path, text: &str) -> std::io::Result<()> {
    if fs::read_to_string(path).is_ok_and(|held| held == text) {
        return Ok(());
    }
    let draft = path.with_extension(format!("new-{}", std::process::id()));
    let mut file = File::create(&draft)?;
    let written = file.write_all(text.as_bytes()).and_then(|()| file.sync_all());
    written.and_then(|()| fs::rename(&draft, path)).inspect_err(|_| drop(fs::remove_file(&draft)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_key_signs_and_all_are_public() {
        let parent = tempfile::tempdir().unwrap();
        let folder = parent.path().join("data");
        tokens::data_folder(&folder).unwrap();
        let made = key(&folder).unwrap().public();
        assert_eq!(key(&folder).unwrap().public(), made, "it is made once");
        let file = folder.join(SECRET);
        let old = fs::read_to_string(&file).unwrap();
        assert!(old.ends_with('\n'), "what is added begins a line");
        fs::write(&file, format!("{}\n{old}", "1".repeat(64))).unwrap();
        let new = key(&folder).unwrap().public();
        assert_ne!(new, made);
        let public = folder.join(POLICY_KEYS);
        assert_eq!(fs::read_to_string(&public).unwrap(), format!("{new}\n{made}\n"));
        // What says the same already is not written again, and no drafts are left.
        let written = fs::metadata(&public).unwrap().modified().unwrap();
        key(&folder).unwrap();
        assert_eq!(fs::metadata(&public).unwrap().modified().unwrap(), written);
        // Where it cannot be written, what was there stays.
        let ours = fs::read_to_string(&public).unwrap();
        fs::create_dir(public.with_extension(format!("new-{}", std::process::id()))).unwrap();
        fs::write(&file, &old).unwrap();
        assert!(matches!(key(&folder), Err(StartError::Data { what: "write", .. })));
        assert_eq!(fs::read_to_string(&public).unwrap(), ours);
        fs::remove_dir(public.with_extension(format!("new-{}", std::process::id()))).unwrap();
        key(&folder).unwrap();
        assert_eq!(fs::read_dir(&folder).unwrap().count(), 2, "no drafts are left");
        let good = "1".repeat(64);
        for (bad, said, help) in [
            (String::new(), "it is empty", "put the file back"),
            ("abc".to_owned(), "found 3 hex digits in line 1", "put the file back"),
            (format!("{good}\n\n{}", "g".repeat(64)), "not all hex digits in line 3", "put the file back"),
            (good.repeat(2) + "\n", "found 128 hex digits in line 1", "put a line end between them"),
        ] {
            fs::write(&file, &bad).unwrap();
            let why = key(&folder).map(drop).unwrap_err().to_string();
            assert!(why.contains(said) && why.contains(help) && !why.contains("111"), "{why}");
        }
    }
}
