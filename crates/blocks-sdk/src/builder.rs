//! The settings of a client, checked before it is built.

use std::fmt;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use blocks_api::seam::Seam;
use bytes::Bytes;
use reqwest::Url;
use reqwest::header::HeaderValue;
use reqwest::redirect::Policy;
use tower_service::Service;
use zeroize::Zeroizing;

use crate::client::{Client, Core};
use crate::error::Error;
use crate::key::Key;
use crate::rate_limit::{RateLimit, RateLimiter};
use crate::retry::{AttemptTimeouts, CREATE_ATTEMPT_TIMEOUT, READ_ATTEMPT_TIMEOUT, RetryPolicy};
use crate::transport::{ServiceTransport, Transport};

const BASE_URL: &str = "https://api.blocks.team";
const USER_AGENT: &str = concat!("blocks-sdk-rust/", env!("CARGO_PKG_VERSION"));
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
const MAX_BODY: usize = 16 << 20;
/// Below the 5 s after which common servers close an idle connection: a create on one that
/// is just being closed would have an unknown fate. Polls, 2 s apart, still share one.
const POOL_IDLE_TIMEOUT: Duration = Duration::from_secs(4);

/// Settings of a [`Client`].
///
/// ```
/// use blocks_sdk::{Client, RetryPolicy};
/// use std::time::Duration;
///
/// let client = Client::builder("my-key")
///     .attempt_timeout(Duration::from_secs(20))
///     .retry(RetryPolicy::default().max_attempts(3))
///     .build()?;
/// # Ok::<(), blocks_sdk::Error>(())
/// ```
#[must_use]
pub struct ClientBuilder {
    key: Zeroizing<String>,
    base_url: String,
    allow_http: bool,
    connect_timeout: Duration,
    attempt_timeout: Option<Duration>,
    create_timeout: Option<Duration>,
    retry: RetryPolicy,
    rate_limit: RateLimit,
    user_agent: String,
    max_body: usize,
    transport: Option<Arc<dyn Transport>>,
}

impl ClientBuilder {
    pub(crate) fn new(key: Zeroizing<String>) -> Self {
        Self {
            key,
            base_url: BASE_URL.into(),
            allow_http: false,
            connect_timeout: CONNECT_TIMEOUT,
            attempt_timeout: None,
            create_timeout: None,
            retry: RetryPolicy::default(),
            rate_limit: RateLimit::default(),
            user_agent: USER_AGENT.into(),
            max_body: MAX_BODY,
            transport: None,
        }
    }

    /// Another base URL than `https://api.blocks.team`: an origin without a path, of https or
    /// on a loopback address.
    ///
    /// ```
    /// use blocks_sdk::Client;
    ///
    /// let at = |url: &str| Client::builder("my-key").base_url(url).build();
    /// assert!(at("http://localhost:8765").is_ok());
    /// assert!(at("http://example.com").is_err(), "the key would be readable on the way");
    /// assert!(at("https://example.com/rest/v1").is_err(), "an origin has no path");
    /// ```
    pub fn base_url(mut self, url: impl Into<String>) -> Self {
        self.base_url = url.into();
        self
    }

    /// Sends the key over plain http, to any host. For networks of your own only.
    ///
    /// ```
    /// use blocks_sdk::Client;
    ///
    /// let builder = Client::builder("my-key").base_url("http://blocks.internal:8765");
    /// assert!(builder.allow_insecure_http().build().is_ok());
    /// ```
    pub fn allow_insecure_http(mut self) -> Self {
        self.allow_http = true;
        self
    }

    /// How long a connection may take to be made; 10 s unless set. Not for a client or
    /// transport of your own.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// let builder = blocks_sdk::Client::builder("my-key");
    /// let client = builder.connect_timeout(Duration::from_secs(3)).build()?;
    /// # Ok::<(), blocks_sdk::Error>(())
    /// ```
    pub fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.connect_timeout = timeout;
        self
    }

    /// How long an attempt may take until its response is complete. Default: 60 s, and 180 s for
    /// a create or follow-up.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)]
    /// # async fn main() -> Result<(), blocks_sdk::Error> {
    /// use blocks_mock::{Fault, Mock, When};
    /// use blocks_sdk::{Client, ErrorKind, RetryPolicy};
    /// use std::time::Duration;
    ///
    /// let slow = Mock::builder().fault(None, When::Always, Fault::Delay(Duration::from_secs(9)));
    /// # let slow = slow.build();
    /// let client = Client::builder(slow.key())
    ///     .service(slow.service())
    ///     .attempt_timeout(Duration::from_secs(5))
    ///     .retry(RetryPolicy::none())
    ///     .build()?;
    /// let error = client.get_session(uuid::Uuid::nil()).await.unwrap_err();
    /// assert_eq!(error.kind(), ErrorKind::Timeout);
    /// # Ok(())
    /// # }
    /// ```
    pub fn attempt_timeout(mut self, timeout: Duration) -> Self {
        self.attempt_timeout = Some(timeout);
        self
    }

    /// The same for creates and follow-ups alone. Default: 180 s, since one that is given up has
    /// an unknown outcome. It is never less than the time-out of connecting.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// let builder = blocks_sdk::Client::builder("my-key");
    /// let client = builder.create_timeout(Duration::from_secs(600)).build()?;
    /// # Ok::<(), blocks_sdk::Error>(())
    /// ```
    pub fn create_timeout(mut self, timeout: Duration) -> Self {
        self.create_timeout = Some(timeout);
        self
    }

    /// How often a call is sent again; [`RetryPolicy::default`] unless set.
    ///
    /// ```
    /// use blocks_sdk::{Client, RetryPolicy};
    ///
    /// let client = Client::builder("my-key").retry(RetryPolicy::none()).build()?;
    /// # Ok::<(), blocks_sdk::Error>(())
    /// ```
    pub fn retry(mut self, policy: RetryPolicy) -> Self {
        self.retry = policy;
        self
    }

    /// Requests a minute; 100 unless set, which is the service's limit of a key.
    ///
    /// ```
    /// use blocks_sdk::{Client, RateLimit};
    ///
    /// let client = Client::builder("my-key").rate_limit(RateLimit::per_minute(50)?).build()?;
    /// # Ok::<(), blocks_sdk::Error>(())
    /// ```
    pub fn rate_limit(mut self, limit: RateLimit) -> Self {
        self.rate_limit = limit;
        self
    }

    /// How the client names itself; `blocks-sdk-rust/` and its version unless set.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)]
    /// # async fn main() -> Result<(), blocks_sdk::Error> {
    /// # let mock = blocks_mock::Mock::new();
    /// let builder = blocks_sdk::Client::builder(mock.key()).service(mock.service());
    /// let client = builder.user_agent("nightly-tests/1.0").build()?;
    /// # let _ = client.get_session(uuid::Uuid::nil()).await;
    /// assert_eq!(mock.received()[0].header("user-agent"), Some("nightly-tests/1.0"));
    /// # Ok(())
    /// # }
    /// ```
    pub fn user_agent(mut self, text: impl Into<String>) -> Self {
        self.user_agent = text.into();
        self
    }

    /// Bytes of an answer that are read at most, and of an artifact that is read into memory;
    /// 16 MiB unless set. A download that is streamed or saved has no limit.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)]
    /// # async fn main() -> Result<(), blocks_sdk::Error> {
    /// # let mock = blocks_mock::Mock::new();
    /// # let request = blocks_sdk::CreateSession::new(blocks_sdk::Agent::claude(), "Go.");
    /// let builder = blocks_sdk::Client::builder(mock.key()).service(mock.service());
    /// let client = builder.max_body(20).build()?;
    /// let error = client.create_session(request).await.unwrap_err();
    /// assert_eq!(error.body().map(|body| body.len()), Some(20));
    /// assert!(error.may_have_taken_effect(), "the session was created all the same");
    /// # Ok(())
    /// # }
    /// ```
    pub fn max_body(mut self, bytes: usize) -> Self {
        self.max_body = bytes;
        self
    }

    /// Sends by a client of your own: proxies, certificates, name resolution. Give it no
    /// redirects and no retries; both are decided here.
    ///
    /// ```
    /// let http = reqwest::Client::builder()
    ///     .redirect(reqwest::redirect::Policy::none())
    ///     .retry(reqwest::retry::never())
    ///     .proxy(reqwest::Proxy::https("http://proxy.internal:3128")?)
    ///     .build()?;
    /// let client = blocks_sdk::Client::builder("my-key").http_client(http).build()?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn http_client(self, client: reqwest::Client) -> Self {
        self.transport(client)
    }

    /// Sends by a transport of your own.
    ///
    /// ```
    /// use blocks_sdk::{Client, SendError, Sending, Transport};
    ///
    /// /// For a program that must not reach the service.
    /// struct Offline;
    ///
    /// impl Transport for Offline {
    ///     fn send(&self, _: reqwest::Request) -> Sending<'_> {
    ///         Box::pin(async { Err(SendError::never_sent("offline")) })
    ///     }
    /// }
    ///
    /// let client = Client::builder("my-key").transport(Offline).build()?;
    /// # Ok::<(), blocks_sdk::Error>(())
    /// ```
    pub fn transport(mut self, transport: impl Transport) -> Self {
        self.transport = Some(Arc::new(transport));
        self
    }

    /// Sends to a tower service in this process, such as the mock's: no socket, so that
    /// tests run on tokio's paused clock.
    ///
    /// ```
    /// let mock = blocks_mock::Mock::new();
    /// let client = blocks_sdk::Client::builder(mock.key()).service(mock.service()).build()?;
    /// # Ok::<(), blocks_sdk::Error>(())
    /// ```
    pub fn service<S, B>(self, service: S) -> Self
    where
        S: Service<http::Request<reqwest::Body>, Response = http::Response<B>>,
        S: Clone + Send + Sync + 'static,
        S::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
        S::Future: Send,
        B: http_body::Body<Data = Bytes> + Send + Sync + 'static,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        self.transport(ServiceTransport(service))
    }

    /// The client.
    ///
    /// # Errors
    /// When the key or the user agent cannot stand in a header, the base URL is not an origin of https or
    /// loopback, or the platform's TLS cannot be set up.
    ///
    /// ```
    /// use blocks_sdk::{Client, ErrorKind};
    ///
    /// assert!(Client::builder("my-key").build().is_ok());
    /// let error = Client::builder("two\nlines").build().unwrap_err();
    /// assert_eq!(error.kind(), ErrorKind::InvalidInput);
    /// ```
    pub fn build(self) -> Result<Client, Error> {
        let base = base(&self.base_url, self.allow_http)?;
        let key = Key::new(self.key)?;
        let user_agent = HeaderValue::from_str(&self.user_agent)
            .map_err(|_| Error::invalid_input("the user agent cannot stand in a header"))?;
        let mut timeouts = AttemptTimeouts {
            read: self.attempt_timeout.unwrap_or(READ_ATTEMPT_TIMEOUT),
            create: (self.create_timeout.or(self.attempt_timeout))
                .unwrap_or(CREATE_ATTEMPT_TIMEOUT),
            connect: None,
        };
        let (http, transport) = match self.transport {
            Some(transport) => (request_builder()?, transport),
            None => {
                // An attempt that is given up while it connects must end as "not connected".
                let connect = self.connect_timeout.min(timeouts.read).min(timeouts.create);
                timeouts.connect = Some(connect);
                let http = http(connect, &base)?;
                (http.clone(), Arc::new(http) as Arc<dyn Transport>)
            }
        };
        let core = Core {
            base,
            seam: Seam::new(key.authorization()?),
            key,
            transport,
            http,
            limiter: Arc::new(RateLimiter::new(self.rate_limit)),
            user_agent,
            max_body: self.max_body,
            turns: Default::default(),
            one_role_at_a_time: AtomicBool::new(false),
            allow_http: self.allow_http,
        };
        Ok(Client {
            core: Arc::new(core),
            retry: self.retry,
            timeouts,
        })
    }
}

fn http(connect_timeout: Duration, base: &Url) -> Result<reqwest::Client, Error> {
    let mut builder = http_builder(connect_timeout);
    if base.scheme() != "https" {
        // What is not encrypted would show the key to a proxy that the environment names.
        builder = builder.no_proxy();
    }
    builder.build().map_err(no_http)
}

fn http_builder(connect_timeout: Duration) -> reqwest::ClientBuilder {
    reqwest::Client::builder()
        // A redirect could carry the key to a host that only a response named.
        .redirect(Policy::none())
        // reqwest itself repeats some requests; what is repeated is decided in `retry`. With
        // none to come, it also keeps no copy of each request.
        .retry(reqwest::retry::never().max_retries_per_request(0))
        .connect_timeout(connect_timeout)
        .pool_idle_timeout(POOL_IDLE_TIMEOUT)
}

fn no_http(error: reqwest::Error) -> Error {
    Error::invalid_input("no HTTP client can be set up").with_source(error)
}

/// What builds the requests of a client with a transport of its own. It sends nothing, so one
/// does for the process: setting up TLS takes longer than most tests.
fn request_builder() -> Result<reqwest::Client, Error> {
    static BUILDER: OnceLock<reqwest::Client> = OnceLock::new();
    if let Some(builder) = BUILDER.get() {
        return Ok(builder.clone());
    }
    let builder = http_builder(CONNECT_TIMEOUT).build().map_err(no_http)?;
    Ok(BUILDER.get_or_init(|| builder).clone())
}

fn base(text: &str, allow_http: bool) -> Result<Url, Error> {
    let base = Url::parse(text)
        .map_err(|e| Error::invalid_input(format!("the base URL cannot be read: {e}")))?;
    if !base.username().is_empty() || base.password().is_some() {
        return Err(Error::invalid_input(
            "the base URL must not carry credentials",
        ));
    }
    if base.path() != "/" || base.query().is_some() || base.fragment().is_some() {
        return Err(Error::invalid_input(
            "the base URL must have no path; every path is under /rest/v1",
        ));
    }
    if !is_safe(&base, allow_http) {
        return Err(Error::invalid_input(
            "the base URL must be https, unless it is loopback",
        ));
    }
    Ok(base)
}

/// Whether what is sent to `url` can be read by nobody on the way.
pub(crate) fn is_safe(url: &Url, allow_http: bool) -> bool {
    url.scheme() == "https" || (url.scheme() == "http" && (allow_http || is_loopback(url)))
}

fn is_loopback(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']);
    host == "localhost"
        || host
            .parse::<std::net::IpAddr>()
            .is_ok_and(|ip| ip.is_loopback())
}

impl fmt::Debug for ClientBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientBuilder")
            .field("key", &"<redacted>")
            // What stands before an `@` may be a password; such a URL is refused by `build`.
            .field("base_url", &self.base_url.rsplit('@').next())
            .finish_non_exhaustive()
    }
}
