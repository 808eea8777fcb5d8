//! Documents from authors: whatever is written, it is read or refused with a reason; what is read says the same when it is
//! written down and read again, and compiles or is refused with the field named.

use std::cell::LazyCell;
use std::rc::Rc;

use mesh_engine::{Detector, check as compiles};
use mesh_policy::{document_from_value, documents_from_yaml, from_value, from_yaml};
use serde_json::Value;

thread_local! {
    static DETECTOR: LazyCell<Rc<Detector>> = LazyCell::new(|| Rc::new(Detector::new()));
}

pub(crate) fn check(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let _ = documents_from_yaml(text);
    let yaml = from_yaml(text);
    let json = serde_json::from_slice::<Value>(data).ok().map(|value| {
        let _ = document_from_value(&value);
        from_value(&value).map(|parsed| vec![parsed])
    });
    for read in [Some(yaml), json].into_iter().flatten() {
        let read = match read {
            Ok(read) => read,
            Err(found) => {
                assert!(found.iter().any(|diagnostic| !diagnostic.message.is_empty()), "no reason");
                continue;
            }
        };
        for parsed in read {
            let written = serde_json::to_value(&parsed.policy).expect("a policy is JSON");
            let again = from_value(&written).expect("what was written down is read").policy;
            assert_eq!(again, parsed.policy, "read again");
            let _ = compiles(&parsed.policy);
        }
    }
}
