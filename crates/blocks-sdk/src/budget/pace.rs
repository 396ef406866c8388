//! How fast: turns spaced so that no window of a minute holds more than the limit,
//! slower after a 429, and not at all while the server asks to wait.

use std::time::Duration;

use tokio::time::Instant;

use crate::error::Error;

/// Requests that a key may make in a minute, counted over every process that uses it.
///
/// The service's limit is 100, which is the default. Give a program less where others
/// share its key.
///
/// ```
/// use blocks_sdk::{Client, RateLimit};
///
/// assert_eq!(RateLimit::default(), RateLimit::per_minute(100)?);
/// // Two programs share a key, half of it for each.
/// let client = Client::builder("my-key").rate_limit(RateLimit::per_minute(50)?).build()?;
/// # Ok::<(), blocks_sdk::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RateLimit {
    per_minute: u32,
}

impl RateLimit {
    /// A limit of `requests` a minute.
    ///
    /// # Errors
    /// Below 2: a pace needs a turn at once and one to come.
    ///
    /// ```
    /// use blocks_sdk::RateLimit;
    ///
    /// assert!(RateLimit::per_minute(50).is_ok());
    /// assert!(RateLimit::per_minute(1).is_err());
    /// ```
    pub fn per_minute(requests: u32) -> Result<Self, Error> {
        if requests < 2 {
            return Err(Error::invalid_input(
                "the rate limit must be at least 2 requests a minute",
            ));
        }
        Ok(Self {
            per_minute: requests,
        })
    }

    /// Turns that may be taken at once: 3 of 100.
    fn burst(self) -> f64 {
        (f64::from(self.per_minute) * 0.03).floor().max(1.0)
    }

    /// Turns a minute. With the burst they stay one below the limit, since requests
    /// that leave evenly need not arrive so.
    fn rate(self) -> f64 {
        (f64::from(self.per_minute) - self.burst() - 1.0).max(1.0)
    }
}

impl Default for RateLimit {
    fn default() -> Self {
        Self { per_minute: 100 }
    }
}

/// After a 429 the rate falls by a fifth, but the answers of one overrun count once.
const FALL: f64 = 0.8;
const FALL_APART: Duration = Duration::from_secs(12);
/// It never falls below this share, so that a program always goes on.
const FLOOR: f64 = 0.05;
/// It rises by this share of the whole in the first minute after a 429, and faster with each:
/// slowly while others still use the key, and soon to the whole once they have gone.
const RISE: f64 = 0.06;
/// The pause after a 429 that does not say how long: doubled with each in a row, with jitter.
const BLIND_PAUSE: Duration = Duration::from_secs(2);
const BLIND_PAUSE_CAP: Duration = Duration::from_secs(32);
/// A wait so long that it has no end for any program.
const FOREVER: Duration = Duration::from_secs(30 * 365 * 86_400);

/// The pace of one key: when the next turn is.
#[derive(Debug)]
pub(crate) struct Pace {
    limit: RateLimit,
    /// The share of the rate that is used, lowered while others use the key too.
    share: f64,
    /// When the turns taken so far would end if they had been spaced evenly.
    spent_until: Instant,
    paused_until: Option<Instant>,
    fell_at: Option<Instant>,
    refused_at: Option<Instant>,
    rose_at: Instant,
    refused_in_a_row: u32,
}

impl Pace {
    pub fn new(limit: RateLimit, now: Instant) -> Self {
        Self {
            limit,
            share: 1.0,
            spent_until: now,
            paused_until: None,
            fell_at: None,
            refused_at: None,
            rose_at: now,
            refused_in_a_row: 0,
        }
    }

    fn spacing(&self) -> Duration {
        Duration::from_secs_f64(60.0 / (self.limit.rate() * self.share))
    }

    /// When the next turn may be taken; in the past when it may be taken at once.
    pub fn next(&self) -> Instant {
        let ahead = self.spacing().mul_f64(self.limit.burst() - 1.0);
        let spaced = self
            .spent_until
            .checked_sub(ahead)
            .unwrap_or(self.spent_until);
        self.paused_until.map_or(spaced, |pause| pause.max(spaced))
    }

    /// When the server's pause ends, if it has one.
    pub fn paused_until(&self) -> Option<Instant> {
        self.paused_until
    }

    pub fn take(&mut self, now: Instant) {
        self.spent_until = self.spent_until.max(now) + self.spacing();
    }

    /// A turn that was taken and not used.
    pub fn give_back(&mut self) {
        if let Some(earlier) = self.spent_until.checked_sub(self.spacing()) {
            self.spent_until = earlier;
        }
    }

    /// An answer that was not a 429.
    pub fn answered(&mut self, now: Instant) {
        self.refused_in_a_row = 0;
        let minutes = |since: Instant| (now - since).as_secs_f64() / 60.0;
        let quiet = self.refused_at.map_or(0.0, minutes);
        let rise = RISE * (1.0 + quiet) * minutes(self.rose_at);
        self.share = (self.share + rise).min(1.0);
        self.rose_at = now;
    }

    /// A 429: everything stops for as long as the server says, or for a backoff.
    /// `random` is in 0 to 1.
    pub fn refused(&mut self, now: Instant, asked: Option<Duration>, random: f64) -> Instant {
        if self.fell_at.is_none_or(|fell| now - fell >= FALL_APART) {
            self.share = (self.share * FALL).max(FLOOR);
            self.fell_at = Some(now);
        }
        self.rose_at = now;
        self.refused_at = Some(now);
        let blind = BLIND_PAUSE
            .saturating_mul(2_u32.saturating_pow(self.refused_in_a_row))
            .min(BLIND_PAUSE_CAP)
            .mul_f64(0.5 + random / 2.0);
        self.refused_in_a_row = self.refused_in_a_row.saturating_add(1);
        let until = now + asked.unwrap_or(blind).min(FOREVER);
        let until = self.paused_until.map_or(until, |pause| pause.max(until));
        self.paused_until = Some(until);
        until
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Every turn that can be taken in `seconds`, each as early as it may be.
    fn turns(limit: RateLimit, seconds: u64) -> Vec<Duration> {
        let start = Instant::now();
        let mut pace = Pace::new(limit, start);
        let mut now = start;
        let mut taken = Vec::new();
        while now < start + Duration::from_secs(seconds) {
            taken.push(now - start);
            pace.take(now);
            now = now.max(pace.next());
        }
        taken
    }

    proptest! {
        #[test]
        fn no_minute_holds_more_than_the_limit(requests in 2..400_u32) {
            let all = turns(RateLimit::per_minute(requests).unwrap(), 300);
            for (n, first) in all.iter().enumerate() {
                let window = all[n..].iter().take_while(|t| **t < *first + Duration::from_secs(60));
                prop_assert!(window.count() <= requests as usize);
            }
        }
    }

    #[test]
    fn the_limit_is_used_when_there_is_work() {
        let taken = turns(RateLimit::default(), 600).len();
        assert!(taken >= 950, "{taken} in ten minutes");
    }

    #[test]
    fn a_429_pauses_for_as_long_as_it_says_and_slows_once_in_a_while() {
        let now = Instant::now();
        let mut pace = Pace::new(RateLimit::default(), now);
        let asked = Duration::from_secs(7);
        pace.refused(now, Some(asked), 0.5);
        pace.refused(now, Some(Duration::from_secs(1)), 0.5);
        assert_eq!(pace.next(), now + asked, "a pause is never shortened");
        assert_eq!(pace.share, FALL);
        let later = now + FALL_APART;
        pace.refused(later, None, 1.0);
        assert_eq!(pace.share, FALL * FALL);
        pace.answered(later + Duration::from_secs(600));
        assert_eq!(pace.share, 1.0);
    }

    #[test]
    fn a_pause_without_end_is_no_overflow() {
        let now = Instant::now();
        let mut pace = Pace::new(RateLimit::default(), now);
        let until = pace.refused(now, Some(Duration::from_secs(u64::MAX)), 0.5);
        assert!(until >= now + FOREVER);
    }
}
