//! Tests `RedisJournal`: the claims, the results and the errors of several workers that share a journal in Redis.

use std::pin::pin;
use std::time::Duration;

use blocks_fleet::{Created, Entry, Journal, RedisJournal, Retry, State, Step};
use serde_json::json;
use tokio::time::timeout;

use crate::redis_server::RedisServer;
use crate::work::prompt;

/// Leases: how long a claim lasts without a renewal. The short one ends after a millisecond, and the long one does not
/// end during a test.
const SHORT: Duration = Duration::from_millis(1);
const LONG: Duration = Duration::from_secs(3600);

fn worker(server: &RedisServer, lease: Duration) -> RedisJournal {
    let journal = RedisJournal::new(&format!("{}/nightly", server.url())).unwrap();
    journal.lease(lease)
}

async fn state(journal: &RedisJournal, id: &str) -> Option<State> {
    let mut entries = journal.read(&[id.to_owned()]).await.unwrap();
    entries.pop().unwrap().map(|entry: Entry| entry.state)
}

async fn claim(journal: &RedisJournal, unknown: bool) -> bool {
    let retry = Retry {
        unknown,
        ..Retry::default()
    };
    let prompt = prompt("a");
    journal
        .claim("a", &prompt.fingerprint, &retry)
        .await
        .unwrap()
}

/// Waits until a claim with the lease `SHORT` has ended.
async fn pass() {
    tokio::time::sleep(Duration::from_millis(5)).await;
}

fn created() -> Created {
    Created {
        session_id: "s".to_owned(),
        ..Created::default()
    }
}

#[tokio::test]
async fn one_worker_claims_a_prompt() {
    let Some(server) = RedisServer::start(&[]) else {
        return;
    };
    let [first, second] = [(); 2].map(|()| worker(&server, LONG));
    assert_eq!(state(&second, "a").await, None);
    assert!(claim(&first, false).await);
    assert!(!claim(&second, true).await);
    assert_eq!(state(&second, "a").await, Some(State::Starting));
    // The create of the first worker may have been sent, for example by a batch that was dropped. So a second batch of
    // the same process may not send the prompt either.
    assert_eq!(state(&first, "a").await, Some(State::Starting));
    assert!(!claim(&first, true).await);
    first.record("a", &Step::NotStarted).await.unwrap();
    assert!(claim(&second, false).await);
}

#[tokio::test]
async fn a_claim_without_a_response_is_made_again() {
    let Some(server) = RedisServer::start(&[]) else {
        return;
    };
    let [first, second] = [(); 2].map(|()| worker(&server, LONG));
    assert_eq!(state(&first, "a").await, None);
    // The claim is sent, but its future is dropped before the response arrives. If the response arrives too early, the
    // claim is given back and made again.
    while let Ok(is_claimed) = timeout(Duration::ZERO, claim(&first, false)).await {
        assert!(is_claimed);
        first.record("a", &Step::NotStarted).await.unwrap();
    }
    let claimed = async { while state(&second, "a").await.is_none() {} };
    let claimed = timeout(Duration::from_secs(10), claimed).await;
    claimed.expect("the claim was sent");
    assert_eq!(state(&second, "a").await, Some(State::Starting));
    assert_eq!(state(&first, "a").await, None);
    assert!(claim(&first, false).await);
}

#[tokio::test]
async fn two_claims_of_one_worker_are_not_both_made() {
    let Some(server) = RedisServer::start(&[]) else {
        return;
    };
    let [first, second] = [(); 2].map(|()| worker(&server, LONG));
    // The reads connect, so that the claim is sent when it is first polled.
    assert_eq!(state(&first, "a").await, None);
    assert_eq!(state(&second, "a").await, None);
    let mut running = pin!(claim(&first, false));
    assert!(timeout(Duration::ZERO, &mut running).await.is_err());
    let claimed = async { while state(&second, "a").await.is_none() {} };
    let claimed = timeout(Duration::from_secs(10), claimed).await;
    claimed.expect("the claim was sent");
    // The response to the running claim was not read yet, but the prompt is not free.
    assert_eq!(state(&first, "a").await, Some(State::Starting));
    assert!(!claim(&first, false).await);
    assert!(running.await);
    assert!(!claim(&first, false).await);
}

#[tokio::test]
async fn a_damaged_entry_concerns_only_its_prompt() {
    let Some(server) = RedisServer::start(&[]) else {
        return;
    };
    let journal = worker(&server, LONG);
    let ended = Step::Ended(json!(1));
    journal.record("b", &ended).await.unwrap();
    let damaged = "local entry = {state='ended', worker='w', ends_at=0, request='', data='['}
        return redis.call('HSET', KEYS[1], 'a', cmsgpack.pack(entry))";
    server.run(&["EVAL", damaged, "1", "blocks:{journal:nightly}"]);
    let ids = ["a", "b"].map(str::to_owned);
    let entries = journal.read(&ids).await.unwrap();
    let states: Vec<_> = entries
        .into_iter()
        .map(|entry| entry.unwrap().state)
        .collect();
    let unknown = State::Unknown { session_id: None };
    assert_eq!(states, [unknown, State::Ended(json!(1))]);
    assert!(!claim(&journal, false).await);
    assert!(claim(&journal, true).await);
    journal.record("a", &ended).await.unwrap();
    assert_eq!(state(&journal, "a").await, Some(State::Ended(json!(1))));
}

#[tokio::test]
async fn a_deep_result_is_read_again() {
    let Some(server) = RedisServer::start(&[]) else {
        return;
    };
    let journal = worker(&server, LONG);
    let nest = |value: serde_json::Value, levels: usize| {
        (0..levels).fold(value, |value, _| json!([value]))
    };
    let inner = nest(json!("text"), 50);
    let step = Step::Ended(nest(inner.clone(), 100));
    journal.record("a", &step).await.unwrap();
    let expected = State::Ended(nest(json!(inner.to_string()), 100));
    assert_eq!(state(&journal, "a").await, Some(expected));
}

#[tokio::test]
async fn a_create_without_effect_changes_no_entry() {
    let Some(server) = RedisServer::start(&[]) else {
        return;
    };
    let journal = worker(&server, LONG);
    let request = prompt("a").fingerprint;
    for step in [Step::Unknown(Some("s".into())), Step::Ended(json!(1))] {
        journal.record("a", &step).await.unwrap();
        let before = state(&journal, "a").await;
        for _ in 0..2 {
            let retry = Retry {
                unknown: true,
                result: Some(json!(1)),
            };
            assert!(journal.claim("a", &request, &retry).await.unwrap());
            journal.record("a", &Step::NotStarted).await.unwrap();
            assert_eq!(state(&journal, "a").await, before, "{step:?}");
        }
    }
}

#[tokio::test]
async fn many_entries_are_read_in_order() {
    let Some(server) = RedisServer::start(&[]) else {
        return;
    };
    let journal = worker(&server, LONG);
    let ids: Vec<String> = (0..120).map(|n| n.to_string()).collect();
    for (n, id) in ids.iter().enumerate().filter(|(n, _)| n % 3 > 0) {
        journal.record(id, &Step::Ended(json!(n))).await.unwrap();
    }
    let entries = journal.read(&ids).await.unwrap();
    let states: Vec<_> = entries
        .into_iter()
        .map(|entry| entry.map(|entry| entry.state))
        .collect();
    let state = |n: usize| (!n.is_multiple_of(3)).then(|| State::Ended(json!(n)));
    assert_eq!(states, (0..120).map(state).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_journal_shows_no_password() {
    // No server listens on this port.
    let journal = RedisJournal::new("redis://ci:s3cret@127.0.0.1:1/nightly").unwrap();
    let error = journal.read(&["a".to_owned()]).await.unwrap_err();
    let text = format!("{journal:?} {error} {error:?}");
    assert!(text.contains("redis://127.0.0.1:1"), "{text}");
    assert!(!text.contains("s3cret"), "{text}");
}

#[tokio::test]
async fn a_worker_that_died_in_a_create_leaves_it_unknown() {
    let Some(server) = RedisServer::start(&[]) else {
        return;
    };
    let [first, second] = [SHORT, LONG].map(|lease| worker(&server, lease));
    assert!(claim(&first, false).await);
    pass().await;
    assert_eq!(
        state(&second, "a").await,
        Some(State::Unknown { session_id: None })
    );
    assert!(!claim(&second, false).await);
    assert!(claim(&second, true).await);
}

#[tokio::test]
async fn a_session_of_a_worker_that_died_is_taken_over() {
    let Some(server) = RedisServer::start(&[]) else {
        return;
    };
    let [first, second, third] = [SHORT, LONG, LONG].map(|lease| worker(&server, lease));
    assert!(claim(&first, false).await);
    first.record("a", &Step::Created(created())).await.unwrap();
    pass().await;
    let created_by = |is_claimed| {
        let created = created();
        Some(State::Created {
            created,
            is_claimed,
        })
    };
    assert_eq!(state(&second, "a").await, created_by(false));
    assert!(second.take_over("a").await.unwrap());
    assert!(!third.take_over("a").await.unwrap());
    assert_eq!(state(&third, "a").await, created_by(true));
}

#[tokio::test]
async fn a_claim_that_has_not_ended_is_not_taken_over() {
    let Some(server) = RedisServer::start(&[]) else {
        return;
    };
    let [short, long] = [SHORT, LONG].map(|lease| worker(&server, lease));
    assert!(claim(&long, false).await);
    long.record("a", &Step::Created(created())).await.unwrap();
    long.renew(&["a".to_owned()]).await.unwrap();
    pass().await;
    assert!(!short.lease(LONG).take_over("a").await.unwrap());
}

#[tokio::test]
async fn the_first_result_is_kept() {
    let Some(server) = RedisServer::start(&[]) else {
        return;
    };
    let [first, second] = [(); 2].map(|()| worker(&server, LONG));
    assert!(claim(&first, false).await);
    for (journal, text, is_kept) in [(&first, "one", true), (&second, "two", false)] {
        let step = Step::Ended(json!(text));
        assert_eq!(journal.record("a", &step).await.unwrap(), is_kept);
        journal.record("a", &Step::Unknown(None)).await.unwrap();
        assert_eq!(state(journal, "a").await, Some(State::Ended(json!("one"))));
    }
}

#[tokio::test]
async fn one_result_is_retried_once() {
    let Some(server) = RedisServer::start(&[]) else {
        return;
    };
    let [first, second] = [(); 2].map(|()| worker(&server, LONG));
    let request = prompt("a").fingerprint;
    let retry = |result: serde_json::Value| Retry {
        unknown: true,
        result: Some(result),
    };
    assert!(claim(&first, false).await);
    first.record("a", &Step::Ended(json!(1))).await.unwrap();
    assert!(!claim(&first, true).await);
    let other = retry(json!(2));
    assert!(!second.claim("a", &request, &other).await.unwrap());
    let same = retry(json!(1));
    assert!(second.claim("a", &request, &same).await.unwrap());
    assert!(!first.claim("a", &request, &same).await.unwrap());
    second.record("a", &Step::Ended(json!(2))).await.unwrap();
    assert!(!first.claim("a", &request, &same).await.unwrap());
    assert_eq!(state(&first, "a").await, Some(State::Ended(json!(2))));
}

#[test]
fn a_journal_needs_a_name() {
    for url in [
        "redis://host",
        "redis://host/",
        "redis://host/a b",
        "redis://host/a:b",
        "host/a",
    ] {
        let error = RedisJournal::new(url).unwrap_err().to_string();
        assert!(error.contains("name"), "{url}: {error}");
    }
}
