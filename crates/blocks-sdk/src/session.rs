//! A session: created, read, or known by its id alone.

use std::sync::Arc;

use blocks_api::open::PullRequest;
use blocks_api::types;
use tokio::time::Instant;
use uuid::Uuid;

use crate::call::{Admission, Api, Operation};
use crate::client::Client;
use crate::error::Error;
use crate::link::Link;
use crate::messages::Messages;
use crate::page::Page;
use crate::pending::Pending;
use crate::request::FollowUp;
use crate::turn::{Reply, Turn};
use crate::turns::LatestTurn;

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
    id: Uuid,
    data: Option<types::Session>,
    turns: Arc<LatestTurn>,
    started: Instant,
}

impl Session {
    pub(crate) fn with_id(client: Client, id: Uuid) -> Self {
        Self {
            turns: client.core.turns.of(&id.to_string()),
            client,
            id,
            data: None,
            started: Instant::now(),
        }
    }

    pub(crate) fn with_data(client: Client, data: types::Session) -> Self {
        let mut session = Self::with_id(client, data.id);
        if let Some(thread) = data.thread_id {
            let thread = Some(thread.to_string());
            session.turns.number(thread, data.created_at);
        }
        session.data = Some(data);
        session
    }

    pub(crate) fn client(&self) -> &Client {
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
    /// let again = client.session(id.parse().expect("it was an id"));
    /// assert_eq!(again.id(), session.id());
    /// # Ok(())
    /// # }
    /// ```
    pub fn id(&self) -> Uuid {
        self.id
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
    /// # let script = blocks_mock::Script::default().at(std::time::Duration::ZERO, plan);
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
    pub fn plan_ids(&self) -> &[Uuid] {
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
        let mut data = self.client.session_data(self.id).await?;
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
        let thread_id = self.data.as_ref().and_then(|data| data.thread_id);
        let pending = match (self.final_message_link(), thread_id) {
            (Some(link), thread) => Pending::at(self.id, thread, link.href()),
            (None, Some(thread)) => Pending::new(self.id, thread),
            (None, None) => {
                return Err(Error::invalid_input(format!(
                    "no thread of session {} is known here, since only a create names it: keep its \
                     `pending` value, wait for a thread by its id, or send a follow-up",
                    self.id
                ))
                .with_session(self.id));
            }
        };
        let thread = pending.thread_id().map(|thread| thread.to_string());
        let created_at = self.data.as_ref().and_then(|data| data.created_at);
        Ok(Turn::started(
            self.client.clone(),
            pending,
            Arc::clone(&self.turns),
            self.turns.number(thread, created_at),
            self.started,
        ))
    }

    /// The turn of a thread that is known by its id.
    ///
    /// ```
    /// # fn run(session: blocks_sdk::Session, thread: uuid::Uuid) {
    /// let wait = session.turn_in_thread(thread).reply();
    /// # }
    /// ```
    pub fn turn_in_thread(&self, thread_id: Uuid) -> Turn {
        self.client.resume(Pending::new(self.id, thread_id))
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
        let (operation, id) = (Operation::CREATE_MESSAGE, self.id);
        let send = |api: Api| {
            let body = body.clone();
            async move { api.create_message().session_id(id).body(body).send().await }
        };
        let admission = Admission::Wait(operation.priority());
        let sent_at = self.turns.sending();
        let accepted = |message: types::Message| {
            // It interrupts also where it names no thread to wait for.
            let thread = message.chat_thread_id.map(|thread| thread.to_string());
            let number = self.turns.accepted(sent_at, thread, message.created_at);
            let link = message.links.and_then(|links| links.final_message);
            match (link, message.chat_thread_id) {
                (Some(link), thread) => Ok((number, Pending::at(id, thread, &link.href))),
                (None, Some(thread)) => Ok((number, Pending::new(id, thread))),
                (None, None) => Err("the answer names no thread to wait on"),
            }
        };
        let client = &self.client;
        let sent = client.call_for(operation, admission, None, accepted, send);
        let (number, pending) = sent.await.map_err(|error| {
            if error.may_have_taken_effect() {
                self.turns.unknown_outcome(sent_at);
            }
            error.with_session(id)
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
        Messages::new(self.client.clone(), self.id, None)
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
    /// assert!(messages.iter().all(|message| message.chat_thread_id == Some(thread)));
    /// # assert!(!messages.is_empty());
    /// # Ok(())
    /// # }
    /// ```
    pub fn thread_messages(&self, thread_id: Uuid) -> Messages {
        Messages::new(self.client.clone(), self.id, Some(thread_id))
    }
}
