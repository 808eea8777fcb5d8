//! The control plane over HTTP: one request at a time, errors as sentences.

use std::{
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    time::Duration,
};

use mesh_policy::Diagnostic;
use serde_json::Value;
use ureq::{Agent, Body, http};

use crate::{
    args::Global,
    failure::{Exit, Failure, Outcome},
};

/// How long the control plane may take for an answer.
const PATIENCE: Duration = Duration::from_secs(30);
/// How long a followed stream may be silent; the server sends something more often than that.
const SILENCE: Duration = Duration::from_secs(60);
/// Largest answer that is read.
const MAX_ANSWER: u64 = 256 << 20;

/// A control plane and the right to use it.
#[derive(Clone)]
pub(crate) struct Client {
    agent: Agent,
    base: String,
    token: Option<String>,
    /// Whether the token was given, and not found in the data directory.
    given: bool,
    data: PathBuf,
}

/// An answer that is no success, with what the control plane said.
pub(crate) struct Refused {
    pub(crate) status: u16,
    pub(crate) message: String,
    pub(crate) diagnostics: Vec<Diagnostic>,
}

impl Client {
    /// The client that the flags ask for.
    pub(crate) fn new(global: &Global) -> Outcome<Self> {
        let token = match &global.token {
            Some(token) => Some(token.trim().to_owned()),
            None => read_token(&global.data.join("admin-token"))?,
        };
        Ok(Self { given: global.token.is_some(), ..Self::to(&global.api_url, token, &global.data)? })
    }

    /// A client of the control plane that answers at `url` and has its data in `data`.
    pub(crate) fn to(url: &str, token: Option<String>, data: &Path) -> Outcome<Self> {
        let base = url.trim_end_matches('/').to_owned();
        let usable = base.parse::<http::Uri>().is_ok_and(|uri| {
            matches!(uri.scheme_str(), Some("http" | "https"))
                && uri.host().is_some_and(|host| !host.is_empty())
        });
        if !usable {
            return Err(Failure::environment(format!("--api-url: {base:?} is no URL"))
                .hint("expected one such as http://127.0.0.1:8090"));
        }
        let mut config =
            Agent::config_builder().http_status_as_error(false).timeout_connect(Some(Duration::from_secs(5)));
        if is_loopback(&base) {
            // A proxy of the environment can't reach this machine's loopback.
            config = config.proxy(None);
        }
        Ok(Self { agent: config.build().new_agent(), base, token, given: false, data: data.to_owned() })
    }

    /// Asks, and takes any success for an answer.
    pub(crate) fn get(&self, path: &str) -> Outcome<Value> {
        self.ask("GET", path, None)?.map_err(|refused| self.failure(refused))
    }

    /// Sends, and takes any success for an answer.
    pub(crate) fn send(&self, method: &str, path: &str, body: Option<&Value>) -> Outcome<Value> {
        self.ask(method, path, body)?.map_err(|refused| self.failure(refused))
    }

    /// Sends; returns a refusal to the caller, who may handle it.
    pub(crate) fn ask(
        &self,
        method: &str,
        path: &str,
        body: Option<&Value>,
    ) -> Outcome<Result<Value, Refused>> {
        let mut response = self.run(method, path, body, PATIENCE)?;
        let status = response.status().as_u16();
        let text = self.read(&mut response, MAX_ANSWER)?;
        let value = serde_json::from_str(&text);
        match (200..300).contains(&status) {
            true if text.is_empty() => Ok(Ok(Value::Null)),
            // An empty list and an answer of some other server must not look alike.
            true => value.map(Ok).map_err(|_| {
                Failure::environment(format!("{} answered with something that is no JSON", self.base))
                    .hint("is --api-url the control plane's REST address?")
            }),
            false => Ok(Err(Refused::read(status, &value.unwrap_or(Value::Null)))),
        }
    }

    /// Reads an answer of at most so many bytes.
    fn read(&self, response: &mut http::Response<Body>, most: u64) -> Outcome<String> {
        let text = response.body_mut().with_config().limit(most).read_to_string();
        text.map_err(|error| match error {
            ureq::Error::BodyExceedsLimit(_) => {
                Failure::failed(format!("the answer of {} has more than {most} bytes", self.base))
                    .hint("ask for less at once")
            }
            error => self.unreachable(&error),
        })
    }

    /// Opens a stream of server-sent events.
    pub(crate) fn follow(&self, path: &str) -> Outcome<Events> {
        let mut response = self.run("GET", path, None, SILENCE)?;
        let status = response.status().as_u16();
        if status != 200 {
            let text = response.body_mut().read_to_string().unwrap_or_default();
            return Err(
                self.failure(Refused::read(status, &serde_json::from_str(&text).unwrap_or(Value::Null)))
            );
        }
        Ok(Events { lines: BufReader::new(Box::new(response.into_body().into_reader())) })
    }

    fn run(
        &self,
        method: &str,
        path: &str,
        body: Option<&Value>,
        patience: Duration,
    ) -> Outcome<http::Response<Body>> {
        let mut request = http::Request::builder().method(method).uri(format!("{}{path}", self.base));
        if let Some(token) = &self.token {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        if body.is_some() {
            request = request.header("content-type", "application/json");
        }
        let bytes = body.map(|body| body.to_string().into_bytes()).unwrap_or_default();
        let request =
            request.body(bytes).map_err(|error| Failure::environment(format!("--token: {error}")))?;
        let request = self.agent.configure_request(request).timeout_per_read(Some(patience)).build();
        self.agent.run(request).map_err(|error| self.unreachable(&error))
    }

    /// Why nothing came back.
    fn unreachable(&self, error: &ureq::Error) -> Failure {
        let refused = matches!(error, ureq::Error::ConnectionFailed | ureq::Error::Io(_));
        let why = if refused { String::new() } else { format!(" ({error})") };
        Failure::failed(format!(
            "the control plane at {} does not answer{why}: is `ai-mesh up` running?",
            self.base
        ))
        .hint(if self.base.starts_with("https:") {
            "it speaks http itself: https needs something in front of it; another address is given by --api-url or AI_MESH_API_URL"
        } else {
            "another address is given by --api-url or AI_MESH_API_URL"
        })
    }

    /// Why the control plane did not do it.
    pub(crate) fn failure(&self, refused: Refused) -> Failure {
        let token_file = self.data.join("admin-token");
        match refused.status {
            401 | 403 if self.token.is_none() => Failure::environment(format!(
                "{}: no token, and {} is not there",
                self.base,
                token_file.display()
            ))
            .hint("give the data directory of the control plane with --data, or its token with --token"),
            401 | 403 => Failure::environment(format!("{}: {}", self.base, refused.message)).hint(format!(
                "the token came from {}; is it this control plane's?",
                if self.given {
                    "--token or AI_MESH_TOKEN".to_owned()
                } else {
                    token_file.display().to_string()
                }
            )),
            400 | 422 if !refused.diagnostics.is_empty() => {
                let lines: Vec<_> = refused.diagnostics.iter().map(ToString::to_string).collect();
                let said = lines.join("\n");
                // Where it is printed, `error: ` comes before it.
                let said = said.strip_prefix("error: ").unwrap_or(&said);
                Failure::failed(said).exit(Exit::Policy)
            }
            _ => Failure::failed(refused.message),
        }
    }
}

impl Refused {
    /// Reads the control plane's error object.
    fn read(status: u16, answer: &Value) -> Self {
        let error = answer.get("error").unwrap_or(answer);
        let message = error["message"].as_str().or_else(|| error.as_str());
        let diagnostics = serde_json::from_value(error["diagnostics"].clone()).unwrap_or_default();
        let message =
            message.map_or_else(|| format!("the control plane answered with status {status}"), str::to_owned);
        Self { status, message, diagnostics }
    }
}

/// Server-sent events as they arrive.
pub(crate) struct Events {
    lines: BufReader<Box<dyn std::io::Read>>,
}

/// One event.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Event {
    pub(crate) name: String,
    pub(crate) id: String,
    pub(crate) data: String,
}

impl Iterator for Events {
    type Item = Event;

    /// The next event with data; none once the stream has ended or has been silent too long.
    fn next(&mut self) -> Option<Event> {
        let mut event = Event::default();
        let mut line = String::new();
        loop {
            line.clear();
            if self.lines.read_line(&mut line).ok()? == 0 {
                return None;
            }
            let line = line.trim_end_matches(['\r', '\n']);
            if line.is_empty() {
                if !event.data.is_empty() {
                    return Some(event);
                }
                event = Event::default();
                continue;
            }
            let (name, value) = line.split_once(':').unwrap_or((line, ""));
            let value = value.strip_prefix(' ').unwrap_or(value);
            match name {
                "event" => value.clone_into(&mut event.name),
                "id" => value.clone_into(&mut event.id),
                "data" => {
                    if !event.data.is_empty() {
                        event.data.push('\n');
                    }
                    event.data.push_str(value);
                }
                _ => {}
            }
        }
    }
}

/// The token in a file; none when there is no such file.
pub(crate) fn read_token(path: &Path) -> Outcome<Option<String>> {
    match std::fs::read_to_string(path) {
        Ok(text) => Ok(Some(text.trim().to_owned()).filter(|token| !token.is_empty())),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(Failure::file("read", path, &error)),
    }
}

/// A name as part of a path (RFC 3986 § 2.3: everything else is escaped).
pub(crate) fn segment(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

/// `?a=b&c=d` of the values that are there.
pub(crate) fn query(pairs: &[(&str, Option<&str>)]) -> String {
    let pairs: Vec<_> =
        pairs.iter().filter_map(|(name, value)| Some(format!("{name}={}", segment((*value)?)))).collect();
    if pairs.is_empty() { String::new() } else { format!("?{}", pairs.join("&")) }
}

fn is_loopback(base: &str) -> bool {
    let host =
        base.parse::<http::Uri>().ok().and_then(|uri| uri.host().map(str::to_owned)).unwrap_or_default();
    let host = host.trim_matches(['[', ']']);
    host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

#[cfg(test)]
mod tests {
    use std::{io::Write, net::TcpListener};

    use super::*;

    #[test]
    fn names_are_escaped() {
        assert_eq!(segment("a b/ü"), "a%20b%2F%C3%BC");
        assert_eq!(
            query(&[("agent", Some("a&b")), ("since", None), ("limit", Some("2"))]),
            "?agent=a%26b&limit=2"
        );
        assert_eq!(query(&[("agent", None)]), "");
    }

    #[test]
    fn events_are_read_as_the_standard_says() {
        let text = ": hello\r\n\r\nid: 7\nevent: decision\ndata: {\"a\":\ndata: 1}\n\ndata:x\n\ndata: never finished";
        let events: Vec<_> = Events { lines: BufReader::new(Box::new(text.as_bytes())) }.collect();
        let event =
            |name: &str, id: &str, data: &str| Event { name: name.into(), id: id.into(), data: data.into() };
        assert_eq!(events, [event("decision", "7", "{\"a\":\n1}"), event("", "", "x")]);
    }

    #[test]
    fn an_answer_that_is_too_long_is_told_as_that() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        let server = std::thread::spawn(move || {
            for _ in 0..2 {
                let (mut stream, _) = listener.accept().unwrap();
                let mut head = BufReader::new(stream.try_clone().unwrap()).lines();
                while head.next().is_some_and(|line| !line.unwrap().is_empty()) {}
                let answer = "HTTP/1.1 200 OK\r\ncontent-length: 5\r\nconnection: close\r\n\r\nhello";
                stream.write_all(answer.as_bytes()).unwrap();
            }
        });
        let client = Client::to(&base, None, Path::new(".")).unwrap();
        let read = |most: u64| {
            let mut response = client.run("GET", "/", None, PATIENCE).unwrap();
            client.read(&mut response, most).map_err(|failure| failure.message)
        };
        assert_eq!(read(5), Ok("hello".to_owned()));
        assert_eq!(read(4), Err(format!("the answer of {base} has more than 4 bytes")));
        server.join().unwrap();
    }

    #[test]
    fn only_this_machine_goes_without_proxy() {
        for (base, expected) in [
            ("http://127.0.0.1:8090", true),
            ("http://[::1]:8090", true),
            ("http://localhost", true),
            ("https://mesh.example.com", false),
        ] {
            assert_eq!(is_loopback(base), expected, "{base}");
        }
    }
}
