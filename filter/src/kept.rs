//! The newest bundle that a subscription has brought, kept in Envoy's shared data: a VM that is restarted after a crash runs it,
//! even when the control plane cannot be reached.
use crate::host;

/// Keeps a bundle that runs. `cluster` is the control plane it came from.
pub(crate) fn keep(cluster: &str, version: &str, sent: &[u8]) {
    let mut value = Vec::with_capacity(version.len() + 1 + sent.len());
    value.extend_from_slice(version.as_bytes());
    value.push(b'\n');
    value.extend_from_slice(sent);
    host::keep(&key(cluster), &value);
}

/// The kept bundle, unless it is older than this version. Versions count changes of policies; under the same version the settings
/// may differ when the control plane was restarted.
pub(crate) fn newest(cluster: &str, than: &str) -> Option<Vec<u8>> {
    let value = host::kept(&key(cluster))?;
    let end = value.iter().position(|byte| *byte == b'\n')?;
    let (version, sent) = value.split_at_checked(end)?;
    let version: u64 = std::str::from_utf8(version).ok()?.parse().ok()?;
    (version >= than.parse().ok()?).then(|| sent.get(1..).unwrap_or_default().to_vec())
}

fn key(cluster: &str) -> String {
    format!("ai_mesh.bundle.{cluster}")
}
