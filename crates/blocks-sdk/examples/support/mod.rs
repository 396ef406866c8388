//! Connects the examples to the service if `BLOCKS_API_KEY` is set, or else to a mock server in this process.

use std::error::Error;
use std::time::Duration;

use blocks_mock::{Action, MockServer, Script};
use blocks_sdk::Client;

pub type Result<T = ()> = std::result::Result<T, Box<dyn Error>>;

/// Returns a client, and the mock server if the client calls one. Dropping the mock server closes its port, so an
/// example keeps the mock server until its end.
#[allow(dead_code)] // Some examples need only the types.
pub async fn connect() -> Result<(Client, Option<MockServer>)> {
    if std::env::var_os("BLOCKS_API_KEY").is_some() {
        return Ok((Client::from_env()?, None));
    }
    eprintln!("BLOCKS_API_KEY is not set: talking to a mock server in this process.");
    let second = Duration::from_secs(1);
    let look = Action::ToolCall {
        name: "search".into(),
        input: "octopus hearts".into(),
    };
    let plan = Action::Plan {
        file_name: "plan.md".into(),
        text: "1. Find an octopus.\n2. Count.\n".into(),
    };
    let script = Script::reply("Octopuses have three hearts.")
        .reply_after(3 * second)
        .step(second, look)
        .step(2 * second, plan);
    let mock = MockServer::builder().agent(script).start().await?;
    let client = Client::builder(mock.key()).base_url(mock.url()).build()?;
    Ok((client, Some(mock)))
}
