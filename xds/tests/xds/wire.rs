//! The scenarios once more, over gRPC, with a client that shares no code with the server: `tests/xds/client.py`.
//!
//! The client runs the scenarios and asks for what only the server can do with a line of JSON on its output; the answer
//! goes back on its input.
use std::{
    io::{BufRead, BufReader, Write},
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use mesh_xds::Ads;
use serde_json::{Value, json};
use tonic::transport::Server;

use crate::fixture;

#[test]
fn state_of_the_world() {
    play("sotw");
}

#[test]
fn incremental() {
    play("delta");
}

/// Runs a table of scenarios, each with a server of its own.
fn play(variant: &str) {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/xds");
    let mut client = Command::new(python())
        .arg(root.join("client.py"))
        .arg(variant)
        .arg(root.join(format!("scenarios/{variant}.json")))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = client.stdin.take().unwrap();
    let mut ads = Ads::new();
    for line in BufReader::new(client.stdout.take().unwrap()).lines() {
        let request: Value = serde_json::from_str(&line.unwrap()).unwrap();
        let answer = match request["do"].as_str().unwrap() {
            "serve" => {
                ads.close();
                ads = Ads::new();
                json!({ "address": runtime.block_on(serve(&ads)) })
            }
            "snapshot" => {
                ads.set_snapshot(fixture::snapshot(&request["snapshot"])).unwrap();
                json!({})
            }
            "status" => status(&ads, request["type"].as_str().unwrap()),
            other => panic!("`{other}` is nothing the server can do"),
        };
        writeln!(input, "{answer}").unwrap();
    }
    assert!(client.wait().unwrap().success(), "the client's complaint is above");
}

async fn serve(ads: &Ads) -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let incoming = tokio_stream::wrappers::TcpListenerStream::new(listener);
    tokio::spawn(Server::builder().add_service(ads.service()).serve_with_incoming(incoming));
    address
}

fn status(ads: &Ads, short: &str) -> Value {
    let kind = fixture::kind(short).unwrap();
    let clients = ads.clients();
    let client = clients.last().expect("nobody is connected");
    let status = client.types[&kind].clone();
    json!({
        "sent": status.sent_version, "acked": status.acked_version, "nacked": status.nacked.map(|nack| nack.version),
    })
}

/// The Python to test with: it has what `tests/requirements.txt` names.
pub(crate) fn python() -> PathBuf {
    if let Some(named) = std::env::var_os("AI_MESH_PYTHON") {
        return named.into();
    }
    let venv = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/ai-mesh/venv/bin/python");
    assert!(
        venv.is_file(),
        "no Python with grpcio was found: run `cargo xtask setup`, or name one with AI_MESH_PYTHON"
    );
    venv
}
