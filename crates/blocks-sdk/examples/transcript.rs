//! Prints a session as a conversation: `cargo run --example transcript`.

use blocks_sdk::{Agent, CreateSession, ToolCall, types::Message};

mod support;

#[tokio::main]
async fn main() -> support::Result {
    let (client, _mock) = support::connect().await?;
    let request = CreateSession::new(Agent::claude(), "Tell me one fun fact about octopuses.");
    let session = client.create_session(request).await?;
    session.first_reply().await?;

    for turn in session.transcript().await?.turns {
        println!("you: {}", text(turn.prompt.as_ref()));
        for step in &turn.steps {
            match ToolCall::of(step) {
                Some(call) => println!("  {} {:?}", call.name, call.arguments()),
                None => println!("  {}", text(Some(step))),
            }
        }
        println!("agent: {}", text(turn.reply.as_ref()));
    }
    Ok(())
}

fn text(message: Option<&Message>) -> &str {
    message
        .and_then(|message| message.message.as_deref())
        .unwrap_or("(nothing yet)")
}
