//! Documents → [`Program`]. Whatever a document says that cannot be compiled is refused here, with the field named:
//! in the control plane before it is stored, and in the filter before it replaces a running program.
use std::rc::Rc;

use mesh_detect::{
    CustomPatterns, Detector, EntityType, MAX_PHRASES, Phrases, Sensitivity, TypeSet, type_group,
};
use mesh_limits::{Catalogue, PriceList};
use mesh_policy::{
    AccessRule, Bundle, BundlePolicy, Diagnostic, Direction, InjectionRule, PiiRule, Policy, RegoRule, Rule,
};
use mesh_rego::{Module, Rego};
use serde_json::json;

use crate::access::AccessGuard;
use crate::limits::{self, Measure};
use crate::names::{Globs, NameGuard};
use crate::program::{Attached, InjectionGuard, PiiGuard, Program, TargetMatch};

/// A policy that does not compile, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// Its id.
    pub policy: String,
    /// What is wrong with it.
    pub diagnostics: Vec<Diagnostic>,
}

impl std::fmt::Display for Refused {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "policy {}", self.policy)?;
        for diagnostic in &self.diagnostics {
            write!(f, ": {diagnostic}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Refused {}

/// Compiles a whole bundle.
///
/// # Errors
/// Every policy that does not compile, with diagnostics. A bundle with one bad policy makes no program at all: a
/// policy left out would be a rule not enforced.
pub fn compile(bundle: &Bundle, detector: Rc<Detector>) -> Result<Program, Vec<Refused>> {
    let mut policies = Vec::new();
    let mut refused = Vec::new();
    let mut warnings = Vec::new();
    for (index, entry) in bundle.policies.iter().enumerate() {
        match attach(index, entry) {
            Ok((policy, remarks)) => {
                policies.push(Rc::new(policy));
                warnings.extend(remarks.into_iter().map(|remark| (entry.id.clone(), remark)));
            }
            Err(diagnostics) => refused.push(Refused { policy: entry.id.clone(), diagnostics }),
        }
    }
    let prices = match prices(bundle, &policies) {
        Ok(prices) => prices,
        Err(refusal) => {
            refused.push(refusal);
            None
        }
    };
    if refused.is_empty() {
        let (version, settings) = (bundle.version.clone(), bundle.settings.clone());
        Ok(Program { version, settings, detector, policies, seen: None, warnings, prices })
    } else {
        Err(refused)
    }
}

/// The prices of models, where a policy limits money.
fn prices(bundle: &Bundle, policies: &[Rc<Attached>]) -> Result<Option<Catalogue>, Refused> {
    let mut limits =
        policies.iter().flat_map(|policy| policy.limits.iter().map(move |guard| (policy, guard)));
    let Some((policy, _)) = limits.find(|(_, guard)| guard.measure == Measure::Cost) else { return Ok(None) };
    let own = bundle.settings.prices.as_ref().map(PriceList::of).transpose();
    let catalogue = own.and_then(|own| Catalogue::with(own.as_ref()));
    catalogue.map(Some).map_err(|error| Refused {
        policy: policy.id.clone(),
        diagnostics: vec![Diagnostic::error("settings.prices", error.to_string())],
    })
}

/// Compiles one document and throws the result away.
///
/// # Errors
/// What is wrong with it.
pub fn check(policy: &Policy) -> Result<Vec<Diagnostic>, Vec<Diagnostic>> {
    let entry = BundlePolicy { id: policy.metadata.name.clone(), version: 1, policy: policy.clone() };
    attach(0, &entry).map(|(_, warnings)| warnings)
}

fn attach(index: usize, entry: &BundlePolicy) -> Result<(Attached, Vec<Diagnostic>), Vec<Diagnostic>> {
    let spec = &entry.policy.spec;
    let mut attached = Attached {
        index,
        id: entry.id.clone(),
        version: entry.version,
        target: TargetMatch(Globs::new(&spec.target.agents)),
        enforcement: spec.enforcement,
        failure: spec.failure_mode,
        media: spec.media,
        overflow: spec.record_overflow,
        access: None,
        models: Vec::new(),
        tools: Vec::new(),
        rego: Vec::new(),
        limits: Vec::new(),
        injection: Vec::new(),
        pii: Vec::new(),
        unenforced: Vec::new(),
    };
    let mut problems = Vec::new();
    let mut access: Vec<(usize, &AccessRule)> = Vec::new();
    for (index, rule) in spec.rules.iter().enumerate() {
        match rule {
            Rule::Pii(rule) => attached.pii.extend(pii(index, rule, &mut problems)),
            Rule::Injection(rule) => attached.injection.extend(injection(index, rule, &mut problems)),
            Rule::RateLimit(rule) => attached.limits.extend(limits::guards(index, rule)),
            Rule::Access(rule) => access.push((index, rule)),
            Rule::Tools(rule) => attached.tools.push(NameGuard::new(&rule.allow, &rule.deny)),
            Rule::Models(rule) => attached.models.push(NameGuard::new(&rule.allow, &rule.deny)),
            Rule::Rego(rule) => attached.rego.extend(rego(index, rule, &mut problems)),
            Rule::Normalize(_) | Rule::Content(_) => attached.unenforced.push(rule.kind()),
        }
    }
    if !access.is_empty() {
        match AccessGuard::compile(&access) {
            Ok(guard) => attached.access = Some(guard),
            Err(errors) => problems.extend(errors),
        }
    }
    if problems.is_empty() { Ok((attached, target_warnings(&entry.policy))) } else { Err(problems) }
}

fn target_warnings(policy: &Policy) -> Vec<Diagnostic> {
    let target = &policy.spec.target;
    let unknown = [
        ("types", target.types.is_empty()),
        ("complianceTiers", target.compliance_tiers.is_empty()),
        ("labels", target.labels.is_empty()),
    ];
    let narrowed = unknown.iter().filter(|(_, empty)| !empty);
    narrowed
        .map(|(field, _)| {
            Diagnostic::warning(
                format!("spec.target.{field}"),
                "no registry tells this version the attributes of agents, so this does not narrow the target",
            )
            .help("name agents in spec.target.agents")
        })
        .collect()
}

fn pii(index: usize, rule: &PiiRule, problems: &mut Vec<Diagnostic>) -> Option<PiiGuard> {
    let path = format!("spec.rules[{index}].pii");
    let before = problems.len();
    let mut types = if rule.types.is_empty() { TypeSet::all() } else { TypeSet::EMPTY };
    for (place, name) in rule.types.iter().enumerate() {
        if let Some(group) = type_group(name) {
            group.iter().for_each(|kind| types.insert(*kind));
        } else if let Some(kind) = EntityType::from_name(name) {
            types.insert(kind);
        } else {
            problems.push(
                Diagnostic::error(
                    format!("{path}.types[{place}]"),
                    format!("found {name:?}, expected the name of a type such as ssn, credit_card, email or US_SSN"),
                )
                .help("`secrets`, `pii` and `all` name groups of types"),
            );
        }
    }
    let patterns: Vec<_> = rule.patterns.iter().map(|p| (p.name.as_str(), p.regex.as_str())).collect();
    let custom = match CustomPatterns::compile(&patterns) {
        Ok(_) if patterns.is_empty() => None,
        Ok(custom) => Some(custom),
        Err(error) => {
            let place = rule.patterns.iter().position(|p| p.name == error.name).unwrap_or_default();
            problems.push(Diagnostic::error(format!("{path}.patterns[{place}].regex"), error.to_string()));
            None
        }
    };
    #[expect(clippy::cast_possible_truncation, reason = "a score between 0 and 1")]
    let threshold = rule.threshold.map_or(mesh_detect::DEFAULT_THRESHOLD, |score| score as f32);
    (problems.len() == before).then(|| PiiGuard {
        types,
        threshold,
        custom,
        action: rule.action,
        request: rule.directions.contains(&Direction::Request),
        response: rule.directions.contains(&Direction::Response),
        replacement: rule.replacement.clone().unwrap_or_else(|| PiiRule::DEFAULT_REPLACEMENT.to_owned()),
    })
}

fn injection(index: usize, rule: &InjectionRule, problems: &mut Vec<Diagnostic>) -> Option<InjectionGuard> {
    if rule.patterns.len() > MAX_PHRASES {
        problems.push(Diagnostic::error(
            format!("spec.rules[{index}].injection.patterns"),
            format!("found {} phrases, expected at most {MAX_PHRASES}", rule.patterns.len()),
        ));
        return None;
    }
    let phrases = (!rule.patterns.is_empty()).then(|| Phrases::compile(&rule.patterns));
    let sensitivity = match rule.sensitivity {
        mesh_policy::Sensitivity::Low => Sensitivity::Low,
        mesh_policy::Sensitivity::Medium => Sensitivity::Medium,
        mesh_policy::Sensitivity::High => Sensitivity::High,
    };
    Some(InjectionGuard { action: rule.action, sensitivity, phrases })
}

fn rego(index: usize, rule: &RegoRule, problems: &mut Vec<Diagnostic>) -> Option<Rego> {
    let path = format!("spec.rules[{index}].rego.module");
    let module = Module { name: path.clone(), source: rule.module.clone() };
    match Rego::compile(&[module], &json!({})) {
        Ok(rego) => Some(rego),
        Err(errors) => {
            problems.extend(errors.into_iter().map(|error| {
                let place = match (error.line, error.column) {
                    (Some(line), Some(column)) => format!("line {line}, column {column} of the module: "),
                    _ => String::new(),
                };
                Diagnostic::error(path.clone(), place + &error.message)
            }));
            None
        }
    }
}
