//! `ai-mesh` as a process, with ports and a data folder of its own.

use std::fs;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use mesh_ports::{child_of, free_address};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tempfile::TempDir;

use super::set::{self, Size};
use crate::client::Client;
use crate::envoy::temporary_folder;

/// A running `ai-mesh up` or `serve`; it ends with the value.
pub(super) struct Process {
    child: Child,
    data: TempDir,
    pub(super) sidecar: SocketAddr,
    pub(super) api: SocketAddr,
    pub(super) grpc: SocketAddr,
    /// How long it took until it was ready.
    pub(super) started: Duration,
}

/// Starts it with a set of policies and agents in force.
pub(super) fn with_documents(name: &str, size: Size) -> Result<Process, String> {
    let folder = temporary_folder()?;
    write(folder.path(), &set::documents(size)?)?;
    // The documents are read at the start; nobody needs them afterwards.
    Process::start(name, &["--policy", &folder.path().to_string_lossy()])
}

impl Process {
    /// Starts it; `name` is the command, `more` are further flags.
    pub(super) fn start(name: &str, more: &[&str]) -> Result<Self, String> {
        let [sidecar, admin, api, grpc] = std::array::from_fn(|_| free_address());
        let data = temporary_folder()?;
        let began = Instant::now();
        let port = |address: SocketAddr| address.port().to_string();
        let mut command = Command::new(crate::envoy::tool("AI_MESH_BIN")?);
        command
            .arg(name)
            .args(["--port", &port(sidecar), "--api-port", &port(api), "--grpc-port", &port(grpc)])
            .arg("--data")
            .arg(data.path())
            .args(more)
            .stdin(Stdio::null())
            .stdout(Stdio::piped());
        if name == "up" {
            command.args(["--admin-port", &port(admin), "--concurrency", "1"]);
        } else {
            command.args(["--log", "warn"]);
        }
        let mut child = command.spawn().map_err(|error| format!("cannot start ai-mesh: {error}"))?;
        let lines = child.stdout.take().map(|pipe| BufReader::new(pipe).lines());
        let mut process = Process { child, data, sidecar, api, grpc, started: Duration::ZERO };
        let ready = lines.into_iter().flatten().map_while(Result::ok).any(|line| line.starts_with("ready"));
        if !ready {
            return Err(format!("`ai-mesh {name}` ended before it was ready"));
        }
        process.started = began.elapsed();
        Ok(process)
    }

    /// A token of the data folder.
    pub(super) fn token(&self, name: &str) -> Result<String, String> {
        let path = self.data.path().join(name);
        let text =
            fs::read_to_string(&path).map_err(|error| format!("cannot read {}: {error}", path.display()))?;
        Ok(text.trim().to_owned())
    }

    /// Puts a document in force through the API.
    pub(super) fn put(&self, path: &str, document: &serde_json::Value) -> Result<(), String> {
        let (token, body) = (self.token("admin-token")?, document.to_string());
        let request = format!(
            "PUT {path} HTTP/1.1\r\nhost: bench\r\nauthorization: Bearer {token}\r\ncontent-type: application/json\r\n\
             content-length: {}\r\n\r\n{body}",
            body.len()
        );
        let answer = Client::sending(self.api, request.into_bytes())?.observe()?;
        if answer.status >= 300 {
            return Err(format!(
                "{path} was answered with {}: {}",
                answer.status,
                String::from_utf8_lossy(&answer.body)
            ));
        }
        Ok(())
    }

    /// The metrics as text.
    pub(super) fn metrics(&self) -> Result<String, String> {
        let request = b"GET /metrics HTTP/1.1\r\nhost: bench\r\n\r\n".to_vec();
        let answer = Client::sending(self.api, request)?.observe()?;
        Ok(String::from_utf8_lossy(&answer.body).into_owned())
    }

    pub(super) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Memory of the Envoy that `up` has started, in bytes.
    pub(super) fn envoy_resident(&self) -> Result<u64, String> {
        child_of(self.child.id()).ok_or_else(|| "Envoy is not found".to_owned()).and_then(resident)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Asked to stop, it stops its Envoy too.
        let asked = i32::try_from(self.child.id()).map(|id| kill(Pid::from_raw(id), Signal::SIGTERM));
        let deadline = Instant::now() + Duration::from_secs(10);
        while asked.is_ok() && Instant::now() < deadline && matches!(self.child.try_wait(), Ok(None)) {
            std::thread::sleep(Duration::from_millis(20));
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub(super) use crate::envoy::cpu;

/// Memory of a process that is in RAM, in bytes.
pub(super) fn resident(process: u32) -> Result<u64, String> {
    let path = format!("/proc/{process}/status");
    let text = fs::read_to_string(&path).map_err(|error| format!("cannot read {path}: {error}"))?;
    let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib =
        line.and_then(|line| line.trim().strip_suffix("kB")).and_then(|kib| kib.trim().parse::<u64>().ok());
    kib.map(|kib| kib * 1024).ok_or_else(|| format!("{path} is not as expected"))
}

/// Writes each document to a file of its own.
fn write(folder: &Path, documents: &[(String, serde_json::Value)]) -> Result<(), String> {
    let failed = |error: std::io::Error| format!("cannot write {}: {error}", folder.display());
    for (name, document) in documents {
        fs::write(folder.join(format!("{name}.json")), document.to_string()).map_err(failed)?;
    }
    Ok(())
}
