//! Tests the rate limit and the request log of the mock.

use std::time::Duration;

use blocks_mock::{Mock, Operation, RateLimit, RequestLog, RetryAfter};

use crate::{Socket, call, created};

#[tokio::test(start_paused = true)]
async fn the_limiter_accepts_100_requests_in_a_minute() {
    let limit = RateLimit {
        retry_after: Some(RetryAfter::Seconds(3)),
        ..RateLimit::default()
    };
    let mock = Mock::builder().rate_limit(limit).build();
    for n in 0..100 {
        assert_eq!(call(&mock, "GET", "/x", None).await.0, 422, "{n}");
    }
    assert_eq!(call(&mock, "GET", "/x", None).await.0, 429);
    tokio::time::sleep(Duration::from_secs(59)).await;
    assert_eq!(call(&mock, "GET", "/x", None).await.0, 429);
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(call(&mock, "GET", "/x", None).await.0, 422);
}

#[tokio::test]
async fn a_429_has_the_configured_retry_after() {
    let limit = RateLimit {
        requests: 0,
        retry_after: Some(RetryAfter::Seconds(3)),
        ..RateLimit::default()
    };
    let socket = Socket::new(Mock::builder().rate_limit(limit)).await;
    let response = socket.creating().send().await.unwrap();
    assert_eq!(response.status(), 429);
    assert_eq!(response.headers()["retry-after"], "3");
}

#[tokio::test]
async fn the_log_shows_requests_and_statuses() {
    let socket = Socket::new(Mock::builder()).await;
    let session = socket.create().await;
    let path = format!("/{}", session["id"].as_str().unwrap());
    socket.get(&path).await;
    let received = socket.mock.requests();
    assert_eq!(received.len(), 2);
    assert_eq!(received[0].operation, Some(Operation::CreateSession));
    assert_eq!(
        (received[0].method.as_str(), received[0].status),
        ("POST", Some(200))
    );
    assert_eq!(received[0].header("authorization"), Some("ApiKey test-key"));
    assert!(received[0].body.contains("claude"));
    assert_eq!(received[1].target, format!("/rest/v1/sessions{path}"));
    assert_eq!(socket.mock.count(Operation::GetSession), 1);
    assert_eq!(
        (
            socket.mock.session_count(),
            socket.mock.user_message_count()
        ),
        (1, 1)
    );
}

#[tokio::test(start_paused = true)]
async fn a_log_of_counts_keeps_no_texts() {
    let mock = Mock::builder().request_log(RequestLog::Counts).build();
    created(&mock).await;
    let received = mock.requests();
    assert_eq!(mock.count(Operation::CreateSession), 1);
    assert!(received[0].body.is_empty());
    assert!(received[0].headers.is_empty());
    assert_eq!(received[0].status, Some(200));
}

#[tokio::test(start_paused = true)]
async fn the_log_keeps_the_newest_requests() {
    let mock = Mock::builder().request_log_size(2).build();
    let (session, messages) = created(&mock).await;
    call(&mock, "GET", &session, None).await;
    call(&mock, "GET", &messages, None).await;
    let operations: Vec<_> = mock.requests().iter().map(|r| r.operation).collect();
    let kept = [Operation::GetSession, Operation::ListThreadMessages];
    assert_eq!(operations, kept.map(Some));
    assert_eq!(mock.request_count(), 3);
    assert_eq!(mock.count(Operation::CreateSession), 1);
}

#[tokio::test(start_paused = true)]
async fn a_reset_ignores_responses_to_older_requests() {
    let second = Duration::from_secs(1);
    let mock = Mock::builder().delay(10 * second).build();
    let older = call(&mock, "GET", "/x", None);
    let newer = async {
        tokio::time::sleep(5 * second).await;
        mock.reset();
        call(&mock, "GET", "/x", None).await
    };
    let status = async {
        tokio::time::sleep(12 * second).await;
        mock.requests()[0].status
    };
    let (_, _, status) = tokio::join!(older, newer, status);
    assert_eq!(status, None, "only the older request has its response");
    assert_eq!(mock.requests()[0].status, Some(422));
}

#[tokio::test(start_paused = true)]
async fn debug_output_of_a_request_has_no_key() {
    let mock = Mock::builder().build();
    created(&mock).await;
    let output = format!("{:?}", mock.requests()[0]);
    assert!(
        output.contains(r#"("authorization", "<redacted>")"#),
        "{output}"
    );
    assert!(!output.contains(mock.key()), "{output}");
}
