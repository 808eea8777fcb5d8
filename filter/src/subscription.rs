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

/// Names that a control plane lets a new stream claim (`Misuse::MAX_NAMES` in `xds`, which the filter may not name).
const MOST_CLAIMED: usize = 10_000;

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
    /// Whether the stream is to be opened now.
    pub(crate) fn is_due(&self, now: u64) -> bool {
        self.stream.is_none() && now >= self.not_before
    }

    /// Opens the stream.
    pub(crate) fn open(&mut self, cluster: &str, subscriber: Subscriber<'_>, now: u64) {
        self.stream = host::open_stream(cluster, discovery::SERVICE, discovery::METHOD);
        let Some(stream) = self.stream else { return self.closed(now) };
        // Who claims more is sent away, every time. Who claims nothing is sent them all once more.
        if self.pieces.len() > MOST_CLAIMED {
            self.pieces.clear();
        }
        let pieces = self.pieces.iter().map(|(name, piece)| (name.clone(), piece.version.clone())).collect();
        for request in discovery::subscribe(subscriber, pieces, self.version.clone()) {
            host::send_on_stream(stream, &request);
        }
    }

    /// Gives the stream up.
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
        match discovery::read(message).and_then(|update| self.take(stream, update)) {
            // Not before: a message that can not be taken comes again on every new stream.
            Ok(()) => self.wait = 0,
            Err(why) => {
                log::error!("the policies' stream is given up: {why}");
                self.end();
                return self.closed(host::now());
            }
        }
        let Some((nonce, index)) = self.awaited.take() else { return };
        let Some(pieces) = self.named(&index) else {
            self.awaited = Some((nonce, index));
            return;
        };
        // A piece may stand in a bundle more than once, so few pieces can make a large one: larger than a `usize` here can say.
        let outcome = match pieces.iter().map(|piece| piece.len() as u64).sum::<u64>() {
            bytes if bytes > MOST_BYTES as u64 => {
                Err(format!("the bundle has {bytes} bytes; a filter takes at most {MOST_BYTES}"))
            }
            _ => run(&pieces.concat()),
        };
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

    /// The pieces of a bundle in their order, if all of them are there.
    fn named(&self, index: &Index) -> Option<Vec<&[u8]>> {
        index.pieces.iter().map(|name| Some(self.pieces.get(name)?.content.as_slice())).collect()
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
