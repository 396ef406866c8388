//! Prints a session as a conversation: `cargo run --example transcript`.

use blocks_sdk::{Agent, CreateSession};

mod support;

#[tokio::main]
async fn main() -> support::Result {
    let (client, _mock) = support::connect().await?;
    let request = CreateSession::new(Agent::claude(), "Name one fun fact about octopuses.");
    let session = client.create_session(request).await?;
    session.first_reply().await?;

    for turn in session.transcript().await?.turns {
        println!("you: {}", turn.prompt.unwrap_or_default().text());
        for step in &turn.steps {
            match step.tool_call() {
                Some(call) => println!("  {} {:?}", call.name, call.arguments()),
                None => println!("  {}", step.text()),
            }
        }
        println!("agent: {}", turn.reply.unwrap_or_default().text());
    }
    Ok(())
}
