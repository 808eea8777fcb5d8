//! A compiled set of policies: immutable, shared by all sessions that run by it.
use std::rc::Rc;

use mesh_detect::{CustomPatterns, Detector, Phrases, Sensitivity, TypeSet};
use mesh_limits::Catalogue;
use mesh_policy::{
    Diagnostic, Enforcement, FailureMode, InjectionAction, LimitAction, LimitKey, LimitMode, Media,
    PiiAction, RecordOverflow, Settings,
};
use mesh_rego::Rego;
use mesh_wire::Limits;

use crate::Caller;
use crate::access::AccessGuard;
use crate::limits::Measure;
use crate::names::{Globs, NameGuard};
use crate::seen::Seen;

/// What requests are judged by.
pub struct Program {
    pub(crate) version: String,
    pub(crate) settings: Settings,
    pub(crate) detector: Rc<Detector>,
    pub(crate) policies: Vec<Rc<Attached>>,
    /// What was judged before; without it every text is judged anew.
    pub(crate) seen: Option<Seen>,
    /// Where a policy limits money.
    pub(crate) prices: Option<Catalogue>,
    pub(crate) warnings: Vec<(String, Diagnostic)>,
}

impl Program {
    /// The same program, which recognises texts that it judged before. Nobody outside may know or guess the key.
    #[must_use]
    pub fn remembering(self, key: [u8; 16]) -> Self {
        Program { seen: Some(Seen::new(key)), ..self }
    }

    /// Version of the bundle it was compiled from.
    pub fn version(&self) -> &str {
        &self.version
    }

    /// Settings of the bundle.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Bounds on the bodies that are read: the settings' size, and at most the 1 GiB that spans can count.
    pub(crate) fn limits(&self) -> Limits {
        let max_body = usize::try_from(self.settings.max_body_bytes).unwrap_or(usize::MAX).min(1 << 30);
        Limits { max_body, ..Limits::default() }
    }

    /// What the documents say that is not enforced, with the id of the policy.
    pub fn warnings(&self) -> &[(String, Diagnostic)] {
        &self.warnings
    }
}

/// One policy, ready to judge.
pub(crate) struct Attached {
    /// Its place in the program.
    pub(crate) index: usize,
    pub(crate) id: String,
    pub(crate) version: u64,
    pub(crate) target: TargetMatch,
    pub(crate) enforcement: Enforcement,
    pub(crate) failure: FailureMode,
    pub(crate) media: Media,
    pub(crate) overflow: RecordOverflow,
    pub(crate) access: Option<AccessGuard>,
    pub(crate) models: Vec<NameGuard>,
    pub(crate) tools: Vec<NameGuard>,
    pub(crate) rego: Vec<Rego>,
    pub(crate) limits: Vec<LimitGuard>,
    pub(crate) injection: Vec<InjectionGuard>,
    pub(crate) pii: Vec<PiiGuard>,
    /// Kinds of rules that are in the document and that this version does not enforce.
    pub(crate) unenforced: Vec<&'static str>,
}

impl Attached {
    pub(crate) fn reads_responses(&self) -> bool {
        self.pii.iter().any(|guard| guard.response)
            || !self.injection.is_empty()
            || !self.tools.is_empty()
            || self.limits.iter().any(|guard| guard.measure.is_spent())
    }
}

/// Attributes that only a registry of agents knows (type, tier, labels) do not narrow a target here: an agent of
/// which they are not known can not be excluded, so the policy applies to it.
pub(crate) struct TargetMatch(pub(crate) Globs);

impl TargetMatch {
    pub(crate) fn matches(&self, caller: &Caller) -> bool {
        self.0.is_empty() || self.0.matches(&caller.agent)
    }
}

pub(crate) struct PiiGuard {
    pub(crate) types: TypeSet,
    pub(crate) threshold: f32,
    pub(crate) custom: Option<CustomPatterns>,
    pub(crate) action: PiiAction,
    pub(crate) request: bool,
    pub(crate) response: bool,
    pub(crate) replacement: String,
}

impl PiiGuard {
    pub(crate) fn replacement(&self, kind: &str) -> String {
        self.replacement.replace("{type}", kind)
    }
}

pub(crate) struct InjectionGuard {
    pub(crate) action: InjectionAction,
    pub(crate) sensitivity: Sensitivity,
    pub(crate) phrases: Option<Phrases>,
}

pub(crate) struct LimitGuard {
    /// Place in the document's rule list.
    pub(crate) rule: usize,
    /// Name in the document.
    pub(crate) name: &'static str,
    pub(crate) key: LimitKey,
    pub(crate) measure: Measure,
    pub(crate) limit: u64,
    pub(crate) window_s: u64,
    pub(crate) mode: LimitMode,
    pub(crate) action: LimitAction,
}

impl LimitGuard {
    pub(crate) fn needs_body(&self) -> bool {
        self.measure.is_spent() || matches!(self.key, LimitKey::Model | LimitKey::Tool)
    }
}
