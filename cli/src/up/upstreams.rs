//! `--upstream URL` and `--upstream PROVIDER=URL`.

use std::{fmt, str::FromStr};

use mesh_xds::sidecar::{DEFAULT_PROVIDER, PROVIDERS};

/// An upstream as it is given on the command line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Upstream(pub(crate) mesh_xds::Upstream);

impl FromStr for Upstream {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        // A `=` behind the scheme belongs to the URL.
        let named = text.split_once('=').filter(|(name, _)| !name.contains(':'));
        let (provider, url) = named.unwrap_or((DEFAULT_PROVIDER, text));
        if named.is_some() && !PROVIDERS.contains(&provider) {
            let nearest = mesh_policy::nearest(provider, PROVIDERS);
            let meant = nearest.map(|name| format!(" (did you mean `{name}`?)")).unwrap_or_default();
            return Err(format!(
                "`{provider}` is no provider{meant}; expected one of {}",
                PROVIDERS.join(", ")
            ));
        }
        mesh_xds::Upstream::parse(provider, url).map(Self).map_err(|error| error.to_string())
    }
}

impl fmt::Display for Upstream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.provider == DEFAULT_PROVIDER {
            write!(f, "{}", self.0)
        } else {
            write!(f, "{}={}", self.0.provider, self.0)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn upstreams_as_people_write_them() {
        let table = [
            ("http://127.0.0.1:8000", Ok("http://127.0.0.1:8000")),
            ("openai=https://api.openai.com", Ok("openai=https://api.openai.com")),
            ("https://example.com/a=b", Ok("https://example.com/a=b")),
            ("opnai=https://api.openai.com", Err("did you mean `openai`")),
            ("=https://api.openai.com", Err("expected one of openai")),
            ("openai=", Err("scheme")),
            ("api.openai.com", Err("scheme")),
        ];
        for (text, expected) in table {
            let found = text.parse::<Upstream>().map(|upstream| upstream.to_string());
            match expected {
                Ok(shown) => assert_eq!(found.as_deref(), Ok(shown), "{text}"),
                Err(part) => {
                    assert!(found.as_ref().is_err_and(|error| error.contains(part)), "{text}: {found:?}")
                }
            }
        }
    }
}
