//! The filter's own subscription to its policies: a change reaches the program that runs, and Envoy loads nothing anew.
//!
//! Law: what can not be run is refused with a reason, and what runs goes on. A stream that ends is opened again; until then
//! the policies stay as they are.
use crate::discovery::{self, Offer, Subscriber};
use crate::host;

/// Between two attempts: the first, and the longest, which the wait doubles to.
const RETRY_NS: [u64; 2] = [100_000_000, 5_000_000_000];

/// One root context's stream.
#[derive(Default)]
pub(crate) struct Subscription {
    stream: Option<u32>,
    /// Of the newest bundle that a stream brought and that runs.
    version: Option<String>,
    not_before: u64,
    wait: u64,
}

impl Subscription {
    /// Opens the stream if it is not open, and it is time.
    pub(crate) fn keep_open(&mut self, cluster: &str, subscriber: &Subscriber<'_>, now: u64) {
        if self.stream.is_some() || now < self.not_before {
            return;
        }
        self.stream = host::open_stream(cluster, discovery::SERVICE, discovery::METHOD);
        match self.stream {
            Some(stream) => {
                let first = discovery::subscribe(subscriber, self.version.as_deref());
                host::send_on_stream(stream, &first);
            }
            None => self.closed(now),
        }
    }

    /// Gives the stream up: another root context has one.
    pub(crate) fn end(&mut self) {
        if let Some(stream) = self.stream.take() {
            host::close_stream(stream);
        }
    }

    /// Whether it is this stream.
    pub(crate) fn is(&self, stream: u32) -> bool {
        self.stream == Some(stream)
    }

    /// Takes a message. `run` runs a bundle, or says why it can not be run.
    pub(crate) fn message(&mut self, message: &[u8], run: impl FnOnce(&[u8]) -> Result<(), String>) {
        let Some(stream) = self.stream else { return };
        self.wait = 0;
        let (nonce, outcome) = match discovery::read(message) {
            Ok(Offer { nonce, bundle: None }) => (nonce, Ok(())),
            Ok(Offer { nonce, bundle: Some((version, signed)) }) => {
                let outcome = run(&signed);
                if outcome.is_ok() {
                    self.version = Some(version);
                }
                (nonce, outcome)
            }
            Err(why) => {
                log::error!("the policies' stream is given up: {why}");
                self.end();
                return self.closed(host::now());
            }
        };
        host::send_on_stream(stream, &discovery::answer(&nonce, outcome));
    }

    /// The stream has ended.
    pub(crate) fn closed(&mut self, now: u64) {
        let [first, longest] = RETRY_NS;
        self.stream = None;
        self.wait = (self.wait * 2).clamp(first, longest);
        // Not all at once, when a control plane comes back.
        self.not_before = now + self.wait / 2 + host::random() % self.wait;
    }
}
