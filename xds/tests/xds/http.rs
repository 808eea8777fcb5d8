//! As much HTTP as the tests need: an upstream that says what it got, and a client that sends exactly what it is told.
use std::{convert::Infallible, net::SocketAddr};

use http_body_util::{BodyExt, Full};
use hyper::{Request, Response, body::Bytes, body::Incoming, service::service_fn};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

/// Starts an upstream. It answers with what it received.
pub(crate) async fn upstream(name: &'static str) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        loop {
            let Ok((stream, _)) = listener.accept().await else { return };
            let service = service_fn(move |request| answer(name, request));
            let connection = hyper::server::conn::http1::Builder::new();
            tokio::spawn(
                async move { connection.serve_connection(TokioIo::new(stream), service).await.ok() },
            );
        }
    });
    address
}

async fn answer(name: &'static str, request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    let (head, body) = request.into_parts();
    let headers: Value = head
        .headers
        .iter()
        .map(|(k, v)| (k.to_string(), json!(String::from_utf8_lossy(v.as_bytes()))))
        .collect();
    let body = body.collect().await.map(|b| b.to_bytes()).unwrap_or_default();
    let told = json!({
        "upstream": name, "method": head.method.as_str(), "path": head.uri.to_string(), "headers": headers,
        "length": body.len(), "body": String::from_utf8_lossy(&body[..body.len().min(2000)]),
    });
    Ok(Response::builder()
        .header("content-type", "application/json")
        .header("server", name)
        .body(Bytes::from(told.to_string()).into())
        .unwrap())
}

/// An answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: String,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    /// The body as JSON.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|e| panic!("{e}: {} {}", self.status, String::from_utf8_lossy(&self.body)))
    }
}

/// Sends a request on a connection of its own. `Err` says what went wrong with the connection.
pub(crate) async fn send(
    to: SocketAddr,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: &[u8],
) -> Result<Answer, String> {
    let mut head = format!("{method} {path} HTTP/1.1\r\nhost: agent.test\r\nconnection: close\r\n");
    head.push_str(&format!("content-length: {}\r\n", body.len()));
    headers.iter().for_each(|(name, value)| head.push_str(&format!("{name}: {value}\r\n")));
    head.push_str("\r\n");
    let mut stream = TcpStream::connect(to).await.map_err(|e| format!("connecting: {e}"))?;
    // An early answer may close the connection before all was written: then the answer counts.
    let _ = stream.write_all(head.as_bytes()).await;
    let _ = stream.write_all(body).await;
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).await.map_err(|e| format!("reading: {e}"))?;
    let end = bytes.windows(4).position(|w| w == b"\r\n\r\n").ok_or("no answer")?;
    let headers = String::from_utf8_lossy(&bytes[..end]).to_lowercase();
    let status = headers.split(' ').nth(1).and_then(|s| s.parse().ok()).ok_or("no status")?;
    let mut body = bytes[end + 4..].to_vec();
    if headers.contains("transfer-encoding: chunked") {
        body = unchunk(&body).ok_or("the body breaks off")?;
    }
    Ok(Answer { status, headers, body })
}

/// A GET, which must work.
pub(crate) async fn get(to: SocketAddr, path: &str) -> Answer {
    send(to, "GET", path, &[], b"").await.unwrap()
}

fn unchunk(mut bytes: &[u8]) -> Option<Vec<u8>> {
    let mut whole = Vec::new();
    loop {
        let line = bytes.windows(2).position(|w| w == b"\r\n")?;
        let size = usize::from_str_radix(std::str::from_utf8(&bytes[..line]).ok()?, 16).ok()?;
        bytes = &bytes[line + 2..];
        if size == 0 {
            return Some(whole);
        }
        whole.extend(bytes.get(..size)?);
        bytes = bytes.get(size + 2..)?;
    }
}
