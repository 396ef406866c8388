//! The command that `cargo xtask drift` starts.

use std::process::ExitCode;

use clap::Parser as _;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    ExitCode::from(blocks_drift::run::Drift::parse().run().await)
}
