//! A session, its turns, and waiting for their replies.

use std::time::Duration;

use blocks_api::{seam, types};
use tokio::time::{Instant, sleep_until};
use uuid::Uuid;

use crate::client::Client;
use crate::error::Error;
use crate::link;
use crate::request::FollowUp;

/// How long to wait for a reply, and how often to look.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct WaitOptions {
    /// The whole wait; 30 minutes unless set.
    pub deadline: Duration,
    /// Between two looks; at least 2 s, which is 30 of the 100 requests in a minute.
    pub interval: Duration,
}

impl WaitOptions {
    const MIN_INTERVAL: Duration = Duration::from_secs(2);
}

impl Default for WaitOptions {
    fn default() -> Self {
        Self {
            deadline: Duration::from_secs(30 * 60),
            interval: Self::MIN_INTERVAL,
        }
    }
}

/// A session and the client that knows it.
#[derive(Clone, Debug)]
pub struct Session {
    client: Client,
    data: types::Session,
}

impl Session {
    pub(crate) fn new(client: Client, data: types::Session) -> Self {
        Self { client, data }
    }

    /// The session's id.
    pub fn id(&self) -> Uuid {
        self.data.id
    }

    /// Where a person can watch it.
    pub fn html_url(&self) -> Option<&str> {
        self.data.session_html_url.as_deref()
    }

    /// Everything the service sent.
    pub fn data(&self) -> &types::Session {
        &self.data
    }

    /// The first turn, where this session was just created.
    ///
    /// # Errors
    /// When the session has no link to a final message: one that was read again never has.
    pub fn turn(&self) -> Result<Turn, Error> {
        let link = self
            .data
            .links
            .as_ref()
            .and_then(|l| l.final_message.as_ref());
        let link = link.ok_or_else(|| {
            Error::invalid_input(format!(
                "session {} has no thread here; keep the turn of the create, or send a follow-up",
                self.id()
            ))
        })?;
        Ok(Turn {
            client: self.client.clone(),
            session: self.id(),
            href: link.href.clone(),
        })
    }

    /// Waits for the first reply with the default options.
    ///
    /// # Errors
    /// Those of [`Session::turn`] and [`Turn::reply`].
    pub async fn reply(&self) -> Result<Reply, Error> {
        self.turn()?.reply(WaitOptions::default()).await
    }

    /// Posts a follow-up, which starts a new turn and interrupts one in flight. Sent once.
    ///
    /// # Errors
    /// Invalid input before anything is sent; whatever went wrong after it.
    pub async fn follow_up(&self, request: FollowUp) -> Result<Turn, Error> {
        let body = request.validated()?;
        let sent = self
            .client
            .api
            .create_message()
            .session_id(self.id())
            .body(body)
            .send()
            .await;
        let message = match sent {
            Ok(response) => response.into_inner(),
            Err(error) => return Err(Error::from_api("createMessage", true, error).await),
        };
        match message
            .links
            .as_ref()
            .and_then(|l| l.final_message.as_ref())
        {
            Some(link) => Ok(Turn {
                client: self.client.clone(),
                session: self.id(),
                href: link.href.clone(),
            }),
            None => Err(Error::without_thread(self.id(), &message)),
        }
    }
}

/// One turn of the agent: its reply is behind a link.
#[derive(Clone, Debug)]
pub struct Turn {
    client: Client,
    session: Uuid,
    href: String,
}

impl Turn {
    /// Waits for the reply. Transient errors do not end the wait before its deadline.
    ///
    /// # Errors
    /// The deadline, or an answer that waiting cannot mend (such as 401, 403, 404).
    pub async fn reply(&self, options: WaitOptions) -> Result<Reply, Error> {
        let started = Instant::now();
        let deadline = started + options.deadline;
        let interval = options.interval.max(WaitOptions::MIN_INTERVAL);
        let mut last_error = None;
        loop {
            let look = Instant::now();
            // An attempt must not outlive the wait.
            match tokio::time::timeout_at(deadline, self.look()).await {
                Ok(Ok(Some(message))) => return Ok(Reply { message }),
                Ok(Ok(None)) => last_error = None,
                Ok(Err(error)) if error.is_transient() => last_error = Some(error),
                Ok(Err(error)) => return Err(error),
                Err(_) => {}
            }
            if look + interval >= deadline {
                sleep_until(deadline).await;
                let why = last_error
                    .map(|e| format!("; the last look: {e}"))
                    .unwrap_or_default();
                return Err(Error::deadline(
                    self.session,
                    format!(
                        "no reply of session {} within {:?}{why}",
                        self.session, options.deadline
                    ),
                ));
            }
            sleep_until(look + interval).await;
        }
    }

    /// Looks once: the reply, or `None` while the agent works.
    ///
    /// # Errors
    /// Whatever the request met.
    pub async fn look(&self) -> Result<Option<types::Message>, Error> {
        const OPERATION: &str = "listThreadMessages";
        let url = link::resolve(&self.client.base, &self.href)?;
        match seam::follow::<types::MessagePage>(&self.client.api, OPERATION, url).await {
            Ok(page) => Ok(page.into_inner().items.into_iter().next()),
            Err(error) => Err(Error::from_api(OPERATION, false, error).await),
        }
    }
}

/// The agent's final message.
#[derive(Clone, Debug, PartialEq)]
pub struct Reply {
    message: types::Message,
}

impl Reply {
    /// The text; an empty one is a valid reply.
    pub fn text(&self) -> &str {
        self.message.message.as_deref().unwrap_or_default()
    }

    /// Everything the service sent.
    pub fn message(&self) -> &types::Message {
        &self.message
    }
}
