//! How a request bounds the length of its responses, per provider; and adding a bound to a request without one.
//!
//! Only what the protocol's own servers read is a bound. Servers parse leniently, and differently: those in Go ignore
//! the case of names and use the last of several, Google's JSON has two spellings of each name, Python accepts `"8"`
//! and `8.0` for 8, and for some, zero is no bound. So a bound counts only if no such interpretation could be larger;
//! if several may be read, the largest counts.
//!
//! | API | member |
//! |---|---|
//! | OpenAI chat | `max_completion_tokens`, `max_tokens`; llama.cpp's `n_predict` |
//! | OpenAI completions, for each prompt | `max_tokens` |
//! | OpenAI Responses | `max_output_tokens` |
//! | Anthropic Messages | `max_tokens` |
//! | Gemini | `generationConfig.maxOutputTokens` |
//! | Bedrock Converse | `inferenceConfig.maxTokens`; `additionalModelRequestFields` goes to the model as it is |
//! | Bedrock InvokeModel | by the model: `max_tokens`, `max_gen_len`, … |
//! | Ollama | `options.num_predict` |

use crate::coding::{Patch, patched};
use crate::error::Limits;
use crate::json::{Doc, Kind, NO_LAYER, Val, scan_bytes};
use crate::message::Message;
use crate::protocol::Protocol;

/// What a request asks of its responses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Answers {
    /// The maximum number of tokens of each, including reasoning; `None` if the request sets no bound.
    pub most: Option<u64>,
    /// How many responses are requested.
    pub count: u64,
}

impl Answers {
    /// The maximum number of tokens of all of them together.
    pub fn total(&self) -> Option<u64> {
        self.most.map(|most| most.saturating_mul(self.count))
    }
}

type Path = [&'static str];

/// In a path: each item of a list.
const EACH: &str = "*";

/// Where a request bounds its responses.
struct Fields {
    /// The members that the protocol's servers read.
    binding: &'static [&'static Path],
    /// Members that only some of them read: not a bound by themselves, but possibly a larger one.
    beside: &'static [&'static Path],
    /// Where a bound is written.
    written: &'static Path,
}

/// The members to read in a request and to write; `None` if it is unknown what would bound a response.
fn fields(protocol: Protocol, models: &[&str]) -> Option<Fields> {
    const TOKENS: &Path = &["max_tokens"];
    const COMPLETION: &Path = &["max_completion_tokens"];
    const PREDICT: &Path = &["n_predict"];
    const OUTPUT: &Path = &["max_output_tokens"];
    const GEMINI: &Path = &["generationConfig", "maxOutputTokens"];
    const CONVERSE: &Path = &["inferenceConfig", "maxTokens"];
    const OLLAMA: &Path = &["options", "num_predict"];
    // A model that is asked if the first one fails.
    const FALLBACK: &Path = &["fallbacks", EACH, "max_tokens"];
    let fields = |binding, beside, written| Fields { binding, beside, written };
    Some(match protocol {
        Protocol::OpenAiChat => {
            let written = if models.iter().any(|model| reasons(model)) { COMPLETION } else { TOKENS };
            fields(&[COMPLETION, TOKENS], &[PREDICT, FALLBACK], written)
        }
        Protocol::OpenAiCompletions => fields(&[TOKENS], &[COMPLETION, PREDICT], TOKENS),
        Protocol::OpenAiResponses => fields(&[OUTPUT], &[TOKENS, COMPLETION], OUTPUT),
        Protocol::AnthropicMessages => fields(&[TOKENS], &[FALLBACK], TOKENS),
        Protocol::Gemini => fields(&[GEMINI], &[], GEMINI),
        Protocol::BedrockConverse => fields(
            &[CONVERSE],
            &[
                &["additionalModelRequestFields", "max_tokens"],
                &["additionalModelRequestFields", "max_completion_tokens"],
                &["additionalModelRequestFields", "max_new_tokens"],
                &["additionalModelRequestFields", "max_gen_len"],
            ],
            CONVERSE,
        ),
        Protocol::BedrockInvoke => invoked(models.first()?)?,
        Protocol::Ollama => fields(&[OLLAMA], &[], OLLAMA),
        _ => return None,
    })
}

/// By a word in the model's name: the vendor's own request format, as Bedrock's guide describes it.
fn invoked(model: &str) -> Option<Fields> {
    let model = model.to_ascii_lowercase();
    let named = |words: &[&str]| words.iter().any(|word| model.contains(word));
    let fields = |binding, beside, written| Some(Fields { binding, beside, written });
    if named(&["anthropic."]) {
        fields(&[&["max_tokens"], &["max_tokens_to_sample"]], &[], &["max_tokens"])
    } else if named(&["meta.llama"]) {
        fields(&[&["max_gen_len"]], &[], &["max_gen_len"])
    } else if named(&["amazon.titan-text", "amazon.titan-tg1"]) {
        const OWN: &Path = &["textGenerationConfig", "maxTokenCount"];
        fields(&[OWN], &[], OWN)
    } else if named(&["amazon.nova"]) {
        const OWN: &Path = &["inferenceConfig", "maxTokens"];
        fields(&[OWN, &["inferenceConfig", "max_new_tokens"]], &[], OWN)
    } else if named(&["openai.gpt"]) {
        fields(&[&["max_completion_tokens"]], &[&["max_tokens"]], &["max_completion_tokens"])
    } else if named(&["mistral.", "deepseek.", "qwen.", "writer.", "cohere.command", "ai21.jamba"]) {
        fields(&[&["max_tokens"]], &[], &["max_tokens"])
    } else {
        None
    }
}

/// Whether it is one of OpenAI's models that refuse `max_tokens`: o1 and similar, GPT-5 and later.
fn reasons(model: &str) -> bool {
    let model = model.to_ascii_lowercase();
    let number = |word: &str| word.parse::<u32>().ok();
    let mut before = "";
    for word in model.split(|c: char| !c.is_ascii_alphanumeric()) {
        let series = word.strip_prefix('o').and_then(number).is_some();
        let digits = if before == "gpt" { Some(word) } else { word.strip_prefix("gpt") };
        if series || digits.and_then(number).is_some_and(|generation| (5..1000).contains(&generation)) {
            return true;
        }
        before = word;
    }
    false
}

/// Every member that bounds a response in some protocol: if the protocol does not tell which of them applies.
const ANY: &[&Path] = &[
    &["max_completion_tokens"],
    &["max_output_tokens"],
    &["max_tokens"],
    &["max_tokens_to_sample"],
    &["max_gen_len"],
    &["maxTokens"],
    &["generationConfig", "maxOutputTokens"],
    &["inferenceConfig", "maxTokens"],
    &["inferenceConfig", "max_new_tokens"],
    &["textGenerationConfig", "maxTokenCount"],
    &["options", "num_predict"],
];

/// What a request asks of its responses, as far as its body tells.
pub(crate) fn of(protocol: Protocol, root: Val<'_>) -> Answers {
    if protocol != Protocol::OpenAiEmbeddings && !root.members().any(|(key, _)| may_say(&key.text())) {
        return Answers { most: None, count: 1 };
    }
    let anywhere = Fields { binding: ANY, beside: &[], written: &[] };
    let fields = match protocol {
        Protocol::OpenAiEmbeddings => return Answers { most: Some(0), count: 1 },
        Protocol::BedrockInvoke => anywhere,
        _ => fields(protocol, &[]).unwrap_or(anywhere),
    };
    Answers { most: most(protocol, &fields, root), count: count(protocol, root) }
}

/// What a request asks of its responses, given its model. `None` if it is unknown what would bound them.
pub fn answers(message: &Message, body: &[u8]) -> Option<Answers> {
    let Message { protocol, max_output, .. } = *message;
    if max_output == Some(0) {
        return Some(Answers { most: Some(0), count: 1 });
    }
    let models: Vec<&str> = message.models().collect();
    if protocol == Protocol::BedrockInvoke && models.first().is_some_and(|model| embeds(model)) {
        return Some(Answers { most: Some(0), count: 1 });
    }
    let fields = fields(protocol, &models)?;
    if message.operation == "batches" {
        return max_output.map(|most| Answers { most: Some(most), count: 1 });
    }
    scanned(body, |root| Answers { most: most(protocol, &fields, root), count: count(protocol, root) })
}

/// Models whose responses are vectors.
fn embeds(model: &str) -> bool {
    let model = model.to_ascii_lowercase();
    ["amazon.titan-embed", "amazon.nova-2-multimodal-embeddings", "cohere.embed"]
        .iter()
        .any(|name| model.contains(name))
}

/// The body with this bound on each response, for a request without one; [`answers`] then returns it. Values that
/// some server could read as more are replaced; all other bytes stay the same. `None` if it cannot be written.
pub fn bounded(message: &Message, body: &[u8], most: u64) -> Option<Vec<u8>> {
    let models: Vec<&str> = message.models().collect();
    let fields = fields(message.protocol, &models)?;
    if message.operation == "batches" {
        return None;
    }
    scanned(body, |root| patched(root.doc.text, &patches(message.protocol, &fields, root, most)).into_bytes())
}

/// Scans a body again that was read before, and applies `read`; `None` if it is not an object, or is over a limit.
pub(crate) fn scanned<T>(body: &[u8], read: impl FnOnce(Val<'_>) -> T) -> Option<T> {
    let limits = Limits { max_body: body.len(), ..Limits::default() };
    let (text, nodes) = scan_bytes(body, &limits).ok()?;
    let root = Doc { text, nodes: &nodes, layer: NO_LAYER, level: 0 }.root();
    root.is_object().then(|| read(root))
}

/// The value at a path.
#[derive(Clone, Copy)]
struct Found<'d> {
    value: Val<'d>,
    /// Every name in the path is spelled as the provider spells it.
    exact: bool,
    /// The number of remaining names: the value is not an object, so it has no such member.
    left: usize,
}

impl Found<'_> {
    fn is_empty(&self) -> bool {
        self.left > 0 || self.value.kind() == Kind::Null
    }

    /// The bound, if it is one for every server.
    fn bound(&self) -> Option<u64> {
        if self.left > 0 { None } else { self.value.unsigned().filter(|bound| *bound > 0) }
    }
}

/// All values that some server could take for the one at this path.
fn at<'d>(protocol: Protocol, object: Val<'d>, path: &Path) -> Vec<Found<'d>> {
    let mut found = Vec::new();
    collect(protocol, Found { value: object, exact: true, left: path.len() }, path, &mut found);
    found
}

fn collect<'d>(protocol: Protocol, from: Found<'d>, path: &Path, found: &mut Vec<Found<'d>>) {
    let Some((name, rest)) = path.split_first() else { return found.push(from) };
    if *name == EACH {
        let items = from.value.items().map(|(_, value)| Found { value, left: rest.len(), ..from });
        return items.for_each(|item| collect(protocol, item, rest, found));
    }
    for (key, value) in from.value.members() {
        let key = key.text();
        if !alike(&key, name) {
            continue;
        }
        let exact = from.exact && (key == *name || protocol == Protocol::Gemini && key == snake(name));
        let next = Found { value, exact, left: rest.len() };
        let list = rest.first() == Some(&EACH);
        if rest.is_empty() || value.is_object() || list {
            collect(protocol, next, rest, found);
        } else {
            found.push(next);
        }
    }
}

/// Whether a member with this name may be relevant to the responses: most requests have none, and need no search for
/// each path.
fn may_say(key: &str) -> bool {
    let mut letters = plain(key);
    matches!(
        (letters.next(), letters.next()),
        (Some(b'n'), _)
            | (Some(b'm'), Some(b'a'))
            | (Some(b'b' | b'g' | b't'), Some(b'e'))
            | (Some(b'i'), Some(b'n'))
            | (Some(b'f'), Some(b'a'))
            | (Some(b'o'), Some(b'p'))
            | (Some(b'a'), Some(b'd'))
            | (Some(b'p'), Some(b'r'))
    )
}

/// A name without the differences between its two spellings in protocol buffers' JSON: underscores and upper case.
pub(crate) fn plain(name: &str) -> impl Iterator<Item = u8> {
    name.bytes().filter(|b| *b != b'_').map(|b| b.to_ascii_lowercase())
}

/// A name as compared by servers that ignore case. In Go, the long s and the kelvin sign equal ordinary letters.
pub(crate) fn in_small_letters(name: &str) -> String {
    name.replace('\u{17f}', "s").replace('\u{212a}', "k").to_ascii_lowercase()
}

/// Whether some server takes one name for the other.
pub(crate) fn alike(key: &str, name: &str) -> bool {
    // Most names differ in their first letter.
    plain(key).next() == plain(name).next() && plain(key).eq(plain(name))
}

/// Whether some server takes the key for one of these names.
pub(crate) fn is_one_of(names: &[&str], key: &str) -> bool {
    names.iter().any(|name| alike(key, name))
}

/// Google's other spelling: `maxOutputTokens` becomes `max_output_tokens`.
pub(crate) fn snake(name: &str) -> String {
    let mut out = String::with_capacity(name.len() + 4);
    for c in name.chars() {
        if c.is_ascii_uppercase() {
            out.push('_');
        }
        out.push(c.to_ascii_lowercase());
    }
    out
}

/// The largest bound that may be read; `None` if one of the values is no bound to some server, or not every server
/// reads one of them.
fn most(protocol: Protocol, fields: &Fields, root: Val<'_>) -> Option<u64> {
    let mut largest = None;
    let mut binds = false;
    for (paths, binding) in [(fields.binding, true), (fields.beside, false)] {
        for path in paths {
            let found = at(protocol, root, path);
            for one in found.iter().filter(|one| found.len() > 1 || !one.is_empty()) {
                largest = largest.max(Some(one.bound()?));
                binds |= binding && one.exact;
            }
        }
    }
    largest.filter(|_| binds)
}

/// Members with the number of requested responses.
const SEVERAL: &[&Path] =
    &[&["n"], &["best_of"], &["num_generations"], &["numResults"], &["generationConfig", "candidateCount"]];

/// The number of requested responses.
fn count(protocol: Protocol, root: Val<'_>) -> u64 {
    let said = SEVERAL.iter().flat_map(|path| at(protocol, root, path));
    let most = said.filter(|one| one.left == 0).map(|one| times(one.value)).max().unwrap_or(1);
    let prompts = match protocol {
        Protocol::OpenAiCompletions => {
            at(protocol, root, &["prompt"]).iter().map(|one| prompts(one.value)).sum()
        }
        _ => 1,
    };
    most.saturating_mul(prompts.max(1))
}

/// A list of texts, or of token lists, contains that many prompts.
fn prompts(value: Val<'_>) -> u64 {
    value.items().filter(|(_, item)| item.is_string() || item.kind() == Kind::Array).map(|_| 1).sum()
}

/// The largest number that some server reads here.
fn times(value: Val<'_>) -> u64 {
    let text = match value.kind() {
        Kind::Num => value.raw().to_owned(),
        Kind::Str => value.text().trim().replace('_', ""),
        _ => return 1,
    };
    let number = match (text.parse::<u64>(), text.parse::<f64>()) {
        (Ok(whole), _) => whole,
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "the bounds are checked, and a fraction was rounded up"
        )]
        (_, Ok(number)) if number < 1e15 => number.max(0.0).ceil() as u64,
        (_, Ok(_)) => u64::MAX,
        _ => 1,
    };
    number.max(1)
}

/// The patches that turn all relevant values into the bound, in order.
fn patches(protocol: Protocol, fields: &Fields, root: Val<'_>, most: u64) -> Vec<Patch> {
    let mut patches = Vec::new();
    let mut written = false;
    for path in fields.binding.iter().chain(fields.beside) {
        let ours = *path == fields.written;
        let found = at(protocol, root, path);
        for one in &found {
            let fits = one.bound().is_some_and(|bound| bound <= most);
            if !fits && (ours || found.len() > 1 || !one.is_empty()) {
                let rest = path.get(path.len().saturating_sub(one.left)..).unwrap_or_default();
                // A request for no tokens at all does not get a long response.
                let none = one.left == 0 && one.value.unsigned() == Some(0);
                let with = nested(rest, if none { 1 } else { most });
                patches.push(Patch { range: one.value.outer_range(), with });
            } else if !fits {
                continue;
            }
            written |= ours && one.exact;
        }
    }
    if !written {
        patches.push(inserted(protocol, root, fields.written, most));
    }
    patches.sort_by_key(|patch| patch.range.start);
    patches
}

/// Inserts a bound where there is none: in its containing object if present, otherwise together with it.
fn inserted(protocol: Protocol, root: Val<'_>, path: &Path, most: u64) -> Patch {
    let (mut object, mut rest) = (root, path);
    while let [name, further @ ..] = rest {
        let inner = at(protocol, object, &[name]).into_iter().find(|one| one.exact && one.value.is_object());
        let Some(inner) = inner.filter(|_| !further.is_empty()) else { break };
        (object, rest) = (inner.value, further);
    }
    let start = object.span().start as usize + 1;
    let comma = if object.members().next().is_some() { "," } else { "" };
    let (name, further) = rest.split_first().unwrap_or((&"", &[]));
    Patch { range: start..start, with: format!("\"{name}\":{}{comma}", nested(further, most)) }
}

/// `{"a":{"b":7}}`.
fn nested(path: &Path, most: u64) -> String {
    path.iter().rev().fold(most.to_string(), |inner, name| format!("{{\"{name}\":{inner}}}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_member_that_says_something_is_passed_over() {
        let protocols = [
            Protocol::OpenAiChat,
            Protocol::OpenAiCompletions,
            Protocol::OpenAiResponses,
            Protocol::AnthropicMessages,
            Protocol::Gemini,
            Protocol::BedrockConverse,
            Protocol::Ollama,
        ];
        let known = protocols.into_iter().filter_map(|protocol| fields(protocol, &[]));
        let known = known.flat_map(|fields| [fields.binding, fields.beside].concat());
        let paths = known.chain(ANY.iter().copied()).chain(SEVERAL.iter().copied());
        for name in paths.filter_map(|path| path.first()).chain([&"prompt"]) {
            assert!(may_say(name) && may_say(&name.to_uppercase()) && may_say(&format!("_{name}")), "{name}");
        }
        assert!(!["model", "messages", "stream", "contents", "user"].iter().any(|name| may_say(name)));
    }
}
