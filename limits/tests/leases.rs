//! No order of asking, lending, using, returning, losing messages, crashing and stepping clocks makes leases admit more than
//! the limit, or lose a token.
use mesh_limits::{
    Account, AccountName, Borrow, Kind, LEASE_US, Leases, Measure, Settlement, Terms, Use, Wish, lease_id,
};
use proptest::prelude::*;

const WINDOW: u64 = 60_000_000;
const HOLDERS: usize = 3;
/// Nothing is under way for longer, and no return waits longer, than lets both together end within the account's patience.
const LONGEST: u64 = 8_000_000;

#[derive(Clone, Debug)]
enum Act {
    /// A request of an amount at a holder, and what becomes of what it asks.
    Request(usize, u64, Fate),
    /// What is due at a holder is renewed.
    Renew(usize, Fate),
    /// The n-th of the late answers arrives.
    Late(usize),
    /// The n-th of what is under way ends, with a share of its amount in percent; none: it is released.
    End(usize, Option<u64>),
    /// A holder's returns arrive; whether that is known to it.
    Deliver(usize, bool),
    Wait(u64),
    /// A holder's clock steps.
    Clock(usize, i64),
    Crash(usize),
}

/// What becomes of a question.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    Answered,
    QuestionLost,
    AnswerLost,
    /// What is lent is told late.
    Late,
}

fn fate() -> impl Strategy<Value = Fate> {
    prop_oneof![
        16 => Just(Fate::Answered), 1 => Just(Fate::QuestionLost), 1 => Just(Fate::AnswerLost), 2 => Just(Fate::Late)
    ]
}

fn act() -> impl Strategy<Value = Act> {
    let holder = 0..HOLDERS;
    prop_oneof![
        12 => (holder.clone(), 1_u64..12, fate()).prop_map(|(h, n, fate)| Act::Request(h, n, fate)),
        4 => (holder.clone(), fate()).prop_map(|(h, fate)| Act::Renew(h, fate)),
        2 => (0_usize..16).prop_map(Act::Late),
        6 => (0_usize..16, prop::option::weighted(0.9, 0_u64..=100)).prop_map(|(which, share)| Act::End(which, share)),
        3 => (holder.clone(), prop::bool::weighted(0.8)).prop_map(|(h, known)| Act::Deliver(h, known)),
        4 => (0_u64..700_000).prop_map(Act::Wait),
        1 => (0_u64..20_000_000).prop_map(Act::Wait),
        1 => (holder.clone(), -100_000_000_i64..100_000_000).prop_map(|(h, by)| Act::Clock(h, by)),
        1 => holder.prop_map(Act::Crash),
    ]
}

/// One admitted request.
struct Story {
    holder: usize,
    amount: u64,
    admitted: u64,
    /// How it is settled: by the account under a name, or by a lease.
    way: Way,
    ended: Option<(u64, u64)>,
}

enum Way {
    Account(String),
    Lease(Option<Use>),
}

/// An answer on its way: to whom, to what, how much was lent, what is left, and since when.
type Answer = (usize, Borrow, u64, u64, u64);

struct World {
    terms: Terms,
    account: Account,
    holders: Vec<(Leases, i64)>,
    stories: Vec<Story>,
    late: Vec<Answer>,
    name: AccountName,
    now: u64,
    asked: u64,
    /// Something was lost for good: it counts as spent, and more may be used than was.
    lossy: bool,
    local: usize,
}

impl World {
    fn clock(&self, holder: usize) -> u64 {
        self.now.saturating_add_signed(self.holders[holder].1)
    }

    fn request(&mut self, holder: usize, amount: u64, fate: Fate) -> Result<(), TestCaseError> {
        let settled = self.terms.kind == Kind::Reserve;
        let clock = self.clock(holder);
        let wish = Wish { account: self.name.clone(), amount, settled };
        let ended = (!settled).then_some((self.now, amount));
        if let Some(mut local) = self.holders[holder].0.admit(&[wish], clock) {
            let way = Way::Lease(local.uses.pop());
            self.stories.push(Story { holder, amount, admitted: self.now, way, ended });
            self.local += 1;
            return Ok(());
        }
        self.asked += 1;
        let id = self.asked.to_string();
        let borrow = self.holders[holder].0.want(&self.name, amount, &lease_id(&id), clock);
        let admitted = self.ask(holder, amount, &id, borrow, fate)?;
        if fate == Fate::AnswerLost && admitted {
            // The request is refused. What it was promised is released; what was counted at once stays.
            match settled {
                true => drop(self.account.settle(&self.terms, &id, Settlement::Released, self.now)),
                false => self.lossy = true,
            }
        } else if admitted {
            self.stories.push(Story { holder, amount, admitted: self.now, way: Way::Account(id), ended });
        }
        Ok(())
    }

    /// Asks the account; whether it has admitted the amount.
    fn ask(
        &mut self,
        holder: usize,
        amount: u64,
        id: &str,
        borrow: Option<Borrow>,
        fate: Fate,
    ) -> Result<bool, TestCaseError> {
        if fate == Fate::QuestionLost {
            if let Some(borrow) = &borrow {
                self.holders[holder].0.unanswered(&self.name, borrow);
            }
            return Ok(false);
        }
        let goes_on = borrow.as_ref().and_then(|borrow| Some((borrow.id.clone(), borrow.spent?)));
        let told = goes_on.as_ref().map(|(id, spent)| self.account.tell(&self.terms, id, *spent, self.now));
        let before = self.account.lent().amount;
        let admitted = self.account.look(&self.terms, amount, self.now).admitted;
        let mut lent = 0;
        if admitted {
            self.account.take(&self.terms, amount, Some(id));
            if let Some(borrow) = borrow.as_ref().filter(|_| told.is_none_or(|told| told.is_some())) {
                lent = self.account.lend(&self.terms, borrow.want, amount, &borrow.id);
                prop_assert!(lent == 0 || lent >= amount && before + lent <= self.terms.limit / 10);
            }
        }
        let Some(borrow) = borrow else { return Ok(admitted) };
        let rest = self.terms.limit.saturating_sub(self.account.used(&self.terms));
        match fate {
            Fate::AnswerLost => self.holders[holder].0.unanswered(&self.name, &borrow),
            Fate::Late => self.late.push((holder, borrow, lent, rest, self.now)),
            _ => self.answer((holder, borrow, lent, rest, self.now)),
        }
        Ok(admitted)
    }

    fn answer(&mut self, (holder, borrow, lent, rest, _): Answer) {
        self.holders[holder].0.granted(&self.name, &borrow, lent, rest);
        self.holders[holder].0.renews(&self.name, self.terms.limit);
    }

    /// Asks for nothing but to be lent.
    fn renew(&mut self, holder: usize, fate: Fate) -> Result<(), TestCaseError> {
        let clock = self.clock(holder);
        for renewal in self.holders[holder].0.due(clock) {
            self.ask(holder, 0, "renewal", Some(renewal.borrow), fate)?;
        }
        Ok(())
    }

    fn end(&mut self, story: usize, share: Option<u64>) {
        let story = &mut self.stories[story];
        let spent = share.map(|share| story.amount * share / 100);
        story.ended = Some((self.now, spent.unwrap_or(0)));
        match &story.way {
            Way::Account(id) => {
                let how = spent.map_or(Settlement::Released, Settlement::Spent);
                let known = self.account.settle(&self.terms, id, how, self.now);
                assert!(known.is_some(), "what is open can be settled");
            }
            Way::Lease(Some(used)) => self.holders[story.holder].0.settle(used, spent),
            Way::Lease(None) => {}
        }
    }

    fn deliver(&mut self, holder: usize, known: bool) {
        let leases = &mut self.holders[holder].0;
        for end in leases.returns() {
            let how = Settlement::Returned { spent: end.spent, rest: end.rest };
            self.account.settle(&self.terms, &end.id, how, self.now);
        }
        if known {
            leases.returned(leases.first_return() + leases.returns().len() as u64);
        }
    }

    /// Time passes, in steps as short as a worker's tick is beside a lease.
    fn wait(&mut self, mut by: u64) {
        while by > 0 {
            let step = by.min(LEASE_US / 10);
            by -= step;
            self.now += step;
            for holder in 0..HOLDERS {
                let clock = self.clock(holder);
                self.holders[holder].0.advance(clock);
            }
            let late: Vec<usize> = (0..self.stories.len())
                .filter(|at| {
                    self.stories[*at].ended.is_none() && self.stories[*at].admitted + LONGEST <= self.now
                })
                .collect();
            late.into_iter().for_each(|story| self.end(story, Some(100)));
            while let Some(at) = self.late.iter().position(|answer| answer.4 + LONGEST <= self.now) {
                let answer = self.late.swap_remove(at);
                self.answer(answer);
            }
            if self.now % LONGEST < step {
                (0..HOLDERS).for_each(|holder| self.deliver(holder, true));
            }
        }
        self.account.advance(&self.terms, self.now);
    }

    fn crash(&mut self, holder: usize) {
        self.lossy = true;
        self.holders[holder] = (Leases::default(), 0);
        self.late.retain(|answer| answer.0 != holder);
        let (now, terms) = (self.now, self.terms);
        // Nobody will say what came of these.
        for story in self.stories.iter_mut().filter(|story| story.holder == holder && story.ended.is_none()) {
            story.ended = Some((now, story.amount));
        }
        self.account.advance(&terms, now);
    }
}

fn play(kind: Kind, limit: u64, acts: &[Act]) -> Result<(usize, u64), TestCaseError> {
    let terms = Terms { kind, limit, window_us: WINDOW, patience_us: 20_000_000 };
    let name = AccountName {
        policy: "p".into(),
        rule: 0,
        measure: Measure::Tokens,
        window_s: WINDOW / 1_000_000,
        key: "agent:a".into(),
    };
    let mut world = World {
        terms,
        account: Account::default(),
        holders: (0..HOLDERS).map(|_| (Leases::default(), 0)).collect(),
        stories: Vec::new(),
        late: Vec::new(),
        name,
        now: 1_000_000_000,
        asked: 0,
        lossy: false,
        local: 0,
    };
    for act in acts {
        match act {
            Act::Request(holder, amount, fate) => world.request(*holder, *amount, *fate)?,
            Act::Renew(holder, fate) => world.renew(*holder, *fate)?,
            Act::Late(which) => {
                if !world.late.is_empty() {
                    let answer = world.late.swap_remove(which % world.late.len());
                    world.answer(answer);
                }
            }
            Act::End(which, share) => {
                let open: Vec<usize> =
                    (0..world.stories.len()).filter(|at| world.stories[*at].ended.is_none()).collect();
                if !open.is_empty() {
                    world.end(open[which % open.len()], *share);
                }
            }
            Act::Deliver(holder, known) => world.deliver(*holder, *known),
            Act::Wait(by) => world.wait(*by),
            Act::Clock(holder, by) => {
                world.holders[*holder].1 = by.clamp(&-100_000_000, &100_000_000).to_owned();
                let clock = world.clock(*holder);
                world.holders[*holder].0.advance(clock);
            }
            Act::Crash(holder) => world.crash(*holder),
        }
        let used = world.account.used(&terms);
        prop_assert!(used <= limit, "{used} of {limit}");
        prop_assert!(world.account.lent().amount <= world.account.held(), "what is lent is held");
    }
    // Everything ends: what was spent stands in the account.
    let open: Vec<usize> = (0..world.stories.len()).filter(|at| world.stories[*at].ended.is_none()).collect();
    open.into_iter().for_each(|story| world.end(story, Some(100)));
    while let Some(answer) = world.late.pop() {
        world.answer(answer);
    }
    world.wait(LEASE_US + LEASE_US / 2);
    (0..HOLDERS).for_each(|holder| world.deliver(holder, true));
    let ends: Vec<(u64, u64)> = world.stories.iter().filter_map(|story| story.ended).collect();
    let lately: u64 = ends.iter().filter(|(at, _)| at + WINDOW > world.now).map(|(_, spent)| spent).sum();
    let used = world.account.used(&terms);
    prop_assert!(used >= lately, "no token is lost: {used} of {lately}");
    prop_assert!(world.lossy || world.account.held() == 0, "everything is returned");
    if !world.lossy && world.now < 1_000_000_000 + WINDOW {
        prop_assert_eq!(used, lately, "and none is counted twice");
    }
    for (start, _) in &ends {
        let sum: u64 =
            ends.iter().filter(|(at, _)| (*start..start + WINDOW).contains(at)).map(|(_, n)| n).sum();
        prop_assert!(sum <= limit, "{sum} spent in the window from {start}");
    }
    Ok((world.local, ends.iter().map(|(_, spent)| spent).sum()))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]
    #[test]
    fn leases_never_admit_more_and_lose_no_token(
        limit in 1_u64..2000,
        acts in prop::collection::vec(act(), 1..250),
    ) {
        for kind in [Kind::Count, Kind::Reserve] {
            play(kind, limit, &acts)?;
        }
    }
}

/// Where leases are renewed as time passes, a holder that asks steadily waits for its first answers alone.
#[test]
fn renewed_in_time_the_common_case_never_waits() {
    let acts: Vec<Act> = (0..600)
        .flat_map(|number| {
            let renew = if number % 2 == 0 { Act::Renew(0, Fate::Answered) } else { Act::Deliver(0, true) };
            [Act::Request(0, 1, Fate::Answered), Act::Wait(10_000), renew]
        })
        .collect();
    let (local, admitted) = play(Kind::Count, 10_000, &acts).unwrap();
    assert!(local >= 590 && admitted == 600, "{local} of {admitted} made no call");
    let (local, admitted) = play(Kind::Reserve, 10_000, &acts).unwrap();
    assert!(local >= 590 && admitted == 600, "{local} of {admitted} made no call");
}

/// One holder that asks steadily calls rarely; near the end of the budget every request asks, and all of it is admitted.
#[test]
fn the_common_case_makes_no_call_and_the_end_is_exact() {
    let steadily = |count: usize| -> Vec<Act> {
        let each = |number: usize| match number % 10 {
            0 => vec![Act::Deliver(0, true), Act::Request(0, 1, Fate::Answered), Act::Wait(10_000)],
            _ => vec![Act::Request(0, 1, Fate::Answered), Act::Wait(10_000)],
        };
        (0..count).flat_map(each).collect()
    };
    let (local, admitted) = play(Kind::Count, 10_000, &steadily(600)).unwrap();
    assert!(local > 560 && admitted == 600, "{local} of {admitted} made no call");
    let (local, admitted) = play(Kind::Count, 1000, &steadily(1200)).unwrap();
    assert!(local > 900 && admitted == 1000, "{local} of {admitted} made no call");
}

/// While nobody answers, each request that asks may have been lent something, and says so later. The oldest are given up, and what
/// is taken in meanwhile is what was told.
#[test]
fn what_nobody_takes_back_is_bounded() {
    let mut leases = Leases::default();
    let (policy, key) = ("p".to_owned(), "user:ada".to_owned());
    let account = AccountName { policy, rule: 0, measure: Measure::Requests, window_s: 60, key };
    let mut now = 0;
    let lost = |leases: &mut Leases, id: &str, now: &mut u64| {
        *now += 1_000_000;
        let borrow = leases.want(&account, 1, id, *now).expect("it asks");
        leases.unanswered(&account, &borrow);
    };
    // A first request asks for itself alone.
    assert_eq!(leases.want(&account, 1, "first", now), None);
    (0..5_000).for_each(|id| lost(&mut leases, &id.to_string(), &mut now));
    let ids =
        |leases: &Leases| -> Vec<String> { leases.returns().iter().map(|end| end.id.clone()).collect() };
    let kept = ids(&leases);
    assert_eq!((kept.len(), kept.last().map(String::as_str)), (4_096, Some("4999")));
    let told = leases.first_return() + 2;
    lost(&mut leases, "new", &mut now);
    leases.returned(told);
    assert_eq!(ids(&leases)[..4_094], kept[2..], "one of the two was given up before");
}
