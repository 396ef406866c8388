//! Keeps a journal in Redis or Valkey, for workers on many machines.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use redis::{FromRedisValue, Script};

use super::{
    Created, Entry, Fingerprint, Journal, JournalError, JournalFuture, Retry, State, Step, readable,
};
use crate::server::Server;

const SCRIPT: &str = include_str!("journal.lua");
/// How long a claim lasts without a renewal. After this time, the other workers assume that the worker has ended.
const LEASE: Duration = Duration::from_secs(60);
const LONGEST_NAME: usize = 100;
/// Number of entries that are read at a time, so that a response with long results arrives within its time-out.
const PER_READ: usize = 50;

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
    /// The prompts that this worker is claiming, and those that it has claimed and for which it has recorded no step.
    claims: Mutex<HashMap<String, Claim>>,
}

/// Describes a claim of this worker.
#[derive(Clone, Copy, PartialEq)]
enum Claim {
    /// The script was not run yet, or its response has not arrived.
    Running,
    /// The response has arrived, so the create may have been sent.
    Made,
}

/// Marks a claim as running. The drop removes the mark, also if the claim failed or its future is dropped.
struct RunningClaim<'a> {
    journal: &'a RedisJournal,
    id: &'a str,
}

impl Drop for RunningClaim<'_> {
    fn drop(&mut self) {
        self.journal.forget(self.id, Claim::Running);
    }
}

/// A journal entry in the response of the script `journal.lua`. The parts are the name of the state, who has the claim
/// (0: no other worker, 1: another worker, 2: this worker, which is sending the create), the fingerprint of the
/// request, and the data of the state (such as the result).
type Row = (String, u8, String, String);

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
            claims: Mutex::default(),
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
    fn claims(&self) -> MutexGuard<'_, HashMap<String, Claim>> {
        self.claims.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Forgets this worker's claim of a prompt, if it is in the state `claim`.
    fn forget(&self, id: &str, claim: Claim) {
        let mut claims = self.claims();
        if claims.get(id) == Some(&claim) {
            claims.remove(id);
        }
    }

    /// Returns the stored data that a claim may replace, or an empty string. The data are the result that may be
    /// retried. If the outcome is unknown because the data cannot be read, they are these data. The stored text is
    /// needed because the script compares texts, and one JSON value can be written in several ways.
    async fn replaceable(&self, id: &str, retry: &Retry) -> Result<String, JournalError> {
        if *retry == Retry::default() {
            return Ok(String::new());
        }
        let rows: Vec<Option<Row>> = self.run("read", &[id]).await?;
        let Some(row) = rows.into_iter().next().flatten() else {
            return Ok(String::new());
        };
        let (name, data) = (row.0.clone(), row.3.clone());
        let has_data = name == "created" || name == "ended";
        match has_data && retry.allows(&entry(row).state) {
            true => Ok(data),
            false => Ok(String::new()),
        }
    }
}

/// Returns the entry of a row. If the data cannot be read, the outcome of the prompt is unknown. An error instead would
/// make all prompts of the batch fail because of one entry.
fn entry((state, claimed_by, request, data): Row) -> Entry {
    let is_claimed = claimed_by != 0;
    let state = match state.as_str() {
        "starting" if is_claimed => Some(State::Starting),
        "created" => {
            let created = serde_json::from_str::<Created>(&data).ok();
            created.map(|created| State::Created {
                created,
                is_claimed,
            })
        }
        "ended" => serde_json::from_str(&data).ok().map(State::Ended),
        _ => Some(State::Unknown {
            session_id: Some(data).filter(|id| !id.is_empty()),
        }),
    };
    Entry {
        state: state.unwrap_or_default(),
        request: serde_json::from_str::<Fingerprint>(&request).ok(),
    }
}

impl Journal for RedisJournal {
    fn is_shared(&self) -> bool {
        true
    }

    fn read<'a>(&'a self, ids: &'a [String]) -> JournalFuture<'a, Vec<Option<Entry>>> {
        Box::pin(async move {
            let mut entries = Vec::new();
            for ids in ids.chunks(PER_READ) {
                let names: Vec<&str> = ids.iter().map(String::as_str).collect();
                let rows: Vec<Option<Row>> = self.run("read", &names).await?;
                for (id, row) in ids.iter().zip(rows) {
                    // This worker's script made the claim, but its response did not arrive, so no create was sent. The
                    // prompt counts as free.
                    let is_free = |row: &Row| row.1 == 2 && !self.claims().contains_key(id);
                    let row = row.filter(|row| !is_free(row));
                    entries.push(row.map(entry));
                }
            }
            Ok(entries)
        })
    }

    fn claim<'a>(
        &'a self,
        id: &'a str,
        request: &'a Fingerprint,
        retry: &'a Retry,
    ) -> JournalFuture<'a, bool> {
        Box::pin(async move {
            let earlier = {
                let mut claims = self.claims();
                let earlier = claims.get(id).copied();
                if earlier.is_none() {
                    claims.insert(id.to_owned(), Claim::Running);
                }
                earlier
            };
            // If this worker has received an earlier claim, its create may have been sent. Without this argument, the
            // script would take a second claim of this worker for the repetition of a claim whose response was lost.
            let (_running, was_lost) = match earlier {
                // The script is not run, because it could run before the script of the other call.
                Some(Claim::Running) => return Ok(false),
                Some(Claim::Made) => (None, "0"),
                None => (Some(RunningClaim { journal: self, id }), "1"),
            };
            let request = serde_json::to_string(request).map_err(JournalError::new)?;
            let unknown = if retry.unknown { "1" } else { "0" };
            let replaceable = self.replaceable(id, retry).await?;
            let arguments = [id, &request, unknown, &replaceable, was_lost];
            let is_claimed = self.run("claim", &arguments).await?;
            if is_claimed {
                self.claims().insert(id.to_owned(), Claim::Made);
            }
            Ok(is_claimed)
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
                Step::Ended(result) => ("ended", readable(result).to_string()),
            };
            let is_kept = self.run("record", &[id, state, &data]).await?;
            self.forget(id, Claim::Made);
            Ok(is_kept)
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
