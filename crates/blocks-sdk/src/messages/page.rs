//! One page of messages.

use std::time::Duration;

use blocks_api::types;
use chrono::{DateTime, Utc};
use reqwest::Url;

use crate::client::Client;
use crate::client::link::Link;
use crate::engine::call::{Admission, Operation};
use crate::engine::error::Error;
use crate::engine::link::follow;

/// The parameters that say which part of the list a page is. A link to the same page has them; a
/// link to later messages must not.
const POSITION: [&str; 2] = ["page", "gts"];

/// One page of messages.
///
/// ```
/// # #[tokio::main(flavor = "current_thread", start_paused = true)]
/// # async fn main() -> Result<(), blocks_sdk::Error> {
/// # let mock = blocks_mock::Mock::new();
/// # let client = blocks_sdk::Client::builder(mock.key()).service(mock.service()).build()?;
/// # let request = blocks_sdk::CreateSession::new(blocks_sdk::Agent::claude(), "Go.");
/// # let session = client.create_session(request).await?;
/// # session.reply().await?;
/// let page = session.messages().limit(2).send().await?;
/// assert_eq!(page.messages().len(), 2);
/// assert_eq!((page.total(), page.total_pages()), (Some(3), Some(2)));
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Page {
    data: types::MessagePage,
    /// The parameters that it was requested with. The service's links drop them.
    parameters: Vec<(String, String)>,
}

impl Page {
    /// Reads the page at `url`, which is at home already.
    pub(crate) async fn fetch(
        client: &Client,
        url: Url,
        admission: Admission,
    ) -> Result<Self, Error> {
        let operation = if url.path().contains("/threads/") {
            Operation::LIST_THREAD_MESSAGES
        } else {
            Operation::LIST_SESSION_MESSAGES
        };
        let parameters = url.query_pairs().into_owned().collect();
        let send = |api| follow::<types::MessagePage>(api, operation, url.clone());
        let data = client.engine.call(operation, admission, send).await?;
        Ok(Self { data, parameters })
    }

    /// A page put together from several, which has no links.
    pub(crate) fn merged(data: types::MessagePage) -> Self {
        Self {
            data,
            parameters: Vec::new(),
        }
    }

    /// The messages, in the order that was asked for.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)]
    /// # async fn main() -> Result<(), blocks_sdk::Error> {
    /// # let mock = blocks_mock::Mock::new();
    /// # let client = blocks_sdk::Client::builder(mock.key()).service(mock.service()).build()?;
    /// # let request = blocks_sdk::CreateSession::new(blocks_sdk::Agent::claude(), "Go.");
    /// # let session = client.create_session(request).await?;
    /// for message in session.messages().send().await?.messages() {
    ///     println!("{}", message.message.as_deref().unwrap_or_default());
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub fn messages(&self) -> &[types::Message] {
        &self.data.items
    }

    /// The messages, to keep.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)]
    /// # async fn main() -> Result<(), blocks_sdk::Error> {
    /// # let mock = blocks_mock::Mock::new();
    /// # let client = blocks_sdk::Client::builder(mock.key()).service(mock.service()).build()?;
    /// # let request = blocks_sdk::CreateSession::new(blocks_sdk::Agent::claude(), "Go.");
    /// # let session = client.create_session(request).await?;
    /// let messages = session.messages().send().await?.into_messages();
    /// assert_eq!(messages.len(), 1);
    /// # Ok(())
    /// # }
    /// ```
    pub fn into_messages(self) -> Vec<types::Message> {
        self.data.items
    }

    /// Messages over all pages, where the service says.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)]
    /// # async fn main() -> Result<(), blocks_sdk::Error> {
    /// # let mock = blocks_mock::Mock::new();
    /// # let client = blocks_sdk::Client::builder(mock.key()).service(mock.service()).build()?;
    /// # let request = blocks_sdk::CreateSession::new(blocks_sdk::Agent::claude(), "Go.");
    /// # let session = client.create_session(request).await?;
    /// # session.reply().await?;
    /// // A look that reads one message tells how many there are.
    /// assert_eq!(session.messages().limit(1).send().await?.total(), Some(3));
    /// # Ok(())
    /// # }
    /// ```
    pub fn total(&self) -> Option<u64> {
        u64::try_from(self.data.meta.as_ref()?.total?).ok()
    }

    /// Pages in all, where the service says.
    pub fn total_pages(&self) -> Option<u64> {
        u64::try_from(self.data.meta.as_ref()?.total_pages?).ok()
    }

    /// The page size, where the service says.
    pub(crate) fn limit(&self) -> Option<u64> {
        let limit = u64::try_from(self.data.meta.as_ref()?.limit?).ok()?;
        (limit > 0).then_some(limit)
    }

    /// The link to this page, with the parameters that the service leaves out of it.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)]
    /// # async fn main() -> Result<(), blocks_sdk::Error> {
    /// # let mock = blocks_mock::Mock::new();
    /// # let client = blocks_sdk::Client::builder(mock.key()).service(mock.service()).build()?;
    /// # let request = blocks_sdk::CreateSession::new(blocks_sdk::Agent::claude(), "Go.");
    /// # let session = client.create_session(request).await?;
    /// let page = session.messages().send().await?;
    /// let again = client.follow(&page.self_link().expect("a page has it")).await?;
    /// assert_eq!(again.messages(), page.messages());
    /// # Ok(())
    /// # }
    /// ```
    pub fn self_link(&self) -> Option<Link<Self>> {
        let link = self.data.links.as_ref()?.self_.as_ref()?;
        Some(self.completed(&link.href, |_| true))
    }

    /// The link to the messages that came after this page's, with the same filters.
    ///
    /// Its cursor is strict, so a message with an equal, late or missing `ts` is not behind
    /// it: [`Messages::watch`](crate::Messages::watch) loses none.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)]
    /// # async fn main() -> Result<(), blocks_sdk::Error> {
    /// # let mock = blocks_mock::Mock::new();
    /// # let client = blocks_sdk::Client::builder(mock.key()).service(mock.service()).build()?;
    /// # let request = blocks_sdk::CreateSession::new(blocks_sdk::Agent::claude(), "Go.");
    /// # let session = client.create_session(request).await?;
    /// let page = session.messages().send().await?;
    /// session.reply().await?;
    /// let newer = client.follow(&page.newer_link().expect("a page has it")).await?;
    /// let last = newer.messages().last().and_then(|message| message.message.as_deref());
    /// assert_eq!(last, Some("Done."));
    /// # Ok(())
    /// # }
    /// ```
    pub fn newer_link(&self) -> Option<Link<Self>> {
        let link = self.data.links.as_ref()?.new_messages.as_ref()?;
        Some(self.completed(&link.href, |name| !POSITION.contains(&name)))
    }

    /// `href` with those of the parameters that it lacks and `wanted` accepts.
    fn completed(&self, href: &str, wanted: impl Fn(&str) -> bool) -> Link<Self> {
        let href = href.split('#').next().unwrap_or_default();
        let (path, query) = href.split_once('?').unwrap_or((href, ""));
        let has = |name: &str| {
            query
                .split('&')
                .any(|pair| pair.split('=').next() == Some(name))
        };
        // Form encoding, by the library that reads it again.
        let Ok(mut encoder) = Url::parse("http://localhost/") else {
            return Link::new(href);
        };
        encoder.set_query(Some(query).filter(|query| !query.is_empty()));
        let missing = |(name, _): &&(String, String)| wanted(name) && !has(name);
        for (name, value) in self.parameters.iter().filter(missing) {
            encoder.query_pairs_mut().append_pair(name, value);
        }
        let query = encoder.query().map(|q| format!("?{q}")).unwrap_or_default();
        Link::new(format!("{path}{query}"))
    }

    /// Everything the service sent.
    pub fn data(&self) -> &types::MessagePage {
        &self.data
    }
}

/// When a message was written: its `ts`, or its creation where it has none.
pub(crate) fn time(message: &types::Message) -> Option<f64> {
    message.ts.or_else(|| {
        let created: DateTime<Utc> = message.created_at.as_ref()?.utc();
        let since = created.signed_duration_since(DateTime::UNIX_EPOCH);
        since.to_std().ok().map(|d: Duration| d.as_secs_f64())
    })
}
