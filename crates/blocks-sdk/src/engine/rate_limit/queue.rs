//! The waiters for a permit, and the use that each has for it.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::time::Instant;

use super::slots::WINDOW;

/// Beyond this age a poll's score decreases. A session that has run so long may never finish, and must not take the
/// permits of others.
const OLD: Duration = Duration::from_secs(600);
/// Up to this age the score increases, because agents seldom reply in their first seconds.
const YOUNG: Duration = Duration::from_secs(60);

/// The purpose of a permit, in the order of precedence.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Priority {
    /// A person waits for the response.
    Interactive,
    /// A session or follow-up is created.
    Create,
    /// A poll, whose result may not exist yet.
    Poll(PollSchedule),
}

/// When a poll is due, and its gain.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct PollSchedule {
    /// When the polled work started.
    pub started: Instant,
    /// When it was last polled, or else started.
    pub last_poll: Instant,
    /// When it may be polled again.
    pub ready_at: Instant,
    /// The time-out of a wait that has not polled yet; it must poll before.
    pub first_before: Option<Instant>,
}

impl Priority {
    /// Returns when a waiter that arrives at `now` can use a permit.
    pub fn ready_at(self, now: Instant) -> Instant {
        match self {
            Self::Poll(poll) => poll.ready_at,
            Self::Interactive | Self::Create => now,
        }
    }
}

impl PollSchedule {
    /// Returns how much sooner a poll now is expected to find the reply: the time since the last poll, discounted for
    /// age. The exponents gave the best results in the simulations of `benches/`.
    fn score(&self, now: Instant) -> f64 {
        self.waited(now).as_secs_f64() * self.weight(now)
    }

    /// Returns the time since the last poll.
    pub fn waited(&self, now: Instant) -> Duration {
        now - self.last_poll
    }

    /// Returns the weight of a second since the last poll.
    pub fn weight(&self, now: Instant) -> f64 {
        let age = (now - self.started).as_secs_f64();
        let late = (age / OLD.as_secs_f64()).max(1.0);
        let early = (age / YOUNG.as_secs_f64()).min(1.0);
        early.sqrt() / late.powf(0.7)
    }

    /// Returns whether this is the last certain chance to poll before the time-out. Each used slot becomes free
    /// within a window.
    pub fn is_urgent(&self, now: Instant) -> bool {
        self.first_before
            .is_some_and(|before| before.saturating_duration_since(now) <= WINDOW)
    }
}

/// Waiters by their tickets, which number them in the order of arrival.
#[derive(Debug, Default)]
pub(super) struct Queue {
    interactive: BTreeMap<u64, WaitingCall>,
    creates: BTreeMap<u64, WaitingCall>,
    polls: BTreeMap<u64, PollSchedule>,
}

#[derive(Debug)]
struct WaitingCall {
    arrived: Instant,
    /// When it stops waiting.
    deadline: Option<Instant>,
}

/// The first waiter of each kind that could use a permit.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Candidates {
    pub interactive: Option<u64>,
    pub create: Option<u64>,
    /// The due poll with the largest score.
    pub poll: Option<u64>,
    /// The first poll of those for which this is the last chance.
    pub urgent_poll: Option<u64>,
    /// The poll that is due next, and its time; `None` while one is due already.
    pub later_poll: Option<(u64, Instant)>,
}

impl Queue {
    /// Adds a waiter. `deadline` is the time-out of a call; the wait of a poll has its own.
    pub fn insert(
        &mut self,
        ticket: u64,
        priority: Priority,
        arrived: Instant,
        deadline: Option<Instant>,
    ) {
        let call = WaitingCall { arrived, deadline };
        match priority {
            Priority::Interactive => drop(self.interactive.insert(ticket, call)),
            Priority::Create => drop(self.creates.insert(ticket, call)),
            Priority::Poll(poll) => drop(self.polls.insert(ticket, poll)),
        }
    }

    /// Returns how long a waiter has waited, and the weight of a second.
    pub fn waited(&self, ticket: u64, now: Instant) -> (Duration, f64) {
        if let Some(poll) = self.polls.get(&ticket) {
            return (poll.waited(now), poll.weight(now));
        }
        let call = self.interactive.get(&ticket).or(self.creates.get(&ticket));
        let waited = call.map(|call| now.saturating_duration_since(call.arrived));
        (waited.unwrap_or_default(), 1.0)
    }

    pub fn contains(&self, ticket: u64) -> bool {
        self.interactive.contains_key(&ticket)
            || self.creates.contains_key(&ticket)
            || self.polls.contains_key(&ticket)
    }

    pub fn remove(&mut self, ticket: u64) -> bool {
        self.interactive.remove(&ticket).is_some()
            || self.creates.remove(&ticket).is_some()
            || self.polls.remove(&ticket).is_some()
    }

    /// Returns the number of waiters, by priority.
    pub fn counts(&self) -> [usize; 3] {
        [self.interactive.len(), self.creates.len(), self.polls.len()]
    }

    pub fn is_empty(&self) -> bool {
        self.counts() == [0; 3]
    }

    /// Returns the calls whose time-out is before `time`.
    pub fn ending_before(&self, time: Instant) -> Vec<u64> {
        let calls = self.interactive.iter().chain(&self.creates);
        calls
            .filter(|(_, call)| call.deadline.is_some_and(|deadline| deadline < time))
            .map(|(ticket, _)| *ticket)
            .collect()
    }

    pub fn candidates(&self, now: Instant) -> Candidates {
        let mut best: Option<(f64, u64)> = None;
        let mut urgent: Option<(Instant, u64)> = None;
        let mut later: Option<(Instant, u64)> = None;
        for (ticket, poll) in &self.polls {
            if poll.ready_at > now {
                if later.is_none_or(|(at, _)| poll.ready_at < at) {
                    later = Some((poll.ready_at, *ticket));
                }
                continue;
            }
            let score = poll.score(now);
            if best.is_none_or(|(highest, _)| score > highest) {
                best = Some((score, *ticket));
            }
            if let Some(before) = poll.first_before
                && poll.is_urgent(now)
                && urgent.is_none_or(|(first, _)| before < first)
            {
                urgent = Some((before, *ticket));
            }
        }
        let first =
            |calls: &BTreeMap<u64, WaitingCall>| calls.first_key_value().map(|(ticket, _)| *ticket);
        Candidates {
            interactive: first(&self.interactive),
            create: first(&self.creates),
            poll: best.map(|(_, ticket)| ticket),
            urgent_poll: urgent.map(|(_, ticket)| ticket),
            later_poll: later
                .filter(|_| best.is_none())
                .map(|(at, ticket)| (ticket, at)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn poll(started: u64, last_poll: u64, ready_at: u64, start: Instant) -> Priority {
        let at = |seconds| start + Duration::from_secs(seconds);
        Priority::Poll(PollSchedule {
            started: at(started),
            last_poll: at(last_poll),
            ready_at: at(ready_at),
            first_before: None,
        })
    }

    fn queue(priorities: &[Priority]) -> Queue {
        let mut queue = Queue::default();
        for (ticket, priority) in (0..).zip(priorities) {
            queue.insert(ticket, *priority, Instant::now(), None);
        }
        queue
    }

    #[test]
    fn calls_come_in_the_order_of_arrival() {
        let start = Instant::now();
        let mut queue = queue(&[
            poll(0, 0, 0, start),
            Priority::Create,
            Priority::Create,
            Priority::Interactive,
            Priority::Interactive,
        ]);
        let all = queue.candidates(start);
        assert_eq!(
            (all.interactive, all.create, all.poll),
            (Some(3), Some(1), Some(0))
        );
        assert!(queue.remove(3) && queue.remove(1) && !queue.remove(1));
        let all = queue.candidates(start);
        assert_eq!((all.interactive, all.create), (Some(4), Some(2)));
    }

    #[test]
    fn the_poll_with_the_largest_gain_is_first() {
        let start = Instant::now();
        let now = start + Duration::from_secs(3600);
        let young = queue(&[
            poll(3500, 3590, 3592, start),
            poll(3500, 3580, 3582, start),
            poll(3500, 3599, 3601, start),
        ]);
        assert_eq!(young.candidates(now).poll, Some(1));
        // An hour old: its 20 s since the last poll count for less than 6.
        let old = queue(&[poll(3500, 3590, 3592, start), poll(0, 3580, 3582, start)]);
        assert_eq!(old.candidates(now).poll, Some(0));
    }

    #[test]
    fn no_poll_comes_before_it_is_ready() {
        let start = Instant::now();
        let now = start + Duration::from_secs(3600);
        let early = queue(&[poll(3500, 3599, 3601, start), poll(3500, 3600, 3602, start)]);
        let all = early.candidates(now);
        assert_eq!(all.poll, None);
        assert_eq!(all.later_poll, Some((0, start + Duration::from_secs(3601))));
    }

    #[test]
    fn a_first_poll_is_urgent_a_window_before_its_time_out() {
        let start = Instant::now();
        let mut queue = Queue::default();
        for (ticket, seconds) in [(0, 300), (1, 299)] {
            let schedule = PollSchedule {
                started: start,
                last_poll: start,
                ready_at: start,
                first_before: Some(start + Duration::from_secs(seconds)),
            };
            queue.insert(ticket, Priority::Poll(schedule), start, None);
        }
        for (seconds, urgent) in [(0, None), (237, None), (239, Some(1)), (400, Some(1))] {
            let now = start + Duration::from_secs(seconds);
            assert_eq!(queue.candidates(now).urgent_poll, urgent, "{seconds}");
        }
    }
}
