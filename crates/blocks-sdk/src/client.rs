//! The client: where to send, with which key, and how long an attempt may take.

use std::time::Duration;

use blocks_api::seam::Seam;
use reqwest::Url;
use reqwest::redirect::Policy;
use uuid::Uuid;

use crate::error::Error;
use crate::request::CreateSession;
use crate::session::Session;

const BASE_URL: &str = "https://api.blocks.team";
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(60);

/// A client of one workspace. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Client {
    pub(crate) api: blocks_api::Client,
    pub(crate) base: Url,
}

impl Client {
    /// A client from `BLOCKS_API_KEY` and, where set, `BLOCKS_API_BASE_URL`.
    ///
    /// # Errors
    /// When the key is missing, or for the reasons of [`ClientBuilder::build`].
    pub fn from_env() -> Result<Self, Error> {
        let key = std::env::var("BLOCKS_API_KEY")
            .map_err(|_| Error::invalid_input("set BLOCKS_API_KEY to a key of your workspace"))?;
        let builder = Self::builder(key);
        match std::env::var("BLOCKS_API_BASE_URL") {
            Ok(url) => builder.base_url(url).build(),
            Err(_) => builder.build(),
        }
    }

    /// A client with `key`, and settings to change.
    pub fn builder(key: impl Into<String>) -> ClientBuilder {
        ClientBuilder {
            key: key.into(),
            base_url: BASE_URL.into(),
            allow_http: false,
        }
    }

    /// Creates a session. Sent once: see [`Error::may_have_taken_effect`].
    ///
    /// # Errors
    /// Invalid input before anything is sent; whatever went wrong after it.
    pub async fn create_session(&self, request: CreateSession) -> Result<Session, Error> {
        let body = request.validated()?;
        match self.api.create_session().body(body).send().await {
            Ok(response) => Ok(Session::new(self.clone(), response.into_inner())),
            Err(error) => Err(Error::from_api("createSession", true, error).await),
        }
    }

    /// Reads a session. The links to its thread are always null here.
    ///
    /// # Errors
    /// Status 404 when it does not exist in this workspace.
    pub async fn session(&self, id: Uuid) -> Result<Session, Error> {
        match self.api.get_session().session_id(id).send().await {
            Ok(response) => Ok(Session::new(self.clone(), response.into_inner())),
            Err(error) => Err(Error::from_api("getSession", false, error).await),
        }
    }
}

/// Settings of a [`Client`].
pub struct ClientBuilder {
    key: String,
    base_url: String,
    allow_http: bool,
}

impl ClientBuilder {
    /// Another base URL: https, or a loopback address.
    pub fn base_url(mut self, url: impl Into<String>) -> Self {
        self.base_url = url.into();
        self
    }

    /// Sends the key over plain http, to any host. For networks of your own only.
    pub fn allow_insecure_http(mut self) -> Self {
        self.allow_http = true;
        self
    }

    /// The client.
    ///
    /// # Errors
    /// When the key cannot stand in a header, or the base URL is not an origin of https or loopback.
    pub fn build(self) -> Result<Client, Error> {
        let base = Url::parse(&self.base_url)
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
        let safe = base.scheme() == "https"
            || (base.scheme() == "http" && (self.allow_http || is_loopback(&base)));
        if !safe {
            return Err(Error::invalid_input(
                "the base URL must be https, unless it is loopback",
            ));
        }
        let seam = (!self.key.trim().is_empty())
            .then(|| Seam::new(self.key.trim()))
            .flatten()
            .ok_or_else(|| {
                Error::invalid_input(
                    "the key is empty or has characters that a header cannot carry",
                )
            })?;
        let http = reqwest::Client::builder()
            // A redirect could carry the key to a host that only a response named.
            .redirect(Policy::none())
            .connect_timeout(CONNECT_TIMEOUT)
            .timeout(ATTEMPT_TIMEOUT)
            // reqwest itself repeats some requests; a create must be sent once.
            .retry(reqwest::retry::never())
            .user_agent(concat!("blocks-sdk-rust/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|e| Error::invalid_input(format!("no HTTP client can be built: {e}")))?;
        let origin = base.as_str().trim_end_matches('/');
        Ok(Client {
            api: blocks_api::Client::new_with_client(origin, http, seam),
            base,
        })
    }
}

fn is_loopback(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']);
    host == "localhost"
        || host
            .parse::<std::net::IpAddr>()
            .is_ok_and(|ip| ip.is_loopback())
}

impl std::fmt::Debug for ClientBuilder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "ClientBuilder {{ base_url: {:?}, key: <redacted> }}",
            self.base_url
        )
    }
}
