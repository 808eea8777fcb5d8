//! Starting other programs, and reporting progress.
//!
//! Progress goes to standard error: standard output belongs to the command that was asked for.

use std::fs::File;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

use crate::failure::{Doing, Failure, Outcome};

/// Says one line of progress.
pub(crate) fn say(line: impl std::fmt::Display) {
    eprintln!("xtask: {line}");
}

/// Runs a program with our own standard streams; its failure is ours.
pub(crate) fn run(command: &mut Command) -> Outcome {
    let name = shown(command);
    let status = command.status().doing(format_args!("start `{name}`"))?;
    if status.success() { Ok(()) } else { Err(Failure::new(format!("`{name}` failed ({status})"))) }
}

/// Runs a program with its output in `log`; if it fails, the end of the log is shown.
pub(crate) fn run_logged(command: &mut Command, log: &Path) -> Outcome {
    let name = shown(command);
    let file = File::create(log).doing(format_args!("write {}", log.display()))?;
    let copy = file.try_clone().doing(format_args!("write {}", log.display()))?;
    let started = Instant::now();
    let status = command
        .stdin(Stdio::null())
        .stdout(file)
        .stderr(copy)
        .status()
        .doing(format_args!("start `{name}`"))?;
    if status.success() {
        say(format_args!("  done in {:.0} s: {name}", started.elapsed().as_secs_f64()));
        return Ok(());
    }
    let text = std::fs::read_to_string(log).unwrap_or_default();
    let lines: Vec<&str> = text.lines().collect();
    let tail = lines.get(lines.len().saturating_sub(20)..).unwrap_or_default().join("\n  ");
    Err(Failure::new(format!("`{name}` failed ({status}); the end of {}:\n  {tail}", log.display())))
}

/// What a program prints on standard output, trimmed.
pub(crate) fn output(command: &mut Command) -> Outcome<String> {
    let name = shown(command);
    let output = command
        .stderr(Stdio::inherit())
        .stdin(Stdio::null())
        .output()
        .doing(format_args!("start `{name}`"))?;
    if !output.status.success() {
        return Err(Failure::new(format!("`{name}` failed ({})", output.status)));
    }
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

/// The cargo that runs us.
pub(crate) fn cargo() -> Command {
    Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
}

/// Program and arguments on one line, shortened.
fn shown(command: &Command) -> String {
    let mut line = command.get_program().to_string_lossy().into_owned();
    if let Some((_, name)) = line.rsplit_once('/') {
        line = name.to_owned();
    }
    for argument in command.get_args().take(6) {
        line.push(' ');
        line.push_str(&argument.to_string_lossy());
    }
    line
}
