//! Tests of faults and signals while `run`, `send` and `wait` send a prompt, wait for its reply and read the session:
//! the exit code, the JSON, the ids and the resume command.
//!
//! The module `every_end` tests the ways of ending that all commands share, such as a full disk.

use std::time::Duration;

use blocks_cli::Interruption;
use blocks_mock::{Fault, Frequency, Mock, Operation, RetryAfter, Script};
use serde_json::Value;

use crate::Folder;
use crate::in_process::{Ended, Test};

pub fn valid(name: &str, value: &Value) {
    let path = format!("{}/schema/{name}.json", env!("CARGO_MANIFEST_DIR"));
    let schema: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    let validator = jsonschema::validator_for(&schema).unwrap();
    let errors: Vec<String> = validator
        .iter_errors(value)
        .map(|e| e.to_string())
        .collect();
    assert_eq!(errors, Vec::<String>::new(), "{value}");
}

pub fn replying() -> Mock {
    Mock::builder()
        .agent(Script::reply("Done.").reply_after(Duration::from_secs(4)))
        .build()
}

/// Creates a session with one prompt, and returns the session's id.
pub async fn session(mock: &Mock) -> String {
    Test::new(mock, "run --agent claude --no-wait hello")
        .run()
        .await;
    mock.sessions()[0].to_string()
}

/// Returns whether the step outputs contain this name with this value, which is one line.
pub fn has_output(outputs: &str, name: &str, value: &str) -> bool {
    let start = format!("{name}<<");
    let mut lines = outputs.lines();
    lines.any(|line| line.starts_with(&start)) && lines.next() == Some(value)
}

/// Runs a command, and sends the signal after 20 seconds.
async fn run_and_interrupt(line: &str, mock: &Mock, signal: Interruption) -> Ended {
    let test = Test::new(mock, line).signal(Duration::from_secs(20), signal);
    test.run().await
}

/// Returns each fault during a wait, with the expected exit code, status and kind of error. The list is the same for
/// `run`, `send` and `wait`.
fn faults() -> [(Operation, Fault, (u8, &'static str, &'static str)); 5] {
    use Operation::{GetSession, ListThreadMessages as Poll};
    let slow = Fault::Delay(Duration::from_secs(200));
    [
        (Poll, Fault::status(500), (3, "timed_out", "timed_out")),
        (Poll, Fault::ResetBefore, (3, "timed_out", "timed_out")),
        (Poll, Fault::status(404), (1, "failed", "status")),
        (GetSession, Fault::status(500), (0, "completed", "")),
        (GetSession, slow, (0, "completed", "")),
    ]
}

#[tokio::test(start_paused = true)]
async fn faults_of_a_wait_are_reported_with_the_ids() {
    for (operation, fault, (code, status, kind)) in faults() {
        for command in ["run", "send", "wait"] {
            let mock = replying();
            let options = "--json --github-output --timeout 2m";
            let line = match command {
                "run" => format!("run --agent claude {options} hello"),
                "send" => format!("send {} {options} more", session(&mock).await),
                _ => {
                    let session = session(&mock).await;
                    let thread = mock.threads(&session)[0];
                    format!("wait {session} --thread {thread} {options}")
                }
            };
            mock.inject(operation, Frequency::Always, fault.clone());
            let folder = Folder::new("faults");
            let outputs = folder.file("outputs");
            let test = Test::new(&mock, &line).variable("GITHUB_OUTPUT", &outputs);
            let ended = test.run().await;
            assert_eq!(ended.code, code, "{line}: {ended:?}");
            let report = ended.json();
            valid("result", &report);
            assert_eq!(report["status"], status, "{line}: {ended:?}");
            assert_eq!(report["exit_code"], code);
            let session = mock.sessions()[0].to_string();
            let thread = mock.threads(&session).last().unwrap().to_string();
            assert_eq!(report["session_id"], session);
            assert_eq!(report["thread_id"], thread);
            let outputs = std::fs::read_to_string(outputs).unwrap();
            let exit_code = code.to_string();
            for (name, value) in [
                ("status", status),
                ("exit_code", exit_code.as_str()),
                ("session_id", session.as_str()),
                ("thread_id", thread.as_str()),
            ] {
                assert!(has_output(&outputs, name, value), "{name}: {outputs}");
            }
            if code == 0 {
                assert_eq!(
                    (&report["error"], &report["final_message"]),
                    (&Value::Null, &"Done.".into())
                );
            } else {
                assert_eq!(report["error"]["kind"], kind, "{ended:?}");
                let resume = format!("blocks wait {session} --thread {thread}");
                assert_eq!(report["error"]["resume"], resume);
                let note = format!("to keep waiting, run: {resume}\n");
                assert!(ended.err.contains(&note), "{ended:?}");
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_failed_create_has_its_status_and_code() {
    for (http, code, status) in [(400, 1, "failed"), (401, 1, "failed"), (500, 4, "unknown")] {
        for command in ["run", "send", "batch"] {
            let mock = replying();
            let (line, operation) = match command {
                "run" => (
                    "run --agent claude --json hello".to_owned(),
                    Operation::CreateSession,
                ),
                "send" => (
                    format!("send {} --json more", session(&mock).await),
                    Operation::CreateMessage,
                ),
                _ => ("batch -".to_owned(), Operation::CreateSession),
            };
            mock.inject(operation, Frequency::Always, Fault::status(http));
            let (before, prompts) = (mock.count(operation), mock.user_message_count());
            let prompt = r#"{"id":"a","agent_name":"claude","message":"x"}"#;
            let ended = Test::new(&mock, &line).input(prompt).run().await;
            assert_eq!(ended.code, code, "{line} {http}: {ended:?}");
            let report = ended.json();
            valid("result", &report);
            let found = (&report["status"], &report["error"]["http_status"]);
            assert_eq!(found, (&status.into(), &http.into()), "{line}: {ended:?}");
            assert_eq!(report["exit_code"], code);
            assert_eq!(report["error"]["may_have_taken_effect"], code == 4);
            assert_eq!(report["error"]["retryable"], false, "{line} {http}");
            if code == 4 {
                assert_eq!(mock.count(operation) - before, 1, "{line} {http}");
            } else {
                assert_eq!(mock.user_message_count(), prompts, "{line} {http}");
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_create_that_left_only_an_id_keeps_it() {
    for fault in [Fault::Truncate, Fault::NullLinks] {
        let mock = replying();
        mock.inject(Operation::CreateSession, Frequency::Always, fault.clone());
        let folder = Folder::new("only-an-id");
        let (pending, outputs) = (folder.file("pending"), folder.file("outputs"));
        let line = format!("run --agent claude --json --github-output --pending {pending} hello");
        let ended = Test::new(&mock, &line)
            .variable("GITHUB_OUTPUT", &outputs)
            .run()
            .await;
        assert_eq!(ended.code, 4, "{fault:?}: {ended:?}");
        let id = mock.sessions()[0].to_string();
        let report = ended.json();
        assert_eq!(
            (&report["status"], &report["session_id"]),
            (&"unknown".into(), &id.clone().into())
        );
        assert!(ended.err.contains(&id), "{ended:?}");
        assert!(std::fs::read_to_string(&outputs).unwrap().contains(&id));
        let stored = std::fs::read_to_string(&pending).unwrap();
        assert!(stored.contains(&id), "{stored}");
        mock.clear_faults();
        let resumed = Test::new(&mock, &format!("wait --pending {pending}"))
            .run()
            .await;
        assert_eq!(
            (resumed.code, resumed.out.as_str()),
            (0, "Done.\n"),
            "{resumed:?}"
        );
        assert_eq!(mock.session_count(), 1);
    }
}

/// A shell may get the resume command, so text of the service must not become a part of it.
#[tokio::test(start_paused = true)]
async fn an_id_of_another_form_is_in_no_command() {
    for options in ["--no-wait", "--timeout 0", "--timeout 2m"] {
        for id in ["x; touch /tmp/p", "--output", "x"] {
            let mock = Mock::builder().agent(Script::no_reply()).build();
            let fault = Fault::ReplaceField("id".into(), id.into());
            mock.inject(Operation::CreateSession, Frequency::Always, fault);
            let line = format!("run --agent claude --json {options} hello");
            let ended = Test::new(&mock, &line).run().await;
            let report = ended.json();
            assert_eq!(report["session_id"], id, "{ended:?}");
            assert_eq!(report["error"]["resume"], Value::Null, "{ended:?}");
            assert!(!ended.err.contains("run: blocks wait"), "{ended:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_signal_during_a_create_says_that_it_may_exist() {
    let mock = replying();
    mock.inject(
        Operation::CreateSession,
        Frequency::Always,
        Fault::Delay(Duration::from_secs(100)),
    );
    let folder = Folder::new("signal-create");
    let pending = folder.file("pending");
    let line = format!("run --agent claude --json --pending {pending} hello");
    let ended = run_and_interrupt(&line, &mock, Interruption::Terminate).await;
    assert_eq!(ended.code, 143, "{ended:?}");
    let report = ended.json();
    assert_eq!(
        (&report["status"], &report["error"]["may_have_taken_effect"]),
        (&"interrupted".into(), &true.into())
    );
    assert!(ended.err.contains("Check the dashboard"), "{ended:?}");
    assert_eq!(
        std::fs::read_dir(folder.path()).unwrap().count(),
        0,
        "no empty file is left"
    );
}

#[tokio::test(start_paused = true)]
async fn a_signal_between_attempts_says_that_nothing_exists() {
    for command in ["run", "send"] {
        let mock = replying();
        let (line, operation) = match command {
            "run" => (
                "run --agent claude --json hello".to_owned(),
                Operation::CreateSession,
            ),
            _ => (
                format!("send {} --json more", session(&mock).await),
                Operation::CreateMessage,
            ),
        };
        let fault = Fault::rate_limited(Some(RetryAfter::Seconds(60)));
        mock.inject(operation, Frequency::Always, fault);
        let (before, prompts) = (mock.count(operation), mock.user_message_count());
        let ended = run_and_interrupt(&line, &mock, Interruption::Interrupt).await;
        assert_eq!(ended.code, 130, "{ended:?}");
        assert_eq!(mock.count(operation) - before, 1, "{ended:?}");
        assert_eq!(mock.user_message_count(), prompts);
        let report = ended.json();
        valid("result", &report);
        assert_eq!(report["status"], "interrupted");
        assert_eq!(report["error"]["may_have_taken_effect"], false);
        let text = "error: interrupted; the prompt certainly had no effect and can be sent again\n";
        assert!(ended.err.contains(text), "{ended:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_slow_create_is_waited_for() {
    let mock = replying();
    mock.inject(
        Operation::CreateSession,
        Frequency::ONCE,
        Fault::Delay(Duration::from_secs(62)),
    );
    let ended = Test::new(&mock, "run --agent claude hello").run().await;
    assert_eq!(
        (ended.code, ended.out.as_str()),
        (0, "Done.\n"),
        "{ended:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_slow_read_of_the_session_is_cut_short() {
    for options in ["", "--json", "--github-output"] {
        let mock = replying();
        mock.inject(
            Operation::GetSession,
            Frequency::Always,
            Fault::Delay(Duration::from_secs(200)),
        );
        let folder = Folder::new("reply-first");
        let outputs = folder.file("outputs");
        let line = format!("run --agent claude --timeout 10s {options}");
        let start = tokio::time::Instant::now();
        let test = Test::new(&mock, line.trim())
            .argument("hello")
            .variable("GITHUB_OUTPUT", outputs);
        let ended = test.run().await;
        assert_eq!(ended.code, 0, "{ended:?}");
        assert!(ended.out.contains("Done."), "{ended:?}");
        assert!(
            start.elapsed() <= Duration::from_secs(11),
            "{:?}",
            start.elapsed()
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_signal_after_the_reply_keeps_the_reply() {
    let mock = Mock::builder()
        .agent(Script::reply("Done.").reply_after(Duration::from_secs(17)))
        .build();
    mock.inject(
        Operation::GetSession,
        Frequency::Always,
        Fault::Delay(Duration::from_secs(200)),
    );
    let line = "run --agent claude --json hello";
    let ended = run_and_interrupt(line, &mock, Interruption::Interrupt).await;
    assert_eq!(ended.code, 130, "{ended:?}");
    let report = ended.json();
    assert_eq!(
        (&report["status"], &report["final_message"]),
        (&"completed".into(), &"Done.".into())
    );
    assert_eq!(report["exit_code"], 130);
}

#[tokio::test(start_paused = true)]
async fn an_interrupted_read_does_not_speak_of_a_create() {
    let mock = replying();
    mock.inject(
        None,
        Frequency::Always,
        Fault::Delay(Duration::from_secs(500)),
    );
    let line = "show 5f0c7a52-3a1e-4a53-9d5e-0d4f5b9b8a11";
    let ended = run_and_interrupt(line, &mock, Interruption::Interrupt).await;
    assert_eq!(
        (ended.code, ended.err.as_str()),
        (130, "error: interrupted\n")
    );
}

/// Compares the printed schemas with the files in the folder `schema`. `UPDATE_GOLDEN=1 cargo test
/// -p blocks-cli` updates these files.
#[tokio::test(start_paused = true)]
async fn the_schemas_are_as_printed() {
    for name in [
        "result",
        "event",
        "session",
        "message",
        "transcript",
        "list",
        "failure",
        "download",
        "check",
    ] {
        let mock = replying();
        let printed = Test::new(&mock, &format!("schema {name}")).run().await.out;
        let path = format!("{}/schema/{name}.json", env!("CARGO_MANIFEST_DIR"));
        if std::env::var_os("UPDATE_GOLDEN").is_some() {
            std::fs::write(&path, &printed).unwrap();
        }
        assert_eq!(std::fs::read_to_string(path).unwrap(), printed);
    }
}
