//! Walks over syntax trees.
use regorus::unstable::{Expr, Query};

/// What stands directly within an expression.
pub(crate) enum Child<'a> {
    Expr(&'a Expr),
    Query(&'a Query),
}

/// Calls `visit` with each part of an expression.
pub(crate) fn children<'a>(expr: &'a Expr, visit: &mut dyn FnMut(Child<'a>)) {
    let mut one = |expr: &'a Expr| visit(Child::Expr(expr));
    match expr {
        Expr::String { .. }
        | Expr::RawString { .. }
        | Expr::Number { .. }
        | Expr::Bool { .. }
        | Expr::Null { .. }
        | Expr::Var { .. } => {}
        Expr::Array { items, .. } | Expr::Set { items, .. } => items.iter().for_each(|item| one(item)),
        Expr::Object { fields, .. } => fields.iter().for_each(|(_, key, value)| {
            one(key);
            one(value);
        }),
        Expr::ArrayCompr { term, query, .. } | Expr::SetCompr { term, query, .. } => {
            one(term);
            visit(Child::Query(query));
        }
        Expr::ObjectCompr { key, value, query, .. } => {
            one(key);
            one(value);
            visit(Child::Query(query));
        }
        Expr::Call { params, .. } => params.iter().for_each(|param| one(param)),
        Expr::UnaryExpr { expr, .. } => one(expr),
        Expr::RefDot { refr, .. } => one(refr),
        Expr::RefBrack { refr, index, .. } => {
            one(refr);
            one(index);
        }
        Expr::BinExpr { lhs, rhs, .. }
        | Expr::BoolExpr { lhs, rhs, .. }
        | Expr::ArithExpr { lhs, rhs, .. }
        | Expr::AssignExpr { lhs, rhs, .. } => {
            one(lhs);
            one(rhs);
        }
        Expr::Membership { key, value, collection, .. } => {
            key.iter().for_each(|key| one(key));
            one(value);
            one(collection);
        }
    }
}
