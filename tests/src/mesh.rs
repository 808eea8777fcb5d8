//! A running mesh: `ai-mesh up`, or `serve` and `sidecar` apart, on ports of its own.
use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use mesh_ports::{free_address, free_port};
use nix::sys::signal::Signal;
use nix::unistd::Pid;
use serde_json::Value;
use tempfile::TempDir;

use crate::{Answer, Request, Upstream, exchange};

/// A file that `cargo xtask test` has built or found, by its environment variable.
pub fn tool(variable: &str) -> PathBuf {
    let path = std::env::var_os(variable).map(PathBuf::from).filter(|path| path.exists());
    path.unwrap_or_else(|| panic!("{variable} does not name a file: run these tests with `cargo xtask test`"))
}

/// Sends a signal to a process that the test started.
pub fn signal(process: u32, signal: Signal) {
    let id = i32::try_from(process).expect("a process id");
    nix::sys::signal::kill(Pid::from_raw(id), signal).expect("the process is there");
}

/// A process of the mesh. It is stopped when dropped.
pub struct Part {
    child: Child,
    name: &'static str,
    said: Arc<Mutex<String>>,
}

impl Part {
    /// Starts a process and waits for its `ready` line.
    pub fn start(name: &'static str, command: &mut Command) -> Self {
        let child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
        let mut child = child.unwrap_or_else(|error| panic!("{name} does not start: {error}"));
        let stdout = child.stdout.take().expect("a pipe");
        let stderr = child.stderr.take().expect("a pipe");
        let (tell, told) = std::sync::mpsc::channel();
        let everything = Arc::new(Mutex::new(String::new()));
        let keep = |everything: &Mutex<String>, line: &str| {
            let mut all = everything.lock().unwrap_or_else(PoisonError::into_inner);
            all.push_str(line);
            all.push('\n');
        };
        let all = everything.clone();
        std::thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                keep(&all, &line);
                let _ = tell.send(line);
            }
        });
        let (said, errors) = std::sync::mpsc::channel();
        let all = everything.clone();
        std::thread::spawn(move || {
            for line in BufReader::new(stderr).lines().map_while(Result::ok) {
                eprintln!("[{name}] {line}");
                keep(&all, &line);
                let _ = said.send(line);
            }
        });
        let mut part = Part { child, name, said: everything };
        let deadline = Instant::now() + Duration::from_secs(60);
        while Instant::now() < deadline {
            match told.recv_timeout(Duration::from_millis(100)) {
                Ok(line) if line.starts_with("ready") => return part,
                Ok(_) => {}
                Err(_) if part.child.try_wait().ok().flatten().is_some() => break,
                Err(_) => {}
            }
        }
        part.kill();
        let errors: Vec<String> = errors.try_iter().collect();
        panic!("{name} was not ready within 60 seconds: {}", errors.join("\n"));
    }

    /// Ends the process at once (SIGKILL), as a crash would.
    pub fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Asks the process to stop (SIGTERM) and waits for its exit code.
    pub fn stop(&mut self) -> Option<i32> {
        signal(self.child.id(), Signal::SIGTERM);
        let deadline = Instant::now() + Duration::from_secs(20);
        while Instant::now() < deadline {
            if let Ok(Some(status)) = self.child.try_wait() {
                return status.code();
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        panic!("{} did not stop within 20 seconds of SIGTERM", self.name)
    }

    /// All that the process has written to its output and its error output.
    pub fn said(&self) -> String {
        self.said.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        if self.child.try_wait().ok().flatten().is_none() {
            signal(self.child.id(), Signal::SIGTERM);
            let deadline = Instant::now() + Duration::from_secs(10);
            while Instant::now() < deadline && self.child.try_wait().ok().flatten().is_none() {
                std::thread::sleep(Duration::from_millis(20));
            }
            self.kill();
        }
    }
}

/// Ports and data directory of one mesh, and its upstream.
pub struct Mesh {
    /// Where agents send their traffic.
    pub sidecar: SocketAddr,
    /// Envoy's admin interface.
    pub admin: SocketAddr,
    /// The control plane's REST interface.
    pub api: SocketAddr,
    /// The control plane's gRPC interface.
    pub grpc: SocketAddr,
    data: TempDir,
    /// The upstream.
    pub upstream: Upstream,
    /// The running processes.
    pub parts: Vec<Part>,
    extra: Vec<String>,
}

impl Mesh {
    /// `ai-mesh up` with these policies (YAML) and further flags.
    pub fn up(policies: &str, extra: &[&str]) -> Self {
        let mut mesh = Mesh::prepare(policies, extra);
        let mut command = mesh.command("up");
        command.args(["--upstream", &mesh.upstream.url()]);
        mesh.parts.push(Part::start("up", &mut command));
        mesh
    }

    /// Ports, data directory and upstream; nothing of the mesh itself runs yet.
    pub fn prepare(policies: &str, extra: &[&str]) -> Self {
        let data = TempDir::with_prefix("ai-mesh-test-").expect("a data directory");
        let folder = data.path().join("policies");
        std::fs::create_dir(&folder).expect("a folder of policies");
        if !policies.is_empty() {
            std::fs::write(folder.join("test.yaml"), policies).expect("a policy file");
        }
        Mesh {
            sidecar: free_address(),
            admin: free_address(),
            api: free_address(),
            grpc: free_address(),
            data,
            upstream: Upstream::start(),
            parts: Vec::new(),
            extra: extra.iter().map(|flag| (*flag).to_owned()).collect(),
        }
    }

    /// The data directory.
    pub fn data(&self) -> &Path {
        self.data.path()
    }

    /// `ai-mesh VERB` with this mesh's ports and data directory.
    pub fn command(&self, verb: &str) -> Command {
        let mut command = Command::new(tool("AI_MESH_BIN"));
        command.arg(verb).args(["--data", &self.data().to_string_lossy()]);
        let flags: &[(&str, SocketAddr)] = match verb {
            "up" => &[
                ("--port", self.sidecar),
                ("--admin-port", self.admin),
                ("--api-port", self.api),
                ("--grpc-port", self.grpc),
            ],
            "serve" => &[("--port", self.sidecar), ("--api-port", self.api), ("--grpc-port", self.grpc)],
            "sidecar" => &[("--admin-port", self.admin)],
            _ => &[],
        };
        for (flag, address) in flags {
            command.args([*flag, &address.port().to_string()]);
        }
        match verb {
            "up" | "serve" => {
                let policies = self.data().join("policies");
                if policies.join("test.yaml").exists() {
                    command.arg("--policy").arg(policies);
                }
                command.args(&self.extra);
                if !self.extra.iter().any(|flag| flag == "--filter") {
                    command.arg("--filter").arg(tool("AI_MESH_FILTER"));
                }
            }
            _ => {}
        }
        if matches!(verb, "up" | "sidecar") {
            command.arg("--envoy").arg(tool("AI_MESH_ENVOY"));
        }
        if verb == "sidecar" {
            command.args([
                "--control-plane",
                &format!("localhost:{}", self.grpc.port()),
                "--port",
                &self.sidecar.port().to_string(),
            ]);
        }
        command
    }

    /// Starts the control plane alone.
    pub fn serve(&mut self) -> Part {
        let mut command = self.command("serve");
        command.args(["--upstream", &self.upstream.url()]);
        Part::start("serve", &mut command)
    }

    /// Starts an Envoy attached to the control plane.
    pub fn start_sidecar(&mut self) -> Part {
        self.start_sidecar_with(&[])
    }

    /// The same with further flags.
    pub fn start_sidecar_with(&mut self, flags: &[&str]) -> Part {
        Part::start("sidecar", self.command("sidecar").args(flags))
    }

    /// Sends a request through the sidecar.
    pub fn send(&self, request: &Request) -> Answer {
        exchange(self.sidecar, request)
    }

    /// Runs the command line tool against this mesh.
    pub fn cli(&self, arguments: &[&str]) -> Output {
        let mut command = Command::new(tool("AI_MESH_BIN"));
        command
            .args(arguments)
            .env("AI_MESH_API_URL", format!("http://{}", self.api))
            .env("AI_MESH_DATA", self.data())
            .stdin(Stdio::null());
        command.output().expect("the command line tool runs")
    }

    /// What the command line tool says to this, which it does.
    pub fn ran(&self, arguments: &[&str]) -> String {
        let output = self.cli(arguments);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{arguments:?}: {said}");
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    /// Applies a policy with the command line tool and waits until it is in force.
    pub fn apply(&self, policy: &str) -> Output {
        let file = self.data().join(format!("apply-{}.yaml", free_port()));
        std::fs::write(&file, policy).expect("a policy file");
        self.cli(&["policy", "apply", "-f", &file.to_string_lossy()])
    }

    /// Calls the REST interface with the administrator's token.
    pub fn api(&self, method: &str, path: &str, body: Option<&Value>) -> Answer {
        let mut request = match body {
            Some(body) => Request::post(path, body),
            None => Request::get(path),
        };
        request.method = method.to_owned();
        exchange(self.api, &request.header("authorization", &format!("Bearer {}", self.token())))
    }

    /// The administrator's token.
    pub fn token(&self) -> String {
        std::fs::read_to_string(self.data().join("admin-token")).unwrap_or_default().trim().to_owned()
    }

    /// The record of a decision; waits up to ten seconds for it to arrive.
    pub fn decision(&self, id: &str) -> Value {
        let deadline = Instant::now() + Duration::from_secs(10);
        loop {
            let answer = self.api("GET", &format!("/api/v1/decisions/{id}"), None);
            if answer.status == 200 {
                return answer.json();
            }
            assert!(
                Instant::now() < deadline,
                "no record of decision {id:?}: {} {}",
                answer.status,
                answer.text()
            );
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

impl Drop for Mesh {
    fn drop(&mut self) {
        self.parts.clear();
        if std::thread::panicking() {
            show_tail(&self.data().join("envoy.log"));
        }
    }
}

fn show_tail(log: &Path) {
    let mut text = String::new();
    if std::fs::File::open(log).and_then(|mut file| file.read_to_string(&mut text)).is_ok() {
        let lines: Vec<&str> = text.lines().collect();
        eprintln!(
            "--- the last lines of {}:\n{}",
            log.display(),
            lines[lines.len().saturating_sub(30)..].join("\n")
        );
    }
}
