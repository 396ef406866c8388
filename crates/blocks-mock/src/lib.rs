//! Mocks the Blocks Sessions API, including behaviour that is not documented. A test can also make requests fail, for
//! example with the status 503. With tokio's paused clock, tests take milliseconds. Tests need no network.
//!
//! The mock does not use the types of the SDK. So a test with the mock can find an error in a type of the SDK, for
//! example a field with a wrong name.
//!
//! - A mock runs **in process** ([`Mock::service`], a tower service) or **on a port** ([`MockBuilder::start`]). A
//!   program can run any number of mocks at the same time, because a mock has no global state.
//! - **All durations are measured with tokio's clock**, so that a test with a paused clock does not wait. The
//!   start date is the date of the system, unless the mock has a seed.
//! - **Dialects** ([`Dialect`]) select the behaviour of the mock, for example where the documentation and the live
//!   service disagree.
//! - **Scripts** ([`Script`], [`AgentRule`]) describe the turns of the agent, and **faults** ([`Fault`]) make
//!   requests fail.
//! - The mock can apply a **rate limit** ([`RateLimit`]), and keeps a **request log** ([`Mock::requests`]).
//! - A **replay** ([`Capture`]) sends recorded responses again.
//!
//! This test runs a mock in process. Any client that takes a tower service can use the mock:
//!
//! ```
//! # #[tokio::main(flavor = "current_thread", start_paused = true)]
//! # async fn main() -> Result<(), blocks_sdk::Error> {
//! use blocks_mock::{Mock, Operation};
//! use blocks_sdk::{Agent, Client, CreateSession};
//!
//! let mock = Mock::builder().reply("Done.").reply_after(std::time::Duration::from_secs(60)).build();
//! let client = Client::builder(mock.key()).service(mock.service()).build()?;
//! let session = client.create_session(CreateSession::new(Agent::claude(), "Go.")).await?;
//! assert_eq!(session.first_reply().await?.text(), "Done.");
//! assert_eq!(mock.count(Operation::CreateSession), 1);
//! # Ok(())
//! # }
//! ```
//!
//! This test runs a mock on a port. Programs in any language can use the mock:
//!
//! ```
//! # tokio::runtime::Runtime::new().unwrap().block_on(async {
//! let mock = blocks_mock::MockServer::start().await?;
//! assert!(mock.url().starts_with("http://127.0.0.1:"));
//! assert_eq!(mock.session_count(), 0);
//! # Ok::<(), std::io::Error>(())
//! # }).unwrap();
//! ```

mod body;
mod clock;
mod config;
mod control;
mod dialect;
mod duration;
mod fault;
mod handlers;
mod host;
mod json_faults;
mod limit;
mod mock;
mod object;
mod query;
mod replay;
mod request_log;
mod route;
mod rules;
mod schema_reply;
mod script;
mod server;
mod service;
mod settings;
mod store;

pub use body::MockBody;
pub use config::{DialectConfig, DialectName, MockConfig};
pub use dialect::Dialect;
pub use fault::{Fault, FaultRule, Frequency, Operation, RetryAfter};
pub use limit::RateLimit;
pub use mock::{Mock, MockBuilder};
pub use replay::Capture;
pub use request_log::{RecordedRequest, RequestLog};
pub use rules::{AgentRule, TurnFilter};
pub use schema_reply::SchemaReply;
pub use script::{Action, FailureNotice, ReplyTiming, Script, Step, TurnInfo};
pub use server::MockServer;
pub use service::MockService;
pub use store::NewMessage;

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct ReadmeCode;
