//! Pages behind URLs, on a loopback server.

use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use xtask::drift::docs::source;

use super::*;

/// Serves paths with a content type and a text; gives its URL and what it received.
async fn serve(pages: Vec<(&'static str, &'static str, String)>) -> (String, Arc<Mutex<String>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let received = Arc::new(Mutex::new(String::new()));
    let log = Arc::clone(&received);
    tokio::spawn(async move {
        while let Ok((mut socket, _)) = listener.accept().await {
            let mut buffer = vec![0; 8192];
            let length = socket.read(&mut buffer).await.unwrap_or(0);
            let request = String::from_utf8_lossy(&buffer[..length]).into_owned();
            let path = request.split(' ').nth(1).unwrap_or_default().to_owned();
            log.lock().unwrap().push_str(&request);
            let page = pages.iter().find(|(p, ..)| *p == path);
            let (status, kind, body) = match page {
                Some((_, kind, body)) => ("200 OK", *kind, body.as_str()),
                None => ("404 Not Found", "text/plain", ""),
            };
            let head = format!(
                "HTTP/1.1 {status}\r\ncontent-type: {kind}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
                body.len()
            );
            let _ = socket.write_all(format!("{head}{body}").as_bytes()).await;
        }
    });
    (url, received)
}

#[tokio::test]
async fn a_page_in_html_is_read_in_its_markdown_form() {
    let page = xtask::read(MARKDOWN).unwrap();
    let html = "<!doctype html><html></html>".to_owned();
    let (url, received) = serve(vec![
        ("/page", "text/html; charset=utf-8", html),
        ("/page.md", "text/markdown", page),
    ])
    .await;
    let page = source::read(&format!("{url}/page")).await.unwrap();
    assert!(page.name.ends_with("/page.md"));
    let outcome = outcome(&document(), &page.name, &page.text);
    assert_eq!(
        outcome
            .findings
            .iter()
            .filter(|f| f.known.is_none())
            .count(),
        0
    );
    assert!(
        !received
            .lock()
            .unwrap()
            .to_lowercase()
            .contains("authorization")
    );
}

#[tokio::test]
async fn an_index_gives_the_pages_that_describe_an_operation() {
    let index =
        "# Docs\n\n- [A](/a.md): x\n- [B](/guide.md): y\n- [C](https://else.invalid/c.md)\n";
    let (url, _) = serve(vec![
        ("/llms.txt", "text/plain", index.to_owned()),
        ("/a.md", "text/markdown", xtask::read(MARKDOWN).unwrap()),
        (
            "/guide.md",
            "text/markdown",
            "# Guide\n\nWords.\n".to_owned(),
        ),
    ])
    .await;
    let pages = source::read_index(&format!("{url}/llms.txt"))
        .await
        .unwrap();
    let names: Vec<_> = pages
        .iter()
        .map(|p| p.name.trim_start_matches(&url))
        .collect();
    assert_eq!(names, ["/a.md"]);
}

/// What is gone is not in sync.
#[tokio::test]
async fn a_page_or_index_that_is_gone_is_an_error() {
    let guide = "# Guide\n\nWords.\n".to_owned();
    let (url, _) = serve(vec![
        (
            "/llms.txt",
            "text/plain",
            "- [B](/guide.md)\n- [C](/gone.md)\n".to_owned(),
        ),
        ("/some.txt", "text/plain", "- [B](/guide.md)\n".to_owned()),
        ("/guide.md", "text/markdown", guide),
    ])
    .await;
    for (path, index, why) in [
        ("/gone", false, "404"),
        ("/llms.txt", true, "404"),
        ("/some.txt", true, "no page"),
        ("/guide.md", true, "0 links"),
    ] {
        let url = format!("{url}{path}");
        let error = if index {
            source::read_index(&url).await.unwrap_err()
        } else {
            source::read(&url).await.unwrap_err()
        };
        assert!(error.contains(why), "{error}");
    }
}
