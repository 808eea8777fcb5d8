//! How many requests of a short race wait for a call, on machines of any speed: twelve workers, twelve clients, one account, and time that is a number.
use std::cmp::Reverse;
use std::collections::BinaryHeap;

use mesh_limits::{Account, AccountName, Borrow, Kind, Leases, Measure, Settlement, Terms, Wish, lease_id};

const WORKERS: usize = 12;
const EACH: usize = 50;
const TICK_US: u64 = 20_000;
const GATHER_US: u64 = 100_000;

/// What happens next; ordered so that the heap is.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Next {
    /// A client sends its next request.
    Send(usize),
    /// A question of a worker, for a client's request or none, reaches the account.
    Ask(usize, Option<usize>, Option<(u64, String, Option<u64>, u64)>),
    /// Its answer comes: what was lent, and what is left.
    Answer(usize, Option<usize>, Option<(u64, String, Option<u64>, u64)>, u64, u64),
    Tick(usize),
    /// Ends of leases reach the account.
    Report(usize, u64, Vec<(String, u64, u64)>),
    Reported(usize, u64),
}

struct Race {
    account: Account,
    terms: Terms,
    name: AccountName,
    workers: Vec<Leases>,
    reported_us: Vec<Option<u64>>,
    left: Vec<usize>,
    next: BinaryHeap<Reverse<(u64, u64, Next)>>,
    events: u64,
    seed: u64,
    service_us: u64,
    call_us: u64,
    waited: usize,
    admitted: usize,
}

impl Race {
    /// Half as long to half as long again.
    fn about(&mut self, mean: u64) -> u64 {
        self.seed = self.seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        mean / 2 + (self.seed >> 33) % mean.max(1)
    }

    fn at(&mut self, when: u64, next: Next) {
        self.events += 1;
        self.next.push(Reverse((when, self.events, next)));
    }

    fn step(&mut self, now: u64, next: Next) {
        match next {
            Next::Send(client) => self.send(client, now),
            Next::Ask(worker, client, borrow) => {
                let told = borrow.as_ref().and_then(|(_, id, spent, _)| {
                    Some(self.account.tell(&self.terms, id, (*spent)?, now).is_some())
                });
                let amount = u64::from(client.is_some());
                assert!(
                    self.account.look(&self.terms, amount, now).admitted,
                    "half of the limit is refused to nobody"
                );
                self.account.take(&self.terms, amount, Some("request"));
                self.admitted += usize::from(client.is_some());
                let lent = match &borrow {
                    Some((want, id, ..)) if told != Some(false) => {
                        self.account.lend(&self.terms, *want, amount, id)
                    }
                    _ => 0,
                };
                let left = self.terms.limit - self.account.used(&self.terms);
                let back = now + self.about(self.call_us) / 2;
                self.at(back, Next::Answer(worker, client, borrow, lent, left));
            }
            Next::Answer(worker, client, borrow, lent, left) => {
                if let Some((want, id, spent, asked_us)) = borrow {
                    let borrow = Borrow { want, id, spent, asked_us };
                    self.workers[worker].granted(&self.name, &borrow, lent, left);
                    self.workers[worker].renews(&self.name, self.terms.limit);
                }
                if let Some(client) = client {
                    let done = now + self.about(self.service_us);
                    self.at(done, Next::Send(client));
                }
            }
            Next::Tick(worker) => self.tick(worker, now),
            Next::Report(worker, first, ends) => {
                let before = first + ends.len() as u64;
                for (id, spent, rest) in ends {
                    self.account.settle(&self.terms, &id, Settlement::Returned { spent, rest }, now);
                }
                let back = now + self.about(self.call_us) / 2;
                self.at(back, Next::Reported(worker, before));
            }
            Next::Reported(worker, before) => self.workers[worker].returned(before),
        }
    }

    fn send(&mut self, client: usize, now: u64) {
        let Some(left) = self.left[client].checked_sub(1) else { return };
        self.left[client] = left;
        let worker = self.about(1 << 20) as usize % WORKERS;
        let wish = Wish { account: self.name.clone(), amount: 1, settled: false };
        if self.workers[worker].admit(&[wish], now).is_some() {
            self.admitted += 1;
            let done = now + self.about(self.service_us);
            return self.at(done, Next::Send(client));
        }
        self.waited += 1;
        let id = lease_id(&self.events.to_string());
        let borrow = self.workers[worker].want(&self.name, 1, &id, now);
        let borrow = borrow.map(|borrow| (borrow.want, borrow.id, borrow.spent, borrow.asked_us));
        let there = now + self.about(self.call_us) / 2;
        self.at(there, Next::Ask(worker, Some(client), borrow));
    }

    fn tick(&mut self, worker: usize, now: u64) {
        self.workers[worker].advance(now);
        for renewal in self.workers[worker].due(now) {
            let Borrow { want, id, spent, asked_us } = renewal.borrow;
            let there = now + self.about(self.call_us) / 2;
            self.at(there, Next::Ask(worker, None, Some((want, id, spent, asked_us))));
        }
        let gathered = self.reported_us[worker].is_none_or(|at| now >= at + GATHER_US);
        let ends: Vec<_> =
            self.workers[worker].returns().iter().map(|r| (r.id.clone(), r.spent, r.rest)).collect();
        if gathered && !ends.is_empty() {
            self.reported_us[worker] = Some(now);
            let there = now + self.about(self.call_us) / 2;
            let first = self.workers[worker].first_return();
            self.at(there, Next::Report(worker, first, ends));
        }
        if self.left.iter().any(|left| *left > 0) {
            self.at(now + TICK_US, Next::Tick(worker));
        }
    }
}

fn race(seed: u64, service_us: u64, call_us: u64) -> (usize, usize) {
    let terms = Terms { kind: Kind::Count, limit: 1200, window_us: 3_600_000_000, patience_us: 600_000_000 };
    let name = AccountName {
        policy: "p".into(),
        rule: 0,
        measure: Measure::Requests,
        window_s: 3600,
        key: "agent:many".into(),
    };
    let mut race = Race {
        account: Account::default(),
        terms,
        name,
        workers: (0..WORKERS).map(|_| Leases::default()).collect(),
        reported_us: vec![None; WORKERS],
        left: vec![EACH; WORKERS],
        next: BinaryHeap::new(),
        events: 0,
        seed,
        service_us,
        call_us,
        waited: 0,
        admitted: 0,
    };
    for worker in 0..WORKERS {
        let (first, tick) = (race.about(10_000), race.about(TICK_US));
        race.at(1_000_000_000 + first, Next::Send(worker));
        race.at(1_000_000_000 + tick, Next::Tick(worker));
    }
    while let Some(Reverse((now, _, next))) = race.next.pop() {
        race.step(now, next);
    }
    (race.waited, race.admitted)
}

#[test]
fn in_a_short_race_few_requests_wait_for_a_call() {
    // How long a request takes, and a call; how many of 600 requests may wait for one. A worker's first two always do.
    let table = [
        (3000, 2000, 100),
        (10_000, 5000, 60),
        (20_000, 10_000, 60),
        (40_000, 30_000, 60),
        (40_000, 60_000, 75),
        (100_000, 60_000, 60),
    ];
    for (service_us, call_us, most) in table {
        for seed in 1..=20 {
            let (waited, admitted) = race(seed, service_us, call_us);
            assert_eq!(admitted, WORKERS * EACH);
            assert!(
                waited <= most,
                "{waited} of {admitted} waited, {service_us} and {call_us} µs, seed {seed}"
            );
        }
    }
}
