//! Pinned tools (MCP): a definition is offered only as people approved it, and a tool may be called only while its
//! server keeps to that definition.
//!
//! A definition is identified by the SHA-256 of its canonical form (RFC 8785), so the order of keys and the escaping
//! of strings do not matter. That form has doubles: a number that no double holds exactly, and that some parsers
//! distinguish from its neighbours, is digested as it is written. The approved digests come with the bundle. A
//! definition that is not approved is removed from the listing and reported once by each program, with its text, so
//! that people can review it. If the tool was approved with another definition, this program refuses its calls from
//! then on, and the control plane tells all others. A tool without an approved definition may never be called.
//!
//! Bounded: a program reports at most [`MAX_REPORTED`] definitions, an exchange at most [`MAX_TEXTS`] bytes of them.
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use mesh_detect::{DEFAULT_THRESHOLD, Detector, TypeSet, type_group};
use mesh_policy::{Bundle, Rule};
use mesh_wire::{DEFINITION, Message, RefusalKind};
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use crate::decision::{GuardState, Severity};
use crate::evidence::{Effect, Evidence, Violation};
use crate::session::Session;

/// The maximum number of definitions that a program reports.
const MAX_REPORTED: usize = 1024;
/// The maximum length of a reported definition, in bytes.
const MAX_TEXT: usize = 8 * 1024;
/// The maximum size of all definitions in a record, in bytes.
const MAX_TEXTS: usize = 512 * 1024;
/// The maximum length of server and tool names, in bytes: tools with longer names cannot be approved.
const MAX_NAME: usize = 512;

/// A definition that is not approved, as a server offers it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SeenTool {
    /// The server: host and path.
    pub server: String,
    /// The tool's name.
    pub name: String,
    /// SHA-256 of the canonical form, hex.
    pub digest: String,
    /// The definition for people: one member per line, secrets redacted, invisible characters escaped.
    pub text: String,
    /// Whether `text` was cut.
    pub truncated: bool,
}

/// What is approved, and what this program has seen.
#[derive(Default)]
pub(crate) struct Pins {
    /// Whether any policy pins tools.
    pub(crate) asked: bool,
    /// By server and name.
    tools: BTreeMap<(String, String), Approved>,
    /// What was reported, by server, name and digest.
    reported: RefCell<BTreeSet<(String, String, String)>>,
    /// Approved tools that their server offered with another definition.
    changed: RefCell<BTreeSet<(String, String)>>,
}

struct Approved {
    digests: Vec<String>,
    changed: bool,
}

/// The status of a tool.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Standing {
    Approved,
    Unapproved,
    Changed,
}

impl Standing {
    fn problem(self) -> Option<&'static str> {
        match self {
            Standing::Approved => None,
            Standing::Unapproved => Some("this tool's definition is not approved"),
            Standing::Changed => Some("this tool's definition has changed since it was approved"),
        }
    }
}

impl Pins {
    pub(crate) fn of(bundle: &Bundle) -> Self {
        let policies = bundle.policies.iter().chain(&bundle.pinned);
        let mut rules = policies.flat_map(|entry| &entry.policy.spec.rules);
        let asked = rules.any(|rule| matches!(rule, Rule::Tools(rule) if rule.pin));
        let approved = bundle.tools.iter().filter(|tool| !tool.approved.is_empty());
        let tools = approved.map(|tool| {
            let digests = tool.approved.iter().map(|digest| digest.to_ascii_lowercase()).collect();
            ((tool.server.clone(), tool.name.clone()), Approved { digests, changed: tool.changed })
        });
        Pins { asked, tools: tools.collect(), ..Pins::default() }
    }

    /// The status of a called tool.
    fn called(&self, server: &str, name: &str) -> Standing {
        let key = (server.to_owned(), name.to_owned());
        match self.tools.get(&key) {
            None => Standing::Unapproved,
            Some(tool) if tool.changed || self.changed.borrow().contains(&key) => Standing::Changed,
            Some(_) => Standing::Approved,
        }
    }

    /// The status of an offered definition.
    fn offered(&self, server: &str, name: &str, digest: Option<&str>) -> Standing {
        let key = (server.to_owned(), name.to_owned());
        match self.tools.get(&key) {
            None => Standing::Unapproved,
            Some(tool) if digest.is_some_and(|digest| tool.digests.iter().any(|known| known == digest)) => {
                self.called(server, name)
            }
            Some(_) => {
                self.changed.borrow_mut().insert(key);
                Standing::Changed
            }
        }
    }

    /// Whether this definition has not been reported yet; marks it as reported.
    fn is_news(&self, server: &str, name: &str, digest: &str) -> bool {
        let mut reported = self.reported.borrow_mut();
        reported.len() < MAX_REPORTED
            && reported.insert((server.to_owned(), name.to_owned(), digest.to_owned()))
    }
}

impl Session {
    /// Checks that called tools are approved, for every policy that pins them.
    pub(crate) fn pinned_calls(&mut self, message: &Message) {
        if !self.program.pins.asked {
            return;
        }
        let applies = Rc::clone(&self.applies);
        let server = self.server();
        for policy in applies.iter().filter(|policy| !policy.pinned.is_empty()) {
            if !message.mcp {
                // Definitions that an agent sends to a model are its own: no server can change them.
                if !message.tools_offered.is_empty() || !message.tool_calls.is_empty() {
                    self.decision.guard("pin", GuardState::Skipped("protocol".into()));
                }
                continue;
            }
            self.decision.guard("pin", GuardState::Ran);
            let mut calls = message.tool_calls.iter().enumerate();
            let refused = calls.find_map(|(index, call)| {
                Some((index, self.program.pins.called(&server, &call.name).problem()?))
            });
            if let Some((index, problem)) = refused {
                let evidence = pinned(format!("tool_calls[{index}]"));
                let rule = policy.pinned.first().copied().unwrap_or_default();
                let violation = Violation::new("tools", Severity::High, problem.to_owned()).by(rule);
                if self.raise(policy, violation.because(evidence)) {
                    self.deny(RefusalKind::Policy, problem);
                }
            }
        }
    }

    /// The tools in a listing that are not offered as approved.
    pub(crate) fn withheld_tools(&mut self, message: &Message, body: &[u8]) -> Vec<String> {
        let applies = Rc::clone(&self.applies);
        let mut pinning = applies.iter().filter(|policy| !policy.pinned.is_empty()).peekable();
        if pinning.peek().is_none() {
            return Vec::new();
        }
        let server = self.server();
        let read = message.again(body);
        let offered: Vec<(usize, &String, &'static str)> = message
            .tools_offered
            .iter()
            .enumerate()
            .filter(|(index, _)| !message.is_lent(*index))
            .filter_map(|(index, name)| {
                let definition = read.definition(index).map(approved_part);
                let numbers = read.inexact_numbers(index);
                let digest = definition.as_ref().and_then(|definition| digest_of(definition, &numbers));
                let standing = self.program.pins.offered(&server, name, digest.as_deref());
                if let (Some(definition), Some(digest)) = (&definition, digest)
                    && standing != Standing::Approved
                {
                    self.report((&server, name, digest), definition);
                }
                Some((index, name, standing.problem()?))
            })
            .collect();
        let mut withheld = Vec::new();
        for policy in pinning {
            self.decision.guard("pin", GuardState::Ran);
            let rule = policy.pinned.first().copied().unwrap_or_default();
            for (index, name, problem) in &offered {
                let evidence = pinned(format!("tools[{index}]"));
                let text = format!("a tool is withheld: {problem}");
                let violation = Violation::new("tools", Severity::High, text).by(rule).with(Effect::Modified);
                if self.raise(policy, violation.because(evidence)) {
                    withheld.push((*name).clone());
                }
            }
        }
        withheld
    }

    fn report(&mut self, (server, name, digest): (&str, &str, String), definition: &Value) {
        let told: usize = self.decision.definitions.iter().map(|seen| seen.text.len()).sum();
        let plain =
            |name: &str| !name.is_empty() && name.len() <= MAX_NAME && !name.chars().any(char::is_control);
        if told >= MAX_TEXTS
            || !plain(server)
            || !plain(name)
            || !self.program.pins.is_news(server, name, &digest)
        {
            return;
        }
        let (text, truncated) = shown(&self.program.detector, definition);
        let (server, name) = (server.to_owned(), name.to_owned());
        self.decision.definitions.push(SeenTool { server, name, digest, text, truncated });
    }

    /// The requested server: its host, and the path of the request. The agent chooses the path, so another spelling
    /// of it is another server, for which nothing is approved.
    fn server(&self) -> String {
        let cluster = self.head.cluster.as_deref().unwrap_or_default();
        let host = self.program.settings.servers.get(cluster).map_or(cluster, String::as_str);
        format!("{host}{}", self.head.path_only())
    }
}

/// The part of a definition that is approved.
fn approved_part(definition: Value) -> Value {
    match definition {
        Value::Object(members) => {
            let kept = members.into_iter().filter(|(name, _)| DEFINITION.contains(&name.as_str()));
            Value::Object(kept.collect::<Map<_, _>>())
        }
        other => other,
    }
}

fn digest_of(definition: &Value, numbers: &[String]) -> Option<String> {
    let mut canonical = serde_json_canonicalizer::to_vec(definition).ok()?;
    // No canonical form contains a line break.
    numbers.iter().for_each(|number| canonical.extend([b"\n", number.as_bytes()].concat()));
    Some(hex::encode(Sha256::digest(&canonical)))
}

/// A definition as shown to people, and whether it was cut.
fn shown(detector: &Detector, definition: &Value) -> (String, bool) {
    let text = serde_json::to_string_pretty(definition).unwrap_or_default();
    let cut = text.floor_char_boundary(MAX_TEXT);
    let truncated = cut < text.len();
    let text = text.get(..cut).unwrap_or_default();
    let mut types = TypeSet::EMPTY;
    for group in ["secrets", "financial", "national_id"] {
        type_group(group).unwrap_or_default().iter().for_each(|kind| types.insert(*kind));
    }
    let mut found = Vec::new();
    detector.pii(text, &types, DEFAULT_THRESHOLD, None, &mut found);
    found.sort_by_key(|finding| finding.span.start);
    let mut out = String::with_capacity(text.len());
    let mut from = 0;
    for finding in found.iter().filter(|finding| finding.span.end > 0) {
        if finding.span.start < from {
            continue;
        }
        visible(text.get(from..finding.span.start).unwrap_or_default(), &mut out);
        out.push_str(&format!("[{}]", finding.kind.as_str()));
        from = finding.span.end;
    }
    visible(text.get(from..).unwrap_or_default(), &mut out);
    (out, truncated)
}

/// Escapes characters that are invisible or that reorder the text around them.
fn visible(text: &str, out: &mut String) {
    for c in text.chars() {
        let unseen = matches!(c,
            '\u{00AD}' | '\u{034F}' | '\u{061C}' | '\u{115F}' | '\u{1160}' | '\u{17B4}' | '\u{17B5}' | '\u{3164}'
            | '\u{FEFF}' | '\u{FFA0}' | '\u{180B}'..='\u{180F}' | '\u{200B}'..='\u{200F}' | '\u{202A}'..='\u{202E}'
            | '\u{2060}'..='\u{206F}' | '\u{FE00}'..='\u{FE0F}' | '\u{FFF0}'..='\u{FFFB}'
            | '\u{E0000}'..='\u{E0FFF}');
        if unseen || c.is_control() && c != '\n' {
            out.push_str(&format!("\\u{{{:04X}}}", u32::from(c)));
        } else {
            out.push(c);
        }
    }
}

/// The evidence for a tool that is not as approved.
fn pinned(place: String) -> Evidence {
    Evidence { kind: "pinned tool".to_owned(), place, ..Evidence::default() }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn digest(text: &str) -> String {
        digest_of(&approved_part(serde_json::from_str(text).unwrap()), &[]).unwrap()
    }

    /// A definition, others that mean the same, and others that do not.
    #[test]
    fn a_digest_goes_by_what_a_definition_means() {
        let one = r#"{"name":"search","description":"Finds","inputSchema":{"type":"object","properties":{"q":{"type":"string","maxLength":10}}}}"#;
        for same in [
            r#"{ "inputSchema": {"properties":{"q":{"maxLength":10.0,"type":"string"}},"type":"object"}, "description":"Finds", "name":"search" }"#,
            r#"{"name":"s\u0065arch","description":"\u0046inds","inputSchema":{"type":"object","properties":{"q":{"type":"string","maxLength":1e1}}}}"#,
            // Members that nothing depends on are not pinned.
            r#"{"_meta":{"seen":1},"name":"search","description":"Finds","inputSchema":{"type":"object","properties":{"q":{"type":"string","maxLength":10}}}}"#,
        ] {
            assert_eq!(digest(same), digest(one), "{same}");
        }
        for other in [
            r#"{"name":"search","description":"Finds!","inputSchema":{"type":"object","properties":{"q":{"type":"string","maxLength":10}}}}"#,
            r#"{"name":"search","title":"Search","description":"Finds","inputSchema":{"type":"object","properties":{"q":{"type":"string","maxLength":10}}}}"#,
            r#"{"name":"search","description":"Finds","inputSchema":{"type":"object","properties":{"q":{"type":"string","maxLength":11}}}}"#,
            r#"{"name":"search","description":"Finds","inputSchema":{"type":"object","properties":{"q":{"type":"string","maxLength":10,"description":"x"}}}}"#,
            r#"{"name":"search","description":"Finds","annotations":{"readOnlyHint":true},"inputSchema":{"type":"object","properties":{"q":{"type":"string","maxLength":10}}}}"#,
            r#"{"name":"search","description":"Finds","outputSchema":{},"inputSchema":{"type":"object","properties":{"q":{"type":"string","maxLength":10}}}}"#,
            r#"{"name":"search","description":"Finds","outputSchema":null,"inputSchema":{"type":"object","properties":{"q":{"type":"string","maxLength":10}}}}"#,
        ] {
            assert_ne!(digest(other), digest(one), "{other}");
        }
    }

    #[test]
    fn people_see_what_is_hidden_and_no_secrets() {
        let definition = json!({ "name": "x", "description": "a\u{200B}b\u{E0041} key AKIAIOSFODNN7EXAMPLE and \u{202E}more" });
        let (text, truncated) = shown(&Detector::new(), &definition);
        assert!(
            !truncated
                && text.contains("\\u{200B}")
                && text.contains("\\u{E0041}")
                && text.contains("\\u{202E}"),
            "{text}"
        );
        assert!(!text.contains("AKIA"), "{text}");
        let long = json!({ "name": "x", "description": "ä".repeat(MAX_TEXT) });
        let (text, truncated) = shown(&Detector::new(), &long);
        assert!(truncated && text.len() <= MAX_TEXT);
    }
}
