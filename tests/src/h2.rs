//! Requests over one HTTP/2 connection, all at once.
use std::net::SocketAddr;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper_util::rt::{TokioExecutor, TokioIo};

use crate::Request;

/// Sends the requests as streams of one connection (prior knowledge, no TLS); the status of each.
pub fn multiplexed(to: SocketAddr, requests: &[Request]) -> Vec<u16> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let socket = tokio::net::TcpStream::connect(to).await.expect("the mesh accepts connections");
        let handshake = hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(socket));
        let (client, connection) = handshake.await.expect("HTTP/2");
        tokio::spawn(connection);
        let mut streams = tokio::task::JoinSet::new();
        for (number, request) in requests.iter().enumerate() {
            let mut built = hyper::Request::builder()
                .method(request.method.as_str())
                .uri(format!("http://mesh.test{}", request.path));
            for (name, value) in &request.headers {
                built = built.header(name, value);
            }
            let built = built.body(Full::new(Bytes::from(request.body.clone()))).expect("a request");
            let mut client = client.clone();
            streams.spawn(async move {
                let answer = client.send_request(built).await.expect("an answer");
                let status = answer.status().as_u16();
                let _ = answer.into_body().collect().await;
                (number, status)
            });
        }
        let mut statuses = streams.join_all().await;
        statuses.sort_unstable();
        statuses.into_iter().map(|(_, status)| status).collect()
    })
}
