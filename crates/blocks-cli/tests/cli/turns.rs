//! Tests of one prompt and its reply, and of the commands that read the session afterwards.

use std::io::Read;
use std::time::Duration;

use blocks_mock::{Action, Fault, Frequency, Mock, Operation, Script};
use serde_json::Value;

use crate::in_process::Test;
use crate::{Ended, Folder, Service, blocks};

fn script() -> Script {
    let plan = Action::Plan {
        file_name: "../../plan.md".into(),
        text: "1. Go.\n".into(),
    };
    let tool = Action::ToolCall {
        name: "bash".into(),
        input: serde_json::json!({"command": "ls"}),
    };
    Script::reply("Done.\nReally.")
        .reply_after(Duration::ZERO)
        .step(Duration::ZERO, tool)
        .step(Duration::ZERO, plan)
        .step(
            Duration::ZERO,
            Action::PullRequest("https://example.com/1".into()),
        )
}

fn replying() -> Service {
    Service::new(Mock::builder().agent(script()))
}

#[test]
fn run_prints_the_reply_and_nothing_else() {
    let service = replying();
    let ended = service.run(&["run", "--agent", "claude", "--title", "A title", "Go."]);
    assert_eq!(
        (ended.code, ended.out.as_str()),
        (Some(0), "Done.\nReally.\n"),
        "{ended:?}"
    );
    let id = service.mock.sessions()[0];
    let mut notes = ended.err.lines();
    let note = notes.next().unwrap();
    assert!(
        note.starts_with(&format!("session {}/app/", service.mock.url())),
        "{ended:?}"
    );
    assert!(note.ends_with(&format!("/sessions/{id}")), "{ended:?}");
    assert_eq!(notes.next(), None);
    assert!(service.mock.requests()[0].body.contains("A title"));
}

#[test]
fn json_has_the_names_of_the_vendors_action() {
    let service = replying();
    let ended = service.run(&["--json", "run", "--profile", r#"{"name": "x"}"#, "Go."]);
    let value: Value = serde_json::from_str(&ended.out).unwrap();
    let id = service.mock.sessions()[0];
    assert_eq!(value["session_id"], id.to_string());
    assert_eq!(value["thread_id"], service.mock.threads(id)[0].to_string());
    assert_eq!(value["status"], "completed");
    assert_eq!(value["final_message"], "Done.\nReally.");
    assert_eq!(value["pull_requests"][0]["url"], "https://example.com/1");
    assert!(
        value["session_html_url"]
            .as_str()
            .unwrap()
            .ends_with(&id.to_string())
    );
}

#[test]
fn reading_again_prints_the_same() {
    let service = replying();
    service.run(&["run", "--agent", "claude", "--no-wait", "Go."]);
    let id = service.mock.sessions()[0].to_string();
    let plan = service.run(&["plan", &id]);
    assert_eq!(
        (plan.code, plan.out.as_str()),
        (Some(0), "1. Go.\n"),
        "{plan:?}"
    );
    let folder = Folder::new("plan");
    let file = folder.file("plan.md");
    assert_eq!(service.run(&["plan", &id, "--output", &file]).code, Some(0));
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "1. Go.\n");
    let again = service.run(&["plan", &id, "--output", &file]);
    assert_eq!(again.code, Some(2), "nothing is overwritten: {again:?}");

    let shown = service.run(&["show", &id]);
    assert!(
        shown.out.contains("pull request   https://example.com/1"),
        "{shown:?}"
    );
    let shown: Value = serde_json::from_str(&service.run(&["--json", "show", &id]).out).unwrap();
    let plan_id = shown["plan_artifact_ids"][0].as_str().unwrap();
    assert_eq!(service.run(&["artifact", &id, plan_id]).out, "1. Go.\n");

    let messages = service.run(&["messages", &id, "--type", "tool_call"]);
    assert_eq!(messages.out, "assistant: [bash] {\"command\":\"ls\"}\n");
    let page = service.run(&[
        "--json",
        "messages",
        &id,
        "--page",
        "1",
        "--limit",
        "1",
        "--direction",
        "desc",
    ]);
    let message: Value = serde_json::from_str(&page.out).unwrap();
    assert_eq!(message["type"], "final_message");
    let transcript = service.run(&["transcript", &id, "--tools"]);
    assert_eq!(
        transcript.out,
        "> notice: The session started.\n\n## You\n\nGo.\n\n    [bash] {\"command\":\"ls\"}\n\n\
         ## Agent\n\nDone.\nReally.\n"
    );
    let json = service.run(&["transcript", &id, "--format", "json"]);
    assert!(serde_json::from_str::<Value>(&json.out).unwrap()["turns"].is_array());
}

#[tokio::test(start_paused = true)]
async fn a_wait_polls_until_the_reply() {
    let agent = Script::reply("Done.").reply_after(Duration::from_secs(60));
    let mock = Mock::builder().agent(agent).build();
    let started = Test::new(&mock, "run --agent claude --no-wait Go.")
        .run()
        .await;
    let line = format!("wait {}", started.out.trim_end());
    let ended = Test::new(&mock, &line).run().await;
    assert_eq!((ended.code, ended.out.as_str()), (0, "Done.\n"));
    assert_eq!(mock.user_message_count(), 1, "nothing was sent");
}

#[test]
fn send_and_wait_continue_a_session() {
    let service = replying();
    let folder = Folder::new("wait");
    let pending = folder.file("pending.json");
    let ended = service.run(&[
        "run",
        "--agent",
        "claude",
        "--no-wait",
        "--pending",
        &pending,
        "Go.",
    ]);
    let id = service.mock.sessions()[0];
    assert_eq!((ended.code, &ended.out), (Some(0), &format!("{id}\n")));
    assert!(ended.err.contains("blocks wait "), "{ended:?}");
    let thread = service.mock.threads(id)[0].to_string();
    let id = id.to_string();
    for arguments in [
        vec!["wait", "--pending", &pending],
        vec!["wait", &id],
        vec!["wait", &id, "--thread", &thread],
        vec!["send", &id, "More."],
    ] {
        let ended = service.run(&arguments);
        assert_eq!(
            (ended.code, ended.out.as_str()),
            (Some(0), "Done.\nReally.\n"),
            "{ended:?}"
        );
    }
    assert_eq!(
        (
            service.mock.session_count(),
            service.mock.user_message_count()
        ),
        (1, 2)
    );
}

#[test]
fn time_out_and_unknown_outcome_have_codes() {
    let service = Service::new(Mock::builder().agent(Script::no_reply()));
    let ended = service.run(&[
        "--json",
        "run",
        "--agent",
        "claude",
        "--timeout",
        "1s",
        "Go.",
    ]);
    assert_eq!(ended.code, Some(3), "{ended:?}");
    assert_eq!(
        serde_json::from_str::<Value>(&ended.out).unwrap()["status"],
        "timed_out"
    );
    assert!(
        ended.err.contains("to keep waiting, run: blocks wait "),
        "{ended:?}"
    );

    let fault = Fault::status_after_effect(503);
    let service =
        Service::new(Mock::builder().fault(Operation::CreateSession, Frequency::Times(2), fault));
    let ended = service.run(&["run", "--agent", "claude", "Go."]);
    assert_eq!(ended.code, Some(4), "{ended:?}");
    assert_eq!(service.mock.session_count(), 1);
}

#[test]
fn usage_errors_send_nothing() {
    let service = replying();
    for (arguments, expected) in [
        (
            vec!["run", "Go."],
            "--agent NAME, --agent-id UUID, --profile JSON and --profile-file FILE",
        ),
        (
            vec!["run", "--agent", "kimi", "--profile", "{\"a\":1}", "Go."],
            "cannot be used with",
        ),
        (
            vec!["run", "--agent", "claude", " "],
            "the message is empty",
        ),
        (vec!["run", "--key", "secret", "Go."], "--key"),
        (vec!["wait"], "--pending"),
    ] {
        let ended = service.run(&arguments);
        assert_eq!(ended.code, Some(2), "{ended:?}");
        assert!(ended.err.contains(expected), "{ended:?}");
    }
    assert_eq!(service.mock.requests().len(), 0);
    let ended = Ended::of(
        blocks(&["run", "--agent", "claude", "Go."])
            .output()
            .unwrap(),
    );
    assert_eq!(ended.code, Some(2));
    assert!(ended.err.contains("BLOCKS_API_KEY"), "{ended:?}");
    assert!(ended.err.contains("settings"), "{ended:?}");
}

#[test]
fn github_gets_ids_before_the_wait() {
    let hostile = "::set-output name=a::b\nEOF\nstatus<<EOF";
    let agent = Script::reply(hostile).reply_after(Duration::ZERO);
    let service = Service::new(Mock::builder().agent(agent));
    let folder = Folder::new("github");
    let (outputs, summary) = (folder.file("out"), folder.file("summary"));
    let mut command = service.command(&["--github-output", "run", "--agent", "claude", "Go."]);
    command.env("GITHUB_ACTIONS", "true");
    command
        .env("GITHUB_OUTPUT", &outputs)
        .env("GITHUB_STEP_SUMMARY", &summary);
    let ended = Ended::of(command.output().unwrap());
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert!(!ended.out.contains("::set-output"), "{ended:?}");
    let outputs = std::fs::read_to_string(outputs).unwrap();
    let names: Vec<&str> = outputs
        .lines()
        .filter_map(|l| l.split_once("<<"))
        .map(|(n, _)| n)
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
        "status",
    ];
    assert_eq!(
        names, expected,
        "the name of the last output is in the text: {outputs}"
    );
    assert!(outputs.contains(hostile));
    assert!(
        std::fs::read_to_string(summary)
            .unwrap()
            .contains("### Blocks: completed")
    );
}

#[test]
fn verbose_shows_requests_without_the_key() {
    let service = replying();
    let ended = service.run(&[
        "-v",
        "run",
        "--agent",
        "claude",
        "--no-wait",
        "secret message",
    ]);
    assert!(ended.err.contains("createSession"), "{ended:?}");
    assert!(ended.err.contains("status_code=200"), "{ended:?}");
    assert!(!ended.err.contains(service.mock.key()));
    assert!(!ended.err.contains("secret message"));
}

#[test]
fn a_terminal_gets_no_escape_sequence_of_an_agent() {
    let hostile = "\u{1b}[2J\u{1b}]0;owned\u{7}hostile";
    let agent = Script::reply(hostile).reply_after(Duration::from_millis(2500));
    let service = Service::new(Mock::builder().agent(agent));
    let command = service.command(&["run", "--agent", "claude", "Go."]);
    let mut terminal = rexpect::session::spawn_command(command, Some(30_000)).unwrap();
    let shown = terminal.exp_eof().unwrap();
    assert!(
        shown.contains("\r\u{1b}[K/ 2s") || shown.contains("\r\u{1b}[K- 2s"),
        "{shown:?}"
    );
    assert!(shown.contains("[2J]0;ownedhostile"), "{shown:?}");
    assert!(!shown.contains("\u{1b}[2J"), "{shown:?}");
    assert!(!shown.contains('\u{7}'), "{shown:?}");
    // If standard output is not a terminal, the reply is printed without changes.
    let id = service.mock.sessions()[0].to_string();
    assert_eq!(service.run(&["wait", &id]).out, format!("{hostile}\n"));
}

#[test]
fn mock_prints_what_to_export_and_serves() {
    let mut command = blocks(&[
        "mock",
        "--key",
        "k",
        "--dialect",
        "documented",
        "--reply-after",
        "0s",
    ]);
    let mut mock = command
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let mut printed = vec![0; 80];
    let length = mock.stdout.as_mut().unwrap().read(&mut printed).unwrap();
    let text = String::from_utf8_lossy(&printed[..length]).into_owned();
    let url = text.split(['=', '\n']).nth(1).unwrap().to_owned();
    let mut run = blocks(&["run", "--agent", "claude", "--no-wait", "Go."]);
    run.env("BLOCKS_API_KEY", "k")
        .env("BLOCKS_API_BASE_URL", &url);
    let ended = Ended::of(run.output().unwrap());
    mock.kill().unwrap();
    mock.wait().unwrap();
    assert_eq!(ended.code, Some(0), "{ended:?}");
}

#[test]
fn completions_and_the_man_page_are_there() {
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let ended = Ended::of(blocks(&["completions", shell]).output().unwrap());
        assert!(ended.out.contains("transcript"), "{shell}");
    }
    let man = Ended::of(blocks(&["man"]).output().unwrap());
    assert!(man.out.contains(".TH blocks 1"), "{man:?}");
}
