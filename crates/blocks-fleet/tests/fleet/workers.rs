//! Runs a batch in several worker processes, kills some of them, and starts new ones. No prompt must get two sessions.
//! Each prompt must have a result or an unknown outcome.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use blocks_fleet::{Batch, BatchItem, BatchOptions, Journal, RedisJournal, State};
use blocks_mock::{Mock, Operation, Script};
use blocks_sdk::{Client, RateLimit};

use crate::redis_server::RedisServer;
use crate::work::{Work, prompt};

const PROMPTS: usize = 500;
const WORKERS: usize = 5;
const KILLS: usize = 12;
const LEASE: Duration = Duration::from_secs(6);
const JOURNAL: &str = "BLOCKS_FLEET_TEST_JOURNAL";

fn ids() -> Vec<String> {
    (0..PROMPTS)
        .map(|number| format!("prompt-{number}"))
        .collect()
}

/// Runs the batch in one worker process, while other worker processes run the same batch. In an ordinary test run, the
/// environment variable for the journal is not set, and this test does nothing.
#[tokio::test]
async fn works_until_it_is_killed() {
    let Ok(journal) = std::env::var(JOURNAL) else {
        return;
    };
    let limit = RateLimit::per_minute(1_000_000).unwrap();
    let client = blocks_sdk::ClientBuilder::from_env()
        .unwrap()
        .rate_limit(limit);
    let client: Client = client.build().unwrap();
    let options = BatchOptions {
        max_running: 40,
        ..BatchOptions::default()
    };
    let work = Arc::new(Work::new(client));
    let mut batch = loop {
        // The Redis server may be restarting. If the journal cannot be read, the loop tries again.
        let journal = Arc::new(RedisJournal::new(&journal).unwrap().lease(LEASE));
        let prompts = ids().iter().map(|id| prompt(id)).collect();
        if let Ok(batch) = Batch::new(prompts, journal, Arc::clone(&work), options).await {
            break batch;
        }
    };
    let mut items = 0;
    while let Some(item) = batch.next().await {
        items += 1;
        if let BatchItem::Finished { index, report } = item {
            println!("item {index} {}", report.unwrap());
        }
    }
    assert_eq!(batch.failure(), None);
    assert_eq!(items, PROMPTS);
}

fn start(
    folder: &Path,
    number: usize,
    server: &RedisServer,
    mock: &blocks_mock::MockServer,
) -> Child {
    let output = File::create(folder.join(number.to_string())).unwrap();
    Command::new(std::env::current_exe().unwrap())
        .args([
            "--exact",
            "workers::works_until_it_is_killed",
            "--nocapture",
        ])
        .env(JOURNAL, format!("{}/batch", server.url()))
        .env("BLOCKS_API_KEY", mock.key())
        .env("BLOCKS_API_BASE_URL", mock.url())
        .stdout(output)
        .stderr(Stdio::inherit())
        .spawn()
        .unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn killed_workers_create_no_session_twice() {
    let Some(mut server) = RedisServer::start(&["--appendonly", "yes"]) else {
        return;
    };
    let agent = Script::reply("Done.").reply_after(Duration::from_millis(100));
    let mock = Mock::builder().agent(agent).start().await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let worker = |number| start(folder.path(), number, &server, &mock);
    let mut workers: Vec<Child> = (0..WORKERS).map(worker).collect();
    let mut running = true;
    for kill in 1..=KILLS {
        // Waits until a further part of the sessions exists, and then kills a worker. All kills happen while the first
        // 70 % of the sessions are created. The test cannot wait for more sessions, because a kill can make the outcome
        // of a create unknown, and such a create is not sent again.
        while mock.mock().session_count() < kill * PROMPTS * 7 / 10 / KILLS && running {
            tokio::time::sleep(Duration::from_millis(fastrand::u64(1..20))).await;
            running = workers.iter_mut().any(|w| w.try_wait().unwrap().is_none());
        }
        assert!(running, "the workers ended before the batch");
        let number = fastrand::usize(..WORKERS);
        workers[number].kill().unwrap();
        workers[number].wait().unwrap();
        if kill == KILLS / 2 {
            server.kill();
            server.restart();
        }
        workers[number] = start(folder.path(), WORKERS + kill, &server, &mock);
    }
    for mut worker in workers {
        assert!(worker.wait().unwrap().success());
    }
    check(&server, &mock, folder.path()).await;
}

async fn check(server: &RedisServer, mock: &blocks_mock::MockServer, folder: &Path) {
    let mut creates: BTreeMap<String, usize> = BTreeMap::new();
    for request in mock.mock().requests() {
        let is_created = request.status.is_some_and(|status| status < 300);
        if request.operation == Some(Operation::CreateSession) && is_created {
            let body: serde_json::Value = serde_json::from_str(&request.body).unwrap();
            *creates
                .entry(body["message"].as_str().unwrap().to_owned())
                .or_default() += 1;
        }
    }
    let mut finished = [0; PROMPTS];
    for file in std::fs::read_dir(folder).unwrap() {
        let text = std::fs::read_to_string(file.unwrap().path()).unwrap();
        for line in text.lines().filter_map(|line| line.split_once("item ")) {
            let index = line.1.strip_suffix(" Done.").unwrap();
            finished[index.parse::<usize>().unwrap()] += 1;
        }
    }
    let journal = RedisJournal::new(&format!("{}/batch", server.url())).unwrap();
    let entries = journal.read(&ids()).await.unwrap();
    let mut unknown = 0;
    for (index, (id, entry)) in ids().iter().zip(entries).enumerate() {
        let created = creates.get(id).copied().unwrap_or_default();
        match entry.map(|entry| entry.state) {
            Some(State::Ended(result)) => {
                assert_eq!(result["text"], "Done.");
                assert_eq!(created, 1, "{id}");
            }
            Some(State::Unknown { .. }) => {
                assert!(created <= 1, "{id}");
                unknown += 1;
            }
            other => panic!("{id}: {other:?}"),
        }
        // At most one worker prints that it has finished the prompt. No worker prints it if the worker that recorded
        // the result was killed before it could print.
        assert!(
            finished[index] <= 1,
            "{id} was finished {} times",
            finished[index]
        );
    }
    // Each kill can make the outcome unknown for the creates that the worker was sending. A worker sends at most 20
    // creates at the same time.
    assert!(unknown <= KILLS * 20, "{unknown}");
    eprintln!("{unknown} of {PROMPTS} prompts have an unknown outcome");
}
