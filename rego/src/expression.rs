//! One expression of an author, such as the key of a limit.
use regorus::Value as RegoValue;

use crate::RegoError;
use crate::program::{ALLOW, Module, Rego};
use crate::value::Input;

impl Rego {
    /// Reads and prepares one expression over `input`, such as `sprintf("%s/%s", [input.team, input.request.model])`.
    ///
    /// # Errors
    /// What is wrong with it, as [`Rego::compile`]; lines are counted in the expression.
    pub fn expression(name: &str, source: &str) -> Result<Rego, Vec<RegoError>> {
        let module = Module { name: name.to_owned(), source: format!("package mesh\nallow := {source}\n") };
        Rego::compile(&[module], &serde_json::Value::Object(serde_json::Map::new())).map_err(|errors| {
            let in_expression = |error: RegoError| RegoError {
                line: error.line.map(|line| line.saturating_sub(1)),
                column: error.column.map(|column| match error.line {
                    Some(2) => column.saturating_sub("allow := ".len() as u32),
                    _ => column,
                }),
                ..error
            };
            errors.into_iter().map(in_expression).collect()
        })
    }

    /// What an [`expression`](Rego::expression) says of a request, as text. None where it is undefined or null.
    ///
    /// # Errors
    /// When the evaluation fails or runs over the budget, or the value is neither text, number nor boolean.
    pub fn text(&self, input: &Input) -> Result<Option<String>, RegoError> {
        match self.run(ALLOW, input)? {
            RegoValue::Undefined | RegoValue::Null => Ok(None),
            RegoValue::String(text) => Ok(Some(text.as_ref().to_owned())),
            RegoValue::Bool(flag) => Ok(Some(flag.to_string())),
            value @ RegoValue::Number(_) => Ok(Some(value.to_string())),
            _ => Err(RegoError::general("the expression has to be text, a number or a boolean")),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_expression_is_a_text_about_the_request() {
        let input =
            Input::from(&json!({ "team": "care", "request": { "model": "gpt-4o", "stream": true }, "n": 7 }));
        let table = [
            ("input.team", Some("care")),
            ("sprintf(\"%s/%s\", [input.team, input.request.model])", Some("care/gpt-4o")),
            ("split(input.request.model, \"-\")[0]", Some("gpt")),
            ("input.request.stream", Some("true")),
            ("input.n", Some("7")),
            ("input.user", None),
            ("null", None),
        ];
        for (source, expected) in table {
            let expression = Rego::expression("key", source).unwrap();
            assert_eq!(expression.text(&input).unwrap().as_deref(), expected, "{source}");
        }
        let list = Rego::expression("key", "[input.team]").unwrap();
        assert!(list.text(&input).unwrap_err().message.contains("has to be text"));
        for source in ["", "input.", "http.send({})", "rand.intn(\"a\", 3)"] {
            assert!(Rego::expression("key", source).is_err(), "{source}");
        }
        let error = Rego::expression("key", "nothing(1)").unwrap_err().remove(0);
        assert_eq!(error.line, Some(1), "{error:?}");
    }
}
