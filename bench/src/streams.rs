//! Streams: time to the first event, and time between events.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use crate::bodies;
use crate::client::Client;
use crate::envoy::Envoy;
use crate::figures::{Stream, StreamRoute};
use crate::options::Options;
use crate::stats::{median, micros, percentile};
use crate::upstream;

/// One route in one round.
#[derive(Default)]
struct Sample {
    first: Vec<Duration>,
    gaps: Vec<Duration>,
}

impl Sample {
    fn first(&self, share: f64) -> f64 {
        micros(percentile(&self.first, share))
    }

    fn gap(&self, share: f64) -> f64 {
        micros(percentile(&self.gaps, share))
    }
}

/// Measures streams on all routes, one connection each.
pub(crate) fn measure(envoy: &Envoy, options: &Options) -> Result<Stream, String> {
    let body = bodies::chat(1024, true);
    let samples = envoy.in_turn(options.rounds, |index| one(envoy.route(index), &body, options.time))?;
    let routes = envoy
        .names()
        .iter()
        .zip(&samples)
        .map(|(name, of_route)| summary(name, of_route, &samples))
        .collect();
    Ok(Stream { chunks: upstream::CHUNKS, pace_ms: upstream::PACE.as_secs_f64() * 1e3, routes })
}

fn summary(name: &'static str, of_route: &[Sample], all: &[Vec<Sample>]) -> StreamRoute {
    let plain = all.first().map_or(&[][..], Vec::as_slice);
    let over = |figure: &dyn Fn(&Sample) -> f64| median(&of_route.iter().map(figure).collect::<Vec<_>>());
    let added = |figure: &dyn Fn(&Sample) -> f64| {
        let pairs = of_route.iter().zip(plain);
        median(&pairs.map(|(ours, plain)| figure(ours) - figure(plain)).collect::<Vec<_>>())
    };
    StreamRoute {
        name,
        streams: of_route.iter().map(|sample| sample.first.len() as u64).sum(),
        first_p50_us: over(&|sample| sample.first(0.5)),
        first_p99_us: over(&|sample| sample.first(0.99)),
        gap_p50_us: over(&|sample| sample.gap(0.5)),
        gap_p99_us: over(&|sample| sample.gap(0.99)),
        added_first_p50_us: added(&|sample| sample.first(0.5)),
        added_gap_p50_us: added(&|sample| sample.gap(0.5)),
        added_gap_p99_us: added(&|sample| sample.gap(0.99)),
    }
}

/// Streams for a time, at least one.
fn one(to: SocketAddr, body: &[u8], time: Duration) -> Result<Sample, String> {
    let until = Instant::now() + time;
    let mut client = Client::connect(to, body)?;
    let mut sample = Sample::default();
    loop {
        let answer = client.observe()?;
        // Reads that ended no event (a chunk's head alone) are no arrivals of text.
        let arrivals: Vec<Duration> =
            answer.arrivals.iter().filter(|(_, events)| *events > 0).map(|(time, _)| *time).collect();
        let events: usize = answer.arrivals.iter().map(|(_, events)| events).sum();
        if answer.status != 200 || events < upstream::CHUNKS {
            return Err(format!("a stream was answered with {} and {events} events", answer.status));
        }
        sample.first.extend(arrivals.first());
        sample
            .gaps
            .extend(arrivals.iter().zip(arrivals.iter().skip(1)).map(|(before, after)| *after - *before));
        if Instant::now() >= until {
            sample.first.sort_unstable();
            sample.gaps.sort_unstable();
            return Ok(sample);
        }
    }
}
