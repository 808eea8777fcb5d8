//! One scenario suite over every implementation of the ports.
//!
//! A scenario is a function over a port; `stamp!` at the end of each file makes a test of it for each implementation. Servers
//! come from `AI_MESH_TEST_POSTGRES` and `AI_MESH_TEST_REDIS` (URLs), else from what is installed; where there is none, the
//! tests fail and say what to install.

mod decisions;
mod lent;
mod opening;
mod policies;
mod restarts;
mod support;
mod tools;
mod windows;
