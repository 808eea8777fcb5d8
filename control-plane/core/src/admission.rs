//! The check that every set of policies passes before it is written or published.
use jiff::Timestamp;
use mesh_policy::{Bundle, Diagnostic};

use crate::{Decision, DryRun, Impact, SampleRequest};

/// Something said about one policy of a bundle.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Remark {
    /// Name of the policy, or key of the agent.
    pub policy: String,
    /// What is said.
    pub diagnostic: Diagnostic,
}

impl Remark {
    /// The diagnostic for a reader who looks at policy `reader`: a remark about another one says which.
    pub(crate) fn for_reader_of(self, reader: Option<&str>) -> Diagnostic {
        let mut diagnostic = self.diagnostic;
        if reader != Some(self.policy.as_str()) {
            diagnostic.path = format!("policy {:?}: {}", self.policy, diagnostic.path);
        }
        diagnostic
    }
}

/// Compiles policies as the filter does, and tries them.
///
/// The implementation that ships uses `mesh-engine`, so that what is admitted is what the filter can run. Calls are CPU-bound; the
/// services make them off the async threads.
pub trait Admission: Send + Sync {
    /// Compiles the bundle; gives the warnings.
    ///
    /// # Errors
    /// What is wrong, with the warnings beside it. A bundle with one bad policy is refused whole.
    fn check(&self, bundle: &Bundle) -> Result<Vec<Remark>, Vec<Remark>>;

    /// Decides the sample request under the bundle, as the filter would at `now`. Nothing is sent, counted or recorded.
    ///
    /// # Errors
    /// The bundle does not compile.
    fn dry_run(&self, bundle: &Bundle, sample: &SampleRequest, now: Timestamp)
    -> Result<DryRun, Vec<Remark>>;

    /// Judges recorded decisions again, under one bundle and the other.
    ///
    /// # Errors
    /// One of them does not compile.
    fn impact(&self, before: &Bundle, after: &Bundle, decisions: &[Decision]) -> Result<Impact, Vec<Remark>>;
}
