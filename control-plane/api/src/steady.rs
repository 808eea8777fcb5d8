//! The time by which limits are counted.
use std::sync::LazyLock;
use std::time::Instant;

use mesh_control_core::Timestamp;

static START: LazyLock<(Timestamp, Instant)> = LazyLock::new(|| (Timestamp::now(), Instant::now()));

/// The time since the process began to count limits, whatever is done to the machine's clock: that it is set forward forgives no
/// spending, and that it is set back makes nobody wait. (Where Redis counts, its clock does.)
pub(crate) fn now() -> Timestamp {
    START.0 + START.1.elapsed()
}
