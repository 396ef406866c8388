//! Calls paths of the service without the methods of this release: `cargo run --example raw_request`.

use blocks_sdk::http::Method;
use blocks_sdk::{Agent, CreateSession, Value};

mod support;

#[tokio::main]
async fn main() -> support::Result {
    let (client, _mock) = support::connect().await?;
    let request = CreateSession::new(Agent::claude(), "Name one fun fact about octopuses.");
    let session = client.create_session(request).await?;

    let path = format!("/rest/v1/sessions/{}", session.id());
    let response = client.request(Method::GET, path).send().await?;
    let value: Value = response.json()?;
    println!("{} {}", response.info().status(), value["title"]);

    let unknown = client.request(Method::POST, "/rest/v1/unknown");
    let error = unknown
        .json(&serde_json::json!({}))
        .send()
        .await
        .unwrap_err();
    println!("{error}");
    Ok(())
}
