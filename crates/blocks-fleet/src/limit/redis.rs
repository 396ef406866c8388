//! Counts the requests of an API key in Redis or Valkey, for processes on many machines.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use blocks_sdk::{
    LimitFuture, LimitStore, LimitStoreError, SlotPurpose, SlotRequest, SlotResponse,
};
use redis::{FromRedisValue, Script};

use super::LimitName;
use crate::server::Server;

/// Lua script that runs on the server and makes the same decisions as [`blocks_sdk::SharedLimit`]. All times in the
/// script are from the server's clock.
const SCRIPT: &str = include_str!("limit.lua");
/// The longest time that the script asks a process to wait.
const LONGEST: Duration = Duration::from_secs(3600);

/// Counts requests in Redis or Valkey, for processes on many machines.
///
/// Each operation runs one script on the server, which uses the server's clock. The script keeps the counted requests
/// in one key of the database, `blocks:{NAME}:limit`. NAME is the [`LimitName`], and the key expires an hour after its
/// last use. Connecting may take up to 300 ms, and each response may also take up to 300 ms. But a client waits at most
/// 350 ms in all for an operation. A URL that starts with `rediss://` selects TLS.
///
/// ```
/// use std::sync::Arc;
/// use blocks_fleet::{LimitName, RedisLimitStore};
///
/// let name = LimitName::new("my-key", "https://api.blocks.team");
/// let store = RedisLimitStore::new("redis://:password@valkey.internal:6379", &name)?;
/// let client = blocks_sdk::Client::builder("my-key").limit_store(Arc::new(store)).build()?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct RedisLimitStore(Arc<Inner>);

struct Inner {
    server: Server,
    script: Script,
    key: String,
}

impl RedisLimitStore {
    /// Creates the store for the limit `name` on the server at `url`, without connecting. The URL starts with
    /// `redis://` or `rediss://`, and can contain a user, a password, a port and the number of a database.
    ///
    /// # Errors
    /// The URL cannot be used.
    pub fn new(url: &str, name: &LimitName) -> Result<Self, LimitStoreError> {
        Ok(Self(Arc::new(Inner {
            server: Server::new(url).map_err(LimitStoreError::new)?,
            script: Script::new(SCRIPT),
            // In a Redis cluster, the text in braces selects the node that keeps the key.
            key: format!("blocks:{{{name}}}:limit"),
        })))
    }

    async fn run<T: FromRedisValue>(
        &self,
        operation: &str,
        arguments: &[String],
    ) -> Result<T, LimitStoreError> {
        let inner = &self.0;
        let mut script = inner.script.key(&inner.key);
        script.arg(operation).arg(arguments);
        let result = inner.server.run(&script).await;
        result.map_err(|error| {
            LimitStoreError::new(format!("cannot use {}: {error}", inner.server.url))
        })
    }
}

impl LimitStore for RedisLimitStore {
    fn take<'a>(&'a self, request: &'a SlotRequest) -> LimitFuture<'a, SlotResponse> {
        Box::pin(async move {
            let (is_taken, first, second): (bool, u64, u64) =
                self.run("take", &arguments(request)).await?;
            Ok(match is_taken {
                true => SlotResponse::taken(first as usize, second),
                // A false server could ask for a pause without an end.
                false => SlotResponse::wait(Duration::from_millis(first).min(LONGEST), second == 1),
            })
        })
    }

    fn pause(&self, pause: Duration) -> LimitFuture<'_, ()> {
        let pause = pause.as_millis().to_string();
        Box::pin(async move { self.run("pause", &[pause]).await })
    }

    fn give_back(&self, slot: u64) -> LimitFuture<'_, ()> {
        Box::pin(async move { self.run("give_back", &[slot.to_string()]).await })
    }
}

/// Returns the arguments of the script's operation `take`. The first three arguments are the number of the process, the
/// capacity (the largest number of requests in a minute), and whether requests other than polls are spread over the
/// minute. Each demand (a request that the process could send now) adds its purpose, its waiting time and its weight.
fn arguments(request: &SlotRequest) -> Vec<String> {
    let spreads = u8::from(request.spreads_calls);
    let mut arguments = vec![
        request.process.to_string(),
        request.capacity.to_string(),
        spreads.to_string(),
    ];
    for demand in &request.demands {
        let purpose = match demand.purpose {
            SlotPurpose::Interactive => 0,
            SlotPurpose::Create => 1,
            SlotPurpose::UrgentPoll => 3,
            // This is the script's number for `SlotPurpose::Poll`. It is also used for purposes that a later version of
            // the SDK may add.
            _ => 2,
        };
        arguments.extend([
            purpose.to_string(),
            demand.waited.as_millis().to_string(),
            demand.weight.to_string(),
        ]);
    }
    arguments
}

impl fmt::Debug for RedisLimitStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisLimitStore")
            .field("server", &self.0.server.url)
            .field("key", &self.0.key)
            .finish()
    }
}
