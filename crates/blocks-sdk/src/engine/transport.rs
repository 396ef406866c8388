//! Sends requests over the network, or to a service in the same process, such as the mock server.

use std::error::Error as StdError;
use std::fmt;
use std::future::{Future, poll_fn, ready};
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body::{Body as HttpBody, Frame, SizeHint};
use tower_service::Service;

use crate::engine::body::{Body, BoxError};
use crate::engine::error::Error;
use crate::engine::http::{CONNECT_TIMEOUT, EnvironmentProxy, no_http, safe};

/// Names the type of the future that [`Transport::send`] returns.
pub type SendFuture<'a> =
    Pin<Box<dyn Future<Output = Result<Response<Body>, SendError>> + Send + 'a>>;

/// Sends one request once, without retries, redirects or extra headers.
///
/// Implement this trait to record requests or to test a program. [`HttpTransport`] sends over a socket, and
/// [`ClientBuilder::service`](crate::ClientBuilder::service) accepts any tower service.
///
/// ```
/// use blocks_sdk::{Body, Client, HttpTransport, SendFuture, Transport};
/// use std::time::Duration;
///
/// /// Prints each request before it is sent.
/// struct Printing<T>(T);
///
/// impl<T: Transport> Transport for Printing<T> {
///     fn send(&self, request: http::Request<Body>) -> SendFuture<'_> {
///         eprintln!("{} {}", request.method(), request.uri().path());
///         self.0.send(request)
///     }
///
///     fn connect_timeout(&self) -> Option<Duration> {
///         self.0.connect_timeout()
///     }
/// }
///
/// let http = HttpTransport::new()?;
/// let client = Client::builder("my-key").transport(Printing(http)).build()?;
/// # Ok::<(), blocks_sdk::Error>(())
/// ```
pub trait Transport: Send + Sync + 'static {
    /// Sends `request`. The request contains the API key, unless it downloads the content of an artifact.
    ///
    /// # Errors
    /// Returns an error if no response arrived. The error says whether the request may have been received. The client
    /// uses the error to decide whether a create is sent again.
    fn send(&self, request: Request<Body>) -> SendFuture<'_>;

    /// Returns the time-out of connecting, if this transport has one. A transport that wraps another transport should
    /// return the time-out of the wrapped transport.
    ///
    /// The client gives each attempt of a create more time than this time-out. Otherwise the time-out of the attempt
    /// could pass while the transport still connects, and the outcome of the create would count as unknown although
    /// nothing was sent.
    fn connect_timeout(&self) -> Option<Duration> {
        None
    }
}

/// Says why no response arrived, and whether the request may have reached the server.
///
/// ```
/// # #[tokio::main(flavor = "current_thread", start_paused = true)]
/// # async fn main() -> Result<(), blocks_sdk::Error> {
/// # use blocks_sdk::{Agent, Body, Client, CreateSession, SendError, SendFuture, Transport};
/// struct Broken;
///
/// impl Transport for Broken {
///     fn send(&self, _: http::Request<Body>) -> SendFuture<'_> {
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
    proxy: Option<String>,
    source: BoxError,
}

impl SendError {
    /// Reports that no byte of the request was written, so it is safe to send the request again.
    ///
    /// ```
    /// let error = blocks_sdk::SendError::never_sent("no route to the host");
    /// assert_eq!(error.to_string(), "cannot send the request");
    /// ```
    pub fn never_sent(source: impl Into<BoxError>) -> Self {
        Self {
            never_sent: true,
            proxy: None,
            source: source.into(),
        }
    }

    /// Reports that the request may have been received. Use this function unless it is certain that nothing was sent.
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
            proxy: None,
            source: source.into(),
        }
    }

    /// Returns whether the request was certainly not sent.
    pub fn is_never_sent(&self) -> bool {
        self.never_sent
    }

    /// Returns the host and port of the proxy for the request, for the error message. Returns `None` if the request
    /// used no proxy from an environment variable, or if settings of the caller may have replaced this proxy.
    pub(crate) fn proxy(&self) -> Option<&str> {
        self.proxy.as_deref()
    }
}

impl fmt::Display for SendError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.never_sent {
            "cannot send the request"
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

impl Transport for Arc<dyn Transport> {
    fn send(&self, request: Request<Body>) -> SendFuture<'_> {
        (**self).send(request)
    }

    fn connect_timeout(&self) -> Option<Duration> {
        (**self).connect_timeout()
    }
}

/// Sends each request once over HTTP. Wrap an `HttpTransport` in a custom [`Transport`] to add behaviour.
#[derive(Clone, Debug)]
pub struct HttpTransport {
    pub(crate) client: reqwest::Client,
    pub(crate) connect_timeout: Duration,
    pub(crate) proxy: Option<EnvironmentProxy>,
}

impl HttpTransport {
    /// Creates a transport with the default settings. Ignores environment variables that name a proxy, such as
    /// `HTTPS_PROXY`.
    ///
    /// # Errors
    /// Returns [`ErrorKind::Configuration`](crate::ErrorKind::Configuration) if TLS cannot be set up.
    pub fn new() -> Result<Self, Error> {
        Self::over(reqwest::Client::builder().no_proxy())
    }

    /// Creates a transport with an HTTP client that `configure` sets up, for example with a proxy or a certificate.
    ///
    /// After `configure`, this method switches off redirects and retries, so `configure` cannot enable them. This
    /// method also sets the time-out of connecting to 10 s, the time after which an idle connection is closed to 4 s,
    /// and the rules for headers of responses. Environment variables that name a proxy, such as `HTTPS_PROXY`, are
    /// ignored.
    ///
    /// # Errors
    /// Returns [`ErrorKind::Configuration`](crate::ErrorKind::Configuration) if the client cannot be set up.
    #[cfg(feature = "reqwest")]
    pub fn configured(
        configure: impl FnOnce(reqwest::ClientBuilder) -> reqwest::ClientBuilder,
    ) -> Result<Self, Error> {
        Self::over(configure(reqwest::Client::builder().no_proxy()))
    }

    fn over(builder: reqwest::ClientBuilder) -> Result<Self, Error> {
        let client = safe(builder, CONNECT_TIMEOUT).build().map_err(no_http)?;
        Ok(Self {
            client,
            connect_timeout: CONNECT_TIMEOUT,
            proxy: None,
        })
    }

    /// Sends a [`reqwest::Request`].
    async fn execute(&self, request: reqwest::Request) -> Result<Response<Body>, SendError> {
        let proxy = self
            .proxy
            .as_ref()
            .and_then(|proxy| proxy.of(request.url()));
        let response = self.client.execute(request).await;
        let response = response.map_err(|error| send_error(error, proxy))?;
        Ok(Response::<reqwest::Body>::from(response).map(Body::of_reqwest))
    }
}

impl Transport for HttpTransport {
    fn send(&self, request: Request<Body>) -> SendFuture<'_> {
        let request = reqwest::Request::try_from(request.map(into_reqwest));
        Box::pin(async move {
            let request = request.map_err(|error| SendError::never_sent(error.without_url()))?;
            self.execute(request).await
        })
    }

    fn connect_timeout(&self) -> Option<Duration> {
        Some(self.connect_timeout)
    }
}

#[derive(Clone)]
pub(crate) enum ClientTransport {
    /// Sends the `reqwest::Request` that the generated client built. The trait [`Transport`] is not used, because the
    /// conversion to its `http::Request` and back would parse the URL again.
    Http(HttpTransport),
    Other(Arc<dyn Transport>),
}

impl ClientTransport {
    pub fn send(&self, request: reqwest::Request) -> SendFuture<'_> {
        match self {
            Self::Http(http) => Box::pin(http.execute(request)),
            Self::Other(transport) => match from_reqwest(request) {
                Ok(request) => transport.send(request),
                Err(error) => Box::pin(ready(Err(error))),
            },
        }
    }
}

impl From<ClientTransport> for Arc<dyn Transport> {
    fn from(transport: ClientTransport) -> Self {
        match transport {
            ClientTransport::Http(http) => Arc::new(http),
            ClientTransport::Other(transport) => transport,
        }
    }
}

fn send_error(error: reqwest::Error, proxy: Option<String>) -> SendError {
    // The client keeps connections open for later requests. If the server closed such a connection before any byte of
    // the request was written, hyper reports "canceled". So the request was certainly not sent.
    let canceled = sources(&error)
        .filter_map(|e| e.downcast_ref::<hyper::Error>())
        .any(hyper::Error::is_canceled);
    let never_sent = error.is_connect() || error.is_builder() || canceled;
    SendError {
        never_sent,
        proxy,
        source: Box::new(error.without_url()),
    }
}

fn into_reqwest(body: Body) -> reqwest::Body {
    match body.into_bytes() {
        Ok(bytes) => bytes.into(),
        Err(body) => reqwest::Body::wrap(SyncBody(Mutex::new(body))),
    }
}

/// Converts a request of the generated client to an `http::Request`.
fn from_reqwest(request: reqwest::Request) -> Result<Request<Body>, SendError> {
    let request = Request::<reqwest::Body>::try_from(request);
    let request = request.map_err(|error| SendError::never_sent(error.without_url()))?;
    Ok(request.map(|body| match body.as_bytes() {
        Some(bytes) => Body::from(Bytes::copy_from_slice(bytes)),
        None => Body::of_reqwest(body),
    }))
}

/// Makes a body `Sync`, because reqwest requires a `Sync` body. Only the owner reads the body, so the mutex never
/// blocks.
struct SyncBody(Mutex<Body>);

impl HttpBody for SyncBody {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let body = self.get_mut().0.get_mut();
        Pin::new(body.unwrap_or_else(PoisonError::into_inner)).poll_frame(context)
    }

    fn size_hint(&self) -> SizeHint {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .size_hint()
    }
}

/// Uses a tower service as a transport. An error of the service counts as "never sent" if its `poll_ready` failed, or
/// if one of the causes is an [`io::ErrorKind::ConnectionRefused`].
///
/// The mutex allows services that are not `Sync`. The mutex is locked only to clone the service.
pub(crate) struct ServiceTransport<S>(Mutex<S>);

impl<S> ServiceTransport<S> {
    pub fn new(service: S) -> Self {
        Self(Mutex::new(service))
    }
}

impl<S, B> Transport for ServiceTransport<S>
where
    S: Service<Request<Body>, Response = Response<B>>,
    S: Clone + Send + 'static,
    S::Error: Into<BoxError>,
    S::Future: Send,
    B: HttpBody<Data = Bytes> + Send + 'static,
    B::Error: Into<BoxError>,
{
    fn send(&self, request: Request<Body>) -> SendFuture<'_> {
        // Each request uses its own clone of the service, because tower requires `poll_ready` and `call` on the same
        // instance, without another request in between.
        let service = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut service = service.clone();
        Box::pin(async move {
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
            Ok(response.map(Body::new))
        })
    }
}

/// Iterates over an error and its causes, outermost first.
pub(crate) fn sources<'a>(
    error: &'a (dyn StdError + 'static),
) -> impl Iterator<Item = &'a (dyn StdError + 'static)> {
    std::iter::successors(Some(error), |&error| error.source())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_conversion_for_another_transport_keeps_the_request() {
        for text in [
            "https://api.blocks.team/rest/v1/sessions?type=a&type=b%20c",
            "http://127.0.0.1:8080/",
            "http://[::1]:8080/rest/v1/a%2Fb",
        ] {
            let url = reqwest::Url::parse(text).unwrap();
            let mut request = reqwest::Request::new(reqwest::Method::POST, url);
            *request.body_mut() = Some("hello".into());
            let converted = from_reqwest(request).unwrap();
            assert_eq!(converted.uri(), text);
            let back = reqwest::Request::try_from(converted.map(into_reqwest)).unwrap();
            assert_eq!(back.url().as_str(), text);
            assert_eq!(back.method(), "POST");
            let body = back.body().and_then(reqwest::Body::as_bytes);
            assert_eq!(body, Some(&b"hello"[..]));
        }
    }
}
