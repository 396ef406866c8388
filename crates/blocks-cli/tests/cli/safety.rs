//! Tests that an agent or the environment cannot harm the user, for example with control characters or a proxy.

use std::fs::File;
use std::process::Command;
use std::time::Duration;

use blocks_mock::{Action, Fault, Frequency, Mock, Operation, Script};

use crate::{Ended, Folder, Service, all_together, blocks};

const HOSTILE: &str = "::set-output name=x::y\n\u{1b}[2J\u{9b}31m1. Go.\n";

/// Returns a service, and the id of a session whose plan contains control characters and a GitHub workflow command.
fn hostile_plan() -> (Service, String) {
    let plan = Action::Plan {
        file_name: "../../plan.md".into(),
        text: HOSTILE.into(),
    };
    let agent = Script::reply("Done.")
        .reply_after(Duration::ZERO)
        .step(Duration::ZERO, plan);
    let service = Service::new(Mock::builder().agent(agent));
    service.run(&["run", "--agent", "claude", "Go."]);
    let id = service.mock.sessions()[0].to_string();
    (service, id)
}

#[test]
fn a_plan_is_unchanged_in_a_pipe_and_in_a_file() {
    let (service, id) = hostile_plan();
    let folder = Folder::new("safety-plan");
    let in_ci = || {
        let mut command = service.command(&["plan", &id]);
        command.env("CI", "true");
        command
    };
    let piped = Ended::of(in_ci().output().unwrap());
    assert_eq!(piped.out, HOSTILE, "a pipe gets the bytes unchanged");
    let file = folder.file("plan.md");
    let status = in_ci().stdout(File::create(&file).unwrap()).status();
    assert!(status.unwrap().success());
    assert_eq!(std::fs::read_to_string(&file).unwrap(), HOSTILE);
    assert_eq!(service.run(&["plan", &id]).out, HOSTILE, "to a program");
}

#[test]
fn a_plan_reaches_a_terminal_harmless() {
    let (service, id) = hostile_plan();
    let command = service.command(&["plan", &id]);
    let mut terminal = rexpect::session::spawn_command(command, Some(30_000)).unwrap();
    let shown = terminal.exp_eof().unwrap();
    assert!(shown.contains("[2J31m1. Go."), "{shown:?}");
    assert!(!shown.contains(['\u{1b}', '\u{9b}']), "{shown:?}");
}

#[test]
fn a_pending_file_is_created_first() {
    let fault = Fault::status(422);
    let service =
        Service::new(Mock::builder().fault(Operation::CreateSession, Frequency::ONCE, fault));
    let folder = Folder::new("safety-pending");
    let file = folder.file("pending");
    let arguments = [
        "run",
        "--agent",
        "claude",
        "--no-wait",
        "--pending",
        &file,
        "Go.",
    ];
    let refused = service.run(&arguments);
    assert_eq!(refused.code, Some(1), "{refused:?}");
    assert!(!std::path::Path::new(&file).exists(), "nothing is pending");

    std::fs::write(&file, "mine").unwrap();
    let there = service.run(&arguments);
    assert_eq!(there.code, Some(2), "{there:?}");
    assert!(there.err.contains("nothing was sent"), "{there:?}");
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "mine");
    assert_eq!(service.mock.count(Operation::CreateSession), 1);

    std::fs::remove_file(&file).unwrap();
    assert_eq!(service.run(&arguments).code, Some(0));
    let unread = std::fs::read_to_string(&file).unwrap();
    let again = service.run(&arguments);
    assert_eq!(again.code, Some(2), "{again:?}");
    assert!(again.err.contains("a reply is pending there"), "{again:?}");
    assert_eq!(std::fs::read_to_string(&file).unwrap(), unread);
    assert_eq!(service.mock.count(Operation::CreateSession), 2);
}

#[test]
fn an_endless_standard_input_is_refused() {
    let (service, id) = hostile_plan();
    let sent = service.mock.request_count();
    for line in [
        "run --agent claude --prompt-file -",
        &format!("send {id} --prompt-file -"),
        "run --profile-file - Go.",
        "batch -",
        "wait --pending -",
    ] {
        let mut command = service.command(&line.split(' ').collect::<Vec<_>>());
        command.stdin(File::open("/dev/zero").unwrap());
        let ended = Ended::of(command.output().unwrap());
        assert_eq!(ended.code, Some(2), "{line}: {ended:?}");
        let cause = "standard input: it is larger than 67108864 bytes";
        assert!(ended.err.contains(cause), "{line}: {ended:?}");
    }
    assert_eq!(service.mock.request_count(), sent);
}

/// Commands that print texts of the service. `SESSION` is replaced by the id of a session.
const PRINTING: [&str; 14] = [
    "run --agent claude Go.",
    "run --agent claude --no-wait --json Go.",
    "run --agent claude --follow Go.",
    "run --agent claude --follow --json Go.",
    "run --agent claude --verbose Go.",
    "wait SESSION",
    "list",
    "list --json",
    "show SESSION --json",
    "messages SESSION",
    "messages SESSION --json",
    "transcript SESSION",
    "transcript SESSION --format json",
    "artifact SESSION 0f4f7b0c-2b4e-4a53-8a64-2d1c9e7d3c33",
];

/// Returns a service that sends `text` in messages, titles, errors and ids, and the id of a session. The list of
/// sessions contains a session whose id is `text`.
fn hostile_service(text: &str) -> (Service, String) {
    let agent = Script::reply(text)
        .reply_after(Duration::ZERO)
        .step(Duration::ZERO, Action::Message(text.into()))
        .step(Duration::ZERO, Action::Notice(text.into()))
        .step(Duration::ZERO, Action::PullRequest(text.into()));
    let rejected = Fault::Status {
        status: 400,
        body: serde_json::json!({"error": text}).to_string(),
        retry_after: None,
        after_effect: false,
    };
    let service = Service::new(Mock::builder().agent(agent).fault(
        Operation::GetArtifact,
        Frequency::Always,
        rejected,
    ));
    service.run(&["run", "--agent", "claude", text]);
    let session = service.mock.sessions()[0].to_string();
    let id = Fault::ReplaceField("id".into(), text.into());
    service
        .mock
        .inject(Operation::CreateSession, Frequency::Always, id);
    let registered = ["run", "--agent", "claude", "--no-wait", "--register", "Go."];
    service.run(&registered);
    (service, session)
}

fn with_session(service: &Service, line: &str, session: &str) -> Command {
    let line = line.replace("SESSION", session);
    service.command(&line.split(' ').collect::<Vec<_>>())
}

#[test]
fn no_command_sends_an_escape_sequence_to_a_terminal() {
    let (service, session) = hostile_service("\u{1b}[2J\u{9b}31mhostile");
    let on_terminal = |line: &str| {
        let command = with_session(&service, line, &session);
        let mut terminal = rexpect::session::spawn_command(command, Some(30_000)).unwrap();
        terminal.exp_eof().unwrap()
    };
    all_together(&PRINTING, |line| {
        let shown = on_terminal(line);
        assert!(shown.contains("hostile"), "{line}: {shown:?}");
        // The only escape sequence of the command itself removes its progress line.
        let harmless = shown.replace("\u{1b}[K", "");
        assert!(
            !harmless.contains(['\u{1b}', '\u{9b}']),
            "{line}: {shown:?}"
        );
    });
    let shown = on_terminal("messages SESSION --raw");
    assert!(shown.contains("\u{1b}[2J"), "with --raw: {shown:?}");
}

#[test]
fn no_output_in_ci_contains_a_ci_command() {
    let text = "::add-mask::x\n##[group]x ##vso[task.complete]x\n##teamcity[buildStop]";
    let (service, session) = hostile_service(text);
    all_together(&PRINTING, |line| {
        let mut command = with_session(&service, line, &session);
        let ended = Ended::of(command.env("CI", "true").output().unwrap());
        let all = format!("{}{}", ended.out, ended.err);
        assert!(all.contains("add-mask"), "{line}: {all}");
        let starts = all.lines().any(|line| line.trim_start().starts_with("::"));
        assert!(!starts, "{line}: {all}");
        for mark in ["##[", "##vso[", "##teamcity["] {
            assert!(!all.contains(mark), "{line}: {all}");
        }
    });
}

#[test]
fn a_usage_error_repeats_no_ci_command() {
    let hostile = "--x\n::warning::forged \u{1b}[31m\r::add-mask::x ##[group]x";
    let (value, word) = (&hostile[4..], &hostile[2..]);
    for arguments in [
        &["run", "--agent", "claude", hostile][..],
        &["show", hostile],
        &["run", "--timeout", value, "--agent", "claude", "Go."],
        &[word],
    ] {
        let ended = Ended::of(blocks(arguments).env("CI", "1").output().unwrap());
        assert_eq!(ended.code, Some(2), "{ended:?}");
        assert!(ended.err.contains("forged [31m"), "{ended:?}");
        let starts = |line: &str| line.trim_start().starts_with("::");
        assert!(!ended.err.split(['\n', '\r']).any(starts), "{ended:?}");
        assert!(!ended.err.contains(['\u{1b}', '\r']), "{ended:?}");
        assert!(!ended.err.contains("##["), "{ended:?}");
    }
    let usual = Ended::of(blocks(&["run", "--x"]).env("CI", "1").output().unwrap());
    let start = "error: unexpected argument '--x' found\n\n";
    assert!(usual.err.starts_with(start), "{usual:?}");
    assert!(usual.err.ends_with(".\n"), "{usual:?}");
}

#[test]
fn no_wait_prints_a_harmless_id() {
    for (text, variable) in [("\u{1b}[2Jid", None), ("::add-mask::id", Some("CI"))] {
        let (service, _) = hostile_service(text);
        let mut command = service.command(&["run", "--agent", "claude", "--no-wait", "Go."]);
        let shown = match variable {
            Some(name) => Ended::of(command.env(name, "true").output().unwrap()).out,
            None => {
                let mut terminal = rexpect::session::spawn_command(command, Some(30_000)).unwrap();
                terminal.exp_eof().unwrap()
            }
        };
        let harmless = !shown.starts_with("::") && !shown.contains("\u{1b}[2J");
        assert!(harmless && shown.contains("id"), "{shown:?}");
    }
}

#[test]
fn a_proxy_gets_no_plain_text() {
    let (service, id) = hostile_plan();
    // Nothing listens at the proxy's address, so the command succeeds only if it sends its requests without the proxy.
    let mut command = service.command(&["show", &id]);
    command.env("HTTP_PROXY", "http://127.0.0.1:1");
    command.env("http_proxy", "http://127.0.0.1:1");
    let ended = Ended::of(command.output().unwrap());
    assert_eq!(ended.code, Some(0), "{ended:?}");
}
