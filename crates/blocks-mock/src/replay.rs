//! Replays recorded responses: a request gets a response that was recorded for the same method, path and query. If the
//! query was not recorded, only the method and the path are compared.

use std::collections::{HashMap, HashSet};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use base64::Engine as _;
use bytes::Bytes;
use http::header::{
    CONTENT_LENGTH, CONTENT_TYPE, DATE, HeaderName, HeaderValue, LOCATION, RETRY_AFTER,
};
use http::request::Parts;
use http::{Method, Response, StatusCode};
use serde_json::{Value, json};

use crate::body::MockBody;
use crate::mock::Mock;
use crate::service::json_response;

/// Headers of a recorded response that the mock sends. The other headers are not sent, because many of them, such as
/// `Transfer-Encoding`, apply only to the recorded connection.
const HEADERS: [HeaderName; 5] = [
    CONTENT_TYPE,
    DATE,
    LOCATION,
    RETRY_AFTER,
    HeaderName::from_static("x-request-id"),
];

/// Contains recorded responses, which a mock can send again. A capture is read from a HAR file (HTTP Archive, a JSON
/// format), such as `blocks --record` writes, or from a folder that `cargo xtask drift live --save` writes.
///
/// A request gets the next response that was recorded for its method, path and query. After the last recorded response,
/// a read gets the last response again, and a create or follow-up gets a 404. A response that was recorded for a
/// request with the same body, and was not sent yet, is sent before the other responses. Files of `drift live --save`
/// do not contain the query, so their responses are sent for every query without a recorded response.
///
/// ```
/// # #[tokio::main(flavor = "current_thread", start_paused = true)]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let capture = blocks_mock::Capture::parse(r#"{"log": {"entries": [{
///     "request": {"method": "GET", "url": "https://api.blocks.team/rest/v1/sessions/1"},
///     "response": {"status": 404, "content": {"text": "{\"error\": \"Not found\"}"}}
/// }]}}"#)?;
/// let mock = blocks_mock::Mock::builder().replay(capture).build();
/// let client = blocks_sdk::Client::builder("any-key").service(mock.service()).build()?;
/// let error = client.get_session("00000000-0000-4000-8000-000000000000".parse::<uuid::Uuid>()?);
/// assert!(error.await.unwrap_err().to_string().contains("the capture has no response"));
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Default)]
pub struct Capture {
    entries: Vec<Entry>,
    /// Maps the URL of a request to the position of the request in `entries`. Contains the requests of HAR files whose
    /// URL has a path that is not below `/rest/`, such as downloads. If a URL was recorded several times, contains the
    /// last position. A recorded artifact contains the URL of its download.
    downloads: HashMap<String, usize>,
}

/// Implements the trait by hand, because the URLs of downloads can contain signatures.
impl std::fmt::Debug for Capture {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Capture")
            .field("entries", &self.entries.len())
            .finish()
    }
}

#[derive(Clone)]
struct Entry {
    method: String,
    path: String,
    /// Sorted query parameters; `None` if the query was not recorded.
    query: Option<Vec<(String, String)>>,
    sent: Option<Value>,
    outcome: Outcome,
}

#[derive(Clone)]
enum Outcome {
    NotConnected,
    NoResponse,
    Response {
        status: StatusCode,
        headers: Vec<(HeaderName, HeaderValue)>,
        body: Bytes,
        is_complete: bool,
    },
}

/// Contains the positions of the entries whose responses were already sent.
#[derive(Debug, Default)]
pub(crate) struct Progress {
    used: HashSet<usize>,
}

/// Maximum size of a file in bytes. Without this limit, an endless device such as `/dev/zero` would fill the memory.
const MAX_FILE: u64 = 256 << 20;

fn read_file(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let file = std::fs::File::open(path)?;
    file.take(MAX_FILE + 1).read_to_end(&mut bytes)?;
    match bytes.len() as u64 > MAX_FILE {
        true => Err(io::Error::other(format!(
            "it is larger than {MAX_FILE} bytes"
        ))),
        false => Ok(bytes),
    }
}

impl Capture {
    /// Reads a HAR file, a file of `drift live --save`, or all `.har` and `.json` files in a folder and its subfolders.
    ///
    /// # Errors
    /// A file cannot be read or is not a capture, or no file contains a request to the service.
    pub fn read(path: &Path) -> Result<Self, String> {
        let mut capture = Self::default();
        let mut paths = vec![path.to_owned()];
        while let Some(path) = paths.pop() {
            let failed = |error: &dyn std::fmt::Display| {
                format!("cannot read the capture {}: {error}", path.display())
            };
            if path.is_dir() {
                let entries = std::fs::read_dir(&path).map_err(|error| failed(&error))?;
                let inside = entries.map(|entry| entry.map(|entry| entry.path()));
                let inside: io::Result<Vec<PathBuf>> = inside.collect();
                let mut inside = inside.map_err(|error| failed(&error))?;
                inside.retain(|path| path.is_dir() || is_capture(path));
                // `pop` takes the last path first. So the paths are sorted in descending order, and read in ascending
                // order.
                inside.sort_by(|a, b| b.cmp(a));
                paths.extend(inside);
            } else {
                let bytes = read_file(&path).map_err(|error| failed(&error))?;
                let text = String::from_utf8_lossy(&bytes);
                capture.add(&text).map_err(|error| failed(&error))?;
            }
        }
        capture
            .finish()
            .map_err(|error| format!("cannot replay {}: {error}", path.display()))
    }

    /// Reads the text of a HAR file, or of one file that `cargo xtask drift live --save` wrote.
    ///
    /// # Errors
    /// The text is not a capture, or contains no request to the service.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut capture = Self::default();
        capture.add(text)?;
        capture.finish()
    }

    fn add(&mut self, text: &str) -> Result<(), String> {
        let text = text.trim_start_matches('\u{feff}');
        let value: Value = serde_json::from_str(text).map_err(|e| format!("invalid JSON: {e}"))?;
        if let Some(log) = value.get("log") {
            let entries = log["entries"].as_array().ok_or("missing `log.entries`")?;
            for (number, value) in entries.iter().enumerate() {
                let url = value["request"]["url"].as_str().unwrap_or_default();
                let is_download = !target(url).0.starts_with("/rest/");
                let entry = match har_entry(value) {
                    Ok(entry) => entry,
                    // If an entry cannot be read and its path is not below `/rest/`, the entry is skipped, because a
                    // browser also records requests to other hosts.
                    Err(_) if is_download => continue,
                    Err(error) => return Err(format!("entry {number}: {error}")),
                };
                if is_download {
                    self.downloads.insert(url.to_owned(), self.entries.len());
                }
                self.entries.push(entry);
            }
            return Ok(());
        }
        self.entries.push(saved_response(&value)?);
        Ok(())
    }

    fn finish(mut self) -> Result<Self, String> {
        if !self.entries.iter().any(|e| e.path.starts_with("/rest/")) {
            return Err("no response of the service in it".into());
        }
        // A file of `drift live --save` does not contain the query of its request, so one request can match several
        // saved responses. Errors are sorted to the end, because the service sends successful responses more often.
        let is_failure = |entry: &Entry| match &entry.outcome {
            Outcome::Response { status, .. } => entry.query.is_none() && status.as_u16() >= 400,
            _ => false,
        };
        // Sorting is needed only for a folder of saved responses, which contains no downloads. A HAR file can contain
        // downloads, and sorting would change the positions of entries that `downloads` contains.
        if self.downloads.is_empty() {
            self.entries.sort_by_key(is_failure);
        }
        Ok(self)
    }

    /// Selects the recorded entry whose response is sent for `request`. Returns the position of this entry in
    /// `entries`.
    fn select(&self, request: &Sent<'_>, progress: &mut Progress) -> Option<usize> {
        let numbered = || self.entries.iter().enumerate();
        let matching = |with_query: bool| -> Vec<usize> {
            let found = numbered().filter(|(_, entry)| {
                entry.method == request.method
                    && entry.path == request.path
                    && match &entry.query {
                        Some(query) => with_query && *query == request.query,
                        None => !with_query,
                    }
            });
            found.map(|(number, _)| number).collect()
        };
        let mut candidates = matching(true);
        if candidates.is_empty() {
            candidates = matching(false);
        }
        let unused = || candidates.iter().filter(|n| !progress.used.contains(n));
        let same_body = |number: &&usize| {
            let sent = &self.entries[**number].sent;
            sent.is_some() && *sent == request.body
        };
        let next = unused().find(same_body).or_else(|| unused().next());
        let again = || candidates.last().filter(|_| request.method == "GET");
        let selected = next.or_else(again).copied()?;
        progress.used.insert(selected);
        Some(selected)
    }
}

fn is_capture(path: &Path) -> bool {
    let extension = path.extension().unwrap_or_default();
    extension == "har" || extension == "json"
}

/// Contains the parts of a request that are compared with the recorded entries.
struct Sent<'a> {
    method: &'a str,
    path: &'a str,
    query: Vec<(String, String)>,
    body: Option<Value>,
}

impl Mock {
    /// Returns the recorded response to a request, or a 404 if the capture has none.
    ///
    /// # Errors
    /// The capture contains a failed connection instead of a response.
    pub(crate) fn replay(
        &self,
        capture: &Capture,
        parts: &Parts,
        body: &Bytes,
    ) -> io::Result<Response<MockBody>> {
        let request = Sent {
            method: parts.method.as_str(),
            path: parts.uri.path(),
            query: pairs(parts.uri.query().unwrap_or_default()),
            body: serde_json::from_slice(body).ok(),
        };
        let downloaded = (parts.method == Method::GET)
            .then(|| request.path.strip_prefix("/storage/"))
            .flatten();
        let entry = match downloaded {
            Some(number) => {
                let number: Option<usize> = number.parse().ok();
                number.filter(|number| capture.downloads.values().any(|n| n == number))
            }
            None => {
                let mut state = self.inner.state();
                capture.select(&request, &mut state.replayed)
            }
        };
        let Some(entry) = entry.and_then(|number| capture.entries.get(number)) else {
            // The query of any other URL can contain a signature.
            let target = match parts.uri.path_and_query() {
                Some(target) if request.path.starts_with("/rest/v1/") => target.as_str(),
                _ => request.path,
            };
            let text = format!("the capture has no response to {} {target}", request.method);
            return Ok(json_response(404, &json!({"error": text})));
        };
        match &entry.outcome {
            Outcome::NotConnected => Err(io::ErrorKind::ConnectionRefused.into()),
            Outcome::NoResponse => Err(io::ErrorKind::ConnectionReset.into()),
            Outcome::Response {
                status,
                headers,
                body,
                is_complete,
            } => {
                let body = self.with_own_downloads(capture, body);
                let mut response = Response::new(match is_complete {
                    true => MockBody::whole(body.clone()),
                    false => MockBody::broken(body.clone()),
                });
                *response.status_mut() = *status;
                response.headers_mut().extend(headers.iter().cloned());
                if !is_complete {
                    // `Content-Length` is larger than the body, so that a client detects that the body is incomplete.
                    let length = HeaderValue::from(body.len() + 1);
                    response.headers_mut().insert(CONTENT_LENGTH, length);
                }
                Ok(response)
            }
        }
    }

    /// Replaces the field `url` of the body with a URL of this mock if `url` is the URL of a recorded download.
    /// Otherwise returns the body without a change.
    fn with_own_downloads(&self, capture: &Capture, body: &Bytes) -> Bytes {
        if capture.downloads.is_empty() {
            return body.clone();
        }
        let Ok(mut value) = serde_json::from_slice::<Value>(body) else {
            return body.clone();
        };
        let url = value.get("url").and_then(Value::as_str);
        match url.and_then(|url| capture.downloads.get(url)) {
            Some(number) => {
                value["url"] = format!("{}/storage/{number}", self.inner.origin()).into();
                value.to_string().into()
            }
            None => body.clone(),
        }
    }
}

fn pairs(query: &str) -> Vec<(String, String)> {
    let pairs = form_urlencoded::parse(query.as_bytes());
    let mut pairs: Vec<_> = pairs.into_owned().collect();
    pairs.sort();
    pairs
}

/// Returns the path and the query of `url`, which is an absolute URL or a path with an optional query.
fn target(url: &str) -> (String, String) {
    let rest = match url.split_once("://") {
        Some((_, rest)) => rest.find('/').map_or("/", |at| &rest[at..]),
        None => url,
    };
    let rest = rest.split('#').next().unwrap_or_default();
    let (path, query) = rest.split_once('?').unwrap_or((rest, ""));
    (path.to_owned(), query.to_owned())
}

fn har_entry(entry: &Value) -> Result<Entry, String> {
    let (request, response) = (&entry["request"], &entry["response"]);
    let method = request["method"]
        .as_str()
        .ok_or("missing `request.method`")?;
    let url = request["url"].as_str().ok_or("missing `request.url`")?;
    let (path, query) = target(url);
    let sent = request["postData"]["text"].as_str();
    let status = response["status"].as_u64().ok_or_else(|| {
        let status = &response["status"];
        format!("invalid `response.status` {status}: expected a whole number")
    })?;
    let outcome = match status {
        0 if entry["_connected"] == false => Outcome::NotConnected,
        0 => Outcome::NoResponse,
        status => har_response(status, response)?,
    };
    Ok(Entry {
        method: method.to_uppercase(),
        path,
        query: Some(pairs(&query)),
        sent: sent.and_then(|text| serde_json::from_str(text).ok()),
        outcome,
    })
}

fn har_response(status: u64, response: &Value) -> Result<Outcome, String> {
    let content = &response["content"];
    let is_complete = response["_complete"] != false;
    let text = content["text"].as_str();
    let is_removed = text.is_none() && content["size"].as_u64().is_some_and(|size| size > 0);
    // The body of an error may be missing, because a client can use the status. The recorder removes texts of servers
    // that are not JSON, such as an error page.
    if is_removed && is_complete && (200..300).contains(&status) {
        let size = &content["size"];
        return Err(format!(
            "missing `content.text`, but `content.size` is {size}: record with the bodies of responses, \
             for example with `--record-texts`"
        ));
    }
    let text = text.unwrap_or_default();
    let body = if content["encoding"] == "base64" {
        let text: String = text.split_whitespace().collect();
        let decoded = base64::engine::general_purpose::STANDARD.decode(text);
        decoded.map_err(|error| format!("invalid base64 in `content.text`: {error}"))?
    } else {
        text.as_bytes().to_vec()
    };
    let mut headers: Vec<(HeaderName, HeaderValue)> = Vec::new();
    for header in response["headers"].as_array().into_iter().flatten() {
        let name: Option<HeaderName> = header["name"].as_str().and_then(|name| name.parse().ok());
        let value = header["value"].as_str();
        // The query of a redirect's target can contain a secret.
        let value = match &name {
            Some(name) if *name == LOCATION => value.and_then(|url| url.split(['?', '#']).next()),
            _ => value,
        };
        let value = value.and_then(|value| value.parse::<HeaderValue>().ok());
        if let (Some(name), Some(value)) = (name, value)
            && HEADERS.contains(&name)
        {
            headers.push((name, value));
        }
    }
    let media_type = content["mimeType"].as_str().and_then(|v| v.parse().ok());
    if let Some(media_type) = media_type
        && !headers.iter().any(|(name, _)| name == CONTENT_TYPE)
    {
        headers.push((CONTENT_TYPE, media_type));
    }
    Ok(Outcome::Response {
        status: final_status(status)?,
        headers,
        body: body.into(),
        is_complete,
    })
}

/// Parses the JSON of a file that `drift live --save` wrote. Such a file contains the path of the request, but not the
/// query.
fn saved_response(value: &Value) -> Result<Entry, String> {
    const EXPECTED: &str = "not a HAR file or a saved response";
    let (Some(method), Some(path)) = (value["method"].as_str(), value["path"].as_str()) else {
        return Err(format!("{EXPECTED}: missing `method` or `path`"));
    };
    let status = value["status"].as_u64().ok_or("missing `status`")?;
    let media_type = value["media_type"].as_str().unwrap_or("application/json");
    let content_type = media_type.parse().map_err(|_| "invalid `media_type`")?;
    let body = match &value["body"] {
        Value::Null => Bytes::new(),
        body => body.to_string().into(),
    };
    Ok(Entry {
        method: method.to_uppercase(),
        path: target(path).0,
        query: None,
        sent: None,
        outcome: Outcome::Response {
            status: final_status(status)?,
            headers: vec![(CONTENT_TYPE, content_type)],
            body,
            is_complete: true,
        },
    })
}

fn final_status(status: u64) -> Result<StatusCode, String> {
    let valid = u16::try_from(status)
        .ok()
        .filter(|status| (200..600).contains(status));
    let code = valid.and_then(|status| StatusCode::from_u16(status).ok());
    code.ok_or_else(|| format!("invalid status {status}: expected 200 to 599"))
}
