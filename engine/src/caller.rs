//! Who is calling, by the strongest evidence there is.
use std::net::IpAddr;

use mesh_policy::Settings;
use sha2::{Digest, Sha256};

/// What is known of a request before its body.
#[derive(Clone, Debug, Default)]
pub struct RequestHead {
    /// HTTP method.
    pub method: String,
    /// Path and query, as the agent sent them.
    pub path: String,
    /// Header names in lower case, and values; pseudo-headers left out.
    pub headers: Vec<(String, String)>,
    /// Address the connection came from.
    pub source_ip: Option<IpAddr>,
    /// SPIFFE URI of the verified client certificate, if the connection had one.
    pub principal: Option<String>,
    /// The cluster that the request is routed to, where a policy pins tools.
    pub cluster: Option<String>,
}

impl RequestHead {
    /// The first value of a header, by its lower-case name.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// All values of a header.
    pub fn all(&self, name: &str) -> impl Iterator<Item = &str> {
        self.headers.iter().filter(move |(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// The path without its query.
    pub fn path_only(&self) -> &str {
        self.path.split(['?', '#']).next().unwrap_or_default()
    }

    /// The first 16 hex digits of the SHA-256 of the API key that the request carries, if it does.
    pub(crate) fn key(&self) -> Option<String> {
        let bearer = self.header("authorization").map(|value| value.strip_prefix("Bearer ").unwrap_or(value));
        let key = bearer.or_else(|| self.header("x-api-key")).or_else(|| self.header("api-key"));
        key.filter(|key| !key.is_empty()).map(fingerprint)
    }

    /// The query, without its question mark.
    pub fn query(&self) -> Option<&str> {
        self.path.split_once('?').map(|(_, query)| query)
    }
}

/// The identities a request is judged and counted by.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Caller {
    /// The agent: verified certificate, else `x-ai-mesh-agent` where the listener trusts it, else the sidecar's name.
    pub agent: String,
    /// The user the agent acts for, where known.
    pub user: Option<String>,
    /// The session, where known.
    pub session: Option<String>,
    /// The team, where known.
    pub team: Option<String>,
    /// Roles the caller has.
    pub roles: Vec<String>,
}

impl Caller {
    pub(crate) fn of(head: &RequestHead, settings: &Settings) -> Self {
        let trusted = |name: &str| {
            let value = head.header(name).filter(|_| settings.trust_identity_headers)?;
            (!value.is_empty() && value.len() <= MAX_IDENTITY).then(|| value.to_owned())
        };
        let roles = trusted("x-ai-mesh-roles").map(|list| {
            list.split(',').map(str::trim).filter(|role| !role.is_empty()).map(str::to_owned).collect()
        });
        Caller {
            agent: head
                .principal
                .clone()
                .or_else(|| trusted("x-ai-mesh-agent"))
                .unwrap_or_else(|| settings.sidecar.clone()),
            user: trusted("x-ai-mesh-user"),
            session: trusted("x-ai-mesh-session"),
            team: trusted("x-ai-mesh-team"),
            roles: roles.unwrap_or_default(),
        }
    }
}

/// Longer identities are not identities; they would grow counters and records.
const MAX_IDENTITY: usize = 256;

fn fingerprint(key: &str) -> String {
    let digest = Sha256::digest(key.as_bytes());
    digest.iter().take(8).fold(String::with_capacity(16), |mut hex, byte| {
        for nibble in [byte >> 4, byte & 15] {
            hex.push(char::from_digit(u32::from(nibble), 16).unwrap_or('0'));
        }
        hex
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head(headers: &[(&str, &str)]) -> RequestHead {
        let headers = headers.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        RequestHead { headers, ..RequestHead::default() }
    }

    fn settings(trust: bool) -> Settings {
        Settings { sidecar: "sidecar-1".into(), trust_identity_headers: trust, ..Settings::default() }
    }

    #[test]
    fn headers_count_only_where_they_are_trusted() {
        let head = head(&[
            ("x-ai-mesh-agent", "support-1"),
            ("x-ai-mesh-roles", "cfo, auditor"),
            ("x-ai-mesh-user", "u"),
        ]);
        let trusted = Caller::of(&head, &settings(true));
        assert_eq!((trusted.agent.as_str(), trusted.user.as_deref()), ("support-1", Some("u")));
        assert_eq!(trusted.roles, ["cfo", "auditor"]);
        let untrusted = Caller::of(&head, &settings(false));
        assert_eq!((untrusted.agent.as_str(), untrusted.user), ("sidecar-1", None));
        assert!(untrusted.roles.is_empty());
    }

    #[test]
    fn a_certificate_beats_a_header() {
        let head =
            RequestHead { principal: Some("spiffe://a/b".into()), ..head(&[("x-ai-mesh-agent", "x")]) };
        assert_eq!(Caller::of(&head, &settings(true)).agent, "spiffe://a/b");
    }

    #[test]
    fn keys_are_known_by_fingerprint_only() {
        let by = |headers: &[(&str, &str)]| head(headers).key();
        let bearer = by(&[("authorization", "Bearer sk-1")]);
        assert_eq!(bearer, by(&[("x-api-key", "sk-1")]));
        assert_eq!(bearer.as_deref().map(str::len), Some(16));
        assert_ne!(bearer, by(&[("x-api-key", "sk-2")]));
        assert_eq!(by(&[]), None);
    }
}
