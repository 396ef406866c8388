//! What is sent again: only what certainly had no effect, or what has none.
//!
//! | outcome of an attempt | read | create, follow-up |
//! | --- | --- | --- |
//! | never sent (refused, no route, TLS failed) | again | again |
//! | 429 | again, after the pause | again, after the pause |
//! | 408, 5xx | again | not again, fate unknown |
//! | broken or timed out after it was sent | again | not again, fate unknown |
//! | 2xx, read whole | done | done |
//! | a redirect | not again | not again, fate unknown |
//! | any other status | not again | not again, no effect |
//!
//! This is a pure decision; `call` carries it out, and `budget` keeps the pause of a 429.

use std::time::Duration;

/// How often a call is sent again, and how long it may take.
///
/// The defaults send at most 5 attempts within 2 minutes, with pauses drawn between zero
/// and a bound that doubles from 0.5 s up to 30 s (exponential backoff with full jitter).
///
/// ```
/// use blocks_sdk::RetryPolicy;
/// use std::time::Duration;
///
/// let patient = RetryPolicy::default().max_attempts(8).total(Duration::from_secs(600));
/// assert_ne!(patient, RetryPolicy::none());
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RetryPolicy {
    pub(crate) max_attempts: u32,
    pub(crate) base: Duration,
    pub(crate) cap: Duration,
    pub(crate) total: Duration,
}

impl RetryPolicy {
    /// One attempt, never repeated.
    ///
    /// ```
    /// use blocks_sdk::RetryPolicy;
    ///
    /// assert_eq!(RetryPolicy::none(), RetryPolicy::default().max_attempts(1));
    /// ```
    pub fn none() -> Self {
        Self::default().max_attempts(1)
    }

    /// Attempts in all; 5 unless set, and zero counts as one.
    ///
    /// ```
    /// use blocks_sdk::RetryPolicy;
    ///
    /// assert_eq!(RetryPolicy::default().max_attempts(5), RetryPolicy::default());
    /// assert_eq!(RetryPolicy::default().max_attempts(0), RetryPolicy::none());
    /// ```
    pub fn max_attempts(mut self, attempts: u32) -> Self {
        self.max_attempts = attempts.max(1);
        self
    }

    /// The first bound of the pause between attempts; 0.5 s unless set. It doubles with each.
    ///
    /// ```
    /// use blocks_sdk::RetryPolicy;
    /// use std::time::Duration;
    ///
    /// // The first pause is drawn from 0 to 2 s, the next from 0 to 4 s.
    /// let gentle = RetryPolicy::default().base(Duration::from_secs(2));
    /// assert_ne!(gentle, RetryPolicy::default());
    /// ```
    pub fn base(mut self, base: Duration) -> Self {
        self.base = base;
        self
    }

    /// The bound that the pause never passes; 30 s unless set. What a 429 asks for is not
    /// bounded by it.
    ///
    /// ```
    /// use blocks_sdk::RetryPolicy;
    /// use std::time::Duration;
    ///
    /// // Every pause is drawn from 0 to 1 s, however many there are.
    /// let steady = RetryPolicy::default().base(Duration::from_secs(1)).cap(Duration::from_secs(1));
    /// assert_ne!(steady, RetryPolicy::default());
    /// ```
    pub fn cap(mut self, cap: Duration) -> Self {
        self.cap = cap;
        self
    }

    /// The time from the first attempt within which a further one must be due; 2 minutes unless
    /// set. One that is due may still wait for its turn in the budget.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)]
    /// # async fn main() -> Result<(), blocks_sdk::Error> {
    /// # let mock = blocks_mock::Mock::new();
    /// # let client = blocks_sdk::Client::builder(mock.key()).service(mock.service()).build()?;
    /// use blocks_mock::{Fault, When};
    /// use blocks_sdk::RetryPolicy;
    /// use std::time::Duration;
    ///
    /// mock.inject(None, When::Always, Fault::status(503));
    /// let policy = RetryPolicy::default().max_attempts(1000).total(Duration::from_secs(10));
    /// let error = client.with_retry(policy).get_session(uuid::Uuid::nil()).await.unwrap_err();
    /// assert!(error.attempts() < 1000, "ten seconds were over before");
    /// # Ok(())
    /// # }
    /// ```
    pub fn total(mut self, total: Duration) -> Self {
        self.total = total;
        self
    }

    /// The pause after attempt number `attempt` (from 1), for `random` in 0 to 1.
    pub(crate) fn backoff(&self, attempt: u32, random: f64) -> Duration {
        let doubled = 2_u32.saturating_pow(attempt.saturating_sub(1));
        let bound = self.base.saturating_mul(doubled).min(self.cap);
        let drawn = bound.as_secs_f64() * random.clamp(0.0, 1.0);
        Duration::try_from_secs_f64(drawn).map_or(bound, |drawn| drawn.min(bound))
    }
}

/// The longest pause of a poll after errors.
const POLL_CAP: Duration = Duration::from_secs(15);

/// From a poll to the next: the interval, longer after `failures` in a row, with jitter so
/// that polls which failed together do not return together. `random` is in 0 to 1.
pub(crate) fn poll_pause(interval: Duration, failures: u32, random: f64) -> Duration {
    let doublings = failures.saturating_sub(1);
    let doubled = interval.saturating_mul(2_u32.saturating_pow(doublings));
    let bound = doubled.min(POLL_CAP.max(interval));
    interval + bound.saturating_sub(interval).mul_f64(random)
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self {
            max_attempts: 5,
            base: Duration::from_millis(500),
            cap: Duration::from_secs(30),
            total: Duration::from_secs(120),
        }
    }
}

/// How an attempt ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// Not one byte of it reached a server.
    NotSent,
    /// The connection broke, or the time was over, after it may have been sent.
    Broken,
    /// A whole response came.
    Status(u16),
}

/// What to do after an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// A success to decode.
    Done,
    /// It may be sent again after a backoff.
    Again,
    /// It may be sent again once the budget's pause is over.
    AgainAfterPause,
    /// It is not sent again, and certainly had no effect.
    Failed,
    /// It is not sent again, and may have had its effect.
    FateUnknown,
}

/// The rule table on top of this module.
pub(crate) fn verdict(creates: bool, outcome: Outcome) -> Verdict {
    match outcome {
        Outcome::Status(200..=299) => Verdict::Done,
        Outcome::Status(429) => Verdict::AgainAfterPause,
        Outcome::NotSent => Verdict::Again,
        Outcome::Broken | Outcome::Status(408 | 500..) if creates => Verdict::FateUnknown,
        Outcome::Broken | Outcome::Status(408 | 500..) => Verdict::Again,
        Outcome::Status(..400) if creates => Verdict::FateUnknown,
        Outcome::Status(_) => Verdict::Failed,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_rule_table() {
        use Outcome::{Broken, NotSent, Status};
        use Verdict::{Again, AgainAfterPause, Done, Failed, FateUnknown};
        for (outcome, read, create) in [
            (NotSent, Again, Again),
            (Broken, Again, FateUnknown),
            (Status(200), Done, Done),
            (Status(201), Done, Done),
            (Status(299), Done, Done),
            (Status(101), Failed, FateUnknown),
            (Status(307), Failed, FateUnknown),
            (Status(399), Failed, FateUnknown),
            (Status(400), Failed, Failed),
            (Status(401), Failed, Failed),
            (Status(404), Failed, Failed),
            (Status(408), Again, FateUnknown),
            (Status(422), Failed, Failed),
            (Status(429), AgainAfterPause, AgainAfterPause),
            (Status(499), Failed, Failed),
            (Status(500), Again, FateUnknown),
            (Status(503), Again, FateUnknown),
            (Status(599), Again, FateUnknown),
        ] {
            assert_eq!(verdict(false, outcome), read, "read, {outcome:?}");
            assert_eq!(verdict(true, outcome), create, "create, {outcome:?}");
        }
    }

    #[test]
    fn the_bound_doubles_up_to_the_cap() {
        let policy = RetryPolicy::default();
        let bounds: Vec<_> = (1..=8)
            .map(|n| policy.backoff(n, 1.0).as_millis())
            .collect();
        assert_eq!(
            bounds,
            [500, 1000, 2000, 4000, 8000, 16_000, 30_000, 30_000]
        );
    }

    #[test]
    fn a_poll_goes_further_apart_after_errors() {
        let interval = Duration::from_secs(2);
        for (failures, most) in [(0, 2), (1, 2), (2, 4), (3, 8), (4, 15), (99, 15)] {
            let bounds = [0.0, 1.0].map(|random| poll_pause(interval, failures, random));
            assert_eq!(bounds, [interval, Duration::from_secs(most)]);
        }
        let rare = Duration::from_secs(60);
        assert_eq!(poll_pause(rare, 5, 1.0), rare);
    }

    proptest! {
        #[test]
        fn a_backoff_stays_within_its_bounds(
            attempt in 0..u32::MAX, random: f64, base_ms in 0..u64::MAX / 2, cap_ms in 0..u64::MAX / 2,
        ) {
            let (base, cap) = (Duration::from_millis(base_ms), Duration::from_millis(cap_ms));
            let policy = RetryPolicy::default().base(base).cap(cap);
            let random = if random.is_nan() { 0.5 } else { random };
            prop_assert!(policy.backoff(attempt, random) <= cap);
            prop_assert_eq!(policy.backoff(attempt, 0.0), Duration::ZERO);
        }
    }
}
