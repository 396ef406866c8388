//! Tests that creates and follow-ups are never duplicated and never lost.

use std::time::Duration;

use blocks_mock::{Fault, Frequency, Mock, RetryAfter};
use blocks_sdk::{
    Agent, Client, CreateSession, Error, ErrorKind, FollowUp, RateLimit, RetryPolicy,
};
use blocks_tests::{KEY, SESSION, Scripted, ScriptedResponse, created, replied, session_id};
use serde_json::json;
use tokio::time::Instant;

use crate::hello;

/// Creates a session with a server that sends these responses. Returns the result, the number of
/// requests and the elapsed time.
async fn create(responses: Vec<ScriptedResponse>) -> (Result<uuid::Uuid, Error>, usize, Duration) {
    let script = Scripted::new(responses);
    let start = Instant::now();
    let result = script.client().create_session(hello()).await;
    (
        result.map(|s| s.id().to_uuid().unwrap()),
        script.count(),
        start.elapsed(),
    )
}

fn assert_created(result: &Result<uuid::Uuid, Error>) {
    let id = result.as_ref().expect("a session");
    assert_eq!(id.to_string(), SESSION);
}

#[test]
fn a_client_returns_its_settings() {
    let retry = RetryPolicy::default().max_attempts(2);
    let limit = RateLimit::per_minute(7).unwrap();
    let [attempt, create] = [3, 5].map(Duration::from_secs);
    let client = Client::builder(KEY)
        .base_url("https://blocks.example")
        .retry(retry)
        .rate_limit(limit)
        .own_rate_limiter()
        .attempt_timeout(attempt)
        .create_timeout(create)
        .max_body(11)
        .build()
        .unwrap();
    assert_eq!(client.base_url(), "https://blocks.example");
    assert_eq!((client.retry_policy(), client.rate_limit()), (retry, limit));
    assert_eq!(client.attempt_timeout(), attempt);
    assert_eq!((client.create_timeout(), client.max_body()), (create, 11));
}

#[tokio::test(start_paused = true)]
async fn a_429_is_retried_after_its_retry_after() {
    let limited =
        |value: &str| ScriptedResponse::text(429, "slow down").header("retry-after", value);
    let date =
        limited("Sun, 06 Nov 1994 08:49:37 GMT").header("date", "Sun, 06 Nov 1994 08:49:35 GMT");
    for response in [limited("2"), date] {
        let (result, requests, took) =
            create(vec![response, ScriptedResponse::ok(&created())]).await;
        assert_created(&result);
        assert_eq!((requests, took.as_secs()), (2, 2));
    }
}

#[tokio::test(start_paused = true)]
async fn a_429_without_retry_after_uses_a_backoff() {
    let responses = vec![
        ScriptedResponse::text(429, ""),
        ScriptedResponse::ok(&created()),
    ];
    let (result, requests, took) = create(responses).await;
    assert_created(&result);
    assert_eq!(requests, 2);
    assert!((1..=4).contains(&took.as_secs()), "{took:?}");
}

#[tokio::test(start_paused = true)]
async fn a_long_pause_fails_fast_for_all_clones() {
    let limited = ScriptedResponse::text(429, "slow down").header("retry-after", "300");
    let script = Scripted::new([limited, ScriptedResponse::ok(&created())]);
    let policy = RetryPolicy::default().call_timeout(Duration::from_secs(120));
    let client = script.client().with_retry(policy);
    let start = Instant::now();
    let error = client.create_session(hello()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::RateLimited);
    assert_eq!(error.retry_after(), Some(Duration::from_secs(300)));
    assert_eq!(
        (error.status(), error.body().as_deref()),
        (Some(429), Some("slow down"))
    );
    assert!(error.is_rate_limited());
    assert!(!error.may_have_taken_effect());
    let error = client.clone().create_session(hello()).await.unwrap_err();
    assert_eq!(
        (error.kind(), error.attempts()),
        (ErrorKind::RateLimited, 0)
    );
    assert!(
        error
            .to_string()
            .contains("nothing was sent; retry after 300s"),
        "{error}"
    );
    assert_eq!((script.count(), start.elapsed()), (1, Duration::ZERO));
    tokio::time::sleep(Duration::from_secs(300)).await;
    client.create_session(hello()).await.unwrap();
    assert_eq!(script.count(), 2);
}

#[tokio::test(start_paused = true)]
async fn queued_calls_end_when_a_later_pause_is_too_long() {
    let refused = ScriptedResponse::text(429, "").header("retry-after", "900");
    let script = Scripted::new([refused]);
    let client = script.client();
    let start = Instant::now();
    let id = session_id();
    let reads = (0..150).map(|_| client.get_session(id.clone()));
    for result in futures_util::future::join_all(reads).await {
        assert_eq!(result.unwrap_err().kind(), ErrorKind::RateLimited);
    }
    assert_eq!(start.elapsed(), Duration::ZERO);
    assert!(script.count() <= 99);
}

#[tokio::test(start_paused = true)]
async fn a_pause_is_at_most_ten_minutes() {
    let refused = ScriptedResponse::text(429, "").header("retry-after", "1000000");
    let script = Scripted::new([refused, ScriptedResponse::ok(&created())]);
    let start = Instant::now();
    let (client, other) = (script.client(), script.client());
    client.create_session(hello()).await.unwrap();
    assert_eq!((script.count(), start.elapsed().as_secs()), (2, 600));
    drop(other);
}

#[tokio::test(start_paused = true)]
async fn rate_limited_attempts_are_not_counted() {
    for wait in [None, Some("0"), Some("Sun, 06 Nov 1994 08:49:37 GMT")] {
        let refused = match wait {
            Some(wait) => ScriptedResponse::text(429, "").header("retry-after", wait),
            None => ScriptedResponse::text(429, ""),
        };
        let mut responses = vec![refused; 12];
        responses.push(ScriptedResponse::ok(&created()));
        let (result, requests, took) = create(responses).await;
        assert_created(&result);
        assert_eq!(requests, 13);
        // The 12 pauses start at 2 s, double up to 32 s, and are each shortened at random by at most a half. So they
        // take at least 1 + 2 + 4 + 8 + 8 * 16 = 143 s.
        assert!(took.as_secs() >= 143, "{took:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_503_is_retried_after_its_retry_after() {
    for status in [503, 408, 500] {
        let busy = ScriptedResponse::text(status, "").header("retry-after", "19.2");
        let script = Scripted::new([busy, ScriptedResponse::ok(&created())]);
        let start = Instant::now();
        let id = session_id();
        script.client().get_session(id).await.unwrap();
        assert_eq!(
            (script.count(), start.elapsed().as_secs()),
            (2, 20),
            "{status}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_call_time_out_bounds_queue_and_attempts() {
    let second = Duration::from_secs(1);
    let policy = RetryPolicy::default().call_timeout(second * 7);
    // The call's time-out ends an attempt that receives no response.
    let script = Scripted::new([ScriptedResponse::Silence]);
    let start = Instant::now();
    let client = script.client().with_retry(policy);
    let error = client.create_session(hello()).await.unwrap_err();
    assert_eq!(
        (error.kind(), start.elapsed()),
        (ErrorKind::Timeout, second * 7)
    );
    // The call's time-out also limits the time in the rate limiter's queue.
    let script = Scripted::new([ScriptedResponse::ok(&created())]);
    let limit = RateLimit::per_minute(1).unwrap();
    let client = script
        .builder()
        .rate_limit(limit)
        .retry(policy)
        .build()
        .unwrap();
    client.create_session(hello()).await.unwrap();
    let start = Instant::now();
    let error = client.create_session(hello()).await.unwrap_err();
    assert_eq!(
        (error.kind(), start.elapsed()),
        (ErrorKind::RateLimited, second * 7)
    );
    assert_eq!((error.attempts(), script.count()), (0, 1));
    // If the call's time-out is zero, no request is sent. If the time-out is `Duration::MAX`, its deadline does not
    // overflow.
    let client = script
        .client()
        .with_retry(policy.call_timeout(Duration::ZERO));
    assert_eq!(
        client.create_session(hello()).await.unwrap_err().attempts(),
        0
    );
    let client = script
        .client()
        .with_retry(policy.call_timeout(Duration::MAX));
    client.create_session(hello()).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn the_longest_durations_do_not_overflow() {
    let max = Duration::MAX;
    let builder = |script: &Scripted| {
        let policy = RetryPolicy::default()
            .call_timeout(max)
            .max_retry_after(max);
        let builder = script.builder().retry(policy).connect_timeout(max);
        builder.attempt_timeout(max).create_timeout(max)
    };
    let script = Scripted::new([
        ScriptedResponse::Refused,
        ScriptedResponse::ok(&created()),
        ScriptedResponse::ok(&replied("done")),
    ]);
    let client = builder(&script).build().unwrap();
    let session = client.create_session(hello()).await.unwrap();
    let wait = session.first_turn().unwrap().reply();
    let reply = wait.timeout(max).interval(max).await.unwrap();
    assert_eq!((reply.text(), script.count()), ("done", 3));
    // If the maximum pause is `Duration::MAX`, a very large `retry-after` or backoff must not overflow. The call is
    // still waiting after a year.
    let endless = ScriptedResponse::text(503, "").header("retry-after", "99999999999999999999");
    let backoff = RetryPolicy::default().initial_backoff(max).max_backoff(max);
    for (response, policy) in [
        (endless, RetryPolicy::default().max_retry_after(max)),
        (ScriptedResponse::text(500, ""), backoff),
    ] {
        let script = Scripted::new([response]);
        let client = builder(&script).retry(policy.call_timeout(max)).build();
        let year = Duration::from_secs(365 * 24 * 60 * 60);
        let read = client.unwrap().session(session_id());
        assert!(tokio::time::timeout(year, read.get()).await.is_err());
        assert_eq!(script.count(), 1);
    }
    let socket = Client::builder(KEY).connect_timeout(max);
    assert!(
        socket
            .attempt_timeout(max)
            .create_timeout(max)
            .build()
            .is_ok()
    );
}

#[tokio::test(start_paused = true)]
async fn a_create_may_take_longer_than_a_gateway_waits() {
    let script = Scripted::new([ScriptedResponse::Silence]);
    let start = Instant::now();
    let error = script.client().create_session(hello()).await.unwrap_err();
    assert_eq!(
        (error.kind(), start.elapsed().as_secs()),
        (ErrorKind::Timeout, 180)
    );
    let client = script
        .builder()
        .create_timeout(Duration::from_secs(300))
        .build()
        .unwrap();
    let start = Instant::now();
    client.create_session(hello()).await.unwrap_err();
    assert_eq!(start.elapsed().as_secs(), 300);
}

#[tokio::test(start_paused = true)]
async fn a_retry_sends_the_same_request() {
    let limited = ScriptedResponse::text(429, "").header("retry-after", "1");
    let script = Scripted::new([
        limited,
        ScriptedResponse::Refused,
        ScriptedResponse::ok(&created()),
    ]);
    script.client().create_session(hello()).await.unwrap();
    let sent = script.seen().into_iter().map(|seen| {
        let key = seen.authorization;
        (seen.method, seen.url, key, seen.headers, seen.body)
    });
    let sent: Vec<_> = sent.collect();
    assert!(sent[0].4.contains("hello"), "{}", sent[0].4);
    assert_eq!(sent, vec![sent[0].clone(); 3]);
}

#[tokio::test(start_paused = true)]
async fn an_error_contains_its_last_attempt_only() {
    let script = Scripted::new([
        ScriptedResponse::text(429, "slow down"),
        ScriptedResponse::Refused,
    ]);
    let error = script.client().create_session(hello()).await.unwrap_err();
    // By default, a request is sent up to five times, and a 429 does not count. So there are six attempts: the 429 and
    // five refused connections.
    assert_eq!((error.kind(), error.attempts()), (ErrorKind::Connection, 6));
    assert_eq!((error.status(), error.body()), (None, None));
}

#[tokio::test(start_paused = true)]
async fn a_refused_connection_is_retried() {
    let responses = vec![
        ScriptedResponse::Refused,
        ScriptedResponse::Refused,
        ScriptedResponse::ok(&created()),
    ];
    let (result, requests, _) = create(responses).await;
    assert_created(&result);
    assert_eq!(requests, 3);

    let (result, requests, _) = create(vec![ScriptedResponse::Refused]).await;
    let error = result.unwrap_err();
    assert_eq!((error.kind(), requests), (ErrorKind::Connection, 5));
    assert_eq!(error.attempts(), 5);
    assert!(!error.may_have_taken_effect(), "{error}");
}

/// A response that leaves the outcome of a create unknown, and the expected error: its kind, the
/// part of the body that the error keeps, and whether this part contains the session's id.
type UnknownOutcome = (ScriptedResponse, ErrorKind, Option<String>, bool);

fn unknown_outcomes() -> Vec<UnknownOutcome> {
    use ErrorKind::{Connection, Status, Timeout, Undecodable};
    let session = created().to_string();
    let no_session = json!({"id": {}, "title": 7}).to_string();
    let half = format!("{{\"id\":\"{SESSION}\",\"title\":\"A ti");
    let half_link = session[..session.find("/messages").unwrap()].to_owned();
    let text = |status, body: &str, kind, has_id| {
        let response = ScriptedResponse::text(status, body.to_owned());
        (response, kind, Some(body.to_owned()), has_id)
    };
    let breaking = |body: &str| {
        let response = ScriptedResponse::text(200, body.to_owned()).breaking();
        (response, Connection, Some(body.to_owned()), true)
    };
    let redirect = ScriptedResponse::text(307, "").header("location", "https://evil.example/");
    vec![
        text(503, "busy", Status, false),
        text(500, "", Status, false),
        text(503, &session, Status, true),
        text(408, "", Status, false),
        (redirect, Status, Some(String::new()), false),
        (ScriptedResponse::Broken, Connection, None, false),
        (ScriptedResponse::Silence, Timeout, None, false),
        breaking(&half),
        breaking(&half_link),
        text(200, &half, Undecodable, true),
        text(200, "<html>", Undecodable, false),
        text(200, "", Undecodable, false),
        text(201, &no_session, Undecodable, false),
    ]
}

#[tokio::test(start_paused = true)]
async fn unknown_outcomes_are_never_retried() {
    for (response, kind, body, has_id) in unknown_outcomes() {
        let response = match response {
            response @ ScriptedResponse::Response { .. } => response.header("x-request-id", "r-1"),
            other => other,
        };
        let has_status = matches!(response, ScriptedResponse::Response { .. });
        let (result, requests, _) =
            create(vec![response.clone(), ScriptedResponse::ok(&created())]).await;
        let error = result.expect_err("a failure");
        assert_eq!(error.kind(), kind, "{response:?}");
        assert!(error.may_have_taken_effect(), "{error}");
        assert!(error.to_string().contains("createSession"), "{error}");
        assert!(
            error
                .to_string()
                .contains("check the dashboard before you retry"),
            "{error}"
        );
        assert_eq!(error.body().as_deref(), body.as_deref(), "{response:?}");
        assert_eq!(
            error.session_id().map(|id| id.to_string()).as_deref(),
            has_id.then_some(SESSION),
            "{response:?}"
        );
        assert_eq!(
            error.request_id(),
            has_status.then_some("r-1"),
            "{response:?}"
        );
        assert_eq!(error.status().is_some(), has_status, "{response:?}");
        assert_eq!((error.attempts(), requests), (1, 1), "{response:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn rejected_creates_had_no_effect_and_say_why() {
    for (status, body, reason) in [
        (422, r#"{"error": "no agent"}"#, "no agent"),
        (
            400,
            r#"{"code": "VALIDATION", "message": "bad agent"}"#,
            "bad agent",
        ),
        (400, r#"{"code": "VALIDATION"}"#, "VALIDATION"),
        (422, "<html><h1>No</h1></html>", "<h1>No</h1>"),
        (400, "", "400 Bad Request"),
    ] {
        let (result, requests, _) = create(vec![ScriptedResponse::text(status, body)]).await;
        let error = result.unwrap_err();
        assert!(error.is_validation());
        assert!(!error.may_have_taken_effect());
        assert!(error.to_string().contains(reason), "{error}");
        assert_eq!(error.code().is_some(), body.contains("code"));
        assert_eq!(requests, 1);
    }
    let (result, ..) = create(vec![
        ScriptedResponse::text(422, r#"{"error": "no"#).breaking(),
    ])
    .await;
    assert_eq!(
        result.unwrap_err().status(),
        Some(422),
        "the status was received"
    );
}

#[tokio::test(start_paused = true)]
async fn a_response_body_is_cut_at_the_limit() {
    let script = Scripted::new([ScriptedResponse::text(
        200,
        created().to_string() + &" ".repeat(5000),
    )]);
    let client = script.builder().max_body(1000).build().unwrap();
    let error = client.create_session(hello()).await.unwrap_err();
    assert_eq!(error.body().unwrap().len(), 1000);
    assert!(error.may_have_taken_effect());
    assert_eq!(error.session_id().unwrap().to_string(), SESSION);

    let longest = created().to_string();
    let script = Scripted::new([ScriptedResponse::text(200, &longest)]);
    let client = script.builder().max_body(longest.len()).build().unwrap();
    assert!(client.create_session(hello()).await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn a_follow_up_obeys_the_same_rules() {
    let message = json!({"id": SESSION, "new_field": 1});
    for (response, requests, unknown) in [
        (ScriptedResponse::text(503, ""), 1, true),
        (ScriptedResponse::ok(&message), 1, true),
        (ScriptedResponse::text(404, ""), 1, false),
        (ScriptedResponse::Refused, 5, false),
    ] {
        let script = Scripted::new([response.clone()]);
        let session = script.client().session(session_id());
        let error = session.follow_up(FollowUp::new("more")).await.unwrap_err();
        assert_eq!(error.may_have_taken_effect(), unknown, "{error}");
        assert_eq!(error.session_id(), Some(session.id()));
        assert_eq!(script.count(), requests, "{response:?}");
        let keeps = error.body().is_some_and(|body| body.contains("new_field"));
        assert_eq!(
            keeps,
            matches!(response, ScriptedResponse::Response { status: 200, .. })
        );
    }
}

#[tokio::test(start_paused = true)]
async fn bad_input_is_refused_before_anything_is_sent() {
    let script = Scripted::new([]);
    let client = script.client();
    for request in [
        CreateSession::new(Agent::claude(), " "),
        hello().title("x".repeat(201)),
        CreateSession::new(Agent::Profile(serde_json::Map::new()), "hello"),
    ] {
        let error = client.create_session(request).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
        assert!(!error.may_have_taken_effect());
    }
    for line in [
        json!({"message": "hi"}),
        json!({"agent_name": "claude"}),
        json!({"message": "hi", "agent_name": "claude", "agent_id": SESSION}),
        json!({"message": "hi", "agent_name": "claude", "titel": "x"}),
        json!({"message": 7, "agent_name": "claude"}),
        json!([]),
    ] {
        let error = CreateSession::from_json(line.clone()).expect_err(&line.to_string());
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
    }
    assert_eq!(script.count(), 0);
}

#[tokio::test(start_paused = true)]
async fn fields_of_a_create_are_sent_by_their_names() {
    let script = Scripted::new([ScriptedResponse::ok(&created())]);
    let id = SESSION.parse::<uuid::Uuid>().unwrap();
    let profile = Agent::profile(json!({"name": "reviewer"})).unwrap();
    let request = CreateSession::new(profile, "hello")
        .private(true)
        .title("x".repeat(200))
        .artifacts([id])
        .session_group(id);
    script.client().create_session(request).await.unwrap();
    let seen = &script.seen()[0];
    let sent: serde_json::Value = serde_json::from_str(&seen.body).unwrap();
    assert_eq!(
        sent,
        json!({
            "message": "hello", "profile": {"name": "reviewer"}, "is_private": true,
            "title": "x".repeat(200), "artifact_ids": [SESSION], "session_group_id": SESSION,
        })
    );
    let same = CreateSession::from_json(sent.clone()).unwrap();
    script.client().create_session(same).await.unwrap();
    assert_eq!(
        serde_json::from_str::<serde_json::Value>(&script.seen()[1].body).unwrap(),
        sent
    );
    assert_eq!(
        seen.authorization.as_deref(),
        Some(format!("ApiKey {KEY}").as_str())
    );
    assert!(!seen.headers.iter().any(|name| name == "api-version"));
    assert!(seen.headers.iter().any(|name| name == "user-agent"));
}

#[tokio::test(start_paused = true)]
async fn time_out_and_retries_can_be_set_for_a_call() {
    let script = Scripted::new([ScriptedResponse::Silence]);
    let client = script.client();
    let start = Instant::now();
    let hasty = client.with_attempt_timeout(Duration::from_secs(1));
    let error = hasty.create_session(hello()).await.unwrap_err();
    assert_eq!(
        (error.kind(), start.elapsed().as_secs()),
        (ErrorKind::Timeout, 1)
    );
    let script = Scripted::new([ScriptedResponse::Refused]);
    let once = script.client().with_retry(RetryPolicy::none());
    once.create_session(hello()).await.unwrap_err();
    assert_eq!(script.count(), 1);
}

#[test]
fn a_base_url_that_would_expose_the_key_is_refused() {
    for url in [
        "http://api.blocks.team",
        "http://10.0.0.1:8080",
        "http://[fd00::1]",
        "http://127.0.0.1.example",
        "ftp://127.0.0.1",
        "https://u:p@api.blocks.team",
        "https://api.blocks.team/rest/v1",
        "nonsense",
    ] {
        assert!(Client::builder(KEY).base_url(url).build().is_err(), "{url}");
    }
    for url in [
        "http://localhost:80",
        "http://[::1]:8080",
        "https://blocks.example",
    ] {
        assert!(Client::builder(KEY).base_url(url).build().is_ok(), "{url}");
    }
    let insecure = Client::builder(KEY)
        .base_url("http://blocks.intern")
        .allow_insecure_http();
    assert!(insecure.build().is_ok());
    assert!(Client::builder("line\nbreak").build().is_err());
}

#[tokio::test(start_paused = true)]
async fn a_permit_is_that_of_the_first_attempt() {
    let script = Scripted::new([ScriptedResponse::Refused, ScriptedResponse::ok(&created())]);
    let client = script.client();
    let permit = client.acquire_create().await.unwrap();
    let used = || client.rate_limit_status().used_in_last_minute;
    assert_eq!((used(), script.count()), (1, 0));
    permit.create_session(hello()).await.unwrap();
    assert_eq!((used(), script.count()), (2, 2), "one more for the retry");
}

#[tokio::test(start_paused = true)]
async fn permits_that_are_not_used_are_given_back() {
    let script = Scripted::new([ScriptedResponse::ok(&created())]);
    let client = script.client();
    let used = || client.rate_limit_status().used_in_last_minute;
    drop(client.acquire_create().await.unwrap());
    assert_eq!(used(), 0);
    let permit = client.acquire_create().await.unwrap();
    let empty = CreateSession::new(Agent::claude(), "");
    let error = permit.create_session(empty).await.unwrap_err();
    assert_eq!((error.kind(), used()), (ErrorKind::InvalidInput, 0));
    let late = client.acquire_create().await.unwrap();
    tokio::time::advance(Duration::from_secs(59)).await;
    late.create_session(hello()).await.unwrap();
    tokio::time::advance(Duration::from_secs(59)).await;
    assert_eq!(used(), 1, "it counts from the time it was sent");
}

#[tokio::test(start_paused = true)]
async fn permits_are_granted_as_far_as_the_limit_allows() {
    let script = Scripted::new([]);
    let limit = RateLimit::per_minute(10).unwrap();
    let client = script.builder().rate_limit(limit).build().unwrap();
    let mut permits = Vec::new();
    let acquire_all = async {
        loop {
            permits.push(client.acquire_create().await.unwrap());
        }
    };
    let all = tokio::time::timeout(Duration::from_secs(1), acquire_all).await;
    all.unwrap_err();
    assert_eq!((permits.len(), script.count()), (10, 0));
    let policy = RetryPolicy::default().call_timeout(Duration::from_secs(5));
    let error = client
        .with_retry(policy)
        .acquire_create()
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::RateLimited);
    assert!(!error.may_have_taken_effect());
    assert!(script.count() == 0);
}

#[tokio::test(start_paused = true)]
async fn a_permit_can_be_used_for_a_follow_up() {
    let followed = json!({"id": SESSION, "chat_thread_id": blocks_tests::THREAD});
    let script = Scripted::new([ScriptedResponse::ok(&followed)]);
    let client = script.client();
    let permit = client.acquire_create().await.unwrap();
    let id = session_id();
    let turn = permit.follow_up(&id, FollowUp::new("More.")).await.unwrap();
    assert_eq!(*turn.session_id(), id);
    assert_eq!(client.rate_limit_status().used_in_last_minute, 1);
}

/// Creates a session with a mock that has this fault once, and drops the future after 5 seconds. Returns whether the
/// create may have had an effect.
async fn effect_of_dropped_create(fault: Option<Fault>) -> bool {
    let mock = Mock::new();
    if let Some(fault) = fault {
        mock.inject(None, Frequency::ONCE, fault);
    }
    let builder = Client::builder(mock.key()).service(mock.service());
    let client = builder.own_rate_limiter().build().unwrap();
    let permit = client.acquire_create().await.unwrap();
    let effect = permit.effect();
    assert!(!effect.may_have_taken_effect(), "nothing was sent yet");
    let create = permit.create_session(hello());
    let _ = tokio::time::timeout(Duration::from_secs(5), create).await;
    effect.may_have_taken_effect()
}

#[tokio::test(start_paused = true)]
async fn a_dropped_create_has_a_known_effect() {
    let refused = Fault::rate_limited(Some(RetryAfter::Seconds(30)));
    let slow = Fault::Delay(Duration::from_secs(9));
    for (fault, expected) in [
        (None, true),
        (Some(slow), true),
        (Some(Fault::status(500)), true),
        (Some(Fault::status(422)), false),
        (Some(refused), false),
    ] {
        let effect = effect_of_dropped_create(fault.clone()).await;
        assert_eq!(effect, expected, "{fault:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_dropped_follow_up_has_a_known_effect() {
    let limited = ScriptedResponse::text(429, "slow down").header("retry-after", "30");
    let followed = json!({"id": SESSION, "chat_thread_id": blocks_tests::THREAD});
    let script = Scripted::new([limited, ScriptedResponse::ok(&followed)]);
    let permit = script.client().acquire_create().await.unwrap();
    let effect = permit.effect();
    let mut post = Box::pin(permit.follow_up(session_id(), FollowUp::new("More.")));
    let paused = tokio::time::timeout(Duration::from_secs(5), &mut post).await;
    assert!(paused.is_err() && !effect.may_have_taken_effect());
    post.await.unwrap();
    assert!(effect.may_have_taken_effect());
}

#[tokio::test(start_paused = true)]
async fn a_detached_create_is_not_stopped() {
    let mock = blocks_mock::Mock::new();
    let slow = || blocks_mock::Fault::Delay(Duration::from_secs(9));
    let once = blocks_mock::Frequency::ONCE;
    let client = Client::builder(mock.key())
        .service(mock.service())
        .build()
        .unwrap();
    let create = || {
        mock.inject(None, once, slow());
        client.create_session_detached(hello())
    };
    drop(create());
    tokio::time::sleep(Duration::from_secs(20)).await;
    assert_eq!(mock.session_count(), 1);

    let mut second = create();
    let early = tokio::time::timeout(Duration::from_secs(1), &mut second).await;
    early.unwrap_err();
    assert!(!second.is_finished());
    let session = second.await.unwrap();
    assert_eq!(mock.session_count(), 2);

    mock.inject(None, once, slow());
    drop(session.follow_up_detached(FollowUp::new("More.")));
    tokio::time::sleep(Duration::from_secs(20)).await;
    assert_eq!(mock.user_message_count(), 3);
}

#[test]
fn a_stopped_runtime_leaves_the_outcome_unknown() {
    let runtime = || {
        let mut builder = tokio::runtime::Builder::new_current_thread();
        builder.enable_all().build().unwrap()
    };
    let script = Scripted::new([ScriptedResponse::Silence]);
    let client = script.client();
    let ending = runtime();
    // The block ends as soon as the request was sent, and returns the future `create`. This future is in a tuple,
    // because clippy rejects an `async` block that returns a future.
    let (create,) = ending.block_on(async {
        let create = client.create_session_detached(hello());
        while script.count() == 0 {
            tokio::task::yield_now().await;
        }
        (create,)
    });
    drop(ending);
    let error = runtime().block_on(create).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Connection);
    assert!(error.may_have_taken_effect());
}

#[tokio::test]
async fn a_configured_client_follows_no_redirect() {
    let follow =
        |http: reqwest::ClientBuilder| http.redirect(reqwest::redirect::Policy::limited(10));
    for own_transport in [false, true] {
        let away = blocks_mock::Fault::Redirect("http://127.0.0.1:1/x".into());
        let always = blocks_mock::Frequency::Always;
        let server = blocks_mock::Mock::builder()
            .fault(blocks_mock::Operation::CreateSession, always, away)
            .start()
            .await
            .unwrap();
        let builder = Client::builder(server.key()).base_url(server.url());
        let builder = if own_transport {
            builder.transport(blocks_sdk::HttpTransport::configured(follow).unwrap())
        } else {
            builder.configure_http(follow)
        };
        let error = builder.build().unwrap().create_session(hello()).await;
        let error = error.unwrap_err();
        assert!(error.may_have_taken_effect(), "{error}");
        assert_eq!(server.requests().len(), 1, "transport: {own_transport}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_empty_profile_of_a_follow_up_is_refused() {
    let script = Scripted::new([]);
    let session = script.client().session(session_id());
    let request = FollowUp::new("x").profile(serde_json::Map::new());
    let error = session.follow_up(request).await.unwrap_err();
    assert_eq!((error.kind(), script.count()), (ErrorKind::InvalidInput, 0));
}
