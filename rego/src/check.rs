//! What a module may say, checked on its syntax tree before the interpreter prepares it.
use std::collections::{BTreeMap, BTreeSet};

use regorus::unstable::{Expr, Module as Tree, Parser, Rule, RuleHead, Source, Span};

use crate::names::{self, Names, Scope};
use crate::program::Module;
use crate::{RegoError, builtins};
use serde_json::Value;

/// The package whose rules decide, unless another is named.
pub const PACKAGE: &str = "mesh";

/// How deep the interpreter may have to go, in levels of expressions, along any chain of rules and functions that use
/// each other.
///
/// Each level costs the interpreter up to two kilobytes of stack, of which the sidecar has one megabyte.
pub(crate) const MAX_DEPTH: usize = 400;

/// Which of the three rules that decide are defined.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Opinions {
    pub(crate) deny: bool,
    pub(crate) warn: bool,
    pub(crate) allow: bool,
}

/// What of `input` the modules read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Inputs {
    /// All of it, or what cannot be told beforehand.
    All,
    /// These top-level fields, or of one of them that field: `request.stream`.
    Fields(BTreeSet<String>),
}

impl Inputs {
    /// Whether a field, or a field of one, is read: as such, within what is read whole, or in part.
    pub(crate) fn read(&self, path: &str) -> bool {
        let Inputs::Fields(fields) = self else { return true };
        let within = |field: &String| field.strip_prefix(path).is_some_and(|rest| rest.starts_with('.'));
        let whole = path.split_once('.').map_or(path, |(whole, _)| whole);
        fields.contains(path) || fields.contains(whole) || fields.iter().any(within)
    }
}

/// What the checks found out.
pub(crate) struct Checked {
    pub(crate) opinions: Opinions,
    pub(crate) inputs: Inputs,
    /// The modules' syntax trees, in their order.
    pub(crate) trees: Vec<Tree>,
    /// Full paths of all rules, as `data.mesh.deny`.
    pub(crate) rules: Vec<String>,
}

/// Checks all modules, of which those of `package` decide; gives every problem of the first stage that has any.
pub(crate) fn check(modules: &[Module], package: &str) -> Result<Checked, Vec<RegoError>> {
    let mut errors = Vec::new();
    let mut trees = Vec::new();
    for module in modules {
        match parse(module) {
            Ok(tree) => trees.push(tree),
            Err(error) => errors.push(error),
        }
    }
    if !errors.is_empty() {
        return Err(errors);
    }
    let graph = Graph::of(&trees);
    let defines = |name: &str| graph.rules.contains_key(&format!("data.{package}.{name}"));
    let opinions = Opinions { deny: defines("deny"), warn: defines("warn"), allow: defines("allow") };
    if opinions == Opinions::default() {
        errors.push(undecided(&trees, package));
    }
    errors.extend(graph.unknown_calls());
    errors.extend(graph.too_deep());
    if !errors.is_empty() {
        return Err(errors);
    }
    let read = graph.rules.values().flat_map(|node| node.names.inputs());
    let inputs = match read.cloned().collect::<Option<BTreeSet<String>>>() {
        Some(fields) => Inputs::Fields(fields),
        None => Inputs::All,
    };
    let rules = graph.rules.into_keys().collect();
    Ok(Checked { opinions, inputs, trees, rules })
}

/// No module of the package says anything that decides.
fn undecided(trees: &[Tree], package: &str) -> RegoError {
    let package_of = |tree: &&Tree| names::path(&tree.package.refr).unwrap_or_default() == package;
    let message = match (trees.iter().find(package_of), trees.first()) {
        (Some(_), _) => format!(
            "`package {package}` defines none of `deny`, `warn` and `allow`, so it could decide nothing; define one of \
             them, such as `deny contains \"reason\" if {{ … }}`"
        ),
        (None, Some(first)) => format!(
            "found `package {}`; the module that decides has to be `package {package}`",
            names::path(&first.package.refr).unwrap_or_default()
        ),
        (None, None) => "there is no module".to_owned(),
    };
    match trees.iter().find(package_of).or(trees.first()) {
        Some(tree) => at(names::beginning(&tree.package.refr), message),
        None => RegoError::general(message),
    }
}

fn at(span: &Span, message: impl Into<String>) -> RegoError {
    RegoError::at(span.source.file(), span.line, span.col, message)
}

pub(crate) fn parse(module: &Module) -> Result<Tree, RegoError> {
    let parsed = Source::from_contents(module.name.clone(), module.source.clone()).and_then(|source| {
        let mut parser = Parser::new(&source)?;
        parser.enable_rego_v1()?;
        parser.parse()
    });
    parsed.map_err(|error| RegoError::from_compile(&error))
}

/// Rules and functions by their full paths, and what each uses.
struct Graph {
    rules: BTreeMap<String, Node>,
}

#[derive(Default)]
struct Node {
    /// Where the first definition stands.
    place: Option<Span>,
    /// As `data.mesh`.
    package: String,
    names: Names,
}

impl Graph {
    fn of(trees: &[Tree]) -> Self {
        let mut rules: BTreeMap<String, Node> = BTreeMap::new();
        for tree in trees {
            let scope = Scope::of(tree);
            for rule in &tree.policy {
                let Some(name) = head(rule).and_then(names::root) else { continue };
                let node = rules.entry(format!("{}.{name}", scope.package())).or_default();
                node.place.get_or_insert_with(|| rule.span().clone());
                scope.package().clone_into(&mut node.package);
                node.names.read_rule(&scope, rule);
            }
        }
        Graph { rules }
    }

    /// The rules that a path from `data` reads: the one that it leads to or through, or all that it leads above.
    fn read_by<'a>(&'a self, path: &str) -> Vec<&'a str> {
        let through = path.match_indices('.').map(|(at, _)| at).chain([path.len()]);
        let through = through.filter_map(|end| self.rules.get_key_value(path.get(..end)?));
        let below = format!("{path}.");
        let above = self.rules.range(below.clone()..).take_while(|(rule, _)| rule.starts_with(&below));
        through.chain(above).map(|(rule, _)| rule.as_str()).collect()
    }

    /// Calls of functions that are neither defined nor offered.
    fn unknown_calls(&self) -> Vec<RegoError> {
        let mut errors = Vec::new();
        for node in self.rules.values() {
            for (full, call) in &node.names.calls {
                if !self.read_by(full).is_empty() {
                    continue;
                }
                // What the author may have meant: the package's own functions by their names, others by their paths.
                let own =
                    |rule: &String| rule.strip_prefix(&node.package)?.strip_prefix('.').map(str::to_owned);
                let defined = self.rules.keys().map(|rule| own(rule).unwrap_or_else(|| rule.clone()));
                if let Some(why) = builtins::refuse(&call.written, defined) {
                    errors.push(at(&call.span, why));
                }
            }
        }
        errors
    }

    /// Recursion, or chains that are too long.
    fn too_deep(&self) -> Vec<RegoError> {
        let mut depths = BTreeMap::new();
        let mut errors = Vec::new();
        for name in self.rules.keys() {
            if let Err((name, why)) = self.depth(name, &mut BTreeSet::new(), &mut depths) {
                let place = self.rules.get(&name).and_then(|node| node.place.as_ref());
                errors.push(
                    place.map_or_else(|| RegoError::general(why.clone()), |span| at(span, why.clone())),
                );
                break;
            }
        }
        errors
    }

    /// How deep evaluating a rule goes. The recursion here is bounded too, by what entering a rule costs.
    fn depth<'a>(
        &'a self,
        rule: &'a str,
        open: &mut BTreeSet<&'a str>,
        depths: &mut BTreeMap<&'a str, usize>,
    ) -> Result<usize, (String, String)> {
        if let Some(depth) = depths.get(rule) {
            return Ok(*depth);
        }
        let Some(node) = self.rules.get(rule) else { return Ok(0) };
        let name = rule.strip_prefix(&node.package).and_then(|name| name.strip_prefix('.')).unwrap_or(rule);
        if open.contains(rule) {
            return Err((rule.to_owned(), format!("`{name}` depends on itself; Rego has no recursion")));
        }
        if open.len() > MAX_DEPTH / names::ENTRY {
            return Err((rule.to_owned(), too_long(name)));
        }
        open.insert(rule);
        let mut inner = 0;
        for path in node.names.used(&node.package) {
            for used in self.read_by(&path) {
                inner = inner.max(self.depth(used, open, depths)?);
            }
        }
        open.remove(rule);
        let depth = inner + node.names.deepest();
        if depth > MAX_DEPTH {
            return Err((rule.to_owned(), too_long(name)));
        }
        depths.insert(rule, depth);
        Ok(depth)
    }
}

fn too_long(name: &str) -> String {
    format!(
        "`{name}` goes too deep: expressions, iterations and the rules and functions it uses are nested {MAX_DEPTH} levels \
         or more; flatten them"
    )
}

pub(crate) fn head(rule: &Rule) -> Option<&Expr> {
    Some(match rule {
        Rule::Default { refr, .. } => refr,
        Rule::Spec { head: RuleHead::Compr { refr, .. }, .. } => refr,
        Rule::Spec { head: RuleHead::Set { refr, .. }, .. } => refr,
        Rule::Spec { head: RuleHead::Func { refr, .. }, .. } => refr,
    })
}

/// Data documents and rules have their places apart.
pub(crate) fn data(data: &Value, rules: &[String]) -> Result<(), RegoError> {
    if !data.is_object() {
        return Err(RegoError::general("`data` has to be an object"));
    }
    for rule in rules {
        let mut at = Some(data);
        for name in rule.split('.').skip(1) {
            at = match at {
                Some(Value::Object(fields)) => fields.get(name),
                Some(_) => break,
                None => None,
            };
        }
        if at.is_some() {
            let message =
                format!("`data` has a value where the modules have the rule `{rule}`; give one another name");
            return Err(RegoError::general(message));
        }
    }
    Ok(())
}
