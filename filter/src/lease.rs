//! Admits requests without a call, under limits that the control plane has lent to this VM.
//!
//! Rules with `mode: strict`, limits per second and limits on concurrency do not lend. Each VM has leases of its own: sharing them
//! among workers would cost two calls into Envoy for every request, to save one call over the network every two seconds.
use mesh_audit::v1::LeaseReturn;
use mesh_engine::{LimitAnswer, LimitCheck, LimitStatus, Settlement};
use mesh_limits::{AccountName, Borrow, Leases, Local, Measure, Return, Use, Wish, lease_id, lends};

/// What an account lends, by the index of its check.
pub(crate) struct Lent {
    pub(crate) check: usize,
    pub(crate) id: String,
    pub(crate) amount: u64,
}

/// Admits a request if leases cover all of its checks.
pub(crate) fn admit(leases: &mut Leases, checks: &[LimitCheck], now_ns: u64) -> Option<Local> {
    if !checks.iter().all(lendable) {
        return None;
    }
    let wish = |check: &LimitCheck| Wish {
        account: account(check),
        amount: check.amount,
        settled: check.measure != Measure::Requests,
    };
    let wishes: Vec<Wish> = checks.iter().map(wish).collect();
    leases.admit(&wishes, now_ns / 1000)
}

/// What to borrow in addition, for each check. `id` is the request's. Nothing if some check does not lend, since the
/// request then has to make a call every time.
pub(crate) fn wants(
    leases: &mut Leases,
    checks: &[LimitCheck],
    id: &str,
    now_ns: u64,
) -> Vec<Option<Borrow>> {
    if !checks.iter().all(lendable) {
        return vec![None; checks.len()];
    }
    let lease = lease_id(id);
    checks.iter().map(|check| leases.want(&account(check), check.amount, &lease, now_ns / 1000)).collect()
}

/// Processes what an answer lends, or the fact that there is no answer.
pub(crate) fn take(
    leases: &mut Leases,
    checks: &[LimitCheck],
    borrows: Vec<Option<Borrow>>,
    answer: &LimitAnswer,
    lent: &[Lent],
) {
    for (place, (check, borrow)) in checks.iter().zip(borrows).enumerate() {
        let (account, Some(mut borrow)) = (account(check), borrow) else { continue };
        let LimitAnswer::Answered(statuses) = answer else {
            leases.unanswered(&account, &borrow);
            continue;
        };
        let remaining = statuses.get(place).map_or(0, |status| status.remaining);
        match lent.iter().find(|lent| lent.check == place) {
            Some(lent) => {
                borrow.id.clone_from(&lent.id);
                leases.granted(&account, &borrow, lent.amount, remaining.saturating_sub(lent.amount));
                leases.renews(&account, check.limit);
            }
            None => leases.granted(&account, &borrow, 0, remaining),
        }
    }
}

/// The answer for a session whose request is admitted by leases.
pub(crate) fn answer(local: &Local) -> LimitAnswer {
    let status = |remaining: &u64| LimitStatus { over: None, remaining: *remaining };
    LimitAnswer::Answered(local.remaining.iter().map(status).collect())
}

/// Settles a request that leases admitted.
pub(crate) fn settle(leases: &mut Leases, uses: &[Use], settlements: &[Settlement]) {
    for used in uses {
        let account = used.account();
        let of_it = |settlement: &&Settlement| {
            settlement.policy == account.policy
                && settlement.rule == account.rule
                && settlement.measure == account.measure
                && settlement.window_s == account.window_s
                && settlement.key == account.key
        };
        leases.settle(used, settlements.iter().find(of_it).and_then(|settlement| settlement.spent));
    }
}

/// The message that returns a lease.
pub(crate) fn message(end: &Return) -> LeaseReturn {
    LeaseReturn {
        policy_id: end.account.policy.clone(),
        rule: u32::try_from(end.account.rule).unwrap_or(u32::MAX),
        measure: end.account.measure.as_str().to_owned(),
        window_s: end.account.window_s,
        key: end.account.key.clone(),
        lease_id: end.id.clone(),
        spent: end.spent,
        rest: end.rest,
    }
}

fn lendable(check: &LimitCheck) -> bool {
    !check.strict && lends(check.measure.kind(), check.window_s.saturating_mul(1_000_000))
}

fn account(check: &LimitCheck) -> AccountName {
    AccountName {
        policy: check.policy.clone(),
        rule: check.rule,
        measure: check.measure,
        window_s: check.window_s,
        key: check.key.clone(),
    }
}
