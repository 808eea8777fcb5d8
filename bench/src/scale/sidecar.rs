//! The compiled module in a real Envoy: a set on one route, the smallest on another, no filter on a third.

use std::net::SocketAddr;

use super::set::{self, Size};
use crate::client::Client;
use crate::envoy::Envoy;
use crate::figures::Case;
use crate::load;
use crate::options::Options;

/// Measures requests that are decided by their head, of all agents in turn.
pub(super) fn measure(
    upstream: SocketAddr,
    plane: SocketAddr,
    options: &Options,
) -> Result<Vec<Case>, String> {
    let json = |size: Size| {
        let bundle = set::bundle(size, Some(crate::envoy::intake()));
        serde_json::to_string(&bundle).map_err(|error| error.to_string())
    };
    let envoy = Envoy::of_sets(&json(Size::SMALL)?, &json(Size::LARGE)?, upstream, plane)?;
    // Each agent has asked before; V8 has optimised what runs.
    for index in 0..envoy.names().len() {
        let mut client = connect(envoy.route(index))?;
        for _ in 0..Size::LARGE.agents {
            client.exchange()?;
        }
    }
    [(1, "by head, 1 connection"), (16, "by head, 16 connections")]
        .map(|(connections, name)| load::measure_with(&envoy, name, 0, connections, options, &connect))
        .into_iter()
        .collect()
}

/// A client that asks for the list of models, as another agent each time.
fn connect(to: SocketAddr) -> Result<Client, String> {
    let head =
        format!("GET /v1/models HTTP/1.1\r\nhost: bench\r\nx-ai-mesh-agent: {}\r\n\r\n", set::agent_id(0));
    let digits = head.find(&set::agent_id(0)).map(|at| at + "agent-".len());
    Ok(Client::sending(to, head.into_bytes())?.counting(digits, set::DIGITS))
}
