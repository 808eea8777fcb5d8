//! What tokens cost: a catalogue of models, shipped as data and overridden by the operator's own.
use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// Tokens to be paid for. Each token counts in exactly one field.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tokens {
    /// Input, not from a cache.
    pub input: u64,
    /// Input from a cache.
    pub cached: u64,
    /// Input that is written to a cache.
    pub cache_write: u64,
    /// Output.
    pub output: u64,
    /// Reasoning.
    pub reasoning: u64,
}

/// The price of one model's tokens, in US dollars for a million.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Price {
    /// Input, not from a cache.
    pub input: f64,
    /// Input from a cache; without it, the price of any input.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cached: Option<f64>,
    /// Input that is written to a cache; without it, the price of any input.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cache_write: Option<f64>,
    /// Output.
    pub output: f64,
    /// Reasoning; without it, the price of any output.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reasoning: Option<f64>,
}

/// A model's price, and where it is from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(from = "Flat", into = "Flat")]
pub struct Entry {
    /// The model's name, without the date or number of a version.
    pub model: String,
    /// Its price.
    pub price: Price,
    /// The page that states the price.
    pub source: String,
    /// The day it was read there.
    pub date: String,
}

/// An entry as files have it. Serde's `flatten` would accept unknown fields.
#[derive(Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Flat {
    model: String,
    input: f64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    cached: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    cache_write: Option<f64>,
    output: f64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    reasoning: Option<f64>,
    #[serde(default)]
    source: String,
    #[serde(default)]
    date: String,
}

impl From<Flat> for Entry {
    fn from(flat: Flat) -> Self {
        let Flat { model, input, cached, cache_write, output, reasoning, source, date } = flat;
        Entry { model, price: Price { input, cached, cache_write, output, reasoning }, source, date }
    }
}

impl From<Entry> for Flat {
    fn from(entry: Entry) -> Self {
        let Price { input, cached, cache_write, output, reasoning } = entry.price;
        let Entry { model, source, date, .. } = entry;
        Flat { model, input, cached, cache_write, output, reasoning, source, date }
    }
}

/// A list of prices, as a file holds it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PriceList {
    /// A remark.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub about: String,
    /// The price of models that are not listed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default: Option<Price>,
    /// The models.
    #[serde(default)]
    pub models: Vec<Entry>,
}

/// A list of prices that makes no sense.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PriceError(String);

impl std::fmt::Display for PriceError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for PriceError {}

impl PriceList {
    /// Reads a list.
    ///
    /// # Errors
    /// It is not a list of prices, or an entry makes no sense; the model is named.
    pub fn read(json: &str) -> Result<Self, PriceError> {
        let list: PriceList = serde_json::from_str(json)
            .map_err(|error| PriceError(format!("this is no list of prices: {error}")))?;
        list.check()?;
        Ok(list)
    }

    /// Reads a list from JSON that was parsed already.
    ///
    /// # Errors
    /// As [`PriceList::read`].
    pub fn of(json: &serde_json::Value) -> Result<Self, PriceError> {
        let list = PriceList::deserialize(json);
        let list = list.map_err(|error| PriceError(format!("this is no list of prices: {error}")))?;
        list.check()?;
        Ok(list)
    }

    /// The entry of exactly that name.
    pub fn entry(&self, name: &str) -> Option<&Entry> {
        self.models.iter().find(|entry| plain(&entry.model) == name)
    }

    /// Whether a model of that name has an entry.
    pub fn names(&self, model: &str) -> bool {
        self.entry(&plain(model)).is_some()
    }

    /// Adds an entry, in the place of one of the same name.
    pub fn put(&mut self, entry: Entry) {
        let name = plain(&entry.model);
        self.models.retain(|held| plain(&held.model) != name);
        self.models.push(entry);
    }

    fn check(&self) -> Result<(), PriceError> {
        let entries = self.models.iter().map(|entry| (entry.model.as_str(), &entry.price));
        for (model, price) in entries.chain(self.default.iter().map(|price| ("default", price))) {
            let all =
                [Some(price.input), price.cached, price.cache_write, Some(price.output), price.reasoning];
            if let Some(odd) = all.into_iter().flatten().find(|price| !(0.0..=1e6).contains(price)) {
                return Err(PriceError(format!(
                    "the price {odd} of {model} is none: expected US dollars for a million tokens, from 0 to 1000000"
                )));
            }
            if model.is_empty() {
                return Err(PriceError("an entry names no model".to_owned()));
            }
        }
        Ok(())
    }
}

/// Prices by model.
#[derive(Clone, Debug)]
pub struct Catalogue {
    models: BTreeMap<String, Price>,
    default: Price,
}

/// Bytes of the longest name that is looked up: the time of a look-up, part by part, grows with the square of the length.
const MAX_NAME: usize = 256;

/// The list that is shipped.
const SHIPPED: &str = include_str!("prices.json");

impl Catalogue {
    /// The shipped prices, with those of `overriding` in their places.
    ///
    /// # Errors
    /// A list that makes no sense.
    pub fn with(overriding: Option<&PriceList>) -> Result<Self, PriceError> {
        Self::of(&Self::list(overriding)?)
    }

    /// The prices of this list alone.
    ///
    /// # Errors
    /// It has no default.
    pub fn of(list: &PriceList) -> Result<Self, PriceError> {
        let default = list.default.ok_or_else(|| PriceError("there is no default price".to_owned()))?;
        let models = list.models.iter().map(|entry| (plain(&entry.model), entry.price)).collect();
        Ok(Catalogue { models, default })
    }

    /// The list that is shipped.
    ///
    /// # Errors
    /// The shipped list makes no sense, which a test rules out.
    pub fn shipped() -> Result<PriceList, PriceError> {
        PriceList::read(SHIPPED)
    }

    /// All prices in force, in order of name: those of `overriding` before the shipped ones.
    ///
    /// # Errors
    /// A list that makes no sense.
    pub fn list(overriding: Option<&PriceList>) -> Result<PriceList, PriceError> {
        let shipped = Self::shipped()?;
        let own = overriding.cloned().unwrap_or_default();
        own.check()?;
        let entries = shipped.models.into_iter().chain(own.models);
        let models: BTreeMap<String, Entry> = entries.map(|entry| (plain(&entry.model), entry)).collect();
        Ok(PriceList {
            about: shipped.about,
            default: own.default.or(shipped.default),
            models: models.into_values().collect(),
        })
    }

    /// A model's price, and whether it is listed. A date or version number at the end of the name does not matter.
    pub fn price(&self, model: &str) -> (Price, bool) {
        self.found(model).map_or((self.default, false), |(_, price)| (*price, true))
    }

    /// The name under which a model is listed, if it is.
    pub fn listed(&self, model: &str) -> Option<&str> {
        self.found(model).map(|(name, _)| name.as_str())
    }

    /// The name by which a model's price is found, apart from a version at its end.
    pub fn name(model: &str) -> String {
        plain(model)
    }

    fn found(&self, model: &str) -> Option<(&String, &Price)> {
        let model = plain(model);
        if model.len() > MAX_NAME {
            return None;
        }
        let mut name = model.as_str();
        loop {
            if let Some(found) = self.models.get_key_value(name) {
                return Some(found);
            }
            match name.rsplit_once('-') {
                Some((shorter, version)) if is_version(version) => name = shorter,
                _ => return None,
            }
        }
    }
}

impl Price {
    /// What tokens cost, in millionths of a US dollar, rounded up.
    pub fn micros(&self, tokens: &Tokens) -> u64 {
        let cached = self.cached.unwrap_or(self.input);
        let parts = [
            (tokens.input, self.input),
            (tokens.cached, cached),
            (tokens.cache_write, self.cache_write.unwrap_or(self.input)),
            (tokens.output, self.output),
            (tokens.reasoning, self.reasoning.unwrap_or(self.output)),
        ];
        // One dollar for a million tokens is a millionth of a dollar for each; `fine` counts in millionths of that.
        let sum: u128 = parts.iter().map(|(tokens, price)| u128::from(*tokens) * fine(*price)).sum();
        u64::try_from(sum.div_ceil(1_000_000)).unwrap_or(u64::MAX)
    }

    /// How many tokens may still be written for so many millionths of a US dollar.
    pub fn output_for(&self, micros: u64) -> u64 {
        let price = fine(self.output.max(self.reasoning.unwrap_or(0.0)));
        let tokens = (u128::from(micros) * 1_000_000).checked_div(price);
        tokens.and_then(|tokens| u64::try_from(tokens).ok()).unwrap_or(u64::MAX)
    }
}

fn fine(price: f64) -> u128 {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "prices are checked: from 0 to a million"
    )]
    let fine = (price * 1e6).round() as u64;
    u128::from(fine)
}

/// The name that prices are found by: `us.anthropic.claude-sonnet-4-5-20250929-v1:0` and `anthropic/claude-sonnet-4.5` are
/// both `claude-sonnet-4-5`.
fn plain(model: &str) -> String {
    let name = model.rsplit('/').next().unwrap_or(model).to_ascii_lowercase();
    let name =
        ["us.", "eu.", "apac.", "global."].iter().find_map(|at| name.strip_prefix(at)).unwrap_or(&name);
    let name =
        ["anthropic.", "openai.", "google."].iter().find_map(|at| name.strip_prefix(at)).unwrap_or(name);
    let name = name.replace(['@', ':'], "-");
    if name.starts_with("claude") { name.replace('.', "-") } else { name }
}

/// `20250929`, `2024-08-06` piece by piece, `v1`, `001`, `latest`, `preview`.
fn is_version(part: &str) -> bool {
    let digits = part.strip_prefix('v').unwrap_or(part);
    let number = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
    number || matches!(part, "latest" | "preview" | "exp")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shipped_list_names_source_and_day_of_each_price() {
        let list = Catalogue::shipped().unwrap();
        assert!(list.default.is_some() && list.models.len() > 40);
        for entry in &list.models {
            assert!(entry.source.starts_with("https://"), "{}", entry.model);
            let parts: Vec<&str> = entry.date.split('-').collect();
            assert_eq!(parts.iter().map(|part| part.len()).collect::<Vec<_>>(), [4, 2, 2], "{}", entry.model);
            assert_eq!(plain(&entry.model), entry.model);
        }
    }

    #[test]
    fn models_are_found_by_all_their_names() {
        let catalogue = Catalogue::with(None).unwrap();
        let table = [
            ("gpt-4o", Some(2.5)),
            ("gpt-4o-2024-08-06", Some(2.5)),
            ("openai/gpt-4o-mini", Some(0.15)),
            ("gpt-4o-audio-preview", None),
            ("gpt-5.4-nano", None),
            ("claude-sonnet-4-5-20250929", Some(3.0)),
            ("claude-sonnet-4-20250514", Some(3.0)),
            ("us.anthropic.claude-opus-4-1-20250805-v1:0", Some(15.0)),
            ("anthropic/claude-haiku-4.5", Some(1.0)),
            ("claude-haiku-4-5@20251001", Some(1.0)),
            ("models/gemini-2.5-flash-lite-001", Some(0.1)),
            ("Gemini-3-Flash-Preview", Some(0.5)),
            ("llama-7b", None),
            ("", None),
            (&format!("gpt-4o{}", "-1".repeat(100)), Some(2.5)),
            // Nobody lists a name of that length.
            (&format!("gpt-4o{}", "-1".repeat(1_000)), None),
        ];
        for (model, input) in table {
            let (price, listed) = catalogue.price(model);
            assert_eq!((listed, price.input), (input.is_some(), input.unwrap_or(15.0)), "{model}");
        }
    }

    #[test]
    fn each_kind_of_token_has_its_price() {
        let (price, _) = Catalogue::with(None).unwrap().price("claude-sonnet-4-5");
        let cost = |tokens| price.micros(&tokens);
        assert_eq!(cost(Tokens { input: 1_000_000, ..Tokens::default() }), 3_000_000);
        assert_eq!(cost(Tokens { cached: 1_000_000, ..Tokens::default() }), 300_000);
        assert_eq!(cost(Tokens { cache_write: 1_000_000, ..Tokens::default() }), 3_750_000);
        assert_eq!(cost(Tokens { output: 10, reasoning: 5, ..Tokens::default() }), 225);
        assert_eq!(cost(Tokens { cached: 1, ..Tokens::default() }), 1, "a part of a millionth is one");
        assert_eq!(cost(Tokens::default()), 0);
        assert_eq!(cost(Tokens { input: u64::MAX, output: u64::MAX, ..Tokens::default() }), u64::MAX);
        assert_eq!(price.output_for(225), 15);
    }

    #[test]
    fn an_operators_list_comes_before_the_shipped_one() {
        let own = PriceList::read(
            r#"{"default": {"input": 1, "output": 2}, "models": [{"model": "gpt-4o", "input": 0.5, "output": 1}]}"#,
        );
        let catalogue = Catalogue::with(Some(&own.unwrap())).unwrap();
        assert_eq!(catalogue.price("gpt-4o-2024-08-06").0.input, 0.5);
        assert_eq!(catalogue.price("gpt-4o-mini").0.input, 0.15);
        assert_eq!((catalogue.price("my-model").0.output, catalogue.price("my-model").1), (2.0, false));
        for (json, said) in [
            ("3", "no list of prices"),
            (r#"{"models": [{"model": "a", "input": -1, "output": 1}]}"#, "the price -1 of a"),
            (r#"{"models": [{"model": "", "input": 1, "output": 1}]}"#, "names no model"),
            (r#"{"modles": []}"#, "unknown field"),
            (r#"{"models": [{"model": "a", "input": 1, "output": 1, "cahced": 1}]}"#, "unknown field"),
        ] {
            let error = PriceList::read(json).unwrap_err().to_string();
            assert!(error.contains(said), "{json}: {error}");
        }
    }
}
