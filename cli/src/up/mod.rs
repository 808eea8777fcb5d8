//! `up`, `serve` and `sidecar`: the verbs that run until they are told to stop.
//!
//! Failure law: everything that can be looked at is looked at before anything is started (`Plan`). What fails later
//! stops what has been started, in the reverse order.

mod accepted;
mod admin;
mod data;
mod envoy;
mod log;
mod plan;
mod plane;
mod ports;
mod stop;
mod tools;
pub(crate) mod upstreams;

use std::{
    io::Write,
    net::SocketAddr,
    path::{Path, PathBuf},
    time::Duration,
};

use mesh_xds::Target;
use tokio::net::TcpStream;

use self::{
    admin::Admin,
    data::DataDir,
    envoy::Envoy,
    plan::{LOOPBACK, Plan},
    plane::Plane,
    stop::Stop,
};
use crate::{
    args::{self, Global},
    failure::{Failure, Outcome},
    output::{FAINT, STRONG, say, styled},
};

/// How long Envoy may take to accept its first policies: it compiles the filter once a worker.
const READY: Duration = Duration::from_secs(120);
/// When to say that a sidecar still waits.
const STILL: Duration = Duration::from_secs(10);

/// Starts everything, and runs until it is told to stop.
pub(crate) fn up(global: &Global, args: args::up::Up) -> Outcome {
    let plan = Plan::up(global, &args)?;
    log::listen(args.plane.log.as_deref(), "warn");
    runtime()?.block_on(async {
        let mut stop = Stop::listen()?;
        let mut plane = Plane::start(&plan).await?;
        let ended = match start_envoy(&plan, &args.envoy, &mut plane, &mut stop).await {
            Ok(Some(mut envoy)) => {
                ready(&plan.addresses(&plane));
                welcome(&plan, &plane);
                let ended = tokio::select! {
                    failure = envoy.keep_running() => Err(failure),
                    failure = plane.ended() => Err(failure),
                    () = stop.asked() => Ok(()),
                };
                stop.or_at_once(envoy.stop()).await;
                ended
            }
            Ok(None) => Ok(()),
            Err(failure) => Err(failure),
        };
        stop.or_at_once(plane.stop()).await;
        ended
    })
}

/// Starts the control plane alone.
pub(crate) fn serve(global: &Global, args: args::up::Serve) -> Outcome {
    let plan = Plan::serve(global, &args.plane)?;
    log::listen(args.plane.log.as_deref(), "info");
    runtime()?.block_on(async {
        let mut stop = Stop::listen()?;
        let mut plane = Plane::start(&plan).await?;
        ready(&plan.addresses(&plane));
        let ended = tokio::select! {
            failure = plane.ended() => Err(failure),
            () = stop.asked() => Ok(()),
        };
        stop.or_at_once(plane.stop()).await;
        ended
    })
}

/// Starts an Envoy that is attached to a running control plane.
pub(crate) fn sidecar(global: &Global, args: args::up::Sidecar) -> Outcome {
    let program = tools::envoy(args.envoy.envoy.as_deref())?;
    let data = DataDir::open(&global.data)?;
    let _lock = data.lock("sidecar")?;
    let [listener, admin] = ports::choose([
        ports::Wanted { what: "the sidecar", flag: "--port", address: LOOPBACK, port: args.port },
        ports::Wanted {
            what: "Envoy's admin interface",
            flag: "--admin-port",
            address: LOOPBACK,
            port: args.envoy.admin_port,
        },
    ])?;
    let token_file = token_file(args.token_file.as_deref(), &data)?;
    let node_id = args.envoy.node_id.clone().unwrap_or_else(|| data::node_id(admin.port()));
    let control_plane = args.control_plane.clone();
    let launch = data.launch(program, args.envoy.concurrency, node_id, admin, control_plane, &token_file)?;
    let asked = Admin::new(admin);
    let log = launch.log.clone();
    let keys = data::policy_keys_file(&token_file);
    runtime()?.block_on(async {
        let mut stop = Stop::listen()?;
        let mut envoy = Envoy::start(launch)?;
        let probe = || async {
            match asked.accepts_filter().await.unwrap_or_default() {
                // Envoy listens all the same, and answers every request with an error.
                Some(false) => Err(accepted::refused_filter(&log, &keys)),
                accepts => Ok(accepts.is_some() && listens(listener).await),
            }
        };
        let ended = tokio::select! {
            ready = envoy.until_ready(probe) => ready.map(|()| true),
            never = say_what_is_awaited(&args.control_plane, &token_file, listener.port(), &log, &asked) => never,
            () = stop.asked() => Ok(false),
        };
        let ended = match ended {
            Ok(true) => {
                ready(&[("sidecar", format!("http://{listener}")), ("admin", format!("http://{admin}"))]);
                tokio::select! {
                    failure = envoy.keep_running() => Err(failure),
                    () = stop.asked() => Ok(()),
                }
            }
            Ok(false) => Ok(()),
            Err(failure) => Err(failure),
        };
        stop.or_at_once(envoy.stop()).await;
        ended
    })
}

/// The file with the token that the control plane asks for.
fn token_file(named: Option<&Path>, data: &DataDir) -> Outcome<PathBuf> {
    let file = match named {
        Some(file) => std::path::absolute(file).map_err(|error| Failure::file("find", file, &error))?,
        None => data.sidecar_token(),
    };
    if crate::http::read_token(&file)?.is_none() {
        return Err(Failure::environment(format!("there is no token in {}", file.display()))
            .hint("the control plane writes it to <data>/sidecar-token: copy it here, and name it with --token-file"));
    }
    Ok(file)
}

/// Says now and then what a sidecar waits for that is not ready yet.
async fn say_what_is_awaited(plane: &Target, token_file: &Path, port: u16, log: &Path, envoy: &Admin) -> ! {
    loop {
        tokio::time::sleep(STILL).await;
        if accepted::token_refused(log) {
            say(format_args!(
                "the control plane at {plane} refuses the token in {}: it has to be what the control plane's sidecar-token holds",
                token_file.display()
            ));
        } else if let Some(address) = envoy.listener().await.filter(|address| address.port() != port) {
            say(format_args!(
                "the control plane at {plane} has its sidecars listen on {address}, and --port is {port}: give both the same"
            ));
        } else {
            say(format_args!("still waiting for the control plane at {plane} to have port {port} opened"));
        }
    }
}

/// Starts Envoy and waits until it runs them; none when a stop was asked for meanwhile.
async fn start_envoy(
    plan: &Plan,
    flags: &args::up::Envoy,
    plane: &mut Plane,
    stop: &mut Stop,
) -> Outcome<Option<Envoy>> {
    let launch = plan.launch(flags, plane)?;
    let mut envoy = Envoy::start(launch)?;
    let started = tokio::time::Instant::now();
    let client = plane.client(plan)?;
    let probe = || async {
        if started.elapsed() > READY {
            return Err(Failure::failed(format!("Envoy accepted no policy within {} s", READY.as_secs()))
                .hint(format!("what it says is in {}", plan.data.envoy_log().display())));
        }
        Ok(accepted::accepted(&client, &plan.node_id).await? && listens(plan.listener).await)
    };
    tokio::select! {
        ready = envoy.until_ready(probe) => ready.map(|()| Some(envoy)),
        failure = plane.ended() => Err(failure),
        () = stop.asked() => Ok(None),
    }
}

async fn listens(address: SocketAddr) -> bool {
    TcpStream::connect(address).await.is_ok()
}

/// The one line on standard output.
fn ready(addresses: &[(&'static str, String)]) {
    let words: Vec<_> = addresses.iter().map(|(name, address)| format!("{name}={address}")).collect();
    let mut out = std::io::stdout().lock();
    // Whoever started us may not read it.
    let _ = writeln!(out, "ready {}", words.join(" ")).and_then(|()| out.flush());
}

/// What to do next, for a person.
fn welcome(plan: &Plan, plane: &Plane) {
    let sidecar = plan.listener;
    let upstream = match plane.mock() {
        Some(mock) => format!("the mock provider at http://{mock}"),
        None => plan.upstreams().iter().map(ToString::to_string).collect::<Vec<_>>().join(", "),
    };
    say(format_args!(
        "\n{}\n  OpenAI     base_url=\"http://{sidecar}/v1\"\n  Anthropic  base_url=\"http://{sidecar}\"\n  MCP        http://{sidecar}/mcp\n  upstream   {upstream}\n\n{}",
        styled(STRONG, "Point your clients at the mesh:"),
        styled(FAINT, "See what is decided: ai-mesh decisions tail      Stop: Ctrl-C"),
    ));
}

fn runtime() -> Outcome<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::environment(format!("can't start threads: {error}")))
}
