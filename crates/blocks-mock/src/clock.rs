//! Time and ids: both follow from tokio's clock and the mock's seed, so that a paused test
//! sees the same every time.

use std::sync::{Arc, Mutex, PoisonError};

use chrono::{DateTime, SecondsFormat};
use tokio::time::Instant;
use uuid::Uuid;

pub struct Clock {
    start: Instant,
    /// Epoch seconds at the start.
    epoch: f64,
    random: Mutex<fastrand::Rng>,
    /// Roles and types, of which there are few.
    names: Mutex<Vec<Arc<str>>>,
}

impl Clock {
    /// With a seed, time begins at a fixed date; without, at the present.
    pub fn new(seed: Option<u64>) -> Self {
        const SEEDED_EPOCH: f64 = 1_777_714_200.0;
        let now = || chrono::Utc::now().timestamp_micros() as f64 / 1e6;
        Self {
            start: Instant::now(),
            epoch: seed.map_or_else(now, |_| SEEDED_EPOCH),
            random: Mutex::new(seed.map_or_else(fastrand::Rng::new, fastrand::Rng::with_seed)),
            names: Mutex::default(),
        }
    }

    /// Epoch seconds at an instant, to the microsecond.
    pub fn at(&self, instant: Instant) -> f64 {
        let since = instant.duration_since(self.start).as_secs_f64();
        ((self.epoch + since) * 1e6).round() / 1e6
    }

    pub fn now(&self) -> f64 {
        self.at(Instant::now())
    }

    pub fn iso(&self, epoch: f64) -> String {
        DateTime::from_timestamp_millis((epoch * 1e3) as i64)
            .unwrap_or_default()
            .to_rfc3339_opts(SecondsFormat::Millis, true)
    }

    /// The form of HTTP dates, whole seconds.
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
        // A test that makes up names without end keeps them to itself.
        if names.len() < 16 {
            names.push(Arc::clone(&new));
        }
        new
    }
}
