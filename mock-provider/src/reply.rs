//! An answer before the wire: a body in pieces, and what the knobs make of it.

use std::{io, time::Duration};

use futures::{Stream, stream};
use http_body_util::{BodyExt, Full, StreamBody, combinators::UnsyncBoxBody};
use hyper::{
    body::{Bytes, Frame},
    http::header,
};
use serde_json::Value;

use crate::knobs::Knobs;

/// What goes back to hyper.
pub(crate) type Response = hyper::Response<UnsyncBoxBody<Bytes, io::Error>>;

/// An answer: status, headers, and the body's pieces (one, unless it streams).
pub(crate) struct Reply {
    status: u16,
    content_type: &'static str,
    headers: Vec<(&'static str, String)>,
    pieces: Vec<Vec<u8>>,
    streams: bool,
}

impl Reply {
    pub(crate) fn json(status: u16, body: &Value) -> Self {
        Self::whole(status, "application/json", body.to_string().into_bytes())
    }

    pub(crate) fn text(status: u16, body: &str) -> Self {
        Self::whole(status, "text/plain; charset=utf-8", body.as_bytes().to_vec())
    }

    pub(crate) fn whole(status: u16, content_type: &'static str, body: Vec<u8>) -> Self {
        Self { status, content_type, headers: Vec::new(), pieces: vec![body], streams: false }
    }

    /// Server-sent events, one piece each. See [`event`] and [`data`].
    pub(crate) fn sse(events: Vec<String>) -> Self {
        Self::stream("text/event-stream; charset=utf-8", events)
    }

    /// Newline-delimited JSON, one piece a line.
    pub(crate) fn ndjson(values: &[Value]) -> Self {
        Self::stream("application/x-ndjson", values.iter().map(|v| format!("{v}\n")).collect())
    }

    /// One JSON array, one piece an item.
    pub(crate) fn array(values: &[Value]) -> Self {
        let mut pieces: Vec<String> = values
            .iter()
            .enumerate()
            .map(|(at, v)| format!("{}{v}", if at == 0 { "[" } else { ",\r\n" }))
            .collect();
        pieces.push(if values.is_empty() { "[]" } else { "]" }.to_owned());
        Self::stream("application/json; charset=UTF-8", pieces)
    }

    /// Amazon's binary frames, one piece each.
    pub(crate) fn frames(pieces: Vec<Vec<u8>>) -> Self {
        let content_type = "application/vnd.amazon.eventstream";
        Self { status: 200, content_type, headers: Vec::new(), pieces, streams: true }
    }

    fn stream(content_type: &'static str, pieces: Vec<String>) -> Self {
        let pieces = pieces.into_iter().map(String::into_bytes).collect();
        Self { status: 200, content_type, headers: Vec::new(), pieces, streams: true }
    }

    pub(crate) fn with_header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    /// The answer as hyper sends it, with the knobs applied: body, line ends, coding, cut, break-off, delay.
    pub(crate) fn into_response(mut self, knobs: &Knobs) -> Response {
        if let Some(body) = &knobs.body {
            self.pieces = vec![body.clone()];
            // Given an answer, there is no path that it does not know.
            if self.status == 404 && knobs.status.is_none() {
                self.status = 200;
            }
        }
        if let (Some(eol), "text/event-stream; charset=utf-8") = (knobs.eol, self.content_type) {
            for piece in &mut self.pieces {
                *piece = String::from_utf8_lossy(piece).replace('\n', eol).into_bytes();
            }
        }
        let mut response = hyper::Response::builder().status(self.status);
        if self.status != 204 && self.status != 202 {
            let content_type = knobs.content_type.as_deref().unwrap_or(self.content_type);
            response = response.header(header::CONTENT_TYPE, content_type);
        }
        for (name, value) in self.headers {
            response = response.header(name, value);
        }
        if let Some(coding) = knobs.coding.name() {
            response = response.header(header::CONTENT_ENCODING, coding);
        }
        let mut pieces = knobs.coding.encode(self.pieces);
        if let Some(size) = knobs.chunk_bytes {
            pieces = pieces.concat().chunks(size).map(<[u8]>::to_vec).collect();
        }
        let plain = !self.streams && knobs.chunk_bytes.is_none() && knobs.abort_after.is_none();
        let body = if plain && knobs.delay_ms == 0 {
            Full::new(Bytes::from(pieces.concat())).map_err(|never| match never {}).boxed_unsync()
        } else {
            let frames = cut_off(pieces, knobs.abort_after);
            UnsyncBoxBody::new(StreamBody::new(paced(frames, Duration::from_millis(knobs.delay_ms))))
        };
        response.body(body).unwrap_or_else(|_| hyper::Response::new(UnsyncBoxBody::default()))
    }
}

/// The pieces up to `limit` bytes, then a break.
fn cut_off(pieces: Vec<Vec<u8>>, limit: Option<usize>) -> Vec<io::Result<Vec<u8>>> {
    let Some(mut left) = limit else { return pieces.into_iter().map(Ok).collect() };
    let mut out = Vec::new();
    for mut piece in pieces {
        piece.truncate(left);
        left -= piece.len();
        out.push(Ok(piece));
        if left == 0 {
            break;
        }
    }
    out.push(Err(io::Error::from(io::ErrorKind::ConnectionAborted)));
    out
}

/// Sends the pieces one by one: a pause before each, at least long enough for the one before to be flushed.
fn paced(pieces: Vec<io::Result<Vec<u8>>>, delay: Duration) -> impl Stream<Item = io::Result<Frame<Bytes>>> {
    stream::unfold(pieces.into_iter(), move |mut pieces| async move {
        let piece = pieces.next()?;
        if delay.is_zero() {
            tokio::task::yield_now().await;
        } else {
            tokio::time::sleep(delay).await;
        }
        Some((piece.map(|bytes| Frame::data(Bytes::from(bytes))), pieces))
    })
}

/// One event with a name, as Anthropic and the Responses API send them.
pub(crate) fn event(name: &str, data: &Value) -> String {
    format!("event: {name}\ndata: {data}\n\n")
}

/// One event without a name.
pub(crate) fn data(data: &Value) -> String {
    format!("data: {data}\n\n")
}
