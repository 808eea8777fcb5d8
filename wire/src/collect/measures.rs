//! Values that are not text according to the protocol, unless they turn out to be: words, numbers, models,
//! signatures, tokens that repeat a text.

use std::borrow::Cow;

use super::Collector;
use crate::error::WireError;
use crate::json::{Kind, Val};
use crate::media;
use crate::message::{Echo, Place};
use crate::words;

/// The maximum number of models that one request asks at the same time.
const MAX_AT_ONCE: usize = 64;

impl Collector<'_> {
    /// Data that the provider signs or encrypts: ignored, unless it does not look like it.
    pub(crate) fn opaque(&mut self, value: Val<'_>, path: u32) -> Result<(), WireError> {
        match value.string() {
            Some(text) if media::is_opaque(&text) => Ok(()),
            _ => self.text(Place::Other, value, path),
        }
    }

    /// A word of an enumeration, an id or a time: ignored, unless it is something else.
    pub(crate) fn word(&mut self, value: Val<'_>, path: u32) -> Result<(), WireError> {
        match value.string() {
            Some(text) if words::says_nothing(&text) => Ok(()),
            _ => self.free(Place::Other, value, path),
        }
    }

    /// The requested or responding model: noted, and listed as a text unless it looks like a model's name.
    pub(crate) fn model(&mut self, value: Val<'_>, path: u32) -> Result<(), WireError> {
        let name = value.string();
        let plain = name.as_deref().is_some_and(words::is_model);
        self.message.model = name.map(Cow::into_owned);
        if let Some(name) = self.message.model.clone().filter(|_| self.asks) {
            self.asks_models(&name)?;
        }
        if plain { Ok(()) } else { self.text(Place::Other, value, path) }
    }

    /// Notes a requested model, possibly in addition to another one; or several in one name, as a proxy (LiteLLM)
    /// accepts.
    ///
    /// # Errors
    /// [`WireError::TooLarge`]: too many at once.
    pub(crate) fn asks_models(&mut self, name: &str) -> Result<(), WireError> {
        self.asks_model(name);
        if name.matches(',').count() >= MAX_AT_ONCE {
            return Err(WireError::TooLarge { what: "models at once", limit: MAX_AT_ONCE });
        }
        let several = name.contains(',').then(|| name.split(',').map(str::trim_ascii));
        several.into_iter().flatten().filter(|one| !one.is_empty()).for_each(|one| self.asks_model(one));
        Ok(())
    }

    fn asks_model(&mut self, name: &str) {
        if self.message.model.is_none() {
            self.message.model = Some(name.to_owned());
        } else if self.message.model.as_deref() != Some(name) && self.other_models.insert(name.to_owned()) {
            self.message.other_models.push(name.to_owned());
        }
    }

    /// Numbers, flags and words, or objects of them (token counts, dates, vectors): only texts in them are listed.
    pub(crate) fn measures(&mut self, value: Val<'_>, path: u32) -> Result<(), WireError> {
        match value.kind() {
            Kind::Object => value.members().try_for_each(|(key, member)| {
                let name = key.text();
                if !words::is_word(&name) {
                    self.key(Place::Other, path, key, &name)?;
                }
                self.measure(path, &name, member)
            }),
            Kind::Array => value.items().try_for_each(|(index, item)| {
                let path = self.at_index(path, index);
                self.measures(item, path)
            }),
            Kind::Str => self.word(value, path),
            Kind::Num if may_be_card(value) => self.number(Place::Other, value, path),
            _ => Ok(()),
        }
    }

    /// The member with this name, as [`Collector::measures`]; numbers and flags need no path.
    fn measure(&mut self, parent: u32, name: &str, value: Val<'_>) -> Result<(), WireError> {
        if !matches!(value.kind(), Kind::Object | Kind::Array | Kind::Str) && !may_be_card(value) {
            return Ok(());
        }
        let path = self.at_key(parent, name);
        self.measures(value, path)
    }

    /// A value that repeats a listed text token by token (`logprobs`). A text split into tokens cannot be searched,
    /// so the value is emptied as soon as anything in the message is edited; until then its strings are texts like
    /// any other.
    pub(crate) fn echoes(&mut self, value: Val<'_>, path: u32) -> Result<(), WireError> {
        self.echo(value);
        self.measures(value, path)
    }

    /// Notes that a value is emptied as soon as anything is edited.
    pub(crate) fn echo(&mut self, value: Val<'_>) {
        if matches!(value.kind(), Kind::Object | Kind::Array) {
            let with = if value.is_object() { "null" } else { "[]" };
            self.message.echoes.push(Echo { layer: value.doc.layer, span: value.span(), with });
        }
    }
}

/// Whether a number has as many digits as a card number, and begins like one: a time in milliseconds or nanoseconds
/// does not.
fn may_be_card(value: Val<'_>) -> bool {
    let digits = if value.kind() == Kind::Num { value.raw() } else { "" };
    (13..=19).contains(&digits.len()) && digits.starts_with(['3', '4', '5', '6'])
}
