//! The rules a policy is made of. In a document each is a map with one key: `- pii: { action: redact }`.
use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::judge::JudgeRule;
use crate::output::{CanaryRule, CodeText, HtmlRule, LinksRule};
use crate::rate_limit::RateLimitRule;

/// One rule.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub enum Rule {
    /// Personal data in text.
    Pii(PiiRule),
    /// Prompt injection and jailbreaks.
    Injection(InjectionRule),
    /// Limits and budgets: requests, concurrency, tokens, money.
    RateLimit(RateLimitRule),
    /// Who may do what to which resource.
    Access(AccessRule),
    /// Which tools may be offered and called.
    Tools(ToolsRule),
    /// Which models may be asked.
    Models(ModelsRule),
    /// The author's own Rego module.
    Rego(RegoRule),
    /// Form of prompts and answers.
    Normalize(NormalizeRule),
    /// What answers may contain.
    Content(ContentRule),
}

impl Rule {
    /// The rule's key in the document: `pii`, `injection`, `rateLimit`, `access`, `tools`, `models`, `rego`,
    /// `normalize` or `content`.
    pub fn kind(&self) -> &'static str {
        match self {
            Rule::Pii(_) => "pii",
            Rule::Injection(_) => "injection",
            Rule::RateLimit(_) => "rateLimit",
            Rule::Access(_) => "access",
            Rule::Tools(_) => "tools",
            Rule::Models(_) => "models",
            Rule::Rego(_) => "rego",
            Rule::Normalize(_) => "normalize",
            Rule::Content(_) => "content",
        }
    }
}

/// Finds personal data.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct PiiRule {
    /// Types to look for (`ssn`, `credit_card`, `email`, …); without them, all that the detector knows.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[cfg_attr(feature = "schema", schemars(length(min = 1)))]
    pub types: Vec<String>,
    /// What to do with a finding.
    #[serde(default)]
    pub action: PiiAction,
    /// Where to look.
    #[serde(default = "both_directions")]
    #[cfg_attr(feature = "schema", schemars(length(min = 1)))]
    pub directions: Vec<Direction>,
    /// What a redacted finding becomes; `{type}` in it stands for the type's name. Default `[REDACTED]`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replacement: Option<String>,
    /// The lowest score, from 0 to 1, at which a finding counts. Default: the detector's own for each type.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(range(min = 0.0, max = 1.0)))]
    pub threshold: Option<f64>,
    /// The author's own patterns, looked for besides the types.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub patterns: Vec<CustomPattern>,
    /// Headers of requests whose values are searched too (`x-user-note`). What is found there cannot be cut out: the request
    /// is refused, unless the action is `log`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub headers: Vec<String>,
    /// Values that are nobody's (`127.0.0.1`, `noreply@*`): whole findings, in upper or lower case, in which `*` is any run of
    /// characters. At most [`PiiRule::MAX_IGNORED`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ignore: Vec<String>,
}

impl PiiRule {
    /// What a finding becomes when the rule names no replacement.
    pub const DEFAULT_REPLACEMENT: &'static str = "[REDACTED]";
    /// The most values that one rule passes over.
    pub const MAX_IGNORED: usize = 256;
}

impl Default for PiiRule {
    fn default() -> Self {
        PiiRule {
            types: Vec::new(),
            action: PiiAction::default(),
            directions: both_directions(),
            replacement: None,
            threshold: None,
            patterns: Vec::new(),
            headers: Vec::new(),
            ignore: Vec::new(),
        }
    }
}

fn both_directions() -> Vec<Direction> {
    vec![Direction::Request, Direction::Response]
}

/// What happens to personal data.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub enum PiiAction {
    /// It is replaced.
    #[default]
    Redact,
    /// It is replaced by a placeholder, and comes back where the answer to the same request repeats that.
    Tokenize,
    /// The request or response is refused.
    Block,
    /// It passes and the finding is recorded.
    Log,
}

/// Which way the text flows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub enum Direction {
    /// From the agent to the model or tool.
    Request,
    /// Back to the agent.
    Response,
}

/// A pattern of the author's own.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct CustomPattern {
    /// The type name findings get.
    pub name: String,
    /// A regular expression in the syntax of Rust's `regex` crate.
    pub regex: String,
}

/// Finds attempts to talk the model out of its instructions.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct InjectionRule {
    /// What to do with a finding.
    #[serde(default)]
    pub action: InjectionAction,
    /// How little evidence is enough.
    #[serde(default)]
    pub sensitivity: Sensitivity,
    /// Further phrases, taken literally, matched without regard to case after canonicalisation.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub patterns: Vec<String>,
    /// Texts of one's own software that are passed over wherever they stand word for word: at least 16 bytes each.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ignore: Vec<String>,
    /// A second opinion on what the filter itself cannot tell: a classifier outside the proxy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub judge: Option<JudgeRule>,
}

/// What happens to an injection attempt.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub enum InjectionAction {
    /// The request is refused.
    #[default]
    Block,
    /// It passes and the finding is recorded.
    Log,
}

/// How little evidence is enough for a finding.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub enum Sensitivity {
    /// Only what can hardly be anything else.
    Low,
    /// The usual trade between misses and false alarms.
    #[default]
    Medium,
    /// Whatever looks suspicious.
    High,
}

/// Grants access: once any access rule targets an agent, what no rule grants is denied.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct AccessRule {
    /// The resource; `*` stands for any run of characters, `/` included.
    #[cfg_attr(feature = "schema", schemars(length(min = 1)))]
    pub resource: String,
    /// Roles one of which the caller must have; `*` stands for anybody, also without a role.
    #[cfg_attr(feature = "schema", schemars(length(min = 1)))]
    pub allowed_roles: Vec<String>,
    /// Actions that are granted; `*` stands for all.
    #[cfg_attr(feature = "schema", schemars(length(min = 1)))]
    pub allowed_actions: Vec<String>,
    /// When and from where; all that are given must hold.
    #[serde(default, skip_serializing_if = "Conditions::is_empty")]
    pub conditions: Conditions,
}

/// Conditions of an access rule.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Conditions {
    /// Hours of the day in a time zone: `09:00-17:00 America/New_York`. A range may run over midnight.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(regex(pattern = r"^\d\d:\d\d-\d\d:\d\d \S+$")))]
    pub time_of_day: Option<String>,
    /// Networks the caller may come from, as `10.0.0.0/8`, `fd00::/8` or single addresses.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[cfg_attr(feature = "schema", schemars(length(min = 1)))]
    pub ip_allow_list: Vec<String>,
}

impl Conditions {
    /// True when nothing is asked for.
    pub fn is_empty(&self) -> bool {
        self.time_of_day.is_none() && self.ip_allow_list.is_empty()
    }
}

/// Which tools may be offered to a model and called.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ToolsRule {
    /// Tool names that are allowed, with `*` as any run of characters; left out, every tool that is not denied.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[cfg_attr(feature = "schema", schemars(length(min = 1)))]
    pub allow: Vec<String>,
    /// Tool names that are denied, whatever `allow` says.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub deny: Vec<String>,
    /// Let MCP tools be listed and called only as they were approved: one that is new or has changed since is withheld and
    /// refused.
    #[serde(default, skip_serializing_if = "is_false")]
    pub pin: bool,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's skip_serializing_if passes a reference")]
fn is_false(value: &bool) -> bool {
    !value
}

/// Which models may be asked.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ModelsRule {
    /// Model names that are allowed, with `*` as any run of characters; left out, every model that is not denied.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[cfg_attr(feature = "schema", schemars(length(min = 1)))]
    pub allow: Vec<String>,
    /// Model names that are denied, whatever `allow` says.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub deny: Vec<String>,
}

/// The author's own modules.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct RegoRule {
    /// Rego v1 source of the module that decides: it defines `deny`, `warn` or `allow`.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub module: String,
    /// Further modules by name (a file name, say), in any package; `import data.PACKAGE` brings one into another.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub modules: BTreeMap<String, String>,
    /// The package whose `deny`, `warn` and `allow` decide. Default `mesh`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub package: Option<String>,
    /// What the modules see under `data`, beside their own rules.
    #[serde(default, skip_serializing_if = "serde_json::Map::is_empty")]
    pub data: serde_json::Map<String, serde_json::Value>,
}

impl RegoRule {
    /// The package that decides when the rule names none.
    pub const DEFAULT_PACKAGE: &'static str = "mesh";

    /// The package whose rules decide.
    pub fn package(&self) -> &str {
        self.package.as_deref().unwrap_or(Self::DEFAULT_PACKAGE)
    }
}

/// Form of prompts and answers. Recorded, not enforced by this version.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct NormalizeRule {
    /// Tone of voice: `casual`, `professional` or `technical`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(with = "Option<crate::schema::Tone>"))]
    pub tone: Option<String>,
    /// Longest answer, in characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(range(min = 1)))]
    pub max_length: Option<u32>,
    /// Language of answers, as a BCP 47 tag.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(regex(pattern = r"^[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8})*$")))]
    pub language: Option<String>,
    /// Text put before the system prompt.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub system_prompt_prefix: Option<String>,
    /// Most tokens a prompt may have.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(range(min = 1)))]
    pub token_budget: Option<u32>,
}

/// What answers may contain. Categories of harmful content are recorded, not enforced by this version.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ContentRule {
    /// Addresses in answers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub links: Option<LinksRule>,
    /// Active HTML in answers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub html: Option<HtmlRule>,
    /// Whether `links` and `html` look at code in Markdown too.
    #[serde(default, skip_serializing_if = "is_default")]
    pub code: CodeText,
    /// A mark in the system prompt, by which answers that repeat it are recognised.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub canary: Option<CanaryRule>,
    /// `violence`, `hate_speech`, `self_harm`; empty means all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[cfg_attr(feature = "schema", schemars(with = "Vec<crate::schema::Category>"))]
    pub categories: Vec<String>,
    /// The lowest score, from 0 to 1, at which a finding counts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(range(min = 0.0, max = 1.0)))]
    pub threshold: Option<f64>,
    /// What to do with a finding of a category.
    #[serde(default)]
    pub action: ContentAction,
}

impl ContentRule {
    /// Whether it asks for something that this version does not do: to judge text by categories.
    pub fn asks_for_categories(&self) -> bool {
        let answers = self.links.is_some() || self.html.is_some() || self.canary.is_some();
        !answers || !self.categories.is_empty() || self.threshold.is_some()
    }
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

/// What happens to harmful content.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub enum ContentAction {
    /// The request or response is refused.
    #[default]
    Block,
    /// It passes and the finding is recorded.
    Log,
}
