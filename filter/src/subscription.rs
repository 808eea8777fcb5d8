//! The filter's own xDS subscription to its policies: a change reaches the running program without Envoy reloading anything.
//!
//! A bundle is a list of pieces, and only pieces that the filter does not have yet are sent. The bundle runs once it is complete.
//!
//! Failure law: a bundle that cannot be run is refused with a NACK that says why, and the running program stays. A stream that
//! ends is opened again; until then the policies stay as they are.
use std::collections::BTreeMap;

use mesh_policy::Bundle;

use crate::discovery::{self, Index, News, Piece, Subscriber, Update};
use crate::host;

/// The wait between two attempts: the first, and the maximum that doubling leads to.
const RETRY_NS: [u64; 2] = [100_000_000, 5_000_000_000];

/// The maximum size of all pieces, and of one bundle, in bytes: far more than a control plane makes.
const MAX_BYTES: usize = 64 * 1024 * 1024;

/// One root context's stream.
#[derive(Default)]
pub(crate) struct Subscription {
    stream: Option<u32>,
    pieces: BTreeMap<String, Piece>,
    /// A bundle with missing pieces, and the nonce of its response.
    awaited: Option<(String, Index)>,
    /// Version of the newest bundle that arrived on a stream and runs.
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
        self.stream = host::open_stream(cluster, discovery::DELTA_AGGREGATED_RESOURCES);
        let Some(stream) = self.stream else { return self.closed(now) };
        // A stream that claims more is refused every time; one that claims nothing is sent all pieces again.
        if self.pieces.len() > Bundle::MAX_CLAIMED_PIECES {
            self.pieces.clear();
        }
        let pieces = self.pieces.iter().map(|(name, piece)| (name.clone(), piece.version.clone())).collect();
        for request in discovery::subscribe(subscriber, pieces, self.version.clone()) {
            host::send_on_stream(stream, &request);
        }
    }

    /// Closes the stream.
    pub(crate) fn end(&mut self) {
        if let Some(stream) = self.stream.take() {
            host::close_stream(stream);
        }
    }

    /// Whether this is the subscription's stream.
    pub(crate) fn is(&self, stream: u32) -> bool {
        self.stream == Some(stream)
    }

    /// Handles a message of the server. `run` runs a bundle, or says why it cannot be run.
    pub(crate) fn message(&mut self, message: &[u8], run: impl FnOnce(&[u8]) -> Result<(), String>) {
        let Some(stream) = self.stream else { return };
        match discovery::read(message).and_then(|update| self.take(stream, update)) {
            // Only now: a message that cannot be taken would come again on every new stream.
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
        // A bundle may repeat a piece, so that a few pieces make a bundle whose size overflows wasm's 32-bit `usize`.
        let outcome = match pieces.iter().map(|piece| piece.len() as u64).sum::<u64>() {
            bytes if bytes > MAX_BYTES as u64 => {
                Err(format!("the bundle has {bytes} bytes; a filter takes at most {MAX_BYTES}"))
            }
            _ => run(&pieces.concat()),
        };
        if outcome.is_ok() {
            self.version = Some(index.version);
        }
        host::send_on_stream(stream, &discovery::ack_bundle(&nonce, outcome));
    }

    fn take(&mut self, stream: u32, Update { nonce, news }: Update) -> Result<(), String> {
        match news {
            News::Pieces { new, gone } => {
                gone.iter().for_each(|name| drop(self.pieces.remove(name)));
                self.pieces.extend(new);
                if self.pieces.values().map(|piece| piece.content.len()).sum::<usize>() > MAX_BYTES {
                    self.pieces.clear();
                    return Err(format!("the pieces of the bundle have more than {MAX_BYTES} bytes"));
                }
                host::send_on_stream(stream, &discovery::ack_pieces(&nonce));
            }
            News::Bundle(Some(index)) => self.awaited = Some((nonce, index)),
            News::Bundle(None) => host::send_on_stream(stream, &discovery::ack_bundle(&nonce, Ok(()))),
        }
        Ok(())
    }

    /// The pieces of a bundle in order, if all of them have arrived.
    fn named(&self, index: &Index) -> Option<Vec<&[u8]>> {
        index.pieces.iter().map(|name| Some(self.pieces.get(name)?.content.as_slice())).collect()
    }

    /// The stream has ended.
    pub(crate) fn closed(&mut self, now: u64) {
        let [first, longest] = RETRY_NS;
        self.stream = None;
        self.awaited = None;
        self.wait = (self.wait * 2).clamp(first, longest);
        // Jitter: not all filters at once, when a control plane comes back.
        self.not_before = now + self.wait / 2 + host::random() % self.wait;
    }
}
