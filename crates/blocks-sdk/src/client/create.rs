//! Creates sessions. `create_session` runs in the future of the caller, and `create_session_detached` in a separate
//! task. A `CreatePermit` uses a permit that the program acquired earlier.

use std::fmt;
use std::future::Future;
use std::panic::resume_unwind;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use blocks_api::open::Id;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use crate::client::Client;
use crate::engine::call::{Admission, Api, BoxFuture, Operation};
use crate::engine::effect::{CreateEffect, Prepared};
use crate::engine::error::Error;
use crate::engine::rate_limit::{Permit, require_runtime};
use crate::request::{CreateSession, FollowUp};
use crate::session::Session;
use crate::session::turn::Turn;

/// The maximum time from the acquisition of a permit to its use. The rate limiter counts a request for a minute from
/// the time of its permit, but the service counts the request for a minute from its arrival. If a program used a permit
/// much later, the rate limiter would stop counting the request before the service does, and the client could exceed
/// the limit.
const PERMIT_LIFETIME: Duration = Duration::from_secs(2);

impl Client {
    /// Creates a session, posts its first message and dispatches the message to the agent.
    ///
    /// Do not drop this future before it has completed. A `select!` or a time-out around the future can drop it. If the
    /// request was already sent, a billed session may exist, and your program does not know its id.
    /// [`CreatePermit::effect`] says whether this is possible. To limit the duration of the whole create, set
    /// [`RetryPolicy::call_timeout`](crate::RetryPolicy::call_timeout). To stop waiting earlier, use
    /// [`create_session_detached`](Self::create_session_detached): it runs the create in a separate task, which
    /// continues when your program stops waiting.
    ///
    /// The client sends the create again only when the create certainly had no effect, for example after a 429 or if
    /// the client could not connect.
    ///
    /// # Errors
    /// Returns an error before anything is sent if the input is invalid. Otherwise returns an error if the request
    /// fails. When [`Error::may_have_taken_effect`] is true, check whether the session exists before you call this
    /// method again.
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
        self.create(request, Prepared::default()).await
    }

    /// Creates a session in a separate task. Dropping the returned value does not stop the create.
    ///
    /// Keep the returned value, and await it to get the session. If the value is dropped, the create continues and the
    /// session is billed, but the program does not get the id of the session.
    ///
    /// # Panics
    /// Panics outside of a tokio runtime.
    ///
    /// ```
    /// # mod doctest { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doctest.rs")); }
    /// # doctest::with_client(async |client, mock| {
    /// use std::time::Duration;
    /// use blocks_sdk::{Agent, CreateSession};
    ///
    /// # mock.inject(None, blocks_mock::Frequency::ONCE, blocks_mock::Fault::Delay(Duration::from_secs(9)));
    /// let request = CreateSession::new(Agent::claude(), "Add a test for the parser.");
    /// let mut create = client.create_session_detached(request);
    /// let session = match tokio::time::timeout(Duration::from_secs(5), &mut create).await {
    ///     Ok(session) => session?,
    ///     Err(_) => create.await?, // the create is still in progress, and its result is not lost
    /// };
    /// # assert_eq!(mock.sessions(), [session.id()]);
    /// # Ok(()) });
    /// ```
    pub fn create_session_detached(&self, request: CreateSession) -> Detached<Session> {
        let client = self.clone();
        Detached::spawn(async move { client.create(request, Prepared::default()).await })
    }

    /// Acquires the rate limiter's permit for one create or follow-up, before the request is sent.
    ///
    /// A create may wait for its permit for a long time. With this method, a program can wait for the permit first,
    /// then record that the create is starting, and then send the request. After a crash, only a create with a record
    /// of its start and without a record of its result has an unknown outcome. If the future or the permit is dropped,
    /// the rate limiter can give the permit to another request.
    ///
    /// # Errors
    /// [`ErrorKind::RateLimited`](crate::ErrorKind::RateLimited) when no permit is available within the time-out of a
    /// create, or immediately when a pause ends after this time-out; see
    /// [`RetryPolicy::call_timeout`](crate::RetryPolicy::call_timeout).
    ///
    /// ```
    /// # mod doctest { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doctest.rs")); }
    /// # doctest::with_client(async |client, mock| {
    /// use blocks_sdk::{Agent, CreateSession};
    ///
    /// # let mut journal = Vec::new();
    /// let request = CreateSession::new(Agent::claude(), "Add a test for the parser.");
    /// request.validate()?;
    /// let permit = client.acquire_create().await?;
    /// journal.push("starting".to_owned());
    /// let session = permit.create_session(request).await?;
    /// journal.push(format!("session {}", session.id()));
    /// # Ok(()) });
    /// ```
    pub async fn acquire_create(&self) -> Result<CreatePermit, Error> {
        let permit = self.engine.acquire(Operation::CREATE_SESSION).await?;
        Ok(CreatePermit {
            client: self.clone(),
            permit: Some(permit),
            acquired: Instant::now(),
            effect: CreateEffect::default(),
        })
    }

    fn create(
        &self,
        request: CreateSession,
        prepared: Prepared,
    ) -> BoxFuture<'_, Result<Session, Error>> {
        Box::pin(async move {
            let body = request.validated()?;
            let operation = Operation::CREATE_SESSION;
            let admission = Admission::Wait(operation.priority());
            let send = |api: Api| {
                let body = body.clone();
                async move { api.create_session().body(body).send().await }
            };
            let sent = self
                .engine
                .call_for(operation, admission, prepared, None, Ok, send);
            let (data, response) = sent.await?;
            Ok(Session::new(self.clone(), data, response))
        })
    }
}

/// Permits one create or follow-up; see [`Client::acquire_create`].
///
/// Use the permit within two seconds. Otherwise the request first waits for a new permit.
#[must_use = "a permit that is dropped is given back"]
pub struct CreatePermit {
    client: Client,
    permit: Option<Permit>,
    acquired: Instant,
    effect: CreateEffect,
}

impl CreatePermit {
    /// Returns a handle that says whether the request that is sent with this permit may have had an effect.
    ///
    /// If a program drops the future of a request, for example after a signal, it gets neither a result nor an error.
    /// The handle then says whether a billed session or turn may exist. It certainly does not exist if the future was
    /// dropped before the first attempt, or in the pause before the request is sent again.
    ///
    /// ```
    /// # mod doctest { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doctest.rs")); }
    /// # doctest::with_client(async |client, mock| {
    /// use std::time::Duration;
    /// use blocks_mock::{Fault, Frequency, RetryAfter};
    /// use blocks_sdk::{Agent, CreateSession};
    /// use tokio::time::timeout;
    ///
    /// let fault = Fault::rate_limited(Some(RetryAfter::Seconds(30)));
    /// mock.inject(None, Frequency::ONCE, fault);
    /// let request = CreateSession::new(Agent::claude(), "Add a test for the parser.");
    /// let permit = client.acquire_create().await?;
    /// let effect = permit.effect();
    /// let create = permit.create_session(request);
    /// assert!(timeout(Duration::from_secs(5), create).await.is_err());
    /// assert!(!effect.may_have_taken_effect(), "the create can be sent again later");
    /// # assert_eq!(mock.session_count(), 0);
    /// # Ok(()) });
    /// ```
    pub fn effect(&self) -> CreateEffect {
        self.effect.clone()
    }

    /// Creates a session with this permit. [`Client::create_session`] describes the create and the effect of dropping
    /// the future.
    ///
    /// # Errors
    /// The errors of [`Client::create_session`].
    pub async fn create_session(mut self, request: CreateSession) -> Result<Session, Error> {
        request.validate()?;
        let prepared = self.take();
        self.client.create(request, prepared).await
    }

    /// Posts a follow-up with this permit. [`SessionRef::follow_up`](crate::SessionRef::follow_up) describes the
    /// follow-up and the effect of dropping the future.
    ///
    /// # Errors
    /// The errors of [`SessionRef::follow_up`](crate::SessionRef::follow_up).
    pub async fn follow_up(
        mut self,
        session_id: impl Into<Id>,
        request: FollowUp,
    ) -> Result<Turn, Error> {
        request.validate()?;
        let prepared = self.take();
        let session = self.client.session(session_id);
        session.post(request, prepared, None).await
    }

    /// Returns what the request is sent with. If the lifetime of the permit has ended, gives the permit back to the
    /// rate limiter, and returns no permit.
    fn take(&mut self) -> Prepared {
        if self.acquired.elapsed() > PERMIT_LIFETIME {
            self.give_back();
        }
        Prepared {
            permit: self.permit.take(),
            effect: self.effect(),
        }
    }

    fn give_back(&mut self) {
        if let Some(permit) = self.permit.take() {
            permit.give_back();
        }
    }
}

impl Drop for CreatePermit {
    fn drop(&mut self) {
        self.give_back();
    }
}

impl fmt::Debug for CreatePermit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CreatePermit").finish_non_exhaustive()
    }
}

/// Runs a create or follow-up in a separate task. Await this value to get the result. Dropping this value does not stop
/// the request.
pub struct Detached<T>(JoinHandle<Result<T, Error>>);

impl<T: Send + 'static> Detached<T> {
    pub(crate) fn spawn(request: impl Future<Output = Result<T, Error>> + Send + 'static) -> Self {
        require_runtime();
        Self(tokio::spawn(request))
    }
}

impl<T> Detached<T> {
    /// Returns whether the request has ended.
    pub fn is_finished(&self) -> bool {
        self.0.is_finished()
    }
}

impl<T> Future for Detached<T> {
    type Output = Result<T, Error>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        match ready!(Pin::new(&mut self.0).poll(context)) {
            Ok(result) => Poll::Ready(result),
            Err(error) => match error.try_into_panic() {
                Ok(panic) => resume_unwind(panic),
                // The task was cancelled. No code of this crate aborts the task, so its runtime was shut down.
                Err(_) => Poll::Ready(Err(Error::abandoned())),
            },
        }
    }
}

impl<T> fmt::Debug for Detached<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let finished = self.is_finished();
        f.debug_struct("Detached")
            .field("is_finished", &finished)
            .finish_non_exhaustive()
    }
}
