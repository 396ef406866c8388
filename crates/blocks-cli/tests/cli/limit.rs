//! Tests of the rate limit that processes share.

use std::path::Path;
use std::time::Duration;

use blocks_mock::{Mock, Script};

use crate::{Ended, Folder, Service, blocks};

fn service() -> Service {
    Service::new(Mock::builder().agent(Script::reply("Done.").reply_after(Duration::ZERO)))
}

fn run(service: &Service, state: &Path, arguments: &[&str], limit: Option<&str>) -> Ended {
    let mut command = service.command(arguments);
    command.env("XDG_STATE_HOME", state);
    if let Some(limit) = limit {
        command.env("BLOCKS_LIMIT_URL", limit);
    }
    Ended::of(command.output().unwrap())
}

/// Returns the name and the content of the file in which the shared rate limit is stored. Returns `None` if `folder`
/// contains no such file, and panics if it contains several.
fn state_file(folder: &Path) -> Option<(String, serde_json::Value)> {
    let mut found = std::fs::read_dir(folder).ok()?.filter_map(|file| {
        let file = file.unwrap();
        let name = file.file_name().into_string().unwrap();
        let text = std::fs::read_to_string(file.path()).unwrap();
        name.ends_with(".json")
            .then(|| (name, serde_json::from_str(&text).unwrap()))
    });
    let only = found.next();
    assert!(found.next().is_none());
    only
}

const RUN: [&str; 4] = ["run", "--agent", "claude", "Go."];

#[test]
fn processes_of_a_user_share_a_file() {
    let (service, state) = (service(), Folder::new("shared-limit"));
    let limits = state.path().join("blocks/limits");
    for processes in 1..=2 {
        let ended = run(&service, state.path(), &RUN, None);
        assert_eq!(
            (ended.code, ended.out.as_str()),
            (Some(0), "Done.\n"),
            "{ended:?}"
        );
        let (name, file) = state_file(&limits).expect("a file");
        assert!(!name.contains(service.mock.key()), "{name}");
        assert!(name.len() == 37, "{name}");
        assert!(!file.to_string().contains(service.mock.key()));
        let used = file["limit"]["used"].as_array().unwrap().len();
        assert_eq!(used, service.mock.mock().requests().len(), "{processes}");
    }
    let other = Service::new(Mock::builder());
    run(&other, state.path(), &["check"], None);
    let files = std::fs::read_dir(&limits).unwrap();
    assert_eq!(files.count(), 4, "two for each base URL");
}

#[test]
fn the_shared_limit_can_be_switched_off() {
    let (service, state) = (service(), Folder::new("no-shared-limit"));
    let arguments = [&RUN[..], &["--no-shared-limit"]].concat();
    assert_eq!(run(&service, state.path(), &arguments, None).code, Some(0));
    assert_eq!(run(&service, state.path(), &RUN, Some("off")).code, Some(0));
    assert_eq!(std::fs::read_dir(state.path()).unwrap().count(), 0);
}

#[test]
fn the_shared_limit_can_be_in_another_folder() {
    let (service, state) = (service(), Folder::new("other-limit"));
    let other = state.path().join("other");
    let limit = format!("file:{}", other.display());
    let ended = run(&service, state.path(), &["check"], Some(&limit));
    assert!(
        ended
            .out
            .contains(&format!("limit            shared by {limit}\n")),
        "{ended:?}"
    );
    assert!(state_file(&other).is_some());
    assert!(!state.path().join("blocks").exists());
}

#[test]
fn a_location_that_is_not_one_sends_nothing() {
    let (service, state) = (service(), Folder::new("bad-limit"));
    for limit in ["localhost:6379", "file:", "http://user:s3cret@host", "OFF"] {
        let ended = run(&service, state.path(), &RUN, Some(limit));
        assert_eq!(ended.code, Some(2), "{ended:?}");
        assert!(ended.err.contains("BLOCKS_LIMIT_URL"), "{ended:?}");
        assert!(!ended.err.contains("s3cret"), "{ended:?}");
    }
    assert!(service.mock.mock().requests().is_empty());
}

#[test]
fn check_shows_no_password_of_a_server() {
    let (service, state) = (service(), Folder::new("password"));
    // No server listens on this port. The later passwords contain characters that must be encoded in a URL.
    for password in [
        "s3cret", "s3cret#x", "s3c?ret", "s3cret@x", "s3cret/x", "#s3cret",
    ] {
        let limit = format!("redis://ci:{password}@127.0.0.1:1");
        let ended = run(&service, state.path(), &["check"], Some(&limit));
        assert!(ended.out.contains("redis://127.0.0.1:1"), "{ended:?}");
        let all = format!("{ended:?}");
        assert!(!all.contains("s3c") && !all.contains("ret"), "{all}");
    }
    let wrong = "rediz://ci:s3cret@127.0.0.1:1";
    let ended = run(&service, state.path(), &["check"], Some(wrong));
    assert!(ended.err.contains("BLOCKS_LIMIT_URL"), "{ended:?}");
    assert!(!format!("{ended:?}").contains("s3cret"), "{ended:?}");
}

#[test]
fn a_read_only_home_is_reported_once() {
    let (service, state) = (service(), Folder::new("read-only"));
    // The state folder is a file, so not even root can create a folder below it.
    let file = state.path().join("file");
    std::fs::write(&file, "").unwrap();
    let ended = run(&service, &file, &RUN, None);
    assert_eq!(
        (ended.code, ended.out.as_str()),
        (Some(0), "Done.\n"),
        "{ended:?}"
    );
    let warnings = ended
        .err
        .matches("warning: limit not shared: cannot use")
        .count();
    assert_eq!(warnings, 1, "{ended:?}");
    let ended = run(&service, &file, &["check"], None);
    assert!(
        ended.out.contains("limit            not shared: file:"),
        "{ended:?}"
    );
}

#[test]
fn a_limit_that_is_not_shared_is_an_event() {
    let (service, state) = (service(), Folder::new("limit-event"));
    let file = state.path().join("file");
    std::fs::write(&file, "").unwrap();
    let arguments = [&RUN[..], &["--json", "--follow"]].concat();
    let ended = run(&service, &file, &arguments, None);
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let events = ended.err.lines().map(|line| {
        let event: serde_json::Value = serde_json::from_str(line).expect("JSON");
        event
    });
    let warnings = events.filter(|event| {
        let text = event["text"].as_str().unwrap_or_default();
        event["event"] == "note" && text.starts_with("warning: limit not shared: cannot use")
    });
    assert_eq!(warnings.count(), 1, "{ended:?}");
}

#[test]
fn a_full_disk_is_reported_once() {
    let (service, state) = (service(), Folder::new("full-disk"));
    let script = "trap '' XFSZ; ulimit -f 0; exec \"$0\" run --agent claude Go.";
    let mut command = std::process::Command::new("sh");
    command.args(["-c", script, env!("CARGO_BIN_EXE_blocks")]);
    command.env("XDG_STATE_HOME", state.path());
    command.env("BLOCKS_API_KEY", service.mock.key());
    command.env("BLOCKS_API_BASE_URL", service.mock.url());
    let ended = Ended::of(command.output().unwrap());
    assert_eq!(
        (ended.code, ended.out.as_str()),
        (Some(0), "Done.\n"),
        "{ended:?}"
    );
    assert_eq!(
        ended.err.matches("warning: limit not shared").count(),
        1,
        "{ended:?}"
    );
}

#[test]
fn without_a_home_the_limit_is_not_shared() {
    let service = service();
    let mut command = blocks(&["check"]);
    command.env_remove("XDG_STATE_HOME").env_remove("HOME");
    command.env("BLOCKS_API_KEY", service.mock.key());
    command.env("BLOCKS_API_BASE_URL", service.mock.url());
    let ended = Ended::of(command.output().unwrap());
    assert!(
        ended
            .out
            .contains("limit            not shared with other processes"),
        "{ended:?}"
    );
}
