//! The real chain: document, generated code, SDK, HTTP, mock.

use std::time::Duration;

use blocks_mock::MockServer;
use blocks_sdk::{Agent, Client, CreateSession, ErrorKind, FollowUp, WaitOptions};
use blocks_tests::Scripted;

const KEY: &str = "very-secret-key";

fn client(url: &str) -> Client {
    Client::builder(KEY).base_url(url).build().unwrap()
}

fn hello() -> CreateSession {
    CreateSession::new(Agent::claude(), "hello")
}

async fn mock() -> MockServer {
    MockServer::builder()
        .key(KEY)
        .reply("hi there")
        .reply_after(Duration::ZERO)
        // The service's links name another host; nothing may go there.
        .link_origin("https://api.prod.blocks.invalid")
        .start()
        .await
        .unwrap()
}

#[tokio::test]
async fn a_session_and_its_follow_up_are_answered_on_the_base_url() {
    let mock = mock().await;
    let session = client(&mock.url()).create_session(hello()).await.unwrap();
    assert_eq!(session.reply().await.unwrap().text(), "hi there");
    let turn = session.follow_up(FollowUp::new("and now?")).await.unwrap();
    assert_eq!(
        turn.reply(WaitOptions::default()).await.unwrap().text(),
        "hi there"
    );

    let received = mock.received();
    assert_eq!(received.len(), 4);
    for request in received {
        let header = |name: &str| {
            request
                .headers
                .iter()
                .find(|(n, _)| n == name)
                .map(|(_, v)| v.as_str())
        };
        assert_eq!(
            header("authorization"),
            Some(format!("ApiKey {KEY}").as_str())
        );
        assert_eq!(header("api-version"), None);
    }
    assert_eq!(mock.session_count(), 1);
}

#[tokio::test]
async fn a_session_read_again_says_why_it_has_no_reply() {
    let mock = mock().await;
    let client = client(&mock.url());
    let id = client.create_session(hello()).await.unwrap().id();
    let error = client.session(id).await.unwrap().reply().await.unwrap_err();
    assert!(error.to_string().contains("send a follow-up"), "{error}");
}

#[tokio::test]
async fn a_create_of_unknown_fate_is_sent_once_and_loses_nothing() {
    let id = "a196cec6-49cb-4c48-8e4c-2707fb5d6709";
    let unknown_shape = r#"{"id": "a196cec6-49cb-4c48-8e4c-2707fb5d6709", "title": 7}"#;
    for (status, body, kind, has_id) in [
        (
            "503 Service Unavailable",
            "<html>busy</html>",
            ErrorKind::Status,
            false,
        ),
        (
            "200 OK",
            "<html>hello</html>",
            ErrorKind::Undecodable,
            false,
        ),
        ("200 OK", unknown_shape, ErrorKind::Undecodable, true),
    ] {
        let server = Scripted::start(status, "", body).await;
        let error = client(&server.url)
            .create_session(hello())
            .await
            .unwrap_err();
        assert_eq!(error.kind(), kind);
        assert!(error.may_have_taken_effect(), "{error}");
        assert_eq!(error.body(), Some(body));
        assert_eq!(
            error.session_id().map(|i| i.to_string()),
            has_id.then(|| id.to_owned())
        );
        assert_eq!(server.requests(), 1);
    }
    let broken = Scripted::start_raw(vec![
        "HTTP/1.1 200 OK\r\ncontent-length: 500\r\n\r\n{\"id\"".into(),
    ])
    .await;
    let error = client(&broken.url)
        .create_session(hello())
        .await
        .unwrap_err();
    assert!(error.may_have_taken_effect());
    assert_eq!(broken.requests(), 1);
}

#[tokio::test]
async fn a_refused_create_certainly_had_no_effect() {
    for (body, reason) in [
        (r#"{"error": "no agent"}"#, "no agent"),
        (
            r#"{"code": "VALIDATION", "message": "bad agent"}"#,
            "bad agent",
        ),
        ("<html>", "<html>"),
    ] {
        let server = Scripted::start("422 Unprocessable Entity", "", body).await;
        let error = client(&server.url)
            .create_session(hello())
            .await
            .unwrap_err();
        assert!(!error.may_have_taken_effect());
        assert_eq!(error.status(), Some(422));
        assert!(error.to_string().contains(reason), "{error}");
    }
    let error = client("http://127.0.0.1:1")
        .create_session(hello())
        .await
        .unwrap_err();
    assert!(!error.may_have_taken_effect(), "{error}");
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let other = Scripted::start("200 OK", "", "{}").await;
    let location: &'static str = format!("location: {}/x\r\n", other.url).leak();
    let server = Scripted::start("307 Temporary Redirect", location, "").await;
    client(&server.url)
        .create_session(hello())
        .await
        .unwrap_err();
    assert_eq!((server.requests(), other.requests()), (1, 0));
}

#[tokio::test]
async fn bad_input_is_refused_before_anything_is_sent() {
    let server = Scripted::start("200 OK", "", "{}").await;
    let client = client(&server.url);
    for request in [
        CreateSession::new(Agent::claude(), " "),
        hello().title("x".repeat(201)),
        CreateSession::new(Agent::Profile(serde_json::Map::new()), "hello"),
    ] {
        let error = client.create_session(request).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
    }
    assert_eq!(server.requests(), 0);
}

#[test]
fn a_base_url_that_would_expose_the_key_is_refused() {
    for url in [
        "http://api.blocks.team",
        "ftp://127.0.0.1",
        "https://u:p@api.blocks.team",
        "nonsense",
    ] {
        assert!(Client::builder(KEY).base_url(url).build().is_err(), "{url}");
    }
    assert!(Client::builder("line\nbreak").build().is_err());
}

#[tokio::test]
async fn the_key_is_in_no_debug_output_and_no_error() {
    let server = Scripted::start("500 Oops", "", "oops").await;
    let builder = Client::builder(KEY).base_url(&server.url);
    let mut seen = format!("{builder:?}");
    let client = builder.build().unwrap();
    let error = client.create_session(hello()).await.unwrap_err();
    seen += &format!("{client:?} {error} {error:?}");
    assert!(!seen.contains(KEY), "{seen}");
}

#[tokio::test]
async fn a_follow_up_without_a_thread_keeps_what_was_received() {
    // Read as a session first, then as the follow-up's message.
    let body = r#"{"id": "a196cec6-49cb-4c48-8e4c-2707fb5d6709", "new_field": 1}"#;
    let server = Scripted::start("200 OK", "", body).await;
    let id = "a196cec6-49cb-4c48-8e4c-2707fb5d6709".parse().unwrap();
    let session = client(&server.url).session(id).await.unwrap();
    let error = session.follow_up(FollowUp::new("more")).await.unwrap_err();
    assert!(error.may_have_taken_effect());
    assert_eq!(error.session_id(), Some(id));
    assert!(error.body().unwrap().contains("new_field"), "{error:?}");
    assert_eq!(server.requests(), 2);
}

/// A turn whose looks meet `answers`, the last of them for ever; time is paused after the create.
async fn turn_meeting(answers: &[(&str, &str)]) -> (Scripted, blocks_sdk::Turn) {
    let session = r#"{"id": "a196cec6-49cb-4c48-8e4c-2707fb5d6709",
        "_links": {"final_message": {"href": "/rest/v1/sessions/x/threads/y/messages"}}}"#;
    let created = ("200 OK", session);
    let raw = std::iter::once(&created)
        .chain(answers)
        .map(|(status, body)| {
            let length = body.len();
            format!(
                "HTTP/1.1 {status}\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}"
            )
        });
    let server = Scripted::start_raw(raw.collect()).await;
    let session = client(&server.url).create_session(hello()).await.unwrap();
    tokio::time::pause();
    (server, session.turn().unwrap())
}

const EMPTY: (&str, &str) = ("200 OK", r#"{"items": []}"#);
const BUSY: (&str, &str) = ("503 Service Unavailable", "busy");

#[tokio::test]
async fn a_wait_outlives_transient_errors_and_takes_an_empty_reply() {
    let reply = r#"{"items": [{"id": "a196cec6-49cb-4c48-8e4c-2707fb5d6709", "message": ""}]}"#;
    let answers = [
        EMPTY,
        BUSY,
        ("429 Too Many Requests", ""),
        ("200 OK", "<html>"),
        ("200 OK", reply),
    ];
    let (server, turn) = turn_meeting(&answers).await;
    assert_eq!(turn.reply(WaitOptions::default()).await.unwrap().text(), "");
    assert!(server.requests() > answers.len());
}

#[tokio::test]
async fn a_wait_without_a_reply_ends_at_its_deadline() {
    for answer in [EMPTY, BUSY] {
        let (_server, turn) = turn_meeting(&[answer]).await;
        let started = tokio::time::Instant::now();
        let deadline = Duration::from_secs(90);
        let options = WaitOptions {
            deadline,
            ..WaitOptions::default()
        };
        let error = turn.reply(options).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Deadline);
        assert!(error.session_id().is_some());
        assert_eq!(started.elapsed().as_secs(), 90);
        tokio::time::resume();
    }
}

#[tokio::test]
async fn a_wait_ends_at_once_when_waiting_cannot_help() {
    for (status, code) in [
        ("401 Unauthorized", 401),
        ("403 Forbidden", 403),
        ("404 Not Found", 404),
    ] {
        let (_server, turn) = turn_meeting(&[(status, "{}")]).await;
        let error = turn.reply(WaitOptions::default()).await.unwrap_err();
        assert_eq!(error.status(), Some(code));
        tokio::time::resume();
    }
}
