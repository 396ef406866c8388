//! Follows links from the service. Keeps the path and the query of a link, and replaces the origin by the configured
//! base URL.

use blocks_api::hook;
use percent_encoding::percent_decode_str;
use reqwest::Url;

use crate::engine::Core;
use crate::engine::call::{Api, Operation};
use crate::engine::error::Error;

/// Sends a GET request to `url` with the generated client, as a request of `operation`.
pub(crate) async fn follow<T: hook::FromJson>(
    api: Api,
    operation: Operation,
    url: Url,
) -> Result<blocks_api::ResponseValue<T>, blocks_api::Error<()>> {
    hook::follow(&api, operation.id, url).await
}

impl Core {
    /// Returns the URL at which the link `href` is requested.
    pub fn resolve(&self, href: &str) -> Result<Url, Error> {
        resolve(&self.base, href).map_err(|cause| {
            // The query may be a signature. A server may also repeat the key in a link, so the key is removed, too.
            let shown = match href.find(['?', '#']) {
                Some(end) => format!("{}<redacted>", &href[..=end]),
                None => href.to_owned(),
            };
            let reason = format!("cannot follow the link `{shown}`: {cause}");
            Error::untrusted_link(self.key.scrub(reason))
        })
    }
}

/// Returns the URL of a link on the origin of `base`, or the reason why the link cannot be followed. The path must be
/// below `/rest/v1/`. The host of the link is ignored, because the link can name a host that must not receive the API
/// key.
fn resolve(base: &Url, href: &str) -> Result<Url, String> {
    let link = base.join(href).map_err(|e| e.to_string())?;
    if !matches!(link.scheme(), "http" | "https") {
        return Err("its scheme is not http or https".into());
    }
    // The URL parser has already resolved each `..` between plain slashes, but not between encoded slashes (`%2F`). An
    // id may contain an encoded slash, which a server may decode. So the decoded path is checked for `..`, too.
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
