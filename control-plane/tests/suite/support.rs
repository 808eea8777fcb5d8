//! Control planes on free ports, and callers.
use std::path::PathBuf;

use envoy_types::pb::envoy::config::core::v3::Node;
use envoy_types::pb::envoy::service::discovery::v3::DeltaDiscoveryRequest;
use envoy_types::pb::envoy::service::discovery::v3::aggregated_discovery_service_client::AggregatedDiscoveryServiceClient;
use futures::{StreamExt, stream};
use http_body_util::BodyExt;
use mesh_audit::v1::{DecisionRecord, ReportRequest};
use mesh_control_api::v1::decision_intake_client::DecisionIntakeClient;
use mesh_control_plane::{Config, Running, StartError, start};
use mesh_xds::{Kind, Upstream, sidecar::FILTER};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tonic::metadata::MetadataValue;
use tonic::service::Interceptor;
use tonic::transport::{Channel, Endpoint};

/// A data folder, which is made by the first start and removed with the value.
pub(crate) struct Data(TempDir);

impl Data {
    pub(crate) fn new() -> Self {
        Data(tempfile::tempdir().unwrap())
    }

    fn path(&self) -> PathBuf {
        self.0.path().join("data")
    }

    /// A control plane on free ports with this data.
    pub(crate) fn config(&self) -> Config {
        let mut config = Config::new(self.path(), "/opt/mesh_filter.wasm");
        config.api.set_port(0);
        config.grpc.set_port(0);
        config.upstreams = vec![Upstream::parse("default", "http://127.0.0.1:9").unwrap()];
        config
    }

    pub(crate) async fn start(&self) -> Running {
        start(self.config()).await.unwrap()
    }

    /// The token that sidecars show, once a control plane has made it.
    pub(crate) fn sidecar_token(&self) -> String {
        std::fs::read_to_string(self.path().join("sidecar-token")).unwrap()
    }
}

/// An error with its causes, as the program prints it.
pub(crate) fn whole(error: &StartError) -> String {
    let chain = std::iter::successors(std::error::Error::source(error), |cause| cause.source());
    chain.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}

/// Sends a REST request over the network; gives status line and body.
pub(crate) async fn rest(plane: &Running, method: &str, path: &str, body: &str) -> (u16, serde_json::Value) {
    let mut stream = TcpStream::connect(plane.api()).await.unwrap();
    let request = format!(
        "{method} {path} HTTP/1.1\r\nhost: mesh\r\nconnection: close\r\nauthorization: Bearer {}\r\n\
         content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        plane.admin_token().secret(),
        body.len(),
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    (status, serde_json::from_str(body).unwrap_or_default())
}

pub(crate) async fn channel(plane: &Running) -> Channel {
    Endpoint::from_shared(format!("http://{}", plane.grpc())).unwrap().connect().await.unwrap()
}

/// Calls a gRPC method with an empty body; gives its status code.
pub(crate) async fn call(channel: &mut Channel, path: &str, authorization: Option<&str>) -> u8 {
    let mut request = axum::http::Request::post(format!("http://mesh{path}"))
        .header("content-type", "application/grpc")
        .header("te", "trailers");
    if let Some(value) = authorization {
        request = request.header("authorization", value);
    }
    std::future::poll_fn(|cx| tonic::codegen::Service::poll_ready(channel, cx)).await.unwrap();
    let request = request.body(tonic::body::Body::empty()).unwrap();
    let response = tonic::codegen::Service::call(channel, request).await.unwrap();
    let (parts, body) = response.into_parts();
    let trailers = body.collect().await.ok().and_then(|body| body.trailers().cloned()).unwrap_or_default();
    let status = parts.headers.get("grpc-status").or(trailers.get("grpc-status"));
    status.map_or(0, |status| status.to_str().unwrap().parse().unwrap())
}

/// Shows a token with every call.
fn bearing(token: &str) -> impl Interceptor + use<> {
    let bearer: MetadataValue<_> = format!("Bearer {token}").parse().unwrap();
    move |mut request: tonic::Request<()>| {
        request.metadata_mut().insert("authorization", bearer.clone());
        Ok(request)
    }
}

/// The version of the policies that a sidecar is sent which connects now.
pub(crate) async fn served(plane: &Running, token: &str) -> String {
    let channel = channel(plane).await;
    let mut client = AggregatedDiscoveryServiceClient::with_interceptor(channel, bearing(token));
    let request = DeltaDiscoveryRequest {
        node: Some(Node { id: "edge".to_owned(), ..Node::default() }),
        type_url: Kind::Extension.type_url().to_owned(),
        resource_names_subscribe: vec![FILTER.to_owned()],
        ..DeltaDiscoveryRequest::default()
    };
    // The stream stays open until there is an answer.
    let requests = stream::iter([request]).chain(stream::pending());
    let mut answers = client.delta_aggregated_resources(requests).await.unwrap().into_inner();
    answers.message().await.unwrap().unwrap().system_version_info
}

/// Reports records `first..=last` of VM `v`; gives what is acknowledged.
pub(crate) async fn report(plane: &Running, token: &str, first: u64, last: u64) -> u64 {
    let mut client = DecisionIntakeClient::with_interceptor(channel(plane).await, bearing(token));
    let record = |number| DecisionRecord {
        decision_id: format!("v-{number}"),
        decision: "allow".to_owned(),
        ..DecisionRecord::default()
    };
    let request = ReportRequest {
        sidecar: "edge".to_owned(),
        vm: "v".to_owned(),
        first_sequence: first,
        records: (first..=last).map(record).collect(),
        dropped: 0,
        returns: Vec::new(),
    };
    client.report(request).await.unwrap().into_inner().acknowledged
}
