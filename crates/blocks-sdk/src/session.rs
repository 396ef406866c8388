//! A session: created, read, or known by its id alone.

use std::sync::Arc;

use blocks_api::open::PullRequest;
use blocks_api::types;
use tokio::time::Instant;
use uuid::Uuid;

use crate::call::{Admission, Operation};
use crate::client::Client;
use crate::error::Error;
use crate::link::Link;
use crate::messages::Messages;
use crate::page::Page;
use crate::pending::Pending;
use crate::request::FollowUp;
use crate::superseded::Turns;
use crate::turn::{Reply, Turn};

/// A session, and the client that reaches it.
#[derive(Clone, Debug)]
pub struct Session {
    client: Client,
    id: Uuid,
    data: Option<types::Session>,
    turns: Arc<Turns>,
    began: Instant,
}

impl Session {
    pub(crate) fn with_id(client: Client, id: Uuid) -> Self {
        Self {
            turns: client.core.sessions.turns(id),
            client,
            id,
            data: None,
            began: Instant::now(),
        }
    }

    pub(crate) fn with_data(client: Client, data: types::Session) -> Self {
        let mut session = Self::with_id(client, data.id);
        session.data = Some(data);
        session
    }

    pub(crate) fn client(&self) -> &Client {
        &self.client
    }

    /// The session's id.
    pub fn id(&self) -> Uuid {
        self.id
    }

    /// Everything the service sent; `None` while only the id is known.
    pub fn data(&self) -> Option<&types::Session> {
        self.data.as_ref()
    }

    /// Where a person can watch it.
    pub fn html_url(&self) -> Option<&str> {
        self.data.as_ref()?.session_html_url.as_deref()
    }

    /// Pull requests as of the last read. They are filled only once the agent has opened
    /// them, so [`refresh`](Self::refresh) after the reply.
    pub fn pull_requests(&self) -> &[PullRequest] {
        let all = self.data.as_ref().and_then(|d| d.pull_requests.as_deref());
        all.unwrap_or_default()
    }

    /// The ids of its plans as of the last read, oldest first.
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
    pub fn self_link(&self) -> Option<Link<Self>> {
        Link::of(self.links()?.self_.as_ref())
    }

    /// The link to all its messages.
    pub fn messages_link(&self) -> Option<Link<Page>> {
        Link::of(self.links()?.messages.as_ref())
    }

    /// The link to the first thread; `None` when the session was read again.
    pub fn thread_link(&self) -> Option<Link<Page>> {
        Link::of(self.links()?.thread.as_ref())
    }

    /// The link to the reply; `None` when the session was read again.
    pub fn final_message_link(&self) -> Option<Link<Page>> {
        Link::of(self.links()?.final_message.as_ref())
    }

    /// Reads the session again, and keeps its thread, which the service then leaves out.
    ///
    /// # Errors
    /// Whatever the request met.
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
        let turns = Arc::clone(&self.turns);
        Ok(Turn::begun(
            self.client.clone(),
            pending,
            turns,
            0,
            self.began,
        ))
    }

    /// The turn of a thread that is known by its id.
    ///
    /// ```
    /// # fn run(session: blocks_sdk::Session, thread: uuid::Uuid) {
    /// let wait = session.turn_of(thread).reply();
    /// # }
    /// ```
    pub fn turn_of(&self, thread_id: Uuid) -> Turn {
        self.client.resume(Pending::new(self.id, thread_id))
    }

    /// Waits for the first reply, for up to 30 minutes. [`Session::turn`] has the options.
    ///
    /// # Errors
    /// Those of [`Session::turn`] and of the wait.
    pub async fn reply(&self) -> Result<Reply, Error> {
        self.turn()?.reply().await
    }

    /// Posts a follow-up, which starts a new turn and interrupts one in flight: whoever waits
    /// for that, in this program, is told so.
    ///
    /// It is sent again only when it certainly had no effect.
    ///
    /// # Errors
    /// Invalid input before anything is sent; whatever went wrong after it.
    pub async fn follow_up(&self, request: FollowUp) -> Result<Turn, Error> {
        let body = request.validated()?;
        let (operation, id) = (Operation::CREATE_MESSAGE, self.id);
        let send = |api: blocks_api::Client| async move {
            api.create_message().session_id(id).body(body).send().await
        };
        let admission = Admission::Wait(operation.lane());
        let pending = |message: types::Message| {
            let link = message.links.and_then(|links| links.final_message);
            match (link, message.chat_thread_id) {
                (Some(link), thread) => Ok(Pending::at(id, thread, &link.href)),
                (None, Some(thread)) => Ok(Pending::new(id, thread)),
                (None, None) => Err("the answer names no thread to wait on"),
            }
        };
        let sent = self
            .client
            .call_for(operation, admission, None, pending, send);
        let pending = sent.await.map_err(|error| error.with_session(id))?;
        let number = self.turns.begin();
        let turns = Arc::clone(&self.turns);
        Ok(Turn::begun(
            self.client.clone(),
            pending,
            turns,
            number,
            Instant::now(),
        ))
    }

    /// Its messages, of all threads: as a page, as a stream, or as they come.
    pub fn messages(&self) -> Messages {
        Messages::new(self.client.clone(), self.id, None)
    }

    /// The messages of one thread.
    pub fn thread_messages(&self, thread_id: Uuid) -> Messages {
        Messages::new(self.client.clone(), self.id, Some(thread_id))
    }
}
