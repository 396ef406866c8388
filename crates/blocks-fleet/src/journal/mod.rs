//! Defines the journal of a batch. A journal records the steps of each prompt (for example, that the session was
//! created), for the next run and for other workers.

mod file;
mod fingerprint;
mod in_use;
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
pub(crate) use self::in_use::InUse;
#[cfg(feature = "redis")]
pub use self::redis::RedisJournal;

/// Largest number of levels in a recorded result. `serde_json` reads at most 127 levels, and a journal adds its own.
const DEEPEST: usize = 100;

/// The future that a method of [`Journal`] returns.
pub type JournalFuture<'a, T> = Pin<Box<dyn Future<Output = Result<T, JournalError>> + Send + 'a>>;

/// Records the steps of each prompt of a batch. The batch records each step before it takes the next step. If the step
/// [`Step::Created`] cannot be recorded, the batch still waits for the reply.
///
/// Several workers may share a journal. A claim then reserves a prompt for one worker, for as long as that worker
/// renews the claim.
///
/// A value of a journal type represents one worker, so only one [`Batch`](crate::Batch) at a time may use it. To run
/// several batches in one process, create a value for each batch, for example a `RedisJournal` with the same URL.
/// [`Batch::new`](crate::Batch::new) fails if another batch uses the same value. This check cannot see into a journal
/// that contains another journal: two such journals must not contain the same value.
pub trait Journal: Send + Sync {
    /// Returns whether several workers may use the journal at the same time.
    fn is_shared(&self) -> bool;

    /// Returns the entry of each of these prompts, in the order of `ids`. For a prompt without an entry, the value is
    /// `None`.
    fn read<'a>(&'a self, ids: &'a [String]) -> JournalFuture<'a, Vec<Option<Entry>>>;

    /// Claims a prompt for this worker, just before the create is sent. Returns whether this worker may send the
    /// create. If a shared journal already has an entry for the prompt, the create may be sent only if `retry` allows
    /// it, or if the entry is this worker's own claim. A journal that is not shared need not check this.
    fn claim<'a>(
        &'a self,
        id: &'a str,
        request: &'a Fingerprint,
        retry: &'a Retry,
    ) -> JournalFuture<'a, bool>;

    /// Claims a prompt whose session exists, so that this worker can wait for the reply. Returns whether this worker
    /// has the claim.
    fn take_over<'a>(&'a self, id: &'a str) -> JournalFuture<'a, bool>;

    /// Records a step that this worker has taken. A shared journal returns `false` if the prompt has a result already,
    /// and keeps that result.
    fn record<'a>(&'a self, id: &'a str, step: &'a Step) -> JournalFuture<'a, bool>;

    /// Renews this worker's claims of these prompts.
    fn renew<'a>(&'a self, ids: &'a [String]) -> JournalFuture<'a, ()>;
}

/// Decides whether a prompt may be sent again although the journal already has an entry for it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Retry {
    /// Whether a prompt with an unknown outcome may be sent again.
    pub unknown: bool,
    /// A prompt with a recorded result may be sent again if the result is still this value. If the journal contains a
    /// different result, another worker has already sent the prompt again.
    pub result: Option<Value>,
}

impl Retry {
    /// Returns whether a prompt in this recorded state may be sent again.
    fn allows(&self, state: &State) -> bool {
        match state {
            State::Unknown { .. } => self.unknown,
            State::Ended(result) => self.result.as_ref() == Some(result),
            State::Starting | State::Created { .. } => false,
        }
    }
}

/// Contains the state, and the fingerprint of the request, that a journal has recorded for a prompt.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Entry {
    /// State of the prompt.
    pub state: State,
    /// Fingerprint of the create request, if the journal contains it.
    pub request: Option<Fingerprint>,
}

/// Contains the recorded state of a prompt.
#[derive(Clone, Debug, PartialEq)]
pub enum State {
    /// Another worker has claimed the prompt, and is sending the create or sends it next.
    Starting,
    /// The create may have had an effect, but its outcome is not known, for example because a worker was killed.
    Unknown {
        /// Id of the session, if it was received.
        session_id: Option<String>,
    },
    /// The session exists.
    Created {
        /// The session.
        created: Created,
        /// Whether another worker has a claim of the prompt. Usually that worker waits for the reply.
        is_claimed: bool,
    },
    /// The prompt has this recorded result.
    Ended(Value),
}

impl Default for State {
    fn default() -> Self {
        Self::Unknown { session_id: None }
    }
}

/// Contains the session that was created for a prompt.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Created {
    /// Id of the session.
    #[serde(default)]
    pub session_id: String,
    /// URL of the session's web page.
    #[serde(default)]
    pub session_html_url: Option<String>,
    /// Handle with which another process can wait for the reply. `None` if the service did not report the id of the
    /// session's thread.
    #[serde(default)]
    pub pending: Option<Pending>,
}

/// Describes a step that a worker records for a claimed prompt.
#[derive(Clone, Debug, PartialEq)]
pub enum Step {
    /// The create certainly had no effect. The entry of the prompt becomes the entry before the claim again.
    NotStarted,
    /// The create may have had an effect. The value is the session's id, if it was received.
    Unknown(Option<String>),
    /// The session exists.
    Created(Created),
    /// The prompt has ended with this result. If several results are recorded after one claim, a shared journal keeps
    /// only the first. The journals of this crate record an array or object that is nested in 100 others as a string
    /// with its JSON text, because JSON with too many levels could not be read again.
    Ended(Value),
}

/// Returns a result that can be read again after it was written as JSON. Arrays and objects that are nested too deeply
/// become strings with their JSON text, so that no part of the result is lost.
fn readable(result: &Value) -> Value {
    limit_levels(result, DEEPEST)
}

fn limit_levels(value: &Value, levels: usize) -> Value {
    match value {
        Value::Array(_) | Value::Object(_) if levels == 0 => Value::String(value.to_string()),
        Value::Array(values) => Value::Array(
            values
                .iter()
                .map(|value| limit_levels(value, levels - 1))
                .collect(),
        ),
        Value::Object(fields) => Value::Object(
            fields
                .iter()
                .map(|(name, value)| (name.clone(), limit_levels(value, levels - 1)))
                .collect(),
        ),
        other => other.clone(),
    }
}

/// Reports that a journal could not be used.
#[derive(Debug)]
pub struct JournalError {
    cause: Box<dyn StdError + Send + Sync>,
    is_temporary: bool,
}

impl JournalError {
    /// Creates an error with this cause or text.
    pub fn new(cause: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        Self {
            cause: cause.into(),
            is_temporary: false,
        }
    }

    /// Marks the error as temporary. A running batch then repeats the operation of the journal for up to 5 minutes.
    #[must_use]
    pub fn temporary(mut self) -> Self {
        self.is_temporary = true;
        self
    }

    /// Returns whether the error was marked as temporary: the same operation may succeed later.
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

/// Implements a journal that records nothing.
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
