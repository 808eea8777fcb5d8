//! The mock provider, in the test's own process, and what has reached it.
use std::net::SocketAddr;

use serde_json::Value;

use crate::{Request, exchange};

/// A running mock provider. It stops with the test process.
pub struct Upstream {
    address: SocketAddr,
}

impl Upstream {
    /// Starts one on a free port of the loopback.
    pub fn start() -> Self {
        let (tell, told) = std::sync::mpsc::channel();
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_multi_thread()
                .worker_threads(1)
                .enable_all()
                .build()
                .expect("a runtime");
            runtime.block_on(async {
                let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
                tell.send(listener.local_addr().expect("an address")).expect("the test waits");
                let _ = mesh_mock_provider::serve(listener).await;
            });
        });
        Upstream { address: told.recv().expect("the mock provider starts") }
    }

    /// Its URL.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// What has arrived, oldest first.
    pub fn requests(&self) -> Vec<Value> {
        let answer = exchange(self.address, &Request::get("/__mock/requests"));
        answer.json()["requests"].as_array().cloned().unwrap_or_default()
    }

    /// The body that arrived last, or nothing.
    pub fn last_body(&self) -> String {
        let requests = self.requests();
        requests.last().and_then(|request| request["body"].as_str()).unwrap_or_default().to_owned()
    }

    /// Forgets what has arrived.
    pub fn forget(&self) {
        let request = Request { method: "DELETE".into(), ..Request::get("/__mock/requests") };
        exchange(self.address, &request);
    }
}
