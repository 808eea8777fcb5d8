//! The HTTP API over the services in memory and the real compiler: who may call, what each route does, and that the checked-in
//! OpenAPI document is the one that is served.

mod agents;
mod authorisation;
mod decisions;
mod limits;
mod monitoring;
mod openapi;
mod policies;
mod rollouts;
mod support;
mod tools;
mod trials;
