//! Tests of the HAR file that `--record` writes, for several ways in which a process can end.

use std::io::{BufRead, BufReader};
use std::path::Path;

use blocks_mock::{Fault, Frequency, Mock, Operation, Script};
use serde_json::Value;

use crate::in_process::Test;
use crate::{Ended, Folder, Service, blocks, kill, spawn};

/// Returns the response statuses in a HAR file.
fn statuses(file: &str) -> Vec<u64> {
    let text = std::fs::read_to_string(file).unwrap();
    let har: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(har["log"]["version"], "1.2");
    let entries = har["log"]["entries"].as_array().unwrap().iter();
    entries
        .map(|entry| entry["response"]["status"].as_u64().unwrap())
        .collect()
}

#[test]
fn a_recording_is_private_and_new() {
    let service = Service::new(Mock::builder());
    let folder = Folder::new("record-new");
    let file = folder.file("run.har");
    let arguments = ["run", "--agent", "claude", "--record", &file, "Go."];
    let ended = service.run(&arguments);
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert_eq!(statuses(&file)[0], 200);
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = std::fs::metadata(&file).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
    let before = std::fs::read(&file).unwrap();
    let requests = service.mock.request_count();
    let ended = service.run(&arguments);
    assert_eq!(ended.code, Some(2), "{ended:?}");
    let expected = format!("cannot create --record {file}: ");
    assert!(ended.err.contains(&expected), "{ended:?}");
    assert_eq!(service.mock.request_count(), requests);
    assert_eq!(std::fs::read(&file).unwrap(), before);
}

#[test]
fn a_command_that_sends_nothing_leaves_no_recording() {
    let service = Service::new(Mock::builder());
    let folder = Folder::new("record-none");
    let file = folder.file("run.har");
    for (arguments, expected) in [
        (
            vec!["mock", "--record", &file],
            "--record works with commands that call the service",
        ),
        (
            vec!["check", "--record-texts"],
            "--record-texts works with --record",
        ),
        (
            vec!["run", "--record", &file, "--agent", "no-agent", "Go."],
            "no-agent",
        ),
        (
            vec!["check", "--record", "/nonexistent/run.har"],
            "cannot create --record /nonexistent/run.har: ",
        ),
    ] {
        let ended = service.run(&arguments);
        assert_eq!(ended.code, Some(2), "{arguments:?}: {ended:?}");
        assert!(ended.err.contains(expected), "{arguments:?}: {ended:?}");
        assert!(!Path::new(&file).exists(), "{arguments:?}");
    }
    assert_eq!(service.mock.request_count(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_key_that_is_a_part_of_its_replacement_is_removed_once() {
    let folder = Folder::new("record-short-key");
    for key in ["E", "REMOVED"] {
        let mock = Mock::builder().key(key).build();
        let file = folder.file(key);
        let line = format!("run --agent claude --no-wait --record {file} Go.");
        let ended = Test::new(&mock, &line).run().await;
        assert_eq!(ended.code, 0, "{key}: {ended:?}");
        assert_eq!(statuses(&file), [200], "{key}");
    }
}

#[cfg(unix)]
#[test]
fn each_signal_leaves_a_valid_recording() {
    for (signal, code) in [("-INT", 130), ("-TERM", 143), ("-HUP", 129)] {
        let service = Service::new(Mock::builder().agent(Script::no_reply()));
        let folder = Folder::new(&format!("record{signal}"));
        let file = folder.file("run.har");
        let arguments = ["run", "--agent", "claude", "--record", &file, "Go."];
        let mut child = spawn(service.command(&arguments));
        let mut line = String::new();
        let mut err = BufReader::new(child.stderr.take().unwrap());
        err.read_line(&mut line).unwrap();
        assert!(line.starts_with("session "), "{line}");
        kill(signal, &child);
        let ended = Ended::of(child.wait_with_output().unwrap());
        assert_eq!(ended.code, Some(code), "{signal}: {ended:?}");
        assert_eq!(statuses(&file)[0], 200, "{signal}");
    }
}

#[cfg(unix)]
#[test]
fn a_signal_during_a_create_leaves_only_a_recording() {
    let silence = Fault::Delay(std::time::Duration::from_secs(600));
    let service =
        Service::new(Mock::builder().fault(Operation::CreateSession, Frequency::Always, silence));
    let folder = Folder::new("record-create");
    let (file, pending) = (folder.file("run.har"), folder.file("pending"));
    let mut command = service.command(&["run", "--agent", "claude", "--record", &file]);
    command.args(["--pending", &pending, "Go."]);
    let child = spawn(command);
    while service.mock.request_count() == 0 {
        std::thread::yield_now();
    }
    kill("-TERM", &child);
    let ended = Ended::of(child.wait_with_output().unwrap());
    assert_eq!(ended.code, Some(143), "{ended:?}");
    assert!(ended.err.contains("Check the dashboard"), "{ended:?}");
    assert_eq!(statuses(&file), [0]);
    let files = std::fs::read_dir(folder.path()).unwrap().count();
    assert_eq!(files, 1, "no pending file is left");
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_ends_the_recording_and_not_the_run() {
    let service = Service::new(Mock::builder());
    let folder = Folder::new("record-full");
    let file = folder.file("run.har");
    let line = ["--no-shared-limit", "--record", &file, "run"];
    let command = service.command(&[&line[..], &["--agent", "claude", "Go."]].concat());
    // A limit on the file size simulates a full disk. The lower limit has no space for a request.
    for (limit, rest) in [
        (1, "there is no recording"),
        (6, "it contains the first 1 requests"),
    ] {
        let script = format!("ulimit -f {limit}; exec \"$@\"");
        let mut limited = std::process::Command::new("sh");
        limited.args(["-c", &script, "sh"]);
        limited.arg(command.get_program()).args(command.get_args());
        limited.envs(command.get_envs().filter_map(|(k, v)| Some((k, v?))));
        let ended = Ended::of(limited.output().unwrap());
        assert_eq!(ended.code, Some(0), "{ended:?}");
        assert_eq!(ended.out, "Done.\n");
        let warning = format!("warning: cannot write --record {file}: ");
        assert!(ended.err.contains(&warning), "{ended:?}");
        assert!(ended.err.contains(rest), "{ended:?}");
        assert_eq!(Path::new(&file).exists(), limit > 1, "{ended:?}");
    }
    assert_eq!(statuses(&file), [200]);
}

#[test]
fn a_capture_that_cannot_be_read_is_a_usage_error() {
    let folder = Folder::new("replay-error");
    let (other, empty) = (folder.file("other.har"), folder.file("empty"));
    std::fs::write(&other, "{\"log\": {\"entries\": []}}").unwrap();
    std::fs::create_dir(&empty).unwrap();
    for (path, expected) in [
        (&folder.file("none.har"), "cannot read the capture "),
        (&other, "no response of the service in it"),
        (&empty, "no response of the service in it"),
    ] {
        let ended = Ended::of(blocks(&["mock", "--replay", path]).output().unwrap());
        assert_eq!(ended.code, Some(2), "{ended:?}");
        assert!(ended.err.contains(expected), "{ended:?}");
    }
}
