//! The limit that a program gives itself.

use crate::engine::error::Error;

/// Requests that a key may make in a minute, counted over every process that uses it.
///
/// The service's limit is 100, which is the default. Give a program less where other programs
/// share its key.
///
/// ```
/// use blocks_sdk::{Client, RateLimit};
///
/// assert_eq!(RateLimit::default(), RateLimit::per_minute(100)?);
/// // Two programs share a key, half of it for each.
/// let client = Client::builder("my-key").rate_limit(RateLimit::per_minute(50)?).build()?;
/// # Ok::<(), blocks_sdk::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RateLimit {
    per_minute: u32,
}

impl RateLimit {
    /// A limit of `requests` a minute.
    ///
    /// # Errors
    /// When it is zero: nothing could ever be sent.
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

    /// The requests a minute that were set.
    pub fn requests_per_minute(&self) -> u32 {
        self.per_minute
    }

    /// Requests that are sent at most in a minute: a margin of 1 % is left for requests that
    /// this limiter does not see, such as a person's own at the same key.
    pub(super) fn capacity(self) -> usize {
        (self.per_minute - self.per_minute / 100) as usize
    }
}

impl Default for RateLimit {
    fn default() -> Self {
        Self { per_minute: 100 }
    }
}
