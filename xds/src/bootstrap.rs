//! The bootstrap of a sidecar's Envoy: the template `envoy-configs/sidecar.yaml` with its places filled in.
use std::{net::SocketAddr, path::PathBuf};

const TEMPLATE: &str = include_str!("../../envoy-configs/sidecar.yaml");

/// What differs between sidecars.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BootstrapParams {
    /// The node's id: the sidecar's name.
    pub node_id: String,
    /// Where Envoy's admin interface listens.
    pub admin: SocketAddr,
    /// The control plane's gRPC port.
    pub control_plane: SocketAddr,
    /// File that holds the token for the control plane and nothing else, not even a line end. Envoy reads it at start.
    pub token_file: PathBuf,
    /// Public keys that policies are signed by, as hex, separated by commas; empty: they are not verified.
    pub policy_keys: String,
    /// Envoy's worker threads: each runs a filter, and so does its main thread.
    pub concurrency: u32,
    /// Speak the state-of-the-world variant of xDS instead of the incremental one.
    pub sotw: bool,
}

/// The bootstrap as YAML.
pub fn bootstrap(params: &BootstrapParams) -> String {
    let places = [
        ("${NODE_ID}", quoted(&params.node_id)),
        ("${ADMIN_HOST}", quoted(&params.admin.ip().to_string())),
        ("${ADMIN_PORT}", params.admin.port().to_string()),
        ("${CONTROL_PLANE_HOST}", quoted(&params.control_plane.ip().to_string())),
        ("${CONTROL_PLANE_PORT}", params.control_plane.port().to_string()),
        ("${TOKEN_FILE}", quoted(&params.token_file.to_string_lossy())),
        ("${POLICY_KEYS}", quoted(&params.policy_keys)),
        ("${FILTERS}", quoted(&params.concurrency.saturating_add(1).to_string())),
        ("${API_TYPE}", if params.sotw { "GRPC" } else { "DELTA_GRPC" }.to_owned()),
    ];
    // One pass over the template: what was filled in is never searched for places again.
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
            sotw: false,
        }
    }

    #[test]
    fn every_place_is_filled() {
        let yaml = bootstrap(&params());
        assert!(!yaml.contains("${"), "{yaml}");
        assert!(yaml.contains("\"sidecar-1\"") && yaml.contains("port_value: 18000"), "{yaml}");
        assert!(yaml.contains("api_type: DELTA_GRPC"));
        assert!(bootstrap(&BootstrapParams { sotw: true, ..params() }).contains("api_type: GRPC"));
    }

    #[test]
    fn values_can_neither_break_out_nor_name_places() {
        let yaml = bootstrap(&BootstrapParams { node_id: "a\"\n: ${ADMIN_PORT} \\".to_owned(), ..params() });
        assert!(yaml.contains(r#""a\"\u000a: ${ADMIN_PORT} \\""#), "{yaml}");
    }
}
