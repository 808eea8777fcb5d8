//! The Envoy process: started, watched, started again when it dies, drained and stopped.
//!
//! Failure law: an Envoy that ends before it was ready is an error. One that ends later is started again, at once the
//! first time and after a growing pause when it keeps dying; meanwhile agents can't connect, so nothing passes
//! uninspected. When this program is killed, the kernel kills Envoy with it.

use std::{
    fs::{File, OpenOptions},
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{ExitStatus, Stdio},
    time::{Duration, Instant},
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use tokio::process::{Child, Command};

use super::admin::Admin;
use crate::{
    failure::{Failure, Outcome},
    output::say,
};

/// How long requests may go on once a stop was asked for.
const DRAIN: Duration = Duration::from_secs(5);
/// How long the last decision records may take to arrive: the filter sends them several times a second.
const LAST_RECORDS: Duration = Duration::from_millis(300);
/// How long Envoy may take to end.
const END: Duration = Duration::from_secs(5);
/// Longest pause before a new start.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);
/// An Envoy that ran for this long starts again without a pause.
const HEALTHY: Duration = Duration::from_secs(60);

/// How to start it.
#[derive(Clone, Debug)]
pub(crate) struct Launch {
    /// The program.
    pub(crate) program: PathBuf,
    /// Its bootstrap.
    pub(crate) bootstrap: PathBuf,
    /// Where its log goes.
    pub(crate) log: PathBuf,
    /// Worker threads.
    pub(crate) concurrency: u32,
    /// Its admin interface.
    pub(crate) admin: SocketAddr,
}

/// A running Envoy.
pub(crate) struct Envoy {
    launch: Launch,
    child: Child,
    started: Instant,
}

impl Envoy {
    /// Starts it. Must be called from the thread that lives as long as the program: the kernel ties the child to it.
    pub(crate) fn start(launch: Launch) -> Outcome<Self> {
        // One log a run, and the one before it.
        if launch.log.exists() {
            let _ = std::fs::rename(&launch.log, launch.log.with_extension("log.1"));
        }
        let child = spawn(&launch)?;
        Ok(Self { launch, child, started: Instant::now() })
    }

    /// Waits until `probe` says that it is ready; it is asked again and again.
    pub(crate) async fn until_ready<F: Future<Output = Outcome<bool>>>(
        &mut self,
        mut probe: impl FnMut() -> F,
    ) -> Outcome {
        loop {
            tokio::select! {
                status = self.child.wait() => return Err(self.ended_early(status.ok())),
                ready = probe() => if ready? { return Ok(()) },
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Starts it again whenever it ends. Returns only when it can't be started any more.
    pub(crate) async fn keep_running(&mut self) -> Failure {
        let mut pause = Duration::ZERO;
        loop {
            let status = self.child.wait().await.ok();
            if self.started.elapsed() > HEALTHY {
                pause = Duration::ZERO;
            }
            let again = if pause.is_zero() {
                "starting it again".to_owned()
            } else {
                format!("starting it again in {pause:?}")
            };
            say(format_args!(
                "Envoy ended ({}): {again}; its log is {}",
                ending(status),
                self.launch.log.display()
            ));
            tokio::time::sleep(pause).await;
            pause = (pause * 2).clamp(Duration::from_millis(500), LONGEST_PAUSE);
            match spawn(&self.launch) {
                Ok(child) => (self.child, self.started) = (child, Instant::now()),
                Err(failure) => return failure,
            }
        }
    }

    /// Lets the requests in it finish, then ends it. Cancelled, it is killed when dropped.
    pub(crate) async fn stop(mut self) {
        let admin = Admin::new(self.launch.admin);
        if admin.post("/drain_listeners").await.is_ok() {
            let deadline = Instant::now() + DRAIN;
            while Instant::now() < deadline && admin.active_requests().await.is_ok_and(|active| active > 0) {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
            tokio::time::sleep(LAST_RECORDS).await;
        }
        self.signal(Signal::SIGTERM);
        if tokio::time::timeout(END, self.child.wait()).await.is_err() {
            say(format_args!("Envoy did not end within {} s and is killed", END.as_secs()));
            let _ = self.child.kill().await;
        }
    }

    fn signal(&self, signal: Signal) {
        // No id: it has ended and been waited for.
        if let Some(pid) = self.child.id().and_then(|id| i32::try_from(id).ok()) {
            let _ = kill(Pid::from_raw(pid), signal);
        }
    }

    fn ended_early(&self, status: Option<ExitStatus>) -> Failure {
        let log = tail(&self.launch.log, 8);
        let ended = format!("Envoy ended before it was ready ({})", ending(status));
        if log.is_empty() {
            let program = self.launch.program.display();
            return Failure::environment(format!("{ended}, and said nothing"))
                .hint(format!("is {program} an Envoy 1.40? --envoy names the one to start"));
        }
        Failure::environment(format!("{ended}:\n{log}"))
            .hint(format!("all it said is in {}", self.launch.log.display()))
    }
}

fn spawn(launch: &Launch) -> Outcome<Child> {
    let open = || OpenOptions::new().create(true).append(true).open(&launch.log);
    let log = open().map_err(|error| Failure::file("write", &launch.log, &error))?;
    let copy = log.try_clone().map_err(|error| Failure::file("write", &launch.log, &error))?;
    let mut command = Command::new(&launch.program);
    command
        .arg("--config-path")
        .arg(&launch.bootstrap)
        .args(["--concurrency", &launch.concurrency.to_string()])
        // Hot restart would share memory between the Envoys of one machine, which know nothing of each other.
        .args(["--disable-hot-restart", "--log-level", "warning", "--component-log-level", "wasm:info"])
        .stdin(Stdio::null())
        .stdout(log)
        .stderr(copy)
        .kill_on_drop(true);
    dies_with_us(&mut command);
    command
        .spawn()
        .map_err(|error| Failure::environment(format!("can't start {}: {error}", launch.program.display())))
}

/// Has the kernel kill the child when we are gone, however we went.
#[cfg(target_os = "linux")]
fn dies_with_us(command: &mut Command) {
    let parent = nix::unistd::getpid();
    let tie = move || {
        nix::sys::prctl::set_pdeathsig(Signal::SIGKILL)?;
        // We may have died before the tie was made.
        if nix::unistd::getppid() == parent {
            Ok(())
        } else {
            Err(std::io::Error::from_raw_os_error(nix::libc::ESRCH))
        }
    };
    #[expect(
        unsafe_code,
        reason = "between fork and exec only async-signal-safe calls: prctl(2) and getppid(2)"
    )]
    unsafe {
        command.pre_exec(tie);
    }
}

#[cfg(not(target_os = "linux"))]
fn dies_with_us(_command: &mut Command) {}

fn ending(status: Option<ExitStatus>) -> String {
    status.map_or_else(|| "for reasons unknown".to_owned(), |status| status.to_string())
}

/// The last lines of a log, indented.
fn tail(log: &Path, lines: usize) -> String {
    let read = |mut file: File| {
        use std::io::{Read, Seek, SeekFrom};
        let _ = file.seek(SeekFrom::End(-16_384));
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).map(|_| String::from_utf8_lossy(&bytes).into_owned())
    };
    let text = File::open(log).and_then(read).unwrap_or_default();
    let all: Vec<_> = text.lines().collect();
    let last = &all[all.len().saturating_sub(lines)..];
    last.iter().map(|line| format!("  {}", crate::output::printable(line))).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    // The programs are files of the tree: one that a test wrote could be held open for writing by the child of another
    // test between its fork and its exec, and the kernel runs no such file (ETXTBSY).
    fn launch(folder: &Path, program: &str) -> Launch {
        let file = |end: &str| folder.join(format!("{program}.{end}"));
        Launch {
            program: Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("src/up/testdata/{program}.sh")),
            bootstrap: file("yaml"),
            log: file("log"),
            concurrency: 1,
            admin: SocketAddr::from(([127, 0, 0, 1], 1)),
        }
    }

    #[tokio::test]
    async fn an_end_before_ready_shows_the_log() {
        let folder = tempfile::tempdir().unwrap();
        let mut envoy = Envoy::start(launch(folder.path(), "ends-early")).unwrap();
        let failure = envoy.until_ready(|| std::future::ready(Ok(false))).await.unwrap_err().to_string();
        assert!(failure.contains("exit status: 1") && failure.contains("  the port is taken"), "{failure}");
    }

    #[tokio::test]
    async fn a_death_is_followed_by_a_new_start() {
        let folder = tempfile::tempdir().unwrap();
        let launch = launch(folder.path(), "runs");
        let log = launch.log.clone();
        let mut envoy = Envoy::start(launch).unwrap();
        let starts = || std::fs::read_to_string(&log).unwrap_or_default().matches("started").count();
        envoy.until_ready(|| std::future::ready(Ok(starts() == 1))).await.unwrap();
        envoy.signal(Signal::SIGKILL);
        let again = async {
            while starts() < 2 {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        tokio::select! {
            failure = envoy.keep_running() => panic!("{failure}"),
            () = again => {}
        }
        envoy.stop().await;
    }
}
