//! The local check of a limit: what a leased request costs, on the host.
use mesh_limits::{AccountName, Borrow, Leases, Measure, Wish};

fn main() {
    divan::main();
}

fn wish(rule: usize, account: usize) -> Wish {
    let account = AccountName {
        policy: "budgets".into(),
        rule,
        measure: Measure::Requests,
        window_s: 60,
        key: format!("user:{account}@example.com"),
    };
    Wish { account, amount: 1, settled: rule % 2 == 1 }
}

/// A request under so many limits, all lent, of one of a thousand users; limits at odd places are settled.
#[divan::bench(args = [1, 2, 4])]
fn leased_request(bencher: divan::Bencher<'_, '_>, limits: usize) {
    let mut leases = Leases::default();
    for user in 0..1000 {
        for rule in 0..limits {
            let (account, id) = (wish(rule, user).account, format!("lease:{user}-{rule}"));
            // Who asks first is not lent anything yet; this one is.
            leases.want(&account, 1, &id, 0);
            leases.granted(&account, &Borrow { want: 1, id, spent: None, asked_us: 0 }, u64::MAX / 4, 0);
        }
    }
    let wishes: Vec<Vec<Wish>> =
        (0..1000).map(|user| (0..limits).map(|rule| wish(rule, user)).collect()).collect();
    let mut turn = 0;
    bencher.bench_local(|| {
        turn = (turn + 1) % wishes.len();
        // Naming the accounts is part of it: the filter does so for each request.
        let wishes = divan::black_box(&wishes[turn]).clone();
        let local = leases.admit(&wishes, 1).expect("all of it is lent");
        for used in &local.uses {
            leases.settle(used, Some(1));
        }
        local
    });
}
