//! Tests of what an error contains: the host, the cause, the service's reason and the request id.

use blocks_sdk::{Client, Error, ErrorKind};
use blocks_tests::{KEY, SESSION, Scripted, ScriptedResponse, session_id};

use super::hello;

async fn create(response: ScriptedResponse) -> Error {
    let script = Scripted::new([response]);
    let client = script.client();
    client.create_session(hello()).await.unwrap_err()
}

#[tokio::test(start_paused = true)]
async fn the_reason_of_the_service_is_in_the_sentence() {
    let shapes = [
        (
            400,
            r#"{"statusCode": 400, "error": "Bad Request", "message": "agent_name must be one of a, b"}"#,
            "agent_name must be one of a, b",
        ),
        (
            400,
            r#"{"error": "Bad Request", "message": ["a", "b"]}"#,
            ": a, b",
        ),
        (
            422,
            r#"{"detail": [{"msg": "field required"}]}"#,
            "field required",
        ),
        (
            200,
            r#"{"error": "workspace has no credit left"}"#,
            "workspace has no credit left",
        ),
        (
            200,
            "<html><title>Sign in</title></html>",
            "<html><title>Sign in</title></html>",
        ),
        (502, "<h1>Bad gateway</h1>", "<h1>Bad gateway</h1>"),
    ];
    for (status, body, reason) in shapes {
        let error = create(ScriptedResponse::text(status, body)).await;
        assert!(error.to_string().contains(reason), "{error}");
        assert!(
            error
                .to_string()
                .starts_with("createSession at api.blocks.team failed"),
            "{error}"
        );
        assert_eq!(error.body().as_deref(), Some(body));
    }
}

/// Checks the kind of error that each response causes, and whether the error is transient. After a transient error, a
/// repeated read may succeed.
#[tokio::test(start_paused = true)]
async fn only_errors_that_may_pass_are_transient() {
    let text = ScriptedResponse::text;
    let large = ScriptedResponse::bytes(200, vec![b' '; (16 << 20) + 1]);
    for (response, kind, is_transient) in [
        (text(503, ""), ErrorKind::Status, true),
        (text(408, ""), ErrorKind::Status, true),
        (text(500, ""), ErrorKind::Status, true),
        (text(400, ""), ErrorKind::Status, false),
        (text(404, ""), ErrorKind::Status, false),
        (text(302, ""), ErrorKind::Status, false),
        (text(429, ""), ErrorKind::RateLimited, true),
        (text(200, "{}"), ErrorKind::Undecodable, true),
        (text(200, "{").breaking(), ErrorKind::Connection, true),
        (ScriptedResponse::Refused, ErrorKind::Connection, true),
        (ScriptedResponse::Broken, ErrorKind::Connection, true),
        (ScriptedResponse::Silence, ErrorKind::Timeout, true),
        (large, ErrorKind::TooLarge, false),
    ] {
        let script = Scripted::new([response]);
        let client = script.client();
        let error = client.get_session(session_id()).await;
        let error = error.unwrap_err();
        let found = (error.kind(), error.is_transient());
        assert_eq!(found, (kind, is_transient), "{error}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_error_says_how_long_to_wait() {
    for status in [429, 503, 500, 408] {
        let error =
            create(ScriptedResponse::text(status, "busy").header("retry-after", "5000")).await;
        assert_eq!(error.retry_after().map(|pause| pause.as_secs()), Some(5000));
        assert!(error.to_string().contains("retry after 5000s"), "{error}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_log_in_page_is_named_by_its_content_type() {
    let page =
        ScriptedResponse::text(200, "<html>").header("content-type", "text/html; charset=utf-8");
    let error = create(page).await;
    assert!(
        error.to_string().contains("content type text/html"),
        "{error}"
    );
    assert!(error.may_have_taken_effect());
}

#[tokio::test(start_paused = true)]
async fn a_redirect_is_named_by_its_host_only() {
    let redirect =
        ScriptedResponse::text(308, "").header("location", "https://login.example/x?token=s3cret");
    let text = create(redirect).await.to_string();
    assert!(
        text.contains("a redirect to login.example that is not followed"),
        "{text}"
    );
    assert!(!text.contains("s3cret"), "{text}");
}

#[tokio::test(start_paused = true)]
async fn the_id_of_a_request_is_found_in_every_usual_header() {
    for name in [
        "x-request-id",
        "request-id",
        "cf-ray",
        "x-amzn-requestid",
        "x-amz-cf-id",
    ] {
        let error = create(ScriptedResponse::text(400, "{}").header(name, "req-7")).await;
        assert_eq!(error.request_id(), Some("req-7"), "{name}");
        assert!(error.to_string().contains("(request id req-7)"), "{error}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_id_of_a_gateways_error_is_not_a_session() {
    let body = format!(r#"{{"error": "bad gateway", "id": "{SESSION}"}}"#);
    let error = create(ScriptedResponse::text(502, body)).await;
    assert!(error.may_have_taken_effect());
    assert_eq!(error.session_id(), None);
}

/// Returns a port on which nothing listens.
async fn closed_port() -> u16 {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    listener.local_addr().unwrap().port()
}

#[tokio::test]
async fn a_failure_to_connect_names_the_host_and_the_cause() {
    let url = format!("http://127.0.0.1:{}", closed_port().await);
    let policy = blocks_sdk::RetryPolicy::none();
    for (url, host, cause) in [
        (url.as_str(), "127.0.0.1", "refused"),
        (
            "https://no-such-host.invalid",
            "no-such-host.invalid",
            "lookup",
        ),
    ] {
        let client = Client::builder(KEY)
            .base_url(url)
            .retry(policy)
            .build()
            .unwrap();
        let error = client.create_session(hello()).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Connection);
        assert!(!error.may_have_taken_effect(), "{error}");
        let text = error.to_string();
        assert!(
            text.contains(&format!("could not connect to {host}: ")),
            "{text}"
        );
        assert!(text.contains(cause), "{text}");
    }
}
