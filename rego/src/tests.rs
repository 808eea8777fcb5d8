//! Authors' tests: rules whose names begin with `test_`, as `opa test` runs them. For the command line; a sidecar runs none.
use regorus::Engine;
use regorus::Value as RegoValue;
use regorus::unstable::Module as Tree;
use serde_json::Value;

use crate::check::{head, parse};
use crate::program::{Module, budget};
use crate::{RegoError, builtins, names, scan, value};

/// One test, and what came of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TestRun {
    /// Name of the module it stands in.
    pub module: String,
    /// Name of the rule.
    pub name: String,
    /// Why it failed; none when it passed.
    pub failure: Option<String>,
}

/// Runs every `test_…` rule of `tests` beside `modules`; each has to be true. Evaluations have the budget they have in a
/// sidecar.
///
/// # Errors
/// What is wrong with the modules or the tests.
pub fn run_tests(modules: &[Module], data: &Value, tests: &[Module]) -> Result<Vec<TestRun>, Vec<RegoError>> {
    let errors: Vec<RegoError> =
        modules.iter().chain(tests).filter_map(|one| scan::scan(one).err()).collect();
    if !errors.is_empty() {
        return Err(errors);
    }
    let mut trees = Vec::new();
    let mut errors = Vec::new();
    for test in tests {
        match parse(test) {
            Ok(tree) => trees.push((test, tree)),
            Err(error) => errors.push(error),
        }
    }
    if !errors.is_empty() {
        return Err(errors);
    }
    let mut engine = prepare(modules, data, tests).map_err(|error| vec![RegoError::from_compile(&error)])?;
    let mut runs = Vec::new();
    for (test, tree) in &trees {
        let package = names::path(&tree.package.refr).unwrap_or_default();
        for name in test_names(tree) {
            let failure = match engine.eval_rule(format!("data.{package}.{name}")) {
                Ok(RegoValue::Bool(true)) => None,
                Ok(RegoValue::Undefined) => {
                    Some("it is undefined: a condition in it does not hold".to_owned())
                }
                Ok(_) => Some("it is not `true`".to_owned()),
                Err(error) => Some(RegoError::from_evaluation(&error).to_string()),
            };
            runs.push(TestRun { module: test.name.clone(), name, failure });
        }
    }
    Ok(runs)
}

fn prepare(modules: &[Module], data: &Value, tests: &[Module]) -> anyhow::Result<Engine> {
    let mut engine = Engine::new();
    engine.set_gather_prints(true);
    engine.set_strict_builtin_errors(true);
    engine.set_execution_timer_config(budget());
    builtins::guard(&mut engine)?;
    engine.add_data(value::to_rego(data))?;
    for module in modules.iter().chain(tests) {
        engine.add_policy(module.name.clone(), module.source.clone())?;
    }
    Ok(engine)
}

/// In the order of the module, each once.
fn test_names(tree: &Tree) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    for name in tree.policy.iter().filter_map(|rule| head(rule)).filter_map(names::root) {
        if name.starts_with("test_") && !found.contains(&name) {
            found.push(name);
        }
    }
    found
}
