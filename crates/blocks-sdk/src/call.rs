//! One call from its first attempt to its end: the policy under the generated methods.
//!
//! Every request passes here, takes its turn in the budget, is sent, and is read to its end
//! within the attempt, so that nothing received is lost whatever happens to the rest.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use blocks_api::seam::Policy;
use blocks_api::{Error as ApiError, ResponseValue};
use bytes::{Bytes, BytesMut};
use chrono::Utc;
use reqwest::header::{HeaderMap, USER_AGENT};
use reqwest::{Request, Response, ResponseBuilderExt, StatusCode};
use tokio::time::{Instant, sleep, timeout};

use crate::budget::Lane;
use crate::client::{Client, Core};
use crate::error::{Context, Error, ErrorKind};
use crate::observe;
use crate::retry::{Outcome, RetryPolicy, Verdict, verdict};
use crate::retry_after::retry_after;
use crate::transport::{SendError, Transport};

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

/// What was received in an attempt, kept outside it so that a time-out cannot lose it.
#[derive(Default)]
struct Received {
    status: StatusCode,
    headers: HeaderMap,
    first: Option<Bytes>,
    rest: BytesMut,
    too_large: bool,
}

impl Received {
    fn push(&mut self, chunk: Bytes, limit: usize) {
        let length = self.rest.len() + self.first.as_ref().map_or(0, Bytes::len);
        let room = limit.saturating_sub(length);
        self.too_large = chunk.len() > room;
        let chunk = chunk.slice(..chunk.len().min(room));
        // Most bodies come in one piece, which then need not be copied.
        if self.first.is_none() && self.rest.is_empty() {
            self.first = Some(chunk);
            return;
        }
        if let Some(first) = self.first.take() {
            self.rest.extend_from_slice(&first);
        }
        self.rest.extend_from_slice(&chunk);
    }

    fn into_body(self) -> Bytes {
        self.first.unwrap_or_else(|| self.rest.freeze())
    }
}

/// How an attempt ended when not with a whole response.
enum Break {
    Send(SendError),
    Body(reqwest::Error),
    Timeout,
}

async fn attempt(
    transport: &dyn Transport,
    request: Request,
    limit: usize,
    received: &mut Option<Received>,
) -> Result<(), Break> {
    let mut response = transport.send(request).await.map_err(Break::Send)?;
    let received = received.insert(Received {
        status: response.status(),
        headers: std::mem::take(response.headers_mut()),
        ..Received::default()
    });
    while !received.too_large
        && let Some(chunk) = response.chunk().await.map_err(Break::Body)?
    {
        received.push(chunk, limit);
    }
    Ok(())
}

/// One call under way.
pub(crate) struct Call {
    core: Arc<Core>,
    operation: Operation,
    admission: Admission,
    note: Option<Note>,
    retry: RetryPolicy,
    attempt_timeout: Duration,
    /// The success whose decoding may still fail, or the failure.
    end: Mutex<End>,
}

#[derive(Default)]
struct End {
    context: Context,
    failure: Option<Error>,
}

/// What is done just before a request is sent for the first time.
pub(crate) type Note = Box<dyn Fn() -> std::io::Result<()> + Send + Sync>;

impl Client {
    /// Sends what `send` builds, as one call of `operation`.
    pub(crate) async fn call<T, F>(
        &self,
        operation: Operation,
        admission: Admission,
        send: impl FnOnce(blocks_api::Client) -> F,
    ) -> Result<T, Error>
    where
        F: Future<Output = Result<ResponseValue<T>, ApiError<()>>>,
    {
        self.call_for(operation, admission, None, Ok, send).await
    }

    /// The same with a note, and for what `take` finds in the answer: where that is not what
    /// the call is for, the error has all that came.
    pub(crate) async fn call_for<T, U, F>(
        &self,
        operation: Operation,
        admission: Admission,
        note: Option<Note>,
        take: impl FnOnce(T) -> Result<U, &'static str>,
        send: impl FnOnce(blocks_api::Client) -> F,
    ) -> Result<U, Error>
    where
        F: Future<Output = Result<ResponseValue<T>, ApiError<()>>>,
    {
        let call = Arc::new(Call {
            core: Arc::clone(&self.core),
            operation,
            admission,
            note,
            retry: self.retry,
            attempt_timeout: self.attempt_timeout,
            end: Mutex::default(),
        });
        let api = self.core.api(Arc::clone(&call) as Arc<dyn Policy>);
        let result = observe::operation(operation, &self.core.base, send(api)).await;
        let answer = result.map_err(|error| call.explain(error))?;
        take(answer.into_inner()).map_err(|missing| call.undecodable(missing.to_owned()))
    }
}

impl Policy for Call {
    fn execute(
        &self,
        mut request: Request,
    ) -> Pin<Box<dyn Future<Output = Option<Response>> + Send + '_>> {
        let agent = self.core.user_agent.clone();
        request.headers_mut().entry(USER_AGENT).or_insert(agent);
        Box::pin(self.run(request))
    }
}

impl Call {
    async fn run(&self, request: Request) -> Option<Response> {
        let mut turn = match self.admission {
            Admission::Wait(lane) => Some(self.core.budget.turn(lane)),
            Admission::HasTurn => None,
        };
        let mut deadline = Instant::now() + self.retry.total;
        let mut attempts = 0;
        loop {
            if let Some(turn) = &mut turn {
                if let Some(error) = self.pause_past(deadline, attempts) {
                    return self.fail(error);
                }
                turn.await;
            }
            if attempts == 0 {
                // Waiting for the first turn is not the call's own time.
                deadline = Instant::now() + self.retry.total;
                if let Some(Err(source)) = self.note.as_ref().map(|note| note()) {
                    let detail = "nothing was sent, since it could not be noted".to_owned();
                    return self.fail(Error::file(detail, source));
                }
            }
            attempts += 1;
            let Some(copy) = request.try_clone() else {
                return self.fail(Error::invalid_input(
                    "the request's body cannot be repeated",
                ));
            };
            let mut received = None;
            let transport = self.core.transport.as_ref();
            let sent = attempt(transport, copy, self.core.max_body, &mut received);
            let end = timeout(self.attempt_timeout, sent)
                .await
                .unwrap_or(Err(Break::Timeout));
            let outcome = outcome(&end, received.as_ref());
            observe::attempt(self.operation.id, attempts, outcome);
            let asked = received
                .as_ref()
                .and_then(|r| retry_after(&r.headers, Utc::now()));
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
                None => return self.finish(end, received, verdict, attempts, asked),
            }
        }
    }

    /// The error of a call that would have to wait for longer than it may.
    fn pause_past(&self, deadline: Instant, attempts: u32) -> Option<Error> {
        let pause = self.core.budget.paused_until()?;
        (pause > deadline).then(|| {
            let left = pause - Instant::now();
            let detail = format!("the service asked to wait, and {left:?} of it are left");
            let context = Context {
                operation: self.operation.id,
                attempts,
                retry_after: Some(left),
                ..Context::default()
            };
            self.error(ErrorKind::Timeout, detail, context)
        })
    }

    fn finish(
        &self,
        end: Result<(), Break>,
        received: Option<Received>,
        verdict: Verdict,
        attempts: u32,
        asked: Option<Duration>,
    ) -> Option<Response> {
        let mut context = Context {
            operation: self.operation.id,
            attempts,
            retry_after: asked,
            fate_unknown: self.operation.creates
                && matches!(verdict, Verdict::Done | Verdict::FateUnknown),
            ..Context::default()
        };
        let too_large = received.as_ref().is_some_and(|r| r.too_large);
        let mut headers = None;
        if let Some(mut received) = received {
            context.status = Some(received.status.as_u16());
            context.request_id = request_id(&received.headers);
            headers = Some(std::mem::take(&mut received.headers));
            context.body = Some(received.into_body());
        }
        if verdict == Verdict::Done && end.is_ok() && !too_large {
            // With some URL, or else the conversion parses one of its own each time.
            let response = http::Response::builder()
                .status(status(&context))
                .url(self.core.base.clone())
                .body(context.body.clone().unwrap_or_default());
            let mut response = response.ok()?;
            *response.headers_mut() = headers.unwrap_or_default();
            self.end().context = context;
            return Some(response.into());
        }
        self.fail(self.failure(end, too_large, context))
    }

    fn failure(&self, end: Result<(), Break>, too_large: bool, context: Context) -> Error {
        let limit = self.core.max_body;
        let success = context.status.is_some_and(|s| (200..300).contains(&s));
        let (kind, detail) = match &end {
            _ if context.status.is_some() && !success => {
                (ErrorKind::Status, status(&context).to_string())
            }
            Ok(()) if too_large => (
                ErrorKind::Undecodable,
                format!("the answer is larger than {limit} bytes, of which the first were kept"),
            ),
            Ok(()) => (ErrorKind::Undecodable, "the answer is not usable".into()),
            Err(Break::Timeout) => (
                ErrorKind::Timeout,
                format!("no whole answer came within {:?}", self.attempt_timeout),
            ),
            Err(Break::Send(error)) => (ErrorKind::Connection, error.to_string()),
            Err(Break::Body(_)) => (
                ErrorKind::Connection,
                "the connection broke in the middle of the answer".into(),
            ),
        };
        let error = self.error(kind, detail, context);
        match end {
            Err(Break::Send(source)) => error.with_source(source),
            Err(Break::Body(source)) => error.with_source(source.without_url()),
            Ok(()) | Err(Break::Timeout) => error,
        }
    }

    fn error(&self, kind: ErrorKind, detail: String, context: Context) -> Error {
        Error::of_call(kind, detail, context, &self.core.key)
    }

    fn end(&self) -> std::sync::MutexGuard<'_, End> {
        self.end.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn fail(&self, error: Error) -> Option<Response> {
        self.end().failure = Some(error);
        None
    }

    /// The failure that this call kept, or what the generated method says.
    fn explain(&self, error: ApiError<()>) -> Error {
        let mut end = self.end();
        if let Some(failure) = end.failure.take() {
            return failure;
        }
        drop(end);
        match error {
            ApiError::InvalidResponsePayload(_, source) => {
                self.undecodable(format!("cannot decode the answer: {source}"))
            }
            ApiError::InvalidRequest(detail) | ApiError::Custom(detail) => {
                Error::invalid_input(detail)
            }
            ApiError::CommunicationError(source) => {
                Error::invalid_input("the request cannot be built")
                    .with_source(source.without_url())
            }
            other => {
                let detail = format!("no usable answer: {:?}", other.status());
                let context = self.received();
                self.error(ErrorKind::Connection, detail, context)
            }
        }
    }

    /// A success that is not what the call is for.
    fn undecodable(&self, detail: String) -> Error {
        let context = self.received();
        self.error(ErrorKind::Undecodable, detail, context)
    }

    /// What came, for the error of it.
    fn received(&self) -> Context {
        Context {
            operation: self.operation.id,
            ..std::mem::take(&mut self.end().context)
        }
    }
}

fn outcome(end: &Result<(), Break>, received: Option<&Received>) -> Outcome {
    match (end, received) {
        // A status that is no success is the answer, even when its body broke off.
        (Ok(()), Some(r)) => Outcome::Status(r.status.as_u16()),
        (Err(_), Some(r)) if !r.status.is_success() => Outcome::Status(r.status.as_u16()),
        (Err(Break::Send(error)), _) if error.is_never_sent() => Outcome::NotSent,
        _ => Outcome::Broken,
    }
}

fn status(context: &Context) -> StatusCode {
    let code = context.status.unwrap_or_default();
    StatusCode::from_u16(code).unwrap_or_default()
}

fn request_id(headers: &HeaderMap) -> Option<String> {
    ["x-request-id", "request-id"].iter().find_map(|name| {
        let value = headers.get(*name)?.to_str().ok()?;
        Some(value.to_owned())
    })
}
