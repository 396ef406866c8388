//! Tests that reads are retried after transient errors, and that responses with unknown, missing or unusual fields are
//! decoded.

use std::time::Duration;

use blocks_sdk::{
    ErrorKind, Id, JsonObject, MessageRole, MessageType, PullRequest, RateLimit, RetryPolicy,
    ToolCall,
};
use blocks_tests::{
    SESSION, Scripted, ScriptedResponse, THREAD, created, page, replied, session_id,
};
use serde_json::json;
use tokio::time::Instant;

use crate::hello;

#[tokio::test(start_paused = true)]
async fn a_cut_response_is_read_again_in_any_spelling() {
    for value in ["close", "Close", "upgrade, CLOSE"] {
        let body = created().to_string();
        let cut = ScriptedResponse::text(200, &body[..body.len() / 2]).header("connection", value);
        let script = Scripted::new([cut, ScriptedResponse::text(200, body)]);
        let result = script.client().get_session(session_id()).await;
        assert_eq!((result.is_ok(), script.count()), (true, 2), "{value}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_read_is_retried_after_a_transient_error() {
    for response in [
        ScriptedResponse::text(429, ""),
        ScriptedResponse::text(408, ""),
        ScriptedResponse::text(500, ""),
        ScriptedResponse::text(502, "<html>"),
        ScriptedResponse::text(503, ""),
        ScriptedResponse::text(504, ""),
        ScriptedResponse::Broken,
        ScriptedResponse::Refused,
        ScriptedResponse::Silence,
        ScriptedResponse::text(200, "{\"id\":").breaking(),
    ] {
        let script = Scripted::new([response.clone(), ScriptedResponse::ok(&created())]);
        let session = script.client().get_session(session_id()).await;
        assert_eq!(session.unwrap().id().to_string(), SESSION, "{response:?}");
        assert_eq!(script.count(), 2, "{response:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_read_that_always_fails_ends_after_its_attempts() {
    for (response, attempts) in [
        (ScriptedResponse::text(503, "busy"), 5),
        (ScriptedResponse::Broken, 5),
        (ScriptedResponse::text(404, ""), 1),
        (ScriptedResponse::text(401, ""), 1),
        (ScriptedResponse::text(302, ""), 1),
        (ScriptedResponse::text(200, "<html>"), 1),
    ] {
        let script = Scripted::new([response]);
        let id = session_id();
        let error = script.client().get_session(&id).await.unwrap_err();
        assert_eq!(
            (error.attempts() as usize, script.count()),
            (attempts, attempts)
        );
        assert_eq!(error.session_id(), Some(&id));
        assert!(!error.may_have_taken_effect());
        if attempts > 1 {
            assert!(error.to_string().contains("after 5 attempts"), "{error}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn unknown_fields_and_pull_request_shapes_are_kept() {
    let mut session = created();
    session["pull_requests"] =
        json!(["https://x/1", {"url": "https://x/2", "status": "open", "n": 1}, 7, null]);
    session["brand_new"] = json!({"a": [1]});
    session["is_private"] = json!("perhaps");
    session["_links"]["self"]["extra"] = json!(true);
    let script = Scripted::new([ScriptedResponse::ok(&session)]);
    let read = script.client().get_session(session_id()).await.unwrap();
    let urls: Vec<_> = read.pull_requests().iter().map(PullRequest::url).collect();
    assert_eq!(urls, [Some("https://x/1"), Some("https://x/2"), None, None]);
    let mut kept = serde_json::to_value(read.data()).unwrap();
    let mut sent = session.clone();
    // Fields with times are not compared, because the SDK may write the same instant in another format.
    for value in [&mut kept, &mut sent] {
        value
            .as_object_mut()
            .unwrap()
            .retain(|name, v| !v.is_null() && !name.ends_with("_at"));
    }
    assert_eq!(kept, sent);
}

#[tokio::test(start_paused = true)]
async fn missing_and_null_fields_are_no_error() {
    for body in [
        json!({"id": SESSION}),
        json!({
            "id": SESSION, "title": null, "pull_requests": null, "source_url": null,
            "is_archived": null, "is_private": null, "created_at": null, "updated_at": null,
            "thread_id": null, "session_html_url": null, "session_group_id": null,
            "plan_artifact_ids": null, "_links": null,
        }),
    ] {
        let script = Scripted::new([ScriptedResponse::ok(&body)]);
        let session = script.client().get_session(session_id()).await.unwrap();
        assert!(session.pull_requests().is_empty());
        assert!(session.plan_ids().is_empty());
        assert!(session.first_turn().is_err(), "the session has no link");
    }
}

#[tokio::test(start_paused = true)]
async fn unknown_roles_and_types_are_kept_as_text() {
    let items = json!([
        {"id": SESSION, "role": "system", "type": "thought", "message": null, "ts": null, "new": 1},
        {"id": SESSION, "role": null, "type": null},
    ]);
    let script = Scripted::new([ScriptedResponse::ok(&page(items))]);
    let session = script.client().session(session_id());
    let page = session.messages().send().await.unwrap();
    let message = &page.messages()[0];
    assert_eq!(message.role, Some(MessageRole::from("system".to_owned())));
    assert_eq!(message.type_, Some(MessageType::from("thought".to_owned())));
    assert_eq!(message.extra.get("new"), Some(1.into()));
}

#[tokio::test(start_paused = true)]
async fn every_filter_is_sent_and_arrays_repeat_their_name() {
    let script = Scripted::new([ScriptedResponse::ok(&page(json!([])))]);
    let id = SESSION.parse::<uuid::Uuid>().unwrap();
    let session = script.client().session(id);
    let messages = session.messages().all().thread_id(id).newer_than(1.5);
    messages
        .newest_first(true)
        .page(3)
        .limit(7)
        .send()
        .await
        .unwrap();
    session.thread_messages(id).send().await.unwrap();
    for (limit, page) in [(0, 1), (101, 1), (50, 0)] {
        session
            .messages()
            .limit(limit)
            .page(page)
            .send()
            .await
            .unwrap_err();
    }
    let seen = script.seen();
    assert_eq!(seen.len(), 2);
    assert_eq!(
        seen[0].url.query().unwrap(),
        format!(
            "type=message&type=final_message&type=tool_call&role=user&role=assistant\
             &thread_id={id}&gts=1.5&page=3&limit=7&direction=desc"
        )
    );
    assert!(
        seen[1]
            .url
            .path()
            .ends_with(&format!("/threads/{id}/messages"))
    );
    assert_eq!(seen[1].url.query(), Some("page=1&limit=50&direction=asc"));
}

#[tokio::test(start_paused = true)]
async fn a_refresh_keeps_a_thread_that_is_left_out() {
    let mut again = created();
    again["thread_id"] = json!(null);
    again["_links"]["thread"] = json!(null);
    again["_links"]["final_message"] = json!(null);
    again["pull_requests"] = json!([{"url": "https://x/1", "status": "open"}]);
    let script = Scripted::new([
        ScriptedResponse::ok(&created()),
        ScriptedResponse::ok(&again),
    ]);
    let mut session = script
        .client()
        .create_session(crate::hello())
        .await
        .unwrap();
    let pending = session.first_turn().unwrap().pending().clone();
    session.refresh().await.unwrap();
    assert_eq!(session.pull_requests()[0].url(), Some("https://x/1"));
    assert_eq!(*session.first_turn().unwrap().pending(), pending);
}

#[tokio::test(start_paused = true)]
async fn a_retry_policy_sets_attempts_and_pauses() {
    let id = session_id();
    let (none, month) = (Duration::ZERO, Duration::from_secs(30 * 86_400));
    let default = RetryPolicy::default();
    for (policy, response, attempts, longest) in [
        (
            default.initial_backoff(none),
            ScriptedResponse::Refused,
            5,
            none,
        ),
        (
            default.initial_backoff(month).max_backoff(none),
            ScriptedResponse::Refused,
            5,
            none,
        ),
        (
            default.initial_backoff(month).max_backoff(month),
            ScriptedResponse::Refused,
            1,
            none,
        ),
        (
            default.max_attempts(2).initial_backoff(none),
            ScriptedResponse::Refused,
            2,
            none,
        ),
        (default.max_attempts(0), ScriptedResponse::Refused, 1, none),
        (RetryPolicy::none(), ScriptedResponse::Refused, 1, none),
        // The first attempt receives no response until the call's time-out has passed, so there is no second attempt.
        (
            default.call_timeout(Duration::from_secs(60)),
            ScriptedResponse::Silence,
            1,
            Duration::from_secs(60),
        ),
    ] {
        let script = Scripted::new([response]);
        let limit = RateLimit::per_minute(6_000_000).unwrap();
        let builder = script.builder().retry(policy).rate_limit(limit);
        let start = Instant::now();
        let error = builder.build().unwrap().get_session(&id).await.unwrap_err();
        assert_eq!(script.count(), attempts, "{policy:?}");
        assert_eq!(error.attempts() as usize, attempts, "{policy:?}");
        // Up to 20 ms are not counted, because the rate limiter may need some time to grant a permit.
        let pause = start.elapsed().saturating_sub(Duration::from_millis(20));
        assert!(pause <= longest, "{policy:?}: {pause:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_byte_order_mark_and_duplicates_are_read() {
    let body = created().to_string();
    let duplicates = body.replacen('{', r#"{"id": "other", "title": 7, "_links": null, "#, 1);
    for body in [
        format!("\u{feff}{body}"),
        duplicates.clone(),
        format!("\u{feff}{duplicates}"),
    ] {
        let script = Scripted::new([
            ScriptedResponse::text(200, body),
            ScriptedResponse::ok(&replied("done")),
        ]);
        let session = script.client().create_session(hello()).await.unwrap();
        assert_eq!(session.id().as_str(), SESSION);
        assert_eq!(session.first_reply().await.unwrap().text(), "done");
    }
}

#[tokio::test(start_paused = true)]
async fn the_newest_turn_goes_by_creation() {
    let threads = [THREAD, "9d1d2f6e-7b7e-4f0e-9a51-6f2f3c1f2b33"];
    let prompt = |thread: usize, created_at: &str| json!({"role": "user", "ts": null, "chat_thread_id": threads[thread], "created_at": created_at});
    let early = "2026-05-02T09:30:00Z";
    for (prompts, newest) in [
        (
            vec![prompt(0, early), prompt(1, "2026-05-02T09:31:00Z")],
            Some(1),
        ),
        // The service sorts by `ts`, but `ts` is null here. So the order does not show which prompt is newest, and the
        // SDK must compare the creation times.
        (
            vec![prompt(1, "2026-05-02T09:31:00Z"), prompt(0, early)],
            Some(1),
        ),
        // The first creation time is 09:29 in UTC. The second has no time zone and is read as UTC, so it is one minute
        // later.
        (
            vec![
                prompt(0, "2026-05-02T11:29:00+02:00"),
                prompt(1, "2026-05-02T09:30"),
            ],
            Some(1),
        ),
        (vec![prompt(0, early)], Some(0)),
        (vec![prompt(0, early), prompt(1, early)], None),
        (vec![prompt(0, early), prompt(1, "soon")], None),
    ] {
        let shown = format!("{prompts:?}");
        let listed = json!({"items": prompts, "meta": {"total": prompts.len()}});
        let script = Scripted::new([ScriptedResponse::ok(&listed)]);
        let session = script.client().session(session_id());
        let turn = session.latest_turn().await;
        match newest {
            Some(newest) => {
                let turn = turn.unwrap().unwrap();
                assert_eq!(
                    turn.thread_id().map(Id::as_str),
                    Some(threads[newest]),
                    "{shown}"
                );
            }
            None => assert_eq!(turn.unwrap_err().kind(), ErrorKind::UnknownTurn, "{shown}"),
        }
    }
}

#[test]
fn every_argument_of_a_tool_call_is_kept() {
    let call = |text: &str| {
        let message = json!({"type": "tool_call", "message": text});
        ToolCall::of(&serde_json::from_value(message).unwrap())
    };
    for (text, arguments) in [
        (
            r#"{"__name__": "Read", "file_path": "a.rs"}"#,
            r#"{"file_path":"a.rs"}"#,
        ),
        (r#"{"input": {"a": 1}, "__name__": "Read"}"#, r#"{"a":1}"#),
        (
            r#"{"__name__": "Bash", "input": "{\"command\": \"ls\"}"}"#,
            r#"{"command":"ls"}"#,
        ),
        (
            r#"{"__name__": "Bash", "input": "ls -l"}"#,
            r#"{"input":"ls -l"}"#,
        ),
        (r#"{"__name__": "Bash", "input": [1]}"#, r#"{"input":[1]}"#),
        (
            r#"{"__name__": "Bash", "input": "{}", "x": null}"#,
            r#"{"input":"{}","x":null}"#,
        ),
        (
            r#"{"__name__": "Bash", "n": 12345678901234567890123}"#,
            r#"{"n":12345678901234567890123}"#,
        ),
        (r#"{"__name__": "Bash"}"#, "{}"),
    ] {
        let call = call(text).unwrap();
        let expected: JsonObject = arguments.parse().unwrap();
        assert_eq!(call.arguments(), expected, "{text}");
    }
    assert!(call("ls -l").is_none());
}
