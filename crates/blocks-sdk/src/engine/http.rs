//! The HTTP clients, with what none of a caller's settings may change, and the base URL.

use std::ffi::OsString;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use reqwest::Url;
use reqwest::redirect::Policy;

use crate::engine::error::Error;
use crate::engine::failure::innermost;
use crate::engine::transport::{HttpTransport, Transport};

pub(crate) const BASE_URL: &str = "https://api.blocks.team";
pub(crate) const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// hyper's own limit is 100, which a chain of proxies can exceed.
const MAX_HEADERS: usize = 1000;
/// Below the 5 s after which common servers close an idle connection: a create on one that
/// is just being closed would have an unknown fate. Polls, 2 s apart, still share one.
const POOL_IDLE_TIMEOUT: Duration = Duration::from_secs(4);

/// A caller's own settings of an HTTP client.
pub(crate) type Configure =
    Box<dyn FnOnce(reqwest::ClientBuilder) -> reqwest::ClientBuilder + Send>;

/// The client of calls to the service. Over plain http no proxy is used: it would see the key.
pub(crate) fn http(
    connect_timeout: Duration,
    is_plain: bool,
    configure: Option<Configure>,
) -> Result<reqwest::Client, Error> {
    let builder = reqwest::Client::builder();
    let builder = if is_plain || proxies_are_off(&environment) {
        builder.no_proxy()
    } else {
        check_proxies(&environment)?;
        builder
    };
    let builder = match configure {
        Some(configure) => configure(builder),
        None => builder,
    };
    safe(builder, connect_timeout).build().map_err(no_http)
}

/// A client of its own for downloads, so that no header for the service reaches a storage host.
pub(crate) fn http_for_downloads(
    connect_timeout: Duration,
    configure: Option<Configure>,
) -> Result<Arc<dyn Transport>, Error> {
    let builder = reqwest::Client::builder();
    let builder = if proxies_are_off(&environment) {
        builder.no_proxy()
    } else {
        builder
    };
    let builder = match configure {
        Some(configure) => configure(builder),
        None => builder,
    };
    let http = safe(builder, connect_timeout).build().map_err(no_http)?;
    Ok(Arc::new(HttpTransport(http)))
}

/// What every client has, whatever else was configured.
pub(crate) fn safe(
    builder: reqwest::ClientBuilder,
    connect_timeout: Duration,
) -> reqwest::ClientBuilder {
    builder
        // A redirect could carry the key to a host that only a response named.
        .redirect(Policy::none())
        // reqwest itself repeats some requests; what is repeated is decided in `retry`. With
        // none to come, it also keeps no copy of each request.
        .retry(reqwest::retry::never().max_retries_per_request(0))
        .connect_timeout(connect_timeout)
        .pool_idle_timeout(POOL_IDLE_TIMEOUT)
        // Headers that most clients accept: an error here would lose the id of a paid session.
        .http1_max_headers(MAX_HEADERS)
        .http1_allow_spaces_after_header_name_in_responses(true)
        .http1_allow_obsolete_multiline_headers_in_responses(true)
        .http1_ignore_invalid_headers_in_responses(true)
}

pub(crate) fn no_http(error: reqwest::Error) -> Error {
    let cause = innermost(&error);
    Error::configuration(format!("cannot set up the HTTP client: {cause}")).with_source(error)
}

/// A variable of the environment, if it is set.
fn environment(name: &str) -> Option<OsString> {
    std::env::var_os(name).filter(|value| !value.is_empty())
}

/// Whether an entry of `NO_PROXY` names every host. reqwest applies `*` to names, but not to addresses.
fn proxies_are_off(variable: &dyn Fn(&str) -> Option<OsString>) -> bool {
    let hosts = variable("NO_PROXY").or_else(|| variable("no_proxy"));
    hosts.is_some_and(|hosts| {
        let hosts = hosts.to_string_lossy();
        hosts.split(',').any(|host| host.trim() == "*")
    })
}

/// Refuses a proxy that could not be used, and which reqwest would ignore. The value is not shown: it may contain a
/// password.
fn check_proxies(variable: &dyn Fn(&str) -> Option<OsString>) -> Result<(), Error> {
    for name in ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"] {
        let Some(value) = variable(name) else {
            continue;
        };
        let url = value.to_str().and_then(|text| {
            let has_scheme = text.contains("://");
            Url::parse(&if has_scheme {
                text.into()
            } else {
                format!("http://{text}")
            })
            .ok()
        });
        let scheme = url.as_ref().filter(|url| url.has_host()).map(Url::scheme);
        match scheme {
            Some("http" | "https") => {}
            Some(scheme) => {
                return Err(Error::configuration(format!(
                    "the proxy in {name} has the scheme {scheme}, which is not supported; write http://HOST:PORT"
                )));
            }
            None => {
                return Err(Error::configuration(format!(
                    "the proxy in {name} is not a URL; write http://HOST:PORT, or unset the variable"
                )));
            }
        }
    }
    Ok(())
}

/// What builds the requests of a client with a transport of its own. It sends nothing, so one
/// does for the process: setting up TLS takes longer than most tests.
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
        return Err(refuse("it must begin with https://"));
    }
    let base = Url::parse(text).map_err(|error| refuse(&error.to_string()))?;
    if !base.username().is_empty() || base.password().is_some() {
        return Err(refuse("it must not contain credentials"));
    }
    if base.path() != "/" || base.query().is_some() || base.fragment().is_some() {
        return Err(refuse(
            "it must have no path, since every path is below /rest/v1",
        ));
    }
    if !is_safe(&base, allow_http) {
        return Err(refuse("it must be https, except on a loopback address"));
    }
    Ok(base)
}

/// A base URL that may be wrong, without what could be a secret.
pub(crate) fn shown(text: &str) -> &str {
    // What is before an `@` may be a password.
    let shown = text.rsplit('@').next().unwrap_or_default();
    // A text without any mark of an address may be the API key, set in the wrong variable.
    let is_address = shown.contains(['.', ':', '/']) || shown == "localhost";
    if is_address { shown } else { "<not shown>" }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base_urls_that_cannot_be_used_are_explained() {
        for (text, why) in [
            ("api.blocks.team", "it must begin with https://"),
            ("localhost:8080", "it must begin with https://"),
            ("\"https://api.blocks.team\"", "it must begin with https://"),
            ("https://gw.example/blocks/", "it must have no path"),
            (
                "https://user:secret@gw.example",
                "it must not contain credentials",
            ),
            ("http://gw.example", "it must be https"),
            ("https://", "empty host"),
            ("secret", "it must begin with https://"),
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
            check_proxies(&|name| (name == "HTTPS_PROXY").then(|| value.clone()))
        };
        for good in [
            "http://proxy:3128",
            "proxy:3128",
            "https://u:p@proxy",
            "10.0.0.1:3128",
        ] {
            assert!(check(good).is_ok(), "{good}");
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
                let off = proxies_are_off(&|name| (name == variable).then(|| hosts.into()));
                assert!(off, "{variable}={hosts}");
            }
        }
        for hosts in ["a.example", "*.example", ""] {
            let off = proxies_are_off(&|name| (name == "NO_PROXY").then(|| hosts.into()));
            assert!(!off, "{hosts}");
        }
        assert!(!proxies_are_off(&|_| None));
    }
}
