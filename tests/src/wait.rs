//! Waiting for what happens in its own time.
use std::time::{Duration, Instant};

/// What `look` finds in the end; it is given twenty seconds.
pub fn eventually<T>(what: &str, look: impl FnMut() -> Option<T>) -> T {
    within(Duration::from_secs(20), what, look)
}

/// The same, given so much time.
pub fn within<T>(time: Duration, what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + time;
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < deadline, "{what} did not happen within {time:?}");
        std::thread::sleep(Duration::from_millis(50));
    }
}
