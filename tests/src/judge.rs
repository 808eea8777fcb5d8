//! A classifier in the test's own process: it speaks the contract of `judge`, and says what it is told to.
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex, PoisonError};

use serde_json::{Value, json};

/// What the judge does with a question.
#[derive(Clone, Debug, PartialEq)]
pub enum Says {
    /// Every text is an attack, with this score.
    Score(f64),
    /// This body, with this status.
    Body(u16, &'static str),
    /// Nothing, until it is told something else.
    Nothing,
}

/// A running judge. It stops with the test process.
pub struct Judge {
    address: SocketAddr,
    shared: Arc<Shared>,
}

struct Shared {
    says: Mutex<Says>,
    told: Condvar,
    asked: Mutex<Vec<Value>>,
}

impl Judge {
    /// Starts one on a free port of the loopback.
    pub fn start(says: Says) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("an address");
        let shared =
            Arc::new(Shared { says: Mutex::new(says), told: Condvar::new(), asked: Mutex::default() });
        let own = Arc::clone(&shared);
        std::thread::spawn(move || {
            for socket in listener.incoming().flatten() {
                let shared = Arc::clone(&own);
                std::thread::spawn(move || shared.serve(socket));
            }
        });
        Judge { address, shared }
    }

    /// Its URL.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Says this from now on, also to questions that still wait.
    pub fn says(&self, says: Says) {
        *self.shared.says.lock().unwrap_or_else(PoisonError::into_inner) = says;
        self.shared.told.notify_all();
    }

    /// The questions since the last look, oldest first.
    pub fn asked(&self) -> Vec<Value> {
        std::mem::take(&mut self.shared.asked.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Shared {
    fn serve(&self, socket: TcpStream) {
        let mut reader = BufReader::new(socket);
        while let Some(body) = read(&mut reader) {
            let question: Value = serde_json::from_slice(&body).unwrap_or_default();
            let texts = question["inputs"].as_array().map_or(0, Vec::len);
            self.asked.lock().unwrap_or_else(PoisonError::into_inner).push(question);
            let says = self.says.lock().unwrap_or_else(PoisonError::into_inner);
            let waits = |says: &mut Says| *says == Says::Nothing;
            let says = self.told.wait_while(says, waits).unwrap_or_else(PoisonError::into_inner).clone();
            let (status, body) = match says {
                Says::Score(score) => {
                    let classes = json!([
                        { "label": "INJECTION", "score": score },
                        { "label": "BENIGN", "score": 1.0 - score },
                    ]);
                    (200, Value::Array(vec![classes; texts]).to_string())
                }
                Says::Body(status, body) => (status, body.to_owned()),
                Says::Nothing => return,
            };
            let head = format!(
                "HTTP/1.1 {status} -\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
                body.len()
            );
            let socket = reader.get_mut();
            if socket.write_all(head.as_bytes()).and_then(|()| socket.write_all(body.as_bytes())).is_err() {
                return;
            }
        }
    }
}

/// The body of the next request; none when the other side has closed, or asks for something else.
fn read(reader: &mut BufReader<TcpStream>) -> Option<Vec<u8>> {
    let mut length = 0;
    let mut first = String::new();
    reader.read_line(&mut first).ok()?;
    if !first.starts_with("POST /predict ") {
        return None;
    }
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        let line = line.trim().to_ascii_lowercase();
        if line.is_empty() {
            break;
        }
        if let Some(value) = line.strip_prefix("content-length:") {
            length = value.trim().parse().ok()?;
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    Some(body)
}
