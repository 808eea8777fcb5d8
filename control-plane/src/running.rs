//! A control plane that runs, and how it ends.
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use mesh_control_api::{IntakeServer, RateLimitServer, SidecarAuth, Token};
use mesh_control_core::{Decisions, Policies, RolloutWatch, Timestamp};
use mesh_control_store::Database;
use mesh_xds::Ads;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tonic::service::InterceptorLayer;
use tonic::transport::Server;

use crate::error::StartError;
use crate::forgetting::forget;
use crate::serving::{MOST, PATIENCE, serve};
use crate::strangers::{self, incoming};

/// How long requests that are under way may take when the control plane stops.
const GRACE: Duration = Duration::from_secs(5);
/// How often a database that others may write to is looked at.
const REFRESH: Duration = Duration::from_secs(1);

/// Everything that is to be served.
pub(crate) struct Servers {
    pub(crate) rest: (TcpListener, Router),
    pub(crate) grpc: TcpListener,
    pub(crate) auth: SidecarAuth,
    pub(crate) intake: IntakeServer,
    pub(crate) rate_limits: RateLimitServer,
    pub(crate) rollouts: Arc<RolloutWatch>,
    pub(crate) refresh: Option<Policies>,
    pub(crate) database: Database,
    /// How long decision records are kept; none: for ever.
    pub(crate) forget: (Decisions, Option<Duration>),
}

/// A control plane that runs. Dropping it ends it at once; [`Running::stop`] ends it well.
pub struct Running {
    api: SocketAddr,
    grpc: SocketAddr,
    admin: Token,
    ads: Ads,
    stop: watch::Sender<bool>,
    servers: JoinSet<(&'static str, std::io::Result<()>)>,
    helpers: JoinSet<()>,
    database: Database,
}

impl Running {
    pub(crate) fn new(
        servers: Servers,
        ads: Ads,
        admin: Token,
        stop: watch::Sender<bool>,
    ) -> Result<Self, StartError> {
        let address = |what, listener: &TcpListener| {
            listener.local_addr().map_err(|source| StartError::Bind {
                what,
                address: SocketAddr::from(([0, 0, 0, 0], 0)),
                source,
            })
        };
        let (listener, router) = servers.rest;
        let (api, grpc) = (address("REST", &listener)?, address("gRPC", &servers.grpc)?);

        let mut tasks = JoinSet::new();
        let stopping = stop.subscribe();
        tasks.spawn(async move { ("REST", serve(listener, router, stopping, PATIENCE, MOST).await) });
        let stopped = until(stop.subscribe());
        let builder = Server::builder()
            .http2_keepalive_interval(Some(Duration::from_secs(30)))
            .layer(InterceptorLayer::new(servers.auth))
            .add_service(ads.service())
            .add_service(servers.intake)
            .add_service(servers.rate_limits);
        let incoming = incoming(servers.grpc, PATIENCE, strangers::MOST);
        tasks.spawn(async move {
            let served = builder.serve_with_incoming_shutdown(incoming, stopped).await;
            ("gRPC", served.map_err(std::io::Error::other))
        });
        let mut helpers = JoinSet::new();
        helpers.spawn(watch_rollouts(servers.rollouts));
        if let Some(policies) = servers.refresh {
            helpers.spawn(keep_fresh(policies));
        }
        let (decisions, keep) = servers.forget;
        helpers.spawn(forget(decisions, keep, ads.clone()));
        Ok(Running { api, grpc, admin, ads, stop, servers: tasks, helpers, database: servers.database })
    }

    /// Where REST is served.
    pub fn api(&self) -> SocketAddr {
        self.api
    }

    /// Where sidecars call.
    pub fn grpc(&self) -> SocketAddr {
        self.grpc
    }

    /// The administrator's token.
    pub fn admin_token(&self) -> &Token {
        &self.admin
    }

    /// Waits until a server ends that was not told to; the text says which and why.
    pub async fn ended(&mut self) -> String {
        match self.servers.join_next().await {
            Some(Ok((what, Err(error)))) => format!("the {what} server broke down: {error}"),
            Some(Ok((what, Ok(())))) => format!("the {what} server ended"),
            Some(Err(error)) => format!("a server broke down: {error}"),
            None => "the servers have ended".to_owned(),
        }
    }

    /// Stops: no new requests, those under way are finished, sidecars and followers are let go, and the
    /// database is closed.
    pub async fn stop(mut self) {
        self.stop.send_replace(true);
        self.ads.close();
        let finished = async { while self.servers.join_next().await.is_some() {} };
        if tokio::time::timeout(GRACE, finished).await.is_err() {
            tracing::warn!("requests that were still under way are broken off");
        }
        self.servers.shutdown().await;
        self.helpers.shutdown().await;
        if tokio::time::timeout(GRACE, self.database.close()).await.is_err() {
            tracing::warn!("the database is not closed: something still uses it");
        }
    }
}

/// Returns when it is to stop.
pub(crate) async fn until(mut stop: watch::Receiver<bool>) {
    // An error means that nobody is left who could ask for a stop: it has ended.
    let _ = stop.wait_for(|stop| *stop).await;
}

/// Takes back rollouts that go over their bounds.
async fn watch_rollouts(watch: Arc<RolloutWatch>) {
    let mut failing = false;
    loop {
        tokio::time::sleep(REFRESH).await;
        let looked = watch.look(Timestamp::now()).await;
        if let Err(error) = &looked
            && !failing
        {
            tracing::error!(%error, "rollouts cannot be watched; none goes on by itself");
        }
        failing = looked.is_err();
    }
}

/// Publishes what another control plane on the same database has changed.
async fn keep_fresh(policies: Policies) {
    let mut failing = false;
    loop {
        tokio::time::sleep(REFRESH).await;
        let refreshed = policies.refresh().await;
        if let Err(error) = &refreshed
            && !failing
        {
            tracing::error!(%error, "changes by other control planes cannot be followed; the last policies stay in force");
        }
        failing = refreshed.is_err();
    }
}
