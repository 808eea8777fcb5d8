//! Compiled modules and their evaluation.
use std::num::NonZeroU32;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use regorus::Engine;
use regorus::Value as RegoValue;
use regorus::utils::limits::ExecutionTimerConfig;
use serde_json::Value;

use crate::check::{self, Inputs, Opinions};
use crate::value::{self, Input};
use crate::{RegoError, Verdict, builtins, scan, verdict};

/// One module.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Module {
    /// Its name in error messages.
    pub name: String,
    /// Its source.
    pub source: String,
}

/// The rules that decide.
const DENY: &str = "data.mesh.deny";
const WARN: &str = "data.mesh.warn";
pub(crate) const ALLOW: &str = "data.mesh.allow";

/// Steps of the interpreter (expressions, statements, iterations) the evaluation of one rule may take.
///
/// A rule with two conditions takes about twenty.
pub const STEP_BUDGET: NonZeroU32 = match NonZeroU32::new(200_000) {
    Some(steps) => steps,
    None => NonZeroU32::MIN,
};

/// Compiled modules. Cloning is cheap; clones share the interpreter and take turns.
#[derive(Clone)]
pub struct Rego(Arc<Shared>);

struct Shared {
    opinions: Opinions,
    inputs: Inputs,
    /// Never evaluated: what `hot` is replaced with after an error, whose half-finished state nobody vouches for.
    pristine: Engine,
    /// Evaluated again and again, which is twice as fast as a fresh copy each time.
    hot: Mutex<Engine>,
}

impl std::fmt::Debug for Rego {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Rego").field("opinions", &self.0.opinions).finish_non_exhaustive()
    }
}

impl Rego {
    /// Reads, checks and prepares modules; `data` is what they see under `data`, beside their own rules.
    ///
    /// # Errors
    /// Everything that is wrong with the modules: syntax, a package other than `mesh`, none of `deny`, `warn` and
    /// `allow` defined, unknown or unsupported functions, recursion, a size or depth over the bounds, `data` that is
    /// not an object or claims `mesh` for itself.
    pub fn compile(modules: &[Module], data: &Value) -> Result<Rego, Vec<RegoError>> {
        let errors: Vec<RegoError> = modules.iter().filter_map(|module| scan::scan(module).err()).collect();
        if !errors.is_empty() {
            return Err(errors);
        }
        let (opinions, inputs) = check::check(modules)?;
        Self::prepare(modules, data, opinions, inputs).map_err(|error| vec![error])
    }

    fn prepare(
        modules: &[Module],
        data: &Value,
        opinions: Opinions,
        inputs: Inputs,
    ) -> Result<Rego, RegoError> {
        let Some(fields) = data.as_object() else {
            return Err(RegoError::general("`data` has to be an object"));
        };
        if fields.contains_key(check::PACKAGE) {
            return Err(RegoError::general("`data` may not contain `mesh`: that is where the rules are"));
        }
        let mut engine = Engine::new();
        engine.set_gather_prints(true);
        engine.set_strict_builtin_errors(true);
        engine.set_execution_timer_config(budget());
        builtins::guard(&mut engine).map_err(|error| RegoError::from_compile(&error))?;
        engine.add_data(value::to_rego(data)).map_err(|error| RegoError::from_compile(&error))?;
        for module in modules {
            engine
                .add_policy(module.name.clone(), module.source.clone())
                .map_err(|error| RegoError::from_compile(&error))?;
        }
        // Prepares the engine (rule tables, schedules); the compiled form is dropped, the prepared engine is what we keep.
        let entry = match opinions {
            Opinions { deny: true, .. } => DENY,
            Opinions { warn: true, .. } => WARN,
            _ => ALLOW,
        };
        engine.compile_with_entrypoint(&entry.into()).map_err(|error| RegoError::from_compile(&error))?;
        let hot = Mutex::new(engine.clone());
        Ok(Rego(Arc::new(Shared { opinions, inputs, pristine: engine, hot })))
    }

    /// Whether a top-level field of `input` can make a difference to what the modules say. What can't need not be built.
    pub fn reads(&self, field: &str) -> bool {
        match &self.0.inputs {
            Inputs::All => true,
            Inputs::Fields(fields) => fields.contains(field),
        }
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
        let opinions = self.0.opinions;
        let ask = |rule, defined| if defined { self.run(rule, input) } else { Ok(RegoValue::Undefined) };
        let (deny, warn) = (ask(DENY, opinions.deny)?, ask(WARN, opinions.warn)?);
        let allow = ask(ALLOW, opinions.allow)?;
        verdict::read(opinions.allow, &deny, &warn, &allow)
    }

    pub(crate) fn run(&self, rule: &str, input: &Input) -> Result<RegoValue, RegoError> {
        let mut engine = self.0.hot.lock().unwrap_or_else(PoisonError::into_inner);
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
                Err(RegoError::from_evaluation(&error))
            }
        }
    }
}

/// The interpreter counts steps and looks at the clock each `check_interval` steps. With no time allowed at all the
/// first look ends the evaluation, so the interval is the budget and the clock decides nothing.
pub(crate) fn budget() -> ExecutionTimerConfig {
    ExecutionTimerConfig { limit: Duration::ZERO, check_interval: STEP_BUDGET }
}
