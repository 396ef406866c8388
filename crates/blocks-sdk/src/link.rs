//! A link is followed at home: its path and query on the configured base URL.

use reqwest::Url;

use crate::error::Error;

/// Where to send the request for `href`: on `base`'s origin, below `/rest/v1/`.
/// The server builds links from its own environment, so their host is not trusted.
pub fn resolve(base: &Url, href: &str) -> Result<Url, Error> {
    let refused = |why: &str| Error::invalid_input(format!("the link `{href}` is refused: {why}"));
    let link = base.join(href).map_err(|e| refused(&e.to_string()))?;
    if !matches!(link.scheme(), "http" | "https") {
        return Err(refused("its scheme is not http or https"));
    }
    // Parsing has resolved `..` already; an encoded slash or dot could bring it back.
    if !link.path().starts_with("/rest/v1/") || link.path().contains('%') {
        return Err(refused("its path is not below /rest/v1/"));
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

    #[test]
    fn every_link_ends_on_the_base_or_is_refused() {
        let base = Url::parse("https://api.blocks.team").unwrap();
        let good = "https://api.blocks.team/rest/v1/sessions/1?type=a";
        for href in [
            "https://api.prod.blocks.team/rest/v1/sessions/1?type=a",
            "//evil.example/rest/v1/sessions/1?type=a#x",
            "/rest/v1/sessions/1?type=a",
            "https://user:pass@evil.example/rest/v1/sessions/1?type=a",
        ] {
            assert_eq!(resolve(&base, href).unwrap().as_str(), good, "{href}");
        }
        for href in [
            "/rest/v1/../../etc",
            "/rest/v1/%2e%2e/x",
            "/rest/v2/x",
            "file:///rest/v1/x",
            "data:x",
            "http://",
        ] {
            assert!(resolve(&base, href).is_err(), "{href}");
        }
    }
}
