//! A link knows what it leads to, and is followed at home: its path and query are kept, its
//! origin is the configured base URL's.

use std::fmt;
use std::future::Future;
use std::marker::PhantomData;

use blocks_api::{seam, types};
use percent_encoding::percent_decode_str;
use reqwest::Url;

use crate::call::{Admission, Api, Operation};
use crate::client::{Client, Core};
use crate::error::Error;
use crate::page::Page;
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
        let url = client.core.resolve(href)?;
        let operation = Operation::GET_SESSION;
        let send = |api| follow::<types::Session>(api, operation, url.clone());
        let admission = Admission::Wait(operation.priority());
        let data = client.call(operation, admission, send).await?;
        Ok(Self::with_data(client.clone(), data))
    }
}

impl Linked for Page {
    async fn read(client: &Client, href: &str) -> Result<Self, Error> {
        let url = client.core.resolve(href)?;
        let admission = Admission::Wait(Operation::LIST_SESSION_MESSAGES.priority());
        Self::fetch(client, url, admission).await
    }
}

/// [`seam::follow`] over a client of one's own, as a call needs it.
pub(crate) async fn follow<T: serde::de::DeserializeOwned>(
    api: Api,
    operation: Operation,
    url: Url,
) -> Result<blocks_api::ResponseValue<T>, blocks_api::Error<()>> {
    seam::follow(&api, operation.id, url).await
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

impl Core {
    /// Where to send the request for `href`.
    pub fn resolve(&self, href: &str) -> Result<Url, Error> {
        resolve(&self.base, href).map_err(|why| {
            // A server may put into a link whatever it was sent.
            let told = format!("the link `{href}` is refused: {why}");
            Error::untrusted_link(self.key.scrub(told))
        })
    }
}

/// On `base`'s origin, below `/rest/v1/`; or why not.
/// The server builds links from its own environment, so their host is not trusted.
fn resolve(base: &Url, href: &str) -> Result<Url, String> {
    let link = base.join(href).map_err(|e| e.to_string())?;
    if !matches!(link.scheme(), "http" | "https") {
        return Err("its scheme is not http or https".into());
    }
    // Parsing has resolved `..` already. An encoded slash, which an id may contain, must not hide one from it.
    let decoded = percent_decode_str(link.path()).decode_utf8_lossy();
    let mut parts = decoded.split(['/', '\\']);
    if parts.any(|part| part == "..") || !link.path().starts_with("/rest/v1/") {
        return Err("its path is not below /rest/v1/".into());
    }
    let mut url = base.clone();
    url.set_path(link.path());
    url.set_query(link.query());
    url.set_fragment(None);
    Ok(url)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn base() -> Url {
        Url::parse("https://api.blocks.team").unwrap()
    }

    #[test]
    fn every_link_ends_on_the_base_or_is_refused() {
        let good = "https://api.blocks.team/rest/v1/sessions/1?type=a";
        for href in [
            "https://api.prod.blocks.team/rest/v1/sessions/1?type=a",
            "//evil.example/rest/v1/sessions/1?type=a#x",
            "/rest/v1/sessions/1?type=a",
            "/rest/v1/x/../sessions/1?type=a",
            "https://user:pass@evil.example/rest/v1/sessions/1?type=a",
        ] {
            assert_eq!(resolve(&base(), href).unwrap().as_str(), good, "{href}");
        }
        for href in [
            "/rest/v1/../../etc",
            "/rest/v1/%2e%2e/x",
            "/rest/v1/..%2Fx",
            "/rest/v1/..%5cx",
            "/rest/v2/x",
            "/REST/v1/x",
            "file:///rest/v1/x",
            "data:x",
            "javascript:/rest/v1/",
            "http://",
            "",
        ] {
            assert!(resolve(&base(), href).is_err(), "{href}");
        }
        for path in ["/rest/v1/a%20b", "/rest/v1/a%2Fb", "/rest/v1/a%2e%2eb"] {
            assert_eq!(resolve(&base(), path).unwrap().path(), path);
        }
    }

    proptest! {
        #[test]
        fn no_string_leads_to_a_foreign_origin(
            scheme in "(https?:|ftp:|)", slashes in r"[/\\]{0,3}", host in "[a-z@:.%0-9]{0,12}", path in ".*",
        ) {
            for href in [format!("{scheme}{slashes}{host}/rest/v1/{path}"), path] {
                if let Ok(url) = resolve(&base(), &href) {
                    prop_assert_eq!(url.origin(), base().origin());
                    prop_assert!(url.path().starts_with("/rest/v1/"));
                    prop_assert!(url.username().is_empty() && url.password().is_none());
                }
            }
        }
    }
}
