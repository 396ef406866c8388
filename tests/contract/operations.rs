//! Tests that the mock and the SDK have every operation of the OpenAPI document.

use blocks_tests::document;
use serde_json::Value;

use crate::ID;

/// Returns the method, path and id of each operation of the OpenAPI document.
fn operations() -> Vec<(String, String, String)> {
    let document = document();
    let paths = document["paths"].as_object().expect("paths");
    let mut found = Vec::new();
    for (path, item) in paths {
        for (method, operation) in item.as_object().into_iter().flatten() {
            if let Some(id) = operation.get("operationId").and_then(Value::as_str) {
                found.push((method.to_uppercase(), path.clone(), id.to_owned()));
            }
        }
    }
    assert!(found.len() >= 6, "{found:?}");
    found
}

#[tokio::test]
async fn the_mock_has_a_route_for_each_operation() {
    let mock = blocks_mock::MockServer::start().await.unwrap();
    let http = reqwest::Client::new();
    for (method, path, id) in operations() {
        let mut segments: Vec<&str> = path.split('/').collect();
        for segment in segments.iter_mut().filter(|s| s.starts_with('{')) {
            *segment = ID;
        }
        let url = mock.url() + &segments.join("/");
        let method = method.parse().unwrap();
        http.request(method, url).send().await.unwrap();
        let known = mock.requests().last().and_then(|r| r.operation);
        let name = serde_json::to_value(known).unwrap();
        assert_eq!(name, Value::from(id), "blocks-mock: route.rs, {path}");
    }
}

#[test]
fn the_sdk_names_each_operation() {
    let path = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../crates/blocks-sdk/src/client/operations.rs"
    );
    let source = std::fs::read_to_string(path).expect("operations.rs");
    for (_, _, id) in operations() {
        let constant = format!("ing(\"{id}\")");
        assert!(
            source.contains(&constant),
            "blocks-sdk: client/operations.rs lacks {id}"
        );
    }
}
