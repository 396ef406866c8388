//! Tests of the SDK and the CLI through their public interfaces. Most tests use tokio's paused clock, so that waiting
//! takes no real time.

mod connections;
mod creating;
mod downloads;
mod encodings;
mod errors;
mod following;
mod hostile_server;
mod links;
mod mocked;
mod paging;
mod rate_limit;
mod raw;
mod reading;
mod recording;
mod secrets;
mod sockets;
mod structured;
mod vendor;
mod vendor_commands;
mod waiting;

use std::io::Cursor;

use blocks_cli::Host;
use blocks_mock::Mock;
use blocks_sdk::{Agent, Client, CreateSession};
use blocks_tests::Captured;

fn hello() -> CreateSession {
    CreateSession::new(Agent::claude(), "hello")
}

/// Creates a client of a mock in this process.
fn client(mock: &Mock) -> Client {
    let builder = Client::builder(mock.key()).service(mock.service());
    builder.build().unwrap()
}

/// Runs a command. Returns its exit code, standard output and standard error.
async fn blocks(client: Client, line: &[&str], input: &str) -> (u8, String, String) {
    let (out, err) = (Captured::default(), Captured::default());
    let host = Host::new(client, out.clone(), err.clone());
    let host = host.input(Cursor::new(input.to_owned()));
    let line = ["blocks"].into_iter().chain(line.iter().copied());
    let code = blocks_cli::run(line, host).await;
    (code, out.text(), err.text())
}
