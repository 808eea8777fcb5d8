//! One request as the providers' modules see it: decoded, with its knobs read.

use std::io::Read;

use flate2::read::GzDecoder;
use hyper::{
    HeaderMap, Method,
    body::Bytes,
    http::{header, request::Parts},
};
use serde_json::Value;

use crate::{error::Flavour, knobs::Knobs, reply::Reply};

/// A request, whole.
pub(crate) struct Call {
    pub(crate) method: Method,
    pub(crate) path: String,
    pub(crate) query: String,
    pub(crate) headers: HeaderMap,
    /// As it arrived.
    pub(crate) raw: Bytes,
    pub(crate) knobs: Knobs,
}

impl Call {
    pub(crate) fn new(parts: Parts, raw: Bytes) -> Self {
        Self {
            path: parts.uri.path().to_owned(),
            query: parts.uri.query().unwrap_or_default().to_owned(),
            knobs: Knobs::read(&parts.headers),
            method: parts.method,
            headers: parts.headers,
            raw,
        }
    }

    /// A header's value, when it is there and is text.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// Whether the client lists this media type in `accept`.
    pub(crate) fn accepts(&self, media_type: &str) -> bool {
        self.header("accept").is_some_and(|accept| accept.contains(media_type))
    }

    /// The body without its `content-encoding` (gzip; others stay as they are).
    pub(crate) fn body(&self) -> Vec<u8> {
        let gzip = self.headers.get(header::CONTENT_ENCODING).is_some_and(|v| v.as_bytes() == b"gzip");
        let mut plain = Vec::new();
        if gzip && GzDecoder::new(&self.raw[..]).read_to_end(&mut plain).is_ok() {
            return plain;
        }
        self.raw.to_vec()
    }

    /// The body as a JSON object, or the provider's own complaint.
    pub(crate) fn json(&self, flavour: Flavour) -> Result<Value, Reply> {
        match serde_json::from_slice::<Value>(&self.body()) {
            Ok(value @ Value::Object(_)) => Ok(value),
            Ok(_) => Err(flavour.invalid("the body must be a JSON object")),
            Err(_) => Err(flavour.invalid("we could not parse the JSON body of your request")),
        }
    }
}
