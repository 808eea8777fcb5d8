//! What a module may say, checked on its syntax tree before the interpreter prepares it.
use std::collections::{BTreeMap, BTreeSet};

use regorus::unstable::{Expr, Module as Tree, Parser, Rule, RuleHead, Source, Span};

use crate::names::{self, Names};
use crate::program::Module;
use crate::{RegoError, builtins};

/// The package of authors' modules.
pub(crate) const PACKAGE: &str = "mesh";

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
    /// All of it, or what can not be told beforehand.
    All,
    /// These top-level fields.
    Fields(BTreeSet<String>),
}

/// Checks all modules; gives every problem of the first stage that has any.
pub(crate) fn check(modules: &[Module]) -> Result<(Opinions, Inputs), Vec<RegoError>> {
    let mut errors = Vec::new();
    let mut trees = Vec::new();
    for module in modules {
        match parse(module) {
            Ok(tree) => trees.push(tree),
            Err(error) => errors.push(error),
        }
    }
    if errors.is_empty() {
        errors.extend(trees.iter().filter_map(|tree| package(tree).err()));
    }
    if !errors.is_empty() {
        return Err(errors);
    }
    let graph = Graph::of(&trees);
    let opinions = Opinions {
        deny: graph.rules.contains_key("deny"),
        warn: graph.rules.contains_key("warn"),
        allow: graph.rules.contains_key("allow"),
    };
    if opinions == Opinions::default() {
        let mut error = RegoError::general(
            "the module defines none of `deny`, `warn` and `allow`, so it could decide nothing; define one of them, \
             such as `deny contains \"reason\" if { … }`",
        );
        if let Some(tree) = trees.first() {
            error = at(names::beginning(&tree.package.refr), error.message);
        }
        errors.push(error);
    }
    errors.extend(graph.unknown_calls());
    errors.extend(graph.too_deep());
    if errors.is_empty() { Ok((opinions, inputs(&trees, &graph))) } else { Err(errors) }
}

/// Which fields of `input` can make a difference.
fn inputs(trees: &[Tree], graph: &Graph) -> Inputs {
    let imported = trees
        .iter()
        .flat_map(|tree| &tree.imports)
        .any(|import| names::root(&import.refr).is_some_and(|root| root == "input"));
    let read = graph.rules.values().flat_map(|node| node.names.inputs());
    match read.cloned().collect::<Option<BTreeSet<String>>>() {
        Some(fields) if !imported => Inputs::Fields(fields),
        _ => Inputs::All,
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

fn package(tree: &Tree) -> Result<(), RegoError> {
    let found = names::path(&tree.package.refr).unwrap_or_default();
    if found == PACKAGE {
        return Ok(());
    }
    let message = format!("found `package {found}`; a policy's module has to be `package {PACKAGE}`");
    Err(at(names::beginning(&tree.package.refr), message))
}

/// Rules and functions by name, and what each uses.
struct Graph {
    rules: BTreeMap<String, Node>,
}

#[derive(Default)]
struct Node {
    /// Where the first definition stands.
    place: Option<Span>,
    names: Names,
}

impl Graph {
    fn of(trees: &[Tree]) -> Self {
        let mut rules: BTreeMap<String, Node> = BTreeMap::new();
        for rule in trees.iter().flat_map(|tree| &tree.policy) {
            let Some(name) = head(rule).and_then(names::root) else { continue };
            let node = rules.entry(name).or_default();
            node.place.get_or_insert_with(|| rule.span().clone());
            node.names.read_rule(rule);
        }
        Graph { rules }
    }

    /// Calls of functions that are neither defined nor offered.
    fn unknown_calls(&self) -> Vec<RegoError> {
        let calls = self.rules.values().flat_map(|node| &node.names.calls);
        calls
            .filter(|(name, _)| !self.rules.contains_key(local(name)))
            .filter_map(|(name, span)| builtins::refuse(name, self.rules.keys()).map(|why| at(span, why)))
            .collect()
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

    /// How deep evaluating `name` goes. The recursion here is bounded too, by what entering a rule costs.
    fn depth<'a>(
        &'a self,
        name: &'a str,
        open: &mut BTreeSet<&'a str>,
        depths: &mut BTreeMap<&'a str, usize>,
    ) -> Result<usize, (String, String)> {
        if let Some(depth) = depths.get(name) {
            return Ok(*depth);
        }
        let Some(node) = self.rules.get(name) else { return Ok(0) };
        if open.contains(name) {
            return Err((name.to_owned(), format!("`{name}` depends on itself; Rego has no recursion")));
        }
        if open.len() > MAX_DEPTH / names::ENTRY {
            return Err((name.to_owned(), too_long(name)));
        }
        open.insert(name);
        let mut inner = 0;
        for used in node.names.used() {
            inner = inner.max(self.depth(local(used), open, depths)?);
        }
        open.remove(name);
        let depth = inner + node.names.deepest();
        if depth > MAX_DEPTH {
            return Err((name.to_owned(), too_long(name)));
        }
        depths.insert(name, depth);
        Ok(depth)
    }
}

fn too_long(name: &str) -> String {
    format!(
        "`{name}` goes too deep: expressions, iterations and the rules and functions it uses are nested {MAX_DEPTH} levels \
         or more; flatten them"
    )
}

/// `data.mesh.f` and `f` are the same rule.
fn local(name: &str) -> &str {
    name.strip_prefix("data.mesh.").unwrap_or(name)
}

pub(crate) fn head(rule: &Rule) -> Option<&Expr> {
    Some(match rule {
        Rule::Default { refr, .. } => refr,
        Rule::Spec { head: RuleHead::Compr { refr, .. }, .. } => refr,
        Rule::Spec { head: RuleHead::Set { refr, .. }, .. } => refr,
        Rule::Spec { head: RuleHead::Func { refr, .. }, .. } => refr,
    })
}
