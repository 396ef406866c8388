//! Reads a list of messages page by page. Returns each message once and in order, although the list changes between
//! reads.
//!
//! A page shows a range of the list at the time of the read. If messages before the range are deleted or added, the
//! messages in the range move to other indexes. The total number of messages does not always show such a shift: the
//! total is unchanged after one deletion and one addition. So each range that the pager reads overlaps the previous
//! range, if possible. [`Window`] describes a range. A known message is a message that was read before. If the new
//! range contains a known message, everything before that message was read as well, and no message is missing. If the
//! new range contains no known message, the pager discards the range and steps back until a range contains a known
//! message. If no earlier range contains a known message, the pager searches forward from the start of the list.
//!
//! A page with only one message, for example a message that is too large to be read, cannot overlap the previous range.
//! If the service ignores the requested page size, no page can overlap the previous range. In these cases, the pager
//! reads the message before the page again. If this message is still at the same index, and the total is unchanged, no
//! message is missing.

use std::collections::VecDeque;

use blocks_api::types::Message;

use crate::engine::call::Admission;
use crate::engine::error::{Error, ErrorKind};
use crate::messages::known::{Known, identity, identity_in_cut_page};
use crate::messages::page::Page;
use crate::messages::window::{Sizes, Window};
use crate::messages::{MessagesQuery, PAGE};

/// The number of messages at the end of the list that are searched for late messages. A late message is a message that
/// the service adds before messages that the pager has already read.
const LOOK_BACK: u64 = 1_000;
/// Each time the pager has polled this number of times, it also reads a range further back in the list. This regular
/// check finds a late message even if the total is unchanged, because another message was deleted at the same time.
const POLLS_BETWEEN_CHECKS: u32 = 10;
/// The allowed number of reads in a row without a new message. For a long list, `check_progress` allows more reads.
/// After more reads, the pager assumes that the service repeats pages, and ends the read, usually with an error.
const IDLE_READS: u64 = 16;
/// The number of full pages in a row after which the pager doubles its page size. The pager reduces the page size after
/// a page that was too large.
const FULL_PAGES: u32 = 4;
/// The largest index at which a read resumes. A stored cursor may contain any index, and the pager adds to it without a
/// check for an overflow.
const LARGEST_INDEX: u64 = 1 << 32;
/// The maximum number of reads of a page whose response cannot be decoded, for example because the JSON is incomplete.
const DECODE_ATTEMPTS: u32 = 3;

/// Reads the messages of one query to the end of the list. Later the pager can continue with messages that were added.
pub(crate) struct Pager {
    query: MessagesQuery,
    known: Known,
    /// The last message in the most recent range that was accepted and not discarded, and its index in the list.
    edge: Option<Edge>,
    phase: Phase,
    sizes: Sizes,
    /// The largest page size that the service seems to support, according to the pages so far.
    ceiling: u64,
    /// The number of messages in the longest page so far.
    longest: u64,
    full_pages: u32,
    /// The number of a page that was empty although the list has more messages after it. This page number is avoided.
    unusable: Option<u64>,
    /// Whether a message before the edge may have been added or deleted since the last check for late messages.
    shifted: bool,
    /// Whether the pager skips messages until it reaches the end of the list for the first time.
    skipping: bool,
    /// Whether a search of the whole list found no known message. Then the pager reads from the start of the list
    /// again.
    known_are_gone: bool,
    /// Whether the next read is a poll for messages that were added after the end was reached.
    polling: bool,
    /// Whether the pager regularly checks for late messages; see [`POLLS_BETWEEN_CHECKS`].
    checks: bool,
    polls: u32,
    /// The index at which the next regular check for late messages continues.
    check_from: Option<u64>,
    total: Option<u64>,
    /// The number of messages that were found so far, including messages that were skipped, or read before a resume.
    given: u64,
    /// The number of reads in a row without a new message.
    idle: u64,
    /// The index of the edge when the last new message was found.
    progress: u64,
    /// Messages that were read from the service, but not yet returned to the caller.
    backlog: VecDeque<Message>,
    /// Errors for messages that are larger than `max_body`. These messages come after the messages in `backlog`.
    too_large: VecDeque<Error>,
}

/// The position of a message in the list.
#[derive(Clone, Copy, Debug)]
struct Edge {
    index: u64,
    identity: u64,
}

enum Phase {
    /// Reads forward from the edge.
    Forward,
    /// Searches for a known message at this index, and then at earlier indexes.
    Back {
        index: u64,
        distance: u64,
    },
    /// Searches for a known message from the start of the list, because the search backwards found no known message.
    Search {
        index: u64,
    },
    /// Reads the edge again. The page `held` starts right after the edge, and is used only if the edge has not moved
    /// and the total is unchanged.
    Verify {
        held: Reading,
    },
    /// Searches for late messages.
    Sweep(Sweep),
    End,
}

/// A search for late messages, from the end of the list backwards.
struct Sweep {
    /// The index at which the search continues backwards.
    index: u64,
    /// The index at which the search for late messages ends. `None` if the search ends after the first page with a
    /// known message.
    until: Option<u64>,
    /// The hash that identifies the first known message of the last page that was not held. Late messages that are
    /// found later are before this message.
    next: u64,
    /// Pages that contain no known message. If the search finds a known message further back in the list, the messages
    /// of these pages are between known messages. Then they are late messages and are returned. They are also returned
    /// if the search reaches the start of the list, and no message was skipped or forgotten. Otherwise they are not
    /// returned, because they may have been skipped, or read and forgotten.
    held: Vec<Reading>,
}

/// One page as it was read.
struct Reading {
    window: Window,
    start: u64,
    identities: Vec<u64>,
    content: Content,
    total: Option<u64>,
    total_pages: Option<u64>,
    limit: Option<u64>,
}

enum Content {
    Messages(Vec<Message>),
    /// The only message of the page was larger than `max_body`.
    TooLarge(Error),
}

impl Reading {
    fn new(window: Window, page: Page) -> Self {
        let (total, total_pages, limit) = (page.total(), page.total_pages(), page.limit());
        let messages = page.into_messages();
        Self {
            window,
            start: window.start(),
            identities: messages.iter().map(identity).collect(),
            content: Content::Messages(messages),
            total,
            total_pages,
            limit,
        }
    }

    fn too_large(window: Window, error: Error) -> Self {
        let body = error.body().unwrap_or_default();
        Self {
            window,
            start: window.start(),
            identities: vec![identity_in_cut_page(&body)],
            content: Content::TooLarge(error),
            total: None,
            total_pages: None,
            limit: None,
        }
    }

    fn count(&self) -> u64 {
        self.identities.len() as u64
    }

    fn end(&self) -> u64 {
        self.start + self.count()
    }

    /// Returns the total, or `None` if the page ends after the total.
    fn total(&self) -> Option<u64> {
        self.total.filter(|total| *total >= self.end())
    }

    /// Returns whether the page has as many messages as were requested, or as the service allows in a page. Then more
    /// messages may follow.
    fn is_full(&self) -> bool {
        let most = self.limit.unwrap_or(u64::MAX).min(self.window.limit);
        (most..=self.window.limit).contains(&self.count())
    }

    /// Returns whether the page contains the message of `edge` at the index of `edge`.
    fn has(&self, edge: Edge) -> bool {
        let place = edge.index.checked_sub(self.start);
        let identity = place.and_then(|place| self.identities.get(usize::try_from(place).ok()?));
        identity == Some(&edge.identity)
    }
}

impl Pager {
    pub fn new(query: MessagesQuery) -> Self {
        Self {
            query,
            known: Known::default(),
            edge: None,
            phase: Phase::Forward,
            sizes: Sizes {
                most: PAGE,
                fixed: false,
            },
            ceiling: PAGE,
            longest: 0,
            full_pages: 0,
            unusable: None,
            shifted: false,
            skipping: false,
            known_are_gone: false,
            polling: false,
            checks: true,
            polls: 0,
            check_from: None,
            total: None,
            given: 0,
            idle: 0,
            progress: 0,
            backlog: VecDeque::new(),
            too_large: VecDeque::new(),
        }
    }

    /// Disables the regular checks for late messages. Then the pager checks for late messages only after a page has
    /// shown that the edge has moved.
    pub fn without_checks(mut self) -> Self {
        self.checks = false;
        self
    }

    /// Makes the pager skip the messages that exist when it first reaches the end of the list.
    pub fn skip_to_end(&mut self) {
        self.skipping = true;
    }

    /// Continues after the messages in `known`. The last of these messages was at about `index` in the list.
    pub fn resume_after(&mut self, known: Known, index: Option<u64>) {
        let identity = known.iter().last();
        let index = index.map(|index| index.min(LARGEST_INDEX));
        self.edge = index
            .zip(identity)
            .map(|(index, identity)| Edge { index, identity });
        self.progress = index.unwrap_or(0);
        self.given = index.map_or(0, |index| index + 1);
        self.known = known;
        // Late messages may have arrived since the known messages were read, so the pager must check for them.
        self.shifted = true;
        self.polling = true;
    }

    /// Returns the known messages, and the index of the last known message in the list. A known message is a message
    /// that was read before.
    pub fn place(&self) -> (&Known, Option<u64>) {
        (&self.known, self.edge.map(|edge| edge.index))
    }

    pub fn is_skipping(&self) -> bool {
        self.skipping
    }

    /// Takes all messages that are in memory. This is faster than taking the messages one by one.
    pub fn take(&mut self) -> VecDeque<Message> {
        std::mem::take(&mut self.backlog)
    }

    pub fn pop(&mut self) -> Option<Message> {
        self.backlog.pop_front()
    }

    pub fn peek(&self) -> Option<&Message> {
        self.backlog.front()
    }

    /// Returns the messages that were read from the service, but not yet returned to the caller.
    pub fn backlog(&self) -> impl Iterator<Item = &Message> {
        self.backlog.iter()
    }

    /// Takes the error for a message that is too large. Returns `None` while the backlog contains messages.
    pub fn take_too_large(&mut self) -> Option<Error> {
        match self.backlog.is_empty() {
            true => self.too_large.pop_front(),
            false => None,
        }
    }

    /// Returns the number of messages in the list, as the last page reported it.
    pub fn total(&self) -> Option<u64> {
        self.total
    }

    /// Returns whether the next message is in memory, or everything was read.
    pub fn is_filled(&self) -> bool {
        !self.backlog.is_empty() || !self.too_large.is_empty() || matches!(self.phase, Phase::End)
    }

    /// Returns whether the list may have unread messages. Then the next page is read without a pause. Returns `false`
    /// if the edge is the last message according to the total. If the total is wrong, no message is lost, because the
    /// next poll reads after the edge anyway.
    pub fn is_behind(&self) -> bool {
        let end = self.edge.map_or(0, |edge| edge.index + 1);
        let has_all = matches!(self.phase, Phase::Forward) && self.total == Some(end);
        !self.is_filled() && !has_all
    }

    /// Prepares a poll for new messages, if the end of the list was reached.
    pub fn resume(&mut self) {
        if matches!(self.phase, Phase::End) {
            self.phase = Phase::Forward;
            self.polling = true;
            self.polls = self.polls.wrapping_add(1);
        }
    }

    pub async fn advance(&mut self, admission: Admission) -> Result<(), Error> {
        let window = self.window();
        let page = self.read(window, admission).await;
        self.receive(window, page)
    }

    /// Returns the page to read next, for a caller that sends the request itself.
    pub fn next_page(&self) -> (Window, MessagesQuery) {
        let window = self.window();
        (window, self.query_of(window))
    }

    /// Processes the response to the request of [`next_page`](Self::next_page).
    pub fn receive(&mut self, window: Window, page: Result<Page, Error>) -> Result<(), Error> {
        let reading = match page {
            Ok(page) => Reading::new(window, page),
            Err(error) if error.is_too_large() && window.limit == 1 => {
                Reading::too_large(window, error)
            }
            Err(error) if error.is_too_large() && !self.sizes.fixed => {
                self.sizes.most = window.limit / 2;
                self.full_pages = 0;
                return Ok(());
            }
            Err(error) => return Err(error),
        };
        let found = self.given;
        let result = self.process(reading);
        self.check_progress(self.given > found)?;
        result
    }

    fn query_of(&self, window: Window) -> MessagesQuery {
        let limit = window.limit.min(PAGE);
        self.query.clone().page(window.page).limit(limit)
    }

    async fn read(&self, window: Window, admission: Admission) -> Result<Page, Error> {
        let query = self.query_of(window);
        let mut attempts = 1;
        loop {
            match query.read(admission).await {
                // A poll is not repeated here, because it has a permit for only one request. The watch polls again.
                Err(error)
                    if error.kind() == ErrorKind::Undecodable
                        && matches!(admission, Admission::Wait(_))
                        && attempts < DECODE_ATTEMPTS =>
                {
                    attempts += 1;
                }
                result => return result,
            }
        }
    }

    /// Returns the window to read next.
    fn window(&self) -> Window {
        let sizes = self.sizes;
        match (&self.phase, self.edge) {
            (Phase::Back { index, .. } | Phase::Search { index }, _) => sizes.forward(*index, None),
            (Phase::Sweep(sweep), _) => sizes.backward(sweep.index),
            (Phase::Verify { .. }, Some(edge)) => sizes.smallest(edge.index),
            (_, None) => sizes.forward(0, None),
            (_, Some(edge)) => {
                // A poll also reads some messages before the edge again, because most late messages are close to the
                // end.
                let before = if self.polling { sizes.most / 2 } else { 0 };
                let indexes = [edge.index.saturating_sub(before), edge.index];
                let mut windows = indexes.map(|index| sizes.forward(index, self.unusable));
                windows
                    .iter_mut()
                    .find(|window| window.end() > edge.index + 1)
                    .copied()
                    .unwrap_or_else(|| sizes.starting_at(edge.index + 1))
            }
        }
    }

    fn process(&mut self, mut reading: Reading) -> Result<(), Error> {
        self.learn_sizes(&mut reading);
        if let Phase::Verify { .. } = self.phase
            && let Phase::Verify { held } = std::mem::replace(&mut self.phase, Phase::Forward)
        {
            let totals = reading.total().zip(held.total());
            let same_total = totals.is_none_or(|(now, before)| now == before);
            if same_total && self.edge.is_some_and(|edge| reading.has(edge)) {
                self.accept(held);
                return Ok(());
            }
        }
        if self.skipping {
            self.skip(reading);
            return Ok(());
        }
        if let Phase::Sweep(_) = self.phase
            && let Phase::Sweep(sweep) = std::mem::replace(&mut self.phase, Phase::Forward)
        {
            self.sweep(sweep, reading);
            return Ok(());
        }
        // No message precedes the start of the list, so none can be missing there. But if the pager has known messages,
        // and the page contains none of them, the pager first searches for them in the rest of the list.
        let no_known = self.known.len() == 0 || self.known_are_gone || reading.count() == 0;
        let at_start = reading.start == 0 && no_known;
        let mut identities = reading.identities.iter();
        if at_start || identities.any(|identity| self.known.contains(*identity)) {
            self.note_shift(&reading);
            self.accept(reading);
            return Ok(());
        }
        self.step_back(reading)
    }

    /// Derives from a page the maximum number of messages that the service returns in a page.
    fn learn_sizes(&mut self, reading: &mut Reading) {
        let (count, requested) = (reading.count(), reading.window.limit);
        if let Content::Messages(_) = reading.content {
            self.total = reading.total;
        }
        self.longest = self.longest.max(count);
        if count > requested && !self.sizes.fixed {
            self.sizes = Sizes {
                most: count,
                fixed: true,
            };
            self.ceiling = count;
            reading.window = Window {
                page: reading.window.page,
                limit: count,
            };
            reading.start = reading.window.start();
            return;
        }
        if self.sizes.fixed {
            return;
        }
        if let Some(limit) = reading
            .limit
            .filter(|limit| (count.max(1)..requested).contains(limit))
        {
            self.ceiling = self.ceiling.min(limit);
        }
        if count > 0 && count < requested && count == self.longest {
            match reading.total() {
                // The page is shorter than requested although more messages follow. So the service limits the page size
                // to this length.
                Some(total) if total > reading.end() => self.ceiling = count,
                Some(_) => {}
                // Without a total, a short page is the last page, or a page whose size the service limits. The next
                // request asks for this size, and its page shows whether more messages follow.
                None => self.sizes.most = count,
            }
        }
        self.sizes.most = self.sizes.most.min(self.ceiling);
        self.full_pages = if reading.is_full() {
            self.full_pages + 1
        } else {
            0
        };
        if self.full_pages >= FULL_PAGES {
            self.full_pages = 0;
            self.sizes.most = (2 * self.sizes.most).min(self.ceiling);
        }
    }

    /// Sets `shifted`, unless the page shows that the edge is still at its index.
    fn note_shift(&mut self, reading: &Reading) {
        if let Some(edge) = self.edge {
            self.shifted |= !reading.has(edge);
        }
    }

    /// Adds the new messages of a page to the backlog, and moves the edge to the end of the page. The caller has
    /// checked that no message is missing before the page.
    fn accept(&mut self, reading: Reading) {
        let (start, count, end) = (reading.start, reading.count(), reading.end());
        let has_ended = self.is_end(&reading);
        let identities = reading.identities.clone();
        let last = identities.last().copied();
        if end == 0 && reading.total == Some(0) {
            // The list is empty, so all messages that are added later are new.
            self.known = Known::default();
        }
        if self.give_out(reading, None) {
            self.unusable = None;
        }
        let polled = std::mem::take(&mut self.polling);
        self.known_are_gone = false;
        if count > 0 || start == 0 {
            let edge = |identity| Edge {
                index: end - 1,
                identity,
            };
            self.edge = last.map(edge);
        }
        self.phase = Phase::Forward;
        if !has_ended {
            return;
        }
        let next = self.first_known(&identities);
        let next = next.or(self.edge.map(|edge| edge.identity));
        let (index, until) = if self.shifted && !self.query.is_descending() {
            (start, Some(end.saturating_sub(LOOK_BACK)))
        } else if polled && self.is_check_due() {
            (self.check_from.unwrap_or(start), None)
        } else {
            (0, None)
        };
        match next.filter(|_| start > 0 && index > 0) {
            Some(next) => {
                self.phase = Phase::Sweep(Sweep {
                    index,
                    until,
                    next,
                    held: Vec::new(),
                });
            }
            None => self.settle(),
        }
    }

    fn is_check_due(&self) -> bool {
        self.checks && self.polls > 0 && self.polls.is_multiple_of(POLLS_BETWEEN_CHECKS)
    }

    /// Returns whether the list ends with this page.
    fn is_end(&self, reading: &Reading) -> bool {
        let (page, count) = (reading.window.page, reading.count());
        let is_all = self.sizes.fixed && reading.total() == Some(reading.end());
        if reading.is_full() && !is_all {
            return false;
        }
        match reading.total() {
            Some(total) if total > reading.end() => false,
            // According to the total, this page is the last. If the service reports further pages, the pager reads once
            // more to be certain.
            Some(_) => self.idle > 0 || reading.total_pages.is_none_or(|pages| pages <= page),
            None => count < self.longest || reading.end() == 0,
        }
    }

    /// Adds the new messages of a page to the backlog, and returns whether there are any. In a search for late
    /// messages, `next` identifies a message after the page. Then new messages after the last known message of the page
    /// are inserted into `known` before `next`.
    fn give_out(&mut self, reading: Reading, next: Option<u64>) -> bool {
        let identities = reading.identities;
        let is_known = |identity: &u64| self.known.contains(*identity);
        // The messages before the first known message are left out in two cases. If `known` is partial, these messages
        // may have been read earlier and forgotten. If the newest message comes first, these messages arrived after the
        // read started.
        let leaves_out = self.known.is_partial() || self.query.is_descending();
        let first = match leaves_out && !self.skipping {
            true => identities.iter().position(is_known).unwrap_or(0),
            false => 0,
        };
        let last_known = identities.iter().rposition(is_known);
        let mut is_new = vec![false; identities.len()];
        for (place, identity) in identities.iter().enumerate().skip(first) {
            is_new[place] = match (last_known.filter(|last| place < *last), next) {
                (None, None) => self.known.push(*identity),
                (None, Some(next)) => self.known.insert_before(next, *identity),
                (Some(last), _) => {
                    let next = identities[place..=last]
                        .iter()
                        .find(|next| **next != *identity && self.known.contains(**next));
                    let next = next.copied().unwrap_or(*identity);
                    self.known.insert_before(next, *identity)
                }
            };
        }
        let found = is_new.iter().filter(|is_new| **is_new).count() as u64;
        self.given += found;
        if self.skipping || found == 0 {
            return found > 0;
        }
        match reading.content {
            Content::TooLarge(error) => self.too_large.push_back(error),
            Content::Messages(mut messages) => {
                if found < identities.len() as u64 {
                    let mut is_new = is_new.into_iter();
                    messages.retain(|_| is_new.next().unwrap_or(true));
                }
                if self.backlog.is_empty() {
                    self.backlog = messages.into();
                } else {
                    self.backlog.extend(messages);
                }
            }
        }
        true
    }

    /// Returns the first known message of a page. The first message of the page may be unknown, because `give_out` may
    /// leave it out.
    fn first_known(&self, identities: &[u64]) -> Option<u64> {
        let mut identities = identities.iter().copied();
        identities.find(|identity| self.known.contains(*identity))
    }

    /// Steps back, because the page contains no known message. The messages before the page must be read first.
    fn step_back(&mut self, reading: Reading) -> Result<(), Error> {
        let (start, end) = (reading.start, reading.end());
        if reading.count() == 0 && reading.total() > Some(start) {
            self.unusable = Some(reading.window.page);
        }
        let after_edge = self.edge.is_some_and(|edge| start == edge.index + 1);
        let (index, distance) = match &self.phase {
            Phase::Search { .. } => {
                let is_end = !reading.is_full() && reading.total().is_none_or(|total| total <= end);
                if is_end && self.known.is_partial() {
                    return Err(self.lost_place());
                }
                self.known_are_gone = is_end;
                let index = if is_end { 0 } else { end };
                self.phase = Phase::Search { index };
                return Ok(());
            }
            Phase::Forward if after_edge => {
                self.phase = Phase::Verify { held: reading };
                return Ok(());
            }
            Phase::Back { index, distance } => (*index, 2 * distance),
            _ => (start, self.sizes.most),
        };
        if start == 0 {
            self.phase = Phase::Search { index: end };
            return Ok(());
        }
        let last = self.total.map_or(u64::MAX, |total| total.saturating_sub(1));
        let index = index.min(start).min(last).saturating_sub(distance);
        self.phase = Phase::Back { index, distance };
        Ok(())
    }

    /// Processes a page that was read in a search for late messages.
    fn sweep(&mut self, mut sweep: Sweep, reading: Reading) {
        let (start, identities) = (reading.start, reading.identities.clone());
        let has_known = self.first_known(&identities).is_some();
        if has_known || start == 0 && !self.known.is_partial() {
            self.give_out(reading, Some(sweep.next));
            for held in sweep.held.drain(..).rev() {
                self.give_out(held, Some(sweep.next));
            }
            sweep.next = self.first_known(&identities).unwrap_or(sweep.next);
        } else if reading.count() > 0 {
            sweep.held.push(reading);
        }
        let edge = self.edge.map_or(0, |edge| edge.index);
        sweep.index = start.min(sweep.index.saturating_sub(1));
        if sweep.until.is_none() {
            let floor = edge.saturating_sub(LOOK_BACK);
            self.check_from = Some(sweep.index).filter(|index| *index > floor);
        }
        let held: u64 = sweep.held.iter().map(Reading::count).sum();
        let ends = match sweep.held.is_empty() {
            true => sweep.until.is_none_or(|until| start <= until),
            // The range from this page to the edge consists of held messages and of known messages, of which the last
            // is the edge. If the range is longer than all held and known messages together, no known message is
            // further back, so the search ends.
            false => start + self.known.len() as u64 + held < edge,
        };
        if ends || start == 0 {
            self.settle();
        } else {
            self.phase = Phase::Sweep(sweep);
        }
    }

    /// Skips the messages of a page. If the total shows that the end of the list is further away than the next page,
    /// the pager continues at the last message of the list.
    fn skip(&mut self, reading: Reading) {
        let (count, end, total) = (reading.count(), reading.end(), self.total);
        let last = total.and_then(|total| total.checked_sub(1));
        let jumps = last.filter(|last| *last >= end + self.sizes.most || count == 0 && *last < end);
        if let Some(index) = jumps {
            self.known = Known::new([], true);
            self.edge = Some(Edge { index, identity: 0 });
            self.polling = true;
            self.given = index;
        } else if count == 0 && reading.start > 0 && total.is_none() {
            self.settle();
        } else {
            self.accept(reading);
        }
    }

    /// Ends the read, because the end of the list was reached.
    fn settle(&mut self) {
        self.phase = Phase::End;
        self.shifted = false;
        self.skipping = false;
        self.unusable = None;
        self.idle = 0;
    }

    /// Counts reads without a new message, and ends the read after too many of them in a row; see [`IDLE_READS`].
    fn check_progress(&mut self, found: bool) -> Result<(), Error> {
        if found {
            self.idle = 0;
            self.progress = self.edge.map_or(0, |edge| edge.index);
        } else if matches!(
            self.phase,
            Phase::Forward | Phase::Back { .. } | Phase::Search { .. } | Phase::Verify { .. }
        ) {
            self.idle += 1;
        }
        let length = self.total.unwrap_or(0).min(self.progress + 2 * LOOK_BACK);
        let pages = length.max(self.progress) / self.sizes.most.max(1);
        if self.idle <= IDLE_READS + 4 * pages {
            return Ok(());
        }
        self.idle = 0;
        let given = self.given;
        if self.total == Some(given) && !self.shifted {
            // The pages contradict each other, but the total shows that all messages were read.
            self.settle();
            return Ok(());
        }
        self.phase = Phase::Forward;
        let missing = self.total.and_then(|total| total.checked_sub(given));
        Err(Error::incomplete(
            match missing.filter(|missing| *missing > 0) {
                Some(missing) => format!(
                    "the service lists {} messages, but its pages contained only {given}: {missing} \
                 are missing; read again, and report it to the service if they stay missing",
                    given + missing,
                ),
                None => format!(
                    "the pages only repeat messages that were read ({given} so far), so an unknown \
                 number is missing; read again, and report it to the service if it repeats"
                ),
            },
        ))
    }

    fn lost_place(&mut self) -> Error {
        self.phase = Phase::Forward;
        Error::incomplete(format!(
            "the last {} messages that were read were all deleted meanwhile, so it is not known \
             which messages come after them; read again from the start",
            self.known.len(),
        ))
    }
}
