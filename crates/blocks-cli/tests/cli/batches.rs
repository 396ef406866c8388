//! Tests of `batch` that run inside the test process: interrupted batches, the journal, and the order of the results.

use std::time::Duration;

use blocks_cli::Interruption;
use blocks_mock::{Fault, Frequency, Mock, Operation, RetryAfter, Script};
use serde_json::{Value, json};

use crate::Folder;
use crate::in_process::{Ended, Stream, Test, creates};

fn replying() -> Mock {
    Mock::builder()
        .agent(Script::reply("Done.").reply_after(Duration::from_secs(1)))
        .build()
}

fn prompts(n: usize) -> String {
    (0..n).map(|i| prompt(&format!("p{i}"), "x")).collect()
}

fn prompt(id: &str, message: &str) -> String {
    format!(
        "{}\n",
        json!({"id": id, "agent_name": "claude", "message": message})
    )
}

fn statuses(ended: &Ended) -> Vec<(String, String)> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    ended
        .lines()
        .iter()
        .map(|line| (text(&line["id"]), text(&line["status"])))
        .collect()
}

fn pair(id: &str, status: &str) -> (String, String) {
    (id.to_owned(), status.to_owned())
}

#[tokio::test(start_paused = true)]
async fn each_line_has_the_fields_of_run() {
    let agent = Script::reply("Done.").reply_after(Duration::ZERO).step(
        Duration::ZERO,
        blocks_mock::Action::PullRequest("https://example.com/1".into()),
    );
    let mock = Mock::builder().agent(agent).build();
    let line = json!({"id": 7, "agent_name": "claude", "message": "x"}).to_string();
    let batch = Test::new(&mock, "batch -").input(line).run().await;
    let run = Test::new(&mock, "run --agent claude --json x").run().await;
    let (mut line, run) = (batch.json(), run.json());
    assert_eq!(
        line.as_object_mut().unwrap().remove("id"),
        Some(json!(7)),
        "the id as it was given"
    );
    let names = |value: &Value| {
        value
            .as_object()
            .unwrap()
            .keys()
            .cloned()
            .collect::<Vec<_>>()
    };
    assert_eq!(names(&line), names(&run));
    for name in ["status", "exit_code", "final_message", "error"] {
        assert_eq!(line[name], run[name], "{name}");
    }
    for report in [line, run] {
        assert_eq!(report["pull_requests"][0]["url"], "https://example.com/1");
        assert!(
            report["session_html_url"]
                .as_str()
                .unwrap()
                .starts_with("https://")
        );
    }
}

#[tokio::test(start_paused = true)]
async fn an_interrupted_batch_reports_every_prompt() {
    let mock = Mock::builder().agent(Script::no_reply()).build();
    let test = Test::new(&mock, "batch - --max-running 2").input(prompts(3));
    let test = test.signal(Duration::from_secs(30), Interruption::Interrupt);
    let ended = test.run().await;
    assert_eq!(ended.code, 130, "{ended:?}");
    let expected = ["p0", "p1", "p2"].map(|id| pair(id, "interrupted"));
    assert_eq!(statuses(&ended), expected);
    let lines = ended.lines();
    for (line, session) in lines.iter().zip(mock.sessions()) {
        assert_eq!(line["session_id"], session.to_string());
        let thread = mock.threads(session)[0];
        let resume = format!("blocks wait {session} --thread {thread}");
        assert_eq!(line["error"]["resume"], resume);
        let page = line["session_html_url"].as_str().unwrap();
        let page = format!(" session {page}\n");
        assert!(
            ended.err.contains(&page),
            "an id is reported as soon as it is known: {ended:?}"
        );
    }
    assert_eq!(lines[2]["error"]["may_have_taken_effect"], false);
    assert_eq!(mock.session_count(), 2);
    assert!(ended.err.contains("there is no journal"), "{ended:?}");
    assert!(!ended.err.contains("--journal"), "{ended:?}");
}

#[tokio::test(start_paused = true)]
async fn a_create_between_attempts_is_not_unknown() {
    let mock = replying();
    let folder = Folder::new("between-attempts");
    let journal = folder.file("journal");
    let line = format!("batch - --journal {journal}");
    let fault = Fault::rate_limited(Some(RetryAfter::Seconds(30)));
    mock.inject(Operation::CreateSession, Frequency::Always, fault);
    let test = Test::new(&mock, &line).input(prompts(3));
    let test = test.signal(Duration::from_secs(5), Interruption::Terminate);
    let ended = test.run().await;
    assert_eq!(ended.code, 143, "{ended:?}");
    let expected = ["p0", "p1", "p2"].map(|id| pair(id, "interrupted"));
    assert_eq!(statuses(&ended), expected);
    for line in ended.lines() {
        assert_eq!(line["error"]["may_have_taken_effect"], false, "{line}");
        assert_eq!(line["error"]["message"], "interrupted before it was sent");
    }
    let text = std::fs::read_to_string(&journal).unwrap();
    let count = |event: &str| text.matches(&format!("\"{event}\"")).count();
    assert!(count("starting") > 0, "{text}");
    assert_eq!(count("not_started"), count("starting"), "{text}");
    mock.clear_faults();
    let second = Test::new(&mock, &line).input(prompts(3)).run().await;
    assert_eq!((second.code, mock.session_count()), (0, 3), "{second:?}");
}

#[cfg(unix)]
#[tokio::test(start_paused = true)]
async fn a_journal_that_is_moved_stops_the_batch() {
    let agent = Script::reply("Done.").reply_after(Duration::from_secs(10));
    let mock = Mock::builder().agent(agent).build();
    let folder = Folder::new("moved-journal");
    let (journal, moved) = (folder.file("journal"), folder.file("journal.1"));
    let line = format!("batch - --max-running 1 --journal {journal}");
    let test = Test::new(&mock, &line).input(prompts(3));
    let mover = async {
        tokio::time::sleep(Duration::from_secs(5)).await;
        std::fs::rename(&journal, &moved).unwrap();
        std::future::pending::<()>().await
    };
    let ended = tokio::select! {
        ended = test.run() => ended,
        () = mover => unreachable!(),
    };
    assert_eq!((ended.code, creates(&mock)), (1, 1), "{ended:?}");
    let expected = [
        pair("p0", "completed"),
        pair("p1", "refused"),
        pair("p2", "refused"),
    ];
    assert_eq!(statuses(&ended), expected, "{ended:?}");
    let warning = "warning: cannot write the journal: another program has moved, deleted or \
                   replaced the file; no more prompts are started\n";
    assert!(ended.err.contains(warning), "{ended:?}");
}

#[tokio::test(start_paused = true)]
async fn at_most_max_running_sessions_work() {
    let mock = replying();
    let ended = Test::new(&mock, "batch - --max-running 1")
        .input(prompts(3))
        .run()
        .await;
    assert_eq!(ended.code, 0, "{ended:?}");
    let expected = ["p0", "p1", "p2"].map(|id| pair(id, "completed"));
    assert_eq!(statuses(&ended), expected, "one after the other");
    let none = Test::new(&mock, "batch - --max-running 0")
        .input(prompts(1))
        .run()
        .await;
    assert_eq!(none.code, 2, "{none:?}");
}

#[tokio::test(start_paused = true)]
async fn fail_fast_sends_nothing_more() {
    let mock = replying();
    mock.inject(
        Operation::CreateSession,
        Frequency::ONCE,
        Fault::status(422),
    );
    let ended = Test::new(&mock, "batch - --max-running 1 --fail-fast")
        .input(prompts(3))
        .run()
        .await;
    assert_eq!((ended.code, creates(&mock)), (1, 1), "{ended:?}");
    let expected = [
        pair("p0", "failed"),
        pair("p1", "refused"),
        pair("p2", "refused"),
    ];
    assert_eq!(statuses(&ended), expected);
}

/// Without `--max-running`, all prompts run at the same time, but most of them wait for a permit.
#[tokio::test(start_paused = true)]
async fn prompts_that_wait_for_a_permit_are_not_sent() {
    for is_interrupted in [false, true] {
        let mock = Mock::builder().agent(Script::no_reply()).build();
        if !is_interrupted {
            mock.inject(
                Operation::CreateSession,
                Frequency::ONCE,
                Fault::status(422),
            );
        }
        let mut test = Test::new(&mock, "batch - --fail-fast --timeout 20s").input(prompts(250));
        if is_interrupted {
            test = test.signal(Duration::from_secs(10), Interruption::Interrupt);
        }
        let ended = test.run().await;
        let sent = creates(&mock);
        assert!(sent < 100, "{sent} were sent");
        let lines = ended.lines();
        assert_eq!(lines.len(), 250);
        let has_session = |line: &&serde_json::Value| line["session_id"].is_string();
        assert_eq!(
            lines.iter().filter(has_session).count(),
            mock.session_count()
        );
        let expected = if is_interrupted {
            "interrupted"
        } else {
            "refused"
        };
        for line in lines.iter().filter(|line| !has_session(line)) {
            let was_rejected = line["error"]["http_status"] == 422;
            assert!(was_rejected || line["status"] == expected, "{line}");
            assert_eq!(line["error"]["may_have_taken_effect"], false, "{line}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_time_out_is_retryable_only_with_a_journal() {
    let folder = Folder::new("retryable");
    let journal = format!(" --journal {}", folder.file("journal"));
    for (options, is_retryable) in [("", false), (journal.as_str(), true)] {
        let mock = Mock::builder().agent(Script::no_reply()).build();
        let line = format!("batch - --timeout 1m{options}");
        let ended = Test::new(&mock, &line).input(prompts(1)).run().await;
        assert_eq!(ended.code, 3, "{ended:?}");
        assert_eq!(ended.json()["error"]["retryable"], is_retryable, "{line}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_empty_batch_is_a_usage_error() {
    let mock = replying();
    for input in ["", "\n \n", "\u{feff}"] {
        let ended = Test::new(&mock, "batch -").input(input).run().await;
        assert_eq!(ended.code, 2, "{ended:?}");
        assert!(ended.err.contains("contains no prompts"), "{ended:?}");
    }
    let marked = Test::new(&mock, "batch -")
        .input(format!("\u{feff}{}", prompts(1)))
        .run()
        .await;
    assert_eq!(marked.code, 0, "{marked:?}");
}

#[tokio::test(start_paused = true)]
async fn an_edited_prompt_needs_a_new_id() {
    let mock = replying();
    let folder = Folder::new("edited");
    let journal = folder.file("journal");
    let line = format!("batch - --journal {journal}");
    let first = prompt("a", "one");
    assert_eq!(Test::new(&mock, &line).input(&*first).run().await.code, 0);
    let before = mock.requests().len();
    let with = |field: &str| first.replace("\"id\"", &format!("{field},\"id\""));
    for (edited, changed) in [
        (prompt("a", "two"), "message"),
        (first.replace("claude", "codex"), "agent_name"),
        (with("\"title\":\"t\""), "title"),
        (
            with("\"title\":\"t\",\"is_private\":true"),
            "is_private, title",
        ),
    ] {
        let ended = Test::new(&mock, &line)
            .input(prompt("b", "new") + &edited)
            .run()
            .await;
        assert_eq!(ended.code, 2, "{ended:?}");
        let expected = format!("prompt a: {changed} differs from the request");
        assert!(ended.err.contains(&expected), "{ended:?}");
    }
    let same = first.replace("\"id\"", "\"title\":null, \"id\"");
    let ended = Test::new(&mock, &line).input(&*same).run().await;
    assert_eq!(
        (ended.code, ended.json()["final_message"].clone()),
        (0, json!("Done."))
    );
    assert_eq!(mock.requests().len(), before);
}

#[tokio::test(start_paused = true)]
async fn damaged_journal_lines_make_prompts_unknown() {
    let mock = replying();
    let folder = Folder::new("damaged");
    let journal = folder.file("journal");
    let line = format!("batch - --journal {journal}");
    Test::new(&mock, &line).input(prompts(1)).run().await;
    let whole = std::fs::read_to_string(&journal).unwrap();
    let merged = r#"{"event":"created","id":"p1","pen{"event":"starting","id":"p2"}"#;
    for (damage, expected) in [
        (
            format!("{whole}{merged}\n"),
            ["completed", "unknown", "unknown", "completed"],
        ),
        (format!("\u{feff}{whole}"), ["completed"; 4]),
        (whole.replace('\n', "\r\n"), ["completed"; 4]),
        (format!("{whole}{}", &merged[..20]), ["completed"; 4]),
        (
            format!("{whole}\0\0\0\n"),
            ["completed", "unknown", "unknown", "unknown"],
        ),
        (
            format!("\0\0\n{whole}"),
            ["completed", "unknown", "unknown", "unknown"],
        ),
    ] {
        std::fs::write(&journal, &damage).unwrap();
        let ended = Test::new(&mock, &format!("{line} --max-running 1"))
            .input(prompts(4))
            .run()
            .await;
        let found = statuses(&ended);
        assert_eq!(found.len(), 4, "{ended:?}");
        for (number, status) in expected.into_iter().enumerate() {
            let line = pair(&format!("p{number}"), status);
            assert!(found.contains(&line), "{line:?} {damage:?}: {ended:?}");
        }
        let warned = ended.err.contains("is damaged and was skipped");
        assert_eq!(warned, expected.contains(&"unknown"), "{ended:?}");
    }
    for foreign in ["hello\n", "[1]\n", "{\"a\": 1}\n"] {
        std::fs::write(&journal, foreign).unwrap();
        let before = mock.requests().len();
        let ended = Test::new(&mock, &line).input(prompts(1)).run().await;
        assert_eq!(ended.code, 2, "{ended:?}");
        assert!(
            ended.err.contains("line 1 is not a journal entry"),
            "{ended:?}"
        );
        assert_eq!(mock.requests().len(), before);
    }
}

#[tokio::test(start_paused = true)]
async fn a_create_without_a_thread_keeps_its_session() {
    let mock = replying();
    mock.inject(Operation::CreateSession, Frequency::ONCE, Fault::NullLinks);
    let folder = Folder::new("no-thread");
    let line = format!("batch - --journal {}", folder.file("journal"));
    let first = Test::new(&mock, &line).input(prompts(1)).run().await;
    let session = mock.sessions()[0].to_string();
    assert_eq!(
        (first.code, &first.json()["session_id"]),
        (4, &json!(session)),
        "{first:?}"
    );
    let second = Test::new(&mock, &line).input(prompts(1)).run().await;
    assert_eq!(
        (second.code, &second.json()["final_message"]),
        (0, &json!("Done.")),
        "{second:?}"
    );
    assert_eq!(mock.session_count(), 1);
}

#[tokio::test(start_paused = true)]
async fn an_unknown_create_keeps_the_id_it_received() {
    let mock = replying();
    mock.inject(Operation::CreateSession, Frequency::ONCE, Fault::Truncate);
    let folder = Folder::new("unknown-id");
    let line = format!("batch - --journal {}", folder.file("journal"));
    for _ in 1..=2 {
        let ended = Test::new(&mock, &line).input(prompts(1)).run().await;
        let session = mock.sessions()[0].to_string();
        assert_eq!(ended.code, 4, "{ended:?}");
        let report = ended.json();
        assert_eq!(
            (&report["status"], &report["session_id"]),
            (&json!("unknown"), &json!(session))
        );
        assert_eq!(report["error"]["resume"], format!("blocks wait {session}"));
    }
    assert_eq!(mock.session_count(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_full_output_lists_the_sessions() {
    let mock = replying();
    let err = Stream::default();
    let test = Test::new(&mock, "batch -")
        .input(prompts(3))
        .out(Stream::failing(28))
        .err(&err);
    let ended = test.run().await;
    assert_eq!(ended.code, 1, "{ended:?}");
    assert_eq!(mock.session_count(), 3);
    for session in mock.sessions() {
        assert!(ended.err.contains(&session.to_string()), "{ended:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_full_output_lists_the_lost_reply_first() {
    let agent = |turn: &blocks_mock::TurnInfo| match turn.message.as_str() {
        "fast" => Script::reply("Done.").reply_after(Duration::from_secs(1)),
        _ => Script::no_reply(),
    };
    let mock = Mock::builder().agent_fn(agent).build();
    let input = prompt("p0", "slow") + &prompt("p1", "fast") + &prompt("p2", "slow");
    let test = Test::new(&mock, "batch -")
        .input(input)
        .out(Stream::failing(28));
    let ended = test.run().await;
    assert_eq!(ended.code, 1, "{ended:?}");
    let resume = |line: &str| {
        let (id, command) = line.split_once(": to keep waiting, run: ")?;
        let is_known = mock
            .sessions()
            .iter()
            .any(|session| command.starts_with(&format!("blocks wait {session} --thread ")));
        assert!(is_known, "{line}");
        Some(id.to_owned())
    };
    let ids: Vec<String> = ended.err.lines().filter_map(resume).collect();
    assert_eq!(ids, ["p1", "p0", "p2"], "{ended:?}");
    let errors = ended.err.matches("cannot write standard output");
    assert_eq!(errors.count(), 1, "{ended:?}");
}

#[tokio::test(start_paused = true)]
async fn a_full_output_hides_no_unknown_outcome() {
    let mock = replying();
    let fault = Fault::status_after_effect(503);
    mock.inject(Operation::CreateSession, Frequency::ONCE, fault);
    let test = Test::new(&mock, "batch -")
        .input(prompts(1))
        .out(Stream::failing(28));
    let ended = test.run().await;
    assert_eq!(ended.code, 1, "{ended:?}");
    let is_named = ended.err.lines().any(|line| line.starts_with("p0: "));
    assert!(is_named, "{ended:?}");
}

#[tokio::test(start_paused = true)]
async fn a_second_run_may_not_share_the_journal() {
    let mock = replying();
    let folder = Folder::new("locked");
    let path = folder.file("journal");
    let _first = blocks_fleet::FileJournal::open(&path).unwrap();
    for path in [path.as_str(), "/nowhere/j", "/", "-"] {
        let line = format!("batch - --journal {path}");
        let ended = Test::new(&mock, &line).input(prompts(1)).run().await;
        assert_eq!((ended.code, mock.request_count()), (2, 0), "{ended:?}");
        let expected = format!("error: --journal {path}: ");
        assert!(ended.err.starts_with(&expected), "{ended:?}");
    }
    let files = std::fs::read_dir(folder.path()).unwrap().count();
    assert_eq!(files, 1, "no temporary file is left");
}

#[tokio::test(start_paused = true)]
async fn time_in_the_queue_is_not_the_agents() {
    let mock = replying();
    let ended = Test::new(&mock, "batch - --timeout 30s")
        .input(prompts(100))
        .run()
        .await;
    assert_eq!(ended.code, 0, "{}", ended.err);
    let completed: Vec<_> = statuses(&ended)
        .into_iter()
        .filter(|(_, status)| status == "completed")
        .collect();
    assert_eq!(completed.len(), 100);
}
