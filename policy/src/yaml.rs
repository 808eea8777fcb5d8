//! Documents as text: YAML, and JSON as the part of YAML that it is. Diagnostics get the line and column of their field.
use std::collections::BTreeMap;
use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};
use serde_saphyr::options::DuplicateKeyPolicy;
use serde_saphyr::{Location, Options, Spanned, UserMessageFormatter};

use crate::check::step;
use crate::inside;
use crate::{Diagnostic, Document, Parsed, ParsedDocument, document_from_value, in_authors_words};

/// Reads every policy of a text. Duplicate keys are errors.
///
/// # Errors
/// Everything that is wrong with any of the documents, warnings included; or the first place where the text is no YAML.
pub fn from_yaml(text: &str) -> Result<Vec<Parsed>, Vec<Diagnostic>> {
    let read = documents_from_yaml(text)?.into_iter().enumerate();
    read.map(|(index, read)| match read.document {
        Document::Policy(policy) => Ok(Parsed { policy, warnings: read.warnings }),
        Document::Agent(_) | Document::Tool(_) | Document::Price(_) | Document::State(_) => {
            let mut found = vec![Diagnostic::error("kind", "found another kind, expected `Policy`")];
            locate(text, index, &mut found);
            Err(found)
        }
    })
    .collect()
}

/// Reads every document of a text, of whatever kind.
///
/// # Errors
/// As [`from_yaml`].
pub fn documents_from_yaml(text: &str) -> Result<Vec<ParsedDocument>, Vec<Diagnostic>> {
    let documents = read(text)?;
    if documents.is_empty() {
        let help = "a policy begins with `apiVersion: ai-mesh.dev/v1alpha1`";
        return Err(vec![Diagnostic::error("", "found no document").help(help)]);
    }
    let mut accepted = Vec::new();
    let mut refused = Vec::new();
    for (value, places) in documents {
        match document_from_value(&value) {
            Ok(mut parsed) => {
                places.locate(text, &mut parsed.warnings);
                accepted.push(parsed);
            }
            Err(mut errors) => {
                places.locate(text, &mut errors);
                refused.extend(errors);
            }
        }
    }
    if refused.is_empty() { Ok(accepted) } else { Err(refused) }
}

/// Gives lines and columns to diagnostics that came after reading, such as a compiler's. `document` counts from 0; a
/// text or a path that is not there leaves the diagnostics as they are.
pub fn locate(text: &str, document: usize, diagnostics: &mut [Diagnostic]) {
    if !diagnostics.is_empty()
        && let Ok(documents) = read(text)
        && let Some((value, places)) = documents.get(document)
    {
        in_authors_words(value, diagnostics);
        places.locate(text, diagnostics);
    }
}

/// A text's one document as a value.
pub(crate) fn value_from_yaml(text: &str) -> Result<Value, Diagnostic> {
    let read = read(text)
        .map_err(|said| said.into_iter().next().unwrap_or_else(|| Diagnostic::error("", "no YAML")))?;
    match <[_; 1]>::try_from(read) {
        Ok([(value, _)]) => Ok(value),
        Err(found) => Err(Diagnostic::error("", format!("found {} documents, expected one", found.len()))),
    }
}

fn read(text: &str) -> Result<Vec<(Value, Places)>, Vec<Diagnostic>> {
    let nodes: Vec<Spanned<Node>> =
        serde_saphyr::from_multiple_with_options(text, options()).map_err(|error| vec![not_yaml(&error)])?;
    let convert = |node: Spanned<Node>| {
        let mut places = Places::default();
        places.put("", node.referenced);
        let value = places.value(node.value, &mut String::new());
        (value, places)
    };
    Ok(nodes.into_iter().map(convert).collect())
}

fn options() -> Options {
    serde_saphyr::options! {
        duplicate_keys: DuplicateKeyPolicy::Error,
        // `on`, `yes` and `no` are words, as YAML 1.2 has it.
        strict_booleans: true,
        with_snippet: false,
        // A policy has some hundred nodes. Aliases may share parts, not multiply them.
        budget: serde_saphyr::budget! { max_nodes: 100_000, max_documents: 1_000 },
        alias_limits: serde_saphyr::alias_limits! { max_total_replayed_events: 50_000 },
    }
}

/// What the bounds are, by words of the library's message.
const BOUNDS: &[(&str, &str)] = &[
    ("Nodes {", "the text is too large: policies may have 100,000 values together"),
    ("Documents {", "the text is too large: there may be 1,000 documents in one"),
    ("replayed_events", "aliases (`*name`) multiply the text to more than 50,000 values"),
    ("Depth {", "lists and maps stand too deep in one another"),
    ("recursion limit", "lists and maps stand too deep in one another"),
];

fn not_yaml(error: &serde_saphyr::Error) -> Diagnostic {
    let message = error.render_with_formatter(&UserMessageFormatter);
    // The place has fields of its own.
    let bound = BOUNDS.iter().find(|(word, _)| message.contains(word)).map(|(_, said)| *said);
    let message = message.rsplit_once(" at line ").map_or(message.as_str(), |(message, _)| message);
    let message = bound.unwrap_or(message);
    let mut diagnostic = Diagnostic::error("", message);
    diagnostic.help = advice(message).map(str::to_owned);
    match error.location().and_then(place) {
        Some((line, column)) => diagnostic.at(line, column),
        None => diagnostic,
    }
}

/// What to do about a text that is no YAML, by words of the library's message.
fn advice(message: &str) -> Option<&'static str> {
    const ADVICE: &[(&str, &str)] = &[
        ("tab", "indent with blanks"),
        ("duplicate", "write each field once"),
        ("quote", "end a text with the quote that begins it"),
        ("trailing content", "put a comma between two items, and the whole of a text in quotes"),
        ("bracket", "close the brackets, or put a text that has some in quotes"),
        ("flow", "close the brackets, or put a text with brackets, commas or `: ` in it in quotes"),
        ("key", "indent the fields of a map alike, and the lines of a text (`|`) further in than its key"),
        ("unknown value", "put a text that begins with `*` in quotes"),
        ("unexpected character", "put a text that begins with a sign in quotes"),
    ];
    ADVICE.iter().find(|(word, _)| message.contains(word)).map(|(_, advice)| *advice)
}

/// Lines and columns count from 1; the library's "unknown" is 0.
fn place(location: Location) -> Option<(u32, u32)> {
    let line = u32::try_from(location.line()).ok().filter(|line| *line > 0)?;
    Some((line, u32::try_from(location.column()).unwrap_or(1).max(1)))
}

/// Where each path of a document stands: the key of a field, the beginning of an item.
#[derive(Default)]
struct Places(BTreeMap<String, (u32, u32)>);

impl Places {
    fn put(&mut self, path: &str, location: Location) {
        if let Some(place) = place(location) {
            self.0.insert(path.to_owned(), place);
        }
    }

    fn locate(&self, text: &str, diagnostics: &mut [Diagnostic]) {
        for diagnostic in diagnostics.iter_mut() {
            let field = self.0.get(&diagnostic.path);
            let inside = field.zip(diagnostic.within).and_then(|(key, at)| inside::place(text, *key, at));
            if inside.is_some() {
                diagnostic.within = None;
            }
            if let Some((line, column)) = inside.or_else(|| self.find(&diagnostic.path)) {
                diagnostic.line = Some(line);
                diagnostic.column = Some(column);
            }
        }
        diagnostics.sort_by_key(|diagnostic| (diagnostic.line, diagnostic.column));
    }

    /// The place of the path, or else of the nearest field around it.
    fn find(&self, path: &str) -> Option<(u32, u32)> {
        let mut path = path;
        loop {
            if let Some(place) = self.0.get(path) {
                return Some(*place);
            }
            path = path.get(..path.rfind(['.', '['])?)?;
        }
    }

    /// Turns a node into a value and remembers where everything stood. The reader bounds the depth.
    fn value(&mut self, node: Node, path: &mut String) -> Value {
        match node {
            Node::Scalar(value) => value,
            Node::List(items) => {
                let items = items.into_iter().enumerate();
                let values =
                    items.map(|(index, item)| self.inner(&format!("[{index}]"), item.referenced, item, path));
                Value::Array(values.collect())
            }
            Node::Map(fields) => {
                let mut map = Map::new();
                for (key, value) in fields {
                    let value = self.inner(&step(&key.value), key.referenced, value, path);
                    map.insert(key.value, value);
                }
                Value::Object(map)
            }
        }
    }

    fn inner(&mut self, step: &str, location: Location, node: Spanned<Node>, path: &mut String) -> Value {
        let length = path.len();
        path.push_str(if length == 0 { step.trim_start_matches('.') } else { step });
        self.put(path, location);
        let value = self.value(node.value, path);
        path.truncate(length);
        value
    }
}

/// A document with its places.
enum Node {
    Scalar(Value),
    List(Vec<Spanned<Node>>),
    Map(Vec<(Spanned<String>, Spanned<Node>)>),
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Reader)
    }
}

struct Reader;

impl<'de> Visitor<'de> for Reader {
    type Value = Node;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value that JSON can hold")
    }

    fn visit_unit<E>(self) -> Result<Node, E> {
        Ok(Node::Scalar(Value::Null))
    }

    fn visit_bool<E>(self, value: bool) -> Result<Node, E> {
        Ok(Node::Scalar(Value::Bool(value)))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Node, E> {
        Ok(Node::Scalar(value.into()))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Node, E> {
        Ok(Node::Scalar(value.into()))
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Node, E> {
        match Number::from_f64(value) {
            Some(number) => Ok(Node::Scalar(Value::Number(number))),
            None => Err(E::custom("found a number that is not finite")),
        }
    }

    fn visit_str<E>(self, value: &str) -> Result<Node, E> {
        Ok(Node::Scalar(Value::String(value.to_owned())))
    }

    fn visit_string<E>(self, value: String) -> Result<Node, E> {
        Ok(Node::Scalar(Value::String(value)))
    }

    fn visit_none<E>(self) -> Result<Node, E> {
        Ok(Node::Scalar(Value::Null))
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Node, D::Error> {
        Node::deserialize(deserializer)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Node, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element()? {
            list.push(item);
        }
        Ok(Node::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<Node, A::Error> {
        let mut map = Vec::new();
        while let Some(field) = fields.next_entry()? {
            map.push(field);
        }
        Ok(Node::Map(map))
    }
}
