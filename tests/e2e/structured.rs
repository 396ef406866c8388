//! Tests of replies in JSON: the message that requests JSON, decoding, and corrections.

use std::time::Duration;

use blocks_mock::{Fault, Frequency, Mock, Operation, RetryAfter, Script, TurnInfo};
use blocks_sdk::{
    Agent, Client, CreateSession, ErrorKind, FollowUp, RateLimit, StructuredReply, Turn,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::client;

#[derive(Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
struct Triage {
    /// Whether the `issue` is a bug.
    is_bug: bool,
    #[serde(default)]
    labels: Vec<String>,
}

const GOOD: &str = "```json\n{\"is_bug\": true}\n```";

fn bug() -> Triage {
    Triage {
        is_bug: true,
        labels: Vec::new(),
    }
}

fn request() -> CreateSession {
    CreateSession::new(Agent::claude(), "Triage issue 7.").expect::<Triage>()
}

/// Builds a mock whose agent sends these replies, one per turn. The last reply is repeated in all later turns.
fn replying(texts: &'static [&'static str]) -> Mock {
    let script = |turn: &TurnInfo| Script::reply(texts[turn.turn.min(texts.len() - 1)]);
    Mock::builder().agent_fn(script).build()
}

async fn turn(mock: &Mock) -> Turn {
    let session = client(mock).create_session(request()).await;
    session.unwrap().first_turn().unwrap()
}

/// Returns the messages that the mock received, in order.
fn messages(mock: &Mock) -> Vec<String> {
    let received = mock.requests();
    let prompts = received.iter().filter(|request| request.method == "POST");
    let body = |body: &str| serde_json::from_str::<Value>(body).unwrap();
    prompts
        .map(|request| body(&request.body)["message"].as_str().unwrap().to_owned())
        .collect()
}

const SECTION: &str = r##"

Reply with JSON that conforms to this JSON Schema:

```json
{
  "$schema": "https://json-schema.org/draft/2020-12/schema",
  "properties": {
    "is_bug": {
      "description": "Whether the \u0060issue\u0060 is a bug.",
      "type": "boolean"
    },
    "labels": {
      "default": [],
      "items": {
        "type": "string"
      },
      "type": "array"
    }
  },
  "required": [
    "is_bug"
  ],
  "title": "Triage",
  "type": "object"
}
```

Write one JSON value in one code block. Do not repeat the schema."##;

#[tokio::test(start_paused = true)]
async fn the_schema_is_added_to_the_message() {
    let mock = replying(&[GOOD]);
    let first = turn(&mock).await;
    first.reply().await.unwrap();
    let session = client(&mock).session(first.session_id());
    let next = FollowUp::new("And issue 8?").expect::<Triage>();
    session.follow_up(next).await.unwrap();
    let expected = ["Triage issue 7.", "And issue 8?"];
    assert_eq!(
        messages(&mock),
        expected.map(|message| format!("{message}{SECTION}"))
    );
}

#[tokio::test(start_paused = true)]
async fn an_invalid_schema_is_refused_before_it_is_sent() {
    let mock = Mock::new();
    let request = CreateSession::new(Agent::claude(), "Go.").expect_schema(json!([1]));
    let error = client(&mock).create_session(request).await;
    assert_eq!(error.unwrap_err().kind(), ErrorKind::InvalidInput);
    assert_eq!(mock.requests().len(), 0);
}

#[tokio::test(start_paused = true)]
async fn an_empty_prompt_with_a_schema_is_refused() {
    let mock = Mock::new();
    let request = CreateSession::new(Agent::claude(), " ").expect::<Triage>();
    let error = client(&mock).create_session(request).await;
    assert_eq!(error.unwrap_err().kind(), ErrorKind::InvalidInput);
    assert_eq!(mock.requests().len(), 0);
}

#[tokio::test(start_paused = true)]
async fn json_decodes_a_reply_or_says_why_not() {
    let mock = replying(&["I looked.\n```json\n{\"is_bug\": \"yes\"}\n```"]);
    let turn = turn(&mock).await;
    let reply = turn.reply().await.unwrap();
    let error = reply.json::<Triage>().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ReplyMismatch);
    assert_eq!(error.session_id(), Some(turn.session_id()));
    let mismatch = error.reply_mismatch().unwrap();
    assert_eq!(mismatch.text(), reply.text());
    assert_eq!((mismatch.line(), mismatch.column()), (3, 16));
    assert_eq!(mismatch.offset(), 33);
    assert_eq!(
        mismatch.reason(),
        "invalid type: string \"yes\", expected a boolean"
    );
    let session = turn.session_id();
    assert_eq!(
        error.to_string(),
        format!(
            "the reply of session {session} does not contain the expected JSON: line 3, column 16: invalid type: \
             string \"yes\", expected a boolean; its text is in `Error::reply_mismatch`, and a follow-up can ask for a \
             correction"
        )
    );
    let loose = reply.json::<Value>().unwrap();
    assert_eq!(loose, json!({"is_bug": "yes"}));
}

#[tokio::test(start_paused = true)]
async fn json_matching_keeps_what_the_agent_wrote() {
    let mock = replying(&["{\"b\": 12345678901234567890123, \"a\": 1.0}"]);
    let reply = turn(&mock).await.reply().await.unwrap();
    let found = reply.json_matching(&json!({"type": "object"}), |_| Ok(()));
    assert_eq!(
        found.unwrap().as_str(),
        "{\"b\": 12345678901234567890123, \"a\": 1.0}"
    );
    let error = reply
        .json_matching(&json!({}), |_| Err("`b` is too large".into()))
        .unwrap_err();
    assert_eq!(error.reply_mismatch().unwrap().reason(), "`b` is too large");
}

#[tokio::test(start_paused = true)]
async fn no_correction_is_sent_unless_requested() {
    let mock = replying(&["It is a bug.", GOOD]);
    let error = turn(&mock).await.structured_reply::<Triage>().await;
    assert_eq!(error.unwrap_err().kind(), ErrorKind::ReplyMismatch);
    assert_eq!(mock.count(Operation::CreateMessage), 0);
}

#[tokio::test(start_paused = true)]
async fn no_correction_is_sent_after_a_valid_reply() {
    let mock = replying(&[GOOD]);
    let reply = turn(&mock).await.structured_reply().correct(3).await;
    let StructuredReply {
        value,
        reply,
        corrections,
        ..
    } = reply.unwrap();
    assert_eq!((value, reply.text(), corrections), (bug(), GOOD, 0));
    assert_eq!(mock.count(Operation::CreateMessage), 0);
}

#[tokio::test(start_paused = true)]
async fn corrections_say_what_is_wrong() {
    let mock = replying(&["It is a bug.", "{\"is_bug\": 1}", GOOD]);
    let wait = turn(&mock).await.structured_reply::<Triage>().correct(5);
    let reply = wait.await.unwrap();
    assert_eq!((reply.value, reply.corrections), (bug(), 2));
    let reasons = [
        "line 1, column 1: the reply contains no JSON",
        "line 1, column 12: invalid type: integer `1`, expected a boolean",
    ];
    let corrections = reasons.map(|reason| {
        format!(
            "Your last reply does not contain the expected JSON: {reason}. Reply again, with nothing but the \
             JSON.{SECTION}"
        )
    });
    assert_eq!(messages(&mock)[1..], corrections);
}

#[tokio::test(start_paused = true)]
async fn corrections_end_at_the_requested_number() {
    for n in [1, 2, 4] {
        let mock = replying(&["It is a bug."]);
        let wait = turn(&mock).await.structured_reply::<Triage>().correct(n);
        let error = wait.await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ReplyMismatch);
        assert_eq!(error.reply_mismatch().unwrap().text(), "It is a bug.");
        assert_eq!(mock.count(Operation::CreateMessage), n as usize);
    }
}

#[tokio::test(start_paused = true)]
async fn no_correction_follows_an_unknown_outcome() {
    for fault in [
        Fault::ResetAfter,
        Fault::ResetInBody,
        Fault::status_after_effect(502),
    ] {
        let mock = replying(&["It is a bug."]);
        let turn = turn(&mock).await;
        mock.inject(Operation::CreateMessage, Frequency::Always, fault.clone());
        let wait = turn.structured_reply::<Triage>().correct(5);
        let error = wait.await.unwrap_err();
        assert!(error.may_have_taken_effect(), "{fault:?}: {error}");
        assert_eq!(mock.count(Operation::CreateMessage), 1, "{fault:?}");
        let mismatch = error.reply_mismatch().expect("the reply is kept");
        assert_eq!(mismatch.text(), "It is a bug.");
    }
}

#[tokio::test(start_paused = true)]
async fn no_correction_follows_a_rejected_one() {
    let mock = replying(&["It is a bug."]);
    let turn = turn(&mock).await;
    mock.inject(
        Operation::CreateMessage,
        Frequency::Always,
        Fault::status(422),
    );
    let wait = turn.structured_reply::<Triage>().correct(5);
    let error = wait.await.unwrap_err();
    assert_eq!(error.status(), Some(422));
    assert_eq!(error.reply_mismatch().unwrap().text(), "It is a bug.");
    assert_eq!(mock.count(Operation::CreateMessage), 1);
}

#[tokio::test(start_paused = true)]
async fn no_correction_follows_a_notice_of_failure() {
    let mock = replying(&["Claude Code: Rate limit or quota exceeded. Wait."]);
    let wait = turn(&mock).await.structured_reply::<Triage>().correct(5);
    assert_eq!(wait.await.unwrap_err().kind(), ErrorKind::ReplyMismatch);
    assert_eq!(mock.count(Operation::CreateMessage), 0);
}

#[tokio::test(start_paused = true)]
async fn no_correction_interrupts_another_follow_up() {
    let mock = replying(&["It is a bug.", GOOD]);
    let turn = turn(&mock).await;
    turn.reply().await.unwrap();
    let other = turn.session().follow_up(FollowUp::new("And?")).await;
    let error = turn.structured_reply::<Triage>().correct(5).await;
    let kind = error.unwrap_err().kind();
    assert_eq!(kind, ErrorKind::ReplyMismatch);
    assert_eq!(mock.count(Operation::CreateMessage), 1, "the other one");
    assert_eq!(other.unwrap().reply().await.unwrap().text(), GOOD);
}

#[tokio::test(start_paused = true)]
async fn the_time_out_bounds_all_corrections() {
    let slow = |turn: &TurnInfo| {
        let after = Duration::from_secs(if turn.turn == 0 { 40 } else { 60 });
        Script::reply("It is a bug.").reply_after(after)
    };
    let mock = Mock::builder().agent_fn(slow).build();
    let wait = turn(&mock).await.structured_reply::<Triage>().correct(5);
    let error = wait.timeout(Duration::from_secs(60)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Deadline);
    assert_eq!(error.reply_mismatch().unwrap().text(), "It is a bug.");
    assert_eq!(mock.count(Operation::CreateMessage), 1);
    let thread = error.pending().unwrap().thread_id().cloned();
    let threads = mock.threads(error.session_id().unwrap());
    assert_eq!(
        thread.map(|id| id.to_string()),
        Some(threads[1].to_string())
    );
}

#[tokio::test(start_paused = true)]
async fn a_correction_ends_at_the_time_out() {
    let paused = Fault::rate_limited(Some(RetryAfter::Seconds(300)));
    let slow = Fault::Delay(Duration::from_secs(300));
    for (limit, fault, kind, seconds) in [
        (100, Some(paused), ErrorKind::RateLimited, 2),
        // A correction that is being sent is not cut off, so that its turn is not lost.
        (100, Some(slow), ErrorKind::Timeout, 2 + 180),
        // The create and the poll take both permits, so the correction is not sent.
        (2, None, ErrorKind::Deadline, 30),
    ] {
        let mock = replying(&["It is a bug."]);
        let limit = RateLimit::per_minute(limit).unwrap();
        let builder = Client::builder(mock.key()).service(mock.service());
        let client = builder.rate_limit(limit).build().unwrap();
        let session = client.create_session(request()).await.unwrap();
        if let Some(fault) = fault {
            mock.inject(Operation::CreateMessage, Frequency::Always, fault);
        }
        let start = Instant::now();
        let turn = session.first_turn().unwrap();
        let wait = turn.structured_reply::<Triage>().correct(1);
        let error = wait.timeout(Duration::from_secs(30)).await.unwrap_err();
        assert_eq!((error.kind(), start.elapsed().as_secs()), (kind, seconds));
        assert_eq!(error.may_have_taken_effect(), kind == ErrorKind::Timeout);
        assert_eq!(error.pending().is_some(), kind == ErrorKind::Deadline);
        assert_eq!(error.reply_mismatch().unwrap().text(), "It is a bug.");
    }
}
