//! One shape for every error of the REST API: `{"error": {"code", "message", "diagnostics"}}`.
use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use mesh_control_core::ports::StoreError;
use mesh_control_core::{DiagnosticSchema, PolicyError, ToolError};
use mesh_policy::Diagnostic;
use serde::Serialize;
use utoipa::ToSchema;

use crate::document::Source;

/// An error as a response.
#[derive(Clone, Debug)]
pub struct ApiError {
    status: StatusCode,
    error: ErrorDetail,
}

/// Body of every error response.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ErrorBody {
    /// What went wrong.
    error: ErrorDetail,
}

/// What went wrong.
#[derive(Clone, Debug, Serialize, ToSchema)]
struct ErrorDetail {
    /// A word for programs, such as `not_found` or `policy_invalid`.
    code: &'static str,
    /// A sentence for people.
    message: String,
    /// Remarks about the policy document, when it is the cause.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(value_type = Vec<DiagnosticSchema>)]
    diagnostics: Vec<Diagnostic>,
}

impl ApiError {
    /// An error with a status, a word for programs and a sentence for people.
    pub fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> Self {
        ApiError { status, error: ErrorDetail { code, message: message.into(), diagnostics: Vec::new() } }
    }

    /// 400: the request itself is wrong.
    pub(crate) fn bad_request(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "bad_request", message)
    }

    /// 401: who is asking?
    pub(crate) fn unauthenticated() -> Self {
        let message = "the administrator's token is missing or wrong: send `Authorization: Bearer <token>`; the control \
                       plane keeps it in `admin-token` in its data directory";
        Self::new(StatusCode::UNAUTHORIZED, "unauthenticated", message)
    }

    /// 404: there is no such thing.
    pub(crate) fn not_found(message: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, "not_found", message)
    }

    /// 422: a policy document that cannot be accepted.
    pub(crate) fn invalid(diagnostics: Vec<Diagnostic>) -> Self {
        let errors = diagnostics.iter().filter(|said| said.severity == mesh_policy::Severity::Error).count();
        let message = match errors {
            1 => "the policy has an error".to_owned(),
            count => format!("the policy has {count} errors"),
        };
        let mut error = Self::new(StatusCode::UNPROCESSABLE_ENTITY, "policy_invalid", message);
        error.error.diagnostics = diagnostics;
        error
    }

    /// The same, with lines and columns in the text that the document came as.
    pub(crate) fn located(mut self, source: &Source) -> Self {
        self.error.diagnostics = source.locate(self.error.diagnostics);
        self
    }

    /// The same, but a conflict as a precondition that did not hold.
    pub(crate) fn into_precondition(mut self) -> Self {
        if self.error.code == "exists" {
            (self.status, self.error.code) = (StatusCode::PRECONDITION_FAILED, "version_mismatch");
        }
        self
    }

    /// The error's status.
    pub fn status(&self) -> StatusCode {
        self.status
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let challenge = (self.status == StatusCode::UNAUTHORIZED)
            .then_some([(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer realm=\"ai-mesh\""))]);
        let response = (self.status, Json(ErrorBody { error: self.error })).into_response();
        match challenge {
            Some(challenge) => (challenge, response).into_response(),
            None => response,
        }
    }
}

impl From<StoreError> for ApiError {
    fn from(error: StoreError) -> Self {
        // The causes are for the operator; the caller only learns what to do.
        let causes = causes(&error);
        tracing::error!(%error, causes, "the store failed");
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "store_unavailable", format!("{error}; try again later"))
    }
}

impl From<PolicyError> for ApiError {
    fn from(error: PolicyError) -> Self {
        let message = error.to_string();
        match error {
            PolicyError::Unknown { .. }
            | PolicyError::UnknownAgent { .. }
            | PolicyError::NoRollout { .. }
            | PolicyError::NoDraft { .. }
            | PolicyError::UnknownPrice { .. }
            | PolicyError::NoVersion { .. } => Self::not_found(message),
            PolicyError::Frozen { .. } => Self::new(StatusCode::LOCKED, "frozen", message),
            PolicyError::RolloutActive { .. } => Self::new(StatusCode::CONFLICT, "rollout_active", message),
            PolicyError::NotNow(_) => Self::new(StatusCode::CONFLICT, "not_now", message),
            PolicyError::OnlyTried { .. } => Self::new(StatusCode::CONFLICT, "only_tried", message),
            PolicyError::NoDocument { .. } => Self::new(StatusCode::CONFLICT, "no_document", message),
            PolicyError::Exists { .. } => Self::new(StatusCode::CONFLICT, "exists", message),
            PolicyError::Changed { .. } => {
                Self::new(StatusCode::PRECONDITION_FAILED, "version_mismatch", message)
            }
            PolicyError::Refused(diagnostics) => Self::invalid(diagnostics),
            PolicyError::Store(error) => error.into(),
            PolicyError::Publish(error) => {
                tracing::error!(%error, "a change was kept, but not published");
                Self::new(StatusCode::INTERNAL_SERVER_ERROR, "not_published", format!("{message}: {error}"))
            }
            PolicyError::Compiler => Self::new(StatusCode::INTERNAL_SERVER_ERROR, "compiler_failed", message),
        }
    }
}

impl From<ToolError> for ApiError {
    fn from(error: ToolError) -> Self {
        match error {
            ToolError::Unknown { .. } | ToolError::UnknownDefinition { .. } => {
                Self::not_found(error.to_string())
            }
            ToolError::Policies(error) => error.into(),
            ToolError::Store(error) => error.into(),
        }
    }
}

/// The causes of an error, outermost first.
pub(crate) fn causes(error: &dyn std::error::Error) -> String {
    let chain = std::iter::successors(error.source(), |cause| cause.source());
    chain.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}
