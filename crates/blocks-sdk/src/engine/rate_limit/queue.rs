//! Contains the waiters for a permit, and decides which waiter of each priority is next.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::time::Instant;

use super::slots::WINDOW;

/// The age of the polled work, such as a turn, from which the weight of its polls decreases. Old work may never finish,
/// and must not take the permits of other sessions.
const OLD: Duration = Duration::from_secs(600);
/// The age of the polled work up to which the weight of its polls increases. Agents seldom reply in their first
/// seconds.
const YOUNG: Duration = Duration::from_secs(60);

/// The purpose of a permit. The variants are in the order of precedence. But an urgent poll precedes a create; see
/// [`PollSchedule::is_urgent`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Priority {
    /// A request that is neither a create nor a regular poll, for example a read of a session. A person may wait for
    /// its response. Some single polls also have this priority, for example the last poll of a wait after its time-out.
    Interactive,
    /// A call that creates a session or a follow-up, or a raw request with a method other than `GET` and `HEAD`.
    Create,
    /// A poll for a result that may not exist yet.
    Poll(PollSchedule),
}

/// The times that decide when a poll is due, and which of the due polls is first.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct PollSchedule {
    /// The time at which the polled work started. For a wait, this is the time at which this client started or resumed
    /// the turn. For a watch, this is the time of the last new message, or the start of the watch.
    pub started: Instant,
    /// The time of the last poll, or of the start of the work if there was no poll yet.
    pub last_poll: Instant,
    /// The earliest time of the next poll.
    pub ready_at: Instant,
    /// The deadline of a wait that has not polled yet. The first poll must be made before this deadline.
    pub first_before: Option<Instant>,
}

impl Priority {
    /// Returns the earliest time at which a request with this priority may be sent. A poll may be sent when it is due.
    /// A call (a request that is not a poll) may always be sent now.
    pub fn ready_at(self, now: Instant) -> Instant {
        match self {
            Self::Poll(poll) => poll.ready_at,
            Self::Interactive | Self::Create => now,
        }
    }
}

impl PollSchedule {
    /// Returns the score that this poll has at the time `now`. The due poll with the largest score is selected. The
    /// score is the time since the last poll, multiplied by a weight. The weight depends on the age of the polled work.
    fn score(&self, now: Instant) -> f64 {
        self.waited(now).as_secs_f64() * self.weight(now)
    }

    /// Returns the time since the last poll.
    pub fn waited(&self, now: Instant) -> Duration {
        now - self.last_poll
    }

    /// Returns the factor by which `score` multiplies the time since the last poll. The exponents gave the best results
    /// in the simulations in `benches/`.
    pub fn weight(&self, now: Instant) -> f64 {
        let age = (now - self.started).as_secs_f64();
        let late = (age / OLD.as_secs_f64()).max(1.0);
        let early = (age / YOUNG.as_secs_f64()).min(1.0);
        early.sqrt() / late.powf(0.7)
    }

    /// Returns whether the first poll of a wait is urgent, because the wait ends in at most `WINDOW`. If all slots (the
    /// requests that the limit allows in a minute) are used, the next slot may become free only after `WINDOW`, and the
    /// wait would reach its time-out before its first poll.
    pub fn is_urgent(&self, now: Instant) -> bool {
        self.first_before
            .is_some_and(|before| before.saturating_duration_since(now) <= WINDOW)
    }
}

/// The waiters of each priority. Each waiter has a number, its ticket. Tickets are numbered in the order of arrival.
/// The keys of the maps are tickets.
#[derive(Debug, Default)]
pub(super) struct Queue {
    interactive: BTreeMap<u64, WaitingCall>,
    creates: BTreeMap<u64, WaitingCall>,
    polls: BTreeMap<u64, PollSchedule>,
}

#[derive(Debug)]
struct WaitingCall {
    arrived: Instant,
    /// The deadline of the call, if a pause that ends after the deadline makes the call fail immediately.
    deadline: Option<Instant>,
}

/// The tickets of the waiters that may get the next permit: the first waiter of each kind.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Candidates {
    pub interactive: Option<u64>,
    pub create: Option<u64>,
    /// The ticket of the due poll with the largest score.
    pub poll: Option<u64>,
    /// The ticket of the urgent poll with the earliest deadline.
    pub urgent_poll: Option<u64>,
    /// If no poll is due now: the poll that becomes due next, as its ticket (its number in the queue) and the time at
    /// which it becomes due. `None` if a poll is due now.
    pub later_poll: Option<(u64, Instant)>,
}

impl Queue {
    /// Adds a waiter. `deadline` is the deadline of a call, if a pause that ends after the deadline makes the call fail
    /// immediately. A poll ignores `deadline`, because the wait that makes the poll continues during a pause.
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

    /// Returns how long a waiter has waited, and a weight. The store of a shared limit needs both: it grants the next
    /// slot for a poll to the poll with the largest product. A poll has waited since the last poll of the same wait.
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

    /// Returns the numbers of waiting interactive calls, creates and polls.
    pub fn counts(&self) -> [usize; 3] {
        [self.interactive.len(), self.creates.len(), self.polls.len()]
    }

    pub fn is_empty(&self) -> bool {
        self.counts() == [0; 3]
    }

    /// Returns the tickets of the calls whose deadline is before `time`.
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
        // The score of a poll decreases if its session is older than 10 minutes. The second session is an hour old, so
        // its score is less than 6, although its last poll was 20 s ago. The score of the first session is 10.
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
