//! Tests that the mock's HTTP API for tests, at `/_mock/`, agrees with its description in `openapi/mock.yaml`.

use blocks_mock::{Mock, Script};
use serde_json::{Value, json};

fn document() -> Value {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../openapi/mock.yaml");
    let text = std::fs::read_to_string(path).expect("the document");
    serde_yaml_ng::from_str(&text).expect("YAML")
}

/// Returns a validator for the body of a response. `pointer` is the JSON pointer to the operation in the document.
fn validator(document: &Value, pointer: &str, status: u16) -> jsonschema::Validator {
    let mut root = document.clone();
    crate::json_schema(&mut root);
    let responses = format!("{pointer}/responses/{status}");
    let response = root
        .pointer(&responses)
        .unwrap_or_else(|| panic!("no {responses}"));
    let response = match response["$ref"].as_str() {
        Some(target) => root.pointer(&target[1..]).expect("a response"),
        None => response,
    };
    root["allOf"] = json!([response["content"]["application/json"]["schema"].clone()]);
    jsonschema::draft4::new(&root).expect("a schema")
}

/// Returns the request body for an operation, or null if the operation takes no body.
fn body(operation: &str) -> Value {
    match operation {
        "addFault" => json!({"operation": "getSession", "when": {"times": 1}, "fault": "refuse"}),
        "replaceAgents" => json!([{"when": {"turn": 1}, "do": {"text": "x", "when": "never"}}]),
        "changeClock" => json!({"frozen": true, "advance": "1s"}),
        "changeSettings" => json!({"delay": "1ms", "rate_limit": {"requests": 1000}}),
        "finishTurn" => json!({"text": "Done."}),
        "continueTurn" => {
            json!({"text": "Later.", "steps": [{"at": "10s", "do": {"message": "x"}}]})
        }
        "act" => json!({"tool_call": {"name": "Bash", "input": {"command": "ls"}}}),
        _ => Value::Null,
    }
}

#[tokio::test]
async fn control_operations_respond_as_documented() {
    let document = document();
    let mock = Mock::builder()
        .agent(Script::no_reply())
        .start()
        .await
        .unwrap();
    let http = reqwest::Client::new();
    let mut called = Vec::new();
    for (path, item) in document["paths"].as_object().expect("paths") {
        for (method, operation) in item.as_object().expect("operations") {
            let Some(id) = operation["operationId"].as_str() else {
                continue;
            };
            let create = http.post(format!("{}/rest/v1/sessions", mock.url()));
            let create = create.header("authorization", "ApiKey test-key");
            let create = create.json(&json!({"message": "hi", "agent_name": "claude"}));
            let made: Value = create.send().await.unwrap().json().await.unwrap();
            mock.inject(
                blocks_mock::Operation::Download,
                blocks_mock::Frequency::Always,
                blocks_mock::Fault::Refuse,
            );
            let session = made["id"].as_str().expect("a session");
            let faults = format!("{}/_mock/faults", mock.url());
            let faults: Value = http.get(faults).send().await.unwrap().json().await.unwrap();
            let fault = faults["items"][0]["id"].to_string();
            let url = path
                .replace("{session_id}", session)
                .replace("{id}", &fault);
            let url = mock.url() + &url;
            let request = http.request(method.to_uppercase().parse().unwrap(), url);
            let body = body(id);
            let request = if body.is_null() {
                request
            } else {
                request.json(&body)
            };
            let response = request.send().await.unwrap();
            let status = response.status().as_u16();
            let value: Value = response.json().await.unwrap();
            assert_eq!(status, 200, "{id}: {value}");
            let pointer = format!(
                "/paths/{}/{method}",
                path.replace('~', "~0").replace('/', "~1")
            );
            let validator = validator(&document, &pointer, status);
            let failures: Vec<String> = validator
                .iter_errors(&value)
                .map(|e| e.to_string())
                .collect();
            assert!(failures.is_empty(), "{id}: {failures:?} in {value}");
            called.push(id.to_owned());
        }
    }
    assert_eq!(called.len(), 19, "{called:?}");
}

/// Returns the names of an object's fields, sorted.
fn names(object: &Value) -> Vec<&str> {
    let mut names: Vec<&str> = object
        .as_object()
        .expect("an object")
        .keys()
        .map(String::as_str)
        .collect();
    names.sort_unstable();
    names
}

/// Returns the names of the variants in an enum's schema. A name is a string in `enum` or `const`, or the name of a
/// property.
fn variants(schema: &Value) -> Vec<&str> {
    let mut found = Vec::new();
    for choice in schema["oneOf"].as_array().expect("choices") {
        match choice["properties"].is_object() {
            true => found.extend(names(&choice["properties"])),
            false => {
                let listed = choice["enum"].as_array().into_iter().flatten();
                found.extend(listed.chain(choice.get("const")).filter_map(Value::as_str));
            }
        }
    }
    found.sort_unstable();
    found
}

#[test]
fn the_document_has_all_shapes_of_the_script_file() {
    let (document, script) = (document(), blocks_mock::MockConfig::schema());
    let documented = &document["components"]["schemas"];
    let defined = &script["$defs"];
    for name in ["Action", "RetryAfter"] {
        assert_eq!(
            variants(&documented[name]),
            variants(&defined[name]),
            "{name}"
        );
    }
    let fault = &documented["Fault"]["properties"];
    assert_eq!(variants(&fault["fault"]), variants(&defined["Fault"]));
    assert_eq!(variants(&fault["when"]), variants(&defined["Frequency"]));
    let timing = &documented["Script"]["properties"]["when"];
    assert_eq!(variants(timing), variants(&defined["ReplyTiming"]));
    for name in ["Script", "AgentRule", "RateLimit"] {
        let (documented, defined) = (&documented[name], &defined[name]);
        assert_eq!(
            names(&documented["properties"]),
            names(&defined["properties"]),
            "{name}"
        );
    }
    let switches = &documented["SettingsPatch"]["properties"]["dialect"]["oneOf"][1];
    assert_eq!(
        names(&switches["properties"]),
        names(&defined["Dialect"]["properties"])
    );
    let settings = &documented["Settings"]["properties"];
    assert_eq!(
        names(settings),
        names(&documented["SettingsPatch"]["properties"])
    );
}
