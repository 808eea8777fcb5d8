//! The filter's own subscription to its policies: a change reaches the program that runs, and Envoy loads nothing anew.
//!
//! A bundle comes as a list of pieces, of which only those are sent that are not there yet. It is run when it is whole.
//!
//! Law: what can not be run is refused with a reason, and what runs goes on. A stream that ends is opened again; until then
//! the policies stay as they are.
use std::collections::BTreeMap;

use crate::discovery::{self, Index, News, Piece, Subscriber, Update};
use crate::host;

/// Between two attempts: the first, and the longest, which the wait doubles to.
const RETRY_NS: [u64; 2] = [100_000_000, 5_000_000_000];

/// Of all pieces, and of a bundle, in bytes: far more than a control plane makes.
const MOST_BYTES: usize = 64 * 1024 * 1024;

/// One root context's stream.
#[derive(Default)]
pub(crate) struct Subscription {
    stream: Option<u32>,
    pieces: BTreeMap<String, Piece>,
    /// A bundle of which pieces are missing, and what its answer has to name.
    awaited: Option<(String, Index)>,
    /// Version of the newest bundle that came so and runs.
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
        let Some(stream) = self.stream else { return self.closed(now) };
        let pieces = self.pieces.iter().map(|(name, piece)| (name.clone(), piece.version.clone())).collect();
        for request in discovery::subscribe(subscriber, pieces, self.version.clone()) {
            host::send_on_stream(stream, &request);
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
        if let Err(why) = discovery::read(message).and_then(|update| self.take(stream, update)) {
            log::error!("the policies' stream is given up: {why}");
            self.end();
            return self.closed(host::now());
        }
        let Some((nonce, index)) = self.awaited.take() else { return };
        let Some(whole) = self.whole(&index) else {
            self.awaited = Some((nonce, index));
            return;
        };
        let outcome = run(&whole);
        if outcome.is_ok() {
            self.version = Some(index.version);
        }
        host::send_on_stream(stream, &discovery::ran(&nonce, outcome));
    }

    fn take(&mut self, stream: u32, Update { nonce, news }: Update) -> Result<(), String> {
        match news {
            News::Pieces { new, gone } => {
                gone.iter().for_each(|name| drop(self.pieces.remove(name)));
                self.pieces.extend(new);
                if self.pieces.values().map(|piece| piece.content.len()).sum::<usize>() > MOST_BYTES {
                    self.pieces.clear();
                    return Err(format!("the pieces of the bundle have more than {MOST_BYTES} bytes"));
                }
                host::send_on_stream(stream, &discovery::kept(&nonce));
            }
            News::Bundle(Some(index)) => self.awaited = Some((nonce, index)),
            News::Bundle(None) => host::send_on_stream(stream, &discovery::ran(&nonce, Ok(()))),
        }
        Ok(())
    }

    /// The text of a bundle, if all of its pieces are there.
    fn whole(&self, index: &Index) -> Option<Vec<u8>> {
        let mut whole = Vec::new();
        for name in &index.pieces {
            let piece = self.pieces.get(name)?;
            // A piece may stand in a bundle more than once.
            if whole.len() + piece.content.len() > MOST_BYTES {
                return None;
            }
            whole.extend_from_slice(&piece.content);
        }
        Some(whole)
    }

    /// The stream has ended.
    pub(crate) fn closed(&mut self, now: u64) {
        let [first, longest] = RETRY_NS;
        self.stream = None;
        self.awaited = None;
        self.wait = (self.wait * 2).clamp(first, longest);
        // Not all at once, when a control plane comes back.
        self.not_before = now + self.wait / 2 + host::random() % self.wait;
    }
}
