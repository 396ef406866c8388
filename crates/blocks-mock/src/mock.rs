//! Contains the mock, its builder, and the methods with which a test reads and changes the mock.

use std::fmt::Display;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::Duration;

use tokio::sync::Notify;
use uuid::Uuid;

use crate::clock::Clock;
use crate::config::MockConfig;
use crate::dialect::Dialect;
use crate::fault::{Fault, FaultRule, Faults, Frequency, Operation};
use crate::host::check_public_url;
use crate::limit::{RateLimit, Windows};
use crate::replay::Capture;
use crate::request_log::{Logged, RecordedRequest, RequestLog, Requests};
use crate::rules::{self, AgentRule};
use crate::script::{Script, TurnInfo};
use crate::server::MockServer;
use crate::service::MockService;
use crate::settings::Settings;
use crate::store::{NewMessage, Session};

/// The origin of the URLs of artifact downloads when the mock has no port. Host names that end in `.invalid` never
/// resolve, so a download never reaches a real host.
const STORAGE: &str = "https://storage.blocks-mock.invalid";

type Observer = Arc<dyn Fn(&RecordedRequest) + Send + Sync>;
type AgentFn = Arc<dyn Fn(&TurnInfo) -> Script + Send + Sync>;

/// Mocks the service in this process. Clones are cheap and share all state.
#[derive(Clone)]
pub struct Mock {
    pub(crate) inner: Arc<Inner>,
}

pub(crate) struct Inner {
    pub key: String,
    settings: RwLock<Arc<Settings>>,
    pub request_log: RequestLog,
    pub clock: Clock,
    agent: AgentFn,
    /// Recorded responses, which the mock sends instead of running agents.
    pub capture: Option<Capture>,
    /// The base URL of artifact downloads and, if the mock serves web pages, of the sessions' web pages.
    pub origin: Mutex<String>,
    pub state: Mutex<State>,
    /// Lock for the handling of a follow-up. Without it, two follow-ups at the same time could get the same turn
    /// number.
    pub follow_up: Mutex<()>,
    rules: Mutex<Vec<AgentRule>>,
    initial: Initial,
    pub control: AtomicBool,
    url_generation: AtomicU64,
    /// Notified by [`Inner::note_change`]. Wakes the handler of `/_mock/requests/wait`, which responds when clients
    /// have sent as many requests as the test expects.
    pub changed: Notify,
    /// The number of calls of [`Inner::note_change`]. A reset does not change this number back. Otherwise the web page
    /// would not notice a reset that is followed by the same requests as before.
    changes: AtomicU64,
    pub observer: Option<Observer>,
}

/// Contains the settings, faults and rules that [`Mock::reset`] restores.
struct Initial {
    settings: Arc<Settings>,
    faults: Vec<FaultRule>,
    rules: Vec<AgentRule>,
}

#[derive(Default)]
pub(crate) struct State {
    pub sessions: indexmap::IndexMap<Uuid, Session>,
    pub faults: Faults,
    pub windows: Windows,
    pub requests: Requests,
    pub user_messages: usize,
    /// Number of the next session. A create takes its number before it adds its session to `sessions`.
    pub next_session: usize,
    /// The recorded responses that a replay has already sent.
    pub replayed: crate::replay::Progress,
}

impl Inner {
    /// Locks the state. Ignores that another thread panicked while it had the lock, so that a failed test can still
    /// read the state.
    pub fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns the current settings. The mock calls this method once for each request to the service, so a change of
    /// the settings does not affect a request that has started.
    pub fn settings(&self) -> Arc<Settings> {
        let settings = self.settings.read();
        Arc::clone(&settings.unwrap_or_else(PoisonError::into_inner))
    }

    /// Replaces the settings with the result of `change`.
    pub fn change_settings<E>(
        &self,
        change: impl FnOnce(&Settings) -> Result<Settings, E>,
    ) -> Result<Arc<Settings>, E> {
        let settings = self.settings.write();
        let mut settings = settings.unwrap_or_else(PoisonError::into_inner);
        *settings = Arc::new(change(&settings)?);
        let changed = Arc::clone(&settings);
        drop(settings);
        self.state().requests.shrink(changed.request_log_size);
        Ok(changed)
    }

    pub fn origin(&self) -> String {
        let origin = self.origin.lock().unwrap_or_else(PoisonError::into_inner);
        origin.clone()
    }

    /// Returns the script of a turn. The caller must not hold the lock of the state: this method may call the function
    /// that was set with `agent_fn`, and a deadlock follows if that function calls a method of the mock.
    pub fn script(&self, turn: &TurnInfo) -> Script {
        let selected = rules::select(&self.rules(), turn);
        selected.unwrap_or_else(|| (self.agent)(turn))
    }

    pub fn rules(&self) -> MutexGuard<'_, Vec<AgentRule>> {
        self.rules.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn control(&self) -> bool {
        self.control.load(Ordering::Relaxed)
    }

    /// Returns the origin for the URLs of the sessions' web pages. This is the mock's origin if the mock serves web
    /// pages, and otherwise the origin of the live service.
    pub fn html_origin(&self) -> String {
        match self.control() {
            true => self.origin(),
            false => "https://blocks.team".into(),
        }
    }

    /// Notes that a request has arrived or ended, or that a test has changed the mock.
    pub fn note_change(&self) {
        self.changes.fetch_add(1, Ordering::Relaxed);
        self.changed.notify_waiters();
    }

    pub fn changes(&self) -> u64 {
        self.changes.load(Ordering::Relaxed)
    }

    pub fn url_generation(&self) -> u64 {
        self.url_generation.load(Ordering::Relaxed)
    }
}

impl Mock {
    /// Creates a mock with default settings: the agent replies "Done." after one second.
    pub fn new() -> Self {
        Self::builder().build()
    }

    /// Creates a builder.
    ///
    /// ```
    /// use blocks_mock::{Fault, Frequency, Mock, Operation};
    ///
    /// let mock = Mock::builder()
    ///     .reply("Octopuses have three hearts.")
    ///     .fault(Operation::CreateSession, Frequency::ONCE, Fault::status_after_effect(503))
    ///     .build();
    /// assert_eq!(mock.session_count(), 0);
    /// ```
    pub fn builder() -> MockBuilder {
        MockBuilder::default()
    }

    /// Returns a tower service without a socket, so that a test can run on tokio's paused clock.
    pub fn service(&self) -> MockService {
        MockService(self.clone())
    }

    /// Returns the API key that the mock accepts.
    pub fn key(&self) -> &str {
        &self.inner.key
    }

    /// Adds a fault. If several faults apply to a request, the mock uses the fault that was added first.
    ///
    /// ```
    /// # use blocks_mock::{Fault, Frequency, Mock, Operation};
    /// # let mock = Mock::new();
    /// mock.inject(Operation::CreateSession, Frequency::ONCE, Fault::Refuse);
    /// mock.inject(None, Frequency::Always, Fault::status(503)); // at any operation
    /// ```
    pub fn inject(&self, operation: impl Into<Option<Operation>>, when: Frequency, fault: Fault) {
        self.inner.state().faults.add(FaultRule {
            operation: operation.into(),
            when,
            fault,
        });
        self.inner.note_change();
    }

    /// Removes all faults.
    pub fn clear_faults(&self) {
        self.inner.state().faults.rules.clear();
        self.inner.note_change();
    }

    /// Removes all sessions and requests, sets all counts to zero, and restores the initial settings, faults and rules.
    ///
    /// The mock's clock is not changed: it is not set back to its first time, and remains stopped if it is stopped.
    pub fn reset(&self) {
        let initial = &self.inner.initial;
        let restored: Result<_, std::convert::Infallible> = self
            .inner
            .change_settings(|_| Ok(initial.settings.as_ref().clone()));
        drop(restored);
        *self.inner.rules() = initial.rules.clone();
        let mut state = self.inner.state();
        *state = State {
            faults: Faults::new(initial.faults.clone()),
            requests: state.requests.after_reset(),
            ..State::default()
        };
        drop(state);
        self.inner.note_change();
    }

    /// Expires all presigned URLs (the URLs of artifact downloads) that the mock has sent so far.
    pub fn expire_urls(&self) {
        self.inner.url_generation.fetch_add(1, Ordering::Relaxed);
    }

    /// Returns the requests in the log, in the order of arrival. The log keeps only the newest requests;
    /// [`request_log_size`](MockBuilder::request_log_size) sets how many. Requests of the control plane and the web
    /// pages are not logged.
    pub fn requests(&self) -> Vec<RecordedRequest> {
        let state = self.inner.state();
        let requests = state.requests.iter();
        requests.map(|(_, request)| request.clone()).collect()
    }

    /// Returns the number of all requests since the start or the last reset, including those that the log no longer
    /// contains. Requests of the control plane and the web pages are not counted.
    pub fn request_count(&self) -> usize {
        self.inner.state().requests.total()
    }

    /// Returns the number of all requests of one operation.
    pub fn count(&self, operation: Operation) -> usize {
        self.inner.state().requests.count(operation)
    }

    /// Returns the ids of the sessions, oldest first.
    pub fn sessions(&self) -> Vec<Uuid> {
        self.inner.state().sessions.keys().copied().collect()
    }

    /// Returns the number of sessions.
    pub fn session_count(&self) -> usize {
        self.inner.state().sessions.len()
    }

    /// Returns the number of prompts that the mock has accepted, in creates and follow-ups.
    pub fn user_message_count(&self) -> usize {
        self.inner.state().user_messages
    }

    /// Returns the ids of a session's threads, oldest first. Each turn of the session is a thread.
    pub fn threads(&self, session: impl Display) -> Vec<Uuid> {
        let state = self.inner.state();
        let threads = state.sessions.get(&parse(session)).map(|s| &s.threads);
        threads.into_iter().flatten().map(|t| t.id).collect()
    }

    /// Returns the time on the mock's clock, in epoch seconds, like the field `ts` of a message.
    pub fn now(&self) -> f64 {
        self.inner.clock.now()
    }

    /// Adds a message to a thread. If `thread` is `None`, the message is a system notice, which belongs to no turn.
    /// Returns the message's id, or `None` if the session does not exist.
    pub fn add_message(
        &self,
        session: impl Display,
        thread: impl Into<Option<Uuid>>,
        message: NewMessage,
    ) -> Option<Uuid> {
        let mut state = self.inner.state();
        let session = state.sessions.get_mut(&parse(session))?;
        Some(session.add_message(thread.into(), message, &self.inner.clock))
    }

    /// Deletes a message. Returns whether it existed.
    pub fn delete_message(&self, message: impl Display) -> bool {
        let message = parse(message);
        let mut state = self.inner.state();
        let existed = state.sessions.values_mut().any(|s| s.delete(message));
        drop(state);
        self.inner.note_change();
        existed
    }

    /// Ends the latest turn of a session with the reply `text`. Returns `false`, without a change, if the session does
    /// not exist, or if its latest turn has ended.
    ///
    /// ```
    #[doc = include_str!("doctest.txt")]
    /// # let mock = blocks_mock::Mock::new();
    /// # let (_, session) = create(&mock).await?;
    /// assert!(mock.finish(session.id(), "Done early."));
    /// assert_eq!(session.first_reply().await?.text(), "Done early.");
    /// assert!(!mock.finish(session.id(), "Too late."));
    /// # Ok(())
    /// # }
    /// ```
    pub fn finish(&self, session: impl Display, text: impl Into<String>) -> bool {
        let (settings, clock) = (self.inner.settings(), &self.inner.clock);
        let dialect = &settings.dialect;
        let mut state = self.inner.state();
        let Some(session) = state.sessions.get_mut(&parse(session)) else {
            return false;
        };
        session.advance(dialect, clock);
        let latest = session.threads.len().saturating_sub(1);
        session.finish(latest, text.into(), clock.now(), dialect, clock)
    }

    /// Adds a pull request to a session. Returns whether the session exists.
    pub fn open_pull_request(&self, session: impl Display, url: impl Into<String>) -> bool {
        let mut state = self.inner.state();
        let session = state.sessions.get_mut(&parse(session));
        session.map(|s| s.pull_requests.push(url.into())).is_some()
    }

    /// Adds a request to the log. Returns the place of the request, which [`Self::record_status`] needs.
    pub(crate) fn record(&self, request: RecordedRequest, settings: &Settings) -> Logged {
        let mut state = self.inner.state();
        let logged = state.requests.add(request, settings.request_log_size);
        drop(state);
        self.inner.note_change();
        logged
    }

    /// Records the status of a request's response.
    pub(crate) fn record_status(&self, request: Logged, status: u16) {
        self.inner.state().requests.set_status(request, status);
    }

    /// Returns whether the rate limit allows a request with this API key. An allowed request counts towards the limit.
    pub(crate) fn admit(&self, key: &str, settings: &Settings) -> bool {
        settings.rate_limit.as_ref().is_none_or(|limit| {
            let mut state = self.inner.state();
            state.windows.admit(limit, key, self.inner.clock.instant())
        })
    }
}

impl Default for Mock {
    fn default() -> Self {
        Self::new()
    }
}

/// Collects the settings of a [`Mock`].
///
/// ```
/// let mock = blocks_mock::Mock::builder().key("my-key").reply("Three hearts.").seed(7).build();
/// assert_eq!(mock.key(), "my-key");
/// ```
#[derive(Clone)]
#[must_use]
pub struct MockBuilder {
    config: MockConfig,
    agent: Option<AgentFn>,
    capture: Option<Capture>,
    request_log: RequestLog,
    control: Option<bool>,
    listen: Option<IpAddr>,
    public_url: Option<String>,
    observer: Option<Observer>,
}

impl Default for MockBuilder {
    fn default() -> Self {
        Self::from(MockConfig::default())
    }
}

impl From<MockConfig> for MockBuilder {
    fn from(config: MockConfig) -> Self {
        Self {
            config,
            agent: None,
            capture: None,
            request_log: RequestLog::Full,
            control: None,
            listen: None,
            public_url: None,
            observer: None,
        }
    }
}

impl MockBuilder {
    /// Sets the API key that the mock accepts. Default: `test-key`. [`start`](Self::start) needs a key of printable
    /// ASCII characters without spaces, because clients send the key in a header.
    pub fn key(mut self, key: impl Into<String>) -> Self {
        self.config.key = key.into();
        self
    }

    /// Sets the dialect. The dialect selects the behaviour of the mock, for example where the documentation and the
    /// live service disagree. Default: [`Dialect::observed`].
    pub fn dialect(mut self, dialect: Dialect) -> Self {
        self.config.dialect = dialect.into();
        self
    }

    /// Sets the text of the agent's reply in each turn that no [`AgentRule`] matches. Default: `Done.`.
    pub fn reply(mut self, text: impl Into<String>) -> Self {
        self.config.agent.text = text.into();
        self
    }

    /// Sets the duration of the agent's work on each turn that no [`AgentRule`] matches. Default: one second.
    pub fn reply_after(mut self, duration: Duration) -> Self {
        self.config.agent = self.config.agent.reply_after(duration);
        self
    }

    /// Sets the script of each turn that no [`AgentRule`] matches.
    pub fn agent(mut self, script: Script) -> Self {
        self.config.agent = script;
        self
    }

    /// Sets the function that chooses the script of each turn that no [`AgentRule`] matches. With a function, the
    /// settings of [`agent`](Self::agent), [`reply`](Self::reply) and [`reply_after`](Self::reply_after) are not used.
    ///
    /// ```
    /// use blocks_mock::{Mock, Script, TurnInfo};
    ///
    /// let echo = |turn: &TurnInfo| Script::reply(format!("{}: {}", turn.turn, turn.message));
    /// let mock = Mock::builder().agent_fn(echo).build();
    /// ```
    pub fn agent_fn(mut self, agent: impl Fn(&TurnInfo) -> Script + Send + Sync + 'static) -> Self {
        self.agent = Some(Arc::new(agent));
        self
    }

    /// Adds a fault of one operation, or of all operations (`None`). If several faults apply to a request, the mock
    /// uses the fault that was added first.
    pub fn fault(
        mut self,
        operation: impl Into<Option<Operation>>,
        when: Frequency,
        fault: Fault,
    ) -> Self {
        self.config.faults.push(FaultRule {
            operation: operation.into(),
            when,
            fault,
        });
        self
    }

    /// Sets the rate limit. The mock responds with 429 above the limit. Default: no limit.
    pub fn rate_limit(mut self, limit: RateLimit) -> Self {
        self.config.rate_limit = Some(limit);
        self
    }

    /// Makes the mock repeatable. With a seed, the mock's clock starts on 2026-05-02. If tokio's clock is paused, and
    /// every run sends the same requests in the same order, then all runs with this seed have the same ids and times,
    /// and a fault with a probability affects the same requests. On a running clock, these can differ.
    pub fn seed(mut self, seed: u64) -> Self {
        self.config.seed = Some(seed);
        self
    }

    /// Sets how much of each request the log keeps. Default: the whole request.
    pub fn request_log(mut self, request_log: RequestLog) -> Self {
        self.request_log = request_log;
        self
    }

    /// Sets how many of the newest requests the log keeps. Default: 10,000.
    pub fn request_log_size(mut self, size: usize) -> Self {
        self.config.request_log_size = size;
        self
    }

    /// Delays each response of the service. The request takes effect before the delay. Default: no delay.
    pub fn delay(mut self, delay: Duration) -> Self {
        self.config.delay = delay;
        self
    }

    /// Sets how long presigned URLs (the URLs of artifact downloads) are valid. Default: 6 days.
    pub fn presigned_url_ttl(mut self, duration: Duration) -> Self {
        self.config.presigned_url_ttl = duration;
        self
    }

    /// Makes the mock send the recorded responses of a capture instead of running agents. The mock then accepts every
    /// API key, and applies no rate limit.
    pub fn replay(mut self, capture: Capture) -> Self {
        self.capture = Some(capture);
        self
    }

    /// Enables or disables the web pages and the control plane. The control plane is an HTTP API at `/_mock/`, with
    /// which tests read and change the mock. Default: enabled on a loopback address only.
    pub fn control(mut self, control: bool) -> Self {
        self.control = Some(control);
        self
    }

    /// Sets the address to listen on. Default: 127.0.0.1.
    pub fn listen(mut self, address: IpAddr) -> Self {
        self.listen = Some(address);
        self
    }

    /// Sets the base URL of artifact downloads and web pages in responses: a URL of HTTP or HTTPS. Default: the address
    /// that the server listens on, or a loopback address if the server listens on all addresses. Only
    /// [`start`](Self::start) uses this URL; [`build`](Self::build) does not.
    pub fn public_url(mut self, url: impl Into<String>) -> Self {
        self.public_url = Some(url.into().trim_end_matches('/').to_owned());
        self
    }

    /// Adds a rule that chooses the script of a turn. If several rules match a turn, the mock uses the rule that was
    /// added first.
    pub fn agent_rule(mut self, rule: AgentRule) -> Self {
        self.config.agents.push(rule);
        self
    }

    /// Calls `observer` with each request, for example to log the request and the status. The call takes place
    /// immediately before the response is sent or the connection is closed, and also when a client drops the request
    /// before the response. The observer is not called for requests of the control plane and the web pages. With
    /// [`RequestLog::Counts`], the observer gets no path, headers and body.
    pub fn on_request(
        mut self,
        observer: impl Fn(&RecordedRequest) + Send + Sync + 'static,
    ) -> Self {
        self.observer = Some(Arc::new(observer));
        self
    }

    /// Sets the port of [`start`](Self::start). Default: a free port.
    pub fn port(mut self, port: u16) -> Self {
        self.config.port = port;
        self
    }

    /// Builds a mock that has no port, for use in this process.
    pub fn build(self) -> Mock {
        let settings = Arc::new(Settings::from(&self.config));
        let script = self.config.agent;
        let agent = self
            .agent
            .unwrap_or_else(|| Arc::new(move |_| script.clone()));
        let state = State {
            faults: Faults::new(self.config.faults.clone()),
            ..State::default()
        };
        Mock {
            inner: Arc::new(Inner {
                key: self.config.key,
                settings: RwLock::new(Arc::clone(&settings)),
                request_log: self.request_log,
                clock: Clock::new(self.config.seed),
                agent,
                capture: self.capture,
                origin: Mutex::new(STORAGE.into()),
                state: Mutex::new(state),
                follow_up: Mutex::new(()),
                rules: Mutex::new(self.config.agents.clone()),
                initial: Initial {
                    settings,
                    faults: self.config.faults,
                    rules: self.config.agents,
                },
                control: AtomicBool::new(self.control.unwrap_or(false)),
                url_generation: AtomicU64::new(0),
                changed: Notify::new(),
                changes: AtomicU64::new(0),
                observer: self.observer,
            }),
        }
    }

    /// Builds the mock and serves it on a port until the returned value is dropped.
    ///
    /// # Errors
    /// The port cannot be bound. If no client could use the key or the public URL, the kind of the error is
    /// [`io::ErrorKind::InvalidInput`].
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> std::io::Result<()> {
    /// let mock = blocks_mock::Mock::builder().reply("Three hearts.").start().await?;
    /// let client = blocks_sdk::Client::builder(mock.key()).base_url(mock.url()).build();
    /// # assert!(client.is_ok());
    /// # Ok(())
    /// # }
    /// ```
    pub async fn start(self) -> io::Result<MockServer> {
        self.check()
            .map_err(|error| io::Error::new(io::ErrorKind::InvalidInput, error))?;
        let address = self.listen.unwrap_or(Ipv4Addr::LOCALHOST.into());
        let (port, public) = (self.config.port, self.public_url.clone());
        let control = self.control.unwrap_or(address.is_loopback());
        let mock = self.build();
        mock.inner.control.store(control, Ordering::Relaxed);
        MockServer::serve(mock, SocketAddr::new(address, port), public).await
    }

    fn check(&self) -> Result<(), String> {
        let key = &self.config.key;
        // The text of the error does not contain the key, because it can be a real key by mistake.
        if key.is_empty() || !key.bytes().all(|b| b.is_ascii_graphic()) {
            return Err("invalid key: expected printable ASCII characters without spaces".into());
        }
        self.public_url.as_deref().map_or(Ok(()), check_public_url)
    }
}

/// Parses an id from its `Display` text. If the text is not a UUID, returns the nil UUID, which is not the id of any
/// session.
fn parse(id: impl Display) -> Uuid {
    id.to_string().parse().unwrap_or(Uuid::nil())
}
