//! Stores the limit of a key, which several processes share.

use std::error::Error as StdError;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Is the future of the methods of [`LimitStore`].
pub type LimitFuture<'a, T> = Pin<Box<dyn Future<Output = Result<T, LimitStoreError>> + Send + 'a>>;

/// Counts the used slots of one key for all processes that use the key.
///
/// A client without a store counts its own requests in memory. A client with a store requests each slot from it.
/// After a store has failed, or has not responded within its [time-out](Self::response_timeout), the client does not use
/// it for 10 s, and counts only its own requests. See [`ClientBuilder::limit_store`](crate::ClientBuilder::limit_store).
///
/// [`SharedLimit`](super::SharedLimit) makes the decisions. A store only needs to keep its value, and to change it in
/// one process at a time. No time of a process's clock reaches a store: all times in requests and responses are
/// relative.
pub trait LimitStore: Send + Sync {
    /// Takes a slot for the first demand of `request` that can have one now, or returns when to request again.
    fn take<'a>(&'a self, request: &'a SlotRequest) -> LimitFuture<'a, SlotResponse>;

    /// Grants no slot for `pause`. A longer pause that is in force is unchanged.
    fn pause(&self, pause: Duration) -> LimitFuture<'_, ()>;

    /// Returns a slot in which nothing was sent, so that another request can use it.
    fn give_back(&self, slot: u64) -> LimitFuture<'_, ()>;

    /// Returns how long a response may take before the store counts as failed. Default: 350 ms.
    fn response_timeout(&self) -> Duration {
        Duration::from_millis(350)
    }
}

/// Requests a slot from a [`LimitStore`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct SlotRequest {
    /// The process, as a random number. Its demands replace those of its last request.
    pub process: u64,
    /// The maximum number of requests that the process would send in a window.
    pub capacity: usize,
    /// Whether calls are spread evenly, because a 429 showed that the limit is lower than expected.
    pub spreads_calls: bool,
    /// The possible uses of the slot, in the order of precedence.
    pub demands: Vec<SlotDemand>,
}

/// Describes one possible use of a slot.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct SlotDemand {
    /// The purpose of the request.
    pub purpose: SlotPurpose,
    /// How long the request has waited; for a poll, the time since the last poll.
    pub waited: Duration,
    /// The weight of a second of waiting, compared with other demands of the same purpose.
    pub weight: f64,
}

/// Names the purpose of a slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum SlotPurpose {
    /// A call for which a person waits.
    Interactive,
    /// A create or follow-up.
    Create,
    /// A poll.
    Poll,
    /// The first poll of a wait that ends soon.
    UrgentPoll,
}

/// Contains the response of a [`LimitStore`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum SlotResponse {
    /// A slot was taken.
    #[non_exhaustive]
    Taken {
        /// The number of the demand in the request.
        demand: usize,
        /// The slot, to give it back.
        slot: u64,
    },
    /// There is no slot now.
    #[non_exhaustive]
    Wait {
        /// When to request again.
        again: Duration,
        /// Whether the service asked for a pause, in a response to any of the processes.
        is_paused: bool,
    },
}

impl SlotRequest {
    /// Creates the request of a process, without demands.
    pub fn new(process: u64, capacity: usize) -> Self {
        Self {
            process,
            capacity,
            spreads_calls: false,
            demands: Vec::new(),
        }
    }

    /// Adds a demand to the request.
    #[must_use]
    pub fn demand(mut self, purpose: SlotPurpose, waited: Duration, weight: f64) -> Self {
        self.demands.push(SlotDemand {
            purpose,
            waited,
            weight,
        });
        self
    }
}

impl SlotResponse {
    /// Returns the response with a slot for the demand with this number.
    pub fn taken(demand: usize, slot: u64) -> Self {
        Self::Taken { demand, slot }
    }

    /// Returns the response without a slot.
    pub fn wait(again: Duration, is_paused: bool) -> Self {
        Self::Wait { again, is_paused }
    }
}

/// Reports that a [`LimitStore`] could not be used.
#[derive(Debug)]
pub struct LimitStoreError(Box<dyn StdError + Send + Sync>);

impl LimitStoreError {
    /// Creates an error from a cause or a text.
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
