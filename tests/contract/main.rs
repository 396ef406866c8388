//! Tests that the OpenAPI document, the SDK and the mock agree, and that the repository follows the rules of its
//! documents.

mod control;
mod dependencies;
mod examples;
mod layout;
mod operations;
mod words;

use blocks_sdk::Agent;
use blocks_tests::document;
use serde_json::{Map, Value, json};

const ID: &str = "a196cec6-49cb-4c48-8e4c-2707fb5d6709";

/// Returns a validator for a schema of the OpenAPI document.
fn validator(name: &str) -> jsonschema::Validator {
    let mut root = document();
    json_schema(&mut root);
    root["$ref"] = format!("#/components/schemas/{name}").into();
    jsonschema::draft4::new(&root).expect("a schema")
}

/// Converts schemas of OpenAPI 3.0 to JSON Schema. A schema with `nullable: true` becomes a schema that also allows
/// `null`.
fn json_schema(value: &mut Value) {
    match value {
        Value::Object(map) => {
            map.values_mut().for_each(json_schema);
            if map.get("nullable") == Some(&json!(true)) {
                let mut inner = map.clone();
                inner.remove("nullable");
                *value = json!({"anyOf": [inner, {"type": "null"}]});
            }
        }
        Value::Array(items) => items.iter_mut().for_each(json_schema),
        _ => {}
    }
}

#[test]
fn document_and_sdk_agree_on_the_agent_rule() {
    let validator = validator("CreateSessionRequest");
    for bits in 0..8u8 {
        let [id, name, profile] = [bits & 1 != 0, bits & 2 != 0, bits & 4 != 0];
        let mut body = json!({"message": "hello"});
        if id {
            body["agent_id"] = ID.into();
        }
        if name {
            body["agent_name"] = "claude".into();
        }
        if profile {
            body["profile"] = json!({"name": "reviewer"});
        }
        let sdk = Agent::from_fields(
            id.then(|| ID.parse().unwrap()),
            name.then_some("claude"),
            profile.then(Map::new),
        );
        let exactly_one = bits.count_ones() == 1;
        assert_eq!(validator.is_valid(&body), exactly_one, "{body}");
        assert_eq!(sdk.is_ok(), exactly_one, "{body}");
        if bits != 0 && !exactly_one {
            let text = sdk.unwrap_err().to_string();
            assert_eq!(
                text.contains("agent_name and profile"),
                name && profile,
                "{text}"
            );
        }
    }
}

/// Sends requests to a mock, and validates every response against the OpenAPI document.
struct Validator {
    mock: blocks_mock::MockServer,
    http: reqwest::Client,
}

impl Validator {
    async fn new(dialect: blocks_mock::Dialect) -> Self {
        let builder = blocks_mock::MockServer::builder().dialect(dialect);
        Self {
            mock: builder
                .agent(blocks_tests::sample_agent())
                .start()
                .await
                .unwrap(),
            http: reqwest::Client::new(),
        }
    }

    fn url(&self, path: &str) -> String {
        format!("{}/rest/v1/sessions{path}", self.mock.url())
    }

    async fn send(&self, request: reqwest::RequestBuilder, schema: &str) -> (u16, Value) {
        let key = format!("ApiKey {}", self.mock.key());
        let request = request.header("authorization", key);
        let response = request.send().await.unwrap();
        let status = response.status().as_u16();
        let value: Value = response.json().await.unwrap();
        let failures: Vec<String> = validator(schema)
            .iter_errors(&value)
            .map(|e| e.to_string())
            .collect();
        assert!(failures.is_empty(), "{schema}: {failures:?} in {value}");
        (status, value)
    }

    async fn get(&self, path: &str, schema: &str) -> (u16, Value) {
        self.send(self.http.get(self.url(path)), schema).await
    }

    async fn post(&self, path: &str, body: Value, schema: &str) -> (u16, Value) {
        let request = self.http.post(self.url(path)).json(&body);
        self.send(request, schema).await
    }
}

#[tokio::test]
async fn responses_of_three_dialects_match_the_document() {
    use blocks_mock::Dialect;
    let mut bare = Dialect::documented();
    bare.bare_items = true;
    bare.created_status = 201;
    for dialect in [Dialect::observed(), Dialect::documented(), bare] {
        let invalid = dialect.validation_status;
        let mock = Validator::new(dialect.clone()).await;
        let create = json!({"message": "hi", "agent_name": "claude"});
        let (status, made) = mock.post("", create, "Session").await;
        assert_eq!(status, dialect.created_status);
        assert!(made["_links"]["final_message"]["href"].is_string());
        let session = format!("/{}", made["id"].as_str().unwrap());
        let thread = made["thread_id"].as_str().unwrap();
        let (_, read) = mock.get(&session, "Session").await;
        assert_eq!(read["_links"]["final_message"], Value::Null);
        assert_eq!(
            read["pull_requests"][0].is_object(),
            dialect.pull_request_objects
        );

        let messages = format!("{session}/messages");
        let (_, page) = mock.get(&messages, "MessagePage").await;
        let final_texts = if dialect.duplicated_final { 2 } else { 1 };
        let notices = if dialect.system_notices { 1 } else { 0 };
        assert_eq!(page["meta"]["total"], 2 + final_texts + notices);
        let all = format!(
            "{messages}?role=user&role=assistant&type=message&type=final_message&type=tool_call"
        );
        let (_, page) = mock.get(&all, "MessagePage").await;
        assert_eq!(page["meta"]["total"], 4 + final_texts + notices);
        let newest = page["items"][0]["type"] == "final_message";
        assert_eq!(newest, dialect.newest_first);
        let threaded = format!("{session}/threads/{thread}/messages?direction=asc&limit=1&page=2");
        let (_, page) = mock.get(&threaded, "MessagePage").await;
        assert_eq!(page["items"].as_array().unwrap().len(), 1);
        let unknown = format!("{messages}?thread_id={ID}");
        let (_, page) = mock.get(&unknown, "MessagePage").await;
        assert_eq!(page["items"], json!([]));

        let (_, made) = mock
            .post(&messages, json!({"message": "more"}), "Message")
            .await;
        assert!(made["_links"]["final_message"]["href"].is_string());
        assert_ne!(made["chat_thread_id"], thread);
        if dialect.observed_fields {
            let plan = read["plan_artifact_ids"][0].as_str().unwrap();
            let path = format!("{session}/artifacts/{plan}");
            let (_, artifact) = mock.get(&path, "Artifact").await;
            let url = artifact["url"].as_str().unwrap();
            let file = || mock.http.get(url);
            assert_eq!(file().send().await.unwrap().status(), 200);
            let with_key = file().header("authorization", "ApiKey test-key");
            assert_eq!(with_key.send().await.unwrap().status(), 400);
        }
        invalid_requests(&mock, &session, invalid).await;
    }
}

/// Sends invalid requests, and checks that each response has the expected status and the error body that the OpenAPI
/// document describes.
async fn invalid_requests(mock: &Validator, session: &str, invalid: u16) {
    let messages = format!("{session}/messages");
    assert_eq!(mock.get("/x", "ErrorBody").await.0, invalid);
    for path in [
        "".to_owned(),
        "/messages".into(),
        format!("/artifacts/{ID}"),
        format!("/threads/{ID}/messages"),
    ] {
        assert_eq!(mock.get(&format!("/{ID}{path}"), "ErrorBody").await.0, 404);
    }
    for query in [
        "limit=101",
        "limit=0",
        "page=0",
        "type=a,b",
        "direction=up",
        "gts=x",
        "thread_id=x",
    ] {
        let path = format!("{messages}?{query}");
        assert_eq!(mock.get(&path, "ErrorBody").await.0, invalid, "{query}");
    }
    for body in [
        json!({"message": "hi"}),
        json!({"agent_name": "claude"}),
        json!({"message": "", "agent_name": "claude"}),
        json!({"message": "hi", "agent_name": "clyde"}),
        json!({"message": "hi", "agent_name": "claude", "profile": {"a": 1}}),
        json!({"message": "hi", "agent_name": "claude", "title": "x".repeat(201)}),
        json!({"message": "hi", "agent_name": "claude", "is_private": 1}),
        json!({"message": "hi", "agent_name": "claude", "artifact_ids": ["x"]}),
        json!([]),
    ] {
        assert_eq!(
            mock.post("", body.clone(), "ErrorBody").await.0,
            invalid,
            "{body}"
        );
    }
    assert_eq!(
        mock.post(&messages, json!({}), "ErrorBody").await.0,
        invalid
    );
    let bare = mock.http.get(mock.url(session));
    let malformed = mock
        .http
        .get(mock.url(session))
        .header("authorization", "Bearer x");
    let wrong = mock
        .http
        .get(mock.url(session))
        .header("authorization", "ApiKey other");
    for (request, status) in [(bare, 401), (malformed, 403), (wrong, 403)] {
        let response = request.send().await.unwrap();
        assert_eq!(response.status(), status);
        let body: Value = response.json().await.unwrap();
        assert!(validator("ErrorBody").is_valid(&body), "{body}");
    }
}

#[test]
fn examples_of_the_document_are_valid() {
    fn walk(value: &Value, found: &mut Vec<(Value, Value)>) {
        if let (Some(schema), Some(example)) = (value.get("schema"), value.get("example")) {
            found.push((schema.clone(), example.clone()));
        }
        match value {
            Value::Object(map) => map.values().for_each(|v| walk(v, found)),
            Value::Array(items) => items.iter().for_each(|v| walk(v, found)),
            _ => {}
        }
    }
    let mut found = Vec::new();
    walk(&document(), &mut found);
    assert!(found.len() >= 10, "examples of all kinds of responses");
    for (schema, example) in found {
        let name = schema["$ref"].as_str().unwrap().rsplit('/').next().unwrap();
        assert!(validator(name).is_valid(&example), "{name}: {example}");
    }
}
