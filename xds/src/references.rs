//! Which resources a resource names.
use envoy_types::pb::envoy::{
    config::{
        cluster::v3::{Cluster, cluster},
        core::v3::{ConfigSource, TransportSocket, config_source, transport_socket},
        listener::v3::{FilterChain, Listener, filter},
        route::v3::{RouteConfiguration, route, route_action},
    },
    extensions::{
        filters::network::http_connection_manager::v3::{
            HttpConnectionManager, http_connection_manager::RouteSpecifier, http_filter,
        },
        transport_sockets::tls::v3::{
            CommonTlsContext, DownstreamTlsContext, SdsSecretConfig, UpstreamTlsContext, common_tls_context,
        },
    },
};
use prost::{Message, Name};

/// What a listener names.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct ListenerReferences {
    pub(crate) routes: Vec<String>,
    pub(crate) extensions: Vec<String>,
    pub(crate) secrets: Vec<String>,
    pub(crate) clusters: Vec<String>,
}

/// The name of the endpoints that a cluster of type EDS waits for.
pub(crate) fn assignment_of(cluster: &Cluster) -> Option<&str> {
    let is_eds = matches!(cluster.cluster_discovery_type,
        Some(cluster::ClusterDiscoveryType::Type(t)) if t == cluster::DiscoveryType::Eds as i32);
    let service = cluster.eds_cluster_config.as_ref().map_or("", |eds| eds.service_name.as_str());
    is_eds.then_some(if service.is_empty() { cluster.name.as_str() } else { service })
}

/// The secrets a cluster wants from this server.
pub(crate) fn secrets_of_cluster(cluster: &Cluster) -> Vec<String> {
    let mut found = Vec::new();
    let matches = cluster.transport_socket_matches.iter().filter_map(|m| m.transport_socket.as_ref());
    for socket in cluster.transport_socket.iter().chain(matches) {
        if let Some(tls) = typed::<UpstreamTlsContext>(socket) {
            secrets_of_tls(tls.common_tls_context.as_ref(), &mut found);
        }
    }
    found
}

/// Everything a listener names.
pub(crate) fn of_listener(listener: &Listener) -> ListenerReferences {
    let mut found = ListenerReferences::default();
    for chain in listener.filter_chains.iter().chain(&listener.default_filter_chain) {
        of_chain(chain, &mut found);
    }
    found
}

/// The clusters that routes name; those chosen by a header at run time can't be known.
pub(crate) fn clusters_of_routes(table: &RouteConfiguration) -> Vec<String> {
    let mut found = Vec::new();
    for route in table.virtual_hosts.iter().flat_map(|host| &host.routes) {
        let Some(route::Action::Route(action)) = &route.action else { continue };
        match &action.cluster_specifier {
            Some(route_action::ClusterSpecifier::Cluster(name)) => found.push(name.clone()),
            Some(route_action::ClusterSpecifier::WeightedClusters(weighted)) => {
                found
                    .extend(weighted.clusters.iter().map(|c| c.name.clone()).filter(|name| !name.is_empty()));
            }
            _ => {}
        }
        found.extend(
            action.request_mirror_policies.iter().map(|m| m.cluster.clone()).filter(|n| !n.is_empty()),
        );
    }
    found
}

fn of_chain(chain: &FilterChain, found: &mut ListenerReferences) {
    if let Some(tls) = chain.transport_socket.as_ref().and_then(typed::<DownstreamTlsContext>) {
        secrets_of_tls(tls.common_tls_context.as_ref(), &mut found.secrets);
    }
    for filter in &chain.filters {
        let Some(filter::ConfigType::TypedConfig(any)) = &filter.config_type else { continue };
        if any.type_url != HttpConnectionManager::type_url() {
            continue;
        }
        let Ok(manager) = HttpConnectionManager::decode(any.value.as_slice()) else { continue };
        match &manager.route_specifier {
            Some(RouteSpecifier::Rds(rds)) if from_ads(rds.config_source.as_ref()) => {
                found.routes.push(rds.route_config_name.clone());
            }
            Some(RouteSpecifier::RouteConfig(inline)) => found.clusters.extend(clusters_of_routes(inline)),
            _ => {}
        }
        for filter in &manager.http_filters {
            let Some(http_filter::ConfigType::ConfigDiscovery(discovery)) = &filter.config_type else {
                continue;
            };
            if from_ads(discovery.config_source.as_ref()) {
                found.extensions.push(filter.name.clone());
            }
        }
    }
}

fn secrets_of_tls(tls: Option<&CommonTlsContext>, found: &mut Vec<String>) {
    use common_tls_context::ValidationContextType::{
        CombinedValidationContext, ValidationContextSdsSecretConfig,
    };
    let Some(tls) = tls else { return };
    let validation = match &tls.validation_context_type {
        Some(ValidationContextSdsSecretConfig(sds)) => Some(sds),
        Some(CombinedValidationContext(combined)) => combined.validation_context_sds_secret_config.as_ref(),
        _ => None,
    };
    let wanted = |sds: &&SdsSecretConfig| from_ads(sds.sds_config.as_ref());
    let all = tls.tls_certificate_sds_secret_configs.iter().chain(validation);
    found.extend(all.filter(wanted).map(|sds| sds.name.clone()));
}

fn typed<M: Message + Name + Default>(socket: &TransportSocket) -> Option<M> {
    let transport_socket::ConfigType::TypedConfig(any) = socket.config_type.as_ref()?;
    (any.type_url == M::type_url()).then(|| M::decode(any.value.as_slice()).ok()).flatten()
}

/// Whether the source is the stream we serve; files and other servers are not ours to prove.
fn from_ads(source: Option<&ConfigSource>) -> bool {
    matches!(
        source.and_then(|s| s.config_source_specifier.as_ref()),
        Some(config_source::ConfigSourceSpecifier::Ads(_) | config_source::ConfigSourceSpecifier::Self_(_))
    )
}
