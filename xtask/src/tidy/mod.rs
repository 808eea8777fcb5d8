//! placeholder
use crate::failure::Outcome;
pub(crate) fn run(_rest: &[String]) -> Outcome {
    Ok(())
}
