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

/// Whether the last that Envoy says of its connection to the control plane is that the token was refused.
pub(crate) fn token_refused(log: &Path) -> bool {
    let said = std::fs::read(log).unwrap_or_default();
    let said = String::from_utf8_lossy(&said);
    let last = said.lines().rfind(|line| line.contains("gRPC config stream"));
    last.is_some_and(|line| line.contains(UNAUTHENTICATED))
}

/// How Envoy writes the status of gRPC with which the control plane ends the stream.
const UNAUTHENTICATED: &str = ": 16, ";

/// The error when Envoy has refused the filter that a control plane elsewhere names; why is in its log.
pub(crate) fn refused_filter(log: &Path) -> Failure {
    let said = std::fs::read(log).unwrap_or_default();
    let said = String::from_utf8_lossy(&said);
    let why = said.lines().filter_map(|line| line.split_once("TypedExtensionConfig rejected: ")).next_back();
    let why = why.map_or_else(|| format!("see {}", log.display()), |(_, why)| printable(why));
    Failure::environment(format!("Envoy refused the filter: {why}")).hint(
        "the control plane names the path that its --filter has: the same file has to be there on this machine, and Envoy has to be an Envoy 1.40 with WebAssembly",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refused_token_is_told_from_a_control_plane_that_is_away() {
        let stream = "DeltaAggregatedResources gRPC config stream to ai_mesh_control_plane closed";
        let table = [
            (format!("{stream}: 16, the sidecar token is missing or wrong\nother\n"), true),
            (format!("{stream} since 33s ago: 16, the sidecar token is missing or wrong"), true),
            (format!("{stream}: 16, the token\n{stream}: 14, upstream connect error"), false),
            (String::new(), false),
        ];
        let log = std::env::temp_dir().join(format!("ai-mesh-cli-refused-{}", std::process::id()));
        for (said, refused) in table {
            std::fs::write(&log, &said).unwrap();
            assert_eq!(token_refused(&log), refused, "{said}");
        }
        assert!(!token_refused(Path::new("/nowhere")));
    }
}
