//! The bootstrap of a sidecar's Envoy: the template `envoy-configs/sidecar.yaml` with its places filled in.
use std::{
    fmt,
    net::{IpAddr, SocketAddr},
    path::PathBuf,
    str::FromStr,
};

use crate::host::is_dns_name;

const TEMPLATE: &str = include_str!("../../envoy-configs/sidecar.yaml");

/// What differs between sidecars.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BootstrapParams {
    /// The node's id: the sidecar's name.
    pub node_id: String,
    /// Where Envoy's admin interface listens.
    pub admin: SocketAddr,
    /// The control plane's gRPC interface.
    pub control_plane: Target,
    /// File that holds the token for the control plane and nothing else, not even a newline. Envoy reads it at its start.
    pub token_file: PathBuf,
    /// Public keys that policies are signed by, as hex, separated by commas; empty: they are not verified.
    pub policy_keys: String,
    /// Envoy's worker threads: each runs a filter, and so does its main thread.
    pub concurrency: u32,
}

/// A host, by address or by name in DNS, and a port: `10.0.0.5:18000`, `[::1]:18000`, `mesh.example:18000`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    host: String,
    port: u16,
}

/// A text that is not a [`Target`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected HOST:PORT, such as 10.0.0.5:18000, [::1]:18000 or mesh.example:18000")]
pub struct TargetError;

impl Target {
    fn is_address(&self) -> bool {
        self.host.parse::<IpAddr>().is_ok()
    }
}

impl From<SocketAddr> for Target {
    fn from(address: SocketAddr) -> Self {
        Self { host: address.ip().to_string(), port: address.port() }
    }
}

impl FromStr for Target {
    type Err = TargetError;

    fn from_str(text: &str) -> Result<Self, TargetError> {
        if let Ok(address) = text.parse::<SocketAddr>() {
            return Ok(address.into());
        }
        let (host, port) = text.rsplit_once(':').ok_or(TargetError)?;
        let port = port.parse::<u16>().ok().filter(|port| *port > 0).ok_or(TargetError)?;
        if is_dns_name(host.strip_suffix('.').unwrap_or(host)) {
            return Ok(Self { host: host.to_owned(), port });
        }
        Err(TargetError)
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            return write!(f, "[{}]:{}", self.host, self.port);
        }
        write!(f, "{}:{}", self.host, self.port)
    }
}

/// The bootstrap as YAML.
pub fn bootstrap(params: &BootstrapParams) -> String {
    // LOGICAL_DNS uses only the first of several addresses: what one control plane knows of a sidecar, another may not.
    let discovery = if params.control_plane.is_address() { "STATIC" } else { "LOGICAL_DNS" };
    let places = [
        ("${NODE_ID}", quoted(&params.node_id)),
        ("${ADMIN_HOST}", quoted(&params.admin.ip().to_string())),
        ("${ADMIN_PORT}", params.admin.port().to_string()),
        ("${CONTROL_PLANE_DISCOVERY}", discovery.to_owned()),
        ("${CONTROL_PLANE_HOST}", quoted(&params.control_plane.host)),
        ("${CONTROL_PLANE_PORT}", params.control_plane.port.to_string()),
        ("${TOKEN_FILE}", quoted(&params.token_file.to_string_lossy())),
        ("${POLICY_KEYS}", quoted(&params.policy_keys)),
        ("${FILTERS}", quoted(&params.concurrency.saturating_add(1).to_string())),
    ];
    // One pass over the template, so that values are never searched for placeholders.
    let mut filled = String::with_capacity(TEMPLATE.len() + 256);
    let mut rest = TEMPLATE;
    while let Some(start) = rest.find("${") {
        let (before, from) = rest.split_at(start);
        filled.push_str(before);
        match places.iter().find(|(place, _)| from.starts_with(place)) {
            Some((place, value)) => {
                filled.push_str(value);
                rest = from.split_at(place.len()).1;
            }
            None => {
                filled.push_str("${");
                rest = from.split_at(2).1;
            }
        }
    }
    filled.push_str(rest);
    filled
}

/// A YAML double-quoted scalar (YAML 1.2, section 7.3.1).
fn quoted(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => quoted.extend(['\\', c]),
            c if c.is_control() || matches!(c, '\u{2028}' | '\u{2029}' | '\u{feff}') => {
                quoted.push_str(&format!("\\u{:04x}", u32::from(c)));
            }
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}

#[cfg(test)]
mod tests {
    use super::*;

    fn params() -> BootstrapParams {
        BootstrapParams {
            node_id: "sidecar-1".to_owned(),
            admin: "127.0.0.1:9901".parse().unwrap(),
            control_plane: "127.0.0.1:18000".parse().unwrap(),
            token_file: "/data/sidecar-token".into(),
            policy_keys: String::new(),
            concurrency: 2,
        }
    }

    #[test]
    fn every_place_is_filled() {
        let yaml = bootstrap(&params());
        assert!(!yaml.contains("${"), "{yaml}");
        assert!(yaml.contains("\"sidecar-1\"") && yaml.contains("port_value: 18000"), "{yaml}");
    }

    #[test]
    fn a_control_plane_has_an_address_or_a_name() {
        for (text, discovery) in [
            ("10.0.0.5:18000", Some("STATIC")),
            ("[::1]:18000", Some("STATIC")),
            ("mesh.example:18000", Some("LOGICAL_DNS")),
            ("localhost:1", Some("LOGICAL_DNS")),
            ("ai_mesh.mesh.svc.cluster.local.:18000", Some("LOGICAL_DNS")),
            ("mesh.example", None),
            ("mesh.example:0", None),
            ("mesh.example:70000", None),
            ("http://mesh.example:18000", None),
            ("mesh..example:18000", None),
            ("10.0.0:18000", None),
            ("10.0.0.500:18000", None),
            ("::1:18000", None),
            (":18000", None),
        ] {
            let target = text.parse::<Target>();
            let found = target.ok().map(|control_plane| {
                assert_eq!(control_plane.to_string(), text);
                bootstrap(&BootstrapParams { control_plane, ..params() })
            });
            match (found, discovery) {
                (Some(yaml), Some(kind)) => assert!(yaml.contains(&format!("type: {kind}")), "{text}"),
                (found, expected) => assert_eq!(found.is_none(), expected.is_none(), "{text}"),
            }
        }
    }

    #[test]
    fn values_can_neither_break_out_nor_name_places() {
        let yaml = bootstrap(&BootstrapParams { node_id: "a\"\n: ${ADMIN_PORT} \\".to_owned(), ..params() });
        assert!(yaml.contains(r#""a\"\u000a: ${ADMIN_PORT} \\""#), "{yaml}");
    }
}
