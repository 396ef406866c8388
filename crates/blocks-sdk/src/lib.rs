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
//! let reply = session.first_reply().await?;
//! println!("{}", reply.text());
//! # Ok(())
//! # }
//! ```
//!
//! What holds:
//! - **A create or follow-up is never doubled.** It is sent again only when it certainly had no
//!   effect. When the outcome is unknown, the error says so: [`Error::may_have_taken_effect`].
//! - **One budget for a key.** A client and its clones share the service's 100 requests a
//!   minute; a 429 slows them down and fails none of their waits.
//! - **Waiting is durable.** A wait outlives transient errors until its deadline, and
//!   [`Pending`] can be stored and waited on in another process.
//! - **Reading loses nothing and repeats nothing**, while messages come and go.
//! - **The key stays at home.** It goes to the configured base URL only, also when a link names
//!   another host, and is in no error, log or `Debug` output.
//! - **Unknown is not an error.** Fields and values newer than this release are kept.
//!
//! Where to begin: the [`guide`]; then [`Client`], [`Session`], [`Turn`], [`MessagesQuery`], [`Error`]. For tests without
//! a network, the crate `blocks-mock` is a service to plug in: [`ClientBuilder::service`].
//!
//! | feature | what it adds |
//! | --- | --- |
//! | `rustls` (default) | TLS by rustls |
//! | `native-tls` | TLS by the platform's library |
//! | `tracing` | spans and events of each call, attempt and look |
//! | `reqwest` | settings of the HTTP client by the types of reqwest 0.13: `ClientBuilder::configure_http` |
//! | `schemars` | replies as values of your types (`CreateSession::expect`), and JSON Schemas of the data types |

mod client;
mod engine;
// Pages alone, so it costs a build nothing.
#[cfg(any(doc, doctest))]
pub mod guide;
mod messages;
mod request;
mod session;

pub use bytes::Bytes;
pub use chrono::{DateTime, Utc};
pub use http;
pub use serde_json::{Map, Value};
pub use uuid::Uuid;

pub use blocks_api::json::{JsonObject, RawJson};
pub use blocks_api::message::ToolCall;
pub use blocks_api::open::{
    AgentName, ArtifactKind, Direction, Id, InvalidId, MessageRole, MessageType, PresignedUrl,
    PullRequest, Timestamp, UnknownValue,
};
pub use client::Client;
pub use client::builder::ClientBuilder;
pub use client::create::{CreatePermit, Detached};
pub use client::request::{RawRequest, RawResponse};
pub use engine::body::Body;
pub use engine::error::{Error, ErrorKind};
pub use engine::mismatch::ReplyMismatch;
pub use engine::pending::Pending;
pub use engine::rate_limit::{
    LimitFuture, LimitStore, LimitStoreError, LimitStoreStatus, MemoryLimitStore, RateLimit,
    RateLimitStatus, SharedLimit, SlotClaim, SlotPurpose, SlotRequest, SlotResponse,
};
pub use engine::response::ResponseInfo;
pub use engine::retry::RetryPolicy;
pub use engine::transport::{HttpTransport, SendError, SendFuture, Transport};
pub use messages::MessagesQuery;
pub use messages::page::Page;
pub use messages::stream::MessageStream;
pub use messages::watch::{Watch, WatchCursor, WatchEvent};
pub use request::agent::Agent;
pub use request::{CreateSession, FollowUp};
pub use session::Session;
pub use session::artifact::{Artifact, Download};
pub use session::notice::{FailureNotice, FailureNoticeKind};
pub use session::reference::SessionRef;
#[cfg(feature = "schemars")]
pub use session::structured::{StructuredReply, StructuredWait};
pub use session::transcript::{Transcript, TranscriptTurn};
pub use session::turn::{Progress, ProgressStream, Replies, Reply, Turn, Wait, replies};

/// What the service sends, as data.
///
/// Fields may be added, so these types are `#[non_exhaustive]`. A test makes one with `serde_json::from_value`.
pub mod types {
    pub use blocks_api::types::{
        Artifact, Link, Message, MessageLinks, MessagePage, PageLinks, PageMeta, Session,
        SessionLinks,
    };
}

#[cfg(doctest)]
#[doc = include_str!("../../../README.md")]
struct ReadmeCode;
