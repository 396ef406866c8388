//! Tests of waits that also yield the agent's messages, without additional polls.

use std::time::Duration;

use blocks_mock::{Action, Dialect, Fault, Frequency, Mock, Operation, Script};
use blocks_sdk::{Client, ErrorKind, Progress, Turn, Wait};
use blocks_tests::{Scripted, ScriptedResponse, created, page, replied};
use futures_util::StreamExt;
use serde_json::json;

use crate::{client, hello};

const SECOND: Duration = Duration::from_secs(1);

async fn started(mock: &Mock) -> Turn {
    let session = client(mock).create_session(hello()).await.unwrap();
    session.first_turn().unwrap()
}

/// Returns the texts of all messages, with the reply last.
async fn texts(wait: Wait) -> Vec<String> {
    let mut texts = Vec::new();
    let mut progress = wait.progress();
    while let Some(step) = progress.next().await {
        match step.unwrap() {
            Progress::Message(message) => texts.push(message.message.unwrap()),
            Progress::Replied(reply) => texts.push(reply.text().to_owned()),
            _ => {}
        }
    }
    texts
}

/// Returns the script of an agent that writes a numbered message at each of these times and replies at `end`.
fn writing(times: impl IntoIterator<Item = Duration>, end: Duration) -> Script {
    let script = Script::reply("Done.").reply_after(end);
    let numbered = times.into_iter().enumerate();
    numbered.fold(script, |script, (number, time)| {
        script.step(time, Action::Message(number.to_string()))
    })
}

fn numbered(count: usize) -> Vec<String> {
    let numbers = (0..count).map(|number| number.to_string());
    numbers.chain(["Done.".to_owned()]).collect()
}

/// Returns the settings with which the mock behaves like the live service ([`Dialect::observed`]), except that it does
/// not repeat the reply as an ordinary message.
fn dialect() -> Dialect {
    let mut dialect = Dialect::observed();
    dialect.duplicated_final = false;
    dialect
}

#[tokio::test(start_paused = true)]
async fn follow_sends_the_same_polls_as_reply() {
    let mut polls = Vec::new();
    for follows in [false, true] {
        let script = writing((1..120).map(|n| n * 10 * SECOND), 1200 * SECOND);
        let mock = Mock::builder().dialect(dialect()).agent(script).build();
        let turn = started(&mock).await;
        if follows {
            assert_eq!(texts(turn.reply().follow()).await, numbered(119));
        } else {
            assert_eq!(turn.reply().await.unwrap().text(), "Done.");
        }
        polls.push(mock.request_count());
    }
    assert_eq!(polls, [601, 601], "a create and a poll each 2 s");
}

#[tokio::test(start_paused = true)]
async fn tool_calls_arrive_when_requested() {
    let tool = Action::ToolCall {
        name: "bash".into(),
        input: json!({"command": "ls"}),
    };
    let script = writing([SECOND], 9 * SECOND).step(3 * SECOND, tool);
    let mock = Mock::builder().dialect(dialect()).agent(script).build();
    let turn = started(&mock).await;
    assert_eq!(texts(turn.reply().follow()).await, numbered(1));
    let with_tools = texts(turn.reply().follow_with_tools()).await;
    assert_eq!(with_tools.len(), 3);
    assert!(with_tools[1].contains("bash"), "{with_tools:?}");
}

#[tokio::test(start_paused = true)]
async fn a_burst_and_failing_polls_lose_no_message() {
    // 350 messages arrive within one second, and the first eight polls fail. The wait must return each message once.
    let burst = (0..350).map(|n| 10 * SECOND + n * SECOND / 350);
    let script = writing(burst, 100 * SECOND);
    let mock = Mock::builder().dialect(dialect()).agent(script).build();
    let turn = started(&mock).await;
    mock.inject(
        Operation::ListThreadMessages,
        Frequency::Times(8),
        Fault::status(503),
    );
    assert_eq!(texts(turn.reply().follow()).await, numbered(350));
}

#[tokio::test(start_paused = true)]
async fn a_deleted_message_hides_no_other() {
    let script = writing((1..200).map(|n| n * SECOND), 300 * SECOND);
    let mock = Mock::builder().dialect(dialect()).agent(script).build();
    let turn = started(&mock).await;
    let mut progress = turn.reply().follow().progress();
    let mut texts = Vec::new();
    while let Some(step) = progress.next().await {
        match step.unwrap() {
            Progress::Message(message) => {
                let text = message.message.clone().unwrap();
                if ["90", "150"].contains(&text.as_str()) {
                    let id = message.id.clone().unwrap();
                    assert!(mock.delete_message(id.as_str()));
                }
                texts.push(text);
            }
            Progress::Replied(reply) => texts.push(reply.text().to_owned()),
            _ => {}
        }
    }
    assert_eq!(texts, numbered(199));
}

#[tokio::test(start_paused = true)]
async fn a_late_wait_reads_the_turn_from_its_start() {
    let mock = Mock::builder()
        .dialect(dialect())
        .agent(writing((0..250).map(|_| SECOND), 2 * SECOND))
        .build();
    let turn = started(&mock).await;
    tokio::time::sleep(60 * SECOND).await;
    let before = mock.request_count();
    let start = tokio::time::Instant::now();
    assert_eq!(texts(turn.reply().follow()).await, numbered(250));
    assert_eq!(mock.request_count() - before, 3, "each page once");
    assert!(start.elapsed() < 2 * SECOND, "as fast as the limit allows");
    // A wait with a time-out of zero still polls once, and finds the reply.
    let reply = turn.reply().follow().timeout(Duration::ZERO).await;
    assert_eq!(reply.unwrap().text(), "Done.");
}

#[tokio::test(start_paused = true)]
async fn a_reply_without_its_type_is_found() {
    let item = |kind: &str| json!({"id": kind, "type": kind, "message": kind});
    let untyped = json!({"id": "last", "message": "done"});
    let responses = [
        ScriptedResponse::ok(&created()),
        ScriptedResponse::ok(&page(json!([item("message"), untyped]))),
        ScriptedResponse::ok(&page(json!([untyped]))),
    ];
    let script = Scripted::new(responses);
    let session = script.client().create_session(hello()).await.unwrap();
    let wait = session.first_turn().unwrap().reply().follow();
    assert_eq!(texts(wait).await, ["message", "done", "done"]);
    assert_eq!(script.count(), 3);
}

#[tokio::test(start_paused = true)]
async fn a_page_that_is_too_large_is_read_in_parts() {
    let texts_of = |n: usize| format!("{n} {}", "x".repeat(1000));
    let script = (0..40).fold(
        Script::reply("Done.").reply_after(4 * SECOND),
        |script, n| script.step(3 * SECOND, Action::Message(texts_of(n))),
    );
    let mock = Mock::builder().dialect(dialect()).agent(script).build();
    let builder = Client::builder(mock.key()).service(mock.service());
    let client = builder.max_body(20_000).build().unwrap();
    let session = client.create_session(hello()).await.unwrap();
    let found = texts(session.first_turn().unwrap().reply().follow()).await;
    let expected = (0..40).map(texts_of).chain(["Done.".to_owned()]);
    assert_eq!(found, expected.collect::<Vec<_>>());
}

#[tokio::test(start_paused = true)]
async fn a_time_out_of_a_followed_wait_names_its_turn() {
    let script = writing([3 * SECOND], 3600 * SECOND);
    let mock = Mock::builder().dialect(dialect()).agent(script).build();
    let turn = started(&mock).await;
    let progress = turn.reply().follow().timeout(10 * SECOND).progress();
    let steps: Vec<_> = progress.collect().await;
    let messages = steps
        .iter()
        .filter(|s| matches!(s, Ok(Progress::Message(_))));
    assert_eq!(messages.count(), 1);
    let Some(Err(error)) = steps.last() else {
        panic!("{steps:?}");
    };
    assert_eq!(error.kind(), ErrorKind::Deadline);
    assert!(error.body().is_some_and(|body| body.contains("\"items\"")));
    assert_eq!(error.pending(), Some(turn.pending()));
}

#[tokio::test(start_paused = true)]
async fn a_turn_without_a_thread_is_followed_by_its_link() {
    let mut created = created();
    created["thread_id"] = json!(null);
    created["_links"]["final_message"]["href"] = json!("/rest/v1/reply?type=final_message");
    let script = Scripted::new([
        ScriptedResponse::ok(&created),
        ScriptedResponse::ok(&replied("done")),
    ]);
    let session = script.client().create_session(hello()).await.unwrap();
    let wait = session.first_turn().unwrap().reply().follow();
    assert_eq!(texts(wait).await, ["done"]);
}
