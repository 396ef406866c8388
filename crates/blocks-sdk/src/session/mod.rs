//! Calls the operations of a session, such as a follow-up, and contains the data that the service sent for the session.

pub(crate) mod artifact;
pub(crate) mod follower;
pub(crate) mod notice;
pub(crate) mod reference;
pub(crate) mod structured;
pub(crate) mod transcript;
pub(crate) mod turn;
pub(crate) mod turns;

use std::sync::Arc;

use blocks_api::open::{Id, PullRequest, Timestamp};
use blocks_api::types;
use tokio::time::Instant;

use crate::client::Client;
use crate::client::create::Detached;
use crate::engine::error::Error;
use crate::engine::response::ResponseInfo;
use crate::messages::MessagesQuery;
use crate::request::FollowUp;
use crate::session::artifact::Artifact;
use crate::session::reference::SessionRef;
use crate::session::transcript::Transcript;
use crate::session::turn::{Reply, Turn};

/// Contains the data of a session, as the service last sent it, and calls the operations of the session.
///
/// If your program has only the id of a session, use a [`SessionRef`], which [`Client::session`] returns.
///
/// ```
/// # mod doctest { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doctest.rs")); }
/// # doctest::with_client(async |client, mock| {
/// use blocks_sdk::{Agent, CreateSession, FollowUp};
///
/// let request = CreateSession::new(Agent::claude(), "Add a test for the parser.");
/// let session = client.create_session(request).await?;
/// println!("{}", session.first_reply().await?.text());
/// let turn = session.follow_up(FollowUp::new("Now document it.")).await?;
/// println!("{}", turn.reply().await?.text());
/// # assert_eq!(mock.user_message_count(), 2);
/// # Ok(()) });
/// ```
#[derive(Clone, Debug)]
pub struct Session {
    reference: SessionRef,
    data: Box<types::Session>,
    response: Arc<ResponseInfo>,
    started: Instant,
}

impl Session {
    pub(crate) fn new(client: Client, data: Box<types::Session>, response: ResponseInfo) -> Self {
        let reference = SessionRef::new(client, data.id.clone());
        if let Some(thread) = &data.thread_id {
            let created_at = data.created_at.as_ref().map(Timestamp::utc);
            reference.turns().number(thread, created_at);
        }
        Self {
            reference,
            data,
            response: Arc::new(response),
            started: Instant::now(),
        }
    }

    /// Returns the client of the session.
    pub fn client(&self) -> &Client {
        self.reference.client()
    }

    /// Returns the session's id.
    ///
    /// ```
    /// # mod doctest { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doctest.rs")); }
    /// # doctest::with_session(async |session, client, mock| {
    /// let id = session.id().to_string(); // can be stored or shown
    /// let same = client.session(id.parse::<blocks_sdk::Id>()?);
    /// assert_eq!(same.id(), session.id());
    /// # Ok(()) });
    /// ```
    pub fn id(&self) -> &Id {
        self.reference.id()
    }

    /// Returns the [`SessionRef`] of the session, which contains the id of the session and not its data.
    pub fn reference(&self) -> &SessionRef {
        &self.reference
    }

    /// Returns all data that the service sent.
    ///
    /// ```
    /// # mod doctest { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doctest.rs")); }
    /// # doctest::with_session(async |session, client, mock| {
    /// assert_eq!(session.data().title.as_deref(), Some("Go."));
    /// # Ok(()) });
    /// ```
    pub fn data(&self) -> &types::Session {
        &self.data
    }

    /// Returns the status and the headers of the response that contained this data.
    pub fn response(&self) -> &ResponseInfo {
        &self.response
    }

    /// Returns the URL of the page on which a person can watch the session.
    pub fn html_url(&self) -> Option<&str> {
        self.data.session_html_url.as_deref()
    }

    /// Returns the pull requests in the session's data. The agent opens pull requests while it works, so call
    /// [`refresh`](Self::refresh) after the reply.
    ///
    /// ```
    /// # mod doctest { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doctest.rs")); }
    /// # doctest::with_session(async |mut session, client, mock| {
    /// # mock.open_pull_request(session.id(), "https://example.com/pull/1");
    /// session.first_reply().await?;
    /// session.refresh().await?;
    /// for pull_request in session.pull_requests() {
    ///     println!("{}", pull_request.url().unwrap_or("a pull request without a URL"));
    /// }
    /// # assert_eq!(session.pull_requests()[0].url(), Some("https://example.com/pull/1"));
    /// # Ok(()) });
    /// ```
    pub fn pull_requests(&self) -> &[PullRequest] {
        self.data.pull_requests.as_deref().unwrap_or_default()
    }

    /// Returns the ids of the plans in the session's data, oldest first. Call [`refresh`](Self::refresh) to read new
    /// data.
    pub fn plan_ids(&self) -> &[Id] {
        self.data.plan_artifact_ids.as_deref().unwrap_or_default()
    }

    /// Reads the session again. Keeps the known id of the first thread (the thread that holds the messages of the first
    /// turn), because the response to a read does not contain this id. Also keeps the known links to this thread if the
    /// response does not contain them.
    ///
    /// # Errors
    /// Any error of the request; see [`ErrorKind`](crate::ErrorKind).
    ///
    /// ```
    /// # mod doctest { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doctest.rs")); }
    /// # doctest::with_session(async |mut session, client, mock| {
    /// # mock.open_pull_request(session.id(), "https://example.com/pull/1");
    /// session.refresh().await?;
    /// assert_eq!(session.pull_requests().len(), 1);
    /// assert!(session.first_turn().is_ok(), "its thread is still known");
    /// # Ok(()) });
    /// ```
    pub async fn refresh(&mut self) -> Result<(), Error> {
        let (mut data, response) = self.client().session_data(self.id()).await?;
        let old = &self.data;
        data.thread_id = data.thread_id.or_else(|| old.thread_id.clone());
        data.links = match (data.links, old.links.clone()) {
            (Some(mut new), Some(old)) => {
                new.thread = new.thread.or(old.thread);
                new.final_message = new.final_message.or(old.final_message);
                Some(new)
            }
            (new, old) => new.or(old),
        };
        self.data = data;
        self.response = Arc::new(response);
        Ok(())
    }

    /// Returns the first turn of the session. This is the turn that the session's first message started.
    ///
    /// [`follow_up`](Self::follow_up) returns the turn of a follow-up. [`latest_turn`](Self::latest_turn) returns the
    /// newest turn, even if another process started it.
    ///
    /// # Errors
    /// [`ErrorKind::UnknownTurn`](crate::ErrorKind::UnknownTurn) when the thread that holds the messages of the first
    /// turn is unknown. The response to a create contains the id of this thread, but the response to a read of the
    /// session does not. So this method fails, for example, on a session that [`Client::get_session`] returned. The
    /// text of the error says what to do.
    ///
    /// ```
    /// # mod doctest { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doctest.rs")); }
    /// # doctest::with_session(async |session, client, mock| {
    /// let turn = session.first_turn()?;
    /// assert_eq!(turn.reply().await?.text(), "Done.");
    ///
    /// let read = client.get_session(session.id()).await?;
    /// assert!(read.first_turn().is_err(), "a read does not return the thread");
    /// # Ok(()) });
    /// ```
    pub fn first_turn(&self) -> Result<Turn, Error> {
        let links = self.data.links.as_ref();
        let pending = self.reference.pending(
            self.data.thread_id.clone(),
            links.and_then(|links| links.thread.as_ref()),
            links.and_then(|links| links.final_message.as_ref()),
        );
        let pending = pending.ok_or_else(|| {
            let detail = format!(
                "session {} exists, but its thread is unknown: a read of the session does not return it. Resume from \
                 its `Pending` value, use `Session::latest_turn`, or send a follow-up",
                self.id()
            );
            Error::unknown_turn(detail).with_session(self.id())
        })?;
        let created_at = self.data.created_at.as_ref().map(Timestamp::utc);
        let turns = Arc::clone(self.reference.turns());
        let number = turns.number_of(&pending, created_at);
        let client = self.client().clone();
        Ok(Turn::started(client, pending, turns, number, self.started))
    }

    /// Waits for the reply to the first message, with a time-out of one hour.
    ///
    /// To change the time-out or other options of the wait, use [`first_turn`](Self::first_turn). For the reply to a
    /// follow-up, use the turn that [`follow_up`](Self::follow_up) returns.
    ///
    /// # Errors
    /// The errors of [`first_turn`](Self::first_turn) and [`Turn::reply`].
    ///
    /// ```
    /// # mod doctest { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doctest.rs")); }
    /// # doctest::with_session(async |session, client, mock| {
    /// let reply = session.first_reply().await?;
    /// assert_eq!(reply.text(), "Done.");
    /// # Ok(()) });
    /// ```
    pub async fn first_reply(&self) -> Result<Reply, Error> {
        self.first_turn()?.reply().await
    }

    /// Returns the newest turn of the session; see [`SessionRef::latest_turn`].
    ///
    /// # Errors
    /// The errors of [`SessionRef::latest_turn`].
    pub async fn latest_turn(&self) -> Result<Option<Turn>, Error> {
        self.reference.latest_turn().await
    }

    /// Returns the turn whose messages are in this thread; see [`SessionRef::turn_in_thread`].
    pub fn turn_in_thread(&self, thread_id: impl Into<Id>) -> Turn {
        self.reference.turn_in_thread(thread_id)
    }

    /// Posts a follow-up and returns the turn that the follow-up starts; see [`SessionRef::follow_up`].
    ///
    /// Do not drop this future before it has completed. If the request was already sent, a billed turn may exist, and
    /// your program does not know the id of the thread that holds the messages of this turn.
    ///
    /// # Errors
    /// The errors of [`SessionRef::follow_up`].
    pub async fn follow_up(&self, request: FollowUp) -> Result<Turn, Error> {
        self.reference.follow_up(request).await
    }

    /// Posts a follow-up in a separate task; see [`SessionRef::follow_up_detached`].
    ///
    /// # Panics
    /// Panics outside of a tokio runtime.
    pub fn follow_up_detached(&self, request: FollowUp) -> Detached<Turn> {
        self.reference.follow_up_detached(request)
    }

    /// Queries the messages of all threads, each of which holds the messages of one turn, and the messages without a
    /// thread; see [`SessionRef::messages`].
    pub fn messages(&self) -> MessagesQuery {
        self.reference.messages()
    }

    /// Queries the messages of one thread, which holds the messages of one turn; see [`SessionRef::thread_messages`].
    pub fn thread_messages(&self, thread_id: impl Into<Id>) -> MessagesQuery {
        self.reference.thread_messages(thread_id)
    }

    /// Reads an artifact; see [`SessionRef::artifact`].
    ///
    /// # Errors
    /// The errors of [`SessionRef::artifact`].
    pub async fn artifact(&self, id: impl Into<Id>) -> Result<Artifact, Error> {
        self.reference.artifact(id).await
    }

    /// Reads the plans; see [`SessionRef::plans`].
    ///
    /// # Errors
    /// The errors of [`SessionRef::plans`].
    pub async fn plans(&self) -> Result<Vec<Result<Artifact, Error>>, Error> {
        self.reference.plans().await
    }

    /// Reads the whole conversation; see [`SessionRef::transcript`].
    ///
    /// # Errors
    /// The errors of [`SessionRef::transcript`].
    pub async fn transcript(&self) -> Result<Transcript, Error> {
        self.reference.transcript().await
    }
}

impl AsRef<SessionRef> for Session {
    fn as_ref(&self) -> &SessionRef {
        &self.reference
    }
}

impl From<Session> for SessionRef {
    fn from(session: Session) -> Self {
        session.reference
    }
}
