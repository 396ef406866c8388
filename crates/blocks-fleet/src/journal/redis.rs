//! Keeps a journal in Redis or Valkey, for workers on many machines.

use std::fmt;
use std::time::Duration;

use redis::{FromRedisValue, Script};
use serde_json::Value;

use super::{
    Created, Entry, Fingerprint, Journal, JournalError, JournalFuture, Retry, State, Step,
};
use crate::server::Server;

const SCRIPT: &str = include_str!("journal.lua");
/// How long a claim lasts without a renewal. After this time, the other workers assume that the worker has ended.
const LEASE: Duration = Duration::from_secs(60);
const LONGEST_NAME: usize = 100;

/// Keeps a journal in Redis or Valkey, in one hash (a map) with an entry for each prompt. The server deletes the hash
/// 30 days after its last change.
///
/// A claim ends 60 s after its last renewal. If the journal then contains the prompt's session, another worker waits
/// for the reply. If the journal contains only the claim, the outcome of the create is unknown. The server must keep
/// every write that it has confirmed (its options `appendonly yes` and `appendfsync always`). If the server loses a
/// claim, another worker may send the prompt again.
///
/// ```
/// use blocks_fleet::RedisJournal;
///
/// let journal = RedisJournal::new("redis://:password@valkey.internal:6379/nightly")?;
/// assert!(RedisJournal::new("redis://valkey.internal").is_err(), "a name is missing");
/// # Ok::<(), blocks_fleet::JournalError>(())
/// ```
pub struct RedisJournal {
    server: Server,
    script: Script,
    key: String,
    worker: String,
    lease: Duration,
}

/// A journal entry in the response of the script `journal.lua`. The parts are the name of the state, whether another
/// worker has the claim, the fingerprint of the request, and the data of the state (such as the result).
type Row = Option<(String, bool, String, String)>;

impl RedisJournal {
    /// Creates the journal at `url`, without connecting. The URL is the server's URL, followed by a slash and the
    /// journal's name.
    ///
    /// # Errors
    /// The URL cannot be used, or contains no valid name. A valid name has 1 to 100 ASCII letters, digits, `.`, `_` and
    /// `-`.
    pub fn new(url: &str) -> Result<Self, JournalError> {
        let parts = url
            .rsplit_once('/')
            .filter(|(server, _)| !server.ends_with('/') && server.contains("://"));
        let (server, name) = parts.ok_or_else(|| {
            JournalError::new("expected the journal's name after the server: redis://HOST/NAME")
        })?;
        let is_plain = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
        if name.is_empty() || name.len() > LONGEST_NAME || !name.chars().all(is_plain) {
            return Err(JournalError::new(
                "invalid name of a journal: expected 1 to 100 ASCII letters, digits, `.`, `_` and `-`",
            ));
        }
        Ok(Self {
            server: Server::new(server).map_err(JournalError::new)?,
            script: Script::new(SCRIPT),
            key: format!("blocks:{{journal:{name}}}"),
            worker: format!("{:032x}", fastrand::u128(..)),
            lease: LEASE,
        })
    }

    /// Sets how long a claim lasts without a renewal. All workers should use the same value. Default: 60 s.
    #[must_use]
    pub fn lease(mut self, lease: Duration) -> Self {
        self.lease = lease;
        self
    }

    async fn run<T: FromRedisValue>(
        &self,
        operation: &str,
        arguments: &[&str],
    ) -> Result<T, JournalError> {
        let mut script = self.script.key(&self.key);
        let lease = self.lease.as_millis().to_string();
        script.arg(operation).arg(&self.worker).arg(lease);
        for argument in arguments {
            script.arg(argument);
        }
        self.server.run(&script).await.map_err(|error| {
            JournalError::new(format!("cannot use {}: {error}", self.server.url)).temporary()
        })
    }
}

impl RedisJournal {
    /// Returns the stored text of `result`, or `None` if the journal no longer contains this result. The stored text is
    /// needed because the script compares texts, and one JSON value can be written in several ways.
    async fn ended(&self, id: &str, result: &Value) -> Result<Option<String>, JournalError> {
        let rows: Vec<Row> = self.run("read", &[id]).await?;
        let row = rows.into_iter().next().flatten();
        let text = row.and_then(|(state, _, _, data)| (state == "ended").then_some(data));
        Ok(text.filter(|text| {
            serde_json::from_str::<Value>(text).is_ok_and(|recorded| recorded == *result)
        }))
    }
}

fn entry(row: (String, bool, String, String)) -> Result<Entry, JournalError> {
    let (state, is_claimed, request, data) = row;
    let damaged = |error: serde_json::Error| {
        JournalError::new(format!(
            "the journal contains an entry that cannot be read: {error}"
        ))
    };
    let created = || serde_json::from_str::<Created>(&data).map_err(damaged);
    let state = match state.as_str() {
        "starting" if is_claimed => State::Starting,
        "created" => State::Created {
            created: created()?,
            is_claimed,
        },
        "ended" => State::Ended(serde_json::from_str::<Value>(&data).map_err(damaged)?),
        _ => State::Unknown {
            session_id: Some(data).filter(|id| !id.is_empty()),
        },
    };
    Ok(Entry {
        state,
        request: serde_json::from_str::<Fingerprint>(&request).ok(),
    })
}

impl Journal for RedisJournal {
    fn is_shared(&self) -> bool {
        true
    }

    fn read<'a>(&'a self, ids: &'a [String]) -> JournalFuture<'a, Vec<Option<Entry>>> {
        Box::pin(async move {
            let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
            let rows: Vec<Row> = self.run("read", &ids).await?;
            rows.into_iter()
                .map(|row| row.map(entry).transpose())
                .collect()
        })
    }

    fn claim<'a>(
        &'a self,
        id: &'a str,
        request: &'a Fingerprint,
        retry: &'a Retry,
    ) -> JournalFuture<'a, bool> {
        Box::pin(async move {
            let request = serde_json::to_string(request).map_err(JournalError::new)?;
            let unknown = if retry.unknown { "1" } else { "0" };
            let result = match &retry.result {
                Some(result) => self.ended(id, result).await?,
                None => None,
            };
            // The script takes an empty string for "no result".
            let result = result.unwrap_or_default();
            self.run("claim", &[id, &request, unknown, &result]).await
        })
    }

    fn take_over<'a>(&'a self, id: &'a str) -> JournalFuture<'a, bool> {
        Box::pin(async move { self.run("take_over", &[id]).await })
    }

    fn record<'a>(&'a self, id: &'a str, step: &'a Step) -> JournalFuture<'a, bool> {
        Box::pin(async move {
            let (state, data) = match step {
                Step::NotStarted => ("not_started", String::new()),
                Step::Unknown(session) => ("unknown", session.clone().unwrap_or_default()),
                Step::Created(created) => (
                    "created",
                    serde_json::to_string(created).map_err(JournalError::new)?,
                ),
                Step::Ended(result) => ("ended", result.to_string()),
            };
            self.run("record", &[id, state, &data]).await
        })
    }

    fn renew<'a>(&'a self, ids: &'a [String]) -> JournalFuture<'a, ()> {
        Box::pin(async move {
            let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
            self.run("renew", &ids).await
        })
    }
}

impl fmt::Debug for RedisJournal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisJournal")
            .field("server", &self.server.url)
            .field("key", &self.key)
            .finish()
    }
}
