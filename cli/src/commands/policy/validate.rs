//! `policy validate`: reads and compiles policies as the sidecars do, without a control plane.

use serde_json::{Value, json};

use crate::{
    args::policy::Validate,
    commands::printed,
    documents::Documents,
    failure::{Failure, Outcome},
    output::{GOOD, Output, counted, say, styled},
};

/// Says everything that is wrong.
pub(crate) fn run(output: Output, args: &Validate) -> Outcome {
    let documents = Documents::read(&args.files)?;
    let (policies, errors) = (documents.documents.len(), documents.errors());
    let (warnings, agents) = (documents.remarks.len() - errors, documents.agents.len());
    if output.for_programs() {
        let remarks: Vec<Value> = documents.remarks.iter().map(crate::documents::Remark::json).collect();
        let report =
            json!({ "valid": errors == 0, "policies": policies, "agents": agents, "diagnostics": remarks });
        printed(output.text(&format!("{report:#}")))?;
    } else {
        for remark in &documents.remarks {
            printed(output.text(&remark.shown()))?;
        }
        match errors {
            0 => {
                let mut policies = counted(policies, "policy");
                if agents > 0 {
                    policies += &format!(", {}", counted(agents, "agent"));
                }
                let aside =
                    if warnings == 0 { String::new() } else { format!(", {}", counted(warnings, "warning")) };
                printed(output.text(&styled(GOOD, format!("{policies}: valid{aside}"))))?;
            }
            _ => say(format_args!("{}, {}", counted(errors, "error"), counted(warnings, "warning"))),
        }
    }
    if errors > 0 || (args.strict && warnings > 0) { Err(Failure::policy()) } else { Ok(()) }
}
