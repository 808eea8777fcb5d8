//! Hosts that an author allows.

/// A list of hosts: names, `*.name` for all subdomains, `*` for all hosts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Hosts(Vec<String>);

impl Hosts {
    /// A list of these entries; case does not matter.
    pub fn new<S: AsRef<str>>(entries: &[S]) -> Self {
        Hosts(entries.iter().map(|entry| entry.as_ref().to_ascii_lowercase()).collect())
    }

    /// Whether a host is listed; a trailing dot does not matter (RFC 1034, section 3.1).
    pub(crate) fn list(&self, host: &str) -> bool {
        let host = host.strip_suffix('.').unwrap_or(host).to_ascii_lowercase();
        self.0.iter().any(|entry| match entry.strip_prefix('*') {
            Some("") => true,
            Some(below) => below.starts_with('.') && host.len() > below.len() && host.ends_with(below),
            None => *entry == host,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_what_is_below_them() {
        let hosts = Hosts::new(&["Example.com", "*.example.org", "xn--bcher-kva.example"]);
        for (host, listed) in [
            ("example.com", true),
            ("EXAMPLE.com.", true),
            ("a.example.com", false),
            ("example.com.evil.example", false),
            ("a.b.example.org", true),
            ("example.org", false),
            (".example.org", false),
            ("evilexample.org", false),
            ("xn--bcher-kva.example", true),
            ("", false),
        ] {
            assert_eq!(hosts.list(host), listed, "{host}");
        }
        assert!(Hosts::new(&["*"]).list("anything") && !Hosts::new::<&str>(&[]).list("anything"));
    }
}
