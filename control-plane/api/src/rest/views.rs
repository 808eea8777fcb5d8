//! Policies as the API shows them.
use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use mesh_control_core::{Change, Changed, DiagnosticSchema, Stored, Timestamp};
use mesh_policy::{Diagnostic, Enforcement, Policy};
use serde::Serialize;
use utoipa::ToSchema;

/// A policy version, without its document.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct PolicySummary {
    /// The policy's name.
    name: String,
    /// The version, counted from 1.
    version: u64,
    /// What made the version.
    #[schema(inline)]
    change: Change,
    /// When it was made.
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    /// What the policy is for, in its author's words.
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<String>,
    /// What a violation does: `blocking`, `logging` or `advisory`; none for a deletion.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    enforcement: Option<Enforcement>,
    /// Kinds of its rules, in order.
    rules: Vec<String>,
}

/// A policy version with its document.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct PolicyView {
    #[serde(flatten)]
    summary: PolicySummary,
    /// The document (see `policy.schema.json`); none for a deletion.
    #[schema(value_type = Option<Object>)]
    document: Option<Policy>,
}

/// What a change did.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ChangeResult {
    /// False when the document was in force already, word for word; no version was made then.
    changed: bool,
    /// The version that is in force now (for a deletion: the deletion).
    policy: PolicyView,
    /// Remarks about the policies in force.
    #[schema(value_type = Vec<DiagnosticSchema>)]
    warnings: Vec<Diagnostic>,
}

impl From<Stored> for PolicySummary {
    fn from(stored: Stored) -> Self {
        let version = stored.version;
        let spec = version.policy().map(|policy| &policy.spec);
        PolicySummary {
            version: version.version,
            change: version.change,
            created_at: version.at,
            description: spec.and_then(|spec| spec.description.clone()),
            enforcement: spec.map(|spec| spec.enforcement),
            rules: spec.into_iter().flat_map(|spec| &spec.rules).map(|rule| rule.kind().to_owned()).collect(),
            name: version.name.clone(),
        }
    }
}

impl From<Stored> for PolicyView {
    fn from(stored: Stored) -> Self {
        let document = stored.version.policy().cloned();
        PolicyView { summary: stored.into(), document }
    }
}

impl PolicyView {
    /// The version with its `ETag`, for `If-Match`.
    pub(crate) fn tagged(self) -> Response {
        (etag(self.summary.version), Json(self)).into_response()
    }
}

impl ChangeResult {
    /// What a change did, with `warnings` of the reader before those of the compiler.
    pub(crate) fn new(done: Changed, mut warnings: Vec<Diagnostic>) -> Self {
        for said in done.warnings {
            if !warnings.contains(&said) {
                warnings.push(said);
            }
        }
        ChangeResult { changed: done.changed, policy: done.stored.into(), warnings }
    }

    /// 201 for a policy that was not there, else 200; with the new `ETag`.
    pub(crate) fn response(self) -> Response {
        let created = self.changed && self.policy.summary.change == Change::Created;
        let status = if created { StatusCode::CREATED } else { StatusCode::OK };
        (status, etag(self.policy.summary.version), Json(self)).into_response()
    }
}

pub(crate) fn etag(version: u64) -> [(header::HeaderName, HeaderValue); 1] {
    let value = HeaderValue::from_str(&format!("\"{version}\"")).unwrap_or(HeaderValue::from_static("\"\""));
    [(header::ETAG, value)]
}
