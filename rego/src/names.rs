//! The names a rule uses, read off its syntax tree.
//!
//! The walk recurses; [`crate::scan`] has bounded the tree's depth before.
use std::collections::{BTreeMap, BTreeSet};

use regorus::unstable::{AssignOp, Expr, Literal, Query, Rule, RuleAssign, RuleHead, Span};

/// What the definitions of one name use.
#[derive(Default)]
pub(crate) struct Names {
    /// Functions called, each with the place of its first call.
    pub(crate) calls: BTreeMap<String, Span>,
    /// Variables read, and rules read as `data.mesh.<name>`.
    read: BTreeSet<String>,
    /// Variables that are the rule's own: arguments, `:=`, `some`.
    own: BTreeSet<String>,
    /// Top-level fields of `input` that are read; `None` among them stands for the whole of it.
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
const INPUT: &str = "input";

/// `x` of `input.x` and `input["x"]`.
fn input_field(expr: &Expr) -> Option<String> {
    let (Expr::RefDot { refr, .. } | Expr::RefBrack { refr, .. }) = expr else { return None };
    match refr.as_ref() {
        Expr::Var { span, .. } if span.text() == INPUT => {
            path(expr).and_then(|path| path.split_once('.').map(|(_, field)| field.to_owned()))
        }
        _ => None,
    }
}

/// Where a reference begins.
pub(crate) fn beginning(expr: &Expr) -> &Span {
    match expr {
        Expr::RefDot { refr, .. } | Expr::RefBrack { refr, .. } => beginning(refr),
        other => other.span(),
    }
}

/// A reference made of plain names, with dots: `data.mesh.f`. `None` when an index is not a literal string.
pub(crate) fn path(expr: &Expr) -> Option<String> {
    match expr {
        Expr::Var { span, .. } => Some(span.text().to_owned()),
        Expr::RefDot { refr, field, .. } => Some(format!("{}.{}", path(refr)?, field.0.text())),
        Expr::RefBrack { refr, index, .. } => match index.as_ref() {
            Expr::String { span, .. } => Some(format!("{}.{}", path(refr)?, span.text())),
            _ => None,
        },
        _ => None,
    }
}

impl Names {
    /// Every name whose rule or function takes part when this one is evaluated.
    ///
    /// A variable of the rule's own hides the rule of the same name. Where one definition hides it and another means
    /// the rule, a cycle through it is left to the interpreter, which notices rules (not functions) that recur.
    pub(crate) fn used(&self) -> impl Iterator<Item = &String> {
        self.calls.keys().chain(self.read.difference(&self.own))
    }

    /// Top-level fields of `input` that are read; `None` stands for the whole of it.
    pub(crate) fn inputs(&self) -> &BTreeSet<Option<String>> {
        &self.inputs
    }

    /// How deep the interpreter goes to evaluate this name, other names not counted.
    pub(crate) fn deepest(&self) -> usize {
        ENTRY + self.deepest
    }

    pub(crate) fn read_rule(&mut self, rule: &Rule) {
        match rule {
            Rule::Default { value, args, .. } => {
                args.iter().for_each(|arg| self.bind(arg));
                self.expr(value);
            }
            Rule::Spec { head, bodies, .. } => {
                let mut end = self.level;
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
        let outer = std::mem::replace(&mut self.level, level);
        read(self);
        self.level = outer;
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
        let (level, loops) = (self.level, self.loops);
        self.level += QUERY;
        for statement in &query.stmts {
            self.loops = 0;
            match &statement.literal {
                Literal::SomeVars { vars, .. } => {
                    self.own.extend(vars.iter().map(|var| var.text().to_owned()))
                }
                Literal::SomeIn { key, value, collection, .. } => {
                    key.iter().for_each(|key| self.bind(key));
                    self.bind(value);
                    self.expr(collection);
                    self.loops += 1;
                }
                Literal::Expr { expr, .. } | Literal::NotExpr { expr, .. } => self.expr(expr),
                Literal::Every { key, value, domain, query, .. } => {
                    self.own.extend(key.iter().chain([value]).map(|var| var.text().to_owned()));
                    self.expr(domain);
                    self.query(query);
                }
            }
            for modifier in &statement.with_mods {
                self.expr(&modifier.refr);
                self.expr(&modifier.r#as);
            }
            self.level += LOOP * self.loops;
            self.deepest = self.deepest.max(self.level);
        }
        self.loops = loops;
        std::mem::replace(&mut self.level, level)
    }

    /// A pattern that binds its variables.
    fn bind(&mut self, pattern: &Expr) {
        match pattern {
            Expr::Var { span, .. } => {
                self.own.insert(span.text().to_owned());
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
        self.level += 1;
        self.deepest = self.deepest.max(self.level);
        self.inner(expr);
        self.level -= 1;
    }

    fn inner(&mut self, expr: &Expr) {
        match expr {
            Expr::String { .. }
            | Expr::RawString { .. }
            | Expr::Number { .. }
            | Expr::Bool { .. }
            | Expr::Null { .. } => {}
            Expr::Var { span, .. } => {
                if span.text() == INPUT {
                    self.inputs.insert(None);
                }
                self.read.insert(span.text().to_owned());
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
                if let Some(name) = path(fcn) {
                    self.calls.entry(name).or_insert_with(|| beginning(fcn).clone());
                }
                params.iter().for_each(|param| self.expr(param));
            }
            Expr::UnaryExpr { expr, .. } => self.expr(expr),
            Expr::RefDot { .. } | Expr::RefBrack { .. } if input_field(expr).is_some() => {
                self.inputs.insert(input_field(expr));
                self.deepest = self.deepest.max(self.level + 1);
            }
            Expr::RefDot { refr, .. } => {
                self.read_data(expr);
                self.expr(refr);
            }
            Expr::RefBrack { refr, index, .. } => {
                // A variable without a value yet runs over the whole collection.
                self.loops += usize::from(matches!(index.as_ref(), Expr::Var { .. }));
                self.read_data(expr);
                self.expr(refr);
                self.expr(index);
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

    /// `data.mesh.<name>` reads the rule, whatever variables there are.
    fn read_data(&mut self, expr: &Expr) {
        if let Some(path) = path(expr).filter(|path| path.starts_with("data.mesh.")) {
            self.read.insert(path);
        }
    }
}
