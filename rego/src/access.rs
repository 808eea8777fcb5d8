//! The shipped library that decides access rules.
use crate::Module;

/// `rego/policies/access.rego`: compile it with the access rules as `data.access.rules`.
///
/// `data`: `{"access": {"rules": [{"resource": glob, "allowed_roles": […], "allowed_actions": […], "index": n}]}}`.
/// `input`: `{"roles": […], "action": …, "resource": …, "conditions": {"<index>": bool}}`, where `conditions` says for
/// each rule that has conditions (hours, networks) whether they hold now.
pub fn access_library() -> Module {
    Module { name: "access.rego".to_owned(), source: include_str!("../policies/access.rego").to_owned() }
}
