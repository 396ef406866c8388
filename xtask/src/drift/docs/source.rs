//! Where a page comes from: a file, standard input, a URL, or an index of URLs.

use std::io::Read as _;
use std::path::Path;
use std::time::Duration;

/// A page as it was read.
#[derive(Clone, Debug)]
pub struct PageText {
    /// How reports call it.
    pub name: String,
    /// Its text.
    pub text: String,
}

/// An index with more pages than this is not the one that was meant.
const MOST_PAGES: usize = 300;

/// Reads a page: `-` is standard input.
///
/// # Errors
/// It cannot be read.
pub async fn read(source: &str) -> Result<PageText, String> {
    if source.starts_with("http://") || source.starts_with("https://") {
        return fetch_page(source).await;
    }
    if source == "-" {
        let mut text = String::new();
        std::io::stdin()
            .read_to_string(&mut text)
            .map_err(|e| format!("standard input: {e}"))?;
        return Ok(PageText {
            name: "standard input".to_owned(),
            text,
        });
    }
    let text = std::fs::read_to_string(Path::new(source)).map_err(|e| format!("{source}: {e}"))?;
    Ok(PageText {
        name: source.to_owned(),
        text,
    })
}

/// The pages of an index in Markdown (such as an `llms.txt`) on its own host.
///
/// # Errors
/// The index or a page cannot be read, or no page of an operation is in it.
pub async fn read_index(url: &str) -> Result<Vec<PageText>, String> {
    let http = client()?;
    let home = reqwest::Url::parse(url).map_err(|e| format!("{url}: {e}"))?;
    let (index, _) = fetch(&http, url).await?;
    let links = links(&index, &home);
    if links.is_empty() || links.len() > MOST_PAGES {
        return Err(format!(
            "{url}: {} links to pages; 1 to {MOST_PAGES} are expected",
            links.len()
        ));
    }
    let mut pages = Vec::new();
    for link in links {
        let page = fetch_page(link.as_str()).await?;
        if super::names_operation(&page) {
            pages.push(page);
        }
    }
    if pages.is_empty() {
        return Err(format!("{url}: no page of it describes an operation"));
    }
    Ok(pages)
}

/// The links of an index that stay on its host.
fn links(index: &str, home: &reqwest::Url) -> Vec<reqwest::Url> {
    let mut found: Vec<reqwest::Url> = pulldown_cmark::Parser::new(index)
        .filter_map(|event| match event {
            pulldown_cmark::Event::Start(pulldown_cmark::Tag::Link { dest_url, .. }) => {
                home.join(&dest_url).ok()
            }
            _ => None,
        })
        .filter(|link| link.host_str() == home.host_str() && link.path() != home.path())
        .filter(|link| !link.path().ends_with(".txt"))
        .collect();
    found.sort();
    found.dedup();
    found
}

/// A documentation host that answers HTML often has the Markdown form beside it.
async fn fetch_page(url: &str) -> Result<PageText, String> {
    let http = client()?;
    let (mut text, html) = fetch(&http, url).await?;
    let mut name = url.to_owned();
    if html && !url.ends_with(".md") {
        name = format!("{}.md", url.trim_end_matches('/'));
        text = fetch(&http, &name).await?.0;
    }
    Ok(PageText { name, text })
}

/// Pages are public: no key is sent.
fn client() -> Result<reqwest::Client, String> {
    reqwest::Client::builder()
        .timeout(Duration::from_secs(30))
        .build()
        .map_err(|e| e.to_string())
}

async fn fetch(http: &reqwest::Client, url: &str) -> Result<(String, bool), String> {
    let failed = |e: reqwest::Error| format!("{url}: {}", e.without_url());
    let response = http.get(url).send().await.map_err(failed)?;
    let response = response.error_for_status().map_err(failed)?;
    let html = response
        .headers()
        .get("content-type")
        .and_then(|v| v.to_str().ok())
        .is_some_and(|v| v.contains("text/html"));
    Ok((response.text().await.map_err(failed)?, html))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_index_gives_the_pages_of_its_own_host() {
        let home = reqwest::Url::parse("https://docs.example/llms.txt").unwrap();
        let index = "- [A](https://docs.example/a.md): x\n- [A](/a.md)\n- [B](https://else.example/b.md)\n- [All](/llms-full.txt)\n";
        let found: Vec<String> = links(index, &home)
            .iter()
            .map(ToString::to_string)
            .collect();
        assert_eq!(found, ["https://docs.example/a.md"]);
    }
}
