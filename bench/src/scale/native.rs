//! The engine natively, one thread: what a decision costs, and what it takes to compile a set.

use std::hint::black_box;
use std::rc::Rc;
use std::time::{Duration, Instant};

use mesh_engine::{Detector, Program, RequestHead, Session, Step, compile};
use mesh_policy::Bundle;

use super::figures::{Decisions, SetCost};
use super::set::{self, Size};
use crate::bodies;
use crate::stats::{median, percentile};

/// Decisions in a round of one case: one for each agent of the large set.
const DECISIONS: usize = 10_000;

const NOW: u64 = 1_795_521_600_000_000_000;

/// What is decided about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Case {
    /// A request without a body, the agent's first one under this program.
    First,
    /// A request without a body.
    Simple,
    /// A chat request of 1 KB, whose names and content are judged.
    Chat,
}

impl Case {
    const ALL: [Case; 3] = [Case::First, Case::Simple, Case::Chat];

    fn name(self) -> &'static str {
        match self {
            Case::First => "by head, an agent's first",
            Case::Simple => "by head",
            Case::Chat => "chat of 1 KB",
        }
    }
}

/// Sizes, compiling, and decisions under both sets, interleaved.
pub(super) fn measure(rounds: usize) -> Result<(Vec<SetCost>, Vec<Decisions>), String> {
    let sizes = [Size::SMALL, Size::LARGE];
    let detector = Rc::new(Detector::new());
    let mut costs = Vec::new();
    let mut programs = Vec::new();
    for size in sizes {
        let bundle = set::bundle(size, None);
        costs.push(cost(size, &bundle, &detector, rounds)?);
        programs.push((size, compiled(&bundle, &detector)?, bundle));
    }
    let mut rows = Vec::new();
    for case in Case::ALL {
        let mut rounds_of: Vec<Vec<(Vec<Duration>, f64)>> = vec![Vec::new(); programs.len()];
        for _ in 0..rounds {
            for ((size, program, bundle), found) in programs.iter().zip(&mut rounds_of) {
                let program = match case {
                    Case::First => &compiled(bundle, &detector)?,
                    Case::Simple | Case::Chat => program,
                };
                found.push(round(program, *size, case));
            }
        }
        rows.extend(programs.iter().zip(&rounds_of).map(|((size, ..), found)| row(*size, case, found)));
    }
    Ok((costs, rows))
}

fn compiled(bundle: &Bundle, detector: &Rc<Detector>) -> Result<Rc<Program>, String> {
    let program =
        compile(bundle, Rc::clone(detector)).map_err(|refused| format!("the bench's set: {refused:?}"))?;
    Ok(Rc::new(program.remembering([7; 16])))
}

/// Latencies of a round, sorted; and decisions a second in a second pass without a clock between them.
fn round(program: &Rc<Program>, size: Size, case: Case) -> (Vec<Duration>, f64) {
    let body = bodies::chat(1024, false);
    let mut latencies: Vec<Duration> = heads(size, case)
        .into_iter()
        .map(|head| {
            let started = Instant::now();
            black_box(decide(program, head, case, &body));
            started.elapsed()
        })
        .collect();
    latencies.sort_unstable();
    let heads = heads(size, case);
    let started = Instant::now();
    for head in heads {
        black_box(decide(program, head, case, &body));
    }
    (latencies, DECISIONS as f64 / started.elapsed().as_secs_f64())
}

/// Requests of all agents in turn.
fn heads(size: Size, case: Case) -> Vec<RequestHead> {
    let (method, path) = match case {
        Case::First | Case::Simple => ("GET", "/v1/models"),
        Case::Chat => ("POST", "/v1/chat/completions"),
    };
    let head = |number: usize| RequestHead {
        method: method.into(),
        path: path.into(),
        headers: vec![
            ("host".into(), "127.0.0.1:10000".into()),
            ("content-type".into(), "application/json".into()),
            ("x-ai-mesh-agent".into(), set::agent_id(number % size.agents)),
        ],
        source_ip: Some([127, 0, 0, 1].into()),
        ..RequestHead::default()
    };
    (0..DECISIONS).map(head).collect()
}

/// A request on its way through a session, as the filter walks it; what is left is the decision.
fn decide(program: &Rc<Program>, head: RequestHead, case: Case, body: &[u8]) -> usize {
    let mut session = Session::start(Rc::clone(program), head, "0123456789abcdef-1".to_owned(), NOW);
    let end_of_stream = case != Case::Chat;
    let step = match session.request_headers(end_of_stream, NOW) {
        Step::ReadBody => session.request(body, NOW),
        step => step,
    };
    debug_assert!(matches!(step, Step::Continue), "the request is allowed");
    session.finish().0.policies.len()
}

fn row(size: Size, case: Case, rounds: &[(Vec<Duration>, f64)]) -> Decisions {
    let over = |share: f64| {
        let each = rounds.iter().map(|(latencies, _)| percentile(latencies, share).as_secs_f64() * 1e6);
        median(&each.collect::<Vec<_>>())
    };
    Decisions {
        set: size.to_string(),
        case: case.name(),
        p50_us: over(0.5),
        p99_us: over(0.99),
        worst_us: over(1.0),
        per_second: median(&rounds.iter().map(|(_, rate)| *rate).collect::<Vec<_>>()),
    }
}

fn cost(size: Size, bundle: &Bundle, detector: &Rc<Detector>, rounds: usize) -> Result<SetCost, String> {
    let text = serde_json::to_string(bundle).map_err(|error| error.to_string())?;
    let (mut reading, mut compiling) = (Vec::new(), Vec::new());
    let mut memory = 0;
    for _ in 0..rounds {
        let started = Instant::now();
        let read: Bundle = serde_json::from_str(&text).map_err(|error| error.to_string())?;
        reading.push(started.elapsed().as_secs_f64() * 1e3);
        let before = super::process::resident(std::process::id())?;
        let started = Instant::now();
        let program = compile(&read, Rc::clone(detector)).map_err(|refused| format!("{refused:?}"))?;
        compiling.push(started.elapsed().as_secs_f64() * 1e3);
        memory = memory.max(super::process::resident(std::process::id())?.saturating_sub(before));
        drop(black_box(program));
    }
    let (read_ms, compile_ms) = (median(&reading), median(&compiling));
    Ok(SetCost {
        set: size.to_string(),
        bundle_bytes: text.len(),
        read_ms,
        compile_ms,
        program_bytes: memory,
    })
}
