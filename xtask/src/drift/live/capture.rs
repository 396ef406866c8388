//! Answers that were captured before: a folder of them, or a HAR file of a browser or proxy.
//!
//! A captured answer is a JSON file with `method`, `path`, `status` and `body`, as
//! `drift live --save` writes it.

use std::path::Path;

use base64::Engine as _;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::exchange::Exchange;

#[derive(Deserialize, Serialize)]
struct Capture {
    #[serde(default)]
    name: Option<String>,
    method: String,
    path: String,
    status: u16,
    body: Value,
}

#[derive(Deserialize)]
struct Har {
    log: Log,
}

#[derive(Deserialize)]
struct Log {
    entries: Vec<Entry>,
}

#[derive(Deserialize)]
struct Entry {
    request: Request,
    response: Response,
}

#[derive(Deserialize)]
struct Request {
    method: String,
    url: String,
}

#[derive(Deserialize)]
struct Response {
    status: u16,
    #[serde(default)]
    content: Content,
}

#[derive(Default, Deserialize)]
struct Content {
    text: Option<String>,
    encoding: Option<String>,
}

/// Reads a folder of captures, one capture, or a HAR file.
///
/// # Errors
/// A file is neither, or nothing of the API is in any.
pub fn read(path: &Path) -> Result<Vec<Exchange>, String> {
    let shown = path.display();
    let mut files = vec![path.to_owned()];
    if path.is_dir() {
        let entries = std::fs::read_dir(path).map_err(|e| format!("{shown}: {e}"))?;
        files = entries
            .filter_map(|entry| Some(entry.ok()?.path()))
            .filter(|file| file.extension().is_some_and(|e| e == "json" || e == "har"))
            .collect();
        files.sort();
    }
    let mut found = Vec::new();
    for file in files {
        let name = file
            .file_name()
            .map_or_else(String::new, |n| n.to_string_lossy().into_owned());
        let text =
            std::fs::read_to_string(&file).map_err(|e| format!("{}: {e}", file.display()))?;
        found.extend(parse(&name, &text).map_err(|e| format!("{}: {e}", file.display()))?);
    }
    // A browser's record has other hosts and pages in it.
    found.retain(|exchange| exchange.path.starts_with("/rest/v1/"));
    if found.is_empty() {
        return Err(format!("{shown}: no answer of a path under /rest/v1/"));
    }
    Ok(found)
}

fn parse(name: &str, text: &str) -> Result<Vec<Exchange>, String> {
    let value: Value = serde_json::from_str(text).map_err(|e| e.to_string())?;
    if value.get("log").is_some() {
        let har: Har = serde_path_to_error::deserialize(value).map_err(|e| e.to_string())?;
        return Ok(har
            .log
            .entries
            .into_iter()
            .enumerate()
            .map(|(i, entry)| entry.exchange(name, i))
            .collect());
    }
    let capture: Capture = serde_path_to_error::deserialize(value).map_err(|e| e.to_string())?;
    let body = (!capture.body.is_null()).then_some(capture.body);
    Ok(vec![Exchange {
        name: name.to_owned(),
        method: capture.method.to_uppercase(),
        path: path_of(&capture.path),
        status: capture.status,
        body,
    }])
}

impl Entry {
    fn exchange(self, file: &str, index: usize) -> Exchange {
        let path = path_of(&self.request.url);
        Exchange {
            name: format!("{file}, entry {index}: {} {path}", self.request.method),
            method: self.request.method.to_uppercase(),
            path,
            status: self.response.status,
            body: self.response.content.json(),
        }
    }
}

impl Content {
    fn json(self) -> Option<Value> {
        let text = self.text?;
        if self.encoding.as_deref() == Some("base64") {
            let bytes = base64::engine::general_purpose::STANDARD
                .decode(text)
                .ok()?;
            return serde_json::from_slice(&bytes).ok();
        }
        serde_json::from_str(&text).ok()
    }
}

/// The path of a URL or of a path with a query, which can hold a cursor of a person's.
fn path_of(url: &str) -> String {
    let rest = url.find("://").map_or(url, |at| {
        url[at + 3..]
            .find('/')
            .map_or("/", |slash| &url[at + 3 + slash..])
    });
    rest.split(['?', '#']).next().unwrap_or_default().to_owned()
}

/// Writes an answer as a capture, without the presigned URL that an artifact has.
///
/// # Errors
/// The file cannot be written.
pub fn save(folder: &Path, number: usize, exchange: &Exchange) -> Result<(), String> {
    let mut body = exchange.body.clone().unwrap_or_default();
    if exchange.path.contains("/artifacts/") && body.get("url").is_some() {
        body["url"] = "https://storage.invalid/removed".into();
    }
    let capture = Capture {
        name: Some(exchange.name.clone()),
        method: exchange.method.clone(),
        path: exchange.path.clone(),
        status: exchange.status,
        body,
    };
    let text = serde_json::to_string_pretty(&capture).map_err(|e| e.to_string())?;
    let file = folder.join(format!("{number:02}.json"));
    std::fs::create_dir_all(folder)
        .and_then(|()| std::fs::write(&file, text + "\n"))
        .map_err(|e| format!("{}: {e}", file.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_har_file_is_read_with_encoded_bodies_and_without_queries() {
        let text = r#"{"log": {"entries": [{
            "request": {"method": "get", "url": "https://h.example/rest/v1/a?gts=1"},
            "response": {"status": 200, "content": {"text": "eyJhIjogMX0=", "encoding": "base64"}}}]}}"#;
        let found = parse("x.har", text).unwrap();
        assert_eq!(
            (found[0].path.as_str(), found[0].method.as_str()),
            ("/rest/v1/a", "GET")
        );
        assert_eq!(found[0].body, Some(serde_json::json!({"a": 1})));
    }

    #[test]
    fn a_file_of_another_shape_is_an_error() {
        assert!(
            parse("x", r#"{"method": "GET"}"#)
                .unwrap_err()
                .contains("path")
        );
        assert!(parse("x", "no").is_err());
    }
}
