//! Pinned tools: the definitions that sidecars have seen, and what people decided on them.
//!
//! A sidecar reports each definition that is not approved, and it is kept with its text. Decisions are documents in the log of
//! policies, one for each tool, so that they are versioned and reach the sidecars as policies do. When the server of an approved
//! tool offers another definition, the tool is marked as changed: every sidecar refuses calls of it until somebody approves one of
//! its definitions again.
//!
//! Failure law: sightings are kept before the records that carry them are acknowledged, so that a sidecar reports again what was
//! not kept. A mark that cannot be set does not hold records up: it is set with the next report, and until then the sidecar that
//! saw the change refuses the tool by itself.
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use mesh_audit::v1;
use mesh_policy::{Document, ToolApproval};
use serde::Serialize;
use similar::TextDiff;
use utoipa::ToSchema;

use crate::policies::{Changed, Policies, Wanted};
use crate::policy::{Expected, tool_key};
use crate::policy_error::PolicyError;
use crate::ports::{StoreError, ToolStore};

/// A definition as a sidecar has seen it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ToolSighting {
    /// Host and path of the server.
    pub server: String,
    /// The tool's name there.
    pub name: String,
    /// SHA-256 of the definition's canonical form, hex.
    pub digest: String,
    /// The definition for people.
    pub text: String,
    /// Whether there was more of it.
    pub truncated: bool,
    /// Node id of the sidecar.
    pub sidecar: String,
}

/// A definition as a store keeps it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SeenDefinition {
    /// What was seen, and by whom first.
    pub sighting: ToolSighting,
    /// When it was seen first.
    pub first_seen: Timestamp,
    /// When it was seen last.
    pub last_seen: Timestamp,
}

/// How a tool stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ToolStanding {
    /// Nothing of it is approved: it is withheld, and never called.
    Unapproved,
    /// Its server offers something else than was approved: it is withheld, and not called.
    Changed,
    /// It is offered and called as approved.
    Approved,
}

/// What was decided on a definition.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum DefinitionState {
    /// Nothing yet.
    Pending,
    /// It may be offered.
    Approved,
    /// It may not.
    Rejected,
}

/// A definition of a tool, and what was decided on it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct ToolDefinition {
    /// SHA-256 of the canonical form (RFC 8785) of name, title, description, schemas and annotations, hex.
    pub digest: String,
    /// What was decided.
    #[schema(inline)]
    pub state: DefinitionState,
    /// When it was seen first.
    #[schema(value_type = String, format = DateTime)]
    pub first_seen: Timestamp,
    /// When a sidecar reported it last.
    #[schema(value_type = String, format = DateTime)]
    pub last_seen: Timestamp,
    /// Node id of the sidecar that saw it first.
    pub sidecar: String,
    /// The definition, secrets in it redacted and what is invisible written out; only where one tool is asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// Whether there was more of it than the text shows.
    pub truncated: bool,
}

/// A tool of a server.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Tool {
    /// Host and path of the server.
    pub server: String,
    /// The tool's name there.
    pub name: String,
    /// How it stands.
    #[schema(inline)]
    pub standing: ToolStanding,
    /// Its definitions, the one seen last first.
    pub definitions: Vec<ToolDefinition>,
    /// What the definition that waits would change of the approved one: a unified diff; only where one tool is asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub diff: Option<String>,
}

/// Why a decision on a tool was not made.
#[derive(Debug, thiserror::Error)]
pub enum ToolError {
    /// No sidecar has seen such a tool.
    #[error(
        "no sidecar has reported a tool {name:?} of the server {server:?}; `ai-mesh tools list` shows those that were"
    )]
    Unknown {
        /// The server.
        server: String,
        /// The tool.
        name: String,
    },
    /// The tool has no such definition.
    #[error(
        "the tool {name:?} has no definition with the digest {digest:?}; ask for the tool to see those it has"
    )]
    UnknownDefinition {
        /// The tool.
        name: String,
        /// The digest.
        digest: String,
    },
    /// The decision could not be put in force.
    #[error(transparent)]
    Policies(#[from] PolicyError),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// What came of a report.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    /// Definitions that were told.
    pub definitions: u64,
    /// Approved tools that are marked as changed now and were not before.
    pub changed: u64,
    /// Definitions that are not kept (any more) because there are too many.
    pub dropped: u64,
}

/// The tools service.
#[derive(Clone)]
pub struct Tools {
    store: Arc<dyn ToolStore>,
    policies: Policies,
    /// Changes that could not be marked yet: the digest of the new definition, by server and name. Never more than approved tools.
    unmarked: Arc<Mutex<BTreeMap<(String, String), String>>>,
}

/// Attempts at a decision while others decide on the same tool.
const ATTEMPTS: usize = 8;
/// Bytes of a sighting's names and text. The filter sends no more.
const MAX_NAME: usize = 512;
const MAX_TEXT: usize = 64 * 1024;

impl Tools {
    /// A service over a store, whose decisions go into the log of policies.
    pub fn new(store: Arc<dyn ToolStore>, policies: Policies) -> Self {
        Tools { store, policies, unmarked: Arc::default() }
    }

    /// Takes the tool definitions out of a sidecar's records and keeps them: records are stored without them.
    ///
    /// # Errors
    /// The store fails: then the records are not to be acknowledged.
    pub async fn take_from(
        &self,
        sidecar: &str,
        records: &mut [v1::DecisionRecord],
        now: Timestamp,
    ) -> Result<Seen, ToolError> {
        let definitions = records.iter_mut().flat_map(|record| std::mem::take(&mut record.definitions));
        let sighting = |told: v1::ToolDefinition| {
            let v1::ToolDefinition { server, name, digest, text, truncated } = told;
            ToolSighting { server, name, digest, text, truncated, sidecar: sidecar.to_owned() }
        };
        let (sightings, odd): (Vec<_>, Vec<_>) =
            definitions.map(sighting).partition(ToolSighting::makes_sense);
        if !odd.is_empty() {
            let count = odd.len();
            tracing::warn!(sidecar, count, "reports of tools make no sense and are passed over");
        }
        let set = self.policies.set();
        let decided = |server: &str, name: &str, digest: &str| {
            let held = set.get(&tool_key(server, name)).and_then(|held| held.version.tool());
            held.is_some_and(|held| held.approved.iter().chain(&held.rejected).any(|known| known == digest))
        };
        let mut seen = Seen { changed: self.mark_late(now).await, ..Seen::default() };
        seen.dropped = self.store.seen(&sightings, &decided, now).await?;
        seen.definitions = sightings.len() as u64;
        for ToolSighting { server, name, digest, .. } in sightings {
            match self.mark(&server, &name, &digest, now).await {
                Ok(changed) => seen.changed += u64::from(changed),
                Err(error) => {
                    tracing::error!(%error, sidecar, "a tool that has changed cannot be marked yet; it will be tried again");
                    self.unmarked().insert((server, name), digest);
                }
            }
        }
        if seen.dropped > 0 {
            tracing::warn!(
                sidecar,
                dropped = seen.dropped,
                "servers offer more definitions of tools than are kept"
            );
        }
        Ok(seen)
    }

    /// Marks the tools that could not be marked before; returns how many. Stops at the first that fails, since the others would
    /// most likely fail for the same reason.
    async fn mark_late(&self, now: Timestamp) -> u64 {
        let mut changed = 0;
        loop {
            let Some(((server, name), digest)) = self.unmarked().pop_first() else { return changed };
            match self.mark(&server, &name, &digest, now).await {
                Ok(marked) => changed += u64::from(marked),
                Err(error) => {
                    tracing::debug!(%error, "tools that have changed can still not be marked");
                    // A sighting in the meantime is newer.
                    self.unmarked().entry((server, name)).or_insert(digest);
                    return changed;
                }
            }
        }
    }

    fn unmarked(&self) -> MutexGuard<'_, BTreeMap<(String, String), String>> {
        // A panic elsewhere leaves the map whole.
        self.unmarked.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Marks an approved tool as changed. Returns whether it was not marked before.
    async fn mark(&self, server: &str, name: &str, digest: &str, now: Timestamp) -> Result<bool, ToolError> {
        for _ in 0..ATTEMPTS {
            let Some((held, version)) = self.policies.tool(server, name) else {
                return Ok(false);
            };
            if held.changed || held.approved.is_empty() || held.approved.iter().any(|known| known == digest) {
                return Ok(false);
            }
            let changed = ToolApproval { changed: true, ..held };
            match self.policies.put_tool(changed, Expected::Version(version), now).await {
                Err(PolicyError::Changed { .. }) => {}
                done => {
                    done?;
                    tracing::warn!(
                        server,
                        tool = name,
                        "a server offers another definition of an approved tool: it is refused"
                    );
                    return Ok(true);
                }
            }
        }
        Err(contended(name))
    }

    /// Every tool that was seen, in order of server and name, without the texts of its definitions.
    ///
    /// # Errors
    /// The store fails.
    pub async fn list(&self) -> Result<Vec<Tool>, ToolError> {
        let mut definitions = self.store.definitions().await?;
        definitions.sort_by(|one, other| tool_of(one).cmp(&tool_of(other)));
        let tools = definitions.chunk_by(|one, other| tool_of(one) == tool_of(other));
        Ok(tools.map(|group| self.tool(group.to_vec(), false)).collect())
    }

    /// One tool, with the texts of its definitions and the diff that waits for approval.
    ///
    /// # Errors
    /// No sidecar has reported the tool, or the store fails.
    pub async fn get(&self, server: &str, name: &str) -> Result<Tool, ToolError> {
        let definitions = self.store.definitions_of(server, name).await?;
        if definitions.is_empty() {
            return Err(ToolError::Unknown { server: server.to_owned(), name: name.to_owned() });
        }
        Ok(self.tool(definitions, true))
    }

    /// Approves a definition, or rejects it. An approval also clears the mark that the tool has changed.
    ///
    /// # Errors
    /// No sidecar has reported such a definition, the freeze forbids the decision, or the store fails.
    pub async fn decide(
        &self,
        server: &str,
        name: &str,
        digest: &str,
        state: DefinitionState,
        now: Timestamp,
    ) -> Result<(Tool, Changed), ToolError> {
        let tool = self.get(server, name).await?;
        if !tool.definitions.iter().any(|definition| definition.digest == digest) {
            return Err(ToolError::UnknownDefinition { name: name.to_owned(), digest: digest.to_owned() });
        }
        for _ in 0..ATTEMPTS {
            let (held, expected) = match self.policies.tool(server, name) {
                Some((held, version)) => (held, Expected::Version(version)),
                None => {
                    let new = ToolApproval {
                        server: server.to_owned(),
                        name: name.to_owned(),
                        ..ToolApproval::default()
                    };
                    (new, Expected::Absent)
                }
            };
            let decided = decided(held, digest, state);
            match self.policies.put_tool(decided, expected, now).await {
                Err(PolicyError::Changed { .. } | PolicyError::Exists { .. }) => {}
                done => {
                    let done = done?;
                    return Ok((self.get(server, name).await?, done));
                }
            }
        }
        Err(contended(name))
    }

    /// A tool from its definitions, of which there is at least one.
    fn tool(&self, mut definitions: Vec<SeenDefinition>, whole: bool) -> Tool {
        definitions
            .sort_by_key(|definition| std::cmp::Reverse((definition.last_seen, definition.first_seen)));
        let (server, name) = definitions.first().map(tool_of).unwrap_or_default();
        let (server, name) = (server.to_owned(), name.to_owned());
        let held = self.policies.tool(&server, &name).map(|(held, _)| held).unwrap_or_default();
        let standing = match held.approved.is_empty() {
            true => ToolStanding::Unapproved,
            false if held.changed => ToolStanding::Changed,
            false => ToolStanding::Approved,
        };
        let state = |digest: &String| {
            if held.approved.iter().any(|known| known == digest) {
                DefinitionState::Approved
            } else if held.rejected.contains(digest) {
                DefinitionState::Rejected
            } else {
                DefinitionState::Pending
            }
        };
        let definition = |seen: SeenDefinition| ToolDefinition {
            state: state(&seen.sighting.digest),
            digest: seen.sighting.digest,
            first_seen: seen.first_seen,
            last_seen: seen.last_seen,
            sidecar: seen.sighting.sidecar,
            text: whole.then_some(seen.sighting.text),
            truncated: seen.sighting.truncated,
        };
        let definitions: Vec<ToolDefinition> = definitions.into_iter().map(definition).collect();
        let diff = if whole { diff(&definitions, held.approved.last()) } else { None };
        Tool { server, name, standing, definitions, diff }
    }
}

fn tool_of(seen: &SeenDefinition) -> (&str, &str) {
    (&seen.sighting.server, &seen.sighting.name)
}

fn contended(name: &str) -> ToolError {
    StoreError::new(format!("somebody else keeps deciding on the tool {name:?}: try again")).into()
}

fn decided(held: ToolApproval, digest: &str, state: DefinitionState) -> ToolApproval {
    let mut next = held;
    next.approved.retain(|known| known != digest);
    next.rejected.retain(|known| known != digest);
    match state {
        DefinitionState::Approved => {
            next.approved.push(digest.to_owned());
            next.changed = false;
        }
        DefinitionState::Rejected => next.rejected.push(digest.to_owned()),
        DefinitionState::Pending => {}
    }
    next
}

/// The diff from the last approved definition to the newest pending one, or else the newest rejected one.
fn diff(definitions: &[ToolDefinition], approved: Option<&String>) -> Option<String> {
    let text = |digest: &String| {
        definitions.iter().find(|known| known.digest == *digest).and_then(|known| known.text.clone())
    };
    let before = approved.and_then(text).unwrap_or_default();
    let is = |state| move |known: &&ToolDefinition| known.state == state;
    let waiting = definitions.iter().find(is(DefinitionState::Pending));
    let waiting = waiting.or_else(|| definitions.iter().find(is(DefinitionState::Rejected)))?;
    let after = waiting.text.clone().unwrap_or_default();
    let (old, new) = (approved.map_or("nothing", String::as_str), waiting.digest.as_str());
    let diff = TextDiff::from_lines(&before, &after);
    Some(diff.unified_diff().context_radius(3).header(old, new).missing_newline_hint(false).to_string())
}

impl ToolSighting {
    fn makes_sense(&self) -> bool {
        let name =
            |name: &str| !name.is_empty() && name.len() <= MAX_NAME && !name.chars().any(char::is_control);
        let hex = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
        name(&self.server)
            && name(&self.name)
            && self.digest.len() == 64
            && self.digest.bytes().all(hex)
            && self.text.len() <= MAX_TEXT
            && !self.text.contains('\0')
    }
}

/// Counts of pinned tools.
pub struct PinnedTools {
    /// Tools with an approved definition.
    pub approved: usize,
    /// Those of them whose server was seen to offer another definition since.
    pub changed: usize,
}

impl Policies {
    /// The decisions on a tool, and the version of their document.
    pub(crate) fn tool(&self, server: &str, name: &str) -> Option<(ToolApproval, u64)> {
        let set = self.set();
        let held = set.get(&tool_key(server, name))?;
        Some((held.version.tool()?.clone(), held.version.version))
    }

    /// How many pinned tools there are.
    pub fn pinned_tools(&self) -> PinnedTools {
        let set = self.set();
        let approved = || set.tools().filter(|tool| !tool.approved.is_empty());
        PinnedTools { approved: approved().count(), changed: approved().filter(|tool| tool.changed).count() }
    }

    async fn put_tool(
        &self,
        approval: ToolApproval,
        expected: Expected,
        now: Timestamp,
    ) -> Result<Changed, PolicyError> {
        let key = tool_key(&approval.server, &approval.name);
        self.change(&key, Wanted::Document(Box::new(Document::Tool(approval))), expected, now).await
    }
}
