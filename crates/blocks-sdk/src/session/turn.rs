//! Waits for the reply of one turn of the agent.

use std::future::IntoFuture;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use blocks_api::open::{Id, MessageType};
use blocks_api::types;
use bytes::Bytes;
use futures_core::Stream;
use futures_util::future::{Either, select};
use futures_util::stream::{BoxStream, FuturesUnordered, StreamExt, unfold};
use reqwest::Url;
use tokio::time::{Instant, timeout_at};

use crate::client::Client;
use crate::engine::attempt::AttemptResult;
use crate::engine::call::{Admission, BoxFuture, Operation};
use crate::engine::error::{Error, ErrorKind, LastPoll};
use crate::engine::link;
use crate::engine::pending::{Pending, segment};
use crate::engine::rate_limit::{Permit, PollSchedule, Priority, after};
use crate::engine::response::ResponseInfo;
use crate::engine::retry::poll_pause;
use crate::engine::telemetry;
use crate::session::follower::Follower;
use crate::session::reference::SessionRef;
use crate::session::turns::{LatestTurn, TurnState};

pub(super) const TIMEOUT: Duration = Duration::from_secs(60 * 60);
/// The minimum time between two polls, except while a wait with [`Wait::follow`] has unread messages. With this
/// minimum, a wait without unread messages polls about 30 times per minute. One API key may send 100 requests per
/// minute.
pub(super) const MIN_INTERVAL: Duration = Duration::from_secs(2);
/// The time-out of the late poll: the one poll that a wait may send after its own time-out; see [`Wait::timeout`].
const LAST_POLL: Duration = Duration::from_secs(10);
/// The maximum time for which the late poll waits for its permit. A thousand other requests may be in the queue before
/// the late poll. At 100 permits per minute, these requests get their permits within 10 minutes.
const LAST_PERMIT: Duration = Duration::from_secs(15 * 60);
/// If a wait notices its time-out at least this late, the machine or the process was probably suspended.
const STOPPED: Duration = Duration::from_secs(1);
/// A wait fails after this number of unusable responses in a row with the same kind of error. The documentation of
/// [`Wait`] defines which responses are unusable.
const UNUSABLE_IN_A_ROW: u32 = 3;

/// Waits for the reply of one turn. A turn is one prompt and the agent's reply.
///
/// ```
/// # mod doctest { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doctest.rs")); }
/// # doctest::with_session(async |session, client, mock| {
/// let turn = session.first_turn()?;
/// assert!(turn.poll_once().await?.is_none(), "the agent is working");
/// assert_eq!(turn.reply().await?.text(), "Done.");
/// # Ok(()) });
/// ```
#[derive(Clone, Debug)]
pub struct Turn {
    client: Client,
    /// Shared by the clones of the turn to save memory, because thousands of waits may exist.
    pending: Arc<Pending>,
    response: Option<Arc<ResponseInfo>>,
    turns: Arc<LatestTurn>,
    number: usize,
    started: Instant,
    first_poll: Instant,
}

impl Turn {
    /// Creates the handle of a turn that this client started at the time `started`. The first poll is due
    /// [`MIN_INTERVAL`] after this time, because the turn has no reply before.
    pub(crate) fn started(
        client: Client,
        pending: Pending,
        turns: Arc<LatestTurn>,
        number: usize,
        started: Instant,
    ) -> Self {
        Self {
            client,
            pending: Arc::new(pending),
            response: None,
            turns,
            number,
            started,
            first_poll: started + MIN_INTERVAL,
        }
    }

    pub(crate) fn with_response(mut self, response: ResponseInfo) -> Self {
        self.response = Some(Arc::new(response));
        self
    }

    fn resumed(client: Client, pending: Pending) -> Self {
        let turns = client.resources.turns.of(pending.session_id());
        let now = Instant::now();
        Self {
            number: turns.number_of(&pending, None),
            client,
            pending: Arc::new(pending),
            response: None,
            turns,
            started: now,
            first_poll: now,
        }
    }

    /// Returns the client of the turn.
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// Returns a reference to the session.
    pub fn session(&self) -> SessionRef {
        SessionRef::new(self.client.clone(), self.session_id().clone())
    }

    /// Returns the status and the headers of the response to the follow-up that started the turn; `None` for other
    /// turns.
    pub fn response(&self) -> Option<&ResponseInfo> {
        self.response.as_deref()
    }

    /// Returns the pending reply, which contains the ids and the link that a wait needs. Your program can store this
    /// value, and resume the wait later with [`Client::resume`].
    ///
    /// ```
    /// # mod doctest { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doctest.rs")); }
    /// # doctest::with_session(async |session, client, mock| {
    /// let stored = serde_json::to_string(session.first_turn()?.pending()).unwrap();
    /// let pending: blocks_sdk::Pending = serde_json::from_str(&stored).unwrap();
    /// assert_eq!(pending.session_id(), session.id());
    /// # Ok(()) });
    /// ```
    pub fn pending(&self) -> &Pending {
        &self.pending
    }

    /// Returns the id of the session.
    pub fn session_id(&self) -> &Id {
        self.pending.session_id()
    }

    /// Returns the id of the turn's thread, which contains the messages of the turn; `None` if the service did not send
    /// this id.
    pub fn thread_id(&self) -> Option<&Id> {
        self.pending.thread_id()
    }

    /// Returns a wait for the reply. Await the returned value, or first set its time-out or other options.
    ///
    /// ```
    /// # mod doctest { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doctest.rs")); }
    /// # doctest::with_session(async |session, client, mock| {
    /// use std::time::Duration;
    ///
    /// let reply = session.first_turn()?.reply().timeout(Duration::from_secs(3600)).await?;
    /// println!("{}", reply.text());
    /// # Ok(()) });
    /// ```
    pub fn reply(&self) -> Wait {
        Wait {
            turn: self.clone(),
            timeout: TIMEOUT,
            interval: MIN_INTERVAL,
            follow: Follow::Nothing,
        }
    }

    /// Polls once; returns `None` if there is no reply, for example because the agent is working. If the request fails,
    /// it is sent again, as the retry policy allows.
    ///
    /// # Errors
    /// Any error of the request; see [`ErrorKind`].
    pub async fn poll_once(&self) -> Result<Option<Reply>, Error> {
        self.poll_now().await
    }

    fn poll_now(&self) -> BoxFuture<'_, Result<Option<Reply>, Error>> {
        Box::pin(async move {
            let operation = Operation::LIST_THREAD_MESSAGES;
            let page = async {
                let url = self.url()?;
                let send = |api| link::follow::<types::MessagePage>(api, operation, url.clone());
                let admission = Admission::Wait(Priority::Interactive);
                self.client.engine.call(operation, admission, send).await
            };
            let (page, _) = page.await.map_err(|error| self.with_pending(error))?;
            Ok(self.reply_in(page))
        })
    }

    /// Polls for the reply without the other messages of the turn. The caller has already acquired the permit.
    pub(crate) fn poll_with(
        &self,
        permit: Permit,
        deadline: Instant,
    ) -> BoxFuture<'_, Result<PollResult, Error>> {
        Box::pin(async move {
            let operation = Operation::LIST_THREAD_MESSAGES;
            let page = async {
                let url = self.url()?;
                let send = |api| link::follow::<types::MessagePage>(api, operation, url.clone());
                let poll = self
                    .client
                    .engine
                    .call_with_permit(operation, permit, deadline, send);
                poll.await
            };
            let (page, ended) = page.await.map_err(|error| self.with_pending(error))?;
            Ok(PollResult::new(self.reply_in(page), ended))
        })
    }

    fn reply_in(&self, page: Box<types::MessagePage>) -> Option<Reply> {
        // The URL requests only final messages, so a message of an unknown type is accepted as the reply if it has a
        // text, which may be empty. An item such as null has none. The other known types are skipped, in case the
        // service ignores this filter.
        let is_reply = |message: &types::Message| match message.type_ {
            Some(MessageType::FinalMessage) => true,
            Some(MessageType::Message | MessageType::ToolCall) => false,
            _ => message.message.is_some(),
        };
        let message = page.items.into_iter().find(is_reply);
        message.map(|message| self.reply_of(message))
    }

    /// Returns whether this client knows a later turn of the session.
    #[cfg(feature = "schemars")]
    pub(super) fn is_interrupted(&self) -> bool {
        self.turns.state(self.number) == TurnState::Interrupted
    }

    pub(crate) fn reply_of(&self, message: types::Message) -> Reply {
        Reply {
            session_id: self.session_id().clone(),
            message: Box::new(message),
        }
    }

    pub(crate) fn with_pending(&self, error: Error) -> Error {
        error.with_pending(self.pending().clone())
    }

    /// Returns the URL that a poll requests. This URL is the link in the pending reply. If the link cannot be used, for
    /// example because its path does not start with `/rest/v1/`, the URL is built from the ids of the session and the
    /// thread. Some links of the service have no filters for the type and the thread, so missing filters are added.
    fn url(&self) -> Result<Url, Error> {
        let core = &self.client.engine.core;
        let mut url = match (core.resolve(self.pending.href()), self.pending.by_ids()) {
            (Ok(url), Some(by_ids)) if names_no_thread(&url) => core.resolve(&by_ids)?,
            (Err(_), Some(by_ids)) => core.resolve(&by_ids)?,
            (resolved, _) => resolved?,
        };
        let has = |url: &Url, name: &str| url.query_pairs().any(|(given, _)| given == name);
        if !has(&url, "type") {
            url.query_pairs_mut().append_pair("type", "final_message");
        }
        if let Some(thread) = self.thread_id()
            && !url.path().contains("/threads/")
            && !has(&url, "thread_id")
        {
            url.query_pairs_mut()
                .append_pair("thread_id", thread.as_str());
        }
        Ok(url)
    }

    /// Requests the creation times of at most 100 turns of the session from the service. These times show which turn is
    /// the latest.
    fn read_order(&self) -> BoxFuture<'_, Result<(), Error>> {
        Box::pin(async move {
            let operation = Operation::LIST_SESSION_MESSAGES;
            let url = self.client.engine.core.resolve(&format!(
                "/rest/v1/sessions/{}/messages?role=user&direction=desc&limit=100",
                segment(self.session_id())
            ))?;
            let send = |api| link::follow::<types::MessagePage>(api, operation, url.clone());
            let admission = Admission::Wait(Priority::Interactive);
            let (page, _) = self.client.engine.call(operation, admission, send).await?;
            let prompts = page
                .items
                .into_iter()
                .filter_map(|message| Some((message.chat_thread_id?, message.created_at?.utc())));
            self.turns.learn(prompts);
            Ok(())
        })
    }
}

/// The result of a poll.
pub(crate) struct PollResult {
    pub reply: Option<Reply>,
    /// The status and the body of a response without a reply. If the wait times out after this poll, the error contains
    /// the status and the body.
    pub received: Option<(u16, Bytes)>,
}

impl PollResult {
    pub fn new(reply: Option<Reply>, ended: AttemptResult) -> Self {
        let mut received = ended.received.unwrap_or_default();
        // The body is copied, because it may be a small part of a large buffer, which would stay in memory.
        let received = reply.is_none().then(|| {
            let body = Bytes::copy_from_slice(&received.body());
            (received.status.as_u16(), body)
        });
        Self { reply, received }
    }
}

/// Returns whether the URL contains `null` instead of the id of a thread. The vendor's own mock has such links.
fn names_no_thread(url: &Url) -> bool {
    url.path().contains("/threads/null/")
}

impl Client {
    /// Returns the turn of a pending reply, so that the wait can be resumed. For example, another process has stored
    /// the pending reply. Sends no request.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let mock = blocks_mock::Mock::new();
    /// # let client = blocks_sdk::Client::builder(mock.key()).service(mock.service()).build()?;
    /// # let request = blocks_sdk::CreateSession::new(blocks_sdk::Agent::claude(), "Go.");
    /// # let session = client.create_session(request).await?;
    /// # let text = serde_json::to_string(session.first_turn()?.pending())?;
    /// let pending: blocks_sdk::Pending = serde_json::from_str(&text)?;
    /// println!("{}", client.resume(pending).reply().await?.text());
    /// # Ok(())
    /// # }
    /// ```
    pub fn resume(&self, pending: Pending) -> Turn {
        Turn::resumed(self.clone(), pending)
    }
}

/// Waits for a reply. Dropping the wait does not stop the agent's work.
///
/// A wait ends when a poll finds the reply, or at its time-out; see [`timeout`](Self::timeout). It ends earlier with an
/// error in these cases:
/// - A follow-up interrupted the turn, and the client knows this follow-up, for example because the client or a clone
///   has sent it.
/// - The request cannot be sent, for example because the link's path is not below `/rest/v1/` and the id of the thread
///   is unknown.
/// - The service rejects the request with the status 400, 401, 403, 404, 410 or 422 and a JSON object.
/// - Three responses in a row are unusable with the same kind of error. A response is unusable if its status is 2xx but
///   its body is too large or cannot be decoded, or if its status is any other except 408, 429 and 5xx. For example, a
///   proxy redirects with the status 302.
///
/// Every error contains the pending reply; see [`Error::pending`]. Use [`Client::resume`] to resume the wait.
#[derive(Clone, Debug)]
#[must_use = "a wait does nothing until it is awaited"]
pub struct Wait {
    turn: Turn,
    timeout: Duration,
    interval: Duration,
    follow: Follow,
}

/// Selects which messages of the turn a wait reads in addition to the reply.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Follow {
    Nothing,
    Messages,
    MessagesAndToolCalls,
}

/// Reports a poll, a message or the reply of a wait; see [`ProgressStream`].
#[derive(Debug)]
#[non_exhaustive]
pub enum Progress {
    /// A poll found no reply yet, or failed.
    #[non_exhaustive]
    Waiting {
        /// The time since the wait started.
        elapsed: Duration,
        /// The number of polls so far.
        polls: u64,
        /// The error of this poll, if the poll failed. The error did not end the wait.
        error: Option<Error>,
    },
    /// The agent wrote a message or called a tool; see [`Wait::follow`].
    Message(Box<types::Message>),
    /// The reply arrived. This is the last item of the stream.
    Replied(Reply),
}

impl Wait {
    /// Sets the time-out of the whole wait. Default: 1 hour; `Duration::MAX` means no time-out. At the time-out, the
    /// wait fails with the kind [`Deadline`](crate::ErrorKind::Deadline). The error contains the result of the last
    /// poll, and the wait can be resumed.
    ///
    /// After the time-out, the wait polls once more in these cases:
    /// - The wait has not polled yet, for example because no permit was available.
    /// - The last poll ended more than two intervals before the time-out, for example because other requests took the
    ///   permits.
    /// - The time-out was noticed late, for example because the machine was suspended.
    /// - A wait with [`follow`](Self::follow) has not read all messages yet.
    ///
    /// This last poll may wait up to 15 minutes for its permit, and then takes up to 10 s. The wait does not send the
    /// last poll if the rate limiter is paused at the time-out, for example after a response with the status 429.
    /// Except in this case, and if no permit is available for 15 minutes, each wait polls at least once, even if its
    /// time-out is zero.
    ///
    /// ```
    /// # mod doctest { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doctest.rs")); }
    /// # doctest::with_session(async |session, client, mock| {
    /// let wait = session.first_turn()?.reply().timeout(std::time::Duration::from_millis(500));
    /// assert_eq!(wait.await.unwrap_err().kind(), blocks_sdk::ErrorKind::Deadline);
    /// # Ok(()) });
    /// ```
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Sets the time between two polls. Default: 2 s, which is also the minimum. The rate limiter and failed polls may
    /// delay polls further. A wait with [`follow`](Self::follow) reads several pages without a pause if it has unread
    /// messages.
    pub fn interval(mut self, interval: Duration) -> Self {
        self.interval = interval.max(MIN_INTERVAL);
        self
    }

    /// Adds the agent's messages to [`progress`](Self::progress) as [`Progress::Message`]. Each message is added once,
    /// in order, when a poll reads it. Default: no messages.
    ///
    /// A message is missing if it is larger than [`max_body`](crate::ClientBuilder::max_body). The last messages are
    /// missing if the poll that found the reply requested only the reply. A poll does this after the time-out, and
    /// after a poll whose response did not show whether the reply has arrived.
    ///
    /// The messages usually need no extra requests, because each poll reads a page with the newest messages of the
    /// thread (the messages of the turn), and finds the reply on this page. The wait reads more pages without a pause
    /// if one page does not contain all new messages. This happens if many messages arrive between two polls, or if the
    /// thread already has more than 100 messages when the wait starts. A message that is added or deleted among the
    /// messages that the wait has already read can also cause such reads. In a finished thread, the last message before
    /// the reply usually repeats the text of the reply.
    ///
    /// No messages are added if the service did not send the id of the turn's thread.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)]
    /// # async fn main() -> Result<(), blocks_sdk::Error> {
    /// # use std::time::Duration;
    /// # let looking = blocks_mock::Action::Message("Looking.".into());
    /// # let agent = blocks_mock::Script::reply("Done.").reply_after(Duration::from_secs(9));
    /// # let agent = agent.step(Duration::from_secs(3), looking);
    /// # let mock = blocks_mock::Mock::builder().agent(agent).build();
    /// # let client = blocks_sdk::Client::builder(mock.key()).service(mock.service()).build()?;
    /// # let request = blocks_sdk::CreateSession::new(blocks_sdk::Agent::claude(), "Go.");
    /// # let session = client.create_session(request).await?;
    /// use blocks_sdk::Progress;
    ///
    /// let mut shown = Vec::new();
    /// let mut progress = session.first_turn()?.reply().follow().progress();
    /// while let Some(step) = progress.next().await {
    ///     match step? {
    ///         Progress::Message(message) => shown.push(message.message.unwrap_or_default()),
    ///         Progress::Replied(reply) => assert_eq!(reply.text(), "Done."),
    ///         _ => {}
    ///     }
    /// }
    /// assert_eq!(shown[0], "Looking.");
    /// # Ok(())
    /// # }
    /// ```
    pub fn follow(mut self) -> Self {
        self.follow = Follow::Messages;
        self
    }

    /// Adds the agent's messages and tool calls to [`progress`](Self::progress). Use
    /// [`ToolCall::of`](crate::ToolCall::of) to read a tool call.
    pub fn follow_with_tools(mut self) -> Self {
        self.follow = Follow::MessagesAndToolCalls;
        self
    }

    /// Returns a stream that reports each poll of the wait, and each message if [`follow`](Self::follow) was called.
    /// The last item is the reply or the error.
    ///
    /// ```
    /// # mod doctest { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doctest.rs")); }
    /// # doctest::with_session(async |session, client, mock| {
    /// use blocks_sdk::Progress;
    /// let mut progress = session.first_turn()?.reply().progress();
    /// while let Some(step) = progress.next().await {
    ///     match step? {
    ///         Progress::Waiting { elapsed, .. } => eprintln!("waiting for {elapsed:?}"),
    ///         Progress::Replied(reply) => println!("{}", reply.text()),
    ///         _ => {}
    ///     }
    /// }
    /// # Ok(()) });
    /// ```
    pub fn progress(self) -> ProgressStream {
        let items = unfold(Some(self.start()), |state| async {
            let mut state = state?;
            Some(match state.step().await {
                Ok(Progress::Replied(reply)) => (Ok(Progress::Replied(reply)), None),
                Ok(waiting) => (Ok(waiting), Some(state)),
                Err(error) => (Err(error), None),
            })
        });
        // A `select!` may poll the stream again after its end.
        ProgressStream(Box::pin(items.fuse()))
    }

    fn start(self) -> WaitState {
        let now = Instant::now();
        WaitState {
            deadline: after(now, self.timeout),
            started: now,
            // If several waits need a permit, the limiter usually grants it to the wait whose last poll is the oldest.
            // For a wait that has not polled yet, the start of the turn counts as its last poll.
            last_poll: self.turn.started,
            last_end: now,
            next: self.turn.first_poll,
            polls: 0,
            failures: 0,
            unusable: None,
            last: LastPoll::None,
            order_read_at: 0,
            late_poll: LatePoll::NotDue,
            follower: match self.follow {
                Follow::Nothing => None,
                follow => {
                    let with_tools = follow == Follow::MessagesAndToolCalls;
                    Follower::new(&self.turn, with_tools).map(Box::new)
                }
            },
            wait: self,
        }
    }
}

/// Streams the progress of a [`Wait`]; see [`Wait::progress`].
#[must_use = "a stream does nothing until it is polled"]
pub struct ProgressStream(Pin<Box<dyn Stream<Item = Result<Progress, Error>> + Send>>);

impl ProgressStream {
    /// Returns the next item; `None` after the last item.
    pub async fn next(&mut self) -> Option<Result<Progress, Error>> {
        StreamExt::next(&mut self.0).await
    }
}

impl Stream for ProgressStream {
    type Item = Result<Progress, Error>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.0.as_mut().poll_next(context)
    }
}

impl std::fmt::Debug for ProgressStream {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ProgressStream").finish_non_exhaustive()
    }
}

impl IntoFuture for Wait {
    type Output = Result<Reply, Error>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        let mut state = self.start();
        Box::pin(async move { state.run().await })
    }
}

/// A wait in progress.
struct WaitState {
    wait: Wait,
    started: Instant,
    deadline: Instant,
    /// When the last poll was sent.
    last_poll: Instant,
    /// When the last poll ended.
    last_end: Instant,
    /// When the wait wants to send its next poll. The poll is sent later if no permit is available at this time.
    next: Instant,
    polls: u64,
    failures: u32,
    /// The kind of error of the most recent unusable responses, and the number of these responses in a row.
    unusable: Option<(ErrorKind, u32)>,
    last: LastPoll,
    /// The number of turns that this client knew when the wait last requested the order of the turns from the service.
    /// The order is requested again only after this number has increased.
    order_read_at: usize,
    late_poll: LatePoll,
    /// Reads the agent's messages for [`Wait::follow`]. Boxed to save memory, because most waits have no follower.
    follower: Option<Box<Follower>>,
}

/// The state of the late poll: the one poll that a wait may send after its time-out.
#[derive(Clone, Copy, Debug, PartialEq)]
enum LatePoll {
    NotDue,
    Due,
    Made,
}

/// The result of a wait for a permit.
enum Permitted {
    Permit(Permit),
    TimedOut,
    /// This client learned of another turn, which may have interrupted the turn of the wait.
    NewTurn,
}

impl WaitState {
    async fn run(&mut self) -> Result<Reply, Error> {
        loop {
            if let Progress::Replied(reply) = self.step().await? {
                return Ok(reply);
            }
        }
    }

    /// Returns the next item of the previous poll, because one poll can find several messages and the reply. If no item
    /// is left, waits for a permit and polls once.
    async fn step(&mut self) -> Result<Progress, Error> {
        if let Some(next) = self.follower.as_mut().and_then(|f| f.next_item()) {
            return next;
        }
        loop {
            let version = self.wait.turn.turns.version();
            let is_interrupted = self.is_interrupted(version).await;
            match self.permit(is_interrupted, version).await {
                Permitted::Permit(permit) => {
                    let end = self.poll(permit, is_interrupted).await;
                    return match &mut self.follower {
                        Some(follower) => follower.first_item(end),
                        None => end,
                    };
                }
                Permitted::TimedOut if self.may_poll_late() => self.late_poll = LatePoll::Due,
                Permitted::TimedOut => return Err(self.timed_out()),
                Permitted::NewTurn => {}
            }
        }
    }

    /// Returns whether a later turn exists. If the order of the turns is unknown, requests the order from the service,
    /// once for each new turn. If this request fails, the wait continues as if there were no later turn.
    async fn is_interrupted(&mut self, version: usize) -> bool {
        let turn = &self.wait.turn;
        let mut state = turn.turns.state(turn.number);
        if state == TurnState::Unknown && self.order_read_at < version {
            let read = timeout_at(self.deadline, Box::pin(turn.read_order())).await;
            state = turn.turns.state(turn.number);
            if let Ok(Ok(())) = read {
                self.order_read_at = turn.turns.version();
            } else {
                self.order_read_at = version;
            }
        }
        state == TurnState::Interrupted
    }

    async fn permit(&self, is_interrupted: bool, version: usize) -> Permitted {
        let turn = &self.wait.turn;
        let now = Instant::now();
        let (priority, until) = if self.late_poll == LatePoll::Due {
            (Priority::Interactive, now + LAST_PERMIT)
        } else if now >= self.deadline && self.polls > 0 {
            return Permitted::TimedOut;
        } else if is_interrupted && self.failures == 0 {
            (Priority::Interactive, self.deadline)
        } else {
            (Priority::Poll(self.schedule()), self.deadline)
        };
        let limiter = &turn.client.engine.core.limiter;
        let acquire = limiter.acquire_until(priority, until);
        let new_turn = pin!(turn.turns.changed(version));
        match select(acquire, new_turn).await {
            Either::Left((Ok(permit), _)) => Permitted::Permit(permit),
            Either::Left((Err(_), _)) => Permitted::TimedOut,
            Either::Right(_) => Permitted::NewTurn,
        }
    }

    fn schedule(&self) -> PollSchedule {
        let is_first = self.polls == 0;
        let earliest = if is_first {
            self.wait.turn.started
        } else if self.is_behind() {
            self.last_poll
        } else {
            self.last_poll + MIN_INTERVAL
        };
        PollSchedule {
            started: self.wait.turn.started,
            last_poll: self.last_poll,
            // After an error, the pause until the next poll can end after the time-out of the wait. In this case, the
            // poll is due at the time-out instead, so that the wait can poll once more before it ends.
            ready_at: self.next.min(self.deadline).max(earliest),
            first_before: is_first.then_some(self.deadline),
        }
    }

    /// Returns whether, according to the last poll, there may be messages that this wait has not read. The reply may be
    /// among these messages.
    fn is_behind(&self) -> bool {
        self.follower.as_ref().is_some_and(|f| f.is_behind())
    }

    /// Returns whether to poll once more after the time-out. The wait polls once more if the reply may have arrived
    /// since the last poll, for example while the machine was suspended. The wait does not poll while the rate limiter
    /// is paused.
    fn may_poll_late(&self) -> bool {
        let was_stopped = Instant::now() >= self.deadline + STOPPED;
        let is_paused = self
            .wait
            .turn
            .client
            .engine
            .core
            .limiter
            .paused_until()
            .is_some();
        // The last poll is out of date if it ended more than two intervals before the time-out.
        let is_stale = after(self.last_end, self.wait.interval.saturating_mul(2)) < self.deadline;
        let may_have_come = self.polls == 0 || is_stale || was_stopped || self.is_behind();
        self.late_poll == LatePoll::NotDue && !is_paused && may_have_come
    }

    async fn poll(&mut self, permit: Permit, is_interrupted: bool) -> Result<Progress, Error> {
        let now = Instant::now();
        let end = if now >= self.deadline {
            self.late_poll = LatePoll::Made;
            now + LAST_POLL
        } else {
            self.deadline
        };
        let turn = &self.wait.turn;
        // The future of the call is boxed, so that a wait needs the memory for this future only during a poll.
        let result = match &mut self.follower {
            // The poll after the time-out requests only the reply. A page of all messages may not contain the reply,
            // and no further poll would read the next page.
            Some(follower) if self.late_poll != LatePoll::Made => {
                Box::pin(follower.poll(turn, permit, end)).await
            }
            _ => Box::pin(turn.poll_with(permit, end)).await,
        };
        self.last_poll = now;
        self.last_end = Instant::now();
        self.polls += 1;
        let found = matches!(&result, Ok(poll) if poll.reply.is_some());
        telemetry::poll(turn.session_id(), self.polls, found);
        let error = match result {
            Ok(poll) => {
                if let Some(reply) = poll.reply {
                    return Ok(Progress::Replied(reply));
                }
                if is_interrupted && !self.is_behind() {
                    return Err(Error::interrupted(turn.pending().clone()));
                }
                (self.failures, self.unusable) = (0, None);
                if let Some((status, body)) = poll.received {
                    self.last = LastPoll::NoReply { status, body };
                }
                None
            }
            Err(error) => {
                self.failures += 1;
                if self.ends_with(&error) {
                    return Err(error);
                }
                self.last = LastPoll::Failed(error.clone());
                Some(error)
            }
        };
        let longest = self.wait.turn.client.engine.retry.max_retry_after;
        let requested = error.as_ref().and_then(Error::retry_after);
        let pause = poll_pause(self.wait.interval, self.failures, fastrand::f64());
        let pause = pause.max(requested.unwrap_or_default().min(longest));
        self.next = match self.is_behind() {
            true => now,
            false => after(now, pause),
        };
        Ok(Progress::Waiting {
            elapsed: self.started.elapsed(),
            polls: self.polls,
            error,
        })
    }

    /// Returns whether the error of a poll ends the wait.
    fn ends_with(&mut self, error: &Error) -> bool {
        let kind = error.kind();
        if error.is_transient() && kind != ErrorKind::Undecodable {
            self.unusable = None;
            return false;
        }
        if kind == ErrorKind::Incomplete {
            // The pages do not show which messages are new, for example because the messages that this wait read last
            // were deleted. The wait continues, and its next poll requests only the reply.
            return false;
        }
        if error.attempts() == 0 || is_rejection(error) {
            return true;
        }
        let before = match self.unusable {
            Some((before, count)) if before == kind => count,
            _ => 0,
        };
        self.unusable = Some((kind, before + 1));
        before + 1 >= UNUSABLE_IN_A_ROW
    }

    fn timed_out(&mut self) -> Error {
        let turn = &self.wait.turn;
        let last = std::mem::take(&mut self.last);
        let key = &turn.client.engine.core.key;
        Error::deadline(turn.pending().clone(), self.wait.timeout, last, key)
    }
}

/// Returns whether the service rejected the request permanently. A response without JSON may be from a firewall or a
/// gateway, and may be temporary.
fn is_rejection(error: &Error) -> bool {
    let is_json = |body: &str| {
        serde_json::from_str::<serde_json::Value>(body).is_ok_and(|body| body.is_object())
    };
    matches!(error.status(), Some(400 | 401 | 403 | 404 | 410 | 422))
        && error.body().is_some_and(|body| is_json(&body))
}

/// Waits for the replies of many turns, and returns the replies in the order in which they arrive. The rate limiter of
/// the client decides which wait polls next.
///
/// ```
/// # mod doctest { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doctest.rs")); }
/// # doctest::with_session(async |session, client, mock| {
/// # let turns = [session.first_turn()?];
/// let mut replies = blocks_sdk::replies(turns.iter().map(|turn| turn.reply()));
/// while let Some((pending, result)) = replies.next().await {
///     match result {
///         Ok(reply) => println!("{}: {}", pending.session_id(), reply.text()),
///         Err(error) => eprintln!("{}: {error}", pending.session_id()),
///     }
/// }
/// # Ok(()) });
/// ```
pub fn replies(waits: impl IntoIterator<Item = Wait>) -> Replies {
    let waits = waits.into_iter().map(|wait| {
        let pending = Arc::clone(&wait.turn.pending);
        // The future of `run` borrows the state. If `run` took the state by value, the `async` block would reserve the
        // memory for the state twice.
        let mut state = wait.start();
        async move {
            let result = state.run().await;
            (Pending::clone(&pending), result)
        }
    });
    Replies(waits.collect::<FuturesUnordered<_>>().boxed())
}

/// Streams the replies of many turns; see [`replies`].
#[must_use = "a stream does nothing until it is polled"]
pub struct Replies(BoxStream<'static, (Pending, Result<Reply, Error>)>);

impl Replies {
    /// Returns the next reply or error, with the [`Pending`] value of its turn; `None` after the last wait has ended.
    pub async fn next(&mut self) -> Option<(Pending, Result<Reply, Error>)> {
        StreamExt::next(&mut self.0).await
    }
}

impl Stream for Replies {
    type Item = (Pending, Result<Reply, Error>);

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.0.as_mut().poll_next(context)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.0.size_hint()
    }
}

impl std::fmt::Debug for Replies {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Replies").finish_non_exhaustive()
    }
}

/// Contains the agent's final message.
///
/// ```
/// # mod doctest { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doctest.rs")); }
/// # doctest::with_session(async |session, client, mock| {
/// let reply = session.first_reply().await?;
/// assert_eq!((reply.text(), reply.session_id()), ("Done.", session.id()));
/// # Ok(()) });
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Reply {
    session_id: Id,
    message: Box<types::Message>,
}

impl Reply {
    /// Returns the text of the reply. An empty text is a valid reply.
    pub fn text(&self) -> &str {
        self.message.message.as_deref().unwrap_or_default()
    }

    /// Returns the id of the session.
    pub fn session_id(&self) -> &Id {
        &self.session_id
    }

    /// Returns all data that the service sent.
    pub fn message(&self) -> &types::Message {
        &self.message
    }
}
