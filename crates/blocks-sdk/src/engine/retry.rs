//! Decides whether a request is sent again after a failed attempt. A read may be sent again. A create is sent again
//! only if the attempt certainly had no effect.
//!
//! | outcome of an attempt | read | create, follow-up |
//! | --- | --- | --- |
//! | never sent (connection refused, no route, TLS failed) | retry | retry |
//! | 429 | retry after the pause | retry after the pause |
//! | 408, or 500 and above | retry | no retry, outcome unknown |
//! | cut off or timed out, and may have been sent | retry | no retry, outcome unknown |
//! | 2xx | done | done |
//! | 1xx, or a redirect | no retry | no retry, outcome unknown |
//! | any other status | no retry | no retry, no effect |
//!
//! This module only decides. The module `call` sends the request again. The module `rate_limit` grants no permit during
//! the pause after a 429.

use std::time::Duration;

/// Sets how often the request of a call is sent again, and how long the call may take.
///
/// By default, a request is sent up to 5 times. The pause between two attempts is random, from zero up to a bound
/// (exponential backoff with full jitter). The first bound is 0.5 s. The bound doubles with each attempt, up to 30 s. A
/// 429 does not count as an attempt, because the service did not process the request. After a 429, the request keeps
/// its place in the queue of the rate limiter. The request is sent again after the pause that the service asked for,
/// unless the call's time-out passes first. If a 429 asks for no pause, the client pauses for up to 32 s. If the
/// service asks for a longer pause with another error status, the pause between two attempts is this longer pause.
///
/// ```
/// use blocks_sdk::RetryPolicy;
/// use std::time::Duration;
///
/// let patient = RetryPolicy::default()
///     .max_attempts(8)
///     .call_timeout(Duration::from_secs(600));
/// assert_ne!(patient, RetryPolicy::none());
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[must_use]
#[non_exhaustive]
pub struct RetryPolicy {
    /// The maximum number of attempts of a call, not counting attempts with a 429 response. If the number is 1, a
    /// request is not sent again, even after a 429.
    pub max_attempts: u32,
    /// The upper bound of the random pause after the first failed attempt. The bound doubles with each attempt.
    pub initial_backoff: Duration,
    /// The upper bound of every random pause between attempts. The pause after a 429, and a pause that the service asks
    /// for, can be longer.
    pub max_backoff: Duration,
    /// The maximum pause that a header `Retry-After` can ask for. A longer pause is shortened to this maximum.
    pub max_retry_after: Duration,
    /// The time-out of a whole call. `None` selects the default: 2 minutes for a read, and 1 hour for a create or
    /// follow-up. If the time-out of an attempt is longer than this default, `None` selects the time-out of an attempt.
    pub call_timeout: Option<Duration>,
}

/// The default time-out of a call that reads. This time-out is short, because a caller needs the result soon.
const READ_TIMEOUT: Duration = Duration::from_secs(2 * 60);
/// The default time-out of a call that creates. This time-out is long, because a create may wait long for its permit.
/// For example, the rate limiter grants 99 permits per minute, and polls use a fifth of them. So 79 creates can start
/// per minute, and the last of a thousand creates waits 12 minutes.
const CREATE_TIMEOUT: Duration = Duration::from_secs(60 * 60);

impl RetryPolicy {
    /// Returns a policy that makes one attempt and never repeats it, even after a 429.
    ///
    /// ```
    /// use blocks_sdk::RetryPolicy;
    ///
    /// assert_eq!(RetryPolicy::none(), RetryPolicy::default().max_attempts(1));
    /// ```
    pub fn none() -> Self {
        Self::default().max_attempts(1)
    }

    /// Limits the number of attempts of a call, not counting attempts with a 429 response. Default: 5. If the limit is
    /// 1, a request is not sent again, even after a 429. Zero counts as one.
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

    /// Sets the upper bound of the random pause after the first failed attempt. The bound doubles with each attempt.
    /// Default: 0.5 s.
    pub fn initial_backoff(mut self, backoff: Duration) -> Self {
        self.initial_backoff = backoff;
        self
    }

    /// Sets the upper bound of every random pause between attempts. The pause after a 429, and a pause that the service
    /// asks for, can be longer. Default: 30 s.
    pub fn max_backoff(mut self, backoff: Duration) -> Self {
        self.max_backoff = backoff;
        self
    }

    /// Limits the pause that a header `Retry-After` can ask for. A longer pause is shortened to this limit. Default: 10
    /// minutes.
    ///
    /// A pause after a 429 or a 503 applies to every request of all clients that share the rate limiter. After a
    /// shortened pause of this kind, these clients send only one request, because the service may still respond with
    /// 429. All other requests wait for the response to this request. A pause after another status applies only to the
    /// call or the wait that got this status.
    pub fn max_retry_after(mut self, pause: Duration) -> Self {
        self.max_retry_after = pause;
        self
    }

    /// Sets the time-out of a whole call: the wait for a permit, all attempts, and the pauses between them. Default: 2
    /// minutes for a read, and 1 hour for a create or follow-up, which may wait behind many other requests. If the
    /// time-out of an attempt is longer, the default is the time-out of an attempt.
    ///
    /// A create can take longer than this time-out, by about the time-out of connecting. The reason is that the client
    /// gives every attempt of a create enough time to connect. Otherwise the call's time-out could pass while the
    /// attempt still connects. Then the outcome of the create would count as unknown although nothing was sent.
    /// `Duration::MAX` means no limit.
    ///
    /// ```
    /// # mod doctest { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doctest.rs")); }
    /// # doctest::with_client(async |client, mock| {
    /// use blocks_mock::{Fault, Frequency};
    /// use blocks_sdk::RetryPolicy;
    /// use std::time::Duration;
    ///
    /// mock.inject(None, Frequency::Always, Fault::status(503));
    /// let policy = RetryPolicy::default().max_attempts(1000).call_timeout(Duration::from_secs(10));
    /// let error = client.with_retry(policy).get_session(uuid::Uuid::nil()).await.unwrap_err();
    /// assert!(error.attempts() < 1000, "ten seconds were over before");
    /// # Ok(()) });
    /// ```
    pub fn call_timeout(mut self, timeout: Duration) -> Self {
        self.call_timeout = Some(timeout);
        self
    }

    pub(crate) fn timeout_of(&self, creates: bool, attempts: AttemptTimeouts) -> Duration {
        // A custom time-out of an attempt may be longer than the default of the call. Then the call may take as long as
        // one attempt.
        let default = if creates {
            CREATE_TIMEOUT.max(attempts.create)
        } else {
            READ_TIMEOUT.max(attempts.read)
        };
        self.call_timeout.unwrap_or(default)
    }

    /// Returns the pause before the next attempt, after `failures` failed attempts. The pause is its upper bound,
    /// multiplied by `random`, a number from 0 to 1.
    pub(crate) fn backoff(&self, failures: u32, random: f64) -> Duration {
        let backoff = 2_u32.saturating_pow(failures.saturating_sub(1));
        let bound = self.initial_backoff.saturating_mul(backoff);
        let bound = bound.min(self.max_backoff);
        let drawn = bound.as_secs_f64() * random.clamp(0.0, 1.0);
        Duration::try_from_secs_f64(drawn).map_or(bound, |drawn| drawn.min(bound))
    }
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct AttemptTimeouts {
    pub read: Duration,
    pub create: Duration,
    /// The time-out of connecting, if the transport has one.
    pub connect: Option<Duration>,
}

/// The default time-out of one attempt of a read. A longer time-out would be useless, because common gateways between
/// the client and the service end a request after 60 s.
pub(crate) const READ_ATTEMPT_TIMEOUT: Duration = Duration::from_secs(60);
/// The default time-out of one attempt of a create. This time-out is longer than that of a read, and longer than the
/// time-outs of common gateways. If it passes, the outcome of the create is unknown, so the client waits long for a
/// response.
pub(crate) const CREATE_ATTEMPT_TIMEOUT: Duration = Duration::from_secs(180);
/// The minimum time that an attempt of a create has after the time-out of connecting. So if the attempt cannot connect,
/// the time-out of connecting passes first, and the create was certainly not sent.
const AFTER_CONNECT: Duration = Duration::from_millis(250);

impl AttemptTimeouts {
    /// Returns the time-out of an attempt. `left` is the time until the deadline of the call. If the transport has a
    /// time-out of connecting, an attempt of a create has enough time to connect, even if `left` is shorter.
    pub fn limit(&self, creates: bool, left: Duration) -> Duration {
        if !creates {
            return self.read.min(left);
        }
        // If the time-out of the attempt passed before the connection exists, the create would count as possibly sent.
        let connect = self
            .connect
            .map(|connect| connect.saturating_add(AFTER_CONNECT));
        self.create.min(left).max(connect.unwrap_or_default())
    }
}

/// The longest pause between two polls after failed polls, unless the service asks for a longer pause. If the normal
/// interval between polls is longer, the pause is this interval.
const POLL_CAP: Duration = Duration::from_secs(15);

/// Returns the pause between two polls. After two or more `failures` in a row, the pause can be longer than `interval`,
/// and depends on the random number `random`, from 0 to 1. So after the second failure, waits whose polls failed at the
/// same time seldom poll again at the same time. An interval of 15 s or more stays the same.
pub(crate) fn poll_pause(interval: Duration, failures: u32, random: f64) -> Duration {
    let doublings = failures.saturating_sub(1);
    let backoff = interval.saturating_mul(2_u32.saturating_pow(doublings));
    let bound = backoff.min(POLL_CAP.max(interval));
    interval + bound.saturating_sub(interval).mul_f64(random)
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self {
            max_attempts: 5,
            initial_backoff: Duration::from_millis(500),
            max_backoff: Duration::from_secs(30),
            max_retry_after: Duration::from_secs(10 * 60),
            call_timeout: None,
        }
    }
}

/// The outcome of one attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// No byte of the request reached a server.
    NotSent,
    /// The connection closed, or the time-out passed, before a complete response arrived. The request may have been
    /// sent.
    Broken,
    /// A response with this status arrived. A successful response is complete, or larger than the limit of its size. An
    /// error response may be incomplete.
    Status(u16),
}

/// The action after an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Do not send the request again. The response is successful.
    Done,
    /// Send the request again after a random pause, or after the pause that the service asks for; see [`RetryPolicy`].
    Retry,
    /// Send the request again after the pause that the rate limiter enforces after a 429.
    RetryAfterPause,
    /// Do not send the request again. The request certainly had no effect.
    Failed,
    /// Do not send the request again. The request may have had an effect.
    OutcomeUnknown,
}

/// Returns the verdict according to the table in this module's documentation.
pub(crate) fn verdict(creates: bool, outcome: Outcome) -> Verdict {
    match outcome {
        Outcome::Status(200..=299) => Verdict::Done,
        Outcome::Status(429) => Verdict::RetryAfterPause,
        Outcome::NotSent => Verdict::Retry,
        Outcome::Broken | Outcome::Status(408 | 500..) if creates => Verdict::OutcomeUnknown,
        Outcome::Broken | Outcome::Status(408 | 500..) => Verdict::Retry,
        Outcome::Status(..400) if creates => Verdict::OutcomeUnknown,
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
        use Verdict::{Done, Failed, OutcomeUnknown, Retry, RetryAfterPause};
        for (outcome, read, create) in [
            (NotSent, Retry, Retry),
            (Broken, Retry, OutcomeUnknown),
            (Status(200), Done, Done),
            (Status(201), Done, Done),
            (Status(299), Done, Done),
            (Status(101), Failed, OutcomeUnknown),
            (Status(307), Failed, OutcomeUnknown),
            (Status(399), Failed, OutcomeUnknown),
            (Status(400), Failed, Failed),
            (Status(401), Failed, Failed),
            (Status(404), Failed, Failed),
            (Status(408), Retry, OutcomeUnknown),
            (Status(422), Failed, Failed),
            (Status(429), RetryAfterPause, RetryAfterPause),
            (Status(499), Failed, Failed),
            (Status(500), Retry, OutcomeUnknown),
            (Status(503), Retry, OutcomeUnknown),
            (Status(599), Retry, OutcomeUnknown),
        ] {
            assert_eq!(verdict(false, outcome), read, "read, {outcome:?}");
            assert_eq!(verdict(true, outcome), create, "create, {outcome:?}");
        }
    }

    #[test]
    fn a_create_is_never_given_up_while_it_connects() {
        let second = Duration::from_secs(1);
        let timeouts = AttemptTimeouts {
            read: second,
            create: second,
            connect: Some(second * 10),
        };
        assert_eq!(timeouts.limit(false, second * 60), second);
        assert!(timeouts.limit(true, second * 60) > second * 10);
        assert!(timeouts.limit(true, Duration::from_millis(1)) > second * 10);
        let own_transport = AttemptTimeouts {
            connect: None,
            ..timeouts
        };
        assert_eq!(own_transport.limit(true, second * 60), second);
        let huge = AttemptTimeouts {
            connect: Some(Duration::MAX),
            ..timeouts
        };
        assert_eq!(huge.limit(true, second), Duration::MAX);
    }

    #[test]
    fn a_backoff_doubles_up_to_its_bound() {
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
            let policy = RetryPolicy::default().initial_backoff(base).max_backoff(cap);
            let random = if random.is_nan() { 0.5 } else { random };
            prop_assert!(policy.backoff(attempt, random) <= cap);
            prop_assert_eq!(policy.backoff(attempt, 0.0), Duration::ZERO);
        }
    }
}
