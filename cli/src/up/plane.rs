//! What runs in this process: the control plane, and the mock provider where no upstream was given.

use std::{
    error::Error,
    net::{Ipv4Addr, SocketAddr},
};

use mesh_control_plane::{Config, Running, StartError};
use mesh_xds::{Upstream, sidecar::DEFAULT_PROVIDER};
use tokio::{net::TcpListener, task::JoinHandle};

use super::plan::Plan;
use crate::{
    failure::{Failure, Outcome},
    http::Client,
};

/// A running control plane, and perhaps a mock provider.
pub(crate) struct Plane {
    running: Running,
    mock: Option<Mock>,
}

/// Where the mock provider answers: the same port after a restart, so that tools that were approved there stay approved.
const MOCK_PORT: u16 = 8099;

struct Mock {
    address: SocketAddr,
    task: JoinHandle<std::io::Result<()>>,
}

impl Plane {
    /// Starts both. When this returns, policies are in force and the ports answer.
    pub(crate) async fn start(plan: &Plan) -> Outcome<Self> {
        let mock = if plan.upstreams().is_empty() { Some(Mock::start().await?) } else { None };
        let upstreams = match &mock {
            Some(mock) => vec![mock.upstream()?],
            None => plan.upstreams().iter().map(|upstream| upstream.0.clone()).collect(),
        };
        let config = Config {
            database: plan.flags.database.clone(),
            redis: plan.flags.redis.clone(),
            prices: plan.flags.prices.clone(),
            api: plan.api,
            grpc: plan.grpc,
            listener: plan.listener,
            upstreams,
            judge: plan.flags.judge.clone(),
            rate_limits: plan.flags.rate_limits.clone(),
            documents: plan.documents.all(),
            sidecar: plan.node_id.clone(),
            trust_identity_headers: plan.flags.trust_identity_headers,
            max_body_bytes: plan.flags.max_body,
            record_buffer: plan.flags.record_buffer,
            keep_decisions: plan.flags.keep_decisions,
            record_hashes: plan.flags.record_hashes,
            ca_file: plan.flags.ca_file.clone(),
            allow_remote: plan.flags.allow_remote,
            ..Config::new(plan.data.path(), &plan.filter)
        };
        let running = mesh_control_plane::start(config).await.map_err(|error| told(&error))?;
        Ok(Self { running, mock })
    }

    /// Waits until a part of it ends unexpectedly.
    pub(crate) async fn ended(&mut self) -> Failure {
        Failure::failed(self.running.ended().await)
    }

    /// Finishes what is under way, and stops.
    pub(crate) async fn stop(self) {
        self.running.stop().await;
        if let Some(mock) = self.mock {
            mock.task.abort();
        }
    }

    /// Where REST is served.
    pub(crate) fn api(&self) -> SocketAddr {
        self.running.api()
    }

    /// Where sidecars call.
    pub(crate) fn grpc(&self) -> SocketAddr {
        self.running.grpc()
    }

    /// Where the mock provider answers.
    pub(crate) fn mock(&self) -> Option<SocketAddr> {
        self.mock.as_ref().map(|mock| mock.address)
    }

    /// A client of it, with the administrator's token.
    pub(crate) fn client(&self, plan: &Plan) -> Outcome<Client> {
        let token = self.running.admin_token().secret().to_owned();
        Client::to(&format!("http://{}", self.api()), Some(token), plan.data.path())
    }
}

impl Mock {
    async fn start() -> Outcome<Self> {
        let failed = |error| Failure::environment(format!("the mock provider finds no free port: {error}"));
        let listener = match TcpListener::bind((Ipv4Addr::LOCALHOST, MOCK_PORT)).await {
            Ok(listener) => listener,
            // Several meshes may run side by side.
            Err(_) => TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.map_err(failed)?,
        };
        let address = listener.local_addr().map_err(failed)?;
        Ok(Self { address, task: tokio::spawn(mesh_mock_provider::serve(listener)) })
    }

    fn upstream(&self) -> Outcome<Upstream> {
        let url = format!("http://{}", self.address);
        Upstream::parse(DEFAULT_PROVIDER, &url).map_err(|error| Failure::failed(error.to_string()))
    }
}

/// The error and its causes, as one sentence.
fn told(error: &StartError) -> Failure {
    let mut message = error.to_string();
    let mut below = error.source();
    while let Some(cause) = below {
        // Some layers repeat what is below them.
        let text = cause.to_string();
        if !message.contains(&text) {
            message += &format!(": {text}");
        }
        below = cause.source();
    }
    Failure::environment(message)
}
