//! The streams, variables, signals and client that a command uses. A test passes its own streams, variables, signals
//! and client, so that the command runs inside the test's process with the test's clock.

use std::collections::HashMap;
use std::ffi::OsString;
use std::fs::{File, Metadata};
use std::io::{ErrorKind, IsTerminal, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, Once, OnceLock, PoisonError};
use std::time::SystemTime;

use blocks_fleet::LimitLocation;
use blocks_sdk::{Client, ClientBuilder, Error, LimitStore};
use reqwest::Url;

use crate::exit::{Code, Exit};
use crate::limit;
use crate::notes::{ErrorStream, Notes};
use crate::record::Recorder;
use crate::signals::{self, LastWords};
pub use crate::signals::{Interruption, Signals};
use crate::text;
use crate::waiting::Waiting;

/// Environment variables that CI systems set. A value such as `CI=false` counts as not set.
const CI: [&str; 4] = ["CI", "GITHUB_ACTIONS", "TF_BUILD", "TEAMCITY_VERSION"];

/// Replacement for a base URL that is not an http or https URL.
const NOT_USABLE: &str = "not usable";

type Sink = Mutex<Box<dyn Write + Send>>;
type Source = Mutex<Box<dyn Read + Send>>;
type MakeClient = Box<dyn Fn(Option<Arc<dyn LimitStore>>) -> Result<Client, Error> + Send + Sync>;

enum Variables {
    Process,
    Given(HashMap<String, OsString>),
}

/// The path that `--record` names, and whether `--record-texts` was given.
pub(crate) struct Recording {
    pub path: PathBuf,
    pub texts: bool,
}

/// The streams, variables, signals and client of a command.
pub struct Host {
    input: Source,
    out: Sink,
    err: ErrorStream,
    variables: Variables,
    /// A fixed time of day for the register of sessions. With `None`, the machine's clock is used.
    time: Option<SystemTime>,
    make_client: MakeClient,
    /// The only client of the command, so that one rate limiter counts all of the command's requests.
    client: OnceLock<Client>,
    signals: Signals,
    last_words: LastWords,
    listening: Once,
    recording: Option<Recording>,
    recorder: Mutex<Option<Recorder>>,
    /// A copy of standard output. The command watches this copy to detect that no process reads standard output any
    /// more. The field is set only if standard output is a pipe or a socket.
    #[cfg_attr(not(unix), allow(dead_code))]
    watched_output: Option<File>,
    /// The regular file that is standard output, if it is one.
    out_file: Option<Metadata>,
    /// Whether standard output was closed before the process started, or is `/dev/null`, opened for reading and
    /// writing. The two cases cannot be distinguished.
    pub(crate) out_discards: bool,
    pub(crate) out_is_terminal: bool,
    pub(crate) err_is_terminal: bool,
}

impl Host {
    /// Creates a host with the process's own streams and environment.
    pub fn process() -> Self {
        let (out, err) = (std::io::stdout(), std::io::stderr());
        let file = out_as_file();
        let kind = file.as_ref().and_then(|file| file.metadata().ok());
        let watched = kind.as_ref().is_some_and(is_pipe);
        Self {
            input: Mutex::new(Box::new(std::io::stdin())),
            out_is_terminal: out.is_terminal(),
            err_is_terminal: err.is_terminal(),
            out_file: kind.filter(Metadata::is_file),
            out_discards: out_discards(),
            watched_output: file
                .as_ref()
                .filter(|_| watched)
                .and_then(|f| f.try_clone().ok()),
            // Writes go to the file descriptor itself, because `std::io::Stdout` reports success
            // even if standard output is closed.
            out: match file {
                Some(file) => Mutex::new(Box::new(Waiting(file))),
                None => Mutex::new(Box::new(out)),
            },
            err: ErrorStream::new(Waiting(err)),
            variables: Variables::Process,
            time: None,
            make_client: Box::new(|store| {
                let builder = ClientBuilder::from_env()?;
                match store {
                    Some(store) => builder.limit_store(store).build(),
                    None => builder.build(),
                }
            }),
            client: OnceLock::new(),
            signals: Signals::default(),
            last_words: LastWords::default(),
            listening: Once::new(),
            recording: None,
            recorder: Mutex::default(),
        }
    }

    /// Creates a host for a test, with this client and these streams. The host has no terminal, input, variables or
    /// signals until the methods below set them.
    pub fn new(
        client: Client,
        out: impl Write + Send + 'static,
        err: impl Write + Send + 'static,
    ) -> Self {
        Self {
            input: Mutex::new(Box::new(std::io::empty())),
            out: Mutex::new(Box::new(out)),
            err: ErrorStream::new(err),
            variables: Variables::Given(HashMap::new()),
            time: None,
            make_client: Box::new(move |_| Ok(client.clone())),
            client: OnceLock::new(),
            signals: Signals::default(),
            last_words: LastWords::default(),
            listening: Once::new(),
            recording: None,
            recorder: Mutex::default(),
            watched_output: None,
            out_file: None,
            out_discards: false,
            out_is_terminal: false,
            err_is_terminal: false,
        }
    }

    /// Sets the standard input.
    #[must_use]
    pub fn input(mut self, input: impl Read + Send + 'static) -> Self {
        self.input = Mutex::new(Box::new(input));
        self
    }

    /// Sets an environment variable that the command reads. A host of [`Host::process`] then no longer reads the other
    /// variables of the process, and no longer receives the signals of the process.
    #[must_use]
    pub fn variable(mut self, name: &str, value: impl Into<OsString>) -> Self {
        let mut given = match self.variables {
            Variables::Given(given) => given,
            Variables::Process => HashMap::new(),
        };
        given.insert(name.to_owned(), value.into());
        self.variables = Variables::Given(given);
        self
    }

    /// Sets the time of day that `blocks list` shows for new sessions. Recordings still use the machine's clock.
    #[must_use]
    pub fn time(mut self, time: SystemTime) -> Self {
        self.time = Some(time);
        self
    }

    /// Treats standard error as a terminal.
    #[must_use]
    pub fn with_terminal(mut self) -> Self {
        self.err_is_terminal = true;
        self
    }

    /// Sets the [`Signals`] value from which the command receives its signals. A test sends a signal to the command
    /// with [`Signals::send`].
    #[must_use]
    pub fn signals(mut self, signals: Signals) -> Self {
        self.signals = signals;
        self
    }

    /// Returns the command's only client, and creates it in the first call. The client counts its requests in the store
    /// that `limit` names, for example in a file that all processes with the same key use. The client of [`Host::new`]
    /// does not use this store.
    pub(crate) fn client(&self, limit: &LimitLocation, notes: &Notes) -> Result<Client, Exit> {
        if let Some(client) = self.client.get() {
            return Ok(client.clone());
        }
        for name in ["BLOCKS_API_KEY", "BLOCKS_API_BASE_URL"] {
            // Without this check, `limit::store` would treat a variable that is not valid UTF-8 as not set.
            if self.var(name).is_some_and(|value| value.to_str().is_none()) {
                return Err(Exit::usage(format!("{name} is not valid UTF-8")));
            }
        }
        // A client of the caller does not check this variable, and the SDK's error can contain the host of a URL that is
        // not usable.
        let has_query = |url: OsString| url.to_string_lossy().contains(['?', '#']);
        if self.base_url() == NOT_USABLE || self.var("BLOCKS_API_BASE_URL").is_some_and(has_query) {
            let what = "BLOCKS_API_BASE_URL must be an origin, such as https://api.blocks.team";
            return Err(Exit::new(Code::Usage, "configuration", what));
        }
        let client = (self.make_client)(limit::store(limit, self, notes)?)?;
        let client = self.record(client)?;
        Ok(self.client.get_or_init(|| client).clone())
    }

    /// Returns `client`. If `--record` was given, the returned client also records its requests.
    fn record(&self, client: Client) -> Result<Client, Exit> {
        let Some(recording) = &self.recording else {
            return Ok(client);
        };
        let mut recorder = self.recorder.lock().unwrap_or_else(PoisonError::into_inner);
        if recorder.is_none() {
            // The command starts to receive signals before it creates the file. Otherwise, a signal could leave the
            // file incomplete.
            self.listen();
            let exit_lock = self.last_words.clone();
            *recorder = Some(Recorder::create(
                &recording.path,
                recording.texts,
                exit_lock,
            )?);
        }
        Ok(match &*recorder {
            Some(recorder) => client.with_transport(|inner| recorder.wrap(inner)),
            None => client,
        })
    }

    /// Sets the file in which the client records its requests. With `None`, nothing is recorded.
    pub(crate) fn recording(mut self, recording: Option<Recording>) -> Self {
        self.recording = recording;
        self
    }

    /// Finishes the file of `--record`, and prints a warning if some requests could not be written to it.
    pub(crate) fn finish_recording(&self) {
        let recorder = self.recorder.lock().unwrap_or_else(PoisonError::into_inner);
        let error = recorder.as_ref().and_then(Recorder::finish);
        drop(recorder);
        if let Some(error) = error {
            let safe = text::no_commands(&text::plain(&format!("warning: {error}")));
            self.write_stderr(&format!("{safe}\n"));
        }
    }

    /// Returns a variable of the environment. An empty variable counts as not set.
    pub(crate) fn var(&self, name: &str) -> Option<OsString> {
        let value = match &self.variables {
            Variables::Process => std::env::var_os(name),
            Variables::Given(given) => given.get(name).cloned(),
        };
        value.filter(|value| !value.is_empty())
    }

    /// Returns whether the command runs in a CI system.
    pub(crate) fn in_ci(&self) -> bool {
        let set = |name: &&str| self.var(name).is_some_and(|value| !says_no(&value));
        CI.iter().any(set)
    }

    /// Returns the base URL from `BLOCKS_API_BASE_URL`, or the base URL of the service if the variable is not set. The
    /// base URL is printed, so only its origin (scheme, host and port) is returned. A value that is not an http or https
    /// URL may be an API key in the wrong variable, so [`NOT_USABLE`] is returned instead.
    pub(crate) fn base_url(&self) -> String {
        let url = self.var("BLOCKS_API_BASE_URL").unwrap_or_default();
        let url = url.to_string_lossy();
        if url.trim().is_empty() {
            return "https://api.blocks.team".to_owned();
        }
        // If there is an `@` but no user, the text before the `@` may be a password that contains a `/`.
        let is_clear = |parsed: &Url| {
            let has_user = !parsed.username().is_empty() || parsed.password().is_some();
            ["http", "https"].contains(&parsed.scheme()) && (has_user || !url.contains('@'))
        };
        match Url::parse(url.trim()).ok().filter(is_clear) {
            Some(parsed) => parsed.origin().ascii_serialization(),
            None => NOT_USABLE.to_owned(),
        }
    }

    /// Returns the user's state folder, in which programs keep data that must survive a restart. A
    /// relative path in `XDG_STATE_HOME` counts as not set, as the XDG specification requires.
    pub(crate) fn state_folder(&self) -> Option<PathBuf> {
        let path = |name| self.var(name).map(PathBuf::from);
        let is_usable = |path: &PathBuf| path.is_absolute();
        let local = if cfg!(windows) {
            path("LOCALAPPDATA")
        } else {
            path("HOME").map(|home| home.join(".local/state"))
        };
        let named = path("XDG_STATE_HOME").filter(is_usable);
        named.or(local.filter(is_usable))
    }

    /// Returns the time of day for the register of sessions.
    pub(crate) fn now(&self) -> SystemTime {
        self.time.unwrap_or_else(SystemTime::now)
    }

    /// Returns whether standard output is a CI log. A CI system executes certain commands that it finds in its logs. In
    /// CI, every output except a file counts as a CI log.
    pub(crate) fn out_is_ci_log(&self) -> bool {
        self.in_ci() && self.out_file.is_none()
    }

    /// Returns whether standard output is the file at the path.
    #[cfg(unix)]
    pub(crate) fn out_is(&self, path: &Path) -> bool {
        use std::os::unix::fs::MetadataExt;
        let id = |file: &Metadata| (file.dev(), file.ino());
        let (out, file) = (self.out_file.as_ref(), path.metadata());
        out.zip(file.as_ref().ok())
            .is_some_and(|(out, file)| id(out) == id(file))
    }

    #[cfg(not(unix))]
    pub(crate) fn out_is(&self, _: &Path) -> bool {
        false
    }

    /// Returns whether a progress line on standard error can be overwritten. This needs a terminal whose `TERM` is not
    /// `dumb`, and is not done in CI.
    pub(crate) fn can_redraw(&self) -> bool {
        let dumb = self.var("TERM").is_some_and(|term| term == "dumb");
        self.err_is_terminal && !dumb && !self.in_ci()
    }

    /// Reads standard input to its end, but at most `limit` bytes.
    pub(crate) fn read_input(&self, limit: u64) -> std::io::Result<Vec<u8>> {
        let mut input = self.input.lock().unwrap_or_else(PoisonError::into_inner);
        let mut bytes = Vec::new();
        input.as_mut().take(limit).read_to_end(&mut bytes)?;
        Ok(bytes)
    }

    /// Writes bytes to standard output.
    pub(crate) fn write(&self, bytes: &[u8]) -> Result<(), Exit> {
        let mut out = self.out.lock().unwrap_or_else(PoisonError::into_inner);
        let written = out.write_all(bytes).and_then(|()| out.flush());
        written.map_err(|error| match error.kind() {
            ErrorKind::BrokenPipe => Exit::new(
                Code::ClosedOutput,
                "closed_output",
                "standard output was closed",
            ),
            _ => Exit::failed(format!("cannot write standard output: {error}")),
        })
    }

    /// Writes text to standard error. Errors are ignored, since there is no other place to report them.
    pub(crate) fn write_stderr(&self, text: &str) {
        self.err.write(text);
    }

    pub(crate) fn error_stream(&self) -> ErrorStream {
        self.err.clone()
    }

    /// Sets the text that the process prints if a signal ends it while the command is blocked, for example by a write
    /// to a full pipe. The text may contain an id from the service, so control characters are removed.
    pub(crate) fn set_last_words(&self, words: &str) {
        *self
            .last_words
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = text::no_commands(&text::plain(words));
    }

    /// Starts to deliver signals to the command. Before this call, a signal ends the process.
    pub(crate) fn listen(&self) {
        if let Variables::Process = self.variables {
            self.listening
                .call_once(|| signals::listen(self.signals.clone(), self.last_words.clone()));
        }
    }

    /// Waits for a signal that ends the command.
    pub(crate) async fn interruption(&self) -> Interruption {
        self.listen();
        self.signals.received().await
    }

    /// Waits until a signal arrives or no process reads standard output any more.
    pub(crate) async fn interruption_or_closed_output(&self) -> Interruption {
        tokio::select! {
            by = self.interruption() => by,
            () = self.output_closed() => Interruption::ClosedOutput,
        }
    }

    /// Runs `future` until it completes or a signal arrives. If both happen together, the result of
    /// `future` is returned.
    pub(crate) async fn interruptible<T>(
        &self,
        future: impl Future<Output = T>,
    ) -> Result<T, Interruption> {
        self.listen();
        tokio::select! {
            biased;
            value = future => Ok(value),
            by = self.interruption() => Err(by),
        }
    }

    #[cfg(unix)]
    async fn output_closed(&self) {
        use std::os::fd::AsFd;

        use tokio::io::Interest;
        use tokio::io::unix::AsyncFd;

        let file = self.watched_output.as_ref().map(File::as_fd);
        // `with_interest` is deprecated, but its replacement needs a newer tokio than the workspace requires.
        #[allow(deprecated)]
        let watched = file.and_then(|file| AsyncFd::with_interest(file, Interest::ERROR).ok());
        if let Some(watched) = watched
            && watched.ready(Interest::ERROR).await.is_ok()
        {
            return;
        }
        std::future::pending().await
    }

    #[cfg(not(unix))]
    async fn output_closed(&self) {
        std::future::pending().await
    }
}

/// Returns whether standard output may have been closed before the process started, as with `>&-` in a shell. If
/// standard output is closed, Rust's standard library opens `/dev/null` for reading and writing instead. Every write
/// then succeeds. A parent process that discards the output often opens `/dev/null` in the same way. The two cases
/// cannot be distinguished, so a closed output is not an error.
#[cfg(target_os = "linux")]
fn out_discards() -> bool {
    const ACCESS_MODE: u32 = 0o3;
    const READ_WRITE: u32 = 0o2;
    let is_null =
        std::fs::read_link("/proc/self/fd/1").is_ok_and(|path| path == Path::new("/dev/null"));
    let info = std::fs::read_to_string("/proc/self/fdinfo/1").unwrap_or_default();
    let flags = info.lines().find_map(|line| line.strip_prefix("flags:"));
    let flags = flags.and_then(|flags| u32::from_str_radix(flags.trim(), 8).ok());
    is_null && flags.is_some_and(|flags| flags & ACCESS_MODE == READ_WRITE)
}

#[cfg(not(target_os = "linux"))]
fn out_discards() -> bool {
    false
}

/// Returns whether the value of a variable means "no", such as `0` or `false`.
pub(crate) fn says_no(value: &OsString) -> bool {
    let value = value.to_string_lossy().to_lowercase();
    ["0", "false", "no", "off"].contains(&value.as_str())
}

#[cfg(unix)]
fn out_as_file() -> Option<File> {
    use std::os::fd::AsFd;
    let copy = std::io::stdout().as_fd().try_clone_to_owned();
    copy.ok().map(File::from)
}

#[cfg(not(unix))]
fn out_as_file() -> Option<File> {
    None
}

#[cfg(unix)]
fn is_pipe(kind: &std::fs::Metadata) -> bool {
    use std::os::unix::fs::FileTypeExt;
    kind.file_type().is_fifo() || kind.file_type().is_socket()
}

#[cfg(not(unix))]
fn is_pipe(_: &std::fs::Metadata) -> bool {
    false
}
