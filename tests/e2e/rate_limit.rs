//! Tests of clients and their rate limiter: several tokio runtimes, a rate limit in a shared store, and the limiter's
//! log events.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use blocks_mock::{Fault, Frequency, Mock, RetryAfter};
use blocks_sdk::{
    Agent, Client, CreateSession, LimitFuture, LimitStore, LimitStoreError, LimitStoreStatus,
    MemoryLimitStore, RateLimit, SlotRequest, SlotResponse,
};
use blocks_tests::Captured;
use tokio::runtime::{Builder, Runtime};

use crate::client;

fn runtime() -> Runtime {
    let mut builder = Builder::new_current_thread();
    builder.enable_all().start_paused(true).build().unwrap()
}

async fn reply(client: &Client) -> String {
    let request = CreateSession::new(Agent::claude(), "Go.");
    let session = client.create_session(request).await.unwrap();
    session.first_reply().await.unwrap().text().to_owned()
}

#[test]
fn an_idle_runtime_stops_no_client() {
    let mock = Mock::builder()
        .reply_after(Duration::from_secs(600))
        .build();
    let client = client(&mock);
    let (idle, other) = (runtime(), runtime());
    let mut waiting = Box::pin(reply(&client));
    idle.block_on(async {
        // After this time, the call waits in the limiter's queue for the permit of its next poll. Then this runtime
        // runs nothing more, but the other runtime must still get its permits.
        let some_time = Duration::from_secs(60);
        assert!(tokio::time::timeout(some_time, &mut waiting).await.is_err());
    });
    assert_eq!(other.block_on(reply(&client)), "Done.");
    assert_eq!(idle.block_on(waiting), "Done.");
}

#[test]
fn a_dropped_runtime_stops_no_client() {
    let mock = Mock::builder()
        .reply_after(Duration::from_secs(600))
        .build();
    let client = client(&mock);
    let dropped = runtime();
    dropped.block_on(async {
        for _ in 0..3 {
            let client = client.clone();
            tokio::spawn(async move { reply(&client).await });
        }
        tokio::time::sleep(Duration::from_secs(60)).await;
    });
    drop(dropped);
    assert_eq!(runtime().block_on(reply(&client)), "Done.");
    assert_eq!(client.rate_limit_status().waiting_polls, 0);
}

/// Writes the log to `log` until the returned guard is dropped.
fn record(log: &Captured) -> tracing::subscriber::DefaultGuard {
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::DEBUG)
        .with_ansi(false)
        .without_time()
        .with_target(false)
        .with_writer(move || writer.clone())
        .finish();
    tracing::subscriber::set_default(subscriber)
}

/// Returns the limiter's log events: all lines except those of attempts, each without the spans before its text.
fn events(log: &Captured) -> Vec<String> {
    let log = log.text();
    let text = |line: &str| line.rsplit("}: ").next().unwrap_or(line).trim().to_owned();
    let lines = log.lines().map(text);
    lines.filter(|line| !line.starts_with("attempt")).collect()
}

#[tokio::test(start_paused = true)]
async fn waiting_pauses_and_rates_are_events() {
    let mock = Mock::new();
    let limit = RateLimit::per_minute(1).unwrap();
    let builder = Client::builder(mock.key()).service(mock.service());
    let client = builder.rate_limit(limit).build().unwrap();
    let log = Captured::default();
    let _recorded = record(&log);
    let fault = Fault::Status {
        status: 429,
        body: String::new(),
        retry_after: Some(RetryAfter::Seconds(5)),
        after_effect: false,
    };
    mock.inject(None, Frequency::ONCE, fault);
    let _ = client.get_session(uuid::Uuid::nil()).await;
    assert_eq!(
        events(&log),
        [
            "the service asks to wait: every request pauses pause_s=5.0 retry_after_s=5.0",
            "the rate changed share=0.8",
            "waiting for a permit priority=\"interactive\"",
            "the rate changed share=0.9215041666666667",
        ]
    );
}

/// A store of a shared rate limit, in which `take` fails while the `AtomicBool` is true.
#[derive(Default)]
struct Failing(MemoryLimitStore, AtomicBool);

impl LimitStore for Failing {
    fn take<'a>(&'a self, request: &'a SlotRequest) -> LimitFuture<'a, SlotResponse> {
        match self.1.load(Ordering::Relaxed) {
            true => Box::pin(async { Err(LimitStoreError::new("the disk is full")) }),
            false => self.0.take(request),
        }
    }

    fn pause(&self, pause: Duration) -> LimitFuture<'_, ()> {
        self.0.pause(pause)
    }

    fn give_back(&self, slot: u64) -> LimitFuture<'_, ()> {
        self.0.give_back(slot)
    }
}

#[tokio::test(start_paused = true)]
async fn a_failed_store_is_an_event_once() {
    let mock = Mock::new();
    let store = Arc::new(Failing::default());
    let builder = Client::builder(mock.key()).service(mock.service());
    let client = builder.limit_store(store.clone()).build().unwrap();
    let log = Captured::default();
    let _recorded = record(&log);
    let read = async || {
        let _ = client.get_session(uuid::Uuid::nil()).await;
        tokio::time::sleep(Duration::from_secs(11)).await;
        client.rate_limit_status().store
    };
    store.1.store(true, Ordering::Relaxed);
    for _ in 0..3 {
        assert_eq!(read().await, LimitStoreStatus::Failed);
    }
    store.1.store(false, Ordering::Relaxed);
    assert_eq!(read().await, LimitStoreStatus::Shared);
    let events = events(&log);
    let about_the_store: Vec<_> = events.iter().filter(|e| e.contains("store")).collect();
    assert_eq!(
        about_the_store,
        [
            "WARN the limit's store cannot be used: requests of other processes are not counted \
             error=the disk is full",
            "INFO the limit's store is used again",
        ]
    );
}
