//! Reads the request id of a success and of an error: `cargo run --example request_id`.

use blocks_sdk::{Agent, CreateSession, Uuid};

mod support;

#[tokio::main]
async fn main() -> support::Result {
    let (client, _mock) = support::connect().await?;
    let request = CreateSession::new(Agent::claude(), "Name one fun fact about octopuses.");
    let session = client.create_session(request).await?;
    let response = session.response();
    println!(
        "{}: request id {:?}",
        response.status(),
        response.request_id()
    );
    for (name, value) in response.headers() {
        println!("{name}: {value:?}");
    }
    if let Err(error) = client.get_session(Uuid::nil()).await {
        println!("{error}: request id {:?}", error.request_id());
    }
    Ok(())
}
