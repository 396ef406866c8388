//! Limits the requests of one API key. Usually, all clients of a process with the same key and base URL share one
//! limiter. Each request to the service first acquires a permit from the limiter. A download from a storage host needs
//! no permit. In these modules, a *call* is a request that does not have the priority of a poll, and a *waiter* is a
//! request that waits for its permit. Each permit uses a *slot*, which is one of the requests that the limit allows in
//! a minute.
//!
//! - `slots` limits the number of used slots in any minute. Calls use free slots immediately, but leave some slots to
//!   polls. After a 429, calls are also spread evenly. Polls are spread evenly over the slots that calls do not use.
//! - `queue` and `state` decide which waiter is next. Interactive calls get permits first, then urgent polls, then
//!   creates, then other polls. But creates and other polls get some permits even if calls before them wait.
//! - `adaptive` lowers the rate after a 429, and raises the rate after other responses. A 429 also pauses every
//!   request.
//! - `shared` and `store` count the slots in the *store* of a shared limit, for all processes that use the key. For
//!   example, the store is a file or a Redis server.
//! - `store_requests` tracks the requests of this process to the store. Each request lists the next waiters in the
//!   order of precedence. The store grants a slot to the first of these waiters that can have a slot now.
//!
//! The modules in this list make decisions and never wait. Only the module `rate_limit` itself waits. There is no timer
//! task, because a timer task would end together with its tokio runtime, although other runtimes may use the same
//! limiter. Instead, each waiter has its own timer. One waiter is the *timekeeper*: its timer fires when the next
//! permit can be granted. The timers of the other waiters fire later. If the timekeeper does not run any more, for
//! example because no thread drives its runtime, the next waiter whose timer fires becomes the timekeeper.
//!
//! Each request to the store of a shared limit runs in a separate task of the current runtime. So the request completes
//! even if the waiter that started the request is dropped. If the store does not respond in time, the limiter counts
//! its own slots for 10 s. If the runtime of the task does not run any more, a waiter starts a new request.
//!
//! The mutex of [`RateLimiter`] protects the limiter's state. The code that holds this lock only makes decisions. It
//! must not call, clone or drop a waker, spawn a task, or record a tracing event. Each of these actions may run other
//! code that calls this module again. This call would then wait for the lock permanently.

mod adaptive;
mod limit;
mod queue;
mod shared;
mod slots;
mod state;
mod store;
mod store_requests;

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::time::{Instant, Sleep, sleep_until, timeout};

use crate::engine::telemetry;
pub use limit::RateLimit;
pub(crate) use queue::{PollSchedule, Priority};
pub use shared::{MemoryLimitStore, SharedLimit};
pub(crate) use state::after;
use state::{Next, NextRequest, State, StoreResult};
pub use store::{
    LimitFuture, LimitStore, LimitStoreError, SlotDemand, SlotPurpose, SlotRequest, SlotResponse,
};
use store_requests::StoreRequests;

/// The rate limiter of one API key.
#[derive(Clone)]
pub(crate) struct RateLimiter {
    shared: Arc<Mutex<Shared>>,
    store: Option<Arc<dyn LimitStore>>,
}

struct Shared {
    state: State,
    /// A map from the ticket (the number) of each waiter to its waker. A waker is removed when its waiter is woken.
    wakers: BTreeMap<u64, Waker>,
    /// The ticket of the timekeeper, and the time at which the timekeeper wakes up to grant the next permit.
    timekeeper: Option<Next>,
}

/// The work that is done after the lock is released.
#[derive(Default)]
struct Later {
    wake: Vec<Waker>,
    drop: Vec<Waker>,
    /// The runtime in which requests to the store can run.
    runtime: Option<Handle>,
    /// A request to send to the store, with the number of the request.
    ask: Option<(u64, SlotRequest)>,
    give_back: Vec<u64>,
    pause: Option<Duration>,
}

/// Reports the current state of a client's rate limiter, for example for metrics.
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
    /// The number of interactive calls that wait for a permit, such as reads of a session or of messages.
    pub waiting_interactive: usize,
    /// The number of creates and follow-ups that wait for a permit. A [raw request](crate::RawRequest) with a method
    /// other than `GET` and `HEAD` counts as a create.
    pub waiting_creates: usize,
    /// The number of waits and watches that are between two polls, or whose next poll waits for a permit.
    pub waiting_polls: usize,
    /// The remaining time of the pause after a 429, or after a 503 with `Retry-After`; `None` if there is no pause.
    pub paused_for: Option<Duration>,
    /// The number of requests of all clients with this rate limiter in the last minute. A request counts from the time
    /// at which its permit was granted.
    pub used_in_last_minute: usize,
    /// The fraction of the limit that the client may use, from 0.05 to 1. A 429 lowers the fraction, and later
    /// responses raise it to 1 again.
    pub share: f64,
    /// Whether the limit is shared with other processes.
    pub store: LimitStoreStatus,
}

/// Reports whether a client's limit is shared with other processes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum LimitStoreStatus {
    /// The client has no [`LimitStore`], and counts only the requests of the clients with the same rate limiter.
    None,
    /// The client counts its requests in a [`LimitStore`], together with other processes.
    Shared,
    /// The last request for a slot from the [`LimitStore`] failed. For 10 s after the failure, the client counts only
    /// its own requests. The next request after that uses the store again.
    Failed,
}

/// The error if no permit is available before the deadline of [`Acquire`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct NoPermit {
    /// The end of the pause, if the request is a call that failed because the pause ends after its deadline.
    pub paused_until: Option<Instant>,
}

impl RateLimiter {
    pub fn new(limit: RateLimit, store: Option<Arc<dyn LimitStore>>) -> Self {
        let mut state = State::new(limit, Instant::now());
        state.store_requests = store
            .as_ref()
            .map(|store| StoreRequests::new(fastrand::u64(..), store.response_timeout()));
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

    /// Runs `change` while `Shared` is locked. Wakes waiters and starts requests to the store after the lock is
    /// released.
    fn change<T>(&self, change: impl FnOnce(&mut Shared, Instant, &mut Later) -> T) -> T {
        let now = Instant::now();
        let mut later = Later {
            runtime: self.store.as_ref().and_then(|_| Handle::try_current().ok()),
            ..Later::default()
        };
        let result = {
            // A panic never leaves the state half changed, so a poisoned lock can still be used.
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

    /// Starts the requests to the store. `change` does not call this function if there is no tokio runtime. Then the
    /// store is not informed of unused slots and pauses. An unused slot counts as used for a minute, and the other
    /// processes notice a pause only when they get a 429 themselves.
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
                let panicked = StorePanicked {
                    limiter: limiter.clone(),
                    number,
                };
                let response = timeout(limit, store.take(&request)).await;
                drop(panicked);
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

    /// Handles the store's response to request `number`.
    fn store_responded(&self, number: u64, response: Result<SlotResponse, LimitStoreError>) {
        let (has_changed, error) = self.change(|shared, now, later| match response {
            Ok(response) => {
                let store_requests = shared.state.store_requests.as_mut();
                let works_again = store_requests.is_some_and(StoreRequests::record_response);
                shared.use_response(number, response, now, later);
                (works_again, None)
            }
            Err(error) => {
                let store_requests = shared.state.store_requests.as_mut();
                let is_first =
                    store_requests.is_some_and(|requests| requests.record_failure(number, now));
                shared.settle(now, None, later);
                (is_first, Some(error))
            }
        });
        if has_changed {
            telemetry::limit_store(error.as_ref());
        }
    }

    /// Waits for a permit. The wait fails at `deadline`, or immediately if the service asks for a pause that ends after
    /// `deadline`.
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

    /// Waits for a permit until `deadline`, even if the service asks for a pause that ends after `deadline`.
    pub fn acquire_until(self: &Arc<Self>, priority: Priority, deadline: Instant) -> Acquire {
        let mut acquire = self.acquire(priority, Some(deadline));
        acquire.ends_with_pause = false;
        acquire
    }

    /// Records a response that was not a 429.
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

    /// Records a 429, and pauses every request for at most `longest`. `asked` is the pause in the `Retry-After` of the
    /// 429. Returns the end of the pause.
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

    /// Pauses every request, because the service asked for a pause in a response other than a 429.
    pub fn pause(&self, asked: Duration, longest: Duration) {
        let until = self.change(|shared, now, later| {
            let until = shared.state.pause(now, asked, longest);
            shared.notify_of_pause(until, later);
            later.pause = Some(until - now);
            until
        });
        telemetry::paused(until, Some(asked));
    }

    /// Returns the end of the current pause, if there is one.
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
                store: match &shared.state.store_requests {
                    None => LimitStoreStatus::None,
                    Some(store_requests) if store_requests.has_failed() => LimitStoreStatus::Failed,
                    Some(_) => LimitStoreStatus::Shared,
                },
            }
        })
    }
}

/// Panics if there is no tokio runtime. Without this check, tokio's timer would panic with a less clear message.
pub(crate) fn require_runtime() {
    assert!(
        tokio::runtime::Handle::try_current().is_ok(),
        "blocks-sdk needs a tokio runtime with time and I/O enabled: await its futures in \
         `#[tokio::main]`, or in `Runtime::block_on` of a runtime built with `enable_all`"
    );
}

/// Reports a failure if the store panics. Without this report, each request to the store would count as running until
/// its time-out, and no permit would be granted.
struct StorePanicked {
    limiter: RateLimiter,
    number: u64,
}

impl Drop for StorePanicked {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let error = LimitStoreError::new("the store of the shared limit panicked");
            self.limiter.store_responded(self.number, Err(error));
        }
    }
}

impl Shared {
    /// Grants every permit that can be granted now, or requests a slot from the store. Also ensures that one of the
    /// waiters is the timekeeper, which wakes up when the next permit can be granted. If a waiter calls this function
    /// while it is polled, `own` is its ticket.
    fn settle(&mut self, now: Instant, own: Option<u64>, later: &mut Later) {
        let mut granted = Vec::new();
        let next = match self.state.uses_store(now) {
            true => self.request_slot(now, later),
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
                // The woken waiter becomes the timekeeper when it is polled. If the woken waiter is not polled, the
                // next waiter whose timer fires becomes the timekeeper.
                later.wake.extend(self.wakers.remove(&next.ticket));
                None
            }
        };
    }

    /// Asks the store for a slot if a request to the store is due now. If this request must be sent later, or if there
    /// is no runtime now, returns the time of the request, and the waiter that should start it. Otherwise returns
    /// `None`.
    fn request_slot(&mut self, now: Instant, later: &mut Later) -> Option<Next> {
        match self.state.next_request(now) {
            NextRequest::Nothing => None,
            NextRequest::Later(next) => Some(next),
            NextRequest::Now(_) if later.runtime.is_some() => {
                later.ask = self.state.start_request(now);
                None
            }
            // No runtime is available now. The request is started when a runtime polls this waiter.
            NextRequest::Now(ticket) => Some(Next { ticket, at: now }),
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

    /// Returns whether the waiter `ticket` can wait without starting a request to the store of the shared limit. This
    /// is true if a request to the store is running, or if another waiter is the timekeeper and will start the next
    /// request early enough.
    fn is_cared_for(&self, ticket: u64, priority: Priority, is_new: bool, now: Instant) -> bool {
        let store_requests = self.state.store_requests.as_ref();
        store_requests.is_some_and(|requests| requests.is_running(now))
            || self.timekeeper.is_some_and(|keeper| {
                let is_kept = keeper.ticket != ticket && now < keeper.at;
                is_kept && !(is_new && self.state.could_get_slot(priority, keeper.at, now))
            })
    }

    /// Wakes the calls whose deadline is before the end of the pause, so that these calls fail.
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

    /// Returns the time at which a waiter that is not the timekeeper checks whether the timekeeper still runs. If there
    /// are many waiters, each waiter checks less often, so that all checks together need little processor time.
    fn late(&self, now: Instant) -> Instant {
        let waiting: usize = self.state.queue.counts().iter().sum();
        let late = Duration::from_secs(2) + Duration::from_millis(20) * waiting.min(1_400) as u32;
        self.timekeeper.map_or(now, |keeper| keeper.at.max(now)) + late
    }
}

/// Permits one request. The permit must be kept until the request has ended. The first request after a shortened pause
/// is the *probe*. If the permit of the probe is dropped without a response, the next request becomes the probe.
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
    /// Gives the permit back, because nothing was sent. Another request may use the permit.
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

/// A future that returns a permit; see [`RateLimiter::acquire`]. If the future is dropped before it is ready, its
/// waiter leaves the queue and gives back a granted permit. If the future is awaited again after it was ready, its
/// waiter gets another permit with the same ticket. So a request that must be sent again does not move to the end of
/// the queue.
pub(crate) struct Acquire {
    limiter: Arc<RateLimiter>,
    priority: Priority,
    deadline: Option<Instant>,
    ends_with_pause: bool,
    ticket: Option<u64>,
    /// Whether the ticket is in the queue, or its permit was granted but this future has not returned the permit yet.
    is_waiting: bool,
    timer: Option<Timer>,
}

struct Timer {
    at: Instant,
    /// Wakes the task at the time `at`, unless the timer is dropped before.
    _sleep: Pin<Box<Sleep>>,
}

/// The result of a poll of [`Acquire`].
enum Step {
    Ready(Result<(u64, bool), NoPermit>),
    /// There is no permit yet. [`Acquire`] must be polled again at this time or earlier.
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
        // If another waiter is the timekeeper, this waiter needs no timer for the next permit. The exception is a new
        // waiter that could get a permit before the timer of the timekeeper fires.
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
                // This timer wakes the waiter to check whether the timekeeper still runs. A poll of this future before
                // that time must not postpone the check.
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
            // A tokio timer works only with the runtime in which it was created. This future may have moved to another
            // runtime since the last poll, so each poll creates a new timer.
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
