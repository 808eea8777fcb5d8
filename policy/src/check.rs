//! Walks a raw value along the table of known fields and reports every problem with its path.
use std::fmt::Write as _;

use serde_json::{Map, Value};

use crate::shape::{Field, Form, Need, Shape};
use crate::{Diagnostic, Money, nearest};

/// Reports everything that is wrong with `value`, and what is accepted but has no effect yet.
pub(crate) fn check(value: &Value, shape: &Shape) -> Vec<Diagnostic> {
    let mut walk = Walk { path: String::new(), found: Vec::new() };
    walk.value(value, shape);
    walk.found
}

struct Walk {
    path: String,
    found: Vec<Diagnostic>,
}

impl Walk {
    fn value(&mut self, value: &Value, shape: &Shape) {
        match (shape, value) {
            (Shape::Anything, _)
            | (Shape::Object, Value::Object(_))
            | (Shape::Text, Value::String(_))
            | (Shape::Flag, Value::Bool(_)) => {}
            (Shape::NonEmpty, Value::String(text)) if text.trim().is_empty() => {
                self.error("found an empty string, expected some text");
            }
            (Shape::NonEmpty, Value::String(_)) => {}
            (Shape::Word(words), Value::String(text)) => self.word(text, words),
            (Shape::Form(form), Value::String(text)) => self.form(text, form),
            (Shape::Whole(least, most), Value::Number(number)) => {
                if !number.as_u64().is_some_and(|number| (*least..=*most).contains(&number)) {
                    self.error(format!("found {number}, expected {}", expected(shape)));
                }
            }
            (Shape::Share, Value::Number(number)) => {
                if !number.as_f64().is_some_and(|number| (0.0..=1.0).contains(&number)) {
                    self.error(format!("found {number}, expected {}", expected(shape)));
                }
            }
            (Shape::Money, Value::Number(number)) => {
                if number.as_f64().and_then(Money::from_number).is_none() {
                    self.error(format!("found {number}, expected {}", expected(shape)));
                }
            }
            (Shape::List(least, item), Value::Array(items)) => {
                if items.len() < *least {
                    let help = "write down at least one, or leave the field out";
                    self.found.push(
                        Diagnostic::error(&self.path, "found an empty list, which would match nothing")
                            .help(help),
                    );
                }
                for (index, value) in items.iter().enumerate() {
                    self.at(&format!("[{index}]"), |walk| walk.value(value, item));
                }
            }
            (Shape::Narrowing(_), Value::Array(items)) if items.is_empty() => {
                let message = "found an empty list, which leaves nobody out: it is as if it were not there";
                let help = "name whom the policy is for, or leave the field out; `rules: []` makes a policy for nobody";
                self.found.push(Diagnostic::warning(&self.path, message).help(help));
            }
            (Shape::Narrowing(item), value) => self.value(value, &Shape::List(0, item)),
            (Shape::Labels, Value::Object(labels)) => {
                for (name, value) in labels {
                    self.at(&step(name), |walk| walk.value(value, &Shape::Text));
                }
            }
            (Shape::Texts, Value::Object(texts)) => {
                for (name, value) in texts {
                    if name.trim().is_empty() {
                        self.error("found an empty name, expected some text");
                    }
                    self.at(&step(name), |walk| walk.value(value, &Shape::NonEmpty));
                }
            }
            (Shape::Map(fields), Value::Object(map)) => self.map(map, fields),
            (Shape::OneOf(fields), Value::Object(map)) => self.one_of(map, fields),
            (shape, value) => self.wrong_type(value, shape),
        }
    }

    fn map(&mut self, map: &Map<String, Value>, fields: &'static [Field]) {
        for (name, value) in map {
            match fields.iter().find(|field| field.name == name) {
                Some(field) => self.field(field, value),
                None => self.unknown(name, fields, "field"),
            }
        }
        for field in
            fields.iter().filter(|field| field.need == Need::Required && !map.contains_key(field.name))
        {
            let message = format!("`{}` is missing, expected {}", field.name, expected(&field.shape));
            self.error(message);
        }
    }

    fn field(&mut self, field: &'static Field, value: &Value) {
        self.at(&step(field.name), |walk| match (field.need, value) {
            (Need::Nullable | Need::Recorded, Value::Null) => {}
            (Need::Recorded, value) => {
                walk.value(value, &field.shape);
                if *value != Value::Bool(false) {
                    let message = format!("`{}` is recorded but not enforced by this version", field.name);
                    walk.found.push(Diagnostic::warning(&walk.path, message));
                }
            }
            (_, value) => walk.value(value, &field.shape),
        });
    }

    fn one_of(&mut self, map: &Map<String, Value>, fields: &'static [Field]) {
        for (name, value) in map {
            match fields.iter().find(|field| field.name == name) {
                Some(field) if value.is_null() => self.at(&step(name), |walk| {
                    let help = format!("write `{name}: {{}}` for a rule of all defaults");
                    let message = format!("found nothing, expected {}", expected(&field.shape));
                    walk.found.push(Diagnostic::error(&walk.path, message).help(help));
                }),
                Some(field) => self.field(field, value),
                None => self.unknown(name, fields, "kind of rule"),
            }
        }
        if map.len() > 1 {
            let names: Vec<&str> = map.keys().map(String::as_str).collect();
            let help = "write each rule as an item of its own (`- pii: {…}`), and indent its fields below it";
            let message =
                format!("found {} keys in one rule ({}), expected one", map.len(), names.join(", "));
            self.found.push(Diagnostic::error(&self.path, message).help(help));
        } else if map.is_empty() {
            self.error(format!("found an empty rule, expected one of {}", list(fields)));
        }
    }

    fn unknown(&mut self, name: &str, fields: &[Field], what: &str) {
        let path = format!("{}{}", self.path, self.joined(&step(name)));
        let message = format!("unknown {what} `{name}`");
        let error = Diagnostic::error(path, message);
        let help = match nearest(name, fields.iter().map(|field| field.name)) {
            Some(known) => format!("did you mean `{known}`?"),
            None => format!("known here: {}", list(fields)),
        };
        self.found.push(error.help(help));
    }

    fn word(&mut self, text: &str, words: &[&[&str]]) {
        if words.iter().any(|group| group.contains(&text)) {
            return;
        }
        let message = format!("found {}, expected {}", quoted(text), either(words));
        let error = Diagnostic::error(&self.path, message);
        self.found.push(match nearest(text, words.iter().copied().flatten().copied()) {
            Some(known) => error.help(format!("did you mean `{known}`?")),
            None => error,
        });
    }

    fn form(&mut self, text: &str, form: &Form) {
        if (form.valid)(text) {
            return;
        }
        let error =
            Diagnostic::error(&self.path, format!("found {}, expected {}", quoted(text), form.expected));
        self.found.push(match (form.propose)(text) {
            Some(proposal) => error.help(format!("such as `{proposal}`")),
            None => error,
        });
    }

    fn wrong_type(&mut self, value: &Value, shape: &Shape) {
        let error =
            Diagnostic::error(&self.path, format!("found {}, expected {}", found(value), expected(shape)));
        self.found.push(match help(value, shape) {
            Some(help) => error.help(help),
            None => error,
        });
    }

    fn error(&mut self, message: impl Into<String>) {
        self.found.push(Diagnostic::error(&self.path, message));
    }

    /// Does something one step further down.
    fn at(&mut self, step: &str, act: impl FnOnce(&mut Self)) {
        let length = self.path.len();
        let step = self.joined(step).to_owned();
        self.path.push_str(&step);
        act(self);
        self.path.truncate(length);
    }

    /// A path does not begin with a dot.
    fn joined<'s>(&self, step: &'s str) -> &'s str {
        if self.path.is_empty() { step.trim_start_matches('.') } else { step }
    }
}

/// How to correct a value of the wrong type, where that is simple.
fn help(value: &Value, shape: &Shape) -> Option<String> {
    const QUOTE: &str = "put it in quotes to make it a string";
    const UNQUOTE: &str = "take the quotes away";
    let number = |text: &str| text.parse::<f64>().is_ok_and(f64::is_finite);
    match (shape, value) {
        (Shape::Text | Shape::NonEmpty, Value::Number(_) | Value::Bool(_)) => Some(QUOTE.to_owned()),
        (Shape::Form(form), Value::Number(_) | Value::Bool(_)) => {
            (form.valid)(&value.to_string()).then(|| QUOTE.to_owned())
        }
        (Shape::List(..) | Shape::Narrowing(_), Value::String(text)) => {
            Some(format!("write `[{}]`", quoted(text)))
        }
        (Shape::Flag, Value::String(text)) => match text.to_ascii_lowercase().as_str() {
            "true" | "false" => Some(UNQUOTE.to_owned()),
            "yes" | "on" => Some("write `true`".to_owned()),
            "no" | "off" => Some("write `false`".to_owned()),
            _ => None,
        },
        (Shape::Whole(..) | Shape::Share | Shape::Money, Value::String(text)) if number(text) => {
            Some(UNQUOTE.to_owned())
        }
        (Shape::Money, Value::String(text)) => {
            let amount = text.trim_start_matches(['$', ' ']);
            number(amount).then(|| format!("write the number alone, `{amount}`: it is of US dollars"))
        }
        _ => None,
    }
}

/// How a field name continues a path: `.name`, or `["na.me"]` where it could be misread.
pub fn step(name: &str) -> String {
    if !name.is_empty() && name.chars().all(|c| c.is_alphanumeric() || matches!(c, '_' | '-')) {
        format!(".{name}")
    } else {
        format!("[{}]", quoted(name))
    }
}

/// What was found, for people. Long texts are cut: the path says where they are.
fn found(value: &Value) -> String {
    match value {
        Value::Null => "nothing (null)".to_owned(),
        Value::Bool(value) => format!("{value} (a boolean)"),
        Value::Number(number) => format!("{number} (a number)"),
        Value::String(text) => format!("{} (a string)", quoted(text)),
        Value::Array(_) => "a list".to_owned(),
        Value::Object(_) => "a map".to_owned(),
    }
}

fn quoted(text: &str) -> String {
    const LONGEST: usize = 60;
    if text.chars().count() > LONGEST {
        let start: String = text.chars().take(LONGEST).collect();
        return format!("{start:?}…");
    }
    format!("{text:?}")
}

fn expected(shape: &Shape) -> String {
    match shape {
        Shape::Anything => "a value".to_owned(),
        Shape::Text | Shape::NonEmpty => "a string".to_owned(),
        Shape::Word(words) => either(words),
        Shape::Flag => "true or false".to_owned(),
        Shape::Whole(least, u64::MAX) => format!("a whole number of at least {least}"),
        Shape::Whole(least, most) => format!("a whole number from {least} to {most}"),
        Shape::Share => "a number from 0 to 1".to_owned(),
        Shape::Money => "an amount of money, a number over 0 such as 50 or 0.25".to_owned(),
        Shape::List(_, item) | Shape::Narrowing(item) => match item {
            Shape::Text | Shape::NonEmpty => "a list of strings".to_owned(),
            Shape::Word(words) => format!("a list of {}", either(words)),
            Shape::OneOf(_) => "a list of rules".to_owned(),
            _ => "a list".to_owned(),
        },
        Shape::Labels | Shape::Texts => "a map of strings to strings".to_owned(),
        Shape::Object => "a map".to_owned(),
        Shape::Map(fields) => format!("a map with the fields {}", list(fields)),
        Shape::OneOf(fields) => format!("a rule, a map with one of the keys {}", list(fields)),
        Shape::Form(form) => form.expected.to_owned(),
    }
}

fn either(words: &[&[&str]]) -> String {
    let mut text = String::new();
    for (index, group) in words.iter().enumerate() {
        let between = match index {
            0 => "",
            index if index + 1 == words.len() => " or ",
            _ => ", ",
        };
        // Writing to a string does not fail.
        let _ = write!(text, "{between}`{}`", group.first().copied().unwrap_or_default());
    }
    text
}

fn list(fields: &[Field]) -> String {
    let names: Vec<String> = fields.iter().map(|field| format!("`{}`", field.name)).collect();
    names.join(", ")
}
