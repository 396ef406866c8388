//! Tests of raw requests, extra parameters and the headers of successful responses. With them, a program can use
//! features of the service for which the SDK has no method.

use blocks_sdk::{ErrorKind, FollowUp};
use blocks_tests::{Scripted, ScriptedResponse, created, page, session_id};
use serde_json::json;

#[tokio::test(start_paused = true)]
async fn a_raw_request_is_retried_only_if_that_is_safe() {
    use blocks_sdk::http::Method;
    for (method, status, sent) in [
        (Method::GET, 503, 2),
        (Method::HEAD, 503, 2),
        (Method::POST, 503, 1),
        (Method::DELETE, 503, 1),
        (Method::PATCH, 429, 2),
    ] {
        let script = Scripted::new([
            ScriptedResponse::text(status, ""),
            ScriptedResponse::text(200, ""),
        ]);
        let request = script.client().request(method.clone(), "/rest/v1/new");
        let result = request.query("a", "b c").send().await;
        assert_eq!(
            (result.is_ok(), script.count()),
            (sent == 2, sent),
            "{method}"
        );
        if let Err(error) = result {
            assert!(error.may_have_taken_effect(), "{method}");
        }
        let seen = &script.seen()[0];
        assert_eq!(
            seen.url.as_str(),
            "https://api.blocks.team/rest/v1/new?a=b+c"
        );
        assert!(seen.authorization.is_some());
        assert!(seen.method == method);
    }
}

#[tokio::test(start_paused = true)]
async fn the_error_of_a_raw_request_names_its_path() {
    use blocks_sdk::http::Method;
    let key = blocks_tests::KEY;
    for (method, path, named) in [
        (Method::GET, "/rest/v1/new", "GET request for /rest/v1/new"),
        (
            Method::DELETE,
            "/rest/v1/a b?token=s3cret#part",
            "DELETE request for /rest/v1/a%20b",
        ),
        (
            Method::POST,
            &format!("/rest/v1/{key}"),
            "POST request for /rest/v1/<redacted>",
        ),
    ] {
        let script = Scripted::new([ScriptedResponse::text(400, r#"{"error": "no"}"#)]);
        let request = script.client().request(method, path);
        let error = request.query("signature", "s3cret").send().await;
        let error = error.unwrap_err();
        let expected = format!("{named} at api.blocks.team failed: 400 Bad Request: no");
        assert_eq!(error.to_string(), expected);
        let debug = format!("{error:?}");
        assert!(!debug.contains("s3cret") && !debug.contains(key), "{debug}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_raw_request_stays_below_the_service() {
    use blocks_sdk::http::Method;
    for path in [
        "/rest/v2/x",
        "https://evil.example/rest/v1/x",
        "//evil.example/rest/v1/x",
        "/rest/v1/../../x",
        "/rest/v1/%2e%2e/x",
        "/rest/v1/%2e%2e/x?token=s3cret",
        "/rest/v1/%2e%2e/x#s3cret",
        "",
    ] {
        let script = Scripted::new([]);
        let error = script.client().request(Method::GET, path).send().await;
        let error = error.unwrap_err();
        assert_eq!(
            (error.kind(), script.count()),
            (ErrorKind::InvalidInput, 0),
            "{path}"
        );
        let text = format!("{error} {error:?}");
        assert!(!text.contains("s3cret"), "{text}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_success_has_its_status_headers_and_request_id() {
    let response = || {
        let response = ScriptedResponse::ok(&created()).header("x-request-id", "r-1");
        let escaped = blocks_tests::KEY.replacen('e', r"\u0065", 1);
        let response = response.header("x-json", format!(r#"{{"key":"{escaped}"}}"#));
        response.header("x-echo", blocks_tests::KEY)
    };
    let script = Scripted::new([response()]);
    let client = script.client();
    let session = client.create_session(crate::hello()).await.unwrap();
    let info = session.response();
    assert_eq!((info.status(), info.request_id()), (200, Some("r-1")));
    assert_eq!(info.headers()["x-echo"], "<redacted>");
    assert_eq!(info.headers()["x-json"], "<redacted>");
    let turn = session.follow_up(FollowUp::new("More.")).await.unwrap();
    assert_eq!(turn.response().unwrap().request_id(), Some("r-1"));
    let raw = client.request(blocks_sdk::http::Method::POST, "/rest/v1/new");
    let raw = raw.json(&json!({"a": 1})).send().await.unwrap();
    assert_eq!(raw.info().request_id(), Some("r-1"));
    assert_eq!(script.seen()[2].body, r#"{"a":1}"#);
}

#[tokio::test(start_paused = true)]
async fn extra_parameters_are_sent_and_known_ones_refused() {
    let script = Scripted::new([ScriptedResponse::ok(&page(json!([])))]);
    let id = session_id();
    let session = script.client().session(id);
    let messages = session.messages().extra("a", 1).extra("a", "b&c");
    messages.send().await.unwrap();
    let query = "page=1&limit=50&direction=asc&a=1&a=b%26c";
    assert_eq!(script.seen()[0].url.query(), Some(query));
    for name in [
        "type",
        "role",
        "thread_id",
        "gts",
        "page",
        "limit",
        "direction",
    ] {
        let error = session.messages().extra(name, 1).send().await.unwrap_err();
        assert_eq!((error.kind(), script.count()), (ErrorKind::InvalidInput, 1));
    }
}
