//! Tests that a client uses bounded memory and time. The servers send too much, too deeply nested or endless data.

use std::time::Duration;

use blocks_mock::{Fault, Frequency, Mock, Operation, Script};
use blocks_sdk::{Artifact, Body, Client, ErrorKind, RetryPolicy, SendFuture, Transport};
use blocks_tests::{KEY, SESSION, Scripted, ScriptedResponse, created, page, session_id};
use bytes::Bytes;
use futures_util::{StreamExt, stream};
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::time::{Instant, sleep};

use crate::hello;

/// A transport that responds to every request with an endless body, in pieces with a pause before each piece.
#[derive(Clone, Copy)]
struct Endless {
    piece: &'static [u8],
    pause: Duration,
}

impl Transport for Endless {
    fn send(&self, _: http::Request<Body>) -> SendFuture<'_> {
        let Self { piece, pause } = *self;
        let pieces = stream::repeat(piece).then(move |piece| async move {
            sleep(pause).await;
            Ok::<_, std::io::Error>(Bytes::from_static(piece))
        });
        let body = Body::from_stream(pieces);
        let response = http::Response::new(body);
        Box::pin(async { Ok(response) })
    }
}

#[tokio::test(start_paused = true)]
async fn an_endless_response_is_cut_at_the_limit() {
    let endless = Endless {
        piece: &[b' '; 64 << 10],
        pause: Duration::ZERO,
    };
    let builder = Client::builder(KEY).transport(endless);
    let error = builder.build().unwrap().create_session(hello()).await;
    let error = error.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TooLarge);
    assert_eq!(error.body().unwrap().len(), 16 << 20);
    assert!(error.may_have_taken_effect());
}

#[tokio::test(start_paused = true)]
async fn a_slow_response_ends_at_the_attempt_time_out() {
    let slow = Endless {
        piece: b" ",
        pause: Duration::from_secs(7),
    };
    let client = Client::builder(KEY).transport(slow).build().unwrap();
    let start = Instant::now();
    let error = client.create_session(hello()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Timeout);
    assert_eq!(start.elapsed().as_secs(), 180);
    assert_eq!(error.body().unwrap().len(), 25, "the received part is kept");
}

#[tokio::test(start_paused = true)]
async fn the_limits_of_an_attempt_can_be_set() {
    let slow = Endless {
        piece: b"[",
        pause: Duration::from_secs(7),
    };
    let default = || {
        let builder = Client::builder(KEY).transport(slow);
        builder.retry(RetryPolicy::none())
    };
    let second = Duration::from_secs(1);
    let short = default().attempt_timeout(20 * second);
    for (builder, read, create) in [
        (default(), 60, 180),
        (short, 20, 20),
        (default().create_timeout(30 * second), 60, 30),
    ] {
        let client = builder.build().unwrap();
        let start = Instant::now();
        let error = client.get_session(session_id()).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Timeout);
        assert_eq!(start.elapsed(), read * second);
        let start = Instant::now();
        let error = client.create_session(hello()).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Timeout);
        assert_eq!(start.elapsed(), create * second);
    }
    let client = default().max_body(5).build().unwrap();
    let error = client.get_session(session_id()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TooLarge);
    assert_eq!(error.body().unwrap(), "[[[[[");
}

#[tokio::test(start_paused = true)]
async fn deep_json_is_kept_as_text() {
    for (open, close) in [("[", "]"), (r#"{"a":"#, "}")] {
        let deep = format!("{}1{}", open.repeat(100_000), close.repeat(100_000));
        let mut body = created();
        body["extra"] = json!("DEEP");
        let body = body.to_string().replace("\"DEEP\"", &deep);
        let script = Scripted::new([ScriptedResponse::text(200, body)]);
        let session = script.client().create_session(hello()).await.unwrap();
        let kept = session.data().extra.raw("extra");
        assert!(kept == Some(&deep), "{} bytes", kept.map_or(0, str::len));
    }
}

#[tokio::test(start_paused = true)]
async fn deep_json_that_is_not_closed_is_an_error() {
    let mut deep = created();
    deep["extra"] = json!("DEEP");
    let deep = deep.to_string();
    for nested in ["[".repeat(200_000), r#"{"a":"#.repeat(100_000)] {
        let script = Scripted::new([ScriptedResponse::text(
            200,
            deep.replace("\"DEEP\"", &nested),
        )]);
        let error = script.client().create_session(hello()).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Undecodable);
        assert_eq!(error.session_id().unwrap().to_string(), SESSION);
        let script = Scripted::new([ScriptedResponse::text(422, nested)]);
        let error = script.client().create_session(hello()).await.unwrap_err();
        assert!(error.is_validation(), "{error}");
    }
}

#[tokio::test(start_paused = true)]
async fn pages_that_repeat_endlessly_are_an_error() {
    let message = json!({"id": SESSION, "message": "again"});
    let items = vec![message; 100];
    let script = Scripted::new([ScriptedResponse::ok(&page(json!(items)))]);
    let session = script.client().session(session_id());
    let mut messages = session.messages().stream();
    let first = messages.next().await.unwrap().unwrap();
    assert_eq!(first.message.as_deref(), Some("again"));
    let error = messages.next().await.unwrap().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Incomplete);
    let missing =
        "the pages only repeat messages that were read (1 so far), so an unknown number is missing";
    assert!(error.to_string().starts_with(missing), "{error}");
    assert!(messages.next().await.is_none());
    assert!(script.count() < 30, "{}", script.count());
}

#[tokio::test]
async fn headers_without_an_end_are_refused() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut request = vec![0; 4096];
        let _ = stream.read(&mut request).await;
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\n").await;
        // The server sends header bytes until the client closes the connection.
        while stream.write_all(&[b'a'; 4096]).await.is_ok() {}
    });
    let builder = Client::builder(KEY).base_url(format!("http://{address}"));
    let client = builder.retry(RetryPolicy::none()).build().unwrap();
    let error = client.create_session(hello()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Connection);
    assert!(error.may_have_taken_effect());
}

/// Returns a mock with a plan of 5000 bytes, and the handle of this plan. The handle's client accepts at most 4000
/// bytes of a response.
async fn large_plan() -> (Mock, Artifact) {
    let plan = blocks_mock::Action::Plan {
        file_name: "plan.md".into(),
        text: "x".repeat(5_000),
    };
    let agent = Script::reply("Done.").step(Duration::ZERO, plan);
    let mock = Mock::builder().agent(agent).build();
    let builder = Client::builder(mock.key()).service(mock.service());
    let client = builder.max_body(4_000).build().unwrap();
    let session = client.create_session(hello()).await.unwrap();
    session.first_reply().await.unwrap();
    let plan = session.plans().await.unwrap().remove(0).unwrap();
    (mock, plan)
}

#[tokio::test(start_paused = true)]
async fn a_download_to_memory_has_a_limit() {
    let (_mock, plan) = large_plan().await;
    let error = plan.bytes().await.unwrap_err();
    assert!(
        error.to_string().contains("larger than 4000 bytes"),
        "{error}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_rejected_download_keeps_the_reason() {
    let (mock, plan) = large_plan().await;
    mock.inject(Operation::Download, Frequency::Always, Fault::status(500));
    let error = plan.bytes().await.unwrap_err();
    assert_eq!(error.status(), Some(500));
    assert!(error.body().unwrap().contains("a fault of the mock"));
}
