//! The flags.

use std::path::PathBuf;
use std::time::Duration;

/// What is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Part {
    /// What the filter adds to a request.
    Requests,
    /// What many policies and agents cost.
    Policies,
    /// What many xDS clients cost.
    Xds,
    /// The instructions of an exchange in all of Envoy.
    Instructions,
}

/// What was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Options {
    pub(crate) part: Part,
    /// Rounds of each case; every route is loaded once a round.
    pub(crate) rounds: usize,
    /// How long a route is loaded in a round.
    pub(crate) time: Duration,
    /// Folder for the dated record.
    pub(crate) record: Option<PathBuf>,
}

impl Options {
    /// Reads `[--policies | --xds | --instructions] [--quick] [--rounds N] [--seconds N] [--record DIR | --no-record]`.
    pub(crate) fn read(arguments: impl Iterator<Item = String>) -> Result<Self, String> {
        let mut options = Self {
            part: Part::Requests,
            rounds: 9,
            time: Duration::from_secs(2),
            record: Some(PathBuf::from("bench/record")),
        };
        let mut arguments = arguments;
        while let Some(flag) = arguments.next() {
            let mut value = || arguments.next().ok_or_else(|| format!("`{flag}` wants a value"));
            match flag.as_str() {
                "--policies" => options.part = Part::Policies,
                "--xds" => options.part = Part::Xds,
                "--instructions" => options.part = Part::Instructions,
                // To see that it works; the figures are too coarse to keep.
                "--quick" => {
                    options = Self { rounds: 2, time: Duration::from_millis(300), record: None, ..options };
                }
                "--rounds" => options.rounds = number(&flag, &value()?)?,
                "--seconds" => options.time = Duration::from_secs(number(&flag, &value()?)? as u64),
                "--record" => options.record = Some(PathBuf::from(value()?)),
                "--no-record" => options.record = None,
                _ => {
                    return Err(format!(
                        "no flag `{flag}`; there are --policies, --xds, --instructions, --quick, --rounds N, --seconds N, --record DIR, --no-record"
                    ));
                }
            }
        }
        Ok(options)
    }
}

fn number(flag: &str, text: &str) -> Result<usize, String> {
    text.parse()
        .ok()
        .filter(|number| *number > 0)
        .ok_or_else(|| format!("`{flag}` wants a whole number above 0, found `{text}`"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_are_read() {
        let read = |line: &str| Options::read(line.split_whitespace().map(str::to_owned));
        assert_eq!(read("").map(|o| o.rounds), Ok(9));
        assert_eq!(
            read("--rounds 3 --seconds 1").map(|o| (o.rounds, o.time)),
            Ok((3, Duration::from_secs(1)))
        );
        assert_eq!(read("--quick").map(|o| o.record), Ok(None));
        assert_eq!(read("--xds --quick").map(|o| (o.part, o.record)), Ok((Part::Xds, None)));
        for bad in ["--rounds", "--rounds 0", "--rounds x", "--fast"] {
            assert!(read(bad).is_err(), "{bad}");
        }
    }
}
