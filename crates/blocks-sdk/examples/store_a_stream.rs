//! Stores a stream of messages in a field of a struct: `cargo run --example store_a_stream`.

use blocks_sdk::{Agent, CreateSession, MessageStream};

mod support;

struct Reader {
    messages: MessageStream,
    count: usize,
}

#[tokio::main]
async fn main() -> support::Result {
    let (client, _mock) = support::connect().await?;
    let request = CreateSession::new(Agent::claude(), "Name one fun fact about octopuses.");
    let session = client.create_session(request).await?;
    session.first_reply().await?;

    let messages = session.messages().all().stream();
    let mut reader = Reader { messages, count: 0 };
    while let Some(message) = reader.messages.next().await {
        reader.count += 1;
        println!("{}: {}", reader.count, message?.text());
    }
    Ok(())
}
