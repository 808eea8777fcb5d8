//! TLS to upstreams: the right authority and the right name, or nothing.
use std::{
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use mesh_xds::Upstream;

use crate::{http::get, mesh::Mesh, wire::python};

/// An HTTPS upstream; it ends with this.
struct TlsUpstream {
    child: Child,
    port: u16,
}

impl TlsUpstream {
    fn start(ca_file: &Path, names: &[&str]) -> TlsUpstream {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/xds/tls_upstream.py");
        let mut child = Command::new(python())
            .arg(script)
            .arg(ca_file)
            .args(names)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        TlsUpstream { child, port: line.trim().parse().expect("the upstream did not start") }
    }
}

impl Drop for TlsUpstream {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn upstreams_are_verified_by_authority_and_name() {
    let mut mesh = Mesh::start("tls", false, &[]).await;
    let file = |name: &str| -> PathBuf { mesh.folder.path().join(name) };
    let (ours, theirs) = (file("ca.pem"), file("other-ca.pem"));
    let other = TlsUpstream::start(&theirs, &["localhost", "127.0.0.1"]);
    let misnamed = TlsUpstream::start(&ours, &["elsewhere.test", "127.0.0.2"]);
    // The authority of the last one is the one that is trusted.
    let right = TlsUpstream::start(&ours, &["localhost", "127.0.0.1"]);
    mesh.spec.ca_file = Some(ours.display().to_string());
    // Upstream, and the server name that it is asked for; an address has none.
    let cases = [
        ("https://localhost", &right, Some("localhost"), 200),
        ("https://127.0.0.1", &right, None, 200),
        ("https://localhost", &other, None, 503),
        ("https://localhost", &misnamed, None, 503),
        ("https://127.0.0.1", &misnamed, None, 503),
    ];
    for (number, (host, server, name, status)) in cases.into_iter().enumerate() {
        let url = format!("{host}:{}", server.port);
        mesh.spec.upstreams = vec![Upstream::parse("default", &url).unwrap()];
        mesh.publish_accepted(&number.to_string()).await;
        let answer = loop {
            let answer = get(mesh.sidecar, "/").await;
            // The new cluster takes over when its name is resolved.
            if !String::from_utf8_lossy(&answer.body).contains("no_healthy_upstream") {
                break answer;
            }
        };
        assert_eq!(answer.status, status, "{url}: {}", String::from_utf8_lossy(&answer.body));
        if status == 200 {
            let told = answer.json();
            assert_eq!(told["sni"].as_str(), name, "{url}");
            assert_eq!(told["host"], url.trim_start_matches("https://"));
        } else {
            assert!(
                String::from_utf8_lossy(&answer.body).contains("CERTIFICATE_VERIFY_FAILED"),
                "{answer:?}"
            );
        }
    }
}
