//! The rate limiter of one API key, shared by a client and its clones: every request acquires a
//! permit here first.
//!
//! - `slots`: at most the limit in any minute. Calls may use what is left of it immediately,
//!   polls are spread evenly over what calls leave.
//! - `queue`, `state`: who is next. Calls of a person, then creates, then polls, and none of
//!   them only after all of another.
//! - `adaptive`: a 429 pauses every request and lowers the rate; other responses raise it.
//!
//! - `shared`, `store`: the same slots, counted outside of this process for all that use the key.
//!   `asking`: what this process knows of such a store. It chooses who is next, the store when.
//!
//! Those are pure decisions. This module adds the waiting. There is no task that keeps time, as
//! it would end with the runtime in which it was spawned: each waiter has a timer of its own.
//! One of them, the timekeeper, wakes up when the next permit can be given. The timers of the
//! others are late, and replace a timekeeper that does not run any more. A request to a store is
//! a task of the runtime of the waiter that started it, so that it ends also when the waiter is
//! dropped; one that does not end in time is replaced in the same way.
//!
//! Under the lock there are only decisions: no waker is called, cloned or dropped, nothing is
//! spawned and no event is recorded, since each of these may run code that comes back here.

mod adaptive;
mod asking;
mod limit;
mod queue;
mod shared;
mod slots;
mod state;
mod store;

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::time::{Instant, Sleep, sleep_until, timeout};

use crate::engine::telemetry;
use asking::Asking;
pub use limit::RateLimit;
pub(crate) use queue::{PollSchedule, Priority};
pub use shared::{MemoryLimitStore, SharedLimit};
pub(crate) use state::after;
use state::{Next, Question, State, StoreResult};
pub use store::{
    LimitFuture, LimitStore, LimitStoreError, SlotClaim, SlotPurpose, SlotRequest, SlotResponse,
};

/// The rate limiter of one key.
#[derive(Clone)]
pub(crate) struct RateLimiter {
    shared: Arc<Mutex<Shared>>,
    store: Option<Arc<dyn LimitStore>>,
}

struct Shared {
    state: State,
    /// Of the waiters in the queue and those whose permit is ready.
    wakers: BTreeMap<u64, Waker>,
    /// The waiter whose timer wakes it when the next permit can be given.
    timekeeper: Option<Next>,
}

/// What is left to do when the lock is released.
#[derive(Default)]
struct Later {
    wake: Vec<Waker>,
    drop: Vec<Waker>,
    /// Where requests to the store can run.
    runtime: Option<Handle>,
    /// A request to the store, and its number.
    ask: Option<(u64, SlotRequest)>,
    give_back: Vec<u64>,
    pause: Option<Duration>,
}

/// The rate limiter of a client at one moment, for example to export as metrics.
///
/// ```
/// # mod doctest { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doctest.rs")); }
/// # doctest::with_client(async |client, mock| {
/// # let request = blocks_sdk::CreateSession::new(blocks_sdk::Agent::claude(), "Go.");
/// client.create_session(request).await?;
/// let status = client.rate_limit_status();
/// assert_eq!((status.used_in_last_minute, status.waiting_creates), (1, 0));
/// assert_eq!((status.share, status.paused_for), (1.0, None));
/// # Ok(()) });
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct RateLimitStatus {
    /// Calls that wait for a permit, such as reads of a session or of messages.
    pub waiting_interactive: usize,
    /// Creates and follow-ups that wait for a permit.
    pub waiting_creates: usize,
    /// Waits and watches that are between two polls, or whose next poll waits for a permit.
    pub waiting_polls: usize,
    /// How long nothing is sent, since the service asked to wait.
    pub paused_for: Option<Duration>,
    /// Requests that this process sent in the last minute.
    pub used_in_last_minute: usize,
    /// The part of the limit that is used, from 0 to 1: less than 1 after a 429.
    pub share: f64,
    /// Whether the limit is shared with other processes.
    pub store: LimitStoreStatus,
}

/// Whether a client's limit is shared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum LimitStoreStatus {
    /// The client has no store: it counts its own requests.
    None,
    /// The store is used.
    Shared,
    /// The store failed when it was last used: the client counts its own requests, and tries the
    /// store again a few seconds later.
    Failed,
}

/// There is no permit within the time of a call.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct NoPermit {
    /// When the service asked to wait: until then.
    pub paused_until: Option<Instant>,
}

impl RateLimiter {
    pub fn new(limit: RateLimit, store: Option<Arc<dyn LimitStore>>) -> Self {
        let mut state = State::new(limit, Instant::now());
        state.asking = store
            .as_ref()
            .map(|store| Asking::new(fastrand::u64(..), store.response_timeout()));
        let shared = Shared {
            state,
            wakers: BTreeMap::new(),
            timekeeper: None,
        };
        Self {
            shared: Arc::new(Mutex::new(shared)),
            store,
        }
    }

    /// Changes the state, and wakes waiters after that.
    fn change<T>(&self, change: impl FnOnce(&mut Shared, Instant, &mut Later) -> T) -> T {
        let now = Instant::now();
        let mut later = Later {
            runtime: self.store.as_ref().and_then(|_| Handle::try_current().ok()),
            ..Later::default()
        };
        let result = {
            // No change is left half done by a panic, so a poisoned lock is still good.
            let mut shared = self.shared.lock().unwrap_or_else(PoisonError::into_inner);
            change(&mut shared, now, &mut later)
        };
        std::mem::take(&mut later.wake)
            .into_iter()
            .for_each(Waker::wake);
        if let (Some(store), Some(runtime)) = (&self.store, &later.runtime) {
            self.use_store(store, runtime, later.ask, later.give_back, later.pause);
        }
        result
    }

    /// Starts the requests to the store. Where there is no runtime, slots that were not used count
    /// for a minute, and others learn of a pause by a 429 of their own.
    fn use_store(
        &self,
        store: &Arc<dyn LimitStore>,
        runtime: &Handle,
        ask: Option<(u64, SlotRequest)>,
        give_back: Vec<u64>,
        pause: Option<Duration>,
    ) {
        let limit = store.response_timeout();
        if let Some((number, request)) = ask {
            let (limiter, store) = (self.clone(), Arc::clone(store));
            runtime.spawn(async move {
                let response = timeout(limit, store.take(&request)).await;
                let response = response.unwrap_or_else(|_| {
                    let what = format!("no response within {limit:?}");
                    Err(LimitStoreError::new(what))
                });
                limiter.store_responded(number, response);
            });
        }
        for slot in give_back {
            let store = Arc::clone(store);
            runtime.spawn(async move { timeout(limit, store.give_back(slot)).await });
        }
        if let Some(pause) = pause {
            let store = Arc::clone(store);
            runtime.spawn(async move { timeout(limit, store.pause(pause)).await });
        }
    }

    /// The store's response to the request with this number.
    fn store_responded(&self, number: u64, response: Result<SlotResponse, LimitStoreError>) {
        let (has_changed, error) = self.change(|shared, now, later| match response {
            Ok(response) => {
                let asking = shared.state.asking.as_mut();
                let works_again = asking.is_some_and(Asking::works);
                shared.use_response(number, response, now, later);
                (works_again, None)
            }
            Err(error) => {
                let asking = shared.state.asking.as_mut();
                let is_first = asking.is_some_and(|asking| asking.fails(number, now));
                shared.settle(now, None, later);
                (is_first, Some(error))
            }
        });
        if has_changed {
            telemetry::limit_store(error.as_ref());
        }
    }

    /// Waits for a permit. A call gives up at its `deadline`, and before that as soon as the
    /// service asks to wait for longer.
    pub fn acquire(self: &Arc<Self>, priority: Priority, deadline: Option<Instant>) -> Acquire {
        Acquire {
            limiter: Arc::clone(self),
            priority,
            deadline,
            ends_with_pause: true,
            ticket: None,
            is_waiting: false,
            timer: None,
        }
    }

    /// Waits for a permit until `deadline`, however long the service asks to wait.
    pub fn acquire_until(self: &Arc<Self>, priority: Priority, deadline: Instant) -> Acquire {
        let mut acquire = self.acquire(priority, Some(deadline));
        acquire.ends_with_pause = false;
        acquire
    }

    /// A response that was not a 429.
    pub fn responded(&self) {
        let share = self.change(|shared, now, later| {
            let was_probing = shared.state.is_probing();
            let changed = shared.state.responded(now);
            if changed || was_probing {
                shared.settle(now, None, later);
            }
            changed.then(|| shared.state.rate.share())
        });
        if let Some(share) = share {
            telemetry::rate_changed(share);
        }
    }

    /// A 429, with the pause that it asks for. Returns when the pause ends, which is at most
    /// `longest` from now.
    pub fn refused(&self, asked: Option<Duration>, longest: Duration) -> Instant {
        let random = fastrand::f64();
        let (until, share) = self.change(|shared, now, later| {
            let until = shared.state.refused(now, asked, longest, random);
            shared.notify_of_pause(until, later);
            later.pause = Some(until - now);
            (until, shared.state.rate.share())
        });
        telemetry::paused(until, asked);
        telemetry::rate_changed(share);
        until
    }

    /// The service asks every request to wait, and does not say that there were too many.
    pub fn pause(&self, asked: Duration, longest: Duration) {
        let until = self.change(|shared, now, later| {
            let until = shared.state.pause(now, asked, longest);
            shared.notify_of_pause(until, later);
            later.pause = Some(until - now);
            until
        });
        telemetry::paused(until, Some(asked));
    }

    /// When the pause that the service asked for ends, if there is one.
    pub fn paused_until(&self) -> Option<Instant> {
        self.change(|shared, now, _| shared.state.slots.paused_until(now))
    }

    pub fn status(&self) -> RateLimitStatus {
        self.change(|shared, now, _| {
            let [interactive, creates, polls] = shared.state.queue.counts();
            let paused_until = shared.state.slots.paused_until(now);
            RateLimitStatus {
                waiting_interactive: interactive,
                waiting_creates: creates,
                waiting_polls: polls,
                paused_for: paused_until.map(|until| until - now),
                used_in_last_minute: shared.state.slots.used(now),
                share: shared.state.rate.share(),
                store: match &shared.state.asking {
                    None => LimitStoreStatus::None,
                    Some(asking) if asking.has_failed() => LimitStoreStatus::Failed,
                    Some(_) => LimitStoreStatus::Shared,
                },
            }
        })
    }
}

/// Panics in the caller's words, and not in those of a timer, when there is no runtime.
pub(crate) fn require_runtime() {
    assert!(
        tokio::runtime::Handle::try_current().is_ok(),
        "blocks-sdk needs a tokio runtime with time and I/O enabled: await its futures in \
         `#[tokio::main]`, or in `Runtime::block_on` of a runtime built with `enable_all`"
    );
}

impl Shared {
    /// Gives every permit that can be given, and sees to it that one waiter keeps time for the
    /// next. `own` is the waiter that is being polled.
    fn settle(&mut self, now: Instant, own: Option<u64>, later: &mut Later) {
        let mut granted = Vec::new();
        let next = match self.state.uses_store(now) {
            true => self.ask_store(now, later),
            false => self.state.advance(now, &mut granted),
        };
        for ticket in &granted {
            let list = match own {
                Some(own) if own == *ticket => &mut later.drop,
                _ => &mut later.wake,
            };
            list.extend(self.wakers.remove(ticket));
        }
        let keeper = self.timekeeper.take();
        let Some(next) = next else { return };
        let own = own.filter(|own| !granted.contains(own));
        let keeper = keeper.filter(|keeper| {
            let is_granted = granted.contains(&keeper.ticket);
            let is_in_time = now < keeper.at && keeper.at <= next.at;
            !is_granted && is_in_time && Some(keeper.ticket) != own
        });
        self.timekeeper = match (keeper, own) {
            (Some(keeper), _) => Some(keeper),
            (None, Some(own)) => Some(Next {
                ticket: own,
                at: next.at,
            }),
            (None, None) => {
                // It becomes the timekeeper when it is polled. If it is not, the late timer
                // of another waiter replaces it.
                later.wake.extend(self.wakers.remove(&next.ticket));
                None
            }
        };
    }

    /// Asks the store for a slot if that is to be done now. Returns what is next if nothing is
    /// being asked.
    fn ask_store(&mut self, now: Instant, later: &mut Later) -> Option<Next> {
        match self.state.question(now) {
            Question::Nothing => None,
            Question::Later(next) => Some(next),
            Question::Now(_) if later.runtime.is_some() => {
                later.ask = self.state.ask(now);
                None
            }
            // The waiter asks when it is polled, in a runtime.
            Question::Now(ticket) => Some(Next { ticket, at: now }),
        }
    }

    fn use_response(
        &mut self,
        number: u64,
        response: SlotResponse,
        now: Instant,
        later: &mut Later,
    ) {
        match self.state.store_responded(number, response, now) {
            StoreResult::Granted(ticket) => later.wake.extend(self.wakers.remove(&ticket)),
            StoreResult::GiveBack(slot) => later.give_back.push(slot),
            StoreResult::Wait { is_paused: true } => {
                let until = self.state.slots.paused_until(now);
                self.notify_of_pause(until.unwrap_or(now), later);
            }
            StoreResult::Wait { is_paused: false } | StoreResult::Ignored => {}
        }
        self.settle(now, None, later);
    }

    /// Whether someone else takes care of a waiter of this priority: there is a request to the
    /// store, or a timekeeper for the next one.
    fn is_cared_for(&self, ticket: u64, priority: Priority, is_new: bool, now: Instant) -> bool {
        let asking = self.state.asking.as_ref();
        asking.is_some_and(|asking| asking.is_running(now))
            || self.timekeeper.is_some_and(|keeper| {
                let is_kept = keeper.ticket != ticket && now < keeper.at;
                is_kept && !(is_new && self.state.is_worth_asking(priority, keeper.at, now))
            })
    }

    /// A pause begins: those that cannot wait so long are woken to give up.
    fn notify_of_pause(&mut self, until: Instant, later: &mut Later) {
        for ticket in self.state.queue.ending_before(until) {
            later.wake.extend(self.wakers.remove(&ticket));
        }
    }

    fn leave(&mut self, ticket: u64, now: Instant, later: &mut Later) {
        later.give_back.extend(self.state.cancel(ticket));
        later.drop.extend(self.wakers.remove(&ticket));
        if self
            .timekeeper
            .is_some_and(|keeper| keeper.ticket == ticket)
        {
            self.timekeeper = None;
        }
        self.settle(now, None, later);
    }

    /// When a waiter that does not keep time looks after the timekeeper: late, and the later the
    /// more waiters do so.
    fn late(&self, now: Instant) -> Instant {
        let waiting: usize = self.state.queue.counts().iter().sum();
        let late = Duration::from_secs(1) + Duration::from_millis(waiting as u64);
        self.timekeeper.map_or(now, |keeper| keeper.at.max(now)) + late
    }
}

/// Permission to send one request, to be kept until the request has ended.
#[derive(Debug)]
pub(crate) struct Permit {
    limiter: Arc<RateLimiter>,
    slot: u64,
    is_probe: bool,
}

impl std::fmt::Debug for RateLimiter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RateLimiter").finish_non_exhaustive()
    }
}

impl Permit {
    /// Nothing was sent: another request may use the permit.
    pub fn give_back(self) {
        self.limiter.change(|shared, now, later| {
            later.give_back.extend(shared.state.give_back(self.slot));
            shared.settle(now, None, later);
        });
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        if self.is_probe {
            self.limiter.change(|shared, now, later| {
                shared.state.end_probe(self.slot);
                shared.settle(now, None, later);
            });
        }
    }
}

/// A permit to come; see [`RateLimiter::acquire`]. Dropped before it is ready, it leaves the
/// queue and returns what it was given. Awaited again, it waits for a further permit in the
/// same place, so that a request which is sent again does not go to the end of the queue.
pub(crate) struct Acquire {
    limiter: Arc<RateLimiter>,
    priority: Priority,
    deadline: Option<Instant>,
    ends_with_pause: bool,
    ticket: Option<u64>,
    /// Whether the ticket is in the queue, or has a permit that was not picked up.
    is_waiting: bool,
    timer: Option<Timer>,
}

struct Timer {
    at: Instant,
    /// Wakes the task for as long as it is kept.
    _sleep: Pin<Box<Sleep>>,
}

/// What one poll of [`Acquire`] found under the lock.
enum Step {
    Ready(Result<(u64, bool), NoPermit>),
    /// Nothing yet: wait until then at most.
    Wait(Instant),
}

impl Acquire {
    fn step(
        &mut self,
        shared: &mut Shared,
        waker: &mut Option<Waker>,
        now: Instant,
        later: &mut Later,
    ) -> Step {
        let ticket = *self.ticket.get_or_insert_with(|| shared.state.ticket());
        if self.is_waiting {
            if let Some(slot) = shared.state.pick_up(ticket) {
                later.drop.extend(shared.wakers.remove(&ticket));
                return self.ready(slot, shared);
            }
        } else if !shared.state.uses_store(now)
            && let Some(slot) = shared.state.grant_directly(now, self.priority)
        {
            return self.ready(slot, shared);
        }
        if let Some(until) = self.pause_that_is_too_long(shared, now) {
            return self.give_up(ticket, Some(until), shared, now, later);
        }
        let is_new = !self.is_waiting;
        if is_new {
            self.is_waiting = true;
            let queue = &mut shared.state.queue;
            queue.insert(
                ticket,
                self.priority,
                now,
                self.deadline.filter(|_| self.ends_with_pause),
            );
        }
        // What another waiter keeps time for includes all that are in the queue already.
        let is_over = self.deadline.is_some_and(|deadline| deadline <= now);
        let priority = self.priority;
        let is_kept_for_it = match shared.state.uses_store(now) {
            true => shared.is_cared_for(ticket, priority, is_new, now),
            false => shared.timekeeper.is_some_and(|keeper| {
                let is_kept = keeper.ticket != ticket && now < keeper.at;
                is_kept && !(is_new && shared.state.is_of_use_before(keeper.at, priority, now))
            }),
        };
        if is_over || !is_kept_for_it {
            shared.settle(now, Some(ticket), later);
            if let Some(slot) = shared.state.pick_up(ticket) {
                return self.ready(slot, shared);
            }
        }
        if is_over {
            return self.give_up(ticket, None, shared, now, later);
        }
        if let Some(waker) = waker.take() {
            later.drop.extend(shared.wakers.insert(ticket, waker));
        }
        let at = match shared.timekeeper {
            Some(keeper) if keeper.ticket == ticket => keeper.at,
            _ => match &self.timer {
                // A poll of no consequence does not put it off.
                Some(timer) if timer.at > now => timer.at.min(shared.late(now)),
                _ => shared.late(now),
            },
        };
        Step::Wait(self.deadline.map_or(at, |deadline| deadline.min(at)))
    }

    fn ready(&mut self, slot: u64, shared: &Shared) -> Step {
        self.is_waiting = false;
        Step::Ready(Ok((slot, shared.state.is_probe(slot))))
    }

    fn pause_that_is_too_long(&self, shared: &Shared, now: Instant) -> Option<Instant> {
        let deadline = self.deadline.filter(|_| self.ends_with_pause)?;
        let paused_until = shared.state.slots.paused_until(now)?;
        Some(paused_until).filter(|until| *until > deadline)
    }

    fn give_up(
        &mut self,
        ticket: u64,
        paused_until: Option<Instant>,
        shared: &mut Shared,
        now: Instant,
        later: &mut Later,
    ) -> Step {
        if self.is_waiting {
            self.is_waiting = false;
            shared.leave(ticket, now, later);
        }
        Step::Ready(Err(NoPermit { paused_until }))
    }
}

impl Future for Acquire {
    type Output = Result<Permit, NoPermit>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        loop {
            let limiter = Arc::clone(&this.limiter);
            let mut waker = Some(context.waker().clone());
            let was_waiting = this.is_waiting;
            let step =
                limiter.change(|shared, now, later| this.step(shared, &mut waker, now, later));
            let at = match step {
                Step::Ready(result) => {
                    this.timer = None;
                    return Poll::Ready(result.map(|(slot, is_probe)| Permit {
                        limiter,
                        slot,
                        is_probe,
                    }));
                }
                Step::Wait(at) => at,
            };
            if !was_waiting {
                telemetry::waiting_for_permit(this.priority);
            }
            require_runtime();
            // A new timer each time: this future may have moved to another runtime.
            let mut sleep = Box::pin(sleep_until(at));
            let is_over = sleep.as_mut().poll(context).is_ready();
            this.timer = Some(Timer { at, _sleep: sleep });
            if !is_over {
                return Poll::Pending;
            }
        }
    }
}

impl Drop for Acquire {
    fn drop(&mut self) {
        if let Some(ticket) = self.ticket.filter(|_| self.is_waiting) {
            self.limiter
                .change(|shared, now, later| shared.leave(ticket, now, later));
        }
    }
}

#[cfg(test)]
mod tests;
