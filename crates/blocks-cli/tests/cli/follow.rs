//! Tests of `--follow`, which shows the agent's messages on standard error. The option causes no additional polls.

use std::time::Duration;

use blocks_mock::{Action, Mock, Script};
use serde_json::{Value, json};

use crate::ends::{session, valid};
use crate::in_process::{Ended, Test};

const SECOND: Duration = Duration::from_secs(1);

/// Builds a mock whose agent works for `minutes`, with a message every 10 s and a tool call in the middle.
fn busy(minutes: u32) -> Mock {
    let tool = Action::ToolCall {
        name: "bash".into(),
        input: json!({"command": "x".repeat(1000)}),
    };
    let script = Script::reply("Done.").reply_after(minutes * 60 * SECOND);
    let script = (1..minutes * 6).fold(script, |script, n| {
        script.step(n * 10 * SECOND, Action::Message(format!("Step {n}.")))
    });
    Mock::builder()
        .agent(script.step(minutes * 30 * SECOND, tool))
        .build()
}

fn steps(minutes: u32) -> Vec<String> {
    (1..minutes * 6).map(|n| format!("Step {n}.")).collect()
}

fn shown(ended: &Ended) -> Vec<String> {
    let lines = ended.err.lines().filter(|line| line.starts_with("Step "));
    lines.map(str::to_owned).collect()
}

#[tokio::test(start_paused = true)]
async fn follow_makes_no_more_requests_than_run() {
    let mut counts = Vec::new();
    for options in ["", " --follow", " --follow --tools"] {
        let mock = busy(20);
        let line = format!("run --agent claude{options} hello");
        let ended = Test::new(&mock, &line).run().await;
        assert_eq!((ended.code, ended.out.as_str()), (0, "Done.\n"));
        counts.push(mock.request_count());
        let expected = if options.is_empty() {
            vec![]
        } else {
            steps(20)
        };
        assert_eq!(shown(&ended), expected, "each message once, in order");
        let calls: Vec<&str> = ended.err.lines().filter(|l| l.starts_with('[')).collect();
        assert_eq!(calls.len(), usize::from(options.contains("--tools")));
        for call in calls {
            assert!(call.starts_with("[bash] {\"command\":\"xxx"), "{call}");
            assert_eq!(call.chars().count(), 201, "cut");
        }
        assert!(!ended.err.contains("Done."), "the reply is not repeated");
    }
    assert_eq!(counts, [601; 3], "a create and a poll each 2 s");
}

#[tokio::test(start_paused = true)]
async fn send_and_wait_follow_too() {
    let mock = busy(2);
    let session = session(&mock).await;
    for line in [
        format!("wait {session} --follow"),
        format!("send {session} --follow more"),
    ] {
        let ended = Test::new(&mock, &line).run().await;
        assert_eq!((ended.code, ended.out.as_str()), (0, "Done.\n"), "{line}");
        assert_eq!(shown(&ended), steps(2), "{line}");
    }
}

#[tokio::test(start_paused = true)]
async fn events_are_json_lines_on_standard_error() {
    let mock = busy(2);
    let line = "run --agent claude --json --follow --tools hello";
    let ended = Test::new(&mock, line).run().await;
    valid("result", &ended.json());
    let events: Vec<Value> = ended
        .err
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    for event in &events {
        valid("event", event);
    }
    let id = mock.sessions()[0].to_string();
    assert_eq!(
        (&events[0]["event"], &events[0]["session_id"]),
        (&"started".into(), &id.into())
    );
    let texts: Vec<&str> = events
        .iter()
        .filter(|event| event["event"] == "message")
        .map(|event| event["message"]["message"].as_str().unwrap())
        .collect();
    let mut expected = steps(2);
    // The service sends the reply twice: as a message of the type `message`, and then as the final message. Only the
    // first of the two has an event.
    expected.push("Done.".to_owned());
    assert_eq!(texts, expected);
    let calls: Vec<&Value> = events
        .iter()
        .filter(|event| event["event"] == "tool_call")
        .collect();
    assert_eq!(calls.len(), 1);
    assert_eq!(calls[0]["name"], "bash");
    let command = calls[0]["arguments"]["command"].as_str().unwrap();
    assert_eq!(command.len(), 1000, "whole for a machine");
    assert_eq!(events.len(), 1 + 12 + 1, "and nothing else");
}

#[tokio::test(start_paused = true)]
async fn a_silent_agent_has_an_event_each_minute() {
    let mock = Mock::builder().agent(Script::no_reply()).build();
    let line = "run --agent claude --json --follow --timeout 150s hello";
    let ended = Test::new(&mock, line).run().await;
    assert_eq!(ended.code, 3);
    let events: Vec<Value> = ended
        .err
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    events.iter().for_each(|event| valid("event", event));
    let names: Vec<&Value> = events.iter().map(|event| &event["event"]).collect();
    assert_eq!(names, ["started", "waiting", "waiting", "note", "note"]);
    assert_eq!(events[2]["seconds"], 120);
    let text = events[3]["text"].as_str().unwrap();
    assert_eq!(text, "error: no reply within 2m 30s");
}

#[tokio::test(start_paused = true)]
async fn a_message_cannot_control_a_terminal() {
    let hostile = "\u{1b}[2J::set-output name=x::y";
    let script = Script::reply("Done.").reply_after(9 * SECOND);
    let script = script.step(SECOND, Action::Message(hostile.into()));
    let mock = Mock::builder().agent(script).build();
    let ended = Test::new(&mock, "run --agent claude --follow hello")
        .run()
        .await;
    assert!(ended.err.contains("[2J::set-output"), "{ended:?}");
    assert!(!ended.err.contains('\u{1b}'), "{ended:?}");
}
