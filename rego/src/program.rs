//! Compiled modules and their evaluation.
use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use regorus::unstable::Module as Tree;
use regorus::utils::limits::ExecutionTimerConfig;
use regorus::{Engine, PolicyLengthConfig, Value as RegoValue};
use serde_json::Value;

use crate::check::{self, Checked, Inputs, Opinions};
use crate::index::Index;
use crate::meter::{self, Allowance, Inserted};
use crate::value::{self, Input};
use crate::{PACKAGE, RegoError, Verdict, builtins, scan, verdict};

/// One module.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Module {
    /// Its name in error messages.
    pub name: String,
    /// Its source.
    pub source: String,
}

/// The rule that decides where an expression is asked.
pub(crate) const ALLOW: &str = "data.mesh.allow";

/// Steps of the interpreter (expressions, statements, iterations) the evaluation of one rule may take.
///
/// A rule with two conditions takes about twenty.
pub const STEP_BUDGET: NonZeroU32 = match NonZeroU32::new(200_000) {
    Some(steps) => steps,
    None => NonZeroU32::MIN,
};

/// What the evaluation of one rule may make of texts, lists and numbers, in bytes. What the steps themselves make comes on
/// top: at most about a hundred bytes each.
pub const MEMORY_BUDGET: usize = 16 << 20;

/// Largest source that the interpreter takes in one line: the author's has been bounded before calls were put into it.
const MAX_COLUMN: u32 = 1 << 16;

/// Compiled modules. Cloning is cheap; clones share the interpreter and take turns.
#[derive(Clone)]
pub struct Rego(Arc<Shared>);

struct Shared {
    /// The rules that decide.
    deny: Option<Entry>,
    warn: Option<Entry>,
    allow: Option<Entry>,
    inputs: Inputs,
    allowance: Allowance,
    /// By module, what was put into its text.
    inserted: BTreeMap<String, Inserted>,
    /// Never evaluated: what `hot` is replaced with after an error or a panic, whose half-finished state nobody vouches for.
    pristine: Engine,
    /// Evaluated again and again, which is twice as fast as a fresh copy each time.
    hot: Mutex<Engine>,
}

/// A rule that decides.
struct Entry {
    /// As `data.mesh.deny`.
    path: String,
    index: Option<Index>,
}

impl std::fmt::Debug for Rego {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Rego").field("inputs", &self.0.inputs).finish_non_exhaustive()
    }
}

impl Rego {
    /// Reads, checks and prepares modules; `data` is what they see under `data`, beside their own rules. The rules of
    /// `package mesh` decide.
    ///
    /// # Errors
    /// Everything that is wrong with the modules: syntax, none of `deny`, `warn` and `allow` defined in the package that
    /// decides, unknown or unsupported functions, recursion, a size or depth over the bounds, `data` that is not an object
    /// or has a value where a rule is.
    pub fn compile(modules: &[Module], data: &Value) -> Result<Rego, Vec<RegoError>> {
        Self::compile_package(modules, data, PACKAGE)
    }

    /// The same, with another package whose rules decide.
    ///
    /// # Errors
    /// As [`Rego::compile`].
    pub fn compile_package(modules: &[Module], data: &Value, package: &str) -> Result<Rego, Vec<RegoError>> {
        let mut errors: Vec<RegoError> =
            modules.iter().filter_map(|module| scan::scan(module).err()).collect();
        errors.extend(scan::together(modules));
        if !errors.is_empty() {
            return Err(errors);
        }
        let checked = check::check(modules, package)?;
        check::data(data, &checked.rules).map_err(|error| vec![error])?;
        Self::prepare(modules, data, package, checked).map_err(|error| vec![error])
    }

    fn prepare(modules: &[Module], data: &Value, package: &str, checked: Checked) -> Result<Rego, RegoError> {
        let allowance = Allowance::default();
        let (mut engine, inserted) = engine(modules, &checked.trees, data, &allowance)?;
        let Opinions { deny, warn, allow } = checked.opinions;
        let rule = |name: &str, defined: bool| {
            defined.then(|| Entry {
                path: format!("data.{package}.{name}"),
                index: Index::of(&checked.trees, package, name),
            })
        };
        let (deny, warn, allow) = (rule("deny", deny), rule("warn", warn), rule("allow", allow));
        // Prepares the engine (rule tables, schedules); the compiled form is dropped, the prepared engine is what we keep.
        if let Some(entry) = deny.as_ref().or(warn.as_ref()).or(allow.as_ref()) {
            let compiled = engine.compile_with_entrypoint(&entry.path.as_str().into());
            compiled.map_err(|error| RegoError::from_compile(&error).written(&inserted))?;
        }
        let hot = Mutex::new(engine.clone());
        let inputs = checked.inputs;
        Ok(Rego(Arc::new(Shared { deny, warn, allow, inputs, allowance, inserted, pristine: engine, hot })))
    }

    /// Whether a top-level field of `input`, or a field of one (`request.stream`), can make a difference to what the modules
    /// say. What can't need not be built.
    pub fn reads(&self, path: &str) -> bool {
        self.0.inputs.read(path)
    }

    /// Fields of `input` that the modules read by name: `request`, or `request.stream`. None where they read all of it, or what cannot
    /// be told beforehand.
    pub fn fields_read(&self) -> impl Iterator<Item = &str> {
        let fields = match &self.0.inputs {
            Inputs::Fields(fields) => Some(fields),
            Inputs::All => None,
        };
        fields.into_iter().flatten().map(String::as_str)
    }

    /// Evaluates one rule, such as `data.mesh.deny`. `None` when it is undefined.
    ///
    /// # Errors
    /// When there is no such rule, or its evaluation fails or runs over the budget.
    pub fn eval(&self, rule: &str, input: &Value) -> Result<Option<Value>, RegoError> {
        let value = self.run(rule, &Input::from(input))?;
        Ok(value::to_json(&value))
    }

    /// What the modules say about a request.
    ///
    /// # Errors
    /// When an evaluation fails or runs over the budget, or `deny`, `warn` or `allow` has a value of a type that is no
    /// opinion. The request is then undecided.
    pub fn decide(&self, input: &Value) -> Result<Verdict, RegoError> {
        self.decide_input(&Input::from(input))
    }

    /// The same with an input that was converted before.
    ///
    /// # Errors
    /// As [`Rego::decide`].
    pub fn decide_input(&self, input: &Input) -> Result<Verdict, RegoError> {
        // One after the other: a rule that gathers all three costs the interpreter more than the three together.
        let ask = |rule: &Option<Entry>| match rule {
            Some(Entry { index: Some(index), .. }) if index.excludes(&input.0) => Ok(RegoValue::Undefined),
            Some(Entry { path, .. }) => self.run(path, input),
            None => Ok(RegoValue::Undefined),
        };
        let Shared { deny, warn, allow, .. } = &*self.0;
        verdict::read(allow.is_some(), &ask(deny)?, &ask(warn)?, &ask(allow)?)
    }

    pub(crate) fn run(&self, rule: &str, input: &Input) -> Result<RegoValue, RegoError> {
        let mut engine = self.0.hot.lock().unwrap_or_else(|poisoned| {
            // An evaluation has panicked half-way.
            let mut engine = poisoned.into_inner();
            *engine = self.0.pristine.clone();
            self.0.hot.clear_poison();
            engine
        });
        self.0.allowance.renew();
        engine.set_input(input.0.clone());
        let result = engine.eval_rule(rule.to_owned());
        match result {
            Ok(value) => {
                // Nothing of a request stays behind.
                engine.set_input(RegoValue::Undefined);
                drop(engine.take_prints());
                Ok(value)
            }
            Err(error) => {
                *engine = self.0.pristine.clone();
                Err(RegoError::from_evaluation(&error).written(&self.0.inserted))
            }
        }
    }
}

/// An interpreter with the modules, metered, and what was put into each.
pub(crate) fn engine(
    modules: &[Module],
    trees: &[Tree],
    data: &Value,
    allowance: &Allowance,
) -> Result<(Engine, BTreeMap<String, Inserted>), RegoError> {
    let told = |error: &anyhow::Error| RegoError::from_compile(error);
    let mut engine = Engine::new();
    engine.set_gather_prints(true);
    engine.set_strict_builtin_errors(true);
    engine.set_execution_timer_config(budget());
    let max_col = NonZeroU32::new(MAX_COLUMN).unwrap_or(NonZeroU32::MIN);
    engine.set_policy_length_config(PolicyLengthConfig { max_col, ..PolicyLengthConfig::default() });
    builtins::guard(&mut engine, allowance).map_err(|error| told(&error))?;
    engine.add_data(value::to_rego(data)).map_err(|error| told(&error))?;
    let mut inserted = BTreeMap::new();
    let rules = meter::rules(trees);
    for (module, tree) in modules.iter().zip(trees) {
        let (source, places) = meter::metered(module, tree, &rules);
        inserted.insert(module.name.clone(), places);
        let added = engine.add_policy(module.name.clone(), source);
        added.map_err(|error| told(&error).written(&inserted))?;
    }
    Ok((engine, inserted))
}

/// The interpreter counts steps and looks at the clock each `check_interval` steps. With no time allowed at all the
/// first look ends the evaluation, so the interval is the budget and the clock decides nothing.
fn budget() -> ExecutionTimerConfig {
    ExecutionTimerConfig { limit: Duration::ZERO, check_interval: STEP_BUDGET }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_a_panic_leaves_behind_is_not_used() {
        let source = "package mesh\ndeny contains \"no\" if input.bad".to_owned();
        let rego = Rego::compile(&[Module { name: "m".to_owned(), source }], &json!({})).unwrap();
        let half_finished = std::thread::scope(|scope| {
            let evaluation = scope.spawn(|| {
                let mut engine = rego.0.hot.lock().unwrap();
                *engine = Engine::new();
                panic!("half-way");
            });
            evaluation.join()
        });
        assert!(half_finished.is_err() && rego.0.hot.is_poisoned());
        for _ in 0..2 {
            let denied = rego.eval("data.mesh.deny", &json!({ "bad": true }));
            assert_eq!(denied, Ok(Some(json!(["no"]))));
            assert!(!rego.0.hot.is_poisoned());
        }
    }
}
