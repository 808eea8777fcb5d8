//! Tokens: made at the first start, kept in files that only their owner can read.
//!
//! A token file appears whole or not at all, and is never overwritten, so that everybody who was given the token keeps access.
use std::fs::{self, OpenOptions, Permissions};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::Path;

use mesh_control_api::Token;

use crate::error::StartError;

/// Shorter ones could be guessed.
const MIN_LENGTH: usize = 16;

/// Makes the data folder, for its owner alone, if it is not there.
pub(crate) fn data_folder(path: &Path) -> Result<(), StartError> {
    fs::DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(|source| StartError::Data {
        what: "make the folder",
        path: path.to_owned(),
        source,
    })
}

/// A file with secrets that only its owner can read; where none is, one with a new secret of 64 hex digits and a line end, so
/// that what is added to it begins a line.
pub(crate) fn secret_file(path: &Path) -> Result<(), StartError> {
    private_file(path, "\n")
}

/// A file that only its owner can read; where none is, one with a new secret and `end` after it.
fn private_file(path: &Path, end: &str) -> Result<(), StartError> {
    let failed = |what| move |source| StartError::Data { what, path: path.to_owned(), source };
    if !path.try_exists().map_err(failed("read"))? {
        make(path, end).map_err(failed("write"))?;
    }
    let mode = fs::metadata(path).map_err(failed("read"))?.permissions().mode();
    if mode & 0o077 != 0 {
        tracing::warn!(path = %path.display(), "secrets could be read by other users; the file's rights are corrected");
        fs::set_permissions(path, Permissions::from_mode(0o600)).map_err(failed("correct the rights of"))?;
    }
    Ok(())
}

/// The token in a file; a new one is made if there is no file. The file holds the token and nothing else, not even a line end:
/// Envoy sends it as it is.
pub(crate) fn token(path: &Path) -> Result<Token, StartError> {
    private_file(path, "")?;
    let read = fs::read_to_string(path);
    let text = read.map_err(|source| StartError::Data { what: "read", path: path.to_owned(), source })?;
    let token = text.trim();
    let found = match token {
        "" => "nothing",
        _ if !token.bytes().all(|byte| byte.is_ascii_graphic()) => "several words, or letters beyond ASCII",
        _ if token.len() < MIN_LENGTH => "a shorter word",
        _ => return Ok(Token::new(token)),
    };
    Err(StartError::Token { path: path.to_owned(), found })
}

/// Writes a new secret, and `end` after it.
fn make(path: &Path, end: &str) -> std::io::Result<()> {
    let secret: String = rand::random::<[u8; 32]>().iter().map(|byte| format!("{byte:02x}")).collect();
    let secret = secret + end;
    let draft = path.with_extension(format!("new-{}", std::process::id()));
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&draft)?;
    let written = file.write_all(secret.as_bytes()).and_then(|()| file.sync_all());
    // A link is made only where nothing is: of two first starts, one token wins.
    let linked = written.and_then(|()| match fs::hard_link(&draft, path) {
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(()),
        linked => linked,
    });
    fs::remove_file(&draft).and(linked)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_made_once_and_kept_private() {
        let parent = tempfile::tempdir().unwrap();
        let folder = parent.path().join("data");
        data_folder(&folder).unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&folder), 0o700);
        let file = folder.join("admin-token");
        let made = token(&file).unwrap();
        assert_eq!((made.secret().len(), mode(&file)), (64, 0o600));
        assert_eq!(fs::read_to_string(&file).unwrap(), made.secret());
        assert_ne!(token(&folder.join("sidecar-token")).unwrap().secret(), made.secret());

        fs::set_permissions(&file, Permissions::from_mode(0o644)).unwrap();
        assert_eq!(token(&file).unwrap().secret(), made.secret());
        assert_eq!(mode(&file), 0o600);
        // Written by hand, with a line end.
        fs::write(&file, "0123456789abcdef\n").unwrap();
        assert_eq!(token(&file).unwrap().secret(), "0123456789abcdef");
        for (bad, said) in
            [("", "nothing"), ("short", "a shorter word"), ("0123456789 abcdef", "several words")]
        {
            fs::write(&file, bad).unwrap();
            let why = token(&file).unwrap_err().to_string();
            assert!(why.contains(&format!("found {said}")) && why.contains("put the old file back"), "{why}");
        }
        assert_eq!(fs::read_dir(&folder).unwrap().count(), 2, "no drafts are left");
    }
}
