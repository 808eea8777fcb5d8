//! Envoy's admin interface, as far as it is needed to stop one well.

use std::{net::SocketAddr, time::Duration};

use ureq::Agent;

/// The admin interface of one Envoy.
#[derive(Clone)]
pub(crate) struct Admin {
    agent: Agent,
    address: SocketAddr,
}

impl Admin {
    pub(crate) fn new(address: SocketAddr) -> Self {
        let config = Agent::config_builder().timeout_global(Some(Duration::from_secs(2))).proxy(None).build();
        Self { agent: config.new_agent(), address }
    }

    /// Asks it to do something.
    pub(crate) async fn post(&self, path: &str) -> Result<(), ureq::Error> {
        let (agent, url) = (self.agent.clone(), self.url(path));
        blocking(move || agent.post(url).send_empty().map(drop)).await
    }

    /// Reads something.
    pub(crate) async fn get(&self, path: &str) -> Result<String, ureq::Error> {
        let (agent, url) = (self.agent.clone(), self.url(path));
        blocking(move || agent.get(url).call()?.body_mut().read_to_string()).await
    }

    /// Requests that agents wait for.
    pub(crate) async fn active_requests(&self) -> Result<u64, ureq::Error> {
        let stats = self.get("/stats?filter=%5Ehttp%5C.ai_mesh%5C.downstream_rq_active%24").await?;
        Ok(stats.lines().filter_map(|line| line.rsplit(' ').next()?.parse::<u64>().ok()).sum())
    }

    fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, ureq::Error> + Send + 'static,
) -> Result<T, ureq::Error> {
    tokio::task::spawn_blocking(work)
        .await
        .unwrap_or_else(|error| Err(ureq::Error::Io(std::io::Error::other(error))))
}
