//! Makes one call with all its attempts. A call acquires permits from the rate limiter, makes attempts, and handles
//! their results.
//!
//! For each attempt, a call runs a method of the generated client or a function of `blocks_api::hook`, which builds the
//! request. `Call` implements [`Sender`], the trait through which these methods and functions send their requests. So a
//! `Call` receives the built request, sends the request, and reads the response up to the limit of its size. An error
//! can therefore contain the received body and ids.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use blocks_api::hook::Sender;
use blocks_api::{Error as ApiError, ResponseValue};
use bytes::Bytes;
use http::Response;
use reqwest::header::{ACCEPT_ENCODING, HeaderValue, USER_AGENT};
use reqwest::{Request, StatusCode};
use tokio::time::{Instant, sleep_until, timeout_at};

use crate::engine::attempt::{Attempt, AttemptResult, NoResponse};
use crate::engine::effect::Prepared;
use crate::engine::error::{CallContext, Error, ErrorKind};
use crate::engine::failure::undecodable;
use crate::engine::rate_limit::{NoPermit, Permit, Priority, after, require_runtime};
use crate::engine::response::ResponseInfo;
use crate::engine::retry::{AttemptTimeouts, Outcome, RetryPolicy, Verdict, verdict};
use crate::engine::telemetry;
use crate::engine::{Core, Engine};

/// An operation of the OpenAPI document, or a raw request to any path.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Operation {
    pub id: &'static str,
    /// Whether the operation starts billed work, or is a raw request that is neither a `GET` nor a `HEAD`. Such a
    /// request must not take effect twice.
    pub creates: bool,
}

impl Operation {
    pub const fn creating(id: &'static str) -> Self {
        Self { id, creates: true }
    }

    pub const fn reading(id: &'static str) -> Self {
        Self { id, creates: false }
    }

    /// Returns the rate limiter's priority for a call of this operation that is not a poll.
    pub fn priority(self) -> Priority {
        if self.creates {
            Priority::Create
        } else {
            Priority::Interactive
        }
    }
}

/// Decides how long a call waits for a permit, and whether the call may send its request again.
#[derive(Clone, Copy)]
pub(crate) enum Admission {
    /// The call waits for a permit before each attempt, within the time-out of the call.
    Wait(Priority),
    /// The call sends the request once. The call uses a permit that was acquired before, or waits for a permit without
    /// a time-out.
    Once(Priority),
}

/// A call in progress.
pub(crate) struct Call {
    pub(crate) core: Arc<Core>,
    operation: Operation,
    admission: Admission,
    retry: RetryPolicy,
    timeouts: AttemptTimeouts,
    /// No permit is waited for and no attempt starts after this time.
    deadline: Option<Instant>,
    /// A running attempt is cut off at this time. It is later than `deadline` if the caller of [`Engine::call_for`] has
    /// set an earlier end. If a create were cut off at that end, the id of a billed turn could be lost.
    last_end: Option<Instant>,
    attempt: Attempt,
}

/// The generated client that sends the requests of one call.
pub(crate) type Api = Arc<blocks_api::Client>;
/// The future of an operation. It is boxed for two reasons. First, this crate compiles the future, instead of each
/// crate that calls the operation. Second, a future that awaits an operation, such as the future of a wait, stays
/// small.
pub(crate) type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;
/// The return type of the methods of the generated client, and of the functions of `blocks_api::hook`.
pub(crate) type Sent<T> = Result<ResponseValue<T>, ApiError<()>>;

impl Engine {
    /// Sends the request that `send` builds, as one call of `operation`.
    pub(crate) fn call<T, F>(
        &self,
        operation: Operation,
        admission: Admission,
        send: impl Fn(Api) -> F,
    ) -> impl Future<Output = Result<(Box<T>, ResponseInfo), Error>>
    where
        F: Future<Output = Sent<T>>,
    {
        let prepared = Prepared::default();
        self.call_for(operation, admission, prepared, None, Ok, send)
    }

    /// Waits for a permit that a later call will use. `operation` sets the priority and the time-out of the wait.
    pub(crate) async fn acquire(&self, operation: Operation) -> Result<Permit, Error> {
        require_runtime();
        let priority = operation.priority();
        let timeout = self.retry.timeout_of(operation.creates, self.timeouts);
        let deadline = Some(after(Instant::now(), timeout));
        let acquire = self.core.limiter.acquire(priority, deadline);
        acquire.await.map_err(|no_permit| {
            let call = self.start(operation, Admission::Wait(priority), deadline);
            call.no_permit(no_permit, CallProgress::default())
        })
    }

    /// Makes a call, and returns the part of the response that `take` selects. If this part is missing, the error
    /// contains the received body and ids. The first attempt uses the permit in `prepared`, if there is one. No attempt
    /// starts after `end`, but an attempt that has started continues.
    pub(crate) fn call_for<T, U, F>(
        &self,
        operation: Operation,
        admission: Admission,
        prepared: Prepared,
        end: Option<Instant>,
        take: impl FnOnce(Box<T>) -> Result<U, &'static str>,
        send: impl Fn(Api) -> F,
    ) -> impl Future<Output = Result<(U, ResponseInfo), Error>>
    where
        F: Future<Output = Sent<T>>,
    {
        let timeout = match admission {
            Admission::Wait(_) => Some(self.retry.timeout_of(operation.creates, self.timeouts)),
            Admission::Once(_) => None,
        };
        let last_end = timeout.map(|timeout| after(Instant::now(), timeout));
        let deadline = last_end.into_iter().chain(end).min();
        let call = Arc::new(Call {
            last_end,
            ..self.start(operation, admission, deadline)
        });
        let run = async move {
            let effect = prepared.effect.clone();
            let sent = Arc::clone(&call).run(prepared, take, send).await;
            effect.set(match &sent {
                Ok(_) => true,
                Err(error) => error.may_have_taken_effect(),
            });
            let (taken, mut result) = sent?;
            Ok((taken, ResponseInfo::of(&mut result, &call.core.key)))
        };
        telemetry::operation(operation, &self.core.base, run)
    }

    /// Makes one call, for example a poll, with a permit that was acquired before. The call fails if it has not ended
    /// by `deadline`. Also returns the response, so that a wait without a reply can add its status and body to the
    /// error.
    pub(crate) fn call_with_permit<T, F>(
        &self,
        operation: Operation,
        permit: Permit,
        deadline: Instant,
        send: impl Fn(Api) -> F,
    ) -> impl Future<Output = Result<(Box<T>, AttemptResult), Error>>
    where
        F: Future<Output = Sent<T>>,
    {
        let admission = Admission::Once(Priority::Interactive);
        let call = Arc::new(self.start(operation, admission, Some(deadline)));
        let prepared = Prepared {
            permit: Some(permit),
            ..Prepared::default()
        };
        let run = call.run(prepared, Ok, send);
        telemetry::operation(operation, &self.core.base, run)
    }

    fn start(&self, operation: Operation, admission: Admission, deadline: Option<Instant>) -> Call {
        Call {
            core: Arc::clone(&self.core),
            operation,
            admission,
            retry: self.retry,
            timeouts: self.timeouts,
            deadline,
            last_end: deadline,
            attempt: Attempt::default(),
        }
    }
}

impl Sender for Call {
    fn execute(
        &self,
        mut request: Request,
    ) -> Pin<Box<dyn Future<Output = Option<Response<Bytes>>> + Send + '_>> {
        let core = &self.core;
        let agent = core.user_agent.clone();
        let headers = request.headers_mut();
        headers.entry(USER_AGENT).or_insert(agent);
        headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
        let sending = core.transport.send(request);
        Box::pin(self.attempt.receive(sending, core.max_body, &core.key))
    }
}

impl Call {
    async fn run<T, U, F>(
        self: Arc<Self>,
        prepared: Prepared,
        take: impl FnOnce(Box<T>) -> Result<U, &'static str>,
        send: impl Fn(Api) -> F,
    ) -> Result<(U, AttemptResult), Error>
    where
        F: Future<Output = Sent<T>>,
    {
        require_runtime();
        let Prepared { mut permit, effect } = prepared;
        let api = Arc::new(self.core.api(Arc::clone(&self) as Arc<dyn Sender>));
        let (Admission::Wait(priority) | Admission::Once(priority)) = self.admission;
        let mut acquire = self.core.limiter.acquire(priority, self.deadline);
        let mut progress = CallProgress::default();
        loop {
            let permit = match permit.take() {
                Some(permit) => permit,
                None => match (&mut acquire).await {
                    Ok(permit) => permit,
                    Err(no_permit) => return Err(self.no_permit(no_permit, progress)),
                },
            };
            let (now, limit) = match self.before_sending(&progress) {
                Ok(times) => times,
                Err(error) => {
                    permit.give_back();
                    // The time-out of the call has passed. The error of the last attempt explains more than an error of
                    // this time-out.
                    return Err(match progress.last {
                        Some(_) => self.failed(progress),
                        None => error,
                    });
                }
            };
            progress.attempts += 1;
            // If the future of the call is dropped during the attempt, this value stays.
            effect.set(true);
            // The future and the decoded value are large. They are boxed, so that the futures of the callers stay
            // small.
            let attempt = Box::pin(async { send(Arc::clone(&api)).await.map(boxed) });
            let why = match timeout_at(after(now, limit), attempt).await {
                Ok(Ok((status, value))) => {
                    return self.accept(status, value, progress.attempts, take);
                }
                Ok(Err(error)) => match undecodable(error, &self.attempt) {
                    Ok(why) => why,
                    Err(error) => {
                        permit.give_back();
                        return Err(error);
                    }
                },
                Err(_) => {
                    self.attempt.fail(NoResponse::Timeout(limit));
                    None
                }
            };
            progress.last = Some((self.attempt.take(), why));
            let Some(retry_at) = self.retry_at(&mut progress) else {
                return Err(self.failed(progress));
            };
            // Only an attempt of a create that certainly had no effect is repeated.
            effect.set(false);
            drop(permit);
            // There is no sleep after a 429, because the rate limiter grants no permit before the end of the pause.
            if let Some(retry_at) = retry_at {
                sleep_until(retry_at).await;
            }
        }
    }

    /// Returns the current time and the time-out of the next attempt. Returns an error if the time-out of the call has
    /// passed.
    fn before_sending(&self, progress: &CallProgress) -> Result<(Instant, Duration), Error> {
        let now = Instant::now();
        let left = |end: Option<Instant>| {
            end.map_or(Duration::MAX, |end| end.saturating_duration_since(now))
        };
        if left(self.deadline).is_zero() {
            let detail = "the time-out of the call passed before it was sent".to_owned();
            let context = self.context(progress.attempts);
            return Err(self.error(ErrorKind::Timeout, detail, context));
        }
        let left = left(self.last_end);
        Ok((now, self.timeouts.limit(self.operation.creates, left)))
    }

    /// Reports the response of the last attempt, if there was one, to the rate limiter. Returns when the request may be
    /// sent again:
    ///
    /// - `None`: never.
    /// - `Some(None)`: as soon as a permit is available.
    /// - `Some(Some(time))`: when a permit is available, but not before `time`.
    fn retry_at(&self, progress: &mut CallProgress) -> Option<Option<Instant>> {
        let (result, _) = progress.last.as_ref()?;
        let outcome = result.outcome();
        telemetry::attempt(self.operation.id, progress.attempts, outcome);
        let limiter = &self.core.limiter;
        let longest = self.retry.max_retry_after;
        let asked = result.asked();
        let refused_until = match outcome {
            Outcome::Status(429) => Some(limiter.refused(asked, longest)),
            Outcome::Status(status) => {
                limiter.responded();
                if let Some(asked) = asked.filter(|asked| status == 503 && !asked.is_zero()) {
                    limiter.pause(asked, longest);
                }
                None
            }
            Outcome::NotSent | Outcome::Broken => None,
        };
        progress.failures += u32::from(refused_until.is_none());
        let may_repeat = matches!(self.admission, Admission::Wait(_))
            && self.retry.max_attempts > 1
            && progress.failures < self.retry.max_attempts;
        let is_in_time = |at: &Instant| self.deadline.is_none_or(|deadline| *at <= deadline);
        match verdict(self.operation.creates, outcome) {
            _ if !may_repeat => None,
            Verdict::RetryAfterPause => refused_until.filter(is_in_time).map(|_| None),
            Verdict::Retry => {
                let backoff = self.retry.backoff(progress.failures, fastrand::f64());
                let pause = asked.unwrap_or_default().min(longest).max(backoff);
                let at = after(Instant::now(), pause);
                Some(at).filter(is_in_time).map(Some)
            }
            Verdict::Done | Verdict::Failed | Verdict::OutcomeUnknown => None,
        }
    }

    /// Returns the result of a call whose response was decoded.
    fn accept<T, U>(
        &self,
        status: StatusCode,
        value: Box<T>,
        attempts: u32,
        take: impl FnOnce(Box<T>) -> Result<U, &'static str>,
    ) -> Result<(U, AttemptResult), Error> {
        let outcome = Outcome::Status(status.as_u16());
        telemetry::attempt(self.operation.id, attempts, outcome);
        self.core.limiter.responded();
        let result = self.attempt.take();
        match take(value) {
            Ok(taken) => Ok((taken, result)),
            Err(missing) => Err(self.failed(CallProgress {
                attempts,
                last: Some((result, Some(missing.to_owned()))),
                ..CallProgress::default()
            })),
        }
    }

    /// Returns the error of a call that cannot get a permit within its time-out.
    fn no_permit(&self, no_permit: NoPermit, progress: CallProgress) -> Error {
        if progress.last.is_some() {
            return self.failed(progress);
        }
        let left = no_permit
            .paused_until
            .map(|until| until.saturating_duration_since(Instant::now()));
        let detail = match left {
            Some(left) => format!("rate limited, nothing was sent; retry after {left:.0?}"),
            None => "rate limited, nothing was sent: no permit within the time-out".to_owned(),
        };
        let context = CallContext {
            retry_after: left,
            ..self.context(0)
        };
        self.error(ErrorKind::RateLimited, detail, context)
    }

    /// Returns the error of a call whose last attempt failed.
    fn failed(&self, progress: CallProgress) -> Error {
        let (result, why) = progress.last.unwrap_or_default();
        let context = CallContext {
            retry_after: result.asked(),
            outcome_unknown: self.operation.creates
                && matches!(
                    verdict(true, result.outcome()),
                    Verdict::Done | Verdict::OutcomeUnknown
                ),
            ..self.context(progress.attempts)
        };
        self.failure(result, why, context)
    }

    pub(crate) fn error(&self, kind: ErrorKind, detail: String, context: CallContext) -> Error {
        Error::of_call(kind, detail, context, &self.core.key)
    }

    fn context(&self, attempts: u32) -> CallContext {
        CallContext {
            operation: self.operation.id,
            host: self.core.base.host_str().map(str::to_owned),
            attempts,
            ..CallContext::default()
        }
    }
}

/// Puts the decoded value of a response into a box.
fn boxed<T>(response: ResponseValue<T>) -> (StatusCode, Box<T>) {
    (response.status(), Box::new(response.into_inner()))
}

/// The progress of a call.
#[derive(Default)]
struct CallProgress {
    /// Number of attempts, including those in which nothing was sent.
    attempts: u32,
    /// Number of failed attempts, except those with a 429 response, which the retry policy does not count.
    failures: u32,
    /// The result of the last attempt. The string is the reason why a complete response cannot be used, such as invalid
    /// JSON.
    last: Option<(AttemptResult, Option<String>)>,
}
