//! `sidecars`: who is connected, and which policies each of them runs.

use serde_json::Value;

use super::printed;
use crate::{
    failure::Outcome,
    http::Client,
    output::{BAD, GOOD, Output, Rows, WARN, field, printable, styled},
};

/// Lists the sidecars.
pub(crate) fn run(client: &Client, output: Output) -> Outcome {
    let sidecars = list(client)?;
    printed(output.show(&Value::Array(sidecars), |sidecars| {
        let mut rows = Rows::new(
            &["SIDECAR", "STATE", "POLICIES", "ENVOY", "CONNECTED SINCE"],
            "no sidecar is connected",
        );
        for sidecar in sidecars.as_array().into_iter().flatten() {
            let state = match state(sidecar) {
                State::Current => styled(GOOD, "current"),
                State::Waiting => styled(WARN, "waiting"),
                State::Refused(why) => styled(BAD, format!("refused: {}", printable(&why))),
            };
            rows.push([
                field(sidecar, "id"),
                state,
                field(sidecar, "policy_version"),
                field(sidecar, "user_agent"),
                field(sidecar, "connected_since"),
            ]);
        }
        rows.to_string()
    }))
}

/// The connected sidecars.
pub(crate) fn list(client: &Client) -> Outcome<Vec<Value>> {
    let mut answer = client.get("/api/v1/sidecars")?;
    match answer["sidecars"].take() {
        Value::Array(sidecars) => Ok(sidecars),
        _ => Ok(Vec::new()),
    }
}

/// How far a sidecar is with what it was offered.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum State {
    /// It runs the newest policies.
    Current,
    /// It has not answered yet.
    Waiting,
    /// It refused, and runs what it had.
    Refused(String),
}

/// Reads a sidecar's state.
pub(crate) fn state(sidecar: &Value) -> State {
    let refused = sidecar["resources"]
        .as_array()
        .into_iter()
        .flatten()
        .find_map(|resource| resource["refused"]["message"].as_str().map(str::to_owned));
    match refused {
        Some(why) => State::Refused(why),
        None if sidecar["policy_version"].is_string()
            && sidecar["policy_version"] == sidecar["offered_version"] =>
        {
            State::Current
        }
        None => State::Waiting,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn states() {
        let table = [
            (json!({ "policy_version": "3", "offered_version": "3", "resources": [] }), State::Current),
            (json!({ "policy_version": "3", "offered_version": "4", "resources": [] }), State::Waiting),
            (json!({ "policy_version": null, "offered_version": null, "resources": [] }), State::Waiting),
            (
                json!({ "policy_version": "3", "offered_version": "4", "resources": [{ "refused": { "message": "no" } }] }),
                State::Refused("no".into()),
            ),
        ];
        for (sidecar, expected) in table {
            assert_eq!(state(&sidecar), expected, "{sidecar}");
        }
    }
}
