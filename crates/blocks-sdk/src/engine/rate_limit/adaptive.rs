//! Adapts the share of the rate limit that the client uses. A 429 lowers the share, and other responses raise the share
//! slowly.

use std::time::Duration;

use tokio::time::Instant;

/// After a 429, the share is multiplied by this factor.
const FALL: f64 = 0.8;
/// The minimum time between two decreases of the share. If the client exceeds the limit once, several requests can get
/// a 429 within this time. Only the first of these 429s lowers the share.
const FALL_APART: Duration = Duration::from_secs(12);
/// The minimum share, so that a program can always send some requests.
const FLOOR: f64 = 0.05;
/// The increase of the share per minute, directly after a 429. Each further minute without a 429 adds the same value to
/// the increase. So the share rises slowly while other programs cause 429s. After these programs stop, the share soon
/// reaches the whole limit.
const RISE: f64 = 0.06;
/// The pause after a 429 without `Retry-After`, or with a `Retry-After` of zero. The pause doubles with each 429 in a
/// row, up to `MAX_BACKOFF`. A random factor from 0.5 to 1 is applied to the pause, so that several clients do not all
/// resume at the same time.
const BACKOFF: Duration = Duration::from_secs(2);
const MAX_BACKOFF: Duration = Duration::from_secs(32);

/// The share of the rate limit that the client uses, adapted to the service's responses.
#[derive(Debug)]
pub(super) struct AdaptiveRate {
    share: f64,
    fell_at: Option<Instant>,
    refused_at: Option<Instant>,
    rose_at: Instant,
    refused_in_a_row: u32,
}

impl AdaptiveRate {
    pub fn new(now: Instant) -> Self {
        Self {
            share: 1.0,
            fell_at: None,
            refused_at: None,
            rose_at: now,
            refused_in_a_row: 0,
        }
    }

    pub fn share(&self) -> f64 {
        self.share
    }

    /// Records a response that was not a 429. Returns whether the share changed.
    pub fn responded(&mut self, now: Instant) -> bool {
        self.refused_in_a_row = 0;
        if self.share >= 1.0 {
            return false;
        }
        let minutes = |since: Instant| (now - since).as_secs_f64() / 60.0;
        let quiet = self.refused_at.map_or(0.0, minutes);
        let rise = RISE * (1.0 + quiet) * minutes(self.rose_at);
        self.share = (self.share + rise).min(1.0);
        self.rose_at = now;
        rise > 0.0
    }

    /// Records a 429. `asked` is the pause in the `Retry-After` of the 429, if there is one. Returns the duration of
    /// the pause. `random` is between 0 and 1. `paused` is true if requests are already paused. Then this 429 lengthens
    /// neither this pause nor the next, because its request got a permit before the current pause.
    pub fn refused(
        &mut self,
        now: Instant,
        asked: Option<Duration>,
        paused: bool,
        random: f64,
    ) -> Duration {
        if self.fell_at.is_none_or(|fell| now - fell >= FALL_APART) {
            self.share = (self.share * FALL).max(FLOOR);
            self.fell_at = Some(now);
        }
        self.rose_at = now;
        self.refused_at = Some(now);
        if !paused {
            self.refused_in_a_row = self.refused_in_a_row.saturating_add(1);
        }
        let earlier = self.refused_in_a_row.saturating_sub(1);
        let backoff = BACKOFF
            .saturating_mul(2_u32.saturating_pow(earlier))
            .min(MAX_BACKOFF)
            .mul_f64(0.5 + random / 2.0);
        match asked.filter(|asked| !asked.is_zero()) {
            // A second 429 in a row shows that the requested pause was too short.
            Some(asked) if earlier > 0 => asked.max(backoff),
            Some(asked) => asked,
            None => backoff,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn a_429_lowers_the_share_once_in_a_while() {
        let now = Instant::now();
        let mut rate = AdaptiveRate::new(now);
        rate.refused(now, None, false, 0.5);
        rate.refused(now + SECOND, None, true, 0.5);
        assert_eq!(rate.share(), FALL);
        rate.refused(now + FALL_APART, None, false, 0.5);
        assert_eq!(rate.share(), FALL * FALL);
        assert!(rate.responded(now + FALL_APART + SECOND * 600));
        assert_eq!(rate.share(), 1.0);
        assert!(!rate.responded(now + FALL_APART + SECOND * 601));
    }

    #[test]
    fn a_pause_of_zero_does_not_switch_off_the_backoff() {
        for asked in [None, Some(Duration::ZERO)] {
            let mut rate = AdaptiveRate::new(Instant::now());
            let mut refused = || rate.refused(Instant::now(), asked, false, 1.0).as_secs();
            let pauses = [(); 6].map(|()| refused());
            assert_eq!(pauses, [2, 4, 8, 16, 32, 32]);
        }
    }

    #[test]
    fn a_second_429_uses_the_longer_of_both_pauses() {
        let mut rate = AdaptiveRate::new(Instant::now());
        let mut refused = |asked| {
            let pause = rate.refused(Instant::now(), Some(SECOND * asked), false, 1.0);
            pause.as_secs()
        };
        assert_eq!([1, 1, 60, 1].map(&mut refused), [1, 4, 60, 16]);
    }

    #[test]
    fn the_429s_of_one_overrun_count_once() {
        let mut rate = AdaptiveRate::new(Instant::now());
        rate.refused(Instant::now(), None, false, 1.0);
        for _ in 0..30 {
            rate.refused(Instant::now(), None, true, 1.0);
        }
        // Their requests were sent before the pause, so they do not show that it is too short.
        let late = rate.refused(Instant::now(), Some(SECOND), true, 1.0);
        assert_eq!(late, SECOND);
        let late = rate.refused(Instant::now(), None, true, 1.0);
        assert_eq!(late, SECOND * 2);
        let next = rate.refused(Instant::now(), None, false, 1.0);
        assert_eq!(next, SECOND * 4);
    }
}
