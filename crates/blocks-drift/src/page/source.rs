//! Reads documentation pages from files, standard input, URLs, or an index. An index, such as `llms.txt`, contains
//! links to pages.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};

use crate::limited;

/// The unparsed text of a page.
#[derive(Clone, Debug)]
pub struct PageText {
    /// The name of the page in reports.
    pub name: String,
    /// The text of the page.
    pub text: String,
}

/// The largest number of pages in an index. An index with more pages is rejected, because it is probably not the index
/// of the API's documentation.
const MOST_PAGES: usize = 300;

/// Reads a page from a URL, a file, or standard input (`-`). The name of a page from a URL is the URL without user
/// information, query and fragment.
///
/// # Errors
/// Fails if the page cannot be read.
pub async fn read(source: &str) -> Result<PageText> {
    if source.starts_with("http://") || source.starts_with("https://") {
        return fetch_page(source).await;
    }
    if source == "-" {
        let text = limited::standard_input().context("standard input")?;
        return Ok(PageText { name: "standard input".to_owned(), text });
    }
    let text = limited::text_file(Path::new(source)).with_context(|| source.to_owned())?;
    Ok(PageText { name: source.to_owned(), text })
}

/// Reads the pages that a Markdown index, such as `llms.txt`, links to. Pages on other hosts and `.txt` files are left
/// out.
///
/// # Errors
/// Fails if the index or one of its pages cannot be read. Also fails if the index links to no page or to too many.
pub async fn read_index(url: &str) -> Result<Vec<PageText>> {
    let http = client()?;
    let resolved = reqwest::Url::parse(url).with_context(|| shown(url))?;
    let (index, _) = fetch(&http, url).await?;
    let links = links(&index, &resolved);
    if links.is_empty() || links.len() > MOST_PAGES {
        bail!("{}: {} links to pages; 1 to {MOST_PAGES} are expected", shown(url), links.len());
    }
    let mut pages = Vec::new();
    for link in links {
        pages.push(fetch_page(link.as_str()).await?);
    }
    Ok(pages)
}

/// Returns the links from an index to pages on the index's host. Links to `.txt` files, such as other indexes, are left
/// out.
fn links(index: &str, resolved: &reqwest::Url) -> Vec<reqwest::Url> {
    static LINK: std::sync::LazyLock<regex::Regex> = std::sync::LazyLock::new(|| {
        regex::Regex::new(
            r#"\]\(<?([^)\s>]+)>?[^)]*\)|<(https?://[^>\s]+)>|(?m)^\s*[-*]?\s*(https?://\S+)\s*$"#,
        )
        .expect("a pattern")
    });
    let mut found: Vec<reqwest::Url> = LINK
        // A byte order mark is not part of the first link.
        .captures_iter(index.trim_start_matches('\u{feff}'))
        .filter_map(|c| c.get(1).or(c.get(2)).or(c.get(3)))
        .filter_map(|target| resolved.join(target.as_str()).ok())
        .filter(|link| link.host_str() == resolved.host_str() && link.path() != resolved.path())
        .filter(|link| !link.path().ends_with(".txt"))
        .collect();
    found.sort();
    found.dedup();
    found
}

/// Fetches a page. If the response is HTML and the URL does not end with `.md`, the page is fetched again in Markdown,
/// from the same URL without its query and with `.md` at the end.
async fn fetch_page(url: &str) -> Result<PageText> {
    let http = client()?;
    let (mut text, html) = fetch(&http, url).await?;
    let mut name = shown(url);
    if html && let Some(markdown) = markdown_url(url) {
        name = shown(&markdown);
        text = fetch(&http, &markdown).await?.0;
    }
    Ok(PageText { name, text })
}

/// Returns the URL of a page in Markdown. Returns `None` for such a URL itself, and for a URL without a path, because
/// `.md` would become a part of the host.
fn markdown_url(url: &str) -> Option<String> {
    let plain = url.split(['?', '#']).next()?.trim_end_matches('/');
    let has_path = reqwest::Url::parse(plain).is_ok_and(|url| url.path() != "/");
    (has_path && !plain.ends_with(".md")).then(|| format!("{plain}.md"))
}

/// Returns a URL for reports and errors: without user information, query and fragment, which can contain secrets. A
/// report can become a public issue.
fn shown(url: &str) -> String {
    let Ok(mut url) = reqwest::Url::parse(url) else {
        return "the URL, which is invalid".to_owned();
    };
    // Both calls fail only for a URL without a host, which has no user information.
    let _ = url.set_username("");
    let _ = url.set_password(None);
    url.set_query(None);
    url.set_fragment(None);
    url.to_string()
}

/// Creates the HTTP client. The client sends no API key, because the documentation pages are public.
fn client() -> Result<reqwest::Client> {
    reqwest::Client::builder().timeout(Duration::from_secs(30)).build().context("the HTTP client")
}

async fn fetch(http: &reqwest::Client, url: &str) -> Result<(String, bool)> {
    let response = http.get(url).send().await;
    let response = response.and_then(reqwest::Response::error_for_status);
    let response = response.map_err(reqwest::Error::without_url);
    let name = shown(url);
    let response = response.with_context(|| format!("{name}: the page could not be fetched"))?;
    let requested = reqwest::Url::parse(url).ok();
    if requested.is_some_and(|requested| requested.host_str() != response.url().host_str()) {
        bail!("{name}: redirected to another host");
    }
    let html = response
        .headers()
        .get("content-type")
        .and_then(|v| v.to_str().ok())
        .is_some_and(|v| v.contains("text/html"));
    let text = limited::body(response).await.with_context(|| name.clone())?;
    Ok((String::from_utf8_lossy(&text).into_owned(), html))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shown_url_contains_no_secret() {
        for (url, safe) in [
            ("https://me:pass@docs.example/a/b.md?token=x#y", "https://docs.example/a/b.md"),
            ("https://me@pass@docs.example", "https://docs.example/"),
            ("https://docs.example?next=https://me:pass@else.example", "https://docs.example/"),
            ("http://127.0.0.1:1/@a", "http://127.0.0.1:1/@a"),
            ("https://me:s/ecret@h/", "the URL, which is invalid"),
            ("https://me:se?cret@h/", "the URL, which is invalid"),
        ] {
            assert_eq!(shown(url), safe);
        }
    }

    #[test]
    fn a_page_in_markdown_is_on_the_same_host() {
        for (url, markdown) in [
            ("https://docs.example/a?b#c", Some("https://docs.example/a.md")),
            ("https://docs.example/a/", Some("https://docs.example/a.md")),
            ("https://docs.example/a.md", None),
            ("https://docs.example/", None),
            ("https://docs.example", None),
        ] {
            assert_eq!(markdown_url(url).as_deref(), markdown, "{url}");
        }
    }

    #[test]
    fn an_index_gives_the_pages_of_its_own_host() {
        let resolved = reqwest::Url::parse("https://docs.example/llms.txt").unwrap();
        let index = "- [A](https://docs.example/a.md): x\n- [A](/a.md)\n- [B](https://else.example/b.md)\n- [All](/llms-full.txt)\n";
        let found: Vec<String> = links(index, &resolved).iter().map(ToString::to_string).collect();
        assert_eq!(found, ["https://docs.example/a.md"]);
        assert_eq!(links("\u{feff}https://docs.example/a.md\n", &resolved).len(), 1);
    }
}
