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
