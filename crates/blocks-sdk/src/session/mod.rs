//! A session: created, read, or known by its id alone.

pub(crate) mod artifact;
pub(crate) mod notice;
pub(crate) mod structured;
pub(crate) mod transcript;
pub(crate) mod turn;
pub(crate) mod turns;

use std::cmp::Ordering;
use std::sync::Arc;

use blocks_api::open::{Id, MessageRole, PullRequest, Timestamp};
use blocks_api::types;
use tokio::time::Instant;

use crate::client::Client;
use crate::client::link::Link;
use crate::engine::call::{Admission, Api, Operation};
use crate::engine::error::Error;
use crate::engine::pending::{Pending, thread_in};
use crate::messages::Messages;
use crate::messages::page::Page;
use crate::request::FollowUp;
use crate::session::turn::{Reply, Turn};
use crate::session::turns::LatestTurn;

/// A session, and the client that reaches it.
///
/// ```
/// # #[tokio::main(flavor = "current_thread", start_paused = true)]
/// # async fn main() -> Result<(), blocks_sdk::Error> {
/// # let mock = blocks_mock::Mock::new();
/// # let client = blocks_sdk::Client::builder(mock.key()).service(mock.service()).build()?;
/// use blocks_sdk::{Agent, CreateSession, FollowUp};
///
/// let request = CreateSession::new(Agent::claude(), "Add a test for the parser.");
/// let session = client.create_session(request).await?;
/// println!("{}", session.reply().await?.text());
/// let turn = session.follow_up(FollowUp::new("Now document it.")).await?;
/// println!("{}", turn.reply().await?.text());
/// # assert_eq!(mock.user_message_count(), 2);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Session {
    client: Client,
    id: Id,
    data: Option<types::Session>,
    turns: Arc<LatestTurn>,
    started: Instant,
}

impl Session {
    pub(crate) fn with_id(client: Client, id: Id) -> Self {
        Self {
            turns: client.resources.turns.of(&id),
            client,
            id,
            data: None,
            started: Instant::now(),
        }
    }

    pub(crate) fn with_data(client: Client, data: types::Session) -> Self {
        let mut session = Self::with_id(client, data.id.clone());
        if let Some(thread) = &data.thread_id {
            let created_at = data.created_at.as_ref().map(Timestamp::utc);
            session.turns.number(Some(thread), created_at);
        }
        session.data = Some(data);
        session
    }

    /// The client that reaches the session.
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// The session's id.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)]
    /// # async fn main() -> Result<(), blocks_sdk::Error> {
    /// # let mock = blocks_mock::Mock::new();
    /// # let client = blocks_sdk::Client::builder(mock.key()).service(mock.service()).build()?;
    /// # let request = blocks_sdk::CreateSession::new(blocks_sdk::Agent::claude(), "Go.");
    /// # let session = client.create_session(request).await?;
    /// let id = session.id().to_string(); // to store, or to show
    /// let again = client.session(id.parse::<blocks_sdk::Id>()?);
    /// assert_eq!(again.id(), session.id());
    /// # Ok(())
    /// # }
    /// ```
    pub fn id(&self) -> &Id {
        &self.id
    }

    /// Everything the service sent; `None` while only the id is known.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)]
    /// # async fn main() -> Result<(), blocks_sdk::Error> {
    /// # let mock = blocks_mock::Mock::new();
    /// # let client = blocks_sdk::Client::builder(mock.key()).service(mock.service()).build()?;
    /// # let request = blocks_sdk::CreateSession::new(blocks_sdk::Agent::claude(), "Go.");
    /// # let session = client.create_session(request).await?;
    /// let data = session.data().expect("the create sent it");
    /// assert_eq!(data.title.as_deref(), Some("Go."));
    /// assert!(client.session(session.id()).data().is_none());
    /// # Ok(())
    /// # }
    /// ```
    pub fn data(&self) -> Option<&types::Session> {
        self.data.as_ref()
    }

    /// Where a person can watch it.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)]
    /// # async fn main() -> Result<(), blocks_sdk::Error> {
    /// # let mock = blocks_mock::Mock::new();
    /// # let client = blocks_sdk::Client::builder(mock.key()).service(mock.service()).build()?;
    /// # let request = blocks_sdk::CreateSession::new(blocks_sdk::Agent::claude(), "Go.");
    /// # let session = client.create_session(request).await?;
    /// println!("watch it at {}", session.html_url().unwrap_or("the dashboard"));
    /// # assert!(session.html_url().is_some());
    /// # Ok(())
    /// # }
    /// ```
    pub fn html_url(&self) -> Option<&str> {
        self.data.as_ref()?.session_html_url.as_deref()
    }

    /// Pull requests as of the last read. They are filled only once the agent has opened
    /// them, so [`refresh`](Self::refresh) after the reply.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)]
    /// # async fn main() -> Result<(), blocks_sdk::Error> {
    /// # let mock = blocks_mock::Mock::new();
    /// # let client = blocks_sdk::Client::builder(mock.key()).service(mock.service()).build()?;
    /// # let request = blocks_sdk::CreateSession::new(blocks_sdk::Agent::claude(), "Go.");
    /// # let session = client.create_session(request).await?;
    /// use blocks_sdk::PullRequest;
    ///
    /// # mock.open_pull_request(session.id(), "https://example.com/pull/1");
    /// let mut session = session;
    /// session.reply().await?;
    /// session.refresh().await?;
    /// let urls: Vec<_> = session.pull_requests().iter().filter_map(PullRequest::url).collect();
    /// assert_eq!(urls, ["https://example.com/pull/1"]);
    /// # Ok(())
    /// # }
    /// ```
    pub fn pull_requests(&self) -> &[PullRequest] {
        let all = self.data.as_ref().and_then(|d| d.pull_requests.as_deref());
        all.unwrap_or_default()
    }

    /// The ids of its plans as of the last read, oldest first.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)]
    /// # async fn main() -> Result<(), blocks_sdk::Error> {
    /// # let plan = blocks_mock::Action::Plan { file_name: "plan.md".into(), text: "1. Look.".into() };
    /// # let script = blocks_mock::Script::default().step(std::time::Duration::ZERO, plan);
    /// # let mock = blocks_mock::Mock::builder().agent(script).build();
    /// # let client = blocks_sdk::Client::builder(mock.key()).service(mock.service()).build()?;
    /// # let request = blocks_sdk::CreateSession::new(blocks_sdk::Agent::claude(), "Go.");
    /// # let session = client.create_session(request).await?;
    /// let mut session = session;
    /// session.refresh().await?;
    /// assert_eq!(session.plan_ids().len(), 1);
    /// # Ok(())
    /// # }
    /// ```
    pub fn plan_ids(&self) -> &[Id] {
        let all = self
            .data
            .as_ref()
            .and_then(|d| d.plan_artifact_ids.as_deref());
        all.unwrap_or_default()
    }

    fn links(&self) -> Option<&types::SessionLinks> {
        self.data.as_ref()?.links.as_ref()
    }

    /// The link to the session itself.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)]
    /// # async fn main() -> Result<(), blocks_sdk::Error> {
    /// # let mock = blocks_mock::Mock::new();
    /// # let client = blocks_sdk::Client::builder(mock.key()).service(mock.service()).build()?;
    /// # let request = blocks_sdk::CreateSession::new(blocks_sdk::Agent::claude(), "Go.");
    /// # let session = client.create_session(request).await?;
    /// let link = session.self_link().expect("a session has it");
    /// assert_eq!(client.follow(&link).await?.id(), session.id());
    /// # Ok(())
    /// # }
    /// ```
    pub fn self_link(&self) -> Option<Link<Self>> {
        Link::of(self.links()?.self_.as_ref())
    }

    /// The link to all its messages.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)]
    /// # async fn main() -> Result<(), blocks_sdk::Error> {
    /// # let mock = blocks_mock::Mock::new();
    /// # let client = blocks_sdk::Client::builder(mock.key()).service(mock.service()).build()?;
    /// # let request = blocks_sdk::CreateSession::new(blocks_sdk::Agent::claude(), "Go.");
    /// # let session = client.create_session(request).await?;
    /// let link = session.messages_link().expect("a session has it");
    /// let page = client.follow(&link).await?;
    /// assert_eq!(page.total(), Some(1), "the notice that the session begins");
    /// # Ok(())
    /// # }
    /// ```
    pub fn messages_link(&self) -> Option<Link<Page>> {
        Link::of(self.links()?.messages.as_ref())
    }

    /// The link to the first thread; `None` when the session was read again.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)]
    /// # async fn main() -> Result<(), blocks_sdk::Error> {
    /// # let mock = blocks_mock::Mock::new();
    /// # let client = blocks_sdk::Client::builder(mock.key()).service(mock.service()).build()?;
    /// # let request = blocks_sdk::CreateSession::new(blocks_sdk::Agent::claude(), "Go.");
    /// # let session = client.create_session(request).await?;
    /// assert!(session.thread_link().is_some());
    /// let read = client.get_session(session.id()).await?;
    /// assert!(read.thread_link().is_none());
    /// # Ok(())
    /// # }
    /// ```
    pub fn thread_link(&self) -> Option<Link<Page>> {
        Link::of(self.links()?.thread.as_ref())
    }

    /// The link to the reply; `None` when the session was read again.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)]
    /// # async fn main() -> Result<(), blocks_sdk::Error> {
    /// # let mock = blocks_mock::Mock::new();
    /// # let client = blocks_sdk::Client::builder(mock.key()).service(mock.service()).build()?;
    /// # let request = blocks_sdk::CreateSession::new(blocks_sdk::Agent::claude(), "Go.");
    /// # let session = client.create_session(request).await?;
    /// let link = session.final_message_link().expect("a session just created has it");
    /// session.reply().await?;
    /// assert_eq!(client.follow(&link).await?.messages().len(), 1);
    /// # Ok(())
    /// # }
    /// ```
    pub fn final_message_link(&self) -> Option<Link<Page>> {
        Link::of(self.links()?.final_message.as_ref())
    }

    /// Reads the session again, and keeps its thread, which the service then leaves out.
    ///
    /// # Errors
    /// Whatever the request met.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)]
    /// # async fn main() -> Result<(), blocks_sdk::Error> {
    /// # let mock = blocks_mock::Mock::new();
    /// # let client = blocks_sdk::Client::builder(mock.key()).service(mock.service()).build()?;
    /// # let request = blocks_sdk::CreateSession::new(blocks_sdk::Agent::claude(), "Go.");
    /// # let session = client.create_session(request).await?;
    /// let mut session = session;
    /// # mock.open_pull_request(session.id(), "https://example.com/pull/1");
    /// session.refresh().await?;
    /// assert_eq!(session.pull_requests().len(), 1);
    /// assert!(session.turn().is_ok(), "its thread is still known");
    /// # Ok(())
    /// # }
    /// ```
    pub async fn refresh(&mut self) -> Result<(), Error> {
        let mut data = self.client.session_data(&self.id).await?;
        if let Some(old) = self.data.take() {
            data.thread_id = data.thread_id.or(old.thread_id);
            data.links = match (data.links, old.links) {
                (Some(mut new), Some(old)) => {
                    new.thread = new.thread.or(old.thread);
                    new.final_message = new.final_message.or(old.final_message);
                    Some(new)
                }
                (new, old) => new.or(old),
            };
        }
        self.data = Some(data);
        Ok(())
    }

    /// The first turn, where this session was just created.
    ///
    /// # Errors
    /// When no thread is known: one that was read by its id has none. The error says what to do.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)]
    /// # async fn main() -> Result<(), blocks_sdk::Error> {
    /// # let mock = blocks_mock::Mock::new();
    /// # let client = blocks_sdk::Client::builder(mock.key()).service(mock.service()).build()?;
    /// # let request = blocks_sdk::CreateSession::new(blocks_sdk::Agent::claude(), "Go.");
    /// # let session = client.create_session(request).await?;
    /// let turn = session.turn()?;
    /// assert_eq!(turn.reply().await?.text(), "Done.");
    ///
    /// let read = client.get_session(session.id()).await?;
    /// assert!(read.turn().is_err(), "a read does not tell its thread");
    /// # Ok(())
    /// # }
    /// ```
    pub fn turn(&self) -> Result<Turn, Error> {
        let data = self.data.as_ref();
        let thread_id = data.and_then(|data| data.thread_id.clone());
        let links = self.links();
        let thread = links.and_then(|links| links.thread.as_ref());
        let final_message = links.and_then(|links| links.final_message.as_ref());
        let pending = self
            .pending(thread_id, thread, final_message)
            .ok_or_else(|| {
                Error::unknown_turn(format!(
                    "session {} exists, but its thread is unknown: only the response to a create names it. Resume from \
                     its `Pending` value, use `Session::latest_turn`, or send a follow-up",
                    self.id
                ))
                .with_session(&self.id)
            })?;
        let created_at = data.and_then(|data| data.created_at.as_ref());
        let number = self
            .turns
            .number(pending.thread_id(), created_at.map(Timestamp::utc));
        Ok(Turn::started(
            self.client.clone(),
            pending,
            Arc::clone(&self.turns),
            number,
            self.started,
        ))
    }

    /// The handle of the reply that a response announces. The link of the final message is used where it leads to a
    /// place of this service. Otherwise the ids are enough, whatever the links contain.
    fn pending(
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

    /// Whether a final message's link can be followed. Some services send one whose thread is `null`.
    fn is_usable(&self, href: &str) -> bool {
        let names_no_thread = href.contains("/threads/") && thread_in(href).is_none();
        !names_no_thread && self.client.engine.core.resolve(href).is_ok()
    }

    /// The newest turn of the session, from the messages that its users wrote; `None` when there are none.
    ///
    /// The service names the thread of a turn only in the response to a create or follow-up. This finds it again. The
    /// newest message is found by the time of its creation, since users' messages often have no `ts` and the order of a
    /// page then says nothing.
    ///
    /// # Errors
    /// Those of the requests; [`ErrorKind::UnknownTurn`](crate::ErrorKind::UnknownTurn) when several turns have no time
    /// by which they could be ordered.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)]
    /// # async fn main() -> Result<(), blocks_sdk::Error> {
    /// # let mock = blocks_mock::Mock::new();
    /// # let client = blocks_sdk::Client::builder(mock.key()).service(mock.service()).build()?;
    /// # let request = blocks_sdk::CreateSession::new(blocks_sdk::Agent::claude(), "Go.");
    /// # let session = client.create_session(request).await?;
    /// let same = client.session(session.id()); // known by its id alone
    /// let turn = same.latest_turn().await?.expect("a session has a first message");
    /// assert_eq!(turn.reply().await?.text(), "Done.");
    /// # Ok(())
    /// # }
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

    /// The turn of a thread that is known by its id.
    ///
    /// ```
    /// # fn run(session: blocks_sdk::Session, thread: uuid::Uuid) {
    /// let wait = session.turn_in_thread(thread).reply();
    /// # }
    /// ```
    pub fn turn_in_thread(&self, thread_id: impl Into<Id>) -> Turn {
        self.client.resume(Pending::new(&self.id, thread_id))
    }

    /// Waits for the first reply, for up to an hour. [`Session::turn`] has the options.
    ///
    /// # Errors
    /// Those of [`Session::turn`] and of the wait.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)]
    /// # async fn main() -> Result<(), blocks_sdk::Error> {
    /// # let mock = blocks_mock::Mock::new();
    /// # let client = blocks_sdk::Client::builder(mock.key()).service(mock.service()).build()?;
    /// # let request = blocks_sdk::CreateSession::new(blocks_sdk::Agent::claude(), "Go.");
    /// # let session = client.create_session(request).await?;
    /// let reply = session.reply().await?;
    /// assert_eq!(reply.text(), "Done.");
    /// # Ok(())
    /// # }
    /// ```
    pub async fn reply(&self) -> Result<Reply, Error> {
        self.turn()?.reply().await
    }

    /// Posts a follow-up, which starts a new turn and interrupts one in flight: whoever waits
    /// for that, in this program, is told so.
    ///
    /// It is sent again only when it certainly had no effect.
    ///
    /// # Errors
    /// Invalid input before anything is sent; whatever went wrong after it. When
    /// [`Error::may_have_taken_effect`], do not simply call this again.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)]
    /// # async fn main() -> Result<(), blocks_sdk::Error> {
    /// # let mock = blocks_mock::Mock::new();
    /// # let client = blocks_sdk::Client::builder(mock.key()).service(mock.service()).build()?;
    /// # let request = blocks_sdk::CreateSession::new(blocks_sdk::Agent::claude(), "Go.");
    /// # let session = client.create_session(request).await?;
    /// use blocks_sdk::{ErrorKind, FollowUp};
    ///
    /// let first = session.turn()?;
    /// let second = session.follow_up(FollowUp::new("Stop, do this first.")).await?;
    /// assert_eq!(second.reply().await?.text(), "Done.");
    /// assert_eq!(first.reply().await.unwrap_err().kind(), ErrorKind::Interrupted);
    /// # Ok(())
    /// # }
    /// ```
    pub async fn follow_up(&self, request: FollowUp) -> Result<Turn, Error> {
        let body = request.validated()?;
        let operation = Operation::CREATE_MESSAGE;
        let send = |api: Api| {
            let (body, id) = (body.clone(), self.id.clone());
            async move { api.create_message().session_id(id).body(body).send().await }
        };
        let admission = Admission::Wait(operation.priority());
        let sent_at = self.turns.sending();
        let accepted = |message: types::Message| {
            let links = message.links.as_ref();
            let thread = links.and_then(|links| links.thread.as_ref());
            let final_message = links.and_then(|links| links.final_message.as_ref());
            let pending = self.pending(message.chat_thread_id, thread, final_message);
            // It interrupts also where it names no thread to wait for.
            let thread = pending.as_ref().and_then(Pending::thread_id);
            let created_at = message.created_at.as_ref().map(Timestamp::utc);
            let number = self.turns.accepted(sent_at, thread, created_at);
            let pending = pending.ok_or("the response names no thread to wait for")?;
            Ok((number, pending))
        };
        let client = &self.client;
        let sent = client
            .engine
            .call_for(operation, admission, None, accepted, send);
        let (number, pending) = sent.await.map_err(|error| {
            if error.may_have_taken_effect() {
                self.turns.unknown_outcome(sent_at);
            }
            error.with_session(&self.id)
        })?;
        let turns = Arc::clone(&self.turns);
        Ok(Turn::started(
            self.client.clone(),
            pending,
            turns,
            number,
            Instant::now(),
        ))
    }

    /// Its messages, of all threads: as a page, as a stream, or as they come.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)]
    /// # async fn main() -> Result<(), blocks_sdk::Error> {
    /// # let mock = blocks_mock::Mock::new();
    /// # let client = blocks_sdk::Client::builder(mock.key()).service(mock.service()).build()?;
    /// # let request = blocks_sdk::CreateSession::new(blocks_sdk::Agent::claude(), "Go.");
    /// # let session = client.create_session(request).await?;
    /// # session.reply().await?;
    /// for message in session.messages().everything().collect().await? {
    ///     println!("{}", message.message.unwrap_or_default());
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub fn messages(&self) -> Messages {
        Messages::new(self.client.clone(), self.id.clone(), None)
    }

    /// The messages of one thread.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)]
    /// # async fn main() -> Result<(), blocks_sdk::Error> {
    /// # let mock = blocks_mock::Mock::new();
    /// # let client = blocks_sdk::Client::builder(mock.key()).service(mock.service()).build()?;
    /// # let request = blocks_sdk::CreateSession::new(blocks_sdk::Agent::claude(), "Go.");
    /// # let session = client.create_session(request).await?;
    /// let turn = session.turn()?;
    /// # turn.reply().await?;
    /// let thread = turn.thread_id().expect("a create names it");
    /// let messages = session.thread_messages(thread).everything().collect().await?;
    /// assert!(messages.iter().all(|message| message.chat_thread_id.as_ref() == Some(thread)));
    /// # assert!(!messages.is_empty());
    /// # Ok(())
    /// # }
    /// ```
    pub fn thread_messages(&self, thread_id: impl Into<Id>) -> Messages {
        Messages::new(self.client.clone(), self.id.clone(), Some(thread_id.into()))
    }
}
