//! Provides times and ids. If the mock has a seed, and tokio's clock is paused, times and ids are the same in every
//! run that sends the same requests in the same order.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use chrono::{DateTime, SecondsFormat};
use tokio::time::Instant;
use uuid::Uuid;

pub struct Clock {
    start: Instant,
    /// The time that the clock showed at its start, in seconds since 1970.
    epoch: f64,
    random: Mutex<fastrand::Rng>,
    /// At most 16 names of message roles and message types. Messages with the same kept name share one string, to save
    /// memory.
    names: Mutex<Vec<Arc<str>>>,
    shift: Mutex<Shift>,
}

/// Describes how the mock's clock differs from tokio's clock. It can be ahead, or stopped at a time.
#[derive(Default)]
struct Shift {
    ahead: Duration,
    frozen: Option<Instant>,
}

impl Clock {
    /// Returns the time of the mock's clock, which is tokio's time unless the control plane has changed the clock.
    pub fn instant(&self) -> Instant {
        let shift = self.shift.lock().unwrap_or_else(PoisonError::into_inner);
        shift.frozen.unwrap_or_else(|| Instant::now() + shift.ahead)
    }

    pub fn is_frozen(&self) -> bool {
        let shift = self.shift.lock().unwrap_or_else(PoisonError::into_inner);
        shift.frozen.is_some()
    }

    /// Moves the clock ahead by a duration. After the move, the clock is stopped if `frozen` is `Some(true)`, and runs
    /// if `frozen` is `Some(false)`. If `frozen` is `None`, the clock stays stopped or continues to run, as before.
    pub fn change(&self, frozen: Option<bool>, by: Duration) {
        let mut shift = self.shift.lock().unwrap_or_else(PoisonError::into_inner);
        let present = Instant::now();
        let shown = shift.frozen.unwrap_or(present + shift.ahead) + by;
        let freeze = frozen.unwrap_or(shift.frozen.is_some());
        shift.frozen = freeze.then_some(shown);
        // The mock's clock may have been stopped for so long that it is behind tokio's clock. `ahead` is then zero.
        // When the mock's clock is started again, it jumps forward to tokio's time.
        shift.ahead = shown.saturating_duration_since(present);
    }

    /// Creates a clock. The clock starts at a fixed date if a seed is given, and otherwise at the current date.
    pub fn new(seed: Option<u64>) -> Self {
        const SEEDED_EPOCH: f64 = 1_777_714_200.0;
        let now = || chrono::Utc::now().timestamp_micros() as f64 / 1e6;
        Self {
            start: Instant::now(),
            epoch: seed.map_or_else(now, |_| SEEDED_EPOCH),
            random: Mutex::new(seed.map_or_else(fastrand::Rng::new, fastrand::Rng::with_seed)),
            names: Mutex::default(),
            shift: Mutex::default(),
        }
    }

    /// Converts an instant to seconds since 1970, rounded to the microsecond.
    pub fn at(&self, instant: Instant) -> f64 {
        let since = instant.duration_since(self.start).as_secs_f64();
        ((self.epoch + since) * 1e6).round() / 1e6
    }

    pub fn now(&self) -> f64 {
        self.at(self.instant())
    }

    pub fn iso(&self, epoch: f64) -> String {
        DateTime::from_timestamp_millis((epoch * 1e3) as i64)
            .unwrap_or_default()
            .to_rfc3339_opts(SecondsFormat::Millis, true)
    }

    /// Formats a time as an HTTP date, in whole seconds.
    pub fn http_date(&self, epoch: f64) -> String {
        DateTime::from_timestamp(epoch as i64, 0)
            .unwrap_or_default()
            .format("%a, %d %b %Y %H:%M:%S GMT")
            .to_string()
    }

    pub fn id(&self) -> Uuid {
        let mut bytes = [0; 16];
        let mut random = self.random.lock().unwrap_or_else(PoisonError::into_inner);
        random.fill(&mut bytes);
        uuid::Builder::from_random_bytes(bytes).into_uuid()
    }

    pub fn random(&self) -> f64 {
        let mut random = self.random.lock().unwrap_or_else(PoisonError::into_inner);
        random.f64()
    }

    pub fn shared(&self, name: &str) -> Arc<str> {
        let mut names = self.names.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = names.iter().find(|known| &***known == name) {
            return Arc::clone(known);
        }
        let new: Arc<str> = name.into();
        // At most 16 names of roles and types are kept, because each call of `shared` searches all kept names.
        if names.len() < 16 {
            names.push(Arc::clone(&new));
        }
        new
    }
}
