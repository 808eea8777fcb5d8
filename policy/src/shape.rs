//! The table of everything a document may contain. The checker walks raw values against it, so that each problem is
//! reported with its path; a test holds the table and the types together.

/// What a value has to be.
pub(crate) enum Shape {
    /// Anything at all.
    Anything,
    /// Any string.
    Text,
    /// A string that says something.
    NonEmpty,
    /// One of these words; the first of each group is the canonical one, the others its aliases.
    Word(&'static [&'static [&'static str]]),
    /// `true` or `false`.
    Flag,
    /// A whole number from the first to the second.
    Whole(u64, u64),
    /// A number from 0 to 1.
    Share,
    /// An amount of money.
    Money,
    /// A list of at least so many items.
    List(usize, &'static Shape),
    /// A list that narrows what a document is about; an empty one is as none.
    Narrowing(&'static Shape),
    /// A map from any string to a string.
    Labels,
    /// A map from names to strings that say something.
    Texts,
    /// A map from any string to anything.
    Object,
    /// A map with these fields.
    Map(&'static [Field]),
    /// A map with exactly one of these fields.
    OneOf(&'static [Field]),
    /// A string in a form of its own.
    Form(&'static Form),
}

/// One field of a map.
pub(crate) struct Field {
    pub(crate) name: &'static str,
    pub(crate) shape: Shape,
    pub(crate) need: Need,
}

/// Whether a field has to be there.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Need {
    /// It has to.
    Required,
    /// It may be left out, which is not the same as `null`.
    Optional,
    /// It may be left out or `null`.
    Nullable,
    /// As `Nullable`, and nothing enforces it yet.
    Recorded,
}

/// A string with rules of its own.
pub(crate) struct Form {
    /// What is expected, for people.
    pub(crate) expected: &'static str,
    /// Whether it is in that form.
    pub(crate) valid: fn(&str) -> bool,
    /// A proposal to make of what was found.
    pub(crate) propose: fn(&str) -> Option<String>,
}

const fn required(name: &'static str, shape: Shape) -> Field {
    Field { name, shape, need: Need::Required }
}

const fn optional(name: &'static str, shape: Shape) -> Field {
    Field { name, shape, need: Need::Optional }
}

const fn nullable(name: &'static str, shape: Shape) -> Field {
    Field { name, shape, need: Need::Nullable }
}

const fn recorded(name: &'static str, shape: Shape) -> Field {
    Field { name, shape, need: Need::Recorded }
}

const U32: u64 = u32::MAX as u64;
const TEXTS: Shape = Shape::List(0, &Shape::NonEmpty);
const SOME_TEXTS: Shape = Shape::List(1, &Shape::NonEmpty);
const DIRECTION: Shape = Shape::Word(&[&["request"], &["response"]]);
const OUTPUT: Shape = Shape::Word(&[&["defang"], &["remove"], &["block"], &["log"]]);
const FAILURE: Shape = Shape::Word(&[&["closed"], &["open"]]);
const BLOCK_OR_LOG: Shape = Shape::Word(&[&["block"], &["log"]]);

/// Tones of voice (blueprint, section 2.4).
pub(crate) const TONE: Shape = Shape::Word(&[&["casual"], &["professional"], &["technical"]]);
/// Categories of harmful content (blueprint, section 2.5).
pub(crate) const CATEGORIES: Shape = Shape::Word(&[&["violence"], &["hate_speech"], &["self_harm"]]);
const AGENT_TYPE: Shape = Shape::Word(&[&["chatbot"], &["copilot"], &["pipeline"], &["service"]]);
const TIER: Shape = Shape::Word(&[&["none"], &["standard"], &["high"], &["critical"]]);

/// The document.
pub(crate) const POLICY: Shape = Shape::Map(&[
    required("apiVersion", Shape::Word(&[&["ai-mesh.dev/v1alpha1"]])),
    required("kind", Shape::Word(&[&["Policy"]])),
    required(
        "metadata",
        Shape::Map(&[required("name", Shape::Form(&crate::forms::NAME)), optional("labels", Shape::Labels)]),
    ),
    required(
        "spec",
        Shape::Map(&[
            nullable("description", Shape::Text),
            optional(
                "target",
                Shape::Map(&[
                    optional("agents", Shape::Narrowing(&Shape::NonEmpty)),
                    optional("types", Shape::Narrowing(&AGENT_TYPE)),
                    optional("complianceTiers", Shape::Narrowing(&TIER)),
                    optional("labels", Shape::Labels),
                ]),
            ),
            optional("enforcement", ENFORCEMENT),
            optional("failureMode", FAILURE),
            optional("media", Shape::Word(&[&["pass"], &["refuse"]])),
            optional("recordOverflow", Shape::Word(&[&["refuse"], &["drop"]])),
            required("rules", Shape::List(0, &Shape::OneOf(RULES))),
        ]),
    ),
]);

/// The agent's document.
pub(crate) const AGENT: Shape = Shape::Map(&[
    required("apiVersion", Shape::Word(&[&["ai-mesh.dev/v1alpha1"]])),
    required("kind", Shape::Word(&[&["Agent"]])),
    required(
        "metadata",
        Shape::Map(&[required("name", Shape::Form(&crate::forms::AGENT)), optional("labels", Shape::Labels)]),
    ),
    required(
        "spec",
        Shape::Map(&[
            nullable("displayName", Shape::Text),
            nullable("type", AGENT_TYPE),
            nullable(
                "vendor",
                Shape::Word(&[&["openai"], &["anthropic"], &["azure"], &["aws"], &["google"], &["custom"]]),
            ),
            nullable("model", Shape::Text),
            optional("owners", TEXTS),
            nullable("complianceTier", TIER),
            nullable(
                "status",
                Shape::Word(&[&["active"], &["deprecated"], &["suspended"], &["quarantined"]]),
            ),
            nullable("reason", Shape::Text),
            optional(
                "policies",
                Shape::List(
                    0,
                    &Shape::Map(&[
                        required("policy", Shape::Form(&crate::forms::NAME)),
                        nullable("version", Shape::Whole(1, u64::MAX)),
                        nullable("enforcement", ENFORCEMENT),
                    ]),
                ),
            ),
        ]),
    ),
]);

const ENFORCEMENT: Shape =
    Shape::Word(&[&["blocking", "enforce"], &["logging", "monitor"], &["advisory", "audit"]]);

const RULES: &[Field] = &[
    optional(
        "pii",
        Shape::Map(&[
            optional("types", SOME_TEXTS),
            optional("action", Shape::Word(&[&["redact"], &["tokenize"], &["block"], &["log"]])),
            optional("directions", Shape::List(1, &DIRECTION)),
            nullable("replacement", Shape::Text),
            nullable("threshold", Shape::Share),
            optional(
                "patterns",
                Shape::List(
                    0,
                    &Shape::Map(&[required("name", Shape::NonEmpty), required("regex", Shape::NonEmpty)]),
                ),
            ),
            optional("headers", TEXTS),
            optional("ignore", TEXTS),
        ]),
    ),
    optional(
        "injection",
        Shape::Map(&[
            optional("action", BLOCK_OR_LOG),
            optional("sensitivity", Shape::Word(&[&["low"], &["medium"], &["high"]])),
            optional("patterns", TEXTS),
            optional("ignore", TEXTS),
            nullable(
                "judge",
                Shape::Map(&[
                    optional("from", Shape::Share),
                    optional("threshold", Shape::Share),
                    optional("labels", SOME_TEXTS),
                    optional("mode", Shape::Word(&[&["wait"], &["parallel"]])),
                    optional("deadlineMs", Shape::Whole(1, 10_000)),
                    nullable("failureMode", FAILURE),
                ]),
            ),
        ]),
    ),
    optional(
        "rateLimit",
        Shape::Map(&[
            optional(
                "key",
                Shape::Word(&[
                    &["agent"],
                    &["user"],
                    &["session"],
                    &["team"],
                    &["key"],
                    &["ip"],
                    &["model"],
                    &["tool"],
                    &["rego"],
                ]),
            ),
            nullable("expression", Shape::NonEmpty),
            nullable("requestsPerSecond", Shape::Whole(1, U32)),
            nullable("requestsPerMinute", Shape::Whole(1, U32)),
            nullable("requestsPerHour", Shape::Whole(1, U32)),
            nullable("requestsPerDay", Shape::Whole(1, U32)),
            nullable("burst", Shape::Whole(0, U32)),
            nullable("tokensPerMinute", Shape::Whole(1, u64::MAX)),
            nullable("tokensPerDay", Shape::Whole(1, u64::MAX)),
            nullable("costPerDay", Shape::Money),
            nullable("costPerMonth", Shape::Money),
            optional("currency", Shape::Word(&[&["USD"]])),
            nullable("maxConcurrent", Shape::Whole(1, 10_000)),
            optional("mode", Shape::Word(&[&["default"], &["strict"]])),
            optional("action", Shape::Word(&[&["throttle"], &["deny"]])),
        ]),
    ),
    optional(
        "access",
        Shape::Map(&[
            required("resource", Shape::NonEmpty),
            required("allowedRoles", SOME_TEXTS),
            required("allowedActions", SOME_TEXTS),
            optional(
                "conditions",
                Shape::Map(&[
                    nullable("timeOfDay", Shape::Form(&crate::forms::HOURS)),
                    optional("ipAllowList", Shape::List(1, &Shape::Form(&crate::forms::NETWORK))),
                ]),
            ),
        ]),
    ),
    optional(
        "tools",
        Shape::Map(&[optional("allow", SOME_TEXTS), optional("deny", TEXTS), optional("pin", Shape::Flag)]),
    ),
    optional("models", Shape::Map(&[optional("allow", SOME_TEXTS), optional("deny", TEXTS)])),
    optional(
        "rego",
        Shape::Map(&[
            optional("module", Shape::NonEmpty),
            optional("modules", Shape::Labels),
            nullable("package", Shape::Form(&crate::forms::PACKAGE)),
            optional("data", Shape::Object),
        ]),
    ),
    recorded(
        "normalize",
        Shape::Map(&[
            nullable("tone", TONE),
            nullable("maxLength", Shape::Whole(1, U32)),
            nullable("language", Shape::Form(&crate::forms::LANGUAGE)),
            nullable("systemPromptPrefix", Shape::Text),
            nullable("tokenBudget", Shape::Whole(1, U32)),
        ]),
    ),
    optional(
        "content",
        Shape::Map(&[
            nullable(
                "links",
                Shape::Map(&[
                    optional("allow", Shape::List(0, &Shape::Form(&crate::forms::HOST))),
                    optional("action", OUTPUT),
                ]),
            ),
            nullable("html", Shape::Map(&[optional("action", OUTPUT)])),
            optional("code", Shape::Word(&[&["pass"], &["inspect"]])),
            nullable(
                "canary",
                Shape::Map(&[optional("action", Shape::Word(&[&["block"], &["redact"], &["log"]]))]),
            ),
            recorded("categories", Shape::List(0, &CATEGORIES)),
            recorded("threshold", Shape::Share),
            optional("action", BLOCK_OR_LOG),
        ]),
    ),
];
