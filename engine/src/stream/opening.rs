//! The first bytes of a response show its format in a known protocol: clients rely on them, too.
use mesh_wire::{EventStream, Limits, Opened, Opening};

use super::Stream;
use crate::session::{Session, Step, speaks_json};

impl Stream {
    /// The same stream, before its framing is certain, or whether it is a stream at all. If only the request's format
    /// identified the protocol, it is unknown which streams its server sends.
    pub(crate) fn told_by_its_bytes(self, session: &Session) -> Stream {
        let limits = session.program.limits();
        let opening =
            speaks_json(session.route.protocol).then(|| Opening::new(self.protocol, self.framing, &limits));
        Stream { opening, ..self }
    }

    /// The same for a response that is a file by its content type, but may be text.
    pub(crate) fn of_file(self, limits: &Limits) -> Stream {
        Stream { opening: Some(Opening::of_file(limits)), is_file: true, ..self }
    }

    /// Takes a chunk of a response whose format may not be known yet; returns what may leave.
    pub(super) fn open(&mut self, session: &mut Session, chunk: &[u8], end_of_stream: bool) -> Vec<u8> {
        let Some(opening) = &mut self.opening else {
            return match (self.is_file, self.ended) {
                (false, _) => self.push_plain(session, chunk, end_of_stream),
                (true, false) => chunk.to_vec(),
                (true, true) => Vec::new(),
            };
        };
        match opening.push(chunk, end_of_stream) {
            Ok(Opened::Waits) => Vec::new(),
            Ok(Opened::Stream(framing, bytes)) => {
                self.opening = None;
                self.framing = framing;
                self.events = EventStream::new(framing, &Limits::default());
                self.push_plain(session, &bytes, end_of_stream)
            }
            Ok(Opened::Media(bytes)) => {
                self.opening = None;
                session.media_passes();
                bytes
            }
            Ok(Opened::Whole(body)) => {
                self.opening = None;
                self.ended = true;
                // It is complete, and was not a stream: it cannot be what its headers announced.
                let kind = if self.is_file { "text/plain" } else { "application/json" };
                match session.plain_response(&body, Some(kind)) {
                    Step::Continue => body,
                    Step::Replace(body) => body,
                    Step::Refuse(refusal) => refusal.body,
                    _ => Vec::new(),
                }
            }
            Err(_) => {
                self.opening = None;
                let mut out = Vec::new();
                self.unreadable(session, &mut out);
                out
            }
        }
    }
}
