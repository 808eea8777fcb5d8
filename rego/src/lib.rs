//! The policy language: Rego modules compiled once, evaluated for every request.
//!
//! This is the only crate that names the Rego interpreter. [`Rego::compile`] reads and checks an author's modules;
//! [`Rego::decide`] asks them about one request.
//!
//! **What a module looks like.** `package mesh`, Rego v1; it may import other packages that are compiled with it. `deny` and `warn` are sets (or arrays) of messages, a message
//! being a string or an object with `message`, or they are booleans; `allow`, where it is defined, must be true. A rule
//! that is undefined has no opinion.
//!
//! **Failure law.** Whatever goes wrong in an evaluation is an error, never an opinion: a built-in function that gets a
//! value it cannot take, two values for one rule, a budget used up. The caller closes or opens as its policy says.
//!
//! **Bounds.** Modules are bounded in size, nesting and call depth before anything recursive reads them. Recursion,
//! unknown functions and functions that look at anything but their arguments (clock, randomness, network) are compile
//! errors. An evaluation has a budget of interpreter steps, the same on every machine, and one of memory: what functions and
//! operators make is charged to it ([`MEMORY_BUDGET`]), whether it is kept or not.
//! What is not bounded: values that share structure (`a := [b, b]`, `b := [c, c]`, …) take no memory, but comparing two of
//! them takes time that grows exponentially with the length of the module. Such a module has to be written on purpose, and
//! authors are trusted not to.
#![deny(clippy::disallowed_methods)]
#![deny(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing))]

mod access;
mod builtins;
mod check;
mod error;
mod expression;
mod index;
mod meter;
mod names;
mod program;
mod scan;
#[cfg(feature = "tests")]
mod tests;
mod tree;
mod value;
mod verdict;

pub use access::access_library;
pub use check::PACKAGE;
pub use error::RegoError;
pub use program::{MEMORY_BUDGET, Module, Rego, STEP_BUDGET};
#[cfg(feature = "tests")]
pub use tests::{Coverage, TestRun, Tested, run_tests};
pub use value::Input;
pub use verdict::Verdict;
