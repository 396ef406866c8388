//! Collects and checks the settings of a client.

use std::env::VarError;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use blocks_api::hook::Hook;
use bytes::Bytes;
use reqwest::header::HeaderValue;
use tower_service::Service;
use zeroize::Zeroizing;

use crate::client::limiters::LimiterChoice;
use crate::client::{Client, Resources};
use crate::engine::body::Body;
use crate::engine::error::Error;
use crate::engine::http::{
    BASE_URL, CONNECT_TIMEOUT, Configure, base, http, http_for_downloads, request_builder, shown,
};
use crate::engine::key::Key;
use crate::engine::rate_limit::{LimitStore, RateLimit};
use crate::engine::retry::{
    AttemptTimeouts, CREATE_ATTEMPT_TIMEOUT, READ_ATTEMPT_TIMEOUT, RetryPolicy,
};
use crate::engine::transport::{ClientTransport, ServiceTransport, Transport};
use crate::engine::{Core, Engine};

const USER_AGENT: &str = concat!("blocks-sdk-rust/", env!("CARGO_PKG_VERSION"));
const MAX_BODY: usize = 16 << 20;
const KEY_VARIABLE: &str = "BLOCKS_API_KEY";
const BASE_URL_VARIABLE: &str = "BLOCKS_API_BASE_URL";

/// Collects the settings of a [`Client`].
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
    rate_limit: Option<RateLimit>,
    limiter: LimiterChoice,
    limit_store: Option<Arc<dyn LimitStore>>,
    user_agent: String,
    max_body: usize,
    transport: Option<Arc<dyn Transport>>,
    configure_http: Option<Configure>,
    configure_download_http: Option<Configure>,
}

impl ClientBuilder {
    /// Reads the API key from `BLOCKS_API_KEY`, and the base URL from `BLOCKS_API_BASE_URL` if this variable is set.
    ///
    /// An empty `BLOCKS_API_BASE_URL` counts as not set, because CI systems pass a missing variable as an empty
    /// variable.
    ///
    /// # Errors
    /// [`ErrorKind::Configuration`](crate::ErrorKind::Configuration) when the variable of the API key is missing or
    /// empty, or when a variable is not UTF-8.
    ///
    /// ```no_run
    /// use blocks_sdk::{ClientBuilder, RetryPolicy};
    ///
    /// // BLOCKS_API_KEY=… my-program
    /// let client = ClientBuilder::from_env()?.retry(RetryPolicy::none()).build()?;
    /// # Ok::<(), blocks_sdk::Error>(())
    /// ```
    pub fn from_env() -> Result<Self, Error> {
        Self::from_env_named(KEY_VARIABLE)
    }

    /// Reads the API key from the variable `key_variable`, for programs that use several workspaces.
    ///
    /// # Errors
    /// The errors of [`from_env`](Self::from_env).
    ///
    /// ```no_run
    /// use blocks_sdk::ClientBuilder;
    ///
    /// let team = ClientBuilder::from_env_named("BLOCKS_API_KEY_TEAM")?.build()?;
    /// # Ok::<(), blocks_sdk::Error>(())
    /// ```
    pub fn from_env_named(key_variable: &str) -> Result<Self, Error> {
        from_variables(key_variable, |name| std::env::var(name))
    }

    pub(crate) fn new(key: Zeroizing<String>) -> Self {
        Self {
            key,
            base_url: BASE_URL.into(),
            allow_http: false,
            connect_timeout: CONNECT_TIMEOUT,
            attempt_timeout: None,
            create_timeout: None,
            retry: RetryPolicy::default(),
            rate_limit: None,
            limiter: LimiterChoice::Shared,
            limit_store: None,
            user_agent: USER_AGENT.into(),
            max_body: MAX_BODY,
            transport: None,
            configure_http: None,
            configure_download_http: None,
        }
    }

    /// Sets the base URL. Default: `https://api.blocks.team`. The URL must be an origin without a path, and must use
    /// https unless its host is a loopback address.
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

    /// Allows plain http to any host. Plain http sends the key unencrypted, so use plain http on a trusted network
    /// only.
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

    /// Sets the time-out for making a connection. Default: 10 s. If a time-out of an attempt is shorter,
    /// [`build`](Self::build) uses that time-out instead. A custom transport ignores this setting.
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

    /// Sets the time-out of each attempt. An attempt is one request of a call, and includes reading the whole response.
    /// Default: 60 s, and 180 s for a create or follow-up. For a create or follow-up,
    /// [`create_timeout`](Self::create_timeout) replaces this time-out.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)]
    /// # async fn main() -> Result<(), blocks_sdk::Error> {
    /// use blocks_mock::{Fault, Frequency, Mock};
    /// use blocks_sdk::{Client, ErrorKind, RetryPolicy};
    /// use std::time::Duration;
    ///
    /// let slow = Mock::builder().fault(None, Frequency::Always, Fault::Delay(Duration::from_secs(9)));
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

    /// Sets the time-out of each attempt of a create or follow-up. Default: the
    /// [`attempt_timeout`](Self::attempt_timeout), or 180 s if that is not set. The default is long because the outcome
    /// is unknown after a time-out. The time-out for making a connection is never longer than this time-out. If no
    /// connection is made in time, the client knows that the request was never sent. An attempt can end up to 250 ms
    /// after this time-out, so that the time-out for making a connection passes first.
    ///
    /// A custom transport must limit the time for making a connection itself. If the
    /// [time-out of its connections](crate::Transport::connect_timeout) is longer than this time-out, an attempt can
    /// end up to 250 ms after the time-out of its connections.
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

    /// Sets the retry policy of calls. Default: [`RetryPolicy::default`].
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

    /// Sets the limit of the rate limiter, in requests per minute. Default: 100, which is the service's limit for a
    /// key. The rate limiter leaves a margin of 1 %, rounded down. So it permits 99 requests per minute by default.
    ///
    /// By default, all clients in this process with the same base URL and key share one rate limiter, because the
    /// service counts their requests together. The client that is built first sets the limit. Each further client uses
    /// the same limit, and cannot be built with a different limit. A client with a custom transport, a service or a
    /// [`limit_store`](Self::limit_store) has its own limiter; see [`share_rate_limiter`](Self::share_rate_limiter).
    ///
    /// ```
    /// use blocks_sdk::{Client, RateLimit};
    ///
    /// let client = Client::builder("my-key").rate_limit(RateLimit::per_minute(50)?).build()?;
    /// # Ok::<(), blocks_sdk::Error>(())
    /// ```
    pub fn rate_limit(mut self, limit: RateLimit) -> Self {
        self.rate_limit = Some(limit);
        self
    }

    /// Gives this client a rate limiter that no other client uses, except the clones of this client, and clients that
    /// are built with [`share_rate_limiter`](Self::share_rate_limiter) and this client.
    pub fn own_rate_limiter(mut self) -> Self {
        self.limiter = LimiterChoice::Own;
        self
    }

    /// Uses the rate limiter and the limit of another client. The transports, keys and base URLs of the two clients may
    /// differ. A client that also has a [`limit_store`](Self::limit_store) or another
    /// [`rate_limit`](Self::rate_limit) cannot be built.
    ///
    /// ```
    /// # mod doctest { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doctest.rs")); }
    /// # doctest::with_client(async |client, mock| {
    /// use blocks_sdk::Client;
    ///
    /// let other = Client::builder(mock.key()).service(mock.service()).share_rate_limiter(&client).build()?;
    /// # let _ = other.get_session(uuid::Uuid::nil()).await;
    /// assert_eq!(client.rate_limit_status(), other.rate_limit_status());
    /// # assert_eq!(client.rate_limit_status().used_in_last_minute, 1);
    /// # Ok(()) });
    /// ```
    pub fn share_rate_limiter(mut self, client: &Client) -> Self {
        let core = &client.engine.core;
        self.limiter = LimiterChoice::Of((Arc::clone(&core.limiter), core.rate_limit));
        self
    }

    /// Shares the rate limit with all processes that use the same store, which counts their requests together. Default:
    /// no store, so the client does not count the requests of other processes.
    ///
    /// Use one store for one key only, because the service limits the requests of each key separately. The crate
    /// `blocks-fleet` has stores in a file, for the processes of one machine, and in Redis or Valkey, for several
    /// machines. While the store cannot be used, the client counts only its own requests, and
    /// [`RateLimitStatus::store`](crate::RateLimitStatus::store) reports the failure.
    ///
    /// ```
    /// use std::sync::Arc;
    /// use blocks_sdk::{Client, MemoryLimitStore};
    ///
    /// let store = Arc::new(MemoryLimitStore::default());
    /// let client = Client::builder("my-key").limit_store(store).build()?;
    /// # Ok::<(), blocks_sdk::Error>(())
    /// ```
    pub fn limit_store(mut self, store: Arc<dyn LimitStore>) -> Self {
        self.limit_store = Some(store);
        self
    }

    /// Sets the `User-Agent` header. Default: `blocks-sdk-rust/` and the version.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)]
    /// # async fn main() -> Result<(), blocks_sdk::Error> {
    /// # let mock = blocks_mock::Mock::new();
    /// let builder = blocks_sdk::Client::builder(mock.key()).service(mock.service());
    /// let client = builder.user_agent("nightly-tests/1.0").build()?;
    /// # let _ = client.get_session(uuid::Uuid::nil()).await;
    /// assert_eq!(mock.requests()[0].header("user-agent"), Some("nightly-tests/1.0"));
    /// # Ok(())
    /// # }
    /// ```
    pub fn user_agent(mut self, text: impl Into<String>) -> Self {
        self.user_agent = text.into();
        self
    }

    /// Limits the size of a response, and of an artifact that is read into memory, in bytes. Default: 16 MiB. Downloads
    /// to a stream or a file have no limit.
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

    /// Configures the HTTP client that calls the service, for example its proxies, certificates and name resolution.
    ///
    /// The client disables redirects and the retries of reqwest after it has called `configure`, because a repeated
    /// create is billed again. The parameter of `configure` is the `ClientBuilder` of reqwest 0.13. With a custom
    /// transport, [`build`](Self::build) returns an error; see `HttpTransport::configured`.
    ///
    /// ```no_run
    /// let certificate = reqwest::Certificate::from_pem(&std::fs::read("company-ca.pem")?)?;
    /// let proxy = reqwest::Proxy::https("http://proxy.internal:3128")?;
    /// let client = blocks_sdk::Client::builder("my-key")
    ///     .configure_http(|http| http.tls_certs_merge([certificate]).proxy(proxy))
    ///     .build()?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[cfg(feature = "reqwest")]
    pub fn configure_http(
        mut self,
        configure: impl FnOnce(reqwest::ClientBuilder) -> reqwest::ClientBuilder + Send + 'static,
    ) -> Self {
        self.configure_http = Some(Box::new(configure));
        self
    }

    /// Configures the HTTP client that downloads artifacts from their storage host.
    ///
    /// This HTTP client is separate from the client that [`configure_http`](Self::configure_http) configures. So
    /// headers for the service, or for a proxy in front of the service, are never sent to a storage host. With a custom
    /// transport, [`build`](Self::build) returns an error.
    #[cfg(feature = "reqwest")]
    pub fn configure_download_http(
        mut self,
        configure: impl FnOnce(reqwest::ClientBuilder) -> reqwest::ClientBuilder + Send + 'static,
    ) -> Self {
        self.configure_download_http = Some(Box::new(configure));
        self
    }

    /// Sends requests through a custom transport.
    ///
    /// ```
    /// use blocks_sdk::{Body, Client, SendError, SendFuture, Transport};
    ///
    /// /// Fails every request, for a program that must not call the service.
    /// struct Offline;
    ///
    /// impl Transport for Offline {
    ///     fn send(&self, _: http::Request<Body>) -> SendFuture<'_> {
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

    /// Sends requests to a tower service in this process, such as the mock or an axum router. No socket is used, so
    /// tests can run on tokio's paused clock.
    ///
    /// A request counts as never sent if `poll_ready` of the tower service returns an error. A request also counts as
    /// never sent if `call` returns an error, and this error or one of its causes is a [`std::io::Error`] of the kind
    /// [`ConnectionRefused`](std::io::ErrorKind::ConnectionRefused). In both cases, the client sends a create again.
    /// After any other error, the outcome of a create is unknown. It is also unknown after the time-out of an attempt,
    /// which includes the wait for `poll_ready`: a service that limits its own concurrency should be ready sooner.
    ///
    /// ```
    /// let mock = blocks_mock::Mock::new();
    /// let client = blocks_sdk::Client::builder(mock.key()).service(mock.service()).build()?;
    /// # Ok::<(), blocks_sdk::Error>(())
    /// ```
    pub fn service<S, B>(self, service: S) -> Self
    where
        S: Service<http::Request<Body>, Response = http::Response<B>>,
        S: Clone + Send + 'static,
        S::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
        S::Future: Send,
        B: http_body::Body<Data = Bytes> + Send + 'static,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        self.transport(ServiceTransport::new(service))
    }

    /// Builds the client.
    ///
    /// # Errors
    /// [`ErrorKind::Configuration`](crate::ErrorKind::Configuration) in these cases:
    ///
    /// - The key is empty, or contains a character that is not a visible ASCII character. White space around the key is
    ///   ignored.
    /// - The user agent is not a valid header value.
    /// - The base URL breaks a rule of [`base_url`](Self::base_url). For example, the base URL has a path.
    /// - An environment variable contains a proxy that cannot be used.
    /// - The [`rate_limit`](Self::rate_limit) differs from the limit of another client with which this client shares
    ///   the rate limiter.
    /// - [`share_rate_limiter`](Self::share_rate_limiter) and [`limit_store`](Self::limit_store) are used together.
    /// - A custom transport is used together with settings of the HTTP client (feature `reqwest`).
    /// - The HTTP client cannot be set up, for example its TLS.
    ///
    /// ```
    /// use blocks_sdk::{Client, ErrorKind};
    ///
    /// assert!(Client::builder("my-key").build().is_ok());
    /// let error = Client::builder("two\nlines").build().unwrap_err();
    /// assert_eq!(error.kind(), ErrorKind::Configuration);
    /// ```
    pub fn build(self) -> Result<Client, Error> {
        let base = base(&self.base_url, self.allow_http)?;
        let key = Key::new(self.key)?;
        let user_agent = HeaderValue::from_str(&self.user_agent)
            .map_err(|_| Error::configuration("the user agent is not a valid header value"))?;
        let mut timeouts = AttemptTimeouts {
            read: self.attempt_timeout.unwrap_or(READ_ATTEMPT_TIMEOUT),
            create: (self.create_timeout.or(self.attempt_timeout))
                .unwrap_or(CREATE_ATTEMPT_TIMEOUT),
            connect: None,
        };
        let has_own_transport = self.transport.is_some();
        let (http, transport, downloads) = match self.transport {
            Some(_) if self.configure_http.is_some() || self.configure_download_http.is_some() => {
                return Err(Error::configuration(
                    "a custom transport or service cannot be used together with configure_http or \
                     configure_download_http; configure the HTTP client of the transport, for example with \
                     HttpTransport::configured",
                ));
            }
            Some(transport) => {
                timeouts.connect = transport.connect_timeout();
                let downloads = Arc::clone(&transport);
                (
                    request_builder()?,
                    ClientTransport::Other(transport),
                    downloads,
                )
            }
            None => {
                // The connect time-out must not exceed the time-outs of attempts. Otherwise, an attempt of a create
                // that cannot connect would last longer than the caller's time-out, because `AttemptTimeouts::limit`
                // always leaves time to connect.
                let connect = self.connect_timeout.min(timeouts.read).min(timeouts.create);
                timeouts.connect = Some(connect);
                let is_plain = base.scheme() != "https";
                let http = http(connect, is_plain, self.configure_http)?;
                let downloads = http_for_downloads(connect, self.configure_download_http)?;
                (http.client.clone(), ClientTransport::Http(http), downloads)
            }
        };
        // A custom transport may send the requests anywhere, for example to a mock, whose requests do not count towards
        // the service's limit. So the client gets its own limiter by default.
        let choice = match self.limiter {
            LimiterChoice::Shared if has_own_transport => LimiterChoice::Own,
            choice => choice,
        };
        let (limiter, rate_limit) =
            choice.limiter(self.limit_store, self.rate_limit, &key, base.as_str())?;
        let core = Core {
            base,
            hook: Hook::new(key.authorization()?),
            key,
            transport,
            downloads,
            http,
            limiter,
            rate_limit,
            user_agent,
            max_body: self.max_body,
            allow_http: self.allow_http,
        };
        Ok(Client {
            engine: Engine {
                core: Arc::new(core),
                retry: self.retry,
                timeouts,
            },
            resources: Arc::new(Resources::default()),
        })
    }
}

impl fmt::Debug for ClientBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientBuilder")
            .field("key", &"<redacted>")
            .field("base_url", &shown(&self.base_url))
            .finish_non_exhaustive()
    }
}

/// Implements [`ClientBuilder::from_env_named`]. Reads each environment variable with the function `variable`, which a
/// test can replace. So tests need not set environment variables.
fn from_variables(
    key_variable: &str,
    variable: impl Fn(&str) -> Result<String, VarError>,
) -> Result<ClientBuilder, Error> {
    let read = |name: &str| match variable(name) {
        Ok(value) => Ok(Some(value)),
        Err(VarError::NotPresent) => Ok(None),
        // An invalid variable is an error and is not ignored: without its base URL, the client would send the key to
        // the default host.
        Err(VarError::NotUnicode(_)) => {
            Err(Error::configuration(format!("{name} is not valid UTF-8")))
        }
    };
    let problem = match read(key_variable)? {
        Some(key) if !key.trim().is_empty() => {
            let builder = ClientBuilder::new(Zeroizing::new(key));
            let base_url = read(BASE_URL_VARIABLE)?;
            return Ok(match base_url.filter(|url| !url.trim().is_empty()) {
                Some(url) => builder.base_url(url),
                None => builder,
            });
        }
        Some(_) => "is empty",
        None => "is not set",
    };
    Err(Error::configuration(format!(
        "{key_variable} {problem}; create a key in the settings of your Blocks workspace"
    )))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::error::ErrorKind;

    type Variable = Result<String, VarError>;

    fn builder(key: Variable, url: Variable) -> Result<ClientBuilder, Error> {
        from_variables("BLOCKS_API_KEY_TEAM", |name| match name {
            "BLOCKS_API_KEY_TEAM" => key.clone(),
            BASE_URL_VARIABLE => url.clone(),
            _ => panic!("{name} is not read"),
        })
    }

    #[test]
    fn an_empty_base_url_counts_as_not_set() {
        let key = || Ok("key".to_owned());
        for (url, expected) in [
            (Err(VarError::NotPresent), BASE_URL),
            (Ok(String::new()), BASE_URL),
            (Ok(" \n".to_owned()), BASE_URL),
            (Ok("https://gw.example".to_owned()), "https://gw.example"),
        ] {
            assert_eq!(builder(key(), url).unwrap().base_url, expected);
        }
    }

    #[test]
    fn variables_that_cannot_be_used_are_named() {
        let invalid = || Err(VarError::NotUnicode("s3cret".into()));
        let unset = || Err(VarError::NotPresent);
        for (key, url, expected) in [
            (unset(), unset(), "BLOCKS_API_KEY_TEAM is not set"),
            (Ok(String::new()), unset(), "BLOCKS_API_KEY_TEAM is empty"),
            (
                Ok(" \n".to_owned()),
                unset(),
                "BLOCKS_API_KEY_TEAM is empty",
            ),
            (invalid(), unset(), "BLOCKS_API_KEY_TEAM is not valid UTF-8"),
            (
                Ok("key".to_owned()),
                invalid(),
                "BLOCKS_API_BASE_URL is not valid UTF-8",
            ),
        ] {
            let error = builder(key, url).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Configuration);
            let message = error.to_string();
            assert!(message.starts_with(expected), "{message}");
            assert!(!message.contains("s3cret"), "{message}");
        }
    }
}
