//! The rules: sequences of word classes.
//!
//! They follow the mechanics of an attack, not its wording: earlier instructions are declared void; something hidden is
//! requested; a persona without rules is set up; data is sent somewhere; people are kept from noticing. Single rules
//! are weak on purpose; what counts is the combination.

use super::lexicon::Classes;
use super::verdict::Family::{self, *};
use super::words::*;

/// One step: a word of one of these classes, with at most `gap` words between it and the previous step.
pub(super) type Step = (Classes, u8);

/// A sequence of words and its weight as evidence, from 0 to 1.
#[derive(Debug)]
pub(super) struct Rule {
    pub(super) name: &'static str,
    pub(super) family: Family,
    /// The weight in a user's text.
    pub(super) user: f32,
    /// The weight in texts that should only inform: tool results, documents, definitions.
    pub(super) data: f32,
    pub(super) steps: &'static [Step],
    /// It announces a speaker, and has its full weight only as a heading.
    pub(super) heading: bool,
    /// Ordinary tool descriptions also say this: how and when to use the tool.
    pub(super) usual: bool,
    /// It calls on a model, and has its full weight only where the model is addressed.
    pub(super) calls: bool,
}

const fn rule(family: Family, (user, data): (f32, f32), name: &'static str, steps: &'static [Step]) -> Rule {
    Rule { name, family, user, data, steps, heading: false, usual: false, calls: false }
}

const fn heading(rule: Rule) -> Rule {
    Rule { heading: true, ..rule }
}

const fn usual(rule: Rule) -> Rule {
    Rule { usual: true, ..rule }
}

const fn calls(rule: Rule) -> Rule {
    Rule { calls: true, ..rule }
}

const HIDDEN: Classes = SYSTEM.or(PRIOR);
/// Applies only within its own part of a sentence.
pub(super) const NEGATED: Classes = NOT.or(NEVER);

/// All rules.
pub(super) const RULES: &[Rule] = &[
    // Earlier instructions are void.
    rule(
        InstructionOverride,
        (0.9, 0.95),
        "override/prior-instructions",
        &[(OVERRIDE, 0), (PRIOR, 4), (INSTRUCTION, 3)],
    ),
    rule(
        InstructionOverride,
        (0.6, 0.7),
        "override/prior-messages",
        &[(OVERRIDE, 0), (PRIOR, 3), (POLICY, 0)],
    ),
    // Languages with the adjective last.
    rule(
        InstructionOverride,
        (0.75, 0.85),
        "override/instructions-prior",
        &[(OVERRIDE, 0), (INSTRUCTION, 3), (PRIOR, 0)],
    ),
    // Languages with the verb last.
    rule(
        InstructionOverride,
        (0.8, 0.85),
        "override/prior-instructions-void",
        &[(PRIOR, 0), (INSTRUCTION, 2), (OVERRIDE, 3)],
    ),
    rule(
        PromptExtraction,
        (0.5, 0.6),
        "extract/hidden-prompt-shown",
        &[(SYSTEM, 0), (INSTRUCTION, 1), (LEAK, 4)],
    ),
    rule(
        InstructionOverride,
        (0.6, 0.7),
        "override/all-instructions",
        &[(OVERRIDE, 0), (ALL, 2), (INSTRUCTION, 3)],
    ),
    rule(
        InstructionOverride,
        (0.75, 0.85),
        "override/instructions-above",
        &[(OVERRIDE, 0), (INSTRUCTION, 4), (ABOVE, 3)],
    ),
    rule(
        InstructionOverride,
        (0.7, 0.8),
        "override/what-was-said",
        &[(OVERRIDE, 0), (ANYTHING, 3), (GIVEN.or(ABOVE), 4)],
    ),
    rule(InstructionOverride, (0.45, 0.65), "override/the-above", &[(OVERRIDE, 0), (ALL, 0), (ABOVE, 0)]),
    rule(
        InstructionOverride,
        (0.7, 0.8),
        "override/do-not-follow",
        &[(NEGATED, 0), (FOLLOW, 2), (PRIOR.or(YOU), 3), (INSTRUCTION, 3)],
    ),
    rule(
        InstructionOverride,
        (0.7, 0.8),
        "override/do-not-follow-above",
        &[(NEGATED, 0), (FOLLOW, 2), (INSTRUCTION, 5), (ABOVE, 2)],
    ),
    rule(
        InstructionOverride,
        (0.5, 0.6),
        "override/stop-following",
        &[(STOP, 0), (FOLLOW, 2), (INSTRUCTION, 4)],
    ),
    usual(rule(InstructionOverride, (0.3, 0.4), "override/new-instructions", &[(NEW, 0), (INSTRUCTION, 1)])),
    usual(rule(InstructionOverride, (0.2, 0.35), "override/new-task", &[(NEW, 0), (TASK, 1)])),
    rule(
        InstructionOverride,
        (0.38, 0.38),
        "override/instructions-changed",
        &[(PRIOR.or(YOU), 0), (INSTRUCTION.or(TASK), 3), (CHANGED, 4)],
    ),
    rule(InstructionOverride, (0.25, 0.15), "override/limits-lifted", &[(LIMIT, 0), (CHANGED, 3)]),
    usual(rule(InstructionOverride, (0.4, 0.3), "override/you-are-now", &[(YOU, 0), (CAN, 0), (NOW, 0)])),
    rule(
        InstructionOverride,
        (0.4, 0.5),
        "override/from-now-on",
        &[(LINK, 0), (NOW, 0), (LINK, 0), (YOU.or(SAY).or(ME), 3)],
    ),
    usual(rule(InstructionOverride, (0.15, 0.3), "override/and-say", &[(OVERRIDE, 0), (SAY, 5)])),
    rule(
        InstructionOverride,
        (0.45, 0.6),
        "override/data-and-say",
        &[(OVERRIDE, 0), (TEXT.or(DATA), 4), (SAY, 3)],
    ),
    rule(
        InstructionOverride,
        (0.45, 0.6),
        "override/instructions",
        &[(OVERRIDE, 0), (INSTRUCTION, 0), (SAY, 3)],
    ),
    rule(
        InstructionOverride,
        (0.5, 0.5),
        "override/say-granted",
        &[(SAY.or(REVEAL), 0), (ACCESS, 3), (GRANTED, 0)],
    ),
    rule(
        InstructionOverride,
        (0.45, 0.45),
        "override/rules-and-reveal",
        &[(OVERRIDE, 0), (INSTRUCTION, 3), (REVEAL.or(LEAK), 4)],
    ),
    // A warning against them also says this: "if it holds instructions, ignore them and tell the user".
    usual(rule(
        InstructionOverride,
        (0.4, 0.5),
        "override/rules-void-and-reveal",
        &[(INSTRUCTION, 0), (OVERRIDE, 2), (REVEAL.or(LEAK), 6)],
    )),
    rule(
        InstructionOverride,
        (0.6, 0.7),
        "override/makers-rules",
        &[(OVERRIDE, 0), (INSTRUCTION, 2), (DEVELOPER.or(MAKER), 3)],
    ),
    rule(
        InstructionOverride,
        (0.5, 0.6),
        "override/makers-rules-void",
        &[(DEVELOPER.or(MAKER), 0), (INSTRUCTION, 2), (OVERRIDE, 3)],
    ),
    rule(InstructionOverride, (0.4, 0.5), "override/follow-only-me", &[(FOLLOW, 0), (MUST, 1), (ME, 1)]),
    rule(
        InstructionOverride,
        (0.35, 0.45),
        "override/only-my-orders",
        &[(MUST, 0), (ME, 1), (INSTRUCTION.or(POLICY), 1)],
    ),
    // Hidden text is requested.
    rule(
        PromptExtraction,
        (0.8, 0.85),
        "extract/your-hidden-prompt",
        &[(REVEAL, 0), (YOU, 4), (HIDDEN, 3), (INSTRUCTION, 2)],
    ),
    rule(
        PromptExtraction,
        (0.5, 0.6),
        "extract/your-instructions",
        &[(REVEAL, 0), (YOU, 3), (INSTRUCTION, 2)],
    ),
    rule(
        PromptExtraction,
        (0.5, 0.6),
        "extract/hidden-prompt",
        &[(REVEAL, 0), (SYSTEM, 4), (INSTRUCTION, 1)],
    ),
    rule(PromptExtraction, (0.5, 0.55), "extract/prior-prompt", &[(REVEAL, 0), (PRIOR, 3), (INSTRUCTION, 1)]),
    rule(
        PromptExtraction,
        (0.5, 0.5),
        "extract/text-above",
        &[(LEAK, 0), (TEXT.or(ANYTHING), 2), (ABOVE, 2)],
    ),
    rule(
        PromptExtraction,
        (0.5, 0.5),
        "extract/repeat-all-of-prompt",
        &[(LEAK, 0), (TEXT.or(ANYTHING), 2), (INSTRUCTION, 4)],
    ),
    rule(
        PromptExtraction,
        (0.6, 0.6),
        "extract/what-is-your-prompt",
        &[(WHAT, 0), (YOU, 3), (HIDDEN, 2), (INSTRUCTION, 1)],
    ),
    rule(
        PromptExtraction,
        (0.35, 0.35),
        "extract/what-are-your-instructions",
        &[(WHAT, 0), (YOU, 2), (INSTRUCTION, 1)],
    ),
    rule(
        PromptExtraction,
        (0.45, 0.45),
        "extract/instructions-you-were-given",
        &[(REVEAL.or(LEAK).or(WHAT).or(OVERRIDE), 0), (INSTRUCTION, 4), (YOU, 2), (GIVEN, 3)],
    ),
    // An announcement of a mode also mentions them.
    rule(
        PromptExtraction,
        (0.25, 0.25),
        "extract/instructions-given",
        &[(INSTRUCTION, 0), (YOU, 2), (GIVEN, 3)],
    ),
    rule(PromptExtraction, (0.15, 0.2), "extract/repeat-instructions", &[(LEAK, 0), (INSTRUCTION, 4)]),
    rule(PromptExtraction, (0.3, 0.3), "extract/instructions-verbatim", &[(INSTRUCTION, 0), (VERBATIM, 4)]),
    rule(PromptExtraction, (0.2, 0.2), "extract/passcode", &[(REVEAL, 0), (ACCESS, 4)]),
    rule(PromptExtraction, (0.35, 0.4), "extract/secret-passcode", &[(REVEAL, 0), (SYSTEM, 3), (ACCESS, 1)]),
    rule(
        PromptExtraction,
        (0.5, 0.5),
        "extract/text-you-were-given",
        &[(REVEAL.or(LEAK), 0), (TEXT.or(ANYTHING), 2), (YOU, 1), (GIVEN, 3)],
    ),
    rule(
        PromptExtraction,
        (0.4, 0.45),
        "extract/your-first-message",
        &[(REVEAL.or(LEAK), 0), (YOU, 3), (HIDDEN, 1), (POLICY, 0)],
    ),
    usual(rule(
        PromptExtraction,
        (0.2, 0.35),
        "extract/system-prompt-named",
        &[(SYSTEM, 0), (INSTRUCTION, 0)],
    )),
    // A persona without rules.
    rule(Jailbreak, (0.7, 0.7), "jailbreak/do-anything-now", &[(DO, 0), (ANYTHING, 0), (NOW, 0)]),
    rule(Jailbreak, (0.38, 0.3), "jailbreak/free-of-limits", &[(FREE, 0), (LIMIT, 4)]),
    // Languages that put what is missing first.
    rule(Jailbreak, (0.2, 0.15), "jailbreak/limits-none", &[(LIMIT, 0), (FREE, 2)]),
    rule(Jailbreak, (0.5, 0.5), "jailbreak/play-free-of-limits", &[(PRETEND, 0), (FREE, 12), (LIMIT, 4)]),
    rule(Jailbreak, (0.5, 0.45), "jailbreak/model-free-of-limits", &[(AI, 0), (FREE, 10), (LIMIT, 4)]),
    rule(Jailbreak, (0.4, 0.4), "jailbreak/you-free-of-limits", &[(YOU, 0), (FREE, 5), (LIMIT, 4)]),
    usual(rule(
        Jailbreak,
        (0.45, 0.5),
        "jailbreak/need-not-follow",
        &[(NEGATED, 0), (FOLLOW, 4), (LIMIT.or(INSTRUCTION), 4)],
    )),
    rule(Jailbreak, (0.35, 0.37), "jailbreak/mode", &[(DEVELOPER.or(UNBOUND), 0), (MODE, 0)]),
    // Languages that put the kind after "mode".
    rule(Jailbreak, (0.35, 0.4), "jailbreak/mode-of", &[(MODE, 0), (DEVELOPER, 1)]),
    rule(Jailbreak, (0.5, 0.5), "jailbreak/play-unbound", &[(PRETEND, 0), (UNBOUND, 8)]),
    rule(Jailbreak, (0.5, 0.5), "jailbreak/model-unbound", &[(AI, 0), (UNBOUND, 6)]),
    rule(Jailbreak, (0.3, 0.3), "jailbreak/never-refuse", &[(NEGATED, 0), (REFUSE, 3)]),
    rule(Jailbreak, (0.45, 0.45), "jailbreak/never-say-never", &[(NEGATED, 0), (SAY, 2), (NEVER, 4)]),
    rule(Jailbreak, (0.45, 0.45), "jailbreak/stay-in-character", &[(STAY, 0), (CHARACTER, 3)]),
    rule(Jailbreak, (0.35, 0.35), "jailbreak/regardless-of-harm", &[(FREE, 0), (HARM, 6)]),
    rule(Jailbreak, (0.3, 0.3), "jailbreak/harm-listed", &[(HARM, 0), (HARM, 3)]),
    rule(Jailbreak, (0.45, 0.3), "jailbreak/maker-limits", &[(MAKER, 0), (LIMIT, 4)]),
    rule(Jailbreak, (0.35, 0.3), "jailbreak/can-do-anything", &[(CAN, 0), (DO, 0), (ANYTHING, 0)]),
    rule(
        Jailbreak,
        (0.4, 0.4),
        "jailbreak/must-comply",
        &[(MUST, 0), (COMPLY, 2), (ANYTHING.or(ALL), 3), (REQUEST, 1)],
    ),
    // Data is sent out.
    rule(
        Exfiltration,
        (0.3, 0.4),
        "exfiltrate/data-to-place",
        &[(SEND, 0), (DATA, 6), (PLACE.or(ADDRESS), 8)],
    ),
    rule(Exfiltration, (0.05, 0.35), "exfiltrate/to-address", &[(SEND, 0), (ADDRESS, 8)]),
    usual(rule(
        Exfiltration,
        (0.2, 0.25),
        "exfiltrate/reveal-secrets",
        &[(REVEAL, 0), (ALL.or(SYSTEM), 2), (DATA, 2), (DATA, 4)],
    )),
    usual(heading(rule(
        IndirectInstruction,
        (0.2, 0.4),
        "indirect/system-message",
        &[(SYSTEM, 0), (POLICY, 0)],
    ))),
    usual(rule(IndirectInstruction, (0.05, 0.25), "indirect/repeat-this", &[(LEAK, 0), (TEXT, 3)])),
    // Orders where there should be none, and hiding things from people.
    usual(rule(
        IndirectInstruction,
        (0.05, 0.35),
        "indirect/before-your-task",
        &[(BEFORE, 0), (YOU, 0), (TASK, 6)],
    )),
    rule(
        IndirectInstruction,
        (0.0, 0.3),
        "indirect/important-message",
        &[(IMPORTANT, 0), (POLICY, 0), (LINK, 0)],
    ),
    calls(rule(IndirectInstruction, (0.1, 0.4), "indirect/attention-model", &[(IMPORTANT, 0), (AI, 3)])),
    calls(rule(
        IndirectInstruction,
        (0.0, 0.3),
        "indirect/instructions-for-model",
        &[(INSTRUCTION.or(IMPORTANT).or(OVERRIDE), 0), (LINK, 0), (AI, 2)],
    )),
    usual(rule(IndirectInstruction, (0.0, 0.25), "indirect/model-must", &[(AI, 0), (MUST.or(IMPORTANT), 4)])),
    usual(rule(
        IndirectInstruction,
        (0.0, 0.33),
        "indirect/model-keeps-quiet",
        &[(AI, 0), (NEGATED, 8), (TELL, 3)],
    )),
    usual(rule(
        IndirectInstruction,
        (0.0, 0.35),
        "indirect/model-overrides",
        &[(AI, 0), (OVERRIDE.or(STOP), 5), (INSTRUCTION.or(POLICY).or(USER).or(REQUEST), 4)],
    )),
    usual(rule(
        IndirectInstruction,
        (0.0, 0.35),
        "indirect/model-sends",
        &[(AI, 0), (SEND, 8), (DATA.or(ADDRESS), 6)],
    )),
    rule(
        IndirectInstruction,
        (0.2, 0.45),
        "indirect/you-are-instructed",
        &[(YOU, 0), (CAN, 0), (GIVEN, 1), (LINK, 0)],
    ),
    rule(IndirectInstruction, (0.1, 0.4), "indirect/stop-what-you-do", &[(STOP, 0), (WHAT, 0), (YOU, 0)]),
    rule(
        IndirectInstruction,
        (0.1, 0.2),
        "indirect/end-of-data",
        &[(STOP, 0), (LINK, 0), (TOOL.or(TEXT).or(DATA), 0)],
    ),
    rule(IndirectInstruction, (0.1, 0.3), "indirect/true-request", &[(NEW, 0), (USER, 0), (REQUEST, 0)]),
    rule(
        IndirectInstruction,
        (0.0, 0.2),
        "indirect/call-identifier-with",
        &[(USE, 0), (IDENTIFIER, 0), (LINK, 0)],
    ),
    rule(IndirectInstruction, (0.0, 0.15), "indirect/call-identifier", &[(USE, 0), (IDENTIFIER, 1)]),
    usual(rule(
        IndirectInstruction,
        (0.2, 0.25),
        "indirect/append-to-answer",
        &[(APPEND, 0), (ALL, 5), (RESPONSE, 2)],
    )),
    usual(rule(
        IndirectInstruction,
        (0.2, 0.35),
        "indirect/before-answering",
        &[(BEFORE, 0), (SAY.or(RESPONSE), 1), (USE.or(SEND), 4)],
    )),
    usual(rule(IndirectInstruction, (0.1, 0.25), "indirect/only-say", &[(MUST, 0), (SAY, 1)])),
    rule(
        IndirectInstruction,
        (0.1, 0.6),
        "indirect/ignore-users-request",
        &[(OVERRIDE, 0), (USER, 2), (REQUEST, 1)],
    ),
    rule(
        IndirectInstruction,
        (0.1, 0.6),
        "indirect/ignore-request-of-user",
        &[(OVERRIDE, 0), (REQUEST, 2), (USER, 2)],
    ),
    rule(
        IndirectInstruction,
        (0.1, 0.5),
        "indirect/do-not-follow-user",
        &[(NEGATED, 0), (FOLLOW, 2), (USER, 4)],
    ),
    rule(ToolPoisoning, (0.25, 0.7), "tool/do-not-tell-user", &[(NEGATED, 0), (TELL, 3), (USER, 4)]),
    rule(
        ToolPoisoning,
        (0.3, 0.5),
        "tool/do-not-mention",
        &[(NEGATED, 0), (TELL, 2), (LINK.or(YOU), 4), (USE.or(DATA), 4)],
    ),
    rule(ToolPoisoning, (0.25, 0.4), "tool/secretly", &[(SECRETLY, 0), (SEND.or(USE), 3)]),
    usual(rule(
        ToolPoisoning,
        (0.05, 0.15),
        "tool/before-use",
        &[(BEFORE, 0), (USE, 2), (TOOL.or(IDENTIFIER), 2)],
    )),
    rule(ToolPoisoning, (0.05, 0.3), "tool/must-first", &[(YOU, 0), (MUST, 0), (BEFORE, 1), (USE, 1)]),
    usual(rule(ToolPoisoning, (0.0, 0.3), "tool/rather-than-others", &[(TOOL, 0), (INSTEAD, 3)])),
    // Encoded orders.
    usual(rule(EncodedPayload, (0.4, 0.4), "encoded/decode-and-follow", &[(DECODE, 0), (FOLLOW, 6)])),
    rule(EncodedPayload, (0.3, 0.25), "encoded/decode-this", &[(DECODE, 0), (DECODE, 5)]),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_rule_has_two_steps_and_a_name_of_its_own() {
        let names: std::collections::HashSet<_> = RULES.iter().map(|rule| rule.name).collect();
        assert_eq!(names.len(), RULES.len());
        for rule in RULES {
            assert!(rule.steps.len() > 1, "{}", rule.name);
        }
    }
}
