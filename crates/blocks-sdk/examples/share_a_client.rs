//! Shares a client between tasks and runtimes: `cargo run --example share_a_client`.

use blocks_sdk::{Agent, Client, CreateSession, Error};

mod support;

async fn ask(client: Client, prompt: &'static str) -> Result<String, Error> {
    let session = client.create_session(CreateSession::new(Agent::claude(), prompt));
    let reply = session.await?.first_reply().await?;
    Ok(reply.text().to_owned())
}

#[tokio::main]
async fn main() -> support::Result {
    let (client, _mock) = support::connect().await?;
    let in_a_task = tokio::spawn(ask(client.clone(), "Name one fun fact about octopuses."));
    println!("{}", in_a_task.await??);

    let shared = client.clone(); // clones share one rate limiter
    let in_a_runtime = std::thread::spawn(move || {
        let runtime = tokio::runtime::Runtime::new().expect("a runtime");
        runtime.block_on(ask(shared, "And one about squids."))
    });
    println!(
        "{}",
        tokio::task::spawn_blocking(move || in_a_runtime.join().expect("no panic")).await??
    );
    println!("{:?}", client.rate_limit_status());
    Ok(())
}
