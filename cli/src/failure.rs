//! How a command ends badly: the sentence for the user, and the exit code.

use std::{fmt, path::Path};

/// Exit codes of `ai-mesh`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    /// It was tried and failed.
    Failed = 1,
    /// It could not be tried: wrong usage, or something in the environment is missing or in the way.
    Environment = 2,
    /// A policy is invalid, or a sidecar refused it.
    Policy = 3,
}

/// The end of a command that failed.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) exit: Exit,
    /// What happened. Empty when everything has been said already.
    pub(crate) message: String,
    /// What to do.
    pub(crate) hint: Option<String>,
}

/// What a command gives.
pub(crate) type Outcome<T = ()> = Result<T, Failure>;

impl Failure {
    /// It was tried and failed.
    pub(crate) fn failed(message: impl Into<String>) -> Self {
        Self { exit: Exit::Failed, message: message.into(), hint: None }
    }

    /// It could not be tried.
    pub(crate) fn environment(message: impl Into<String>) -> Self {
        Self { exit: Exit::Environment, message: message.into(), hint: None }
    }

    /// A policy is invalid or was refused, which has been printed already.
    pub(crate) fn policy() -> Self {
        Self { exit: Exit::Policy, message: String::new(), hint: None }
    }

    /// A file or folder that can't be read or written.
    pub(crate) fn file(what: &str, path: &Path, error: &std::io::Error) -> Self {
        Self::environment(format!("can't {what} {}: {error}", path.display()))
    }

    /// The same with what to do about it.
    #[must_use]
    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// The same with another exit code.
    #[must_use]
    pub(crate) fn exit(mut self, exit: Exit) -> Self {
        self.exit = exit;
        self
    }
}

/// The sentence, and on a line of its own what to do.
impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        match &self.hint {
            Some(hint) => write!(f, "\n  {hint}"),
            None => Ok(()),
        }
    }
}
