//! Many prompts: the limit is kept, and no prompt is sent twice.

use std::collections::HashSet;
use std::time::Duration;

use blocks_mock::{Fault, Frequency, Mock, Operation, RateLimit, Script};
use serde_json::{Value, json};

use crate::{Folder, Service};

fn prompts(n: usize) -> String {
    let line =
        |i| json!({"id": format!("p{i}"), "agent_name": "claude", "message": format!("{i}")});
    (0..n).map(|i| format!("{}\n", line(i))).collect()
}

fn lines(text: &str) -> Vec<Value> {
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

#[test]
fn every_line_is_checked_before_anything_is_sent() {
    let service = Service::new(Mock::builder());
    let folder = Folder::new("checked");
    let file = folder.file("prompts.jsonl");
    for (line, expected) in [
        (
            r#"{"agent_name": "claude", "message": "x"}"#,
            "line 2: missing `id`",
        ),
        (
            r#"{"id": "p0", "agent_name": "claude", "message": "x"}"#,
            "line 2: duplicate id `p0`",
        ),
        (r#"{"id": "b", "message": "x"}"#, "line 2: give exactly one"),
        ("nonsense", "line 2: invalid JSON"),
    ] {
        std::fs::write(&file, format!("{}{line}\n", prompts(1))).unwrap();
        let ended = service.run(&["batch", &file]);
        assert_eq!(ended.code, Some(2), "{ended:?}");
        assert!(ended.err.contains(expected), "{ended:?}");
    }
    assert_eq!(service.mock.requests().len(), 0);
}

#[test]
fn killed_batches_duplicate_and_lose_nothing() {
    let agent = Script::reply("Done.").reply_after(Duration::from_millis(500));
    let limit = RateLimit::default();
    let service = Service::new(Mock::builder().agent(agent).rate_limit(limit));
    let folder = Folder::new("killed");
    let (file, journal) = (folder.file("prompts.jsonl"), folder.file("journal.jsonl"));
    std::fs::write(&file, prompts(8)).unwrap();
    let arguments = ["batch", &file, "--journal", &journal];
    // Killed after this many requests, at a point that differs from run to run.
    for requests in [0, 3, 9, 15, 16] {
        let mut child = service
            .command(&arguments)
            .stdout(std::process::Stdio::null())
            .stderr(std::process::Stdio::null())
            .spawn()
            .unwrap();
        while service.mock.requests().len() < requests && child.try_wait().unwrap().is_none() {
            std::thread::yield_now();
        }
        child.kill().unwrap();
        child.wait().unwrap();
    }
    let ended = service.run(&arguments);
    let results = lines(&ended.out);
    let ids: HashSet<&str> = results.iter().map(|r| r["id"].as_str().unwrap()).collect();
    assert_eq!((results.len(), ids.len()), (8, 8), "{ended:?}");
    let unknown = results.iter().filter(|r| r["status"] == "unknown").count();
    let completed = results
        .iter()
        .filter(|r| r["final_message"] == "Done.")
        .count();
    assert_eq!(completed + unknown, 8, "{ended:?}");
    assert_eq!(
        ended.code,
        Some(if unknown > 0 { 4 } else { 0 }),
        "{ended:?}"
    );
    // No prompt was sent twice. One with an unknown outcome is named, and may have a session.
    let bodies: Vec<String> = service
        .mock
        .requests()
        .into_iter()
        .filter(|r| r.operation == Some(Operation::CreateSession))
        .map(|r| r.body)
        .collect();
    assert_eq!(bodies.iter().collect::<HashSet<_>>().len(), bodies.len());
    assert!((completed..=8).contains(&service.mock.session_count()));
    assert!(
        service
            .mock
            .requests()
            .iter()
            .all(|r| r.status != Some(429))
    );
    // Another run sends nothing and reports every reply again.
    let before = service.mock.requests().len();
    assert_eq!(lines(&service.run(&arguments).out).len(), 8);
    assert_eq!(service.mock.requests().len(), before);
}

#[test]
fn failures_have_different_statuses() {
    let service = Service::new(
        Mock::builder()
            .agent(Script::reply("Done.").reply_after(Duration::ZERO))
            .fault(
                Operation::CreateSession,
                Frequency::ONCE,
                Fault::status_after_effect(503),
            )
            .fault(
                Operation::CreateSession,
                Frequency::ONCE,
                Fault::status(422),
            ),
    );
    let folder = Folder::new("failures");
    let (file, journal) = (folder.file("prompts.jsonl"), folder.file("journal.jsonl"));
    std::fs::write(&file, prompts(3)).unwrap();
    let one_by_one = ["batch", &file, "--journal", &journal, "--max-running", "1"];
    let ended = service.run(&one_by_one);
    assert_eq!(ended.code, Some(4), "{ended:?}");
    let statuses: Vec<Value> = lines(&ended.out)
        .into_iter()
        .map(|mut line| line["status"].take())
        .collect();
    assert_eq!(statuses, ["unknown", "failed", "completed"]);
    // The rejected prompt is retried, the unknown one only with --retry-unknown.
    let again = service.run(&["batch", &file, "--journal", &journal]);
    assert_eq!(
        (again.code, service.mock.session_count()),
        (Some(4), 3),
        "{again:?}"
    );
    let retried = service.run(&["batch", &file, "--journal", &journal, "--retry-unknown"]);
    assert_eq!(
        (retried.code, service.mock.session_count()),
        (Some(0), 4),
        "{retried:?}"
    );
}
