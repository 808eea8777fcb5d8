//! Whether the machine's clock is believed when it says that records are old enough to be deleted.
//!
//! A clock that was set forward makes everything look old. So it is compared with the time that has really passed: by a monotonic
//! clock while this process runs, and by the last mark in the store after a restart. When it is far ahead, nothing is deleted for a
//! while, so that an operator can set it right. A control plane that was merely off for long deletes later, too.
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

/// How far ahead a clock must be to be doubted, and for how long it is doubted: this, or the time that records are kept if that
/// is less.
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// What is known of the machine's clock.
#[derive(Debug, Default)]
pub struct Clock {
    /// When it was last believed, by the monotonic clock.
    believed: Option<Duration>,
    /// Since when it has been doubted, by the monotonic clock.
    doubted: Option<Duration>,
}

/// The clock is ahead of the time that has passed.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "the machine's clock says that {:#} more have passed since records were last looked at than have been seen to pass; nothing is \
     deleted for another {:#}: set the clock right, or wait", said(.ahead), said(.left)
)]
pub struct ClockAhead {
    /// By how much.
    pub ahead: Duration,
    /// How much longer it will be doubted.
    pub left: Duration,
}

fn said(duration: &Duration) -> SignedDuration {
    SignedDuration::from_secs(i64::try_from(duration.as_secs()).unwrap_or(i64::MAX))
}

impl Clock {
    /// Whether `now` is believed. `steady` is the same instant by a monotonic clock, `marked` what the clock said when any process
    /// last believed it.
    pub(crate) fn check(
        &mut self,
        keep: Duration,
        now: Timestamp,
        steady: Duration,
        marked: Option<Timestamp>,
    ) -> Result<(), ClockAhead> {
        let patience = keep.min(DAY);
        let told = marked.map(|marked| now.duration_since(marked).try_into().unwrap_or(Duration::ZERO));
        let seen = self.believed.map_or(Duration::ZERO, |believed| steady.saturating_sub(believed));
        let ahead = told.unwrap_or(Duration::ZERO).saturating_sub(seen);
        let since = *self.doubted.get_or_insert(steady);
        let left = patience.saturating_sub(steady.saturating_sub(since));
        if ahead > patience && !left.is_zero() {
            return Err(ClockAhead { ahead, left });
        }
        (self.believed, self.doubted) = (Some(steady), None);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: u64 = 3600;

    #[test]
    fn a_clock_that_jumps_is_doubted_for_a_day() {
        let mut clock = Clock::default();
        let keep = Duration::from_secs(30 * 24 * HOUR);
        // Hours by the machine's clock and by the steady one, of the last mark, and by how many it is ahead.
        let table: [(u64, u64, Option<u64>, Option<u64>); 11] = [
            (1000, 0, None, None),
            (1001, 1, Some(1000), None),
            // It is set forward by forty days, and back again.
            (1962, 2, Some(1001), Some(960)),
            (1963, 3, Some(1001), Some(960)),
            (1004, 4, Some(1001), None),
            // It is set forward for good: after a day it is believed.
            (1965, 5, Some(1004), Some(960)),
            (1988, 28, Some(1004), Some(960)),
            (1989, 29, Some(1004), None),
            (1990, 30, Some(1989), None),
            // A machine that slept, or whose clock is set back.
            (2010, 31, Some(1990), None),
            (1500, 32, Some(2010), None),
        ];
        for (now, steady, marked, ahead) in table {
            let at = |hours: u64| Timestamp::from_second(hours as i64 * HOUR as i64).unwrap();
            let steady = Duration::from_secs(steady * HOUR);
            let found = clock.check(keep, at(now), steady, marked.map(at));
            assert_eq!(found.err().map(|said| said.ahead.as_secs() / HOUR), ahead, "{now}");
        }
    }

    #[test]
    fn a_start_after_long_waits_too() {
        let start = |hours: i64| {
            let marked = Some(Timestamp::UNIX_EPOCH);
            let now = Timestamp::from_second(hours * HOUR as i64).unwrap();
            Clock::default().check(Duration::from_secs(12 * HOUR), now, Duration::ZERO, marked)
        };
        assert!(start(12).is_ok());
        let said = start(40).unwrap_err();
        assert_eq!((said.ahead.as_secs() / HOUR, said.left.as_secs() / HOUR), (40, 12));
        assert!(said.to_string().contains("set the clock right"), "{said}");
    }
}
