//! What earlier events of a stream said: the names of its tool calls, and which texts have ended.
//!
//! Failure law: an event that contradicts this does not follow, and the stream cannot be read any further; except for
//! a call that gets a second name: then both together are judged as one name. What is kept is bounded by
//! [`MAX_LABELS`] and [`MAX_OVER`]; an event beyond that does not follow either.
//! bounded by [`MAX_LABELS`] and [`MAX_OVER`]; a stream that says more does not follow either.
use std::collections::{BTreeMap, BTreeSet};

use mesh_wire::{Channel, ChannelKind, Close, StreamItem, ToolCall};

/// The maximum size of the tool call names and ids kept for one stream, in bytes, overhead included.
const MAX_LABELS: usize = 1 << 20;
/// The maximum length of a name, or of an id that is continued, in bytes: the longest that providers allow have 256.
const MAX_NAME: usize = 512;
/// The maximum number of ended running texts in one stream.
const MAX_OVER: usize = 1 << 16;

#[derive(Default)]
pub(super) struct Order {
    /// The first name and the first id of each call.
    labels: BTreeMap<(Channel, &'static str), String>,
    size: usize,
    over: BTreeSet<Channel>,
    /// Texts that end if the stream continues with another choice or artifact, and whether more of each may come
    /// after all.
    perhaps: BTreeMap<Channel, bool>,
}

impl Order {
    /// Whether an event follows those before it; from then on it is one of them. Names that continue are joined as
    /// clients do, and the event is judged as calling the joined name too.
    pub(super) fn follows(&mut self, item: &mut StreamItem) -> bool {
        // What was held back of an ended text has left: any continuation would be judged without it.
        if self.over.len() > MAX_OVER || item.pieces.iter().any(|piece| self.over.contains(&piece.channel)) {
            return false;
        }
        let mut grown = BTreeSet::new();
        for label in &item.labels {
            let key = (label.call, label.field);
            let kept = match self.labels.get_mut(&key) {
                Some(first) if *first == label.text => 0,
                // Either the next call, from a provider that gives all calls the same number, or a continuation of
                // the first name.
                Some(first) if first.len() + label.text.len() <= MAX_NAME && go_on(first, &label.text) => {
                    first.push_str(&label.text);
                    grown.insert(key);
                    label.text.len()
                }
                // Clients join the two, and nothing has judged the result.
                Some(_) => return false,
                None if label.field == "name" && label.text.len() > MAX_NAME => return false,
                None => {
                    self.labels.insert(key, label.text.clone());
                    label.text.len() + size_of_val(&key)
                }
            };
            self.size = self.size.saturating_add(kept);
            if self.size > MAX_LABELS {
                return false;
            }
        }
        let names = grown.iter().filter(|(_, field)| *field == "name");
        let joined = names.filter_map(|key| Some(ToolCall::joined(self.labels.get(key)?.clone(), key.0)));
        item.message.tool_calls.extend(joined);
        true
    }

    /// The running texts among these that end with an event, and whether more of each may come.
    pub(super) fn ends<'c>(
        &mut self,
        item: &StreamItem,
        open: impl Iterator<Item = &'c Channel> + Clone,
    ) -> Vec<(Channel, bool)> {
        let closes: BTreeSet<Close> = item.closes.iter().copied().collect();
        let said: BTreeSet<u32> = item.pieces.iter().map(|piece| piece.channel.group).collect();
        let mut ended = BTreeMap::new();
        // Comments, usage and anything but text do not show whether a text continues.
        if !said.is_empty() || closes.iter().any(|close| !matches!(close, Close::Rests(_) | Close::AllRest)) {
            (self.perhaps, ended) = std::mem::take(&mut self.perhaps)
                .into_iter()
                .partition(|(channel, _)| said.contains(&channel.group));
        }
        for channel in open.filter(|channel| channel.kind != ChannelKind::Messages) {
            let certain = [Close::All, Close::Group(channel.group), Close::Channel(*channel)];
            let pauses = closes.contains(&Close::Pauses(channel.group));
            if certain.iter().any(|close| closes.contains(close)) {
                ended.insert(*channel, false);
            } else if (pauses || closes.contains(&Close::Perhaps(channel.group)))
                && !ended.contains_key(channel)
            {
                self.perhaps.entry(*channel).or_insert(pauses);
            }
        }
        self.over.extend(ended.iter().filter(|(_, goes_on)| !**goes_on).map(|(channel, _)| *channel));
        ended.into_iter().collect()
    }
}

/// The maximum number of consecutive digits in continued names, ignoring separators: more could form something other
/// than a name.
const MAX_DIGITS: usize = 6;

/// Whether two texts contain nothing but a name or an id, even when joined.
fn go_on(first: &str, second: &str) -> bool {
    let mut digits = 0;
    first.bytes().chain(second.bytes()).all(|b| {
        match b {
            b'0'..=b'9' => digits += 1,
            b'_' | b'-' | b'.' => {}
            _ => digits = 0,
        }
        digits <= MAX_DIGITS && (b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.'))
    })
}
