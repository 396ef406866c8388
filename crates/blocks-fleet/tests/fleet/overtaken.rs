//! Tests a worker that has renewed its claim too late, so that another worker has already recorded a result. The batch
//! must return the recorded result.

use std::sync::{Arc, Mutex};

use blocks_fleet::{
    Batch, BatchItem, BatchOptions, Entry, Fingerprint, Journal, JournalFuture, Retry, State, Step,
};
use blocks_mock::Mock;
use blocks_sdk::Client;
use serde_json::json;

use crate::work::{Work, prompt};

/// A journal that simulates another worker. The other worker records a result just before this worker does.
#[derive(Default)]
struct Overtaken(Mutex<Option<Entry>>);

impl Journal for Overtaken {
    fn is_shared(&self) -> bool {
        true
    }

    fn read<'a>(&'a self, _: &'a [String]) -> JournalFuture<'a, Vec<Option<Entry>>> {
        let entry = self.0.lock().unwrap().clone();
        Box::pin(async { Ok(vec![entry]) })
    }

    fn claim<'a>(
        &'a self,
        _: &'a str,
        _: &'a Fingerprint,
        _: &'a Retry,
    ) -> JournalFuture<'a, bool> {
        Box::pin(async { Ok(true) })
    }

    fn take_over<'a>(&'a self, _: &'a str) -> JournalFuture<'a, bool> {
        Box::pin(async { Ok(true) })
    }

    fn record<'a>(&'a self, _: &'a str, step: &'a Step) -> JournalFuture<'a, bool> {
        let is_recorded = !matches!(step, Step::Ended(_));
        if !is_recorded {
            *self.0.lock().unwrap() = Some(Entry {
                state: State::Ended(json!("of the other worker")),
                request: None,
            });
        }
        Box::pin(async move { Ok(is_recorded) })
    }

    fn renew<'a>(&'a self, _: &'a [String]) -> JournalFuture<'a, ()> {
        Box::pin(async { Ok(()) })
    }
}

#[tokio::test]
async fn too_few_entries_are_an_error() {
    let journal = Arc::new(Overtaken::default());
    let client = Client::builder("key").service(Mock::new().service());
    let work = Arc::new(Work::new(client.build().unwrap()));
    let prompts = vec![prompt("a"), prompt("b")];
    let batch = Batch::new(prompts, journal, work, BatchOptions::default()).await;
    let Err(error) = batch else {
        panic!("no error");
    };
    let expected = "cannot read the journal: the journal returned 1 entries for 2 prompts";
    assert_eq!(error.to_string(), expected);
}

#[tokio::test(start_paused = true)]
async fn the_recorded_result_is_reported() {
    let mock = Mock::new();
    let builder = Client::builder(mock.key()).service(mock.service());
    let work = Arc::new(Work::new(builder.build().unwrap()));
    let journal = Arc::new(Overtaken::default());
    let options = BatchOptions::default();
    let batch = Batch::new(vec![prompt("a")], journal, work, options).await;
    let mut batch = batch.unwrap();
    let item = batch.next().await;
    let Some(BatchItem::Known { index: 0, result }) = item else {
        panic!("{item:?}");
    };
    assert_eq!(result, json!("of the other worker"));
    assert!(batch.next().await.is_none());
}
