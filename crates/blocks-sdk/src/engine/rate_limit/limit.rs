//! The rate limit that a program sets for its client.

use crate::engine::error::Error;

/// Limits the number of requests per minute with one API key.
///
/// The service's limit is 100, which is the default. The service counts the requests of all processes that use the key.
/// Set a lower limit if other programs share the key.
///
/// ```
/// use blocks_sdk::{Client, RateLimit};
///
/// assert_eq!(RateLimit::default(), RateLimit::per_minute(100)?);
/// // Two programs share a key, and each may use half of the limit.
/// let client = Client::builder("my-key").rate_limit(RateLimit::per_minute(50)?).build()?;
/// # Ok::<(), blocks_sdk::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RateLimit {
    per_minute: u32,
}

impl RateLimit {
    /// Creates a limit of `requests` per minute.
    ///
    /// # Errors
    /// Returns an error if the limit is zero, because nothing could be sent.
    ///
    /// ```
    /// use blocks_sdk::RateLimit;
    ///
    /// assert!(RateLimit::per_minute(50).is_ok());
    /// assert!(RateLimit::per_minute(0).is_err());
    /// ```
    pub fn per_minute(requests: u32) -> Result<Self, Error> {
        if requests == 0 {
            return Err(Error::invalid_input(
                "the rate limit must be at least 1 request a minute",
            ));
        }
        Ok(Self {
            per_minute: requests,
        })
    }

    /// Returns the number of requests per minute.
    pub fn requests_per_minute(&self) -> u32 {
        self.per_minute
    }

    /// Returns the maximum number of requests that this limiter permits in a minute. A margin of 1 %, rounded down,
    /// remains for requests that this limiter does not see, such as manual requests with the same key.
    pub(super) fn capacity(self) -> usize {
        (self.per_minute - self.per_minute / 100) as usize
    }
}

impl Default for RateLimit {
    fn default() -> Self {
        Self { per_minute: 100 }
    }
}
