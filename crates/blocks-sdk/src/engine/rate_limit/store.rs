//! Defines the store of a shared limit, which counts the requests of all processes that use an API key. A *slot* is one
//! of the requests that the limit allows in a minute.

use std::error::Error as StdError;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Is the type of the futures that the methods of [`LimitStore`] return.
pub type LimitFuture<'a, T> = Pin<Box<dyn Future<Output = Result<T, LimitStoreError>> + Send + 'a>>;

/// Counts the used slots of one key for all processes that use the same store. A slot is one of the requests that the
/// rate limit allows in a minute.
///
/// A client without a `LimitStore` counts only the requests of the clients with the same rate limiter, in memory. A
/// client with a store requests each slot from the store. If the store fails, or does not respond within its
/// [time-out](Self::response_timeout), the client requests no slot from the store for 10 s, and counts only its own
/// requests. See [`ClientBuilder::limit_store`](crate::ClientBuilder::limit_store).
///
/// [`SharedLimit`](super::SharedLimit) makes the decisions. A store only needs to keep a `SharedLimit`, and to ensure
/// that only one process at a time changes the `SharedLimit`. All times in requests and responses are durations, so the
/// clocks of the processes may differ.
pub trait LimitStore: Send + Sync {
    /// Takes a slot for the first entry of [`SlotRequest::demands`] that can have a slot now. If no entry can have a
    /// slot, returns how long the process must wait before it calls `take` again for the same purposes. The process
    /// calls `take` earlier if a request with another [`SlotPurpose`] starts to wait.
    fn take<'a>(&'a self, request: &'a SlotRequest) -> LimitFuture<'a, SlotResponse>;

    /// Grants no slot for the duration `pause`. Has no effect if the current pause ends later.
    fn pause(&self, pause: Duration) -> LimitFuture<'_, ()>;

    /// Gives back the slot with the number `slot`, because no request was sent in it. Another request can use the slot.
    fn give_back(&self, slot: u64) -> LimitFuture<'_, ()>;

    /// Returns how long a response may take before the store counts as failed. Default: 350 ms.
    fn response_timeout(&self) -> Duration {
        Duration::from_millis(350)
    }
}

/// Requests a slot (one of the requests that the limit allows in a minute) from a [`LimitStore`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct SlotRequest {
    /// A random number that identifies the process. Each rate limiter with a store has its own number, so several
    /// clients in one process count as several processes. If a request gets no slot, the store keeps its
    /// [`demands`](Self::demands) until the next request of the same process, or until this request is more than 1 s
    /// late.
    pub process: u64,
    /// The maximum number of slots that all processes together may use in a window (about a minute). A process reports
    /// a lower number after a 429.
    pub capacity: usize,
    /// Whether requests other than polls are spread evenly over a window. This is true after a 429, which showed that
    /// the limit is lower than expected.
    pub spreads_calls: bool,
    /// The requests of the process that can use the slot, in the order of precedence. Only the first waiting request
    /// of each purpose is listed.
    pub demands: Vec<SlotDemand>,
}

/// Describes a waiting request that can use a slot.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct SlotDemand {
    /// The purpose of the slot.
    pub purpose: SlotPurpose,
    /// The time for which the request to the service has waited. For a poll, this is the time since the last poll.
    pub waited: Duration,
    /// The weight of each second of waiting, relative to other demands with the same purpose. Among these demands, the
    /// demand with the largest product of `waited` and `weight` is first.
    pub weight: f64,
}

/// Names the purpose of a slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum SlotPurpose {
    /// A request that is neither a create nor a regular poll, for example a read of a session. A person may wait for
    /// its response. Some single polls also have this purpose, for example the last poll of a wait after its time-out.
    Interactive,
    /// A create or follow-up, or a [raw request](crate::RawRequest) with a method other than `GET` and `HEAD`.
    Create,
    /// A poll.
    Poll,
    /// The first poll of a wait whose deadline is soon.
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
        /// The index in [`SlotRequest::demands`] of the demand that gets the slot.
        demand: usize,
        /// The number of the slot; see [`LimitStore::give_back`].
        slot: u64,
    },
    /// There is no slot now.
    #[non_exhaustive]
    Wait {
        /// The time to wait before the next request.
        again: Duration,
        /// Whether there is a pause now, because the service asked one of the processes for a pause.
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
    /// Returns a response that grants the slot `slot` to the demand with the index `demand`.
    pub fn taken(demand: usize, slot: u64) -> Self {
        Self::Taken { demand, slot }
    }

    /// Returns a response that grants no slot.
    pub fn wait(again: Duration, is_paused: bool) -> Self {
        Self::Wait { again, is_paused }
    }
}

/// Reports that a [`LimitStore`] could not be used.
#[derive(Debug)]
pub struct LimitStoreError(Box<dyn StdError + Send + Sync>);

impl LimitStoreError {
    /// Creates an error from a cause or a message.
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
