//! Reads a request's body, and handles one that cannot be read or is not text.
//!
//! Failure law: a body that cannot be read unambiguously (400), or that contains more than is read of one (413), is
//! refused if a policy fails closed and enforces. A body larger than can be buffered is refused with 413 under any
//! policy that inspects bodies.
use std::rc::Rc;

use mesh_policy::{FailureMode, Media};
use mesh_wire::{
    BodyKind, ContentEncoding, Limits, Message, Protocol, RefusalKind, WireError, body_kind, is_binary,
    kind_of_body, read_form, read_multipart, read_request,
};

use crate::decision::{GuardState, Severity};
use crate::evidence::{Evidence, Violation};
use crate::mirrored::contradiction;
use crate::session::{Session, Step, speaks_json, when_closed};

/// Path suffixes to which Google's clients upload files.
const UPLOADS: [&str; 4] = ["/files", ":uploadToFileSearchStore", ":uploadToRagStore", "/ragFiles:upload"];

impl Session {
    pub(crate) fn content_encoding(&self) -> ContentEncoding {
        ContentEncoding::of(self.head.all("content-encoding"))
    }

    /// Whether the body is part of a file upload to Google. Its clients send it with any content type
    /// (`application/json`, a form's), except that of a multipart form, which other servers accept on such paths.
    fn uploads_bytes(&self) -> bool {
        let path = self.head.path_only();
        body_kind(self.head.header("content-type")) != BodyKind::Multipart
            && path.contains("/upload/")
            && UPLOADS.iter().any(|end| path.ends_with(end))
            && self.head.header("x-goog-upload-command").is_some_and(|command| command.contains("upload"))
    }

    pub(crate) fn read(&mut self, body: &[u8]) {
        let uploads = self.uploads_bytes();
        // The file's type was given when the upload was announced, and may be repeated here.
        let named = if uploads { "x-goog-upload-header-content-type" } else { "content-type" };
        let kind = kind_of_body(self.head.header(named), body);
        if uploads && kind != BodyKind::Json {
            self.protocol = Protocol::Text;
        }
        // A content type may be wrong, and many servers parse JSON regardless: what looks like JSON is read as JSON.
        let json = speaks_json(self.protocol) || mesh_wire::sniff(body) == BodyKind::Json;
        match kind {
            BodyKind::Unknown(why) if why == "charset" => return self.uninspectable("charset"),
            _ if json => {}
            BodyKind::Json => {}
            // Without a content type, or with one that is not text, the bytes decide.
            BodyKind::Empty | BodyKind::Media => match mesh_wire::sniff(body) {
                BodyKind::Text if std::str::from_utf8(body).is_ok() => self.protocol = Protocol::Text,
                BodyKind::Text | BodyKind::Unknown(_) if is_media(&kind, body) => return self.media("media"),
                BodyKind::Text | BodyKind::Unknown(_) => self.protocol = Protocol::Text,
                _ => {}
            },
            BodyKind::Text | BodyKind::Lines => self.protocol = Protocol::Text,
            BodyKind::EventStream | BodyKind::AmazonEvents => return self.uninspectable("event-stream"),
            BodyKind::Form => {}
            BodyKind::Multipart => {}
            BodyKind::Unknown(_) => return self.uninspectable("content-type"),
        }
        self.decision.protocol = self.protocol.as_str();
        let limits = self.program.limits();
        let read = match kind {
            BodyKind::Form if !json => Some(read_form(body, &limits)),
            // A form whose first field begins with a bracket is a form to most servers, and JSON to some: it must be
            // readable as both.
            BodyKind::Form => Some(read_form(body, &limits).and_then(|form| {
                let mut message = read_request(self.protocol, body, &limits)?;
                message.asks_as_well(form);
                Ok(message)
            })),
            BodyKind::Multipart if !json => self.read_multipart(body, &limits),
            _ => Some(read_request(self.protocol, body, &limits)),
        };
        let Some(read) = read else { return self.uninspectable("multipart") };
        match read {
            Ok(mut message) => {
                message.follow(&self.route, body);
                self.protocol = message.protocol;
                self.decision.protocol = message.protocol.as_str();
                self.decision.named(&message.operation, message.model.as_deref());
                self.rpc_ids.clone_from(&message.rpc_ids);
                let called = message.tool_calls.iter().map(|call| &call.name);
                let offered = message.tools_offered.iter().chain(&message.other_tools);
                called.chain(offered).for_each(|name| self.decision.tool(name));
                let (media, tokens) = (message.media, message.tokens);
                let contradiction = contradiction(&self.head, &message);
                self.message = Some(message);
                if let Some(why) = contradiction {
                    let said = "headers of MCP say something else than the body";
                    self.unreadable(("body", "malformed"), said, (RefusalKind::Mismatch, why));
                }
                if media > 0 {
                    self.media("media");
                } else if tokens > 0 {
                    self.media("tokens");
                }
            }
            Err(error @ WireError::TooLarge { .. }) => self.unreadable(
                ("size", "size"),
                "the body holds more than is read of one",
                (RefusalKind::TooLarge, &error.to_string()),
            ),
            Err(error) => self.malformed(&error.to_string()),
        }
    }

    /// `None` if servers might split it differently.
    fn read_multipart(&self, body: &[u8], limits: &Limits) -> Option<Result<Message, WireError>> {
        let mut types = self.head.all("content-type");
        let only = types.next().filter(|_| types.next().is_none())?;
        read_multipart(only, body, limits)
    }

    pub(crate) fn malformed(&mut self, why: &str) {
        let message = "the body is not what every parser would read alike";
        self.unreadable(("body", "malformed"), message, (RefusalKind::Malformed, why));
    }

    /// Handles a body that is not read: sets the guards' states, records it, and refuses with this reason if a policy
    /// fails closed.
    fn unreadable(
        &mut self,
        (guard, state): (&'static str, &'static str),
        message: &str,
        (kind, why): (RefusalKind, &str),
    ) {
        let violation = Violation::new(guard, Severity::Medium, message.to_owned());
        let applies = Rc::clone(&self.applies);
        let mut closed = false;
        for policy in applies.iter().filter(|policy| policy.inspects()) {
            for guard in policy.body_guards() {
                self.decision.guard(guard, GuardState::Failed(state.into()));
            }
            let violation = violation.clone().with(when_closed(policy));
            closed |= self.raise(policy, violation) && policy.failure == FailureMode::Closed;
        }
        if closed {
            self.deny(kind, why);
        }
    }

    /// A request that contains media, or nothing else.
    fn media(&mut self, why: &'static str) {
        self.judge_media(why);
        if self.message.is_none() {
            self.skip_content(why);
        }
    }

    /// Media is not text: it passes or is refused as the policy says, in both directions.
    pub(crate) fn judge_media(&mut self, why: &'static str) {
        let applies = Rc::clone(&self.applies);
        self.decision.guard("media", GuardState::Skipped(why.into()));
        for policy in applies.iter().filter(|policy| policy.media == Media::Refuse) {
            if self.object(policy, "media", Severity::Medium, "media is not allowed".to_owned()) {
                self.deny(RefusalKind::Policy, "media (images, audio, files) is not allowed by policy");
            }
        }
    }

    /// Marks every guard that reads bodies as failed, and refuses if a policy fails closed.
    pub(crate) fn uninspectable(&mut self, why: &'static str) {
        let applies = Rc::clone(&self.applies);
        for policy in applies.iter() {
            for guard in policy.body_guards() {
                self.guard_failed(policy, guard, why);
            }
        }
    }

    pub(crate) fn skip_content(&mut self, why: &'static str) {
        let applies = Rc::clone(&self.applies);
        for policy in applies.iter() {
            for guard in policy.body_guards() {
                if !self.decision.guards.iter().any(|(name, _)| *name == guard) {
                    self.decision.guard(guard, GuardState::Skipped(why.into()));
                }
            }
        }
    }

    /// The request body has exceeded the size limit. If any policy inspects bodies it is refused, whatever the
    /// enforcement and failure mode: it cannot be buffered, so it cannot pass either. No rule caused this, so none is
    /// named.
    pub fn too_large(&mut self) -> Step {
        self.skip_content("size");
        let limit = self.program.settings.max_body_bytes;
        let message = format!("the body is larger than {limit} bytes");
        self.deny(RefusalKind::TooLarge, &message);
        let evidence = Evidence { limit: Some(limit), ..Evidence::default() };
        self.decision.violation(Violation::new("size", Severity::Medium, message).because(evidence));
        self.conclude(None)
    }
}

/// Whether a body that is not declared as text is not text. One character that is rare in texts, or one byte of
/// another character set, does not make it media.
fn is_media(kind: &BodyKind, body: &[u8]) -> bool {
    match std::str::from_utf8(body) {
        Ok(_) => body.contains(&0) || is_binary(&BodyKind::Empty, body),
        Err(_) => is_binary(kind, body),
    }
}
