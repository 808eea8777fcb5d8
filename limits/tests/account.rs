//! No order of reserving, settling, releasing, expiring and stepping the clock breaks an account's promises.
use mesh_limits::{Account, Kind, Settlement, Terms};
use proptest::prelude::*;

const WINDOW: u64 = 60_000_000;

fn terms(kind: Kind, limit: u64) -> Terms {
    Terms { kind, limit, window_us: WINDOW, patience_us: 20_000_000 }
}

#[derive(Clone, Debug)]
enum Act {
    /// Asks for an amount under a fresh id.
    Ask(u64),
    /// Settles the n-th of what is open, with a share of what was reserved, in percent.
    Settle(usize, u64),
    Release(usize),
    /// The clock moves, possibly back.
    Step(i64),
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        4 => (0_u64..40).prop_map(Act::Ask),
        2 => (0_usize..8, 0_u64..=100).prop_map(|(which, share)| Act::Settle(which, share)),
        1 => (0_usize..8).prop_map(Act::Release),
        3 => (-5_000_000_i64..15_000_000).prop_map(Act::Step),
        1 => Just(Act::Step(WINDOW as i64)),
    ]
}

/// What happened to one admitted amount: when it was admitted, until when it was open, what it came to.
struct Story {
    id: String,
    amount: u64,
    admitted: u64,
    ended: Option<(u64, u64)>,
}

fn play(kind: Kind, limit: u64, acts: &[Act]) -> Result<(), TestCaseError> {
    let terms = terms(kind, limit);
    let mut account = Account::default();
    let mut stories: Vec<Story> = Vec::new();
    let (mut clock, mut newest) = (1_000_000_000_u64, 0_u64);
    account.advance(&terms, clock);
    for (number, act) in acts.iter().enumerate() {
        newest = newest.max(clock);
        let open: Vec<usize> = (0..stories.len())
            .filter(|at| stories[*at].ended.is_none() && stories[*at].admitted + terms.patience_us > newest)
            .collect();
        match act {
            Act::Ask(amount) => {
                let verdict = account.look(&terms, *amount, clock);
                let before = account.used(&terms);
                prop_assert_eq!(verdict.admitted, before + amount <= limit);
                prop_assert_eq!(verdict.remaining, limit - before);
                if verdict.admitted {
                    let id = number.to_string();
                    account.take(&terms, *amount, Some(&id));
                    prop_assert_eq!(account.used(&terms), before + amount);
                    // Nothing is held for nothing.
                    let ended = (kind == Kind::Count || *amount == 0).then_some((newest, *amount));
                    stories.push(Story { id, amount: *amount, admitted: newest, ended });
                }
            }
            Act::Settle(which, _) | Act::Release(which) if !open.is_empty() => {
                let story = &mut stories[open[which % open.len()]];
                let (how, spent) = match act {
                    Act::Settle(_, share) => {
                        let spent = story.amount * share / 100;
                        (Settlement::Spent(spent), spent)
                    }
                    _ => (Settlement::Released, 0),
                };
                prop_assert_eq!(
                    account.settle(&terms, &story.id, how, clock),
                    Some(0),
                    "what is open can be settled"
                );
                prop_assert_eq!(account.settle(&terms, &story.id, how, clock), None, "and only once");
                story.ended = Some((newest, spent));
            }
            Act::Step(by) => clock = clock.saturating_add_signed(*by),
            _ => {}
        }
        newest = newest.max(clock);
        // What nobody settled in time is spent as it was reserved.
        for story in stories.iter_mut().filter(|story| story.ended.is_none()) {
            let end = story.admitted + terms.patience_us;
            if end <= newest {
                story.ended = Some((newest, story.amount));
            }
        }
        account.advance(&terms, clock);
        let counted: u64 = stories
            .iter()
            .map(|story| match (story.ended, kind) {
                (None, _) => story.amount,
                (Some(_), Kind::Concurrent) => 0,
                (Some((at, spent)), _) if at + WINDOW > newest => spent,
                _ => 0,
            })
            .sum();
        let used = account.used(&terms);
        prop_assert!(used >= counted, "no token is lost: {used} of {counted}");
        // Entries that share a time leave at most a grain late.
        let late: u64 = stories
            .iter()
            .filter(|story| story.ended.is_some_and(|(at, _)| at + WINDOW <= newest))
            .filter(|story| story.ended.is_some_and(|(at, _)| at + WINDOW + WINDOW / 1024 > newest))
            .filter_map(|story| story.ended.map(|(_, spent)| spent))
            .sum();
        prop_assert!(used <= counted + late, "and none is counted twice: {used} of {counted} + {late}");
        prop_assert!(used <= limit, "never over the limit");
    }
    if kind != Kind::Concurrent {
        // Any interval of the window's length, not only those that end now.
        let ends: Vec<(u64, u64)> = stories.iter().filter_map(|story| story.ended).collect();
        for (start, _) in &ends {
            let sum: u64 =
                ends.iter().filter(|(at, _)| (*start..start + WINDOW).contains(at)).map(|(_, n)| n).sum();
            prop_assert!(sum <= limit, "{sum} spent in the window from {start}");
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]
    #[test]
    fn accounts_keep_their_promises(
        limit in 0_u64..120,
        acts in proptest::collection::vec(act(), 1..120),
    ) {
        for kind in [Kind::Count, Kind::Reserve, Kind::Concurrent] {
            play(kind, limit, &acts)?;
        }
    }
}

#[test]
fn what_was_underestimated_is_paid_off() {
    let terms = terms(Kind::Reserve, 100);
    let mut account = Account::default();
    assert!(account.look(&terms, 60, 0).admitted);
    account.take(&terms, 60, Some("a"));
    assert_eq!(account.settle(&terms, "a", Settlement::Spent(250), 1_000_000), Some(190));
    assert_eq!(account.used(&terms), 250);
    let refused = account.look(&terms, 1, 2_000_000);
    assert_eq!((refused.admitted, refused.remaining, refused.reset_us), (false, 0, 59_000_000));
    assert!(account.look(&terms, 1, 61_000_000).admitted);
}

#[test]
fn memory_is_bounded_by_the_grain_and_the_holds() {
    let terms =
        Terms { kind: Kind::Reserve, limit: u64::MAX, window_us: 86_400_000_000, patience_us: u64::MAX / 2 };
    let mut account = Account::default();
    for number in 0..40_000_u64 {
        let now = number * 1_000_000;
        assert!(account.look(&terms, 1, now).admitted);
        account.take(&terms, 1, Some(&number.to_string()));
    }
    assert_eq!(account.held(), 10_000);
    assert_eq!(account.used(&terms), 40_000, "the others count as spent");
    assert_eq!(account.take_expired(), 30_000);
}
