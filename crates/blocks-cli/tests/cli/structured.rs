//! Tests of `--schema`, which checks the JSON in a reply, and of `--correct`, which asks the agent to correct the JSON.

use std::time::Duration;

use blocks_cli::Interruption;
use blocks_mock::{Fault, Frequency, Mock, Operation, RetryAfter, Script, TurnInfo};
use serde_json::{Value, json};

use crate::Folder;
use crate::in_process::Test;

const SCHEMA: &str = r#"{"type": "object", "required": ["is_bug"], "additionalProperties": false,
    "properties": {"is_bug": {"type": "boolean"}, "count": {"type": "integer", "minimum": 1}}}"#;

/// Whether the command is built with the crate `jsonschema`.
const FULL: bool = cfg!(feature = "schema-validation");

/// Builds a mock whose agent sends these replies, one per turn. The last reply is repeated in all later turns.
fn replying(texts: &'static [&'static str]) -> Mock {
    let script = |turn: &TurnInfo| Script::reply(texts[turn.turn.min(texts.len() - 1)]);
    Mock::builder().agent_fn(script).build()
}

/// Creates a test of a command whose standard input is the schema.
fn test<'a>(mock: &'a Mock, line: &str) -> Test<'a> {
    Test::new(mock, line).input(SCHEMA)
}

#[tokio::test(start_paused = true)]
async fn standard_output_gets_the_json_alone() {
    let reply =
        "It is.\n```json\n{\n  \"is_bug\": true,\n  \"count\": 12345678901234567890123\n}\n```\n";
    let mock = Mock::builder().reply(reply).build();
    let ended = test(&mock, "run --agent claude --schema - hello")
        .run()
        .await;
    let json = "{\"is_bug\":true,\"count\":12345678901234567890123}\n";
    assert_eq!((ended.code, ended.out.as_str()), (0, json), "{ended:?}");
    assert!(!ended.err.contains("It is."), "{ended:?}");

    let prompt: Value = serde_json::from_str(&mock.requests()[0].body).unwrap();
    let prompt = prompt["message"].as_str().unwrap();
    let section = "hello\n\nReply with JSON that conforms to this JSON Schema:\n\n```json\n{";
    assert!(prompt.starts_with(section), "{prompt}");

    let session = mock.sessions()[0];
    let sent = test(&mock, &format!("send {session} --schema - again"))
        .run()
        .await;
    assert_eq!((sent.code, sent.out.as_str()), (0, json), "{sent:?}");
    let waited = test(&mock, &format!("wait {session} --schema -"))
        .run()
        .await;
    assert_eq!((waited.code, waited.out.as_str()), (0, json), "{waited:?}");
    assert_eq!(mock.user_message_count(), 2, "`wait` sends nothing");
}

#[tokio::test(start_paused = true)]
async fn a_reply_that_does_not_conform_has_code_6() {
    for (reply, reason) in [
        (
            "It is a bug.",
            "line 1, column 1: the reply contains no JSON",
        ),
        (
            "{\"is_bug\": 1}",
            match FULL {
                true => "line 1, column 1: 1 is not of type \"boolean\" (at /is_bug)",
                false => "line 1, column 1: expected boolean, found 1 (at /is_bug)",
            },
        ),
        (
            "Two:\n{\"is_bug\": true, \"count\": 0}",
            match FULL {
                true => "line 2, column 1: 0 is less than the minimum of 1 (at /count)",
                false => "line 2, column 1: expected at least 1, found 0 (at /count)",
            },
        ),
        (
            "{\"is_bug\": true,}",
            "line 1, column 16: a comma must not follow the last element",
        ),
    ] {
        let mock = Mock::builder().reply(reply).build();
        let ended = test(&mock, "run --agent claude --schema - hello")
            .run()
            .await;
        assert_eq!((ended.code, ended.out.as_str()), (6, ""), "{ended:?}");
        let (_, err) = ended.err.split_once('\n').unwrap();
        let expected =
            format!("{reply}\nerror: the reply does not conform to the schema: {reason}\n");
        assert_eq!(err, expected);

        let ended = test(&mock, "run --json --agent claude --schema - hello")
            .run()
            .await;
        let report: Value = serde_json::from_str(&ended.out).unwrap();
        assert_eq!(
            [
                &report["status"],
                &report["exit_code"],
                &report["final_message"]
            ],
            [&json!("completed"), &json!(6), &json!(reply)]
        );
        assert_eq!(report["structured_output"], Value::Null);
        assert_eq!(report["error"]["kind"], "reply_mismatch");
        assert_eq!(mock.count(Operation::CreateMessage), 0);
    }
}

#[tokio::test(start_paused = true)]
async fn json_and_step_outputs_have_the_value() {
    let folder = Folder::new("structured-outputs");
    let outputs = folder.file("outputs");
    let mock = replying(&["```json\n{\"is_bug\": true}\n```"]);
    let line = "run --json --github-output --agent claude --schema - hello";
    let ended = test(&mock, line)
        .variable("GITHUB_OUTPUT", &outputs)
        .run()
        .await;
    let report: Value = serde_json::from_str(&ended.out).unwrap();
    assert_eq!(report["structured_output"], json!({"is_bug": true}));
    assert_eq!(report["final_message"], "```json\n{\"is_bug\": true}\n```");
    let outputs = std::fs::read_to_string(&outputs).unwrap();
    let (_, value) = outputs.split_once("structured_output<<").unwrap();
    assert_eq!(value.lines().nth(1), Some("{\"is_bug\":true}"));
}

#[tokio::test(start_paused = true)]
async fn a_step_output_is_the_whole_json_or_empty() {
    let folder = Folder::new("structured-large");
    for (length, is_written) in [(200 << 10, true), (300 << 10, false)] {
        let outputs = folder.file(&length.to_string());
        let json = format!("\"{}\"", "a".repeat(length));
        let mock = Mock::builder().reply(json.clone()).build();
        let line = "run --json --github-output --agent claude --schema - hello";
        let test = Test::new(&mock, line).input("{\"type\": \"string\"}");
        let ended = test.variable("GITHUB_OUTPUT", &outputs).run().await;
        assert_eq!(ended.code, 0, "{}", ended.err);
        let outputs = std::fs::read_to_string(&outputs).unwrap();
        let (_, value) = outputs.split_once("structured_output<<").unwrap();
        let expected = if is_written { json.as_str() } else { "" };
        assert_eq!(value.lines().nth(1), Some(expected));
        assert_eq!(
            ended.err.contains("structured_output is empty"),
            !is_written
        );
    }
}

#[tokio::test(start_paused = true)]
async fn the_output_file_gets_the_json_alone() {
    let folder = Folder::new("structured-file");
    let file = folder.file("reply.json");
    let mock = replying(&["No.", "Yes: {\"is_bug\": true}"]);
    let line = format!("run --agent claude --schema - --output {file} hello");
    let ended = test(&mock, &line).run().await;
    assert_eq!((ended.code, ended.out.as_str()), (6, ""), "{ended:?}");
    assert!(!std::fs::exists(&file).unwrap(), "nothing conforms");
    let session = mock.sessions()[0];
    let line = format!("send --schema - --output {file} {session} again");
    let ended = test(&mock, &line).run().await;
    assert_eq!((ended.code, ended.out.as_str()), (0, ""), "{ended:?}");
    let content = std::fs::read_to_string(&file).unwrap();
    assert_eq!(content, "{\"is_bug\":true}\n");
}

#[tokio::test(start_paused = true)]
async fn corrections_are_sent_up_to_their_number() {
    for (corrections, sent, code) in [(0, 0, 6), (1, 1, 6), (2, 2, 0), (9, 2, 0)] {
        let mock = replying(&["It is.", "{\"is_bug\": 1}", "{\"is_bug\": true}"]);
        let line = format!("run --agent claude --schema - --correct {corrections} hello");
        let ended = test(&mock, &line).run().await;
        assert_eq!(ended.code, code, "{ended:?}");
        assert_eq!(mock.count(Operation::CreateMessage), sent);
        let out = if code == 0 { "{\"is_bug\":true}\n" } else { "" };
        assert_eq!(ended.out, out);
    }
}

#[tokio::test(start_paused = true)]
async fn a_correction_gets_the_reason_and_the_schema() {
    let mock = replying(&["It is.", "{\"is_bug\": true}"]);
    let line = "run --json --agent claude --schema - --correct 1 hello";
    let ended = test(&mock, line).run().await;
    let requests = mock.requests();
    let correction = requests
        .iter()
        .filter(|request| request.method == "POST")
        .nth(1);
    let body: Value = serde_json::from_str(&correction.unwrap().body).unwrap();
    let message = body["message"].as_str().unwrap();
    let start = "Your last reply does not contain the expected JSON: line 1, column 1: the reply contains no JSON. Reply \
                 again, with nothing but the JSON.\n\nReply with JSON that conforms to this JSON Schema:\n\n```json\n{";
    assert!(message.starts_with(start), "{message}");
    let report: Value = serde_json::from_str(&ended.out).unwrap();
    let threads = mock.threads(mock.sessions()[0]);
    assert_eq!(
        report["thread_id"],
        threads[1].to_string(),
        "of the valid reply"
    );
    assert_eq!(report["final_message"], "{\"is_bug\": true}");
}

#[tokio::test(start_paused = true)]
async fn no_correction_follows_an_unknown_outcome() {
    let folder = Folder::new("structured-unknown");
    let pending = folder.file("pending.json");
    let mock = replying(&["It is a bug."]);
    mock.inject(
        Operation::CreateMessage,
        Frequency::Always,
        Fault::ResetAfter,
    );
    let line =
        format!("run --json --agent claude --schema - --correct 5 --pending {pending} hello");
    let ended = test(&mock, &line).run().await;
    assert_eq!(ended.code, 4, "{ended:?}");
    assert_eq!(mock.count(Operation::CreateMessage), 1);
    let report: Value = serde_json::from_str(&ended.out).unwrap();
    assert_eq!(report["status"], "unknown");
    assert_eq!(report["final_message"], "It is a bug.");
    assert_eq!(report["error"]["may_have_taken_effect"], true);
    let session = mock.sessions()[0];
    assert_eq!(report["error"]["resume"], Value::Null);
    let advice = format!("run: blocks wait --pending {pending}\n");
    assert!(ended.err.contains(&advice), "{ended:?}");
    let content: Value = serde_json::from_str(&std::fs::read_to_string(&pending).unwrap()).unwrap();
    let first = mock.threads(session)[0];
    let expected =
        json!({"session_id": session.to_string(), "previous_thread_id": first.to_string()});
    assert_eq!(content, expected);
}

/// The reply to the first prompt was already judged, so a later `wait` must not judge it again.
#[tokio::test(start_paused = true)]
async fn a_lost_correction_is_not_judged_as_its_prompt() {
    let folder = Folder::new("structured-lost");
    let pending = folder.file("pending.json");
    let mock = replying(&["It is a bug."]);
    mock.inject(
        Operation::CreateMessage,
        Frequency::ONCE,
        Fault::status(502),
    );
    let line = format!("run --agent claude --schema - --correct 1 --pending {pending} hello");
    let ended = test(&mock, &line).run().await;
    assert_eq!(ended.code, 4, "{ended:?}");
    let line = format!("wait --json --pending {pending} --schema - --correct 1");
    let ended = test(&mock, &line).run().await;
    assert_eq!(ended.code, 4, "{ended:?}");
    assert_eq!(ended.json()["final_message"], Value::Null);
    assert_eq!(mock.count(Operation::CreateMessage), 1);
}

#[tokio::test(start_paused = true)]
async fn a_rate_limited_correction_says_that_it_waits() {
    let mock = replying(&["It is a bug.", "{\"is_bug\": true}"]);
    mock.inject(
        Operation::CreateMessage,
        Frequency::ONCE,
        Fault::rate_limited(Some(RetryAfter::Seconds(130))),
    );
    let line = "run --agent claude --schema - --correct 1 hello";
    let ended = test(&mock, line).run().await;
    assert_eq!(ended.code, 0, "{ended:?}");
    for text in [
        "sending the prompt: rate limited",
        "still sending the prompt, 2m\n",
    ] {
        assert!(ended.err.contains(text), "{ended:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_signal_before_a_correction_keeps_its_code() {
    let mock = replying(&["It is a bug."]);
    let fault = Fault::rate_limited(Some(RetryAfter::Seconds(300)));
    mock.inject(Operation::CreateMessage, Frequency::Always, fault);
    let line = "run --json --agent claude --schema - --correct 5 hello";
    let test = test(&mock, line).signal(Duration::from_secs(120), Interruption::Interrupt);
    let ended = test.run().await;
    assert_eq!(ended.code, 130, "{ended:?}");
    assert_eq!(mock.count(Operation::CreateMessage), 1, "{ended:?}");
    let report = ended.json();
    assert_eq!(report["final_message"], "It is a bug.");
    assert_eq!(report["error"]["kind"], "interrupted");
    assert_eq!(report["error"]["may_have_taken_effect"], false);
}

#[tokio::test(start_paused = true)]
async fn a_rejected_correction_leaves_code_6() {
    let mock = replying(&["It is a bug."]);
    mock.inject(
        Operation::CreateMessage,
        Frequency::Always,
        Fault::status(422),
    );
    let line = "run --agent claude --schema - --correct 5 hello";
    let ended = test(&mock, line).run().await;
    assert_eq!((ended.code, ended.out.as_str()), (6, ""), "{ended:?}");
    assert!(ended.err.contains("\nIt is a bug.\nerror: "), "{ended:?}");
    assert!(
        ended.err.contains("cannot send the correction"),
        "{ended:?}"
    );
    assert_eq!(mock.count(Operation::CreateMessage), 1);
}

#[tokio::test(start_paused = true)]
async fn no_correction_follows_a_notice_of_failure() {
    for (option, code) in [("--correct 3", 6), ("--correct 3 --fail-on-notice", 5)] {
        let mock = replying(&["Claude Code: Rate limit or quota exceeded. Wait."]);
        let line = format!("run --agent claude --schema - {option} hello");
        let ended = test(&mock, &line).run().await;
        assert_eq!((ended.code, ended.out.as_str()), (code, ""), "{ended:?}");
        assert_eq!(mock.count(Operation::CreateMessage), 0);
    }
}

#[tokio::test(start_paused = true)]
async fn a_correction_that_times_out_can_be_resumed() {
    let folder = Folder::new("structured-resume");
    let pending = folder.file("pending.json");
    let slow = |turn: &TurnInfo| match turn.turn {
        0 => Script::reply("It is a bug."),
        _ => Script::reply("{\"is_bug\": true}").reply_after(std::time::Duration::from_secs(90)),
    };
    let mock = Mock::builder().agent_fn(slow).build();
    let line = format!(
        "run --json --agent claude --schema - --correct 1 --timeout 60s --pending {pending} hello"
    );
    let ended = test(&mock, &line).run().await;
    assert_eq!(ended.code, 3, "{ended:?}");
    let report: Value = serde_json::from_str(&ended.out).unwrap();
    assert_eq!(report["status"], "timed_out");
    assert_eq!(
        report["final_message"], "It is a bug.",
        "the last one known"
    );
    let (session, thread) = (&report["session_id"], &report["thread_id"]);
    let resume = format!(
        "blocks wait {} --thread {}",
        session.as_str().unwrap(),
        thread.as_str().unwrap()
    );
    assert_eq!(report["error"]["resume"], resume);
    let line = format!("wait --pending {pending} --schema -");
    let ended = test(&mock, &line).run().await;
    assert_eq!(
        (ended.code, ended.out.as_str()),
        (0, "{\"is_bug\":true}\n"),
        "{ended:?}"
    );
}

/// A second `wait` would read the first reply again, and send the correction again.
#[tokio::test(start_paused = true)]
async fn a_wait_that_sent_a_correction_is_not_retryable() {
    let script = |turn: &TurnInfo| match turn.turn {
        0 => Script::reply("It is a bug."),
        _ => Script::no_reply(),
    };
    let mock = Mock::builder().agent_fn(script).build();
    let run = Test::new(&mock, "run --agent claude --no-wait hello");
    let session = run.run().await.out;
    let session = session.trim_end();
    let line = format!("wait {session} --json --schema - --correct 1 --timeout 60s");
    let ended = test(&mock, &line).run().await;
    let sent = mock.count(Operation::CreateMessage);
    assert_eq!((ended.code, sent), (3, 1), "{ended:?}");
    assert_eq!(ended.json()["error"]["retryable"], false, "{ended:?}");
}

#[tokio::test(start_paused = true)]
async fn batch_validates_replies_by_their_schemas() {
    let folder = Folder::new("structured-batch");
    let (schema, journal) = (folder.file("schema.json"), folder.file("journal"));
    std::fs::write(&schema, SCHEMA).unwrap();
    let mock = Mock::builder()
        .reply("```json\n{\n\"is_bug\": true}\n```")
        .build();
    let lines = concat!(
        r#"{"id": "all", "agent_name": "claude", "message": "one"}"#,
        "\n",
        r#"{"id": "own", "agent_name": "claude", "message": "two", "schema": {"type": "array"}}"#,
    );
    let line = format!("batch - --schema {schema} --journal {journal}");
    for creates in [2, 2] {
        let ended = Test::new(&mock, &line).input(lines).run().await;
        assert_eq!(ended.code, 6, "{ended:?}");
        let mut reports = ended.lines();
        reports.sort_by_key(|report| report["id"].to_string());
        assert_eq!(reports[0]["structured_output"], json!({"is_bug": true}));
        assert_eq!(reports[0]["exit_code"], 0);
        assert_eq!(reports[1]["structured_output"], Value::Null);
        assert_eq!(reports[1]["exit_code"], 6);
        assert_eq!(reports[1]["error"]["kind"], "reply_mismatch");
        assert_eq!(mock.session_count(), creates, "the journal has both");
    }
    let bodies: Vec<_> = mock
        .requests()
        .into_iter()
        .map(|request| request.body)
        .collect();
    let section = "Reply with JSON that conforms to this JSON Schema:";
    let with_schema = bodies.iter().filter(|body| body.contains(section));
    assert_eq!(with_schema.count(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_batch_with_another_schema_needs_new_ids() {
    let folder = Folder::new("other-schema");
    let object = folder.file("object.json");
    let (same, array) = (folder.file("same.json"), folder.file("array.json"));
    std::fs::write(&object, r#"{"type": "object", "title": "A"}"#).unwrap();
    std::fs::write(&same, r#"{"title":"A","type":"object"}"#).unwrap();
    std::fs::write(&array, r#"{"type": "array"}"#).unwrap();
    let input = r#"{"id": "a", "agent_name": "claude", "message": "one"}"#;
    let own =
        r#"{"id": "a", "agent_name": "claude", "message": "one", "schema": {"type": "array"}}"#;
    let with = |schema: &str| format!("--schema {schema}");
    let none = String::new();
    for (first, rerun, rerun_input, code) in [
        (with(&object), with(&array), input, 2),
        (with(&object), none.clone(), input, 2),
        (with(&object), with(&object), own, 2),
        (none.clone(), with(&object), input, 2),
        (none.clone(), with(&array), input, 2),
        (with(&object), with(&same), input, 0),
        (none.clone(), none.clone(), input, 0),
    ] {
        let mock = Mock::builder().reply("{\"a\": 1}").build();
        let journal = folder.file("journal");
        let line = |schema: &str, option: &str| {
            let line = format!("batch - --journal {journal} {schema} {option}");
            line.split_whitespace().collect::<Vec<_>>().join(" ")
        };
        let sent = Test::new(&mock, &line(&first, "")).input(input).run().await;
        assert_eq!(sent.code, 0, "{sent:?}");
        let before = mock.request_count();
        for option in ["", "--retry-failed"] {
            let line = line(&rerun, option);
            let ended = Test::new(&mock, &line).input(rerun_input).run().await;
            assert_eq!(ended.code, code, "{first} {line}: {ended:?}");
            let is_refused = ended
                .err
                .contains("prompt a: schema differs from the request");
            assert_eq!(is_refused, code == 2, "{first} {line}: {ended:?}");
        }
        assert_eq!(mock.request_count(), before, "nothing is sent");
        std::fs::remove_file(journal).unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn batch_refuses_an_invalid_schema_of_a_line() {
    let mock = Mock::new();
    let line =
        r#"{"id": "a", "agent_name": "claude", "message": "b", "schema": {"type": "strin"}}"#;
    let ended = Test::new(&mock, "batch -").input(line).run().await;
    assert_eq!(ended.code, 2, "{ended:?}");
    assert!(
        ended.err.contains("prompt a: invalid JSON Schema"),
        "{ended:?}"
    );
    assert_eq!(mock.requests().len(), 0);
}

#[tokio::test(start_paused = true)]
async fn only_the_full_build_checks_patterns() {
    let mock = Mock::builder().reply("\"b\"").build();
    let schema = "{\"type\": \"string\", \"pattern\": \"^a\"}";
    let line = "run --agent claude --schema - hello";
    let ended = Test::new(&mock, line).input(schema).run().await;
    if FULL {
        assert_eq!(ended.code, 6, "{ended:?}");
    } else {
        assert_eq!(ended.code, 2, "{ended:?}");
        let reason = "this build cannot check the keyword `pattern`; build it with the feature `schema-validation`";
        assert!(ended.err.contains(reason), "{ended:?}");
        assert_eq!(mock.requests().len(), 0);
    }
}

#[tokio::test(start_paused = true)]
async fn invalid_schemas_are_refused_before_a_create() {
    let mock = Mock::new();
    for (schema, reason) in [
        ("{\"type\": ", "invalid JSON Schema: EOF while parsing"),
        ("[]", "invalid JSON Schema: "),
        (
            "{\"type\": \"strin\"}",
            match FULL {
                true => "invalid JSON Schema: \"strin\" is not valid",
                false => "invalid JSON Schema: invalid `type`: \"strin\"",
            },
        ),
        (
            "{\"$ref\": \"https://example.com/other.json\"}",
            "invalid JSON Schema: ",
        ),
    ] {
        let line = "run --agent claude --schema - hello";
        let ended = Test::new(&mock, line).input(schema).run().await;
        assert_eq!(ended.code, 2, "{schema}: {ended:?}");
        assert!(
            ended.err.contains(&format!("--schema -: {reason}")),
            "{ended:?}"
        );
    }
    for line in [
        "run --agent claude --correct 1 hello",
        "run --agent claude --schema - --correct 1 --no-wait hello",
        "run --agent claude --schema missing.json hello",
    ] {
        let ended = test(&mock, line).run().await;
        assert_eq!(ended.code, 2, "{line}: {ended:?}");
    }
    assert_eq!(mock.requests().len(), 0);
}
