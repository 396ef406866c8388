//! Tests batches with a shared journal that responds slowly, or that cannot be reached for some time.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use blocks_fleet::{
    Batch, BatchItem, BatchOptions, Created, Entry, Fingerprint, Journal, JournalError,
    JournalFuture, Retry, State, Step,
};
use blocks_mock::Mock;
use blocks_sdk::Client;
use serde_json::json;
use tokio::time::{Instant, sleep, timeout};

use crate::work::{Work, prompt};

/// A shared journal in memory.
struct MemoryJournal {
    entries: Mutex<BTreeMap<String, State>>,
    /// Time that each operation takes.
    delay: Duration,
    /// Until this time, each operation fails with a temporary error.
    fails_until: Mutex<Instant>,
}

impl MemoryJournal {
    fn new(delay: Duration) -> Arc<Self> {
        Arc::new(Self {
            entries: Mutex::default(),
            delay,
            fails_until: Mutex::new(Instant::now()),
        })
    }

    fn fail_for(&self, time: Duration) {
        *self.fails_until.lock().unwrap() = Instant::now() + time;
    }

    fn set(&self, id: &str, state: State) {
        self.entries.lock().unwrap().insert(id.to_owned(), state);
    }

    fn operation<'a, T: Send + 'a>(
        &'a self,
        run: impl FnOnce(&mut BTreeMap<String, State>) -> T + Send + 'a,
    ) -> JournalFuture<'a, T> {
        Box::pin(async move {
            sleep(self.delay).await;
            match Instant::now() < *self.fails_until.lock().unwrap() {
                true => Err(JournalError::new("cannot be reached").temporary()),
                false => Ok(run(&mut self.entries.lock().unwrap())),
            }
        })
    }
}

impl Journal for MemoryJournal {
    fn is_shared(&self) -> bool {
        true
    }

    fn read<'a>(&'a self, ids: &'a [String]) -> JournalFuture<'a, Vec<Option<Entry>>> {
        self.operation(|entries| {
            let entry = |id| {
                let state = entries.get(id).cloned()?;
                let request = None;
                Some(Entry { state, request })
            };
            ids.iter().map(entry).collect()
        })
    }

    fn claim<'a>(
        &'a self,
        id: &'a str,
        _: &'a Fingerprint,
        _: &'a Retry,
    ) -> JournalFuture<'a, bool> {
        self.operation(move |entries| entries.insert(id.to_owned(), State::Starting).is_none())
    }

    fn take_over<'a>(&'a self, _: &'a str) -> JournalFuture<'a, bool> {
        self.operation(|_| true)
    }

    fn record<'a>(&'a self, id: &'a str, step: &'a Step) -> JournalFuture<'a, bool> {
        self.operation(move |entries| {
            let state = match step.clone() {
                Step::NotStarted => return entries.remove(id).is_some(),
                Step::Unknown(session_id) => State::Unknown { session_id },
                Step::Created(created) => State::Created {
                    created,
                    is_claimed: false,
                },
                Step::Ended(result) => State::Ended(result),
            };
            entries.insert(id.to_owned(), state);
            true
        })
    }

    fn renew<'a>(&'a self, _: &'a [String]) -> JournalFuture<'a, ()> {
        self.operation(|_| ())
    }
}

async fn batch(mock: &Mock, journal: Arc<MemoryJournal>, ids: &[&str]) -> Batch<'static, Work> {
    let builder = Client::builder(mock.key()).service(mock.service());
    let work = Arc::new(Work(builder.build().unwrap()));
    let prompts = ids.iter().map(|id| prompt(id)).collect();
    let batch = Batch::new(prompts, journal, work, BatchOptions::default()).await;
    batch.unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_dropped_next_loses_no_item() {
    let mock = Mock::new();
    let journal = MemoryJournal::new(Duration::from_millis(400));
    // Another worker has created the session of the prompt `d`, and records the result after a minute.
    let (created, is_claimed) = (Created::default(), true);
    journal.set(
        "d",
        State::Created {
            created,
            is_claimed,
        },
    );
    let mut batch = batch(&mock, Arc::clone(&journal), &["a", "b", "c", "d"]).await;
    let (mut results, mut dropped) = (BTreeMap::new(), 0);
    let start = Instant::now();
    // The time-outs drop the future at different places, for example while the journal renews the claims.
    for milliseconds in (100..3_000).step_by(70).cycle() {
        if start.elapsed() > Duration::from_secs(60) {
            journal.set("d", State::Ended(json!("of the other worker")));
        }
        let (index, result) = match timeout(Duration::from_millis(milliseconds), batch.next()).await
        {
            Ok(Some(BatchItem::Finished { index, report })) => (index, report.unwrap()),
            Ok(Some(BatchItem::Known { index, result })) => (index, result.to_string()),
            Ok(Some(item)) => panic!("{item:?}"),
            Ok(None) => break,
            Err(_) => {
                dropped += 1;
                continue;
            }
        };
        assert_eq!(results.insert(index, result), None, "{index}");
    }
    let done = |index| (index, "Done.".to_owned());
    let known = (3, json!("of the other worker").to_string());
    let expected = BTreeMap::from([done(0), done(1), done(2), known]);
    assert_eq!(results, expected);
    assert!(dropped > 20, "{dropped}");
    assert_eq!(mock.session_count(), 3);
}

#[tokio::test(start_paused = true)]
async fn a_batch_waits_five_minutes_for_its_journal() {
    let mock = Mock::new();
    let journal = MemoryJournal::new(Duration::ZERO);
    let mut continued = batch(&mock, Arc::clone(&journal), &["a"]).await;
    journal.fail_for(Duration::from_secs(299));
    let item = continued.next().await;
    assert!(matches!(item, Some(BatchItem::Finished { .. })), "{item:?}");
    assert_eq!((continued.failure(), mock.session_count()), (None, 1));

    let mut stopped = batch(&mock, Arc::clone(&journal), &["b"]).await;
    journal.fail_for(Duration::from_secs(301));
    let start = Instant::now();
    assert!(stopped.next().await.is_none());
    assert_eq!(start.elapsed(), Duration::from_secs(300));
    assert_eq!(stopped.failure(), Some("cannot be reached"));
    assert_eq!((stopped.not_started(), mock.session_count()), (vec![0], 1));
}
