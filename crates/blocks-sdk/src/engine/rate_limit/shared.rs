//! Decides how several processes share the limit of an API key. A *slot* is one of the requests that the limit allows
//! in a minute. The used slots are counted in the *store* of the shared limit, for example in a file. The stores in
//! this workspace make the decisions of this module.
//!
//! A create has precedence over a poll, even if the two requests are from different processes. This rule needs only the
//! log of used slots, and no list of waiting requests: polls that have used their share leave one slot free, which the
//! next call takes, and calls leave a fifth of the window to polls.
//!
//! Requests of the same kind are ordered across all processes. Of the polls, the poll with the largest product of
//! waiting time and weight gets the next slot. Of the creates, the create that has waited longest gets the next slot.
//! To compare the requests of several processes, `SharedLimit` contains the demands of the waiting processes.
//!
//! A process gets a slot only in response to its own request. A process gets no slot if demands of other processes come
//! first and need the free slots. The process must then request again later, so that the other processes have time to
//! take the slots.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use super::slots::{Slots, Use};
use super::store::{LimitFuture, LimitStore, SlotDemand, SlotPurpose, SlotRequest, SlotResponse};

/// A process counts as ended if its next request is late by more than this time. The demands of an ended process are
/// ignored.
const GRACE: Duration = Duration::from_secs(1);
/// The time after which a process requests again if the demand of another process comes first. The other demands may
/// have changed by then. If no slot is free by then, the process requests again when a slot becomes free.
const RECHECK: Duration = Duration::from_secs(2);
/// The longest pause. Without this maximum, one wrong pause could stop all processes permanently.
const LONGEST_PAUSE: Duration = Duration::from_secs(3600);

/// Contains the used slots (sent requests that still count for the limit) and the demands (requests that wait for a
/// slot) of one API key. A [`LimitStore`] keeps this value.
///
/// All times are durations since a fixed point in time of the store's clock. If the clock is set back, a slot or pause
/// whose start is then in the future counts as started now.
///
/// ```
/// use std::time::Duration;
/// use blocks_sdk::{SharedLimit, SlotResponse, SlotPurpose, SlotRequest};
///
/// let mut limit = SharedLimit::default();
/// let create = |process| SlotRequest::new(process, 1).demand(SlotPurpose::Create, Duration::ZERO, 1.0);
/// let now = Duration::from_secs(1000);
/// assert!(matches!(limit.take(now, &create(1)), SlotResponse::Taken { .. }));
/// // The only slot of this window is used.
/// let wait = SlotResponse::wait(Duration::from_millis(60_500), false);
/// assert_eq!(limit.take(now, &create(2)), wait);
/// ```
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct SharedLimit {
    /// The used slots. All times in `SharedLimit` are in milliseconds.
    used: Vec<UsedSlot>,
    next_slot: u64,
    pause: Option<Pause>,
    waiting: Vec<Waiting>,
}

/// The number of a slot, the time at which the slot was taken, and whether a poll took the slot.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct UsedSlot(u64, u64, bool);

#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
struct Pause {
    from: u64,
    until: u64,
}

/// A process that got no slot in response to its last request.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Waiting {
    process: u64,
    asked_at: u64,
    ends_at: u64,
    capacity: usize,
    spreads_calls: bool,
    demands: Vec<WaitingDemand>,
}

#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
struct WaitingDemand {
    purpose: SlotPurpose,
    since: u64,
    weight: f64,
}

impl SharedLimit {
    /// Takes a slot for the first demand of `request` that can have a slot at `now`. If no demand can have a slot,
    /// returns the time to wait before the next request.
    pub fn take(&mut self, now: Duration, request: &SlotRequest) -> SlotResponse {
        let micros = u64::try_from(now.as_micros()).unwrap_or(u64::MAX / 4);
        let now = millis(now);
        // A process waits at most until the end of the longest pause. An entry with a later end was not written by this
        // type.
        let longest = millis(LONGEST_PAUSE + GRACE);
        self.waiting.retain(|other| {
            other.process != request.process
                && (now.saturating_sub(longest)..=now).contains(&other.asked_at)
                && (now..=now + longest).contains(&other.ends_at)
        });
        let mut slots = self.slots(now, request);
        let polls_wait = self.polls_wait(request);
        let mut again: Option<u64> = None;
        for (number, demand) in request.demands.iter().enumerate() {
            let what = Use::from(demand.purpose);
            let ahead = self.ahead(now, demand);
            let time = Duration::from_millis(now);
            let Err(at) = slots.check(time, what, polls_wait, ahead) else {
                // The slot number is at least the current time in microseconds. So new numbers are larger than old
                // numbers, even if the store loses `next_slot`. Otherwise a process that gives back an old slot could
                // remove a new slot with the same number.
                let slot = self.next_slot.max(micros);
                self.next_slot = slot.saturating_add(1);
                self.used.push(UsedSlot(slot, now, what != Use::Call));
                return SlotResponse::taken(number, slot);
            };
            let mut at = millis_up(at);
            if ahead > 0 {
                let first = slots.check(time, what, polls_wait, 0);
                let first = first.err().map_or(now, millis_up);
                at = at.min(first.max(now + millis(RECHECK)));
            }
            again = Some(again.map_or(at, |again| again.min(at)));
        }
        let again = again.unwrap_or(now);
        self.waiting.push(Waiting {
            process: request.process,
            asked_at: now,
            ends_at: again + millis(GRACE),
            capacity: request.capacity,
            spreads_calls: request.spreads_calls,
            demands: request
                .demands
                .iter()
                .map(|demand| waiting_demand(now, demand))
                .collect(),
        });
        SlotResponse::wait(Duration::from_millis(again - now), self.pause.is_some())
    }

    /// Stops granting slots for the duration `pause`, at most for an hour.
    pub fn pause(&mut self, now: Duration, pause: Duration) {
        let now = millis(now);
        self.correct(now);
        let until = now + millis(pause.min(LONGEST_PAUSE));
        if self.pause.is_none_or(|pause| pause.until < until) {
            self.pause = Some(Pause { from: now, until });
        }
    }

    /// Gives back a slot in which nothing was sent.
    pub fn give_back(&mut self, slot: u64) {
        self.used.retain(|used| used.0 != slot);
    }

    /// Removes an expired pause, and corrects times that are later than `now` because the clock was set back. Another
    /// program may have changed the data, so a pause ends within an hour, whatever its stored end is.
    fn correct(&mut self, now: u64) {
        for slot in &mut self.used {
            slot.1 = slot.1.min(now);
        }
        if let Some(pause) = &mut self.pause
            && pause.from > now
        {
            let length = pause.until.saturating_sub(pause.from);
            *pause = Pause {
                from: now,
                until: now.saturating_add(length),
            };
        }
        let latest = now + millis(LONGEST_PAUSE);
        self.pause = self
            .pause
            .filter(|pause| pause.until > now)
            .map(|pause| Pause {
                until: pause.until.min(latest),
                ..pause
            });
    }

    /// Returns the log of used slots. The capacity of the log (the maximum number of slots in a window) is the lowest
    /// capacity that the requesting process or a waiting process reported. After a 429, a process reports a lower
    /// capacity. If the other processes continued to use more slots than this capacity, the process would wait
    /// permanently.
    fn slots(&mut self, now: u64, request: &SlotRequest) -> Slots<Duration> {
        self.correct(now);
        let others = self.waiting.iter().map(|other| other.capacity).min();
        let capacity = request.capacity.min(others.unwrap_or(usize::MAX));
        let spreads = request.spreads_calls || self.waiting.iter().any(|other| other.spreads_calls);
        let mut slots = Slots::new(capacity);
        slots.set_capacity(capacity, spreads);
        for UsedSlot(_, at, is_poll) in &self.used {
            let what = if *is_poll { Use::UrgentPoll } else { Use::Call };
            slots.push(Duration::from_millis(*at), what);
        }
        if let Some(pause) = self.pause {
            slots.pause(Duration::from_millis(pause.until));
        }
        slots.forget(Duration::from_millis(now));
        self.used.drain(..self.used.len() - slots.len());
        slots
    }

    fn polls_wait(&self, request: &SlotRequest) -> bool {
        let is_poll = |purpose| Use::from(purpose) != Use::Call;
        let others = self.waiting.iter().flat_map(|other| &other.demands);
        request.demands.iter().any(|demand| is_poll(demand.purpose))
            || others.map(|demand| demand.purpose).any(is_poll)
    }

    /// Returns how many other processes have a demand of the same kind (the same [`Use`]) that precedes `demand`.
    fn ahead(&self, now: u64, demand: &SlotDemand) -> usize {
        let own = waiting_demand(now, demand);
        let is_ahead = |other: &WaitingDemand| {
            let is_alike = Use::from(other.purpose) == Use::from(own.purpose);
            is_alike
                && (other.purpose < own.purpose
                    || other.purpose == own.purpose && other.gain(now) > own.gain(now))
        };
        let is_ahead = |other: &&Waiting| other.demands.iter().any(is_ahead);
        self.waiting.iter().filter(is_ahead).count()
    }
}

impl WaitingDemand {
    fn gain(&self, now: u64) -> f64 {
        now.saturating_sub(self.since) as f64 * self.weight
    }
}

fn waiting_demand(now: u64, demand: &SlotDemand) -> WaitingDemand {
    WaitingDemand {
        purpose: demand.purpose,
        since: now.saturating_sub(millis(demand.waited)),
        weight: demand.weight,
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX / 4)
}

/// Converts the time at which a slot becomes free to milliseconds. Rounds up, because a request before this time would
/// get no slot.
fn millis_up(time: Duration) -> u64 {
    millis(time + Duration::from_nanos(999_999))
}

/// Keeps the shared limit in memory, for several clients of one process.
///
/// ```
/// use std::sync::Arc;
/// use blocks_sdk::{Client, MemoryLimitStore};
///
/// // Two clients with different settings count their requests together.
/// let store = Arc::new(MemoryLimitStore::default());
/// let client = Client::builder("my-key").limit_store(store.clone()).build()?;
/// let other = Client::builder("my-key").user_agent("nightly").limit_store(store).build()?;
/// # Ok::<(), blocks_sdk::Error>(())
/// ```
#[derive(Debug)]
pub struct MemoryLimitStore {
    start: Instant,
    limit: Mutex<SharedLimit>,
}

impl Default for MemoryLimitStore {
    fn default() -> Self {
        Self {
            start: Instant::now(),
            limit: Mutex::default(),
        }
    }
}

impl MemoryLimitStore {
    fn change<T: Send + 'static>(
        &self,
        change: impl FnOnce(&mut SharedLimit, Duration) -> T,
    ) -> LimitFuture<'_, T> {
        let now = self.start.elapsed();
        let mut limit = self.limit.lock().unwrap_or_else(PoisonError::into_inner);
        let result = change(&mut limit, now);
        Box::pin(std::future::ready(Ok(result)))
    }
}

impl LimitStore for MemoryLimitStore {
    fn take<'a>(&'a self, request: &'a SlotRequest) -> LimitFuture<'a, SlotResponse> {
        self.change(|limit, now| limit.take(now, request))
    }

    fn pause(&self, pause: Duration) -> LimitFuture<'_, ()> {
        self.change(|limit, now| limit.pause(now, pause))
    }

    fn give_back(&self, slot: u64) -> LimitFuture<'_, ()> {
        self.change(|limit, _| limit.give_back(slot))
    }
}
