//! Sends requests with a custom transport: `cargo run --example custom_transport`.

use std::sync::Arc;

use blocks_sdk::http::Request;
use blocks_sdk::{Agent, Body, CreateSession, SendFuture, Transport};

mod support;

/// Prints each request before it is sent.
struct Printing(Arc<dyn Transport>);

impl Transport for Printing {
    fn send(&self, request: Request<Body>) -> SendFuture<'_> {
        println!("{} {}", request.method(), request.uri().path());
        self.0.send(request)
    }
}

#[tokio::main]
async fn main() -> support::Result {
    let (client, _mock) = support::connect().await?;
    let client = client.with_transport(Printing);
    let request = CreateSession::new(Agent::claude(), "Name one fun fact about octopuses.");
    let session = client.create_session(request).await?;
    println!("{}", session.first_reply().await?.text());
    Ok(())
}
