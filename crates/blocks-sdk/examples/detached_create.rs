//! Creates a session in a separate task. The task continues if the program stops waiting for the task:
//! `cargo run --example detached_create`.

use std::time::Duration;

use blocks_sdk::{Agent, CreateSession};

mod support;

#[tokio::main]
async fn main() -> support::Result {
    let (client, _mock) = support::connect().await?;
    let request = CreateSession::new(Agent::claude(), "Name one fun fact about octopuses.");
    let mut create = client.create_session_detached(request);
    let early = tokio::time::timeout(Duration::from_nanos(1), &mut create).await;
    let session = match early {
        Ok(session) => session?,
        Err(_) => {
            println!("it takes longer than a nanosecond; the create continues");
            create.await?
        }
    };
    println!("{}", session.first_reply().await?.text());
    Ok(())
}
