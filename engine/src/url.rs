//! Personal data in a request's URL, and in the headers that a rule names.
use std::ops::Range;
use std::rc::Rc;

use mesh_detect::Finding;
use mesh_policy::PiiAction;
use mesh_wire::{Protocol, RefusalKind};

use crate::decision::Severity;
use crate::evidence::Violation;
use crate::index::Attached;
use crate::program::PiiGuard;
use crate::session::Session;

impl Session {
    /// Personal data in the URL or a header cannot be removed without changing what is requested: the request is
    /// refused.
    pub(crate) fn judge_url(&mut self) {
        // The segments of a path are words: `/ssn/536…` names what follows, as a sentence does.
        let path = decode(self.head.path_only()).replace('/', " ");
        // Files, caches and model lists have paths next to Gemini's own, in each of its versions.
        let path_of = self.head.path.strip_prefix("/upload").unwrap_or(&self.head.path);
        let beside = ["/v1/", "/v1alpha/", "/v1beta/"].iter().any(|version| path_of.starts_with(version));
        let googles = self.route.protocol == Protocol::Gemini || beside;
        let query = self.head.query();
        let query = query.map(|query| if googles { decode(&without_mark(query)) } else { decode(query) });
        let parts = [("path", "request:path", Some(path)), ("query", "request:query", query)];
        let program = Rc::clone(&self.program);
        let applies = Rc::clone(&self.applies);
        let mut found = Vec::new();
        for policy in applies.iter() {
            for guard in policy.pii.iter().filter(|guard| guard.request) {
                for (part, place, text) in &parts {
                    if let Some(text) = text {
                        guard.find_whole(&program.detector, text, &mut found);
                        self.outside_body((policy, guard), &found, &format!("the URL's {part}"), place);
                    }
                }
                for name in &guard.headers {
                    found.clear();
                    for value in self.head.all(name) {
                        let mut one = Vec::new();
                        guard.find_named(&program.detector, name, value, &mut one);
                        found.append(&mut one);
                    }
                    self.outside_body(
                        (policy, guard),
                        &found,
                        &format!("the header {name}"),
                        "request:header",
                    );
                }
            }
        }
    }

    /// Personal data where it cannot be removed.
    pub(crate) fn outside_body(
        &mut self,
        (policy, guard): (&Attached, &PiiGuard),
        found: &[Finding],
        part: &str,
        place: &str,
    ) {
        for finding in found {
            self.decision.finding(finding.kind.as_str(), place, finding.score);
        }
        if let Some(first) = found.first().filter(|_| guard.action != PiiAction::Log) {
            let said = format!("personal data in {part}");
            let violation = Violation::new("pii", Severity::High, said.clone()).by(guard.rule);
            if self.raise(policy, violation.because(guard.evidence(first, place))) {
                self.deny(RefusalKind::Policy, &said);
            }
        }
    }
}

/// The query without the prefix of a Google API key, so that the key is not found as one: it belongs there, as
/// others' keys do in a header. The rest is searched like any text, since any value could be passed off as a key.
fn without_mark(query: &str) -> String {
    let belongs = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.');
    let rest = |pair: &str| {
        let rest = pair.strip_prefix("key=AIza").or_else(|| pair.strip_prefix("key=AQ."))?;
        rest.bytes().all(belongs).then(|| rest.to_owned())
    };
    query.split('&').map(|pair| rest(pair).unwrap_or_else(|| pair.to_owned())).collect::<Vec<_>>().join("&")
}

/// Decodes `application/x-www-form-urlencoded` text as servers do; broken escapes stay as they are.
pub(crate) fn decode(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, tail)) = rest.split_first() {
        rest = tail;
        let hex = |digits: Range<usize>| {
            tail.get(digits)
                .and_then(|two| std::str::from_utf8(two).ok())
                .filter(|two| two.bytes().all(|b| b.is_ascii_hexdigit()))
                .and_then(|two| u8::from_str_radix(two, 16).ok())
        };
        match byte {
            b'+' => bytes.push(b' '),
            b'%' => match hex(0..2) {
                Some(decoded) => {
                    bytes.push(decoded);
                    rest = tail.get(2..).unwrap_or_default();
                }
                None => bytes.push(byte),
            },
            _ => bytes.push(byte),
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::{decode, without_mark};

    #[test]
    fn only_googles_key_is_not_told_as_one() {
        let (key, rest) =
            ("key=AIzaSyD-9tSrke72PouQMnMX-a7eZSW0jkFMBWY", "SyD-9tSrke72PouQMnMX-a7eZSW0jkFMBWY");
        for (query, want) in [
            (format!("alt=sse&{key}&x=1"), format!("alt=sse&{rest}&x=1")),
            (key.to_owned(), rest.to_owned()),
            ("key=AIza_536-90-4399".to_owned(), "_536-90-4399".to_owned()),
            (format!("x{key}"), format!("x{key}")),
            (format!("{key}%20536-90-4399"), format!("{key}%20536-90-4399")),
            ("key=536-90-4399".to_owned(), "key=536-90-4399".to_owned()),
        ] {
            assert_eq!(without_mark(&query), want, "{query}");
        }
    }

    #[test]
    fn queries_read_as_servers_read_them() {
        for (query, text) in
            [("q=a+b%40c.de&x=1", "q=a b@c.de&x=1"), ("%zz%4", "%zz%4"), ("%+536", "% 536"), ("%C3%A9", "é")]
        {
            assert_eq!(decode(query), text);
        }
    }
}
