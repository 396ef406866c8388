//! The client of the Blocks Sessions API: create a session, wait for the agent's
//! reply, follow up.
//!
//! ```no_run
//! use blocks_sdk::{Agent, Client, CreateSession};
//!
//! # async fn run() -> Result<(), blocks_sdk::Error> {
//! let client = Client::from_env()?;
//! let session = client
//!     .create_session(CreateSession::new(Agent::claude(), "Add a test for the parser."))
//!     .await?;
//! println!("watch it at {}", session.html_url().unwrap_or("the dashboard"));
//! let reply = session.reply().await?;
//! println!("{}", reply.text());
//! # Ok(())
//! # }
//! ```
//!
//! What holds:
//! - A create or follow-up is sent at most once. When its fate is unknown, the error
//!   says so: [`Error::may_have_taken_effect`].
//! - The key goes to the configured base URL only, also when a link names another host.
//! - A wait outlives transient errors until its deadline.

mod agent;
mod client;
mod error;
mod link;
mod request;
mod session;

pub use agent::Agent;
pub use blocks_api::open::{AgentName, MessageRole, MessageType, PullRequest};
pub use blocks_api::types;
pub use client::{Client, ClientBuilder};
pub use error::{Error, ErrorKind};
pub use request::{CreateSession, FollowUp};
pub use session::{Reply, Session, Turn, WaitOptions};

#[cfg(doctest)]
#[doc = include_str!("../../../README.md")]
struct ReadmeCode;
