//! A circuit breaker: a service that keeps failing is left alone for a while. Time is an argument.
use crate::Timestamp;

/// This many consecutive failures open it.
const FAILURES: u32 = 5;
/// How long nothing is asked, in nanoseconds; then one request tries.
const REST: Timestamp = 5_000_000_000;

/// How a service has answered lately.
#[derive(Debug, Default)]
pub struct Breaker {
    failures: u32,
    /// While it is open, when the next request may try.
    again: Timestamp,
}

impl Breaker {
    /// Whether the service may be asked. While it is left alone, one request every few seconds tries.
    pub fn may_ask(&mut self, now: Timestamp) -> bool {
        if self.failures < FAILURES {
            return true;
        }
        // A clock that was set back does not keep it open forever.
        let tries = now >= self.again || self.again - now > REST;
        if tries {
            self.again = now.saturating_add(REST);
        }
        tries
    }

    /// Takes the result of a request.
    pub fn told(&mut self, answered: bool, now: Timestamp) {
        if answered {
            *self = Breaker::default();
        } else {
            self.failures = self.failures.saturating_add(1);
            if self.failures == FAILURES {
                self.again = now.saturating_add(REST);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const S: Timestamp = 1_000_000_000;

    /// A sequence of events with times in seconds, and whether the service may be asked then.
    #[test]
    fn a_service_that_keeps_failing_is_left_alone() {
        enum Event {
            Fails,
            Answers,
            May(bool),
        }
        use Event::{Answers, Fails, May};
        let story = [
            (0, May(true)),
            (0, Fails),
            (0, Fails),
            (0, Fails),
            (0, Fails),
            (1, May(true)),
            // One answer resets the count.
            (1, Answers),
            (1, Fails),
            (1, Fails),
            (1, Fails),
            (1, Fails),
            (2, May(true)),
            (2, Fails),
            (2, May(false)),
            (6, May(false)),
            // One request tries, the others still may not.
            (7, May(true)),
            (7, May(false)),
            (8, Fails),
            (11, May(false)),
            (12, May(true)),
            (12, Answers),
            (12, May(true)),
            (12, May(true)),
        ];
        let mut breaker = Breaker::default();
        for (number, (at, event)) in story.into_iter().enumerate() {
            match event {
                Fails => breaker.told(false, at * S),
                Answers => breaker.told(true, at * S),
                May(expected) => assert_eq!(breaker.may_ask(at * S), expected, "event {number}"),
            }
        }
    }

    #[test]
    fn a_clock_that_is_set_back_does_not_shut_it_for_ever() {
        let mut breaker = Breaker::default();
        (0..FAILURES).for_each(|_| breaker.told(false, 1000 * S));
        assert!(!breaker.may_ask(1001 * S));
        assert!(breaker.may_ask(10 * S));
        assert!(!breaker.may_ask(11 * S));
    }
}
