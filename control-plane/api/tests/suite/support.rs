//! An API over memory, and a client of its router.
use std::sync::{Arc, LazyLock};

use async_trait::async_trait;
use axum::Router;
use axum::body::Body;
use axum::http::{HeaderMap, Method, Request, StatusCode};
use http_body_util::BodyExt;
use mesh_audit::v1::DecisionRecord;
use mesh_control_api::{Api, Metrics, Parts, Token, router};
use mesh_control_core::memory::{MemoryDecisions, MemoryPolicies, MemoryTools, MemoryWindows};
use mesh_control_core::ports::{PublishError, Publisher, SidecarView};
use mesh_control_core::{
    Batch, Decisions, EngineAdmission, Limits, Policies, Propagation, RolloutWatch, Sidecar, Timestamp, Tools,
};
use mesh_policy::{Bundle, Settings};
use serde_json::{Value, json};
use tokio::sync::watch;
use tower::ServiceExt;

pub(crate) const TOKEN: &str = "0123456789abcdef";

/// Takes what is published and tells nobody.
struct Nobody;

#[async_trait]
impl Publisher for Nobody {
    async fn publish(&self, _bundle: Arc<Bundle>) -> Result<(), PublishError> {
        Ok(())
    }
}

/// The operator's own prices stand before the shipped ones.
fn settings() -> Settings {
    let own = json!({ "models": [{ "model": "gpt-4o", "input": 1, "output": 2, "source": "contract 7" }] });
    Settings { prices: Some(own), ..Settings::default() }
}

struct OneSidecar;

impl SidecarView for OneSidecar {
    fn sidecars(&self) -> Vec<Sidecar> {
        vec![Sidecar {
            id: "edge".to_owned(),
            cluster: "edges".to_owned(),
            user_agent: "envoy 1.40.0".to_owned(),
            connected_since: Timestamp::UNIX_EPOCH,
            policy_version: Some("1".to_owned()),
            offered_version: Some("2".to_owned()),
            filters: 3,
            resources: Vec::new(),
        }]
    }

    fn refusals(&self) -> u64 {
        7
    }
}

/// An API and what stands behind it.
pub(crate) struct Plane {
    pub(crate) router: Router,
    pub(crate) policies: Policies,
    pub(crate) decisions: Decisions,
    pub(crate) rollouts: Arc<RolloutWatch>,
    pub(crate) limits: Limits,
    pub(crate) tools: Tools,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) stop: watch::Sender<bool>,
}

impl Plane {
    /// An API that has published its (empty) set of policies.
    pub(crate) async fn new() -> Self {
        let plane = Self::unpublished(true);
        plane.policies.refresh().await.unwrap();
        plane
    }

    pub(crate) fn unpublished(open_metrics: bool) -> Self {
        let store = Arc::new(MemoryPolicies::default());
        let admission = Arc::new(EngineAdmission::default());
        let policies = Policies::new(store, admission, Arc::new(Nobody), settings());
        let decisions = Decisions::new(Arc::new(MemoryDecisions::default()));
        let limits = Limits::new(Arc::new(MemoryWindows::default()));
        let tools = Tools::new(Arc::new(MemoryTools::default()), policies.clone());
        let metrics =
            Arc::new(Metrics::new(policies.clone(), Arc::new(OneSidecar), Arc::new(Propagation::default())));
        let rollouts = Arc::new(RolloutWatch::new(policies.clone(), decisions.clone()));
        let stop = watch::Sender::new(false);
        let api = Api::new(Parts {
            policies: policies.clone(),
            decisions: decisions.clone(),
            rollouts: Arc::clone(&rollouts),
            limits: limits.clone(),
            tools: tools.clone(),
            sidecars: Arc::new(OneSidecar),
            metrics: Arc::clone(&metrics),
            admin: Token::new(TOKEN),
            open_metrics,
            stopping: stop.subscribe(),
        });
        Plane { router: router(api), policies, decisions, rollouts, limits, tools, metrics, stop }
    }

    /// Sends a request with the token.
    pub(crate) async fn send(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> Answer {
        let mut request =
            Request::builder().method(method).uri(path).header("authorization", format!("Bearer {TOKEN}"));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        self.raw(request.body(Body::from(body.to_owned())).unwrap()).await
    }

    pub(crate) async fn json(&self, method: &str, path: &str, body: Value) -> Answer {
        self.send(method, path, &[("content-type", "application/json")], &body.to_string()).await
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.send("GET", path, &[], "").await
    }

    pub(crate) async fn raw(&self, request: Request<Body>) -> Answer {
        let (method, path) = (request.method().clone(), request.uri().path().to_owned());
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        answers_as_documented(&method, &path, parts.status);
        let bytes = body.collect().await.unwrap().to_bytes();
        let text = String::from_utf8(bytes.to_vec()).unwrap();
        let json = serde_json::from_str(&text).unwrap_or(Value::Null);
        Answer { status: parts.status, headers: parts.headers, text, json }
    }

    /// Keeps decision records, numbered from `first`, of one VM.
    pub(crate) async fn report(&self, first_sequence: u64, records: Vec<DecisionRecord>) {
        let batch = Batch { sidecar: "edge".into(), vm: "v".into(), first_sequence, records, dropped: 0 };
        self.decisions.report(&batch, Timestamp::now()).await.unwrap();
    }

    /// The same over the service that sidecars call, which also settles.
    pub(crate) async fn intake(&self, first_sequence: u64, records: Vec<DecisionRecord>) {
        let (decisions, limits) = (self.decisions.clone(), self.limits.clone());
        let service =
            mesh_control_api::intake(decisions, limits, self.tools.clone(), Arc::clone(&self.metrics));
        let mut client = mesh_control_api::v1::decision_intake_client::DecisionIntakeClient::new(service);
        let report = mesh_audit::v1::ReportRequest {
            sidecar: "edge".into(),
            vm: "v".into(),
            first_sequence,
            records,
            ..mesh_audit::v1::ReportRequest::default()
        };
        client.report(report).await.unwrap();
    }
}

/// Checks that an operation answers only with what the OpenAPI document names. What breaks down within the server stands nowhere in it.
fn answers_as_documented(method: &Method, path: &str, status: StatusCode) {
    static DOCUMENT: LazyLock<Value> =
        LazyLock::new(|| serde_json::to_value(mesh_control_api::openapi()).unwrap());
    let paths = DOCUMENT["paths"].as_object().unwrap();
    let fits = |template: &str| {
        let mut parts = template.split('/').zip(path.split('/'));
        template.split('/').count() == path.split('/').count()
            && parts.all(|(part, found)| part == found || part.starts_with('{'))
    };
    // A path without parameters goes before one with them.
    let templates = || paths.iter().filter(|(template, _)| fits(template)).map(|(_, item)| item);
    let Some(item) = paths.get(path).or_else(|| templates().next()) else { return };
    let Some(operation) = item.get(method.as_str().to_lowercase()) else { return };
    let documented = operation["responses"].get(status.as_str()).is_some();
    assert!(documented || status.is_server_error(), "{method} {path} answers {status}");
}

pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
    pub(crate) json: Value,
}

impl Answer {
    /// Checks the status and gives the JSON.
    #[track_caller]
    pub(crate) fn is(self, status: u16) -> Value {
        assert_eq!(self.status.as_u16(), status, "{}", self.text);
        self.json
    }

    /// Checks that it is an error of the API's shape, with this status and code; gives its message.
    #[track_caller]
    pub(crate) fn refused(self, status: u16, code: &str) -> String {
        let error = &self.is(status)["error"];
        assert_eq!(error["code"], code, "{error}");
        error["message"].as_str().unwrap().to_owned()
    }
}

/// A policy document.
pub(crate) fn document(name: &str, description: &str) -> Value {
    json!({
        "apiVersion": "ai-mesh.dev/v1alpha1", "kind": "Policy", "metadata": { "name": name },
        "spec": { "description": description, "rules": [{ "pii": { "types": ["email"] } }] }
    })
}

/// A record of VM `v`.
pub(crate) fn record(id: &str, decision: &str) -> DecisionRecord {
    DecisionRecord {
        decision_id: format!("v-{id}"),
        decision: decision.to_owned(),
        agent_id: "support-1".to_owned(),
        time_ns: 1_790_000_000_000_000_000,
        ..DecisionRecord::default()
    }
}
