//! The second opinion, without a proxy: what is asked, and what an answer does.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::expect_used, clippy::panic, missing_docs)]

mod support;

use std::rc::Rc;

use mesh_engine::{
    Detector, Effect, Judgement, Label, MAX_WINDOW_BYTES, MAX_WINDOWS, Program, Session, Step, compile,
};
use serde_json::{Value, json};

use crate::support::{begun, bundle, post, program};

/// A session that has read a chat with these messages.
fn asked(program: &Rc<Program>, texts: &[String]) -> Session {
    let messages: Vec<Value> = texts.iter().map(|text| json!({ "role": "user", "content": text })).collect();
    let body = json!({ "model": "m", "messages": messages }).to_string();
    let mut session = begun(program, post("/v1/chat/completions"));
    assert!(matches!(session.request(body.as_bytes(), 0), Step::Continue));
    session
}

/// Everything is doubtful from a score of 0 on, but for what is found.
const ANYTHING: &str = "the weather report of the northern branch";

fn says(score: f32) -> Vec<Label> {
    vec![Label { label: "injection".into(), score }, Label { label: "benign".into(), score: 1.0 - score }]
}

/// A band that no score falls into is a mistake, and is told with its field.
#[test]
fn a_judge_that_would_never_be_asked_is_refused() {
    for (rule, wrong) in [
        (json!({ "judge": { "from": 0.49 } }), false),
        (json!({ "judge": { "from": 0.5 } }), true),
        (json!({ "sensitivity": "high", "judge": { "from": 0.45 } }), true),
        (json!({ "sensitivity": "low", "judge": { "from": 0.7 } }), false),
    ] {
        let bundle = bundle(json!({ "rules": [{ "injection": rule }] }));
        let refused = compile(&bundle, Rc::new(Detector::new())).err();
        let said = refused.map(|refused| refused[0].to_string());
        assert_eq!(said.is_some(), wrong, "{rule}: {said:?}");
        assert!(said.is_none_or(|said| said.contains("spec.rules[0].injection.judge.from")), "{rule}");
    }
}

/// Two rules ask one question with the shorter deadline, and each takes the answer its own way.
#[test]
fn rules_share_a_question() {
    let program = program(json!([
        { "injection": { "action": "log", "judge": { "from": 0.0, "threshold": 0.2, "deadlineMs": 900, "mode": "parallel" } } },
        { "injection": { "judge": { "from": 0.0, "threshold": 0.8, "deadlineMs": 300, "mode": "parallel" } } },
    ]));
    for (score, refused, violations) in [(0.1, false, 0), (0.5, false, 1), (0.9, true, 2)] {
        let mut session = asked(&program, &[ANYTHING.to_owned()]);
        let question = session.question().unwrap();
        assert_eq!((question.texts.len(), question.deadline_ms, question.waits), (1, 300, false));
        assert_eq!(session.question(), None, "a question is given once");
        let step = session.judged(&Judgement::Answered(vec![says(score)]));
        assert_eq!(matches!(step, Step::Refuse(_)), refused, "{score}");
        assert_eq!(session.decision().violations.len(), violations, "{score}");
        assert!(session.decision().guards_header().contains("judge=ran"));
    }
}

/// An answer to another number of texts is none; nobody who waits for ever passes.
#[test]
fn an_answer_has_to_fit_the_question() {
    let program = program(json!([{ "injection": { "judge": { "from": 0.0 } } }]));
    for answer in [vec![], vec![says(0.1), says(0.1)], vec![vec![]]] {
        let mut session = asked(&program, &[ANYTHING.to_owned()]);
        session.question().unwrap();
        let step = session.judged(&Judgement::Answered(answer.clone()));
        assert!(matches!(step, Step::Refuse(refusal) if refusal.status == 503), "{answer:?}");
        assert!(session.decision().guards_header().contains("judge=failed:answer"));
    }
}

/// The most doubtful texts are shown, each once, and not more of them than the bounds allow.
#[test]
fn a_question_is_bounded() {
    let program = program(json!([{ "injection": { "judge": { "from": 0.0 } } }]));
    let texts =
        |number| format!("The meadow behind house {number} was green in spring. ").repeat(MAX_WINDOW_BYTES);
    let texts: Vec<String> = (0..3 * MAX_WINDOWS).map(texts).collect();
    let mut session = asked(&program, &texts);
    let question = session.question().unwrap();
    assert_eq!(question.texts.len(), MAX_WINDOWS);
    assert!(question.texts.iter().all(|text| text.len() <= MAX_WINDOW_BYTES));
    session.judged(&Judgement::Answered(vec![says(0.1); MAX_WINDOWS]));
    assert!(session.decision().guards_header().contains("judge=skipped:many"));
    let told = &session.decision().violations;
    assert_eq!(told.len(), 1, "{told:?}");
    assert_eq!((told[0].effect, told[0].message.ends_with(": many")), (Effect::Recorded, true));
    let mut session = asked(&program, &vec![ANYTHING.to_owned(); 20]);
    assert_eq!(session.question().unwrap().texts, [ANYTHING]);
}
