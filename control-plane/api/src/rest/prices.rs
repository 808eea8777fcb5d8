//! The prices of models, by which money limits count.
use axum::Json;
use axum::extract::State;
use mesh_control_core::{Catalogue, Changed, DEFAULT_PRICE, Price, PriceEntry, PricesInForce, Timestamp};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::error::{ApiError, ErrorBody};
use crate::extract::{InPath, JsonBody, NoQuery};
use crate::state::Api;

/// The prices in force, in US dollars for a million tokens.
#[derive(Serialize, ToSchema)]
pub(crate) struct PriceListView {
    /// The price of models that are not listed.
    #[schema(inline)]
    default: Option<PriceView>,
    /// In order of name.
    models: Vec<ModelPrice>,
}

/// The price of a model.
#[derive(Serialize, ToSchema)]
pub(crate) struct ModelPrice {
    /// The model's name, without the date or number of a version; `default` is the price of models that are not listed.
    model: String,
    #[serde(flatten)]
    price: PriceView,
    /// Where the price comes from.
    source: String,
    /// The day it was read there.
    date: String,
    /// `shipped`, `file` (the operator's) or `set` (while the mesh runs).
    origin: &'static str,
}

/// US dollars for a million tokens.
#[derive(Serialize, ToSchema)]
pub(crate) struct PriceView {
    /// Read.
    input: f64,
    /// Read from a cache.
    cached: f64,
    /// Written to a cache.
    cache_write: f64,
    /// Written.
    output: f64,
    /// Reasoning.
    reasoning: f64,
}

/// A price to be set, in US dollars for a million tokens.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewPrice {
    /// Read.
    input: f64,
    /// Read from a cache; without it, as any read.
    cached: Option<f64>,
    /// Written to a cache; without it, as any read.
    cache_write: Option<f64>,
    /// Written.
    output: f64,
    /// Reasoning; without it, as any written.
    reasoning: Option<f64>,
    /// Where the price comes from, such as a contract.
    #[serde(default)]
    source: String,
    /// The day from which it applies.
    #[serde(default)]
    date: String,
}

/// What a change did.
#[derive(Serialize, ToSchema)]
pub(crate) struct PriceChange {
    /// False when that price was set already.
    changed: bool,
    /// The model's name.
    model: String,
    /// How often it was changed.
    version: u64,
    /// Version of the policies with which sidecars get the change.
    bundle_version: String,
}

impl From<Price> for PriceView {
    fn from(price: Price) -> Self {
        PriceView {
            input: price.input,
            cached: price.cached.unwrap_or(price.input),
            cache_write: price.cache_write.unwrap_or(price.input),
            output: price.output,
            reasoning: price.reasoning.unwrap_or(price.output),
        }
    }
}

fn view(prices: &PricesInForce, entry: &PriceEntry) -> ModelPrice {
    ModelPrice {
        origin: prices.origin(&entry.model).as_str(),
        model: entry.model.clone(),
        price: entry.price.into(),
        source: entry.source.clone(),
        date: entry.date.clone(),
    }
}

/// Lists the prices in force: those that were set override the operator's file, which overrides the shipped list.
#[utoipa::path(
    get, operation_id = "list_prices", path = "/prices", tag = "limits", security(("admin" = [])),
    responses((status = 200, body = PriceListView), (status = 401, body = ErrorBody))
)]
pub(crate) async fn list(State(api): State<Api>, _: NoQuery) -> Result<Json<PriceListView>, ApiError> {
    let prices = api.policies.prices()?;
    Ok(Json(PriceListView {
        default: prices.list.default.map(PriceView::from),
        models: prices.list.models.iter().map(|entry| view(&prices, entry)).collect(),
    }))
}

/// Reads the price by which a model is counted, by any of its names; for a model that is not listed, the default price.
#[utoipa::path(
    get, operation_id = "get_price", path = "/prices/{model}", tag = "limits", security(("admin" = [])),
    params(("model" = String, Path, description = "Name of the model")),
    responses((status = 200, body = ModelPrice), (status = 401, body = ErrorBody))
)]
pub(crate) async fn get(
    State(api): State<Api>,
    InPath(model): InPath<String>,
    _: NoQuery,
) -> Result<Json<ModelPrice>, ApiError> {
    let prices = api.policies.prices()?;
    let catalogue = Catalogue::of(&prices.list).map_err(|error| ApiError::bad_request(error.to_string()))?;
    let entry = catalogue.listed(&model).and_then(|name| prices.list.entry(name)).cloned();
    let entry = entry.unwrap_or_else(|| PriceEntry {
        model: DEFAULT_PRICE.to_owned(),
        price: catalogue.price(&model).0,
        source: String::new(),
        date: String::new(),
    });
    Ok(Json(view(&prices, &entry)))
}

/// Sets the price of a model, or with the name `default` that of models that are not listed. Sidecars count by it at once.
#[utoipa::path(
    put, operation_id = "put_price", path = "/prices/{model}", tag = "limits", security(("admin" = [])),
    params(("model" = String, Path, description = "Name of the model, or `default`")),
    request_body = NewPrice,
    responses(
        (status = 200, body = PriceChange), (status = 400, body = ErrorBody), (status = 401, body = ErrorBody),
        (status = 415, body = ErrorBody), (status = 422, description = "The price is not valid", body = ErrorBody),
        (status = 423, description = "Changes are frozen", body = ErrorBody)
    )
)]
pub(crate) async fn put(
    State(api): State<Api>,
    InPath(model): InPath<String>,
    _: NoQuery,
    JsonBody(new): JsonBody<NewPrice>,
) -> Result<Json<PriceChange>, ApiError> {
    let NewPrice { input, cached, cache_write, output, reasoning, source, date } = new;
    let price = Price { input, cached, cache_write, output, reasoning };
    let entry = PriceEntry { model: model.clone(), price, source, date };
    Ok(answer(&model, api.policies.put_price(entry, Timestamp::now()).await?))
}

/// Takes back a price that was set: that of the operator's file or of the shipped list applies again.
#[utoipa::path(
    delete, operation_id = "delete_price", path = "/prices/{model}", tag = "limits", security(("admin" = [])),
    params(("model" = String, Path, description = "Name of the model, or `default`")),
    responses(
        (status = 200, body = PriceChange), (status = 401, body = ErrorBody), (status = 404, body = ErrorBody),
        (status = 423, description = "Changes are frozen", body = ErrorBody)
    )
)]
pub(crate) async fn delete(
    State(api): State<Api>,
    InPath(model): InPath<String>,
    _: NoQuery,
) -> Result<Json<PriceChange>, ApiError> {
    Ok(answer(&model, api.policies.delete_price(&model, Timestamp::now()).await?))
}

fn answer(model: &str, done: Changed) -> Json<PriceChange> {
    Json(PriceChange {
        changed: done.changed,
        model: Catalogue::name(model),
        version: done.stored.version.version,
        bundle_version: done.stored.revision.to_string(),
    })
}
