//! Prints the JSON Schema of the policy document, or with `agent` that of the agent document:
//! `cargo run -p mesh-policy --features schema,yaml --example schema > api/policy.schema.json`
fn main() {
    let agent = std::env::args().nth(1).as_deref() == Some("agent");
    println!("{:#}", if agent { mesh_policy::agent_json_schema() } else { mesh_policy::json_schema() });
}
