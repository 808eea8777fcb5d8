//! The HTTP contract: `POST /predict`, `/healthz`, `/metrics`.
//!
//! Failure law: what is not asked as agreed is 422, what does not fit in the queue 429, what is not answered in time 504, a
//! model that fails 500; none of these bodies holds anything of a text. What was begun is finished before the process ends.
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::extract::{DefaultBodyLimit, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use prometheus_client::encoding::{EncodeLabelSet, text};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;
use serde::Deserialize;
use serde_json::json;
use tokio::sync::Semaphore;

use crate::classifier::{Class, Classifier};

/// Most texts of one request.
pub const MAX_TEXTS: usize = 32;
/// Largest request body in bytes.
const MAX_BODY: usize = 512 * 1024;

/// Bounds of a service.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// Requests that are classified at the same time.
    pub concurrency: usize,
    /// Requests that wait; one more is refused.
    pub queue: usize,
    /// How long a request may take, waiting included.
    pub deadline: Duration,
}

struct Service {
    classifier: Arc<Classifier>,
    /// One place for each request that waits or is classified.
    places: Arc<Semaphore>,
    /// One for each that is classified.
    workers: Arc<Semaphore>,
    bounds: Bounds,
    metrics: Metrics,
}

struct Metrics {
    registry: Registry,
    requests: Family<Outcome, Counter>,
    texts: Counter,
    seconds: Histogram,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Outcome {
    status: u16,
}

impl Metrics {
    fn new() -> Self {
        let mut registry = Registry::with_prefix("ai_mesh_judge");
        let (requests, texts) = (Family::<Outcome, Counter>::default(), Counter::default());
        let seconds = Histogram::new([0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0]);
        registry.register("requests", "Requests to classify, by status", requests.clone());
        registry.register("texts", "Texts classified", texts.clone());
        registry.register("request_seconds", "How long a request took, waiting included", seconds.clone());
        Metrics { registry, requests, texts, seconds }
    }
}

/// What is served.
pub fn router(classifier: Classifier, bounds: Bounds) -> Router {
    let service = Service {
        classifier: Arc::new(classifier),
        places: Arc::new(Semaphore::new(bounds.concurrency.saturating_add(bounds.queue))),
        workers: Arc::new(Semaphore::new(bounds.concurrency)),
        bounds,
        metrics: Metrics::new(),
    };
    Router::new()
        .route("/predict", post(predict))
        .route("/healthz", get(|| async { "ok\n" }))
        .route("/metrics", get(metrics))
        .layer(DefaultBodyLimit::max(MAX_BODY))
        .with_state(Arc::new(service))
}

/// One text, or a batch.
#[derive(Deserialize)]
#[serde(untagged)]
enum Inputs {
    One(String),
    Batch(Vec<[String; 1]>),
}

#[derive(Deserialize)]
struct Question {
    inputs: Inputs,
}

struct Refusal(StatusCode, &'static str, &'static str);

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        (self.0, Json(json!({ "error": self.1, "error_type": self.2 }))).into_response()
    }
}

async fn predict(State(service): State<Arc<Service>>, body: axum::body::Bytes) -> Response {
    let began = Instant::now();
    let answer = service.answer(&body).await.into_response();
    let status = answer.status().as_u16();
    service.metrics.requests.get_or_create(&Outcome { status }).inc();
    service.metrics.seconds.observe(began.elapsed().as_secs_f64());
    answer
}

async fn metrics(State(service): State<Arc<Service>>) -> Response {
    let mut page = String::new();
    match text::encode(&mut page, &service.metrics.registry) {
        Ok(()) => {
            let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
            ([(header::CONTENT_TYPE, kind)], page).into_response()
        }
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

impl Service {
    async fn answer(&self, body: &[u8]) -> Result<Response, Refusal> {
        let invalid = |why| Refusal(StatusCode::UNPROCESSABLE_ENTITY, why, "Validation");
        // What serde says could quote the text.
        let question: Question = serde_json::from_slice(body).map_err(|_| {
            invalid("expected {\"inputs\": \"text\"} or {\"inputs\": [[\"text\"], …]} as JSON in UTF-8")
        })?;
        let (texts, single) = match question.inputs {
            Inputs::One(text) => (vec![text], true),
            Inputs::Batch(texts) => (texts.into_iter().map(|[text]| text).collect(), false),
        };
        if texts.is_empty() || texts.len() > MAX_TEXTS {
            return Err(invalid("expected between 1 and 32 texts"));
        }
        self.metrics.texts.inc_by(texts.len() as u64);
        let classes = tokio::time::timeout(self.bounds.deadline, self.classify(texts))
            .await
            .map_err(|_| Refusal(StatusCode::GATEWAY_TIMEOUT, "the deadline has passed", "Timeout"))??;
        Ok(if single { Json(classes.first()).into_response() } else { Json(classes).into_response() })
    }

    async fn classify(&self, texts: Vec<String>) -> Result<Vec<Vec<Class>>, Refusal> {
        let full = |_| Refusal(StatusCode::TOO_MANY_REQUESTS, "too many requests wait", "Overloaded");
        let failed = Refusal(StatusCode::INTERNAL_SERVER_ERROR, "the model could not be run", "Backend");
        let place = Arc::clone(&self.places).try_acquire_owned().map_err(full)?;
        let worker = Arc::clone(&self.workers)
            .acquire_owned()
            .await
            .map_err(|_| Refusal(StatusCode::SERVICE_UNAVAILABLE, "the service is stopping", "Unhealthy"))?;
        let classifier = Arc::clone(&self.classifier);
        // The worker's place is free when it is done, whether anybody still waits for it or not.
        let done = tokio::task::spawn_blocking(move || {
            let (_place, _worker) = (place, worker);
            let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
            classifier.classify(&texts)
        });
        match done.await {
            Ok(Ok(classes)) => Ok(classes),
            Ok(Err(error)) => {
                tracing::error!(%error, "a request was not answered");
                Err(failed)
            }
            Err(_) => Err(failed),
        }
    }
}
