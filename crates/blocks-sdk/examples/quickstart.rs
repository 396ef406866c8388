//! Creates a session, shows progress and prints the agent's reply:
//! `cargo run --example quickstart`.

use blocks_sdk::{Agent, CreateSession, Progress};

mod support;

#[tokio::main]
async fn main() -> support::Result {
    let (client, _mock) = support::connect().await?;
    let request = CreateSession::new(Agent::claude(), "Name one fun fact about octopuses.");
    let session = client.create_session(request).await?;
    eprintln!(
        "watch it: {}",
        session.html_url().unwrap_or("in the dashboard")
    );

    let mut progress = session.first_turn()?.reply().progress();
    while let Some(step) = progress.next().await {
        match step? {
            Progress::Waiting { elapsed, .. } => eprintln!("waiting, {} s", elapsed.as_secs()),
            Progress::Replied(reply) => println!("{}", reply.text()),
            _ => {}
        }
    }
    Ok(())
}
