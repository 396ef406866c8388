//! Tests each switch of a dialect. A switch selects one behaviour of the mock. Most switches are for behaviour in which
//! the live service, the documentation and the vendor's mock differ. Also tests the notices of failure.

use blocks_mock::{Action, Dialect, FailureNotice, Mock, Script};
use serde_json::{Value, json};
use std::time::Duration;

use crate::Socket;

async fn speaking(change: impl FnOnce(&mut Dialect)) -> Socket {
    let mut dialect = Dialect::observed();
    change(&mut dialect);
    let script = Script::reply("Done.").reply_after(Duration::ZERO);
    let script = script.step(
        Duration::ZERO,
        Action::PullRequest("https://example.com/1".into()),
    );
    Socket::new(Mock::builder().dialect(dialect).agent(script)).await
}

/// Creates a session. Returns the session, and the page of its messages, without tool calls.
async fn session_and_messages(socket: &Socket) -> (Value, Value) {
    let made = socket.create().await;
    let id = made["id"].as_str().unwrap();
    let path = format!("/{id}/messages?role=user&role=assistant");
    let (status, page) = socket.get(&path).await;
    assert_eq!(status, 200, "{page}");
    (made, page)
}

#[tokio::test]
async fn validation_failures_have_the_status_and_form_of_the_dialect() {
    for (status, codes) in [(400, true), (422, false), (400, false), (422, true)] {
        let socket = speaking(|dialect| {
            dialect.validation_status = status;
            dialect.error_codes = codes;
        })
        .await;
        let (received, body) = socket.get("/not-a-uuid").await;
        assert_eq!(received, status);
        assert_eq!(body["code"] == "VALIDATION", codes, "{body}");
        assert_eq!(body["error"].is_string(), !codes, "{body}");
    }
}

#[tokio::test]
async fn only_documented_errors_have_a_code() {
    let socket = speaking(|dialect| *dialect = Dialect::documented()).await;
    let limit = json!({"rate_limit": {"requests": 2}});
    let control = format!("{}/_mock/settings", socket.mock.url());
    let patched = socket.http.patch(control).json(&limit).send().await;
    assert_eq!(patched.unwrap().status(), 200);
    let url = format!("{}/rest/v1/sessions/{UNKNOWN}", socket.mock.url());
    let get = |key: &str| socket.http.get(&url).header("authorization", key);
    let right = || get("ApiKey test-key");
    let invalid = socket.request(reqwest::Method::GET, "/x");
    for (request, status, code) in [
        (socket.http.get(&url), 401, json!(null)),
        (get("ApiKey other"), 403, json!(null)),
        (socket.http.delete(&url), 405, json!(null)),
        (invalid, 400, json!("VALIDATION")),
        (right(), 404, json!("NOT_FOUND")),
        (right(), 429, json!(null)),
    ] {
        let response = request.send().await.unwrap();
        assert_eq!(response.status(), status);
        let body: Value = response.json().await.unwrap();
        assert_eq!(body["code"], code, "{body}");
        assert_eq!(body.get("code").is_none(), code.is_null(), "{body}");
        assert!(body["message"].is_string(), "{body}");
    }
}

#[tokio::test]
async fn ids_and_queries_are_checked_before_the_session() {
    let socket = speaking(|_| ()).await;
    for (path, status) in [
        ("threads/abc/messages", 422),
        ("artifacts/abc", 422),
        ("messages?thread_id=abc", 422),
        ("messages?page=0", 422),
        ("messages", 404),
    ] {
        let received = socket.get(&format!("/{UNKNOWN}/{path}")).await.0;
        assert_eq!(received, status, "{path}");
    }
}

#[tokio::test]
async fn a_page_number_has_at_most_63_bits() {
    let (socket, path) = speaking_with_messages().await;
    for page in ["9223372036854775808", "99999999999999999999"] {
        let (status, page) = socket.get(&format!("{path}?page={page}")).await;
        assert_eq!((status, &page["meta"]["page"]), (200, &json!(i64::MAX)));
    }
}

#[tokio::test]
async fn the_cursor_of_an_empty_page_is_the_current_second() {
    let (socket, path) = speaking_with_messages().await;
    for query in ["?limit=1&page=99", "?type=tool_call"] {
        let before = socket.mock.now().floor();
        let (_, page) = socket.get(&format!("{path}{query}")).await;
        assert_eq!(page["items"], json!([]));
        let href = page["_links"]["new_messages"]["href"].as_str().unwrap();
        let (_, cursor) = href.split_once("?gts=").unwrap();
        let cursor: f64 = cursor.parse().unwrap();
        assert_eq!(cursor, cursor.floor(), "{href}");
        assert!((before..=socket.mock.now()).contains(&cursor), "{href}");
    }
}

/// Creates a session of the observed dialect. Returns the path of its messages.
async fn speaking_with_messages() -> (Socket, String) {
    let socket = speaking(|_| ()).await;
    let made = socket.create().await;
    let path = format!("/{}/messages", made["id"].as_str().unwrap());
    (socket, path)
}

#[tokio::test]
async fn the_links_of_an_unknown_short_thread_name_it() {
    let socket = speaking(|dialect| *dialect = Dialect::vendor_mock()).await;
    let made = socket.create().await;
    let path = format!("/{}/threads/t9/messages", made["id"].as_str().unwrap());
    let (status, page) = socket.get(&path).await;
    assert_eq!((status, &page["items"]), (200, &json!([])));
    for name in ["self", "new_messages"] {
        let href = page["_links"][name]["href"].as_str().unwrap();
        assert!(href.contains("/threads/t9/messages"), "{href}");
    }
}

#[tokio::test]
async fn a_create_responds_with_200_or_201() {
    for status in [200, 201] {
        let socket = speaking(|dialect| dialect.created_status = status).await;
        assert_eq!(socket.creating().send().await.unwrap().status(), status);
    }
}

#[tokio::test]
async fn pages_start_with_the_oldest_or_the_newest() {
    for newest_first in [false, true] {
        let socket = speaking(|dialect| dialect.newest_first = newest_first).await;
        let (_, page) = session_and_messages(&socket).await;
        assert_eq!(
            page["items"][0]["type"] == "final_message",
            newest_first,
            "{page}"
        );
    }
}

#[tokio::test]
async fn pull_requests_are_texts_or_objects() {
    for objects in [false, true] {
        let socket = speaking(|dialect| dialect.pull_request_objects = objects).await;
        let made = socket.create().await;
        let (_, session) = socket
            .get(&format!("/{}", made["id"].as_str().unwrap()))
            .await;
        let expected = match objects {
            true => json!([{"url": "https://example.com/1", "status": "open"}]),
            false => json!(["https://example.com/1"]),
        };
        assert_eq!(session["pull_requests"], expected);
    }
}

#[tokio::test]
async fn links_name_the_origin_that_was_called_or_another() {
    for origin in [None, Some("https://elsewhere.example".to_owned())] {
        let socket = speaking(|dialect| dialect.link_origin = origin.clone()).await;
        let made = socket.create().await;
        let href = made["_links"]["self"]["href"].as_str().unwrap();
        let expected = origin.unwrap_or_else(|| socket.mock.url());
        assert!(href.starts_with(&format!("{expected}/rest/v1/")), "{href}");
    }
}

#[tokio::test]
async fn links_of_a_page_keep_or_drop_its_filters() {
    for drop in [false, true] {
        let socket = speaking(|dialect| dialect.links_drop_filters = drop).await;
        let (_, page) = session_and_messages(&socket).await;
        for name in ["self", "new_messages"] {
            let href = page["_links"][name]["href"].as_str().unwrap();
            assert_eq!(href.contains("role=user"), !drop, "{href}");
            assert_eq!(href.contains("gts="), name == "new_messages", "{href}");
        }
    }
}

#[tokio::test]
async fn the_final_text_comes_once_or_twice() {
    for is_duplicated in [false, true] {
        let socket = speaking(|dialect| dialect.duplicated_final = is_duplicated).await;
        let (_, page) = session_and_messages(&socket).await;
        let items = page["items"].as_array().unwrap();
        let times = items.iter().filter(|m| m["message"] == "Done.").count();
        assert_eq!(times, if is_duplicated { 2 } else { 1 });
    }
}

#[tokio::test]
async fn system_notices_are_in_no_thread() {
    for notices in [false, true] {
        let socket = speaking(|dialect| dialect.system_notices = notices).await;
        let (_, page) = session_and_messages(&socket).await;
        let items = page["items"].as_array().unwrap();
        assert_eq!(items.iter().any(|m| m["chat_thread_id"].is_null()), notices);
    }
}

#[tokio::test]
async fn a_repeated_role_is_taken_or_refused() {
    for (refused, status) in [(false, 200), (true, 422)] {
        let socket = speaking(|dialect| dialect.repeated_role_rejected = refused).await;
        let made = socket.create().await;
        let path = format!("/{}/messages", made["id"].as_str().unwrap());
        let both = format!("{path}?role=user&role=assistant");
        assert_eq!(socket.get(&both).await.0, status);
        assert_eq!(socket.get(&format!("{path}?role=user")).await.0, 200);
    }
}

#[tokio::test]
async fn the_users_messages_have_a_ts_or_none() {
    for null in [false, true] {
        let socket = speaking(|dialect| dialect.user_ts_null = null).await;
        let (_, page) = session_and_messages(&socket).await;
        let items = page["items"].as_array().unwrap();
        let user = items.iter().find(|m| m["role"] == "user").unwrap();
        assert_eq!(user["ts"].is_null(), null);
    }
}

#[tokio::test]
async fn items_are_whole_or_bare() {
    for bare in [false, true] {
        let socket = speaking(|dialect| dialect.bare_items = bare).await;
        let (_, page) = session_and_messages(&socket).await;
        for name in ["chat_id", "task_id", "created_at", "updated_at"] {
            assert_eq!(page["items"][0].get(name).is_none(), bare, "{name}");
        }
    }
}

#[tokio::test]
async fn fields_beyond_the_documentation_are_there_or_not() {
    for observed in [false, true] {
        let socket = speaking(|dialect| dialect.observed_fields = observed).await;
        let made = socket.create().await;
        assert_eq!(made.get("plan_artifact_ids").is_some(), observed);
        assert_eq!(made.get("session_group_id").is_some(), observed);
    }
}

#[tokio::test]
async fn the_seventh_agent_is_known_or_not() {
    for (known, status) in [(true, 200), (false, 422)] {
        let socket = speaking(|dialect| dialect.sisyphus = known).await;
        let body = json!({"message": "hi", "agent_name": "sisyphus"});
        let request = socket.request(reqwest::Method::POST, "").json(&body);
        assert_eq!(request.send().await.unwrap().status(), status);
    }
}

#[tokio::test]
async fn several_agents_are_refused_or_not() {
    for (refused, status) in [(true, 422), (false, 200)] {
        let socket = speaking(|dialect| dialect.several_agents_rejected = refused).await;
        let body = json!({"message": "hi", "agent_name": "claude", "profile": {"name": "x"}});
        let request = socket.request(reqwest::Method::POST, "").json(&body);
        assert_eq!(request.send().await.unwrap().status(), status);
    }
}

const UNKNOWN: &str = "a196cec6-49cb-4c48-8e4c-2707fb5d6709";

/// Sends a follow-up to a session. Returns the response, and the messages of the new turn. The service keeps the
/// messages of each turn in a separate thread.
async fn follow_up(socket: &Socket, session: &str) -> (Value, Vec<Value>) {
    let path = format!("/{session}/messages");
    let request = socket.request(reqwest::Method::POST, &path);
    let response = request.json(&json!({"message": "more"})).send().await;
    let made: Value = response.unwrap().json().await.unwrap();
    let thread = made["_links"]["thread"]["href"].as_str().unwrap();
    let (_, path) = thread.split_once("/rest/v1/sessions").unwrap();
    let (_, page) = socket
        .get(&format!("{path}?role=user&role=assistant"))
        .await;
    (made, page["items"].as_array().unwrap().clone())
}

#[tokio::test]
async fn keys_and_headers_are_refused_by_status() {
    for wrong in [403, 401] {
        let socket = speaking(|dialect| dialect.wrong_key_status = wrong).await;
        for (headers, status) in [
            (&[][..], 401),
            (&["ApiKey test-key"], 404),
            (&["ApiKey other"], wrong),
            (&["Bearer test-key"], wrong),
            (&["test-key"], wrong),
            (&["apikey test-key"], wrong),
            (&[""], wrong),
            (&["ApiKey test-key", "ApiKey test-key"], wrong),
            (&["ApiKey test-key", "Bearer other"], wrong),
        ] {
            let url = format!("{}/rest/v1/sessions/{UNKNOWN}", socket.mock.url());
            let mut request = socket.http.get(url);
            for header in headers {
                request = request.header("authorization", *header);
            }
            let received = request.send().await.unwrap().status();
            assert_eq!(received, status, "{headers:?}");
        }
    }
}

#[tokio::test]
async fn unknown_threads_are_not_found_or_empty() {
    for (refused, status) in [(false, 200), (true, 404)] {
        let socket = speaking(|dialect| dialect.unknown_thread_rejected = refused).await;
        let id = socket.create().await["id"].as_str().unwrap().to_owned();
        let threaded = format!("/{id}/threads/{UNKNOWN}/messages");
        let (received, page) = socket.get(&threaded).await;
        assert_eq!(received, status);
        assert_eq!(page["items"] == json!([]), !refused, "{page}");
        let filtered = format!("/{id}/messages?thread_id={UNKNOWN}");
        let (received, page) = socket.get(&filtered).await;
        assert_eq!((received, &page["items"]), (200, &json!([])));
    }
}

#[tokio::test]
async fn html_urls_contain_the_workspace_or_not() {
    for (workspace, segments) in [(true, 4), (false, 3)] {
        let socket = speaking(|dialect| dialect.workspace_in_html_url = workspace).await;
        let made = socket.create().await;
        let url = made["session_html_url"].as_str().unwrap();
        let (_, path) = url.split_once("://").unwrap().1.split_once('/').unwrap();
        assert_eq!(path.split('/').count(), segments, "{url}");
        assert!(path.starts_with("app/"), "{url}");
        let own = format!("/sessions/{}", made["id"].as_str().unwrap());
        assert!(url.ends_with(&own), "{url}");
    }
}

#[tokio::test]
async fn tool_calls_have_either_shape() {
    let call = |input: Value| Action::ToolCall {
        name: "Bash".into(),
        input,
    };
    let inputs = [
        json!({"command": "ls"}),
        json!("ls -l"),
        json!([1]),
        json!(null),
    ];
    let top_level = [
        json!({"__name__": "Bash", "command": "ls"}),
        json!({"__name__": "Bash", "input": "ls -l"}),
        json!({"__name__": "Bash", "input": [1]}),
        json!({"__name__": "Bash"}),
    ];
    let as_text = [
        json!({"__name__": "Bash", "input": r#"{"command":"ls"}"#}),
        json!({"__name__": "Bash", "input": "ls -l"}),
        json!({"__name__": "Bash", "input": "[1]"}),
        json!({"__name__": "Bash"}),
    ];
    for (text, expected) in [(false, top_level), (true, as_text)] {
        let mut dialect = Dialect::observed();
        dialect.tool_input_text = text;
        let mut script = Script::reply("Done.").reply_after(Duration::ZERO);
        for input in &inputs {
            script = script.step(Duration::ZERO, call(input.clone()));
        }
        let socket = Socket::new(Mock::builder().dialect(dialect).agent(script)).await;
        let id = socket.create().await["id"].as_str().unwrap().to_owned();
        let (_, page) = socket.get(&format!("/{id}/messages?type=tool_call")).await;
        let items = page["items"].as_array().unwrap().iter();
        let calls: Vec<Value> = items
            .map(|item| serde_json::from_str(item["message"].as_str().unwrap()).unwrap())
            .collect();
        assert_eq!(calls, expected);
    }
}

#[tokio::test]
async fn privacy_can_be_forced() {
    for forced in [false, true] {
        let socket = speaking(|dialect| dialect.forced_private = forced).await;
        let made = socket.create().await;
        assert_eq!(made["is_private"], forced);
        let id = made["id"].as_str().unwrap();
        let (_, read) = socket.get(&format!("/{id}")).await;
        assert_eq!(read["is_private"], forced);
    }
}

#[tokio::test]
async fn a_session_that_is_read_links_to_no_thread() {
    for named in [false, true] {
        let socket = speaking(|dialect| dialect.null_thread_link = named).await;
        let made = socket.create().await;
        let created = made["_links"]["final_message"]["href"].as_str().unwrap();
        assert!(!created.contains("/threads/null/"), "{created}");
        let id = made["id"].as_str().unwrap();
        let (_, read) = socket.get(&format!("/{id}")).await;
        assert_eq!(
            (&read["thread_id"], &read["_links"]["thread"]),
            (&json!(null), &json!(null))
        );
        let href = read["_links"]["final_message"]["href"].as_str();
        assert_eq!(
            href.is_some_and(|href| href.contains("/threads/null/messages?")),
            named
        );
        assert_eq!(read["_links"]["final_message"].is_null(), !named);
    }
}

#[tokio::test]
async fn a_final_message_names_its_thread_or_the_first() {
    for first in [false, true] {
        let socket = speaking(|dialect| dialect.final_names_first_thread = first).await;
        let made = socket.create().await;
        let (second, items) = follow_up(&socket, made["id"].as_str().unwrap()).await;
        let expected = if first {
            &made["thread_id"]
        } else {
            &second["chat_thread_id"]
        };
        for item in items {
            let thread = match item["type"] == "final_message" {
                true => expected,
                false => &second["chat_thread_id"],
            };
            assert_eq!(&item["chat_thread_id"], thread, "{item}");
        }
    }
}

#[tokio::test]
async fn times_have_a_zone_or_none() {
    for without in [false, true] {
        let socket = speaking(|dialect| dialect.times_without_zone = without).await;
        let (made, page) = session_and_messages(&socket).await;
        for value in [&made, &page["items"][0]] {
            for name in ["created_at", "updated_at"] {
                let time = value[name].as_str().unwrap();
                assert_eq!(time.ends_with('Z'), !without, "{time}");
                assert_eq!(time.len(), if without { 23 } else { 24 }, "{time}");
            }
        }
    }
}

#[tokio::test]
async fn ids_can_be_short_texts() {
    let socket = speaking(|dialect| {
        dialect.short_ids = true;
        dialect.unknown_thread_rejected = true;
    })
    .await;
    let (made, page) = session_and_messages(&socket).await;
    assert_eq!(made["thread_id"], "t1");
    let ids = |items: &[Value]| -> Vec<(String, String, Value)> {
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let items = items.iter();
        items
            .map(|m| {
                (
                    text(&m["id"]),
                    text(&m["task_id"]),
                    m["chat_thread_id"].clone(),
                )
            })
            .collect()
    };
    let expected =
        |number: u32, task: &str, thread: Value| (format!("m{number}"), task.to_owned(), thread);
    assert_eq!(
        ids(page["items"].as_array().unwrap()),
        [
            expected(0, "task-1", json!(null)),
            expected(1, "task-1", json!("t1")),
            expected(2, "task-1", json!("t1")),
            expected(3, "task-1", json!("t1")),
        ]
    );
    let session = made["id"].as_str().unwrap();
    let (second, items) = follow_up(&socket, session).await;
    assert_eq!(
        (&second["id"], &second["chat_thread_id"]),
        (&json!("m4"), &json!("t2"))
    );
    assert_eq!(
        ids(&items),
        [
            expected(4, "task-2", json!("t2")),
            expected(5, "task-2", json!("t2")),
            expected(6, "task-2", json!("t2")),
        ]
    );
    let (_, filtered) = socket
        .get(&format!("/{session}/messages?thread_id=t2"))
        .await;
    assert_eq!(filtered["meta"]["total"], 2);
    assert_eq!(
        socket
            .get(&format!("/{session}/threads/t3/messages"))
            .await
            .0,
        404
    );
}

#[tokio::test]
async fn the_vendor_mock_preset_has_its_shapes() {
    let socket = speaking(|dialect| *dialect = Dialect::vendor_mock()).await;
    let made = socket.create().await;
    let id = made["id"].as_str().unwrap();
    let (second, items) = follow_up(&socket, id).await;
    let last = items.last().unwrap();
    assert_eq!(
        (&last["id"], &last["chat_thread_id"]),
        (&json!("m3"), &json!("t1"))
    );
    assert_eq!(
        (&second["chat_thread_id"], last.get("task_id")),
        (&json!("t2"), None)
    );
    let wrong = format!("{}/rest/v1/sessions/{id}", socket.mock.url());
    let request = socket
        .http
        .get(wrong)
        .header("authorization", "ApiKey other");
    assert_eq!(request.send().await.unwrap().status(), 401);
    let (_, read) = socket.get(&format!("/{id}")).await;
    let href = read["_links"]["final_message"]["href"].as_str().unwrap();
    assert!(href.contains("/threads/null/"), "{href}");
    assert_eq!(
        read["pull_requests"],
        json!(["https://example.com/1", "https://example.com/1"])
    );
}

#[tokio::test]
async fn agents_can_end_with_a_notice_of_failure() {
    for notice in FailureNotice::ALL {
        let script = Script::failure(notice).reply_after(Duration::ZERO);
        let socket = Socket::new(Mock::builder().agent(script)).await;
        let (_, page) = session_and_messages(&socket).await;
        let last = page["items"].as_array().unwrap().last().unwrap();
        assert_eq!(
            (&last["type"], &last["message"]),
            (&json!("final_message"), &json!(notice.text()))
        );
    }
}
