//! Redis servers of a test's own, which it may kill, restart and replace, behind an address that stays.
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::free_port;

/// A server that writes everything down before it answers.
pub struct Redis {
    port: u16,
    folder: TempDir,
    child: Child,
}

impl Redis {
    /// Starts one.
    pub fn start() -> Self {
        let port = free_port();
        let folder = TempDir::with_prefix("ai-mesh-test-redis-").expect("a folder");
        let child = launch(port, folder.path());
        Redis { port, folder, child }
    }

    /// `HOST:PORT`.
    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// Ends it at once, as a crash would.
    pub fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Starts it again on what it has written.
    pub fn restart(&mut self) {
        self.child = launch(self.port, self.folder.path());
    }

    /// Makes it a replica, and waits until it has everything.
    pub fn follow(&self, primary: &Redis) {
        let end = Instant::now() + Duration::from_secs(30);
        loop {
            let said = self.command(&["INFO", "replication"]);
            if said.contains("master_link_status:up") {
                return;
            }
            assert!(Instant::now() < end, "the replica does not follow: {said}");
            // One that is still reading what it had written takes no command.
            if !said.contains("role:slave") {
                self.command(&["REPLICAOF", "127.0.0.1", &primary.port.to_string()]);
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// Makes a replica a primary.
    pub fn promote(&self) {
        self.command(&["REPLICAOF", "NO", "ONE"]);
    }

    /// Sends one command; what came back within a moment.
    fn command(&self, words: &[&str]) -> String {
        let mut socket = TcpStream::connect(self.address()).expect("Redis listens");
        socket.set_read_timeout(Some(Duration::from_millis(200))).expect("a timeout can be set");
        let mut request = format!("*{}\r\n", words.len());
        words.iter().for_each(|word| request.push_str(&format!("${}\r\n{word}\r\n", word.len())));
        socket.write_all(request.as_bytes()).expect("Redis reads");
        let (mut answer, mut buffer) = (Vec::new(), [0; 4096]);
        while let Ok(read) = socket.read(&mut buffer)
            && read > 0
        {
            answer.extend_from_slice(&buffer[..read]);
        }
        String::from_utf8_lossy(&answer).into_owned()
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        self.kill();
    }
}

fn launch(port: u16, folder: &std::path::Path) -> Child {
    let program = std::env::var_os("AI_MESH_REDIS_SERVER").unwrap_or_else(|| "redis-server".into());
    let child = Command::new(program)
        .args(["--port", &port.to_string(), "--bind", "127.0.0.1", "--save", "", "--appendonly", "yes"])
        .args(["--appendfsync", "always", "--repl-diskless-sync-delay", "0", "--dir"])
        .arg(folder)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .spawn();
    let child = child.expect("redis-server starts: run these tests with `cargo xtask test`");
    let end = Instant::now() + Duration::from_secs(30);
    while TcpStream::connect(("127.0.0.1", port)).is_err() {
        assert!(Instant::now() < end, "Redis does not listen");
        std::thread::sleep(Duration::from_millis(20));
    }
    child
}

/// An address that stays, whatever server answers behind it, if any.
pub struct Wire {
    /// The address.
    pub address: SocketAddr,
    /// Where it leads; none: nowhere. Connections to another place are cut.
    target: Arc<Mutex<Option<String>>>,
}

impl Wire {
    /// An address that leads to `HOST:PORT`.
    pub fn to(target: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("an address");
        let wire = Wire { address, target: Arc::new(Mutex::new(Some(target.to_owned()))) };
        let target = Arc::clone(&wire.target);
        std::thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                let now = read(&target);
                let Some(server) = now.as_ref().and_then(|to| TcpStream::connect(to).ok()) else { continue };
                for (from, to) in [
                    (client.try_clone().expect("a socket"), server.try_clone().expect("a socket")),
                    (server, client),
                ] {
                    let (target, now) = (Arc::clone(&target), now.clone());
                    std::thread::spawn(move || carry(from, to, || read(&target) == now));
                }
            }
        });
        wire
    }

    /// Leads to another server from now on, or nowhere.
    pub fn lead(&self, target: Option<&str>) {
        *self.target.lock().unwrap_or_else(PoisonError::into_inner) = target.map(str::to_owned);
    }
}

fn read(target: &Mutex<Option<String>>) -> Option<String> {
    target.lock().unwrap_or_else(PoisonError::into_inner).clone()
}

fn carry(mut from: TcpStream, mut to: TcpStream, stays: impl Fn() -> bool) {
    from.set_read_timeout(Some(Duration::from_millis(50))).expect("a timeout can be set");
    from.set_nodelay(true).expect("nodelay can be set");
    let mut buffer = [0; 4096];
    while stays() {
        match from.read(&mut buffer) {
            Ok(0) => break,
            Ok(read) if to.write_all(&buffer[..read]).is_err() => break,
            Ok(_) => {}
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {}
            Err(_) => break,
        }
    }
    let _ = to.shutdown(std::net::Shutdown::Both);
    let _ = from.shutdown(std::net::Shutdown::Both);
}
