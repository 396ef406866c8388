//! Limits the rate of requests for each API key.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use crate::fault::RetryAfter;

/// Limits the number of requests with the API key. Above the limit the mock responds with 429. A request that a fault
/// prevents from taking effect, for example with a 503, does not count. No source says whether the service counts such
/// requests.
///
/// ```
#[doc = include_str!("doctest.txt")]
/// use blocks_mock::{Mock, RateLimit};
///
/// let limit = RateLimit { requests: 1, ..RateLimit::default() };
/// let mock = Mock::builder().rate_limit(limit).build();
/// # let (client, session) = create(&mock).await?;
/// # let client = client.with_retry(blocks_sdk::RetryPolicy::none());
/// let read = client.get_session(session.id()).await; // the second request in this minute
/// assert_eq!(read.unwrap_err().status(), Some(429));
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct RateLimit {
    /// How many requests of a key the mock accepts in each `window`. Default: 100.
    pub requests: usize,
    /// Length of the sliding window. Default: one minute.
    #[serde(with = "crate::duration")]
    #[schemars(with = "String")]
    pub window: Duration,
    /// `Retry-After` header of a response with 429. Default: none.
    pub retry_after: Option<RetryAfter>,
}

impl Default for RateLimit {
    fn default() -> Self {
        Self {
            requests: 100,
            window: Duration::from_secs(60),
            retry_after: None,
        }
    }
}

/// Contains, for each API key, the times of the accepted requests in the window.
#[derive(Debug, Default)]
pub(crate) struct Windows(HashMap<String, VecDeque<Instant>>);

impl Windows {
    /// Returns whether the limit allows a request. Counts the request if it is allowed.
    pub fn admit(&mut self, limit: &RateLimit, key: &str, now: Instant) -> bool {
        if !self.0.contains_key(key) {
            self.0.insert(key.to_owned(), VecDeque::new());
        }
        let Some(times) = self.0.get_mut(key) else {
            return true;
        };
        while times.front().is_some_and(|t| now - *t >= limit.window) {
            times.pop_front();
        }
        let admitted = times.len() < limit.requests;
        if admitted {
            times.push_back(now);
        }
        admitted
    }
}
