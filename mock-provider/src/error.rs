//! Errors in each provider's own shape.

use serde_json::json;

use crate::reply::Reply;

/// Whose shape an error has.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Flavour {
    OpenAi,
    Anthropic,
    Gemini,
    Ollama,
    Bedrock,
}

impl Flavour {
    /// A malformed request.
    pub(crate) fn invalid(self, message: &str) -> Reply {
        self.error(400, message)
    }

    /// A model nobody has.
    pub(crate) fn no_such_model(self, model: &str) -> Reply {
        self.error(404, &format!("the model `{model}` does not exist"))
    }

    /// The error of any status.
    pub(crate) fn error(self, status: u16, message: &str) -> Reply {
        let body = match self {
            Self::OpenAi => json!({ "error": {
                "message": message, "type": openai_type(status), "param": null,
                "code": match status { 404 => json!("model_not_found"), 429 => json!("rate_limit_exceeded"), _ => json!(null) },
            }}),
            Self::Anthropic => json!({
                "type": "error", "error": { "type": anthropic_type(status), "message": message },
                "request_id": "req_mock",
            }),
            Self::Gemini => json!({ "error": {
                "code": status, "message": message, "status": match status { 404 => "NOT_FOUND", 429 => "RESOURCE_EXHAUSTED", s if s >= 500 => "INTERNAL", _ => "INVALID_ARGUMENT" },
            }}),
            Self::Ollama => json!({ "error": message }),
            Self::Bedrock => json!({ "message": message }),
        };
        Reply::json(status, &body)
    }
}

fn openai_type(status: u16) -> &'static str {
    match status {
        401 => "authentication_error",
        429 => "requests",
        500.. => "server_error",
        _ => "invalid_request_error",
    }
}

fn anthropic_type(status: u16) -> &'static str {
    match status {
        401 => "authentication_error",
        403 => "permission_error",
        404 => "not_found_error",
        413 => "request_too_large",
        429 => "rate_limit_error",
        529 => "overloaded_error",
        500.. => "api_error",
        _ => "invalid_request_error",
    }
}
