//! Prints the state of the rate limiter each second, as metrics: `cargo run --example limiter_metrics`.

use std::time::Duration;

use blocks_sdk::{Agent, CreateSession};

mod support;

#[tokio::main]
async fn main() -> support::Result {
    let (client, _mock) = support::connect().await?;
    let exported = client.clone();
    let exporter = tokio::spawn(async move {
        loop {
            let status = exported.rate_limit_status();
            println!("blocks_requests_last_minute {}", status.used_in_last_minute);
            println!("blocks_creates_waiting {}", status.waiting_creates);
            println!("blocks_rate_share {}", status.share);
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    });
    let request = CreateSession::new(Agent::claude(), "Name one fun fact about octopuses.");
    let session = client.create_session(request).await?;
    println!("{}", session.first_reply().await?.text());
    exporter.abort();
    Ok(())
}
