//! Tests that the responses of the server have the shapes that the documentation of `vendor.rs` describes.

use http_body_util::{BodyExt, Full};
use serde_json::{Value, json};
use tower_service::Service;

use super::Vendor;

async fn send(vendor: &Vendor, method: &str, path: &str, key: &str, body: Value) -> (u16, Value) {
    let request = http::Request::builder()
        .method(method)
        .uri(format!("/rest/v1/sessions{path}"))
        .header("authorization", key)
        .body(Full::from(body.to_string()))
        .unwrap();
    let response = vendor.clone().call(request).await.unwrap();
    let status = response.status().as_u16();
    let bytes = response.into_body().collect().await.unwrap().to_bytes();
    (status, serde_json::from_slice(&bytes).unwrap())
}

async fn call(vendor: &Vendor, method: &str, path: &str, body: Value) -> (u16, Value) {
    let key = format!("ApiKey {}", Vendor::KEY);
    send(vendor, method, path, &key, body).await
}

async fn created(vendor: &Vendor) -> (String, Value) {
    let body = json!({"message": "hi", "agent_name": "claude"});
    let (status, made) = call(vendor, "POST", "", body).await;
    assert_eq!(status, 200);
    (format!("/{}", made["id"].as_str().unwrap()), made)
}

#[tokio::test]
async fn creates_name_a_short_thread_and_another_host() {
    let (session, made) = created(&Vendor::new()).await;
    assert!(session[1..].parse::<uuid::Uuid>().is_ok());
    assert_eq!(made["thread_id"], "t1");
    let path =
        format!("https://api.prod.blocks.team/rest/v1/sessions{session}/threads/t1/messages");
    assert_eq!(made["_links"]["thread"]["href"], path);
    let filtered = format!("{path}?type=final_message&role=assistant");
    assert_eq!(made["_links"]["final_message"]["href"], filtered);
}

#[tokio::test]
async fn reads_link_to_a_null_thread() {
    let vendor = Vendor::new();
    let (session, _) = created(&vendor).await;
    let (status, read) = call(&vendor, "GET", &session, Value::Null).await;
    assert_eq!(
        (status, &read["thread_id"], &read["_links"]["thread"]),
        (200, &Value::Null, &Value::Null)
    );
    let href = read["_links"]["final_message"]["href"].as_str().unwrap();
    assert!(href.contains("/threads/null/messages?"), "{href}");
}

#[tokio::test]
async fn items_are_bare_and_calls_have_both_shapes() {
    let vendor = Vendor::new();
    let (session, _) = created(&vendor).await;
    let all = "role=user&role=assistant&type=message&type=tool_call&type=final_message";
    let path = format!("{session}/threads/t1/messages?{all}");
    let (_, page) = call(&vendor, "GET", &path, Value::Null).await;
    let items = page["items"].as_array().unwrap();
    let ids: Vec<&str> = items
        .iter()
        .map(|item| item["id"].as_str().unwrap())
        .collect();
    assert_eq!(ids, ["p0", "c0", "d0", "m0"]);
    for name in ["chat_id", "task_id", "created_at", "updated_at"] {
        assert!(items.iter().all(|item| item.get(name).is_none()), "{name}");
    }
    let call = |item: &Value| -> Value {
        serde_json::from_str(item["message"].as_str().unwrap()).unwrap()
    };
    assert_eq!(
        call(&items[1]),
        json!({"__name__": "Read", "file_path": "a.rs"})
    );
    assert_eq!(
        call(&items[2]),
        json!({"__name__": "Bash", "input": r#"{"command": "ls"}"#})
    );
    assert_eq!(
        page["meta"],
        json!({"total": 4, "page": 1, "limit": 50, "total_pages": 1})
    );
    let (_, second) = call_page(&vendor, &format!("{path}&limit=3&page=2&direction=desc")).await;
    assert_eq!(second["items"][0]["id"], "p0");
}

async fn call_page(vendor: &Vendor, path: &str) -> (u16, Value) {
    call(vendor, "GET", path, Value::Null).await
}

#[tokio::test]
async fn follow_ups_count_on_and_end_in_the_first_thread() {
    let vendor = Vendor::new();
    let (session, _) = created(&vendor).await;
    vendor.set_reply("Second.");
    let messages = format!("{session}/messages");
    let (status, made) = call(&vendor, "POST", &messages, json!({"message": "more"})).await;
    assert_eq!(
        (status, &made["task_id"], &made["chat_thread_id"]),
        (200, &json!("task-2"), &json!("t2"))
    );
    let path = format!("{session}/threads/t2/messages?type=final_message");
    let (_, page) = call_page(&vendor, &path).await;
    let last = &page["items"][0];
    assert_eq!(
        (&last["id"], &last["chat_thread_id"], &last["message"]),
        (&json!("m1"), &json!("t1"), &json!("Second."))
    );
    assert_eq!(vendor.post_count(), 2);
}

#[tokio::test]
async fn error_responses_have_a_text() {
    let vendor = Vendor::new();
    let (session, _) = created(&vendor).await;
    let unknown = "/5f0c7a52-3a1e-4a53-9d5e-0d4f5b9b8a11";
    for (method, path, body, status) in [
        ("POST", "", json!({"message": "hi"}), 422),
        (
            "POST",
            "",
            json!({"message": "", "agent_name": "claude"}),
            422,
        ),
        (
            "POST",
            "",
            json!({"message": "hi", "agent_name": "claude", "profile": {}}),
            422,
        ),
        ("GET", "/x", Value::Null, 422),
        ("GET", unknown, Value::Null, 404),
        (
            "GET",
            &format!("{session}/artifacts{unknown}"),
            Value::Null,
            404,
        ),
    ] {
        let (response_status, value) = call(&vendor, method, path, body).await;
        assert_eq!(response_status, status, "{method} {path}");
        assert!(value["error"].is_string(), "{value}");
    }
    for key in ["ApiKey other", "Bearer x", ""] {
        let (status, value) = send(&vendor, "GET", &session, key, Value::Null).await;
        assert_eq!(status, 401);
        assert_eq!(value, json!({"error": "Unauthorized"}));
    }
    let unknown = format!("{session}/threads/t9/messages");
    let (status, page) = call_page(&vendor, &unknown).await;
    assert_eq!(status, 200);
    assert_eq!(page["items"], json!([]));
}
