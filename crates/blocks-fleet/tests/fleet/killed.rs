//! Tests that the file of a `FileLimitStore` stays usable if processes that use it are killed.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use blocks_fleet::FileLimitStore;
use blocks_sdk::{LimitStore, SlotResponse};

use crate::{create, name, take};

const KILLS: usize = 200;
const FOLDER: &str = "BLOCKS_FLEET_TEST_FOLDER";
const CAPACITY: usize = 1_000_000;

/// Takes slots (permitted requests) and prints their numbers, until the test below kills this process. In an ordinary
/// test run, the environment variable for the folder is not set, and this test does nothing.
#[tokio::test]
async fn takes_slots_until_it_is_killed() {
    let Ok(folder) = std::env::var(FOLDER) else {
        return;
    };
    let store = FileLimitStore::new(folder, &name());
    let mut out = std::io::stdout();
    loop {
        let slot = take(&store, &create(fastrand::u64(..), CAPACITY))
            .await
            .expect("a slot");
        store.pause(Duration::ZERO).await.expect("the store works");
        writeln!(out, "slot {slot}").expect("the parent reads");
    }
}

fn start(folder: &Path) -> std::process::Child {
    Command::new(std::env::current_exe().unwrap())
        .args([
            "--exact",
            "killed::takes_slots_until_it_is_killed",
            "--nocapture",
        ])
        .env(FOLDER, folder)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

#[tokio::test]
async fn a_kill_at_any_point_leaves_the_file_usable() {
    let folder = tempfile::tempdir().unwrap();
    let store = FileLimitStore::new(folder.path(), &name());
    let mut last = None;
    for kill in 0..KILLS {
        let mut child = start(folder.path());
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut slots = 1 + fastrand::usize(..5);
        while slots > 0 {
            let line = lines.next().expect("the child runs").unwrap();
            if let Some((_, slot)) = line.split_once("slot ") {
                last = last.max(Some(slot.parse::<u64>().unwrap()));
                slots -= 1;
            }
        }
        // Waits a random time, so that the kill happens at a random point of a change of the file. A change takes about
        // 100 µs.
        for _ in 0..fastrand::u32(..200_000) {
            std::hint::spin_loop();
        }
        child.kill().unwrap();
        child.wait().unwrap();
        let own = take(&store, &create(1, CAPACITY)).await;
        // After the kill, the store still gives out higher slot numbers than before the kill.
        assert!(own > last, "{own:?} after {last:?}, kill {kill}");
        last = own;
    }
    // The slots of the killed processes still count, but like all slots only for one window (60.5 s).
    let response = store.take(&create(1, 1)).await.unwrap();
    let SlotResponse::Wait { again, .. } = response else {
        panic!("{response:?}");
    };
    assert!(again <= Duration::from_millis(60_500), "{again:?}");
}
