//! Watches rollouts through the decisions that arrive, and rolls back those that exceed their bounds.
//!
//! The next version is compared with the present one: in the monitor stage on the same requests (what the shadow objects to,
//! against what the version in force does), later between the sidecars that run the next version, those that run the present one,
//! and those that ran the present one shortly before the stage began.
use std::collections::HashMap;

use jiff::Timestamp;
use mesh_policy::{Rollout, Stage, shadow_id};
use serde::Serialize;
use tokio::sync::Mutex;
use utoipa::ToSchema;

use crate::decision::{Decision, DecisionFilter, Violation};
use crate::decisions::Decisions;
use crate::policies::Policies;
use crate::policy_error::PolicyError;

/// Decisions read at once.
const PAGE: u32 = 1000;
/// Records before a stage began that also count for the present version.
const BEFORE: u64 = 1000;

/// What one version did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, ToSchema)]
pub struct Tried {
    /// Decisions in which it took part.
    pub decisions: u64,
    /// Decisions in which it refused, or would have refused.
    pub refused: u64,
    /// Decisions in which one of its guards could not run.
    pub failed: u64,
}

impl Tried {
    fn add(&mut self, mine: &[&Violation], refuses: bool) {
        let failed = mine.iter().any(|said| said.could_not_run());
        self.decisions += 1;
        self.refused += u64::from(refuses && !failed);
        self.failed += u64::from(failed);
    }

    fn share(&self, count: u64) -> f64 {
        #[expect(clippy::cast_precision_loss, reason = "a share of requests")]
        let share = count as f64 / self.decisions.max(1) as f64;
        share
    }
}

/// What both versions did in the present stage.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, ToSchema)]
pub struct Tallies {
    /// The next one.
    pub next: Tried,
    /// The one in force.
    pub present: Tried,
}

/// Policy, version, and where the stage begins.
type StageKey = (String, u64, u64);

/// Counts decisions under rollouts.
pub struct RolloutWatch {
    policies: Policies,
    decisions: Decisions,
    /// By stage: where to go on, and what was counted.
    seen: Mutex<HashMap<StageKey, (u64, Tallies)>>,
}

impl RolloutWatch {
    /// A watch over these services.
    pub fn new(policies: Policies, decisions: Decisions) -> Self {
        RolloutWatch { policies, decisions, seen: Mutex::default() }
    }

    /// Counts the decisions that have arrived, and rolls back the rollouts that exceed their bounds.
    ///
    /// # Errors
    /// The store fails, or a roll-back could not be written; the next look tries again. A failure of one rollout does not keep the
    /// others from being looked at.
    pub async fn look(&self, now: Timestamp) -> Result<(), PolicyError> {
        let rollouts = self.policies.rollouts();
        self.seen.lock().await.retain(|(policy, ..), _| rollouts.iter().any(|(name, _)| name == policy));
        let mut looked = Ok(());
        for (name, rollout) in rollouts {
            if rollout.end.is_none() && !rollout.paused {
                looked = looked.and(self.look_at(&name, &rollout, now).await);
            }
        }
        looked
    }

    async fn look_at(&self, name: &str, rollout: &Rollout, now: Timestamp) -> Result<(), PolicyError> {
        let tallies = self.tallies(name, rollout).await?;
        let Some(why) = verdict(rollout, &tallies) else { return Ok(()) };
        tracing::warn!(policy = name, version = rollout.version, why, "a rollout is taken back");
        match self.policies.take_back(name, rollout, why, now).await {
            // It was changed meanwhile: by another control plane, or by a person who promoted, paused or ended it.
            Ok(_) | Err(PolicyError::NotNow(_) | PolicyError::NoRollout { .. }) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// What both versions did since the stage began.
    ///
    /// # Errors
    /// The store fails.
    pub async fn tallies(&self, name: &str, rollout: &Rollout) -> Result<Tallies, PolicyError> {
        let key = (name.to_owned(), rollout.version, rollout.cursor);
        let mut seen = self.seen.lock().await;
        // Only the present stage of each policy is counted.
        seen.retain(|(policy, version, cursor), _| {
            policy != name || (*version, *cursor) == (rollout.version, rollout.cursor)
        });
        let (after, tallies) =
            seen.entry(key).or_insert_with(|| (rollout.cursor.saturating_sub(BEFORE), Tallies::default()));
        loop {
            let filter = DecisionFilter { after: Some(*after), limit: PAGE, ..DecisionFilter::default() };
            let page = self.decisions.list(&filter).await?;
            for (cursor, decision) in &page.decisions {
                *after = (*after).max(*cursor);
                count(tallies, name, rollout, decision, *cursor > rollout.cursor);
            }
            if !page.more || page.decisions.is_empty() {
                return Ok(*tallies);
            }
        }
    }
}

fn count(tallies: &mut Tallies, name: &str, rollout: &Rollout, decision: &Decision, in_stage: bool) {
    let applied =
        |id: &str, version| decision.policies.iter().any(|held| held.id == id && held.version == version);
    let said = |id: &str| -> Vec<&Violation> {
        let all = decision.policy_violations.iter().chain(&decision.warnings);
        all.filter(|violation| violation.policy_id == id).collect()
    };
    let refuses =
        |mine: &[&Violation]| mine.iter().any(|v| matches!(v.effect.as_str(), "denied" | "throttled"));
    match rollout.stage {
        Stage::Monitor if in_stage => {
            let shadow = shadow_id(name, rollout.version);
            // The shadow enforces nothing, so any objection counts, of either version.
            if applied(&shadow, rollout.version) {
                let mine = said(&shadow);
                tallies.next.add(&mine, !mine.is_empty());
                let mine = said(name);
                tallies.present.add(&mine, !mine.is_empty());
            }
        }
        Stage::Monitor => {}
        Stage::Share(_) => {
            if in_stage && applied(name, rollout.version) {
                let mine = said(name);
                tallies.next.add(&mine, refuses(&mine));
            } else if applied(name, rollout.present) {
                let mine = said(name);
                tallies.present.add(&mine, refuses(&mine));
            }
        }
    }
}

/// Why a rollout is to be rolled back, if it is.
fn verdict(rollout: &Rollout, tallies: &Tallies) -> Option<String> {
    let Tallies { next, present } = tallies;
    let bounds = &rollout.bounds;
    if next.decisions < bounds.sample.max(1) {
        return None;
    }
    let over = |what: &str, of_next: u64, of_present: u64, bound: f64| {
        let (ours, theirs) = (next.share(of_next), present.share(of_present));
        (ours > theirs + bound).then(|| {
            format!(
                "version {} {what} {:.1}% of {} requests, version {} {:.1}% of {}; the bound is {:.1}% more",
                rollout.version,
                ours * 100.0,
                next.decisions,
                rollout.present,
                theirs * 100.0,
                present.decisions,
                bound * 100.0
            )
        })
    };
    over("failed on", next.failed, present.failed, bounds.errors)
        .or_else(|| over("refused", next.refused, present.refused, bounds.refusals))
}

#[cfg(test)]
mod tests {
    use mesh_policy::{Bounds, Policy, Spec};

    use super::*;

    fn rollout(stage: Stage) -> Rollout {
        Rollout {
            next: Policy::new("p", Spec::default()),
            version: 2,
            present: 1,
            stage,
            steps: Vec::new(),
            bounds: Bounds { refusals: 0.1, errors: 0.05, sample: 10 },
            paused: false,
            end: None,
            note: None,
            cursor: 5,
        }
    }

    #[test]
    fn bounds_are_over_what_the_present_version_does() {
        let tried = |decisions, refused, failed| Tried { decisions, refused, failed };
        // next, present, and what is said.
        for (next, present, said) in [
            (tried(9, 9, 9), tried(0, 0, 0), None),
            (tried(10, 1, 0), tried(0, 0, 0), None),
            (tried(10, 2, 0), tried(0, 0, 0), Some("refused 20.0% of 10")),
            (tried(100, 60, 0), tried(100, 55, 0), None),
            (tried(100, 66, 0), tried(100, 55, 0), Some("refused 66.0%")),
            (tried(100, 0, 6), tried(100, 0, 0), Some("failed on 6.0%")),
            (tried(100, 0, 6), tried(100, 0, 2), None),
        ] {
            let found = verdict(&rollout(Stage::Share(10)), &Tallies { next, present });
            match (&found, said) {
                (Some(found), Some(said)) => assert!(found.contains(said), "{found}"),
                (None, None) => {}
                _ => panic!("{next:?} {present:?}: {found:?}"),
            }
        }
    }
}
