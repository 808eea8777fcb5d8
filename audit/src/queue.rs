//! Decision records that wait until they are kept: numbered, and forgotten when they are acknowledged.
//!
//! Law: a record leaves when it is acknowledged, or when it is refused by itself: it would be refused every time, and none behind it
//! would ever be sent. Numbers run without a gap for the life of the queue, so that the loss of that one shows at the other end,
//! as a gap and among those dropped.
use std::collections::VecDeque;

use prost::Message;

use crate::v1::DecisionRecord;

/// Records in one batch.
const BATCH: usize = 256;
/// Their bytes, unless the first alone has more: the intake takes messages of 16 MiB, and whatever else goes with them has room.
const BATCH_BYTES: usize = 2 * 1024 * 1024;

/// The records of one VM.
#[derive(Debug)]
pub struct Queue {
    /// Encoded: a record is written once, however often it is sent, and waits in little memory.
    records: VecDeque<Vec<u8>>,
    /// Number of the first record in `records`.
    first: u64,
    dropped: u64,
    /// Records up to this number go one by one: one of them was refused.
    singly: u64,
}

impl Default for Queue {
    fn default() -> Self {
        Queue { records: VecDeque::new(), first: 1, dropped: 0, singly: 0 }
    }
}

impl Queue {
    /// How many records wait.
    pub fn len(&self) -> usize {
        self.records.len()
    }

    /// Whether none waits.
    pub fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    /// Whether so many wait that no other would go with the next batch.
    pub fn fills_a_batch(&self) -> bool {
        self.records.len() >= self.most()
    }

    /// Number of the first record that waits, or of the next one.
    pub fn first(&self) -> u64 {
        self.first
    }

    /// Records that were given up so far.
    pub fn dropped(&self) -> u64 {
        self.dropped
    }

    /// Adds a record.
    pub fn push(&mut self, record: &DecisionRecord) {
        self.records.push_back(record.encode_to_vec());
    }

    /// There was no room for a record.
    pub fn drop_one(&mut self) {
        self.dropped = self.dropped.saturating_add(1);
    }

    /// The oldest records, as many as go in one message.
    pub fn batch(&self) -> Vec<Vec<u8>> {
        let mut bytes = 0;
        let fits = |record: &&Vec<u8>| {
            let first = bytes == 0;
            bytes += record.len();
            first || bytes <= BATCH_BYTES
        };
        self.records.iter().take(self.most()).take_while(fits).cloned().collect()
    }

    fn most(&self) -> usize {
        if self.first <= self.singly { 1 } else { BATCH }
    }

    /// The records up to this number are kept.
    pub fn acknowledged(&mut self, last: u64) {
        while self.first <= last && self.records.pop_front().is_some() {
            self.first += 1;
        }
    }

    /// A batch that ended with the record of this number was refused, and would be every time. The number of the record that is
    /// given up for it: one that was sent by itself.
    pub fn refused(&mut self, last: u64) -> Option<u64> {
        if last > self.first {
            self.singly = last;
            return None;
        }
        let number = self.first;
        // What went without records was not refused for one of them.
        if last < number || self.records.pop_front().is_none() {
            return None;
        }
        self.first += 1;
        self.drop_one();
        Some(number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn queue(records: usize) -> Queue {
        let mut queue = Queue::default();
        for id in 0..records {
            queue.push(&DecisionRecord { decision_id: id.to_string(), ..DecisionRecord::default() });
        }
        queue
    }

    /// What an intake gets that refuses each batch with one of these numbers in it.
    fn kept(queue: &mut Queue, refused: &[u64]) -> Vec<u64> {
        let mut kept = Vec::new();
        for _ in 0..4 * queue.len() {
            let from = queue.first();
            let numbers: Vec<u64> = (from..).take(queue.batch().len()).collect();
            let Some(last) = numbers.last() else { break };
            if numbers.iter().any(|number| refused.contains(number)) {
                queue.refused(*last);
            } else {
                queue.acknowledged(*last);
                kept.extend(numbers);
            }
        }
        kept
    }

    #[test]
    fn a_record_that_is_refused_holds_up_no_other() {
        for refused in [&[][..], &[1], &[700], &[3, 4, 300], &[256, 257]] {
            let mut queue = queue(700);
            let expected: Vec<u64> = (1..=700).filter(|number| !refused.contains(number)).collect();
            assert_eq!(kept(&mut queue, refused), expected, "{refused:?}");
            assert_eq!((queue.first(), queue.dropped()), (701, refused.len() as u64), "{refused:?}");
        }
    }

    /// Nor is one given up that was not sent by itself.
    #[test]
    fn only_what_was_sent_alone_is_given_up() {
        let mut queue = queue(3);
        assert_eq!((queue.refused(3), queue.batch().len()), (None, 1));
        assert_eq!((queue.refused(1), queue.dropped(), queue.first()), (Some(1), 1, 2));
        queue.acknowledged(3);
        // A message without records, in which only leases were returned.
        assert_eq!((queue.refused(3), queue.dropped(), queue.first()), (None, 1, 4));
        queue.push(&DecisionRecord::default());
        assert_eq!((queue.refused(3), queue.dropped(), queue.len()), (None, 1, 1));
    }

    #[test]
    fn what_is_acknowledged_was_waiting() {
        let mut queue = queue(2);
        queue.acknowledged(1);
        queue.acknowledged(1);
        assert_eq!((queue.first(), queue.len()), (2, 1));
        queue.acknowledged(100);
        assert_eq!((queue.first(), queue.is_empty()), (3, true));
    }
}
