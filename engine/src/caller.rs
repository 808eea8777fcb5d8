//! The caller's identity, from the strongest evidence available.
use std::net::IpAddr;

use mesh_policy::Settings;
use mesh_wire::Protocol;
use sha2::{Digest, Sha256};

use crate::url::decode;

/// What is known about a request before its body.
#[derive(Clone, Debug, Default)]
pub struct RequestHead {
    /// HTTP method.
    pub method: String,
    /// Path and query, as the agent sent them.
    pub path: String,
    /// Header names in lower case, with values; without pseudo-headers.
    pub headers: Vec<(String, String)>,
    /// The address that the connection came from.
    pub source_ip: Option<IpAddr>,
    /// SPIFFE URI of the verified client certificate, if the connection had one.
    pub principal: Option<String>,
    /// The cluster that the request is routed to, if a policy pins tools.
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

    /// The methods that servers may use for this request: its own, and those that some read from headers or the query
    /// instead.
    pub(crate) fn methods(&self) -> impl Iterator<Item = String> {
        let headers = ["x-http-method-override", "x-http-method", "x-method-override"];
        let named = headers.into_iter().flat_map(|name| self.all(name)).map(str::to_owned);
        let query = self.query_pairs().filter(|(name, _)| name == "_method").map(|(_, value)| value);
        let named = named.chain(query).map(|method| method.trim().to_ascii_uppercase());
        std::iter::once(self.method.clone()).chain(named.filter(|method| !method.is_empty()))
    }

    /// The paths that servers may use for this request, without the leading slash: its own, and those that some read
    /// from headers instead.
    pub(crate) fn paths(&self) -> Vec<&str> {
        let named = ["x-original-url", "x-rewrite-url"].into_iter().flat_map(|name| self.all(name));
        let mut paths = vec![self.path_only().trim_start_matches('/')];
        for url in named {
            let path = match url.split_once("://") {
                Some((_, rest)) => rest.split_once('/').map_or("", |(_, path)| path),
                None => url,
            };
            let path = path.split(['?', '#']).next().unwrap_or_default().trim().trim_start_matches('/');
            if !paths.contains(&path) {
                paths.push(path);
            }
        }
        paths
    }

    fn query_pairs(&self) -> impl Iterator<Item = (String, String)> {
        let pairs = self.query().unwrap_or_default().split('&');
        pairs
            .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
            .map(|(name, value)| (decode(name), decode(value)))
    }

    /// The credentials in this request that identify who pays, each once: the first 16 hex digits of their SHA-256. A
    /// provider uses one of them; which one depends on the provider.
    pub(crate) fn keys(&self, protocol: Protocol) -> Vec<String> {
        let headers = ["x-api-key", "api-key", "x-goog-api-key"].into_iter().flat_map(|name| self.all(name));
        let headers = headers.map(|value| value.trim().to_owned());
        // Only Google reads a key from the query. Other services' `key` parameters are not credentials.
        let pairs = self.query_pairs().filter(|_| protocol == Protocol::Gemini);
        let named = pairs.filter(|(name, _)| name == "key").map(|(_, value)| value);
        let mut keys: Vec<String> = Vec::new();
        for shown in self.all("authorization").map(credential).chain(headers).chain(named) {
            let key = fingerprint(&shown);
            if !shown.is_empty() && !keys.contains(&key) {
                keys.push(key);
            }
        }
        keys
    }

    /// The only key in the request; `None` if there are several, since the agent could choose.
    pub(crate) fn key(&self, protocol: Protocol) -> Option<String> {
        let mut keys = self.keys(protocol).into_iter();
        keys.next().filter(|_| keys.next().is_none())
    }

    /// The query, without its question mark.
    pub fn query(&self) -> Option<&str> {
        self.path.split_once('?').map(|(_, query)| query)
    }
}

/// The identities that a request is judged and counted by.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Caller {
    /// The agent: from the verified certificate, else from `x-ai-mesh-agent` if the listener trusts it, else the
    /// sidecar's name.
    pub agent: String,
    /// The user that the agent acts for, if known.
    pub user: Option<String>,
    /// The session, if known.
    pub session: Option<String>,
    /// The team, if known.
    pub team: Option<String>,
    /// The caller's roles.
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

/// Longer values are not accepted as identities; they would enlarge counters and records.
const MAX_IDENTITY: usize = 256;

/// The credential in an `authorization` header. The scheme's name is case-insensitive; an AWS signature differs each
/// time, but names the key.
fn credential(value: &str) -> String {
    let value = value.trim();
    let (scheme, rest) = value.split_once(char::is_whitespace).unwrap_or(("", value));
    let (scheme, rest) = (scheme.to_ascii_lowercase(), rest.trim());
    match scheme.as_str() {
        "" | "bearer" => rest.to_owned(),
        "aws4-hmac-sha256" => {
            let id = rest.split_once("Credential=").and_then(|(_, named)| named.split('/').next());
            format!("{scheme} {}", id.unwrap_or(rest))
        }
        _ => format!("{scheme} {rest}"),
    }
}

fn fingerprint(key: &str) -> String {
    let digest = Sha256::digest(key.as_bytes());
    hex::encode(digest.get(..8).unwrap_or_default())
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
        let by = |headers: &[(&str, &str)]| head(headers).key(Protocol::OpenAiChat);
        let bearer = by(&[("authorization", "Bearer sk-1")]);
        assert_eq!(bearer, by(&[("x-api-key", "sk-1")]));
        assert_eq!(bearer.as_deref().map(str::len), Some(16));
        assert_ne!(bearer, by(&[("x-api-key", "sk-2")]));
        assert_eq!(by(&[]), None);
    }

    #[test]
    fn no_spelling_and_no_second_key_hides_the_first() {
        let aws = "AWS4-HMAC-SHA256 Credential=sk-1/20261127/eu/bedrock/aws4_request, Signature=";
        // The path's query, headers, and the keys found.
        type Row<'a> = (&'a str, &'a [(&'a str, &'a str)], &'a [&'a str]);
        let table: &[Row] = &[
            ("", &[("authorization", "bearer  sk-1")], &["sk-1"]),
            ("", &[("authorization", "sk-1")], &["sk-1"]),
            ("", &[("authorization", "Bearer")], &["Bearer"]),
            ("", &[("authorization", ""), ("x-api-key", "")], &[]),
            ("", &[("authorization", "BASIC x")], &["basic x"]),
            ("", &[("authorization", &format!("{aws}1"))], &["aws4-hmac-sha256 sk-1"]),
            ("", &[("authorization", &format!("{aws}2"))], &["aws4-hmac-sha256 sk-1"]),
            ("", &[("api-key", "sk-1"), ("x-api-key", "sk-1")], &["sk-1"]),
            ("", &[("api-key", "sk-1"), ("x-api-key", "random")], &["random", "sk-1"]),
            ("", &[("x-goog-api-key", "sk-1"), ("authorization", "random")], &["random", "sk-1"]),
            ("", &[("authorization", "random"), ("authorization", "Bearer sk-1")], &["random", "sk-1"]),
            ("?alt=sse&k%65y=sk%2D1", &[("authorization", "random")], &["random", "sk-1"]),
            ("?key=sk-1&key=random&other=x", &[], &["sk-1", "random"]),
        ];
        for (query, headers, expected) in table {
            let head =
                RequestHead { path: format!("/v1beta/models/g:generateContent{query}"), ..head(headers) };
            let expected: Vec<String> = expected.iter().map(|key| fingerprint(key)).collect();
            assert_eq!(head.keys(Protocol::Gemini), expected, "{query} {headers:?}");
            let one = expected.first().filter(|_| expected.len() == 1).cloned();
            assert_eq!(head.key(Protocol::Gemini), one, "{query} {headers:?}");
        }
        let other = RequestHead { path: "/items?key=7".into(), ..RequestHead::default() };
        assert_eq!(other.keys(Protocol::Json), [""; 0]);
    }
}
