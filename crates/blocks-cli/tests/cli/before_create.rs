//! Tests that a command checks its options and files before it sends a prompt. Also tests that prompts are sent
//! unchanged.

use std::time::Duration;

use blocks_mock::{Mock, Script};
use serde_json::Value;

use crate::Folder;
use crate::ends::valid;
use crate::in_process::{Test, creates};

fn mock() -> Mock {
    Mock::builder()
        .agent(Script::reply("Done.").reply_after(Duration::ZERO))
        .build()
}

fn sent_message(mock: &Mock) -> Value {
    let body = mock.requests().into_iter().next().unwrap().body;
    serde_json::from_str::<Value>(&body).unwrap()["message"].take()
}

#[tokio::test(start_paused = true)]
async fn a_prompt_is_never_interpreted() {
    for prompt in [
        "@/proc/self/environ",
        "@octocat please fix",
        "-",
        "--json",
        "-x",
        "$HOME",
        "@-",
        "  Go.\t\n\n",
    ] {
        let mock = mock();
        let ended = Test::new(&mock, "run --agent claude --")
            .argument(prompt)
            .run()
            .await;
        assert_eq!(
            (ended.code, ended.out.as_str()),
            (0, "Done.\n"),
            "{prompt}: {ended:?}"
        );
        assert_eq!(sent_message(&mock), prompt);
        let session = mock.sessions()[0].to_string();
        let line = format!("send {session} --");
        assert_eq!(Test::new(&mock, &line).argument(prompt).run().await.code, 0);
        let last: Value = serde_json::from_str(&mock.requests()[2].body).unwrap();
        assert_eq!(last["message"], prompt);
    }
}

#[tokio::test(start_paused = true)]
async fn a_prompt_file_is_read_without_its_byte_order_mark() {
    let folder = Folder::new("prompt-file");
    let file = folder.file("prompt");
    std::fs::write(&file, "\u{feff}From a file.\r\n").unwrap();
    let first = mock();
    let line = format!("run --agent claude --prompt-file {file}");
    assert_eq!(Test::new(&first, &line).run().await.code, 0);
    assert_eq!(sent_message(&first), "From a file.\r\n");
    let second = mock();
    let test = Test::new(&second, "run --agent claude --prompt-file -");
    assert_eq!(test.input("From a stream.").run().await.code, 0);
    assert_eq!(sent_message(&second), "From a stream.");
}

#[tokio::test(start_paused = true)]
async fn a_profile_is_a_text_or_a_file() {
    let mock = mock();
    let literal = Test::new(&mock, "run hello --profile")
        .argument("@/etc/hostname")
        .run()
        .await;
    assert_eq!((literal.code, creates(&mock)), (2, 0), "{literal:?}");
    let test = Test::new(&mock, "run hello --profile-file -").input("\u{feff}{\"a\": 1}");
    assert_eq!(test.run().await.code, 0);
    let body: Value = serde_json::from_str(&mock.requests()[0].body).unwrap();
    assert_eq!(body["profile"]["a"], 1);
}

#[tokio::test(start_paused = true)]
async fn github_files_are_opened_before_a_create() {
    let mock = mock();
    let folder = Folder::new("github-before");
    let session = {
        Test::new(&mock, "run --agent claude hello").run().await;
        mock.sessions()[0].to_string()
    };
    let before = mock.requests().len();
    for line in [
        "run --agent claude --github-output --json hello".to_owned(),
        format!("send {session} --github-output --json more"),
        format!("wait {session} --github-output --json"),
    ] {
        for path in [None, Some(""), Some("/"), Some("/nowhere/at/all")] {
            let mut test = Test::new(&mock, &line);
            if let Some(path) = path {
                test = test.variable("GITHUB_OUTPUT", path);
            }
            let ended = test.run().await;
            assert_eq!(ended.code, 2, "{path:?}: {ended:?}");
            let report = ended.json();
            assert_eq!(
                (&report["status"], &report["exit_code"]),
                (&"refused".into(), &2.into())
            );
            assert!(ended.err.contains("GITHUB_OUTPUT"), "{ended:?}");
        }
    }
    assert_eq!(mock.requests().len(), before);
    drop(folder);
}

/// Runs each command with a file that cannot be written: the exit code is 2, and no request is sent.
#[tokio::test(start_paused = true)]
async fn files_are_checked_before_any_request() {
    let folder = Folder::new("files-before");
    let taken = folder.file("taken");
    std::fs::write(&taken, "mine").unwrap();
    let mock = mock();
    Test::new(&mock, "run --agent claude hello").run().await;
    let session = mock.sessions()[0].to_string();
    let artifact = uuid::Uuid::from_u128(7);
    let turns = [
        "run --agent claude hello".to_owned(),
        format!("send {session} more"),
        format!("wait {session}"),
    ];
    let downloads = [
        format!("plan {session}"),
        format!("artifact {session} {artifact}"),
    ];
    let mut lines = Vec::new();
    for command in turns.iter().chain(&downloads) {
        for path in [taken.as_str(), "/", "/nowhere/new", "/dev/full"] {
            lines.push(format!("{command} --output {path}"));
        }
    }
    for turn in &turns {
        lines.push(format!("{turn} --github-output"));
        if !turn.starts_with("wait") {
            for path in [taken.as_str(), "/", "/nowhere/new", "-"] {
                lines.push(format!("{turn} --pending {path}"));
            }
            lines.push(format!("{turn} --register"));
        }
    }
    let before = mock.request_count();
    for line in &lines {
        // Only `--github-output` reads `GITHUB_OUTPUT`, so the other command lines run once, without this variable.
        let values: &[Option<&str>] = match line.contains("--github-output") {
            true => &[None, Some("/"), Some("/nowhere/outputs")],
            false => &[None],
        };
        for github_output in values {
            let mut test = Test::new(&mock, line);
            if let Some(path) = github_output {
                test = test.variable("GITHUB_OUTPUT", *path);
            }
            let ended = test.run().await;
            assert_eq!(ended.code, 2, "{line}: {ended:?}");
            assert!(ended.err.starts_with("error: "), "{line}: {ended:?}");
            assert_eq!(mock.request_count(), before, "{line}");
        }
    }
    assert_eq!(std::fs::read_to_string(taken).unwrap(), "mine");
    let files = std::fs::read_dir(folder.path()).unwrap().count();
    assert_eq!(files, 1, "no temporary file is left");
}

#[tokio::test(start_paused = true)]
async fn unusable_values_are_refused_by_name_before_a_create() {
    let folder = Folder::new("values");
    let taken = folder.file("taken");
    std::fs::write(&taken, "mine").unwrap();
    for (line, expected) in [
        ("run --agent claude --timeout -5s hello".to_owned(), "'-5s'"),
        (
            "run --agent claude --timeout soon hello".into(),
            "invalid value 'soon' for '--timeout",
        ),
        ("run --agent claude --request-timeout x hello".into(), "'x'"),
        ("run --agent claude --title".into(), "--title"),
        (
            format!("run --agent claude --pending {taken} hello"),
            "the file exists",
        ),
        (
            "run --agent claude --pending /nowhere/p hello".into(),
            "/nowhere/p",
        ),
        (
            "run --agent claude --pending - hello".into(),
            "a file is needed",
        ),
        (
            "run --agent claude-haiku hello".into(),
            "looks like a model",
        ),
        ("run --agent cluade hello".into(), "did you mean claude?"),
        ("run --agent claude --agent-id x hello".into(), "'x'"),
        (
            "run --agent claude --prompt-file /nowhere/p".into(),
            "--prompt-file: cannot read /nowhere/p: No such file",
        ),
        ("batch /nowhere/p".into(), "/nowhere/p"),
        (
            "batch --github-output -".into(),
            "--github-output works with",
        ),
        (
            "show 5f0c7a52-3a1e-4a53-9d5e-0d4f5b9b8a11 --github-output".into(),
            "--github-output",
        ),
        (
            "plan 5f0c7a52-3a1e-4a53-9d5e-0d4f5b9b8a11 --json".into(),
            "--json needs --output",
        ),
        ("completions bash --json".into(), "--json"),
        ("list --request-timeout 5s".into(), "--request-timeout"),
        ("forget --all --no-shared-limit".into(), "--no-shared-limit"),
        ("schema --raw".into(), "--raw"),
        ("check --raw".into(), "--raw"),
        ("batch - --raw".into(), "--raw"),
        ("man --verbose".into(), "--verbose"),
        ("completions bash --record new".into(), "--record"),
        ("mock --github-output".into(), "--github-output"),
        (
            "run --agent claude --record-texts hello".into(),
            "--record-texts works with --record",
        ),
        ("run --agent claude --tools hello".into(), "--follow"),
        (
            "run --agent claude --no-wait --follow hello".into(),
            "cannot be used with",
        ),
    ] {
        let mock = mock();
        let ended = Test::new(&mock, &line).run().await;
        assert_eq!(ended.code, 2, "{line}: {ended:?}");
        assert!(ended.err.contains(expected), "{line}: {ended:?}");
        assert_eq!(mock.requests().len(), 0, "{line}");
    }
    assert_eq!(std::fs::read_to_string(taken).unwrap(), "mine");
}

#[tokio::test(start_paused = true)]
async fn a_usage_error_is_json_too() {
    let mock = mock();
    for line in [
        "run --json --agent claude --timeout soon hello",
        "run --json hello",
        "run --json --agent claude --record-texts hello",
        "wait --json",
        "--request-timeout 5s run --json --bad hello",
        "--record=x --verbose run --json --bad hello",
        "show --json x",
        "nonsense --json",
    ] {
        let report = Test::new(&mock, line).run().await.json();
        let is_turn = line.split(' ').any(|word| ["run", "wait"].contains(&word));
        let schema = if is_turn { "result" } else { "failure" };
        valid(schema, &report);
        assert_eq!(report["status"], "refused", "{line}");
        assert_eq!(report["exit_code"], 2, "{line}");
        assert_eq!(report["error"]["kind"], "usage", "{line}");
        assert_eq!(report["error"]["may_have_taken_effect"], false, "{line}");
    }
    let text = Test::new(&mock, "run --agent claude -- --json hello")
        .run()
        .await;
    assert_eq!(
        (text.code, text.out.as_str()),
        (2, ""),
        "after -- it is a text"
    );
}

#[tokio::test(start_paused = true)]
async fn an_endless_input_is_refused() {
    let mock = mock();
    for line in [
        "run --agent claude --prompt-file /dev/zero",
        "run hello --profile-file /dev/zero",
        "batch /dev/zero",
        "wait --pending /dev/zero",
    ] {
        let ended = Test::new(&mock, line).run().await;
        assert_eq!(ended.code, 2, "{line}: {ended:?}");
        assert!(
            ended.err.contains("larger than 67108864 bytes"),
            "{line}: {ended:?}"
        );
    }
    for line in [
        "run --agent claude --pending /dev/zero hello",
        "send 5f0c7a52-3a1e-4a53-9d5e-0d4f5b9b8a11 --pending /dev/zero hello",
    ] {
        let ended = Test::new(&mock, line).run().await;
        assert_eq!(ended.code, 2, "{line}: {ended:?}");
        assert!(ended.err.contains("the file exists"), "{line}: {ended:?}");
    }
    let ended = Test::new(&mock, "mock --replay /dev/zero").run().await;
    assert_eq!(ended.code, 2, "{ended:?}");
    assert!(
        ended.err.contains("larger than 268435456 bytes"),
        "{ended:?}"
    );
    let line = "batch - --journal /dev/zero";
    let prompt = r#"{"id":"a","agent_name":"claude","message":"x"}"#;
    let ended = Test::new(&mock, line).input(prompt).run().await;
    assert_eq!(ended.code, 2, "{ended:?}");
    assert!(ended.err.contains("not a regular file"), "{ended:?}");
    assert_eq!(mock.requests().len(), 0);
}

#[tokio::test(start_paused = true)]
async fn an_agent_is_found_in_any_letter_case() {
    for (line, variable) in [
        ("run --agent CLAUDE hello", None),
        ("run --agent Claude hello", None),
        ("run hello", Some("Claude")),
    ] {
        let mock = mock();
        let mut test = Test::new(&mock, line);
        if let Some(name) = variable {
            test = test.variable("BLOCKS_AGENT", name);
        }
        assert_eq!(test.run().await.code, 0, "{line}");
        let body: Value = serde_json::from_str(&mock.requests()[0].body).unwrap();
        assert_eq!(body["agent_name"], "claude");
    }
}

#[tokio::test(start_paused = true)]
async fn a_huge_timeout_means_no_limit_and_zero_polls_once() {
    let unlimited = mock();
    let line = "run --agent claude --timeout 18446744073709551615s hello";
    let ended = Test::new(&unlimited, line).run().await;
    assert_eq!(
        (ended.code, ended.out.as_str()),
        (0, "Done.\n"),
        "{ended:?}"
    );
    let mock = mock();
    Test::new(&mock, "run --agent claude --no-wait hello")
        .run()
        .await;
    let session = mock.sessions()[0];
    let thread = mock.threads(session)[0];
    tokio::time::sleep(Duration::from_secs(5)).await;
    let before = mock.requests().len();
    let line = format!("wait {session} --thread {thread} --timeout 0s");
    let ended = Test::new(&mock, &line).run().await;
    assert_eq!(
        (ended.code, ended.out.as_str()),
        (0, "Done.\n"),
        "{ended:?}"
    );
    assert_eq!(mock.requests().len() - before, 1);
}

#[tokio::test(start_paused = true)]
async fn a_usage_error_is_among_the_step_outputs() {
    for line in [
        "run --github-output --agent claude --timeout soon hello",
        "run --github-output --agent nonsense hello",
        "wait --github-output",
    ] {
        let mock = mock();
        let folder = Folder::new("usage-outputs");
        let outputs = folder.file("outputs");
        let test = Test::new(&mock, line).variable("GITHUB_OUTPUT", &outputs);
        assert_eq!(test.run().await.code, 2, "{line}");
        let text = std::fs::read_to_string(outputs).unwrap();
        let names: Vec<&str> = text
            .lines()
            .filter_map(|line| Some(line.split_once("<<")?.0))
            .collect();
        let expected = [
            "session_id",
            "thread_id",
            "session_html_url",
            "status",
            "exit_code",
            "pull_requests",
            "error",
            "final_message",
        ];
        assert_eq!(names, expected, "{line}: {text}");
        assert!(text.contains("\nrefused\n"), "{text}");
    }
}

#[tokio::test(start_paused = true)]
async fn fields_are_sent_as_json() {
    let mock = mock();
    let run = "run --agent claude hello --field budget=5";
    let ended = Test::new(&mock, run)
        .argument("--field")
        .argument(r#"a={"b": ["=", null]}"#)
        .run()
        .await;
    assert_eq!(ended.code, 0, "{ended:?}");
    let body = |index: usize| {
        let body = &mock.requests()[index].body;
        serde_json::from_str::<Value>(body).unwrap()
    };
    assert_eq!(body(0)["budget"], 5);
    assert_eq!(body(0)["a"], serde_json::json!({"b": ["=", null]}));
    let before = mock.request_count();
    let line = format!("send {} more --field budget=6", mock.sessions()[0]);
    assert_eq!(Test::new(&mock, &line).run().await.code, 0);
    assert_eq!(body(before)["budget"], 6);
}
