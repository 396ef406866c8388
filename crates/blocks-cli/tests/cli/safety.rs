//! Tests that an agent or the environment cannot harm the user, for example with control characters or a proxy.

use std::fs::File;
use std::time::Duration;

use blocks_mock::{Action, Fault, Frequency, Mock, Operation, Script};

use crate::{Ended, Folder, Service};

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

/// Every text of the service contains an escape sequence, and each command writes to a terminal.
#[test]
fn no_command_sends_an_escape_sequence_to_a_terminal() {
    let hostile = "\u{1b}[2J\u{9b}31mhostile";
    let agent = Script::reply(hostile)
        .reply_after(Duration::ZERO)
        .step(Duration::ZERO, Action::Message(hostile.into()))
        .step(Duration::ZERO, Action::Notice(hostile.into()))
        .step(Duration::ZERO, Action::PullRequest(hostile.into()));
    let id = Fault::ReplaceField("id".into(), serde_json::json!(hostile));
    let rejected = Fault::Status {
        status: 400,
        body: serde_json::json!({"error": hostile}).to_string(),
        retry_after: None,
        after_effect: false,
    };
    let service = Service::new(Mock::builder().agent(agent).fault(
        Operation::GetArtifact,
        Frequency::Always,
        rejected,
    ));
    service.run(&["run", "--agent", "claude", hostile]);
    let session = service.mock.sessions()[0].to_string();
    service
        .mock
        .inject(Operation::CreateSession, Frequency::Always, id);
    // The hostile id gets into the list of sessions.
    service.run(&["run", "--agent", "claude", "--no-wait", "--register", "Go."]);
    let lines = [
        "run --agent claude Go.",
        "run --agent claude --no-wait Go.",
        "run --agent claude --no-wait --json Go.",
        "run --agent claude --follow Go.",
        "run --agent claude --follow --json Go.",
        "list",
        "list --json",
        "show SESSION",
        "show SESSION --json",
        "messages SESSION",
        "messages SESSION --json",
        "transcript SESSION",
        "transcript SESSION --format json",
        "artifact SESSION 0f4f7b0c-2b4e-4a53-8a64-2d1c9e7d3c33",
    ];
    crate::all_together(&lines, |line| {
        let arguments = line.split(' ').map(|word| match word {
            "SESSION" => session.as_str(),
            word => word,
        });
        let command = service.command(&arguments.collect::<Vec<_>>());
        let mut terminal = rexpect::session::spawn_command(command, Some(30_000)).unwrap();
        let shown = terminal.exp_eof().unwrap();
        assert!(shown.contains("hostile"), "{line}: {shown:?}");
        // The only escape sequence of the command itself removes its progress line.
        let harmless = shown.replace("\u{1b}[K", "");
        assert!(
            !harmless.contains(['\u{1b}', '\u{9b}']),
            "{line}: {shown:?}"
        );
    });
    let command = service.command(&["messages", &session, "--raw"]);
    let mut terminal = rexpect::session::spawn_command(command, Some(30_000)).unwrap();
    let shown = terminal.exp_eof().unwrap();
    assert!(shown.contains("\u{1b}[2J"), "with --raw: {shown:?}");
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
