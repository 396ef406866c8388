//! What is known of each prompt of a batch, for the next run and for other workers.

mod file;
mod fingerprint;
#[cfg(feature = "redis")]
mod redis;

use std::error::Error as StdError;
use std::fmt;
use std::future::{Future, ready};
use std::pin::Pin;

use blocks_sdk::Pending;
use serde::{Deserialize, Serialize};
use serde_json::Value;

pub use self::file::FileJournal;
pub use self::fingerprint::Fingerprint;
#[cfg(feature = "redis")]
pub use self::redis::RedisJournal;

/// What a method of [`Journal`] returns.
pub type JournalFuture<'a, T> = Pin<Box<dyn Future<Output = Result<T, JournalError>> + Send + 'a>>;

/// The journal of a batch. Each step of a prompt is in it before the next one is taken.
///
/// Several workers may share one: then a prompt is claimed by exactly one of them, for as long as
/// that worker renews its claim.
pub trait Journal: Send + Sync {
    /// Whether other workers may use it at the same time.
    fn is_shared(&self) -> bool;

    /// What is known of each of these prompts.
    fn read<'a>(&'a self, ids: &'a [String]) -> JournalFuture<'a, Vec<Option<Entry>>>;

    /// Just before the create of a prompt is sent. Returns whether this worker may send it: one
    /// of which anything is known may not be sent, except as `retry` allows.
    fn claim<'a>(
        &'a self,
        id: &'a str,
        request: &'a Fingerprint,
        retry: &'a Retry,
    ) -> JournalFuture<'a, bool>;

    /// Claims a prompt whose session exists, to wait for its reply. Returns whether this worker
    /// has it now.
    fn take_over<'a>(&'a self, id: &'a str) -> JournalFuture<'a, bool>;

    /// Records a step that this worker has taken. Returns false when the prompt has a result
    /// already, which is kept.
    fn record<'a>(&'a self, id: &'a str, step: &'a Step) -> JournalFuture<'a, bool>;

    /// Renews this worker's claims.
    fn renew<'a>(&'a self, ids: &'a [String]) -> JournalFuture<'a, ()>;
}

/// What may be known of a prompt that is sent again.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Retry {
    /// That its outcome is unknown.
    pub unknown: bool,
    /// This result, and no other: another worker may have sent the prompt again already.
    pub result: Option<Value>,
}

/// What a journal knows of a prompt.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Entry {
    /// How far it has come.
    pub state: State,
    /// The request that was sent.
    pub request: Option<Fingerprint>,
}

/// How far a prompt has come.
#[derive(Clone, Debug, PartialEq)]
pub enum State {
    /// Another worker is sending the create.
    Starting,
    /// The create may have had an effect, and no worker knows it any more.
    Unknown {
        /// The session, where its id was received.
        session_id: Option<String>,
    },
    /// The session exists.
    Created {
        /// The session.
        created: Created,
        /// Whether another worker waits for the reply.
        is_claimed: bool,
    },
    /// The result, as it was recorded.
    Ended(Value),
}

impl Default for State {
    fn default() -> Self {
        Self::Unknown { session_id: None }
    }
}

/// A session that was created for a prompt.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Created {
    /// The session's id.
    #[serde(default)]
    pub session_id: String,
    /// The address of its page.
    #[serde(default)]
    pub session_html_url: Option<String>,
    /// The handle of the reply, where the service named a thread.
    #[serde(default)]
    pub pending: Option<Pending>,
}

/// A step of a prompt, after its create was claimed.
#[derive(Clone, Debug, PartialEq)]
pub enum Step {
    /// The create certainly had no effect.
    NotStarted,
    /// The create may have had an effect; the session's id, where it was received.
    Unknown(Option<String>),
    /// The session exists.
    Created(Created),
    /// The prompt has ended with this result. Only the first one after a claim is kept.
    Ended(Value),
}

/// A journal could not be used.
#[derive(Debug)]
pub struct JournalError {
    cause: Box<dyn StdError + Send + Sync>,
    is_temporary: bool,
}

impl JournalError {
    /// An error with this cause or text.
    pub fn new(cause: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        Self {
            cause: cause.into(),
            is_temporary: false,
        }
    }

    /// The same error, after which the journal may be used again.
    #[must_use]
    pub fn temporary(mut self) -> Self {
        self.is_temporary = true;
        self
    }

    /// Whether the same may succeed later.
    pub fn is_temporary(&self) -> bool {
        self.is_temporary
    }
}

impl fmt::Display for JournalError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.cause, f)
    }
}

impl StdError for JournalError {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.cause.source()
    }
}

/// No journal: nothing is remembered.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoJournal;

impl Journal for NoJournal {
    fn is_shared(&self) -> bool {
        false
    }

    fn read<'a>(&'a self, ids: &'a [String]) -> JournalFuture<'a, Vec<Option<Entry>>> {
        Box::pin(ready(Ok(ids.iter().map(|_| None).collect())))
    }

    fn claim<'a>(
        &'a self,
        _: &'a str,
        _: &'a Fingerprint,
        _: &'a Retry,
    ) -> JournalFuture<'a, bool> {
        Box::pin(ready(Ok(true)))
    }

    fn take_over<'a>(&'a self, _: &'a str) -> JournalFuture<'a, bool> {
        Box::pin(ready(Ok(true)))
    }

    fn record<'a>(&'a self, _: &'a str, _: &'a Step) -> JournalFuture<'a, bool> {
        Box::pin(ready(Ok(true)))
    }

    fn renew<'a>(&'a self, _: &'a [String]) -> JournalFuture<'a, ()> {
        Box::pin(ready(Ok(())))
    }
}
