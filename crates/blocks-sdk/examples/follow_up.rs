//! Sends a prompt and a follow-up in the same session: `cargo run --example follow_up`.

use blocks_sdk::{Agent, CreateSession, FollowUp};

mod support;

#[tokio::main]
async fn main() -> support::Result {
    let (client, _mock) = support::connect().await?;
    let request = CreateSession::new(Agent::claude(), "Name one fun fact about octopuses.");
    let session = client.create_session(request).await?;
    println!("{}", session.first_reply().await?.text());

    let turn = session
        .follow_up(FollowUp::new("And one about squids."))
        .await?;
    println!("{}", turn.reply().await?.text());
    Ok(())
}
