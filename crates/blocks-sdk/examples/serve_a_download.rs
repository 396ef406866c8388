//! Responds with the content of an artifact, as a handler of a web server does: `cargo run --example serve_a_download`.

use blocks_sdk::http::Response;
use blocks_sdk::{Agent, Artifact, Body, CreateSession, Error};
use http_body_util::BodyExt;

mod support;

/// Responds with the content of an artifact. `axum::body::Body::new` and hyper accept this type of body.
async fn handler(plan: Artifact) -> Result<Response<Body>, Error> {
    let download = plan.stream().await?;
    Ok(Response::new(Body::from_stream(download)))
}

#[tokio::main]
async fn main() -> support::Result {
    let (client, _mock) = support::connect().await?;
    let request = CreateSession::new(Agent::claude(), "Plan how to count an octopus's hearts.");
    let session = client.create_session(request).await?;
    session.first_reply().await?;
    let plan = session.plans().await?.remove(0)?;
    let response = handler(plan).await?;
    let body = response
        .into_body()
        .collect()
        .await
        .map_err(|error| error.to_string())?;
    println!("{}", String::from_utf8_lossy(&body.to_bytes()));
    Ok(())
}
