//! `prices …`: what models cost.

use serde_json::{Value, json};

use super::printed;
use crate::{
    args::prices::{Set, Verb},
    failure::Outcome,
    http::{Client, segment},
    output::{Output, Rows, field},
};

/// Carries out a verb.
pub(crate) fn run(client: &Client, output: Output, verb: Verb) -> Outcome {
    match verb {
        Verb::List => printed(output.show(&client.get("/api/v1/prices")?, table)),
        Verb::Set(set) => {
            let Set { model, input, cached, cache_write, written, reasoning, source, date } = set;
            let price = json!({
                "input": input, "cached": cached, "cache_write": cache_write, "output": written,
                "reasoning": reasoning, "source": source, "date": date,
            });
            let changed = client.send("PUT", &path(&model), Some(&price))?;
            printed(output.show(&changed, |changed| said(changed, "set")))
        }
        Verb::Delete { model } => {
            let changed = client.send("DELETE", &path(&model), None)?;
            printed(output.show(&changed, |changed| said(changed, "taken back")))
        }
    }
}

fn path(model: &str) -> String {
    format!("/api/v1/prices/{}", segment(model))
}

fn said(changed: &Value, what: &str) -> String {
    match changed["changed"].as_bool() {
        Some(true) => format!("the price of {} is {what}", field(changed, "model")),
        _ => format!("the price of {} was {what} already", field(changed, "model")),
    }
}

fn table(prices: &Value) -> String {
    let columns =
        ["MODEL", "INPUT", "CACHED", "CACHE WRITE", "OUTPUT", "REASONING", "ORIGIN", "SOURCE", "DATE"];
    let mut rows = Rows::new(&columns, "no model has a price");
    let row = |price: &Value, model: String| {
        let [input, cached, write, output, reasoning] =
            ["input", "cached", "cache_write", "output", "reasoning"].map(|name| field(price, name));
        let [origin, source, date] = ["origin", "source", "date"].map(|name| field(price, name));
        [model, input, cached, write, output, reasoning, origin, source, date]
    };
    for price in prices["models"].as_array().into_iter().flatten() {
        rows.push(row(price, field(price, "model")));
    }
    rows.push(row(&prices["default"], "(any other)".to_owned()));
    rows.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_of_prices() {
        let prices = json!({
            "models": [{ "model": "gpt-4o", "input": 2.5, "cached": 1.25, "cache_write": 2.5, "output": 10.0,
                "reasoning": 10.0, "origin": "set", "source": "contract 7", "date": "2026-11-26" }],
            "default": { "input": 15.0, "cached": 15.0, "cache_write": 15.0, "output": 75.0, "reasoning": 75.0 },
        });
        let text = anstream::adapter::strip_str(&table(&prices)).to_string();
        assert!(text.contains("gpt-4o") && text.contains("1.25") && text.contains("contract 7"), "{text}");
        assert!(text.contains("(any other)") && text.contains("75"), "{text}");
    }
}
