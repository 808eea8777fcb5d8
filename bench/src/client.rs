//! A client with one connection that stays open: it sends a prepared request and waits for the whole answer.
//!
//! Blocking sockets and no allocation on the way: on a small machine the client must not be what is measured.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crate::bodies::STAMP;

/// Requests of this run so far: no two say the same.
static REQUESTS: AtomicU64 = AtomicU64::new(0);

/// A connection.
pub(crate) struct Client {
    socket: TcpStream,
    request: Vec<u8>,
    /// Where the request's last stamp is.
    stamp: Option<usize>,
    /// Where digits are that count requests, and how many.
    digits: Option<(usize, usize)>,
    buffer: Vec<u8>,
}

/// What came back.
pub(crate) struct Answer {
    /// Status code.
    pub(crate) status: u16,
    /// When each read returned body bytes, since the request was sent, and how many events it ended.
    pub(crate) arrivals: Vec<(Duration, usize)>,
    /// The body, still in chunked framing where the answer was chunked.
    pub(crate) body: Vec<u8>,
}

impl Client {
    /// Connects, and prepares a POST of this chat body.
    pub(crate) fn connect(to: SocketAddr, body: &[u8]) -> Result<Self, String> {
        let mut request = format!(
            "POST /v1/chat/completions HTTP/1.1\r\nhost: bench\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
            body.len()
        )
        .into_bytes();
        request.extend_from_slice(body);
        Self::sending(to, request)
    }

    /// Connects, and prepares this request.
    pub(crate) fn sending(to: SocketAddr, request: Vec<u8>) -> Result<Self, String> {
        let socket = TcpStream::connect(to).map_err(|error| format!("cannot connect to {to}: {error}"))?;
        let prepare =
            socket.set_nodelay(true).and_then(|()| socket.set_read_timeout(Some(Duration::from_secs(10))));
        prepare.map_err(|error| format!("cannot prepare a socket: {error}"))?;
        let stamp = request.windows(STAMP.len()).rposition(|window| window == STAMP);
        Ok(Self { socket, request, stamp, digits: None, buffer: Vec::with_capacity(64 * 1024) })
    }

    /// So many digits, from this place, count the requests of the run.
    pub(crate) fn counting(self, from: Option<usize>, digits: usize) -> Self {
        Self { digits: from.map(|from| (from, digits)), ..self }
    }

    /// Says something new: letters that spell the request's number.
    fn stamp(&mut self) {
        let mut number = REQUESTS.fetch_add(1, Ordering::Relaxed);
        let letters = self.stamp.and_then(|at| self.request.get_mut(at + 1..at + STAMP.len() - 1));
        for letter in letters.into_iter().flatten() {
            *letter = b'a' + u8::try_from(number % 26).unwrap_or_default();
            number /= 26;
        }
        let Some((from, digits)) = self.digits else { return };
        let mut number = REQUESTS.load(Ordering::Relaxed);
        for digit in self.request.get_mut(from + 1..from + digits).into_iter().flatten().rev() {
            *digit = b'0' + u8::try_from(number % 10).unwrap_or_default();
            number /= 10;
        }
    }

    /// Sends the request and waits for the end of the answer; returns its status.
    pub(crate) fn exchange(&mut self) -> Result<u16, String> {
        self.read_answer(|_, _| {})
    }

    /// The same, with everything that arrived.
    pub(crate) fn observe(&mut self) -> Result<Answer, String> {
        let mut arrivals = Vec::new();
        let status = self.read_answer(|since, piece| {
            let events = piece.windows(2).filter(|two| two == b"\n\n").count();
            arrivals.push((since, events));
        })?;
        let start = find(&self.buffer, b"\r\n\r\n").map_or(0, |at| at + 4);
        let body = self.buffer.get(start..).unwrap_or_default().to_vec();
        Ok(Answer { status, arrivals, body })
    }

    fn read_answer(&mut self, mut seen: impl FnMut(Duration, &[u8])) -> Result<u16, String> {
        let lost = |error: std::io::Error| format!("the connection broke off: {error}");
        self.buffer.clear();
        self.stamp();
        let sent = Instant::now();
        self.socket.write_all(&self.request).map_err(lost)?;
        let mut piece = [0; 16 * 1024];
        loop {
            let count = self.socket.read(&mut piece).map_err(lost)?;
            if count == 0 {
                return Err("the connection was closed in the middle of an answer".to_owned());
            }
            let had_head = find(&self.buffer, b"\r\n\r\n").is_some();
            let fresh = piece.get(..count).unwrap_or_default();
            self.buffer.extend_from_slice(fresh);
            let Some(end) = find(&self.buffer, b"\r\n\r\n") else { continue };
            let body = self.buffer.get(end + 4..).unwrap_or_default();
            let fresh = if had_head { fresh } else { body };
            if !fresh.is_empty() {
                seen(sent.elapsed(), fresh);
            }
            let head = self.buffer.get(..end).unwrap_or_default();
            if is_complete(head, body) {
                return status(head).ok_or_else(|| "the answer has no status".to_owned());
            }
        }
    }
}

/// Whether the body is whole, by content-length or by the last chunk.
fn is_complete(head: &[u8], body: &[u8]) -> bool {
    match header(head, b"content-length:") {
        Some(length) => length.parse::<usize>().is_ok_and(|length| body.len() >= length),
        None => body.ends_with(b"0\r\n\r\n"),
    }
}

fn header<'a>(head: &'a [u8], name: &[u8]) -> Option<&'a str> {
    let lines = head.split(|byte| *byte == b'\n');
    let value = lines.filter_map(|line| {
        let (found, value) = line.split_at_checked(name.len())?;
        found.eq_ignore_ascii_case(name).then_some(value)
    });
    value.map(std::str::from_utf8).next()?.ok().map(str::trim)
}

fn status(head: &[u8]) -> Option<u16> {
    std::str::from_utf8(head.get(9..12)?).ok()?.parse().ok()
}

fn find(text: &[u8], what: &[u8]) -> Option<usize> {
    text.windows(what.len()).position(|window| window == what)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_ends_where_its_framing_says() {
        let cases: [(&str, &str, bool); 5] = [
            ("HTTP/1.1 200 OK\r\nContent-Length: 3", "abc", true),
            ("HTTP/1.1 200 OK\r\ncontent-length: 4", "abc", false),
            ("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked", "3\r\nabc\r\n0\r\n\r\n", true),
            ("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked", "3\r\nabc\r\n", false),
            ("HTTP/1.1 204 No Content\r\ncontent-length: 0", "", true),
        ];
        for (head, body, expected) in cases {
            assert_eq!(is_complete(head.as_bytes(), body.as_bytes()), expected, "{head}");
        }
        assert_eq!(status(b"HTTP/1.1 403 Forbidden"), Some(403));
    }
}
