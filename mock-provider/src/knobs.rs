//! Request headers by which a test bends the answer.
//!
//! | header | what it does |
//! |---|---|
//! | `x-mock-delay-ms: N` | waits N ms before the answer, and before each further piece of a stream |
//! | `x-mock-chunk-bytes: N` | cuts the body into pieces of N bytes, each flushed for itself (with a delay of 1 ms or more the pieces also arrive apart) |
//! | `x-mock-encoding: gzip\|deflate\|br\|zstd` | compresses the answer and says so in `content-encoding` |
//! | `x-mock-abort-after: N` | breaks the connection off after N bytes of body; of 0, before any answer |
//! | `x-mock-reply: BASE64` | the assistant's text (and the text in the arguments of a tool call) is exactly this |
//! | `x-mock-status: N` | answers with the provider's error of this status |
//! | `x-mock-eol: lf\|crlf\|cr` | line ends of server-sent events |
//! | `x-mock-body: BASE64` | the answer's body is exactly these bytes, whatever was asked |
//! | `x-mock-content-type: TYPE` | replaces the answer's content type |

use base64::{Engine, prelude::BASE64_STANDARD};
use hyper::HeaderMap;

use crate::encode::Coding;

/// What the knobs of one request say. A knob that can't be read is as if it weren't there.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Knobs {
    pub(crate) delay_ms: u64,
    pub(crate) chunk_bytes: Option<usize>,
    pub(crate) coding: Coding,
    pub(crate) abort_after: Option<usize>,
    pub(crate) reply: Option<String>,
    pub(crate) status: Option<u16>,
    pub(crate) eol: Option<&'static str>,
    pub(crate) body: Option<Vec<u8>>,
    pub(crate) content_type: Option<String>,
}

impl Knobs {
    pub(crate) fn read(headers: &HeaderMap) -> Self {
        let text = |name: &str| headers.get(name).and_then(|v| v.to_str().ok());
        let bytes = |name: &str| text(name).and_then(|v| BASE64_STANDARD.decode(v).ok());
        Self {
            delay_ms: text("x-mock-delay-ms").and_then(|v| v.parse().ok()).unwrap_or(0),
            chunk_bytes: text("x-mock-chunk-bytes").and_then(|v| v.parse().ok()).filter(|n| *n > 0),
            coding: text("x-mock-encoding").map(Coding::named).unwrap_or_default(),
            abort_after: text("x-mock-abort-after").and_then(|v| v.parse().ok()),
            reply: bytes("x-mock-reply").and_then(|v| String::from_utf8(v).ok()),
            status: text("x-mock-status").and_then(|v| v.parse().ok()).filter(|s| (400..600).contains(s)),
            eol: match text("x-mock-eol") {
                Some("crlf") => Some("\r\n"),
                Some("cr") => Some("\r"),
                _ => None,
            },
            body: bytes("x-mock-body"),
            content_type: text("x-mock-content-type").map(str::to_owned),
        }
    }
}
