//! A document in a request's body: JSON or YAML, by content type.
use axum::extract::{FromRequest, Request};
use mesh_policy::{Agent, Diagnostic, Parsed, ParsedDocument};

use crate::error::ApiError;
use crate::extract::{Body, is_json, unsupported};
use crate::plain::Plain;

/// A document as it was read: parsed, or what is wrong with it.
pub(crate) struct Document(Result<ParsedDocument, Vec<Diagnostic>>, Source);

/// What a document came as.
#[derive(Clone)]
pub(crate) enum Source {
    /// YAML, which has lines to tell.
    Text(String),
    /// JSON.
    Value(serde_json::Value),
}

impl Source {
    /// Names fields as the author did in what the compiler says of the document, and gives lines and columns.
    pub(crate) fn locate(&self, mut said: Vec<Diagnostic>) -> Vec<Diagnostic> {
        match self {
            Source::Text(text) => mesh_policy::locate(text, 0, &mut said),
            Source::Value(value) => mesh_policy::in_authors_words(value, &mut said),
        }
        said
    }
}

impl Document {
    /// The text it came as.
    pub(crate) fn source(&self) -> Source {
        self.1.clone()
    }

    /// The policy, or what is wrong with it.
    pub(crate) fn policy(self) -> Result<Parsed, Vec<Diagnostic>> {
        let read = self.0?;
        match read.document {
            mesh_policy::Document::Policy(policy) => Ok(Parsed { policy, warnings: read.warnings }),
            mesh_policy::Document::Agent(_)
            | mesh_policy::Document::Tool(_)
            | mesh_policy::Document::Price(_)
            | mesh_policy::Document::State(_) => Err(vec![
                Diagnostic::error("kind", "found \"Agent\", expected `Policy`")
                    .help("agents go to /api/v1/agents"),
            ]),
        }
    }

    /// The policy, or 422.
    pub(crate) fn accepted(self) -> Result<Parsed, ApiError> {
        self.policy().map_err(ApiError::invalid)
    }

    /// The agent and remarks on it, or 422.
    pub(crate) fn agent(self) -> Result<(Agent, Vec<Diagnostic>), ApiError> {
        let read = self.0.map_err(ApiError::invalid)?;
        match read.document {
            mesh_policy::Document::Agent(agent) => Ok((agent, read.warnings)),
            mesh_policy::Document::Policy(_)
            | mesh_policy::Document::Tool(_)
            | mesh_policy::Document::Price(_)
            | mesh_policy::Document::State(_) => Err(ApiError::invalid(vec![
                Diagnostic::error("kind", "found \"Policy\", expected `Agent`")
                    .help("policies go to /api/v1/policies"),
            ])),
        }
    }
}

impl<S: Send + Sync> FromRequest<S> for Document {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &S) -> Result<Self, ApiError> {
        let body = Body::from_request(request, state).await?;
        match body.media_type.as_deref() {
            Some(kind) if is_json(kind) => json(&body.bytes),
            Some("application/yaml" | "application/x-yaml" | "text/yaml" | "text/x-yaml") => {
                yaml(&body.bytes)
            }
            found => Err(unsupported(found, "application/json or application/yaml")),
        }
    }
}

fn json(bytes: &[u8]) -> Result<Document, ApiError> {
    let Plain(value) = serde_json::from_slice(bytes)
        .map_err(|error| ApiError::bad_request(format!("the body is not JSON: {error}")))?;
    Ok(Document(mesh_policy::document_from_value(&value), Source::Value(value)))
}

fn yaml(bytes: &[u8]) -> Result<Document, ApiError> {
    let text = std::str::from_utf8(bytes)
        .map_err(|error| ApiError::bad_request(format!("the body is not UTF-8: {error}")))?;
    let source = Source::Text(text.to_owned());
    match mesh_policy::documents_from_yaml(text) {
        Ok(mut documents) if documents.len() == 1 => Ok(Document(Ok(documents.remove(0)), source)),
        Ok(documents) => Err(ApiError::bad_request(format!(
            "the body holds {} documents; send exactly one",
            documents.len()
        ))),
        Err(diagnostics) => Ok(Document(Err(diagnostics), source)),
    }
}
