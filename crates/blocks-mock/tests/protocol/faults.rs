//! Tests what a client receives for each `Fault`. In most tests, the client is connected over a socket.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::time::Duration;

use blocks_mock::{Capture, Fault, Frequency, Mock, Operation, RetryAfter};
use reqwest::Response;
use serde_json::json;

use crate::{Socket, call, created};

/// Sends one create to a mock that applies `fault` to its first create. Returns the result and the mock.
async fn create_with(fault: Fault) -> (Result<Response, reqwest::Error>, Socket) {
    let builder = Mock::builder().fault(Operation::CreateSession, Frequency::ONCE, fault);
    let socket = Socket::new(builder).await;
    let result = socket.creating().send().await;
    (result, socket)
}

#[tokio::test]
async fn a_status_comes_before_or_after_the_effect() {
    for (fault, sessions) in [
        (Fault::status(503), 0),
        (Fault::status_after_effect(503), 1),
    ] {
        let (result, socket) = create_with(fault).await;
        assert_eq!(result.unwrap().status(), 503);
        assert_eq!(socket.mock.session_count(), sessions);
        assert_eq!(
            socket.creating().send().await.unwrap().status(),
            200,
            "once"
        );
    }
}

#[tokio::test]
async fn retry_after_comes_in_both_forms() {
    let (result, _socket) = create_with(Fault::rate_limited(Some(RetryAfter::Seconds(2)))).await;
    let response = result.unwrap();
    assert_eq!(
        (
            response.status().as_u16(),
            &response.headers()["retry-after"]
        ),
        (429, &"2".parse().unwrap())
    );
    let (result, _socket) = create_with(Fault::rate_limited(Some(RetryAfter::Date(2)))).await;
    let response = result.unwrap();
    let date = response.headers()["retry-after"].to_str().unwrap();
    assert!(date.ends_with(" GMT"), "{date}");
    let (result, _socket) = create_with(Fault::rate_limited(None)).await;
    assert!(!result.unwrap().headers().contains_key("retry-after"));
}

#[tokio::test]
async fn connections_break_before_or_after_the_effect() {
    for (fault, sessions) in [
        (Fault::Refuse, 0),
        (Fault::ResetBefore, 0),
        (Fault::ResetAfter, 1),
    ] {
        let (result, socket) = create_with(fault.clone()).await;
        assert!(result.is_err(), "{fault:?}");
        assert_eq!(socket.mock.session_count(), sessions, "{fault:?}");
    }
}

#[tokio::test]
async fn a_response_breaks_in_the_middle() {
    let (result, socket) = create_with(Fault::ResetInBody).await;
    let response = result.unwrap();
    assert!(response.content_length().is_some_and(|length| length > 0));
    assert!(response.bytes().await.is_err());
    assert_eq!(socket.mock.session_count(), 1);
}

#[tokio::test]
async fn responses_can_be_invalid_json() {
    for fault in [Fault::Truncate, Fault::InvalidJson, Fault::Html] {
        let (result, socket) = create_with(fault.clone()).await;
        let response = result.unwrap();
        assert_eq!(response.status(), 200);
        let html = response.headers()["content-type"] == "text/html";
        assert_eq!(html, fault == Fault::Html);
        let text = response.text().await.unwrap();
        assert!(!text.is_empty());
        assert!(serde_json::from_str::<serde_json::Value>(&text).is_err());
        assert_eq!(socket.mock.session_count(), 1);
    }
}

#[tokio::test]
async fn content_type_size_and_place_can_be_wrong() {
    let (result, _socket) = create_with(Fault::ContentType("text/plain".into())).await;
    assert_eq!(result.unwrap().headers()["content-type"], "text/plain");
    let (result, _socket) = create_with(Fault::PadBody(3_000_000)).await;
    let body = result.unwrap().bytes().await.unwrap();
    assert_eq!(body.len(), 3_000_000);
    assert!(serde_json::from_slice::<serde_json::Value>(&body).is_ok());
    let (result, socket) = create_with(Fault::Redirect("https://evil.example/".into())).await;
    let response = result.unwrap();
    assert_eq!(response.status(), 307);
    assert_eq!(response.headers()["location"], "https://evil.example/");
    assert_eq!(socket.mock.session_count(), 0);
}

#[tokio::test]
async fn late_and_slow_responses_arrive_whole() {
    for fault in [
        Fault::Delay(Duration::from_millis(1)),
        Fault::SlowBody {
            bytes: 100,
            every: Duration::from_micros(10),
        },
    ] {
        let (result, _socket) = create_with(fault).await;
        let session: serde_json::Value = result.unwrap().json().await.unwrap();
        assert!(session["id"].is_string());
    }
}

#[tokio::test(start_paused = true)]
async fn creates_take_effect_although_the_client_gives_up() {
    let slow = Fault::Delay(Duration::from_secs(2));
    let mock = Mock::builder()
        .fault(Operation::CreateSession, Frequency::Times(2), slow)
        .build();
    for sessions in 1..=2 {
        let body = json!({"message": "hi", "agent_name": "claude"});
        let create = call(&mock, "POST", "", Some(body));
        let given_up = tokio::time::timeout(Duration::from_millis(500), create).await;
        assert!(given_up.is_err());
        assert_eq!(mock.session_count(), sessions);
    }
    created(&mock).await;
    tokio::time::sleep(Duration::from_secs(9)).await;
    assert_eq!(mock.session_count(), 3, "each create takes effect once");
    let statuses: Vec<_> = mock.requests().iter().map(|r| r.status).collect();
    assert_eq!(statuses, [None, None, Some(200)]);
}

#[tokio::test(start_paused = true)]
async fn follow_ups_take_effect_before_the_delay() {
    let second = Duration::from_secs(1);
    let mock = Mock::builder().delay(second).build();
    let (session, _) = created(&mock).await;
    let path = format!("{session}/messages");
    for _ in 0..3 {
        let follow_up = call(&mock, "POST", &path, Some(json!({"message": "more"})));
        assert!(tokio::time::timeout(second / 2, follow_up).await.is_err());
    }
    assert_eq!(mock.threads(mock.sessions()[0]).len(), 4);
    assert_eq!(mock.user_message_count(), 4);
}

#[tokio::test(start_paused = true)]
async fn a_delayed_request_without_an_effect_has_none() {
    let second = Duration::from_secs(1);
    for fault in [Fault::status(503), Fault::Refuse, Fault::ResetBefore] {
        let mock = Mock::builder()
            .delay(second)
            .fault(None, Frequency::Always, fault.clone())
            .build();
        let body = json!({"message": "hi", "agent_name": "claude"});
        let create = call(&mock, "POST", "", Some(body));
        assert!(tokio::time::timeout(second / 2, create).await.is_err());
        assert_eq!(mock.session_count(), 0, "{fault:?}");
    }
}

/// The delay passes in real time, because a socket needs a clock that is not paused.
#[tokio::test]
async fn a_half_closed_connection_gets_its_response() {
    let slow = Fault::Delay(Duration::from_millis(50));
    let socket = Socket::new(Mock::builder().fault(None, Frequency::Always, slow)).await;
    let url = socket.mock.url();
    let create = move || {
        let address = url.strip_prefix("http://").unwrap();
        let body = r#"{"message": "hi", "agent_name": "claude"}"#;
        let length = body.len();
        let request = format!(
            "POST /rest/v1/sessions HTTP/1.1\r\nhost: {address}\r\n\
             authorization: ApiKey test-key\r\ncontent-length: {length}\r\n\r\n{body}"
        );
        let mut stream = TcpStream::connect(address).unwrap();
        let limit = Duration::from_secs(30);
        stream.set_read_timeout(Some(limit)).unwrap();
        stream.write_all(request.as_bytes()).unwrap();
        stream.shutdown(Shutdown::Write).unwrap();
        let mut response = String::new();
        stream.read_to_string(&mut response).unwrap();
        response
    };
    let response = tokio::task::spawn_blocking(create).await.unwrap();
    assert!(response.starts_with("HTTP/1.1 200 "), "{response}");
    assert_eq!(socket.mock.session_count(), 1);
}

#[tokio::test]
async fn links_can_be_foreign_or_null() {
    let (result, _socket) = create_with(Fault::ForeignLinks("https://evil.example".into())).await;
    let session: serde_json::Value = result.unwrap().json().await.unwrap();
    let href = session["_links"]["final_message"]["href"].as_str().unwrap();
    assert!(
        href.starts_with("https://evil.example/rest/v1/sessions/"),
        "{href}"
    );
    let (result, _socket) = create_with(Fault::NullLinks).await;
    let session: serde_json::Value = result.unwrap().json().await.unwrap();
    assert_eq!(session["_links"]["final_message"], json!(null));
    assert_eq!(session["thread_id"], json!(null));
}

#[tokio::test(start_paused = true)]
async fn links_that_are_not_an_object_are_kept() {
    for links in [json!([]), json!("x"), json!(null)] {
        let saved = json!({"method": "GET", "path": "/rest/v1/sessions/x", "status": 200, "body": {"_links": links}});
        let capture = Capture::parse(&saved.to_string()).unwrap();
        let mock = Mock::builder()
            .replay(capture)
            .fault(None, Frequency::Always, Fault::NullLinks)
            .build();
        let (_, session) = call(&mock, "GET", "/x", None).await;
        assert_eq!(session, json!({"_links": links}));
    }
}

#[test]
fn faults_with_an_invalid_status_are_refused() {
    for status in [0, 42, 199, 600] {
        for create in [Fault::status, Fault::status_after_effect] {
            let panic = std::panic::catch_unwind(|| create(status)).unwrap_err();
            let text = panic.downcast_ref::<String>().unwrap();
            let expected = format!("invalid status {status}: expected 200 to 599");
            assert_eq!(*text, expected);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn an_invalid_status_does_not_become_200() {
    let fault = Fault::Status {
        status: 42,
        body: String::new(),
        retry_after: None,
        after_effect: false,
    };
    let mock = Mock::builder()
        .fault(None, Frequency::Always, fault)
        .build();
    assert_eq!(call(&mock, "GET", "/x", None).await.0, 500);
}

#[tokio::test]
async fn fields_can_be_missing_unknown_and_retyped() {
    let (result, _socket) =
        create_with(Fault::MissingFields(vec!["title".into(), "_links".into()])).await;
    let session: serde_json::Value = result.unwrap().json().await.unwrap();
    assert!(session.get("title").is_none());
    assert!(session.get("_links").is_none());
    for (name, value) in [("brand_new", json!([1])), ("title", json!(7))] {
        let (result, _socket) = create_with(Fault::ReplaceField(name.into(), value.clone())).await;
        let session: serde_json::Value = result.unwrap().json().await.unwrap();
        assert_eq!(session[name], value);
    }
}

#[tokio::test]
async fn faults_come_n_times_by_chance_and_at_their_operation() {
    let builder = Mock::builder()
        .seed(7)
        .fault(Operation::GetSession, Frequency::Always, Fault::status(500))
        .fault(
            Operation::CreateSession,
            Frequency::Times(2),
            Fault::status(500),
        )
        .fault(
            Operation::CreateSession,
            Frequency::Probability(0.5),
            Fault::status(502),
        );
    let socket = Socket::new(builder).await;
    let mut statuses = Vec::new();
    for _ in 0..40 {
        statuses.push(socket.creating().send().await.unwrap().status().as_u16());
    }
    assert_eq!(statuses[..2], [500, 500]);
    let by_chance = statuses.iter().filter(|s| **s == 502).count();
    assert!((8..30).contains(&by_chance), "{by_chance} of 38");
    assert_eq!(socket.get("/x").await.0, 500);
    socket.mock.clear_faults();
    assert_eq!(socket.get("/x").await.0, 422);
    socket
        .mock
        .inject(None, Frequency::ONCE, Fault::status(418));
    assert_eq!(socket.get("/x").await.0, 418);
}
