//! Labelled rows: read and checked, since a row that is taken for another one makes figures that look right.

use serde_json::Value;

/// The JSON values of a file's lines, with their numbers.
fn numbered(file: &str) -> Result<Vec<(usize, Value)>, String> {
    let text = std::fs::read_to_string(file).map_err(|error| format!("{file}: {error}"))?;
    (text.lines().enumerate())
        .filter(|(_, line)| !line.trim().is_empty())
        .map(|(at, line)| match serde_json::from_str(line) {
            Ok(value) => Ok((at + 1, value)),
            Err(error) => Err(format!("{file}:{}: {error}", at + 1)),
        })
        .collect()
}

/// The JSON values of a file's lines.
pub(crate) fn lines(file: &str) -> Result<Vec<Value>, String> {
    Ok(numbered(file)?.into_iter().map(|(_, value)| value).collect())
}

/// The labelled rows of a file.
///
/// # Errors
/// What is wrong with the first row that is none, and where.
pub(crate) fn labelled(file: &str) -> Result<Vec<Value>, String> {
    let rows = numbered(file)?;
    for (line, row) in &rows {
        check(row).map_err(|error| format!("{file}:{line}: {error}"))?;
    }
    Ok(rows.into_iter().map(|(_, row)| row).collect())
}

fn check(row: &Value) -> Result<(), String> {
    let Some(text) = row["text"].as_str() else {
        return Err(format!("text: found {}, expected a string", row["text"]));
    };
    match (row.get("spans"), row.get("label")) {
        (Some(_), Some(_)) => Err("found spans and a label, expected one of them: make two rows".to_owned()),
        (None, None) => Err("found neither spans nor a label, expected one of them".to_owned()),
        (None, Some(label)) if matches!(label.as_str(), Some("injection" | "benign")) => Ok(()),
        (None, Some(label)) => Err(format!(r#"label: found {label}, expected "injection" or "benign""#)),
        (Some(spans), None) => {
            let Some(spans) = spans.as_array() else {
                return Err(format!("spans: found {spans}, expected a list"));
            };
            (spans.iter().enumerate()).try_for_each(|(at, span)| {
                check_span(text, span).map_err(|error| format!("spans[{at}]{error}"))
            })
        }
    }
}

fn check_span(text: &str, span: &Value) -> Result<(), String> {
    let place = |key: &str| match span[key].as_u64().and_then(|at| usize::try_from(at).ok()) {
        Some(at) if at <= text.len() && text.is_char_boundary(at) => Ok(at),
        Some(at) if at <= text.len() => {
            Err(format!(".{key}: {at} is within a character; places are bytes of UTF-8"))
        }
        _ => Err(format!(
            ".{key}: found {}, expected a place within the text's {} bytes",
            span[key],
            text.len()
        )),
    };
    let (start, end) = (place("start")?, place("end")?);
    if start >= end {
        return Err(format!(": found {start} to {end}, expected an end behind the start"));
    }
    match span["type"].as_str() {
        Some(_) => Ok(()),
        None => Err(format!(".type: found {}, expected a name such as \"EMAIL\"", span["type"])),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_that_is_none_says_what_is_wrong() {
        for (row, says) in [
            (r#"{"text": "x", "label": "Injection"}"#, Some("label: found \"Injection\"")),
            (r#"{"text": "x"}"#, Some("neither spans nor a label")),
            (r#"{"text": "x", "label": "benign", "spans": []}"#, Some("make two rows")),
            (r#"{"label": "benign"}"#, Some("text: found null")),
            (
                r#"{"text": "x", "spans": [{"start": 0, "end": 99, "type": "SSN"}]}"#,
                Some("spans[0].end: found 99"),
            ),
            (r#"{"text": "xyz", "spans": [{"start": 2, "end": 1, "type": "SSN"}]}"#, Some("found 2 to 1")),
            (
                r#"{"text": "é", "spans": [{"start": 0, "end": 1, "type": "SSN"}]}"#,
                Some("within a character"),
            ),
            (r#"{"text": "x", "spans": [{"start": 0, "end": 1}]}"#, Some("spans[0].type: found null")),
            (r#"{"text": "x", "spans": [{"start": 0, "end": 1, "type": "SSN"}]}"#, None),
            (r#"{"text": "x", "spans": []}"#, None),
            (r#"{"text": "x", "label": "injection"}"#, None),
        ] {
            let found = check(&serde_json::from_str(row).unwrap());
            match says {
                Some(says) => {
                    assert!(found.as_ref().is_err_and(|error| error.contains(says)), "{row}: {found:?}")
                }
                None => assert_eq!(found, Ok(()), "{row}"),
            }
        }
    }
}
