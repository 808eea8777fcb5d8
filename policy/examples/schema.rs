//! Prints the JSON Schema of the policy document:
//! `cargo run -p mesh-policy --features schema,yaml --example schema > api/policy.schema.json`
fn main() {
    println!("{:#}", mesh_policy::json_schema());
}
