//! Servers for tests: named by the environment, else private ones of this test process.
//!
//! A private server is a child of a shell that reads our end of a pipe: when this process ends, however it does, the pipe
//! closes, and the shell stops the server and removes its folder.
use std::net::{TcpListener, TcpStream};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, OnceLock};
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// URL of a Postgres server and a database that can be connected to.
pub(crate) fn postgres() -> String {
    static URL: OnceLock<String> = OnceLock::new();
    URL.get_or_init(|| std::env::var("AI_MESH_TEST_POSTGRES").unwrap_or_else(|_| start_postgres())).clone()
}

/// URL of a Redis server.
pub(crate) fn redis() -> String {
    static URL: OnceLock<String> = OnceLock::new();
    URL.get_or_init(|| std::env::var("AI_MESH_TEST_REDIS").unwrap_or_else(|_| start_redis())).clone()
}

fn start_postgres() -> String {
    let bin = postgres_bin().expect(
        "the Postgres tests need a server: set AI_MESH_TEST_POSTGRES=postgres://USER:PASSWORD@HOST/NAME, or install \
         Postgres (Debian: apt install postgresql)",
    );
    let folder = scratch("postgres");
    // Postgres does not run as root; its own user exists where it was installed as a package.
    let user = is_root().then(postgres_user);
    if let Some((uid, gid)) = user {
        std::os::unix::fs::chown(folder.path(), Some(uid), Some(gid))
            .expect("a folder for the user postgres");
    }
    let data = folder.path().join("data");
    let mut initdb = Command::new(bin.join("initdb"));
    initdb.args(["--auth=trust", "--username=mesh", "--encoding=UTF8", "--no-sync", "-D"]).arg(&data);
    run_as(&mut initdb, user).current_dir(folder.path());
    let made = initdb.output().expect("initdb runs");
    assert!(made.status.success(), "initdb: {}", String::from_utf8_lossy(&made.stderr));
    let port = mesh_ports::free_port();
    let server = format!(
        "'{}' -D '{}' -k '{}' -p {port} -c listen_addresses=127.0.0.1 -c fsync=off -c max_connections=300",
        bin.join("postgres").display(),
        data.display(),
        folder.path().display(),
    );
    keep_alive(&server, folder, user);
    wait_for(port, "Postgres");
    format!("postgres://mesh@127.0.0.1:{port}/postgres")
}

/// URL of a cluster of three Redis servers of this test process.
pub(crate) async fn redis_cluster() -> String {
    static NODES: tokio::sync::OnceCell<Vec<u16>> = tokio::sync::OnceCell::const_new();
    let ports = NODES.get_or_init(start_cluster).await;
    let nodes: Vec<String> = ports.iter().map(|port| format!("127.0.0.1:{port}")).collect();
    format!("redis-cluster://{}", nodes.join(","))
}

async fn start_cluster() -> Vec<u16> {
    let redis = redis_program();
    let ports: Vec<u16> = (0..3).map(|_| cluster_port()).collect();
    for port in &ports {
        let folder = scratch("redis-cluster");
        let server = format!(
            "'{}' --bind 127.0.0.1 --port {port} --cluster-enabled yes --cluster-node-timeout 2000 --save '' --appendonly no \
             --dir '{}'",
            redis.display(),
            folder.path().display()
        );
        keep_alive(&server, folder, None);
        wait_for(*port, "Redis");
    }
    // Every server has its part of the slots, and meets the first.
    for (number, port) in ports.iter().enumerate() {
        let client = redis::Client::open(format!("redis://127.0.0.1:{port}")).expect("an address");
        let mut connection = client.get_multiplexed_async_connection().await.expect("Redis answers");
        let (first, last) = (number * 16_384 / 3, (number + 1) * 16_384 / 3 - 1);
        let mut slots = redis::cmd("CLUSTER");
        slots.arg("ADDSLOTSRANGE").arg(first).arg(last);
        slots.exec_async(&mut connection).await.expect("slots are taken");
        let mut meet = redis::cmd("CLUSTER");
        meet.arg("MEET").arg("127.0.0.1").arg(ports[0]);
        meet.exec_async(&mut connection).await.expect("the servers meet");
    }
    let end = Instant::now() + Duration::from_secs(60);
    for port in &ports {
        let client = redis::Client::open(format!("redis://127.0.0.1:{port}")).expect("an address");
        let mut connection = client.get_multiplexed_async_connection().await.expect("Redis answers");
        loop {
            let info: String =
                redis::cmd("CLUSTER").arg("INFO").query_async(&mut connection).await.expect("an answer");
            if info.contains("cluster_state:ok") && info.contains("cluster_size:3") {
                break;
            }
            assert!(Instant::now() < end, "the cluster does not come up: {info}");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }
    ports
}

/// A port whose neighbour 10,000 above, where the servers of a cluster talk, can be one too.
fn cluster_port() -> u16 {
    loop {
        let port = mesh_ports::free_port();
        if TcpListener::bind(("127.0.0.1", port + 10_000)).is_ok() {
            return port;
        }
    }
}

fn redis_program() -> PathBuf {
    let found = ["/usr/bin", "/usr/local/bin", "/opt/homebrew/bin"]
        .iter()
        .map(|folder| Path::new(folder).join("redis-server"))
        .chain(on_path("redis-server"))
        .find(|path| path.is_file());
    found.expect(
        "the Redis tests need a server: set AI_MESH_TEST_REDIS=redis://HOST:PORT, or install Redis \
         (Debian: apt install redis-server)",
    )
}

fn start_redis() -> String {
    let redis = redis_program();
    let folder = scratch("redis");
    let port = mesh_ports::free_port();
    let server = format!(
        "'{}' --bind 127.0.0.1 --port {port} --save '' --appendonly no --dir '{}'",
        redis.display(),
        folder.path().display()
    );
    keep_alive(&server, folder, None);
    wait_for(port, "Redis");
    format!("redis://127.0.0.1:{port}")
}

/// Runs the server until this process ends, and then removes its folder.
fn keep_alive(server: &str, folder: TempDir, user: Option<(u32, u32)>) {
    let script = format!(
        "{server} </dev/null & server=$!; cat >/dev/null; kill -INT $server; wait $server; rm -rf '{}'",
        folder.path().display()
    );
    let mut shell = Command::new("sh");
    shell.arg("-c").arg(script).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
    // A group of its own: Ctrl-C is for the tests, the closed pipe for the server.
    run_as(&mut shell, user).process_group(0).current_dir(folder.path());
    // Our end of the pipe stays open until this process ends.
    static KEPT: Mutex<Vec<Child>> = Mutex::new(Vec::new());
    KEPT.lock().expect("no test has panicked here").push(shell.spawn().expect("sh runs"));
    // The shell removes it.
    let _ = folder.keep();
}

fn run_as(command: &mut Command, user: Option<(u32, u32)>) -> &mut Command {
    match user {
        Some((uid, gid)) => command.uid(uid).gid(gid),
        None => command,
    }
}

fn postgres_bin() -> Option<PathBuf> {
    if let Some(found) = on_path("initdb").find(|path| path.is_file()) {
        return found.parent().map(Path::to_owned);
    }
    let mut installed: Vec<PathBuf> = std::fs::read_dir("/usr/lib/postgresql")
        .ok()?
        .filter_map(|entry| Some(entry.ok()?.path().join("bin")))
        .filter(|bin| bin.join("initdb").is_file())
        .collect();
    installed.sort();
    installed.pop()
}

fn on_path(program: &'static str) -> impl Iterator<Item = PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).map(|folder| folder.join(program)).collect::<Vec<_>>().into_iter()
}

fn is_root() -> bool {
    id(&["-u"]) == 0
}

fn postgres_user() -> (u32, u32) {
    (id(&["-u", "postgres"]), id(&["-g", "postgres"]))
}

fn id(arguments: &[&str]) -> u32 {
    let output = Command::new("id").args(arguments).output().expect("id runs");
    let text = String::from_utf8_lossy(&output.stdout);
    text.trim()
        .parse()
        .expect("Postgres does not run as root: run the tests as another user, or add a user `postgres`")
}

fn scratch(what: &str) -> TempDir {
    let prefix = format!("ai-mesh-{what}-");
    tempfile::Builder::new().prefix(&prefix).tempdir().expect("a folder for the server")
}

fn wait_for(port: u16, what: &str) {
    let end = Instant::now() + Duration::from_secs(60);
    while TcpStream::connect(("127.0.0.1", port)).is_err() {
        assert!(Instant::now() < end, "{what} was started and does not answer");
        std::thread::sleep(Duration::from_millis(20));
    }
}
