//! A private Postgres.

use std::fs::File;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use super::account::Account;
use super::{Scratch, stop, wait_for_port};
use nix::sys::signal::Signal;

use crate::failure::{Doing, Failure, Outcome};

/// A running server; dropping it ends the server and removes its data.
pub(crate) struct Postgres {
    child: Child,
    port: u16,
    _scratch: Scratch,
}

impl Postgres {
    /// Makes a new cluster with the `initdb` and `postgres` of this folder, and starts it on a free port of loopback.
    pub(crate) fn start(programs: &Path) -> Outcome<Self> {
        let scratch = Scratch::new("postgres")?;
        let account = Account::for_servers()?;
        if let Some(account) = account {
            account.own(scratch.path())?;
        }
        let data = scratch.path().join("data");
        let log = scratch.path().join("log");
        let prepare = |program: &str| {
            let mut command = Command::new(programs.join(program));
            command.current_dir(scratch.path()).stdin(Stdio::null());
            if let Some(account) = account {
                account.become_for(&mut command);
            }
            command
        };

        // The tests do not need durability: without fsync a run takes seconds.
        let made = prepare("initdb")
            .args([
                "--username=postgres",
                "--auth=trust",
                "--encoding=UTF8",
                "--no-sync",
                "--no-instructions",
            ])
            .arg("--pgdata")
            .arg(&data)
            .output()
            .doing("start initdb")?;
        if !made.status.success() {
            let said = String::from_utf8_lossy(&made.stderr);
            return Err(Failure::new(format!("initdb failed ({}):\n{said}", made.status)));
        }

        let port = mesh_ports::free_port();
        let output = File::create(&log).doing(format_args!("write {}", log.display()))?;
        let errors = output.try_clone().doing(format_args!("write {}", log.display()))?;
        let mut child = prepare("postgres")
            .arg("-D")
            .arg(&data)
            .args(["-p", &port.to_string(), "-h", "127.0.0.1", "-F", "-N", "200", "-k"])
            .arg(scratch.path())
            .stdout(output)
            .stderr(errors)
            .spawn()
            .doing("start postgres")?;
        if let Err(failure) = wait_for_port("Postgres", &mut child, port, &log) {
            stop(&mut child, Signal::SIGINT);
            return Err(failure);
        }
        Ok(Self { child, port, _scratch: scratch })
    }

    /// Where it is, for a client.
    pub(crate) fn url(&self) -> String {
        format!("postgres://postgres@127.0.0.1:{}/postgres", self.port)
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        // SIGINT is Postgres's "fast shutdown": it does not wait for clients.
        stop(&mut self.child, Signal::SIGINT);
    }
}
