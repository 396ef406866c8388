//! Decides when a request may be sent. A *slot* is one of the requests that the rate limit allows in a minute. The
//! decision depends on a log of the slots that were used in the last minute, and on the pause that the service asked
//! for.
//!
//! This module tracks the slots of the API key, but not the waiters. The caller requests one slot at a time, and gets
//! the slot or the time at which to request again. The times are from tokio's clock if only this process counts the
//! slots, and from the clock of the store of the shared limit if several processes share the limit.

use std::collections::VecDeque;
use std::ops::Add;
use std::time::Duration;

use tokio::time::Instant;

use super::store::SlotPurpose;

/// A point in time of any clock.
pub(super) trait Time: Copy + Ord + Add<Duration, Output = Self> {}
impl<T: Copy + Ord + Add<Duration, Output = T>> Time for T {}

/// The time for which a used slot counts. After this time, the slot leaves the window. The service counts a request for
/// a minute after the request arrived. The window is half a second longer, because requests need different times to
/// reach the service. For example, the second of two requests is sent 60 s after the first, but arrives only 59.8 s
/// after it.
pub(super) const WINDOW: Duration = Duration::from_millis(60_500);

/// The capacity divided by this number is the number of slots that calls leave to polls.
const POLL_SHARE: usize = 5;
/// The maximum number of polls that follow each other without an interval.
const POLL_BURST: usize = 3;
/// The maximum number of recent polls that determine the time of the next poll. This maximum keeps a check fast if the
/// limit is high. At the service's limit, a window contains fewer polls than this maximum.
const RECENT_POLLS: usize = 128;

/// The kind of request that uses a slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Use {
    /// A request that is not a poll. A call takes a free slot immediately, unless the slot is kept for polls, or calls
    /// are spread evenly after a 429.
    Call,
    /// A poll. Polls are spread evenly over the slots that other requests do not use.
    Poll,
    /// A poll that is close to its deadline, and is not delayed by the even spacing of polls.
    UrgentPoll,
}

#[derive(Clone, Copy, Debug)]
struct Slot<T> {
    number: u64,
    taken_at: T,
    is_poll: bool,
}

impl From<SlotPurpose> for Use {
    fn from(purpose: SlotPurpose) -> Self {
        match purpose {
            SlotPurpose::Interactive | SlotPurpose::Create => Self::Call,
            SlotPurpose::Poll => Self::Poll,
            SlotPurpose::UrgentPoll => Self::UrgentPoll,
        }
    }
}

/// The used slots of one API key, and the settings that decide when the next slot is available.
#[derive(Clone, Debug)]
pub(super) struct Slots<T = Instant> {
    capacity: usize,
    /// Whether calls are spread evenly over the window, as polls are. This is true after a 429, because other programs
    /// may use the same key.
    spreads_calls: bool,
    used: VecDeque<Slot<T>>,
    /// The number of polls in `used`.
    polls: usize,
    next_number: u64,
    paused_until: Option<T>,
}

impl<T: Time> Slots<T> {
    pub fn new(capacity: usize) -> Self {
        Self {
            capacity: capacity.max(1),
            spreads_calls: false,
            used: VecDeque::new(),
            polls: 0,
            next_number: 0,
            paused_until: None,
        }
    }

    /// Allows at most `capacity` slots in a window from now on.
    pub fn set_capacity(&mut self, capacity: usize, spreads_calls: bool) {
        self.capacity = capacity.max(1);
        self.spreads_calls = spreads_calls;
    }

    pub fn capacity(&self) -> usize {
        self.capacity
    }

    pub fn spreads_calls(&self) -> bool {
        self.spreads_calls
    }

    /// Returns the number of the oldest used slot, or of the next slot if no slot is used.
    pub fn first_number(&self) -> u64 {
        self.used
            .front()
            .map_or(self.next_number, |slot| slot.number)
    }

    /// Takes a slot at `now`. If no slot is available, returns the time at which to try again. This time is later than
    /// `now`. If `polls_wait` is true, requests other than polls leave a fifth of the slots of a minute to polls.
    pub fn take(&mut self, now: T, what: Use, polls_wait: bool) -> Result<u64, T> {
        self.check(now, what, polls_wait, 0)?;
        Ok(self.push(now, what))
    }

    /// Checks whether [`take`](Self::take) would grant a slot. `what` is the kind of request that needs the slot.
    /// `ahead` is the number of other processes with a request of the same kind that gets its slot first. If no slot is
    /// available, returns the time at which to try again.
    pub fn check(&mut self, now: T, what: Use, polls_wait: bool, ahead: usize) -> Result<(), T> {
        self.forget(now);
        if let Some(pause) = self.paused_until.filter(|pause| *pause > now) {
            return Err(pause);
        }
        // The slots for the `ahead` other calls count as used already.
        let before = if what == Use::Call { ahead } else { 0 };
        let used = self.used.len() + before;
        if used >= self.capacity {
            return self.leaves(used - self.capacity).map_or(Ok(()), Err);
        }
        let calls = self.used.len() - self.polls + before;
        let share = self.capacity / POLL_SHARE;
        let again = match what {
            // If a poll is in the window, a wait exists that will soon poll again. So calls leave slots to polls even
            // if no poll waits now.
            Use::Call
                if (polls_wait || self.polls > 0)
                    && calls + self.polls.max(share) >= self.capacity =>
            {
                self.leaves(before)
            }
            Use::Call if self.spreads_calls => {
                let last = self.used.back();
                last.map(|slot| slot.taken_at + spacing(self.capacity, before))
            }
            Use::Poll => self.next_poll(now, self.capacity - calls, ahead),
            Use::Call | Use::UrgentPoll => None,
        };
        match again.filter(|again| *again > now) {
            Some(again) => Err(again),
            None => Ok(()),
        }
    }

    /// Returns the earliest time of the next poll, or `None` if the poll is not delayed. `left` is the number of slots
    /// of the window that polls can use. `ahead` is the number of polls of other processes that come first. Polls that
    /// have used their share of the window leave one slot free, so that the next call need not wait until a poll leaves
    /// the window. If the capacity is less than [`POLL_SHARE`], no slot stays free.
    ///
    /// Polls are spread evenly. If earlier polls were late, or if there were none, up to [`POLL_BURST`] polls may
    /// follow each other without an interval. Without this burst, all polls after a late poll would also be late. In a
    /// simulation without the burst, polls of 200 sessions were 2 % later.
    fn next_poll(&self, now: T, left: usize, ahead: usize) -> Option<T> {
        let share = self.capacity / POLL_SHARE;
        let spare = usize::from(share > 0);
        if self.polls >= share && self.used.len() + spare >= self.capacity {
            return Some(self.used[0].taken_at + WINDOW);
        }
        let slots = (left - spare).max(share);
        let late = POLL_BURST - 1;
        let polls = self.used.iter().rev().filter(|slot| slot.is_poll);
        let recent = polls
            .take(RECENT_POLLS)
            .zip(ahead..)
            .skip(late.saturating_sub(ahead));
        let after_recent = recent.map(|(slot, place)| slot.taken_at + spacing(slots, place - late));
        // Each poll of another process that comes first counts as a poll at `now`.
        let after_others = (ahead > late).then(|| now + spacing(slots, ahead - POLL_BURST));
        let spaced = after_recent.chain(after_others).max()?;
        // When the oldest call leaves the window, polls can use its slot, and the interval between polls becomes
        // shorter. So the next poll is not delayed beyond this time.
        let call = self.used.iter().find(|slot| !slot.is_poll);
        Some(call.map_or(spaced, |call| spaced.min(call.taken_at + WINDOW)))
    }

    /// Returns the time at which the slot at index `place` of the log leaves the window. If the log is shorter, returns
    /// the time at which the last slot leaves the window.
    fn leaves(&self, place: usize) -> Option<T> {
        let slot = self.used.get(place).or(self.used.back())?;
        Some(slot.taken_at + WINDOW)
    }

    /// Records a used slot, without a check that the slot was free. Returns the number of the slot.
    pub fn push(&mut self, now: T, what: Use) -> u64 {
        let number = self.next_number;
        self.next_number += 1;
        let is_poll = what != Use::Call;
        self.polls += usize::from(is_poll);
        // The times in the log must not decrease. tokio's clock never goes back, but if two threads read the clock, the
        // thread with the earlier time may call `push` last.
        let taken_at = self.used.back().map_or(now, |last| last.taken_at.max(now));
        self.used.push_back(Slot {
            number,
            taken_at,
            is_poll,
        });
        number
    }

    /// Removes a slot from the log, because no request was sent in this slot.
    pub fn give_back(&mut self, number: u64) {
        let place = self.used.iter().rposition(|slot| slot.number == number);
        if let Some(slot) = place.and_then(|place| self.used.remove(place)) {
            self.polls -= usize::from(slot.is_poll);
        }
    }

    pub fn forget(&mut self, now: T) {
        while let Some(slot) = self.used.front()
            && slot.taken_at + WINDOW <= now
        {
            self.polls -= usize::from(slot.is_poll);
            self.used.pop_front();
        }
    }

    /// Grants no slot until `until`. Has no effect if the current pause ends later.
    pub fn pause(&mut self, until: T) {
        self.paused_until = self.paused_until.max(Some(until));
    }

    pub fn paused_until(&self, now: T) -> Option<T> {
        self.paused_until.filter(|pause| *pause > now)
    }

    /// Returns the number of slots in the window.
    pub fn len(&self) -> usize {
        self.used.len()
    }

    /// Returns the number of slots that were used in the last minute.
    pub fn used(&self, now: T) -> usize {
        let minute = Duration::from_secs(60);
        let current = |slot: &&Slot<T>| slot.taken_at + minute > now;
        self.used.iter().rev().take_while(current).count()
    }
}

/// Returns the time between two slots if `slots` slots are spread evenly over a window. `ahead` is the number of other
/// slots between the two slots.
fn spacing(slots: usize, ahead: usize) -> Duration {
    let number = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
    WINDOW.saturating_mul(number(ahead).saturating_add(1)) / number(slots.max(1))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const SECOND: Duration = Duration::from_secs(1);

    /// Takes slots as early as possible for `seconds`. Returns the time from `start` to each slot.
    fn take_all(slots: &mut Slots, what: Use, start: Instant, seconds: u32) -> Vec<Duration> {
        let mut now = start;
        let mut taken = Vec::new();
        while now < start + SECOND * seconds {
            match slots.take(now, what, false) {
                Ok(_) => taken.push(now - start),
                Err(again) => {
                    assert!(again > now);
                    now = again;
                }
            }
        }
        taken
    }

    #[test]
    fn calls_take_the_whole_window_immediately() {
        let mut slots = Slots::new(99);
        let taken = take_all(&mut slots, Use::Call, Instant::now(), 121);
        let expected = [vec![Duration::ZERO; 99], vec![WINDOW; 99]].concat();
        assert_eq!(taken, expected);
    }

    #[test]
    fn polls_are_spread_over_the_window() {
        let mut slots = Slots::new(122);
        let taken = take_all(&mut slots, Use::Poll, Instant::now(), 121);
        let one: Vec<_> = spread_from(Duration::ZERO, SECOND / 2, 119).collect();
        let other = spread_from(WINDOW, SECOND / 2, 119);
        assert_eq!(taken, one.into_iter().chain(other).collect::<Vec<_>>());
    }

    /// Returns the expected times of polls. The first `POLL_BURST` polls are at `start`. The next `count - 1` polls
    /// follow at even intervals.
    fn spread_from(
        start: Duration,
        interval: Duration,
        count: u32,
    ) -> impl Iterator<Item = Duration> {
        let burst = std::iter::repeat_n(start, POLL_BURST - 1);
        burst.chain((0..count).map(move |n| start + interval * n))
    }

    #[test]
    fn polls_get_what_calls_leave() {
        let start = Instant::now();
        let mut slots = Slots::new(122);
        for _ in 0..100 {
            slots.take(start, Use::Call, false).unwrap();
        }
        let taken = take_all(&mut slots, Use::Poll, start, 80);
        // While the calls are in the window, the interval between polls is the interval for a fifth of the slots, which
        // is 24 slots. Only 22 slots are free, so there are 22 polls. After the calls have left the window, polls get a
        // slot every half second.
        let first = (0..20).map(|n| WINDOW * n / 24);
        let first = [Duration::ZERO; POLL_BURST - 1].into_iter().chain(first);
        let second = spread_from(WINDOW, SECOND / 2, 39);
        assert_eq!(taken, first.chain(second).collect::<Vec<_>>());
    }

    #[test]
    fn a_call_needs_not_wait_for_polls() {
        let start = Instant::now();
        let mut slots = Slots::new(100);
        take_all(&mut slots, Use::Poll, start, 60);
        let now = start + SECOND * 60;
        assert!(slots.take(now, Use::Call, true).is_ok());
    }

    #[test]
    fn calls_leave_polls_a_fifth_of_the_window() {
        let start = Instant::now();
        let mut slots = Slots::new(100);
        for _ in 0..80 {
            slots.take(start, Use::Call, true).unwrap();
        }
        assert_eq!(slots.take(start, Use::Call, true), Err(start + WINDOW));
        for _ in 0..POLL_BURST {
            slots.take(start, Use::Poll, true).unwrap();
        }
        let spaced = start + WINDOW.div_f64(20.0);
        assert_eq!(slots.take(start, Use::Poll, true), Err(spaced));
        assert!(slots.take(start, Use::UrgentPoll, true).is_ok());
    }

    #[test]
    fn a_slot_that_is_given_back_can_be_taken_again() {
        let start = Instant::now();
        let mut slots = Slots::new(2);
        let first = slots.take(start, Use::Call, false).unwrap();
        slots.take(start, Use::Poll, false).unwrap();
        slots.give_back(first);
        slots.give_back(first);
        assert!(slots.take(start, Use::Call, false).is_ok());
        assert_eq!(slots.take(start, Use::Call, false), Err(start + WINDOW));
    }

    #[test]
    fn a_pause_is_never_shortened() {
        let start = Instant::now();
        let mut slots = Slots::new(2);
        slots.pause(start + SECOND * 7);
        slots.pause(start + SECOND);
        assert_eq!(slots.take(start, Use::Call, false), Err(start + SECOND * 7));
        assert_eq!(slots.paused_until(start + SECOND * 7), None);
    }

    /// Returns whether two models of a server would both accept requests at these times. One model allows `limit`
    /// requests in any minute. The other model is a token bucket of size `limit`, which gets `limit` new tokens a
    /// minute.
    fn is_accepted_by_every_server(times: &[Duration], limit: usize) -> bool {
        let minute = Duration::from_secs(60);
        let sliding = times.iter().enumerate().all(|(n, first)| {
            let window = times[n..].iter().take_while(|t| **t < *first + minute);
            window.count() <= limit
        });
        let mut tokens = limit as f64;
        let mut last = Duration::ZERO;
        let bucket = times.iter().all(|time| {
            let refill = (*time - last).as_secs_f64() * limit as f64 / 60.0;
            tokens = (tokens + refill).min(limit as f64) - 1.0;
            last = *time;
            tokens >= -1e-6
        });
        // A server that counts the requests of each full minute of its clock needs no third model, because the first
        // model checks every minute.
        sliding && bucket
    }

    proptest! {
        #[test]
        fn no_server_sees_more_than_the_limit(
            limit in 1..120_u32,
            steps in prop::collection::vec((0..3_u8, 0..20_000_u64, 0..450_u64), 1..300),
        ) {
            let capacity = super::super::RateLimit::per_minute(limit).unwrap().capacity();
            let mut slots = Slots::new(capacity);
            let start = Instant::now();
            let (mut now, mut arrivals) = (start, Vec::new());
            for (what, pause, transit) in steps {
                now += Duration::from_millis(pause);
                let what = [Use::Call, Use::Poll, Use::UrgentPoll][usize::from(what)];
                while slots.take(now, what, pause % 2 == 0).is_ok() {
                    // Each request arrives at the server within half a second.
                    arrivals.push(now - start + Duration::from_millis(transit));
                }
            }
            arrivals.sort();
            prop_assert!(is_accepted_by_every_server(&arrivals, limit as usize));
        }

        #[test]
        fn asking_again_at_the_time_given_always_ends(
            capacity in 1..30_usize,
            steps in prop::collection::vec((0..3_u8, any::<bool>()), 1..100),
        ) {
            let mut slots = Slots::new(capacity);
            let mut now = Instant::now();
            for (what, polls_wait) in steps {
                let what = [Use::Call, Use::Poll, Use::UrgentPoll][usize::from(what)];
                let mut asked = 0;
                while let Err(again) = slots.take(now, what, polls_wait) {
                    prop_assert!(again > now);
                    now = again;
                    asked += 1;
                    prop_assert!(asked <= 2 * capacity, "{what:?} {slots:?}");
                }
            }
        }
    }
}
