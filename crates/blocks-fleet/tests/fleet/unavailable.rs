//! Tests batches with a shared journal that responds slowly, or that cannot be reached for some time.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use blocks_fleet::{
    Batch, BatchItem, BatchOptions, Created, Entry, FileJournal, Fingerprint, Journal,
    JournalError, JournalFuture, NoJournal, Retry, State, Step,
};
use blocks_mock::{Fault, Frequency, Mock, Operation, RetryAfter};
use blocks_sdk::{Client, RateLimit};
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
    /// How many claims of the prompt `lost` fail with a temporary error.
    failing_claims: Mutex<u32>,
}

impl MemoryJournal {
    fn new(delay: Duration) -> Arc<Self> {
        Arc::new(Self {
            entries: Mutex::default(),
            delay,
            fails_until: Mutex::new(Instant::now()),
            failing_claims: Mutex::new(0),
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
        let mut failing = self.failing_claims.lock().unwrap();
        if id == "lost" && *failing > 0 {
            *failing -= 1;
            return Box::pin(async { Err(JournalError::new("lost").temporary()) });
        }
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
    let work = Arc::new(Work::new(builder.build().unwrap()));
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
async fn a_slow_tick_continues_in_the_next_call() {
    let mock = Mock::new();
    let journal = MemoryJournal::new(Duration::from_millis(400));
    journal.set("a", State::Starting);
    let mut batch = batch(&mock, Arc::clone(&journal), &["a", "b"]).await;
    let start = Instant::now();
    let mut items = Vec::new();
    // Each call is dropped earlier than the journal responds.
    while start.elapsed() < Duration::from_secs(120) && items.len() < 2 {
        if start.elapsed() > Duration::from_secs(60) {
            journal.set("a", State::Ended(json!("of the other worker")));
        }
        if let Ok(item) = timeout(Duration::from_millis(100), batch.next()).await {
            items.push(item.unwrap());
        }
    }
    let [
        BatchItem::Finished { index: 1, .. },
        BatchItem::Known { index: 0, .. },
    ] = items.as_slice()
    else {
        panic!("{items:?}");
    };
    assert!(batch.next().await.is_none());
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
    drop(continued);

    let mut stopped = batch(&mock, Arc::clone(&journal), &["b"]).await;
    journal.fail_for(Duration::from_secs(301));
    let start = Instant::now();
    assert!(stopped.next().await.is_none());
    assert_eq!(start.elapsed(), Duration::from_secs(300));
    assert_eq!(stopped.failure(), Some("cannot be reached"));
    assert_eq!((stopped.not_started(), mock.session_count()), (vec![0], 1));
}

#[tokio::test(start_paused = true)]
async fn a_batch_without_prompts_of_its_own_waits_as_long() {
    let mock = Mock::new();
    let journal = MemoryJournal::new(Duration::ZERO);
    journal.set("a", State::Starting);
    let mut batch = batch(&mock, Arc::clone(&journal), &["a"]).await;
    let first_tick = timeout(Duration::from_secs(10), batch.next()).await;
    assert!(first_tick.is_err());
    journal.fail_for(Duration::MAX / 4);
    let start = Instant::now();
    assert!(batch.next().await.is_none());
    assert_eq!(start.elapsed().as_secs() / 10, 30, "{:?}", start.elapsed());
    assert_eq!(batch.failure(), Some("cannot be reached"));
    assert_eq!(batch.not_started(), [0]);
}

#[tokio::test(start_paused = true)]
async fn a_claim_is_repeated_after_a_long_wait_for_a_permit() {
    let mock = Mock::new();
    let journal = MemoryJournal::new(Duration::ZERO);
    *journal.failing_claims.lock().unwrap() = 3;
    // 20 creates wait for permits at the same time. So the prompt whose claim fails waits over five minutes for the next
    // permit.
    let limit = RateLimit::per_minute(3).unwrap();
    let builder = Client::builder(mock.key()).service(mock.service());
    let work = Arc::new(Work::new(builder.rate_limit(limit).build().unwrap()));
    let others = (0..100).map(|n| prompt(&n.to_string()));
    let prompts = others.chain([prompt("lost")]).collect();
    let shared: Arc<dyn Journal> = journal.clone();
    let batch = Batch::new(prompts, shared, work, BatchOptions::default()).await;
    let mut batch = batch.unwrap();
    let mut finished = 0;
    while let Some(item) = batch.next().await {
        assert!(matches!(item, BatchItem::Finished { .. }), "{item:?}");
        finished += 1;
    }
    assert_eq!(*journal.failing_claims.lock().unwrap(), 0);
    assert_eq!((finished, batch.failure()), (101, None));
    assert_eq!(mock.session_count(), 101);
}

#[tokio::test(start_paused = true)]
async fn a_stop_sends_no_prompt_that_waits_for_a_permit() {
    let mock = Mock::new();
    let limit = RateLimit::per_minute(4).unwrap();
    let builder = Client::builder(mock.key()).service(mock.service());
    let work = Arc::new(Work::new(builder.rate_limit(limit).build().unwrap()));
    let prompts = (0..50).map(|n| prompt(&n.to_string())).collect();
    let journal: Arc<dyn Journal> = Arc::new(NoJournal);
    let batch = Batch::new(prompts, journal, work, BatchOptions::default()).await;
    let mut batch = batch.unwrap();
    let mut ended = usize::from(batch.next().await.is_some());
    assert_eq!(batch.running(), 49);
    let sent = mock.session_count();
    assert_eq!(batch.not_started(), (sent..50).collect::<Vec<_>>());
    batch.stop();
    while batch.next().await.is_some() {
        ended += 1;
    }
    assert_eq!((ended, mock.session_count()), (sent, sent));
    assert_eq!(batch.not_started(), (sent..50).collect::<Vec<_>>());
}

#[tokio::test(start_paused = true)]
async fn an_interrupted_batch_gives_back_unsent_prompts() {
    // After a 429, the create certainly had no effect. During a slow attempt, this is not known.
    let refused = Fault::rate_limited(Some(RetryAfter::Seconds(60)));
    let slow = Fault::Delay(Duration::from_secs(60));
    for (fault, is_unsent) in [(refused, true), (slow, false)] {
        let mock = Mock::new();
        mock.inject(Operation::CreateSession, Frequency::Always, fault);
        let journal = MemoryJournal::new(Duration::from_millis(400));
        let mut batch = batch(&mock, Arc::clone(&journal), &["a"]).await;
        let running = timeout(Duration::from_secs(10), batch.next()).await;
        assert!(running.is_err());
        assert_eq!(batch.not_started(), Vec::<usize>::new());
        assert_eq!(journal.entries.lock().unwrap()["a"], State::Starting);
        batch.interrupt().await;
        let expected: &[usize] = if is_unsent { &[0] } else { &[] };
        assert_eq!(batch.not_started(), expected);
        assert_eq!(journal.entries.lock().unwrap().is_empty(), is_unsent);
        assert!(batch.next().await.is_none());
    }
}

#[tokio::test(start_paused = true)]
async fn a_dropped_batch_gives_back_unsent_prompts() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("journal");
    let mock = Mock::new();
    let refused = Fault::rate_limited(Some(RetryAfter::Seconds(60)));
    mock.inject(Operation::CreateSession, Frequency::Always, refused);
    let builder = Client::builder(mock.key()).service(mock.service());
    let work = Arc::new(Work::new(builder.build().unwrap()));
    let journal: Arc<dyn Journal> = Arc::new(FileJournal::open(&path).unwrap());
    let options = BatchOptions::default();
    let batch = Batch::new(vec![prompt("a")], journal, work, options).await;
    let mut batch = batch.unwrap();
    let running = timeout(Duration::from_secs(10), batch.next()).await;
    assert!(running.is_err());
    let text = std::fs::read_to_string(&path).unwrap();
    assert!(
        text.contains("starting") && !text.contains("not_started"),
        "{text}"
    );
    drop(batch);
    let journal = FileJournal::open(&path).unwrap();
    assert_eq!(journal.read(&["a".to_owned()]).await.unwrap(), [None]);
}

#[tokio::test]
async fn two_prompts_with_one_id_are_an_error() {
    let mock = Mock::new();
    let builder = Client::builder(mock.key()).service(mock.service());
    let work = Arc::new(Work::new(builder.build().unwrap()));
    let prompts = ["a", "b", "a"].map(prompt).into();
    let batch = Batch::new(prompts, Arc::new(NoJournal), work, BatchOptions::default()).await;
    let Err(error) = batch else {
        panic!("no error");
    };
    let expected = "prompt a: another prompt of the batch has the same id";
    assert_eq!(error.to_string(), expected);
}
