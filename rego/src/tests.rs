//! Authors' tests: rules whose names begin with `test_`, as `opa test` runs them. For the command line; a sidecar runs none.
use regorus::Value as RegoValue;
use regorus::unstable::Module as Tree;
use serde_json::Value;

use crate::check::{head, parse};
use crate::meter::Allowance;
use crate::program::{Module, engine};
use crate::{RegoError, names, scan};

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

/// Which lines of a module the tests have evaluated; lines without an expression are in neither list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Coverage {
    /// Name of the module.
    pub module: String,
    /// Lines that were evaluated, counted from 1.
    pub covered: Vec<u32>,
    /// Lines that were not.
    pub missed: Vec<u32>,
}

/// What came of the tests.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tested {
    /// Each test, in the order of the files.
    pub runs: Vec<TestRun>,
    /// What they have evaluated of each module under test.
    pub coverage: Vec<Coverage>,
}

/// Runs every `test_…` rule of `tests` beside `modules`; each has to be true. Evaluations have the budget they have in a
/// sidecar.
///
/// # Errors
/// What is wrong with the modules or the tests.
pub fn run_tests(modules: &[Module], data: &Value, tests: &[Module]) -> Result<Tested, Vec<RegoError>> {
    let all: Vec<Module> = modules.iter().chain(tests).cloned().collect();
    let mut errors: Vec<RegoError> = all.iter().filter_map(|one| scan::scan(one).err()).collect();
    let mut trees = Vec::new();
    if errors.is_empty() {
        for module in &all {
            match parse(module) {
                Ok(tree) => trees.push(tree),
                Err(error) => errors.push(error),
            }
        }
    }
    if !errors.is_empty() {
        return Err(errors);
    }
    let allowance = Allowance::default();
    let (mut engine, inserted) = engine(&all, &trees, data, &allowance).map_err(|error| vec![error])?;
    engine.set_enable_coverage(true);
    let mut runs = Vec::new();
    for (test, tree) in tests.iter().zip(trees.iter().skip(modules.len())) {
        let package = names::path(&tree.package.refr).unwrap_or_default();
        for name in test_names(tree) {
            allowance.renew();
            let failure = match engine.eval_rule(format!("data.{package}.{name}")) {
                Ok(RegoValue::Bool(true)) => None,
                Ok(RegoValue::Undefined) => {
                    Some("it is undefined: a condition in it does not hold".to_owned())
                }
                Ok(_) => Some("it is not `true`".to_owned()),
                Err(error) => Some(RegoError::from_evaluation(&error).written(&inserted).to_string()),
            };
            runs.push(TestRun { module: test.name.clone(), name, failure });
        }
    }
    let report = engine.get_coverage_report().map_err(|error| vec![RegoError::from_compile(&error)])?;
    let tested = |file: &regorus::coverage::File| modules.iter().any(|module| module.name == file.path);
    let mut coverage: Vec<Coverage> = report
        .files
        .into_iter()
        .filter(tested)
        .map(|file| Coverage {
            module: file.path,
            covered: file.covered.into_iter().collect(),
            missed: file.not_covered.into_iter().collect(),
        })
        .collect();
    coverage.sort_by(|one, other| one.module.cmp(&other.module));
    Ok(Tested { runs, coverage })
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
