//! Tests of `batch`: invalid prompts, killed batches, reruns with a journal, and the progress line.

use std::collections::HashSet;
use std::time::Duration;

use blocks_mock::{Fault, Frequency, Mock, Operation, RateLimit, Script};
use serde_json::{Value, json};

use crate::in_process::{Test, creates};
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
            "line 2: missing or invalid `id`",
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
    // The batch is killed after about this many requests. The exact number differs between test runs.
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
    // No prompt was sent twice. A prompt whose outcome is unknown may or may not have a session.
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
    // Another run sends nothing and reports every result again.
    let before = service.mock.requests().len();
    assert_eq!(lines(&service.run(&arguments).out).len(), 8);
    assert_eq!(service.mock.requests().len(), before);
}

#[tokio::test(start_paused = true)]
async fn failures_have_different_statuses() {
    let mock = Mock::new();
    for fault in [Fault::status_after_effect(503), Fault::status(422)] {
        mock.inject(Operation::CreateSession, Frequency::ONCE, fault);
    }
    let folder = Folder::new("failures");
    let line = format!("batch - --journal {}", folder.file("journal"));
    // A rerun sends the rejected prompt again. It sends the prompt with the unknown outcome again only with
    // --retry-unknown.
    for (option, code, sessions) in [
        (" --max-running 1", 4, 2),
        ("", 4, 3),
        (" --retry-unknown", 0, 4),
    ] {
        let line = format!("{line}{option}");
        let ended = Test::new(&mock, &line).input(prompts(3)).run().await;
        assert_eq!(
            (ended.code, mock.session_count()),
            (code, sessions),
            "{ended:?}"
        );
        if option == " --max-running 1" {
            // The prompts ran one after the other, so the order of the results is certain.
            let lines = ended.lines();
            let statuses = lines.iter().map(|line| line["status"].as_str().unwrap());
            assert_eq!(
                statuses.collect::<Vec<_>>(),
                ["unknown", "failed", "completed"]
            );
        }
    }
}

fn exit_codes(lines: &[Value]) -> Vec<u64> {
    let code = |line: &Value| line["exit_code"].as_u64().unwrap();
    lines.iter().map(code).collect()
}

/// Builds a mock whose agent fails once for each prompt that starts with `bad`. The first reply to such a prompt
/// contains no JSON. All other replies contain JSON.
fn agent_that_fails_first() -> Mock {
    let seen = std::sync::Mutex::new(HashSet::new());
    let agent = move |turn: &blocks_mock::TurnInfo| {
        let word = turn.message.split_whitespace().next().unwrap().to_owned();
        let is_first = word.starts_with("bad") && seen.lock().unwrap().insert(word);
        let text = if is_first { "Not JSON." } else { "[1.5]" };
        Script::reply(text).reply_after(Duration::from_secs(1))
    };
    Mock::builder().agent_fn(agent).build()
}

fn worded(words: &[&str]) -> String {
    let line = |word: &&str| json!({"id": word, "agent_name": "claude", "message": word});
    words.iter().map(|w| format!("{}\n", line(w))).collect()
}

#[tokio::test(start_paused = true)]
async fn retry_failed_sends_bad_replies_again() {
    let mock = agent_that_fails_first();
    let folder = Folder::new("retry-failed");
    let schema = folder.file("schema.json");
    std::fs::write(&schema, r#"{"type": "array"}"#).unwrap();
    let journal = folder.file("journal");
    let line = format!("batch - --max-running 1 --schema {schema} --journal {journal}");
    let input = worded(&["good", "bad", "fine", "bad2"]);
    let mut bad = Vec::new();
    for (option, code, expected, sent) in [
        ("", 6, [0, 6, 0, 6], 4),
        ("", 6, [0, 6, 0, 6], 4),
        // The prompts that ended with exit code 0 in an earlier run are not sent again. Their results are reported
        // first.
        (" --retry-failed", 0, [0, 0, 0, 0], 6),
        (" --retry-failed", 0, [0, 0, 0, 0], 6),
        ("", 0, [0, 0, 0, 0], 6),
    ] {
        let ended = Test::new(&mock, &format!("{line}{option}"))
            .input(&*input)
            .run()
            .await;
        assert_eq!((ended.code, creates(&mock)), (code, sent), "{ended:?}");
        assert_eq!(exit_codes(&ended.lines()), expected, "{ended:?}");
        bad.push(
            ended
                .lines()
                .into_iter()
                .find(|l| l["id"] == "bad")
                .unwrap(),
        );
    }
    assert_eq!(bad[0], bad[1]);
    assert_ne!(bad[1]["session_id"], bad[2]["session_id"]);
    assert_eq!(bad[2], bad[4], "the new result is recorded");
}

#[tokio::test(start_paused = true)]
async fn retry_failed_leaves_unknown_outcomes() {
    let mock = Mock::new();
    mock.inject(
        Operation::CreateSession,
        Frequency::ONCE,
        Fault::status_after_effect(503),
    );
    let folder = Folder::new("retry-failed-unknown");
    let line = format!("batch - --journal {}", folder.file("journal"));
    for (option, code, sent) in [
        ("", 4, 1),
        (" --retry-failed", 4, 1),
        (" --retry-failed --retry-unknown", 0, 2),
    ] {
        let line = format!("{line}{option}");
        let ended = Test::new(&mock, &line).input(prompts(1)).run().await;
        assert_eq!((ended.code, creates(&mock)), (code, sent), "{ended:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_rerun_sends_rejected_creates_again() {
    let mock = Mock::new();
    mock.inject(
        Operation::CreateSession,
        Frequency::ONCE,
        Fault::status(422),
    );
    let folder = Folder::new("rejected");
    let line = format!("batch - --journal {}", folder.file("journal"));
    for (code, sent, sessions) in [(1, 1, 0), (0, 2, 1), (0, 2, 1)] {
        let ended = Test::new(&mock, &line).input(prompts(1)).run().await;
        assert_eq!((ended.code, creates(&mock)), (code, sent), "{ended:?}");
        assert_eq!(mock.session_count(), sessions);
    }
}

#[tokio::test(start_paused = true)]
async fn retry_failed_agrees_with_fail_on_notice() {
    for (options, sent) in [
        ("--retry-failed", 1),
        ("--retry-failed --fail-on-notice", 2),
    ] {
        let agent = |turn: &blocks_mock::TurnInfo| match turn.session {
            0 => Script::failure(blocks_mock::FailureNotice::Authentication),
            _ => Script::reply("Done."),
        };
        let mock = Mock::builder().agent_fn(agent).build();
        let folder = Folder::new("retry-notice");
        let line = format!("batch - --journal {}", folder.file("journal"));
        let first = Test::new(&mock, &line).input(prompts(1)).run().await;
        assert_eq!((first.code, creates(&mock)), (0, 1), "{first:?}");
        let line = format!("{line} {options}");
        let again = Test::new(&mock, &line).input(prompts(1)).run().await;
        assert_eq!((again.code, creates(&mock)), (0, sent), "{again:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn retry_failed_needs_a_journal() {
    let mock = Mock::new();
    let line = "batch - --retry-failed";
    let ended = Test::new(&mock, line).input(prompts(1)).run().await;
    assert_eq!((ended.code, mock.request_count()), (2, 0), "{ended:?}");
}

#[tokio::test(start_paused = true)]
async fn a_journal_that_cannot_be_right_is_refused() {
    let mock = Mock::new();
    let folder = Folder::new("journal");
    let file = folder.file("prompts");
    std::fs::write(&file, prompts(1)).unwrap();
    for journal in [
        file.clone(),
        format!("{}/./prompts", folder.path().display()),
        "valkey://ci:s3cret@127.0.0.1:1".to_owned(),
        "REDIS://ci:s3cret@127.0.0.1:1".to_owned(),
        "redis:/ci:s3cret@127.0.0.1:1/nightly".to_owned(),
        "http://ci:s3cret@127.0.0.1:1/nightly".to_owned(),
    ] {
        let line = format!("batch {file} --journal {journal}");
        let ended = Test::new(&mock, &line).run().await;
        assert_eq!((ended.code, mock.request_count()), (2, 0), "{ended:?}");
        assert!(!ended.err.contains("s3cret"), "{ended:?}");
    }
    assert_eq!(std::fs::read_to_string(&file).unwrap(), prompts(1));
}

/// Returns the successive texts of the progress line, which is redrawn in place.
fn drawn(err: &str) -> Vec<String> {
    let line = |text: &str| {
        let text = text.split('\n').next().unwrap_or_default();
        text.get(2..).unwrap_or_default().to_owned()
    };
    err.split("\r\u{1b}[K")
        .skip(1)
        .map(line)
        .filter(|line| line.contains(" waiting, "))
        .collect()
}

#[tokio::test(start_paused = true)]
async fn a_terminal_shows_how_far_a_batch_is() {
    let agent = Script::reply("Done.").reply_after(Duration::from_secs(10));
    let mock = Mock::builder().agent(agent).build();
    mock.inject(
        Operation::CreateSession,
        Frequency::ONCE,
        Fault::status(422),
    );
    let line = "batch - --max-running 1";
    let ended = Test::new(&mock, line)
        .input(prompts(3))
        .terminal()
        .run()
        .await;
    assert_eq!(ended.code, 1, "{ended:?}");
    let mut counts: Vec<String> = drawn(&ended.err)
        .iter()
        .map(|line| line.rsplit_once(", ").unwrap().0.to_owned())
        .collect();
    counts.dedup();
    assert_eq!(
        counts,
        [
            "1 of 3 done, 1 running, 1 waiting, 1 failed",
            "2 of 3 done, 1 running, 0 waiting, 1 failed",
        ],
        "{ended:?}"
    );
    let shown = ended.err.rsplit('\r').next().unwrap();
    assert!(
        shown.starts_with("\u{1b}[K3 of 3: p2 completed\n"),
        "{shown:?}"
    );
    let log = Test::new(&mock, line).input(prompts(1)).run().await;
    assert!(
        !log.err.contains('\r') && drawn(&log.err).is_empty(),
        "{log:?}"
    );
}
