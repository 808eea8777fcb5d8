//! A real Envoy with our bootstrap, and an xDS server for it that asks for the token.
use std::{
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use mesh_ports::free_address;
use mesh_xds::{Ads, BootstrapParams, ClientStatus, Kind, SidecarSpec, Snapshot, TypeStatus, Upstream};
use tempfile::TempDir;
use tonic::{Request, Status, service::InterceptorLayer, transport::Server};

use crate::wasm;

/// How long anything may take before the test gives up, in seconds. Nothing here waits that long when all is well.
const PATIENCE: u64 = 60;

const TOKEN: &str = "a-token-of-the-tests";

/// An Envoy and its control plane; both end with it.
pub(crate) struct Mesh {
    pub(crate) ads: Ads,
    pub(crate) sidecar: SocketAddr,
    pub(crate) spec: SidecarSpec,
    /// Requests that came without the token.
    pub(crate) refused: Arc<AtomicUsize>,
    pub(crate) folder: TempDir,
    control_plane: SocketAddr,
    server: Serving,
    envoy: Child,
}

impl Mesh {
    /// Starts both. Nothing is in force yet.
    pub(crate) async fn start(name: &str, sotw: bool, upstreams: &[(&str, String)]) -> Mesh {
        Mesh::start_with_token(name, sotw, upstreams, TOKEN).await
    }

    /// Starts both, Envoy with another token.
    pub(crate) async fn start_with_token(
        name: &str,
        sotw: bool,
        upstreams: &[(&str, String)],
        token: &str,
    ) -> Mesh {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path();
        fs::write(path.join("filter.wasm"), wasm::module()).unwrap();
        fs::write(path.join("token"), token).unwrap();
        let (ads, refused) = (Ads::new(), Arc::new(AtomicUsize::new(0)));
        let control_plane = free_address();
        let server = serve(&ads, control_plane, &refused).await;
        let bootstrap = mesh_xds::bootstrap(&BootstrapParams {
            node_id: name.to_owned(),
            admin: free_address(),
            control_plane: control_plane.into(),
            token_file: path.join("token"),
            policy_keys: String::new(),
            concurrency: 1,
        });
        // Our own sidecars speak the incremental variant.
        let bootstrap = if sotw { bootstrap.replace("DELTA_GRPC", "GRPC") } else { bootstrap };
        fs::write(path.join("envoy.yaml"), bootstrap).unwrap();
        let sidecar = free_address();
        let spec = SidecarSpec {
            listener: sidecar,
            upstreams: upstreams.iter().map(|(p, url)| Upstream::parse(p, url).unwrap()).collect(),
            judge: None,
            rate_limits: None,
            filter_path: path.join("filter.wasm").display().to_string(),
            plugin_config: "{}".to_owned(),
            filter_subscribes: false,
            max_body_bytes: 1 << 20,
            ca_file: None,
        };
        let envoy = start_envoy(path);
        Mesh { ads, sidecar, spec, refused, folder, control_plane, server, envoy }
    }

    /// Puts the specification in force.
    pub(crate) fn publish(&self, version: &str) {
        let snapshot = self.snapshot(version);
        snapshot.prove().unwrap();
        self.ads.set_snapshot(snapshot).unwrap();
    }

    pub(crate) fn snapshot(&self, version: &str) -> Snapshot {
        mesh_xds::snapshot(&self.spec, version).unwrap()
    }

    /// Puts it in force and waits until Envoy has accepted all of it.
    pub(crate) async fn publish_accepted(&self, version: &str) {
        self.publish(version);
        self.until_accepted(version).await;
    }

    /// Waits until Envoy has accepted this version of everything it subscribed to.
    pub(crate) async fn until_accepted(&self, version: &str) {
        let client = self
            .until(|client| {
                let accepted = |kind| {
                    client.types.get(&kind).is_some_and(|t| t.acked_version.as_deref() == Some(version))
                };
                [Kind::Cluster, Kind::Listener, Kind::Route, Kind::Extension].into_iter().all(accepted)
            })
            .await;
        let refused: Vec<_> = client.types.iter().filter(|(_, status)| status.nacked.is_some()).collect();
        assert!(refused.is_empty(), "{refused:?}");
        // Envoy opens a listener a moment after it has accepted it.
        while tokio::net::TcpStream::connect(self.sidecar).await.is_err() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Waits for a state of the client.
    pub(crate) async fn until(&self, reached: impl Fn(&ClientStatus) -> bool) -> ClientStatus {
        for _ in 0..PATIENCE * 50 {
            if let Some(client) = self.ads.clients().into_iter().find(&reached) {
                return client;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        let log = fs::read_to_string(self.folder.path().join("envoy.log")).unwrap_or_default();
        let tail: Vec<&str> = log.lines().rev().take(30).collect();
        panic!("not reached: {:#?}\n{}", self.ads.clients(), tail.join("\n"));
    }

    /// How Envoy stands with a type.
    pub(crate) fn status(&self, kind: Kind) -> TypeStatus {
        self.ads.clients()[0].types[&kind].clone()
    }

    /// Takes the control plane away.
    pub(crate) async fn stop_server(&mut self) {
        self.ads.close();
        self.server.stop.take().unwrap().send(()).unwrap();
        (&mut self.server.task).await.unwrap();
    }

    /// Starts another one at the same address, which knows nothing of the first.
    pub(crate) async fn restart_server(&mut self) {
        self.ads = Ads::new();
        self.server = serve(&self.ads, self.control_plane, &self.refused).await;
    }

    /// Whether Envoy still runs.
    pub(crate) fn is_alive(&mut self) -> bool {
        self.envoy.try_wait().unwrap().is_none()
    }
}

impl Drop for Mesh {
    fn drop(&mut self) {
        let _ = self.envoy.kill();
        let _ = self.envoy.wait();
        self.server.task.abort();
    }
}

/// A gRPC server, and how to stop it.
struct Serving {
    task: tokio::task::JoinHandle<()>,
    stop: Option<tokio::sync::oneshot::Sender<()>>,
}

async fn serve(ads: &Ads, address: SocketAddr, refused: &Arc<AtomicUsize>) -> Serving {
    let refused = refused.clone();
    let check = move |request: Request<()>| {
        let token = request.metadata().get("authorization").and_then(|t| t.to_str().ok());
        if token == Some(&format!("Bearer {TOKEN}")) {
            return Ok(request);
        }
        refused.fetch_add(1, Ordering::SeqCst);
        Err(Status::unauthenticated("the token is wrong"))
    };
    let server = Server::builder().layer(InterceptorLayer::new(check)).add_service(ads.service());
    let mut listener = tokio::net::TcpListener::bind(address).await;
    for _ in 0..100 {
        if listener.is_ok() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
        listener = tokio::net::TcpListener::bind(address).await;
    }
    let incoming = tokio_stream::wrappers::TcpListenerStream::new(listener.unwrap());
    let (stop, stopped) = tokio::sync::oneshot::channel();
    let task = tokio::spawn(async move {
        server.serve_with_incoming_shutdown(incoming, async { drop(stopped.await) }).await.unwrap();
    });
    Serving { task, stop: Some(stop) }
}

fn start_envoy(folder: &Path) -> Child {
    let log = fs::File::create(folder.join("envoy.log")).unwrap();
    Command::new(envoy())
        .arg("-c")
        .arg(folder.join("envoy.yaml"))
        .args(["--concurrency", "1", "--disable-hot-restart", "--log-level", "info"])
        .stdout(Stdio::null())
        .stderr(log)
        .spawn()
        .unwrap()
}

/// The Envoy to test with.
fn envoy() -> PathBuf {
    if let Some(named) = std::env::var_os("AI_MESH_ENVOY") {
        return named.into();
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    // Setup puts it into a virtual environment of Python, whichever version that has.
    let library = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/ai-mesh/envoy-venv/lib");
    let pythons = fs::read_dir(library).into_iter().flatten().flatten();
    let fetched = pythons.map(|python| python.path().join("site-packages/envoy/_bin/envoy"));
    let mut places = std::env::split_paths(&path).map(|folder| folder.join("envoy")).chain(fetched);
    places
        .find(|place| place.is_file())
        .expect("no Envoy was found: run `cargo xtask setup`, or name one with AI_MESH_ENVOY")
}
