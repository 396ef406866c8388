//! Uses a field, a query parameter and an agent that this release does not know: `cargo run --example new_field`.

use blocks_sdk::{Agent, CreateSession};

mod support;

#[tokio::main]
async fn main() -> support::Result {
    let (client, _mock) = support::connect().await?;
    let request = CreateSession::new(Agent::claude(), "Name one fun fact about octopuses.");
    let session = client.create_session(request.extra("budget", 5)).await?;
    session.first_reply().await?;

    let page = session.messages().extra("language", "en").send().await?;
    println!("{} messages", page.messages().len());
    for message in page.messages() {
        println!("new fields of a message: {:?}", message.extra);
    }
    println!("{:?}", CreateSession::new(Agent::any("shakespeare"), "Go."));
    Ok(())
}
