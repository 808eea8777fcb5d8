//! Scenarios of what is lent, and of what nobody settles.
use std::sync::Arc;

use mesh_control_core::{AccountFilter, Ask, Kind, Settle, Settlement, Told, lease_id, rest_of};

use crate::windows::{Port, at, terms, unique};

pub(crate) async fn what_is_lent_counts_until_it_is_returned(port: Port) {
    let (key, other) = (unique("lent"), unique("beside"));
    let ask = |id: &'static str, amount, want, when| {
        let ask = Ask { key: key.clone(), terms: terms(Kind::Count, 100), amount, want, told: None };
        let port = Arc::clone(&port);
        async move { port.admit(&[ask], Some(id), at(when)).await.unwrap().verdicts[0] }
    };
    let first = ask("a", 1, 50, 0).await;
    assert_eq!((first.admitted, first.remaining, first.lent), (true, 99, 10));
    // All that may be lent is lent; what is left is admitted.
    assert_eq!(ask("b", 1, 50, 1).await.lent, 0);
    assert!(!ask("c", 89, 0, 2).await.admitted);
    assert!(ask("c", 88, 0, 3).await.admitted);
    let accounts = port.accounts(&AccountFilter::default(), 1000, at(4)).await.unwrap().views;
    let account = accounts.iter().find(|account| account.key == key).unwrap();
    assert_eq!((account.used, account.lent, account.leases), (100, 10, 1));
    let give = |id: String, spent, rest| Settle {
        key: key.clone(),
        terms: terms(Kind::Count, 0),
        id,
        how: Settlement::Returned { spent, rest },
    };
    let back = [give(lease_id("a"), 4, 0), give(lease_id("a"), 4, 0)];
    let settled = port.settle(&back, at(5)).await.unwrap();
    assert_eq!((settled.returned, settled.unknown, settled.over), (1, 1, 0));
    assert!(!ask("d", 7, 0, 6).await.admitted);
    assert!(ask("d", 6, 0, 7).await.admitted);
    // Near the end nothing is lent any more; a refused request is lent nothing either.
    let near = Ask { key: other.clone(), terms: terms(Kind::Reserve, 100), amount: 97, want: 50, told: None };
    assert_eq!(port.admit(std::slice::from_ref(&near), Some("e"), at(8)).await.unwrap().verdicts[0].lent, 0);
    // What requests under way keep of a lease is settled under another name; what goes over is told.
    let budget = |amount, want| Ask {
        key: key.clone() + "2",
        terms: terms(Kind::Reserve, 100),
        amount,
        want,
        told: None,
    };
    let lent = port.admit(&[budget(2, 8)], Some("f"), at(9)).await.unwrap().verdicts[0].lent;
    assert_eq!(lent, 8);
    let end = |id: String, how| Settle { key: key.clone() + "2", terms: terms(Kind::Reserve, 0), id, how };
    let rest = end(lease_id("f"), Settlement::Returned { spent: 3, rest: 5 });
    port.settle(&[rest], at(10)).await.unwrap();
    assert_eq!(port.admit(&[budget(91, 0)], Some("g"), at(11)).await.unwrap().verdicts[0].remaining, 90);
    let over = end(rest_of(&lease_id("f")), Settlement::Returned { spent: 105, rest: 0 });
    let settled = port.settle(&[over], at(12)).await.unwrap();
    assert_eq!((settled.returned, settled.over), (1, 10));
}

/// A lease that goes on: what is told to be spent of it is lent no longer, and what is lent then is added to it.
pub(crate) async fn what_is_told_of_a_lease_is_lent_no_longer(port: Port) {
    let key = unique("told");
    let stands = |when| {
        let (port, key) = (Arc::clone(&port), key.clone());
        async move {
            let views = port.accounts(&AccountFilter::default(), 1000, at(when)).await.unwrap().views;
            let account = views.into_iter().find(|account| account.key == key).unwrap();
            (account.used, account.lent, account.leases)
        }
    };
    // Who asks; what for, and to be lent; what is told of which lease. What is lent; what is used then, and lies in how many leases.
    let table = [
        ("a", 10, 80, None, 80, (90, 80, 1)),
        ("b", 5, 60, None, 20, (115, 100, 2)),
        ("c", 0, 60, Some(("a", 70)), 40, (155, 70, 2)),
        ("told twice", 0, 0, Some(("a", 70)), 0, (155, 70, 2)),
        ("told late", 0, 0, Some(("a", 30)), 0, (155, 70, 2)),
        ("of none", 0, 50, Some(("never lent", 9)), 0, (155, 70, 2)),
    ];
    for (when, (id, amount, want, told, lent, expected)) in (0..).zip(table) {
        let told = told.map(|(id, spent)| Told { id: lease_id(id), spent });
        let ask = Ask { key: key.clone(), terms: terms(Kind::Reserve, 1000), amount, want, told };
        let verdict = port.admit(&[ask], Some(id), at(when)).await.unwrap().verdicts[0];
        assert_eq!((verdict.lent, stands(when).await), (lent, expected), "{id}");
    }
    let back = |id: &str, spent, rest| Settle {
        key: key.clone(),
        terms: terms(Kind::Reserve, 0),
        id: lease_id(id),
        how: Settlement::Returned { spent, rest },
    };
    port.settle(&[back("a", 100, 5)], at(10)).await.unwrap();
    assert_eq!(stands(10).await, (140, 20, 1), "what was told before is counted once");
    let told = Some(Told { id: lease_id("a"), spent: 100 });
    let ask = Ask { key: key.clone(), terms: terms(Kind::Reserve, 1000), amount: 0, want: 50, told };
    assert_eq!(port.admit(&[ask], Some("d"), at(11)).await.unwrap().verdicts[0].lent, 0, "it has ended");
    // More than was lent, of a budget that is nearly spent: what passes the limit is told.
    let told = Some(Told { id: lease_id("b"), spent: 900 });
    let ask = Ask { key: key.clone(), terms: terms(Kind::Reserve, 1000), amount: 0, want: 0, told };
    let verdicts = port.admit(&[ask], Some("e"), at(12)).await.unwrap();
    assert_eq!((verdicts.over, stands(12).await), (20, (1020, 0, 1)));
}

/// What nobody settles is seen before it expires, and for a while after.
pub(crate) async fn unsettled_promises_are_listed(port: Port) {
    let (budget, places) = (unique("unsettled budget"), unique("unsettled places"));
    let stands = |key: &str, when| {
        let (port, key) = (Arc::clone(&port), key.to_owned());
        async move {
            let views = port.accounts(&AccountFilter::default(), 1000, at(when)).await.unwrap().views;
            let account = views.into_iter().find(|account| account.key == key)?;
            let left = account.expires.map(|left| left.as_millis());
            Some((account.used, account.open, left, account.unsettled))
        }
    };
    for (key, kind) in [(&budget, Kind::Reserve), (&places, Kind::Concurrent)] {
        for (id, when) in [("a", 0), ("b", 5000)] {
            let ask = Ask { key: key.clone(), terms: terms(kind, 100), amount: 1, want: 0, told: None };
            assert!(port.admit(&[ask], Some(id), at(when)).await.unwrap().verdicts[0].admitted);
        }
    }
    // What is counted on; when; used, open, until the first expires, and how many have.
    let table = [
        (&budget, 6000, Some((2, 2, Some(14_000), 0))),
        (&places, 6000, Some((2, 2, Some(14_000), 0))),
        (&budget, 21_000, Some((2, 1, Some(4000), 1))),
        (&places, 21_000, Some((1, 1, Some(4000), 1))),
        (&budget, 30_000, Some((2, 0, None, 2))),
        (&places, 30_000, Some((0, 0, None, 2))),
        (&places, 50_000, None),
        (&budget, 89_999, Some((1, 0, None, 2))),
        (&budget, 90_000, None),
    ];
    for (key, when, expected) in table {
        assert_eq!(stands(key, when).await, expected, "{key} at {when}");
    }
}
