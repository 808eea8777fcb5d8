//! The gate every set of policies passes before it is written or published.
use jiff::Timestamp;
use mesh_policy::{Bundle, Diagnostic};

use crate::{DryRun, SampleRequest};

/// Why a set of policies was refused: errors, and the warnings beside them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal(pub Vec<Diagnostic>);

/// Compiles policies as the filter does, and tries them.
///
/// The one implementation that ships is over `mesh-engine`, so that what is admitted here is what runs there.
/// Calls take time on the CPU; the services make them off the async threads.
pub trait Admission: Send + Sync {
    /// Compiles the bundle; gives the warnings.
    fn check(&self, bundle: &Bundle) -> Result<Vec<Diagnostic>, Refusal>;

    /// Decides the sample request under the bundle, as the filter would at `now`. Nothing is sent, counted or recorded.
    fn dry_run(&self, bundle: &Bundle, sample: &SampleRequest, now: Timestamp) -> Result<DryRun, Refusal>;
}
