//! Fields of `input` that an author's Rego reads but that never exist. They are always undefined, so a rule that uses
//! one decides nothing, and nobody would notice.

use mesh_policy::{Diagnostic, Policy, Rule, nearest};
use mesh_rego::{Module, Rego};

use crate::compile::modules;
use crate::input::FIELDS;

/// Fields of objects that the field table only lists as a whole.
const WITHIN: [&str; 4] = ["response.status", "response.stream", "response.tool_calls", "response.messages"];

/// Warnings about nonexistent fields of `input` in a policy that compiles; none for one that does not. Nothing is
/// reported if a module reads all of `input`, or a field whose name is only known at run time.
pub fn remarks(policy: &Policy) -> Vec<Diagnostic> {
    let rules = policy.spec.rules.iter().enumerate();
    rules.flat_map(|(index, rule)| unknown(index, rule).unwrap_or_default()).collect()
}

/// `None` if the rule contains no Rego, or does not compile.
fn unknown(index: usize, rule: &Rule) -> Option<Vec<Diagnostic>> {
    let (rego, modules) = match rule {
        Rule::Rego(rule) => {
            let modules = modules(index, rule);
            let data = serde_json::Value::Object(rule.data.clone());
            (Rego::compile_package(&modules, &data, rule.package()).ok()?, modules)
        }
        Rule::RateLimit(rule) => {
            let source = rule.expression.clone()?;
            let name = format!("spec.rules[{index}].rateLimit.expression");
            (Rego::expression(&name, &source).ok()?, vec![Module { name, source }])
        }
        _ => return None,
    };
    let said = rego.fields_read().filter_map(|path| {
        let help = missing(path)?;
        let message = format!("there is no `input.{path}`, so it is undefined for every request");
        let found = modules.iter().find_map(|module| Some((module, place(&module.source, path)?)));
        Some(
            match found {
                Some((module, (line, column))) => {
                    Diagnostic::warning(module.name.clone(), message).within(line, column)
                }
                None => Diagnostic::warning(modules.first()?.name.clone(), message),
            }
            .help(help),
        )
    });
    Some(said.collect())
}

/// What to write instead of a path of one or two names; `None` if it exists.
fn missing(path: &str) -> Option<String> {
    let (top, field) = path.split_once('.').map_or((path, None), |(top, field)| (top, Some(field)));
    let known = || FIELDS.iter().chain(&WITHIN);
    let tops = || known().map(|name| name.split('.').next().unwrap_or(name));
    if !tops().any(|name| name == top) {
        return Some(advice(top, tops().collect()));
    }
    let within: Vec<&str> = known()
        .filter_map(|name| name.split_once('.').filter(|(whole, _)| *whole == top))
        .map(|(_, name)| name)
        .collect();
    let field = field.filter(|field| !within.is_empty() && !within.contains(field))?;
    Some(advice(field, within))
}

fn advice(name: &str, mut known: Vec<&str>) -> String {
    known.dedup();
    match nearest(name, known.iter().copied()) {
        Some(meant) => format!("did you mean `{meant}`?"),
        None => format!("expected one of {}", known.join(", ")),
    }
}

/// Line and column of the first `input.PATH` in a source, counted from 1.
fn place(source: &str, path: &str) -> Option<(u32, u32)> {
    let written = format!("input.{path}");
    let is_name = |text: Option<char>| text.is_some_and(|c| c.is_ascii_alphanumeric() || c == '_');
    (1..).zip(source.lines()).find_map(|(line, text)| {
        let mut places = text.match_indices(&written);
        let (at, _) = places.find(|(at, found)| {
            let (before, after) = (text.get(..*at), text.get(at + found.len()..));
            !is_name(before.and_then(|text| text.chars().next_back()))
                && !is_name(after.and_then(|text| text.chars().next()))
        })?;
        let column = text.get(..at)?.chars().count() + 1;
        Some((line, u32::try_from(column).unwrap_or(u32::MAX)))
    })
}
