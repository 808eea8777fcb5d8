//! Request bodies: chat completions of ordinary prose, about 1 KB and 16 KB.
//!
//! Nothing in them is found by any guard: that is the usual request, and the one whose text is searched to its end. What the
//! user says last ends with a [`STAMP`] that the client changes for each request, so that no filter has seen it before;
//! the turns of a conversation before it are the same each time, as they are in a real one.

use serde_json::{Value, json};

/// Sentences as people write them to an assistant.
const SENTENCES: [&str; 8] = [
    "The meeting notes from Tuesday are attached; please turn them into a short summary for the whole team. ",
    "Customers asked three times this week why the export takes longer than it did in the spring. ",
    "I would like the answer in plain words, with one example and without any jargon from our industry. ",
    "The second chapter repeats what the first one says, so the middle part could go without a loss. ",
    "Which of the two plans keeps the old interface working until everybody has moved to the new one? ",
    "Our supplier moved the delivery to the end of the month, and the workshop has to wait for the parts. ",
    "Please check whether the figures in the table add up to the total that the last paragraph names. ",
    "Write it so that a colleague from another department understands it on a first reading. ",
];

/// The word at the end of a new text.
pub(crate) const STAMP: &[u8] = b"(aaaaaa)";

/// Bytes of one turn of a conversation.
const TURN: usize = 1000;

/// A chat request whose body has so many bytes: all of it is new.
pub(crate) fn chat(bytes: usize, stream: bool) -> Vec<u8> {
    let empty = body(&[String::new()], stream).len();
    body(&[prose(bytes.saturating_sub(empty))], stream)
}

/// The next turn of a conversation of about so many bytes: the last [`TURN`] bytes are new.
pub(crate) fn conversation(bytes: usize) -> Vec<u8> {
    let turns = (0..bytes / TURN).map(|turn| format!("{turn}. {}", prose(TURN)));
    body(&turns.collect::<Vec<_>>(), false)
}

/// A chat request whose user says this.
pub(crate) fn saying(text: &str) -> Vec<u8> {
    body(&[text.to_owned()], false)
}

/// So many bytes of prose that end with a stamp.
fn prose(bytes: usize) -> String {
    let bytes = bytes.saturating_sub(STAMP.len());
    let prose: String = SENTENCES.iter().copied().cycle().flat_map(str::chars).take(bytes).collect();
    prose + &String::from_utf8_lossy(STAMP)
}

fn body(turns: &[String], stream: bool) -> Vec<u8> {
    let system =
        json!({ "role": "system", "content": "You are a helpful assistant of the editorial department." });
    let said = turns.iter().enumerate().map(|(turn, text)| {
        // The last turn is the user's.
        let role = if (turns.len() - turn) % 2 == 1 { "user" } else { "assistant" };
        json!({ "role": role, "content": text })
    });
    let messages: Vec<Value> = std::iter::once(system).chain(said).collect();
    let value: Value =
        json!({ "model": "gpt-4o", "stream": stream, "temperature": 0.2, "messages": messages });
    value.to_string().into_bytes()
}

#[cfg(test)]
mod tests {
    #[test]
    fn bodies_have_the_size_they_are_named_for() {
        for size in [1024, 16 * 1024] {
            assert_eq!(super::chat(size, false).len(), size);
            assert!(super::conversation(16 * 1024).len().abs_diff(16 * 1024) < 1024);
        }
    }
}
