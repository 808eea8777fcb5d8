//! The configuration of one sidecar, from its operator's settings: one listener, its upstreams, and the filter.
mod clusters;
mod filter;
mod listener;
mod pb;
mod pieces;
mod replies;
mod routes;
mod tls;
mod upstream;

use std::{collections::BTreeSet, net::SocketAddr};

pub use tls::system_ca_file;
pub use upstream::{DEFAULT_PROVIDER, PROVIDERS, Scheme, Upstream, UrlError};

use prost::Message;

use crate::{Resources, Snapshot, snapshot::hash};

/// Name of the cluster that every sidecar has from its bootstrap: the control plane's gRPC port.
pub const CONTROL_PLANE_CLUSTER: &str = "ai_mesh_control_plane";

/// Name of the listener.
pub const LISTENER: &str = "ai_mesh";

/// Name of the route table.
pub const ROUTES: &str = "ai_mesh";

/// Name of the HTTP filter, and of the extension that configures it.
pub const FILTER: &str = "ai_mesh";

/// Name of the secret with the certificate authorities of upstreams.
pub const UPSTREAM_CA: &str = "upstream_ca";

/// The name under which the judge is a cluster: a classifier that the filter asks itself, to which no route leads.
pub const JUDGE: &str = "judge";

/// The name under which a rate limit service other than the control plane is a cluster; the filter asks it itself.
pub const RATE_LIMITS: &str = "rate_limits";

/// What a sidecar is to do.
#[derive(Clone, Debug, PartialEq)]
pub struct SidecarSpec {
    /// Where agents send their traffic.
    pub listener: SocketAddr,
    /// Where it goes from there: at most one upstream for each provider, and `default` for everything else.
    pub upstreams: Vec<Upstream>,
    /// The classifier that injection rules may ask; its provider is [`JUDGE`].
    pub judge: Option<Upstream>,
    /// The rate limit service, where it is not the control plane; its provider is [`RATE_LIMITS`].
    pub rate_limits: Option<Upstream>,
    /// The filter's wasm module, a file on the sidecar's machine.
    pub filter_path: String,
    /// The filter's configuration: a policy bundle as JSON, signed or not.
    pub plugin_config: String,
    /// Whether the filter fetches changes of its configuration itself, as [`crate::Kind::Bundle`]. Envoy then loads the filter with the
    /// newest configuration, but does not reload it when that changes.
    pub filter_subscribes: bool,
    /// Bytes of the largest request body that the filter gets to see.
    pub max_body_bytes: u64,
    /// File with the certificate authorities of `https` upstreams, on the sidecar's machine; `None`: the system's, from
    /// [`system_ca_file`].
    pub ca_file: Option<String>,
}

/// Why a sidecar can't be configured.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SpecError {
    /// There is nowhere to send traffic.
    #[error("no upstream is given: name at least one")]
    NoUpstream,
    /// A provider has two upstreams.
    #[error("provider `{0}` has two upstreams: name one")]
    TwoUpstreams(String),
    /// A provider nobody knows.
    #[error("provider `{0}` is not known: use one of {known}, or no provider for everything else", known = PROVIDERS.join(", "))]
    UnknownProvider(String),
    /// An upstream is the sidecar itself.
    #[error("upstream {0} is the sidecar's own address: requests would go round in circles")]
    Loop(String),
    /// `https` without certificate authorities.
    #[error(
        "upstream {0} needs certificate authorities, and this system's were not found: install the package \
         `ca-certificates`, or name a file"
    )]
    NoCertificateAuthorities(String),
    /// Larger than Envoy's limits can express.
    #[error("a body limit of {0} bytes is too large: at most {most} bytes", most = SidecarSpec::MAX_BODY_LIMIT)]
    BodyLimit(u64),
}

impl SidecarSpec {
    /// Largest body limit that can be set, in bytes: 1 GiB.
    pub const MAX_BODY_LIMIT: u64 = 1 << 30;

    /// Bytes that Envoy buffers beyond the body limit, so that a larger body is refused by the filter, in the provider's own shape.
    const BUFFER_SLACK: u64 = 1 << 20;

    /// The resources of the sidecar.
    ///
    /// # Errors
    /// The specification can't be carried out: see [`SpecError`].
    pub fn resources(&self) -> Result<Resources, SpecError> {
        self.check()?;
        let (bundle, pieces) = match self.filter_subscribes {
            true => Some(pieces::cut(FILTER, self.plugin_config.as_bytes())).unzip(),
            false => (None, None),
        };
        let ca_file = self.ca_file.as_deref().or_else(|| system_ca_file());
        let https = self.reached().find(|u| u.scheme == Scheme::Https);
        let secrets = match (https, ca_file) {
            (Some(upstream), None) => return Err(SpecError::NoCertificateAuthorities(upstream.to_string())),
            (Some(_), Some(file)) => vec![tls::authorities(file)],
            (None, _) => Vec::new(),
        };
        Ok(Resources {
            clusters: self.reached().map(clusters::cluster).collect(),
            endpoints: self.reached().filter_map(clusters::endpoints).collect(),
            secrets,
            listeners: vec![listener::listener(self)],
            routes: vec![routes::table(&self.upstreams)],
            extensions: vec![filter::extension(&self.filter_path, &self.plugin_config)],
            extension_versions: self.filter_version().into_iter().collect(),
            bundles: bundle.into_iter().collect(),
            pieces: pieces.unwrap_or_default(),
            bootstrap_clusters: BTreeSet::from([CONTROL_PLANE_CLUSTER.to_owned()]),
        })
    }

    /// The version of the filter without its configuration.
    fn filter_version(&self) -> Option<(String, String)> {
        let bare = || filter::extension(&self.filter_path, "").encode_to_vec();
        self.filter_subscribes.then(|| (FILTER.to_owned(), hash([bare().as_slice()])))
    }

    /// Everything that Envoy connects to.
    fn reached(&self) -> impl Iterator<Item = &Upstream> {
        self.upstreams.iter().chain(&self.judge).chain(&self.rate_limits)
    }

    fn check(&self) -> Result<(), SpecError> {
        if self.upstreams.is_empty() {
            return Err(SpecError::NoUpstream);
        }
        if self.max_body_bytes > Self::MAX_BODY_LIMIT {
            return Err(SpecError::BodyLimit(self.max_body_bytes));
        }
        if let Some(asked) =
            [&self.judge, &self.rate_limits].into_iter().flatten().find(|asked| asked.reaches(self.listener))
        {
            return Err(SpecError::Loop(asked.to_string()));
        }
        let mut seen = BTreeSet::new();
        for upstream in &self.upstreams {
            let provider = upstream.provider.as_str();
            if provider != DEFAULT_PROVIDER && !PROVIDERS.contains(&provider) {
                return Err(SpecError::UnknownProvider(provider.to_owned()));
            }
            if !seen.insert(provider) {
                return Err(SpecError::TwoUpstreams(provider.to_owned()));
            }
            if upstream.reaches(self.listener) {
                return Err(SpecError::Loop(upstream.to_string()));
            }
        }
        Ok(())
    }

    /// The buffer limit of a connection, in bytes.
    fn buffer_limit(&self) -> u32 {
        let limit = self.max_body_bytes.saturating_add(Self::BUFFER_SLACK);
        u32::try_from(limit).unwrap_or(u32::MAX)
    }
}

/// The configuration of a sidecar as a snapshot with this version.
///
/// # Errors
/// The specification can't be carried out.
pub fn snapshot(spec: &SidecarSpec, version: &str) -> Result<Snapshot, SpecError> {
    Ok(Snapshot::new(version, spec.resources()?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Kind;

    fn spec(upstreams: &[(&str, &str)]) -> SidecarSpec {
        SidecarSpec {
            listener: "127.0.0.1:10000".parse().unwrap(),
            upstreams: upstreams.iter().map(|(p, url)| Upstream::parse(p, url).unwrap()).collect(),
            judge: None,
            rate_limits: None,
            filter_path: "/opt/filter.wasm".to_owned(),
            plugin_config: "{}".to_owned(),
            filter_subscribes: false,
            max_body_bytes: 32 << 20,
            ca_file: Some("/etc/ssl/ca.pem".to_owned()),
        }
    }

    #[test]
    fn every_sort_of_upstream_makes_a_consistent_snapshot() {
        let spec = spec(&[
            ("default", "http://127.0.0.1:8000"),
            ("openai", "https://api.openai.com"),
            ("anthropic", "https://[::1]:8443/base"),
            ("mcp", "http://tools.example:9000/x/"),
        ]);
        let snapshot = snapshot(&spec, "7").unwrap();
        assert_eq!(snapshot.prove(), Ok(()));
        assert_eq!(snapshot.version(), "7");
        assert_eq!(snapshot.resources().endpoints.len(), 2, "addresses come over EDS, names do not");
    }

    /// It has a cluster of its own, and no route.
    #[test]
    fn a_judge_is_reached_by_the_filter_alone() {
        let alone = spec(&[("default", "http://127.0.0.1:8000")]);
        let judge = Some(Upstream::parse(JUDGE, "http://127.0.0.1:9000").unwrap());
        let with = SidecarSpec { judge, ..alone.clone() };
        let [alone, with] = [alone, with].map(|spec| snapshot(&spec, "1").unwrap());
        assert_eq!(with.prove(), Ok(()));
        let added = with.resources().clusters.iter().filter(|cluster| cluster.name == "upstream_judge");
        assert_eq!((added.count(), alone.resources().clusters.len()), (1, 1));
        assert_eq!(with.resources().routes, alone.resources().routes);
        let own = SidecarSpec {
            judge: Some(Upstream::parse(JUDGE, "http://localhost:10000").unwrap()),
            ..spec(&[("default", "http://a")])
        };
        assert!(own.resources().unwrap_err().to_string().contains("round in circles"));
    }

    #[test]
    fn the_same_specification_has_the_same_versions() {
        let spec = spec(&[("default", "https://example.com"), ("a2a", "http://127.0.0.1:1")]);
        for kind in crate::Kind::ALL {
            let versions =
                ["1", "2"].map(|label| snapshot(&spec, label).unwrap().type_version(kind).to_owned());
            assert_eq!(versions[0], versions[1], "{kind}");
        }
    }

    #[test]
    fn a_filter_that_subscribes_is_not_loaded_anew_for_its_configuration() {
        let first = SidecarSpec { filter_subscribes: true, ..spec(&[("default", "http://a")]) };
        let bundle = SidecarSpec { plugin_config: "{ }".to_owned(), ..first.clone() };
        let module = SidecarSpec { filter_path: "/opt/new.wasm".to_owned(), ..first.clone() };
        let [first, bundle, module] = [first, bundle, module].map(|spec| snapshot(&spec, "1").unwrap());
        let version = |snapshot: &Snapshot, kind| snapshot.type_version(kind).to_owned();
        assert_eq!(version(&first, Kind::Extension), version(&bundle, Kind::Extension));
        assert_ne!(version(&first, Kind::Bundle), version(&bundle, Kind::Bundle));
        assert_ne!(version(&first, Kind::Extension), version(&module, Kind::Extension));
        assert_ne!(
            first.resources().extensions,
            bundle.resources().extensions,
            "an Envoy that starts gets the newest"
        );
    }

    #[test]
    fn what_cant_work_is_refused_with_a_reason() {
        type Case = (&'static [(&'static str, &'static str)], &'static str);
        let cases: &[Case] = &[
            (&[], "no upstream"),
            (&[("openai", "http://a"), ("openai", "http://b")], "`openai` has two upstreams"),
            (&[("opnai", "http://a")], "`opnai` is not known"),
            (&[("default", "http://127.0.0.1:10000/")], "round in circles"),
            (&[("default", "http://localhost:10000/")], "round in circles"),
        ];
        for (upstreams, expected) in cases {
            let error = snapshot(&spec(upstreams), "1").unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
        }
        let mut spec = spec(&[("default", "http://a")]);
        spec.max_body_bytes = u64::MAX;
        assert!(snapshot(&spec, "1").unwrap_err().to_string().contains("too large"));
    }
}
