// Creates what the examples in this crate's documentation need: a client, and the mock that the client calls. The clock
// of tokio is paused.
//
// An example includes this file in hidden lines:
//
// ```text
// # mod doctest { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doctest.rs")); }
// # doctest::with_session(async |session, client, mock| {
// assert_eq!(session.first_reply().await?.text(), "Done.");
// # Ok(()) });
// ```

use std::error::Error;
use std::pin::Pin;
use std::time::Duration;

use blocks_mock::{Action, Mock, Script};
use blocks_sdk::{Agent, Client, CreateSession, Session};

/// Runs an example that needs a client.
pub fn with_client(example: impl AsyncFnOnce(Client, Mock) -> Result<(), Box<dyn Error>>) {
    run(Mock::new(), example);
}

/// Runs an example that needs a client, and an agent that replies with `text`.
pub fn with_reply(
    text: &str,
    example: impl AsyncFnOnce(Client, Mock) -> Result<(), Box<dyn Error>>,
) {
    run(Mock::builder().reply(text).build(), example);
}

/// Runs an example that needs a session. The agent replies "Done." in this session.
pub fn with_session(
    example: impl AsyncFnOnce(Session, Client, Mock) -> Result<(), Box<dyn Error>>,
) {
    run(Mock::new(), async |client, mock| {
        let session = client.create_session(CreateSession::new(Agent::claude(), "Go."));
        example(session.await?, client, mock).await
    });
}

/// Runs an example that needs a session in which the agent has written a plan.
pub fn with_plan(example: impl AsyncFnOnce(Session, Client, Mock) -> Result<(), Box<dyn Error>>) {
    let plan = Action::Plan {
        file_name: "plan.md".into(),
        text: "1. Look.".into(),
    };
    let mock = Mock::builder().agent(Script::default().step(Duration::ZERO, plan));
    run(mock.build(), async |client, mock| {
        let session = client.create_session(CreateSession::new(Agent::claude(), "Go."));
        example(session.await?, client, mock).await
    });
}

fn run(mock: Mock, example: impl AsyncFnOnce(Client, Mock) -> Result<(), Box<dyn Error>>) {
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    let runtime = runtime.enable_all().start_paused(true).build().unwrap();
    let client = Client::builder(mock.key()).service(mock.service()).build().unwrap();
    // The future is boxed, so that `block_on` is compiled once, and not for each example.
    let example: Pin<Box<dyn Future<Output = _>>> = Box::pin(example(client, mock));
    let result: Result<(), Box<dyn Error>> = runtime.block_on(example);
    result.unwrap();
}
