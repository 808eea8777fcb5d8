//! Every call into Envoy, with failures turned into values: a host that refuses a call must not take the VM down.
use std::net::IpAddr;
use std::time::Duration;

use mesh_policy::ServiceRef;
use proxy_wasm::hostcalls;
use proxy_wasm::types::{Action, BufferType, LogLevel, MapType};

/// Nanoseconds since the Unix epoch.
pub(crate) fn now() -> u64 {
    let since =
        hostcalls::get_current_time().ok().and_then(|time| time.duration_since(std::time::UNIX_EPOCH).ok());
    since.and_then(|since| u64::try_from(since.as_nanos()).ok()).unwrap_or_default()
}

/// 64 random bits.
pub(crate) fn random() -> u64 {
    getrandom::u64().unwrap_or_else(|_| now())
}

/// 128 random bits that nobody else knows, if the host has any.
pub(crate) fn secret() -> Option<[u8; 16]> {
    let mut secret = [0; 16];
    getrandom::fill(&mut secret).ok().map(|()| secret)
}

/// A panic's message may quote the text it failed on; its location does not.
pub(crate) fn say_where_on_panic() {
    std::panic::set_hook(Box::new(|info| {
        let place = info.location().map_or_else(|| "an unknown place".to_owned(), ToString::to_string);
        let _ = hostcalls::log(LogLevel::Critical, &format!("ai_mesh filter panicked at {place}"));
    }));
}

pub(crate) fn configuration() -> Vec<u8> {
    buffer(BufferType::PluginConfiguration)
}

pub(crate) fn tick_every(period: Duration) {
    let _ = hostcalls::set_tick_period(period);
}

pub(crate) fn request_headers() -> Vec<(String, String)> {
    headers(MapType::HttpRequestHeaders)
}

pub(crate) fn response_headers() -> Vec<(String, String)> {
    headers(MapType::HttpResponseHeaders)
}

/// Values that are not UTF-8 are read with replacement characters.
fn headers(map: MapType) -> Vec<(String, String)> {
    let text = |value| {
        String::from_utf8(value)
            .unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned())
    };
    let pairs = hostcalls::get_map_bytes(map).unwrap_or_default();
    pairs.into_iter().map(|(name, value)| (name, text(value))).collect()
}

pub(crate) fn set_request_header(name: &str, value: Option<&str>) {
    let _ = hostcalls::set_map_value(MapType::HttpRequestHeaders, name, value);
}

pub(crate) fn set_response_header(name: &str, value: Option<&str>) {
    let _ = hostcalls::set_map_value(MapType::HttpResponseHeaders, name, value);
}

/// The buffered request body, which has this size according to Envoy. `None` when Envoy does not hand over all of it: what was
/// not read must not pass as inspected.
pub(crate) fn request_body(size: usize) -> Option<Vec<u8>> {
    whole(BufferType::HttpRequestBody, size)
}

/// The response body, or the chunk at hand, of this size. `None` as for the request.
pub(crate) fn response_body(size: usize) -> Option<Vec<u8>> {
    whole(BufferType::HttpResponseBody, size)
}

fn whole(kind: BufferType, size: usize) -> Option<Vec<u8>> {
    if size == 0 {
        return Some(Vec::new());
    }
    hostcalls::get_buffer(kind, 0, size).ok().flatten().filter(|bytes| bytes.len() == size)
}

pub(crate) fn grpc_answer() -> Vec<u8> {
    buffer(BufferType::GrpcReceiveBuffer)
}

fn buffer(kind: BufferType) -> Vec<u8> {
    hostcalls::get_buffer(kind, 0, usize::MAX).ok().flatten().unwrap_or_default()
}

/// False when the body could not be replaced: the caller must not let the old one pass.
#[must_use]
pub(crate) fn set_request_body(body: &[u8]) -> bool {
    hostcalls::set_buffer(BufferType::HttpRequestBody, 0, usize::MAX, body).is_ok()
}

/// False when the body could not be replaced: the caller must not let the old one pass.
#[must_use]
pub(crate) fn set_response_body(body: &[u8]) -> bool {
    hostcalls::set_buffer(BufferType::HttpResponseBody, 0, usize::MAX, body).is_ok()
}

pub(crate) fn respond(status: u16, headers: &[(&str, String)], body: &[u8]) -> Action {
    let headers = headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
    if hostcalls::send_http_response(u32::from(status), headers, Some(body)).is_err() {
        reset();
    }
    Action::Pause
}

/// Ends the exchange without an answer: the last resort where an answer can no longer be given.
pub(crate) fn reset() {
    let _ = hostcalls::reset_http_response();
}

pub(crate) fn resume_request() {
    let _ = hostcalls::resume_http_request();
}

pub(crate) fn resume_response() {
    let _ = hostcalls::resume_http_response();
}

/// A gRPC method and the service that has it.
#[derive(Clone, Copy)]
pub(crate) struct GrpcMethod {
    pub(crate) service: &'static str,
    pub(crate) name: &'static str,
}

/// Calls a unary gRPC method behind an Envoy cluster. Returns the token under which the answer will arrive.
pub(crate) fn call(
    service: &ServiceRef,
    method: GrpcMethod,
    metadata: Vec<(&str, &[u8])>,
    message: &[u8],
) -> Option<u32> {
    let timeout = Duration::from_millis(u64::from(service.timeout_ms));
    let GrpcMethod { service: of, name } = method;
    hostcalls::dispatch_grpc_call(&service.cluster, of, name, metadata, Some(message), timeout).ok()
}

/// Opens a bidirectional gRPC stream to an Envoy cluster. Returns the stream's token.
pub(crate) fn open_stream(cluster: &str, method: GrpcMethod) -> Option<u32> {
    hostcalls::open_grpc_stream(cluster, method.service, method.name, Vec::new()).ok()
}

/// A stream that can't be written to ends by itself, and Envoy reports its end.
pub(crate) fn send_on_stream(stream: u32, message: &[u8]) {
    let _ = hostcalls::send_grpc_stream_message(stream, Some(message), false);
}

pub(crate) fn close_stream(stream: u32) {
    let _ = hostcalls::cancel_grpc_stream(stream);
}

/// Keeps a value for all VMs of this Envoy, including later ones.
pub(crate) fn keep(key: &str, value: &[u8]) {
    let _ = hostcalls::set_shared_data(key, Some(value), None);
}

/// A value that was kept.
pub(crate) fn kept(key: &str) -> Option<Vec<u8>> {
    hostcalls::get_shared_data(key).ok()?.0
}

/// Posts JSON to a service behind an Envoy cluster. Returns the token under which the answer will arrive.
pub(crate) fn post(
    cluster: &str,
    (authority, path): (&str, &str),
    body: &[u8],
    timeout_ms: u32,
) -> Option<u32> {
    let headers = vec![
        (":method", "POST"),
        (":path", path),
        (":authority", authority),
        ("content-type", "application/json"),
        ("accept", "application/json"),
    ];
    let timeout = Duration::from_millis(u64::from(timeout_ms));
    hostcalls::dispatch_http_call(cluster, headers, Some(body), Vec::new(), timeout).ok()
}

/// The status of the answer to a post.
pub(crate) fn call_status() -> Option<u16> {
    hostcalls::get_map_value(MapType::HttpCallResponseHeaders, ":status").ok().flatten()?.parse().ok()
}

/// The answer to a post, of this size.
pub(crate) fn call_answer(size: usize) -> Vec<u8> {
    hostcalls::get_buffer(BufferType::HttpCallResponseBody, 0, size).ok().flatten().unwrap_or_default()
}

pub(crate) fn source_ip() -> Option<IpAddr> {
    let address = property(&["source", "address"])?;
    let address = std::str::from_utf8(&address).ok()?;
    address.parse::<std::net::SocketAddr>().map(|address| address.ip()).or_else(|_| address.parse()).ok()
}

/// The node id that Envoy was started with.
pub(crate) fn node_id() -> Option<String> {
    let id = property(&["xds", "node", "id"])?;
    String::from_utf8(id).ok().filter(|id| !id.is_empty())
}

/// The cluster that Envoy was started as a part of.
pub(crate) fn node_cluster() -> Option<String> {
    String::from_utf8(property(&["xds", "node", "cluster"])?).ok()
}

/// The number of filters in this Envoy, as its bootstrap states it.
pub(crate) fn node_filters() -> Option<String> {
    String::from_utf8(property(&["xds", "node", "metadata", "ai_mesh_filters"])?).ok()
}

/// The cluster that the request at hand is routed to.
pub(crate) fn cluster() -> Option<String> {
    let name = property(&["xds", "cluster_name"])?;
    String::from_utf8(name).ok().filter(|name| !name.is_empty())
}

/// Whether the response at hand was made by Envoy itself, for a request that had already gone to the upstream: it may have been
/// served there.
pub(crate) fn answer_lost() -> bool {
    let Some(details) = property(&["response", "code_details"]) else { return false };
    let details = String::from_utf8_lossy(&details);
    let unsent = ["connection_failure", "connection_timeout", "overflow"];
    let reset = details.starts_with("upstream_reset_before_response_started");
    let late =
        ["response_timeout", "per_try_timeout", "idle_timeout"].iter().any(|why| details.contains(why));
    late || reset && !unsent.iter().any(|why| details.contains(why))
}

/// The public keys that the bootstrap trusts for policies, as text; empty when it names none. `None` when Envoy does not reveal
/// its node at all.
pub(crate) fn policy_keys() -> Option<String> {
    let keys = property(&["xds", "node", "metadata", "ai_mesh_policy_keys"]);
    // Bytes that are not text are no key either: reading the keys refuses them.
    let keys = keys.map(|keys| String::from_utf8_lossy(&keys).into_owned());
    keys.or_else(|| node_id().map(|_| String::new()))
}

/// The URI in the verified client certificate.
pub(crate) fn principal() -> Option<String> {
    let uri = property(&["connection", "uri_san_peer_certificate"])?;
    String::from_utf8(uri).ok().filter(|uri| !uri.is_empty())
}

fn property(path: &[&str]) -> Option<Vec<u8>> {
    hostcalls::get_property(path.to_vec()).ok().flatten()
}
