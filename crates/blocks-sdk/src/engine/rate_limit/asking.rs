//! What a process knows of the store that it shares the limit by: one request at a time, and
//! for how long it does without.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::time::Instant;

use super::store::SlotPurpose;

/// So long after its time-out a request was lost, as its runtime is idle or has ended.
const LOST: Duration = Duration::from_millis(500);
/// How long a store that failed is not asked.
const ALONE: Duration = Duration::from_secs(10);

/// A waiter and what it would use a slot for.
type Asked = Vec<(u64, SlotPurpose)>;

#[derive(Debug)]
pub(super) struct Asking {
    /// A random number that names this process to the store.
    pub process: u64,
    response_timeout: Duration,
    last_number: u64,
    running: Option<Running>,
    /// When the store is to be asked again, for each purpose that it said so of.
    again: BTreeMap<SlotPurpose, Instant>,
    alone_until: Option<Instant>,
    /// The slots of the store, by this process's numbers of them.
    slots: BTreeMap<u64, u64>,
}

#[derive(Debug)]
struct Running {
    number: u64,
    since: Instant,
    asked: Asked,
}

impl Asking {
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

    /// Whether the store failed when it was last asked.
    pub fn has_failed(&self) -> bool {
        self.alone_until.is_some()
    }

    pub fn is_running(&self, now: Instant) -> bool {
        let running = self.running.as_ref();
        running.is_some_and(|running| now < running.since + self.response_timeout + LOST)
    }

    /// Until when nothing needs to be asked for these purposes; none when it is to be asked now.
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

    /// Starts a request, and returns its number.
    pub fn start(&mut self, now: Instant, asked: Asked) -> u64 {
        self.last_number += 1;
        self.running = Some(Running {
            number: self.last_number,
            since: now,
            asked,
        });
        self.last_number
    }

    /// Ends the request with this number, if no other has replaced it.
    pub fn end(&mut self, number: u64) -> Option<Asked> {
        let running = self.running.take_if(|running| running.number == number)?;
        self.again.clear();
        Some(running.asked)
    }

    pub fn wait(&mut self, until: Instant, asked: &Asked) {
        self.again = asked.iter().map(|(_, purpose)| (*purpose, until)).collect();
    }

    /// The store responded. Returns whether it failed before.
    pub fn works(&mut self) -> bool {
        self.alone_until.take().is_some()
    }

    /// The store failed. Returns whether it worked before.
    pub fn fails(&mut self, number: u64, now: Instant) -> bool {
        self.end(number).is_some() && self.alone_until.replace(now + ALONE).is_none()
    }

    /// `number` is this process's slot for that of the store; those before `first` are forgotten.
    pub fn took(&mut self, number: u64, slot: u64, first: u64) {
        self.slots = self.slots.split_off(&first);
        self.slots.insert(number, slot);
    }

    pub fn give_back(&mut self, number: u64) -> Option<u64> {
        self.slots.remove(&number)
    }
}
