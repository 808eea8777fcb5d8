//! How the module is linked (docs/decisions/0053).

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    let is = |name: &str, value: &str| std::env::var(name).is_ok_and(|found| found == value);
    // The linker leaves five bytes for the number of each function and for each address: with the first flag it writes them in
    // as few as they need. It refuses to unless debug information is stripped, which the second flag makes sure of.
    if is("CARGO_CFG_TARGET_FAMILY", "wasm") && is("DEBUG", "false") {
        println!("cargo::rustc-link-arg-cdylib=--compress-relocations");
        println!("cargo::rustc-link-arg-cdylib=--strip-debug");
    }
}
