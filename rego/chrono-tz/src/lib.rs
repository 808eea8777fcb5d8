//! Time zones by name for the Rego interpreter's `time.*` functions, out of jiff's database.
//!
//! The interpreter names the crate chrono-tz, which carries a database of its own: 0.9 MB, a sixth of the filter, and a
//! second opinion beside the one that access rules are read with. This crate takes its place (`[patch]` in the workspace),
//! with as much of it as the interpreter uses. See docs/decisions/0015.
#![deny(clippy::disallowed_methods)]
#![deny(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing))]

use std::fmt;
use std::str::FromStr;

use chrono::{FixedOffset, MappedLocalTime, NaiveDate, NaiveDateTime, NaiveTime, Offset as _, TimeZone, Utc};
use jiff::{Timestamp, tz};

/// A time zone of the IANA database, such as `Europe/Berlin`.
#[derive(Clone, Debug)]
pub struct Tz(tz::TimeZone);

/// There is no time zone of this name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParseError(String);

impl fmt::Display for ParseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} is not a time zone of the IANA database", self.0)
    }
}

impl std::error::Error for ParseError {}

impl FromStr for Tz {
    type Err = ParseError;

    /// Names are written as in the database: `europe/berlin` is none, as in OPA.
    fn from_str(name: &str) -> Result<Self, ParseError> {
        match tz::TimeZone::get(name) {
            Ok(zone) if zone.iana_name() == Some(name) => Ok(Tz(zone)),
            _ => Err(ParseError(name.to_owned())),
        }
    }
}

impl Tz {
    /// Seconds east of UTC at a point in time. What lies outside jiff's range (the years -9999 to 9999) has the offset
    /// that its border has.
    fn seconds(&self, unix: i64) -> i32 {
        let bounded = unix.clamp(Timestamp::MIN.as_second(), Timestamp::MAX.as_second());
        let time = Timestamp::from_second(bounded).unwrap_or(Timestamp::UNIX_EPOCH);
        self.0.to_offset(time).seconds()
    }
}

/// An offset of jiff's is below 26 hours, one of chrono's below 24: no zone of the database has one in between.
fn offset(seconds: i32) -> FixedOffset {
    FixedOffset::east_opt(seconds).unwrap_or(Utc.fix())
}

impl TimeZone for Tz {
    type Offset = FixedOffset;

    fn from_offset(offset: &FixedOffset) -> Self {
        let seconds = tz::Offset::from_seconds(offset.local_minus_utc()).unwrap_or(tz::Offset::UTC);
        Tz(tz::TimeZone::fixed(seconds))
    }

    fn offset_from_local_date(&self, local: &NaiveDate) -> MappedLocalTime<FixedOffset> {
        self.offset_from_local_datetime(&local.and_time(NaiveTime::MIN))
    }

    /// None, one or two: a clock that is put back shows some times twice, one that is put forward leaves some out.
    fn offset_from_local_datetime(&self, local: &NaiveDateTime) -> MappedLocalTime<FixedOffset> {
        const DAY: i64 = 24 * 60 * 60;
        let local = local.and_utc().timestamp();
        // Zones change less often than each other day, so these are the two offsets that can be meant.
        let (before, after) = (self.seconds(local - DAY), self.seconds(local + DAY));
        let fits = |seconds: i32| self.seconds(local - i64::from(seconds)) == seconds;
        match (fits(before), fits(after)) {
            (true, true) if before != after => MappedLocalTime::Ambiguous(offset(before), offset(after)),
            (true, _) => MappedLocalTime::Single(offset(before)),
            (false, true) => MappedLocalTime::Single(offset(after)),
            (false, false) => MappedLocalTime::None,
        }
    }

    fn offset_from_utc_date(&self, utc: &NaiveDate) -> FixedOffset {
        self.offset_from_utc_datetime(&utc.and_time(NaiveTime::MIN))
    }

    fn offset_from_utc_datetime(&self, utc: &NaiveDateTime) -> FixedOffset {
        offset(self.seconds(utc.and_utc().timestamp()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tz(name: &str) -> Tz {
        name.parse().unwrap()
    }

    #[test]
    fn a_point_in_time_has_the_offset_of_its_season() {
        for (zone, unix, want) in [
            ("UTC", 1_767_225_600, "2026-01-01T00:00:00+00:00"),
            ("Europe/Berlin", 1_767_225_600, "2026-01-01T01:00:00+01:00"),
            ("Europe/Berlin", 1_782_864_000, "2026-07-01T02:00:00+02:00"),
            ("America/New_York", 1_782_864_000, "2026-06-30T20:00:00-04:00"),
            ("Asia/Kolkata", 1_767_225_600, "2026-01-01T05:30:00+05:30"),
            ("Pacific/Kiritimati", 1_767_225_600, "2026-01-01T14:00:00+14:00"),
        ] {
            let time = tz(zone).timestamp_opt(unix, 0).unwrap();
            assert_eq!(time.to_rfc3339(), want, "{zone}");
        }
    }

    #[test]
    fn a_local_time_may_be_none_one_or_two() {
        let local = |text: &str| text.parse::<NaiveDateTime>().unwrap();
        let berlin = tz("Europe/Berlin");
        let of = |text: &str| berlin.offset_from_local_datetime(&local(text));
        assert_eq!(of("2026-03-29T02:30:00"), MappedLocalTime::None);
        assert_eq!(of("2026-10-25T02:30:00"), MappedLocalTime::Ambiguous(offset(7200), offset(3600)));
        assert_eq!(of("2026-10-25T12:00:00"), MappedLocalTime::Single(offset(3600)));
    }

    #[test]
    fn names_are_exact() {
        for name in ["europe/berlin", "Europe/Nowhere", "", "CET-1CEST", "../etc/passwd"] {
            assert!(name.parse::<Tz>().is_err(), "{name}");
        }
    }

    #[test]
    fn the_ends_of_time_have_an_offset() {
        let auckland = tz("Pacific/Auckland");
        for unix in [i64::MIN / 1_000_000_000, i64::MAX / 1_000_000_000] {
            assert!(auckland.timestamp_opt(unix, 0).single().is_some());
        }
    }
}
