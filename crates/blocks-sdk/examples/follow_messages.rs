//! Prints a session's messages as they arrive: `cargo run --example follow_messages`.

use blocks_sdk::{Agent, CreateSession, MessageType};

mod support;

#[tokio::main]
async fn main() -> support::Result {
    let (client, _mock) = support::connect().await?;
    let request = CreateSession::new(Agent::claude(), "Name one fun fact about octopuses.");
    let session = client.create_session(request).await?;

    let mut watch = session.messages().all().watch();
    while let Some(message) = watch.next().await {
        let message = message?;
        let role = message.role.as_ref().map_or("?", |role| role.as_str());
        println!("{role}: {}", message.message.as_deref().unwrap_or_default());
        // The watch continues after the reply, because a follow-up can add messages. So the loop must end.
        if message.type_ == Some(MessageType::FinalMessage) {
            break;
        }
    }
    Ok(())
}
