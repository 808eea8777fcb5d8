//! Rule indexing: which rules can have no value for an input is told from their first conditions, and those are not evaluated.
//!
//! OPA does the same (its policy performance guide, "Use indexed statements"). A condition counts as long as all before it do:
//! a field of `input` that has to be there and not false, or to be equal to a constant. What comes after may have an error
//! to tell, but only where these hold.
use regorus::Value as RegoValue;
use regorus::unstable::{AssignOp, BoolOp, Expr, Literal, Module as Tree, Rule, RuleHead};

use crate::{check, names};

/// The first conditions of each body of a rule.
#[derive(Debug)]
pub(crate) struct Index(Vec<Vec<Condition>>);

#[derive(Debug)]
struct Condition {
    /// Names of fields, from `input` on.
    path: Vec<RegoValue>,
    test: Test,
}

#[derive(Debug)]
enum Test {
    /// Any value but false.
    Holds,
    Equals(RegoValue),
}

impl Index {
    /// The index of a rule of a package. None where one of its definitions may give a value to every input, or gives one to
    /// a part of the rule.
    pub(crate) fn of(trees: &[Tree], package: &str, name: &str) -> Option<Index> {
        let mut bodies = Vec::new();
        let of_package = |tree: &&Tree| names::path(&tree.package.refr).is_some_and(|path| path == package);
        let definitions = trees.iter().filter(of_package).flat_map(|tree| &tree.policy);
        for rule in
            definitions.filter(|rule| check::head(rule).and_then(names::root).as_deref() == Some(name))
        {
            match rule.as_ref() {
                // Without an opinion as without a value.
                Rule::Default { refr, value, .. } if is_name(refr) && is_false(value) => {}
                Rule::Spec {
                    head: RuleHead::Compr { refr, .. } | RuleHead::Set { refr, .. },
                    bodies: own,
                    ..
                } if is_name(refr) && !own.is_empty() => {
                    bodies.extend(own.iter().map(|body| {
                        let statements = body.query.stmts.iter();
                        let plain = statements.map(|statement| match &statement.literal {
                            Literal::Expr { expr, .. } if statement.with_mods.is_empty() => condition(expr),
                            _ => None,
                        });
                        plain.map_while(|condition| condition).collect::<Vec<_>>()
                    }));
                }
                _ => return None,
            }
        }
        bodies.iter().all(|conditions: &Vec<_>| !conditions.is_empty()).then_some(Index(bodies))
    }

    /// Whether no body can be true.
    pub(crate) fn excludes(&self, input: &RegoValue) -> bool {
        self.0.iter().all(|conditions| !conditions.iter().all(|condition| condition.holds(input)))
    }
}

impl Condition {
    fn holds(&self, input: &RegoValue) -> bool {
        let mut value = input;
        for field in &self.path {
            match value {
                RegoValue::Object(fields) => match fields.get(field) {
                    Some(inner) => value = inner,
                    None => return false,
                },
                _ => return false,
            }
        }
        match &self.test {
            Test::Holds => !matches!(value, RegoValue::Undefined | RegoValue::Bool(false)),
            Test::Equals(constant) => value == constant,
        }
    }
}

fn is_name(refr: &Expr) -> bool {
    matches!(refr, Expr::Var { .. })
}

fn is_false(expr: &Expr) -> bool {
    matches!(expr, Expr::Bool { value: RegoValue::Bool(false), .. })
}

fn condition(expr: &Expr) -> Option<Condition> {
    let equals = |field: &Expr, constant: &Expr| {
        Some(Condition { path: field_of_input(field)?, test: Test::Equals(self::constant(constant)?) })
    };
    match expr {
        Expr::BoolExpr { op: BoolOp::Eq, lhs, rhs, .. }
        | Expr::AssignExpr { op: AssignOp::Eq, lhs, rhs, .. } => {
            equals(lhs, rhs).or_else(|| equals(rhs, lhs))
        }
        _ => Some(Condition { path: field_of_input(expr)?, test: Test::Holds }),
    }
}

fn constant(expr: &Expr) -> Option<RegoValue> {
    match expr {
        Expr::String { value, .. }
        | Expr::RawString { value, .. }
        | Expr::Number { value, .. }
        | Expr::Bool { value, .. }
        | Expr::Null { value, .. } => Some(value.clone()),
        _ => None,
    }
}

/// The names after `input` in a reference that is made of plain names.
fn field_of_input(expr: &Expr) -> Option<Vec<RegoValue>> {
    let (refr, name) = match expr {
        Expr::RefDot { refr, field, .. } => (refr, RegoValue::from(field.0.text())),
        Expr::RefBrack { refr, index, .. } => match index.as_ref() {
            Expr::String { value, .. } => (refr, value.clone()),
            _ => return None,
        },
        _ => return None,
    };
    let mut path = match refr.as_ref() {
        Expr::Var { span, .. } if span.text() == names::INPUT => Vec::new(),
        inner => field_of_input(inner)?,
    };
    path.push(name);
    Some(path)
}
