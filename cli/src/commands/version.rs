//! `version`: of this program, and of the control plane if it answers.

use serde_json::{Value, json};

use super::printed;
use crate::{failure::Outcome, http::Client, output::Output};

/// Shows the versions.
pub(crate) fn run(client: &Client, output: Output) -> Outcome {
    let control_plane = client.get("/api/v1/version").map_or(Value::Null, |answer| answer["version"].clone());
    let versions = json!({ "ai-mesh": env!("CARGO_PKG_VERSION"), "control_plane": control_plane });
    printed(output.show(&versions, |_| {
        let control_plane = control_plane.as_str().map_or_else(
            || "control plane  (none answers here)".to_owned(),
            |version| format!("control plane  {version}"),
        );
        format!("ai-mesh        {}\n{control_plane}", env!("CARGO_PKG_VERSION"))
    }))
}
