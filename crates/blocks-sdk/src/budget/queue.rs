//! Who is next: people before creates before polls; polls by how much they gain.

use std::collections::BTreeMap;
use std::task::Waker;
use std::time::Duration;

use tokio::time::Instant;

/// Beyond this age a poll's claim shrinks, since a session that has run so long may never
/// finish, and must not take the turns of those that will.
const OLD: Duration = Duration::from_secs(600);
/// Up to this age it grows: agents seldom reply in their first seconds.
const BUSY: Duration = Duration::from_secs(60);

/// What a turn is for, in the order of precedence.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Lane {
    /// A person waits for the answer.
    Interactive,
    /// A session or follow-up is begun.
    Create,
    /// A look for something that may not be there yet.
    Poll(Poll),
}

/// The claim of a poll.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Poll {
    /// When the work began that is waited for.
    pub began: Instant,
    /// When it was looked at last, or began.
    pub looked: Instant,
    /// When it may be looked at again.
    pub not_before: Instant,
}

impl Lane {
    /// When a waiter that comes at `now` wants its turn.
    pub fn wanted(self, now: Instant) -> Instant {
        match self {
            Self::Poll(poll) => poll.not_before,
            Self::Interactive | Self::Create => now,
        }
    }
}

impl Poll {
    /// How much sooner the news would be known: the time since the last look, discounted for
    /// age. The powers are those that did best in the simulations of `benches/`.
    fn claim(&self, now: Instant) -> f64 {
        let age = (now - self.began).as_secs_f64();
        let late = (age / OLD.as_secs_f64()).max(1.0);
        let early = (age / BUSY.as_secs_f64()).min(1.0);
        (now - self.looked).as_secs_f64() * early.sqrt() / late.powf(0.7)
    }
}

pub(crate) struct Waiter {
    pub waker: Option<Waker>,
    pub lane: Lane,
}

/// Those who wait for a turn, by the number that they drew.
#[derive(Default)]
pub(crate) struct Queue {
    interactive: BTreeMap<u64, Waiter>,
    creates: BTreeMap<u64, Waiter>,
    polls: BTreeMap<u64, Waiter>,
}

impl Queue {
    pub fn insert(&mut self, number: u64, waiter: Waiter) {
        let lane = match waiter.lane {
            Lane::Interactive => &mut self.interactive,
            Lane::Create => &mut self.creates,
            Lane::Poll(_) => &mut self.polls,
        };
        lane.insert(number, waiter);
    }

    pub fn is_empty(&self) -> bool {
        self.interactive.is_empty() && self.creates.is_empty() && self.polls.is_empty()
    }

    fn lanes(&mut self) -> [&mut BTreeMap<u64, Waiter>; 3] {
        [&mut self.interactive, &mut self.creates, &mut self.polls]
    }

    pub fn get_mut(&mut self, number: u64) -> Option<&mut Waiter> {
        self.lanes()
            .into_iter()
            .find_map(|lane| lane.get_mut(&number))
    }

    pub fn take(&mut self, number: u64) -> Option<Waiter> {
        self.lanes()
            .into_iter()
            .find_map(|lane| lane.remove(&number))
    }

    pub fn wake_all(&mut self) {
        let waiters = self.lanes().into_iter().flat_map(BTreeMap::values_mut);
        waiters
            .filter_map(|waiter| waiter.waker.take())
            .for_each(Waker::wake);
    }

    /// Who takes a turn that is free at `now`, or else when the first will want it.
    pub fn next(&self, now: Instant) -> Result<u64, Option<Instant>> {
        let first = |lane: &BTreeMap<u64, Waiter>| lane.first_key_value().map(|(n, _)| *n);
        if let Some(number) = first(&self.interactive).or_else(|| first(&self.creates)) {
            return Ok(number);
        }
        let mut best: Option<(f64, u64)> = None;
        let mut earliest: Option<Instant> = None;
        for (number, waiter) in &self.polls {
            let Lane::Poll(poll) = waiter.lane else {
                continue;
            };
            if poll.not_before > now {
                earliest = Some(earliest.map_or(poll.not_before, |e| e.min(poll.not_before)));
                continue;
            }
            let claim = poll.claim(now);
            if best.is_none_or(|(most, _)| claim > most) {
                best = Some((claim, *number));
            }
        }
        best.map(|(_, number)| number).ok_or(earliest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn poll(began: u64, looked: u64, not_before: u64, start: Instant) -> Lane {
        let at = |seconds| start + Duration::from_secs(seconds);
        Lane::Poll(Poll {
            began: at(began),
            looked: at(looked),
            not_before: at(not_before),
        })
    }

    fn queue(lanes: &[Lane]) -> Queue {
        let mut queue = Queue::default();
        for (number, lane) in lanes.iter().enumerate() {
            let waiter = Waiter {
                waker: None,
                lane: *lane,
            };
            queue.insert(number as u64, waiter);
        }
        queue
    }

    #[test]
    fn lanes_go_by_rank_then_by_arrival() {
        let start = Instant::now();
        let mut queue = queue(&[
            poll(0, 0, 0, start),
            Lane::Create,
            Lane::Create,
            Lane::Interactive,
            Lane::Interactive,
        ]);
        for expected in [3, 4, 1, 2, 0] {
            assert_eq!(queue.next(start), Ok(expected));
            queue.take(expected);
        }
        assert_eq!(queue.next(start), Err(None));
    }

    #[test]
    fn the_poll_that_gains_most_is_next_and_none_before_its_time() {
        let start = Instant::now();
        let now = start + Duration::from_secs(3600);
        let young = queue(&[
            poll(3500, 3590, 3592, start),
            poll(3500, 3580, 3582, start),
            poll(3500, 3599, 3601, start),
        ]);
        assert_eq!(young.next(now), Ok(1));
        // An hour old: its claim of 20 s counts for less than 6.
        let old = queue(&[poll(3500, 3590, 3592, start), poll(0, 3580, 3582, start)]);
        assert_eq!(old.next(now), Ok(0));
        let early = queue(&[poll(3500, 3599, 3601, start), poll(3500, 3600, 3602, start)]);
        assert_eq!(
            early.next(now),
            Err(Some(start + Duration::from_secs(3601)))
        );
    }
}
