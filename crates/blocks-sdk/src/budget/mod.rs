//! One budget for a key: every request of a client and its clones takes a turn here.
//!
//! - Lanes: calls that a person waits for, then creates, then polls; by arrival within the
//!   first two, by gain among polls.
//! - `burst + 60 * rate` stays below the limit, which is safe whether the server counts in
//!   fixed or in sliding windows.
//! - A 429 stops everyone for as long as it says and lowers the rate; answers raise it slowly.
//! - One timer for all, in a task that lives while someone waits: ten thousand waiters cost
//!   one timer. A timer in the future of one of them would stop everyone whenever that
//!   future is held and not polled. Whoever gives up returns its turn.

mod pace;
mod queue;

use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll as Progress};
use std::time::Duration;

use futures_util::future::select;
use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until};

use pace::Pace;
pub use pace::RateLimit;
pub(crate) use queue::{Lane, Poll};
use queue::{Queue, Waiter};

/// The turns of one key.
pub(crate) struct Budget {
    state: Mutex<State>,
    /// Tells the timer that it may sleep too long.
    earlier: Notify,
}

struct State {
    pace: Pace,
    queue: Queue,
    /// The number that the next waiter draws.
    next_number: u64,
    /// Numbers whose turn has come and who have not noticed yet.
    called: Vec<u64>,
    /// Until when the timer sleeps, while there is one.
    timer: Option<Instant>,
}

impl Budget {
    pub fn new(limit: RateLimit) -> Self {
        Self {
            state: Mutex::new(State {
                pace: Pace::new(limit, Instant::now()),
                queue: Queue::default(),
                next_number: 0,
                called: Vec::new(),
                timer: None,
            }),
            earlier: Notify::new(),
        }
    }

    /// Nothing in here can be left half done by a panic, so a poisoned lock is still good.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for a turn. The turn is taken when the future is ready; dropped before, it is returned.
    pub fn turn(self: &Arc<Self>, lane: Lane) -> Turn {
        Turn {
            budget: Arc::clone(self),
            lane,
            number: None,
            drawn: None,
        }
    }

    /// An answer that was not a 429.
    pub fn answered(&self) {
        self.state().pace.answered(Instant::now());
    }

    /// A 429, with the wait that it asks for. Returns when the pause ends.
    pub fn refused(&self, asked: Option<Duration>) -> Instant {
        let (now, random) = (Instant::now(), fastrand::f64());
        self.state().pace.refused(now, asked, random)
    }

    /// When the pause of a 429 ends, if there is one.
    pub fn paused_until(&self) -> Option<Instant> {
        self.state().pace.paused_until()
    }

    /// Gives out turns until nobody waits any more.
    async fn keep_time(timer: Timer) {
        let budget = &timer.0;
        loop {
            let wanted = {
                let mut state = budget.state();
                let Some(wanted) = state.give_turns(Instant::now()) else {
                    state.timer = None;
                    return;
                };
                state.timer = Some(wanted);
                wanted
            };
            let time = pin!(sleep_until(wanted));
            select(time, pin!(budget.earlier.notified())).await;
        }
    }
}

/// The task that keeps time. When its runtime ends it before its work is done, one of those
/// who wait starts it again in a runtime of its own.
struct Timer(Arc<Budget>);

impl Drop for Timer {
    fn drop(&mut self) {
        let mut state = self.0.state();
        if state.timer.take().is_some() {
            state.queue.wake_all();
        }
    }
}

impl State {
    /// Gives out every turn that is free, and says when the next will be wanted and free;
    /// `None` when nobody waits.
    fn give_turns(&mut self, now: Instant) -> Option<Instant> {
        loop {
            let free = self.pace.next();
            match self.queue.next(now.max(free)) {
                Ok(number) if free <= now => self.call(number, now),
                Ok(_) => return Some(free),
                Err(wanted) => return wanted,
            }
        }
    }

    fn call(&mut self, number: u64, now: Instant) {
        self.pace.take(now);
        self.called.push(number);
        if let Some(waker) = self.queue.take(number).and_then(|waiter| waiter.waker) {
            waker.wake();
        }
    }

    /// Whether the number's turn had come; it has not any more.
    fn uncall(&mut self, number: u64) -> bool {
        let place = self.called.iter().position(|called| *called == number);
        place.map(|place| self.called.swap_remove(place)).is_some()
    }
}

/// A turn to come; see [`Budget::turn`]. Awaited again it waits for another turn in the
/// place that it drew first, so that a request which is sent again does not go to the back.
pub(crate) struct Turn {
    budget: Arc<Budget>,
    lane: Lane,
    /// The number under which it waits now.
    number: Option<u64>,
    drawn: Option<u64>,
}

impl Future for Turn {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Progress<()> {
        let this = &mut *self;
        let mut state = this.budget.state();
        let now = Instant::now();
        let number = match this.number {
            Some(number) => number,
            None => {
                let number = this.drawn.unwrap_or(state.next_number);
                state.next_number = state.next_number.max(number + 1);
                this.drawn = Some(number);
                // Most calls find a turn free, and nobody before them.
                if state.queue.is_empty() && this.lane.wanted(now).max(state.pace.next()) <= now {
                    state.pace.take(now);
                    return Progress::Ready(());
                }
                this.number = Some(number);
                let waiter = Waiter {
                    waker: None,
                    lane: this.lane,
                };
                state.queue.insert(number, waiter);
                // A turn may be free, and then no timer is needed.
                if state
                    .timer
                    .is_none_or(|until| this.lane.wanted(now) < until)
                {
                    state.give_turns(now);
                }
                number
            }
        };
        if state.uncall(number) {
            this.number = None;
            return Progress::Ready(());
        }
        if let Some(waiter) = state.queue.get_mut(number) {
            waiter.waker = Some(context.waker().clone());
        }
        let wanted = this.lane.wanted(now).max(state.pace.next());
        match state.timer {
            Some(until) if wanted < until => this.budget.earlier.notify_one(),
            Some(_) => {}
            None => {
                state.timer = Some(now);
                tokio::spawn(Budget::keep_time(Timer(Arc::clone(&this.budget))));
            }
        }
        Progress::Pending
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        let Some(number) = self.number else {
            return;
        };
        let mut state = self.budget.state();
        state.queue.take(number);
        if state.uncall(number) {
            state.pace.give_back();
        }
        // What came back may be for another, and the timer may have nobody left to serve.
        self.budget.earlier.notify_one();
    }
}

#[cfg(test)]
mod tests;
