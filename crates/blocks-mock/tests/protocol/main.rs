//! Tests the mock from a client's view: each switch of a `Dialect`, each `Fault`, each kind of `Script`, the limits and
//! the control plane. Most tests that depend on time run in process, on a paused clock; most other tests use a socket.

mod agents;
mod control;
mod faults;
mod limits;
mod switches;

use blocks_mock::{Mock, MockBuilder, MockServer};
use http_body_util::BodyExt;
use serde_json::{Value, json};
use tower_service::Service;

/// Contains a mock on a port, and an HTTP client that calls the mock.
struct Socket {
    mock: MockServer,
    http: reqwest::Client,
}

impl Socket {
    async fn new(builder: MockBuilder) -> Self {
        Self {
            mock: builder.start().await.unwrap(),
            http: reqwest::Client::builder()
                .redirect(reqwest::redirect::Policy::none())
                .build()
                .unwrap(),
        }
    }

    fn request(&self, method: reqwest::Method, path: &str) -> reqwest::RequestBuilder {
        let url = format!("{}/rest/v1/sessions{path}", self.mock.url());
        self.http
            .request(method, url)
            .header("authorization", "ApiKey test-key")
    }

    async fn get(&self, path: &str) -> (u16, Value) {
        let response = self
            .request(reqwest::Method::GET, path)
            .send()
            .await
            .unwrap();
        (response.status().as_u16(), response.json().await.unwrap())
    }

    fn creating(&self) -> reqwest::RequestBuilder {
        let body = json!({"message": "hi", "agent_name": "claude"});
        self.request(reqwest::Method::POST, "").json(&body)
    }

    async fn create(&self) -> Value {
        self.creating().send().await.unwrap().json().await.unwrap()
    }
}

/// Sends a request to a mock in process. `path` follows `/rest/v1/sessions`. Returns the status and the body of the
/// response.
async fn call(mock: &Mock, method: &str, path: &str, body: Option<Value>) -> (u16, Value) {
    let url = format!("https://api.blocks.team/rest/v1/sessions{path}");
    send(mock, method, &url, body).await
}

/// Sends a request to a mock in process, like [`call`], but to any URL.
async fn send(mock: &Mock, method: &str, url: &str, body: Option<Value>) -> (u16, Value) {
    let request = http::Request::builder()
        .method(method)
        .uri(url)
        .header("authorization", format!("ApiKey {}", mock.key()))
        .body(body.map(|b| b.to_string()).unwrap_or_default())
        .unwrap();
    let response = mock.service().call(request).await.unwrap();
    let status = response.status().as_u16();
    let bytes = response.into_body().collect().await.unwrap().to_bytes();
    (status, serde_json::from_slice(&bytes).unwrap_or_default())
}

/// Creates a session in process. Returns the paths of the session and of the messages of its first turn, for [`call`].
async fn created(mock: &Mock) -> (String, String) {
    let body = json!({"message": "hi", "agent_name": "claude"});
    let (status, made) = call(mock, "POST", "", Some(body)).await;
    assert_eq!(status, 200, "{made}");
    let session = format!("/{}", made["id"].as_str().unwrap());
    let thread = made["thread_id"].as_str().unwrap();
    let messages = format!("{session}/threads/{thread}/messages");
    (session, messages)
}
