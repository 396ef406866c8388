//! Downloads the plans that an agent wrote: `cargo run --example save_a_plan`.

use blocks_sdk::{Agent, CreateSession};

mod support;

#[tokio::main]
async fn main() -> support::Result {
    let (client, _mock) = support::connect().await?;
    let request = CreateSession::new(Agent::claude(), "Plan how to count an octopus's hearts.");
    let session = client.create_session(request).await?;
    session.first_reply().await?;

    for plan in session.plans().await? {
        let plan = plan?;
        let path = std::env::temp_dir().join(format!("{}.md", plan.id()));
        plan.save(&path).await?;
        let named = plan.file_name().unwrap_or("a plan");
        println!("{named}:\n{}", std::fs::read_to_string(&path)?);
        std::fs::remove_file(path)?;
    }
    Ok(())
}
