//! Where requests go: a socket, or a service in the same process.

use std::error::Error as StdError;
use std::fmt;
use std::future::{Future, poll_fn};
use std::io;
use std::pin::Pin;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use bytes::Bytes;
use futures_util::TryFutureExt;
use http_body::{Body, Frame, SizeHint};
use reqwest::{Request, Response};
use tower_service::Service;

use crate::engine::error::Error;
use crate::engine::http::{CONNECT_TIMEOUT, no_http, safe};

type BoxError = Box<dyn StdError + Send + Sync>;

/// The future of [`Transport::send`].
pub type SendFuture<'a> = Pin<Box<dyn Future<Output = Result<Response, SendError>> + Send + 'a>>;

/// Sends one request once: no retry, no redirect, no header of its own.
///
/// Implement it for recordings and tests. [`HttpTransport`] sends over a socket, and
/// [`ClientBuilder::service`](crate::ClientBuilder::service) takes any tower service. It is not implemented for
/// [`reqwest::Client`], which by default follows redirects: a create could have its effect several times.
///
/// ```
/// use blocks_sdk::{Client, HttpTransport, SendFuture, Transport};
///
/// /// Prints each request before it is sent.
/// struct Printing<T>(T);
///
/// impl<T: Transport> Transport for Printing<T> {
///     fn send(&self, request: reqwest::Request) -> SendFuture<'_> {
///         eprintln!("{} {}", request.method(), request.url().path());
///         self.0.send(request)
///     }
/// }
///
/// let http = HttpTransport::new(|http| http)?;
/// let client = Client::builder("my-key").transport(Printing(http)).build()?;
/// # Ok::<(), blocks_sdk::Error>(())
/// ```
pub trait Transport: Send + Sync + 'static {
    /// Sends `request`, which carries the API key unless it is a download.
    ///
    /// # Errors
    /// When no response came. The error says whether the request can have been received, by
    /// which a create is sent again or not.
    fn send(&self, request: Request) -> SendFuture<'_>;
}

/// Why no response came, and whether the request can have reached the server.
///
/// ```
/// # #[tokio::main(flavor = "current_thread", start_paused = true)]
/// # async fn main() -> Result<(), blocks_sdk::Error> {
/// # use blocks_sdk::{Agent, Client, CreateSession, SendError, SendFuture, Transport};
/// struct Broken;
///
/// impl Transport for Broken {
///     fn send(&self, _: reqwest::Request) -> SendFuture<'_> {
///         Box::pin(async { Err(SendError::may_be_sent("the cable was cut")) })
///     }
/// }
///
/// let client = Client::builder("my-key").transport(Broken).build()?;
/// let create = CreateSession::new(Agent::claude(), "Go.");
/// let error = client.create_session(create).await.unwrap_err();
/// assert!(error.may_have_taken_effect() && error.attempts() == 1);
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct SendError {
    never_sent: bool,
    source: BoxError,
}

impl SendError {
    /// Not one byte of the request was written: it is safe to send it again.
    ///
    /// ```
    /// let error = blocks_sdk::SendError::never_sent("no route to the host");
    /// assert_eq!(error.to_string(), "the request could not be sent");
    /// ```
    pub fn never_sent(source: impl Into<BoxError>) -> Self {
        Self {
            never_sent: true,
            source: source.into(),
        }
    }

    /// The request may have been received. When in doubt, this is the truth to tell.
    ///
    /// ```
    /// use std::error::Error;
    ///
    /// let error = blocks_sdk::SendError::may_be_sent("the connection was reset");
    /// assert_eq!(error.source().unwrap().to_string(), "the connection was reset");
    /// ```
    pub fn may_be_sent(source: impl Into<BoxError>) -> Self {
        Self {
            never_sent: false,
            source: source.into(),
        }
    }

    /// Whether it is certain that the request was not sent.
    pub fn is_never_sent(&self) -> bool {
        self.never_sent
    }
}

impl fmt::Display for SendError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.never_sent {
            "the request could not be sent"
        } else {
            "the connection closed after the request may have been sent"
        })
    }
}

impl StdError for SendError {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        Some(self.source.as_ref())
    }
}

impl Transport for std::sync::Arc<dyn Transport> {
    fn send(&self, request: Request) -> SendFuture<'_> {
        (**self).send(request)
    }
}

/// Sends requests over HTTP, each of them once: the inner transport for a [`Transport`] that adds something to it.
#[derive(Clone, Debug)]
pub struct HttpTransport(pub(crate) reqwest::Client);

impl HttpTransport {
    /// A transport over a client that `configure` sets up, for example with a proxy or a certificate.
    ///
    /// Redirects and retries are switched off after it. Proxies of the environment are not used.
    ///
    /// # Errors
    /// [`ErrorKind::Configuration`](crate::ErrorKind::Configuration) when the client cannot be set up.
    pub fn new(
        configure: impl FnOnce(reqwest::ClientBuilder) -> reqwest::ClientBuilder,
    ) -> Result<Self, Error> {
        let builder = configure(reqwest::Client::builder().no_proxy());
        let client = safe(builder, CONNECT_TIMEOUT).build().map_err(no_http)?;
        Ok(Self(client))
    }
}

impl Transport for HttpTransport {
    fn send(&self, request: Request) -> SendFuture<'_> {
        Box::pin(self.0.execute(request).map_err(|error| {
            // A pooled connection that the server closed before anything was written on it is
            // "canceled" to hyper.
            let canceled = sources(&error)
                .filter_map(|e| e.downcast_ref::<hyper::Error>())
                .any(hyper::Error::is_canceled);
            let never_sent = error.is_connect() || error.is_builder() || canceled;
            // The URL is in the operation's name already, and may be presigned.
            let error = error.without_url();
            if never_sent {
                SendError::never_sent(error)
            } else {
                SendError::may_be_sent(error)
            }
        }))
    }
}

/// A tower service as a transport. Its error counts as "never sent" when an
/// [`io::ErrorKind::ConnectionRefused`] is its cause.
///
/// The mutex is held only to clone the service, so that services which are not `Sync` can be used.
pub(crate) struct ServiceTransport<S>(Mutex<S>);

impl<S> ServiceTransport<S> {
    pub fn new(service: S) -> Self {
        Self(Mutex::new(service))
    }
}

/// A body that can be shared between threads as reqwest requires, although only its owner reads it: axum's is not `Sync`.
struct SyncBody<B>(Mutex<Pin<Box<B>>>);

impl<B: Body> Body for SyncBody<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        let body = self.get_mut().0.get_mut();
        let body = body.unwrap_or_else(PoisonError::into_inner);
        body.as_mut().poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        lock(&self.0).is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        lock(&self.0).size_hint()
    }
}

/// The lock, also after a panic of another thread, since nothing is changed under it.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl<S, B> Transport for ServiceTransport<S>
where
    S: Service<http::Request<reqwest::Body>, Response = http::Response<B>>,
    S: Clone + Send + 'static,
    S::Error: Into<BoxError>,
    S::Future: Send,
    B: Body<Data = Bytes> + Send + 'static,
    B::Error: Into<BoxError>,
{
    fn send(&self, request: Request) -> SendFuture<'_> {
        // A service is made ready and called by one owner.
        let mut service = lock(&self.0).clone();
        Box::pin(async move {
            let request = http::Request::try_from(request).map_err(SendError::never_sent)?;
            poll_fn(|context| service.poll_ready(context))
                .await
                .map_err(SendError::never_sent)?;
            let response = service.call(request).await.map_err(|error| {
                let error: BoxError = error.into();
                let refused = sources(error.as_ref())
                    .filter_map(|e| e.downcast_ref::<io::Error>())
                    .any(|e| e.kind() == io::ErrorKind::ConnectionRefused);
                if refused {
                    SendError::never_sent(error)
                } else {
                    SendError::may_be_sent(error)
                }
            })?;
            let response = response.map(|body| SyncBody(Mutex::new(Box::pin(body))));
            Ok(response.map(reqwest::Body::wrap).into())
        })
    }
}

/// An error and what caused it, outermost first.
fn sources<'a>(
    error: &'a (dyn StdError + 'static),
) -> impl Iterator<Item = &'a (dyn StdError + 'static)> {
    std::iter::successors(Some(error), |&error| error.source())
}
