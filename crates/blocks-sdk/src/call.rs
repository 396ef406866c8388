//! One call from its first attempt to its end: turns, attempts, and what is made of them.
//!
//! A call runs its generated method once for each attempt. The request that the method builds
//! comes back here as its policy, is sent, and is read to its end, so that nothing received
//! is lost whatever happens to the rest.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use blocks_api::seam::Policy;
use blocks_api::{Error as ApiError, ResponseValue};
use reqwest::header::USER_AGENT;
use reqwest::{Request, Response};
use tokio::time::{Instant, sleep, timeout};

use crate::attempt::{Attempt, Break};
use crate::budget::Lane;
use crate::client::{Client, Core};
use crate::error::{Context, Error, ErrorKind};
use crate::failure::undecodable;
use crate::observe;
use crate::retry::{Outcome, RetryPolicy, Verdict, verdict};

/// One of the document's operations.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Operation {
    pub id: &'static str,
    /// Whether it begins work that is billed, so that it must not happen twice.
    pub creates: bool,
}

impl Operation {
    pub const CREATE_SESSION: Self = Self::creating("createSession");
    pub const CREATE_MESSAGE: Self = Self::creating("createMessage");
    pub const GET_SESSION: Self = Self::reading("getSession");
    pub const LIST_SESSION_MESSAGES: Self = Self::reading("listSessionMessages");
    pub const LIST_THREAD_MESSAGES: Self = Self::reading("listThreadMessages");
    pub const GET_ARTIFACT: Self = Self::reading("getArtifact");

    const fn creating(id: &'static str) -> Self {
        Self { id, creates: true }
    }

    const fn reading(id: &'static str) -> Self {
        Self { id, creates: false }
    }

    /// The lane of a call that is not a poll.
    pub fn lane(self) -> Lane {
        if self.creates {
            Lane::Create
        } else {
            Lane::Interactive
        }
    }
}

/// Whether a call waits for its turn here, or was given one already.
#[derive(Clone, Copy)]
pub(crate) enum Admission {
    Wait(Lane),
    /// It has its turn, and is sent once.
    HasTurn,
}

/// One call under way.
pub(crate) struct Call {
    pub(crate) core: Arc<Core>,
    operation: Operation,
    admission: Admission,
    note: Option<Note>,
    retry: RetryPolicy,
    pub(crate) attempt_timeout: Duration,
    attempt: Attempt,
}

/// What is done just before a request is sent for the first time.
pub(crate) type Note = Box<dyn Fn() -> std::io::Result<()> + Send + Sync>;

/// The generated client of one call.
pub(crate) type Api = Arc<blocks_api::Client>;
/// What a generated method returns.
pub(crate) type Sent<T> = Result<ResponseValue<T>, ApiError<()>>;

impl Client {
    /// Sends what `send` builds, as one call of `operation`.
    pub(crate) fn call<T, F>(
        &self,
        operation: Operation,
        admission: Admission,
        send: impl Fn(Api) -> F,
    ) -> impl Future<Output = Result<T, Error>>
    where
        F: Future<Output = Sent<T>>,
    {
        self.call_for(operation, admission, None, Ok, send)
    }

    /// The same with a note, and for what `take` finds in the answer: where that is not what
    /// the call is for, the error has all that came.
    pub(crate) fn call_for<T, U, F>(
        &self,
        operation: Operation,
        admission: Admission,
        note: Option<Note>,
        take: impl FnOnce(T) -> Result<U, &'static str>,
        send: impl Fn(Api) -> F,
    ) -> impl Future<Output = Result<U, Error>>
    where
        F: Future<Output = Sent<T>>,
    {
        let call = Arc::new(Call {
            core: Arc::clone(&self.core),
            operation,
            admission,
            note,
            retry: self.retry,
            attempt_timeout: self.attempt_timeout,
            attempt: Attempt::default(),
        });
        observe::operation(operation, &self.core.base, call.run(take, send))
    }
}

impl Policy for Call {
    fn execute(
        &self,
        mut request: Request,
    ) -> Pin<Box<dyn Future<Output = Option<Response>> + Send + '_>> {
        let core = &self.core;
        let agent = core.user_agent.clone();
        request.headers_mut().entry(USER_AGENT).or_insert(agent);
        let sending = core.transport.send(request);
        Box::pin(
            self.attempt
                .receive(sending, core.max_body, &core.base, &core.key),
        )
    }
}

impl Call {
    async fn run<T, U, F>(
        self: Arc<Self>,
        take: impl FnOnce(T) -> Result<U, &'static str>,
        send: impl Fn(Api) -> F,
    ) -> Result<U, Error>
    where
        F: Future<Output = Sent<T>>,
    {
        let api = Arc::new(self.core.api(Arc::clone(&self) as Arc<dyn Policy>));
        let mut turn = match self.admission {
            Admission::Wait(lane) => Some(self.core.budget.turn(lane)),
            Admission::HasTurn => None,
        };
        let mut deadline = Instant::now() + self.retry.total;
        let mut attempts = 0;
        loop {
            if let Some(turn) = &mut turn {
                self.check_pause(deadline, attempts)?;
                turn.await;
            }
            if attempts == 0 {
                // Waiting for the first turn is not the call's own time.
                deadline = Instant::now() + self.retry.total;
                if let Some(Err(source)) = self.note.as_ref().map(|note| note()) {
                    let detail = "nothing was sent, since it could not be noted".to_owned();
                    return Err(Error::file(detail, source));
                }
            }
            attempts += 1;
            let why = match timeout(self.attempt_timeout, send(Arc::clone(&api))).await {
                Ok(Ok(answer)) => return self.accept(answer, attempts, take),
                Ok(Err(error)) => undecodable(error)?,
                Err(_) => {
                    self.attempt.breaks(Break::Timeout);
                    None
                }
            };
            let ended = self.attempt.take();
            let outcome = ended.outcome();
            observe::attempt(self.operation.id, attempts, outcome);
            let asked = ended.asked();
            let verdict = verdict(self.operation.creates, outcome);
            let again_at = match verdict {
                Verdict::AgainAfterPause => Some(self.core.budget.refused(asked)),
                Verdict::Again => {
                    Some(Instant::now() + self.retry.backoff(attempts, fastrand::f64()))
                }
                Verdict::Done | Verdict::Failed | Verdict::FateUnknown => None,
            };
            if let Outcome::Status(status) = outcome
                && status != 429
            {
                self.core.budget.answered();
            }
            let may_repeat = turn.is_some() && attempts < self.retry.max_attempts;
            match again_at.filter(|at| may_repeat && *at <= deadline) {
                // The budget itself keeps the pause of a 429.
                Some(_) if verdict == Verdict::AgainAfterPause => {}
                Some(at) => sleep(at - Instant::now()).await,
                None => {
                    let fate_unknown = self.operation.creates
                        && matches!(verdict, Verdict::Done | Verdict::FateUnknown);
                    let context = Context {
                        attempts,
                        retry_after: asked,
                        fate_unknown,
                        ..self.context()
                    };
                    return Err(self.failure(ended, why, context));
                }
            }
        }
    }

    /// The end of a call whose answer could be decoded.
    fn accept<T, U>(
        &self,
        answer: ResponseValue<T>,
        attempts: u32,
        take: impl FnOnce(T) -> Result<U, &'static str>,
    ) -> Result<U, Error> {
        let outcome = Outcome::Status(answer.status().as_u16());
        observe::attempt(self.operation.id, attempts, outcome);
        self.core.budget.answered();
        take(answer.into_inner()).map_err(|missing| {
            let context = Context {
                attempts,
                fate_unknown: self.operation.creates,
                ..self.context()
            };
            self.failure(self.attempt.take(), Some(missing.to_owned()), context)
        })
    }

    /// The error of a call that would have to wait for longer than it may.
    fn check_pause(&self, deadline: Instant, attempts: u32) -> Result<(), Error> {
        let pause = self.core.budget.paused_until();
        let Some(pause) = pause.filter(|pause| *pause > deadline) else {
            return Ok(());
        };
        let left = pause - Instant::now();
        let detail = format!("the service asked to wait, and {left:?} of it are left");
        let context = Context {
            attempts,
            retry_after: Some(left),
            ..self.context()
        };
        Err(self.error(ErrorKind::Timeout, detail, context))
    }

    pub(crate) fn error(&self, kind: ErrorKind, detail: String, context: Context) -> Error {
        Error::of_call(kind, detail, context, &self.core.key)
    }

    fn context(&self) -> Context {
        Context {
            operation: self.operation.id,
            host: self.core.base.host_str().map(str::to_owned),
            ..Context::default()
        }
    }
}
