//! The tests' Python as a second opinion.
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::tool;

/// What a script of `tests/clients/python` answers to a question, both in JSON.
pub fn ask_python(script: &str, question: Value) -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("clients/python").join(script);
    let mut python = Command::new(tool("AI_MESH_PYTHON"))
        .arg(path)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("the tests' Python");
    let mut stdin = python.stdin.take().expect("a pipe");
    let writer = std::thread::spawn(move || stdin.write_all(question.to_string().as_bytes()));
    let output = python.wait_with_output().expect("it ends");
    assert!(output.status.success(), "{script} failed");
    writer.join().expect("the writer").expect("all of the question was read");
    serde_json::from_slice(&output.stdout).expect("JSON")
}
