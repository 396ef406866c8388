//! Tests that waits continue after transient errors, end at permanent errors, and can be resumed by
//! another process.

use std::future::IntoFuture;
use std::time::Duration;

use blocks_sdk::{ErrorKind, FollowUp, Pending, Progress, replies};
use blocks_tests::{
    SESSION, Scripted, ScriptedResponse, THREAD, created, page, replied, session_id, thread_id,
};
use futures_util::StreamExt;
use serde_json::json;
use tokio::time::Instant;

use crate::hello;

fn empty() -> ScriptedResponse {
    ScriptedResponse::ok(&page(json!([])))
}

/// Returns a script whose first entry is the response to a create.
fn after_create(responses: impl IntoIterator<Item = ScriptedResponse>) -> Scripted {
    Scripted::new(std::iter::once(ScriptedResponse::ok(&created())).chain(responses))
}

#[tokio::test(start_paused = true)]
async fn a_wait_polls_every_two_seconds_until_the_reply() {
    let script = after_create([
        empty(),
        empty(),
        empty(),
        ScriptedResponse::ok(&replied("done")),
    ]);
    let start = Instant::now();
    let session = script.client().create_session(hello()).await.unwrap();
    assert_eq!(session.first_reply().await.unwrap().text(), "done");
    assert_eq!((script.count(), start.elapsed().as_secs()), (5, 8));
}

#[tokio::test(start_paused = true)]
async fn a_wait_without_a_time_out_ends_after_an_hour() {
    let script = after_create((0..2_000).map(|_| empty()));
    let session = script.client().create_session(hello()).await.unwrap();
    let start = Instant::now();
    let error = session.first_reply().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Deadline);
    assert_eq!(start.elapsed().as_secs(), 3600);
}

#[tokio::test(start_paused = true)]
async fn an_empty_reply_ends_a_wait_and_a_message_does_not() {
    let intermediate = json!([{"id": SESSION, "type": "message", "message": "looking"}]);
    let script = after_create([
        ScriptedResponse::ok(&page(intermediate)),
        ScriptedResponse::ok(&replied("")),
    ]);
    let session = script.client().create_session(hello()).await.unwrap();
    assert_eq!(session.first_reply().await.unwrap().text(), "");
    assert_eq!(script.count(), 3);
}

#[tokio::test(start_paused = true)]
async fn an_item_without_type_and_text_is_not_a_reply() {
    for item in [
        json!(null),
        json!(7),
        json!({"id": SESSION}),
        json!({"type": "new", "message": null}),
    ] {
        let script = after_create([
            ScriptedResponse::ok(&page(json!([item]))),
            ScriptedResponse::ok(&replied("done")),
        ]);
        let session = script.client().create_session(hello()).await.unwrap();
        assert_eq!(session.first_reply().await.unwrap().text(), "done");
        assert_eq!(script.count(), 3, "{item}");
    }
    // The type of this message shows that the turn has ended, although it has no text.
    let ended = page(json!([{"type": "final_message", "message": null}]));
    let script = after_create([ScriptedResponse::ok(&ended)]);
    let session = script.client().create_session(hello()).await.unwrap();
    assert_eq!(session.first_reply().await.unwrap().text(), "");
}

#[tokio::test(start_paused = true)]
async fn fifty_transient_errors_do_not_end_a_wait() {
    let errors = [
        ScriptedResponse::text(503, ""),
        ScriptedResponse::text(429, ""),
        ScriptedResponse::Broken,
        ScriptedResponse::text(200, "<html>"),
        ScriptedResponse::Refused,
    ];
    let responses = errors.into_iter().cycle().take(50);
    let script = after_create(responses.chain([ScriptedResponse::ok(&replied("done"))]));
    let session = script.client().create_session(hello()).await.unwrap();
    assert_eq!(session.first_reply().await.unwrap().text(), "done");
    assert_eq!(script.count(), 52);
}

/// Other errors end a wait if several of the same kind follow each other. These errors never end a wait.
#[tokio::test(start_paused = true)]
async fn the_same_error_fifty_times_does_not_end_a_wait() {
    for error in [
        ScriptedResponse::text(503, ""),
        ScriptedResponse::text(429, ""),
        ScriptedResponse::Broken,
        ScriptedResponse::Refused,
    ] {
        let responses = std::iter::repeat_n(error, 50);
        let script = after_create(responses.chain([ScriptedResponse::ok(&replied("done"))]));
        let session = script.client().create_session(hello()).await.unwrap();
        let wait = session.first_turn().unwrap().reply();
        let reply = wait.timeout(Duration::MAX).await.unwrap();
        assert_eq!(reply.text(), "done");
        assert_eq!(script.count(), 52);
    }
}

#[tokio::test(start_paused = true)]
async fn another_client_resumes_after_a_deadline() {
    let script = after_create([empty()]);
    let session = script.client().create_session(hello()).await.unwrap();
    let start = Instant::now();
    let wait = session
        .first_turn()
        .unwrap()
        .reply()
        .timeout(Duration::from_secs(90));
    let error = wait.await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Deadline);
    assert_eq!(start.elapsed().as_secs(), 90);
    let stored = serde_json::to_string(error.pending().unwrap()).unwrap();

    let elsewhere = Scripted::new([ScriptedResponse::ok(&replied("found"))]);
    let pending: Pending = serde_json::from_str(&stored).unwrap();
    assert_eq!(pending.thread_id().unwrap().to_string(), THREAD);
    let reply = elsewhere.client().resume(pending).reply().await.unwrap();
    assert_eq!(reply.text(), "found");
    assert_eq!(elsewhere.count(), 1);
}

#[tokio::test(start_paused = true)]
async fn an_attempt_does_not_outlive_the_deadline() {
    let script = after_create([ScriptedResponse::Silence]);
    let session = script.client().create_session(hello()).await.unwrap();
    let start = Instant::now();
    let wait = session
        .first_turn()
        .unwrap()
        .reply()
        .timeout(Duration::from_secs(10));
    assert_eq!(wait.await.unwrap_err().kind(), ErrorKind::Deadline);
    assert_eq!(start.elapsed().as_secs(), 10);
}

#[tokio::test(start_paused = true)]
async fn permanent_errors_end_a_wait_immediately() {
    for status in [400, 401, 403, 404, 410, 422] {
        let script = after_create([empty(), ScriptedResponse::text(status, "{}")]);
        let session = script.client().create_session(hello()).await.unwrap();
        let error = session.first_reply().await.unwrap_err();
        assert_eq!(error.status(), Some(status));
        assert!(error.pending().is_some());
        assert_eq!(script.count(), 3);
    }
}

/// Returns the response to a follow-up, which starts a second thread with another reply.
fn followed() -> ScriptedResponse {
    let thread = "9d1d2f6e-7b7e-4f0e-9a51-6f2f3c1f2b33";
    let href = format!("/rest/v1/sessions/{SESSION}/threads/{thread}/messages?type=final_message");
    ScriptedResponse::ok(&json!({
        "id": SESSION, "chat_thread_id": thread, "_links": {"final_message": {"href": href}},
    }))
}

#[tokio::test(start_paused = true)]
async fn a_follow_up_ends_the_wait_that_it_interrupts() {
    // The wait for the first turn sends one last poll after the follow-up, because the reply may have arrived just
    // before the follow-up.
    for (last_poll, kind) in [
        (empty(), Some(ErrorKind::Interrupted)),
        (ScriptedResponse::ok(&replied("done")), None),
    ] {
        let script = after_create([empty(), followed(), last_poll]);
        let client = script.client();
        let session = client.create_session(hello()).await.unwrap();
        let turn = session.first_turn().unwrap();
        let old = tokio::spawn(async move { turn.reply().await });
        tokio::time::sleep(Duration::from_secs(3)).await;
        // The follow-up uses another handle of the same session, from a clone of the client.
        let start = Instant::now();
        let handle = client.clone().session(session.id());
        let next = handle.follow_up(FollowUp::new("stop")).await.unwrap();
        let result = old.await.unwrap();
        assert!(
            start.elapsed() < Duration::from_secs(3),
            "no longer than its permits take"
        );
        assert_eq!(result.err().map(|e| e.kind()), kind);
        assert_eq!(script.count(), 4);
        assert_ne!(next.thread_id(), session.first_turn().unwrap().thread_id());
    }
}

#[tokio::test(start_paused = true)]
async fn a_turn_superseded_before_its_wait_is_interrupted() {
    let script = after_create([followed(), empty(), ScriptedResponse::ok(&replied("new"))]);
    let session = script.client().create_session(hello()).await.unwrap();
    let next = session.follow_up(FollowUp::new("instead")).await.unwrap();
    let error = session.first_reply().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Interrupted, "{error}");
    assert_eq!(next.reply().await.unwrap().text(), "new");
    assert_eq!(script.count(), 4);
}

#[tokio::test(start_paused = true)]
async fn a_follow_up_without_a_thread_interrupts_too() {
    let script = after_create([ScriptedResponse::ok(&json!({"id": SESSION})), empty()]);
    let session = script.client().create_session(hello()).await.unwrap();
    let error = session.follow_up(FollowUp::new("stop")).await.unwrap_err();
    assert!(error.may_have_taken_effect());
    assert_eq!(error.status(), Some(200));
    let error = session.first_reply().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Interrupted, "{error}");
}

#[tokio::test(start_paused = true)]
async fn progress_reports_each_poll_and_the_reply() {
    let script = after_create([
        empty(),
        ScriptedResponse::text(503, ""),
        ScriptedResponse::ok(&replied("done")),
    ]);
    let session = script.client().create_session(hello()).await.unwrap();
    let progress = session.first_turn().unwrap().reply().progress();
    let steps: Vec<_> = progress.map(Result::unwrap).collect().await;
    let [
        Progress::Waiting {
            polls: 1,
            error: None,
            ..
        },
        Progress::Waiting {
            polls: 2,
            error: Some(_),
            ..
        },
        Progress::Replied(reply),
    ] = &steps[..]
    else {
        panic!("{steps:?}");
    };
    assert_eq!(reply.text(), "done");
}

#[tokio::test(start_paused = true)]
async fn many_waits_end_in_the_order_of_their_replies() {
    let fast = Scripted::new([empty(), ScriptedResponse::ok(&replied("fast"))]);
    let slow = Scripted::new([
        empty(),
        empty(),
        empty(),
        ScriptedResponse::ok(&replied("slow")),
    ]);
    let turns = [&slow, &fast].map(|script| {
        let pending = Pending::new(session_id(), thread_id());
        script.client().resume(pending)
    });
    let all = replies(turns.iter().map(blocks_sdk::Turn::reply))
        .map(|(_, result)| result.unwrap().text().to_owned());
    assert_eq!(all.collect::<Vec<_>>().await, ["fast", "slow"]);
}

#[tokio::test(start_paused = true)]
async fn poll_once_sends_one_request() {
    let script = after_create([empty(), ScriptedResponse::ok(&replied("done"))]);
    let turn = script
        .client()
        .create_session(hello())
        .await
        .unwrap()
        .first_turn()
        .unwrap();
    assert!(turn.poll_once().await.unwrap().is_none());
    assert_eq!(turn.poll_once().await.unwrap().unwrap().text(), "done");
    assert_eq!(script.count(), 3);
}

#[tokio::test(start_paused = true)]
async fn a_session_without_a_thread_says_what_to_do() {
    let script = Scripted::new([ScriptedResponse::ok(&json!({"id": SESSION}))]);
    let session = script.client().get_session(session_id()).await.unwrap();
    let error = session.first_reply().await.unwrap_err();
    assert!(error.to_string().contains("send a follow-up"), "{error}");
    assert_eq!(script.count(), 1);
}

#[tokio::test(start_paused = true)]
async fn handles_of_a_turn_without_a_thread_are_one() {
    let mut made = created();
    made["thread_id"] = json!(null);
    let href = format!("/rest/v1/sessions/{SESSION}/messages?type=final_message");
    made["_links"] = json!({"final_message": {"href": href}});
    let script = Scripted::new([
        ScriptedResponse::ok(&made),
        empty(),
        ScriptedResponse::ok(&replied("done")),
    ]);
    let session = script.client().create_session(hello()).await.unwrap();
    let turn = session.first_turn().unwrap();
    assert!(turn.poll_once().await.unwrap().is_none());
    // If each handle were another turn, the wait would first request the order of the turns.
    assert_eq!(session.first_reply().await.unwrap().text(), "done");
    assert_eq!(script.count(), 3);
}

/// Creates a session. Returns the script and the wait for the reply.
async fn wait_for(
    responses: impl IntoIterator<Item = ScriptedResponse>,
) -> (Scripted, blocks_sdk::Wait) {
    let script = after_create(responses);
    let session = script.client().create_session(hello()).await.unwrap();
    let wait = session.first_turn().unwrap().reply();
    (script, wait)
}

#[tokio::test(start_paused = true)]
async fn a_wait_with_no_time_polls_once() {
    for (response, found) in [
        (empty(), false),
        (ScriptedResponse::ok(&replied("done")), true),
    ] {
        let (script, wait) = wait_for([response]).await;
        let start = Instant::now();
        let result = wait.timeout(Duration::ZERO).await;
        assert_eq!(result.is_ok(), found);
        assert_eq!((script.count(), start.elapsed()), (2, Duration::ZERO));
    }
    // If the service never responds, the only poll of this wait ends after 10 s.
    let (script, wait) = wait_for([ScriptedResponse::Silence]).await;
    let start = Instant::now();
    let error = wait.timeout(Duration::ZERO).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Deadline);
    assert_eq!((script.count(), start.elapsed().as_secs()), (2, 10));
}

#[tokio::test(start_paused = true)]
async fn a_wait_without_a_limit_does_not_overflow() {
    let (_, wait) = wait_for([empty(), ScriptedResponse::ok(&replied("done"))]).await;
    assert_eq!(wait.timeout(Duration::MAX).await.unwrap().text(), "done");
}

#[tokio::test(start_paused = true)]
async fn a_wait_polls_once_after_the_machine_was_suspended() {
    let (script, wait) = wait_for([empty(), ScriptedResponse::ok(&replied("done"))]).await;
    let wait = tokio::spawn(wait.timeout(Duration::from_secs(60)).into_future());
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert_eq!(script.count(), 2);
    tokio::time::advance(Duration::from_secs(3600)).await;
    assert_eq!(wait.await.unwrap().unwrap().text(), "done");
    assert_eq!(script.count(), 3);
}

#[tokio::test(start_paused = true)]
async fn a_time_out_contains_the_last_error() {
    let busy = ScriptedResponse::text(503, r#"{"error": "busy"}"#);
    let (_, wait) = wait_for([empty(), busy]).await;
    let error = wait.timeout(Duration::from_secs(60)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Deadline);
    assert_eq!(error.status(), Some(503));
    assert_eq!(error.body().as_deref(), Some(r#"{"error": "busy"}"#));
    let source = std::error::Error::source(&error).unwrap().to_string();
    assert!(source.contains("busy"), "{error}");
    assert!(error.to_string().contains(&source), "{error}");
    assert!(error.pending().is_some());
}

#[tokio::test(start_paused = true)]
async fn a_time_out_contains_the_last_page() {
    let (_, wait) = wait_for([ScriptedResponse::text(503, ""), empty()]).await;
    let error = wait.timeout(Duration::from_secs(60)).await.unwrap_err();
    assert_eq!(error.status(), Some(200));
    let page = page(json!([])).to_string();
    assert_eq!(error.body().as_deref(), Some(page.as_str()));
    assert!(
        std::error::Error::source(&error).is_none(),
        "the last poll had no error"
    );
}

#[tokio::test(start_paused = true)]
async fn a_time_out_contains_what_was_cut_off() {
    let cut = ScriptedResponse::text(200, r#"{"items": ["#).breaking();
    let (_, wait) = wait_for([cut]).await;
    let error = wait.timeout(Duration::from_secs(60)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Deadline);
    assert_eq!(
        (error.status(), error.body().as_deref()),
        (Some(200), Some(r#"{"items": ["#))
    );
}

#[tokio::test(start_paused = true)]
async fn three_unusable_responses_in_a_row_end_a_wait() {
    let html = || ScriptedResponse::text(200, "<html>sign in</html>");
    let unusable = [
        html(),
        ScriptedResponse::text(200, ""),
        ScriptedResponse::text(403, "<html>blocked</html>"),
        ScriptedResponse::text(404, ""),
        ScriptedResponse::text(401, "no"),
        ScriptedResponse::text(409, r#"{"error": "conflict"}"#),
        ScriptedResponse::text(421, "{}"),
        ScriptedResponse::text(423, "{}"),
        ScriptedResponse::text(425, "{}"),
        ScriptedResponse::text(302, "{}"),
    ];
    for response in unusable {
        let (script, wait) = wait_for([empty(), response.clone()]).await;
        let error = wait.await.unwrap_err();
        assert_eq!(script.count(), 5, "{response:?}");
        assert_eq!(error.pending().unwrap().session_id(), SESSION);
        assert!(error.body().is_some(), "{response:?}");
        // Two consecutive unusable responses do not end a wait. A usable response after them resets the count.
        let two = [
            response.clone(),
            response.clone(),
            empty(),
            response.clone(),
            response,
        ];
        let (script, wait) = wait_for(
            two.into_iter()
                .chain([ScriptedResponse::ok(&replied("done"))]),
        )
        .await;
        assert_eq!(wait.await.unwrap().text(), "done");
        assert_eq!(script.count(), 7);
    }
}

#[tokio::test(start_paused = true)]
async fn an_unusable_response_is_reported_immediately() {
    let (_, wait) = wait_for([ScriptedResponse::text(200, "<html>")]).await;
    let mut progress = wait.progress();
    for number in 1..=2 {
        match progress.next().await.unwrap().unwrap() {
            Progress::Waiting { polls, error, .. } => {
                assert_eq!(polls, number);
                assert_eq!(error.unwrap().kind(), ErrorKind::Undecodable);
            }
            other => panic!("{other:?}"),
        }
    }
    let error = progress.next().await.unwrap().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Undecodable);
    assert!(error.pending().is_some());
    for _ in 0..2 {
        assert!(progress.next().await.is_none());
    }
}

#[tokio::test(start_paused = true)]
async fn a_poll_waits_as_long_as_a_503_asks() {
    let busy = ScriptedResponse::text(503, "").header("retry-after", "40");
    let (script, wait) = wait_for([busy, ScriptedResponse::ok(&replied("done"))]).await;
    let start = Instant::now();
    wait.await.unwrap();
    assert_eq!((script.count(), start.elapsed().as_secs()), (3, 42));
}

#[tokio::test(start_paused = true)]
async fn a_link_without_its_thread_gets_it() {
    let mut made = created();
    let href = format!("/rest/v1/sessions/{SESSION}/messages?role=assistant");
    made["_links"]["final_message"]["href"] = json!(href);
    let script = Scripted::new([
        ScriptedResponse::ok(&made),
        ScriptedResponse::ok(&replied("done")),
    ]);
    let session = script.client().create_session(hello()).await.unwrap();
    session.first_reply().await.unwrap();
    let query = script.seen()[1].url.query().unwrap().to_owned();
    assert!(query.contains(&format!("thread_id={THREAD}")), "{query}");
    assert!(query.contains("type=final_message"), "{query}");
}

#[tokio::test(start_paused = true)]
async fn a_failed_last_poll_is_not_an_interruption() {
    let busy = ScriptedResponse::text(503, "");
    let script = after_create([
        followed(),
        busy.clone(),
        busy,
        ScriptedResponse::ok(&replied("done")),
    ]);
    let session = script.client().create_session(hello()).await.unwrap();
    session.follow_up(FollowUp::new("instead")).await.unwrap();
    assert_eq!(session.first_reply().await.unwrap().text(), "done");
    assert_eq!(script.count(), 5);
}

#[tokio::test(start_paused = true)]
async fn a_turn_in_a_thread_is_interrupted_too() {
    let script = after_create([followed(), empty()]);
    let session = script.client().create_session(hello()).await.unwrap();
    session.follow_up(FollowUp::new("instead")).await.unwrap();
    let thread = thread_id();
    let error = session.turn_in_thread(thread).reply().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Interrupted);
    assert_eq!(script.count(), 3);
}

#[tokio::test(start_paused = true)]
async fn the_service_says_which_turn_is_later() {
    let prompt = |thread: &str, minute: u32| {
        let created_at = format!("2026-05-02T09:{minute}:00Z");
        json!({"id": SESSION, "role": "user", "chat_thread_id": thread, "created_at": created_at})
    };
    let other = "9d1d2f6e-7b7e-4f0e-9a51-6f2f3c1f2b33";
    for (minute, kind) in [(10, Some(ErrorKind::Interrupted)), (50, None)] {
        let prompts = json!([prompt(other, 30), prompt(THREAD, minute)]);
        let reply = match kind {
            Some(_) => empty(),
            None => ScriptedResponse::ok(&replied("done")),
        };
        // This client did not start the first turn, so the client reads the session's prompts to
        // find out which turn is later.
        let script = Scripted::new([followed(), ScriptedResponse::ok(&page(prompts)), reply]);
        let session = script.client().session(session_id());
        session.follow_up(FollowUp::new("instead")).await.unwrap();
        let thread = thread_id();
        let result = session.turn_in_thread(thread).reply().await;
        assert_eq!(result.err().map(|error| error.kind()), kind);
        assert_eq!(script.count(), 3);
        assert!(script.seen()[1].url.query().unwrap().contains("role=user"));
    }
}

#[test]
fn streams_and_futures_can_be_stored_and_sent() {
    use blocks_sdk::{Detached, Download, MessageStream, ProgressStream, Replies, Session, Watch};
    fn check<T: Unpin + Send + 'static>() {}
    check::<Detached<Session>>();
    check::<Download>();
    check::<MessageStream>();
    check::<ProgressStream>();
    check::<Replies>();
    check::<Watch>();
}
