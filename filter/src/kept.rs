//! The newest bundle that a subscription brought, kept beside the VMs: one that is loaded again after it broke down runs it,
//! also where the control plane can not be asked.
use crate::host;

/// Keeps a bundle that runs. `cluster` is where it came from.
pub(crate) fn keep(cluster: &str, version: &str, sent: &[u8]) {
    let mut value = Vec::with_capacity(version.len() + 1 + sent.len());
    value.extend_from_slice(version.as_bytes());
    value.push(b'\n');
    value.extend_from_slice(sent);
    host::keep(&key(cluster), &value);
}

/// What was kept, if it is newer than this version. Versions of the policies are counted.
pub(crate) fn newer(cluster: &str, than: &str) -> Option<Vec<u8>> {
    let value = host::kept(&key(cluster))?;
    let end = value.iter().position(|byte| *byte == b'\n')?;
    let (version, sent) = value.split_at_checked(end)?;
    let version: u64 = std::str::from_utf8(version).ok()?.parse().ok()?;
    (version > than.parse().ok()?).then(|| sent.get(1..).unwrap_or_default().to_vec())
}

fn key(cluster: &str) -> String {
    format!("ai_mesh.bundle.{cluster}")
}
