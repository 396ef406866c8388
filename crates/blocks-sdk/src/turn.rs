//! One turn of the agent, and waiting for its reply.

use std::future::IntoFuture;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::time::Duration;

use blocks_api::open::Id;
use blocks_api::open::MessageType;
use blocks_api::types;
use futures_core::Stream;
use futures_util::future::{Either, select};
use futures_util::stream::{FuturesUnordered, StreamExt, unfold};
use reqwest::Url;
use tokio::time::{Instant, timeout_at};

use crate::budget::{Lane, Poll};
use crate::call::{Admission, Operation};
use crate::client::Client;
use crate::error::Error;
use crate::link;
use crate::observe;
use crate::pending::Pending;
use crate::retry::poll_pause;
use crate::superseded::Turns;

const DEADLINE: Duration = Duration::from_secs(30 * 60);
/// Between two looks: a single waiter then takes at most 30 of the 100 requests in a minute.
const MIN_INTERVAL: Duration = Duration::from_secs(2);

/// One turn of the agent. Its reply is behind a link.
///
/// ```
/// # #[tokio::main(flavor = "current_thread", start_paused = true)]
/// # async fn main() -> Result<(), blocks_sdk::Error> {
/// # let mock = blocks_mock::Mock::new();
/// # let client = blocks_sdk::Client::builder(mock.key()).service(mock.service()).build()?;
/// # let request = blocks_sdk::CreateSession::new(blocks_sdk::Agent::claude(), "Go.");
/// # let session = client.create_session(request).await?;
/// let turn = session.turn()?;
/// assert!(turn.look().await?.is_none(), "the agent still works");
/// assert_eq!(turn.reply().await?.text(), "Done.");
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Turn {
    client: Client,
    /// Shared, since thousands may wait.
    pending: Arc<Pending>,
    turns: Arc<Turns>,
    number: u64,
    began: Instant,
    first_look: Instant,
}

impl Turn {
    /// The turn that was just begun, whose reply cannot be there at once.
    pub(crate) fn begun(
        client: Client,
        pending: Pending,
        turns: Arc<Turns>,
        number: u64,
        began: Instant,
    ) -> Self {
        Self {
            client,
            pending: Arc::new(pending),
            turns,
            number,
            began,
            first_look: began + MIN_INTERVAL,
        }
    }

    fn resumed(client: Client, pending: Pending) -> Self {
        let turns = client.core.sessions.turns(pending.session_id());
        let now = Instant::now();
        Self {
            number: turns.latest(),
            client,
            pending: Arc::new(pending),
            turns,
            began: now,
            first_look: now,
        }
    }

    /// What is waited for, as a value to store.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)]
    /// # async fn main() -> Result<(), blocks_sdk::Error> {
    /// # let mock = blocks_mock::Mock::new();
    /// # let client = blocks_sdk::Client::builder(mock.key()).service(mock.service()).build()?;
    /// # let request = blocks_sdk::CreateSession::new(blocks_sdk::Agent::claude(), "Go.");
    /// # let session = client.create_session(request).await?;
    /// let stored = serde_json::to_string(session.turn()?.pending()).unwrap();
    /// let pending: blocks_sdk::Pending = serde_json::from_str(&stored).unwrap();
    /// assert_eq!(pending.session_id(), session.id());
    /// # Ok(())
    /// # }
    /// ```
    pub fn pending(&self) -> &Pending {
        &self.pending
    }

    /// The session.
    pub fn session_id(&self) -> &Id {
        self.pending.session_id()
    }

    /// The thread, where the service named it.
    pub fn thread_id(&self) -> Option<&Id> {
        self.pending.thread_id()
    }

    /// Waits for the reply. Await it as it is, set its deadline, or show its progress.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)]
    /// # async fn main() -> Result<(), blocks_sdk::Error> {
    /// # let mock = blocks_mock::Mock::new();
    /// # let client = blocks_sdk::Client::builder(mock.key()).service(mock.service()).build()?;
    /// # let request = blocks_sdk::CreateSession::new(blocks_sdk::Agent::claude(), "Go.");
    /// # let session = client.create_session(request).await?;
    /// use std::time::Duration;
    ///
    /// let reply = session.turn()?.reply().deadline(Duration::from_secs(3600)).await?;
    /// println!("{}", reply.text());
    /// # Ok(())
    /// # }
    /// ```
    pub fn reply(&self) -> Wait {
        Wait {
            turn: self.clone(),
            deadline: DEADLINE,
            interval: MIN_INTERVAL,
        }
    }

    /// Looks once, at once: the reply, or `None` while the agent works.
    ///
    /// # Errors
    /// Whatever the request met.
    pub async fn look(&self) -> Result<Option<Reply>, Error> {
        self.look_as(Admission::Wait(Lane::Interactive)).await
    }

    async fn look_as(&self, admission: Admission) -> Result<Option<Reply>, Error> {
        let mut url = self.client.core.resolve(self.pending.href())?;
        // Links were seen to lose their filters. Without its thread, the reply of another turn
        // would be found.
        let has = |url: &Url, filter: &str| url.query_pairs().any(|(name, _)| name == filter);
        if !has(&url, "type") {
            url.query_pairs_mut().append_pair("type", "final_message");
        }
        let thread = self
            .thread_id()
            .filter(|_| !url.path().contains("/threads/"));
        if let Some(thread) = thread.filter(|_| !has(&url, "thread_id")) {
            let thread = thread.to_string();
            url.query_pairs_mut().append_pair("thread_id", &thread);
        }
        let operation = Operation::LIST_THREAD_MESSAGES;
        let send = |api| link::follow::<types::MessagePage>(api, operation, url.clone());
        let page = self.client.call(operation, admission, send).await;
        let page = page.map_err(|error| error.with_pending(self.pending().clone()))?;
        let message = page
            .items
            .into_iter()
            // The service was asked for final messages alone, so only another known type is no reply.
            .find(|message| {
                !matches!(
                    message.type_,
                    Some(MessageType::Message | MessageType::ToolCall)
                )
            });
        Ok(message.map(|message| Reply {
            session_id: self.session_id().clone(),
            message: Box::new(message),
        }))
    }
}

impl Client {
    /// Waits on for what was pending, in this process or another. Sends nothing by itself.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let mock = blocks_mock::Mock::new();
    /// # let client = blocks_sdk::Client::builder(mock.key()).service(mock.service()).build()?;
    /// # let request = blocks_sdk::CreateSession::new(blocks_sdk::Agent::claude(), "Go.");
    /// # let session = client.create_session(request).await?;
    /// # let text = serde_json::to_string(session.turn()?.pending())?;
    /// let pending: blocks_sdk::Pending = serde_json::from_str(&text)?;
    /// println!("{}", client.resume(pending).reply().await?.text());
    /// # Ok(())
    /// # }
    /// ```
    pub fn resume(&self, pending: Pending) -> Turn {
        Turn::resumed(self.clone(), pending)
    }
}

/// A wait for a reply. Transient errors do not end it before its deadline; 401, 403, 404 do,
/// and so does a follow-up that interrupts the turn. Dropping it cancels the wait alone.
#[derive(Clone, Debug)]
#[must_use = "a wait does nothing until it is awaited"]
pub struct Wait {
    turn: Turn,
    deadline: Duration,
    interval: Duration,
}

/// What a wait tells on its way.
#[derive(Debug)]
#[non_exhaustive]
pub enum Progress {
    /// It looked, and the agent still works.
    Waiting {
        /// Since the wait began.
        elapsed: Duration,
        /// Looks so far.
        looks: u64,
        /// The transient error of this look, if it met one.
        error: Option<Error>,
    },
    /// The reply is there. Nothing follows.
    Replied(Reply),
}

impl Wait {
    /// The whole wait; 30 minutes unless set. What is not there then is an error of the kind
    /// [`Deadline`](crate::ErrorKind::Deadline), and can be waited on.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)]
    /// # async fn main() -> Result<(), blocks_sdk::Error> {
    /// # let mock = blocks_mock::Mock::new();
    /// # let client = blocks_sdk::Client::builder(mock.key()).service(mock.service()).build()?;
    /// # let request = blocks_sdk::CreateSession::new(blocks_sdk::Agent::claude(), "Go.");
    /// # let session = client.create_session(request).await?;
    /// let wait = session.turn()?.reply().deadline(std::time::Duration::from_millis(500));
    /// assert_eq!(wait.await.unwrap_err().kind(), blocks_sdk::ErrorKind::Deadline);
    /// # Ok(())
    /// # }
    /// ```
    pub fn deadline(mut self, deadline: Duration) -> Self {
        self.deadline = deadline;
        self
    }

    /// Between two looks; 2 s unless set, and never less. The budget may make it longer.
    pub fn interval(mut self, interval: Duration) -> Self {
        self.interval = interval.max(MIN_INTERVAL);
        self
    }

    /// The wait as a stream: an item for each look, the last of them the reply or the error.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)]
    /// # async fn main() -> Result<(), blocks_sdk::Error> {
    /// # let mock = blocks_mock::Mock::new();
    /// # let client = blocks_sdk::Client::builder(mock.key()).service(mock.service()).build()?;
    /// # let request = blocks_sdk::CreateSession::new(blocks_sdk::Agent::claude(), "Go.");
    /// # let session = client.create_session(request).await?;
    /// use blocks_sdk::Progress;
    /// use futures_util::StreamExt;
    ///
    /// let mut progress = std::pin::pin!(session.turn()?.reply().progress());
    /// while let Some(step) = progress.next().await {
    ///     match step? {
    ///         Progress::Waiting { elapsed, .. } => eprintln!("waiting for {elapsed:?}"),
    ///         Progress::Replied(reply) => println!("{}", reply.text()),
    ///         _ => {}
    ///     }
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub fn progress(self) -> impl Stream<Item = Result<Progress, Error>> + Send {
        unfold(Some(self.begin()), |looking| async {
            let mut looking = looking?;
            Some(match looking.step().await {
                Ok(Progress::Replied(reply)) => (Ok(Progress::Replied(reply)), None),
                Ok(waiting) => (Ok(waiting), Some(looking)),
                Err(error) => (Err(error), None),
            })
        })
    }

    fn begin(self) -> Looking {
        let now = Instant::now();
        Looking {
            deadline: now + self.deadline,
            began: now,
            // The claim of a poll counts from the last look, or from the turn's begin.
            looked: self.turn.began,
            next: self.turn.first_look,
            looks: 0,
            failures: 0,
            last_error: None,
            wait: self,
        }
    }

    async fn run(self) -> Result<Reply, Error> {
        let mut looking = self.begin();
        loop {
            match looking.step().await? {
                Progress::Replied(reply) => return Ok(reply),
                Progress::Waiting { error, .. } => looking.last_error = error,
            }
        }
    }
}

impl IntoFuture for Wait {
    type Output = Result<Reply, Error>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.run())
    }
}

/// A wait under way.
struct Looking {
    wait: Wait,
    began: Instant,
    deadline: Instant,
    looked: Instant,
    next: Instant,
    looks: u64,
    failures: u32,
    last_error: Option<Error>,
}

impl Looking {
    /// One look, when its turn comes.
    async fn step(&mut self) -> Result<Progress, Error> {
        let turn = &self.wait.turn;
        let lane = Lane::Poll(Poll {
            began: turn.began,
            looked: self.looked,
            not_before: self.next,
        });
        let look = async {
            turn.client.core.budget.turn(lane).await;
            let looked = Instant::now();
            // Only a look in flight needs the memory of a whole call.
            let result = Box::pin(turn.look_as(Admission::HasTurn)).await;
            (looked, result)
        };
        let end = {
            let (look, superseded) = (pin!(look), pin!(turn.turns.superseded(turn.number)));
            let end = timeout_at(self.deadline, select(look, superseded)).await;
            // Here the other of the two is dropped, so that it takes no turn for nothing.
            end.map(|first| match first {
                Either::Left((look, _)) => Some(look),
                Either::Right(_) => None,
            })
        };
        let (looked, result) = match end {
            Ok(Some(look)) => look,
            Ok(None) => return self.last_look().await,
            Err(_) => {
                let pending = turn.pending().clone();
                let error = self.last_error.as_ref();
                return Err(Error::deadline(pending, self.wait.deadline, error));
            }
        };
        self.looked = looked;
        self.looks += 1;
        let session = turn.session_id();
        observe::look(session, self.looks, matches!(result, Ok(Some(_))));
        let error = match result {
            Ok(Some(reply)) => return Ok(Progress::Replied(reply)),
            Ok(None) => None,
            Err(error) if error.is_transient() => Some(error),
            Err(error) => return Err(error),
        };
        self.failures = error.as_ref().map_or(0, |_| self.failures + 1);
        self.next = looked + poll_pause(self.wait.interval, self.failures, fastrand::f64());
        Ok(Progress::Waiting {
            elapsed: self.began.elapsed(),
            looks: self.looks,
            error,
        })
    }

    /// The turn is over: either its reply came before the follow-up did, or never will.
    async fn last_look(&self) -> Result<Progress, Error> {
        let turn = &self.wait.turn;
        match timeout_at(self.deadline, Box::pin(turn.look())).await {
            Ok(Ok(Some(reply))) => Ok(Progress::Replied(reply)),
            _ => Err(Error::superseded(turn.pending().clone())),
        }
    }
}

/// Waits for the replies of many turns, each as `options` makes of its [`Wait`], and gives
/// them in the order in which they come. Turns of one client share its budget fairly.
///
/// ```
/// # #[tokio::main(flavor = "current_thread", start_paused = true)]
/// # async fn main() -> Result<(), blocks_sdk::Error> {
/// # let mock = blocks_mock::Mock::new();
/// # let client = blocks_sdk::Client::builder(mock.key()).service(mock.service()).build()?;
/// # let request = blocks_sdk::CreateSession::new(blocks_sdk::Agent::claude(), "Go.");
/// # let session = client.create_session(request).await?;
/// # let turns = [session.turn()?];
/// use futures_util::StreamExt;
///
/// let mut replies = blocks_sdk::replies(turns, |wait| wait);
/// while let Some((pending, result)) = replies.next().await {
///     match result {
///         Ok(reply) => println!("{}: {}", pending.session_id(), reply.text()),
///         Err(error) => eprintln!("{}: {error}", pending.session_id()),
///     }
/// }
/// # Ok(())
/// # }
/// ```
pub fn replies(
    turns: impl IntoIterator<Item = Turn>,
    options: impl Fn(Wait) -> Wait,
) -> impl Stream<Item = (Pending, Result<Reply, Error>)> + Send + Unpin {
    let waits = turns.into_iter().map(|turn| {
        let pending = Arc::clone(&turn.pending);
        let wait = options(turn.reply());
        async move {
            let result = wait.run().await;
            (Pending::clone(&pending), result)
        }
    });
    waits.collect::<FuturesUnordered<_>>().boxed()
}

/// The agent's final message.
///
/// ```
/// # #[tokio::main(flavor = "current_thread", start_paused = true)]
/// # async fn main() -> Result<(), blocks_sdk::Error> {
/// # let mock = blocks_mock::Mock::new();
/// # let client = blocks_sdk::Client::builder(mock.key()).service(mock.service()).build()?;
/// # let request = blocks_sdk::CreateSession::new(blocks_sdk::Agent::claude(), "Go.");
/// # let session = client.create_session(request).await?;
/// let reply = session.reply().await?;
/// assert_eq!((reply.text(), reply.session_id()), ("Done.", session.id()));
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Reply {
    session_id: Id,
    message: Box<types::Message>,
}

impl Reply {
    /// The text; an empty one is a valid reply.
    pub fn text(&self) -> &str {
        self.message.message.as_deref().unwrap_or_default()
    }

    /// The session that it belongs to.
    pub fn session_id(&self) -> &Id {
        &self.session_id
    }

    /// Everything the service sent.
    pub fn message(&self) -> &types::Message {
        &self.message
    }

    /// Everything the service sent, to keep.
    pub fn into_message(self) -> types::Message {
        *self.message
    }
}
