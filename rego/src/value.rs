//! JSON values to Rego values and back, without a text in between.
use regorus::Value as RegoValue;
use regorus::value::Object;
use serde_json::Value;

/// The input document of an evaluation. Built once for a request, it serves every module that judges it.
#[derive(Clone, Debug)]
pub struct Input(pub(crate) RegoValue);

impl Input {
    /// A document of these fields. What belongs to one of them (`request.stream`) follows each other.
    pub fn of<'a>(fields: impl Iterator<Item = (&'a str, Value)>) -> Input {
        let mut document = Object::new();
        let mut part: Option<(&str, Object)> = None;
        for (path, value) in fields {
            let (field, within) = match path.split_once('.') {
                Some((field, within)) => (field, Some(within)),
                None => (path, None),
            };
            if let Some((name, object)) = part.take_if(|(name, _)| within.is_none() || *name != field) {
                document.insert(RegoValue::from(name), object.into_value());
            }
            match within {
                Some(within) => {
                    let (_, object) = part.get_or_insert_with(|| (field, Object::new()));
                    object.insert(RegoValue::from(within), to_rego(&value));
                }
                None => {
                    document.insert(RegoValue::from(field), to_rego(&value));
                }
            }
        }
        if let Some((name, object)) = part {
            document.insert(RegoValue::from(name), object.into_value());
        }
        Input(document.into_value())
    }
}

impl From<&Value> for Input {
    fn from(value: &Value) -> Self {
        Input(to_rego(value))
    }
}

/// Depth is bounded by the reader of the JSON text (serde_json stops at 128).
pub(crate) fn to_rego(value: &Value) -> RegoValue {
    match value {
        Value::Null => RegoValue::Null,
        Value::Bool(value) => RegoValue::from(*value),
        Value::String(value) => RegoValue::from(value.as_str()),
        Value::Array(items) => RegoValue::from(items.iter().map(to_rego).collect::<Vec<_>>()),
        Value::Object(fields) => {
            let mut object = Object::new();
            for (name, value) in fields {
                object.insert(RegoValue::from(name.as_str()), to_rego(value));
            }
            object.into_value()
        }
        Value::Number(number) => {
            if let Some(number) = number.as_i64() {
                RegoValue::from(number)
            } else if let Some(number) = number.as_u64() {
                RegoValue::from(number)
            } else {
                number.as_f64().map_or(RegoValue::Null, RegoValue::from)
            }
        }
    }
}

/// `None` for undefined, and for what JSON cannot hold.
pub(crate) fn to_json(value: &RegoValue) -> Option<Value> {
    match value {
        RegoValue::Undefined => None,
        value => serde_json::to_value(value).ok(),
    }
}
