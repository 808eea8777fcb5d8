//! Harness shared by the test rings.
