//! Resumes the wait for a reply after a crash: `cargo run --example resume`.

use blocks_sdk::{Agent, Client, CreateSession, Pending};
use std::path::Path;

mod support;

async fn run(client: &Client, path: &Path) -> support::Result {
    if let Ok(stored) = std::fs::read_to_string(path) {
        let pending: Pending = serde_json::from_str(&stored)?;
        println!("{}", client.resume(pending).reply().await?.text());
        return Ok(());
    }
    let request = CreateSession::new(Agent::claude(), "Name one fun fact about octopuses.");
    let session = client.create_session(request).await?;
    std::fs::write(
        path,
        serde_json::to_string(session.first_turn()?.pending())?,
    )?;
    println!("crashed before the reply");
    Ok(())
}

#[tokio::main]
async fn main() -> support::Result {
    let (client, _mock) = support::connect().await?;
    let path = std::env::temp_dir().join(format!("blocks-{}.json", std::process::id()));
    run(&client, &path).await?;
    run(&client, &path).await
}
