//! Defines the client, which has one API key, one base URL and one rate limiter.

pub(crate) mod builder;
pub(crate) mod create;
mod limiters;
mod operations;
pub(crate) mod request;

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use blocks_api::open::Id;
use zeroize::Zeroizing;

use crate::client::builder::ClientBuilder;
use crate::engine::call::{Admission, Api, BoxFuture, Operation};
use crate::engine::error::Error;
use crate::engine::rate_limit::{RateLimit, RateLimitStatus};
use crate::engine::response::ResponseInfo;
use crate::engine::retry::RetryPolicy;
use crate::engine::transport::{ClientTransport, Transport};
use crate::engine::{Core, Engine};
use crate::session::Session;
use crate::session::reference::SessionRef;
use crate::session::turns::TurnRegistry;

/// Calls the service for one workspace. Clones are cheap and share one rate limiter.
///
/// A program may use one client in several tokio runtimes, even after one of the runtimes has ended. Each connection
/// belongs to the runtime that made the connection, and makes no progress while this runtime is idle. For example, a
/// current-thread runtime is idle while no `block_on` runs. If one runtime may be idle while another runtime sends
/// requests, give each runtime its own client.
///
/// # Panics
/// The futures of a client panic outside of a tokio runtime with time and I/O enabled, and in a runtime that has been
/// shut down.
///
/// ```
/// use blocks_sdk::Client;
///
/// let client = Client::builder("my-key").build()?;
/// let same = client.clone(); // shares the rate limiter
/// assert!(!format!("{same:?}").contains("my-key"));
/// # Ok::<(), blocks_sdk::Error>(())
/// ```
#[derive(Clone)]
pub struct Client {
    pub(crate) engine: Engine,
    pub(crate) resources: Arc<Resources>,
}

/// The data that a client has learned from responses. The clones of the client share this data.
#[derive(Default)]
pub(crate) struct Resources {
    pub turns: TurnRegistry,
    /// Whether to read the messages of each role (such as `assistant`) in separate requests. This is true after the
    /// service rejected a request with several `role` parameters, and accepted separate requests.
    pub one_role_at_a_time: AtomicBool,
}

impl Client {
    /// Builds a client from `BLOCKS_API_KEY` and, if set, `BLOCKS_API_BASE_URL`.
    ///
    /// To change other settings, use [`ClientBuilder::from_env`], which reads the same variables.
    ///
    /// # Errors
    /// The errors of [`ClientBuilder::from_env`] and [`ClientBuilder::build`].
    ///
    /// ```no_run
    /// // BLOCKS_API_KEY=… my-program
    /// let client = blocks_sdk::Client::from_env()?;
    /// # Ok::<(), blocks_sdk::Error>(())
    /// ```
    pub fn from_env() -> Result<Self, Error> {
        ClientBuilder::from_env()?.build()
    }

    /// Creates a builder of a client with the API key `key`.
    ///
    /// ```
    /// use blocks_sdk::{Client, RateLimit};
    /// use std::time::Duration;
    ///
    /// let client = Client::builder("my-key")
    ///     .attempt_timeout(Duration::from_secs(20))
    ///     .rate_limit(RateLimit::per_minute(50)?)
    ///     .build()?;
    /// # Ok::<(), blocks_sdk::Error>(())
    /// ```
    pub fn builder(key: impl Into<String>) -> ClientBuilder {
        ClientBuilder::new(Zeroizing::new(key.into()))
    }

    /// Returns a client with another retry policy. Both clients share one rate limiter.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)]
    /// # async fn main() -> Result<(), blocks_sdk::Error> {
    /// use blocks_mock::{Fault, Frequency, Mock};
    /// # use blocks_sdk::{Client, RetryPolicy};
    ///
    /// let mock = Mock::builder().fault(None, Frequency::Always, Fault::status(503)).build();
    /// # let client = Client::builder(mock.key()).service(mock.service()).build()?;
    /// let hurried = client.with_retry(RetryPolicy::default().max_attempts(2));
    /// let error = hurried.get_session(uuid::Uuid::nil()).await.unwrap_err();
    /// assert_eq!((error.attempts(), mock.requests().len()), (2, 2));
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn with_retry(&self, policy: RetryPolicy) -> Self {
        let mut client = self.clone();
        client.engine.retry = policy;
        client
    }

    /// Returns a client that sends its requests with other transports. `wrap` is called twice: with the current
    /// transport for requests to the service, and with the current transport for downloads. Its two results are the
    /// transports of the returned client, and can, for example, record or log requests. Both clients share one rate
    /// limiter.
    ///
    /// ```
    /// use blocks_sdk::{Body, Client, SendFuture, Transport};
    /// use std::sync::Arc;
    ///
    /// struct Printing(Arc<dyn Transport>);
    ///
    /// impl Transport for Printing {
    ///     fn send(&self, request: http::Request<Body>) -> SendFuture<'_> {
    ///         eprintln!("{} {}", request.method(), request.uri().path());
    ///         self.0.send(request)
    ///     }
    /// }
    ///
    /// let client = Client::builder("my-key").build()?.with_transport(Printing);
    /// # Ok::<(), blocks_sdk::Error>(())
    /// ```
    #[must_use]
    pub fn with_transport<T: Transport>(&self, wrap: impl Fn(Arc<dyn Transport>) -> T) -> Self {
        let mut client = self.clone();
        let mut core = Core::clone(&client.engine.core);
        let transport = wrap(core.transport.into());
        // A create needs enough time to connect, even if the new transport does not pass on the time-out of the current
        // transport.
        let timeouts = &mut client.engine.timeouts;
        timeouts.connect = timeouts.connect.max(transport.connect_timeout());
        core.transport = ClientTransport::Other(Arc::new(transport));
        core.downloads = Arc::new(wrap(core.downloads));
        client.engine.core = Arc::new(core);
        client
    }

    /// Returns a client with another time-out of each attempt, including the attempts of creates and follow-ups. Both
    /// clients share one rate limiter.
    ///
    /// The [time-out for making a connection](ClientBuilder::connect_timeout) stays the same, because both clients
    /// share one transport. If `timeout` is shorter, an attempt of a create or follow-up can end up to 250 ms after the
    /// time-out for making a connection. Otherwise the outcome of the create would count as unknown although nothing
    /// was sent. To shorten both time-outs, use [`ClientBuilder::attempt_timeout`].
    ///
    /// ```
    /// # mod doctest { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doctest.rs")); }
    /// # doctest::with_session(async |session, client, mock| {
    /// use blocks_mock::{Fault, Frequency};
    /// use std::time::Duration;
    ///
    /// mock.inject(None, Frequency::ONCE, Fault::Delay(Duration::from_secs(200)));
    /// let patient = client.with_attempt_timeout(Duration::from_secs(300));
    /// patient.get_session(session.id()).await?;
    /// assert_eq!(mock.requests().len(), 2, "the create and one read, which was not given up");
    /// # Ok(()) });
    /// ```
    #[must_use]
    pub fn with_attempt_timeout(&self, timeout: Duration) -> Self {
        let mut client = self.clone();
        client.engine.timeouts.read = timeout;
        client.engine.timeouts.create = timeout;
        client
    }

    /// Returns the base URL, without a trailing slash.
    pub fn base_url(&self) -> &str {
        self.engine.core.base.as_str().trim_end_matches('/')
    }

    /// Returns the retry policy of calls.
    pub fn retry_policy(&self) -> RetryPolicy {
        self.engine.retry
    }

    /// Returns the limit of the rate limiter. Other clients with the same key may share this rate limiter.
    pub fn rate_limit(&self) -> RateLimit {
        self.engine.core.rate_limit
    }

    /// Returns the time-out of each attempt of a read.
    pub fn attempt_timeout(&self) -> Duration {
        self.engine.timeouts.read
    }

    /// Returns the time-out of each attempt of a create or follow-up.
    pub fn create_timeout(&self) -> Duration {
        self.engine.timeouts.create
    }

    /// Returns the maximum size of a response, in bytes.
    pub fn max_body(&self) -> usize {
        self.engine.core.max_body
    }

    /// Returns the current state of the rate limiter, such as the number of waiting requests and the allowed rate.
    pub fn rate_limit_status(&self) -> RateLimitStatus {
        self.engine.core.limiter.status()
    }

    /// Reads a session. The service keeps the messages of each turn in a separate thread. The response to a create or
    /// follow-up and the messages contain the id of the turn's thread, but a session that is read does not. So in the
    /// returned session, the id of the first turn's thread and the links to this thread are always null.
    /// [`Session::latest_turn`] finds the newest turn.
    ///
    /// # Errors
    /// An error with status 404 when the session does not exist in this workspace.
    ///
    /// ```
    /// # mod doctest { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doctest.rs")); }
    /// # doctest::with_session(async |session, client, mock| {
    /// let read = client.get_session(session.id()).await?;
    /// assert_eq!(read.html_url(), session.html_url());
    ///
    /// let error = client.get_session(uuid::Uuid::nil()).await.unwrap_err();
    /// assert!(error.is_not_found());
    /// # Ok(()) });
    /// ```
    pub async fn get_session(&self, id: impl Into<Id>) -> Result<Session, Error> {
        let (data, response) = self.session_data(&id.into()).await?;
        Ok(Session::new(self.clone(), data, response))
    }

    pub(crate) fn session_data<'a>(
        &'a self,
        id: &'a Id,
    ) -> BoxFuture<'a, Result<(Box<blocks_api::types::Session>, ResponseInfo), Error>> {
        Box::pin(async move {
            let operation = Operation::GET_SESSION;
            let admission = Admission::Wait(operation.priority());
            let send = |api: Api| {
                let id = id.clone();
                async move { api.get_session().session_id(id).send().await }
            };
            let result = self.engine.call(operation, admission, send).await;
            result.map_err(|error| error.with_session(id))
        })
    }

    /// Returns a reference to the session with this id. Sends no request.
    ///
    /// ```
    /// # mod doctest { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doctest.rs")); }
    /// # doctest::with_client(async |client, mock| {
    /// let id = uuid::uuid!("5f0c7a52-3a1e-4a53-9d5e-0d4f5b9b8a11");
    /// assert_eq!(*client.session(id).id(), id);
    /// assert!(mock.requests().is_empty());
    /// # Ok(()) });
    /// ```
    pub fn session(&self, id: impl Into<Id>) -> SessionRef {
        SessionRef::new(self.clone(), id.into())
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client")
            .field("base_url", &self.engine.core.base.as_str())
            .field("key", &self.engine.core.key)
            .field("retry", &self.engine.retry)
            .field("timeouts", &self.engine.timeouts)
            .finish_non_exhaustive()
    }
}
