//! Checks the public URL of a mock, and compares it with the `Host` header of a request.

use http::Uri;

/// Checks a public URL: a URL of HTTP or HTTPS with a host, which can have a port and a path.
pub fn check_public_url(url: &str) -> Result<(), String> {
    let parsed: Option<Uri> = url.parse().ok();
    let is_usable = parsed.is_some_and(|parsed| {
        let authority = parsed
            .authority()
            .map_or("", |authority| authority.as_str());
        matches!(parsed.scheme_str(), Some("http" | "https"))
            && !authority.contains('@')
            && endpoint(authority, 80).is_some_and(|(name, _)| !name.is_empty())
    });
    // `Uri` also accepts a query, a fragment and some characters beyond ASCII. The mock appends a path to the URL.
    match is_usable && url.is_ascii() && !url.contains(['?', '#']) {
        true => Ok(()),
        // The URL is not shown, because it may contain a password.
        false => Err(
            "invalid public URL: expected a URL such as http://mock:8765, without a user name, a query \
             and a fragment"
                .to_owned(),
        ),
    }
}

/// Returns whether a URL has the host and the port of a `Host` header. Upper and lower case are equal. A missing port is
/// the default port of the URL's scheme, also in the header, because a client omits the default port there.
pub fn has_host(url: &str, host: &str) -> bool {
    let Some((scheme, rest)) = url.split_once("://") else {
        return false;
    };
    let default_port = if scheme.eq_ignore_ascii_case("https") {
        443
    } else {
        80
    };
    let authority = rest.split('/').next().unwrap_or_default();
    let own = endpoint(authority, default_port);
    own.is_some() && own == endpoint(host, default_port)
}

/// Returns the name of a host in lower case, without its port.
pub fn name(host: &str) -> Option<String> {
    endpoint(host, 80).map(|(name, _)| name)
}

/// Returns the name of a host in lower case, and its port. Returns `None` if the port is not valid.
fn endpoint(host: &str, default_port: u16) -> Option<(String, u16)> {
    let (name, port) = match host.rsplit_once(':') {
        // An IPv6 address in brackets contains colons.
        Some((name, port)) if !port.contains(']') => (name, port),
        _ => (host, ""),
    };
    let port = match port {
        "" => default_port,
        port if port.bytes().all(|b| b.is_ascii_digit()) => port.parse().ok()?,
        _ => return None,
    };
    Some((name.to_ascii_lowercase(), port))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_public_url_needs_a_scheme_and_a_host() {
        for url in [
            "http://mock:8765",
            "HTTP://Mock.Example",
            "https://mock.example/base",
            "http://[::1]:8765",
        ] {
            assert_eq!(check_public_url(url), Ok(()), "{url}");
        }
        for url in [
            "",
            "foo",
            "mock:8765",
            "ftp://mock",
            "http:",
            "http://",
            "http://:80",
            "http://mock:99999",
            "http://mock:x",
            "http://user:s3cret@mock",
            "http://mock?a=b",
            "http://mock#a",
            "http://mock/a b",
            "http://mock/é",
        ] {
            let error = check_public_url(url).unwrap_err();
            assert!(!error.contains("s3cret"), "{error}");
            assert!(error.starts_with("invalid public URL: expected "), "{url}");
        }
    }

    #[test]
    fn hosts_are_compared_without_case_and_default_port() {
        for (url, host, expected) in [
            ("http://Mock.Example", "mock.example", true),
            ("http://mock.example", "MOCK.example:80", true),
            ("http://mock:80", "mock", true),
            ("https://mock.example/base", "mock.example", true),
            ("https://mock.example", "mock.example:443", true),
            ("http://[::1]:80", "[::1]", true),
            ("https://mock.example", "mock.example:80", false),
            ("http://mock:8765", "mock", false),
            ("http://mock", "mock.example", false),
            ("http://mock", "mock:x", false),
            ("null", "null", false),
        ] {
            assert_eq!(has_host(url, host), expected, "{url}, {host}");
        }
    }
}
