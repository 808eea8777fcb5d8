//! The policy language: Rego modules compiled once, evaluated for every request.
//!
//! This is the only crate that names the Rego interpreter. [`Rego::compile`] reads and checks an author's modules;
//! [`Rego::decide`] asks them about one request.
//!
//! **What a module looks like.** `package mesh`, Rego v1. `deny` and `warn` are sets (or arrays) of messages, a message
//! being a string or an object with `message`, or they are booleans; `allow`, where it is defined, must be true. A rule
//! that is undefined has no opinion.
//!
//! **Failure law.** Whatever goes wrong in an evaluation is an error, never an opinion: a built-in function that gets a
//! value it can not take, two values for one rule, a budget used up. The caller closes or opens as its policy says.
//!
//! **Bounds.** Modules are bounded in size, nesting and call depth before anything recursive reads them. Recursion,
//! unknown functions and functions that look at anything but their arguments (clock, randomness, network) are compile
//! errors. An evaluation has a budget of interpreter steps, the same on every machine; functions whose result can be
//! much larger than their arguments are bounded too.
//! What is not bounded: values that share structure (`a := [b, b]`, `b := [c, c]`, …) or numbers that are squared
//! again and again grow exponentially with the length of the module at one step each. Such a module has to be written
//! on purpose, and authors are trusted not to.
#![deny(clippy::disallowed_methods)]
#![deny(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing))]

mod access;
mod builtins;
mod check;
mod error;
mod expression;
mod names;

mod program;
mod scan;
mod tests;
mod value;
mod verdict;

pub use access::access_library;
pub use error::RegoError;
pub use program::{Module, Rego, STEP_BUDGET};
pub use tests::{TestRun, run_tests};
pub use value::Input;
pub use verdict::Verdict;
