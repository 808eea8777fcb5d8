//! What models cost, as limits of money count it.
use axum::Json;
use axum::extract::State;
use mesh_control_core::Price;
use serde::Serialize;
use utoipa::ToSchema;

use crate::error::ErrorBody;
use crate::extract::{Nothing, Params};
use crate::state::Api;

/// The prices in force, in US dollars for a million tokens.
#[derive(Serialize, ToSchema)]
pub(crate) struct PriceListView {
    /// Of models that are not listed.
    #[schema(inline)]
    default: Option<PriceView>,
    /// In order of name.
    models: Vec<ModelPrice>,
}

/// The price of a model.
#[derive(Serialize, ToSchema)]
pub(crate) struct ModelPrice {
    /// The model's name, without the date or number of a version.
    model: String,
    #[serde(flatten)]
    price: PriceView,
    /// Where the price stands.
    source: String,
    /// The day it was read there.
    date: String,
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

/// Lists the prices in force: the operator's own come before those that are shipped.
#[utoipa::path(
    get, path = "/prices", tag = "limits", security(("admin" = [])),
    responses((status = 200, body = PriceListView), (status = 401, body = ErrorBody))
)]
pub(crate) async fn list(State(api): State<Api>, Params(Nothing {}): Params<Nothing>) -> Json<PriceListView> {
    let model = |entry: &mesh_control_core::PriceEntry| ModelPrice {
        model: entry.model.clone(),
        price: entry.price.into(),
        source: entry.source.clone(),
        date: entry.date.clone(),
    };
    Json(PriceListView {
        default: api.prices.default.map(PriceView::from),
        models: api.prices.models.iter().map(model).collect(),
    })
}
