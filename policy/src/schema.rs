//! The JSON Schema of the document, made from its types.
use schemars::generate::SchemaSettings;
use serde_json::Value;

use crate::{Agent, Policy};

/// The schema of a policy document (JSON Schema, draft 2020-12), as checked in at `api/policy.schema.json`.
pub fn json_schema() -> Value {
    let mut schema = SchemaSettings::draft2020_12().into_generator().into_root_schema_for::<Policy>();
    schema.insert("$id".to_owned(), "https://ai-mesh.dev/schemas/policy-v1alpha1.json".into());
    schema.to_value()
}

/// The schema of an agent document, as checked in at `api/agent.schema.json`.
pub fn agent_json_schema() -> Value {
    let mut schema = SchemaSettings::draft2020_12().into_generator().into_root_schema_for::<Agent>();
    schema.insert("$id".to_owned(), "https://ai-mesh.dev/schemas/agent-v1alpha1.json".into());
    schema.to_value()
}

/// A tone of voice.
#[derive(schemars::JsonSchema)]
#[schemars(rename_all = "snake_case")]
#[expect(dead_code, reason = "only its schema is asked for")]
pub(crate) enum Tone {
    Casual,
    Professional,
    Technical,
}

/// A category of harmful content.
#[derive(schemars::JsonSchema)]
#[schemars(rename_all = "snake_case")]
#[expect(dead_code, reason = "only its schema is asked for")]
pub(crate) enum Category {
    Violence,
    HateSpeech,
    SelfHarm,
}
