//! The route table (RDS): the path of a request tells the provider.
use envoy_types::pb::envoy::{
    config::{
        core::v3::{
            DataSource, HeaderValue, HeaderValueOption, data_source, header_value_option::HeaderAppendAction,
        },
        route::v3::{
            DirectResponseAction, HeaderMatcher, Route, RouteAction, RouteConfiguration, RouteMatch,
            VirtualHost,
            header_matcher::HeaderMatchSpecifier,
            route::Action,
            route_action::{ClusterSpecifier, HostRewriteSpecifier},
            route_match::PathSpecifier,
        },
    },
    r#type::matcher::v3::{RegexMatchAndSubstitute, RegexMatcher},
};

use super::{
    ROUTES,
    listener::STREAM_IDLE_SECONDS,
    pb::{bool_value, seconds},
    upstream::{DEFAULT_PROVIDER, Upstream},
};

/// How a provider's requests are known.
enum Rule {
    /// A path, alone or with a `/` and more behind it.
    Under(&'static str),
    /// Exactly this path.
    Exactly(&'static str),
    /// A whole path, as a regular expression.
    Matching(&'static str),
    /// Any path under `/v1` with this header.
    WithHeader(&'static str),
}

/// The rules, the more particular ones first: where two would match, the first does.
const RULES: &[(&str, &[Rule])] = &[
    (
        "anthropic",
        &[Rule::Under("/v1/messages"), Rule::Under("/v1/complete"), Rule::WithHeader("anthropic-version")],
    ),
    (
        "gemini",
        &[
            Rule::Under("/v1beta"),
            Rule::Under("/v1beta1"),
            Rule::Under("/v1alpha"),
            Rule::Under("/v1/projects"),
            Rule::Under("/v1/publishers"),
            Rule::Under("/upload/v1beta"),
            Rule::Matching("/v1/models/[^/]+(:|%3[Aa])[A-Za-z]+"),
        ],
    ),
    ("bedrock", &[Rule::Under("/model")]),
    ("ollama", &[Rule::Under("/api")]),
    (
        "mcp",
        &[
            Rule::Under("/mcp"),
            Rule::Under("/sse"),
            Rule::Under("/messages"),
            Rule::Under("/.well-known/oauth-protected-resource"),
            Rule::Under("/.well-known/oauth-authorization-server"),
        ],
    ),
    (
        "a2a",
        &[
            Rule::Exactly("/"),
            Rule::Under("/a2a"),
            Rule::Exactly("/.well-known/agent-card.json"),
            Rule::Exactly("/.well-known/agent.json"),
            Rule::Matching("(/v1)?/message(:|%3[Aa])[A-Za-z]+"),
            Rule::Matching("(/v1)?/tasks(/.*)?"),
        ],
    ),
    (
        "openai",
        &[
            Rule::Under("/v1/chat"),
            Rule::Under("/v1/completions"),
            Rule::Under("/v1/responses"),
            Rule::Under("/v1/conversations"),
            Rule::Under("/v1/embeddings"),
            Rule::Under("/v1/models"),
            Rule::Under("/v1/moderations"),
            Rule::Under("/v1/audio"),
            Rule::Under("/v1/images"),
            Rule::Under("/v1/files"),
            Rule::Under("/v1/uploads"),
            Rule::Under("/v1/batches"),
            Rule::Under("/v1/vector_stores"),
            Rule::Under("/v1/assistants"),
            Rule::Under("/v1/threads"),
            Rule::Under("/v1/fine_tuning"),
            Rule::Under("/chat/completions"),
            Rule::Under("/completions"),
            Rule::Under("/responses"),
            Rule::Under("/embeddings"),
            // Azure.
            Rule::Under("/openai"),
        ],
    ),
];

/// What is said when no upstream takes a path.
const NOT_FOUND: &str = concat!(
    r#"{"error":{"message":"No upstream of this sidecar takes this path: start it with --upstream URL, "#,
    r#"or with --upstream PROVIDER=URL for the provider that is meant.","type":"ai_mesh_error","code":"no_upstream"}}"#
);

/// The route table for these upstreams.
pub(super) fn table(upstreams: &[Upstream]) -> RouteConfiguration {
    let of = |provider: &str| upstreams.iter().find(|u| u.provider == provider);
    let mut routes: Vec<Route> = Vec::new();
    for (provider, rules) in RULES {
        if let Some(upstream) = of(provider) {
            routes.extend(rules.iter().map(|rule| to_upstream(rule.condition(), upstream)));
        }
    }
    let rest =
        RouteMatch { path_specifier: Some(PathSpecifier::Prefix("/".to_owned())), ..RouteMatch::default() };
    routes.push(match of(DEFAULT_PROVIDER) {
        Some(upstream) => to_upstream(rest, upstream),
        None => not_found(rest),
    });
    let host = VirtualHost {
        name: ROUTES.to_owned(),
        domains: vec!["*".to_owned()],
        routes,
        // What Envoy thinks of the agent's address is not the provider's business.
        request_headers_to_remove: ["x-envoy-external-address", "x-envoy-internal", "x-forwarded-for"]
            .map(str::to_owned)
            .to_vec(),
        // What is plain need not be made plain to be inspected.
        request_headers_to_add: vec![set("accept-encoding", "identity")],
        ..VirtualHost::default()
    };
    RouteConfiguration {
        name: ROUTES.to_owned(),
        virtual_hosts: vec![host],
        // A table that names a cluster Envoy does not have is refused, and the old one stays.
        validate_clusters: bool_value(true),
        ..RouteConfiguration::default()
    }
}

impl Rule {
    fn condition(&self) -> RouteMatch {
        let mut headers = Vec::new();
        let path = match *self {
            Rule::Under(path) => PathSpecifier::PathSeparatedPrefix(path.to_owned()),
            Rule::Exactly(path) => PathSpecifier::Path(path.to_owned()),
            Rule::Matching(regex) => {
                PathSpecifier::SafeRegex(RegexMatcher { regex: regex.to_owned(), ..RegexMatcher::default() })
            }
            Rule::WithHeader(name) => {
                headers.push(HeaderMatcher {
                    name: name.to_owned(),
                    header_match_specifier: Some(HeaderMatchSpecifier::PresentMatch(true)),
                    ..HeaderMatcher::default()
                });
                PathSpecifier::PathSeparatedPrefix("/v1".to_owned())
            }
        };
        RouteMatch { path_specifier: Some(path), headers, ..RouteMatch::default() }
    }
}

/// No time limit on the whole, since answers are streams, only on silence. No retries: a request that may have been
/// served once is not sent again behind the agent's back.
fn to_upstream(condition: RouteMatch, upstream: &Upstream) -> Route {
    // SDKs write their base URLs with a `/v1` at the end, which stands in the requests' paths already.
    let ends_in_v1 = upstream.path_prefix.ends_with("/v1");
    let regex = if ends_in_v1 { "^/(v1/)?" } else { "^/" };
    let regex_rewrite = (!upstream.path_prefix.is_empty()).then(|| RegexMatchAndSubstitute {
        pattern: Some(RegexMatcher { regex: regex.to_owned(), ..RegexMatcher::default() }),
        // A backslash and a digit would name a group: a backslash itself is written twice.
        substitution: format!("{}/", upstream.path_prefix.replace('\\', "\\\\")),
    });
    let action = RouteAction {
        cluster_specifier: Some(ClusterSpecifier::Cluster(upstream.cluster())),
        host_rewrite_specifier: Some(HostRewriteSpecifier::HostRewriteLiteral(upstream.authority())),
        regex_rewrite,
        timeout: seconds(0),
        idle_timeout: seconds(STREAM_IDLE_SECONDS),
        ..RouteAction::default()
    };
    Route {
        name: upstream.provider.clone(),
        r#match: Some(condition),
        action: Some(Action::Route(action)),
        ..Route::default()
    }
}

fn not_found(condition: RouteMatch) -> Route {
    let body = DataSource {
        specifier: Some(data_source::Specifier::InlineString(NOT_FOUND.to_owned())),
        ..DataSource::default()
    };
    Route {
        name: "none".to_owned(),
        r#match: Some(condition),
        response_headers_to_add: vec![set("content-type", "application/json")],
        action: Some(Action::DirectResponse(DirectResponseAction {
            status: 404,
            body: Some(body),
            ..DirectResponseAction::default()
        })),
        ..Route::default()
    }
}

fn set(name: &str, value: &str) -> HeaderValueOption {
    header(name, value, HeaderAppendAction::OverwriteIfExistsOrAdd)
}

fn header(name: &str, value: &str, action: HeaderAppendAction) -> HeaderValueOption {
    HeaderValueOption {
        header: Some(HeaderValue { key: name.to_owned(), value: value.to_owned(), ..HeaderValue::default() }),
        append_action: action as i32,
        ..HeaderValueOption::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_provider_but_the_default_has_rules() {
        let mut ruled: Vec<&str> = RULES.iter().map(|(provider, _)| *provider).collect();
        let mut known = crate::sidecar::PROVIDERS.to_vec();
        ruled.sort_unstable();
        known.sort_unstable();
        assert_eq!(ruled, known);
    }

    #[test]
    fn the_answer_without_upstream_is_json() {
        let quotes = NOT_FOUND.matches('"').count();
        assert!(quotes.is_multiple_of(2) && NOT_FOUND.starts_with('{') && NOT_FOUND.ends_with("}}"));
    }
}
