//! What the document says, what the SDK says and what the mock says are one.

use blocks_sdk::Agent;
use blocks_tests::document;
use serde_json::{Map, Value, json};

const ID: &str = "a196cec6-49cb-4c48-8e4c-2707fb5d6709";

/// A schema of the document, as a validator for JSON Schema.
fn validator(name: &str) -> jsonschema::Validator {
    let mut root = document();
    json_schema(&mut root);
    root["$ref"] = format!("#/components/schemas/{name}").into();
    jsonschema::draft4::new(&root).expect("a schema")
}

/// OpenAPI 3.0 says `nullable` where JSON Schema lists the type `null`.
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
fn document_and_sdk_agree_on_all_eight_combinations_of_the_agent_rule() {
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

#[tokio::test]
async fn every_answer_of_the_mock_validates_against_the_document() {
    let mock = blocks_mock::MockServer::builder()
        .reply_after(std::time::Duration::ZERO)
        .start()
        .await
        .unwrap();
    let http = reqwest::Client::new();
    let base = format!("{}/rest/v1/sessions", mock.url());
    let key = format!("ApiKey {}", mock.key());
    let fetch = |request: reqwest::RequestBuilder, schema: &'static str| {
        let request = request.header("authorization", key.clone());
        async move {
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
    };
    let create = json!({"message": "hi", "agent_name": "claude"});
    let (status, made) = fetch(http.post(&base).json(&create), "Session").await;
    assert_eq!(status, 200);
    let session = format!("{base}/{}", made["id"].as_str().unwrap());
    let (_, read) = fetch(http.get(&session), "Session").await;
    assert_eq!(read["_links"]["final_message"], Value::Null);
    let plan = format!(
        "{session}/artifacts/{}",
        read["plan_artifact_ids"][0].as_str().unwrap()
    );
    let (_, artifact) = fetch(http.get(plan), "Artifact").await;
    let file = http.get(artifact["url"].as_str().unwrap());
    assert_eq!(
        file.try_clone().unwrap().send().await.unwrap().status(),
        200
    );
    assert_eq!(
        file.header("authorization", &key)
            .send()
            .await
            .unwrap()
            .status(),
        400
    );

    let messages = format!("{session}/messages");
    let (_, page) = fetch(http.get(&messages), "MessagePage").await;
    assert_eq!(page["meta"]["total"], 2, "the reply stands there twice");
    let both = format!("{messages}?role=user&role=assistant&type=message&direction=desc&limit=1");
    let (_, page) = fetch(http.get(both), "MessagePage").await;
    assert_eq!(
        (&page["meta"]["total"], &page["meta"]["total_pages"]),
        (&json!(2), &json!(2))
    );
    assert_eq!(page["items"][0]["role"], "assistant");
    let (_, made) = fetch(
        http.post(&messages).json(&json!({"message": "more"})),
        "Message",
    )
    .await;
    let (_, page) = fetch(
        http.get(made["_links"]["final_message"]["href"].as_str().unwrap()),
        "MessagePage",
    )
    .await;
    assert_eq!(page["items"][0]["type"], "final_message");

    for (target, expected) in [("x", 422), (ID, 404)] {
        assert_eq!(
            fetch(http.get(format!("{base}/{target}")), "ErrorBody")
                .await
                .0,
            expected
        );
    }
    for query in [
        "limit=101",
        "limit=0",
        "page=0",
        "type=a,b",
        "direction=up",
        "gts=x",
    ] {
        let answer = fetch(http.get(format!("{messages}?{query}")), "ErrorBody").await;
        assert_eq!(answer.0, 422, "{query}");
    }
    for (body, expected) in [
        (json!({"message": "hi"}), 422),
        (json!({"message": "hi", "agent_name": "clyde"}), 422),
    ] {
        assert_eq!(
            fetch(http.post(&base).json(&body), "ErrorBody").await.0,
            expected
        );
    }
    assert_eq!(http.get(&session).send().await.unwrap().status(), 401);
    let wrong = http
        .get(&session)
        .header("authorization", "ApiKey other")
        .send()
        .await
        .unwrap();
    assert_eq!(wrong.status(), 403);
}

#[test]
fn every_example_of_the_document_validates() {
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
    assert!(found.len() >= 10, "examples of all kinds of answers");
    for (schema, example) in found {
        let name = schema["$ref"].as_str().unwrap().rsplit('/').next().unwrap();
        assert!(validator(name).is_valid(&example), "{name}: {example}");
    }
}
