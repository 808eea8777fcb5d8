//! What was reserved for an exchange under limits of tokens and money, what it consumed, and how the reservations are
//! settled.
//!
//! Failure law: what cannot be known counts as reserved. What never reached a model, or was refused by it, does not
//! count.
use mesh_limits::{Measure, Tokens, tokens_of};
use mesh_policy::LimitMode;
use mesh_wire::{Ending, Event, Message, Protocol, StreamItem, Usage};

use crate::estimate::Estimate;
use crate::limits::LimitCheck;
use crate::program::LimitGuard;
use crate::session::Session;

/// What was reserved for an exchange, and what it consumed.
#[derive(Default)]
pub(crate) struct Budget {
    /// Reservations to be settled.
    promised: Vec<LimitCheck>,
    /// The tokens requested at first.
    estimate: Estimate,
    /// The estimate for the body, once computed.
    pub(crate) estimated: Option<Option<Estimate>>,
    usage: Option<Usage>,
    /// Estimated tokens of the part of the response that was read.
    written: u64,
    /// Part of the response was not read.
    unread: bool,
    /// The request was sent, but the response is not the provider's.
    lost: bool,
    /// The stream has ended by itself: its usage is final.
    complete: bool,
    /// The status of the response, once it has arrived.
    pub(crate) status: Option<u16>,
    /// The number of tokens after which a stream is cut.
    most: Option<u64>,
    /// Usage was requested on the client's behalf.
    asked: bool,
    ending: Ending,
}

/// The end of a reservation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settlement {
    /// The limit's policy.
    pub policy: String,
    /// The rule's index among the policy's rules with such a limit.
    pub rule: usize,
    /// The limit's name in the document.
    pub name: &'static str,
    /// What is counted.
    pub measure: Measure,
    /// Length of the window in seconds.
    pub window_s: u64,
    /// The account: who is counted.
    pub key: String,
    /// How much is admitted in the window.
    pub limit: u64,
    /// How much was reserved.
    pub promised: u64,
    /// How much was spent; `None` if nothing was: the reservation is released.
    pub spent: Option<u64>,
}

impl Settlement {
    /// A check for what was spent beyond the reservation; `None` if nothing was.
    pub fn beyond(&self) -> Option<LimitCheck> {
        let amount = self.spent?.saturating_sub(self.promised);
        let Settlement { policy, rule, name, measure, window_s, key, limit, .. } = self.clone();
        let question = LimitCheck::to_borrow(policy, rule, measure, key, limit, window_s);
        (amount > 0).then_some(LimitCheck { name, amount, ..question })
    }
}

/// What an exchange consumed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Spending {
    /// Tokens.
    pub usage: Usage,
    /// Whether it is estimated, because the provider did not report it.
    pub estimated: bool,
    /// In millionths of a US dollar, if a limit needs it.
    pub cost: u64,
}

impl LimitCheck {
    fn settled(self, spent: Option<u64>) -> Settlement {
        let LimitCheck { policy, rule, name, measure, window_s, key, limit, amount: promised, .. } = self;
        Settlement { policy, rule, name, measure, window_s, key, limit, promised, spent }
    }
}

impl Session {
    /// Whether the responses come later and elsewhere: then the reservation counts.
    fn is_later(&self) -> bool {
        self.message.as_ref().is_some_and(|message| message.later || message.operation == "batches")
    }

    /// How much a guard reserves: its share of a request's estimate, in its own measure.
    pub(crate) fn amount(&self, guard: &LimitGuard, estimate: Estimate) -> u64 {
        let bounded = self.message.as_ref().is_some_and(|message| message.max_output.is_some());
        let amount = match guard.measure {
            Measure::Requests | Measure::Concurrent => return 1,
            Measure::Tokens => estimate.input.saturating_add(estimate.output),
            Measure::Cost => self.cost(Usage {
                input_tokens: estimate.input,
                output_tokens: estimate.output,
                ..Usage::default()
            }),
        };
        // A reservation of nothing would not be held, and could not be settled.
        let amount = amount.max(1);
        // An estimate must not lock out a request that may well fit: it is at most the whole limit, and at most a
        // tenth of the limit for a response about which nothing is known.
        match guard.mode {
            LimitMode::Strict => amount,
            LimitMode::Default if bounded => amount.min(guard.limit),
            LimitMode::Default => {
                let input = self.amount_of_input(guard, estimate);
                let output = amount.saturating_sub(input).min((guard.limit / 10).max(1));
                input.saturating_add(output).min(guard.limit)
            }
        }
    }

    fn amount_of_input(&self, guard: &LimitGuard, estimate: Estimate) -> u64 {
        match guard.measure {
            Measure::Cost => self.cost(Usage { input_tokens: estimate.input, ..Usage::default() }),
            _ => estimate.input,
        }
    }

    /// The cost of tokens of the requested model, in millionths of a US dollar.
    fn cost(&self, usage: Usage) -> u64 {
        let Some(prices) = &self.program.prices else { return 0 };
        let (price, _) = prices.price(self.model());
        price.micros(&Tokens {
            input: usage
                .input_tokens
                .saturating_sub(usage.cached_tokens)
                .saturating_sub(usage.cache_write_tokens),
            cached: usage.cached_tokens,
            cache_write: usage.cache_write_tokens,
            output: usage.output_tokens.saturating_sub(usage.reasoning_tokens),
            reasoning: usage.reasoning_tokens,
        })
    }

    fn model(&self) -> &str {
        self.message.as_ref().and_then(|message| message.model.as_deref()).unwrap_or_default()
    }

    /// Whether the model has no price although a limit of money needs one.
    pub(crate) fn is_unpriced(&self) -> bool {
        self.program.prices.as_ref().is_some_and(|prices| !prices.price(self.model()).1)
    }

    /// The service has admitted the request under these checks; `remaining` is what it says is left under each.
    pub(crate) fn promised(&mut self, checks: &[LimitCheck], remaining: &[u64], body: &[u8]) {
        self.estimates(checks, body);
        for (check, remaining) in checks.iter().zip(remaining) {
            let rest = if check.strict { 0 } else { *remaining };
            let most = match check.measure {
                Measure::Requests | Measure::Concurrent => None,
                Measure::Tokens => {
                    Some(check.amount.saturating_add(rest).saturating_sub(self.budget.estimate.input))
                }
                Measure::Cost => self.program.prices.as_ref().map(|prices| {
                    let input =
                        self.cost(Usage { input_tokens: self.budget.estimate.input, ..Usage::default() });
                    let left = check.amount.saturating_add(rest).saturating_sub(input);
                    prices.price(self.model()).0.output_for(left)
                }),
            };
            if let Some(most) = most.filter(|_| check.enforced) {
                let least = self.budget.most.map_or(most, |known| known.min(most));
                self.budget.most = Some(least);
            }
            if check.measure != Measure::Requests {
                self.budget.promised.push(check.clone());
            }
        }
    }

    /// Stores the estimate if a limit counts tokens or money.
    fn estimates(&mut self, checks: &[LimitCheck], body: &[u8]) {
        if checks.iter().any(|check| check.measure.is_spent()) {
            self.budget.estimate = self.estimated(body).unwrap_or_default();
        }
    }

    /// The service was asked for these and has not answered: it may still have admitted them.
    pub(crate) fn perhaps_promised(&mut self, checks: Vec<LimitCheck>, body: &[u8]) {
        self.estimates(&checks, body);
        self.budget.promised.extend(checks.into_iter().filter(|check| check.measure != Measure::Requests));
    }

    /// The body as reserved: with a bound on its responses, and with usage requested; `None` if it already has both.
    pub(crate) fn as_promised(&mut self, body: &[u8]) -> Option<Vec<u8>> {
        let bounded = self.bounding(body);
        self.asking_for_usage(bounded.as_deref().unwrap_or(body)).or(bounded)
    }

    /// Whether an enforcing limit has reserved an upper bound.
    pub(crate) fn promised_strictly(&self) -> bool {
        let strictly = |check: &LimitCheck| check.strict && check.enforced && check.measure.is_spent();
        self.budget.promised.iter().any(strictly)
    }

    /// The body with usage requested, if the protocol only reports it in streams when asked.
    fn asking_for_usage(&mut self, body: &[u8]) -> Option<Vec<u8>> {
        let message = self.message.as_ref()?;
        let asks = matches!(message.protocol, Protocol::OpenAiChat | Protocol::OpenAiCompletions);
        if !message.stream || !asks || !self.spends() {
            return None;
        }
        let asking = mesh_wire::asking_for_usage(body)?;
        self.budget.asked = true;
        Some(asking)
    }

    /// Whether the consumption of the response must be known.
    pub(crate) fn spends(&self) -> bool {
        self.budget.promised.iter().any(|check| check.measure.is_spent())
    }

    /// The response headers have arrived.
    pub(crate) fn answered(&mut self, status: Option<u16>) {
        self.budget.status = status;
    }

    /// The request was sent, but Envoy answers instead of the provider: it waited too long, or the connection broke.
    pub fn answer_lost(&mut self) {
        self.budget.lost = true;
    }

    /// Part of the response will not be read.
    pub(crate) fn answer_unread(&mut self) {
        self.budget.unread = true;
    }

    /// Takes a whole response.
    pub(crate) fn took(&mut self, message: &Message) {
        self.used(message.usage);
        self.budget.complete = true;
        // Only what is not reported has to be estimated.
        if !self.spends() && message.usage.is_none_or(|usage| usage.total() > 0) {
            return;
        }
        let texts = message.segments.iter().filter(|segment| !segment.derived && !segment.is_key());
        let written = texts.map(|segment| tokens_of(&segment.text)).fold(0, u64::saturating_add);
        self.budget.written = self.budget.written.saturating_add(written);
    }

    /// Takes an event of a streamed response. Returns whether it only reports usage that the client did not request.
    pub(crate) fn took_event(&mut self, event: &Event, item: &StreamItem) -> bool {
        self.used(item.message.usage);
        if !self.spends() {
            return false;
        }
        self.budget.complete |= item.closes.contains(&mesh_wire::Close::All);
        let told = item.message.usage.is_some();
        let says = !item.pieces.is_empty() || !item.closes.is_empty();
        self.budget.asked && told && !says && mesh_wire::only_tells_usage(event)
    }

    /// An event of a streamed response has been sent in this form: an early end is derived from it.
    pub(crate) fn sent_event(&mut self, event: &Event) {
        if self.spends() {
            self.budget.ending.see(event);
        }
    }

    /// Takes new text of a streamed response.
    pub(crate) fn wrote(&mut self, text: &str) {
        if self.spends() {
            self.budget.written = self.budget.written.saturating_add(tokens_of(text));
        }
    }

    /// The stream has ended. Anthropic reports the full output only in the final event of its protocol.
    pub(crate) fn answer_ended(&mut self) {
        self.budget.complete |= self.protocol != Protocol::AnthropicMessages;
    }

    pub(crate) fn used(&mut self, usage: Option<Usage>) {
        if let Some(usage) = usage {
            self.budget.usage = Some(self.budget.usage.unwrap_or_default().merged(usage));
        }
    }

    /// Whether the budget is used up, so that the stream ends here.
    pub(crate) fn is_cut(&mut self) -> bool {
        if self.budget.most.is_none_or(|most| self.budget.written <= most) || self.budget.complete {
            return false;
        }
        let message = "the budget for this answer is spent".to_owned();
        for check in self.budget.promised.clone().iter().filter(|check| check.measure.is_spent()) {
            self.note_spent(check, message.clone());
        }
        true
    }

    /// What ends the stream after what was sent; `None` if the protocol has no way to do so.
    pub(crate) fn ending(&self) -> Option<Vec<u8>> {
        self.budget.ending.at_bound(self.budget.written)
    }

    /// What the exchange consumed, as far as it can be known; `None` if no model was asked.
    fn spending(&self) -> Option<Spending> {
        let budget = &self.budget;
        // A provider that has written something but reports no tokens at all has not counted.
        let said = budget.usage.filter(|usage| usage.total() > 0 || budget.written == 0);
        let usage = match said {
            // A stream that broke off has reported its input, but not all of its output.
            Some(usage) if !budget.complete && budget.written > usage.output_tokens => {
                (Usage { output_tokens: budget.written, ..usage }, true)
            }
            Some(usage) => (usage, false),
            None if !self.spends() => return None,
            // Of a whole response that broke off, nothing was read.
            None if budget.unread
                || budget.status.is_none()
                || self.is_later()
                || !budget.complete && self.stream.is_none() =>
            {
                let Estimate { input, output } = budget.estimate;
                (Usage { input_tokens: input, output_tokens: output, ..Usage::default() }, true)
            }
            None => {
                let (input_tokens, output_tokens) = (budget.estimate.input, budget.written);
                (Usage { input_tokens, output_tokens, ..Usage::default() }, true)
            }
        };
        let money = budget.promised.iter().any(|check| check.measure == Measure::Cost);
        let cost = if money { self.cost(usage.0) } else { 0 };
        Some(Spending { usage: usage.0, estimated: usage.1, cost })
    }

    /// Settles the reservations at the end of the exchange.
    pub(crate) fn settle(&mut self) {
        let lost = self.budget.lost;
        let failed =
            self.budget.status.is_some_and(|status| status >= 400) && self.budget.usage.is_none() && !lost;
        let refused = self.budget.status.is_none() && self.denied();
        let spending = if failed || refused { None } else { self.spending() };
        let unknown = self.is_later() || lost || self.budget.status.is_none() && !refused;
        let estimated = spending.is_some_and(|spending| spending.estimated);
        let settlements = self.budget.promised.drain(..).map(|check| {
            let spent = match (check.measure, spending) {
                (Measure::Requests | Measure::Concurrent, _) | (_, None) => None,
                // It was sent, but the result is unknown.
                _ if unknown => Some(check.amount),
                // An estimate may be too low: with an upper bound, that one counts.
                _ if check.strict && estimated => Some(check.amount),
                (Measure::Tokens, Some(spending)) => Some(spending.usage.total()),
                (Measure::Cost, Some(spending)) => Some(spending.cost),
            };
            check.settled(spent)
        });
        self.decision.settlements = settlements.collect();
        // A client that left before the service answered has sent nothing.
        let asked = self.asked.drain(..).filter(|check| check.measure != Measure::Requests);
        self.decision.settlements.extend(asked.map(|check| check.settled(None)));
        self.decision.spending = spending;
    }
}
