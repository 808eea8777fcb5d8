//! The names a rule uses, read off its syntax tree.
//!
//! The walk recurses; [`crate::scan`] has bounded the tree's depth before.
use std::collections::{BTreeMap, BTreeSet};

use regorus::unstable::{AssignOp, Expr, Literal, Module as Tree, Query, Rule, RuleAssign, RuleHead, Span};

/// How names are read in one module.
#[derive(Default)]
pub(crate) struct Scope {
    /// Its package, as `data.mesh`.
    package: String,
    /// What its imports call things, and their full paths.
    imports: BTreeMap<String, String>,
}

impl Scope {
    pub(crate) fn of(module: &Tree) -> Self {
        let package = format!("data.{}", path(&module.package.refr).unwrap_or_default());
        let imports = module.imports.iter().filter_map(|import| {
            let full = path(&import.refr)?;
            let alias = match &import.r#as {
                Some(alias) => alias.text().to_owned(),
                None => full.rsplit('.').next()?.to_owned(),
            };
            // Imports of the language itself name nothing.
            matches!(first(&full), "data" | INPUT).then_some((alias, full))
        });
        Scope { imports: imports.collect(), package }
    }

    pub(crate) fn package(&self) -> &str {
        &self.package
    }

    /// The full path of a name that is used in the module: from `data` or `input`.
    fn full(&self, path: &str) -> String {
        let root = first(path);
        match self.imports.get(root) {
            Some(import) => format!("{import}{}", path.get(root.len()..).unwrap_or_default()),
            None if matches!(root, "data" | INPUT) => path.to_owned(),
            None => format!("{}.{path}", self.package),
        }
    }
}

/// The first name of a path.
fn first(path: &str) -> &str {
    path.split('.').next().unwrap_or_default()
}

/// A call in a module.
pub(crate) struct Call {
    /// The function as the author wrote it.
    pub(crate) written: String,
    /// Where it is first called.
    pub(crate) span: Span,
}

/// What the definitions of one name use.
#[derive(Default)]
pub(crate) struct Names {
    /// Functions called, by their full paths.
    pub(crate) calls: BTreeMap<String, Call>,
    /// Variables read, and what is read by its path from `data`.
    vars: BTreeSet<String>,
    paths: BTreeSet<String>,
    /// Variables that are the rule's own: arguments, `:=`, `some`.
    own: BTreeSet<String>,
    /// What of `input` is read: `request`, `request.stream`; `None` among them stands for the whole of it.
    inputs: BTreeSet<Option<String>>,
    /// How deep the interpreter's calls go at the place that the walk is at, and at most, in levels of expressions.
    level: usize,
    deepest: usize,
    /// Iterations begun by the statement that the walk is in.
    loops: usize,
}

/// What entering a rule or function costs, in levels of expressions.
pub(crate) const ENTRY: usize = 8;
/// What a comprehension or the body of `every` costs.
const QUERY: usize = 4;
/// What an iteration costs: the statements after it are evaluated within it.
const LOOP: usize = 4;

/// The first name of a reference: `deny` of `deny["x"].y`.
pub(crate) fn root(expr: &Expr) -> Option<String> {
    match expr {
        Expr::Var { span, .. } => Some(span.text().to_owned()),
        Expr::RefDot { refr, .. } | Expr::RefBrack { refr, .. } => root(refr),
        _ => None,
    }
}

/// The document that a request is to a module.
pub(crate) const INPUT: &str = "input";

/// Where a reference begins.
pub(crate) fn beginning(expr: &Expr) -> &Span {
    match expr {
        Expr::RefDot { refr, .. } | Expr::RefBrack { refr, .. } => beginning(refr),
        other => other.span(),
    }
}

/// A reference made of plain names, with dots: `data.mesh.f`. `None` when an index is not a literal string, or one with
/// escapes: its text is not what it names.
pub(crate) fn path(expr: &Expr) -> Option<String> {
    match expr {
        Expr::Var { span, .. } => Some(span.text().to_owned()),
        Expr::RefDot { refr, field, .. } => Some(format!("{}.{}", path(refr)?, field.0.text())),
        Expr::RefBrack { refr, index, .. } => match index.as_ref() {
            Expr::String { span, .. } if !span.text().contains('\\') => {
                Some(format!("{}.{}", path(refr)?, span.text()))
            }
            _ => None,
        },
        _ => None,
    }
}

/// The beginning of a reference that is made of plain names: `data.lib` of `data.lib[x].y`.
fn beginning_path(expr: &Expr) -> Option<String> {
    match expr {
        Expr::RefDot { refr, .. } | Expr::RefBrack { refr, .. } => {
            path(expr).or_else(|| beginning_path(refr))
        }
        other => path(other),
    }
}

impl Names {
    /// Full path of everything that takes part when this name, of this package, is evaluated.
    ///
    /// A variable of the rule's own hides the rule of the same name. Where one definition hides it and another means
    /// the rule, a cycle through it is left to the interpreter, which notices rules (not functions) that recur.
    pub(crate) fn used<'a>(&'a self, package: &'a str) -> impl Iterator<Item = String> + 'a {
        let vars = self.vars.difference(&self.own).map(move |var| format!("{package}.{var}"));
        self.calls.keys().chain(&self.paths).cloned().chain(vars)
    }

    /// What of `input` is read: `request`, `request.stream`; `None` stands for the whole of it.
    pub(crate) fn inputs(&self) -> &BTreeSet<Option<String>> {
        &self.inputs
    }

    /// How deep the interpreter goes to evaluate this name, other names not counted.
    pub(crate) fn deepest(&self) -> usize {
        ENTRY + self.deepest
    }

    pub(crate) fn read_rule(&mut self, scope: &Scope, rule: &Rule) {
        Reader { scope, names: self }.rule(rule);
    }
}

/// Reads a rule of one module.
struct Reader<'a> {
    scope: &'a Scope,
    names: &'a mut Names,
}

impl Reader<'_> {
    fn rule(&mut self, rule: &Rule) {
        match rule {
            Rule::Default { value, args, .. } => {
                args.iter().for_each(|arg| self.bind(arg));
                self.expr(value);
            }
            Rule::Spec { head, bodies, .. } => {
                let mut end = self.names.level;
                for body in bodies {
                    let body_end = self.query(&body.query);
                    self.within(body_end, |names| names.assign(body.assign.as_ref()));
                    end = end.max(body_end);
                }
                self.within(end, |names| names.head(head));
            }
        }
    }

    fn head(&mut self, head: &RuleHead) {
        match head {
            RuleHead::Compr { refr, assign, .. } => {
                self.indices(refr);
                self.assign(assign.as_ref());
            }
            RuleHead::Set { refr, key, .. } => {
                self.indices(refr);
                key.iter().for_each(|key| self.expr(key));
            }
            RuleHead::Func { refr, args, assign, .. } => {
                self.indices(refr);
                args.iter().for_each(|arg| self.bind(arg));
                self.assign(assign.as_ref());
            }
        }
    }

    /// Reads what is evaluated at the end of a query, within its iterations.
    fn within(&mut self, level: usize, read: impl FnOnce(&mut Self)) {
        let outer = std::mem::replace(&mut self.names.level, level);
        read(self);
        self.names.level = outer;
    }

    fn assign(&mut self, assign: Option<&RuleAssign>) {
        if let Some(assign) = assign {
            self.expr(&assign.value);
        }
    }

    /// The indices in a rule's head: `rule[index]`.
    fn indices(&mut self, refr: &Expr) {
        match refr {
            Expr::RefDot { refr, .. } => self.indices(refr),
            Expr::RefBrack { refr, index, .. } => {
                self.indices(refr);
                self.expr(index);
            }
            _ => {}
        }
    }

    /// Gives the level at the query's end.
    fn query(&mut self, query: &Query) -> usize {
        let (level, loops) = (self.names.level, self.names.loops);
        self.names.level += QUERY;
        for statement in &query.stmts {
            self.names.loops = 0;
            match &statement.literal {
                Literal::SomeVars { vars, .. } => {
                    self.names.own.extend(vars.iter().map(|var| var.text().to_owned()))
                }
                Literal::SomeIn { key, value, collection, .. } => {
                    key.iter().for_each(|key| self.bind(key));
                    self.bind(value);
                    self.expr(collection);
                    self.names.loops += 1;
                }
                Literal::Expr { expr, .. } | Literal::NotExpr { expr, .. } => self.expr(expr),
                Literal::Every { key, value, domain, query, .. } => {
                    self.names.own.extend(key.iter().chain([value]).map(|var| var.text().to_owned()));
                    self.expr(domain);
                    self.query(query);
                }
            }
            for modifier in &statement.with_mods {
                self.expr(&modifier.refr);
                self.expr(&modifier.r#as);
            }
            self.names.level += LOOP * self.names.loops;
            self.names.deepest = self.names.deepest.max(self.names.level);
        }
        self.names.loops = loops;
        std::mem::replace(&mut self.names.level, level)
    }

    /// A pattern that binds its variables.
    fn bind(&mut self, pattern: &Expr) {
        match pattern {
            Expr::Var { span, .. } => {
                self.names.own.insert(span.text().to_owned());
            }
            Expr::Array { items, .. } | Expr::Set { items, .. } => {
                items.iter().for_each(|item| self.bind(item))
            }
            Expr::Object { fields, .. } => fields.iter().for_each(|(_, key, value)| {
                self.expr(key);
                self.bind(value);
            }),
            other => self.expr(other),
        }
    }

    fn expr(&mut self, expr: &Expr) {
        self.names.level += 1;
        self.names.deepest = self.names.deepest.max(self.names.level);
        self.inner(expr);
        self.names.level -= 1;
    }

    fn inner(&mut self, expr: &Expr) {
        match expr {
            Expr::String { .. }
            | Expr::RawString { .. }
            | Expr::Number { .. }
            | Expr::Bool { .. }
            | Expr::Null { .. } => {}
            Expr::Var { span, .. } => {
                self.read(span.text());
            }
            Expr::Array { items, .. } | Expr::Set { items, .. } => {
                items.iter().for_each(|item| self.expr(item))
            }
            Expr::Object { fields, .. } => fields.iter().for_each(|(_, key, value)| {
                self.expr(key);
                self.expr(value);
            }),
            Expr::ArrayCompr { term, query, .. } | Expr::SetCompr { term, query, .. } => {
                let end = self.query(query);
                self.within(end, |names| names.expr(term));
            }
            Expr::ObjectCompr { key, value, query, .. } => {
                let end = self.query(query);
                self.within(end, |names| {
                    names.expr(key);
                    names.expr(value);
                });
            }
            Expr::Call { fcn, params, .. } => {
                if let Some(written) = path(fcn) {
                    let span = beginning(fcn).clone();
                    let full = self.scope.full(&written);
                    self.names.calls.entry(full).or_insert(Call { written, span });
                }
                params.iter().for_each(|param| self.expr(param));
            }
            Expr::UnaryExpr { expr, .. } => self.expr(expr),
            Expr::RefDot { .. } | Expr::RefBrack { .. } => {
                if let Some(path) = beginning_path(expr) {
                    self.read(&path);
                }
                self.links(expr);
            }
            Expr::BinExpr { lhs, rhs, .. }
            | Expr::BoolExpr { lhs, rhs, .. }
            | Expr::ArithExpr { lhs, rhs, .. } => {
                self.expr(lhs);
                self.expr(rhs);
            }
            Expr::AssignExpr { op, lhs, rhs, .. } => {
                match op {
                    AssignOp::ColEq => self.bind(lhs),
                    AssignOp::Eq => self.expr(lhs),
                }
                self.expr(rhs);
            }
            Expr::Membership { key, value, collection, .. } => {
                key.iter().for_each(|key| self.expr(key));
                self.expr(value);
                self.expr(collection);
            }
        }
    }

    /// The links of a reference, whose path has been read.
    fn links(&mut self, expr: &Expr) {
        match expr {
            Expr::Var { .. } => {}
            Expr::RefDot { refr, .. } => self.link(refr),
            Expr::RefBrack { refr, index, .. } => {
                // A variable without a value yet runs over the whole collection.
                self.names.loops += usize::from(matches!(index.as_ref(), Expr::Var { .. }));
                self.link(refr);
                self.expr(index);
            }
            other => self.inner(other),
        }
    }

    fn link(&mut self, refr: &Expr) {
        self.names.level += 1;
        self.names.deepest = self.names.deepest.max(self.names.level);
        self.links(refr);
        self.names.level -= 1;
    }

    /// Something is read by a path that begins with a variable, an import, `input` or `data`.
    fn read(&mut self, path: &str) {
        let root = first(path);
        if !self.scope.imports.contains_key(root) && !matches!(root, "data" | INPUT) {
            self.names.vars.insert(root.to_owned());
            return;
        }
        let full = self.scope.full(path);
        if first(&full) == INPUT {
            let read = full.split_once('.').map(|(_, read)| read);
            let two = |path: &str| path.splitn(3, '.').take(2).collect::<Vec<_>>().join(".");
            self.names.inputs.insert(read.map(two));
        } else {
            self.names.paths.insert(full);
        }
    }
}
