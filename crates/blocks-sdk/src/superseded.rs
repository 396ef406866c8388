//! Which turn of a session is the latest: a follow-up interrupts the one in flight, and
//! whoever waits for that is told.

use std::collections::HashMap;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use blocks_api::open::Id;
use tokio::sync::Notify;

/// The turns of one session, as far as this client and its clones began them.
#[derive(Default)]
pub(crate) struct Turns {
    latest: AtomicU64,
    follow_up: Notify,
}

impl Turns {
    /// The number of the turn in flight.
    pub fn latest(&self) -> u64 {
        self.latest.load(Ordering::Acquire)
    }

    /// Begins a turn, which interrupts those before it. Returns its number.
    pub fn begin(&self) -> u64 {
        let number = self.latest.fetch_add(1, Ordering::AcqRel) + 1;
        self.follow_up.notify_waiters();
        number
    }

    /// Waits until a turn after `number` has begun.
    pub async fn superseded(&self, number: u64) {
        loop {
            // Registered before the look at the number, so that no follow-up falls between.
            let follow_up = self.follow_up.notified();
            if self.latest() > number {
                return;
            }
            follow_up.await;
        }
    }
}

impl fmt::Debug for Turns {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.latest())
    }
}

/// The sessions that someone holds a handle of.
#[derive(Default)]
pub(crate) struct Sessions(Mutex<Known>);

#[derive(Default)]
struct Known {
    turns: HashMap<Id, Weak<Turns>>,
    /// When to look next for sessions that nobody holds any more.
    sweep_at: usize,
}

impl Sessions {
    pub fn turns(&self, id: &Id) -> Arc<Turns> {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(turns) = known.turns.get(id).and_then(Weak::upgrade) {
            return turns;
        }
        if known.turns.len() >= known.sweep_at {
            known.turns.retain(|_, turns| turns.strong_count() > 0);
            known.sweep_at = 2 * known.turns.len().max(32);
        }
        let turns = Arc::new(Turns::default());
        known.turns.insert(id.clone(), Arc::downgrade(&turns));
        turns
    }
}
