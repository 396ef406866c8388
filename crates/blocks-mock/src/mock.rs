//! The mock itself, its settings, and what a test asks it.

use std::fmt::Display;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use uuid::Uuid;

use crate::clock::Clock;
use crate::config::MockConfig;
use crate::dialect::Dialect;
use crate::fault::{Fault, FaultRule, Faults, Frequency, Operation};
use crate::limit::{RateLimit, Windows};
use crate::request_log::{RecordedRequest, RequestLog};
use crate::rules::{self, AgentRule};
use crate::script::{Script, TurnInfo};
use crate::server::MockServer;
use crate::service::MockService;
use crate::store::{NewMessage, Session};

/// Where presigned URLs lead in process; no name that resolves.
const STORAGE: &str = "https://storage.blocks-mock.invalid";
const PRESIGNED_FOR: Duration = Duration::from_secs(6 * 86_400);

type Observer = Arc<dyn Fn(&RecordedRequest) + Send + Sync>;
type AgentFn = Arc<dyn Fn(&TurnInfo) -> Script + Send + Sync>;

/// A service in this process. Cheap to clone; clones are the same service.
///
/// ```
/// # #[tokio::main(flavor = "current_thread", start_paused = true)]
/// # async fn main() -> Result<(), blocks_sdk::Error> {
/// let mock = blocks_mock::Mock::new();
/// let client = blocks_sdk::Client::builder(mock.key()).service(mock.service()).build()?;
/// # let request = blocks_sdk::CreateSession::new(blocks_sdk::Agent::claude(), "Go.");
/// let session = client.create_session(request).await?;
/// assert_eq!(session.reply().await?.text(), "Done.");
/// assert_eq!(mock.sessions(), [session.id()]);
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Mock {
    pub(crate) inner: Arc<Inner>,
}

pub(crate) struct Inner {
    pub key: String,
    pub dialect: Dialect,
    pub limit: Option<RateLimit>,
    pub ledger: RequestLog,
    pub presigned_url_ttl: Duration,
    pub clock: Clock,
    agent: AgentFn,
    /// What links begin with, when the dialect names no other, and where downloads are.
    pub origin: Mutex<String>,
    pub state: Mutex<State>,
    rules: Mutex<Vec<AgentRule>>,
    /// What a reset restores.
    initial: (Vec<FaultRule>, Vec<AgentRule>),
    pub control: AtomicBool,
    url_generation: AtomicU64,
    /// Notified when a request was answered.
    pub changed: Notify,
    observer: Option<Observer>,
}

#[derive(Default)]
pub(crate) struct State {
    pub sessions: indexmap::IndexMap<Uuid, Session>,
    pub faults: Faults,
    pub windows: Windows,
    pub received: Vec<RecordedRequest>,
    pub user_messages: usize,
}

impl Inner {
    /// The state, also after a panic: a test then still sees its ledger.
    pub fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn origin(&self) -> String {
        let origin = self.origin.lock().unwrap_or_else(PoisonError::into_inner);
        origin.clone()
    }

    /// The script of a session's next turn.
    pub fn script(&self, number: usize, session: &Session, message: &str) -> Script {
        let turn = TurnInfo {
            session: number,
            turn: session.threads.len(),
            message: message.to_owned(),
            title: session.title.clone(),
            agent_name: session.agent_name.clone(),
        };
        let selected = rules::select(&self.rules(), &turn);
        selected.unwrap_or_else(|| (self.agent)(&turn))
    }

    pub fn rules(&self) -> MutexGuard<'_, Vec<AgentRule>> {
        self.rules.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn control(&self) -> bool {
        self.control.load(Ordering::Relaxed)
    }

    /// Where a session's page is: here, where the page is served.
    pub fn html_origin(&self) -> String {
        match self.control() {
            true => self.origin(),
            false => "https://blocks.team".into(),
        }
    }

    pub fn url_generation(&self) -> u64 {
        self.url_generation.load(Ordering::Relaxed)
    }
}

impl Mock {
    /// A mock of the service as it was observed, whose agent says "Done." after a second.
    pub fn new() -> Self {
        Self::builder().build()
    }

    /// A mock with settings.
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

    /// The mock as a tower service over `http` types: no socket, so that a test can run on
    /// tokio's paused clock.
    pub fn service(&self) -> MockService {
        MockService(self.clone())
    }

    /// The key that is accepted.
    pub fn key(&self) -> &str {
        &self.inner.key
    }

    /// Adds a fault, after those that are there.
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
    }

    /// Takes all faults away.
    pub fn clear_faults(&self) {
        self.inner.state().faults.rules.clear();
    }

    /// Removes sessions, requests and counts, and restores the faults and rules it was built with.
    ///
    /// ```
    /// # let mock = blocks_mock::Mock::new();
    /// mock.reset();
    /// assert_eq!(mock.session_count(), 0);
    /// ```
    pub fn reset(&self) {
        let (faults, rules) = self.inner.initial.clone();
        *self.inner.rules() = rules;
        *self.inner.state() = State {
            faults: Faults::new(faults),
            ..State::default()
        };
        self.inner.changed.notify_waiters();
    }

    /// Expires every presigned URL that was given so far.
    pub fn expire_urls(&self) {
        self.inner.url_generation.fetch_add(1, Ordering::Relaxed);
    }

    /// What was received so far.
    pub fn requests(&self) -> Vec<RecordedRequest> {
        self.inner.state().received.clone()
    }

    /// How many requests of an operation were received.
    ///
    /// ```
    /// # use blocks_mock::{Mock, Operation};
    /// assert_eq!(Mock::new().count(Operation::CreateSession), 0);
    /// ```
    pub fn count(&self, operation: Operation) -> usize {
        let state = self.inner.state();
        let of = |r: &&RecordedRequest| r.operation == Some(operation);
        state.received.iter().filter(of).count()
    }

    /// The sessions that exist, oldest first.
    pub fn sessions(&self) -> Vec<Uuid> {
        self.inner.state().sessions.keys().copied().collect()
    }

    /// How many sessions exist.
    pub fn session_count(&self) -> usize {
        self.inner.state().sessions.len()
    }

    /// How many messages of users took effect: first ones and follow-ups.
    pub fn user_message_count(&self) -> usize {
        self.inner.state().user_messages
    }

    /// The threads of a session, oldest first.
    pub fn threads(&self, session: impl Display) -> Vec<Uuid> {
        let state = self.inner.state();
        let threads = state.sessions.get(&parse(session)).map(|s| &s.threads);
        threads.into_iter().flatten().map(|t| t.id).collect()
    }

    /// Epoch seconds on the mock's clock, as `ts` counts them.
    pub fn now(&self) -> f64 {
        self.inner.clock.now()
    }

    /// Places a message, in a thread or as a notice in none. Returns its id; `None` when there
    /// is no such session.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)]
    /// # async fn main() -> Result<(), blocks_sdk::Error> {
    /// # let mock = blocks_mock::Mock::new();
    /// # let client = blocks_sdk::Client::builder(mock.key()).service(mock.service()).build()?;
    /// # let request = blocks_sdk::CreateSession::new(blocks_sdk::Agent::claude(), "Go.");
    /// # let session = client.create_session(request).await?;
    /// let text = blocks_mock::NewMessage::assistant("Halfway.", Some(mock.now()));
    /// mock.add_message(session.id(), None, text);
    /// assert_eq!(session.messages().collect().await?.len(), 2, "with the notice of the begin");
    /// # Ok(())
    /// # }
    /// ```
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

    /// Deletes a message, as the service does: it is left out from then on. Whether it was there.
    pub fn delete_message(&self, message: impl Display) -> bool {
        let message = parse(message);
        let mut state = self.inner.state();
        state.sessions.values_mut().any(|s| s.delete(message))
    }

    /// Lets the latest turn of a session reply now. Whether there is such a session.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)]
    /// # async fn main() -> Result<(), blocks_sdk::Error> {
    /// # let mock = blocks_mock::Mock::new();
    /// # let client = blocks_sdk::Client::builder(mock.key()).service(mock.service()).build()?;
    /// # let request = blocks_sdk::CreateSession::new(blocks_sdk::Agent::claude(), "Go.");
    /// # let session = client.create_session(request).await?;
    /// assert!(mock.finish(session.id(), "Done early."));
    /// assert_eq!(session.reply().await?.text(), "Done early.");
    /// # Ok(())
    /// # }
    /// ```
    pub fn finish(&self, session: impl Display, text: impl Into<String>) -> bool {
        let (dialect, clock) = (&self.inner.dialect, &self.inner.clock);
        let mut state = self.inner.state();
        let Some(session) = state.sessions.get_mut(&parse(session)) else {
            return false;
        };
        session.advance(dialect, clock);
        let latest = session.threads.len().saturating_sub(1);
        session.finish(latest, text.into(), clock.now(), dialect, clock);
        true
    }

    /// Opens a pull request in a session. Whether there is such a session.
    pub fn open_pull_request(&self, session: impl Display, url: impl Into<String>) -> bool {
        let mut state = self.inner.state();
        let session = state.sessions.get_mut(&parse(session));
        session.map(|s| s.pull_requests.push(url.into())).is_some()
    }

    pub(crate) fn record(&self, received: RecordedRequest) -> usize {
        let mut state = self.inner.state();
        state.received.push(received);
        state.received.len() - 1
    }

    pub(crate) fn answered(&self, place: usize, status: u16) {
        let mut state = self.inner.state();
        if let Some(received) = state.received.get_mut(place) {
            received.status = Some(status);
        }
        drop(state);
        self.inner.changed.notify_waiters();
        self.report(place);
    }

    /// Reports one request to the observer.
    pub(crate) fn report(&self, place: usize) {
        if let Some(observer) = &self.inner.observer {
            let received = self.inner.state().received.get(place).cloned();
            received.iter().for_each(|received| observer(received));
        }
    }

    /// Whether a key may make one more request.
    pub(crate) fn admit(&self, key: &str) -> bool {
        let limit = self.inner.limit.as_ref();
        limit.is_none_or(|limit| {
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

/// Settings of a [`Mock`].
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
    ledger: RequestLog,
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
            ledger: RequestLog::Full,
            control: None,
            listen: None,
            public_url: None,
            observer: None,
        }
    }
}

impl MockBuilder {
    /// The key that is accepted; `test-key` unless set.
    pub fn key(mut self, key: impl Into<String>) -> Self {
        self.config.key = key.into();
        self
    }

    /// How it behaves where sources disagree; [`Dialect::observed`] unless set.
    ///
    /// ```
    /// use blocks_mock::{Dialect, Mock};
    ///
    /// let mock = Mock::builder().dialect(Dialect::documented()).build();
    /// ```
    pub fn dialect(mut self, dialect: Dialect) -> Self {
        self.config.dialect = dialect.into();
        self
    }

    /// What the agent answers; `Done.` unless set.
    pub fn reply(mut self, text: impl Into<String>) -> Self {
        self.config.agent.text = text.into();
        self
    }

    /// How long the agent works on each turn; one second unless set.
    pub fn reply_after(mut self, duration: Duration) -> Self {
        self.config.agent = self.config.agent.reply_after(duration);
        self
    }

    /// What the agent does in each turn.
    ///
    /// ```
    /// let mock = blocks_mock::Mock::builder().agent(blocks_mock::Script::no_reply()).build();
    /// ```
    pub fn agent(mut self, script: Script) -> Self {
        self.config.agent = script;
        self
    }

    /// What the agent does in each turn, by its session, number and message.
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

    /// The origin that links name, whatever the dialect says.
    pub fn link_origin(mut self, origin: impl Into<String>) -> Self {
        let mut dialect = Dialect::from(self.config.dialect);
        dialect.link_origin = Some(origin.into());
        self.config.dialect = dialect.into();
        self
    }

    /// A fault, at an operation or at any (`None`). Of several that apply, the first happens.
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

    /// Answers 429 above a limit; there is none unless set.
    ///
    /// ```
    /// use blocks_mock::{Mock, RateLimit};
    ///
    /// let mock = Mock::builder().rate_limit(RateLimit::default()).build(); // 100 a minute
    /// ```
    pub fn rate_limit(mut self, limit: RateLimit) -> Self {
        self.config.rate_limit = Some(limit);
        self
    }

    /// Makes ids, probabilities and dates the same in every run; time begins on 2026-05-02.
    ///
    /// ```
    /// let mock = blocks_mock::Mock::builder().seed(7).build();
    /// assert!((1_777_714_200.0..1_777_800_000.0).contains(&mock.now()), "its day is always the same");
    /// ```
    pub fn seed(mut self, seed: u64) -> Self {
        self.config.seed = Some(seed);
        self
    }

    /// How much the ledger keeps.
    pub fn request_log(mut self, mode: RequestLog) -> Self {
        self.ledger = mode;
        self
    }

    /// How long presigned URLs are valid; 6 days unless set.
    ///
    /// ```
    /// let mock = blocks_mock::Mock::builder().presigned_url_ttl(std::time::Duration::from_secs(5)).build();
    /// ```
    pub fn presigned_url_ttl(mut self, duration: Duration) -> Self {
        self.config.presigned_url_ttl = Some(duration);
        self
    }

    /// Serves the control plane and the page, or does not. Default: on a loopback address only.
    pub fn control(mut self, control: bool) -> Self {
        self.control = Some(control);
        self
    }

    /// The address to listen on. Default: 127.0.0.1.
    pub fn listen(mut self, address: IpAddr) -> Self {
        self.listen = Some(address);
        self
    }

    /// The base URL under which clients reach the server, for downloads and the page. Default: the
    /// address that it listens on.
    pub fn public_url(mut self, url: impl Into<String>) -> Self {
        self.public_url = Some(url.into().trim_end_matches('/').to_owned());
        self
    }

    /// Adds a rule for the agent, after those that are there.
    pub fn agent_rule(mut self, rule: AgentRule) -> Self {
        self.config.agents.push(rule);
        self
    }

    /// Calls `observer` with each request once it was answered, for a log.
    pub fn on_request(
        mut self,
        observer: impl Fn(&RecordedRequest) + Send + Sync + 'static,
    ) -> Self {
        self.observer = Some(Arc::new(observer));
        self
    }

    /// The port to serve on, for [`start`](Self::start); a free one unless set.
    pub fn port(mut self, port: u16) -> Self {
        self.config.port = port;
        self
    }

    /// The mock, in this process.
    pub fn build(self) -> Mock {
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
                dialect: self.config.dialect.into(),
                limit: self.config.rate_limit,
                ledger: self.ledger,
                presigned_url_ttl: self.config.presigned_url_ttl.unwrap_or(PRESIGNED_FOR),
                clock: Clock::new(self.config.seed),
                agent,
                origin: Mutex::new(STORAGE.into()),
                state: Mutex::new(state),
                rules: Mutex::new(self.config.agents.clone()),
                initial: (self.config.faults, self.config.agents),
                control: AtomicBool::new(self.control.unwrap_or(false)),
                url_generation: AtomicU64::new(0),
                changed: Notify::new(),
                observer: self.observer,
            }),
        }
    }

    /// The mock on a loopback port, until the value is dropped.
    ///
    /// # Errors
    /// When the port cannot be bound.
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
        let address = self.listen.unwrap_or(Ipv4Addr::LOCALHOST.into());
        let (port, public) = (self.config.port, self.public_url.clone());
        let control = self.control.unwrap_or(address.is_loopback());
        let mock = self.build();
        mock.inner.control.store(control, Ordering::Relaxed);
        MockServer::serve(mock, SocketAddr::new(address, port), public).await
    }
}

/// An id in any form that a client's types have. One that is not a UUID names nothing here.
fn parse(id: impl Display) -> Uuid {
    id.to_string().parse().unwrap_or(Uuid::nil())
}
