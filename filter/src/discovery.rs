//! The part of incremental xDS over an aggregated stream that the filter uses.
//!
//! Field numbers are those of `envoy/service/discovery/v3/discovery.proto`, `envoy/config/core/v3/base.proto`,
//! `google/rpc/status.proto`, `google/protobuf/struct.proto` and our `ai_mesh/v1/policy_bundle.proto`.
use std::collections::BTreeMap;

use prost::Message;

use crate::host::GrpcMethod;

pub(crate) const DELTA_AGGREGATED_RESOURCES: GrpcMethod = GrpcMethod {
    service: "envoy.service.discovery.v3.AggregatedDiscoveryService",
    name: "DeltaAggregatedResources",
};
const PIECES: &str = "type.googleapis.com/ai_mesh.v1.PolicyBundlePiece";
const BUNDLES: &str = "type.googleapis.com/ai_mesh.v1.PolicyBundle";
/// The bundle's name.
const NAME: &str = "ai_mesh";
/// Keys of the node's metadata: which of one Envoy's filters this is, and how many there are.
const INSTANCE: &str = "ai_mesh_instance";
const FILTERS: &str = "ai_mesh_filters";
/// `google.rpc.Code.INVALID_ARGUMENT`: the code of a NACK.
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
    #[prost(string, tag = "4")]
    type_url: String,
    #[prost(string, tag = "5")]
    nonce: String,
    #[prost(string, repeated, tag = "6")]
    removed: Vec<String>,
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
    #[prost(string, repeated, tag = "2")]
    pieces: Vec<String>,
}

#[derive(Clone, PartialEq, Message)]
struct PolicyBundlePiece {
    #[prost(bytes = "vec", tag = "2")]
    content: Vec<u8>,
}

/// The filter that subscribes.
pub(crate) struct Subscriber<'a> {
    /// The node's id.
    pub(crate) id: &'a str,
    /// The node's cluster.
    pub(crate) cluster: &'a str,
    /// Which filter of the node.
    pub(crate) instance: &'a str,
    /// How many filters the node has, if it says so.
    pub(crate) filters: Option<String>,
}

/// A response of the server.
pub(crate) struct Update {
    /// The nonce that the ACK or NACK has to repeat.
    pub(crate) nonce: String,
    pub(crate) news: News,
}

/// The content of a response.
pub(crate) enum News {
    /// New pieces by name, and the names of pieces that are no longer needed.
    Pieces { new: Vec<(String, Piece)>, gone: Vec<String> },
    /// The bundle; `None` when the server only says that it has none.
    Bundle(Option<Index>),
}

/// A piece of a bundle.
pub(crate) struct Piece {
    pub(crate) version: String,
    pub(crate) content: Vec<u8>,
}

/// A bundle, as a list of piece names.
pub(crate) struct Index {
    pub(crate) version: String,
    pub(crate) pieces: Vec<String>,
}

/// The first requests of a stream: all pieces, and the bundle. What an earlier stream brought is named with its
/// version.
pub(crate) fn subscribe(
    subscriber: Subscriber<'_>,
    pieces: BTreeMap<String, String>,
    bundle: Option<String>,
) -> [Vec<u8>; 2] {
    let named = [(INSTANCE, Some(subscriber.instance.to_owned())), (FILTERS, subscriber.filters)];
    let fields = named.into_iter().filter(|(_, text)| text.is_some());
    let fields = fields.map(|(key, string)| (key.to_owned(), Value { string })).collect();
    let node = Node {
        id: subscriber.id.to_owned(),
        cluster: subscriber.cluster.to_owned(),
        metadata: Some(Struct { fields }),
        user_agent_name: "ai-mesh-filter".to_owned(),
        user_agent_version: env!("CARGO_PKG_VERSION").to_owned(),
    };
    let all = Request {
        node: Some(node),
        type_url: PIECES.to_owned(),
        subscribe: vec!["*".to_owned()],
        initial_versions: pieces,
        ..Request::default()
    };
    let bundle = Request {
        type_url: BUNDLES.to_owned(),
        subscribe: vec![NAME.to_owned()],
        initial_versions: bundle.map(|version| (NAME.to_owned(), version)).into_iter().collect(),
        ..Request::default()
    };
    [all, bundle].map(|request| request.encode_to_vec())
}

/// The ACK of pieces: they are only stored, which cannot fail.
pub(crate) fn ack_pieces(nonce: &str) -> Vec<u8> {
    answer(PIECES, nonce, None)
}

/// The ACK of a bundle that runs, or the NACK of one that cannot be run.
pub(crate) fn ack_bundle(nonce: &str, outcome: Result<(), String>) -> Vec<u8> {
    answer(BUNDLES, nonce, outcome.err())
}

fn answer(type_url: &str, nonce: &str, refused: Option<String>) -> Vec<u8> {
    let request = Request {
        type_url: type_url.to_owned(),
        response_nonce: nonce.to_owned(),
        error_detail: refused.map(|message| Status { code: INVALID_ARGUMENT, message }),
        ..Request::default()
    };
    request.encode_to_vec()
}

/// Reads a response of the server.
///
/// # Errors
/// It is not a response of incremental xDS, or of a type that was not asked for.
pub(crate) fn read(message: &[u8]) -> Result<Update, String> {
    let odd = |error: prost::DecodeError| format!("not a response of incremental xDS: {error}");
    let Response { resources, type_url, nonce, removed } = Response::decode(message).map_err(odd)?;
    let news = match type_url.as_str() {
        PIECES => {
            let mut new = Vec::new();
            for Resource { version, body, name } in resources {
                let body = body.unwrap_or_default();
                let PolicyBundlePiece { content } =
                    PolicyBundlePiece::decode(body.value.as_slice()).map_err(odd)?;
                new.push((name, Piece { version, content }));
            }
            News::Pieces { new, gone: removed }
        }
        BUNDLES => match resources.into_iter().find(|resource| resource.name == NAME) {
            Some(Resource { version, body, .. }) => {
                let body = body.unwrap_or_default();
                let PolicyBundle { pieces } = PolicyBundle::decode(body.value.as_slice()).map_err(odd)?;
                News::Bundle(Some(Index { version, pieces }))
            }
            None => News::Bundle(None),
        },
        other => return Err(format!("{other} was not asked for")),
    };
    Ok(Update { nonce, news })
}
