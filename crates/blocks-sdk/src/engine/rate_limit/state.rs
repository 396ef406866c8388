//! Decides which waiter gets a permit at a given time. If no waiter gets a permit, decides when to check again. This
//! module has no clock and does not wait.
//!
//! A *slot* is one of the requests that the limit allows in a minute. If several processes share the limit, they take
//! their slots from the *store* of the shared limit.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::time::Instant;

use super::RateLimit;
use super::adaptive::AdaptiveRate;
use super::queue::{Candidates, Priority, Queue};
use super::slots::{Slots, Use};
use super::store::{SlotPurpose, SlotRequest, SlotResponse};
use super::store_requests::StoreRequests;

/// After this many permits for higher priorities, a waiter of a lower priority comes first.
const PASSED_OVER: u32 = 4;
/// A time-out that is longer than any program runs.
const FOREVER: Duration = Duration::from_secs(30 * 365 * 86_400);

/// Returns the point in time `duration` after `now`. A duration of more than 30 years counts as 30 years, because the
/// sum of `now` and a very long duration could overflow.
pub(crate) fn after(now: Instant, duration: Duration) -> Instant {
    now + duration.min(FOREVER)
}

/// The next time at which a permit can be granted, unless another event happens before, such as a new request.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Next {
    /// The ticket of the waiter that is expected to get the next permit.
    pub ticket: u64,
    /// The time at which to check again whether a permit can be granted.
    pub at: Instant,
}

/// The state of the probe. The client may shorten a pause that the service asked for. Then the first request after the
/// pause is the *probe*, which tests whether the service still responds with 429.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Probe {
    None,
    /// The next request that gets a permit is the probe.
    Due,
    /// The request with this slot is the probe, the first request after a pause that was cut short. All other requests
    /// wait for the result of the probe.
    Sent(u64),
}

/// The state of the rate limiter of one API key.
#[derive(Debug)]
pub(super) struct State {
    limit: RateLimit,
    pub slots: Slots,
    pub rate: AdaptiveRate,
    pub queue: Queue,
    /// A map from the ticket of a waiter to the slot of its permit. Contains the permits that were granted, but that
    /// the future of the waiter has not yet picked up.
    granted: BTreeMap<u64, u64>,
    next_ticket: u64,
    probe: Probe,
    /// The number of permits that interactive calls got while a create waited. It is set to zero when a create gets a
    /// permit, and when another waiter gets a permit while no create waits.
    creates_passed_over: u32,
    /// The number of permits that calls got while a due poll waited. It is set to zero when a poll gets a permit, and
    /// when another waiter gets a permit while no poll is due.
    polls_passed_over: u32,
    /// The requests to the store of the shared limit; `None` if this process does not share its limit.
    pub store_requests: Option<StoreRequests>,
}

/// The decision whether to send a request to the store of the shared limit.
#[derive(Debug, PartialEq)]
pub(super) enum NextRequest {
    /// No request is needed until another event happens, such as a response of the store.
    Nothing,
    /// Send a request now. The value is the ticket of the waiter that is expected to get a slot.
    Now(u64),
    Later(Next),
}

impl State {
    pub fn new(limit: RateLimit, now: Instant) -> Self {
        Self {
            slots: Slots::new(limit.capacity()),
            limit,
            rate: AdaptiveRate::new(now),
            queue: Queue::default(),
            granted: BTreeMap::new(),
            next_ticket: 0,
            probe: Probe::None,
            creates_passed_over: 0,
            polls_passed_over: 0,
            store_requests: None,
        }
    }

    /// Returns whether this process requests its slots from the store at `now`, instead of counting slots in its own
    /// log.
    pub fn uses_store(&self, now: Instant) -> bool {
        self.store_requests
            .as_ref()
            .is_some_and(|requests| requests.is_in_use(now))
    }

    /// Returns a new ticket, which is the number of a waiter.
    pub fn ticket(&mut self) -> u64 {
        self.next_ticket += 1;
        self.next_ticket
    }

    /// Grants a permit if the request is due, no other request waits, no probe is running and a slot is free. Returns
    /// the slot.
    pub fn grant_directly(&mut self, now: Instant, priority: Priority) -> Option<u64> {
        if !self.queue.is_empty() || priority.ready_at(now) > now || self.is_probing() {
            return None;
        }
        let slot = self.slots.take(now, use_of(priority), false).ok()?;
        self.start_probe(slot);
        Some(slot)
    }

    /// Grants every permit that can be granted at `now`, and adds the tickets to `granted`. Returns when the next
    /// permit can be granted, or `None` if no waiter is left or all waiters wait for the response to a probe.
    pub fn advance(&mut self, now: Instant, granted: &mut Vec<u64>) -> Option<Next> {
        loop {
            match self.next(now) {
                Ok((ticket, slot)) => {
                    self.grant(ticket, slot);
                    granted.push(ticket);
                }
                Err(next) => return next,
            }
        }
    }

    /// Returns whether to send a request to the store now, later, or only after another event.
    pub fn next_request(&self, now: Instant) -> NextRequest {
        let Some(store_requests) = &self.store_requests else {
            return NextRequest::Nothing;
        };
        if self.queue.is_empty() || self.is_probing() || store_requests.is_running(now) {
            return NextRequest::Nothing;
        }
        let all = self.queue.candidates(now);
        let later = all.later_poll.map(|(ticket, at)| Next { ticket, at });
        let Some((first, _)) = self.in_order(&all).into_iter().flatten().next() else {
            return later.map_or(NextRequest::Nothing, NextRequest::Later);
        };
        let purposes = self.demands(&all).map(|(_, purpose)| purpose);
        let again = store_requests
            .again(purposes, now)
            .max(self.slots.paused_until(now));
        match again.map(|at| Next { ticket: first, at }) {
            None => NextRequest::Now(first),
            Some(next) => {
                NextRequest::Later(later.filter(|later| later.at < next.at).unwrap_or(next))
            }
        }
    }

    /// Returns whether the store of the shared limit could grant a slot to a new waiter before `time`. Returns false if
    /// the store has asked requests for slots of this purpose to wait until `time` or later, or if the new waiter is a
    /// poll that is due at `time` or later.
    pub fn could_get_slot(&self, priority: Priority, time: Instant, now: Instant) -> bool {
        let purpose = match priority {
            Priority::Interactive => SlotPurpose::Interactive,
            Priority::Create => SlotPurpose::Create,
            Priority::Poll(poll) if poll.is_urgent(now) => SlotPurpose::UrgentPoll,
            Priority::Poll(_) => SlotPurpose::Poll,
        };
        let again = self
            .store_requests
            .as_ref()
            .and_then(|requests| requests.again([purpose], now));
        priority.ready_at(now).max(again.unwrap_or(now)) < time
    }

    /// Creates a request to the store, and records that the request runs. Returns the number of the request, and the
    /// request, which the caller must send.
    pub fn start_request(&mut self, now: Instant) -> Option<(u64, SlotRequest)> {
        let all = self.queue.candidates(now);
        let demands: Vec<_> = self.demands(&all).collect();
        let mut request = SlotRequest::new(0, self.slots.capacity());
        request.spreads_calls = self.slots.spreads_calls();
        for (ticket, purpose) in &demands {
            let (waited, weight) = self.queue.waited(*ticket, now);
            request = request.demand(*purpose, waited, weight);
        }
        let store_requests = self.store_requests.as_mut()?;
        request.process = store_requests.process;
        Some((store_requests.start(now, demands), request))
    }

    /// Returns the ticket and the purpose of each candidate that could use a slot now, in the order of precedence.
    fn demands(&self, all: &Candidates) -> impl Iterator<Item = (u64, SlotPurpose)> + use<> {
        let purpose = |(ticket, what): (u64, Use)| {
            let purpose = match what {
                Use::Call if all.interactive == Some(ticket) => SlotPurpose::Interactive,
                Use::Call => SlotPurpose::Create,
                Use::Poll => SlotPurpose::Poll,
                Use::UrgentPoll => SlotPurpose::UrgentPoll,
            };
            (ticket, purpose)
        };
        let mut demands: Vec<(u64, SlotPurpose)> = Vec::new();
        for demand in self.in_order(all).into_iter().flatten().map(purpose) {
            // `in_order` returns a waiter twice if requests with a higher priority got too many permits before this
            // waiter: at the start, and at its usual position.
            if !demands.contains(&demand) {
                demands.push(demand);
            }
        }
        demands.into_iter()
    }

    /// Handles the store's response to request `number`. If the store granted a slot, a waiter gets a permit for the
    /// slot. If no waiter needs the slot, or if another request has replaced request `number`, the result contains the
    /// slot to give back to the store.
    pub fn store_responded(
        &mut self,
        number: u64,
        response: SlotResponse,
        now: Instant,
    ) -> StoreResult {
        let waiters = self
            .store_requests
            .as_mut()
            .and_then(|requests| requests.end(number));
        let (demand, slot) = match (response, &waiters) {
            (SlotResponse::Taken { demand, slot }, Some(waiters)) => {
                (waiters.get(demand).copied(), slot)
            }
            // This request took so long that another request has replaced it.
            (SlotResponse::Taken { slot, .. }, None) => return StoreResult::GiveBack(slot),
            (SlotResponse::Wait { again, is_paused }, Some(waiters)) => {
                let at = after(now, again);
                if is_paused {
                    self.slots.pause(at);
                }
                if let Some(store_requests) = &mut self.store_requests {
                    store_requests.wait(at, waiters);
                }
                return StoreResult::Wait { is_paused };
            }
            (SlotResponse::Wait { .. }, None) => return StoreResult::Ignored,
        };
        let all = self.queue.candidates(now);
        let is_waiting = |(ticket, _): &(u64, SlotPurpose)| self.queue.contains(*ticket);
        // The waiter that demanded the slot may have left the queue. Then the next waiter gets the slot.
        let demand = demand
            .filter(is_waiting)
            .or_else(|| self.demands(&all).next());
        let Some((ticket, purpose)) = demand else {
            return StoreResult::GiveBack(slot);
        };
        self.count(ticket, &all);
        let number = self.slots.push(now, Use::from(purpose));
        if let Some(store_requests) = &mut self.store_requests {
            store_requests.record_slot(number, slot, self.slots.first_number());
        }
        self.grant(ticket, number);
        StoreResult::Granted(ticket)
    }

    fn grant(&mut self, ticket: u64, slot: u64) {
        self.queue.remove(ticket);
        self.granted.insert(ticket, slot);
        self.start_probe(slot);
    }

    fn next(&mut self, now: Instant) -> Result<(u64, u64), Option<Next>> {
        if self.queue.is_empty() || self.is_probing() {
            return Err(None);
        }
        let all = self.queue.candidates(now);
        let mut next = all.later_poll.map(|(ticket, at)| Next { ticket, at });
        let polls_wait = all.poll.is_some();
        for (ticket, what) in self.in_order(&all).into_iter().flatten() {
            match self.slots.take(now, what, polls_wait) {
                Ok(slot) => {
                    self.count(ticket, &all);
                    return Ok((ticket, slot));
                }
                Err(at) if next.is_none_or(|next| at < next.at) => {
                    next = Some(Next { ticket, at });
                }
                Err(_) => {}
            }
        }
        Err(next)
    }

    /// Returns the candidates in the order in which they may take a slot.
    fn in_order(&self, all: &Candidates) -> [Option<(u64, Use)>; 6] {
        let call = |ticket: Option<u64>| ticket.map(|ticket| (ticket, Use::Call));
        let poll = all.poll.map(|ticket| (ticket, Use::Poll));
        let overdue_poll = poll.filter(|_| self.polls_passed_over >= PASSED_OVER);
        let overdue_create = all
            .create
            .filter(|_| self.creates_passed_over >= PASSED_OVER);
        [
            overdue_poll,
            call(overdue_create),
            call(all.interactive),
            all.urgent_poll.map(|ticket| (ticket, Use::UrgentPoll)),
            call(all.create),
            poll,
        ]
    }

    fn count(&mut self, ticket: u64, all: &Candidates) {
        let is_interactive = all.interactive == Some(ticket);
        let is_create = all.create == Some(ticket);
        self.creates_passed_over = match all.create {
            Some(_) if !is_create => self.creates_passed_over + u32::from(is_interactive),
            _ => 0,
        };
        self.polls_passed_over = match all.poll {
            Some(_) if is_interactive || is_create => self.polls_passed_over + 1,
            _ => 0,
        };
    }

    /// Returns whether a slot for a new waiter could become free before `time`. This function ignores the other
    /// waiters, because a check of thousands of waiters would take too long.
    pub fn is_of_use_before(&mut self, time: Instant, priority: Priority, now: Instant) -> bool {
        let ready_at = priority.ready_at(now);
        let what = match priority {
            Priority::Poll(poll) if poll.is_urgent(now) => Use::UrgentPoll,
            _ => use_of(priority),
        };
        let is_free = |slots: &mut Slots| match slots.check(now, what, false, 0) {
            Ok(()) => true,
            Err(at) => at < time,
        };
        ready_at < time && is_free(&mut self.slots)
    }

    /// Removes the waiter's permit from `granted`, and returns the slot of the permit. Returns `None` if no permit was
    /// granted.
    pub fn pick_up(&mut self, ticket: u64) -> Option<u64> {
        self.granted.remove(&ticket)
    }

    /// Removes a waiter from the queue. If the waiter has a permit, another waiter can use the slot of the permit. If
    /// the slot is from the store, returns the store's number of the slot. The caller must then give the slot back to
    /// the store.
    pub fn cancel(&mut self, ticket: u64) -> Option<u64> {
        self.queue.remove(ticket);
        let slot = self.granted.remove(&ticket)?;
        self.give_back(slot)
    }

    /// Gives back a slot in which nothing was sent. If the slot is from the store, returns the store's number of the
    /// slot. The caller must then give the slot back to the store.
    pub fn give_back(&mut self, slot: u64) -> Option<u64> {
        self.slots.give_back(slot);
        self.end_probe(slot);
        self.store_requests.as_mut()?.give_back(slot)
    }

    /// Records that the request with this slot has ended. If this request is the probe and got no response, the next
    /// request becomes the probe.
    pub fn end_probe(&mut self, slot: u64) {
        if self.probe == Probe::Sent(slot) {
            self.probe = Probe::Due;
        }
    }

    fn start_probe(&mut self, slot: u64) {
        if self.probe == Probe::Due {
            self.probe = Probe::Sent(slot);
        }
    }

    pub fn is_probe(&self, slot: u64) -> bool {
        self.probe == Probe::Sent(slot)
    }

    pub fn is_probing(&self) -> bool {
        matches!(self.probe, Probe::Sent(_))
    }

    /// Records a response that was not a 429. Returns whether the rate changed.
    pub fn responded(&mut self, now: Instant) -> bool {
        if !self.is_paused(now) {
            self.probe = Probe::None;
        }
        let changed = self.rate.responded(now);
        if changed {
            self.apply_rate();
        }
        changed
    }

    /// Records a 429. Returns the end of the pause.
    pub fn refused(
        &mut self,
        now: Instant,
        asked: Option<Duration>,
        longest: Duration,
        random: f64,
    ) -> Instant {
        let paused = self.is_paused(now);
        let pause = self.rate.refused(now, asked, paused, random);
        self.apply_rate();
        self.pause(now, pause, longest)
    }

    /// Stops granting permits for the duration `pause`, at most for `longest`. After a shortened pause, one request
    /// tests whether the service still asks for a pause. Returns the end of the pause.
    pub fn pause(&mut self, now: Instant, pause: Duration, longest: Duration) -> Instant {
        if pause > longest {
            self.probe = Probe::Due;
        } else if !self.is_paused(now) {
            self.probe = Probe::None;
        }
        self.slots.pause(after(now, pause.min(longest)));
        self.slots.paused_until(now).unwrap_or(now)
    }

    fn is_paused(&self, now: Instant) -> bool {
        self.slots.paused_until(now).is_some()
    }

    fn apply_rate(&mut self) {
        let share = self.rate.share();
        let capacity = (self.limit.capacity() as f64 * share) as usize;
        // A share below 1 is the effect of a 429: other programs probably use the rest of the limit. Calls are then
        // spread evenly, like polls, so that calls do not use all free slots in one burst.
        self.slots.set_capacity(capacity, share < 1.0);
    }
}

/// The result of handling a response of the store.
#[derive(Debug, PartialEq)]
pub(super) enum StoreResult {
    /// The waiter with this ticket has a permit.
    Granted(u64),
    /// This slot was not used, so it must be given back to the store.
    GiveBack(u64),
    Wait {
        is_paused: bool,
    },
    /// The response belongs to a request that a newer request has replaced, so the response is ignored.
    Ignored,
}

fn use_of(priority: Priority) -> Use {
    match priority {
        Priority::Interactive | Priority::Create => Use::Call,
        Priority::Poll(_) => Use::Poll,
    }
}

#[cfg(test)]
mod tests {
    use super::super::queue::PollSchedule;
    use super::super::slots::WINDOW;
    use super::*;
    use proptest::prelude::*;

    fn state(limit: u32) -> (State, Instant) {
        let start = Instant::now();
        let state = State::new(RateLimit::per_minute(limit).unwrap(), start);
        (state, start)
    }

    fn poll_at(now: Instant) -> Priority {
        Priority::Poll(PollSchedule {
            started: now,
            last_poll: now,
            ready_at: now,
            first_before: None,
        })
    }

    fn add(state: &mut State, priority: Priority) -> u64 {
        let ticket = state.ticket();
        state.queue.insert(ticket, priority, Instant::now(), None);
        ticket
    }

    fn advance(state: &mut State, now: Instant) -> (Vec<u64>, Option<Next>) {
        let mut granted = Vec::new();
        let next = state.advance(now, &mut granted);
        (granted, next)
    }

    #[test]
    fn calls_come_before_creates_before_polls() {
        let (mut state, start) = state(100);
        let poll = add(&mut state, poll_at(start));
        let creates = [(); 2].map(|()| add(&mut state, Priority::Create));
        let call = add(&mut state, Priority::Interactive);
        let expected = vec![call, creates[0], creates[1], poll];
        assert_eq!(advance(&mut state, start), (expected, None));
    }

    #[test]
    fn no_class_waits_for_ever_behind_another() {
        let (mut state, start) = state(3);
        let create = add(&mut state, Priority::Create);
        let poll = add(&mut state, poll_at(start));
        let calls: Vec<u64> = (0..20)
            .map(|_| add(&mut state, Priority::Interactive))
            .collect();
        let mut now = start;
        let mut order = Vec::new();
        while let (granted, Some(next)) = advance(&mut state, now) {
            order.extend(granted);
            now = next.at;
        }
        assert_eq!(order[..4], calls[..4]);
        assert_eq!(order[4..6], [poll, create]);
        assert_eq!(order[6..], calls[4..19], "the last one needs no wait");
    }

    #[test]
    fn polls_get_one_in_five_while_creates_queue() {
        let (mut state, start) = state(100);
        for _ in 0..1000 {
            add(&mut state, Priority::Create);
        }
        let mut polls = 0;
        let mut poll = add(&mut state, poll_at(start));
        let mut now = start;
        for _ in 0..40_000 {
            let (granted, Some(next)) = advance(&mut state, now) else {
                break;
            };
            if granted.contains(&poll) {
                polls += 1;
                poll = add(&mut state, poll_at(now));
            }
            now = next.at.min(now + Duration::from_millis(10));
            if now > start + WINDOW * 5 {
                break;
            }
        }
        assert!((94..=96).contains(&polls), "{polls} in five windows");
    }

    #[test]
    fn a_shortened_pause_is_probed_until_a_response() {
        let (mut state, start) = state(100);
        let (hour, minute) = (Duration::from_secs(3600), Duration::from_secs(60));
        let until = state.refused(start, Some(hour), minute, 0.5);
        assert_eq!(until, start + minute);
        let [first, second] = [(); 2].map(|()| add(&mut state, Priority::Create));
        assert_eq!(advance(&mut state, until), (vec![first], None));
        let slot = state.pick_up(first).unwrap();
        // The first request ends without a response, so the next request is the probe.
        state.end_probe(slot);
        let soon = until + Duration::from_secs(1);
        assert_eq!(advance(&mut state, soon), (vec![second], None));
        add(&mut state, Priority::Create);
        assert_eq!(advance(&mut state, soon + WINDOW), (vec![], None));
        state.responded(soon + WINDOW);
        assert_eq!(advance(&mut state, soon + WINDOW).0.len(), 1);
    }

    #[test]
    fn what_is_cancelled_is_free_for_another() {
        let (mut state, start) = state(1);
        let [first, second] = [(); 2].map(|()| add(&mut state, Priority::Create));
        assert_eq!(advance(&mut state, start).0, [first]);
        state.cancel(first);
        assert_eq!(advance(&mut state, start).0, [second]);
        assert_eq!(state.pick_up(first), None);
        assert!(state.pick_up(second).is_some());
    }

    #[test]
    fn a_time_beyond_every_clock_is_no_overflow() {
        let now = Instant::now();
        assert_eq!(after(now, Duration::MAX), now + FOREVER);
        let (mut state, start) = state(1);
        let until = state.refused(start, Some(Duration::MAX), Duration::MAX, 0.5);
        assert_eq!(until, start + FOREVER);
    }

    proptest! {
        /// Checks random sequences of events. Each waiter that is not cancelled must get exactly one permit, and no
        /// window may have more permits than the limit.
        #[test]
        fn every_waiter_gets_one_permit(
            limit in 1..40_u32,
            steps in prop::collection::vec((0..8_u8, 0..30_000_u64), 1..200),
        ) {
            let (mut state, start) = state(limit);
            let mut now = start;
            let mut waiting = std::collections::BTreeSet::new();
            let mut times = Vec::new();
            let mut slots = std::collections::BTreeSet::new();
            for (what, millis) in steps {
                now += Duration::from_millis(millis);
                let priority = match what {
                    0 => Some(Priority::Interactive),
                    1 | 2 => Some(Priority::Create),
                    3 | 4 => Some(poll_at(now)),
                    _ => None,
                };
                if let Some(priority) = priority {
                    waiting.insert(add(&mut state, priority));
                } else if what == 5 && let Some(ticket) = waiting.pop_last() {
                    state.cancel(ticket);
                } else if what == 6 {
                    let pause = Duration::from_millis(millis);
                    state.refused(now, Some(pause), pause / 2 + Duration::from_secs(1), 0.5);
                } else {
                    state.responded(now);
                }
                let (granted, _) = advance(&mut state, now);
                for ticket in granted {
                    prop_assert!(waiting.remove(&ticket), "granted twice or cancelled");
                    let slot = state.pick_up(ticket).unwrap();
                    prop_assert!(slots.insert(slot), "one slot for two");
                    times.push(now);
                    state.end_probe(slot);
                }
            }
            let mut idle = 0;
            while !waiting.is_empty() && idle < 1000 {
                let (granted, next) = advance(&mut state, now);
                for ticket in granted {
                    prop_assert!(waiting.remove(&ticket));
                    let slot = state.pick_up(ticket).unwrap();
                    state.end_probe(slot);
                    times.push(now);
                }
                idle += 1;
                if let Some(next) = next {
                    prop_assert!(next.at > now);
                    now = next.at;
                }
            }
            prop_assert!(waiting.is_empty(), "{waiting:?} wait for ever");
            for (n, first) in times.iter().enumerate() {
                let window = times[n..].iter().take_while(|t| **t < *first + WINDOW);
                prop_assert!(window.count() <= limit as usize);
            }
        }
    }
}
