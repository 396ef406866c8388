//! Tests of the files that a command writes in addition to standard output: the step outputs and the job summary of
//! GitHub Actions, and the file of `--pending`, from which `blocks wait` resumes.

use std::time::Duration;

use blocks_mock::{Fault, Frequency, Mock, Operation, Script, TurnInfo};
use serde_json::{Value, json};

use crate::Folder;
use crate::in_process::Test;

fn replying(text: &str) -> Mock {
    Mock::builder()
        .agent(Script::reply(text).reply_after(Duration::ZERO))
        .build()
}

#[tokio::test(start_paused = true)]
async fn a_summary_that_cannot_be_written_is_a_warning() {
    let folder = Folder::new("no-summary");
    for options in ["--json", "--raw"] {
        let mock = replying("Done.");
        let test = Test::new(
            &mock,
            &format!("run --agent claude --github-output {options} hello"),
        )
        .variable("GITHUB_OUTPUT", folder.file("outputs"))
        .variable("GITHUB_STEP_SUMMARY", "/nowhere/summary");
        let ended = test.run().await;
        assert_eq!(ended.code, 0, "{ended:?}");
        assert!(ended.out.contains("Done."), "{ended:?}");
        assert!(
            ended
                .err
                .contains("warning: cannot write GITHUB_STEP_SUMMARY"),
            "{ended:?}"
        );
    }
}

#[cfg(target_os = "linux")]
#[tokio::test(start_paused = true)]
async fn a_full_disk_costs_no_reply() {
    for (variable, code) in [("GITHUB_OUTPUT", 1), ("GITHUB_STEP_SUMMARY", 0)] {
        let folder = Folder::new("full-github");
        let mock = replying("Done.");
        let mut test = Test::new(&mock, "run --agent claude --github-output hello");
        for name in ["GITHUB_OUTPUT", "GITHUB_STEP_SUMMARY"] {
            let path = if name == variable {
                "/dev/full".to_owned()
            } else {
                folder.file(name)
            };
            test = test.variable(name, path);
        }
        let ended = test.run().await;
        assert_eq!(
            (ended.code, ended.out.as_str()),
            (code, "Done.\n"),
            "{ended:?}"
        );
        assert!(
            ended
                .err
                .contains(&format!("warning: cannot write {variable}")),
            "{ended:?}"
        );
        assert_eq!(mock.session_count(), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn an_incomplete_last_line_is_ended_first() {
    let folder = Folder::new("last-line");
    let (outputs, summary) = (folder.file("outputs"), folder.file("summary"));
    std::fs::write(&outputs, "a=1").unwrap();
    std::fs::write(&summary, "# Title").unwrap();
    let mock = replying("Done.");
    let test = Test::new(&mock, "run --agent claude --github-output hello")
        .variable("GITHUB_OUTPUT", &outputs)
        .variable("GITHUB_STEP_SUMMARY", &summary);
    assert_eq!(test.run().await.code, 0);
    assert!(
        std::fs::read_to_string(outputs)
            .unwrap()
            .starts_with("a=1\nsession_id<<")
    );
    assert!(
        std::fs::read_to_string(summary)
            .unwrap()
            .starts_with("# Title\n### Blocks")
    );
}

#[tokio::test(start_paused = true)]
async fn a_long_reply_fits_into_summary_and_outputs() {
    let folder = Folder::new("long-reply");
    let (outputs, summary) = (folder.file("outputs"), folder.file("summary"));
    let reply = format!("```\n{}", "é".repeat(1_000_000));
    let mock = replying(&reply);
    let test = Test::new(&mock, "run --agent claude --github-output hello")
        .variable("GITHUB_OUTPUT", &outputs)
        .variable("GITHUB_STEP_SUMMARY", &summary);
    let ended = test.run().await;
    assert_eq!(ended.code, 0);
    assert_eq!(
        ended.out,
        format!("{reply}\n"),
        "standard output has all of it"
    );
    let summary = std::fs::read_to_string(summary).unwrap();
    assert!(summary.len() < 62 << 10);
    assert!(summary.contains("é\n```\n\n_The reply is longer"));
    let outputs = std::fs::read_to_string(outputs).unwrap();
    assert!(outputs.len() < 600 << 10);
    assert!(outputs.contains("final_message_truncated<<"));
    assert!(
        ended
            .err
            .contains("warning: the output final_message was cut"),
        "{}",
        ended.err
    );
}

#[tokio::test(start_paused = true)]
async fn a_pending_file_lives_until_its_reply_is_printed() {
    let folder = Folder::new("pending-life");
    let file = folder.file("pending");
    let mock = replying("Done.");
    let line = format!("run --agent claude --pending {file} hello");
    for night in 1..=2 {
        assert_eq!(Test::new(&mock, &line).run().await.code, 0, "night {night}");
        assert!(!std::path::Path::new(&file).exists(), "nothing is pending");
    }
    let no_wait = format!("run --agent claude --no-wait --pending {file} hello");
    let wait = format!("wait --pending {file}");
    for _ in 1..=2 {
        assert_eq!(Test::new(&mock, &no_wait).run().await.code, 0);
        let second = Test::new(&mock, &no_wait).run().await;
        assert_eq!(second.code, 2, "{second:?}");
        assert!(
            second.err.contains("a reply is pending there"),
            "{second:?}"
        );
        for _ in 1..=2 {
            let ended = Test::new(&mock, &wait).run().await;
            assert_eq!(
                (ended.code, ended.out.as_str()),
                (0, "Done.\n"),
                "{ended:?}"
            );
        }
        assert!(
            std::fs::read_to_string(&file)
                .unwrap()
                .contains("\"session_id\"")
        );
    }
    assert_eq!(mock.session_count(), 4);
}

/// Returns a mock whose agent numbers its replies. A reply takes time, because prompts of the same time have no order.
fn counting() -> Mock {
    let script = |turn: &TurnInfo| {
        Script::reply(["One.", "Two.", "Three."][turn.turn]).reply_after(Duration::from_secs(4))
    };
    Mock::builder().agent_fn(script).build()
}

/// Sends a follow-up whose outcome is unknown, and returns the session's id.
async fn send_unknown(mock: &Mock, file: &str, fault: Fault) -> String {
    let run = Test::new(mock, "run --agent claude hello").run().await;
    assert_eq!(run.out, "One.\n", "{run:?}");
    let session = mock.sessions()[0].to_string();
    mock.inject(Operation::CreateMessage, Frequency::ONCE, fault);
    let line = format!("send {session} --json --pending {file} more");
    let sent = Test::new(mock, &line).run().await;
    assert_eq!(sent.code, 4, "{sent:?}");
    assert_eq!(sent.json()["error"]["resume"], Value::Null);
    let advice = format!("run: blocks wait --pending {file}\n");
    assert!(sent.err.contains(&advice), "{sent:?}");
    assert!(
        !sent.err.contains(&format!("blocks wait {session}")),
        "{sent:?}"
    );
    session
}

fn content(file: &str) -> Value {
    serde_json::from_str(&std::fs::read_to_string(file).unwrap()).unwrap()
}

#[tokio::test(start_paused = true)]
async fn an_invalid_follow_up_sends_no_request() {
    let folder = Folder::new("pending-invalid");
    let file = folder.file("pending");
    let mock = counting();
    let line = format!(
        "send {} --pending {file} --field message=\"More.\" hello",
        "7d1c4f0a-52b3-4c6e-9a0d-3f5e8b2761c4"
    );
    let ended = Test::new(&mock, &line).run().await;
    assert_eq!(ended.code, 2, "{ended:?}");
    assert_eq!(mock.request_count(), 0);
    assert!(!std::path::Path::new(&file).exists());
}

#[tokio::test(start_paused = true)]
async fn an_unknown_follow_up_gets_no_older_reply() {
    let folder = Folder::new("pending-unknown");
    let file = folder.file("pending");
    let mock = counting();
    let session = send_unknown(&mock, &file, Fault::status(502)).await;
    let first = mock.threads(&session)[0].to_string();
    let stored = json!({"session_id": session, "previous_thread_id": first});
    assert_eq!(content(&file), stored);
    for (timeout, longest) in [("30m", 60), ("0", 1)] {
        let start = tokio::time::Instant::now();
        let line = format!("wait --json --pending {file} --timeout {timeout}");
        let ended = Test::new(&mock, &line).run().await;
        assert_eq!(ended.code, 4, "{ended:?}");
        let report = ended.json();
        assert_eq!(report["status"], "unknown");
        assert_eq!(report["final_message"], Value::Null);
        assert_eq!(report["error"]["resume"], Value::Null);
        assert!(ended.err.contains("is older than the prompt"), "{ended:?}");
        assert!(start.elapsed() <= Duration::from_secs(longest));
        assert_eq!(content(&file), stored, "not marked as replied");
    }
    // With `-`, there is no file to name in the advice.
    let wait = Test::new(&mock, "wait --pending - --timeout 0").input(stored.to_string());
    let ended = wait.run().await;
    assert_eq!((ended.code, ended.out.as_str()), (4, ""), "{ended:?}");
    let advice = format!("run: blocks messages {session} --role user\n");
    assert!(ended.err.contains(&advice), "{ended:?}");
    // Without `--pending`, no request reads the newest prompt before the follow-up.
    mock.inject(
        Operation::CreateMessage,
        Frequency::ONCE,
        Fault::status(502),
    );
    let before = mock.request_count();
    let ended = Test::new(&mock, &format!("send {session} more"))
        .run()
        .await;
    assert_eq!(ended.code, 4, "{ended:?}");
    assert_eq!(mock.request_count() - before, 1);
    assert!(ended.err.contains(&advice), "{ended:?}");
    assert!(!ended.err.contains("blocks wait"), "{ended:?}");
}

#[tokio::test(start_paused = true)]
async fn an_unknown_follow_up_gets_its_own_reply() {
    let folder = Folder::new("pending-accepted");
    let file = folder.file("pending");
    let mock = counting();
    send_unknown(&mock, &file, Fault::status_after_effect(502)).await;
    let line = format!("wait --pending {file}");
    for _ in 1..=2 {
        let ended = Test::new(&mock, &line).run().await;
        assert_eq!((ended.code, ended.out.as_str()), (0, "Two.\n"), "{ended:?}");
        assert_eq!(content(&file)["replied"], true);
    }
}

#[tokio::test(start_paused = true)]
async fn a_follow_up_that_is_accepted_late_is_found() {
    let folder = Folder::new("pending-late");
    let file = folder.file("pending");
    let mock = counting();
    let session = send_unknown(&mock, &file, Fault::status(502)).await;
    let line = format!("wait --pending {file}");
    let wait = Test::new(&mock, &line);
    let late = async {
        tokio::time::sleep(Duration::from_secs(20)).await;
        let line = format!("send {session} --no-wait more");
        assert_eq!(Test::new(&mock, &line).run().await.code, 0);
    };
    let (ended, ()) = tokio::join!(wait.run(), late);
    assert_eq!((ended.code, ended.out.as_str()), (0, "Two.\n"), "{ended:?}");
}

#[tokio::test(start_paused = true)]
async fn nothing_is_sent_if_the_newest_prompt_is_unreadable() {
    let folder = Folder::new("pending-unreadable");
    let file = folder.file("pending");
    let mock = counting();
    Test::new(&mock, "run --agent claude hello").run().await;
    mock.inject(
        Operation::ListSessionMessages,
        Frequency::Always,
        Fault::status(403),
    );
    let line = format!("send {} --pending {file} more", mock.sessions()[0]);
    let ended = Test::new(&mock, &line).run().await;
    assert_eq!(ended.code, 1, "{ended:?}");
    assert!(ended.err.contains("so nothing was sent"), "{ended:?}");
    assert_eq!(mock.count(Operation::CreateMessage), 0);
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[cfg(unix)]
#[tokio::test(start_paused = true)]
async fn one_file_has_one_purpose() {
    let folder = Folder::new("one-purpose");
    let (file, link) = (folder.file("file"), folder.file("link"));
    std::os::unix::fs::symlink(&file, &link).unwrap();
    let other = format!("{}/./file", folder.path().display());
    let id = "5f0c7a52-3a1e-4a53-9d5e-0d4f5b9b8a11";
    let mock = replying("Done.");
    for same in [&file, &link, &other] {
        for (line, names) in [
            (
                format!("run --agent claude --pending {same} --output {file} hello"),
                "--output and --pending",
            ),
            (
                format!("run --agent claude --output {file} --record {same} hello"),
                "--output and --record",
            ),
            (
                format!("send {id} --pending {file} --record {same} hello"),
                "--pending and --record",
            ),
            (
                format!("wait --pending {same} --output {file}"),
                "--output and --pending",
            ),
            (
                format!("plan {id} --output {file} --record {same}"),
                "--output and --record",
            ),
            (
                format!("batch - --journal {file} --record {same}"),
                "--journal and --record",
            ),
        ] {
            let ended = Test::new(&mock, &line).input("{}").run().await;
            assert_eq!(
                (ended.code, mock.request_count()),
                (2, 0),
                "{line}: {ended:?}"
            );
            let expected = format!("error: {names} are the same file; nothing was sent\n");
            assert_eq!(ended.err, expected, "{line}");
        }
    }
    let names = std::fs::read_dir(folder.path()).unwrap().count();
    assert_eq!(names, 1, "only the link exists");
    for (variable, line) in [
        (
            "GITHUB_OUTPUT",
            format!("wait {id} --github-output --output {file}"),
        ),
        (
            "GITHUB_STEP_SUMMARY",
            format!("run --agent claude --github-output --pending {file} hello"),
        ),
    ] {
        let test = Test::new(&mock, &line)
            .variable("GITHUB_OUTPUT", folder.file("outputs"))
            .variable(variable, &link);
        let ended = test.run().await;
        assert_eq!(
            (ended.code, mock.request_count()),
            (2, 0),
            "{line}: {ended:?}"
        );
        let expected = format!("and {variable} are the same file");
        assert!(ended.err.contains(&expected), "{line}: {ended:?}");
        let _ = std::fs::remove_file(&file);
    }
}

#[cfg(unix)]
#[tokio::test(start_paused = true)]
async fn a_link_to_a_pending_file_stays_a_link() {
    let folder = Folder::new("pending-link");
    let (file, link) = (folder.file("pending"), folder.file("link"));
    std::os::unix::fs::symlink("pending", &link).unwrap();
    let mock = replying("Done.");
    let run = |path: &str| format!("run --agent claude --no-wait --pending {path} hello");
    let content = || std::fs::read_to_string(&file).unwrap();
    for path in [&file, &link, &link] {
        let sent = Test::new(&mock, &run(path)).run().await;
        assert_eq!(sent.code, 0, "{sent:?}");
        assert!(!content().contains("replied"), "{}", content());
        let second = Test::new(&mock, &run(&link)).run().await;
        assert_eq!(second.code, 2, "{second:?}");
        let waited = Test::new(&mock, &format!("wait --pending {link}"))
            .run()
            .await;
        assert_eq!(
            (waited.code, waited.out.as_str()),
            (0, "Done.\n"),
            "{waited:?}"
        );
        assert!(content().contains("replied"), "{}", content());
        assert!(std::fs::symlink_metadata(&link).unwrap().is_symlink());
    }
    // A run that waits removes the file, and a later run creates the file again.
    for _ in 1..=2 {
        let line = format!("run --agent claude --pending {link} hello");
        let ended = Test::new(&mock, &line).run().await;
        assert_eq!(
            (ended.code, ended.out.as_str()),
            (0, "Done.\n"),
            "{ended:?}"
        );
        assert!(!std::path::Path::new(&file).exists(), "nothing is pending");
        assert!(std::fs::symlink_metadata(&link).unwrap().is_symlink());
    }
    assert_eq!(mock.session_count(), 5);
}

#[cfg(unix)]
#[tokio::test(start_paused = true)]
async fn a_file_that_appears_during_the_create_is_kept() {
    let folder = Folder::new("appears");
    let file = folder.file("file");
    let replied = r#"{"session_id": "x", "replied": true}"#;
    for (option, before, code, out) in [
        (format!("--output {file}"), None, 1, "Done.\n"),
        (format!("--pending {file} --no-wait"), None, 1, ""),
        (format!("--pending {file}"), None, 1, "Done.\n"),
        (format!("--pending {file}"), Some(replied), 1, "Done.\n"),
    ] {
        if let Some(before) = before {
            std::fs::write(&file, before).unwrap();
        }
        let path = file.clone();
        let mock = Mock::builder()
            .agent(Script::reply("Done.").reply_after(Duration::ZERO))
            .on_request(move |request| {
                if request.operation == Some(Operation::CreateSession) {
                    std::fs::write(&path, "mine").unwrap();
                }
            })
            .build();
        let line = format!("run --agent claude {option} hello");
        let ended = Test::new(&mock, &line).run().await;
        assert_eq!(std::fs::read_to_string(&file).unwrap(), "mine", "{line}");
        assert_eq!(ended.code, code, "{ended:?}");
        assert!(ended.out.starts_with(out), "{ended:?}");
        let id = mock.sessions()[0].to_string();
        assert!(
            ended
                .err
                .contains(&format!("cannot write {}", &option[..8]))
        );
        let all = format!("{}{}", ended.out, ended.err);
        assert!(all.contains(&id), "the id of the session is shown: {all}");
        std::fs::remove_file(&file).unwrap();
    }
    let names = std::fs::read_dir(folder.path()).unwrap().count();
    assert_eq!(names, 0, "no temporary file remains");
}

#[tokio::test(start_paused = true)]
async fn files_with_texts_are_private() {
    use std::os::unix::fs::PermissionsExt;
    let folder = Folder::new("private");
    let (pending, journal) = (folder.file("pending"), folder.file("journal"));
    let mock = replying("Done.");
    let line = format!("run --agent claude --no-wait --pending {pending} hello");
    Test::new(&mock, &line).run().await;
    let prompt = r#"{"id":"a","agent_name":"claude","message":"x"}"#;
    let line = format!("batch - --journal {journal}");
    assert_eq!(Test::new(&mock, &line).input(prompt).run().await.code, 0);
    for file in [pending, journal] {
        let mode = std::fs::metadata(&file).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{file}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_download_reports_its_file() {
    let plan = blocks_mock::Action::Plan {
        file_name: "p.md".into(),
        text: "1. Go.\n".into(),
    };
    let agent = Script::reply("Done.")
        .reply_after(Duration::ZERO)
        .step(Duration::ZERO, plan);
    let mock = Mock::builder().agent(agent).build();
    Test::new(&mock, "run --agent claude hello").run().await;
    let session = mock.sessions()[0];
    let folder = Folder::new("download");
    let file = folder.file("plan.md");
    let ended = Test::new(&mock, &format!("plan {session} --output {file} --json"))
        .run()
        .await;
    assert_eq!(ended.code, 0, "{ended:?}");
    assert_eq!(ended.json()["file"], file);
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "1. Go.\n");
    let second = Test::new(&mock, &format!("plan {session} --output {file}"))
        .run()
        .await;
    assert_eq!(second.code, 2);
    assert!(second.err.contains("the file exists"), "{second:?}");
    let stream = Test::new(
        &mock,
        &format!("plan https://blocks.team/app/w/sessions/{session} -o -"),
    );
    assert_eq!(stream.run().await.out, "1. Go.\n");
}

#[tokio::test(start_paused = true)]
async fn a_reply_goes_to_its_file() {
    let folder = Folder::new("reply-file");
    let mock = replying("Done.");
    let file = folder.file("reply");
    let line = format!("run --agent claude --output {file} hello");
    let ended = Test::new(&mock, &line).run().await;
    assert_eq!((ended.code, ended.out.as_str()), (0, ""), "{ended:?}");
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "Done.\n");
    for path in [file.as_str(), "/nowhere/reply", "/"] {
        let line = format!("run --agent claude --output {path} hello");
        let ended = Test::new(&mock, &line).run().await;
        assert_eq!(ended.code, 2, "{ended:?}");
        assert!(
            ended.err.contains(&format!("--output {path}: ")),
            "{ended:?}"
        );
    }
    assert_eq!(mock.session_count(), 1);
    let stream = Test::new(&mock, "run --agent claude --output - hello")
        .run()
        .await;
    assert_eq!((stream.code, stream.out.as_str()), (0, "Done.\n"));
    assert_eq!(
        std::fs::read_dir(folder.path()).unwrap().count(),
        1,
        "no temporary file is left"
    );
}

#[tokio::test(start_paused = true)]
async fn a_reply_that_its_file_cannot_take_is_printed() {
    let folder = Folder::new("reply-file-gone");
    let mock = Mock::builder()
        .agent(Script::reply("Done.").reply_after(Duration::from_secs(10)))
        .build();
    let inner = folder.path().join("inner");
    std::fs::create_dir(&inner).unwrap();
    let line = format!(
        "run --agent claude --output {}/reply hello",
        inner.display()
    );
    let test = Test::new(&mock, &line);
    let remove = async {
        tokio::time::sleep(Duration::from_secs(5)).await;
        std::fs::remove_dir_all(&inner).unwrap();
    };
    let (ended, ()) = tokio::join!(test.run(), remove);
    assert_eq!(
        (ended.code, ended.out.as_str()),
        (1, "Done.\n"),
        "{ended:?}"
    );
    assert!(
        ended.err.contains("warning: cannot write --output"),
        "{ended:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn follow_until_done_ends_after_the_final_message() {
    let mock = Mock::builder()
        .agent(Script::reply("Done.").reply_after(Duration::from_secs(30)))
        .build();
    Test::new(&mock, "run --agent claude --no-wait hello")
        .run()
        .await;
    let session = mock.sessions()[0];
    let line = format!("messages {session} --follow --until-done");
    let ended = Test::new(&mock, &line).run().await;
    assert_eq!(ended.code, 0, "{ended:?}");
    assert!(ended.out.ends_with("assistant: Done.\n"), "{ended:?}");
}

#[cfg(unix)]
#[tokio::test(start_paused = true)]
async fn downloads_and_replies_are_private() {
    use std::os::unix::fs::PermissionsExt;
    let plan = blocks_mock::Action::Plan {
        file_name: "p.md".into(),
        text: "1. Go.\n".into(),
    };
    let agent = Script::reply("Done.")
        .reply_after(Duration::ZERO)
        .step(Duration::ZERO, plan);
    let mock = Mock::builder().agent(agent).build();
    let folder = Folder::new("private-outputs");
    let (reply, plan) = (folder.file("reply"), folder.file("plan"));
    let line = format!("run --agent claude --output {reply} hello");
    assert_eq!(Test::new(&mock, &line).run().await.code, 0);
    let line = format!("plan {} --output {plan}", mock.sessions()[0]);
    assert_eq!(Test::new(&mock, &line).run().await.code, 0);
    for file in [reply, plan] {
        let mode = std::fs::metadata(&file).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{file}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_pending_handle_comes_from_a_stream_too() {
    let folder = Folder::new("pending-stream");
    let file = folder.file("pending");
    let mock = replying("Done.");
    let line = format!("run --agent claude --no-wait --pending {file} hello");
    Test::new(&mock, &line).run().await;
    let handle = std::fs::read(&file).unwrap();
    let wait = Test::new(&mock, "wait --pending -").input(handle);
    let ended = wait.run().await;
    assert_eq!(
        (ended.code, ended.out.as_str()),
        (0, "Done.\n"),
        "{ended:?}"
    );
    assert!(
        !std::path::Path::new("-").exists(),
        "`-` is not a file name"
    );
}
