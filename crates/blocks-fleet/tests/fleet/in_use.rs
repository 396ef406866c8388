//! Tests that two batches cannot use one journal value at the same time. They would be one worker for the journal, and
//! both would send each prompt.

use std::sync::Arc;

use blocks_fleet::{Batch, BatchItem, BatchOptions, FileJournal, Journal, NoJournal};
use blocks_mock::Mock;
use blocks_sdk::Client;

use crate::work::{Work, prompt};

#[tokio::test(start_paused = true)]
async fn a_journal_serves_one_batch_at_a_time() {
    let mock = Mock::new();
    let builder = Client::builder(mock.key()).service(mock.service());
    let work = Arc::new(Work::new(builder.build().unwrap()));
    let batch = |journal: &Arc<dyn Journal>| {
        let (journal, work) = (Arc::clone(journal), Arc::clone(&work));
        Batch::new(vec![prompt("a")], journal, work, BatchOptions::default())
    };
    let folder = tempfile::tempdir().unwrap();
    let journal = FileJournal::open(folder.path().join("journal")).unwrap();
    let journal: Arc<dyn Journal> = Arc::new(journal);
    let first = batch(&journal).await.unwrap();
    for _ in 0..2 {
        let Err(error) = batch(&journal).await else {
            panic!("no error");
        };
        let expected = "another batch of this process uses the same journal; drop that batch first, \
                        or give this batch its own journal";
        assert_eq!(error.to_string(), expected);
    }
    drop(first);
    let mut next = batch(&journal).await.unwrap();
    let item = next.next().await;
    assert!(matches!(item, Some(BatchItem::Finished { .. })), "{item:?}");
    assert_eq!(mock.session_count(), 1);
}

#[tokio::test]
async fn batches_without_a_journal_share_the_value() {
    let mock = Mock::new();
    let builder = Client::builder(mock.key()).service(mock.service());
    let work = Arc::new(Work::new(builder.build().unwrap()));
    let journal: Arc<dyn Journal> = Arc::new(NoJournal);
    let mut batches = Vec::new();
    for _ in 0..2 {
        let (journal, work) = (Arc::clone(&journal), Arc::clone(&work));
        let prompts = vec![prompt("a")];
        let batch = Batch::new(prompts, journal, work, BatchOptions::default()).await;
        batches.push(batch.unwrap());
    }
}
