//! What handlers are given, with errors in the API's shape.
use std::str::FromStr;

use axum::extract::path::{ErrorKind, FailedToDeserializePathParams};
use axum::extract::rejection::{BytesRejection, PathRejection};
use axum::extract::{FromRequest, FromRequestParts, Path, Query, Request};
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode, header};
use serde::de::{DeserializeOwned, Error as _};
use serde::{Deserialize, Deserializer};

use crate::error::ApiError;

/// Parts of the path.
pub(crate) struct InPath<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned + Send> FromRequestParts<S> for InPath<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        match Path::from_request_parts(parts, state).await {
            Ok(Path(value)) => Ok(InPath(value)),
            Err(PathRejection::FailedToDeserializePathParams(error)) => {
                Err(ApiError::not_found(format!("there is nothing at this path: {}", no_part(&error))))
            }
            Err(error) => Err(ApiError::bad_request(error.body_text())),
        }
    }
}

/// What is wrong with a part of the path. Parts that are not text are numbers.
fn no_part(error: &FailedToDeserializePathParams) -> String {
    match error.kind() {
        ErrorKind::ParseError { value, .. }
        | ErrorKind::ParseErrorAtIndex { value, .. }
        | ErrorKind::ParseErrorAtKey { value, .. } => format!("found {value:?}, expected a whole number"),
        _ => error.body_text(),
    }
}

/// Query parameters; `T` says which there are, and every other one is an error.
pub(crate) struct Params<T>(pub T);

/// A whole number in the query; the error for anything else quotes what was found.
pub(crate) fn whole<'de, D: Deserializer<'de>, N: FromStr>(query: D) -> Result<Option<N>, D::Error> {
    let text = String::deserialize(query)?;
    let told = || D::Error::custom(format!("found {text:?}, expected a whole number"));
    text.parse().map(Some).map_err(|_| told())
}

/// An empty query: a parameter that nobody reads is an error.
pub(crate) struct NoQuery;

impl<S: Send + Sync> FromRequestParts<S> for NoQuery {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Nothing {}

        Params::<Nothing>::from_request_parts(parts, state).await.map(|Params(Nothing {})| NoQuery)
    }
}

impl<S: Send + Sync, T: DeserializeOwned> FromRequestParts<S> for Params<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        match Query::from_request_parts(parts, state).await {
            Ok(Query(value)) => Ok(Params(value)),
            Err(error) => {
                // The error itself only says that there is one; the cause names the parameter.
                let cause =
                    std::error::Error::source(&error).map_or_else(|| error.body_text(), ToString::to_string);
                Err(ApiError::bad_request(format!("the query is not what is expected here: {cause}")))
            }
        }
    }
}

/// A whole body and its media type, without parameters and in lower case.
pub(crate) struct Body {
    pub bytes: axum::body::Bytes,
    pub media_type: Option<String>,
}

impl<S: Send + Sync> FromRequest<S> for Body {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &S) -> Result<Self, ApiError> {
        let media_type = media_type(request.headers());
        match axum::body::Bytes::from_request(request, state).await {
            Ok(bytes) => Ok(Body { bytes, media_type }),
            Err(error) => Err(too_large(&error)),
        }
    }
}

fn too_large(error: &BytesRejection) -> ApiError {
    if error.status() == StatusCode::PAYLOAD_TOO_LARGE {
        let message = format!("the body is too large: at most {} bytes are read", crate::rest::MAX_BODY);
        ApiError::new(StatusCode::PAYLOAD_TOO_LARGE, "body_too_large", message)
    } else {
        ApiError::bad_request("the body could not be read to its end")
    }
}

fn media_type(headers: &HeaderMap) -> Option<String> {
    let value = headers.get(header::CONTENT_TYPE)?.to_str().ok()?;
    Some(value.split(';').next().unwrap_or_default().trim().to_ascii_lowercase())
}

/// A body of JSON.
pub(crate) struct JsonBody<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for JsonBody<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &S) -> Result<Self, ApiError> {
        let body = Body::from_request(request, state).await?;
        match body.media_type.as_deref() {
            Some(kind) if is_json(kind) => {}
            found => return Err(unsupported(found, "application/json")),
        }
        serde_json::from_slice(&body.bytes)
            .map(JsonBody)
            .map_err(|error| ApiError::bad_request(format!("the body is not what is expected here: {error}")))
    }
}

pub(crate) fn is_json(media_type: &str) -> bool {
    media_type == "application/json"
        || (media_type.starts_with("application/") && media_type.ends_with("+json"))
}

pub(crate) fn unsupported(found: Option<&str>, expected: &str) -> ApiError {
    let found = found.map_or_else(|| "no content-type".to_owned(), |found| format!("content-type {found:?}"));
    let message = format!("the request has {found}; expected {expected}");
    ApiError::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported_media_type", message)
}
