//! Calls the Blocks Sessions API: creates sessions, waits for the agent's replies, and sends follow-ups.
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
//! Guarantees:
//! - **Creates and follow-ups are never duplicated.** The client sends such a request again only when the request
//!   certainly had no effect. When the outcome is unknown, [`Error::may_have_taken_effect`] returns `true`.
//! - **All clones share one rate limiter.** A client and its clones share the service's 100 requests per minute. A 429
//!   delays the requests of all clones, but a wait for a reply does not end before its time-out because of a 429. Only
//!   the correction of a structured reply, which is a new prompt, can fail because of a long pause.
//! - **Waits survive errors and restarts.** A wait continues after failed connections and after the statuses 408, 429
//!   and 5xx until its time-out. Another process can resume a wait from a stored [`Pending`].
//! - **Reading neither loses nor repeats messages**, even while messages are added and deleted.
//! - **The API key is sent to the configured base URL only**, even when a link in a response names another host. No
//!   error, log or `Debug` output contains the key.
//! - **Unknown fields and values are kept**, because the service may be newer than this release.
//!
//! Read the [`guide`] first, then the pages of [`Client`], [`Session`], [`Turn`], [`MessagesQuery`] and [`Error`]. For
//! tests without a network, use the crate `blocks-mock` with [`ClientBuilder::service`].
//!
//! | feature | what it adds |
//! | --- | --- |
//! | `rustls` (default) | TLS by rustls |
//! | `native-tls` | TLS by the platform's library |
//! | `tracing` | spans and events of each call, attempt and poll |
//! | `reqwest` | settings of the HTTP client with the types of reqwest 0.13: `ClientBuilder::configure_http` |
//! | `schemars` | replies as values of your types (`CreateSession::expect`), and JSON Schemas of the data types |

mod client;
mod engine;
// The module `guide` contains only documentation, so the module is compiled only for documentation and for
// documentation tests.
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
pub use engine::effect::CreateEffect;
pub use engine::error::{Error, ErrorKind};
pub use engine::mismatch::ReplyMismatch;
pub use engine::pending::Pending;
pub use engine::rate_limit::{
    LimitFuture, LimitStore, LimitStoreError, LimitStoreStatus, MemoryLimitStore, RateLimit,
    RateLimitStatus, SharedLimit, SlotDemand, SlotPurpose, SlotRequest, SlotResponse,
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

/// Contains the data types of the service.
///
/// Later releases may add fields. So the types are `#[non_exhaustive]`, and a program cannot create a value by naming
/// all fields. In a test, create a value with `serde_json::from_value`.
pub mod types {
    pub use blocks_api::types::{
        Artifact, Link, Message, MessageLinks, MessagePage, PageLinks, PageMeta, Session,
        SessionLinks,
    };
}

#[cfg(doctest)]
#[doc = include_str!("../../../README.md")]
struct ReadmeCode;
