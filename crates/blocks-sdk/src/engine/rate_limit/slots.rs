//! Decides when a request may be sent, by a log of the slots that were used in the last minute, and by the pause that
//! the service asked for.
//!
//! This part of the limiter describes the key, not the program. The caller requests one slot at a time, and gets the
//! slot or the time of the next request. Times are of any clock: tokio's in a process, and the store's when the limit
//! is shared.

use std::collections::VecDeque;
use std::ops::Add;
use std::time::Duration;

use tokio::time::Instant;

use super::store::SlotPurpose;

/// A time of some clock.
pub(super) trait Time: Copy + Ord + Add<Duration, Output = Self> {}
impl<T: Copy + Ord + Add<Duration, Output = T>> Time for T {}

/// How long a used slot counts. The service counts a minute from the arrival of a request. The additional half second
/// is for requests with different transfer times.
pub(super) const WINDOW: Duration = Duration::from_millis(60_500);

/// Polls get at least one slot in this many, also while calls wait.
const POLL_SHARE: usize = 5;

/// The use of a slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Use {
    /// May take the rest of the window immediately.
    Call,
    /// Is spread evenly over the slots that calls leave.
    Poll,
    /// A poll that cannot wait for its place among the others.
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

/// The slots of one key.
#[derive(Clone, Debug)]
pub(super) struct Slots<T = Instant> {
    capacity: usize,
    /// Whether calls are spread like polls, because other programs use the same key.
    spreads_calls: bool,
    used: VecDeque<Slot<T>>,
    /// How many of those are polls.
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

    /// Uses at most `capacity` slots in a window from now on.
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

    /// Returns the number of the oldest slot, or of the next one.
    pub fn first_number(&self) -> u64 {
        self.used
            .front()
            .map_or(self.next_number, |slot| slot.number)
    }

    /// Takes a slot at `now`, or returns when to try again, which is always later than `now`. While `polls_wait`,
    /// calls leave polls their share of the window.
    pub fn take(&mut self, now: T, what: Use, polls_wait: bool) -> Result<u64, T> {
        self.check(now, what, polls_wait, 0)?;
        Ok(self.push(now, what))
    }

    /// Checks whether [`take`](Self::take) would grant a slot if `ahead` others with the same use were first.
    /// Otherwise returns when to try again.
    pub fn check(&mut self, now: T, what: Use, polls_wait: bool, ahead: usize) -> Result<(), T> {
        self.forget(now);
        if let Some(pause) = self.paused_until.filter(|pause| *pause > now) {
            return Err(pause);
        }
        // The slots that the calls ahead will use count as used already.
        let before = if what == Use::Call { ahead } else { 0 };
        let used = self.used.len() + before;
        if used >= self.capacity {
            return self.leaves(used - self.capacity).map_or(Ok(()), Err);
        }
        let calls = self.used.len() - self.polls + before;
        let share = self.capacity / POLL_SHARE;
        let again = match what {
            // After a poll, its wait soon returns for the next one.
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
            Use::Poll => self.next_poll(self.capacity - calls, ahead),
            Use::Call | Use::UrgentPoll => None,
        };
        match again.filter(|again| *again > now) {
            Some(again) => Err(again),
            None => Ok(()),
        }
    }

    /// Returns when the next poll is due if polls can use `left` of the window's slots. One of them stays free for
    /// the next call, which then need not wait for a poll to leave the window.
    fn next_poll(&self, left: usize, ahead: usize) -> Option<T> {
        let share = self.capacity / POLL_SHARE;
        let spare = usize::from(share > 0);
        if self.polls >= share && self.used.len() + spare >= self.capacity {
            return Some(self.used[0].taken_at + WINDOW);
        }
        let last = self.used.iter().rev().find(|slot| slot.is_poll)?;
        let slots = (left - spare).max(share);
        let spaced = last.taken_at + spacing(slots, ahead);
        // A call that leaves the window allows polls at shorter intervals.
        let call = self.used.iter().find(|slot| !slot.is_poll);
        Some(call.map_or(spaced, |call| spaced.min(call.taken_at + WINDOW)))
    }

    /// Returns when the slot at this place in the log, or else the last one, leaves the window.
    fn leaves(&self, place: usize) -> Option<T> {
        let slot = self.used.get(place).or(self.used.back())?;
        Some(slot.taken_at + WINDOW)
    }

    /// Records a used slot, without a check.
    pub fn push(&mut self, now: T, what: Use) -> u64 {
        let number = self.next_number;
        self.next_number += 1;
        let is_poll = what != Use::Call;
        self.polls += usize::from(is_poll);
        // tokio's clock never goes back, but two threads may read it in one order and call this in the other.
        let taken_at = self.used.back().map_or(now, |last| last.taken_at.max(now));
        self.used.push_back(Slot {
            number,
            taken_at,
            is_poll,
        });
        number
    }

    /// Returns a slot in which nothing was sent.
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

    /// Grants no slot until `until`. A pause that is already longer is unchanged.
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

/// Returns the distance to the last slot when `slots` are spread over a window and `ahead` others are first.
fn spacing(slots: usize, ahead: usize) -> Duration {
    let number = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
    WINDOW.saturating_mul(number(ahead).saturating_add(1)) / number(slots.max(1))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const SECOND: Duration = Duration::from_secs(1);

    /// Takes slots as early as possible for `seconds`. Returns when each was taken.
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
        assert_eq!(taken, (0..242).map(|n| SECOND / 2 * n).collect::<Vec<_>>());
    }

    #[test]
    fn polls_get_what_calls_leave() {
        let start = Instant::now();
        let mut slots = Slots::new(122);
        for _ in 0..100 {
            slots.take(start, Use::Call, false).unwrap();
        }
        let taken = take_all(&mut slots, Use::Poll, start, 80);
        // While calls use most of the window, polls get their fifth of it, which is the rest. Then, when the calls
        // have left the window, they get one every half second.
        let spacing = WINDOW.div_f64(24.0);
        let first = (0..22).map(|n| spacing * n);
        let second = (0..39).map(|n| WINDOW + SECOND / 2 * n);
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
        slots.take(start, Use::Poll, true).unwrap();
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

    /// Models servers that count in windows, at any phase, and a bucket with tokens for a minute.
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
        // A fixed window at any phase is one of the windows above.
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
                    // Requests arrive within half a second.
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
