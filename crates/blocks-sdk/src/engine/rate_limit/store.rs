//! The limit of a key in a store that several processes share.

use std::error::Error as StdError;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// What a method of [`LimitStore`] returns.
pub type LimitFuture<'a, T> = Pin<Box<dyn Future<Output = Result<T, LimitStoreError>> + Send + 'a>>;

/// Where the used slots of one key are counted, for every process that uses the key.
///
/// A client without a store counts its own requests in memory. With one, it asks the store for
/// each slot. A store that fails, or that does not respond in [time](Self::response_timeout), is
/// not asked again for 10 s: until then the client counts its own requests alone. See
/// [`ClientBuilder::limit_store`](crate::ClientBuilder::limit_store).
///
/// [`SharedLimit`](super::SharedLimit) has the decisions, so that a store needs only to keep its
/// value, and to change it in one process at a time. No time of a process's clock reaches a
/// store: all times in requests and responses are relative.
pub trait LimitStore: Send + Sync {
    /// Takes a slot for the first claim of `request` that can have one now, or says when to ask
    /// again.
    fn take<'a>(&'a self, request: &'a SlotRequest) -> LimitFuture<'a, SlotResponse>;

    /// Gives out no slot for `pause`. A longer pause that is in force stays as it is.
    fn pause(&self, pause: Duration) -> LimitFuture<'_, ()>;

    /// Nothing was sent in this slot, so that another request may use it.
    fn give_back(&self, slot: u64) -> LimitFuture<'_, ()>;

    /// How long a response may take before the store counts as failed. Default: 350 ms.
    fn response_timeout(&self) -> Duration {
        Duration::from_millis(350)
    }
}

/// What a process asks of a [`LimitStore`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct SlotRequest {
    /// The process: a random number. Its claims replace those of its last request.
    pub process: u64,
    /// Requests that the process would send at most in a window.
    pub capacity: usize,
    /// Whether calls are spread evenly, since a 429 showed that the limit is less than expected.
    pub spreads_calls: bool,
    /// What the slot would be used for, in the order of precedence.
    pub claims: Vec<SlotClaim>,
}

/// One possible use of a slot.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct SlotClaim {
    /// What the request is.
    pub purpose: SlotPurpose,
    /// How long the request has waited; for a poll, the time since the last one.
    pub waited: Duration,
    /// What a second of waiting counts, compared with other claims of the same purpose.
    pub weight: f64,
}

/// What a slot is used for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum SlotPurpose {
    /// A call whose response a person waits for.
    Interactive,
    /// A create or follow-up.
    Create,
    /// A poll.
    Poll,
    /// The first poll of a wait that ends soon.
    UrgentPoll,
}

/// The response of a [`LimitStore`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum SlotResponse {
    /// A slot was taken.
    #[non_exhaustive]
    Taken {
        /// The number of the claim in the request.
        claim: usize,
        /// The slot, to give it back.
        slot: u64,
    },
    /// There is no slot now.
    #[non_exhaustive]
    Wait {
        /// When to ask again.
        again: Duration,
        /// Whether the service asked to wait, by a response to any of the processes.
        is_paused: bool,
    },
}

impl SlotRequest {
    /// The request of a process, with no claims.
    pub fn new(process: u64, capacity: usize) -> Self {
        Self {
            process,
            capacity,
            spreads_calls: false,
            claims: Vec::new(),
        }
    }

    /// The same request with one more claim.
    #[must_use]
    pub fn claim(mut self, purpose: SlotPurpose, waited: Duration, weight: f64) -> Self {
        self.claims.push(SlotClaim {
            purpose,
            waited,
            weight,
        });
        self
    }
}

impl SlotResponse {
    /// A slot for the claim with this number.
    pub fn taken(claim: usize, slot: u64) -> Self {
        Self::Taken { claim, slot }
    }

    /// No slot for now.
    pub fn wait(again: Duration, is_paused: bool) -> Self {
        Self::Wait { again, is_paused }
    }
}

/// A [`LimitStore`] could not be used.
#[derive(Debug)]
pub struct LimitStoreError(Box<dyn StdError + Send + Sync>);

impl LimitStoreError {
    /// An error with this cause or text.
    ///
    /// ```
    /// let error = blocks_sdk::LimitStoreError::new("the folder cannot be written");
    /// assert_eq!(error.to_string(), "the folder cannot be written");
    /// ```
    pub fn new(cause: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        Self(cause.into())
    }
}

impl fmt::Display for LimitStoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl StdError for LimitStoreError {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.0.source()
    }
}
