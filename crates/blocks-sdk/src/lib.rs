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
//! - **A create or follow-up is never doubled.** It is sent again only when it certainly had no
//!   effect. When its fate is unknown, the error says so: [`Error::may_have_taken_effect`].
//! - **One budget for a key.** A client and its clones share the service's 100 requests a
//!   minute; a 429 slows them down and fails none of their waits.
//! - **Waiting is durable.** A wait outlives transient errors until its deadline, and
//!   [`Pending`] can be stored and waited on in another process.
//! - **Reading loses nothing and repeats nothing**, while messages come and go.
//! - **The key stays at home.** It goes to the configured base URL only, also when a link names
//!   another host, and is in no error, log or `Debug` output.
//! - **Unknown is not an error.** Fields and values newer than this release are kept.
//!
//! Where to begin: the [`guide`]; then [`Client`], [`Session`], [`Turn`], [`Messages`], [`Error`]. For tests without
//! a network, the crate `blocks-mock` is a service to plug in: [`ClientBuilder::service`].
//!
//! | feature | what it adds |
//! | --- | --- |
//! | `rustls` (default) | TLS by rustls |
//! | `native-tls` | TLS by the platform's library |
//! | `tracing` | spans and events of each call, attempt and look |
//! | `schemars` | JSON Schemas of the data types |

mod agent;
mod artifact;
mod attempt;
mod builder;
mod call;
mod client;
mod error;
mod failure;
// Pages alone, so it costs a build nothing.
#[cfg(any(doc, doctest))]
pub mod guide;
mod key;
mod known;
mod link;
mod merged;
mod messages;
mod notice;
mod page;
mod pager;
mod pending;
mod rate_limit;
mod received;
mod repair;
mod request;
mod retry;
mod retry_after;
mod session;
mod stream;
mod telemetry;
mod transcript;
mod transport;
mod turn;
mod turns;
mod watch;
mod window;

pub use agent::Agent;
pub use artifact::Artifact;
pub use blocks_api::json::{JsonObject, RawJson};
pub use blocks_api::open::{
    AgentName, ArtifactKind, Direction, Id, InvalidId, MessageRole, MessageType, PresignedUrl,
    PullRequest, Timestamp,
};
pub use blocks_api::types;
pub use builder::ClientBuilder;
pub use client::Client;
pub use error::{Error, ErrorKind};
pub use link::{Link, Linked};
pub use messages::Messages;
pub use notice::{FailureNotice, FailureNoticeKind};
pub use page::Page;
pub use pending::Pending;
pub use rate_limit::{
    LimitFuture, LimitStore, LimitStoreError, LimitStoreStatus, MemoryLimitStore, RateLimit,
    RateLimitStatus, SharedLimit, SlotAnswer, SlotClaim, SlotPurpose, SlotRequest,
};
pub use request::{CreateSession, FollowUp};
pub use retry::RetryPolicy;
pub use session::Session;
pub use stream::MessageStream;
pub use transcript::{ToolCall, Transcript, TranscriptTurn};
pub use transport::{HttpTransport, SendError, Sending, Transport};
pub use turn::{Progress, ProgressStream, Reply, Turn, Wait, replies};
pub use watch::{Watch, WatchCursor, WatchEvent};

#[cfg(doctest)]
#[doc = include_str!("../../../README.md")]
struct ReadmeCode;
