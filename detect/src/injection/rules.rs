//! The rules: sequences of word classes.

use super::lexicon::Classes;
use super::verdict::Family::{self, *};
use super::words::*;

/// One step: a word of one of these classes, at most `gap` words after the step before it.
pub(super) type Step = (Classes, u8);

/// A sequence of words and what it is worth as evidence (from 0 to 1).
#[derive(Debug)]
pub(super) struct Rule {
    pub(super) name: &'static str,
    pub(super) family: Family,
    pub(super) weight: f32,
    pub(super) steps: &'static [Step],
}

const fn rule(family: Family, weight: f32, name: &'static str, steps: &'static [Step]) -> Rule {
    Rule { name, family, weight, steps }
}

/// All rules.
pub(super) const RULES: &[Rule] = &[
    // Instruction override
    rule(
        InstructionOverride,
        0.9,
        "override/prior-instructions",
        &[(OVERRIDE, 0), (PRIOR, 5), (INSTRUCTION, 3)],
    ),
    rule(
        InstructionOverride,
        0.75,
        "override/all-instructions",
        &[(OVERRIDE, 0), (ALL, 2), (INSTRUCTION, 3)],
    ),
    rule(
        InstructionOverride,
        0.8,
        "override/instructions-above",
        &[(OVERRIDE, 0), (INSTRUCTION, 4), (ABOVE, 3)],
    ),
    rule(
        InstructionOverride,
        0.8,
        "override/what-was-said",
        &[(OVERRIDE, 0), (ANYTHING, 3), (YOU, 3), (GIVEN, 3)],
    ),
    rule(InstructionOverride, 0.75, "override/all-above", &[(OVERRIDE, 0), (ALL, 2), (ABOVE, 2)]),
    rule(
        InstructionOverride,
        0.75,
        "override/do-not-follow",
        &[(NOT, 0), (FOLLOW, 2), (PRIOR.or(ALL), 3), (INSTRUCTION, 3)],
    ),
    rule(InstructionOverride, 0.6, "override/stop-following", &[(STOP, 0), (FOLLOW, 2), (INSTRUCTION, 4)]),
    rule(InstructionOverride, 0.45, "override/new-instructions", &[(NEW, 0), (INSTRUCTION, 1)]),
    rule(
        InstructionOverride,
        0.4,
        "override/from-now-on",
        &[(LINK, 0), (NOW, 0), (NOW.or(LINK), 0), (YOU, 3)],
    ),
    // Extraction of hidden instructions
    rule(
        PromptExtraction,
        0.85,
        "extract/your-system-prompt",
        &[(REVEAL, 0), (YOU, 4), (SYSTEM.or(PRIOR), 3), (INSTRUCTION, 2)],
    ),
    rule(PromptExtraction, 0.7, "extract/your-instructions", &[(REVEAL, 0), (YOU, 3), (INSTRUCTION, 2)]),
    rule(PromptExtraction, 0.6, "extract/system-prompt", &[(REVEAL, 0), (SYSTEM, 4), (INSTRUCTION, 1)]),
    rule(PromptExtraction, 0.75, "extract/text-above", &[(REVEAL, 0), (TEXT, 3), (ABOVE, 2)]),
    rule(
        PromptExtraction,
        0.6,
        "extract/what-are-your-instructions",
        &[(WHAT, 0), (YOU, 3), (SYSTEM.or(PRIOR), 3), (INSTRUCTION, 2)],
    ),
    // Personas without rules
    rule(Jailbreak, 0.8, "jailbreak/do-anything-now", &[(DO, 0), (ANYTHING, 0), (NOW, 0)]),
    rule(Jailbreak, 0.5, "jailbreak/free-of-limits", &[(FREE, 0), (LIMIT, 4)]),
    rule(Jailbreak, 0.6, "jailbreak/developer-mode", &[(DEVELOPER, 0), (MODE, 1)]),
    rule(Jailbreak, 0.6, "jailbreak/pretend-unbound", &[(PRETEND, 0), (UNBOUND, 8)]),
    rule(Jailbreak, 0.45, "jailbreak/never-refuse", &[(NEVER.or(NOT), 0), (REFUSE, 3)]),
    // Exfiltration
    rule(Exfiltration, 0.6, "exfiltrate/data-to-place", &[(SEND, 0), (DATA, 6), (PLACE, 8)]),
    // Poisoned descriptions and planted orders
    rule(ToolPoisoning, 0.7, "tool/do-not-tell-user", &[(NOT.or(NEVER), 0), (TELL, 2), (USER, 4)]),
    rule(ToolPoisoning, 0.5, "tool/before-use-read", &[(BEFORE, 0), (USE, 3), (TOOL, 3), (USE, 12)]),
];
