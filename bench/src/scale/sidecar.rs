//! The compiled module in a real Envoy: a set on one route, the smallest on another, no filter on a third.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use super::figures::Deciding;
use super::set::{self, Size};
use crate::bodies;
use crate::client::Client;
use crate::envoy::Envoy;
use crate::figures::Case;
use crate::load;
use crate::options::Options;
use crate::plane as intake;
use crate::stats::{micros, percentile};

/// Bytes of a chat request's body.
const BODY: usize = 1024;

/// Measures requests of all agents in turn.
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
        let mut client = chat(envoy.route(index))?;
        for _ in 0..Size::LARGE.agents {
            client.exchange()?;
        }
    }
    settle();
    let measure = |name, bytes, connections, connect: Connect| {
        load::measure_with(&envoy, name, bytes, connections, options, &connect)
    };
    let cases = vec![
        measure("by head, 1 connection", 0, 1, list)?,
        measure("chat of 1 KB, 1 connection", BODY, 1, chat)?,
        measure("chat of 1 KB, 16 connections", BODY, 16, chat)?,
    ];
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

type Connect = fn(SocketAddr) -> Result<Client, String>;

/// A client that asks for the list of models, as another agent each time.
fn list(to: SocketAddr) -> Result<Client, String> {
    sending(to, "GET /v1/models", "", &[])
}

/// A client that sends a chat request, as another agent each time.
fn chat(to: SocketAddr) -> Result<Client, String> {
    let more = format!("content-type: application/json\r\ncontent-length: {BODY}\r\n");
    sending(to, "POST /v1/chat/completions", &more, &bodies::chat(BODY, false))
}

fn sending(to: SocketAddr, what: &str, more: &str, body: &[u8]) -> Result<Client, String> {
    let agent = set::agent_id(0);
    let request = format!("{what} HTTP/1.1\r\nhost: bench\r\nx-ai-mesh-agent: {agent}\r\n{more}\r\n");
    let digits = request.find(&agent).map(|at| at + "agent-".len());
    Ok(Client::sending(to, [request.as_bytes(), body].concat())?.counting(digits, set::DIGITS))
}
