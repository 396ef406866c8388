//! The rate limit of a key.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use crate::fault::RetryAfter;

/// How many requests a key may make: those above it are answered 429.
///
/// ```
/// # #[tokio::main(flavor = "current_thread", start_paused = true)]
/// # async fn main() -> Result<(), blocks_sdk::Error> {
/// use blocks_mock::{Mock, RateLimit};
///
/// let limit = RateLimit { requests: 1, ..RateLimit::default() };
/// let mock = Mock::builder().rate_limit(limit).build();
/// # let client = blocks_sdk::Client::builder(mock.key()).service(mock.service()).build()?;
/// # let client = client.with_retry(blocks_sdk::RetryPolicy::none());
/// # let read = || client.get_session(uuid::Uuid::nil());
/// assert_eq!(read().await.unwrap_err().status(), Some(404));
/// assert_eq!(read().await.unwrap_err().status(), Some(429), "the second in this minute");
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct RateLimit {
    /// Requests in a window; 100.
    pub requests: usize,
    /// The window, which slides; one minute.
    #[serde(with = "crate::duration")]
    #[schemars(with = "String")]
    pub window: Duration,
    /// What a 429 asks for; nothing unless set, as the service may do.
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

/// When each key's requests of the window were.
#[derive(Debug, Default)]
pub(crate) struct Windows(HashMap<String, VecDeque<Instant>>);

impl Windows {
    /// Whether the key may make one more request now; it is counted if so.
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
