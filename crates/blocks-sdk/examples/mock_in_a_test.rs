//! Tests a program without a network and without waiting: `cargo run --example mock_in_a_test`.

use std::time::Duration;

use blocks_mock::{Fault, Frequency, Mock, Operation, Script};
use blocks_sdk::{Agent, Client, CreateSession, Error};

/// The program under test.
async fn summary(client: &Client) -> Result<String, Error> {
    let request = CreateSession::new(Agent::codex(), "Summarise the open issues.");
    let reply = client.create_session(request).await?.first_reply().await?;
    Ok(reply.text().to_uppercase())
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    tokio::time::pause(); // the test does not wait for the agent's work, which takes 50 minutes
    let script = Script::reply("Two bugs.").reply_after(Duration::from_secs(3000));
    let busy = Fault::status(503);
    let builder = Mock::builder().agent(script);
    let mock = builder
        .fault(Operation::ListThreadMessages, Frequency::ONCE, busy)
        .build();
    let client = Client::builder(mock.key())
        .service(mock.service())
        .build()?;
    assert_eq!(summary(&client).await?, "TWO BUGS.");
    assert_eq!(mock.session_count(), 1);
    Ok(())
}
