//! Drafts, rollouts and the freeze. They are kept in the log of policies, so that they survive a restart, work the same over every
//! database, and are written by one control plane at a time.
//!
//! A rollout's next version gets its number when the rollout starts, and is written under it when the rollout is done; until then
//! nobody else may change the policy. While everything is frozen, only changes that make things safer go through: a roll-back to the
//! last known good version, the end or a pause of a rollout, stopping an agent, rejecting a tool, or marking it as changed.
use jiff::Timestamp;
use mesh_policy::{
    Agent, Bounds, Diagnostic, Document, Draft, End, Freeze, Policy, Rollout, Stage, State, ToolApproval,
};

use crate::policies::{Changed, Policies, Wanted, check_expected};
use crate::policy::{Change, Expected, Stored, draft_key, rollout_key, rollout_of};
use crate::policy_error::PolicyError;
use crate::set::PolicySet;

/// The freeze's key in the log.
pub(crate) const FREEZE: &str = "mesh/freeze";

/// How a rollout is to go.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    /// The next version; without it, the draft of that name.
    pub next: Option<Policy>,
    /// Shares of the sidecars in percent, ascending, from 1 to 99. After the last step come all sidecars.
    pub steps: Vec<u8>,
    /// When it is rolled back automatically.
    pub bounds: Bounds,
}

impl Policies {
    /// The rollouts, those that have ended too, in order of the policies' names.
    pub fn rollouts(&self) -> Vec<(String, Rollout)> {
        self.set().rollouts().map(|(name, rollout)| (name.to_owned(), rollout.clone())).collect()
    }

    /// The last rollout of a policy.
    ///
    /// # Errors
    /// The policy never had a rollout.
    pub fn rollout(&self, name: &str) -> Result<Rollout, PolicyError> {
        let found = self.set().rollouts().find(|(policy, _)| *policy == name).map(|(_, found)| found.clone());
        found.ok_or_else(|| PolicyError::NoRollout { name: name.to_owned() })
    }

    /// Starts to roll out the next version of a policy in force. Decisions up to `cursor` do not count for the rollout.
    ///
    /// # Errors
    /// The plan makes no sense, a rollout is under way already, the policy is not in force, the next version does not compile, or
    /// the store fails.
    pub async fn start_rollout(
        &self,
        name: &str,
        plan: Plan,
        cursor: u64,
        now: Timestamp,
    ) -> Result<Rollout, PolicyError> {
        check_plan(&plan)?;
        self.refresh().await?;
        let set = self.set();
        if let Some(active) = set.active_rollout(name) {
            return Err(PolicyError::RolloutActive { name: name.to_owned(), version: active.version });
        }
        let present = self.get(name)?.version.version;
        let next = match plan.next {
            Some(next) => next,
            None => self.draft(name)?,
        };
        if next.metadata.name != name {
            let found = &next.metadata.name;
            return Err(wrong("metadata.name", format!("found {found:?}, expected the rollout's {name:?}")));
        }
        let rollout = Rollout {
            next,
            version: set.next_version(name),
            present,
            stage: Stage::Monitor,
            steps: plan.steps,
            bounds: plan.bounds,
            paused: false,
            end: None,
            note: None,
            cursor,
        };
        self.keep_rollout(name, &set, rollout, now).await
    }

    /// Goes on to the next stage. After the last share the next version is in force everywhere.
    ///
    /// # Errors
    /// No rollout is under way, it is paused, somebody else has just changed it, or the next version does not compile any more.
    pub async fn promote_rollout(
        &self,
        name: &str,
        cursor: u64,
        now: Timestamp,
    ) -> Result<Rollout, PolicyError> {
        self.refresh().await?;
        let set = self.set();
        let mut rollout = active(&set, name)?;
        rollout.cursor = cursor;
        if rollout.paused {
            return Err(PolicyError::NotNow(format!("the rollout of {name:?} is paused; resume it first")));
        }
        if rollout.steps.is_empty() {
            rollout.end = Some(End::Done);
            let wanted = Wanted::Candidate(Box::new(rollout.clone()));
            let done = self.change(name, wanted, Expected::Version(rollout.present), now).await;
            return done.map(|_| rollout).map_err(|error| overtaken(name, error));
        }
        rollout.stage = Stage::Share(rollout.steps.remove(0));
        self.keep_rollout(name, &set, rollout, now).await
    }

    /// Pauses a rollout.
    ///
    /// # Errors
    /// No rollout is under way, or somebody else has just changed it.
    pub async fn pause_rollout(&self, name: &str, now: Timestamp) -> Result<Rollout, PolicyError> {
        self.set_paused(name, true, now).await
    }

    /// Lets a paused rollout go on.
    ///
    /// # Errors
    /// No rollout is under way, or somebody else has just changed it.
    pub async fn resume_rollout(&self, name: &str, now: Timestamp) -> Result<Rollout, PolicyError> {
        self.set_paused(name, false, now).await
    }

    async fn set_paused(&self, name: &str, paused: bool, now: Timestamp) -> Result<Rollout, PolicyError> {
        self.refresh().await?;
        let set = self.set();
        let rollout = Rollout { paused, ..active(&set, name)? };
        self.keep_rollout(name, &set, rollout, now).await
    }

    /// Ends a rollout: the present version is in force everywhere again.
    ///
    /// # Errors
    /// No rollout is under way, or somebody else has just changed it.
    pub async fn end_rollout(
        &self,
        name: &str,
        end: End,
        note: String,
        now: Timestamp,
    ) -> Result<Rollout, PolicyError> {
        self.refresh().await?;
        let set = self.set();
        let rollout = Rollout { end: Some(end), note: Some(note), ..active(&set, name)? };
        self.keep_rollout(name, &set, rollout, now).await
    }

    /// Rolls a rollout back automatically, if it is still as it was when it was `judged`: the counts do not apply to another
    /// rollout or another stage.
    pub(crate) async fn take_back(
        &self,
        name: &str,
        judged: &Rollout,
        note: String,
        now: Timestamp,
    ) -> Result<Rollout, PolicyError> {
        self.refresh().await?;
        let set = self.set();
        let rollout = active(&set, name)?;
        if rollout != *judged {
            return Err(moved(name));
        }
        let rollout = Rollout { end: Some(End::RolledBack), note: Some(note), ..rollout };
        self.keep_rollout(name, &set, rollout, now).await
    }

    /// Goes back to the last known good version: ends a rollout that is under way, or else replaces the version in force.
    ///
    /// # Errors
    /// There is no known good version, or the change does not go through: see [`Policies::change`].
    pub async fn roll_back(
        &self,
        name: &str,
        expected: Expected,
        now: Timestamp,
    ) -> Result<Changed, PolicyError> {
        self.refresh().await?;
        let set = self.set();
        if set.active_rollout(name).is_some() {
            check_expected(name, expected, set.get(name).map(|held| held.version.version))?;
            self.end_rollout(name, End::Aborted, "rolled back".to_owned(), now).await?;
            return Ok(Changed { stored: self.get(name)?, warnings: Vec::new(), changed: true });
        }
        let Some(version) = self.last_known_good(name).await? else {
            let message = format!(
                "{name:?} has no earlier version that was in force and was not rolled back from; name the one to go back to (`--to`)"
            );
            return Err(PolicyError::NotNow(message));
        };
        self.change(name, Wanted::Version(version), expected, now).await
    }

    /// The newest version before the present one that was in force and was not rolled back.
    ///
    /// # Errors
    /// There never was a policy of that name, or the store fails.
    pub async fn last_known_good(&self, name: &str) -> Result<Option<u64>, PolicyError> {
        Ok(good_before_present(&self.versions(name).await?))
    }

    /// The draft of a policy.
    ///
    /// # Errors
    /// There is no draft of that name.
    pub fn draft(&self, name: &str) -> Result<Policy, PolicyError> {
        match self.set().state(&draft_key(name)) {
            Some(State::Draft(draft)) => Ok(draft.policy.clone()),
            _ => Err(PolicyError::NoDraft { name: name.to_owned() }),
        }
    }

    /// The drafts, in order of name.
    pub fn drafts(&self) -> Vec<Policy> {
        let set = self.set();
        let states = set.states().filter_map(|(_, state)| match state {
            State::Draft(draft) => Some(draft.policy.clone()),
            _ => None,
        });
        states.collect()
    }

    /// Keeps a draft. It has to compile, and is not in force.
    ///
    /// # Errors
    /// It does not compile, or the store fails.
    pub async fn put_draft(&self, policy: Policy, now: Timestamp) -> Result<Changed, PolicyError> {
        let mut warnings = self.validate(&policy).await?;
        let key = draft_key(&policy.metadata.name);
        let mut changed = self.keep(&key, State::Draft(Draft { policy }), Expected::Any, now).await?;
        changed.warnings.append(&mut warnings);
        Ok(changed)
    }

    /// Deletes a draft.
    ///
    /// # Errors
    /// There is no draft of that name, or the store fails.
    pub async fn delete_draft(&self, name: &str, now: Timestamp) -> Result<(), PolicyError> {
        self.look().await?;
        self.draft(name)?;
        self.change(&draft_key(name), Wanted::Deleted, Expected::Any, now).await.map(drop)
    }

    /// Who froze the policies and why, if they are frozen.
    pub fn frozen(&self) -> Option<Freeze> {
        self.set().freeze().cloned()
    }

    /// Freezes all policies, or unfreezes them.
    ///
    /// # Errors
    /// The store fails.
    pub async fn freeze(&self, freeze: Option<Freeze>, now: Timestamp) -> Result<(), PolicyError> {
        self.refresh().await?;
        match freeze {
            Some(freeze) => self.keep(FREEZE, State::Freeze(freeze), Expected::Any, now).await.map(drop),
            None if self.frozen().is_none() => Ok(()),
            None => self.change(FREEZE, Wanted::Deleted, Expected::Any, now).await.map(drop),
        }
    }

    /// Fails if the freeze or the policy's rollout forbids this change of the set.
    pub(crate) async fn admits(
        &self,
        set: &PolicySet,
        name: &str,
        wanted: &Wanted,
    ) -> Result<(), PolicyError> {
        if let Some(rollout) = set.active_rollout(name)
            && !matches!(wanted, Wanted::Candidate(..))
        {
            return Err(PolicyError::RolloutActive { name: name.to_owned(), version: rollout.version });
        }
        if let Wanted::Document(document) = wanted
            && let (Document::State(State::Rollout(rollout)), Some(policy)) = (&**document, rollout_of(name))
            && !goes_on(set, policy, rollout)
        {
            return Err(moved(policy));
        }
        let Some(freeze) = set.freeze() else { return Ok(()) };
        let safe = match wanted {
            _ if name == FREEZE => true,
            Wanted::Version(version) => self.last_known_good(name).await? == Some(*version),
            Wanted::Document(document) => match &**document {
                Document::State(State::Rollout(rollout)) => rollout.end.is_some() || rollout.paused,
                Document::State(State::Draft(_) | State::Files(_)) => true,
                Document::Agent(agent) => set.get(name).is_some_and(|held| only_stops(held, agent)),
                Document::Tool(tool) => only_stricter(set.get(name), tool),
                _ => false,
            },
            Wanted::Deleted => matches!(set.state(name), Some(State::Draft(_))),
            Wanted::Candidate(..) => false,
        };
        let Freeze { by, reason } = freeze.clone();
        if safe { Ok(()) } else { Err(PolicyError::Frozen { by, reason }) }
    }

    async fn keep(
        &self,
        key: &str,
        state: State,
        expected: Expected,
        now: Timestamp,
    ) -> Result<Changed, PolicyError> {
        self.change(key, Wanted::Document(Box::new(Document::State(state))), expected, now).await
    }

    /// Writes the state of a rollout, unless somebody else has written it since `set` was read.
    async fn keep_rollout(
        &self,
        name: &str,
        set: &PolicySet,
        rollout: Rollout,
        now: Timestamp,
    ) -> Result<Rollout, PolicyError> {
        let key = rollout_key(name);
        let expected = set.get(&key).map_or(Expected::Absent, |held| Expected::Version(held.version.version));
        let written = self.keep(&key, State::Rollout(Box::new(rollout.clone())), expected, now).await;
        written.map(|_| rollout).map_err(|error| overtaken(name, error))
    }
}

/// Whether a rollout fits what is in force: it is the one that is under way, or a new one that starts from the present version with
/// the next number.
fn goes_on(set: &PolicySet, policy: &str, rollout: &Rollout) -> bool {
    match set.active_rollout(policy) {
        Some(active) => active.version == rollout.version,
        None => {
            let present = set.get(policy).map(|held| held.version.version);
            present == Some(rollout.present) && rollout.version == set.next_version(policy)
        }
    }
}

/// The policy or its rollout was changed by somebody else.
pub(crate) fn moved(name: &str) -> PolicyError {
    PolicyError::NotNow(format!("policy {name:?} or its rollout has just been changed by another: try again"))
}

fn overtaken(name: &str, error: PolicyError) -> PolicyError {
    match error {
        PolicyError::Changed { .. } | PolicyError::Exists { .. } => moved(name),
        error => error,
    }
}

fn active(set: &PolicySet, name: &str) -> Result<Rollout, PolicyError> {
    set.active_rollout(name).cloned().ok_or_else(|| PolicyError::NoRollout { name: name.to_owned() })
}

fn check_plan(plan: &Plan) -> Result<(), PolicyError> {
    let ascending = plan.steps.is_sorted_by(|one, next| one < next);
    if !ascending || plan.steps.iter().any(|step| !(1..=99).contains(step)) {
        let found = format!("{:?}", plan.steps);
        return Err(wrong("steps", format!("found {found}, expected ascending shares from 1 to 99")));
    }
    let Bounds { refusals, errors, .. } = plan.bounds;
    if ![refusals, errors].iter().all(|bound| (0.0..=1.0).contains(bound)) {
        let found = format!("found {refusals} and {errors}, expected shares of requests from 0 to 1");
        return Err(wrong("bounds", found));
    }
    Ok(())
}

fn wrong(field: &str, message: String) -> PolicyError {
    PolicyError::Refused(vec![Diagnostic::error(field, message)])
}

/// Whether only the status of an agent's document changes, and a stopped agent stays stopped.
fn only_stops(held: &Stored, agent: &Agent) -> bool {
    let Some(known) = held.version.agent() else { return false };
    if known.spec.refuses() && !agent.spec.refuses() {
        return false;
    }
    let mut same = agent.clone();
    same.spec.status = known.spec.status;
    same.spec.reason.clone_from(&known.spec.reason);
    same == *known
}

/// Whether sidecars may call nothing of a tool that they could not call before, and what was rejected stays rejected.
fn only_stricter(held: Option<&Stored>, tool: &ToolApproval) -> bool {
    let none = ToolApproval::default();
    let known = held.and_then(|held| held.version.tool()).unwrap_or(&none);
    tool.approved.iter().all(|digest| known.approved.contains(digest))
        && known.rejected.iter().all(|digest| tool.rejected.contains(digest))
        && (tool.changed || !known.changed)
}

/// `versions` are newest first.
fn good_before_present(versions: &[Stored]) -> Option<u64> {
    let present = versions.first()?.version.document.as_ref();
    let mut after = Change::Updated;
    for (index, stored) in versions.iter().enumerate() {
        let version = &stored.version;
        // A version that was rolled back was not good.
        let left = after == Change::RolledBack;
        after = version.change;
        let other = version.document.is_some() && version.document.as_ref() != present;
        if index > 0 && !left && other {
            return Some(version.version);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use mesh_policy::Spec;

    use super::*;
    use crate::policy::PolicyVersion;

    #[test]
    fn a_tool_only_gets_stricter() {
        // Approved, rejected, changed: as it is, and as it is to be.
        type Said<'a> = (&'a str, &'a str, bool);
        let table: &[(Option<Said<'_>>, Said<'_>, bool)] = &[
            (Some(("ab", "", false)), ("ab", "", true), true),
            (Some(("ab", "", false)), ("b", "a", false), true),
            (Some(("ab", "", true)), ("b", "a", true), true),
            (Some(("a", "b", false)), ("a", "bc", false), true),
            (None, ("", "a", false), true),
            (None, ("a", "", false), false),
            (Some(("a", "", true)), ("a", "", false), false),
            (Some(("a", "", true)), ("", "a", false), false),
            (Some(("a", "b", true)), ("ab", "", true), false),
            (Some(("a", "b", false)), ("a", "", false), false),
        ];
        let approval = |(approved, rejected, changed): Said<'_>| {
            let each = |letters: &str| letters.chars().map(String::from).collect();
            let (approved, rejected) = (each(approved), each(rejected));
            ToolApproval { approved, rejected, changed, ..ToolApproval::default() }
        };
        for (held, wanted, expected) in table {
            let stored = held.map(|held| {
                let document = Some(Document::Tool(approval(held)));
                let (name, at) = ("tool/x#y".to_owned(), Timestamp::UNIX_EPOCH);
                let version = PolicyVersion { name, version: 1, change: Change::Created, at, document };
                Stored { revision: 1, version }
            });
            assert_eq!(only_stricter(stored.as_ref(), &approval(*wanted)), *expected, "{held:?} {wanted:?}");
        }
    }

    #[test]
    fn what_was_rolled_back_from_is_not_good() {
        // Oldest first: what made a version, and its document.
        type Made = (Change, &'static str);
        let table: &[(&[Made], Option<u64>)] = &[
            (&[(Change::Created, "a")], None),
            (&[(Change::Created, "a"), (Change::Updated, "b")], Some(1)),
            (&[(Change::Created, "a"), (Change::Updated, "b"), (Change::RolledBack, "a")], None),
            (
                &[
                    (Change::Created, "a"),
                    (Change::Updated, "b"),
                    (Change::Updated, "c"),
                    (Change::RolledBack, "b"),
                ],
                Some(1),
            ),
            (
                &[
                    (Change::Created, "a"),
                    (Change::Updated, "b"),
                    (Change::RolledBack, "a"),
                    (Change::Updated, "d"),
                ],
                Some(3),
            ),
            (&[(Change::Created, "a"), (Change::Deleted, ""), (Change::Created, "b")], Some(1)),
            (&[(Change::Created, "a"), (Change::Deleted, "")], Some(1)),
        ];
        for (made, expected) in table {
            let mut versions: Vec<Stored> = Vec::new();
            for (number, (change, text)) in (1..).zip(*made) {
                let spec = Spec { description: Some((*text).to_owned()), ..Spec::default() };
                let document = (!text.is_empty()).then(|| Document::Policy(Policy::new("p", spec)));
                let version = PolicyVersion {
                    name: "p".into(),
                    version: number,
                    change: *change,
                    at: Timestamp::UNIX_EPOCH,
                    document,
                };
                versions.insert(0, Stored { revision: number, version });
            }
            assert_eq!(good_before_present(&versions), *expected, "{made:?}");
        }
    }
}
