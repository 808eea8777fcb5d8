//! Files stay small: about 150 lines of code is normal, over 400 wants a reason, over 600 is refused.

use super::Report;
use super::rust_text::code_lines;
use super::tree::Tree;

const WANTS_A_REASON: usize = 400;
const REFUSED: usize = 600;

/// Checks every Rust file that people write. Test modules in files of their own are tests beside the code.
pub(super) fn check(tree: &Tree, report: &mut Report) {
    for file in tree.rust().filter(|file| !is_test_module(&file.path)) {
        let lines = code_lines(&file.text);
        if lines > REFUSED {
            report.breach(
                &file.path,
                0,
                format_args!("{lines} lines of code; {REFUSED} is the limit: split it"),
            );
        } else if lines > WANTS_A_REASON {
            report.warning(
                &file.path,
                0,
                format_args!("{lines} lines of code; over {WANTS_A_REASON} wants a reason"),
            );
        }
    }
}

fn is_test_module(path: &str) -> bool {
    path.contains("/src/") && (path.ends_with("/tests.rs") || path.contains("/tests/"))
}
