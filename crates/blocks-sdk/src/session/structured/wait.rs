//! Waits for a reply that contains JSON, and asks the agent for a correction if the reply does not contain the expected
//! JSON.

use std::future::IntoFuture;
use std::marker::PhantomData;
use std::pin::Pin;
use std::time::Duration;

use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use tokio::time::Instant;

use crate::engine::effect::Prepared;
use crate::engine::error::{Error, LastPoll};
use crate::engine::rate_limit::after;
use crate::request::FollowUp;
use crate::session::turn::{MIN_INTERVAL, Reply, TIMEOUT, Turn};

/// Contains a reply, and the value that was decoded from its JSON.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct StructuredReply<T> {
    /// The value that was decoded from the JSON in the reply.
    pub value: T,
    /// The reply that contains the value.
    pub reply: Reply,
    /// The number of follow-ups that asked the agent to correct its reply.
    pub corrections: u32,
}

/// Waits for a reply that contains JSON; see [`Turn::structured_reply`].
#[must_use = "a wait does nothing until it is awaited"]
pub struct StructuredWait<T> {
    turn: Turn,
    timeout: Duration,
    interval: Duration,
    corrections: u32,
    value: PhantomData<fn() -> T>,
}

impl Turn {
    /// Waits for the reply, and decodes the JSON in the reply by the rules of [`Reply::json`].
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)]
    /// # async fn main() -> Result<(), blocks_sdk::Error> {
    /// # let mock = blocks_mock::Mock::builder().agent(blocks_mock::Script::schema_reply(1)).build();
    /// # let client = blocks_sdk::Client::builder(mock.key()).service(mock.service()).build()?;
    /// # use blocks_sdk::{Agent, CreateSession};
    /// #[derive(serde::Deserialize, schemars::JsonSchema)]
    /// struct Triage {
    ///     is_bug: bool,
    /// }
    ///
    /// let request = CreateSession::new(Agent::claude(), "Is issue 7 a bug?").expect::<Triage>();
    /// let session = client.create_session(request).await?;
    /// let reply = session.first_turn()?.structured_reply::<Triage>().correct(1).await?;
    /// println!("a bug: {}", reply.value.is_bug);
    /// assert_eq!(reply.corrections, 1, "the first reply had no `is_bug`");
    /// # Ok(())
    /// # }
    /// ```
    pub fn structured_reply<T: DeserializeOwned + JsonSchema>(&self) -> StructuredWait<T> {
        StructuredWait {
            turn: self.clone(),
            timeout: TIMEOUT,
            interval: MIN_INTERVAL,
            corrections: 0,
            value: PhantomData,
        }
    }
}

impl<T: DeserializeOwned + JsonSchema> StructuredWait<T> {
    /// Sets the maximum number of corrections. Default: 0. A correction is a follow-up that asks the agent to correct
    /// its reply. Each correction is a billed turn.
    ///
    /// No correction is sent in these cases:
    /// - The request of an earlier correction failed, or its outcome is unknown.
    /// - The reply looks like a notice of failure; see [`Reply::failure_notice`].
    /// - The client knows a later turn of the session, for example because this program has sent another follow-up.
    /// - The time-out has passed.
    pub fn correct(mut self, at_most: u32) -> Self {
        self.corrections = at_most;
        self
    }

    /// Sets the time-out of the whole wait, including all corrections. Default: 1 hour; `Duration::MAX` means no
    /// time-out.
    ///
    /// If the time-out passes while a correction is being sent, the wait continues until the service has responded to the
    /// correction, at most for the time-out of an attempt of a create. Otherwise the id of the billed turn could be lost.
    /// The wait ends before its time-out if the service asks for a pause that is longer than the rest of the time-out. After the time-out, the wait may poll once more; see
    /// [`Wait::timeout`](crate::Wait::timeout).
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Sets the time between two polls. Default: 2 s, which is also the minimum.
    pub fn interval(mut self, interval: Duration) -> Self {
        self.interval = interval;
        self
    }

    async fn run(self) -> Result<StructuredReply<T>, Error> {
        let deadline = after(Instant::now(), self.timeout);
        let mut turn = self.turn;
        let mut timeout = self.timeout;
        let mut corrections = 0;
        let mut mismatch = None;
        loop {
            let wait = turn.reply().timeout(timeout).interval(self.interval);
            let reply = wait
                .await
                .map_err(|error| error.with_reply_mismatch(mismatch))?;
            let error = match reply.json() {
                Ok(value) => {
                    return Ok(StructuredReply {
                        value,
                        reply,
                        corrections,
                    });
                }
                Err(error) => error,
            };
            mismatch = error.shared_reply_mismatch();
            let (Some(found), false) = (&mismatch, corrections == self.corrections) else {
                return Err(error);
            };
            let is_over = Instant::now() >= deadline;
            if is_over || turn.is_interrupted() || reply.failure_notice().is_some() {
                return Err(error);
            }
            corrections += 1;
            let request = FollowUp::correction(found).expect::<T>();
            let session = turn.session();
            let sent = session
                .post(request, Prepared::default(), Some(deadline))
                .await;
            turn = sent.map_err(|error| {
                let error = correction_failed(error, &turn, deadline, self.timeout);
                error.with_reply_mismatch(mismatch.clone())
            })?;
            timeout = deadline.saturating_duration_since(Instant::now());
        }
    }
}

/// Returns the error of a wait whose correction failed. If the wait timed out before the correction was sent, this is
/// the error of the time-out. `turn` is the turn whose reply did not match.
fn correction_failed(error: Error, turn: &Turn, deadline: Instant, timeout: Duration) -> Error {
    if error.attempts() > 0 || error.is_invalid_input() || Instant::now() < deadline {
        return error;
    }
    let key = &turn.client().engine.core.key;
    let last = LastPoll::Failed(error);
    Error::deadline(turn.pending().clone(), timeout, last, key)
}

impl<T: DeserializeOwned + JsonSchema + Send + 'static> IntoFuture for StructuredWait<T> {
    type Output = Result<StructuredReply<T>, Error>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.run())
    }
}

impl<T> std::fmt::Debug for StructuredWait<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("StructuredWait")
            .field("turn", &self.turn)
            .field("timeout", &self.timeout)
            .field("corrections", &self.corrections)
            .finish_non_exhaustive()
    }
}
