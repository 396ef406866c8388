//! Reads the messages of one query as one sequence. Older versions of the service accept only one role in a request.
//! Then this module reads the messages of each role separately, and merges them by time.

use std::collections::VecDeque;
use std::sync::atomic::Ordering;

use blocks_api::types::{Message, MessagePage, PageMeta};

use crate::engine::call::Admission;
use crate::engine::error::Error;
use crate::engine::rate_limit::Priority;
use crate::messages::MessagesQuery;
use crate::messages::known::{Known, identity};
use crate::messages::page::time;
use crate::messages::pager::Pager;
use crate::messages::watch::WatchCursor;

/// The messages that can be returned before another page is read.
#[derive(Default)]
pub(crate) struct Batch {
    pub messages: VecDeque<Message>,
    /// The error for a message that is larger than `max_body`. This message comes after `messages`.
    pub too_large: Option<Error>,
}

impl Batch {
    pub fn is_empty(&self) -> bool {
        self.messages.is_empty() && self.too_large.is_none()
    }
}

/// The position at which a stream or watch starts.
#[derive(Clone, Debug)]
pub(crate) enum Start {
    First,
    Now,
    After(WatchCursor),
}

/// Reads the pages of a query. There is one sequence of messages for each role if the roles must be requested
/// separately, and otherwise only one sequence.
pub(crate) struct MergedPages {
    query: MessagesQuery,
    start: Start,
    sequences: Vec<Sequence>,
    any_read: bool,
}

struct Sequence {
    pager: Pager,
    /// The time by which the last returned message was sorted; see [`key`](Self::key). This time never decreases.
    time: f64,
}

impl Sequence {
    /// Returns the sort key of the next message: its time, and then its creation time. A message whose time is missing
    /// or out of order gets the time of the message before it.
    fn key(&self, message: &Message, descending: bool) -> (f64, Option<i64>) {
        let time = time(message).map(|time| if descending { -time } else { time });
        match time.filter(|time| *time >= self.time) {
            None => (self.time, None),
            Some(time) => {
                let created = message.created_at.as_ref();
                let created = created.map(|at| at.utc().timestamp_micros());
                let created = created.map(|at| if descending { -at } else { at });
                (time, created)
            }
        }
    }
}

impl MergedPages {
    pub fn new(query: MessagesQuery, start: Start) -> Self {
        let split = &query.client().resources.one_role_at_a_time;
        if query.has_many_roles() && split.load(Ordering::Relaxed) {
            return Self::by_role(query, start);
        }
        Self {
            sequences: sequences(vec![query.clone()], &start),
            query,
            start,
            any_read: false,
        }
    }

    /// Creates one sequence for each role. The messages of all sequences are merged by time.
    pub fn by_role(query: MessagesQuery, start: Start) -> Self {
        Self {
            sequences: sequences(query.by_role(), &start),
            query,
            start,
            any_read: true,
        }
    }

    /// Reads pages until messages are available, and returns these messages. The batch is empty at the end of the list.
    /// Each request for a page needs a permit with the priority `priority`.
    pub async fn batch(&mut self, priority: Priority) -> Result<Batch, Error> {
        self.fill(priority).await?;
        if let [sequence] = self.sequences.as_mut_slice() {
            return Ok(Batch {
                messages: sequence.pager.take(),
                too_large: sequence.pager.take_too_large(),
            });
        }
        let mut batch = Batch::default();
        while self.is_filled() {
            let pagers = self
                .sequences
                .iter_mut()
                .map(|sequence| &mut sequence.pager);
            batch.too_large = { pagers }.find_map(Pager::take_too_large);
            if batch.too_large.is_some() {
                break;
            }
            let Some(message) = self.take_first() else {
                break;
            };
            batch.messages.push_back(message);
        }
        Ok(batch)
    }

    /// Returns whether each sequence has its next message in memory, or has reached the end of its list.
    fn is_filled(&self) -> bool {
        self.sequences
            .iter()
            .all(|sequence| sequence.pager.is_filled())
    }

    /// Reads pages until each sequence has its next message in memory or has ended.
    async fn fill(&mut self, priority: Priority) -> Result<(), Error> {
        let client = self.query.client().clone();
        for index in 0..self.sequences.len() {
            loop {
                let pager = &mut self.sequences[index].pager;
                if pager.is_filled() {
                    break;
                }
                match pager.advance(admission(priority)).await {
                    Ok(()) => self.any_read = true,
                    // A deployment that accepts only one role in a request rejects several roles with a 422. Then the
                    // roles are read separately.
                    Err(error)
                        if !self.any_read
                            && error.status() == Some(422)
                            && self.query.has_many_roles() =>
                    {
                        *self = Self::by_role(self.query.clone(), self.start.clone());
                        Box::pin(self.fill(priority)).await?;
                        client
                            .resources
                            .one_role_at_a_time
                            .store(true, Ordering::Relaxed);
                        return Ok(());
                    }
                    Err(error) => return Err(error.with_session(self.query.session_id())),
                }
            }
        }
        Ok(())
    }

    /// Compares the next messages of all sequences, and takes the message that is first in the order of the query. If
    /// two messages have the same time, compares their creation times. A message whose time is missing or out of order
    /// stays after the message before it in its sequence.
    fn take_first(&mut self) -> Option<Message> {
        let descending = self.query.is_descending();
        let mut first: Option<((f64, Option<i64>), usize)> = None;
        for (index, sequence) in self.sequences.iter().enumerate() {
            let Some(message) = sequence.pager.peek() else {
                continue;
            };
            let key = sequence.key(message, descending);
            let is_first = first.is_none_or(|(best, _)| {
                let by_time = key.0.total_cmp(&best.0);
                by_time.then(key.1.cmp(&best.1)).is_lt()
            });
            if is_first {
                first = Some((key, index));
            }
        }
        let ((time, _), index) = first?;
        let sequence = &mut self.sequences[index];
        sequence.time = time;
        sequence.pager.pop()
    }

    /// Prepares a poll for new messages in each sequence whose end was reached.
    pub fn resume(&mut self) {
        for sequence in &mut self.sequences {
            sequence.pager.resume();
        }
    }

    /// Returns the cursor after the last message that the watch has returned to the program. `waiting` contains the
    /// messages that the watch has taken from here, but has not returned yet. Returns `None` while
    /// [`Watch::from_now`](crate::Watch::from_now) skips existing messages. If the roles are not read separately, also
    /// returns `None` before the first page is read.
    pub fn cursor(&self, waiting: &VecDeque<Message>) -> Option<WatchCursor> {
        let pagers = || self.sequences.iter().map(|sequence| &sequence.pager);
        if pagers().any(Pager::is_skipping) || !self.any_read {
            return None;
        }
        let waiting = waiting.iter().chain(pagers().flat_map(Pager::backlog));
        let waiting: Vec<u64> = waiting.map(identity).collect();
        Some(WatchCursor::new(pagers().map(Pager::place), &waiting))
    }

    /// Returns the page `number` of the merged sequence, with at most `limit` messages. Pages are counted from 1, as in
    /// the service.
    pub async fn page(mut self, number: u64, limit: u64) -> Result<MessagePage, Error> {
        let skip = (number - 1).saturating_mul(limit);
        let mut items = Vec::new();
        let mut position = 0;
        while (items.len() as u64) < limit {
            self.fill(Priority::Interactive).await?;
            let pagers = self
                .sequences
                .iter_mut()
                .map(|sequence| &mut sequence.pager);
            if let Some(error) = { pagers }.find_map(Pager::take_too_large) {
                return Err(error);
            }
            let Some(message) = self.take_first() else {
                break;
            };
            if position >= skip {
                items.push(message);
            }
            position += 1;
        }
        let pagers = self.sequences.iter().map(|sequence| &sequence.pager);
        let total: Option<u64> = pagers.map(Pager::total).sum();
        let number_of = |n: u64| i64::try_from(n).ok();
        let mut meta = PageMeta::default();
        meta.total = total.and_then(number_of);
        meta.page = number_of(number);
        meta.limit = number_of(limit);
        meta.total_pages = total.map(|t| t.div_ceil(limit)).and_then(number_of);
        let mut page = MessagePage::default();
        page.items = items;
        page.meta = Some(meta);
        Ok(page)
    }
}

fn sequences(queries: Vec<MessagesQuery>, start: &Start) -> Vec<Sequence> {
    let count = queries.len();
    let mut sequences = Vec::new();
    for (index, query) in queries.into_iter().enumerate() {
        let mut pager = Pager::new(query);
        match start {
            Start::First => {}
            Start::Now => pager.skip_to_end(),
            Start::After(cursor) => {
                let (known, place): (Known, _) = cursor.place(index, count);
                pager.resume_after(known, place);
            }
        }
        let time = f64::NEG_INFINITY;
        sequences.push(Sequence { pager, time });
    }
    sequences
}

/// Returns how a request waits for its permit. A poll of a watch waits without a time-out (`Once`), and any other
/// request waits within the time-out of its call (`Wait`). If a poll had a time-out, polls would fail during a long
/// pause of the rate limiter.
fn admission(priority: Priority) -> Admission {
    match priority {
        Priority::Poll(_) => Admission::Once(priority),
        Priority::Interactive | Priority::Create => Admission::Wait(priority),
    }
}
