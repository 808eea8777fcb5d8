//! What the server does around the protocol: who may open a stream, and who waits for whom.
use envoy_types::pb::envoy::{
    config::core::v3::{Node, TypedExtensionConfig},
    service::discovery::v3::{
        DiscoveryRequest, DiscoveryResponse,
        aggregated_discovery_service_client::AggregatedDiscoveryServiceClient,
    },
};
use mesh_xds::{Ads, Kind, Resources, Snapshot};
use serde_json::json;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{
    Code, Status, Streaming,
    transport::{Channel, Server},
};

use crate::fixture;

async fn serve(ads: &Ads) -> AggregatedDiscoveryServiceClient<Channel> {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let incoming = tokio_stream::wrappers::TcpListenerStream::new(listener);
    tokio::spawn(Server::builder().add_service(ads.service()).serve_with_incoming(incoming));
    AggregatedDiscoveryServiceClient::connect(format!("http://{address}")).await.unwrap()
}

struct Client {
    requests: mpsc::Sender<DiscoveryRequest>,
    responses: Streaming<DiscoveryResponse>,
}

impl Client {
    async fn connect(mut stub: AggregatedDiscoveryServiceClient<Channel>, id: &str, cluster: &str) -> Client {
        let (requests, receiver) = mpsc::channel(16);
        let node = Node { id: id.to_owned(), cluster: cluster.to_owned(), ..Node::default() };
        let node = (!id.is_empty() || !cluster.is_empty()).then_some(node);
        let first = DiscoveryRequest { node, ..ecds("") };
        requests.send(first).await.unwrap();
        let responses =
            stub.stream_aggregated_resources(ReceiverStream::new(receiver)).await.unwrap().into_inner();
        Client { requests, responses }
    }

    async fn revision(&mut self) -> String {
        let response = self.responses.message().await.unwrap().unwrap();
        self.requests.send(ecds(&response.nonce)).await.unwrap();
        fixture::name_and_revision(Kind::Extension, &response.resources[0]).1
    }

    async fn refusal(mut self) -> Status {
        self.responses.message().await.expect_err("the stream goes on")
    }
}

fn ecds(nonce: &str) -> DiscoveryRequest {
    DiscoveryRequest {
        type_url: Kind::Extension.type_url().to_owned(),
        resource_names: vec!["p".to_owned()],
        response_nonce: nonce.to_owned(),
        ..DiscoveryRequest::default()
    }
}

fn snapshot(revision: u32) -> Snapshot {
    fixture::snapshot(&json!({ "version": revision.to_string(), "extensions": { "p": revision } }))
}

#[tokio::test]
async fn a_stream_says_first_who_it_is() {
    let ads = Ads::new();
    let stub = serve(&ads).await;
    let long = "x".repeat(2000);
    for (id, cluster) in [("", ""), ("", "c"), (long.as_str(), "c"), ("a", long.as_str())] {
        let status = Client::connect(stub.clone(), id, cluster).await.refusal().await;
        assert_eq!(status.code(), Code::InvalidArgument, "{status:?}");
        assert!(status.message().contains("node"), "{status:?}");
    }
    assert!(ads.clients().is_empty());
}

#[tokio::test]
async fn who_does_not_read_holds_up_nobody() {
    let ads = Ads::new();
    let stub = serve(&ads).await;
    ads.set_snapshot(snapshot(0)).unwrap();
    // Two hundred that never answer nor read, and one that does.
    let mut idle = Vec::new();
    for number in 0..200 {
        idle.push(Client::connect(stub.clone(), &format!("idle-{number}"), "").await);
    }
    let mut lively = Client::connect(stub, "lively", "").await;
    assert_eq!(lively.revision().await, "0");
    for revision in 1..=50 {
        ads.set_snapshot(snapshot(revision)).unwrap();
        while lively.revision().await != revision.to_string() {}
    }
    assert_eq!(ads.clients().len(), 201);
    // The others find the newest when they look, without all that was in between.
    for client in &mut idle {
        let mut seen = 1;
        while client.revision().await != "50" {
            seen += 1;
        }
        assert!(seen <= 4, "{seen} revisions were kept for a client that did not answer");
    }
}

#[tokio::test]
async fn an_inconsistent_snapshot_leaves_the_one_in_force() {
    let ads = Ads::new();
    let stub = serve(&ads).await;
    ads.set_snapshot(snapshot(1)).unwrap();
    let twice = Resources { extensions: vec![TypedExtensionConfig::default(); 2], ..Resources::default() };
    ads.set_snapshot(Snapshot::new("2", twice)).unwrap_err();
    assert_eq!(Client::connect(stub, "a", "").await.revision().await, "1");
}

#[tokio::test]
async fn closing_ends_streams_that_are_and_streams_to_come() {
    let ads = Ads::new();
    let stub = serve(&ads).await;
    ads.set_snapshot(snapshot(1)).unwrap();
    let mut client = Client::connect(stub.clone(), "a", "").await;
    assert_eq!(client.revision().await, "1");
    ads.close();
    assert_eq!(client.refusal().await.code(), Code::Unavailable);
    assert_eq!(Client::connect(stub, "b", "").await.refusal().await.code(), Code::Unavailable);
    while !ads.clients().is_empty() {
        tokio::task::yield_now().await;
    }
}
