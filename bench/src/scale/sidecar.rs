//! The compiled module in a real Envoy: a set on one route, the smallest on another, no filter on a third.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use super::figures::Deciding;
use super::set::{self, Size};
use crate::client::Client;
use crate::envoy::Envoy;
use crate::figures::Case;
use crate::load;
use crate::options::Options;
use crate::plane as intake;
use crate::stats::{micros, percentile};

/// Measures requests that are decided by their head, of all agents in turn.
pub(super) fn measure(
    upstream: SocketAddr,
    plane: SocketAddr,
    options: &Options,
) -> Result<(Vec<Case>, Vec<Deciding>), String> {
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
    settle();
    let cases = [(1, "by head, 1 connection"), (16, "by head, 16 connections")]
        .map(|(connections, name)| load::measure_with(&envoy, name, 0, connections, options, &connect))
        .into_iter()
        .collect::<Result<_, String>>()?;
    let deciding = settle().into_iter().map(|(set, mut times)| {
        times.sort_unstable();
        let us = |share| micros(percentile(&times, share));
        Deciding { set, decisions: times.len(), p50_us: us(0.5), p99_us: us(0.99), p999_us: us(0.999) }
    });
    Ok((cases, deciding.collect()))
}

/// What records have told since the last time, with those that are still on their way.
fn settle() -> BTreeMap<String, Vec<Duration>> {
    std::thread::sleep(Duration::from_millis(500));
    let times = |times: Vec<u64>| times.into_iter().map(Duration::from_micros).collect();
    intake::deciding().into_iter().map(|(set, found)| (set, times(found))).collect()
}

/// A client that asks for the list of models, as another agent each time.
fn connect(to: SocketAddr) -> Result<Client, String> {
    let head =
        format!("GET /v1/models HTTP/1.1\r\nhost: bench\r\nx-ai-mesh-agent: {}\r\n\r\n", set::agent_id(0));
    let digits = head.find(&set::agent_id(0)).map(|at| at + "agent-".len());
    Ok(Client::sending(to, head.into_bytes())?.counting(digits, set::DIGITS))
}
