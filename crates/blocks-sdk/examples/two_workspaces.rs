//! Uses the keys of two workspaces in one program: `cargo run --example two_workspaces`.

use blocks_mock::MockServer;
use blocks_sdk::{Agent, Client, ClientBuilder, CreateSession};

mod support;

#[tokio::main]
async fn main() -> support::Result {
    for variable in ["BLOCKS_API_KEY_TEAM", "BLOCKS_API_KEY_LAB"] {
        // If the variable is not set, a mock replaces the service.
        let mock = MockServer::builder().key(variable).start().await?;
        let client = match std::env::var_os(variable) {
            Some(_) => ClientBuilder::from_env_named(variable)?.build()?,
            None => Client::builder(mock.key()).base_url(mock.url()).build()?,
        };
        let request = CreateSession::new(Agent::claude(), "Go.");
        let reply = client.create_session(request).await?.first_reply().await?;
        println!("{variable} at {}: {}", client.base_url(), reply.text());
    }
    Ok(())
}
