//! What an evaluation may take of memory: every result that a rule makes is charged to an allowance.
//!
//! The interpreter bounds steps. Each step makes a value of constant size, but for two kinds: calls of built-in functions,
//! and the operators on sets and long numbers. Functions are charged where they are called ([`crate::builtins`]). The
//! interpreter has no place to charge an operator, so the module it gets is the author's with a call around each of them
//! that could make something large: `a | b` becomes `ai_mesh.sized(a | b)`. Places in messages are told as the author wrote.
//!
//! On the same way `with rule as …` becomes `with data.mesh.rule as …`: the interpreter replaces a rule by its full name only.
use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use regorus::Value;
use regorus::unstable::{
    ArithOp, BinOp, Expr, Literal, Module as Tree, Query, Rule, RuleAssign, RuleHead, Span,
};

use crate::names::{Scope, beginning, root};
use crate::program::{MEMORY_BUDGET, Module};
use crate::tree::{Child, children};

/// What the error of an evaluation says that made too much.
pub(crate) const OVER_MEMORY: &str = "the evaluation made more or larger values than a policy may";

/// Passes a value on, and charges it.
pub(crate) const SIZED: &str = "ai_mesh.sized";
const OPEN: &str = "ai_mesh.sized(";

/// Longest whole number, in bits: products of longer ones take time that no step counts.
const MAX_BITS: u64 = 1 << 13;

/// What the evaluation at hand has made so far, in bytes.
#[derive(Clone, Debug, Default)]
pub(crate) struct Allowance(Arc<AtomicUsize>);

impl Allowance {
    /// A new evaluation begins.
    pub(crate) fn renew(&self) {
        self.0.store(0, Ordering::Relaxed);
    }

    pub(crate) fn charge(&self, value: Value) -> anyhow::Result<Value> {
        let bytes = size(&value);
        let spent = self.0.fetch_add(bytes, Ordering::Relaxed).saturating_add(bytes);
        anyhow::ensure!(spent <= MEMORY_BUDGET, OVER_MEMORY);
        Ok(value)
    }
}

/// Bytes that a value takes of its own. What it holds was charged when it was made, but for the texts of a list: some
/// functions make those with it.
fn size(value: &Value) -> usize {
    match value {
        Value::String(text) => text.len(),
        Value::Number(number) if number.as_i64().is_some() || number.as_f64().is_some() => 8,
        Value::Number(number) => match number.as_big() {
            Some(long) if long.bits() > MAX_BITS => usize::MAX,
            _ => 8,
        },
        Value::Array(items) => items.iter().map(|item| 32 + text_of(item)).sum(),
        Value::Set(items) => items.len().saturating_mul(32),
        Value::Object(fields) => fields.len().saturating_mul(64),
        _ => 0,
    }
}

fn text_of(value: &Value) -> usize {
    match value {
        Value::String(text) => text.len(),
        _ => 0,
    }
}

/// Text that was put into a module, by where it stands in what the interpreter got.
#[derive(Clone, Debug, Default)]
pub(crate) struct Inserted(Vec<(u32, u32, u32)>);

impl Inserted {
    /// The author's column of a place that the interpreter names. Lines stay.
    pub(crate) fn column(&self, line: u32, column: u32) -> u32 {
        let before = self.0.iter().filter(|(at, from, _)| *at == line && *from < column);
        let shift: u32 = before.map(|(_, from, length)| (*length).min(column - from)).sum();
        column.saturating_sub(shift).max(1)
    }
}

/// Full names of the rules of some modules that `with` may replace by a value: all but functions.
pub(crate) fn rules(trees: &[Tree]) -> BTreeSet<String> {
    let heads = trees.iter().flat_map(|tree| {
        let scope = Scope::of(tree);
        let named = tree.policy.iter().filter_map(|rule| match &**rule {
            Rule::Spec { head: RuleHead::Compr { refr, .. } | RuleHead::Set { refr, .. }, .. }
            | Rule::Default { refr, .. } => root(refr),
            Rule::Spec { head: RuleHead::Func { .. }, .. } => None,
        });
        named.map(|name| format!("{}.{name}", scope.package())).collect::<Vec<_>>()
    });
    heads.collect()
}

/// The module with its operators metered, and rules of its package named in full where `with` replaces them.
pub(crate) fn metered(module: &Module, tree: &Tree, rules: &BTreeSet<String>) -> (String, Inserted) {
    let package = format!("{}.", Scope::of(tree).package());
    let mut walk = Walk { cuts: Vec::new(), package: &package, rules };
    tree.policy.iter().for_each(|rule| walk.rule(rule));
    // At one place, what closes comes before what opens; of several that open, the order makes no difference.
    walk.cuts.sort_unstable();
    let source = &module.source;
    let mut out = String::with_capacity(source.len());
    let mut inserted = Inserted::default();
    let (mut from, mut line, mut column) = (0, 1_u32, 1_u32);
    for (at, put) in walk.cuts {
        let piece = source.get(from..at).unwrap_or_default();
        for c in piece.chars() {
            (line, column) = if c == '\n' { (line + 1, 1) } else { (line, column + 1) };
        }
        out.push_str(piece);
        let text = match put {
            Put::Close => ")",
            Put::Open => OPEN,
            Put::Package => &package,
        };
        let length = u32::try_from(text.len()).unwrap_or_default();
        inserted.0.push((line, column, length));
        out.push_str(text);
        column += length;
        from = at;
    }
    out.push_str(source.get(from..).unwrap_or_default());
    (out, inserted)
}

/// Finds the operators. It recurses as [`crate::names`] does, over a tree that [`crate::scan`] has bounded.
struct Walk<'a> {
    /// Offsets, and what is put there.
    cuts: Vec<(usize, Put)>,
    /// The module's package, with a dot behind it.
    package: &'a str,
    rules: &'a BTreeSet<String>,
}

/// What is put into a module.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Put {
    /// The end of a call.
    Close,
    /// The beginning of a call.
    Open,
    /// The package's name.
    Package,
}

impl Walk<'_> {
    fn rule(&mut self, rule: &Rule) {
        // The value of a default has to be a constant.
        let Rule::Spec { head, bodies, .. } = rule else { return };
        match head {
            RuleHead::Compr { assign, .. } => self.assign(assign.as_ref()),
            RuleHead::Set { key, .. } => key.iter().for_each(|key| self.expr(key)),
            RuleHead::Func { assign, .. } => self.assign(assign.as_ref()),
        }
        for body in bodies {
            self.query(&body.query);
            self.assign(body.assign.as_ref());
        }
    }

    fn assign(&mut self, assign: Option<&RuleAssign>) {
        assign.iter().for_each(|assign| self.expr(&assign.value));
    }

    fn query(&mut self, query: &Query) {
        for statement in &query.stmts {
            match &statement.literal {
                Literal::SomeVars { .. } => {}
                Literal::SomeIn { collection, .. } => self.expr(collection),
                Literal::Expr { expr, .. } | Literal::NotExpr { expr, .. } => self.expr(expr),
                Literal::Every { domain, query, .. } => {
                    self.expr(domain);
                    self.query(query);
                }
            }
            for modifier in &statement.with_mods {
                self.replaced(&modifier.refr);
                self.expr(&modifier.r#as);
            }
        }
    }

    /// What `with` replaces.
    fn replaced(&mut self, target: &Expr) {
        let rule = root(target).map(|name| format!("{}{name}", self.package));
        if rule.is_some_and(|rule| self.rules.contains(&rule)) {
            self.cuts.push((usize_of(beginning(target).start), Put::Package));
        }
    }

    fn around(&mut self, span: &Span) {
        // Nothing is put behind a comment that would take it in: it goes right behind the last token.
        self.cuts.push((usize_of(span.start), Put::Open));
        self.cuts.push((usize_of(span.end), Put::Close));
    }

    fn expr(&mut self, expr: &Expr) {
        match expr {
            Expr::BinExpr { span, op: BinOp::Union | BinOp::Intersection, .. } => self.around(span),
            Expr::ArithExpr { span, op: ArithOp::Mul | ArithOp::Sub, lhs, rhs, .. }
                if !is_number(lhs) && !is_number(rhs) =>
            {
                self.around(span);
            }
            _ => {}
        }
        children(expr, &mut |child| match child {
            Child::Expr(expr) => self.expr(expr),
            Child::Query(query) => self.query(query),
        });
    }
}

fn usize_of(offset: u32) -> usize {
    usize::try_from(offset).unwrap_or(usize::MAX)
}

fn is_number(expr: &Expr) -> bool {
    matches!(expr, Expr::Number { .. })
}
