//! Private Postgres and Redis servers for the tests: own data, own free port, gone afterwards.
//!
//! A server lives as long as its value, also when a test fails; it is ended by its process id, never by name. Its data is in
//! a new folder under the system's temporary folder: where root runs this, Postgres runs as another user, who could not reach a
//! folder in root's home.

mod account;
mod postgres;
mod redis;

pub(crate) use postgres::Postgres;
pub(crate) use redis::Redis;

use std::fs;
use std::net::{Ipv4Addr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Child;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::failure::{Doing, Failure, Outcome};

/// How long a server may take to answer its port.
const PATIENCE: Duration = Duration::from_secs(60);

/// A folder that is removed with the value.
struct Scratch(PathBuf);

impl Scratch {
    /// A new empty folder for this server.
    fn new(server: &str) -> Outcome<Self> {
        let path = std::env::temp_dir().join(format!("ai-mesh-{server}-{}", std::process::id()));
        // Left by a killed run that had the same process id.
        let _ = fs::remove_dir_all(&path);
        fs::create_dir(&path).doing(format_args!("make the folder {}", path.display()))?;
        Ok(Self(path))
    }

    fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // If this fails, a few megabytes stay in the temporary folder and harm nothing.
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Waits until the server answers its port, or fails with the end of its log.
fn wait_for_port(name: &str, child: &mut Child, port: u16, log: &Path) -> Outcome {
    let started = Instant::now();
    loop {
        if TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_ok() {
            return Ok(());
        }
        let ended = child.try_wait().doing(format_args!("look after {name}"))?;
        if ended.is_some() || started.elapsed() > PATIENCE {
            let text = fs::read_to_string(log).unwrap_or_default();
            return Err(Failure::new(format!("{name} did not start; it said:\n{text}")));
        }
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// Asks the process to end with this signal and waits for it; kills it when it takes too long.
fn stop(child: &mut Child, signal: Signal) {
    let _ = i32::try_from(child.id()).map(|id| kill(Pid::from_raw(id), signal));
    let started = Instant::now();
    while started.elapsed() < Duration::from_secs(10) {
        if !matches!(child.try_wait(), Ok(None)) {
            return;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    let _ = child.kill();
    let _ = child.wait();
}
