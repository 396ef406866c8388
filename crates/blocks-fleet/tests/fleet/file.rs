//! Tests `FileLimitStore`, with which several processes count their requests in a file.

use std::path::Path;

use blocks_fleet::FileLimitStore;
use blocks_sdk::{LimitStore, SharedLimit};
use serde_json::{Value, json};

use crate::{create, name, take};

fn state(folder: &Path) -> Value {
    let text = std::fs::read(folder.join(format!("{}.json", name()))).expect("the file");
    serde_json::from_slice(&text).expect("JSON")
}

#[tokio::test]
async fn two_stores_of_a_folder_count_together() {
    let folder = tempfile::tempdir().unwrap();
    let stores = [(); 2].map(|()| FileLimitStore::new(folder.path().join("new/limits"), &name()));
    let mut slots = Vec::new();
    for n in 0..6 {
        slots.extend(take(&stores[n % 2], &create(n as u64, 6)).await);
    }
    assert_eq!(slots.len(), 6);
    assert_eq!(take(&stores[0], &create(1, 6)).await, None);
    stores[1].give_back(slots[3]).await.unwrap();
    assert!(take(&stores[0], &create(1, 6)).await.is_some());
}

#[tokio::test]
async fn keys_and_base_urls_have_files_of_their_own() {
    let folder = tempfile::tempdir().unwrap();
    for (key, url) in [
        ("key", "https://api.blocks.team"),
        ("other-key", "https://api.blocks.team"),
        ("key", "http://localhost:1"),
    ] {
        let name = blocks_fleet::LimitName::new(key, url);
        let store = FileLimitStore::new(folder.path(), &name);
        assert!(take(&store, &create(1, 1)).await.is_some(), "{key} {url}");
    }
}

#[cfg(unix)]
#[tokio::test]
async fn folder_and_files_are_private() {
    use std::os::unix::fs::PermissionsExt;

    let parent = tempfile::tempdir().unwrap();
    let folder = parent.path().join("state/limits");
    let store = FileLimitStore::new(&folder, &name());
    take(&store, &create(1, 1)).await;
    let mode = |path: &Path| path.metadata().unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&folder), 0o700);
    let files: Vec<_> = std::fs::read_dir(&folder).unwrap().collect();
    assert_eq!(files.len(), 2);
    for file in files {
        assert_eq!(mode(&file.unwrap().path()), 0o600);
    }
}

#[test]
fn the_name_of_a_limit_is_a_hash() {
    // This command prints the expected name:
    // printf 'blocks-fleet limit 1\0https://api.blocks.team\0my-key' | sha256sum | head -c 32
    assert_eq!(name().to_string(), "e8898b67f8dbf70f7de34581d019ef7c");
}

#[tokio::test]
async fn a_file_that_cannot_be_parsed_counts_as_empty() {
    let folder = tempfile::tempdir().unwrap();
    let store = FileLimitStore::new(folder.path(), &name());
    take(&store, &create(1, 1)).await.expect("a slot");
    let path = folder.path().join(format!("{}.json", name()));
    for text in ["", "{\"clock\":\"", "[]", "\0\0\0\0", "{\"limit\":7}"] {
        std::fs::write(&path, text).unwrap();
        assert!(take(&store, &create(1, 1)).await.is_some(), "{text}");
        assert!(take(&store, &create(2, 1)).await.is_none(), "{text}");
    }
    #[cfg(unix)]
    {
        std::fs::remove_file(&path).unwrap();
        std::os::unix::fs::symlink("/dev/zero", &path).unwrap();
        assert!(take(&store, &create(1, 1)).await.is_some(), "endless");
        assert!(take(&store, &create(2, 1)).await.is_none(), "endless");
    }
}

#[tokio::test]
async fn times_of_before_a_restart_do_not_count() {
    let folder = tempfile::tempdir().unwrap();
    let store = FileLimitStore::new(folder.path(), &name());
    take(&store, &create(1, 1)).await.expect("a slot");
    let mut state = state(folder.path());
    state["clock"] = json!("another start of the machine");
    let path = folder.path().join(format!("{}.json", name()));
    std::fs::write(path, state.to_string()).unwrap();
    assert!(take(&store, &create(1, 1)).await.is_some());
}

#[tokio::test]
async fn a_folder_that_cannot_be_created_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    std::fs::write(&file, "").unwrap();
    let store = FileLimitStore::new(file.join("limits"), &name());
    let error = store.take(&create(1, 1)).await.unwrap_err().to_string();
    assert!(error.contains("cannot use"), "{error}");
    assert!(!error.contains("my-key"), "{error}");
}

#[tokio::test]
async fn a_lock_that_stays_taken_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let lock = folder.path().join(format!("{}.lock", name()));
    let lock = std::fs::File::create(lock).unwrap();
    fs4::fs_std::FileExt::lock_exclusive(&lock).unwrap();
    let store = FileLimitStore::new(folder.path(), &name());
    let error = store.take(&create(1, 1)).await.unwrap_err().to_string();
    assert!(error.contains("waited 3s for its lock"), "{error}");
    drop(lock);
    assert!(take(&store, &create(1, 1)).await.is_some());
}

#[tokio::test]
async fn every_slot_in_the_file_ends_after_a_window() {
    let folder = tempfile::tempdir().unwrap();
    let store = FileLimitStore::new(folder.path(), &name());
    for process in 0..50 {
        take(&store, &create(process, 20)).await;
    }
    let state = state(folder.path());
    let mut limit: SharedLimit = serde_json::from_value(state["limit"].clone()).unwrap();
    let used = state["limit"]["used"].as_array().unwrap();
    assert_eq!(used.len(), 20);
    let last = used[19][1].as_u64().unwrap();
    // The other 30 processes got no slot, and never request one again. A process that is more than a second late with
    // its next request no longer counts as waiting. So all 20 slots must be free now for process 1.
    let later = std::time::Duration::from_millis(last + 60_500 + 1_001);
    let mut taken = 0;
    while matches!(
        limit.take(later, &create(1, 20)),
        blocks_sdk::SlotResponse::Taken { .. }
    ) {
        taken += 1;
    }
    assert_eq!(taken, 20);
}
