//! What the sidecars answer to a change: waits until they run it, or say why they do not.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::{
    commands::sidecars,
    failure::{Exit, Failure, Outcome},
    http::Client,
    output::{BAD, GOOD, WARN, printable, styled},
};

/// First and longest pause between two looks.
const PAUSES: [Duration; 2] = [Duration::from_millis(10), Duration::from_millis(250)];

/// Which of the connected sidecars run a change.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct SidecarAnswers {
    /// They run the change.
    pub(crate) running: Vec<String>,
    /// They have not answered.
    pub(crate) waiting: Vec<String>,
    /// They refused it: who, and why.
    pub(crate) refused: Vec<(String, String)>,
}

/// Waits until every connected sidecar has answered to what is published now, or to something later, at most `seconds`.
pub(crate) fn wait(client: &Client, seconds: u64) -> Outcome<SidecarAnswers> {
    let published = client.get("/api/v1/version")?;
    let Some(revision) = number(&published, "policy_version") else { return Ok(SidecarAnswers::default()) };
    let deadline = Instant::now() + Duration::from_secs(seconds);
    let [mut pause, longest] = PAUSES;
    loop {
        let answers = read(&sidecars::list(client)?, revision);
        if answers.waiting.is_empty() || Instant::now() >= deadline {
            return Ok(answers);
        }
        std::thread::sleep(pause);
        pause = (pause * 2).min(longest);
    }
}

fn read(sidecars: &[Value], revision: u64) -> SidecarAnswers {
    let mut answers = SidecarAnswers::default();
    for sidecar in sidecars {
        let id = sidecar["id"].as_str().map(printable).unwrap_or_default();
        match sidecars::state(sidecar) {
            _ if number(sidecar, "policy_version").is_some_and(|running| running >= revision) => {
                answers.running.push(id)
            }
            // A refusal of something older says nothing of this change.
            sidecars::State::Refused(why)
                if number(sidecar, "offered_version").is_some_and(|offered| offered >= revision) =>
            {
                answers.refused.push((id, printable(&why)));
            }
            _ => answers.waiting.push(id),
        }
    }
    answers
}

/// Versions of the published policies are counted.
fn number(value: &Value, name: &str) -> Option<u64> {
    value[name].as_str()?.parse().ok()
}

impl SidecarAnswers {
    /// For people.
    pub(crate) fn sentence(&self) -> String {
        let mut lines = Vec::new();
        for (id, why) in &self.refused {
            let kept = "it keeps the policies it had";
            lines.push(format!("{}: sidecar {id} refused the change: {why}; {kept}", styled(BAD, "refused")));
        }
        if !self.waiting.is_empty() {
            let who = self.waiting.join(", ");
            lines.push(format!("{}: no answer yet from {who}", styled(WARN, "waiting")));
        }
        match self.running.len() {
            0 if lines.is_empty() => {
                lines.push("no sidecar is connected; the change waits for them".to_owned())
            }
            0 => {}
            1 => lines.push(styled(GOOD, "in force on 1 sidecar")),
            n => lines.push(styled(GOOD, format!("in force on {n} sidecars"))),
        }
        lines.join("\n")
    }

    /// How the command ends: a refusal is the policy's fault, a sidecar that has yet to answer is not.
    pub(crate) fn ended(&self) -> Outcome {
        match (self.refused.is_empty(), self.waiting.is_empty()) {
            (true, true) => Ok(()),
            (true, false) => Err(Failure { exit: Exit::Failed, ..Failure::policy() }),
            (false, _) => Err(Failure::policy()),
        }
    }

    /// For programs.
    pub(crate) fn json(&self) -> Value {
        let refused: Vec<_> =
            self.refused.iter().map(|(id, why)| json!({ "sidecar": id, "reason": why })).collect();
        json!({ "running": self.running, "waiting": self.waiting, "refused": refused })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_runs_waits_and_refuses() {
        let sidecar = |id: &str, running: &str, offered: &str, refused: Option<&str>| {
            let refused = refused.map(|message| json!({ "message": message }));
            json!({ "id": id, "policy_version": running, "offered_version": offered, "resources": [{ "refused": refused }] })
        };
        let sidecars = [
            sidecar("a", "9", "9", None),
            sidecar("b", "7", "9", None),
            sidecar("c", "7", "8", Some("bad")),
            sidecar("d", "7", "7", Some("older")),
            sidecar("e", "8", "8", None),
        ];
        let answers = read(&sidecars, 8);
        assert_eq!(answers.running, ["a", "e"]);
        assert_eq!(answers.waiting, ["b", "d"]);
        assert_eq!(answers.refused, [("c".to_owned(), "bad".to_owned())]);
        let sentence = anstream::adapter::strip_str(&answers.sentence()).to_string();
        assert!(
            sentence.contains("sidecar c refused the change: bad") && sentence.contains("in force on 2"),
            "{sentence}"
        );
        assert!(read(&[], 8).sentence().starts_with("no sidecar is connected"));
        let exit = |sidecars: &[Value]| read(sidecars, 8).ended().err().map(|failure| failure.exit);
        assert_eq!(exit(&sidecars[..1]), None);
        assert_eq!(exit(&sidecars[..2]), Some(Exit::Failed));
        assert_eq!(exit(&sidecars[..3]), Some(Exit::Policy));
    }
}
