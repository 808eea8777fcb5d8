//! How much memory authors' own patterns may occupy. Every worker of Envoy holds those of all policies, and during an
//! update also those of the previous bundle; its VM has 1 GiB.
use mesh_policy::Diagnostic;

const MIB: usize = 1024 * 1024;
/// For the patterns of one policy.
pub(crate) const OF_A_POLICY: usize = 32 * MIB;
/// For those of all policies of a bundle.
const OF_A_BUNDLE: usize = 256 * MIB;

/// Takes the bytes that each policy's patterns occupy. If they are too many together, returns a diagnostic and the
/// policy that occupies most.
pub fn check_room<'a>(taken: impl Iterator<Item = (&'a str, usize)> + Clone) -> Option<(String, Diagnostic)> {
    let sum: usize = taken.clone().map(|(_, bytes)| bytes).sum();
    if sum <= OF_A_BUNDLE {
        return None;
    }
    let (name, most) = taken.max_by_key(|(_, bytes)| *bytes)?;
    let message = format!(
        "the patterns of all policies take {} MiB of memory when compiled (these {} MiB), expected at most {} MiB",
        sum / MIB,
        most / MIB,
        OF_A_BUNDLE / MIB
    );
    let help = "shorten repetitions (`{1,1000}`) and Unicode classes, or write fewer patterns";
    Some((name.to_owned(), Diagnostic::error("spec.rules", message).help(help)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_one_that_takes_most_is_told() {
        /// Names with the bytes of each, and the name that is reported.
        type Row<'a> = (&'a [(&'a str, usize)], Option<&'a str>);
        let table: [Row<'_>; 4] = [
            (&[], None),
            (&[("a", OF_A_BUNDLE)], None),
            (&[("a", OF_A_BUNDLE / 2), ("b", OF_A_BUNDLE / 2 + 1)], Some("b")),
            (&[("a", OF_A_BUNDLE / 2 + 1), ("b", OF_A_BUNDLE / 2)], Some("a")),
        ];
        for (taken, expected) in table {
            let said = check_room(taken.iter().copied());
            assert_eq!(said.as_ref().map(|(name, _)| name.as_str()), expected, "{taken:?}");
            assert!(said.is_none_or(|(_, said)| said.to_string().contains("expected at most 256 MiB")));
        }
    }
}
