//! Forms with files: what is read in their parts, and what comes of edits.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, missing_docs)]

use mesh_wire::{Edit, Limits, Message, Place, apply, read_multipart};
use proptest::prelude::*;

const TYPE: &str = "multipart/form-data; boundary=XYZ";

/// A form of these parts: headers after the field's name, and content.
fn form(parts: &[(&str, &str, &[u8])]) -> Vec<u8> {
    let mut body = Vec::new();
    for (name, more, content) in parts {
        body.extend(
            format!("--XYZ\r\nContent-Disposition: form-data; name=\"{name}\"{more}\r\n\r\n").bytes(),
        );
        body.extend_from_slice(content);
        body.extend(b"\r\n");
    }
    body.extend(b"--XYZ--\r\n");
    body
}

fn read(body: &[u8]) -> Message {
    read_multipart(TYPE, body, &Limits::default()).unwrap().unwrap()
}

fn texts(message: &Message) -> Vec<(Place, String, String)> {
    let segments = message.segments.iter().enumerate();
    segments.map(|(at, segment)| (segment.place, message.path(at), segment.text.clone())).collect()
}

fn has(message: &Message, place: Place, path: &str, text: &str) -> bool {
    texts(message).contains(&(place, path.to_owned(), text.to_owned()))
}

const PNG: &[u8] = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0";

#[test]
fn fields_and_files_are_read_as_what_they_are() {
    let lines = concat!(
        r#"{"custom_id":"1","method":"POST","url":"/v1/chat/completions","body":{"model":"gpt-4o","messages":[{"role":"system","content":"s"},{"role":"user","content":"u\u0031"}],"tools":[{"type":"function","function":{"name":"pay"}}]}}"#,
        "\r\n\n",
        r#"{"custom_id":"2","method":"POST","url":"/v1/embeddings","body":{"model":"emb","input":"e"}}"#
    );
    let message = read(&form(&[
        ("purpose", "", b"batch"),
        ("file", "; filename=\"b.txt\"\r\nContent-Type: application/octet-stream", lines.as_bytes()),
    ]));
    assert!(has(&message, Place::System, "file[0].body.messages[0].content", "s"), "{:?}", texts(&message));
    assert!(has(&message, Place::User, "file[0].body.messages[1].content", "u1"), "{:?}", texts(&message));
    assert!(has(&message, Place::Document, "file[1].body.input", "e"), "{:?}", texts(&message));
    assert!(has(&message, Place::Document, "file", "b"));
    assert_eq!(message.models().collect::<Vec<_>>(), ["gpt-4o", "emb"]);
    assert_eq!(message.tools_offered, ["pay"]);
    assert_eq!(message.operation, "files");

    let message = read(&form(&[
        ("model", "", b"whisper-1"),
        ("stream", "", b"true"),
        ("prompt", "", b"hello"),
        ("extra", "", br#"{"a":"b\u0031"}"#),
        ("file", "; filename=\"a.png\"\r\nContent-Type: image/png", PNG),
        ("note", "; filename=\"n\"\r\nContent-Type: image/png", "écrit".as_bytes()),
    ]));
    assert_eq!((message.model.as_deref(), message.stream, message.media), (Some("whisper-1"), true, 1));
    assert!(has(&message, Place::User, "prompt", "hello"));
    assert!(has(&message, Place::User, "extra.a", "b1"));
    assert!(has(&message, Place::Document, "note", "écrit"), "a type that lies hides no text");

    // Without a name for a file, and with an empty one.
    for more in ["\r\nContent-Type: image/png", "; filename=\"\"\r\nContent-Type: application/octet-stream"] {
        let session = br#"{"model":"b","tools":[{"type":"function","name":"pay"}]}"#;
        let message =
            read(&form(&[("model", more, b"a"), ("stream", more, b"true"), ("session", more, session)]));
        assert_eq!(message.models().collect::<Vec<_>>(), ["a", "b"], "{more}");
        assert_eq!((message.stream, message.media), (true, 0), "{more}");
        assert_eq!(message.tools_offered, ["pay"], "{more}");
        assert!(has(&message, Place::Document, "session.model", "b"), "{:?}", texts(&message));
    }

    let message = read(&form(&[("model", "", b"one"), ("model", "", b"two")]));
    assert_eq!(message.models().collect::<Vec<_>>(), ["two", "one"], "whichever of them a server takes");

    let training = r#"{"messages":[{"role":"user","content":"t"}]}"#;
    for (more, lines) in [
        ("; filename=\"T.JSONL\"", training.to_owned()),
        ("; filename=\"T\"\r\nContent-Type: application/json", format!("{training}\n\n{training}\n")),
    ] {
        let message = read(&form(&[("file", more, lines.as_bytes())]));
        assert!(has(&message, Place::User, "file[0].messages[0].content", "t"), "{:?}", texts(&message));
    }
    let css = "{ not json\n{\"a\":1}";
    let message = read(&form(&[("file", "; filename=\"a.css\"", css.as_bytes())]));
    assert!(has(&message, Place::Document, "file", css));
}

#[test]
fn what_a_reader_could_take_for_something_else_is_refused() {
    let doubled = br#"{"model":"a","model":"b"}"#;
    for (what, parts) in [
        ("a field that is no UTF-8", vec![("a", "", b"\xff".as_slice())]),
        (
            "a field that is called a picture, and no UTF-8",
            vec![("a", "\r\nContent-Type: image/png", b"my SSN is 536-90-4399 \xff\x01")],
        ),
        (
            "a field with an empty name for a file, and no UTF-8",
            vec![("a", "; filename=\"\"\r\nContent-Type: application/octet-stream", PNG)],
        ),
        ("a field of NULs that is called a picture", vec![("a", "\r\nContent-Type: image/png", b"h\0i\0")]),
        ("a part in UTF-16", vec![("a", "\r\nContent-Type: text/plain; charset=utf-16le", b"h\0i\0")]),
        ("a form in another character set", vec![("_charset_", "", b"iso-8859-1"), ("a", "", b"b")]),
        (
            "a form in two character sets",
            vec![("_charset_", "", b"utf-8"), ("_charset_", "", b"utf-7"), ("a", "", b"b")],
        ),
        (
            "a character set that is a picture",
            vec![("_charset_", "; filename=\"a\"\r\nContent-Type: image/png", PNG), ("a", "", b"b")],
        ),
        ("a form in a form", vec![("a", "\r\nContent-Type: multipart/mixed; boundary=Q", b"--Q--")]),
        ("text in Latin-1", vec![("a", "; filename=\"a\"", b"caf\xe9 536-90-4399")]),
        ("a text in UTF-16", vec![("a", "; filename=\"a\"", b"m\0y\0 \0s\0")]),
        ("a CSV file in UTF-16", vec![("a", "; filename=\"a.csv\"", b"\xff\xfeh\0i\0")]),
        ("a text that is none", vec![("a", "; filename=\"a\"\r\nContent-Type: text/csv", PNG)]),
        (
            "a text that is called bytes",
            vec![("a", "; filename=\"a.txt\"\r\nContent-Type: application/octet-stream", b"caf\xe9 \x0b x")],
        ),
        (
            "a text that is called a picture",
            vec![("a", "; filename=\"A.CSV\"\r\nContent-Type: image/png", b"\xe9\x01")],
        ),
        (
            "UTF-16 that is called bytes",
            vec![("a", "; filename=\"a.csv\"\r\nContent-Type: application/octet-stream", b"h\0i\0")],
        ),
        ("doubled keys in JSON", vec![("a", "; filename=\"a.json\"", doubled)]),
        ("doubled keys by type", vec![("a", "; filename=\"a\"\r\nContent-Type: application/json", doubled)]),
        ("doubled keys in lines", vec![("a", "; filename=\"a.jsonl\"", doubled)]),
        ("doubled keys in a batch", vec![("purpose", "", b"batch"), ("a", "; filename=\"a\"", doubled)]),
    ] {
        let read = read_multipart(TYPE, &form(&parts), &Limits::default()).unwrap();
        assert!(read.is_err(), "{what}: {:?}", texts(&read.unwrap()));
    }
    assert!(read_multipart("multipart/mixed; boundary=XYZ", &form(&[]), &Limits::default()).is_none());
}

/// The corpus that real readers judge end to end: what passes there is read here, the rest is not.
#[test]
fn the_corpus_is_read_or_refused() {
    for line in include_str!("../../tests/corpus/evasion/forms.jsonl").lines() {
        let case: serde_json::Value = serde_json::from_str(line).unwrap();
        let Some(text) = case["text"].as_str() else { continue };
        let kind = case["type"].as_str().unwrap();
        if kind.contains("charset") {
            continue;
        }
        let read = read_multipart(kind, text.as_bytes(), &Limits::default());
        assert_eq!(matches!(read, Some(Ok(_))), case["passes"] == true, "{line}");
    }
}

#[test]
fn an_edit_changes_its_part_and_what_tells_of_it() {
    let lines = "{\"a\":\"x\"}\n{\"a\":\"ssn \\u0035\"}\n";
    let body = form(&[
        ("img", "; filename=\"a.png\"\r\nContent-Type: image/png", PNG),
        ("file", "; filename=\"a_ssn 5.jsonl\"\r\nContent-Length: 29", lines.as_bytes()),
    ]);
    let message = read(&body);
    let edits: Vec<Edit> = message
        .segments
        .iter()
        .enumerate()
        .filter_map(|(segment, found)| {
            let at = found.text.find("ssn 5")?;
            Some(Edit { segment, range: at..at + 5, with: "\"[X]\"\r\n\\".to_owned() })
        })
        .collect();
    // The name is read with its type and without, and with a blank for its underscore.
    assert_eq!(edits.len(), 5);
    let want = form(&[
        ("img", "; filename=\"a.png\"\r\nContent-Type: image/png", PNG),
        ("file", "; filename=\"a__[X]____.jsonl\"", b"{\"a\":\"x\"}\n{\"a\":\"\\\"[X]\\\"\\r\\n\\\\\"}\n"),
    ]);
    let edited = apply(&body, &message, &edits);
    assert_eq!(String::from_utf8_lossy(&edited), String::from_utf8_lossy(&want));
    assert_eq!(apply(&body, &message, &[]), body);
}

/// As .NET and Spring write the names of files, twice.
#[test]
fn a_name_that_is_said_again_is_read_and_changed_in_both_places() {
    for (more, want) in [
        (
            "; filename=\"ssn 5.png\"; filename*=utf-8''ssn%205.png",
            "; filename=\"X.png\"; filename*=utf-8''X.png",
        ),
        (
            "; filename=\"=?utf-8?B?w7wgc3NuIDU=?=\"; filename*=utf-8''%C3%BC%20ssn%205",
            "; filename=\"=?utf-8?B?w7wgWA==?=\"; filename*=utf-8''%C3%BC%20X",
        ),
        (
            "; filename=\"=?UTF-8?Q?=C3=BC_ssn_5.tar.gz?=\"; filename*=UTF-8''%C3%BC%20ssn%205.tar.gz",
            "; filename=\"=?UTF-8?Q?=C3=BC_X.tar.gz?=\"; filename*=UTF-8''%C3%BC%20X.tar.gz",
        ),
    ] {
        let body = form(&[("file", &format!("{more}\r\nContent-Type: image/png"), PNG)]);
        let message = read(&body);
        assert_eq!((message.media, apply(&body, &message, &[]) == body), (1, true), "{more}");
        let found = message.segments.iter().enumerate().filter_map(|(segment, found)| {
            let at = found.text.find("ssn 5")?;
            Some(Edit { segment, range: at..at + 5, with: "X".to_owned() })
        });
        let edited = apply(&body, &message, &found.collect::<Vec<_>>());
        let want = form(&[("file", &format!("{want}\r\nContent-Type: image/png"), PNG)]);
        assert_eq!(String::from_utf8_lossy(&edited), String::from_utf8_lossy(&want));
    }
}

/// Java's clients say Latin-1 of what is ASCII.
#[test]
fn what_is_called_latin_1_is_read_where_it_is_ascii() {
    const LATIN: &str = "multipart/form-data; charset=ISO-8859-1; boundary=XYZ";
    const TEXT: &str = "\r\nContent-Type: text/plain; charset=ISO-8859-1";
    const UTF_8: &str = "\r\nContent-Type: text/plain; charset=UTF-8";
    for (kind, more, content, fine) in [
        (TYPE, TEXT, b"hi".as_slice(), true),
        (TYPE, TEXT, "é".as_bytes(), false),
        (TYPE, "", "é".as_bytes(), true),
        (LATIN, "", b"hi", true),
        (LATIN, "", "é".as_bytes(), false),
        (LATIN, UTF_8, "é".as_bytes(), true),
        // A file is bytes, whatever its form says.
        (
            LATIN,
            "; filename=\"e.jsonl\"\r\nContent-Type: application/octet-stream",
            "{\"é\":1}".as_bytes(),
            true,
        ),
        (LATIN, TEXT, "é".as_bytes(), false),
        (LATIN, "; filename=\"é.png\"\r\nContent-Type: image/png", PNG, false),
        (LATIN, "; filename=\"e.png\"\r\nContent-Type: image/png", PNG, true),
    ] {
        let read = read_multipart(kind, &form(&[("a", more, content)]), &Limits::default()).unwrap();
        assert_eq!(read.is_ok(), fine, "{kind} {more} {}", String::from_utf8_lossy(content));
    }
}

proptest! {
    /// Any form of any contents: its texts are found, nothing is changed for nothing, and edited texts are gone.
    #[test]
    fn parts_come_out_as_they_went_in(
        parts in proptest::collection::vec(
            ("[a-z]{1,8}", any::<bool>(), prop_oneof!["[ -~é\n\r]{0,40}", "(\r\n|-|XYZ|--){0,12}"]),
            0..6,
        ),
        binary in proptest::collection::vec(any::<u8>(), 0..200),
    ) {
        let mut list: Vec<(&str, &str, &[u8])> = vec![("b", "; filename=\"b\"\r\nContent-Type: image/png", &binary)];
        for (name, file, content) in &parts {
            list.push((name, if *file { "; filename=\"f\"" } else { "" }, content.as_bytes()));
        }
        let body = form(&list);
        let doubtful = list.iter().any(|(_, _, content)| {
            content.windows(5).any(|bytes| bytes == b"--XYZ") || content.starts_with(b"--XYZ")
        });
        let read = read_multipart(TYPE, &body, &Limits::default()).unwrap();
        if doubtful {
            prop_assert!(read.is_err());
        } else if let Ok(message) = read {
            prop_assert_eq!(apply(&body, &message, &[]), body.clone());
            for (_, _, content) in &parts {
                let json = serde_json::from_str::<serde_json::Value>(content).is_ok();
                let listed = message.segments.iter().any(|segment| segment.text == *content);
                prop_assert!(content.is_empty() || json || listed, "{:?}", content);
            }
            let every: Vec<Edit> = message.segments.iter().enumerate()
                .map(|(segment, found)| Edit { segment, range: 0..found.text.len(), with: "~".to_owned() })
                .collect();
            let edited = apply(&body, &message, &every);
            let again = read_multipart(TYPE, &edited, &Limits::default()).unwrap();
            prop_assert!(again.is_ok(), "{:?} became {:?}", String::from_utf8_lossy(&body), String::from_utf8_lossy(&edited));
        } else {
            prop_assert!(std::str::from_utf8(&binary).is_err(), "{:?}: {:?}", String::from_utf8_lossy(&body), read);
        }
    }
}
