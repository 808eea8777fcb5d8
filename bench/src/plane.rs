//! Takes in decision records and answers about limits as the control plane does: asking it is part of the cost. An account is
//! the control plane's own; what stands around it here is less than there.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use bytes::{BufMut, Bytes, BytesMut};
use futures::stream;
use http_body_util::{BodyExt, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::header::{CONTENT_TYPE, HeaderMap, HeaderValue};
use hyper::server::conn::http2;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::{TokioExecutor, TokioIo};
use mesh_audit::v1::{ReportRequest, ReportResponse};
use mesh_limits::{Account, Kind, Settlement, Terms};
use prost::Message;
use tokio::net::TcpListener;

/// A gRPC message is preceded by a flag and its length (gRPC over HTTP/2, "Length-Prefixed-Message").
const PREFIX: usize = 5;

static RECEIVED: AtomicU64 = AtomicU64::new(0);
static CALLS: AtomicU64 = AtomicU64::new(0);
static LEASES: AtomicU64 = AtomicU64::new(0);
/// Microseconds that decisions took in the filter, by the sidecar's name, as records tell.
static DECIDING: Mutex<BTreeMap<String, Vec<u64>>> = Mutex::new(BTreeMap::new());
static ACCOUNT: Mutex<Option<(Instant, Account)>> = Mutex::new(None);

/// Records that have arrived, calls about limits, and leases that were given.
pub(crate) fn counted() -> (u64, u64, u64) {
    let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
    (count(&RECEIVED), count(&CALLS), count(&LEASES))
}

/// How long decisions took since this was last asked, by the sidecar's name.
pub(crate) fn deciding() -> BTreeMap<String, Vec<u64>> {
    DECIDING.lock().map(|mut deciding| std::mem::take(&mut *deciding)).unwrap_or_default()
}

/// Serves until the process ends.
pub(crate) async fn serve(listener: TcpListener) {
    while let Ok((socket, _)) = listener.accept().await {
        tokio::spawn(async move {
            let connection = http2::Builder::new(TokioExecutor::new());
            // Envoy closes it when the bench is over.
            let _ = connection.serve_connection(TokioIo::new(socket), service_fn(answer)).await;
        });
    }
}

type Frames = StreamBody<stream::Iter<std::vec::IntoIter<Result<Frame<Bytes>, Infallible>>>>;

async fn answer(request: Request<Incoming>) -> Result<Response<Frames>, hyper::Error> {
    let limits = request.uri().path().ends_with("/ShouldRateLimit");
    let body = request.into_body().collect().await?.to_bytes();
    let message = body.get(PREFIX..).unwrap_or_default();
    let answer = if limits { limit(message) } else { report(message) };
    let mut status = HeaderMap::new();
    // INVALID_ARGUMENT.
    status.insert("grpc-status", HeaderValue::from_static(if answer.is_some() { "0" } else { "3" }));
    let mut frames: Vec<_> = answer.map(|answer| Ok(Frame::data(prefixed(&answer)))).into_iter().collect();
    frames.push(Ok(Frame::trailers(status)));
    let mut response = Response::new(StreamBody::new(stream::iter(frames)));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
    Ok(response)
}

fn report(message: &[u8]) -> Option<Vec<u8>> {
    let report = ReportRequest::decode(message).ok()?;
    let count = report.records.len() as u64;
    RECEIVED.fetch_add(count, Ordering::Relaxed);
    if let Ok(mut deciding) = DECIDING.lock() {
        // The filter times what it does with bodies; of a request that has none it tells no time.
        let times = report.records.iter().map(|record| record.execution_us).filter(|us| *us > 0);
        deciding.entry(report.sidecar.clone()).or_default().extend(times);
    }
    with_account(|account, now| {
        for end in &report.returns {
            let how = Settlement::Returned { spent: end.spent, rest: end.rest };
            account.settle(&TERMS, &end.lease_id, how, now);
        }
    })?;
    let acknowledged = (report.first_sequence + count).saturating_sub(1);
    Some(ReportResponse { acknowledged, returned: report.returns.len() as u64 }.encode_to_vec())
}

/// One limit of requests, which is never reached.
const TERMS: Terms =
    Terms { kind: Kind::Count, limit: 4_000_000_000, window_us: 60_000_000, patience_us: 600_000_000 };

fn limit(message: &[u8]) -> Option<Vec<u8>> {
    let asked = RateLimitRequest::decode(message).ok()?;
    let entries = &asked.descriptors.first()?.entries;
    let said = |name: &str| entries.iter().find(|entry| entry.key == name).map(|entry| entry.value.as_str());
    let want = said("lease").and_then(|want| want.parse().ok());
    let told = said("told").and_then(|told| told.split_once(' '));
    let call = CALLS.fetch_add(1, Ordering::Relaxed);
    let lease = told.map_or_else(|| format!("lease:{call}"), |(_, id)| id.to_owned());
    let lent = with_account(|account, now| {
        if let Some(spent) = told.and_then(|(spent, _)| spent.parse().ok()) {
            account.tell(&TERMS, &lease, spent, now);
        }
        account.look(&TERMS, 1, now);
        account.take(&TERMS, 1, None);
        account.lend(&TERMS, want.unwrap_or(0), 1, &lease)
    })?;
    LEASES.fetch_add(u64::from(lent > 0), Ordering::Relaxed);
    let requests = u32::try_from(lent).unwrap_or(u32::MAX);
    let quota = (lent > 0).then_some(Quota { requests, id: lease });
    let status = DescriptorStatus { code: 1, limit_remaining: u32::MAX, quota };
    Some(RateLimitResponse { overall_code: 1, statuses: vec![status] }.encode_to_vec())
}

/// The account, and microseconds since it was opened.
fn with_account<T>(act: impl FnOnce(&mut Account, u64) -> T) -> Option<T> {
    let mut account = ACCOUNT.lock().ok()?;
    let (opened, account) = account.get_or_insert_with(|| (Instant::now(), Account::default()));
    let now = u64::try_from(opened.elapsed().as_micros()).unwrap_or(u64::MAX);
    Some(act(account, now))
}

// As much of `envoy.service.ratelimit.v3` as is looked at here.

#[derive(Clone, PartialEq, Message)]
struct RateLimitRequest {
    #[prost(message, repeated, tag = "2")]
    descriptors: Vec<Descriptor>,
}

#[derive(Clone, PartialEq, Message)]
struct Descriptor {
    #[prost(message, repeated, tag = "1")]
    entries: Vec<Entry>,
}

#[derive(Clone, PartialEq, Message)]
struct Entry {
    #[prost(string, tag = "1")]
    key: String,
    #[prost(string, tag = "2")]
    value: String,
}

#[derive(Clone, PartialEq, Message)]
struct RateLimitResponse {
    #[prost(int32, tag = "1")]
    overall_code: i32,
    #[prost(message, repeated, tag = "2")]
    statuses: Vec<DescriptorStatus>,
}

#[derive(Clone, PartialEq, Message)]
struct DescriptorStatus {
    #[prost(int32, tag = "1")]
    code: i32,
    #[prost(uint32, tag = "3")]
    limit_remaining: u32,
    #[prost(message, optional, tag = "5")]
    quota: Option<Quota>,
}

#[derive(Clone, PartialEq, Message)]
struct Quota {
    #[prost(uint32, tag = "1")]
    requests: u32,
    #[prost(string, tag = "3")]
    id: String,
}

fn prefixed(message: &[u8]) -> Bytes {
    let mut bytes = BytesMut::with_capacity(PREFIX + message.len());
    bytes.put_u8(0);
    bytes.put_u32(u32::try_from(message.len()).unwrap_or(u32::MAX));
    bytes.put_slice(message);
    bytes.freeze()
}
