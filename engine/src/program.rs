//! A compiled set of policies: immutable, shared by all sessions that use it.
use std::rc::Rc;

use mesh_detect::{CustomPatterns, Detector, Phrases, Sensitivity, TypeSet};
use mesh_limits::{Catalogue, Measure};
use mesh_policy::{
    FailureMode, InjectionAction, LimitAction, LimitKey, LimitMode, Media, PiiAction, RecordOverflow,
    Settings,
};
use mesh_wire::Limits;

use crate::access::AccessGuard;
use crate::canary::CanaryGuard;
use crate::index::Index;
use crate::input::Asked;
use crate::judge::JudgeGuard;
use crate::names::{Globs, NameGuard};
use crate::output::OutputGuard;
use crate::pins::Pins;
use crate::seen::Seen;

/// The compiled policies and settings that requests are judged by.
pub struct Program {
    pub(crate) version: String,
    pub(crate) settings: Settings,
    pub(crate) detector: Rc<Detector>,
    pub(crate) index: Index,
    /// Earlier verdicts; without it every text is judged anew.
    pub(crate) seen: Option<Seen>,
    /// Which tools are approved, and which were seen.
    pub(crate) pins: Pins,
    /// Prices, if a policy limits money.
    pub(crate) prices: Option<Catalogue>,
}

impl Program {
    /// The same program, but it recognises texts that it has judged before. The key must be secret and not guessable.
    #[must_use]
    pub fn remembering(self, key: [u8; 16]) -> Self {
        Program { seen: Some(Seen::new(key)), ..self }
    }

    /// The version of the bundle that it was compiled from.
    pub fn version(&self) -> &str {
        &self.version
    }

    /// The bundle's settings.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Whether a policy pins tools: only then does a request have to name the cluster it goes to.
    pub fn pins_tools(&self) -> bool {
        self.pins.asked
    }

    /// Bounds on the bodies that are read: the size from the settings, but at most the 1 GiB that spans can address.
    pub(crate) fn limits(&self) -> Limits {
        let max_body = usize::try_from(self.settings.max_body_bytes).unwrap_or(usize::MAX).min(1 << 30);
        Limits { max_body, ..Limits::default() }
    }
}

/// The rules of one policy, compiled.
#[derive(Default)]
pub(crate) struct Rules {
    /// Its index in the program.
    pub(crate) index: usize,
    pub(crate) failure: FailureMode,
    pub(crate) media: Media,
    pub(crate) overflow: RecordOverflow,
    pub(crate) access: Option<AccessGuard>,
    pub(crate) models: Vec<NameGuard>,
    pub(crate) tools: Vec<NameGuard>,
    /// Indices of the rules that pin tools.
    pub(crate) pinned: Vec<usize>,
    pub(crate) rego: Vec<(usize, Asked)>,
    pub(crate) limits: Vec<LimitGuard>,
    pub(crate) injection: Vec<InjectionGuard>,
    pub(crate) pii: Vec<PiiGuard>,
    pub(crate) output: Vec<OutputGuard>,
    pub(crate) canary: Vec<CanaryGuard>,
    /// Kinds of rules that the document contains but this version does not enforce.
    pub(crate) unenforced: Vec<&'static str>,
}

impl Rules {
    pub(crate) fn reads_responses(&self) -> bool {
        self.judges_responses() || self.limits.iter().any(|guard| guard.measure.is_spent())
    }

    /// Whether any rule inspects the content of responses, not only their cost.
    pub(crate) fn judges_responses(&self) -> bool {
        self.pii.iter().any(|guard| guard.response)
            || !self.injection.is_empty()
            || !self.tools.is_empty()
            || !self.output.is_empty()
            || !self.canary.is_empty()
            || self.rego_reads_answers()
    }
}

impl Rules {
    /// The memory that the author's patterns occupy, in bytes.
    pub(crate) fn pattern_bytes(&self) -> usize {
        self.pii.iter().filter_map(|guard| guard.custom.as_ref()).map(CustomPatterns::bytes).sum()
    }
}

pub(crate) struct PiiGuard {
    /// Index in the document's rule list.
    pub(crate) rule: usize,
    pub(crate) types: TypeSet,
    pub(crate) threshold: f32,
    pub(crate) custom: Option<CustomPatterns>,
    pub(crate) action: PiiAction,
    pub(crate) request: bool,
    pub(crate) response: bool,
    pub(crate) replacement: String,
    /// Request headers that are searched, in lower case.
    pub(crate) headers: Vec<String>,
    /// Values that count as nobody's data, in lower case.
    pub(crate) ignore: Globs,
}

impl PiiGuard {
    pub(crate) fn replacement(&self, kind: &str) -> String {
        self.replacement.replace("{type}", kind)
    }
}

pub(crate) struct InjectionGuard {
    /// Index in the document's rule list.
    pub(crate) rule: usize,
    pub(crate) action: InjectionAction,
    pub(crate) sensitivity: Sensitivity,
    pub(crate) phrases: Option<Phrases>,
    /// Texts that are ignored.
    pub(crate) ignore: Vec<String>,
    /// The second opinion on doubtful texts.
    pub(crate) judge: Option<JudgeGuard>,
}

pub(crate) struct LimitGuard {
    /// Index in the document's rule list.
    pub(crate) rule: usize,
    /// Index among the document's limits with this name.
    pub(crate) account: usize,
    /// The limit's name in the document.
    pub(crate) name: &'static str,
    pub(crate) key: LimitKey,
    /// The expression that [`LimitKey::Rego`] counts by.
    pub(crate) expression: Option<Asked>,
    pub(crate) measure: Measure,
    pub(crate) limit: u64,
    pub(crate) window_s: u64,
    pub(crate) mode: LimitMode,
    pub(crate) action: LimitAction,
}

impl LimitGuard {
    pub(crate) fn needs_body(&self) -> bool {
        self.measure.is_spent() || matches!(self.key, LimitKey::Model | LimitKey::Tool | LimitKey::Rego)
    }
}
