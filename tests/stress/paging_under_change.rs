//! Tests reading while messages are deleted and added between any two requests. Each message that exists during the
//! whole reading arrives exactly once, and in order.

use std::collections::HashSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use blocks_sdk::{MessageRole, Watch, WatchCursor, types::Message};
use blocks_tests::{Deviation, Placed, ShiftingSession};
use proptest::prelude::*;
use serde_json::json;
use tokio::time::timeout;

/// The number of the first late message. A late message is added between older messages, not after the newest message.
const LATE: u128 = 1_000_000;

fn number(message: &Message) -> u128 {
    let id = message.id.as_ref().unwrap();
    id.to_uuid().unwrap().as_u128()
}

/// A change of the list of messages between two requests. `place` is a position in the list: 0 is the start, 500 is the
/// middle, and 1000 is the end.
#[derive(Clone, Debug)]
enum Change {
    Delete { place: usize, count: usize },
    Append { count: usize, ts: Ts },
    Late { place: usize },
}

#[derive(Clone, Copy, Debug)]
enum Ts {
    Own,
    Null,
    /// The message has the same time as the previous message.
    Equal,
}

#[derive(Clone, Debug)]
struct Case {
    messages: Vec<(Ts, bool)>,
    cap: Option<usize>,
    one_role_at_a_time: bool,
    descending: bool,
    /// For each request, the changes that are made before the request.
    changes: Vec<Vec<Change>>,
    restart: bool,
}

fn ts() -> impl Strategy<Value = Ts> {
    prop_oneof![2 => Just(Ts::Own), 1 => Just(Ts::Null), 1 => Just(Ts::Equal)]
}

fn change() -> impl Strategy<Value = Change> {
    prop_oneof![
        3 => (0..1000_usize, 1..4_usize).prop_map(|(place, count)| Change::Delete { place, count }),
        1 => (0..1000_usize, 1..200_usize).prop_map(|(place, count)| Change::Delete { place, count }),
        2 => (1..4_usize, ts()).prop_map(|(count, ts)| Change::Append { count, ts }),
        1 => (1..60_usize, ts()).prop_map(|(count, ts)| Change::Append { count, ts }),
        3 => (0..1000_usize).prop_map(|place| Change::Late { place }),
    ]
}

fn case() -> impl Strategy<Value = Case> {
    let message = || (ts(), any::<bool>());
    let messages = prop_oneof![
        12 => prop::collection::vec(message(), 0..50),
        1 => prop::collection::vec(message(), 0..400),
    ];
    let cap = prop_oneof![1 => Just(None), 6 => (1..25_usize).prop_map(Some)];
    let changes = prop::collection::vec(prop::collection::vec(change(), 0..4), 0..9);
    let flags = (any::<bool>(), any::<bool>(), any::<bool>());
    (messages, cap, flags, changes).prop_map(|(messages, cap, flags, changes)| Case {
        messages,
        cap,
        one_role_at_a_time: flags.0,
        descending: flags.1,
        restart: flags.2,
        changes,
    })
}

/// The service's list of messages, sorted by time and then by creation.
struct List {
    next: u128,
    next_late: u128,
    /// The number of each message, and the time by which it is sorted.
    times: Vec<(u128, f64)>,
    deleted: HashSet<u128>,
    roles: bool,
}

impl List {
    fn append(&mut self, all: &mut Vec<Placed>, ts: Ts, user: bool) {
        let number = self.next;
        self.next += 1;
        let own = number as f64;
        let before = self.times.last().map_or(own, |(_, time)| *time);
        let (time, ts) = match ts {
            Ts::Own => (own, Some(own)),
            Ts::Null => (own, None),
            Ts::Equal => (before, Some(before)),
        };
        self.times.push((number, time));
        all.push(self.message(number, ts, own, user));
    }

    fn message(&self, number: u128, ts: Option<f64>, created: f64, user: bool) -> Placed {
        let created = format_time(created);
        let role = if user && self.roles {
            "user"
        } else {
            "assistant"
        };
        Placed::with(number, role, &json!({"ts": ts, "created_at": created}))
    }

    fn change(&mut self, all: &mut Vec<Placed>, change: &Change) {
        match *change {
            Change::Append { count, ts } => {
                for n in 0..count {
                    self.append(all, ts, n.is_multiple_of(2));
                }
            }
            Change::Delete { place, count } => {
                let start = place * all.len() / 1000;
                let end = (start + count).min(all.len());
                self.deleted.extend(all.drain(start..end).map(|m| m.number));
                self.times.drain(start..end);
            }
            Change::Late { place } => {
                let Some((_, time)) = self.times.get(place * all.len() / 1000).copied() else {
                    return;
                };
                let number = LATE + self.next_late;
                self.next_late += 1;
                // The late message was created after the other messages with the same time, so it is placed after them.
                let index = self.times.partition_point(|(_, other)| *other <= time);
                let message = self.message(
                    number,
                    Some(time),
                    900_000.0 + number as f64,
                    number.is_multiple_of(2),
                );
                self.times.insert(index, (number, time));
                all.insert(index, message);
            }
        }
    }
}

/// Formats the time that is `seconds` after the start of 1970, in the format of the service.
fn format_time(seconds: f64) -> String {
    let seconds = seconds as u64;
    let (days, rest) = (seconds / 86_400, seconds % 86_400);
    let (hours, minutes) = (rest / 3_600, rest / 60 % 60);
    format!(
        "1970-01-{:02}T{hours:02}:{minutes:02}:{:02}Z",
        days + 1,
        rest % 60
    )
}

struct Setup {
    service: ShiftingSession,
    list: Arc<Mutex<List>>,
    initial: Vec<u128>,
    case: Case,
}

impl Setup {
    fn new(case: Case, roles: bool) -> Self {
        let mut list = List {
            next: 1,
            next_late: 0,
            times: Vec::new(),
            deleted: HashSet::new(),
            roles,
        };
        let mut messages = Vec::new();
        for (ts, user) in &case.messages {
            list.append(&mut messages, *ts, *user);
        }
        let initial = messages.iter().map(|m| m.number).collect();
        let service = ShiftingSession::new(messages).deviating(Deviation {
            cap: case.cap,
            one_role_at_a_time: case.one_role_at_a_time,
            ..Deviation::default()
        });
        let list = Arc::new(Mutex::new(list));
        for (request, changes) in case.changes.iter().cloned().enumerate() {
            let list = Arc::clone(&list);
            service.change_after(request + 1, move |all| {
                let mut list = list.lock().unwrap();
                changes.iter().for_each(|change| list.change(all, change));
            });
        }
        Self {
            service,
            list,
            initial,
            case,
        }
    }

    /// Returns the messages that existed during the whole test, in order.
    fn throughout(&self) -> Vec<u128> {
        let list = self.list.lock().unwrap();
        let kept = self.initial.iter().filter(|n| !list.deleted.contains(n));
        let mut kept: Vec<u128> = kept.copied().collect();
        if self.case.descending {
            kept.reverse();
        }
        kept
    }

    fn check(&self, read: &[u128]) -> Result<(), TestCaseError> {
        let expected = self.throughout();
        let wanted: HashSet<u128> = expected.iter().copied().collect();
        let kept: Vec<u128> = read
            .iter()
            .copied()
            .filter(|n| wanted.contains(n))
            .collect();
        prop_assert_eq!(kept, expected);
        let all: HashSet<u128> = read.iter().copied().collect();
        prop_assert_eq!(all.len(), read.len(), "a message arrives twice: {:?}", read);
        Ok(())
    }

    /// Checks that the messages arrived in the order of the list. Late messages are not checked. No added messages are
    /// checked if the newest messages come first, or if each role is requested separately.
    fn check_order(&self, read: &[u128]) -> Result<(), TestCaseError> {
        let initial_only = self.case.descending || self.case.one_role_at_a_time;
        let first_added = self.case.messages.len() as u128 + 1;
        let first_late = if initial_only { first_added } else { LATE };
        let mut in_order = read.iter().filter(|n| **n < first_late);
        let is_next = |a: &u128, b: &u128| if self.case.descending { a > b } else { a < b };
        let mut last = in_order.next();
        for n in in_order {
            prop_assert!(
                last.is_none_or(|last| is_next(last, n)),
                "{:?} before {}",
                last,
                n
            );
            last = Some(n);
        }
        Ok(())
    }
}

fn run<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .unwrap()
        .block_on(future)
}

async fn drain(watch: &mut Watch, quiet: Duration, read: &mut Vec<u128>) {
    while let Ok(Some(message)) = timeout(quiet, watch.next()).await {
        read.push(number(&message.unwrap()));
    }
}

async fn watch(setup: &Setup) -> Vec<u128> {
    let session = setup.service.session();
    let messages = || session.messages().all();
    let mut watch = messages().watch();
    let mut read = Vec::new();
    let mut restart = setup.case.restart;
    while setup.service.requests() <= setup.case.changes.len() + 2 {
        if let Ok(Some(message)) = timeout(Duration::from_secs(3), watch.next()).await {
            read.push(number(&message.unwrap()));
        }
        if restart && read.len() > 15 {
            restart = false;
            let stored = serde_json::to_string(&watch.cursor()).unwrap();
            let cursor: WatchCursor = serde_json::from_str(&stored).unwrap();
            watch = messages().watch().resume(cursor);
        }
    }
    drain(&mut watch, Duration::from_secs(5), &mut read).await;
    // If a message is deleted, and another message is added between older messages before the next poll, the last known
    // message can keep its position. Then the watch does not notice the change, and finds the added message only in a
    // later regular check. So this test changes the list once more, which makes the watch search immediately.
    setup.service.change(|all| {
        let mut list = setup.list.lock().unwrap();
        // Adds one late message of each role.
        list.change(all, &Change::Late { place: 0 });
        list.change(all, &Change::Late { place: 0 });
    });
    drain(&mut watch, Duration::from_secs(5), &mut read).await;
    read
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn streams_keep_what_exists_throughout(case in case()) {
        let setup = Setup::new(case, true);
        let mut messages = setup.service.session().messages().all();
        if setup.case.descending {
            messages = messages.newest_first(true);
        }
        let read: Vec<u128> = run(async {
            let mut stream = messages.stream();
            let mut read = Vec::new();
            while let Some(message) = stream.next().await {
                read.push(number(&message.unwrap()));
            }
            read
        });
        setup.check(&read)?;
        setup.check_order(&read)?;
    }

    #[test]
    fn collected_messages_keep_what_exists_throughout(case in case()) {
        let setup = Setup::new(case, true);
        let messages = setup.service.session().messages();
        let mut messages = messages.roles([MessageRole::User, MessageRole::Assistant]);
        if setup.case.descending {
            messages = messages.newest_first(true);
        }
        let read: Vec<u128> = run(messages.collect()).unwrap().iter().map(number).collect();
        setup.check(&read)?;
        setup.check_order(&read)?;
    }

    #[test]
    fn transcripts_keep_what_exists_throughout(mut case in case()) {
        case.descending = false;
        // No message is from a user. A first message from a user would become the prompt of the turn, and this test
        // reads only the steps.
        let setup = Setup::new(case, false);
        let transcript = run(setup.service.session().transcript()).unwrap();
        let steps = transcript.turns.iter().flat_map(|turn| &turn.steps);
        let read: Vec<u128> = steps.map(number).collect();
        setup.check(&read)?;
        setup.check_order(&read)?;
    }

    #[test]
    fn watches_keep_what_exists_and_find_what_arrives(mut case in case()) {
        case.descending = false;
        let setup = Setup::new(case, true);
        let read = run(watch(&setup));
        setup.check(&read)?;
        let list = setup.list.lock().unwrap();
        for (number, _) in &list.times {
            prop_assert!(read.contains(number), "{} is lost", number);
        }
        drop(list);
        if !setup.case.one_role_at_a_time {
            setup.check_order(&read)?;
        }
    }
}
