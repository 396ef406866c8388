//! Decodes the JSON in a reply as a Rust type: `cargo run --example structured_reply --features schemars`.

use blocks_mock::{MockServer, Script};
use blocks_sdk::{Agent, Client, CreateSession};

mod support;

#[derive(schemars::JsonSchema, serde::Deserialize)]
struct Animal {
    name: String,
    hearts: u8,
}

#[tokio::main]
async fn main() -> support::Result {
    let script = Script::reply(r#"{"name": "octopus", "hearts": 3}"#);
    let mock = MockServer::builder().agent(script).start().await?;
    let client = Client::builder(mock.key()).base_url(mock.url()).build()?;

    let request = CreateSession::new(Agent::claude(), "Which animal has three hearts?");
    let session = client.create_session(request.expect::<Animal>()).await?;
    let turn = session.first_turn()?;
    let reply = turn.structured_reply::<Animal>().correct(1).await?;
    println!("{} has {} hearts", reply.value.name, reply.value.hearts);
    Ok(())
}
