//! A small HTTP client over a plain socket, so that tests choose every byte and every piece that is sent.
use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::Duration;

/// A request to send.
#[derive(Clone, Debug)]
pub struct Request {
    /// Method.
    pub method: String,
    /// Path and query.
    pub path: String,
    /// Headers besides host, content-length and connection.
    pub headers: Vec<(String, String)>,
    /// Body.
    pub body: Vec<u8>,
    /// Sends the body chunked, in pieces of this many bytes.
    pub chunk: Option<usize>,
}

impl Request {
    /// A POST of JSON.
    pub fn post(path: &str, body: &serde_json::Value) -> Self {
        Request::bytes(path, "application/json", body.to_string().as_bytes())
    }

    /// A POST of bytes.
    pub fn bytes(path: &str, content_type: &str, body: &[u8]) -> Self {
        Request {
            method: "POST".into(),
            path: path.into(),
            headers: vec![("content-type".into(), content_type.into())],
            body: body.to_vec(),
            chunk: None,
        }
    }

    /// A GET.
    pub fn get(path: &str) -> Self {
        Request {
            method: "GET".into(),
            path: path.into(),
            headers: Vec::new(),
            body: Vec::new(),
            chunk: None,
        }
    }

    /// The same with one more header.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// The same, sent chunked in pieces of `bytes`.
    #[must_use]
    pub fn chunked(mut self, bytes: usize) -> Self {
        self.chunk = Some(bytes);
        self
    }

    /// The head, as it is sent.
    pub fn head(&self) -> String {
        let mut head =
            format!("{} {} HTTP/1.1\r\nhost: mesh.test\r\nconnection: close\r\n", self.method, self.path);
        for (name, value) in &self.headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        match self.chunk {
            Some(_) => head.push_str("transfer-encoding: chunked\r\n"),
            None if self.method != "GET" => {
                head.push_str(&format!("content-length: {}\r\n", self.body.len()))
            }
            None => {}
        }
        head + "\r\n"
    }
}

/// What came back.
#[derive(Clone, Debug, Default)]
pub struct Answer {
    /// Status; 0 when the connection ended without one.
    pub status: u16,
    /// Headers, names in lower case.
    pub headers: Vec<(String, String)>,
    /// Body, with chunked framing removed.
    pub body: Vec<u8>,
    /// Whether the body came to its announced end.
    pub complete: bool,
}

impl Answer {
    /// The first value of a header, or nothing.
    pub fn header(&self, name: &str) -> &str {
        self.headers.iter().find(|(key, _)| key == name).map_or("", |(_, value)| value)
    }

    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// All that the assistant says in it, streamed or not, in OpenAI's and Anthropic's shapes.
    pub fn said(&self) -> String {
        let mut said = String::new();
        let body = self.text();
        let events = body.lines().filter_map(|line| line.strip_prefix("data:"));
        let whole = std::iter::once(body.as_str()).chain(events);
        for event in whole.filter_map(|event| serde_json::from_str::<serde_json::Value>(event.trim()).ok()) {
            let texts = [
                &event["choices"][0]["message"]["content"],
                &event["choices"][0]["delta"]["content"],
                &event["content"][0]["text"],
                &event["output"][0]["content"][0]["text"],
                &event["delta"]["text"],
                &event["delta"],
            ];
            said.extend(texts.iter().find_map(|text| text.as_str()));
        }
        said
    }

    /// The body as JSON; null when it is none.
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }
}

/// Sends a request and reads the whole answer. Gives up after 20 seconds without a byte: nothing may hang.
pub fn exchange(to: SocketAddr, request: &Request) -> Answer {
    let mut socket = connect(to);
    // An answer may come, and the connection close, before all of the body is taken.
    let _ = socket.write_all(request.head().as_bytes());
    match request.chunk {
        Some(bytes) => {
            for piece in request.body.chunks(bytes.max(1)) {
                let mut frame = format!("{:x}\r\n", piece.len()).into_bytes();
                frame.extend_from_slice(piece);
                frame.extend_from_slice(b"\r\n");
                if socket.write_all(&frame).is_err() {
                    break;
                }
            }
            let _ = socket.write_all(b"0\r\n\r\n");
        }
        None => {
            let _ = socket.write_all(&request.body);
        }
    }
    read_answer(socket)
}

/// Sends these very bytes and reads what comes back until the other side closes.
pub fn raw(to: SocketAddr, bytes: &[u8]) -> Answer {
    let mut socket = connect(to);
    let _ = socket.write_all(bytes);
    let _ = socket.shutdown(Shutdown::Write);
    read_answer(socket)
}

/// Sends a request, waits for the first bytes of the answer, and closes the connection.
pub fn send_and_leave(to: SocketAddr, request: &Request) {
    let mut socket = connect(to);
    let _ = socket.write_all(request.head().as_bytes());
    let _ = socket.write_all(&request.body);
    let _ = socket.read(&mut [0; 64]);
}

fn connect(to: SocketAddr) -> TcpStream {
    let socket =
        TcpStream::connect_timeout(&to, Duration::from_secs(5)).expect("the mesh accepts connections");
    socket.set_read_timeout(Some(Duration::from_secs(20))).expect("a timeout can be set");
    socket.set_nodelay(true).expect("nodelay can be set");
    socket
}

fn read_answer(mut socket: TcpStream) -> Answer {
    let mut bytes = Vec::new();
    let mut buffer = [0; 16 * 1024];
    loop {
        match socket.read(&mut buffer) {
            Ok(0) => break,
            Ok(read) => {
                bytes.extend_from_slice(&buffer[..read]);
                // Envoy takes its time to close a connection; parsing a large answer again and again does too.
                if bytes.len() < 256 * 1024 && ended(&bytes) {
                    break;
                }
            }
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {
                panic!("no answer within 20 seconds")
            }
            Err(_) => break,
        }
    }
    parse(&bytes)
}

/// Whether the answer is there to its announced end.
fn ended(bytes: &[u8]) -> bool {
    let answer = parse(bytes);
    let framed =
        answer.headers.iter().any(|(name, _)| name == "content-length" || name == "transfer-encoding");
    answer.status >= 200 && framed && answer.complete
}

fn parse(bytes: &[u8]) -> Answer {
    let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") else { return Answer::default() };
    let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
    let mut lines = head.split("\r\n");
    let status =
        lines.next().and_then(|line| line.split(' ').nth(1)).and_then(|code| code.parse().ok()).unwrap_or(0);
    let headers: Vec<(String, String)> = lines
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.trim().to_ascii_lowercase(), value.trim().to_owned()))
        .collect();
    let rest = &bytes[end + 4..];
    if status == 100 {
        return parse(rest);
    }
    let header = |name: &str| headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str());
    let (body, complete) = match header("transfer-encoding") {
        Some("chunked") => dechunk(rest),
        _ => {
            let length = header("content-length").and_then(|length| length.parse::<usize>().ok());
            (rest.to_vec(), length.is_none_or(|length| length == rest.len()))
        }
    };
    Answer { status, headers, body, complete }
}

fn dechunk(mut rest: &[u8]) -> (Vec<u8>, bool) {
    let mut body = Vec::new();
    loop {
        let Some(end) = rest.windows(2).position(|two| two == b"\r\n") else { return (body, false) };
        let size = String::from_utf8_lossy(&rest[..end]).into_owned();
        let Ok(size) = usize::from_str_radix(size.trim(), 16) else { return (body, false) };
        let data = &rest[end + 2..];
        if size == 0 {
            return (body, true);
        }
        if data.len() < size + 2 {
            body.extend_from_slice(&data[..size.min(data.len())]);
            return (body, false);
        }
        body.extend_from_slice(&data[..size]);
        rest = &data[size + 2..];
    }
}
