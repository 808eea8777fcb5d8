//! Incremental xDS over an aggregated stream, as far as the filter speaks it.
//!
//! Field numbers are those of `envoy/service/discovery/v3/discovery.proto`, `envoy/config/core/v3/base.proto`,
//! `google/rpc/status.proto`, `google/protobuf/struct.proto` and our `ai_mesh/v1/policy_bundle.proto`.
use std::collections::BTreeMap;

use prost::Message;

pub(crate) const SERVICE: &str = "envoy.service.discovery.v3.AggregatedDiscoveryService";
pub(crate) const METHOD: &str = "DeltaAggregatedResources";
/// What a filter subscribes to: the one resource of this type and name.
const TYPE: &str = "type.googleapis.com/ai_mesh.v1.PolicyBundle";
const NAME: &str = "ai_mesh";
/// The key of the node's metadata that tells the filters of one Envoy apart.
const INSTANCE: &str = "ai_mesh_instance";
const INVALID_ARGUMENT: i32 = 3;

#[derive(Clone, PartialEq, Message)]
struct Request {
    #[prost(message, optional, tag = "1")]
    node: Option<Node>,
    #[prost(string, tag = "2")]
    type_url: String,
    #[prost(string, repeated, tag = "3")]
    subscribe: Vec<String>,
    #[prost(btree_map = "string, string", tag = "5")]
    initial_versions: BTreeMap<String, String>,
    #[prost(string, tag = "6")]
    response_nonce: String,
    #[prost(message, optional, tag = "7")]
    error_detail: Option<Status>,
}

#[derive(Clone, PartialEq, Message)]
struct Node {
    #[prost(string, tag = "1")]
    id: String,
    #[prost(string, tag = "2")]
    cluster: String,
    #[prost(message, optional, tag = "3")]
    metadata: Option<Struct>,
    #[prost(string, tag = "6")]
    user_agent_name: String,
    #[prost(string, tag = "7")]
    user_agent_version: String,
}

#[derive(Clone, PartialEq, Message)]
struct Struct {
    #[prost(btree_map = "string, message", tag = "1")]
    fields: BTreeMap<String, Value>,
}

#[derive(Clone, PartialEq, Message)]
struct Value {
    #[prost(string, optional, tag = "3")]
    string: Option<String>,
}

#[derive(Clone, PartialEq, Message)]
struct Status {
    #[prost(int32, tag = "1")]
    code: i32,
    #[prost(string, tag = "2")]
    message: String,
}

#[derive(Clone, PartialEq, Message)]
struct Response {
    #[prost(message, repeated, tag = "2")]
    resources: Vec<Resource>,
    #[prost(string, tag = "5")]
    nonce: String,
}

#[derive(Clone, PartialEq, Message)]
struct Resource {
    #[prost(string, tag = "1")]
    version: String,
    #[prost(message, optional, tag = "2")]
    body: Option<Any>,
    #[prost(string, tag = "3")]
    name: String,
}

#[derive(Clone, PartialEq, Message)]
struct Any {
    #[prost(string, tag = "1")]
    type_url: String,
    #[prost(bytes = "vec", tag = "2")]
    value: Vec<u8>,
}

#[derive(Clone, PartialEq, Message)]
struct PolicyBundle {
    /// The text as bytes: whether they are text is looked at when it is parsed.
    #[prost(bytes = "vec", tag = "2")]
    signed: Vec<u8>,
}

/// Who subscribes.
pub(crate) struct Subscriber<'a> {
    /// The node's id.
    pub(crate) id: &'a str,
    /// The node's cluster.
    pub(crate) cluster: &'a str,
    /// Which filter of the node.
    pub(crate) instance: &'a str,
}

/// What came.
pub(crate) struct Offer {
    /// What the answer has to name.
    pub(crate) nonce: String,
    /// A bundle with its version; none where the server only says that it has none.
    pub(crate) bundle: Option<(String, Vec<u8>)>,
}

/// The first request of a stream. `version` is of what an earlier stream brought.
pub(crate) fn subscribe(subscriber: &Subscriber<'_>, version: Option<&str>) -> Vec<u8> {
    let instance = Value { string: Some(subscriber.instance.to_owned()) };
    let node = Node {
        id: subscriber.id.to_owned(),
        cluster: subscriber.cluster.to_owned(),
        metadata: Some(Struct { fields: BTreeMap::from([(INSTANCE.to_owned(), instance)]) }),
        user_agent_name: "ai-mesh-filter".to_owned(),
        user_agent_version: env!("CARGO_PKG_VERSION").to_owned(),
    };
    let request = Request {
        node: Some(node),
        type_url: TYPE.to_owned(),
        subscribe: vec![NAME.to_owned()],
        initial_versions: version.map(|version| (NAME.to_owned(), version.to_owned())).into_iter().collect(),
        ..Request::default()
    };
    request.encode_to_vec()
}

/// The answer to an offer: accepted, or refused with a reason.
pub(crate) fn answer(nonce: &str, outcome: Result<(), String>) -> Vec<u8> {
    let request = Request {
        type_url: TYPE.to_owned(),
        response_nonce: nonce.to_owned(),
        error_detail: outcome.err().map(|message| Status { code: INVALID_ARGUMENT, message }),
        ..Request::default()
    };
    request.encode_to_vec()
}

/// Reads a response.
///
/// # Errors
/// It is not one, or what it holds is no bundle; with the nonce, where it could be read.
pub(crate) fn read(message: &[u8]) -> Result<Offer, String> {
    let Response { resources, nonce } =
        Response::decode(message).map_err(|error| format!("not a response of incremental xDS: {error}"))?;
    let ours = resources.into_iter().find(|resource| resource.name == NAME);
    let bundle = ours.and_then(|Resource { version, body, .. }| Some((version, body?)));
    let bundle = bundle.map(|(version, body)| {
        // What is no bundle has no text, and is refused as one.
        let PolicyBundle { signed } = PolicyBundle::decode(body.value.as_slice()).unwrap_or_default();
        (version, signed)
    });
    Ok(Offer { nonce, bundle })
}
