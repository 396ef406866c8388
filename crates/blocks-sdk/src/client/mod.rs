//! The client: one key, one base URL, one rate limiter.

pub(crate) mod builder;
mod operations;

use std::env::VarError;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use blocks_api::open::Id;
use zeroize::Zeroizing;

use crate::client::builder::ClientBuilder;
use crate::engine::call::{Admission, Api, Note, Operation};
use crate::engine::error::Error;
use crate::engine::rate_limit::RateLimitStatus;
use crate::engine::retry::RetryPolicy;
use crate::engine::transport::Transport;
use crate::engine::{Core, Engine};
use crate::request::CreateSession;
use crate::session::Session;
use crate::session::reference::SessionRef;
use crate::session::turns::TurnRegistry;

/// A client of one workspace. Cheap to clone; clones share one rate limiter.
///
/// Its futures may be awaited in several tokio runtimes, also when one of them is idle or has
/// ended. Connections belong to the runtime that made them, though: give each runtime a client
/// of its own if it is ever left idle while another one sends.
///
/// # Panics
/// Its futures panic outside a tokio runtime with time and I/O enabled, and in one that has been
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

/// What the clones of a client know of its resources.
#[derive(Default)]
pub(crate) struct Resources {
    pub turns: TurnRegistry,
    /// Set once the deployment refused a repeated `role`.
    pub one_role_at_a_time: AtomicBool,
}

impl ClientBuilder {
    /// Settings with the key from `BLOCKS_API_KEY` and, where set, the base URL from
    /// `BLOCKS_API_BASE_URL`.
    ///
    /// # Errors
    /// When the key is not set, or when a variable is empty or not UTF-8.
    ///
    /// ```no_run
    /// let store = std::sync::Arc::new(blocks_sdk::MemoryLimitStore::default());
    /// let client = blocks_sdk::ClientBuilder::from_env()?.limit_store(store).build()?;
    /// # Ok::<(), blocks_sdk::Error>(())
    /// ```
    pub fn from_env() -> Result<Self, Error> {
        let key = variable("BLOCKS_API_KEY")?.ok_or_else(|| {
            Error::configuration(
                "BLOCKS_API_KEY is not set; create a key in the settings of your Blocks workspace",
            )
        })?;
        let builder = Self::new(Zeroizing::new(key));
        Ok(match variable("BLOCKS_API_BASE_URL")? {
            Some(url) => builder.base_url(url),
            None => builder,
        })
    }
}

impl Client {
    /// A client from `BLOCKS_API_KEY` and, where set, `BLOCKS_API_BASE_URL`.
    ///
    /// # Errors
    /// When the key is not set, when a variable is empty or not UTF-8, or for the reasons of [`ClientBuilder::build`].
    ///
    /// ```no_run
    /// // BLOCKS_API_KEY=… my-program
    /// let client = blocks_sdk::Client::from_env()?;
    /// # Ok::<(), blocks_sdk::Error>(())
    /// ```
    pub fn from_env() -> Result<Self, Error> {
        ClientBuilder::from_env()?.build()
    }

    /// A client with `key`, and settings to change.
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

    /// The same client, rate limiter included, whose calls are retried by `policy`.
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

    /// The same client, rate limiter included, whose requests and downloads go through what `wrap`
    /// makes of its transport: for recordings and logs.
    ///
    /// ```
    /// use blocks_sdk::{Client, SendFuture, Transport};
    /// use std::sync::Arc;
    ///
    /// struct Printing(Arc<dyn Transport>);
    ///
    /// impl Transport for Printing {
    ///     fn send(&self, request: reqwest::Request) -> SendFuture<'_> {
    ///         eprintln!("{} {}", request.method(), request.url().path());
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
        core.transport = Arc::new(wrap(core.transport));
        core.downloads = Arc::new(wrap(core.downloads));
        client.engine.core = Arc::new(core);
        client
    }

    /// The same client, rate limiter included, whose attempts may take `timeout`.
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

    /// How many requests wait, and what the rate limiter allows, at this moment.
    pub fn rate_limit_status(&self) -> RateLimitStatus {
        self.engine.core.limiter.status()
    }

    /// Creates a session, posts its first message and dispatches it to the agent.
    ///
    /// Do not drop this future once it is polled, as a `select!` or a time-out around it does:
    /// the request may have been sent, and the billed session would exist without a trace. Set
    /// [`RetryPolicy::call_timeout`], or spawn a task and drop its handle.
    ///
    /// It is sent again only when it certainly had no effect.
    ///
    /// # Errors
    /// Invalid input before anything is sent; whatever went wrong after it. When
    /// [`Error::may_have_taken_effect`], do not simply call this again.
    ///
    /// ```
    /// # mod doctest { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doctest.rs")); }
    /// # doctest::with_client(async |client, mock| {
    /// use blocks_sdk::{Agent, CreateSession};
    ///
    /// let request = CreateSession::new(Agent::claude(), "Add a test for the parser.");
    /// let session = client.create_session(request.title("Parser test")).await?;
    /// println!("{}", session.first_reply().await?.text());
    /// # assert_eq!(mock.sessions(), [session.id()]);
    /// # Ok(()) });
    /// ```
    pub async fn create_session(&self, request: CreateSession) -> Result<Session, Error> {
        self.create(request, None).await
    }

    /// Creates a session, and runs `before_send` when the create has its permit, just before the
    /// request is sent: for a journal that shows after a crash which creates may have been sent.
    /// Many creates may wait for their permits, and none of those is in the journal.
    ///
    /// # Errors
    /// As [`create_session`](Self::create_session); [`ErrorKind::File`](crate::ErrorKind::File)
    /// when `before_send` fails, and then nothing was sent.
    ///
    /// ```
    /// # mod doctest { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doctest.rs")); }
    /// # doctest::with_client(async |client, mock| {
    /// use blocks_sdk::{Agent, CreateSession};
    ///
    /// # let journal = std::env::temp_dir().join(format!("{}.journal", uuid::Uuid::new_v4()));
    /// # let path = journal.clone();
    /// let request = CreateSession::new(Agent::claude(), "Add a test for the parser.");
    /// let before_send = move || std::future::ready(std::fs::write(&journal, "starting"));
    /// let session = client.create_session_with_hook(request, before_send).await?;
    /// # assert_eq!(std::fs::read_to_string(&path).unwrap(), "starting");
    /// # std::fs::remove_file(path).unwrap();
    /// # Ok(()) });
    /// ```
    pub async fn create_session_with_hook<F>(
        &self,
        request: CreateSession,
        before_send: impl Fn() -> F + Send + Sync + 'static,
    ) -> Result<Session, Error>
    where
        F: Future<Output = std::io::Result<()>> + Send + 'static,
    {
        let note: Note = Box::new(move || Box::pin(before_send()));
        self.create(request, Some(note)).await
    }

    async fn create(&self, request: CreateSession, note: Option<Note>) -> Result<Session, Error> {
        let body = request.validated()?;
        let operation = Operation::CREATE_SESSION;
        let admission = Admission::Wait(operation.priority());
        let send = |api: Api| {
            let body = body.clone();
            async move { api.create_session().body(body).send().await }
        };
        let data = self
            .engine
            .call_for(operation, admission, note, Ok, send)
            .await?;
        Ok(Session::new(self.clone(), data))
    }

    /// Reads a session. The links to its thread are always null here.
    ///
    /// # Errors
    /// Status 404 when it does not exist in this workspace.
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
        let data = self.session_data(&id.into()).await?;
        Ok(Session::new(self.clone(), data))
    }

    pub(crate) async fn session_data(&self, id: &Id) -> Result<blocks_api::types::Session, Error> {
        let operation = Operation::GET_SESSION;
        let admission = Admission::Wait(operation.priority());
        let send = |api: Api| {
            let id = id.clone();
            async move { api.get_session().session_id(id).send().await }
        };
        let result = self.engine.call(operation, admission, send).await;
        result.map_err(|error| error.with_session(id))
    }

    /// A reference to a session of which only the id is known. Sends nothing.
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

/// A variable of the environment.
fn variable(name: &str) -> Result<Option<String>, Error> {
    checked(name, std::env::var(name))
}

/// The value of a variable. One that is empty or not UTF-8 is an error: if it were ignored, the key might go to
/// another host than the one that was meant.
fn checked(name: &str, value: Result<String, VarError>) -> Result<Option<String>, Error> {
    match value {
        Ok(value) if value.trim().is_empty() => Err(Error::configuration(format!(
            "{name} is empty; set it to a value, or unset it"
        ))),
        Ok(value) => Ok(Some(value)),
        Err(VarError::NotPresent) => Ok(None),
        Err(VarError::NotUnicode(_)) => {
            Err(Error::configuration(format!("{name} is not valid UTF-8")))
        }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::error::ErrorKind;

    #[test]
    fn variables_that_cannot_be_used_are_not_ignored() {
        let invalid = VarError::NotUnicode("s3cret".into());
        for value in [Ok(String::new()), Ok(" \n".to_owned()), Err(invalid)] {
            let error = checked("BLOCKS_API_BASE_URL", value).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Configuration);
            let message = error.to_string();
            assert!(message.contains("BLOCKS_API_BASE_URL"), "{message}");
            assert!(!message.contains("s3cret"), "{message}");
        }
        assert_eq!(checked("A", Err(VarError::NotPresent)).unwrap(), None);
        let value = checked("A", Ok("text".to_owned())).unwrap();
        assert_eq!(value.as_deref(), Some("text"));
    }
}
