//! What reached the upstream, for tests and for the curious.

use std::{collections::VecDeque, sync::Mutex};

use base64::{Engine, prelude::BASE64_STANDARD};
use serde_json::{Map, Value, json};

use crate::call::Call;

/// How many requests are kept.
const MAX_REQUESTS: usize = 1024;
/// How many bytes of bodies are kept.
const MAX_BYTES: usize = 64 << 20;

/// The last requests, bounded in count and bytes.
#[derive(Default)]
pub(crate) struct Journal(Mutex<Kept>);

#[derive(Default)]
struct Kept {
    entries: VecDeque<(usize, Value)>,
    bytes: usize,
}

impl Journal {
    pub(crate) fn record(&self, call: &Call) {
        let mut headers = Map::new();
        for (name, value) in &call.headers {
            headers.insert(name.to_string(), String::from_utf8_lossy(value.as_bytes()).into());
        }
        let target =
            if call.query.is_empty() { call.path.clone() } else { format!("{}?{}", call.path, call.query) };
        let mut entry = json!({ "method": call.method.as_str(), "path": target, "headers": headers });
        match std::str::from_utf8(&call.raw) {
            Ok(text) => entry["body"] = text.into(),
            Err(_) => entry["bodyBase64"] = BASE64_STANDARD.encode(&call.raw).into(),
        }
        let mut kept = self.lock();
        kept.bytes += call.raw.len();
        kept.entries.push_back((call.raw.len(), entry));
        while kept.entries.len() > MAX_REQUESTS || (kept.bytes > MAX_BYTES && kept.entries.len() > 1) {
            let Some((size, _)) = kept.entries.pop_front() else { break };
            kept.bytes -= size;
        }
    }

    /// Oldest first.
    pub(crate) fn list(&self) -> Value {
        let requests: Vec<_> = self.lock().entries.iter().map(|(_, entry)| entry.clone()).collect();
        json!({ "requests": requests })
    }

    pub(crate) fn clear(&self) {
        *self.lock() = Kept::default();
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Kept> {
        self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}
