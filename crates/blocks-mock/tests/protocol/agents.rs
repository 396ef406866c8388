//! Tests agents of the mock: a script lists their actions and the times. The clock is paused, so no test waits.

use std::sync::{Arc, Mutex, OnceLock};
use std::task::{Context, Waker};
use std::time::Duration;

use blocks_mock::{Action, Dialect, Mock, NewMessage, Operation, Script, TurnInfo};
use http_body_util::BodyExt;
use serde_json::{Value, json};
use tokio::time::sleep;
use tower_service::Service;

use crate::{call, created};

const SECOND: Duration = Duration::from_secs(1);

/// Returns the texts of the messages on the page at `path`.
async fn texts(mock: &Mock, path: &str) -> Vec<String> {
    let (status, page) = call(mock, "GET", path, None).await;
    assert_eq!(status, 200, "{page}");
    let items = page["items"].as_array().unwrap();
    items
        .iter()
        .map(|m| m["message"].as_str().unwrap().to_owned())
        .collect()
}

#[tokio::test(start_paused = true)]
async fn a_timeline_is_followed() {
    let tool = Action::ToolCall {
        name: "bash".into(),
        input: json!({"command": "ls"}),
    };
    let plan = Action::Plan {
        file_name: "plan.md".into(),
        text: "1. Go.".into(),
    };
    let script = Script::reply("Done.")
        .reply_after(60 * SECOND)
        .step(10 * SECOND, Action::Message("Looking.".into()))
        .step(20 * SECOND, tool)
        .step(
            30 * SECOND,
            Action::PullRequest("https://example.com/1".into()),
        )
        .step(40 * SECOND, plan)
        .step(50 * SECOND, Action::Notice("Low on credit.".into()));
    let mock = Mock::builder().agent(script).build();
    let (session, messages) = created(&mock).await;
    let calls = format!("{messages}?type=tool_call");
    let read = || async {
        let (_, read) = call(&mock, "GET", &session, None).await;
        (
            read["pull_requests"].as_array().unwrap().len(),
            read["plan_artifact_ids"].as_array().unwrap().len(),
        )
    };
    assert!(texts(&mock, &messages).await.is_empty());
    sleep(10 * SECOND).await;
    assert_eq!(texts(&mock, &messages).await, ["Looking."]);
    assert!(texts(&mock, &calls).await.is_empty());
    sleep(10 * SECOND).await;
    assert_eq!(
        texts(&mock, &calls).await,
        [r#"{"__name__":"bash","command":"ls"}"#]
    );
    assert_eq!(read().await, (0, 0));
    sleep(20 * SECOND).await;
    assert_eq!(read().await, (1, 1));
    sleep(20 * SECOND).await;
    assert_eq!(
        texts(&mock, &messages).await,
        ["Looking.", "Done.", "Done."]
    );
    let all = texts(&mock, &format!("{session}/messages")).await;
    assert!(all.contains(&"Low on credit.".to_owned()), "{all:?}");
}

#[tokio::test(start_paused = true)]
async fn a_reply_can_wait_for_polls_or_for_ever() {
    let mock = Mock::builder()
        .agent(Script::reply("Done.").reply_after_polls(2))
        .build();
    let (_, messages) = created(&mock).await;
    let link = format!("{messages}?type=final_message");
    assert!(texts(&mock, &link).await.is_empty());
    assert_eq!(texts(&mock, &link).await, ["Done."]);
    let stuck = Mock::builder().agent(Script::no_reply()).build();
    let (_, messages) = created(&stuck).await;
    sleep(3600 * 24 * SECOND).await;
    assert!(texts(&stuck, &messages).await.is_empty());
}

#[tokio::test(start_paused = true)]
async fn polls_are_requests_that_can_show_the_reply() {
    let script = Script::reply("Done.").reply_after_polls(2);
    let mock = Mock::builder().agent(script).build();
    let (session, messages) = created(&mock).await;
    let thread = mock.threads(&session[1..])[0];
    let filtered = format!("{session}/messages?thread_id={thread}");
    let future = mock.now() + 60.0;
    for other in [
        format!("{messages}?type=tool_call"),
        format!("{messages}?type=message"),
        format!("{messages}?role=user"),
        format!("{messages}?type=final_message&page=2"),
        format!("{messages}?gts={future}"),
        format!("{filtered}&type=tool_call"),
        format!("{session}/messages?type=tool_call"),
    ] {
        for _ in 0..2 {
            assert!(!texts(&mock, &other).await.contains(&"Done.".to_owned()));
        }
    }
    let link = format!("{filtered}&type=final_message");
    assert!(texts(&mock, &link).await.is_empty());
    assert_eq!(texts(&mock, &link).await, ["Done."]);
}

#[tokio::test(start_paused = true)]
async fn a_poll_reads_the_page_on_which_the_reply_will_be() {
    for (dialect, direction, pages) in [
        (Dialect::observed(), "asc", [1, 2]),
        (Dialect::documented(), "asc", [2, 1]),
        (Dialect::documented(), "desc", [2, 1]),
    ] {
        // The thread has one message before the reply. In the first dialect, the text of the reply comes twice, and the
        // final message is the third.
        let script = Script::reply("Done.").reply_after_polls(1);
        let script = script.step(Duration::ZERO, Action::Message("Looking.".into()));
        let mock = Mock::builder().agent(script).dialect(dialect).build();
        let (_, messages) = created(&mock).await;
        let page = |page: u32| format!("{messages}?direction={direction}&limit=2&page={page}");
        let done = "Done.".to_owned();
        assert!(
            !texts(&mock, &page(pages[0])).await.contains(&done),
            "{direction}"
        );
        assert!(
            texts(&mock, &page(pages[1])).await.contains(&done),
            "{direction}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_follow_up_opens_a_thread_and_interrupts_the_turn() {
    let mock = Mock::builder()
        .agent_fn(|turn| {
            Script::reply(format!("{} of {}", turn.message, turn.turn)).reply_after(60 * SECOND)
        })
        .build();
    let (session, first) = created(&mock).await;
    sleep(30 * SECOND).await;
    let body = Some(json!({"message": "instead"}));
    let (_, made) = call(&mock, "POST", &format!("{session}/messages"), body).await;
    let second = format!(
        "{session}/threads/{}/messages",
        made["chat_thread_id"].as_str().unwrap()
    );
    sleep(600 * SECOND).await;
    assert!(texts(&mock, &first).await.is_empty());
    assert_eq!(texts(&mock, &second).await, ["instead of 1"; 2]);
}

#[tokio::test(start_paused = true)]
async fn a_test_can_act_for_the_agent() {
    let mock = Mock::builder().agent(Script::no_reply()).build();
    created(&mock).await;
    let id = mock.sessions()[0];
    let thread = mock.threads(id)[0];
    let now = mock.now();
    let path = format!("/{id}/messages?type=message&direction=asc");
    for (text, ts) in [
        ("second", Some(now + 2.0)),
        ("first", Some(now + 1.0)),
        ("equal", Some(now + 2.0)),
    ] {
        mock.add_message(id, thread, NewMessage::assistant(text, ts))
            .unwrap();
    }
    assert_eq!(texts(&mock, &path).await[1..], ["first", "second", "equal"]);
    let gts = format!("{path}&gts={}", now + 1.5);
    assert_eq!(texts(&mock, &gts).await, ["second", "equal"]);
    let gone = mock
        .add_message(id, thread, NewMessage::assistant("oops", None))
        .unwrap();
    assert!(mock.delete_message(gone));
    assert!(!mock.delete_message(gone));
    assert!(!texts(&mock, &path).await.contains(&"oops".to_owned()));
    sleep(5 * SECOND).await;
    assert!(mock.finish(id, "Done."));
    assert!(!mock.finish(id, "Done again."));
    assert!(mock.open_pull_request(id, "https://example.com/1"));
    let last = texts(&mock, &format!("/{id}/messages")).await;
    assert_eq!(last.last().map(String::as_str), Some("Done."));
}

#[tokio::test(start_paused = true)]
async fn a_presigned_url_expires_and_refuses_a_key() {
    let plan = Action::Plan {
        file_name: "plan.md".into(),
        text: "1. Go.".into(),
    };
    let script = Script::reply("Done.").step(Duration::ZERO, plan);
    let mock = Mock::builder()
        .agent(script)
        .presigned_url_ttl(60 * SECOND)
        .build();
    let (session, _) = created(&mock).await;
    let (_, read) = call(&mock, "GET", &session, None).await;
    let path = format!(
        "{session}/artifacts/{}",
        read["plan_artifact_ids"][0].as_str().unwrap()
    );
    let (_, artifact) = call(&mock, "GET", &path, None).await;
    let url = artifact["url"].as_str().unwrap();
    assert_eq!(download(&mock, url, false).await, (200, "1. Go.".into()));
    assert_eq!(download(&mock, url, true).await.0, 400);
    assert_eq!(
        download(&mock, &url.replace("signature=", "signature=0"), false)
            .await
            .0,
        403
    );
    sleep(60 * SECOND).await;
    assert_eq!(download(&mock, url, false).await.0, 403);
    let (_, renewed) = call(&mock, "GET", &path, None).await;
    assert_eq!(
        download(&mock, renewed["url"].as_str().unwrap(), false)
            .await
            .0,
        200
    );
    assert_eq!(mock.count(Operation::Download), 5);
}

async fn download(mock: &Mock, url: &str, with_key: bool) -> (u16, String) {
    let mut request = http::Request::get(url);
    if with_key {
        request = request.header("authorization", "ApiKey test-key");
    }
    let request = request.body(String::new()).unwrap();
    let response = mock.service().call(request).await.unwrap();
    let status = response.status().as_u16();
    let bytes = response.into_body().collect().await.unwrap().to_bytes();
    (status, String::from_utf8_lossy(&bytes).into_owned())
}

#[tokio::test(start_paused = true)]
async fn a_seed_makes_ids_and_times_the_same() {
    let run = || async {
        let mock = Mock::builder().seed(7).build();
        let (session, messages) = created(&mock).await;
        sleep(5 * SECOND).await;
        let page: (u16, Value) = call(&mock, "GET", &messages, None).await;
        (session, page)
    };
    assert_eq!(run().await, run().await);
}

#[tokio::test(start_paused = true)]
async fn the_function_of_an_agent_may_use_the_mock() {
    let place = Arc::new(OnceLock::<Mock>::new());
    let known = Arc::clone(&place);
    let agent = move |_: &TurnInfo| {
        let requests = known.get().map_or(0, |mock| mock.requests().len());
        let sessions = known.get().map_or(0, |mock| mock.sessions().len());
        Script::reply(format!("{requests} requests, {sessions} sessions"))
    };
    let mock = Mock::builder().agent_fn(agent).build();
    let _ = place.set(mock.clone());
    let (session, first) = created(&mock).await;
    sleep(60 * SECOND).await;
    assert_eq!(texts(&mock, &first).await[0], "1 requests, 0 sessions");
    let body = Some(json!({"message": "again"}));
    let (_, made) = call(&mock, "POST", &format!("{session}/messages"), body).await;
    sleep(60 * SECOND).await;
    let thread = made["chat_thread_id"].as_str().unwrap();
    let link = format!("{session}/threads/{thread}/messages");
    assert_eq!(texts(&mock, &link).await[0], "3 requests, 1 sessions");
}

#[tokio::test(start_paused = true)]
async fn sessions_that_start_together_have_own_numbers() {
    let place = Arc::new(OnceLock::<Mock>::new());
    let numbers = Arc::new(Mutex::new(Vec::new()));
    let (known, seen) = (Arc::clone(&place), Arc::clone(&numbers));
    let agent = move |turn: &TurnInfo| {
        let calls = {
            let mut seen = seen.lock().unwrap();
            seen.push(turn.session);
            seen.len()
        };
        if calls == 1
            && let Some(mock) = known.get()
        {
            // The second create starts and ends during the first create.
            let second = std::pin::pin!(created(mock));
            let mut context = Context::from_waker(Waker::noop());
            assert!(second.poll(&mut context).is_ready());
        }
        Script::default()
    };
    let mock = Mock::builder().agent_fn(agent).build();
    let _ = place.set(mock.clone());
    let (session, _) = created(&mock).await;
    let body = Some(json!({"message": "again"}));
    call(&mock, "POST", &format!("{session}/messages"), body).await;
    assert_eq!(*numbers.lock().unwrap(), [0, 1, 0]);
}

#[tokio::test(start_paused = true)]
async fn a_reset_during_a_create_does_not_repeat_its_number() {
    let place = Arc::new(OnceLock::<Mock>::new());
    let numbers = Arc::new(Mutex::new(Vec::new()));
    let (known, seen) = (Arc::clone(&place), Arc::clone(&numbers));
    let agent = move |turn: &TurnInfo| {
        seen.lock().unwrap().push(turn.session);
        if turn.session == 0
            && let Some(mock) = known.get()
        {
            mock.reset();
        }
        Script::default()
    };
    let mock = Mock::builder().agent_fn(agent).build();
    let _ = place.set(mock.clone());
    created(&mock).await;
    created(&mock).await;
    assert_eq!(*numbers.lock().unwrap(), [0, 1]);
}
