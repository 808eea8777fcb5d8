//! Where traffic goes: the URL of an upstream, taken apart.
use std::{
    fmt,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
};

use crate::host::is_dns_name;

/// The provider that gets everything no other one takes.
pub const DEFAULT_PROVIDER: &str = "default";

/// Providers that the path of a request tells apart.
pub const PROVIDERS: [&str; 7] = ["openai", "anthropic", "gemini", "bedrock", "ollama", "mcp", "a2a"];

/// How an upstream is spoken to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scheme {
    /// In the clear, HTTP/1.1.
    Http,
    /// Over TLS, HTTP/2 or HTTP/1.1 as the upstream likes.
    Https,
}

/// An upstream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Upstream {
    /// One of [`PROVIDERS`], or [`DEFAULT_PROVIDER`].
    pub provider: String,
    /// How it is spoken to.
    pub scheme: Scheme,
    /// A DNS name, or an IP address without brackets.
    pub host: String,
    /// The port.
    pub port: u16,
    /// What is put in front of each request's path: empty, or `/...` without a slash at the end. A `/v1` that ends it and
    /// begins the request's path is written once.
    pub path_prefix: String,
}

/// Why a URL can't be an upstream.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "upstream `{url}`: {reason}; expected something like `https://api.example.com` or `http://127.0.0.1:8000/base`"
)]
pub struct UrlError {
    url: String,
    reason: &'static str,
}

impl Upstream {
    /// Takes a URL apart. `provider` is not checked here.
    ///
    /// # Errors
    /// The URL is not `http` or `https`, or has a part that an upstream can't have.
    pub fn parse(provider: &str, url: &str) -> Result<Upstream, UrlError> {
        let fault = |reason| UrlError { url: without_userinfo(url), reason };
        let (scheme, rest) = url.split_once("://").ok_or_else(|| fault("it has no scheme"))?;
        let (scheme, default_port) = match scheme.to_ascii_lowercase().as_str() {
            "http" => (Scheme::Http, 80),
            "https" => (Scheme::Https, 443),
            _ => return Err(fault("its scheme is neither `http` nor `https`")),
        };
        if url.contains(['?', '#']) {
            return Err(fault("it has a query or a fragment"));
        }
        if !url.bytes().all(|b| b.is_ascii_graphic()) {
            return Err(fault("it has a space, a control character or a letter outside ASCII"));
        }
        let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        if authority.contains('@') {
            return Err(fault("it has a user name; credentials belong into the request"));
        }
        let (host, port) = split_port(authority).ok_or_else(|| fault("its port is not a number"))?;
        let host = host_name(host).ok_or_else(|| fault("its host is not a name or an address"))?;
        let port = match port {
            Some(port) => {
                port.parse().ok().filter(|p| *p != 0).ok_or_else(|| fault("its port is not a number"))?
            }
            None => default_port,
        };
        let path_prefix = path.trim_end_matches('/').to_owned();
        Ok(Upstream { provider: provider.to_owned(), scheme, host, port, path_prefix })
    }

    /// The address, if the host is one and no name.
    pub(crate) fn ip(&self) -> Option<IpAddr> {
        self.host.parse().ok()
    }

    /// Name of its cluster.
    pub fn cluster(&self) -> String {
        format!("upstream_{}", self.provider)
    }

    /// Where it is: host, port where it is not the scheme's own, and path prefix.
    pub fn place(&self) -> String {
        format!("{}{}", self.authority(), self.path_prefix)
    }

    /// The `host` header it expects: without the port where that is the scheme's own.
    pub fn authority(&self) -> String {
        let host = match self.ip() {
            Some(IpAddr::V6(v6)) => format!("[{v6}]"),
            _ => self.host.clone(),
        };
        match (self.scheme, self.port) {
            (Scheme::Http, 80) | (Scheme::Https, 443) => host,
            (_, port) => format!("{host}:{port}"),
        }
    }

    /// Whether requests to it would arrive at this address.
    pub(crate) fn reaches(&self, address: SocketAddr) -> bool {
        if self.port != address.port() {
            return false;
        }
        match self.ip() {
            Some(ip) => ip == address.ip() || (address.ip().is_unspecified() && ip.is_loopback()),
            None => self.host == "localhost" && (address.ip().is_loopback() || address.ip().is_unspecified()),
        }
    }
}

impl fmt::Display for Upstream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = match self.scheme {
            Scheme::Http => "http",
            Scheme::Https => "https",
        };
        write!(f, "{scheme}://{}{}", self.authority(), self.path_prefix)
    }
}

/// Host and port of an authority; `None` if something stands behind the host that is not a port.
fn split_port(authority: &str) -> Option<(&str, Option<&str>)> {
    let host_ends = match authority.strip_prefix('[') {
        Some(_) => authority.find(']')? + 1,
        None => authority.find(':').unwrap_or(authority.len()),
    };
    let (host, rest) = authority.split_at(host_ends);
    match rest.strip_prefix(':') {
        Some(port) => Some((host, Some(port))),
        None => rest.is_empty().then_some((host, None)),
    }
}

fn host_name(host: &str) -> Option<String> {
    if let Some(v6) = host.strip_prefix('[').and_then(|h| h.strip_suffix(']')) {
        return v6.parse::<Ipv6Addr>().ok().map(|ip| ip.to_string());
    }
    if let Ok(v4) = host.parse::<Ipv4Addr>() {
        return Some(v4.to_string());
    }
    let host = host.strip_suffix('.').unwrap_or(host).to_ascii_lowercase();
    is_dns_name(&host).then_some(host)
}

/// The URL as errors may show it.
fn without_userinfo(url: &str) -> String {
    match (url.find("://"), url.rfind('@')) {
        (Some(scheme), Some(at)) if at > scheme => {
            let (head, tail) = (url.get(..scheme + 3), url.get(at + 1..));
            format!("{}{}", head.unwrap_or_default(), tail.unwrap_or_default())
        }
        _ => url.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_are_taken_apart_and_put_together() {
        // URL, host, port, prefix, host header.
        let cases = [
            ("http://127.0.0.1:8000", "127.0.0.1", 8000, "", "127.0.0.1:8000"),
            ("https://API.example.com", "api.example.com", 443, "", "api.example.com"),
            ("https://api.example.com:443/", "api.example.com", 443, "", "api.example.com"),
            ("HTTP://a_b.internal/base/v2/", "a_b.internal", 80, "/base/v2", "a_b.internal"),
            ("http://[::1]:80/x", "::1", 80, "/x", "[::1]"),
            ("http://localhost:443", "localhost", 443, "", "localhost:443"),
            ("https://example.com.", "example.com", 443, "", "example.com"),
        ];
        for (url, host, port, prefix, authority) in cases {
            let upstream = Upstream::parse("default", url).unwrap();
            assert_eq!((upstream.host.as_str(), upstream.port), (host, port), "{url}");
            assert_eq!(
                (upstream.path_prefix.as_str(), upstream.authority().as_str()),
                (prefix, authority),
                "{url}"
            );
            assert_eq!(Upstream::parse("default", &upstream.to_string()).as_ref(), Ok(&upstream), "{url}");
        }
    }

    #[test]
    fn what_is_no_upstream_is_refused_with_a_reason() {
        let cases = [
            ("api.example.com", "no scheme"),
            ("ftp://a", "neither"),
            ("http://", "host"),
            ("http://a:b", "port"),
            ("http://a:0", "port"),
            ("http://a:70000", "port"),
            ("http://[::1", "port"),
            ("http://[zz]", "host"),
            ("http://300.1.1.1", "host"),
            ("http://a b", "space"),
            ("http://a/?x=1", "query"),
            ("http://-/..//", ""),
        ];
        for (url, expected) in cases {
            match Upstream::parse("default", url) {
                Err(error) => assert!(error.to_string().contains(expected), "{url}: {error}"),
                Ok(_) => assert_eq!(expected, "", "{url} was accepted"),
            }
        }
    }

    #[test]
    fn a_password_is_not_shown() {
        let error = Upstream::parse("default", "https://user:hunter2@a").unwrap_err().to_string();
        assert!(error.contains("user name") && !error.contains("hunter2"), "{error}");
    }
}
