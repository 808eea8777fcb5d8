//! Envoy's admin interface, as far as it is needed to start and stop one well.

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

    /// Where it listens for agents, once the control plane has told it.
    pub(crate) async fn listener(&self) -> Option<SocketAddr> {
        listener(&self.get("/listeners").await.ok()?)
    }

    /// Whether it has accepted a filter: none while it has been sent none, false once it has refused the one that it was sent.
    pub(crate) async fn accepts_filter(&self) -> Result<Option<bool>, ureq::Error> {
        let stats =
            self.get("/stats?filter=%5Eextension_config_discovery%5C.http_filter%5C.ai_mesh%5C.").await?;
        let counts = |what: &str| {
            stats
                .lines()
                .filter_map(|line| line.rsplit_once(": "))
                .any(|(name, n)| name.ends_with(what) && n != "0")
        };
        Ok(match (counts(".update_success"), counts(".update_rejected")) {
            (true, _) => Some(true),
            (false, true) => Some(false),
            (false, false) => None,
        })
    }

    fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }
}

/// The first listener of `name::address` lines.
fn listener(text: &str) -> Option<SocketAddr> {
    text.lines().find_map(|line| line.split_once("::")?.1.parse().ok())
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, ureq::Error> + Send + 'static,
) -> Result<T, ureq::Error> {
    tokio::task::spawn_blocking(work)
        .await
        .unwrap_or_else(|error| Err(ureq::Error::Io(std::io::Error::other(error))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_listener_is_read() {
        let at = |port| Some(SocketAddr::from(([127, 0, 0, 1], port)));
        for (text, expected) in [("ai_mesh::127.0.0.1:41000\n", at(41000)), ("", None), ("no listener", None)]
        {
            assert_eq!(listener(text), expected, "{text}");
        }
    }
}
