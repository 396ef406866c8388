//! Begins in one process and waits in another: `cargo run --example resume`.
//!
//! The first stores what is pending and starts the second, which reads it and waits on.

use std::process::Command;

use blocks_sdk::{Agent, Client, CreateSession, Pending};

mod support;

#[tokio::main]
async fn main() -> support::Result {
    if let Some(path) = std::env::args().nth(1) {
        let pending: Pending = serde_json::from_str(&std::fs::read_to_string(path)?)?;
        let reply = Client::from_env()?.resume(pending).reply().await?;
        println!("the second process has the reply: {}", reply.text());
        return Ok(());
    }
    let (client, mock) = support::connect().await?;
    let request = CreateSession::new(Agent::claude(), "Tell me one fun fact about octopuses.");
    let session = client.create_session(request).await?;
    let path = std::env::temp_dir().join(format!("{}.json", session.id()));
    std::fs::write(
        &path,
        serde_json::to_string(session.first_turn()?.pending())?,
    )?;
    println!(
        "the first process stored what is pending in {}",
        path.display()
    );

    let mut second = Command::new(std::env::current_exe()?);
    second.arg(&path);
    if let Some(mock) = &mock {
        second.env("BLOCKS_API_KEY", mock.key());
        second.env("BLOCKS_API_BASE_URL", mock.url());
    }
    let status = tokio::task::spawn_blocking(move || second.status()).await??;
    std::fs::remove_file(path)?;
    if status.success() {
        Ok(())
    } else {
        Err("the second process failed".into())
    }
}
