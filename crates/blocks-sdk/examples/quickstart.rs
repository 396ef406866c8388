//! Creates a session and prints the agent's reply: `cargo run --example quickstart`.
//!
//! With `BLOCKS_API_KEY` it talks to the service, without it to a mock server in process.

use std::io::{IsTerminal, Write};
use std::time::Duration;

use blocks_mock::MockServer;
use blocks_sdk::{Agent, Client, CreateSession};
use tokio::time::Instant;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    // Kept until the end: dropping it closes the mock's port.
    let mut mock = None;
    let client = if std::env::var_os("BLOCKS_API_KEY").is_some() {
        Client::from_env()?
    } else {
        eprintln!("BLOCKS_API_KEY is not set: talking to a mock server in this process.");
        let server = MockServer::builder()
            .reply("Octopuses have three hearts.")
            .reply_after(Duration::from_secs(3))
            .start()
            .await?;
        let client = Client::builder(server.key())
            .base_url(server.url())
            .build()?;
        mock = Some(server);
        client
    };

    let started = Instant::now();
    let request = CreateSession::new(Agent::claude(), "Tell me one fun fact about octopuses.");
    let session = client.create_session(request).await?;
    eprintln!(
        "watch it: {}",
        session.html_url().unwrap_or("in the dashboard")
    );

    let reply = tokio::select! {
        reply = session.reply() => reply?,
        () = show_waiting(started) => unreachable!("it waits for ever"),
    };
    if std::io::stderr().is_terminal() {
        eprintln!();
    }
    println!("{}", reply.text());
    eprintln!("replied after {:.1} s", started.elapsed().as_secs_f64());
    drop(mock);
    Ok(())
}

async fn show_waiting(started: Instant) {
    loop {
        if std::io::stderr().is_terminal() {
            eprint!("\rwaiting, {} s", started.elapsed().as_secs());
            // Progress that cannot be shown is no reason to stop.
            let _ = std::io::stderr().flush();
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
}
