//! What is different between two documents, field by field.

use serde_json::Value;

/// A field that differs.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct FieldChange {
    /// Such as `spec.rules[2].pii.action`.
    pub(crate) path: String,
    /// Its value before; none where it was not there.
    pub(crate) before: Option<Value>,
    /// Its value now; none where it is gone.
    pub(crate) after: Option<Value>,
}

impl FieldChange {
    /// `spec.enforcement: "logging" → "blocking"`.
    pub(crate) fn shown(&self) -> String {
        match (&self.before, &self.after) {
            (Some(before), Some(after)) => format!("~ {}: {before} → {after}", self.path),
            (None, Some(after)) => format!("+ {}: {after}", self.path),
            (Some(before), None) => format!("- {}: {before}", self.path),
            (None, None) => self.path.clone(),
        }
    }
}

/// Every field that differs, in the order of the documents. Lists are compared by their items: one that is only in one of
/// the lists is reported alone, without those that merely moved.
pub(crate) fn changes(before: &Value, after: &Value) -> Vec<FieldChange> {
    let mut found = Vec::new();
    compare("", Some(before), Some(after), &mut found);
    found
}

fn compare(path: &str, before: Option<&Value>, after: Option<&Value>, found: &mut Vec<FieldChange>) {
    match (before, after) {
        (before, after) if before == after => {}
        (Some(Value::Object(old)), Some(Value::Object(new))) => {
            let added = new.keys().filter(|name| !old.contains_key(*name));
            for name in old.keys().chain(added) {
                let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
                compare(&path, old.get(name), new.get(name), found);
            }
        }
        (Some(Value::Array(old)), Some(Value::Array(new))) if old.len() == new.len() => {
            for (index, (old, new)) in old.iter().zip(new).enumerate() {
                compare(&format!("{path}[{index}]"), Some(old), Some(new), found);
            }
        }
        (Some(Value::Array(old)), Some(Value::Array(new))) => {
            let gone = old.iter().enumerate().filter(|(_, item)| !new.contains(item));
            found.extend(gone.map(|(index, item)| change(&format!("{path}[{index}]"), Some(item), None)));
            let come = new.iter().enumerate().filter(|(_, item)| !old.contains(item));
            found.extend(come.map(|(index, item)| change(&format!("{path}[{index}]"), None, Some(item))));
        }
        (before, after) => found.push(change(path, before, after)),
    }
}

fn change(path: &str, before: Option<&Value>, after: Option<&Value>) -> FieldChange {
    FieldChange { path: path.to_owned(), before: before.cloned(), after: after.cloned() }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn differences_are_told_field_by_field() {
        for (before, after, expected) in [
            (json!({"a": 1}), json!({"a": 1}), vec![]),
            (json!({"a": {"b": 1}}), json!({"a": {"b": 2}}), vec!["~ a.b: 1 → 2"]),
            (json!({"a": 1}), json!({"b": 1}), vec!["- a: 1", "+ b: 1"]),
            (json!({"r": [{"x": 1}, {"y": 1}]}), json!({"r": [{"x": 1}, {"y": 2}]}), vec!["~ r[1].y: 1 → 2"]),
            (json!({"r": [1, 2, 3]}), json!({"r": [1, 3]}), vec!["- r[1]: 2"]),
            (json!({"r": [1]}), json!({"r": [0, 1]}), vec!["+ r[0]: 0"]),
            (json!({"a": [1]}), json!({"a": "x"}), vec!["~ a: [1] → \"x\""]),
        ] {
            let found: Vec<String> = changes(&before, &after).iter().map(FieldChange::shown).collect();
            assert_eq!(found, expected, "{before} {after}");
        }
    }
}
