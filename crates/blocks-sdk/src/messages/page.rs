//! Reads one page of messages.

use std::time::Duration;

use blocks_api::types;
use chrono::{DateTime, Utc};
use reqwest::Url;
use tokio::time::Instant;

use crate::engine::attempt::AttemptResult;
use crate::engine::call::{Admission, BoxFuture, Operation};
use crate::engine::error::Error;
use crate::engine::link::follow;
use crate::engine::rate_limit::Permit;
use crate::engine::response::ResponseInfo;
use crate::messages::MessagesQuery;

/// Contains one page of messages.
///
/// ```
/// # mod doctest { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doctest.rs")); }
/// # doctest::with_session(async |session, client, mock| {
/// # session.first_reply().await?;
/// let page = session.messages().limit(2).send().await?;
/// assert_eq!(page.messages().len(), 2);
/// assert_eq!((page.total(), page.total_pages()), (Some(3), Some(2)));
/// # Ok(()) });
/// ```
#[derive(Clone, Debug)]
pub struct Page {
    query: MessagesQuery,
    data: Box<types::MessagePage>,
    /// The status and the headers of the response. `None` if the page was merged from several responses, or was read by
    /// a wait for a reply.
    response: Option<ResponseInfo>,
}

impl Page {
    pub(crate) fn without_response(query: MessagesQuery, data: Box<types::MessagePage>) -> Self {
        Self {
            query,
            data,
            response: None,
        }
    }

    /// Reads the page of `query` at `url`.
    pub(crate) fn fetch(
        query: MessagesQuery,
        url: Url,
        admission: Admission,
    ) -> BoxFuture<'static, Result<Self, Error>> {
        Box::pin(async move {
            let operation = operation_of(&url);
            let send = |api| follow::<types::MessagePage>(api, operation, url.clone());
            let engine = &query.client().engine;
            let (data, response) = engine.call(operation, admission, send).await?;
            Ok(Self {
                query,
                data,
                response: Some(response),
            })
        })
    }

    /// Reads the page in one attempt with a permit that the caller has acquired. The attempt must end by `deadline`.
    /// Returns the page, and the response from which it was read.
    pub(crate) fn fetch_with_permit(
        query: MessagesQuery,
        url: Url,
        permit: Permit,
        deadline: Instant,
    ) -> BoxFuture<'static, Result<(Self, AttemptResult), Error>> {
        Box::pin(async move {
            let operation = operation_of(&url);
            let send = |api| follow::<types::MessagePage>(api, operation, url.clone());
            let engine = &query.client().engine;
            let poll = engine.call_with_permit(operation, permit, deadline, send);
            let (data, result) = poll.await?;
            Ok((Self::without_response(query, data), result))
        })
    }

    /// Returns the messages, in the requested order.
    ///
    /// ```
    /// # mod doctest { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doctest.rs")); }
    /// # doctest::with_session(async |session, client, mock| {
    /// for message in session.messages().send().await?.messages() {
    ///     println!("{}", message.message.as_deref().unwrap_or_default());
    /// }
    /// # Ok(()) });
    /// ```
    pub fn messages(&self) -> &[types::Message] {
        &self.data.items
    }

    /// Returns the messages and consumes the page.
    ///
    /// ```
    /// # mod doctest { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doctest.rs")); }
    /// # doctest::with_session(async |session, client, mock| {
    /// let messages = session.messages().send().await?.into_messages();
    /// assert_eq!(messages.len(), 1);
    /// # Ok(()) });
    /// ```
    pub fn into_messages(self) -> Vec<types::Message> {
        self.data.items
    }

    /// Returns the number of messages in all pages, if the service reports this number.
    ///
    /// ```
    /// # mod doctest { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doctest.rs")); }
    /// # doctest::with_session(async |session, client, mock| {
    /// # session.first_reply().await?;
    /// // A page of one message is enough to read the total.
    /// assert_eq!(session.messages().limit(1).send().await?.total(), Some(3));
    /// # Ok(()) });
    /// ```
    pub fn total(&self) -> Option<u64> {
        u64::try_from(self.data.meta.as_ref()?.total?).ok()
    }

    /// Returns the number of pages, if the service reports this number.
    pub fn total_pages(&self) -> Option<u64> {
        u64::try_from(self.data.meta.as_ref()?.total_pages?).ok()
    }

    /// Returns the page size, if the service reports the page size.
    pub(crate) fn limit(&self) -> Option<u64> {
        let limit = u64::try_from(self.data.meta.as_ref()?.limit?).ok()?;
        (limit > 0).then_some(limit)
    }

    /// Reads the next page. Returns `None` if this page is the last.
    ///
    /// Messages that are added or deleted can move other messages to another page, so this method may repeat or miss
    /// messages. [`MessagesQuery::stream`] notices such moves, and loses no message that exists during the whole read.
    ///
    /// # Errors
    /// Returns the errors of [`MessagesQuery::send`].
    ///
    /// ```
    /// # mod doctest { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doctest.rs")); }
    /// # doctest::with_session(async |session, client, mock| {
    /// # session.first_reply().await?;
    /// let mut page = session.messages().limit(2).send().await?;
    /// let mut messages = page.messages().to_vec();
    /// while let Some(next) = page.next().await? {
    ///     messages.extend_from_slice(next.messages());
    ///     page = next;
    /// }
    /// assert_eq!(messages.len(), 3);
    /// # Ok(()) });
    /// ```
    pub async fn next(&self) -> Result<Option<Self>, Error> {
        let number = self.query.page;
        let is_last = match self.total_pages() {
            Some(pages) => number >= pages,
            // If the service does not report the number of pages, a page with fewer messages than requested is the last
            // page.
            None => (self.messages().len() as u64) < self.query.limit,
        };
        if is_last {
            return Ok(None);
        }
        let query = self.query.clone().page(number.saturating_add(1));
        query.send().await.map(Some)
    }

    /// Reads the first page of the messages that were added after this page was read. Uses the same filters, order and
    /// page size as the query of this page. Returns `None` when the page has no link to newer messages, or when this
    /// link contains no time.
    ///
    /// The service puts a time into this link. The link selects only messages whose `ts` is greater than this time. So
    /// this method does not find messages whose `ts` is equal, smaller or missing.
    /// [`MessagesQuery::watch`](crate::MessagesQuery::watch) also finds such messages.
    ///
    /// # Errors
    /// Returns the errors of [`MessagesQuery::send`].
    ///
    /// ```
    /// # mod doctest { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doctest.rs")); }
    /// # doctest::with_session(async |session, client, mock| {
    /// let page = session.messages().send().await?;
    /// session.first_reply().await?;
    /// let newer = page.newer().await?.expect("the service names the newest time");
    /// let last = newer.messages().last().and_then(|message| message.message.as_deref());
    /// assert_eq!(last, Some("Done."));
    /// # Ok(()) });
    /// ```
    pub async fn newer(&self) -> Result<Option<Self>, Error> {
        // This method does not follow the link, because the link lacks the filters of the query, and its host can
        // differ from the base URL. It takes only the time in the link's parameter `gts`, and adds this time to the
        // query.
        let link = self
            .data
            .links
            .as_ref()
            .and_then(|links| links.new_messages.as_ref());
        let query = link.and_then(|link| link.href.split('#').next()?.split_once('?'));
        let pairs = query.map(|(_, query)| url_pairs(query)).unwrap_or_default();
        let cursor = pairs.into_iter().find(|(name, _)| name == "gts");
        let Some(Ok(time)) = cursor.map(|(_, value)| value.parse::<f64>()) else {
            return Ok(None);
        };
        let query = self.query.clone().page(1).newer_than(time);
        query.send().await.map(Some)
    }

    /// Returns the status and the headers of the response. Returns `None` if the page was merged from several
    /// responses.
    pub fn response(&self) -> Option<&ResponseInfo> {
        self.response.as_ref()
    }

    /// Returns all data that the service sent.
    pub fn data(&self) -> &types::MessagePage {
        &self.data
    }
}

/// Returns the decoded names and values of a URL's query.
fn url_pairs(query: &str) -> Vec<(String, String)> {
    let Ok(mut url) = Url::parse("http://localhost/") else {
        return Vec::new();
    };
    url.set_query(Some(query));
    url.query_pairs().into_owned().collect()
}

fn operation_of(url: &Url) -> Operation {
    match url.path().contains("/threads/") {
        true => Operation::LIST_THREAD_MESSAGES,
        false => Operation::LIST_SESSION_MESSAGES,
    }
}

/// Returns the `ts` of a message, or else its creation time, in epoch seconds.
pub(crate) fn time(message: &types::Message) -> Option<f64> {
    message.ts.or_else(|| {
        let created: DateTime<Utc> = message.created_at.as_ref()?.utc();
        let since = created.signed_duration_since(DateTime::UNIX_EPOCH);
        since.to_std().ok().map(|d: Duration| d.as_secs_f64())
    })
}
