//! Reading loses nothing and repeats nothing, while pages shift underneath.

use std::time::Duration;

use blocks_sdk::{MessageRole, types::Message};
use blocks_tests::{Answer, SESSION, Scripted, World, page};
use futures_util::StreamExt;
use proptest::prelude::*;
use serde_json::{Value, json};
use tokio::time::{Instant, timeout};

fn number(message: &Message) -> u128 {
    message.id.as_ref().unwrap().to_uuid().unwrap().as_u128()
}

/// Messages 1 to `n`, a second apart.
fn many(n: u128) -> Vec<Value> {
    let message = |i| World::message(i, Some(i as f64), "assistant");
    (1..=n).map(message).collect()
}

async fn all(world: &World) -> Vec<u128> {
    let messages = world.session().messages().collect().await.unwrap();
    messages.iter().map(number).collect()
}

#[tokio::test(start_paused = true)]
async fn a_stream_reads_page_by_page() {
    for (n, requests) in [(0, 1), (1, 1), (100, 1), (101, 2), (250, 3)] {
        let world = World::default();
        world.change(|messages| *messages = many(n));
        assert_eq!(all(&world).await, (1..=n).collect::<Vec<_>>());
        assert_eq!(world.requests(), requests, "{n}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_arrives_and_goes_while_paging_shifts_nothing_away() {
    let world = World::default();
    world.change(|messages| *messages = many(250));
    // One more at the end, one late in the middle of what was read, one deleted there.
    world.change_after(1, |messages| {
        messages.push(World::message(900, Some(251.0), "assistant"));
        messages.insert(50, World::message(901, Some(50.5), "assistant"));
    });
    world.change_after(2, |messages| {
        messages.remove(20);
    });
    let mut read = all(&world).await;
    read.sort_unstable();
    let expected: Vec<u128> = (1..=250).chain([900, 901]).collect();
    assert_eq!(read, expected, "the deleted one had been read before");
}

#[tokio::test(start_paused = true)]
async fn newest_first_is_read_as_of_its_start() {
    let world = World::default();
    world.change(|messages| *messages = many(250));
    world.change_after(1, |messages| {
        messages.push(World::message(900, None, "assistant"))
    });
    let messages = world.session().messages().newest_first();
    let read: Vec<_> = messages
        .collect()
        .await
        .unwrap()
        .iter()
        .map(number)
        .collect();
    let mut unique = read.clone();
    unique.sort_unstable();
    unique.dedup();
    assert_eq!(unique.len(), read.len());
    assert_eq!(read[..250], (1..=250).rev().collect::<Vec<_>>()[..]);
}

#[tokio::test(start_paused = true)]
async fn an_error_ends_a_stream_after_its_attempts() {
    let world = World::default();
    world.change(|messages| *messages = many(150));
    world.fail_next(4);
    assert_eq!(all(&world).await.len(), 150);
    world.fail_next(5);
    let session = world.session();
    let results: Vec<_> = session.messages().stream().collect().await;
    assert_eq!(results.len(), 1);
    assert_eq!(results[0].as_ref().unwrap_err().attempts(), 5);
}

#[tokio::test(start_paused = true)]
async fn a_deployment_that_takes_one_role_is_asked_twice() {
    let world = World::default().one_role_at_a_time();
    world.change(|messages| {
        for n in 1..=120 {
            messages.push(World::message(2 * n, Some(n as f64), "user"));
            messages.push(World::message(2 * n + 1, Some(n as f64 + 0.5), "assistant"));
        }
    });
    let session = world.session();
    let both = || {
        session
            .messages()
            .roles([MessageRole::User, MessageRole::Assistant])
    };
    let read: Vec<_> = both().collect().await.unwrap().iter().map(number).collect();
    assert_eq!(read, (2..=241).collect::<Vec<_>>());
    assert_eq!(
        world.requests(),
        5,
        "the refusal, then two pages of each role"
    );
    let page = both().page(2).limit(10).send().await.unwrap();
    let read: Vec<_> = page.messages().iter().map(number).collect();
    assert_eq!(read, (12..=21).collect::<Vec<_>>());
    assert_eq!(page.total(), Some(240));
    assert_eq!(
        world.requests(),
        7,
        "what was refused once is not asked again"
    );
}

#[tokio::test(start_paused = true)]
async fn roles_that_are_asked_for_alone_come_in_order_though_their_pages_end_apart() {
    let world = World::default().one_role_at_a_time();
    world.change(|messages| {
        for n in 0..250_u32 {
            let role = if n % 4 == 0 { "user" } else { "assistant" };
            messages.push(World::message(n.into(), Some(n.into()), role));
        }
    });
    let messages = world.session().messages();
    let both = messages.roles([MessageRole::User, MessageRole::Assistant]);
    let read: Vec<_> = both.collect().await.unwrap().iter().map(number).collect();
    assert_eq!(read, (0..250).collect::<Vec<_>>());
}

/// Reads a watch until nothing has come for a while.
async fn drain(
    watch: &mut (impl futures_util::Stream<Item = Result<Message, blocks_sdk::Error>> + Unpin),
) -> Vec<u128> {
    let mut read = Vec::new();
    while let Ok(Some(message)) = timeout(Duration::from_secs(50), watch.next()).await {
        read.push(number(&message.unwrap()));
    }
    read
}

#[tokio::test(start_paused = true)]
async fn a_watch_gives_what_was_and_what_comes() {
    let world = World::default();
    world.change(|messages| *messages = many(3));
    let mut watch = Box::pin(world.session().messages().watch());
    assert_eq!(drain(&mut watch).await, [1, 2, 3]);
    world.change(|messages| {
        messages.push(World::message(4, Some(3.0), "assistant"));
        messages.push(World::message(5, None, "assistant"));
        messages.insert(1, World::message(6, Some(1.5), "assistant"));
    });
    world.fail_next(3);
    let mut read = drain(&mut watch).await;
    read.sort_unstable();
    assert_eq!(read, [4, 5, 6]);
    let before = world.requests();
    assert_eq!(drain(&mut watch).await, [0_u128; 0]);
    let looks = world.requests() - before;
    assert!(looks <= 26, "{looks} looks in 50 s");
}

#[tokio::test(start_paused = true)]
async fn a_watch_finds_one_that_comes_late_by_a_thousand() {
    let world = World::default();
    world.change(|messages| *messages = many(1500));
    let mut watch = Box::pin(world.session().messages().watch());
    assert_eq!(drain(&mut watch).await.len(), 1500);
    world.change(|messages| messages.insert(501, World::message(9000, Some(501.5), "assistant")));
    assert_eq!(drain(&mut watch).await, [9000]);
}

/// What happens to a session: messages come, at the end or late, and some are deleted.
#[derive(Clone, Debug)]
enum Event {
    Come {
        back: usize,
        ts: Option<u8>,
        user: bool,
    },
    Delete {
        back: usize,
    },
    Fail {
        times: usize,
    },
    Look,
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        6 => (0..40_usize, any::<Option<u8>>(), any::<bool>())
            .prop_map(|(back, ts, user)| Event::Come { back, ts, user }),
        1 => (0..40_usize).prop_map(|back| Event::Delete { back }),
        1 => (1..4_usize).prop_map(|times| Event::Fail { times }),
        3 => Just(Event::Look),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn a_watch_gives_each_message_exactly_once(
        first in 0..230_u128, one_role: bool, events in prop::collection::vec(event(), 1..40),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()
            .unwrap();
        let (read, placed, unseen) = runtime.block_on(interleave(first, one_role, events));
        let mut sorted = read.clone();
        sorted.sort_unstable();
        sorted.dedup();
        prop_assert_eq!(sorted.len(), read.len(), "none comes twice");
        for id in placed {
            prop_assert!(sorted.binary_search(&id).is_ok() || unseen.contains(&id), "{} is lost", id);
        }
    }
}

/// Watches while `events` happen. Returns what was read, what was placed, and what was
/// deleted before a look could find it.
async fn interleave(
    first: u128,
    one_role: bool,
    events: Vec<Event>,
) -> (Vec<u128>, Vec<u128>, Vec<u128>) {
    let world = World::default();
    let world = if one_role {
        world.one_role_at_a_time()
    } else {
        world
    };
    world.change(|messages| *messages = many(first));
    let session = world.session();
    let mut watch = Box::pin(session.messages().everything().watch());
    let (mut read, mut unseen) = (Vec::new(), Vec::new());
    let mut placed: Vec<u128> = (1..=first).collect();
    for event in events.into_iter().chain([Event::Look]) {
        match event {
            Event::Come { back, ts, user } => {
                let id = 10_000 + placed.len() as u128;
                let role = if user { "user" } else { "assistant" };
                let message = World::message(id, ts.map(f64::from), role);
                world.change(|messages| {
                    let place = messages.len().saturating_sub(back);
                    messages.insert(place, message);
                });
                placed.push(id);
            }
            Event::Delete { back } => {
                // Looked at first: a deletion and an arrival between two looks look alike.
                read.extend(drain(&mut watch).await);
                let gone = world.change(|messages| {
                    let place = messages.len().checked_sub(back + 1)?;
                    Some(messages.remove(place))
                });
                unseen.extend(gone.map(|m| {
                    m["id"]
                        .as_str()
                        .unwrap()
                        .parse::<uuid::Uuid>()
                        .unwrap()
                        .as_u128()
                }));
                read.extend(drain(&mut watch).await);
            }
            Event::Fail { times } => world.fail_next(times),
            Event::Look => read.extend(drain(&mut watch).await),
        }
    }
    (read, placed, unseen)
}

#[tokio::test(start_paused = true)]
async fn a_watch_waits_out_a_pause_that_no_call_would() {
    let message = json!([{"id": SESSION, "message": "late", "ts": 1.0}]);
    let script = Scripted::new([
        Answer::text(429, "").header("retry-after", "3600"),
        Answer::ok(&page(message)),
    ]);
    let session = script
        .client()
        .session(SESSION.parse::<blocks_sdk::Id>().unwrap());
    let begun = Instant::now();
    let mut watch = Box::pin(session.messages().watch());
    let message = watch.next().await.unwrap().unwrap();
    assert_eq!(message.message.as_deref(), Some("late"));
    assert_eq!((script.count(), begun.elapsed().as_secs()), (2, 3600));
}
