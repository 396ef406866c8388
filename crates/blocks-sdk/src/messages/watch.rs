//! Returns messages as they arrive.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use blocks_api::types::Message;
use futures_core::Stream;
use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use crate::engine::error::{Error, ErrorKind};
use crate::engine::rate_limit::{PollSchedule, Priority};
use crate::engine::retry::poll_pause;
use crate::messages::MessagesQuery;
use crate::messages::known::{Known, REMEMBERED};
use crate::messages::merged::{Batch, MergedPages, Start};
use crate::messages::stream::Source;

const INTERVAL: Duration = Duration::from_secs(2);
/// A watch ends after this number of failed polls in a row if every failure is an error that may or may not be
/// permanent, such as a 409.
const DOUBTFUL_FAILURES: u32 = 3;

/// Returns the messages of a query, and then each new message as it arrives; see [`MessagesQuery::watch`].
///
/// ```
/// # #[tokio::main(flavor = "current_thread", start_paused = true)]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let mock = blocks_mock::Mock::new();
/// # let client = blocks_sdk::Client::builder(mock.key()).service(mock.service()).build()?;
/// # let request = blocks_sdk::CreateSession::new(blocks_sdk::Agent::claude(), "Go.");
/// # let session = client.create_session(request).await?;
/// use blocks_sdk::WatchCursor;
///
/// let mut watch = session.messages().watch();
/// let first = watch.next().await.expect("a watch has no end")?;
/// let stored = serde_json::to_string(&watch.cursor())?;
///
/// // After a restart, the watch continues where it stopped.
/// let cursor: WatchCursor = serde_json::from_str(&stored)?;
/// let mut watch = session.messages().watch().resume(cursor);
/// let second = watch.next().await.expect("a watch has no end")?;
/// assert_ne!(first.id, second.id);
/// # Ok(())
/// # }
/// ```
#[must_use = "a watch reads nothing until it is polled"]
pub struct Watch {
    query: MessagesQuery,
    ready: VecDeque<Message>,
    too_large: Option<Error>,
    source: Source<Poller, Result<Step, Error>>,
    /// The last known cursor. It is returned while a poll is in progress, after the watch has ended, and while the
    /// pages have no cursor yet.
    cursor: WatchCursor,
}

/// Reports a message or a failed poll of a watch; see [`Watch::next_event`].
#[derive(Debug)]
#[non_exhaustive]
pub enum WatchEvent {
    /// A message.
    Message(Box<Message>),
    /// A poll failed. The watch continues and loses no message: the next successful poll returns the messages that this
    /// poll could not read.
    PollFailed {
        /// The error of the poll.
        error: Error,
        /// The number of failed polls in a row, including this one.
        failures: u32,
    },
}

/// Stores the position of a [`Watch`], from which [`Watch::resume`] continues. Can be serialized as JSON.
///
/// The cursor contains a hash of each of the last messages, and no secret.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemars", derive(schemars::JsonSchema))]
pub struct WatchCursor {
    /// The index of the last message; one index for each role if the roles are read separately.
    indexes: Vec<u64>,
    /// The hashes that identify the last messages. If the roles are read separately, the hashes of one role follow
    /// those of another role.
    known: Vec<u64>,
    /// The number of hashes of each role in `known`. Cursors that were stored earlier do not have these numbers.
    #[serde(default)]
    lengths: Vec<usize>,
    /// Whether there are earlier messages whose hashes are not included.
    partial: bool,
}

impl WatchCursor {
    pub(crate) fn new<'a>(
        places: impl Iterator<Item = (&'a Known, Option<u64>)>,
        waiting: &[u64],
    ) -> Self {
        let mut cursor = Self::default();
        for (known, index) in places {
            cursor.indexes.push(index.unwrap_or(0));
            cursor.partial |= known.is_partial();
            let given = known.iter().filter(|identity| !waiting.contains(identity));
            let before = cursor.known.len();
            cursor.known.extend(given);
            cursor.lengths.push(cursor.known.len() - before);
        }
        cursor
    }

    /// Returns the known messages, and the index of the last message that was read from one list. The known messages
    /// are the messages that were read last. If the messages of each role are read separately, each role has its own
    /// list. `sequence` is the number of the list, counted from 0, and `sequences` is the number of lists.
    pub(crate) fn place(&self, sequence: usize, sequences: usize) -> (Known, Option<u64>) {
        let known = self.own(sequence, sequences);
        let index = self.indexes.get(sequence).or(self.indexes.first());
        let index = index.copied().filter(|_| !known.is_empty());
        (Known::new(known.iter().copied(), self.partial), index)
    }

    /// Returns the hashes of one list. If the cursor was stored with another number of lists, returns the newest hashes
    /// of all lists.
    fn own(&self, sequence: usize, sequences: usize) -> &[u64] {
        let mut lengths = self.lengths.iter();
        let sum = lengths.try_fold(0_usize, |sum, length| sum.checked_add(*length));
        if self.lengths.len() != sequences || sum != Some(self.known.len()) {
            // Without this limit, a cursor could grow with each change of the number of lists.
            let most = REMEMBERED * sequences.max(2);
            return &self.known[self.known.len().saturating_sub(most)..];
        }
        let start: usize = self.lengths[..sequence].iter().sum();
        &self.known[start..start + self.lengths[sequence]]
    }
}

impl Watch {
    pub(crate) fn new(query: MessagesQuery) -> Self {
        Self::starting(query, Start::First)
    }

    fn starting(query: MessagesQuery, start: Start) -> Self {
        let cursor = match &start {
            Start::After(cursor) => cursor.clone(),
            Start::First | Start::Now => WatchCursor::default(),
        };
        Self {
            ready: VecDeque::new(),
            too_large: None,
            source: Source::new(Poller::new(MergedPages::new(query.clone(), start))),
            cursor,
            query,
        }
    }

    /// Returns a watch that omits the messages that exist when the watch first reaches the end of the list.
    ///
    /// If the list is long, the watch reads only its end, and does not find late messages before this part.
    ///
    /// ```
    /// # mod doctest { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doctest.rs")); }
    /// # doctest::with_session(async |session, client, mock| {
    /// // The notice that the session starts already exists, but the reply does not exist yet.
    /// let mut watch = session.messages().watch().from_now();
    /// let message = watch.next().await.expect("a watch has no end")?;
    /// assert_eq!(message.message.as_deref(), Some("Done."));
    /// # Ok(()) });
    /// ```
    pub fn from_now(self) -> Self {
        Self::starting(self.query, Start::Now)
    }

    /// Returns a watch that continues where another watch of the same query stopped; see [`Watch::cursor`].
    pub fn resume(self, cursor: WatchCursor) -> Self {
        Self::starting(self.query, Start::After(cursor))
    }

    /// Returns the position after the last returned message. A watch that resumes from this cursor returns the later
    /// messages, and repeats no message.
    ///
    /// [`from_now`](Self::from_now) returns a watch whose cursor may be at the start of the list until the watch
    /// returns its first message or event. A watch that resumes from such a cursor also returns the messages that
    /// already existed.
    pub fn cursor(&mut self) -> WatchCursor {
        let ready = &self.ready;
        let poller = self.source.state();
        let current = poller.and_then(|poller| poller.pages.cursor(ready));
        current.unwrap_or_else(|| self.cursor.clone())
    }

    /// Returns the next message; `None` after an error that ended the watch.
    ///
    /// No message is lost if the future is dropped before it is ready.
    pub async fn next(&mut self) -> Option<Result<Message, Error>> {
        poll_fn(|context| Pin::new(&mut *self).poll_next(context)).await
    }

    /// Returns the next message, or a failed poll after which the watch continues.
    ///
    /// ```
    /// # mod doctest { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doctest.rs")); }
    /// # doctest::with_session(async |session, client, mock| {
    /// # mock.inject(None, blocks_mock::Frequency::ONCE, blocks_mock::Fault::status(503));
    /// use blocks_sdk::WatchEvent;
    ///
    /// let mut watch = session.messages().watch();
    /// while let Some(event) = watch.next_event().await {
    ///     match event? {
    ///         WatchEvent::PollFailed { error, failures: 1 } => eprintln!("polls fail: {error}"),
    ///         WatchEvent::Message(message) => {
    ///             println!("{:?}", message.message);
    ///             break;
    ///         }
    ///         _ => {}
    ///     }
    /// }
    /// # Ok(()) });
    /// ```
    pub async fn next_event(&mut self) -> Option<Result<WatchEvent, Error>> {
        poll_fn(|context| self.poll_event(context)).await
    }

    fn poll_event(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<WatchEvent, Error>>> {
        loop {
            if let Some(message) = self.ready.pop_front() {
                return Poll::Ready(Some(Ok(WatchEvent::Message(Box::new(message)))));
            }
            if let Some(error) = self.too_large.take() {
                return Poll::Ready(Some(Err(error)));
            }
            if self.source.state().is_some() {
                self.cursor = self.cursor();
            }
            let step = self.source.poll(context, |mut poller| {
                Box::pin(async move {
                    let step = poller.step().await;
                    (poller, step)
                })
            });
            match ready!(step) {
                None => return Poll::Ready(None),
                Some(Ok(Step::Batch(batch))) => {
                    self.ready = batch.messages;
                    self.too_large = batch.too_large;
                }
                Some(Ok(Step::Failed(error, failures))) => {
                    let event = WatchEvent::PollFailed { error, failures };
                    return Poll::Ready(Some(Ok(event)));
                }
                Some(Err(error)) => {
                    self.cursor = self.cursor();
                    self.source.end();
                    return Poll::Ready(Some(Err(error)));
                }
            }
        }
    }
}

impl Stream for Watch {
    type Item = Result<Message, Error>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        loop {
            match ready!(self.poll_event(context)) {
                Some(Ok(WatchEvent::PollFailed { .. })) => {}
                Some(Ok(WatchEvent::Message(message))) => return Poll::Ready(Some(Ok(*message))),
                Some(Err(error)) => return Poll::Ready(Some(Err(error))),
                None => return Poll::Ready(None),
            }
        }
    }
}

impl std::fmt::Debug for Watch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Watch").finish_non_exhaustive()
    }
}

enum Step {
    /// A poll succeeded. The batch contains the new messages, and may be empty.
    Batch(Batch),
    /// A poll failed. The number counts the failed polls in a row.
    Failed(Error, u32),
}

struct Poller {
    pages: MergedPages,
    /// The time at which the last message arrived. If no message arrives for 10 minutes, the priority of the watch
    /// decreases.
    news: Instant,
    /// When the last poll ended that failed or found no message.
    polled: Instant,
    /// When the next poll is due.
    next: Instant,
    /// The number of failures in a row.
    failures: u32,
    /// The number of failures in a row that may be permanent.
    doubtful: u32,
}

impl Poller {
    fn new(pages: MergedPages) -> Self {
        let now = Instant::now();
        Self {
            pages,
            news: now,
            polled: now,
            next: now,
            failures: 0,
            doubtful: 0,
        }
    }

    /// Waits until the next poll is due and a permit is granted, and then reads the new messages.
    async fn step(&mut self) -> Result<Step, Error> {
        let priority = Priority::Poll(PollSchedule {
            started: self.news,
            last_poll: self.polled,
            ready_at: self.next,
            first_before: None,
        });
        let result = self.pages.batch(priority).await;
        let now = Instant::now();
        let step = match result {
            Ok(batch) => {
                self.failures = 0;
                self.doubtful = 0;
                if !batch.is_empty() {
                    self.news = now;
                    // More pages may follow. They are read without a pause.
                    self.next = now;
                    return Ok(Step::Batch(batch));
                }
                self.pages.resume();
                Step::Batch(batch)
            }
            Err(error) => {
                self.failures += 1;
                self.doubtful = match may_pass(&error) {
                    Some(true) => 0,
                    Some(false) => self.doubtful + 1,
                    None => return Err(error),
                };
                if self.doubtful >= DOUBTFUL_FAILURES {
                    return Err(error);
                }
                Step::Failed(error, self.failures)
            }
        };
        self.polled = now;
        self.next = now + poll_pause(INTERVAL, self.failures, fastrand::f64());
        Ok(step)
    }
}

/// Returns `Some(true)` if the error is temporary, `Some(false)` if the error may be temporary or permanent, and `None`
/// if the error is permanent.
fn may_pass(error: &Error) -> Option<bool> {
    let is_json = || {
        let body = error.body().unwrap_or_default();
        serde_json::from_str::<serde::de::IgnoredAny>(&body).is_ok()
    };
    match (error.kind(), error.status()) {
        (ErrorKind::Undecodable | ErrorKind::Incomplete, _) => Some(false),
        _ if error.is_transient() => Some(true),
        (_, Some(409 | 421 | 423 | 425)) => Some(false),
        // The service always responds with JSON, so a response without JSON is from a proxy or gateway. Its error may
        // be temporary, for example a 404 while the gateway restarts.
        (_, Some(401 | 403 | 404)) if !is_json() => Some(false),
        _ => None,
    }
}
