//! Snapshots that name what is not there are never served.
use envoy_types::pb::envoy::config::cluster::v3::cluster::{ClusterDiscoveryType, DiscoveryType};
use mesh_xds::{Ads, Resources, SidecarSpec, Snapshot, Upstream};

fn sound() -> Resources {
    let spec = SidecarSpec {
        listener: "127.0.0.1:10000".parse().unwrap(),
        upstreams: vec![
            Upstream::parse("default", "http://127.0.0.1:8000").unwrap(),
            Upstream::parse("openai", "https://api.openai.com").unwrap(),
        ],
        judge: None,
        rate_limits: None,
        filter_path: "/filter.wasm".to_owned(),
        plugin_config: "{}".to_owned(),
        filter_subscribes: false,
        max_body_bytes: 1024,
        ca_file: Some("/ca.pem".to_owned()),
    };
    spec.resources().unwrap()
}

#[test]
fn each_fault_is_found_and_named() {
    type Case = (&'static str, fn(&mut Resources), &'static [&'static str]);
    let cases: &[Case] = &[
        ("sound", |_| {}, &[]),
        (
            "a cluster that routes name is missing",
            |r| r.clusters.retain(|c| c.name != "upstream_openai"),
            &["route table `ai_mesh` names cluster `upstream_openai`"],
        ),
        (
            "endpoints are missing",
            |r| r.endpoints.clear(),
            &["cluster `upstream_default` names endpoints `upstream_default`"],
        ),
        (
            "endpoints belong to nobody",
            |r| {
                r.clusters[0].cluster_discovery_type =
                    Some(ClusterDiscoveryType::Type(DiscoveryType::StrictDns as i32));
            },
            &["endpoints `upstream_default` belong to no cluster"],
        ),
        (
            "endpoints have another name than the cluster says",
            |r| r.clusters[0].eds_cluster_config.as_mut().unwrap().service_name = "elsewhere".to_owned(),
            &["names endpoints `elsewhere`", "endpoints `upstream_default` belong to no cluster"],
        ),
        (
            "the secret is missing",
            |r| r.secrets.clear(),
            &["cluster `upstream_openai` names secret `upstream_ca`"],
        ),
        ("the routes are missing", |r| r.routes.clear(), &["listener `ai_mesh` names route table `ai_mesh`"]),
        (
            "the filter is missing",
            |r| r.extensions.clear(),
            &["listener `ai_mesh` names extension `ai_mesh`"],
        ),
        (
            "a name is there twice",
            |r| r.listeners.push(r.listeners[0].clone()),
            &["lds has two resources named `ai_mesh`"],
        ),
        (
            "a name is empty",
            |r| r.secrets[0].name.clear(),
            &["sds has the name ``", "names secret `upstream_ca`"],
        ),
        (
            "a name is the wildcard",
            |r| r.extensions[0].name = "*".to_owned(),
            &["name `*`", "extension `ai_mesh`"],
        ),
    ];
    for (what, spoil, expected) in cases {
        let mut resources = sound();
        spoil(&mut resources);
        let found = Snapshot::new("1", resources).prove();
        let faults = found.map_or_else(|e| e.faults, |()| Vec::new());
        assert_eq!(faults.len(), expected.len(), "{what}: {faults:?}");
        for sentence in *expected {
            assert!(faults.iter().any(|fault| fault.contains(sentence)), "{what}: {faults:?}");
        }
    }
}

#[test]
fn an_inconsistent_snapshot_is_refused() {
    let mut resources = sound();
    resources.extensions.clear();
    let error = Ads::new().set_snapshot(Snapshot::new("2", resources)).unwrap_err();
    assert!(error.to_string().starts_with("the snapshot is inconsistent: listener"), "{error}");
}
