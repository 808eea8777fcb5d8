//! From a configuration to running servers.
use std::net::SocketAddr;
use std::sync::Arc;

use mesh_control_api::{Api, Metrics, Parts, SidecarAuth};
use mesh_control_core::ports::SidecarView;
use mesh_control_core::{
    Decisions, EngineAdmission, Limits, Policies, PolicyError, Propagation, RolloutWatch, Timestamp, Tools,
    agent_key,
};
use mesh_control_store::{Location, Stores};
use mesh_policy::Document;
use mesh_xds::Ads;
use tokio::net::TcpListener;
use tokio::sync::watch;

use crate::config::Config;
use crate::error::StartError;
use crate::publisher::XdsPublisher;
use crate::running::{Running, Servers};
use crate::sidecars::Sidecars;
use crate::{settings, signing, starter, tokens};

/// Starts a control plane. When this returns, policies are in force and both ports answer.
///
/// # Errors
/// What does not work, as one sentence. Nothing is left running; what was written (the data folder, tokens, tables) stays.
pub async fn start(config: Config) -> Result<Running, StartError> {
    let api_listener = bind("REST", config.api, config.allow_remote).await?;
    let grpc_listener = bind("gRPC", config.grpc, config.allow_remote).await?;
    let spec = settings::spec(&config);
    spec.resources()?;
    let prices = settings::prices(&config)?;

    tokens::data_folder(&config.data)?;
    let admin = tokens::token(&config.data.join("admin-token"))?;
    let sidecar = tokens::token(&config.data.join("sidecar-token"))?;
    let keys = settings::Keys::open(&config)?;
    let key = signing::key(&config.data)?;
    let location = location(&config)?;
    let Stores { policies, decisions, tools, database } = mesh_control_store::open(&location).await?;
    let limits = Limits::new(mesh_control_store::windows(config.redis.as_deref()).await?);
    let decisions = Decisions::new(decisions);

    let ads = Ads::new();
    let propagation = Arc::new(Propagation::default());
    let sidecars = Sidecars::new(ads.clone(), Arc::clone(&propagation));
    let publisher =
        Arc::new(XdsPublisher { ads: ads.clone(), spec, key, propagation: Arc::clone(&propagation) });
    let admission = Arc::new(EngineAdmission::default());
    let settings = settings::settings(&config, keys, prices.as_ref());
    let policies = Policies::new(policies, admission, publisher, settings);
    put_in_force(&policies, &config).await?;
    if policies.published().is_some_and(|bundle| bundle.policies.is_empty()) {
        tracing::warn!(
            "no policy is in force: nothing is inspected, and everything passes, until `ai-mesh policy apply -f FILE` puts one in force"
        );
    }
    let tools = Tools::new(tools, policies.clone());

    let view = Arc::clone(&sidecars) as Arc<dyn SidecarView>;
    let metrics = Arc::new(Metrics::new(policies.clone(), view, propagation));
    let rollouts = Arc::new(RolloutWatch::new(policies.clone(), decisions.clone()));
    let stop = watch::Sender::new(false);
    let api = Api::new(Parts {
        policies: policies.clone(),
        decisions: decisions.clone(),
        rollouts: Arc::clone(&rollouts),
        limits: limits.clone(),
        tools: tools.clone(),
        sidecars,
        metrics: Arc::clone(&metrics),
        admin: admin.clone(),
        open_metrics: config.api.ip().is_loopback(),
        stopping: stop.subscribe(),
    });
    let servers = Servers {
        rest: (api_listener, mesh_control_api::router(api)),
        grpc: grpc_listener,
        auth: SidecarAuth::new(sidecar),
        forget: (decisions.clone(), config.keep_decisions),
        intake: mesh_control_api::intake(decisions, limits.clone(), tools, Arc::clone(&metrics)),
        rate_limits: mesh_control_api::rate_limits(limits, metrics),
        rollouts,
        database,
        // Others may write to a database that can be shared.
        refresh: matches!(location, Location::Postgres(_)).then(|| policies.clone()),
    };
    tracing::info!(store = %location, "the control plane runs");
    Running::new(servers, ads, admin, stop)
}

async fn bind(
    what: &'static str,
    address: SocketAddr,
    allow_remote: bool,
) -> Result<TcpListener, StartError> {
    if !address.ip().is_loopback() {
        if !allow_remote {
            return Err(StartError::Remote { what, address });
        }
        tracing::warn!(%address, "{what} can be reached from other machines and has no TLS: tokens travel in the clear");
    }
    TcpListener::bind(address).await.map_err(|source| StartError::Bind { what, address, source })
}

fn location(config: &Config) -> Result<Location, StartError> {
    match &config.database {
        Some(url) => Ok(Location::from_url(url)?),
        None => Ok(Location::Sqlite(config.data.join("mesh.db"))),
    }
}

/// Puts the configuration's policies in force, or the starter policy where there never was one, and publishes.
async fn put_in_force(policies: &Policies, config: &Config) -> Result<(), StartError> {
    policies.refresh().await.map_err(|error| match error {
        PolicyError::Refused(diagnostics) => StartError::StoredPolicies(diagnostics),
        error => StartError::Policies(error),
    })?;
    if config.documents.is_empty() && config.starter && policies.untouched() {
        let starter = starter::starter();
        let starter = vec![(starter.metadata.name.clone(), Document::Policy(starter))];
        let put = policies.put_all(starter, Timestamp::now()).await;
        return put.map(drop).map_err(|(name, error)| refused(&name, error));
    }
    let named = config.documents.iter().filter_map(|document| {
        let name = match document {
            Document::Policy(policy) => policy.metadata.name.clone(),
            Document::Agent(agent) => agent_key(&agent.metadata.name),
            // No file holds one, and nothing that an author wrote is one.
            Document::Tool(_) | Document::State(_) | Document::Price(_) => return None,
        };
        Some((name, document.clone()))
    });
    let given = policies.put_files(named.collect(), Timestamp::now()).await;
    let given = given.map_err(|(name, error)| refused(&name, error))?;
    for name in given.changed {
        tracing::info!(document = name, "put in force");
    }
    for (name, error) in given.held {
        tracing::warn!(
            document = name,
            "its file says something new, which is not put in force now: {error}"
        );
    }
    Ok(())
}

fn refused(name: &str, error: PolicyError) -> StartError {
    match error {
        PolicyError::Refused(diagnostics) => StartError::Policy { name: name.to_owned(), diagnostics },
        error => StartError::Policies(error),
    }
}
