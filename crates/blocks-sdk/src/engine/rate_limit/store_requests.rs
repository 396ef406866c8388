//! Tracks the requests for slots that this process sends to the store of a shared rate limit. A *slot* is one of the
//! requests to the service that the limit allows in a minute. At most one request for a slot runs at a time, not
//! counting lost requests. After a request for a slot has failed, this process sends no further one for 10 seconds.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::time::Instant;

use super::state::after;
use super::store::SlotPurpose;

/// A request to the store counts as lost if it still runs this long after its time-out. For example, the time-out does
/// not fire while the tokio runtime of the request is idle, or after this runtime has ended.
const LOST: Duration = Duration::from_millis(500);
/// The time after a failed request for a slot during which no further slot is requested from the store.
const ALONE: Duration = Duration::from_secs(10);

/// The waiters that can use the slot that a request asks for. Each entry contains the ticket of a waiter and the
/// purpose of its slot.
type Waiters = Vec<(u64, SlotPurpose)>;

#[derive(Debug)]
pub(super) struct StoreRequests {
    /// A random number that identifies this process in the store.
    pub process: u64,
    response_timeout: Duration,
    last_number: u64,
    running: Option<Running>,
    /// The time of the next request to the store for each purpose. The map is empty unless the store asked to wait.
    again: BTreeMap<SlotPurpose, Instant>,
    alone_until: Option<Instant>,
    /// Maps the number of a slot in this process to the number of the same slot in the store.
    slots: BTreeMap<u64, u64>,
}

#[derive(Debug)]
struct Running {
    number: u64,
    since: Instant,
    waiters: Waiters,
}

impl StoreRequests {
    pub fn new(process: u64, response_timeout: Duration) -> Self {
        Self {
            process,
            response_timeout,
            last_number: 0,
            running: None,
            again: BTreeMap::new(),
            alone_until: None,
            slots: BTreeMap::new(),
        }
    }

    pub fn is_in_use(&self, now: Instant) -> bool {
        self.alone_until.is_none_or(|until| until <= now)
    }

    /// Returns whether the last request to the store failed.
    pub fn has_failed(&self) -> bool {
        self.alone_until.is_some()
    }

    pub fn is_running(&self, now: Instant) -> bool {
        // The time-out may be `Duration::MAX`.
        let longest = self.response_timeout.saturating_add(LOST);
        let running = self.running.as_ref();
        running.is_some_and(|running| now < after(running.since, longest))
    }

    /// Returns the earliest time at which a slot for one of these purposes may be requested, or `None` if it may be
    /// requested now.
    pub fn again(
        &self,
        purposes: impl IntoIterator<Item = SlotPurpose>,
        now: Instant,
    ) -> Option<Instant> {
        let mut earliest = None;
        for purpose in purposes {
            let at = self.again.get(&purpose).copied().filter(|at| *at > now)?;
            earliest = Some(earliest.map_or(at, |earliest: Instant| earliest.min(at)));
        }
        earliest
    }

    /// Records that a request to the store starts, and returns the number of the request.
    pub fn start(&mut self, now: Instant, waiters: Waiters) -> u64 {
        self.last_number += 1;
        self.running = Some(Running {
            number: self.last_number,
            since: now,
            waiters,
        });
        self.last_number
    }

    /// Ends the request with the number `number`, and returns its waiters. Returns `None` if another request has
    /// replaced this request.
    pub fn end(&mut self, number: u64) -> Option<Waiters> {
        let running = self.running.take_if(|running| running.number == number)?;
        self.again.clear();
        Some(running.waiters)
    }

    pub fn wait(&mut self, until: Instant, waiters: &Waiters) {
        self.again = waiters
            .iter()
            .map(|(_, purpose)| (*purpose, until))
            .collect();
    }

    /// Records that the store responded. Returns whether the store had failed before.
    pub fn record_response(&mut self) -> bool {
        self.alone_until.take().is_some()
    }

    /// Records that the request with the number `number` failed, unless another request has replaced this request.
    /// Returns whether this is the first failure since the last response of the store.
    pub fn record_failure(&mut self, number: u64, now: Instant) -> bool {
        self.end(number).is_some() && self.alone_until.replace(now + ALONE).is_none()
    }

    /// Records that the slot `number` of this process has the number `slot` in the store. Forgets the slots of this
    /// process with a number below `first`, because they no longer count for the limit.
    pub fn record_slot(&mut self, number: u64, slot: u64, first: u64) {
        self.slots = self.slots.split_off(&first);
        self.slots.insert(number, slot);
    }

    pub fn give_back(&mut self, number: u64) -> Option<u64> {
        self.slots.remove(&number)
    }
}
