//! Queries messages: as a page, as a stream, or as they arrive.

pub(crate) mod known;
pub(crate) mod merged;
pub(crate) mod page;
pub(crate) mod pager;
pub(crate) mod stream;
pub(crate) mod watch;
pub(crate) mod window;

use std::sync::atomic::Ordering;

use blocks_api::open::{Direction, Id, MessageRole, MessageType};
use blocks_api::types::Message;
use reqwest::Url;
use tokio::time::Instant;

use crate::client::Client;
use crate::engine::attempt::AttemptResult;
use crate::engine::call::Admission;
use crate::engine::error::Error;
use crate::engine::pending::segment;
use crate::engine::rate_limit::{Permit, Priority};
use crate::messages::merged::{MergedPages, Start};
use crate::messages::page::Page;
use crate::messages::stream::MessageStream;
use crate::messages::watch::Watch;

/// The largest page size of a stream or watch. The service supports no larger page size.
pub(crate) const PAGE: u64 = 100;

/// The query parameters that the OpenAPI document names. They have their own methods, so [`MessagesQuery::extra`]
/// cannot set them.
const PARAMETERS: [&str; 7] = [
    "type",
    "role",
    "thread_id",
    "gts",
    "page",
    "limit",
    "direction",
];

/// Selects which messages of a session are read. Without a filter the service omits tool calls and the user's messages.
///
/// ```
/// # mod doctest { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doctest.rs")); }
/// # doctest::with_session(async |session, client, mock| {
/// let mut all = session.messages().all().stream();
/// while let Some(message) = all.next().await {
///     println!("{:?}", message?.message);
/// }
/// # Ok(()) });
/// ```
#[derive(Clone, Debug)]
#[must_use = "a query reads nothing by itself"]
pub struct MessagesQuery {
    client: Client,
    session_id: Id,
    path_thread: Option<Id>,
    types: Vec<MessageType>,
    roles: Vec<MessageRole>,
    thread_id: Option<Id>,
    newer_than: Option<f64>,
    page: u64,
    limit: u64,
    direction: Direction,
    extra: Vec<(String, String)>,
}

impl MessagesQuery {
    pub(crate) fn new(client: Client, session_id: Id, path_thread: Option<Id>) -> Self {
        Self {
            client,
            session_id,
            path_thread,
            types: Vec::new(),
            roles: Vec::new(),
            thread_id: None,
            newer_than: None,
            page: 1,
            limit: 50,
            direction: Direction::Asc,
            extra: Vec::new(),
        }
    }

    /// Selects messages of these types only. By default, or if `types` is empty, the service returns the types
    /// `message` and `final_message`.
    ///
    /// ```
    /// # mod doctest { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doctest.rs")); }
    /// # doctest::with_session(async |session, client, mock| {
    /// use blocks_sdk::MessageType;
    ///
    /// # session.first_reply().await?;
    /// let replies = session.messages().types([MessageType::FinalMessage]).collect().await?;
    /// assert_eq!(replies.len(), 1);
    /// # Ok(()) });
    /// ```
    pub fn types(mut self, types: impl IntoIterator<Item = MessageType>) -> Self {
        self.types = types.into_iter().collect();
        self
    }

    /// Selects messages of these roles only. By default, or if `roles` is empty, the service returns the assistant's
    /// messages.
    ///
    /// ```
    /// # mod doctest { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doctest.rs")); }
    /// # doctest::with_session(async |session, client, mock| {
    /// use blocks_sdk::MessageRole;
    ///
    /// let prompts = session.messages().roles([MessageRole::User]).collect().await?;
    /// assert_eq!(prompts[0].message.as_deref(), Some("Go."));
    /// # Ok(()) });
    /// ```
    pub fn roles(mut self, roles: impl IntoIterator<Item = MessageRole>) -> Self {
        self.roles = roles.into_iter().collect();
        self
    }

    /// Selects messages of all types that this release knows, from the user and from the assistant.
    ///
    /// ```
    /// # mod doctest { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doctest.rs")); }
    /// # doctest::with_session(async |session, client, mock| {
    /// let usual = session.messages().collect().await?;
    /// let all = session.messages().all().collect().await?;
    /// assert_eq!(all.len(), usual.len() + 1, "with what the user wrote");
    /// # Ok(()) });
    /// ```
    pub fn all(self) -> Self {
        self.types([
            MessageType::Message,
            MessageType::FinalMessage,
            MessageType::ToolCall,
        ])
        .roles([MessageRole::User, MessageRole::Assistant])
    }

    /// Selects the messages of this thread, which holds the messages of one turn. For an unknown thread, the service
    /// returns no messages. In a query of [`thread_messages`](crate::SessionRef::thread_messages), the service ignores
    /// this filter.
    ///
    /// ```
    /// # mod doctest { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doctest.rs")); }
    /// # doctest::with_session(async |session, client, mock| {
    /// let turn = session.first_turn()?;
    /// let thread = turn.thread_id().expect("a create names it");
    /// # turn.reply().await?;
    /// // The notice that the session started is in no thread.
    /// let of_thread = session.messages().thread_id(thread).collect().await?;
    /// assert_eq!(of_thread.len() + 1, session.messages().collect().await?.len());
    /// # Ok(()) });
    /// ```
    pub fn thread_id(mut self, id: impl Into<Id>) -> Self {
        self.thread_id = Some(id.into());
        self
    }

    /// Selects messages whose field `ts` is greater than the argument `ts`. Both are in epoch seconds with fractions.
    /// Reading the messages fails if the argument is not finite. The service omits messages without a `ts`, such as
    /// most of the user's messages.
    ///
    /// ```
    /// # mod doctest { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doctest.rs")); }
    /// # doctest::with_session(async |session, client, mock| {
    /// # session.first_reply().await?;
    /// let all = session.messages().collect().await?;
    /// let first = all[0].ts.expect("the agent's messages have one");
    /// assert!(session.messages().newer_than(first).collect().await?.len() < all.len());
    /// # Ok(()) });
    /// ```
    pub fn newer_than(mut self, ts: f64) -> Self {
        self.newer_than = Some(ts);
        self
    }

    /// Sets whether the newest message is first. Default: the oldest message is first. A query always sends the
    /// direction, because the vendor's sources disagree on the default of the service.
    ///
    /// ```
    /// # mod doctest { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doctest.rs")); }
    /// # doctest::with_session(async |session, client, mock| {
    /// # session.first_reply().await?;
    /// let page = session.messages().newest_first(true).limit(1).send().await?;
    /// assert_eq!(page.messages()[0].message.as_deref(), Some("Done."));
    /// # Ok(()) });
    /// ```
    pub fn newest_first(mut self, newest_first: bool) -> Self {
        self.direction = if newest_first {
            Direction::Desc
        } else {
            Direction::Asc
        };
        self
    }

    /// Selects the page with this number, counted from 1. Only [`send`](Self::send) uses the number. A stream or watch
    /// reads all pages.
    ///
    /// ```
    /// # mod doctest { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doctest.rs")); }
    /// # doctest::with_session(async |session, client, mock| {
    /// # session.first_reply().await?;
    /// let second = session.messages().limit(2).page(2).send().await?;
    /// assert_eq!(second.messages().len(), 1, "the third of three");
    /// # Ok(()) });
    /// ```
    pub fn page(mut self, page: u64) -> Self {
        self.page = page;
        self
    }

    /// Sets the maximum number of messages in a page, from 1 to 100. Default: 50. Only [`send`](Self::send) uses this
    /// number. A stream or watch chooses its page sizes itself.
    ///
    /// ```
    /// # mod doctest { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doctest.rs")); }
    /// # doctest::with_session(async |session, client, mock| {
    /// # session.first_reply().await?;
    /// let page = session.messages().limit(2).send().await?;
    /// assert_eq!((page.messages().len(), page.total()), (2, Some(3)));
    /// assert!(session.messages().limit(101).send().await.is_err());
    /// # Ok(()) });
    /// ```
    pub fn limit(mut self, limit: u64) -> Self {
        self.limit = limit;
        self
    }

    /// Adds a query parameter that this release does not support. To send a list, call this method once for each item,
    /// always with the same `name`.
    ///
    /// Reading the messages fails if `name` is a parameter that has its own method, such as `limit`.
    ///
    /// ```
    /// # mod doctest { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doctest.rs")); }
    /// # doctest::with_session(async |session, client, mock| {
    /// let page = session.messages().extra("status", "new").send().await?;
    /// # let query = &mock.requests()[1].target;
    /// # assert!(query.ends_with("&status=new"), "{query}");
    /// # Ok(()) });
    /// ```
    pub fn extra(mut self, name: impl Into<String>, value: impl ToString) -> Self {
        self.extra.push((name.into(), value.to_string()));
        self
    }

    /// Calls `setter` with the value if `value` is not `None`; see [`CreateSession::set`](crate::CreateSession::set).
    pub fn set<T>(self, value: Option<T>, setter: impl FnOnce(Self, T) -> Self) -> Self {
        match value {
            Some(value) => setter(self, value),
            None => self,
        }
    }

    /// Reads one page.
    ///
    /// # Errors
    /// Returns an error if the input is invalid, before anything is sent. Returns any error of the request.
    ///
    /// ```
    /// # mod doctest { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doctest.rs")); }
    /// # doctest::with_session(async |session, client, mock| {
    /// let page = session.messages().send().await?;
    /// assert_eq!(page.total_pages(), Some(1));
    /// # Ok(()) });
    /// ```
    pub async fn send(&self) -> Result<Page, Error> {
        if !(1..=100).contains(&self.limit) || self.page == 0 {
            return Err(Error::invalid_input(format!(
                "page {} of {} messages: pages count from 1 and have 1 to 100 messages",
                self.page, self.limit
            )));
        }
        self.fetch(Admission::Wait(Priority::Interactive)).await
    }

    /// Streams all selected messages, which are read page by page. The stream does not keep the messages that it has
    /// returned, so a session that does not fit into memory can be read.
    ///
    /// Messages may be added and deleted while the stream reads. If a message exists during the whole read, the stream
    /// returns the message exactly once, and in order. A late message is a message that the service adds before
    /// messages that the stream has already read. A late message moves the messages after it to other positions. If the
    /// stream notices such a move, it searches the last 1,000 messages for late messages when it reaches the end of the
    /// list, and returns them at the end. With [`newest_first`](Self::newest_first), it does not search.
    ///
    /// A message without an id is identified by all its fields, such as its time and its text. Two messages without ids
    /// count as one message if all their fields are equal.
    ///
    /// For a message larger than [`max_body`](crate::ClientBuilder::max_body), the stream returns an error, and
    /// continues with the next message. Any other error ends the stream. If the service ignores the requested page
    /// size, a page larger than `max_body` also ends the stream.
    ///
    /// If the pages contain fewer messages than the total number that the service reports, the stream ends with the
    /// error [`Incomplete`](crate::ErrorKind::Incomplete). The stream ends with the same error if the pages only repeat
    /// messages that were already read, unless the total shows that all messages were read. The error says how many
    /// messages are missing, if this number is known.
    ///
    /// ```
    /// # mod doctest { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doctest.rs")); }
    /// # doctest::with_session(async |session, client, mock| {
    /// # session.first_reply().await?;
    /// let mut messages = session.messages().stream();
    /// let mut last = None;
    /// while let Some(message) = messages.next().await {
    ///     last = message?.message;
    /// }
    /// assert_eq!(last.as_deref(), Some("Done."));
    /// # Ok(()) });
    /// ```
    pub fn stream(self) -> MessageStream {
        MessageStream::new(self)
    }

    /// Returns all messages, and then each new message as it arrives. Only an error ends the watch.
    ///
    /// The watch returns each message exactly once, even if its `ts` is null, is out of order, or equals the `ts` of
    /// another message. A late message is a message that the service adds before messages that the watch has already
    /// read. The watch finds a late message if its position is among the last 1,000 messages. The watch polls every 2
    /// s, or less often if the rate limit requires this or if polls fail. Except for late messages, the order is always
    /// oldest first.
    ///
    /// [`Watch::from_now`] omits existing messages, and [`Watch::resume`] continues after a restart. Transient errors
    /// do not end the watch; [`Watch::next_event`] reports transient errors. For some errors, the watch cannot know
    /// whether they are transient, for example for a 409, or for a 403 whose body is not JSON. The watch ends after
    /// three such errors in a row. For a message larger than [`max_body`](crate::ClientBuilder::max_body), the watch
    /// returns an error, and continues. Any other permanent error ends the watch immediately.
    ///
    /// ```
    /// # mod doctest { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doctest.rs")); }
    /// # doctest::with_session(async |session, client, mock| {
    /// use blocks_sdk::MessageType;
    ///
    /// let mut watch = session.messages().all().watch();
    /// while let Some(message) = watch.next().await {
    ///     let message = message?;
    ///     println!("{}", message.message.unwrap_or_default());
    ///     if message.type_ == Some(MessageType::FinalMessage) {
    ///         break;
    ///     }
    /// }
    /// # Ok(()) });
    /// ```
    pub fn watch(mut self) -> Watch {
        self.direction = Direction::Asc;
        Watch::new(self)
    }

    /// Reads all messages of [`stream`](Self::stream) into memory.
    ///
    /// # Errors
    /// Returns the first error of the stream. A message that is too large also causes an error.
    ///
    /// ```
    /// # mod doctest { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doctest.rs")); }
    /// # doctest::with_session(async |session, client, mock| {
    /// # session.first_reply().await?;
    /// let messages = session.messages().collect().await?;
    /// let last = messages.last().and_then(|message| message.message.as_deref());
    /// assert_eq!(last, Some("Done."));
    /// # Ok(()) });
    /// ```
    pub async fn collect(self) -> Result<Vec<Message>, Error> {
        let mut stream = self.stream();
        let mut all = Vec::new();
        while let Some(message) = stream.next().await {
            all.push(message?);
        }
        Ok(all)
    }

    pub(crate) fn client(&self) -> &Client {
        &self.client
    }

    pub(crate) fn session_id(&self) -> &Id {
        &self.session_id
    }

    pub(crate) fn is_descending(&self) -> bool {
        self.direction == Direction::Desc
    }

    /// Returns one query for each role of this query, for a deployment that accepts only one role in a request.
    pub(crate) fn by_role(&self) -> Vec<Self> {
        let one = |role: &MessageRole| self.clone().roles([role.clone()]);
        self.roles.iter().map(one).collect()
    }

    pub(crate) fn has_many_roles(&self) -> bool {
        self.roles.len() > 1
    }

    /// Reads one page. If the deployment rejects several `role` parameters, reads each role separately and merges the
    /// responses. Later requests of the client also read each role separately.
    async fn fetch(&self, admission: Admission) -> Result<Page, Error> {
        let split = &self.client.resources.one_role_at_a_time;
        if !self.has_many_roles() || !split.load(Ordering::Relaxed) {
            match self.read(admission).await {
                Err(error) if self.has_many_roles() && error.status() == Some(422) => {}
                result => return result,
            }
        }
        let page = MergedPages::by_role(self.clone(), Start::First)
            .page(self.page, self.limit)
            .await?;
        split.store(true, Ordering::Relaxed);
        Ok(Page::without_response(self.clone(), Box::new(page)))
    }

    /// Reads one page in one request.
    pub(crate) async fn read(&self, admission: Admission) -> Result<Page, Error> {
        let result = Page::fetch(self.clone(), self.url()?, admission).await;
        result.map_err(|error| error.with_session(&self.session_id))
    }

    /// Reads one page in one attempt with a permit that the caller has acquired. A wait that also reads the agent's
    /// messages uses this method to poll.
    pub(crate) async fn read_with_permit(
        &self,
        permit: Permit,
        deadline: Instant,
    ) -> Result<(Page, AttemptResult), Error> {
        Page::fetch_with_permit(self.clone(), self.url()?, permit, deadline).await
    }

    fn url(&self) -> Result<Url, Error> {
        let mut url = self.client.engine.core.base.clone();
        let session = segment(&self.session_id);
        url.set_path(&match self.path_thread.as_ref().map(segment) {
            Some(thread) => format!("/rest/v1/sessions/{session}/threads/{thread}/messages"),
            None => format!("/rest/v1/sessions/{session}/messages"),
        });
        if self.newer_than.is_some_and(|ts| !ts.is_finite()) {
            return Err(Error::invalid_input("newer_than must be a finite number"));
        }
        let own = |(name, _): &&(String, String)| PARAMETERS.contains(&name.as_str());
        if let Some((name, _)) = self.extra.iter().find(own) {
            return Err(Error::invalid_input(format!(
                "the extra parameter `{name}` has its own method; use that"
            )));
        }
        let mut query = url.query_pairs_mut();
        // An array is sent as one parameter for each item, because the service rejects a value such as `a,b`.
        for value in &self.types {
            query.append_pair("type", value.as_str());
        }
        for value in &self.roles {
            query.append_pair("role", value.as_str());
        }
        if let Some(id) = &self.thread_id {
            query.append_pair("thread_id", id.as_str());
        }
        if let Some(ts) = self.newer_than {
            query.append_pair("gts", &ts.to_string());
        }
        query.append_pair("page", &self.page.to_string());
        query.append_pair("limit", &self.limit.to_string());
        query.append_pair("direction", self.direction.as_str());
        query.extend_pairs(&self.extra);
        drop(query);
        Ok(url)
    }
}
