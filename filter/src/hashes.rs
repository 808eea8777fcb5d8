//! Fingerprints of the bodies of one exchange, if the operator asks for them: of the request as the agent sent it, and
//! of the response as the agent gets it, as far as bodies are read at all.
use mesh_audit::ContentHash;
use mesh_audit::v1::DecisionRecord;
use mesh_policy::Settings;

/// The two fingerprints; both `None` unless the operator asks for them.
#[derive(Default)]
pub(crate) struct Hashes {
    request: Option<ContentHash>,
    response: Option<ContentHash>,
}

impl Hashes {
    pub(crate) fn asked(settings: &Settings) -> Self {
        let begun = settings.record_key.as_ref().map(|key| ContentHash::new(key.reveal().as_bytes()));
        Hashes { request: begun.clone(), response: begun }
    }

    /// The request's body, as the agent sent it.
    pub(crate) fn request(&mut self, body: &[u8]) {
        if let Some(hash) = &mut self.request {
            hash.update(body);
        }
    }

    /// A piece of the answer, as the agent gets it.
    pub(crate) fn response(&mut self, piece: &[u8]) {
        if let Some(hash) = &mut self.response {
            hash.update(piece);
        }
    }

    pub(crate) fn note(self, record: &mut DecisionRecord) {
        record.request_hash = self.request.map(ContentHash::finish).unwrap_or_default();
        record.response_hash = self.response.map(ContentHash::finish).unwrap_or_default();
    }
}
