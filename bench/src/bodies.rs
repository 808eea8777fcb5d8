//! Request bodies: chat completions of ordinary prose, about 1 KB and 16 KB.
//!
//! Nothing in them is found by any guard: that is the usual request, and the one whose text is searched to its end.

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

/// A chat request whose body has about so many bytes.
pub(crate) fn chat(bytes: usize, stream: bool) -> Vec<u8> {
    let empty = body("", stream).len();
    let prose: String =
        SENTENCES.iter().copied().cycle().flat_map(str::chars).take(bytes.saturating_sub(empty)).collect();
    body(&prose, stream)
}

/// A chat request whose user says this.
pub(crate) fn saying(text: &str) -> Vec<u8> {
    body(text, false)
}

fn body(prose: &str, stream: bool) -> Vec<u8> {
    let value: Value = json!({
        "model": "gpt-4o",
        "stream": stream,
        "temperature": 0.2,
        "messages": [
            { "role": "system", "content": "You are a helpful assistant of the editorial department." },
            { "role": "user", "content": prose },
        ],
    });
    value.to_string().into_bytes()
}

#[cfg(test)]
mod tests {
    #[test]
    fn bodies_have_the_size_they_are_named_for() {
        for size in [1024, 16 * 1024] {
            assert_eq!(super::chat(size, false).len(), size);
        }
    }
}
