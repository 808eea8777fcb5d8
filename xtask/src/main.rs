//! The project's own commands: `cargo xtask COMMAND`.
//!
//! Everything that a fresh machine needs beyond a Rust toolchain and Python 3 is fetched or built here, into the target
//! folder, and checked by looking rather than by remembering, so that a second run takes moments.

mod bench;
mod build;
mod eval;
mod failure;
mod fuzz;
mod place;
mod run;
mod services;
mod setup;
mod test;
mod tidy;
mod up;

use std::process::ExitCode;

const USAGE: &str = "\
Usage: cargo xtask <command>

  up [-- FLAGS]       set everything up and start the mesh; FLAGS go to `ai-mesh up`
  test [-p CRATE]... [WORD]...
                      set everything up and run the tests (those whose name contains a WORD)
  bench [-- FLAGS]    measure what the mesh adds to a request; FLAGS go to the load generator
  bench --policies    measure decisions and changes with 1,000 policies and 10,000 agents
  bench --xds         measure changes with 1,000 xDS clients
  bench --core        count the engine's instructions for a request, by crate (needs valgrind)
  bench --instructions
                      count an exchange in all of Envoy: its own part, the module's (needs valgrind)
  eval [FILE]...      measure detection on labelled rows; `eval --help` says more
  fuzz [TARGET]... [--seconds N] [--build]
                      fuzz each target of fuzz/ for N seconds (60), or only build them
  setup [--tests]     fetch and build what `up` needs (with --tests: what `test` needs)
  build               build the filter (wasm) and the binary `ai-mesh`
  gen [--check]       write the generated code and documents of api/ (or only compare)
  tidy                check the laws of ARCHITECTURE.md that the compiler does not know
  deny                check dependencies against deny.toml

Environment: AI_MESH_ENVOY names an Envoy binary to use instead of looking for one.
";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let Some((command, rest)) = arguments.split_first() else {
        eprint!("{USAGE}");
        return ExitCode::from(2);
    };
    if command == "eval" {
        return eval::run(rest);
    }
    let outcome = match command.as_str() {
        "up" => up::run(rest),
        "test" => test::run(rest),
        "fuzz" => fuzz::run(rest),
        "bench" => bench::run(rest),
        "setup" => setup::run(rest),
        "build" => build::run(rest),
        "gen" => build::generate(rest),
        "tidy" => tidy::run(rest),
        "deny" => setup::deny::run(rest),
        "help" | "--help" | "-h" => {
            print!("{USAGE}");
            Ok(())
        }
        other => {
            eprint!("xtask: no command `{other}`\n\n{USAGE}");
            return ExitCode::from(2);
        }
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("xtask: {failure}");
            ExitCode::FAILURE
        }
    }
}
