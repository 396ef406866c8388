//! Counts the requests of an API key in a file, for all processes of a user on one machine.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, ErrorKind, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use blocks_sdk::{
    LimitFuture, LimitStore, LimitStoreError, SharedLimit, SlotRequest, SlotResponse,
};
use serde_json::{Value, json};

use super::LimitName;
use super::clock::Clock;
use crate::locked::LockedFile;

/// Maximum bytes of the file that are read. A larger file, such as an endless device, cannot be parsed and counts as
/// empty.
const MAX_STATE: u64 = 16 << 20;

/// How long a caller waits for the lock and the change of the file. Many other processes may get the lock first, each
/// for a fraction of a millisecond.
const LOCK_TIMEOUT: Duration = Duration::from_secs(3);

/// Counts requests in a file, for all processes of a user on one machine.
///
/// The file `NAME.json` contains the counted requests. NAME is the [`LimitName`]. Each change locks the file
/// `NAME.lock`, and then replaces `NAME.json`. If a process is killed at any point, `NAME.json` has either the old
/// contents or the new contents. The operating system releases the lock of the killed process. On Unix, a folder and
/// files that the store creates are private to the user, and times are measured from the start of the machine. So a
/// change of the date has no effect.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let folder = tempfile::tempdir()?;
/// # let folder = folder.path().to_owned();
/// use std::sync::Arc;
/// use blocks_fleet::{FileLimitStore, LimitName};
///
/// let name = LimitName::new("my-key", "https://api.blocks.team");
/// let store = Arc::new(FileLimitStore::new(folder, &name));
/// let client = blocks_sdk::Client::builder("my-key").limit_store(store).build()?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct FileLimitStore(Arc<Files>);

#[derive(Debug)]
struct Files {
    folder: PathBuf,
    lock: PathBuf,
    state: PathBuf,
    new_state: PathBuf,
}

impl FileLimitStore {
    /// Creates the store in which the processes count their requests for one limit. The files are in `folder`, which is
    /// created when the store is first used.
    pub fn new(folder: impl Into<PathBuf>, name: &LimitName) -> Self {
        let folder = folder.into();
        let file = |end: &str| folder.join(format!("{name}.{end}"));
        Self(Arc::new(Files {
            lock: file("lock"),
            state: file("json"),
            new_state: file("json.new"),
            folder,
        }))
    }

    /// Changes the file in a separate thread, which waits for the lock. The operating system then gives the lock to the
    /// waiting threads in turn. Repeated attempts to get the lock without a wait would not keep this order.
    /// `spawn_blocking` is not used, because the tokio runtime could not shut down while the task waits for the lock.
    fn change<T: Send + 'static>(
        &self,
        change: impl FnOnce(&mut SharedLimit, Duration) -> T + Send + 'static,
    ) -> LimitFuture<'static, T> {
        let files = Arc::clone(&self.0);
        Box::pin(async move {
            let name = files.lock.clone();
            // `started` is earlier than the start of the time-out below. So if the thread gets the lock only after the
            // time-out, more than `LOCK_TIMEOUT` has passed since `started`. The thread then knows that the caller has
            // received an error, and changes nothing.
            let started = Instant::now();
            let (send, changed) = tokio::sync::oneshot::channel();
            let run = move || drop(send.send(files.change(started, change)));
            let thread = std::thread::Builder::new().name("blocks-limit".into());
            thread.spawn(run).map_err(LimitStoreError::new)?;
            match tokio::time::timeout(LOCK_TIMEOUT, changed).await {
                Ok(changed) => changed.map_err(LimitStoreError::new)?,
                Err(_) => Err(LimitStoreError::new(locked(&name))),
            }
        })
    }
}

impl LimitStore for FileLimitStore {
    fn take<'a>(&'a self, request: &'a SlotRequest) -> LimitFuture<'a, SlotResponse> {
        let request = request.clone();
        self.change(move |limit, now| limit.take(now, &request))
    }

    fn pause(&self, pause: Duration) -> LimitFuture<'_, ()> {
        self.change(move |limit, now| limit.pause(now, pause))
    }

    fn give_back(&self, slot: u64) -> LimitFuture<'_, ()> {
        self.change(move |limit, _| limit.give_back(slot))
    }

    /// Returns how long a client waits for a response of this store. This is longer than for a store on a server,
    /// because other processes may hold the lock of the file.
    fn response_timeout(&self) -> Duration {
        LOCK_TIMEOUT + Duration::from_millis(350)
    }
}

fn locked(path: &Path) -> String {
    let path = path.display();
    format!("cannot use {path}: waited {LOCK_TIMEOUT:?} for its lock or for the disk")
}

impl Files {
    fn change<T>(
        &self,
        started: Instant,
        change: impl FnOnce(&mut SharedLimit, Duration) -> T,
    ) -> Result<T, LimitStoreError> {
        let failed = |path: &Path, error: io::Error| {
            LimitStoreError::new(format!("cannot use {}: {error}", path.display()))
        };
        let _lock = self
            .lock(started)
            .map_err(|error| failed(&self.lock, error))?;
        let clock = Clock::read();
        let mut limit = self
            .read(&clock)
            .map_err(|error| failed(&self.state, error))?;
        let result = change(&mut limit, clock.now);
        self.write(&clock, &limit)
            .map_err(|error| failed(&self.state, error))?;
        Ok(result)
    }

    fn lock(&self, started: Instant) -> io::Result<LockedFile> {
        let lock = match private_file().open(&self.lock) {
            Err(error) if error.kind() == ErrorKind::NotFound => {
                let mut folder = DirBuilder::new();
                #[cfg(unix)]
                std::os::unix::fs::DirBuilderExt::mode(&mut folder, 0o700);
                folder.recursive(true).create(&self.folder)?;
                private_file().open(&self.lock)?
            }
            opened => opened?,
        };
        let lock = LockedFile::wait(lock)?;
        if started.elapsed() >= LOCK_TIMEOUT {
            // The caller has already received a time-out error, so this thread must not take a slot (one request of the
            // limit).
            return Err(ErrorKind::TimedOut.into());
        }
        Ok(lock)
    }

    /// Reads the file. A file that cannot be parsed counts as empty. A killed process cannot damage the file, but a
    /// crash of the operating system can. On Linux, slots (counted requests) from before the last start of the machine
    /// are ignored.
    fn read(&self, clock: &Clock) -> io::Result<SharedLimit> {
        let file = match File::open(&self.state) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(SharedLimit::default()),
            file => file?,
        };
        let mut text = Vec::new();
        file.take(MAX_STATE).read_to_end(&mut text)?;
        let mut value: Value = serde_json::from_slice(&text).unwrap_or_default();
        if value["clock"] != clock.start.as_str() {
            return Ok(SharedLimit::default());
        }
        Ok(serde_json::from_value(value["limit"].take()).unwrap_or_default())
    }

    fn write(&self, clock: &Clock, limit: &SharedLimit) -> io::Result<()> {
        let text = json!({"clock": clock.start, "limit": limit}).to_string();
        let mut file = private_file().truncate(true).open(&self.new_state)?;
        file.write_all(text.as_bytes())?;
        drop(file);
        // The file is not synchronised with the disk (`fsync`). A crash of the machine can lose recorded slots. On
        // Linux, these slots would not count after the restart anyway.
        std::fs::rename(&self.new_state, &self.state)
    }
}

/// Returns options to open or create a file. On Unix, a new file is private to the user. Otherwise, other users could
/// see when the API key is used.
fn private_file() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.write(true).create(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}
