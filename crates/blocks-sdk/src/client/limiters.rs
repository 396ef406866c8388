//! Keeps one rate limiter for each pair of API key and base URL. By default, the clients in this process with the same
//! pair share the limiter.
//!
//! The service counts all requests of a key together, so the clients with the same key must share a limiter. A limiter
//! exists as long as a client uses the limiter. This module keeps only a hash of the key, not the key itself.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::{Arc, LazyLock, Mutex, PoisonError, Weak};

use crate::engine::error::Error;
use crate::engine::key::Key;
use crate::engine::rate_limit::{LimitStore, RateLimit, RateLimiter};

static LIMITERS: LazyLock<Mutex<Limiters>> = LazyLock::new(Mutex::default);

#[derive(Default)]
struct Limiters {
    /// Two hashers, which together return 128 bits. A hash of 64 bits could by chance be the same for two keys, and the
    /// clients of both keys would then share one limiter.
    hashers: [RandomState; 2],
    entries: HashMap<[u64; 2], Entry>,
}

struct Entry {
    limit: RateLimit,
    limiter: Weak<RateLimiter>,
}

/// A limiter and its limit.
pub(crate) type Limiter = (Arc<RateLimiter>, RateLimit);

/// Selects the rate limiter of a client.
pub(crate) enum LimiterChoice {
    /// The limiter that the clients with the same key and base URL share by default.
    Shared,
    /// A new limiter that no other client uses.
    Own,
    /// The limiter of another client.
    Of(Limiter),
}

impl LimiterChoice {
    /// Returns the limiter of a client with this limit, key and base URL. A client with a `store`, which counts the
    /// requests of several processes, gets a new limiter.
    ///
    /// # Errors
    /// An error when an existing limiter has a limit other than `limit`, or when the caller selects both a `store` and
    /// the limiter of another client.
    pub fn limiter(
        self,
        store: Option<Arc<dyn LimitStore>>,
        limit: Option<RateLimit>,
        key: &Key,
        base: &str,
    ) -> Result<Limiter, Error> {
        match (self, store) {
            (Self::Of(_), Some(_)) => Err(Error::configuration(
                "share_rate_limiter and limit_store cannot be used together; set the store of the other client",
            )),
            (Self::Of((_, other)), None) if limit.is_some_and(|limit| limit != other) => {
                Err(Error::configuration(
                    "the rate limit differs from that of the client in share_rate_limiter; set the limit of that client",
                ))
            }
            (Self::Of(limiter), None) => Ok(limiter),
            (_, Some(store)) => {
                let limit = limit.unwrap_or_default();
                Ok((Arc::new(RateLimiter::new(limit, Some(store))), limit))
            }
            (Self::Shared, None) => shared(key, base, limit),
            (Self::Own, None) => Ok(own(limit)),
        }
    }
}

/// Returns the limiter of a key at a base URL. Creates the limiter if no client uses one yet. If `limit` is `None`, an
/// existing limiter may have any limit, and a new limiter has the default limit.
///
/// # Errors
/// An error when the existing limiter has a limit that differs from `limit`.
fn shared(key: &Key, base: &str, limit: Option<RateLimit>) -> Result<Limiter, Error> {
    let mut limiters = LIMITERS.lock().unwrap_or_else(PoisonError::into_inner);
    limiters.shared(key, base, limit)
}

/// Creates a limiter that no other client uses.
fn own(limit: Option<RateLimit>) -> Limiter {
    let limit = limit.unwrap_or_default();
    (Arc::new(RateLimiter::new(limit, None)), limit)
}

impl Limiters {
    fn shared(
        &mut self,
        key: &Key,
        base: &str,
        limit: Option<RateLimit>,
    ) -> Result<Limiter, Error> {
        self.entries
            .retain(|_, entry| entry.limiter.strong_count() > 0);
        let hash = |hasher: &RandomState| hasher.hash_one((key.as_str(), base));
        let [first, second] = &self.hashers;
        let place = [hash(first), hash(second)];
        let existing = self.entries.get(&place);
        if let Some(entry) = existing
            && let Some(limiter) = entry.limiter.upgrade()
        {
            return match limit {
                Some(limit) if limit != entry.limit => Err(Error::configuration(format!(
                    "another client of this key and base URL in this process has a rate limit of {} requests a minute, \
                     this one of {}; set the same limit for both, or use `ClientBuilder::own_rate_limiter`",
                    entry.limit.requests_per_minute(),
                    limit.requests_per_minute()
                ))),
                _ => Ok((limiter, entry.limit)),
            };
        }
        let (limiter, limit) = own(limit);
        let entry = Entry {
            limit,
            limiter: Arc::downgrade(&limiter),
        };
        self.entries.insert(place, entry);
        Ok((limiter, limit))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(text: &str) -> Key {
        Key::new(text.to_owned().into()).unwrap()
    }

    #[test]
    fn a_key_at_a_base_url_has_one_limiter() {
        let mut limiters = Limiters::default();
        let mut get = |name: &str, base| limiters.shared(&key(name), base, None).unwrap().0;
        let first = get("a", "https://x");
        assert!(Arc::ptr_eq(&first, &get("a", "https://x")));
        assert!(!Arc::ptr_eq(&first, &get("b", "https://x")));
        assert!(!Arc::ptr_eq(&first, &get("a", "https://y")));
    }

    #[test]
    fn another_limit_for_the_same_key_is_an_error() {
        let mut limiters = Limiters::default();
        let fifty = RateLimit::per_minute(50).unwrap();
        let first = limiters.shared(&key("s3cret"), "https://x", Some(fifty));
        let (limiter, _) = first.unwrap();
        let (same, limit) = limiters.shared(&key("s3cret"), "https://x", None).unwrap();
        assert!(Arc::ptr_eq(&limiter, &same) && limit == fifty);
        let other = limiters.shared(&key("s3cret"), "https://x", Some(RateLimit::default()));
        let message = other.unwrap_err().to_string();
        assert!(
            message.contains("50 requests a minute, this one of 100"),
            "{message}"
        );
        assert!(!message.contains("s3cret"), "{message}");
    }

    #[test]
    fn a_limiter_ends_with_its_last_client() {
        let mut limiters = Limiters::default();
        for n in 0..100 {
            let fifty = RateLimit::per_minute(50).unwrap();
            drop(limiters.shared(&key(&format!("k{n}")), "https://x", Some(fifty)));
        }
        assert_eq!(limiters.entries.len(), 1);
        let other = limiters.shared(&key("k99"), "https://x", Some(RateLimit::default()));
        assert!(other.is_ok(), "no client of the key is left");
    }
}
