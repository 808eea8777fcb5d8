//! The agents' documents: written, versioned and published with the policies, by the same rules.
use jiff::Timestamp;
use mesh_policy::{Agent, AgentSpec, AgentStatus, Diagnostic, Document};

use crate::policies::{Changed, Policies, Wanted};
use crate::policy::{Expected, Stored, agent_key};
use crate::policy_error::PolicyError;

impl Policies {
    /// The registered agents, in order of id.
    pub fn agents(&self) -> Vec<Stored> {
        self.set().agents().cloned().collect()
    }

    /// The agent of that id.
    ///
    /// # Errors
    /// No agent of that id is registered.
    pub fn agent(&self, id: &str) -> Result<Stored, PolicyError> {
        let held = self.set().get(&agent_key(id)).cloned();
        held.ok_or_else(|| PolicyError::UnknownAgent { id: id.to_owned() })
    }

    /// Registers an agent, or changes its document. A document without a status leaves the agent's status as it is; if the
    /// change ends a suspension, there is a warning.
    ///
    /// # Errors
    /// The change does not go through: see [`Policies::change`].
    pub async fn put_agent(
        &self,
        agent: Agent,
        expected: Expected,
        now: Timestamp,
    ) -> Result<Changed, PolicyError> {
        self.look().await?;
        let stopped = self.agent(&agent.metadata.name).ok();
        let stopped =
            stopped.as_ref().and_then(|held| held.version.agent()).filter(|held| held.spec.refuses());
        let mut changed = self.write_agent(agent, expected, now).await?;
        if let Some(was) = stopped
            && changed.stored.version.agent().is_some_and(|agent| !agent.spec.refuses())
        {
            changed.warnings.push(lifted(&was.spec));
        }
        Ok(changed)
    }

    async fn write_agent(
        &self,
        agent: Agent,
        expected: Expected,
        now: Timestamp,
    ) -> Result<Changed, PolicyError> {
        let key = agent_key(&agent.metadata.name);
        self.change(&key, Wanted::Document(Box::new(Document::Agent(agent))), expected, now).await
    }

    /// Takes an agent out of the registry: what targets everybody still applies to it.
    ///
    /// # Errors
    /// The agent is not registered, or the change does not go through: see [`Policies::change`].
    pub async fn delete_agent(
        &self,
        id: &str,
        expected: Expected,
        now: Timestamp,
    ) -> Result<Changed, PolicyError> {
        self.look().await?;
        self.agent(id)?;
        self.change(&agent_key(id), Wanted::Deleted, expected, now).await
    }

    /// Changes the status of a registered agent, and nothing else of its document.
    ///
    /// # Errors
    /// The agent is not registered, or the change does not go through: see [`Policies::change`].
    pub async fn set_agent_status(
        &self,
        id: &str,
        status: AgentStatus,
        reason: Option<String>,
        now: Timestamp,
    ) -> Result<Changed, PolicyError> {
        self.look().await?;
        let held = self.agent(id)?.version;
        let Some(agent) = held.agent() else {
            return Err(PolicyError::UnknownAgent { id: id.to_owned() });
        };
        let mut agent = agent.clone();
        (agent.spec.status, agent.spec.reason) = (Some(status), reason);
        // Somebody else's change in between is not undone.
        self.write_agent(agent, Expected::Version(held.version), now).await
    }
}

/// A document as it is kept: an agent's always has a status, see [`AgentSpec::keep_status_of`].
pub(crate) fn settled(document: &Document, held: Option<&Stored>) -> Document {
    let mut document = document.clone();
    if let Document::Agent(agent) = &mut document {
        agent.spec.keep_status_of(held.and_then(|held| held.version.agent()).map(|known| &known.spec));
    }
    document
}

/// Said when a document ends what stopped its agent.
fn lifted(was: &AgentSpec) -> Diagnostic {
    let status = was.status.map_or("", AgentStatus::as_str);
    let reason = was.reason.as_ref().map(|reason| format!(" ({reason})")).unwrap_or_default();
    Diagnostic::warning("spec.status", format!("the agent was {status}{reason}, and works again now"))
        .help("a document without `status` leaves it as it is")
}
