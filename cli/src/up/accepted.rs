//! Whether a sidecar runs the policies: an answer of Envoy's, not a guess.

use std::path::Path;

use crate::{
    commands::sidecars::{self, State},
    failure::{Failure, Outcome},
    http::Client,
    output::printable,
};

/// Whether Envoy has accepted the policies; an error when it has refused them.
pub(crate) async fn accepted(client: &Client, node_id: &str) -> Outcome<bool> {
    let client = client.clone();
    let sidecars = tokio::task::spawn_blocking(move || sidecars::list(&client)).await;
    let sidecars = sidecars
        .unwrap_or_else(|error| Err(Failure::failed(format!("a task of our own broke down: {error}"))))?;
    let Some(ours) = sidecars.iter().find(|sidecar| sidecar["id"] == node_id) else { return Ok(false) };
    match sidecars::state(ours) {
        State::Current => Ok(true),
        State::Waiting => Ok(false),
        State::Refused(why) => {
            Err(Failure::environment(format!("Envoy refused its configuration: {}", printable(&why)))
                .hint("is it an Envoy 1.40 with WebAssembly, and the filter of this build?"))
        }
    }
}

/// Whether Envoy's last log line about the control plane says that the token was refused.
pub(crate) fn token_refused(log: &Path) -> bool {
    let said = std::fs::read(log).unwrap_or_default();
    let said = String::from_utf8_lossy(&said);
    let last = said.lines().rfind(|line| line.contains("gRPC config stream"));
    last.is_some_and(|line| line.contains(UNAUTHENTICATED))
}

/// How Envoy writes the status of gRPC with which the control plane ends the stream.
const UNAUTHENTICATED: &str = ": 16, ";

/// The error when Envoy has refused the filter that a control plane elsewhere names; why is in its log: what the filter itself
/// says, where it came so far. `keys` is the file with the keys that policies are verified by.
pub(crate) fn refused_filter(log: &Path, keys: &Path) -> Failure {
    let said = std::fs::read(log).unwrap_or_default();
    let said = String::from_utf8_lossy(&said);
    let last = |before: &str| said.lines().filter_map(|line| line.split_once(before)).next_back();
    if let Some((_, why)) = last(UNTRUSTED) {
        let keys = keys.display();
        return Failure::environment(format!("the filter refused the policies: {}", printable(why))).hint(
            format!(
                "{keys} holds the keys that it trusts: copy it again from the control plane's data directory"
            ),
        );
    }
    let why = last("TypedExtensionConfig rejected: ");
    let why = why.map_or_else(|| "it does not say why".to_owned(), |(_, why)| printable(why));
    Failure::environment(format!("Envoy refused the filter: {why}")).hint(format!(
        "the control plane names the path that its --filter has: the same file has to be there on this machine, and Envoy has to be an Envoy 1.40 with WebAssembly; all it said is in {}",
        log.display()
    ))
}

/// How the filter begins to say that no trusted key has signed what it was sent.
const UNTRUSTED: &str = "ai_mesh: the configuration is refused: ";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refused_filter_says_why() {
        let rejected = "config for type.googleapis.com/envoy.config.core.v3.TypedExtensionConfig rejected: Unable to create Wasm plugin ai_mesh";
        let untrusted = "wasm log ai_mesh ai_mesh: the configuration is refused: the bundle is signed by a key that this sidecar does not trust";
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("log");
        for (said, expected) in [
            (
                format!("{untrusted}\n{rejected}\n"),
                ["does not trust", "/data/policy-keys.pub holds the keys"],
            ),
            (format!("{rejected}\n"), ["Unable to create Wasm plugin", "all it said is in"]),
            (String::new(), ["it does not say why", "all it said is in"]),
        ] {
            std::fs::write(&log, &said).unwrap();
            let failure = refused_filter(&log, Path::new("/data/policy-keys.pub")).to_string();
            assert!(expected.iter().all(|part| failure.contains(part)), "{failure}");
        }
    }

    #[test]
    fn a_refused_token_is_told_from_a_control_plane_that_is_away() {
        let stream = "DeltaAggregatedResources gRPC config stream to ai_mesh_control_plane closed";
        let table = [
            (format!("{stream}: 16, the sidecar token is missing or wrong\nother\n"), true),
            (format!("{stream} since 33s ago: 16, the sidecar token is missing or wrong"), true),
            (format!("{stream}: 16, the token\n{stream}: 14, upstream connect error"), false),
            (String::new(), false),
        ];
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("log");
        for (said, refused) in table {
            std::fs::write(&log, &said).unwrap();
            assert_eq!(token_refused(&log), refused, "{said}");
        }
        assert!(!token_refused(Path::new("/nowhere")));
    }
}
