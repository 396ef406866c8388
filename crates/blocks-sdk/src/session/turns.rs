//! Tracks which turn of a session is the latest. A follow-up interrupts the turn in progress, and a wait for the
//! interrupted turn ends.
//!
//! The order of the responses can differ from the order in which the requests took effect. Turn B is later than turn A
//! if the request of B was sent after the response of A was received. If the two requests overlapped, the creation
//! times of the turns show which turn is later.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use blocks_api::open::Id;
use chrono::{DateTime, Utc};
use tokio::sync::Notify;

use crate::engine::pending::Pending;

/// The turns of one session that this client and its clones know.
#[derive(Default)]
pub(crate) struct LatestTurn {
    known: Mutex<KnownTurns>,
    changed: Notify,
}

#[derive(Default)]
struct KnownTurns {
    /// A logical clock, which counts the requests that were sent and the responses that arrived.
    clock: u64,
    turns: Vec<KnownTurn>,
}

struct KnownTurn {
    thread: Option<Id>,
    /// The link to the reply if the id of the thread is unknown. This link identifies the turn instead of the thread.
    href: Option<Box<str>>,
    /// The clock value when this client sent the follow-up that started the turn; zero if this client sent no such
    /// follow-up, for example because a create started the turn.
    sent: u64,
    /// The clock value when this client received the response to this follow-up, or the follow-up failed. If `sent` is
    /// zero, this is the clock value when the client added the turn, for example because a message of its thread was
    /// read.
    known: u64,
    created_at: Option<DateTime<Utc>>,
    /// Whether the turn certainly exists. A follow-up with an unknown outcome may have started no turn.
    is_certain: bool,
}

/// Whether a turn is the latest turn of its session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TurnState {
    Latest,
    /// A later turn exists.
    Interrupted,
    /// Another turn may be later. The creation times that the service reports can show which turn is later.
    Unknown,
}

impl KnownTurn {
    /// Returns whether this turn interrupts the turn `other` of the same session: `Interrupted` if it does, `Latest` if
    /// it does not, and `Unknown` if the order is unknown or this turn may not exist. Each turn has its own thread, so
    /// two entries with the same thread are the same turn.
    fn interrupts(&self, other: &Self) -> TurnState {
        let is_same_thread = self.thread.is_some() && self.thread == other.thread;
        // Two tasks that resume the same pending reply at the same time can add its turn twice.
        let is_same_link =
            self.href.is_some() && self.href == other.href && self.sent == 0 && other.sent == 0;
        let is_same = is_same_thread || is_same_link;
        let is_earlier = self.known < other.sent;
        if is_same || is_earlier {
            return TurnState::Latest;
        }
        let is_later = other.known < self.sent;
        match (self.created_at, other.created_at) {
            _ if is_later && self.is_certain => TurnState::Interrupted,
            _ if is_later => TurnState::Unknown,
            (Some(own), Some(others)) if own > others => TurnState::Interrupted,
            (Some(own), Some(others)) if own < others => TurnState::Latest,
            _ => TurnState::Unknown,
        }
    }
}

impl LatestTurn {
    fn known(&self) -> MutexGuard<'_, KnownTurns> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Records that a follow-up is being sent. Returns the clock value, which identifies the follow-up in
    /// [`accepted`](Self::accepted) and [`unknown_outcome`](Self::unknown_outcome).
    pub fn sending(&self) -> u64 {
        let mut known = self.known();
        known.clock += 1;
        known.clock
    }

    /// Records a follow-up that the service accepted. `sent` is the result of [`sending`](Self::sending). Returns the
    /// turn's number, which is its index in the list of known turns.
    pub fn accepted(
        &self,
        sent: u64,
        pending: Option<&Pending>,
        created_at: Option<DateTime<Utc>>,
    ) -> usize {
        let thread = pending.and_then(Pending::thread_id).cloned();
        let href = pending.filter(|_| thread.is_none());
        self.add(KnownTurn {
            thread,
            href: href.map(|pending| pending.href().into()),
            sent,
            known: 0,
            created_at,
            is_certain: true,
        })
    }

    /// Records a follow-up with an unknown outcome. `sent` is the result of [`sending`](Self::sending).
    pub fn unknown_outcome(&self, sent: u64) {
        self.add(KnownTurn {
            thread: None,
            href: None,
            sent,
            known: 0,
            created_at: None,
            is_certain: false,
        });
    }

    /// Adds a turn, and sets its clock value `known`. Returns the turn's number.
    fn add(&self, mut turn: KnownTurn) -> usize {
        let number = {
            let mut known = self.known();
            known.clock += 1;
            turn.known = known.clock;
            // Reserves space for only one turn at first, and later doubles the space. Most sessions have one turn, and
            // thousands of waits may exist, but `Vec` would first reserve space for four turns.
            let more = known.turns.len().max(1);
            if known.turns.len() == known.turns.capacity() {
                known.turns.reserve_exact(more);
            }
            known.turns.push(turn);
            known.turns.len() - 1
        };
        self.changed.notify_waiters();
        number
    }

    /// Returns the number of the turn of a pending reply. Adds the turn if this client does not know the turn yet, for
    /// example because another process started the turn.
    pub fn number_of(&self, pending: &Pending, created_at: Option<DateTime<Utc>>) -> usize {
        if let Some(thread) = pending.thread_id() {
            return self.number(thread, created_at);
        }
        let href = Some(pending.href());
        // Several turns may have the same link. Then the newest of them counts, because no later turn has interrupted
        // it. Each poll of the link finds the reply of this turn.
        let place = self
            .known()
            .turns
            .iter()
            .rposition(|turn| turn.href.as_deref() == href);
        place.unwrap_or_else(|| self.accepted(0, Some(pending), created_at))
    }

    /// Returns the number of the turn whose messages are in `thread`. Adds the turn if this client does not know the
    /// turn yet.
    pub fn number(&self, thread: &Id, created_at: Option<DateTime<Utc>>) -> usize {
        {
            let mut known = self.known();
            let mut turns = known.turns.iter_mut().enumerate();
            if let Some((number, turn)) =
                turns.find(|(_, turn)| turn.thread.as_ref() == Some(thread))
            {
                turn.created_at = turn.created_at.or(created_at);
                return number;
            }
        }
        self.add(KnownTurn {
            thread: Some(thread.clone()),
            href: None,
            sent: 0,
            known: 0,
            created_at,
            is_certain: true,
        })
    }

    /// Records when the service created the turns of these threads.
    pub fn learn(&self, prompts: impl IntoIterator<Item = (Id, DateTime<Utc>)>) {
        for (thread, created_at) in prompts {
            let number = self.number(&thread, Some(created_at));
            self.known().turns[number].created_at = Some(created_at);
        }
    }

    /// Returns the number of known turns, which increases whenever a turn is added.
    pub fn version(&self) -> usize {
        self.known().turns.len()
    }

    /// Returns the state of the turn with this number (its index in the list of known turns).
    pub fn state(&self, number: usize) -> TurnState {
        let known = self.known();
        let own = &known.turns[number];
        let others = known.turns.iter().enumerate();
        let states: Vec<TurnState> = others
            .filter(|(other, _)| *other != number)
            .map(|(_, other)| other.interrupts(own))
            .collect();
        [TurnState::Interrupted, TurnState::Unknown]
            .into_iter()
            .find(|state| states.contains(state))
            .unwrap_or(TurnState::Latest)
    }

    /// Waits until the number of known turns is greater than `version`, an earlier result of [`Self::version`].
    pub async fn changed(&self, version: usize) {
        loop {
            // The notification is registered before the version is read. Otherwise a turn that is added between the two
            // steps would be missed.
            let changed = self.changed.notified();
            if self.version() > version {
                return;
            }
            changed.await;
        }
    }
}

impl fmt::Debug for LatestTurn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} turns", self.version())
    }
}

/// A map from session id to the known turns of the session. A session is removed some time after the program has
/// dropped all handles of the session, such as `Turn` values.
#[derive(Default)]
pub(crate) struct TurnRegistry(Mutex<Sessions>);

#[derive(Default)]
struct Sessions {
    turns: HashMap<Id, Weak<LatestTurn>>,
    /// When the map has this many sessions, the sessions without a handle are removed.
    sweep_at: usize,
}

impl TurnRegistry {
    /// Returns the known turns of a session.
    pub fn of(&self, session: &Id) -> Arc<LatestTurn> {
        let mut sessions = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(turns) = sessions.turns.get(session).and_then(Weak::upgrade) {
            return turns;
        }
        if sessions.turns.len() >= sessions.sweep_at {
            sessions.turns.retain(|_, turns| turns.strong_count() > 0);
            sessions.sweep_at = 2 * sessions.turns.len().max(32);
        }
        let turns = Arc::new(LatestTurn::default());
        sessions
            .turns
            .insert(session.clone(), Arc::downgrade(&turns));
        turns
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Option<DateTime<Utc>> {
        DateTime::from_timestamp(seconds, 0)
    }

    fn id(name: &str) -> Id {
        Id::from_service(name).unwrap()
    }

    fn turn(thread: &str) -> Pending {
        Pending::new(id("session"), id(thread))
    }

    #[test]
    fn a_turn_without_a_thread_is_added_once() {
        let turns = LatestTurn::default();
        let pending = Pending::at(id("session"), None, "/rest/v1/reply");
        let first = turns.number_of(&pending, at(1));
        assert_eq!(turns.number_of(&pending, None), first);
        assert_eq!(turns.version(), 1);
        // A handle of the follow-up, whose link is the same, is not interrupted by the follow-up itself.
        let second = turns.accepted(turns.sending(), Some(&pending), at(2));
        assert_eq!(turns.number_of(&pending, at(1)), second);
        assert_eq!(turns.state(second), TurnState::Latest);
        assert_eq!(turns.state(first), TurnState::Interrupted);
    }

    #[test]
    fn a_follow_up_interrupts_what_was_known_before_it() {
        let turns = LatestTurn::default();
        let first = turns.number(&id("a"), None);
        assert_eq!(turns.state(first), TurnState::Latest);
        let sent = turns.sending();
        assert_eq!(turns.state(first), TurnState::Latest, "it may be rejected");
        let second = turns.accepted(sent, None, None);
        assert_eq!(turns.state(first), TurnState::Interrupted);
        assert_eq!(turns.state(second), TurnState::Latest);
        assert_eq!(turns.number(&id("a"), at(9)), first);
    }

    #[test]
    fn overlapping_follow_ups_go_by_their_creation() {
        let turns = LatestTurn::default();
        let (a, b) = (turns.sending(), turns.sending());
        let second = turns.accepted(b, Some(&turn("b")), at(2));
        let first = turns.accepted(a, Some(&turn("a")), at(1));
        assert_eq!(turns.state(first), TurnState::Interrupted);
        assert_eq!(turns.state(second), TurnState::Latest);
    }

    #[test]
    fn overlapping_follow_ups_of_one_time_are_unknown() {
        let turns = LatestTurn::default();
        let (a, b) = (turns.sending(), turns.sending());
        let second = turns.accepted(b, Some(&turn("b")), at(1));
        let first = turns.accepted(a, Some(&turn("a")), at(1));
        for number in [first, second] {
            assert_eq!(turns.state(number), TurnState::Unknown);
        }
        turns.learn([(id("a"), at(1).unwrap()), (id("b"), at(2).unwrap())]);
        assert_eq!(turns.state(first), TurnState::Interrupted);
        assert_eq!(turns.state(second), TurnState::Latest);
    }

    #[test]
    fn an_unknown_outcome_interrupts_when_the_service_says_so() {
        let turns = LatestTurn::default();
        let first = turns.number(&id("a"), at(1));
        let sent = turns.sending();
        turns.unknown_outcome(sent);
        assert_eq!(turns.state(first), TurnState::Unknown);
        turns.learn([(id("a"), at(1).unwrap()), (id("b"), at(2).unwrap())]);
        assert_eq!(turns.state(first), TurnState::Interrupted);
    }

    #[test]
    fn sessions_without_a_handle_are_removed() {
        let registry = TurnRegistry::default();
        let kept = registry.of(&id("kept"));
        for n in 0..1000 {
            registry.of(&id(&n.to_string()));
        }
        assert!(registry.0.lock().unwrap().turns.len() < 100);
        assert!(Arc::ptr_eq(&kept, &registry.of(&id("kept"))));
    }
}
