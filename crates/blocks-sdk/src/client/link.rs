//! A link knows what it leads to.

use std::fmt;
use std::future::Future;
use std::marker::PhantomData;

use blocks_api::types;

use crate::client::Client;
use crate::engine::call::{Admission, Operation};
use crate::engine::error::Error;
use crate::engine::link::follow;
use crate::messages::page::Page;
use crate::session::Session;

/// A link to a `T`, as the service sent it. Follow it with [`Client::follow`].
///
/// ```
/// # #[tokio::main(flavor = "current_thread", start_paused = true)]
/// # async fn main() -> Result<(), blocks_sdk::Error> {
/// # let mock = blocks_mock::Mock::new();
/// # let client = blocks_sdk::Client::builder(mock.key()).service(mock.service()).build()?;
/// # let request = blocks_sdk::CreateSession::new(blocks_sdk::Agent::claude(), "Go.");
/// # let session = client.create_session(request).await?;
/// use blocks_sdk::{Link, Page};
///
/// let link: Link<Page> = session.messages_link().expect("a session has it");
/// let page = client.follow(&link).await?;
/// assert_eq!(page.messages().len(), 1, "the notice that the session begins");
/// # Ok(())
/// # }
/// ```
pub struct Link<T> {
    href: String,
    target: PhantomData<fn() -> T>,
}

impl<T> Link<T> {
    pub(crate) fn new(href: impl Into<String>) -> Self {
        Self {
            href: href.into(),
            target: PhantomData,
        }
    }

    /// The link of a response; `None` where it is missing or null.
    pub(crate) fn of(link: Option<&types::Link>) -> Option<Self> {
        link.map(|link| Self::new(&link.href))
    }

    /// The address. Its host can differ from the one that was called, and is not asked.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)]
    /// # async fn main() -> Result<(), blocks_sdk::Error> {
    /// # let mock = blocks_mock::Mock::new();
    /// # let client = blocks_sdk::Client::builder(mock.key()).service(mock.service()).build()?;
    /// # let request = blocks_sdk::CreateSession::new(blocks_sdk::Agent::claude(), "Go.");
    /// # let session = client.create_session(request).await?;
    /// let link = session.self_link().expect("a session has it");
    /// assert!(link.href().ends_with(&session.id().to_string()));
    /// # Ok(())
    /// # }
    /// ```
    pub fn href(&self) -> &str {
        &self.href
    }
}

impl<T> Clone for Link<T> {
    fn clone(&self) -> Self {
        Self::new(&self.href)
    }
}

impl<T> fmt::Debug for Link<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Link").field(&self.href).finish()
    }
}

impl<T> PartialEq for Link<T> {
    fn eq(&self, other: &Self) -> bool {
        self.href == other.href
    }
}

/// What a [`Link`] can lead to: a [`Session`] or a [`Page`], and nothing else.
///
/// ```
/// # #[tokio::main(flavor = "current_thread", start_paused = true)]
/// # async fn main() -> Result<(), blocks_sdk::Error> {
/// # let mock = blocks_mock::Mock::new();
/// # let client = blocks_sdk::Client::builder(mock.key()).service(mock.service()).build()?;
/// # let request = blocks_sdk::CreateSession::new(blocks_sdk::Agent::claude(), "Go.");
/// # let session = client.create_session(request).await?;
/// use blocks_sdk::{Client, Error, Link, Linked};
///
/// /// Follows a link where there is one.
/// async fn read<T: Linked>(client: &Client, link: Option<Link<T>>) -> Result<Option<T>, Error> {
///     Ok(match link {
///         Some(link) => Some(client.follow(&link).await?),
///         None => None,
///     })
/// }
/// assert!(read(&client, session.self_link()).await?.is_some());
/// # Ok(())
/// # }
/// ```
pub trait Linked: Sized + private::Sealed {
    /// Reads what is at `href`.
    #[doc(hidden)]
    fn read(client: &Client, href: &str) -> impl Future<Output = Result<Self, Error>> + Send;
}

mod private {
    pub trait Sealed {}
    impl Sealed for super::Session {}
    impl Sealed for super::Page {}
}

impl Linked for Session {
    async fn read(client: &Client, href: &str) -> Result<Self, Error> {
        let url = client.engine.core.resolve(href)?;
        let operation = Operation::GET_SESSION;
        let send = |api| follow::<types::Session>(api, operation, url.clone());
        let admission = Admission::Wait(operation.priority());
        let data = client.engine.call(operation, admission, send).await?;
        Ok(Self::with_data(client.clone(), data))
    }
}

impl Linked for Page {
    async fn read(client: &Client, href: &str) -> Result<Self, Error> {
        let url = client.engine.core.resolve(href)?;
        let admission = Admission::Wait(Operation::LIST_SESSION_MESSAGES.priority());
        Self::fetch(client, url, admission).await
    }
}

impl Client {
    /// Reads what `link` leads to, on the configured base URL whatever host it names.
    ///
    /// # Errors
    /// [`ErrorKind::UntrustedLink`](crate::ErrorKind::UntrustedLink) when its path is not below
    /// `/rest/v1/`; whatever the request met.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)]
    /// # async fn main() -> Result<(), blocks_sdk::Error> {
    /// # let mock = blocks_mock::Mock::new();
    /// # let client = blocks_sdk::Client::builder(mock.key()).service(mock.service()).build()?;
    /// # let request = blocks_sdk::CreateSession::new(blocks_sdk::Agent::claude(), "Go.");
    /// # let session = client.create_session(request).await?;
    /// let link = session.final_message_link().expect("a session just created has it");
    /// let page = client.follow(&link).await?;
    /// assert!(page.messages().is_empty(), "the agent still works");
    /// # Ok(())
    /// # }
    /// ```
    pub async fn follow<T: Linked>(&self, link: &Link<T>) -> Result<T, Error> {
        T::read(self, &link.href).await
    }
}
