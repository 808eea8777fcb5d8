//! What the fuzz targets share.

/// Calls the oracle of this name.
pub fn check(name: &str, data: &[u8]) {
    let oracle = mesh_oracles::oracle(name).expect("a target of tests/oracles");
    (oracle.check)(data);
}
