//! Which database, and how to speak of it without giving its password away.
use std::fmt;
use std::path::PathBuf;

use crate::OpenError;

/// Where policies and decisions are kept.
#[derive(Clone, PartialEq, Eq)]
pub enum Location {
    /// A file of SQLite; it is made if it is not there.
    Sqlite(PathBuf),
    /// A Postgres database, by URL.
    Postgres(String),
}

impl Location {
    /// Reads `postgres://…`, `postgresql://…` or `sqlite:PATH`.
    ///
    /// # Errors
    /// For anything else. The text never repeats the URL: it may hold a password.
    pub fn from_url(url: &str) -> Result<Self, OpenError> {
        match url.split_once(':') {
            Some(("postgres" | "postgresql", _)) => Ok(Location::Postgres(url.to_owned())),
            Some(("sqlite", path)) if !path.is_empty() => {
                let path = path.strip_prefix("//").unwrap_or(path);
                Ok(Location::Sqlite(PathBuf::from(path)))
            }
            _ => Err(OpenError::Address {
                what: "the database".to_owned(),
                expected: "postgres://USER:PASSWORD@HOST:PORT/NAME or sqlite:PATH",
            }),
        }
    }
}

/// The kind and the host or path; never a user, password or parameter.
impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Location::Sqlite(path) => write!(f, "SQLite file {}", path.display()),
            Location::Postgres(url) => write!(f, "Postgres at {}", host_of(url)),
        }
    }
}

impl fmt::Debug for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Host, port and path of a URL, without credentials and parameters. A password that is not escaped properly may look like any of
/// these, so whatever could be part of one is left out.
pub(crate) fn host_of(url: &str) -> &str {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let (rest, parameters) = rest.find(['?', '#']).map_or((rest, ""), |at| rest.split_at(at));
    let host = rest.rsplit_once('@').map_or(rest, |(_, host)| host);
    let authority = host.split('/').next().unwrap_or_default();
    let port = authority.rsplit_once(':').filter(|_| !authority.ends_with(']')).map_or("", |(_, port)| port);
    if parameters.contains('@') || !port.bytes().all(|b| b.is_ascii_digit()) {
        return "an address in which host and password cannot be told apart";
    }
    if host.is_empty() { "an address without a host" } else { host }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_location_is_told_without_its_secrets() {
        const UNCLEAR: &str = "Postgres at an address in which host and password cannot be told apart";
        let cases = [
            (
                "postgres://mesh:hunter2@db.example:5432/mesh?sslmode=disable",
                "Postgres at db.example:5432/mesh",
            ),
            ("postgresql://db.example/mesh?password=hunter2", "Postgres at db.example/mesh"),
            ("postgres://mesh:hun@ter2@db/mesh", "Postgres at db/mesh"),
            ("postgres://mesh:hunter2@/mesh", "Postgres at /mesh"),
            ("postgres://mesh:hunter2@[::1]/mesh", "Postgres at [::1]/mesh"),
            ("postgres://mesh:hunter2@[::1]:5432/mesh", "Postgres at [::1]:5432/mesh"),
            ("postgres://mesh:hunter2#x@db/mesh", UNCLEAR),
            ("postgres://mesh:hunter2?x@db/mesh", UNCLEAR),
            ("postgres://mesh:hunter2/x@db/mesh", "Postgres at db/mesh"),
            ("postgres://db/mesh?user=me@corp&password=hunter2", UNCLEAR),
            ("postgres://mesh:hunter2", UNCLEAR),
            ("sqlite:///var/lib/mesh.db", "SQLite file /var/lib/mesh.db"),
            ("sqlite:mesh.db", "SQLite file mesh.db"),
        ];
        for (url, told) in cases {
            let location = Location::from_url(url).unwrap();
            assert_eq!(location.to_string(), told);
            assert!(!format!("{location:?}").contains("hunter2"));
        }
        for url in ["mysql://u:hunter2@db/x", "hunter2", "", "sqlite:"] {
            let error = Location::from_url(url).unwrap_err().to_string();
            assert!(error.contains("postgres://") && !error.contains("hunter2"), "{error}");
        }
    }
}
