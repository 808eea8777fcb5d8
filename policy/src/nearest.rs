//! Which known name somebody may have meant.

/// The candidate most like `name`, if any is like it at all: the usual slips (a letter wrong, missing, doubled or
/// swapped; other case; `_` or `-` between words instead of capitals) find their word, a different word finds none.
pub fn nearest<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let wanted = plain(name);
    let scored = candidates.into_iter().map(|candidate| {
        let known = plain(candidate);
        let score = strsim::damerau_levenshtein(&wanted, &known);
        let longest = wanted.chars().count().max(known.chars().count());
        (score, longest, candidate)
    });
    let (score, longest, candidate) = scored.min_by_key(|(score, longest, _)| (*score, *longest))?;
    (score * 3 <= longest).then_some(candidate)
}

/// `allowed_roles`, `Allowed-Roles` and `allowedRoles` are the same word.
fn plain(name: &str) -> String {
    name.chars().filter(|c| !matches!(c, '_' | '-')).flat_map(char::to_lowercase).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_word_that_was_meant_and_no_other() {
        let known = ["action", "directions", "replacement", "allowedRoles", "requestsPerMinute"];
        for (typed, meant) in [
            ("acton", Some("action")),
            ("actoin", Some("action")),
            ("direction", Some("directions")),
            ("allowed_roles", Some("allowedRoles")),
            ("allowed-role", Some("allowedRoles")),
            ("RequestsPerMinute", Some("requestsPerMinute")),
            ("requests_per_minut", Some("requestsPerMinute")),
            ("banana", None),
            ("", None),
        ] {
            assert_eq!(nearest(typed, known), meant, "{typed}");
        }
    }
}
