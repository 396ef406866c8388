//! Decides when a simulated policy may send a request. `Window` counts requests in a sliding window, like the rate
//! limiter of this crate, but is a separate implementation. `Spaced` sends requests at even intervals, like earlier
//! versions of this crate.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::time::Instant;

const WINDOW: Duration = Duration::from_millis(60_500);
const CAPACITY: usize = 99;
const SHARE: usize = CAPACITY / 5;
const POLL_BURST: usize = 3;
const SPACING: Duration = Duration::from_millis(625);
const BURST: u32 = 3;

pub enum Admission {
    /// Contains the time of each request in the window, and whether the request is a poll. Creates are sent without
    /// delay until the window contains `CAPACITY` requests, but leave a fifth of `CAPACITY` to polls if there are
    /// polls. Polls are sent at intervals, and use the part of `CAPACITY` that creates do not use.
    Window(VecDeque<(Instant, bool)>),
    /// Requests are sent at even intervals, with bursts of up to three requests. Contains the time at which the next
    /// request would be sent without a burst.
    Spaced(Instant),
}

impl Admission {
    pub fn window() -> Self {
        Self::Window(VecDeque::new())
    }

    pub fn spaced(start: Instant) -> Self {
        Self::Spaced(start)
    }

    /// Returns `now` if the request may be sent now, and otherwise the time at which to call this function again.
    pub fn next(&mut self, now: Instant, is_poll: bool, polls_wait: bool) -> Instant {
        let used = match self {
            Self::Spaced(spent_until) => return now.max(*spent_until - SPACING * (BURST - 1)),
            Self::Window(used) => used,
        };
        while used.front().is_some_and(|(at, _)| *at + WINDOW <= now) {
            used.pop_front();
        }
        if used.len() >= CAPACITY {
            return used[0].0 + WINDOW;
        }
        let polls = used.iter().filter(|(_, is_poll)| *is_poll).count();
        let calls = used.len() - polls;
        if !is_poll {
            let is_full = calls + polls.max(SHARE) >= CAPACITY;
            return match (polls_wait || polls > 0) && is_full {
                true => used[0].0 + WINDOW,
                false => now,
            };
        }
        // Polls that have used their share leave room for one request, so that the next create need not wait.
        if polls >= SHARE && used.len() + 1 >= CAPACITY {
            return used[0].0 + WINDOW;
        }
        let interval = WINDOW.div_f64((CAPACITY - 1 - calls).max(SHARE) as f64);
        let polls = used.iter().rev().filter(|(_, is_poll)| *is_poll);
        let after_polls = polls
            .skip(POLL_BURST - 1)
            .zip(1..)
            .map(|((at, _), n)| *at + interval * n);
        let Some(spaced) = after_polls.max() else {
            return now;
        };
        let call = used.iter().find(|(_, is_poll)| !is_poll);
        now.max(call.map_or(spaced, |(at, _)| spaced.min(*at + WINDOW)))
    }

    pub fn take(&mut self, now: Instant, is_poll: bool) {
        match self {
            Self::Spaced(spent_until) => *spent_until = (*spent_until).max(now) + SPACING,
            Self::Window(used) => used.push_back((now, is_poll)),
        }
    }
}
