//! Builds the HTTP clients, with settings that a user of this crate cannot change, and checks the base URL.

use std::ffi::{OsStr, OsString};
use std::fmt;
use std::future::ready;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use http::Request;
use hyper_util::client::proxy::matcher::Matcher;
use reqwest::Url;
use reqwest::redirect::Policy;

use crate::engine::body::Body;
use crate::engine::error::Error;
use crate::engine::failure::innermost;
use crate::engine::transport::{HttpTransport, SendError, SendFuture, Transport};

pub(crate) const BASE_URL: &str = "https://api.blocks.team";
pub(crate) const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// The maximum number of headers of a response. The default of hyper is 100, and a chain of proxies can add more
/// headers than that.
const MAX_HEADERS: usize = 1000;
/// The time after which the client closes an idle connection. Many servers close an idle connection after 5 s. If a
/// server closes the connection while the client sends a create, the outcome of the create is unknown. So the client
/// closes an idle connection before the server does. Polls at the minimum interval of 2 s still share a connection.
const POOL_IDLE_TIMEOUT: Duration = Duration::from_secs(4);

/// A function with which the caller changes the settings of an HTTP client.
pub(crate) type Configure =
    Box<dyn FnOnce(reqwest::ClientBuilder) -> reqwest::ClientBuilder + Send>;

/// Builds the client that calls the service. Over plain http (`is_plain`), the proxy from the environment variables is
/// not used, because the proxy would see the key.
pub(crate) fn http(
    connect_timeout: Duration,
    is_plain: bool,
    configure: Option<Configure>,
) -> Result<HttpTransport, Error> {
    let proxy = match is_plain {
        true => None,
        false => EnvironmentProxy::read(&environment)?,
    };
    let configure = configure.or_else(|| is_plain.then(|| Box::new(without_certificates) as _));
    transport(connect_timeout, proxy, configure)
}

/// Configures a client without certificates. Plain http needs no certificates, and reading the certificates of the
/// system takes milliseconds.
fn without_certificates(builder: reqwest::ClientBuilder) -> reqwest::ClientBuilder {
    #[cfg(any(feature = "rustls", feature = "native-tls"))]
    let builder = builder.tls_certs_only([]);
    builder
}

/// Builds a separate client for downloads. The storage host of a file must not get a header that is intended for the
/// service.
pub(crate) fn http_for_downloads(
    connect_timeout: Duration,
    configure: Option<Configure>,
) -> Result<Arc<dyn Transport>, Error> {
    let proxy = EnvironmentProxy::read(&environment)?;
    if configure.is_some() {
        // The HTTP client is set up now, so that errors in the caller's settings are reported early.
        return Ok(Arc::new(transport(connect_timeout, proxy, configure)?));
    }
    Ok(Arc::new(LazyHttp {
        connect_timeout,
        proxy,
        http: OnceLock::new(),
    }))
}

/// A transport that sets up its HTTP client on the first request. Most programs download nothing, so they need no
/// set-up, which takes as long as a request.
struct LazyHttp {
    connect_timeout: Duration,
    proxy: Option<EnvironmentProxy>,
    http: OnceLock<HttpTransport>,
}

impl LazyHttp {
    fn http(&self) -> Result<&HttpTransport, Error> {
        if let Some(http) = self.http.get() {
            return Ok(http);
        }
        let http = transport(self.connect_timeout, self.proxy.clone(), None)?;
        Ok(self.http.get_or_init(|| http))
    }
}

impl Transport for LazyHttp {
    fn send(&self, request: Request<Body>) -> SendFuture<'_> {
        match self.http() {
            Ok(http) => http.send(request),
            Err(error) => Box::pin(ready(Err(SendError::never_sent(error)))),
        }
    }

    fn connect_timeout(&self) -> Option<Duration> {
        Some(self.connect_timeout)
    }
}

fn transport(
    connect_timeout: Duration,
    proxy: Option<EnvironmentProxy>,
    configure: Option<Configure>,
) -> Result<HttpTransport, Error> {
    let mut builder = reqwest::Client::builder().no_proxy();
    if let Some(proxy) = &proxy {
        builder = builder.proxy(proxy.of_reqwest().map_err(no_http)?);
    }
    // If the caller changes settings, errors name no proxy: the settings may replace the proxy, and the errors would
    // then name the wrong one.
    let proxy = proxy.filter(|_| configure.is_none());
    if let Some(configure) = configure {
        builder = configure(builder);
    }
    let client = safe(builder, connect_timeout).build().map_err(no_http)?;
    Ok(HttpTransport {
        client,
        connect_timeout,
        proxy,
    })
}

/// Applies the settings that every client must have. Must be called after the caller's settings are applied, because
/// reqwest uses the last value of each setting.
pub(crate) fn safe(
    builder: reqwest::ClientBuilder,
    connect_timeout: Duration,
) -> reqwest::ClientBuilder {
    builder
        // A redirect could send a create and its prompt again, to any host that a response names.
        .redirect(Policy::none())
        // reqwest repeats some requests by default, but only the module `retry` may decide whether a request is
        // repeated. Without retries, reqwest also makes no copy of each request. hyper still sends a request on another
        // connection if an idle connection closed before any byte of the request was written.
        .retry(reqwest::retry::never().max_retries_per_request(0))
        .connect_timeout(connect_timeout)
        .pool_idle_timeout(POOL_IDLE_TIMEOUT)
        // Like most HTTP clients, this client accepts many headers and malformed headers. If the client rejected the
        // response to a create because of such headers, the id of a paid session would be lost.
        .http1_max_headers(MAX_HEADERS)
        .http1_allow_spaces_after_header_name_in_responses(true)
        .http1_allow_obsolete_multiline_headers_in_responses(true)
        .http1_ignore_invalid_headers_in_responses(true)
}

pub(crate) fn no_http(error: reqwest::Error) -> Error {
    let cause = innermost(&error);
    Error::configuration(format!("cannot set up the HTTP client: {cause}")).with_source(error)
}

/// Returns an environment variable, if the variable is set and not empty.
fn environment(name: &str) -> Option<OsString> {
    std::env::var_os(name).filter(|value| !value.is_empty())
}

/// The proxy for https from the environment variables. Requests over plain http use no proxy, because they are allowed
/// only to this machine by default.
#[derive(Clone)]
pub(crate) struct EnvironmentProxy {
    url: Url,
    /// The hosts to which requests are sent without the proxy, in the format of `NO_PROXY`.
    except: String,
    /// Decides which requests use the proxy, by the same rules as reqwest. Errors name the proxy that a request used,
    /// but reqwest does not report its own decision.
    matcher: Arc<Matcher>,
}

impl EnvironmentProxy {
    /// Reads the proxy from the first of these variables that is set: `HTTPS_PROXY`, `https_proxy`, `ALL_PROXY`,
    /// `all_proxy`.
    ///
    /// # Errors
    /// Returns an error if the value of a variable cannot be used as a proxy. reqwest would ignore such a value. The
    /// error does not show the value, because the value may contain a password.
    fn read(variable: &dyn Fn(&str) -> Option<OsString>) -> Result<Option<Self>, Error> {
        let except = variable("NO_PROXY").or_else(|| variable("no_proxy"));
        let except = except.unwrap_or_default().to_string_lossy().into_owned();
        // In `NO_PROXY`, `*` means all hosts. reqwest applies `*` to host names, but not to IP addresses, so `*` is
        // handled here.
        if except.split(',').any(|host| host.trim() == "*") {
            return Ok(None);
        }
        let mut first = None;
        for name in ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"] {
            if let Some(value) = variable(name) {
                let url = proxy_url(name, &value)?;
                first = first.or(Some(url));
            }
        }
        Ok(first.map(|url| Self {
            matcher: Arc::new(
                Matcher::builder()
                    .https(url.as_str())
                    .no(except.as_str())
                    .build(),
            ),
            url,
            except,
        }))
    }

    fn of_reqwest(&self) -> reqwest::Result<reqwest::Proxy> {
        let proxy = reqwest::Proxy::https(self.url.clone())?;
        Ok(proxy.no_proxy(reqwest::NoProxy::from_string(&self.except)))
    }

    /// Returns the host and port of the proxy, without a password, if a request to `url` uses the proxy.
    pub fn of(&self, url: &Url) -> Option<String> {
        let used = self.matcher.intercept(&url.as_str().parse().ok()?)?;
        used.uri().authority().map(ToString::to_string)
    }
}

/// Prints the host of the proxy, but not the user and the password in its URL.
impl fmt::Debug for EnvironmentProxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.matcher.fmt(f)
    }
}

fn proxy_url(name: &str, value: &OsStr) -> Result<Url, Error> {
    let url = value.to_str().and_then(|text| {
        let has_scheme = text.contains("://");
        let text = match has_scheme {
            true => text.to_owned(),
            false => format!("http://{text}"),
        };
        Url::parse(&text).ok().filter(Url::has_host)
    });
    let why = match url {
        Some(url) if matches!(url.scheme(), "http" | "https") => return Ok(url),
        Some(url) => format!("has the scheme {}, which is not supported", url.scheme()),
        None => "is not a URL".to_owned(),
    };
    Err(Error::configuration(format!(
        "the proxy in {name} {why}; write http://HOST:PORT, or unset the variable"
    )))
}

/// Returns the client that builds requests for a custom transport. This client sends nothing. The creation of a client
/// takes long, because it sets up TLS. So the whole process, for example a program with many tests, shares one client.
pub(crate) fn request_builder() -> Result<reqwest::Client, Error> {
    static BUILDER: OnceLock<reqwest::Client> = OnceLock::new();
    if let Some(builder) = BUILDER.get() {
        return Ok(builder.clone());
    }
    let builder = safe(reqwest::Client::builder(), CONNECT_TIMEOUT);
    let builder = builder.build().map_err(no_http)?;
    Ok(BUILDER.get_or_init(|| builder).clone())
}

pub(crate) fn base(text: &str, allow_http: bool) -> Result<Url, Error> {
    let shown = shown(text);
    let refuse = |why: &str| {
        Error::configuration(format!(
            "invalid base URL `{shown}`: {why}; write an origin, such as {BASE_URL}"
        ))
    };
    let text = text.trim();
    if !["http://", "https://"]
        .iter()
        .any(|scheme| text.starts_with(scheme))
    {
        return Err(refuse("it must start with https://"));
    }
    let base = Url::parse(text).map_err(|error| refuse(&error.to_string()))?;
    if !base.username().is_empty() || base.password().is_some() {
        return Err(refuse("it must not contain credentials"));
    }
    if base.path() != "/" || base.query().is_some() || base.fragment().is_some() {
        return Err(refuse(
            "it must have no path, query or fragment, since every path is below /rest/v1",
        ));
    }
    if !is_safe(&base, allow_http) {
        return Err(refuse("it must be https, except on a loopback address"));
    }
    Ok(base)
}

/// Returns the part of a base URL that an error may show: the scheme, the host, the port and the path. The other parts
/// may be secret.
pub(crate) fn shown(text: &str) -> String {
    let url = Url::parse(text.trim()).ok().filter(Url::has_host);
    // Any other `@` than the one after the user may be in a password, so that a part of the password counts as the host
    // or the path.
    let is_clear = |url: &Url| text.matches('@').count() == usize::from(!url.username().is_empty());
    match url.filter(|url| url.origin().is_tuple() && is_clear(url)) {
        Some(url) => format!("{}{}", url.origin().ascii_serialization(), url.path()),
        // A text that is not a URL may be an API key in the wrong variable.
        None => "<not shown>".to_owned(),
    }
}

/// Returns whether requests may be sent to `url`. Plain http is allowed only to a loopback address or with
/// `allow_http`.
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base_urls_that_cannot_be_used_are_explained() {
        for (text, why) in [
            ("api.blocks.team", "it must start with https://"),
            ("localhost:8080", "it must start with https://"),
            ("\"https://api.blocks.team\"", "it must start with https://"),
            ("https://gw.example/blocks/", "it must have no path"),
            (
                "https://user:secret@gw.example",
                "it must not contain credentials",
            ),
            ("http://gw.example", "it must be https"),
            ("https://", "empty host"),
            ("secret", "it must start with https://"),
            ("secret.with.dots", "it must start with https://"),
            ("secret/with/slashes", "it must start with https://"),
            ("https://gw.example/?key=secret", "it must have no path"),
            ("https://gw.example/?key=a@secret", "it must have no path"),
            ("https://gw.example/#secret", "it must have no path"),
            ("https://user:12/secret@gw.example", "it must have no path"),
        ] {
            let error = base(text, false).unwrap_err();
            assert_eq!(error.kind(), crate::engine::error::ErrorKind::Configuration);
            let message = error.to_string();
            assert!(
                message.contains(why) && message.contains("write an origin"),
                "{message}"
            );
            assert!(!message.contains("secret"), "{message}");
        }
        for (text, expected) in [
            (
                "https://u:secret@gw.example:8/a?b#c",
                "https://gw.example:8/a",
            ),
            (" http://[::1]:1/ ", "http://[::1]:1/"),
            ("https://:secret@gw.example", "<not shown>"),
            ("localhost:8080", "<not shown>"),
            ("secret:secret", "<not shown>"),
        ] {
            assert_eq!(shown(text), expected);
        }
        for text in [
            "https://gw.example",
            " https://gw.example/ ",
            "http://127.0.0.1:1",
            "http://[::1]:1",
        ] {
            assert!(base(text, false).is_ok(), "{text}");
        }
    }

    #[test]
    fn proxies_that_cannot_be_used_are_refused() {
        let check = |value: &str| {
            let value = OsString::from(value);
            EnvironmentProxy::read(&|name| (name == "HTTPS_PROXY").then(|| value.clone()))
        };
        for good in [
            "http://proxy:3128",
            "proxy:3128",
            "https://u:p@proxy",
            "10.0.0.1:3128",
        ] {
            assert!(check(good).unwrap().is_some(), "{good}");
        }
        for bad in [
            "socks5://u:s3cret@proxy:1080",
            "http://",
            "not a url",
            "ftp://proxy",
        ] {
            let message = check(bad).unwrap_err().to_string();
            assert!(
                message.contains("HTTPS_PROXY") && !message.contains("s3cret"),
                "{message}"
            );
        }
    }

    #[test]
    fn no_proxy_for_every_host_switches_proxies_off() {
        for hosts in ["*", " * ", "a.example, *", "*,10.0.0.0/8"] {
            for variable in ["NO_PROXY", "no_proxy"] {
                assert!(through(variable, hosts).is_none(), "{variable}={hosts}");
            }
        }
        for hosts in ["a.example", "*.example", ""] {
            assert!(through("NO_PROXY", hosts).is_some(), "{hosts}");
        }
        assert!(EnvironmentProxy::read(&|_| None).unwrap().is_none());
    }

    /// Reads a proxy from `ALL_PROXY`. The environment variable `variable` (`NO_PROXY` or `no_proxy`) has the value
    /// `hosts`.
    fn through(variable: &str, hosts: &str) -> Option<EnvironmentProxy> {
        EnvironmentProxy::read(&|name| match name {
            "ALL_PROXY" => Some("http://user:s3cret@proxy.example:3128".into()),
            name if name == variable => Some(hosts.into()),
            _ => None,
        })
        .unwrap()
    }

    #[test]
    fn a_proxy_is_named_where_it_is_used() {
        let proxy = through("NO_PROXY", "b.example,10.0.0.0/8").unwrap();
        assert!(!format!("{proxy:?}").contains("s3cret"), "{proxy:?}");
        let used = |url: &str| proxy.of(&Url::parse(url).unwrap());
        let name = Some("proxy.example:3128".to_owned());
        assert_eq!(used("https://a.example/x"), name);
        for direct in [
            "http://a.example",
            "https://b.example",
            "https://x.b.example",
            "https://10.1.2.3",
        ] {
            assert_eq!(used(direct), None, "{direct}");
        }
    }
}
