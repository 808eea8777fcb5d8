//! Everything that can be wrong, looked at before anything is started.

use std::{
    fs::File,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
};

use super::{
    data::{DataDir, node_id},
    envoy::Launch,
    plane::Plane,
    ports::{self, Wanted},
    tools,
    upstreams::Upstream,
};
use crate::{
    args::{self, Global},
    documents::Documents,
    failure::{Exit, Failure, Outcome},
};

/// Envoy listens here, whatever the control plane does.
pub(super) const LOOPBACK: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

/// A start that can work.
pub(crate) struct Plan {
    pub(crate) data: DataDir,
    pub(crate) flags: args::up::Plane,
    pub(crate) filter: PathBuf,
    pub(crate) documents: Documents,
    pub(crate) listener: SocketAddr,
    pub(crate) api: SocketAddr,
    pub(crate) grpc: SocketAddr,
    /// The name of the sidecars, in records.
    pub(crate) node_id: String,
    /// Envoy and its admin interface, when it is started too.
    envoy: Option<(PathBuf, SocketAddr)>,
    /// Held as long as the plan: nobody else uses the data directory.
    _lock: File,
}

impl Plan {
    /// The plan of `up`.
    pub(crate) fn up(global: &Global, args: &args::up::Up) -> Outcome<Self> {
        let envoy = tools::envoy(args.envoy.envoy.as_deref())?;
        let flags = &args.plane;
        let ca_file = tools::authorities(flags.ca_file.as_deref())?;
        let (data, lock, filter, documents) = common(global, flags)?;
        let [listener, admin, api, grpc] = ports::choose([
            sidecar(flags),
            Wanted {
                what: "Envoy's admin interface",
                flag: "--admin-port",
                address: LOOPBACK,
                port: args.envoy.admin_port,
            },
            rest(flags),
            grpc(flags),
        ])?;
        let flags = args::up::Plane { ca_file, ..flags.clone() };
        let envoy = Some((envoy, admin));
        let node_id = args.envoy.node_id.clone().unwrap_or_else(|| node_id(admin.port()));
        Ok(Self { node_id, data, flags, filter, documents, listener, api, grpc, envoy, _lock: lock })
    }

    /// The plan of `serve`. The sidecars' port is theirs: it may well be in use here, by one of them.
    pub(crate) fn serve(global: &Global, flags: &args::up::Plane) -> Outcome<Self> {
        tools::authorities_elsewhere(flags.ca_file.as_deref())?;
        let (data, lock, filter, documents) = common(global, flags)?;
        if flags.port == 0 {
            return Err(Failure::environment("--port 0: the sidecars need to know their port")
                .hint("only `up`, which starts the sidecar itself, can choose one"));
        }
        let [api, grpc] = ports::choose([rest(flags), grpc(flags)])?;
        let listener = SocketAddr::from(([127, 0, 0, 1], flags.port));
        let flags = flags.clone();
        Ok(Self {
            node_id: "sidecar".to_owned(),
            data,
            flags,
            filter,
            documents,
            listener,
            api,
            grpc,
            envoy: None,
            _lock: lock,
        })
    }

    /// Where requests go, unless to the mock provider.
    pub(crate) fn upstreams(&self) -> &[Upstream] {
        &self.flags.upstreams
    }

    /// How to start Envoy.
    pub(crate) fn launch(&self, flags: &args::up::Envoy, plane: &Plane) -> Outcome<Launch> {
        let Some((program, admin)) = &self.envoy else {
            return Err(Failure::failed("this command starts no Envoy"));
        };
        self.data.launch(
            program.clone(),
            flags.concurrency,
            self.node_id.clone(),
            *admin,
            plane.grpc().into(),
            &self.data.sidecar_token(),
        )
    }

    /// Who listens where, for the `ready` line.
    pub(crate) fn addresses(&self, plane: &Plane) -> Vec<(&'static str, String)> {
        let mut addresses = Vec::new();
        if let Some((_, admin)) = &self.envoy {
            addresses.push(("sidecar", format!("http://{}", self.listener)));
            addresses.push(("admin", format!("http://{admin}")));
        }
        addresses.push(("api", format!("http://{}", plane.api())));
        addresses.push(("grpc", plane.grpc().to_string()));
        if let Some(mock) = plane.mock() {
            addresses.push(("mock", format!("http://{mock}")));
        }
        addresses.push(("data", self.data.path().display().to_string()));
        addresses
    }
}

fn sidecar(flags: &args::up::Plane) -> Wanted {
    Wanted { what: "the sidecar", flag: "--port", address: LOOPBACK, port: flags.port }
}

fn rest(flags: &args::up::Plane) -> Wanted {
    Wanted {
        what: "the control plane's REST interface",
        flag: "--api-port",
        address: flags.bind,
        port: flags.api_port,
    }
}

fn grpc(flags: &args::up::Plane) -> Wanted {
    Wanted {
        what: "the control plane's gRPC interface",
        flag: "--grpc-port",
        address: flags.bind,
        port: flags.grpc_port,
    }
}

fn common(global: &Global, flags: &args::up::Plane) -> Outcome<(DataDir, File, PathBuf, Documents)> {
    let filter = tools::filter(flags.filter.as_deref())?;
    if !flags.bind.is_loopback() && !flags.allow_remote {
        return Err(Failure::environment(format!("--bind {} can be reached by other machines", flags.bind))
            .hint("the interfaces speak no TLS: say --allow-remote if the network around them is yours"));
    }
    one_upstream_each(&flags.upstreams)?;
    let documents = documents(&flags.policies)?;
    let data = DataDir::open(&global.data)?;
    let lock = data.lock("control-plane")?;
    Ok((data, lock, filter, documents))
}

/// The policies of `--policy`, all of them valid.
fn documents(paths: &[PathBuf]) -> Outcome<Documents> {
    if let Some(missing) = paths.iter().find(|path| !path.exists() && *path != Path::new("-")) {
        return Err(Failure::environment(format!("--policy: there is no {}", missing.display())));
    }
    let documents = Documents::read(paths)?;
    // For a command that cannot start, a bad policy is one more fault of its environment, with the same exit code.
    documents.refuse_errors().map_err(|failure| {
        let message = "the policies are not valid; nothing was started".to_owned();
        Failure { exit: Exit::Environment, message, ..failure }
    })?;
    Ok(documents)
}

fn one_upstream_each(upstreams: &[Upstream]) -> Outcome {
    for (at, upstream) in upstreams.iter().enumerate() {
        let provider = &upstream.0.provider;
        if upstreams[..at].iter().any(|other| other.0.provider == *provider) {
            let whose = if provider == mesh_xds::sidecar::DEFAULT_PROVIDER {
                "is given twice without a provider".to_owned()
            } else {
                format!("is given twice for {provider}")
            };
            return Err(
                Failure::environment(format!("--upstream {whose}")).hint("one URL, or one for each provider")
            );
        }
    }
    Ok(())
}
