//! Refers to sessions by their ids, and calls their operations.

use std::cmp::Ordering;
use std::sync::Arc;

use blocks_api::open::{Id, MessageRole, Timestamp};
use blocks_api::types;
use tokio::time::Instant;

use crate::client::Client;
use crate::client::create::Detached;
use crate::engine::call::{Admission, Api, BoxFuture, Operation};
use crate::engine::effect::Prepared;
use crate::engine::error::Error;
use crate::engine::pending::{Pending, thread_in};
use crate::messages::MessagesQuery;
use crate::request::FollowUp;
use crate::session::Session;
use crate::session::turn::Turn;
use crate::session::turns::LatestTurn;

/// Refers to a session by its id, without the session's data; see [`Client::session`].
///
/// [`get`](Self::get) reads the data of the session.
///
/// ```
/// # mod doctest { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doctest.rs")); }
/// # doctest::with_session(async |session, client, mock| {
/// # let id = session.id();
/// let session = client.session(id); // sends nothing
/// let turn = session.latest_turn().await?.expect("a session has a first message");
/// println!("{}", turn.reply().await?.text());
/// println!("{:?}", session.get().await?.pull_requests());
/// # Ok(()) });
/// ```
#[derive(Clone, Debug)]
pub struct SessionRef {
    client: Client,
    id: Id,
    turns: Arc<LatestTurn>,
}

impl SessionRef {
    pub(crate) fn new(client: Client, id: Id) -> Self {
        Self {
            turns: client.resources.turns.of(&id),
            client,
            id,
        }
    }

    pub(crate) fn turns(&self) -> &Arc<LatestTurn> {
        &self.turns
    }

    /// Returns the client of the session.
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// Returns the session's id.
    pub fn id(&self) -> &Id {
        &self.id
    }

    /// Reads the session.
    ///
    /// # Errors
    /// The errors of [`Client::get_session`].
    pub async fn get(&self) -> Result<Session, Error> {
        self.client.get_session(&self.id).await
    }

    /// Creates the [`Pending`] value, with which a program waits for the reply, from the ids and links in a response.
    /// Uses the link to the final message if this link can be followed. Otherwise uses the ids of the session and of
    /// the thread that holds the messages of the turn. Returns `None` if the response names no thread either.
    pub(crate) fn pending(
        &self,
        thread_id: Option<Id>,
        thread: Option<&types::Link>,
        final_message: Option<&types::Link>,
    ) -> Option<Pending> {
        let href = final_message.map(|link| link.href.as_str());
        let named = [href, thread.map(|link| link.href.as_str())];
        let thread_id = thread_id.or_else(|| named.into_iter().flatten().find_map(thread_in));
        match href.filter(|href| self.is_usable(href)) {
            Some(href) => Some(Pending::at(self.id.clone(), thread_id, href)),
            None => thread_id.map(|thread_id| Pending::new(&self.id, thread_id)),
        }
    }

    /// Returns whether a link to a final message can be followed. Some deployments send a link such as
    /// `/threads/null/messages`, which cannot be followed.
    fn is_usable(&self, href: &str) -> bool {
        let names_no_thread = href.contains("/threads/") && thread_in(href).is_none();
        !names_no_thread && self.client.engine.core.resolve(href).is_ok()
    }

    /// Finds the newest turn of the session, which is the turn of the newest user message. Returns `None` if no user
    /// message of the session contains the id of a thread.
    ///
    /// The service keeps the messages of each turn in a separate thread. The response to a create or follow-up names
    /// the thread of the turn, but the session itself does not. If your program has lost this response, use this
    /// method. It compares the creation times of the user messages, and ignores their order in a page. The order is not
    /// reliable, because the field `ts` of user messages is often null. If a message has no creation time, its `ts` is
    /// used.
    ///
    /// # Errors
    /// Any error of the requests. [`ErrorKind::UnknownTurn`](crate::ErrorKind::UnknownTurn) when these times do not
    /// show which turn is the newest.
    ///
    /// ```
    /// # mod doctest { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doctest.rs")); }
    /// # doctest::with_session(async |session, client, mock| {
    /// let same = client.session(session.id());
    /// let turn = same.latest_turn().await?.expect("a session has a first message");
    /// assert_eq!(turn.reply().await?.text(), "Done.");
    /// # Ok(()) });
    /// ```
    pub async fn latest_turn(&self) -> Result<Option<Turn>, Error> {
        let messages = self.messages().roles([MessageRole::User]).collect().await?;
        let mut turns: Vec<(Option<f64>, Id)> = messages
            .into_iter()
            .filter_map(|message| {
                let created = message.created_at.as_ref().map(|time| time.utc());
                let seconds = created.map(|time| time.timestamp_micros() as f64 / 1e6);
                Some((seconds.or(message.ts), message.chat_thread_id?))
            })
            .collect();
        if turns.len() > 1 && turns.iter().any(|(time, _)| time.is_none()) {
            return Err(self.unknown_turn("some of its messages have no time"));
        }
        turns.sort_by(|(a, _), (b, _)| a.partial_cmp(b).unwrap_or(Ordering::Equal));
        if let [.., (before, other), (last, thread)] = turns.as_slice()
            && before == last
            && other != thread
        {
            return Err(self.unknown_turn("its last two messages have the same time"));
        }
        Ok(turns.pop().map(|(_, thread)| self.turn_in_thread(thread)))
    }

    fn unknown_turn(&self, why: &str) -> Error {
        let detail = format!(
            "the newest turn of session {} is unknown: {why}; name its thread",
            self.id
        );
        Error::unknown_turn(detail).with_session(&self.id)
    }

    /// Returns the turn whose messages are in the thread with this id. Sends no request.
    ///
    /// ```
    /// # fn run(session: blocks_sdk::SessionRef, thread: uuid::Uuid) {
    /// let wait = session.turn_in_thread(thread).reply();
    /// # }
    /// ```
    pub fn turn_in_thread(&self, thread_id: impl Into<Id>) -> Turn {
        self.client.resume(Pending::new(&self.id, thread_id))
    }

    /// Posts a follow-up and returns the turn that the follow-up starts. A follow-up interrupts the turn in progress.
    /// If this client or a clone waits for the reply of the interrupted turn, this wait polls once more. If the
    /// response contains no reply, the wait ends with [`ErrorKind::Interrupted`](crate::ErrorKind::Interrupted). Waits
    /// of other clients and processes usually do not notice the follow-up.
    ///
    /// Do not drop this future before it has completed. A `select!` or a time-out around the future can drop it. If the
    /// request was already sent, a billed turn may exist, and your program does not know the id of the thread that
    /// holds the messages of this turn. [`CreatePermit::effect`](crate::CreatePermit::effect) says whether this is
    /// possible.
    ///
    /// The client sends the follow-up again only when the follow-up certainly had no effect.
    ///
    /// # Errors
    /// Fails before anything is sent if the input is invalid. Otherwise returns any error of the request. When
    /// [`Error::may_have_taken_effect`] is true, check whether the turn exists before you call this method again.
    ///
    /// ```
    /// # mod doctest { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doctest.rs")); }
    /// # doctest::with_session(async |session, client, mock| {
    /// use blocks_sdk::{ErrorKind, FollowUp};
    ///
    /// let first = session.first_turn()?;
    /// let second = session.follow_up(FollowUp::new("Stop, do this first.")).await?;
    /// assert_eq!(second.reply().await?.text(), "Done.");
    /// assert_eq!(first.reply().await.unwrap_err().kind(), ErrorKind::Interrupted);
    /// # Ok(()) });
    /// ```
    pub async fn follow_up(&self, request: FollowUp) -> Result<Turn, Error> {
        self.post(request, Prepared::default(), None).await
    }

    /// Posts a follow-up in a separate task. Dropping the returned value does not stop the request.
    ///
    /// # Panics
    /// Panics outside of a tokio runtime.
    pub fn follow_up_detached(&self, request: FollowUp) -> Detached<Turn> {
        let session = self.clone();
        Detached::spawn(async move { session.post(request, Prepared::default(), None).await })
    }

    /// Posts a follow-up. The first attempt uses the permit in `prepared`, if there is one, and otherwise waits for a
    /// permit.
    /// The request ends at `end`, if its own time-out is not earlier.
    pub(crate) fn post(
        &self,
        request: FollowUp,
        prepared: Prepared,
        end: Option<Instant>,
    ) -> BoxFuture<'_, Result<Turn, Error>> {
        Box::pin(async move {
            let body = request.validated()?;
            let operation = Operation::CREATE_MESSAGE;
            let send = |api: Api| {
                let (body, id) = (body.clone(), self.id.clone());
                async move { api.create_message().session_id(id).body(body).send().await }
            };
            let admission = Admission::Wait(operation.priority());
            let sent_at = self.turns.sending();
            let accepted = |message: Box<types::Message>| {
                let links = message.links.as_ref();
                let thread = links.and_then(|links| links.thread.as_ref());
                let final_message = links.and_then(|links| links.final_message.as_ref());
                let pending = self.pending(message.chat_thread_id, thread, final_message);
                // The follow-up interrupts the previous turn even if the response names no thread. So `turns` records
                // the follow-up before the response without a thread becomes an error.
                let created_at = message.created_at.as_ref().map(Timestamp::utc);
                let number = self.turns.accepted(sent_at, pending.as_ref(), created_at);
                let pending = pending.ok_or("the response names no thread to wait for")?;
                Ok((number, pending))
            };
            let client = &self.client;
            let sent = client
                .engine
                .call_for(operation, admission, prepared, end, accepted, send);
            let ((number, pending), response) = sent.await.map_err(|error| {
                if error.may_have_taken_effect() {
                    self.turns.unknown_outcome(sent_at);
                }
                error.with_session(&self.id)
            })?;
            let turns = Arc::clone(&self.turns);
            Ok(
                Turn::started(self.client.clone(), pending, turns, number, Instant::now())
                    .with_response(response),
            )
        })
    }

    /// Queries the messages of the session: as a page, as a stream, or as they arrive. Each thread holds the messages
    /// of one turn. The result also contains messages without a thread, such as notices of the service.
    ///
    /// ```
    /// # mod doctest { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doctest.rs")); }
    /// # doctest::with_session(async |session, client, mock| {
    /// # session.first_reply().await?;
    /// for message in session.messages().all().collect().await? {
    ///     println!("{}", message.message.unwrap_or_default());
    /// }
    /// # Ok(()) });
    /// ```
    pub fn messages(&self) -> MessagesQuery {
        MessagesQuery::new(self.client.clone(), self.id.clone(), None)
    }

    /// Queries the messages of one thread, which holds the messages of one turn.
    ///
    /// ```
    /// # mod doctest { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doctest.rs")); }
    /// # doctest::with_session(async |session, client, mock| {
    /// let turn = session.first_turn()?;
    /// # turn.reply().await?;
    /// let thread = turn.thread_id().expect("a create names it");
    /// let messages = session.thread_messages(thread).all().collect().await?;
    /// assert!(messages.iter().all(|message| message.chat_thread_id.as_ref() == Some(thread)));
    /// # assert!(!messages.is_empty());
    /// # Ok(()) });
    /// ```
    pub fn thread_messages(&self, thread_id: impl Into<Id>) -> MessagesQuery {
        MessagesQuery::new(self.client.clone(), self.id.clone(), Some(thread_id.into()))
    }
}

impl AsRef<SessionRef> for SessionRef {
    fn as_ref(&self) -> &SessionRef {
        self
    }
}
