//! A private Redis.

use std::fs::File;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use super::{Scratch, stop, wait_for_port};
use nix::sys::signal::Signal;

use crate::failure::{Doing, Outcome};

/// A running server; dropping it ends the server and removes its data.
pub(crate) struct Redis {
    child: Child,
    port: u16,
    _scratch: Scratch,
}

impl Redis {
    /// Starts this `redis-server` on a free port of loopback, keeping nothing on disk.
    pub(crate) fn start(program: &Path) -> Outcome<Self> {
        let scratch = Scratch::new("redis")?;
        let log = scratch.path().join("log");
        let output = File::create(&log).doing(format_args!("write {}", log.display()))?;
        let port = mesh_ports::free_port();
        let mut child = Command::new(program)
            .args(["--port", &port.to_string(), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"])
            .arg("--dir")
            .arg(scratch.path())
            .stdin(Stdio::null())
            .stdout(output)
            .spawn()
            .doing("start redis-server")?;
        if let Err(failure) = wait_for_port("Redis", &mut child, port, &log) {
            stop(&mut child, Signal::SIGTERM);
            return Err(failure);
        }
        Ok(Self { child, port, _scratch: scratch })
    }

    /// Where it is, for a client.
    pub(crate) fn url(&self) -> String {
        format!("redis://127.0.0.1:{}/", self.port)
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        stop(&mut self.child, Signal::SIGTERM);
    }
}
