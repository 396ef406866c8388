//! Page after page, each message exactly once while the pages shift underneath.
//!
//! What is added at the end is met on the way. What shifts pages is told by the total: when
//! it shrinks, the page before is read again, since a message may have slipped onto it; when
//! at the end fewer were seen than there are, the last pages are read again, backwards.

use std::collections::{HashSet, VecDeque};
use std::hash::{DefaultHasher, Hash, Hasher};

use blocks_api::types::Message;

use crate::call::Admission;
use crate::error::Error;
use crate::messages::{Messages, PAGE};

/// How many pages back a late message is looked for, and how many pages without anything new
/// are read before the end is taken for reached.
const LOOK_BACK: u64 = 10;

/// One choice of messages, read to its end, and again from there.
pub(crate) struct Pager {
    choice: Messages,
    page: u64,
    /// The total when everything so far had been read, and what was found since.
    settled: u64,
    found: u64,
    total: Option<u64>,
    seen: Seen,
    backlog: VecDeque<Message>,
    /// Going backwards for late messages: the page to read next.
    back: Option<u64>,
    /// Pages in a row, on the way forward, that had nothing new.
    stale: u64,
    at_end: bool,
}

impl Pager {
    pub fn new(choice: Messages) -> Self {
        Self {
            choice: choice.limit(PAGE),
            page: 1,
            settled: 0,
            found: 0,
            total: None,
            seen: Seen::default(),
            backlog: VecDeque::new(),
            back: None,
            stale: 0,
            at_end: false,
        }
    }

    /// All messages that are in memory: one by one, each would be moved several times.
    pub fn take(&mut self) -> VecDeque<Message> {
        std::mem::take(&mut self.backlog)
    }

    /// The next message that is in memory.
    pub fn pop(&mut self) -> Option<Message> {
        self.backlog.pop_front()
    }

    pub fn peek(&self) -> Option<&Message> {
        self.backlog.front()
    }

    /// Messages in all, as of the last page.
    pub fn total(&self) -> Option<u64> {
        self.total
    }

    /// Whether the next message is in memory, or everything was read.
    pub fn is_filled(&self) -> bool {
        !self.backlog.is_empty() || self.at_end
    }

    /// Goes on from the end: the last page may have grown.
    pub fn go_on(&mut self) {
        self.at_end = false;
    }

    /// Reads one page.
    pub async fn advance(&mut self, admission: Admission) -> Result<(), Error> {
        let number = self.back.unwrap_or(self.page);
        let page = self.choice.clone().page(number).read(admission).await?;
        let (total, pages) = (page.total(), page.total_pages());
        let lost = self
            .total
            .unwrap_or(0)
            .saturating_sub(total.unwrap_or(u64::MAX));
        self.total = total;
        let length = page.messages().len();
        let mut messages = page.into_messages();
        messages.retain(|message| self.seen.insert(identity(message)));
        self.found += messages.len() as u64;
        self.stale = if messages.is_empty() {
            self.stale + 1
        } else {
            0
        };
        if self.backlog.is_empty() {
            self.backlog = messages.into();
        } else {
            self.backlog.extend(messages);
        }
        // What was deleted does not count as found any more.
        self.settled = self.settled.saturating_sub(lost.saturating_sub(self.found));
        self.found = self.found.saturating_sub(lost);
        if self.back.is_some() {
            self.step_back(number);
        } else if lost > 0 && number > 1 {
            self.page = (number - 1).min(pages.unwrap_or(1).max(1));
        } else {
            self.after(number, length, pages);
        }
        Ok(())
    }

    /// Where to go after a page was read on the way forward.
    fn after(&mut self, number: u64, length: usize, pages: Option<u64>) {
        let more = pages.map_or(length as u64 >= PAGE, |pages| number < pages);
        // A service that says the same for ever does not hold anyone for ever.
        if more && self.stale < LOOK_BACK {
            self.page = number + 1;
            return;
        }
        // It is read again when one goes on: it may not be full yet.
        self.page = number.min(pages.unwrap_or(number)).max(1);
        if self.is_complete() || self.page == 1 {
            self.settle();
        } else {
            self.back = Some(self.page - 1);
        }
    }

    fn step_back(&mut self, number: u64) {
        if self.is_complete() || number == 1 || number + LOOK_BACK <= self.page {
            self.settle();
        } else {
            self.back = Some(number - 1);
        }
    }

    /// Whether as many were found as were added. Without a total one page back must do.
    fn is_complete(&self) -> bool {
        match self.total {
            Some(total) => self.settled + self.found >= total,
            None => self.back.is_some(),
        }
    }

    fn settle(&mut self) {
        self.settled = self.total.unwrap_or(0);
        self.found = 0;
        self.back = None;
        self.stale = 0;
        self.at_end = true;
    }
}

/// The ids of the last messages, as many as are ever read again.
#[derive(Default)]
struct Seen {
    order: VecDeque<u64>,
    ids: HashSet<u64>,
}

impl Seen {
    /// Whether `id` is new.
    fn insert(&mut self, id: u64) -> bool {
        if !self.ids.insert(id) {
            return false;
        }
        self.order.push_back(id);
        // The pages looked back upon, the one being read, and as many again for what shifted.
        let most = 2 * (LOOK_BACK as usize + 1) * PAGE as usize;
        if self.order.len() > most
            && let Some(oldest) = self.order.pop_front()
        {
            self.ids.remove(&oldest);
        }
        true
    }
}

/// What tells a message from every other: its id, or its content where it has none.
fn identity(message: &Message) -> u64 {
    let mut hasher = DefaultHasher::new();
    match &message.id {
        Some(id) => id.hash(&mut hasher),
        None => serde_json::to_string(message)
            .unwrap_or_default()
            .hash(&mut hasher),
    }
    hasher.finish()
}
