//! Forms with files: no edit changes nothing, and an edited form is cut into the same parts again.

use mesh_wire::{Edit, Limits, apply, read_multipart};

const TYPE: &str = "multipart/form-data; boundary=X";

pub(crate) fn check(data: &[u8]) {
    // The beginning may be a content type of its own.
    let own = data.split(|byte| *byte == b'\n').next().and_then(|line| std::str::from_utf8(line).ok());
    let _ = own.map(|content_type| read_multipart(content_type, data, &Limits::default()));
    let Some(Ok(message)) = read_multipart(TYPE, data, &Limits::default()) else { return };
    assert_eq!(apply(data, &message, &[]), data);
    let delimiters = |body: &[u8]| body.windows(3).filter(|bytes| bytes == b"--X").count();
    for (segment, found) in message.segments.iter().enumerate().take(12) {
        let edit = Edit { segment, range: 0..found.text.len(), with: "[\"\r\n]".to_owned() };
        let edited = apply(data, &message, &[edit]);
        assert_eq!(delimiters(&edited), delimiters(data), "as many parts as before");
        if let Some(Err(error)) = read_multipart(TYPE, &edited, &Limits::default()) {
            // JSON whose names or address are edited may have another shape, of a protocol that refuses its members; never the form.
            let reshaped = error.to_string().contains("in other letters");
            assert!(reshaped, "an edited form is not read: {error}");
        }
    }
}
