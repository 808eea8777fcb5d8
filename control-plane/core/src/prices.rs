//! Prices that were set while the mesh runs: written, versioned and published with the policies, by the same rules.
//!
//! They come before those of the operator's file, which come before the shipped ones.
use jiff::Timestamp;
use mesh_limits::{Catalogue, Entry, PriceList};
use mesh_policy::{Diagnostic, Document, PriceDocument, Settings};

use crate::policies::{Changed, Policies, Wanted};
use crate::policy::{Expected, price_key};
use crate::policy_error::PolicyError;
use crate::set::PolicySet;

/// The name of the price of models that are not listed.
pub const DEFAULT_PRICE: &str = "default";

/// Longest name of a model, in bytes.
const MAX_NAME: usize = 128;

/// Where a price in force is from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PriceOrigin {
    /// It is shipped.
    Shipped,
    /// It is in the operator's file.
    File,
    /// It was set while the mesh runs.
    Set,
}

impl PriceOrigin {
    /// The word the API uses.
    pub fn as_str(self) -> &'static str {
        match self {
            PriceOrigin::Shipped => "shipped",
            PriceOrigin::File => "file",
            PriceOrigin::Set => "set",
        }
    }
}

/// The prices in force.
#[derive(Clone, Debug)]
pub struct PricesInForce {
    /// All of them.
    pub list: PriceList,
    file: PriceList,
    set: PriceList,
}

impl PricesInForce {
    /// Where a model's price is from; [`DEFAULT_PRICE`] names that of models that are not listed.
    pub fn origin(&self, model: &str) -> PriceOrigin {
        let names = |list: &PriceList| match is_default(model) {
            true => list.default.is_some(),
            false => list.names(model),
        };
        match () {
            () if names(&self.set) => PriceOrigin::Set,
            () if names(&self.file) => PriceOrigin::File,
            () => PriceOrigin::Shipped,
        }
    }
}

impl Policies {
    /// The prices in force.
    ///
    /// # Errors
    /// The operator's file makes no sense, which the start would have found.
    pub fn prices(&self) -> Result<PricesInForce, PolicyError> {
        let file = of_file(self.settings());
        let set = set_in(&self.set());
        let list = Catalogue::list(Some(&over(file.clone(), &set)));
        let list =
            list.map_err(|error| PolicyError::Refused(vec![Diagnostic::error("", error.to_string())]))?;
        Ok(PricesInForce { list, file, set })
    }

    /// Sets a model's price; [`DEFAULT_PRICE`] is the name for models that are not listed.
    ///
    /// # Errors
    /// The name or the price makes no sense, or the change does not go through: see [`Policies::change`].
    pub async fn put_price(&self, entry: Entry, now: Timestamp) -> Result<Changed, PolicyError> {
        let odd = entry.model.is_empty()
            || entry.model.len() > MAX_NAME
            || entry.model.chars().any(char::is_control);
        if odd {
            let message = format!("a model's name has from 1 to {MAX_NAME} bytes and no control characters");
            return Err(PolicyError::Refused(vec![Diagnostic::error("model", message)]));
        }
        let key = price_key(&Catalogue::name(&entry.model));
        let price = serde_json::to_value(PriceList { models: vec![entry], ..PriceList::default() });
        let price = price.map_err(|_| PolicyError::Compiler)?;
        if let Err(error) = PriceList::of(&price) {
            return Err(PolicyError::Refused(vec![Diagnostic::error("", error.to_string())]));
        }
        let document = Document::Price(PriceDocument { price });
        self.change(&key, Wanted::Document(Box::new(document)), Expected::Any, now).await
    }

    /// Takes back a price that was set: the operator's file or the shipped list holds again.
    ///
    /// # Errors
    /// No price was set for the model, or the change does not go through: see [`Policies::change`].
    pub async fn delete_price(&self, model: &str, now: Timestamp) -> Result<Changed, PolicyError> {
        let name = Catalogue::name(model);
        let key = price_key(&name);
        self.look().await?;
        if self.set().get(&key).is_none() {
            return Err(PolicyError::UnknownPrice { model: name });
        }
        self.change(&key, Wanted::Deleted, Expected::Any, now).await
    }
}

/// The sidecars' settings, with the prices that were set.
pub(crate) fn told(settings: &Settings, set: &PolicySet) -> Settings {
    let own = set_in(set);
    if own == PriceList::default() {
        return settings.clone();
    }
    let all = over(of_file(settings), &own);
    Settings { prices: serde_json::to_value(all).ok(), ..settings.clone() }
}

fn of_file(settings: &Settings) -> PriceList {
    settings.prices.as_ref().and_then(|prices| PriceList::of(prices).ok()).unwrap_or_default()
}

/// The prices that were set. One that a newer build has written and this one cannot read is skipped.
fn set_in(set: &PolicySet) -> PriceList {
    let lists = set.prices().filter_map(|price| PriceList::of(&price.price).ok());
    let entries = lists.flat_map(|list| list.models);
    entries.fold(PriceList::default(), |mut all, entry| {
        match is_default(&entry.model) {
            true => all.default = Some(entry.price),
            false => all.put(entry),
        }
        all
    })
}

/// However it is written: documents are kept under the plain name.
fn is_default(model: &str) -> bool {
    Catalogue::name(model) == DEFAULT_PRICE
}

fn over(mut list: PriceList, set: &PriceList) -> PriceList {
    list.default = set.default.or(list.default);
    set.models.iter().cloned().for_each(|entry| list.put(entry));
    list
}
