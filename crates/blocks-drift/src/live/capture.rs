//! Reads captured responses from JSON files of `drift live --save`, and from HAR files (HTTP archives) of browsers and
//! proxies.
//!
//! A captured response is a JSON object with `method`, `path`, `status` and `body`. `drift live --save` writes one file
//! for each compared response. A `.jsonl` file contains one captured response per line. Entries of a HAR file that
//! cannot be compared are left out and counted. Examples are responses of other hosts, redirects and 5xx responses.

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use base64::Engine as _;
use serde_json::{Value, json};

use super::exchange::{Body, Exchange, parse_body};
use crate::limited::{self, MOST_BYTES};

/// The largest file that is read, in bytes, as in `blocks mock --replay`. A HAR file contains many bodies.
const MOST_FILE_BYTES: usize = 256 << 20;

/// The captured requests and responses, and the number of entries that were left out.
#[derive(Debug, Default)]
pub struct Captures {
    /// The requests to the API with their responses.
    pub exchanges: Vec<Exchange>,
    /// The number of entries that were left out, for each reason.
    pub skipped: BTreeMap<&'static str, usize>,
}

impl Captures {
    fn take(&mut self, exchange: Result<Exchange, &'static str>) {
        match exchange {
            Ok(exchange) => self.exchanges.push(exchange),
            Err(why) => *self.skipped.entry(why).or_default() += 1,
        }
    }
}

/// Reads one file, or the files in a folder and its subfolders. Each file is a HAR file, or contains captured
/// responses. In a folder, only files with the ending `.json`, `.jsonl` or `.har` are read. Such a file that contains
/// no capture, or is larger than [`MOST_FILE_BYTES`], is left out and counted. A symbolic link to a folder is left out
/// too, because the link may lead back to a folder around it. From a HAR file, only requests to `hosts` are read.
///
/// # Errors
/// Fails if `path` or a subfolder cannot be read, if `path` is a file that is too large or no capture, or if no file
/// contains a response of the API.
pub fn read(path: &Path, hosts: &[String]) -> Result<Captures> {
    let mut captures = Captures::default();
    let mut files = vec![path.to_owned()];
    while let Some(file) = files.pop() {
        let shown = file.display().to_string();
        if file != path && file.is_symlink() && file.is_dir() {
            captures.take(Err("linked folder"));
        } else if file.is_dir() {
            let mut inside = std::fs::read_dir(&file)
                .and_then(|entries| {
                    entries.map(|e| e.map(|e| e.path())).collect::<std::io::Result<Vec<PathBuf>>>()
                })
                .context(shown)?;
            inside.sort();
            files.extend(inside.into_iter().rev());
        } else if file == path
            || file.extension().is_some_and(|e| ["json", "jsonl", "har"].iter().any(|k| e == *k))
        {
            let bytes = limited::file(&file, MOST_FILE_BYTES);
            let too_large = bytes.as_ref().is_err_and(|e| e.kind() == ErrorKind::FileTooLarge);
            match bytes.map_err(anyhow::Error::from).and_then(|bytes| parse(&file, &bytes, hosts)) {
                Err(error) if file == path => return Err(error.context(shown)),
                Err(_) if too_large => captures.take(Err("too large")),
                Err(_) => captures.take(Err("not a capture")),
                Ok(found) => found.into_iter().for_each(|exchange| captures.take(exchange)),
            }
        }
    }
    if captures.exchanges.is_empty() {
        bail!(
            "{}: no response of the API is in it; left out: {}",
            path.display(),
            counts(&captures.skipped)
        );
    }
    Ok(captures)
}

/// Returns a text for reports that says how many entries were left out for each reason, such as `2 of another host`.
pub fn counts(skipped: &BTreeMap<&'static str, usize>) -> String {
    let list: Vec<String> = skipped.iter().map(|(why, n)| format!("{n} {why}")).collect();
    if list.is_empty() { "none".to_owned() } else { list.join(", ") }
}

type Entries = Vec<Result<Exchange, &'static str>>;

fn parse(file: &Path, bytes: &[u8], hosts: &[String]) -> Result<Entries> {
    let name = file.file_name().map_or_else(String::new, |n| n.to_string_lossy().into_owned());
    let text = String::from_utf8_lossy(bytes);
    let text = text.trim_start_matches('\u{feff}');
    if file.extension().is_some_and(|e| e == "jsonl") {
        return Ok(text
            .lines()
            .filter(|l| !l.trim().is_empty())
            .map(|line| {
                let value = serde_json::from_str(line).map_err(|_| "not JSON")?;
                capture(&name, &value)
            })
            .collect());
    }
    let value: Value = serde_json::from_str(text)?;
    if let Some(log) = value.get("log") {
        let entries = log["entries"].as_array().context("the HAR file has no `log.entries`")?;
        let folder = file.parent().unwrap_or(Path::new("."));
        return Ok(entries
            .iter()
            .enumerate()
            .map(|(i, e)| entry(&format!("{name}, entry {i}"), e, hosts, folder))
            .collect());
    }
    match capture(&name, &value) {
        Ok(exchange) => Ok(vec![Ok(exchange)]),
        Err(why) => bail!("neither a HAR file nor a captured response ({why})"),
    }
}

/// Parses a captured response, as `--save` writes it.
fn capture(name: &str, value: &Value) -> Result<Exchange, &'static str> {
    let text = |key: &str| value[key].as_str().map(str::to_owned);
    let (Some(method), Some(path)) = (text("method"), text("path")) else {
        return Err("without method or path");
    };
    let status =
        value["status"].as_u64().and_then(|s| u16::try_from(s).ok()).ok_or("without a status")?;
    let (path, query) = path_of(&path);
    if !path.starts_with("/rest/") {
        return Err("of another path");
    }
    let body = match value.get("body") {
        None | Some(Value::Null) => Body::Other("not JSON".to_owned()),
        Some(body) => Body::Json(body.clone()),
    };
    let media_type = text("media_type");
    Ok(Exchange {
        name: name.to_owned(),
        method: method.to_uppercase(),
        path,
        query,
        sent: None,
        status,
        media_type,
        body,
    })
}

/// Parses an entry of a HAR file. Any field of the entry may be missing.
fn entry(
    name: &str,
    entry: &Value,
    hosts: &[String],
    folder: &Path,
) -> Result<Exchange, &'static str> {
    let (request, response) = (&entry["request"], &entry["response"]);
    let method = request["method"].as_str().ok_or("without a request")?.to_uppercase();
    let url = reqwest::Url::parse(request["url"].as_str().ok_or("without a request")?)
        .map_err(|_| "without a URL")?;
    let host = url.host_str().unwrap_or_default();
    if !hosts.iter().any(|h| h == host) {
        return Err("of another host");
    }
    if !url.path().starts_with("/rest/") {
        return Err("of another path");
    }
    if matches!(method.as_str(), "OPTIONS" | "HEAD" | "CONNECT" | "TRACE") {
        return Err("preflight or without a body");
    }
    let status = match response["status"].as_u64().and_then(|s| u16::try_from(s).ok()) {
        None | Some(0) => return Err("without a response"),
        Some(101..=199) => return Err("of another protocol"),
        Some(300..=399) => return Err("redirected or not modified"),
        Some(429 | 500..) => return Err("rate limited or of a failing service"),
        Some(status) => status,
    };
    let header = |name: &str| {
        let headers = response["headers"].as_array().into_iter().flatten();
        headers
            .into_iter()
            .find(|h| h["name"].as_str().is_some_and(|n| n.eq_ignore_ascii_case(name)))?["value"]
            .as_str()
            .map(str::to_owned)
    };
    let content = &response["content"];
    let media_type = header("content-type").or(content["mimeType"].as_str().map(str::to_owned));
    let media_type =
        media_type.filter(|m| !m.is_empty() && m != "x-unknown" && m != "application/octet-stream");
    if media_type.as_deref().is_some_and(|m| m.contains("event-stream")) {
        return Err("of another protocol");
    }
    let (path, _) = path_of(url.as_str());
    let query = url.query_pairs().map(|(name, _)| name.into_owned()).collect();
    let sent = request["postData"]["text"].as_str().and_then(|t| serde_json::from_str(t).ok());
    let name = format!("{name}: {method} {path}");
    Ok(Exchange {
        name,
        method,
        path,
        query,
        sent,
        status,
        media_type,
        body: content_of(content, folder),
    })
}

/// Returns the recorded body. A body that is missing, cut off, empty, larger than [`MOST_BYTES`] or invalid base64
/// counts as not recorded.
fn content_of(content: &Value, folder: &Path) -> Body {
    let attached = content["_file"].as_str().filter(|f| !f.contains(['/', '\\']));
    let bytes = match (content["text"].as_str(), attached) {
        (Some(text), _) if content["encoding"] == "base64" => {
            let clean: String = text.split_whitespace().collect();
            base64::engine::general_purpose::STANDARD.decode(clean).ok()
        }
        (Some(text), _) => Some(text.as_bytes().to_vec()),
        (None, Some(file)) => limited::file(&folder.join(file), MOST_BYTES).ok(),
        (None, None) => None,
    };
    let Some(bytes) = bytes.filter(|b| !b.is_empty() && b.len() <= MOST_BYTES) else {
        return Body::Unknown;
    };
    let size = content["size"].as_u64().and_then(|s| usize::try_from(s).ok()).unwrap_or(0);
    match parse_body(&bytes) {
        Body::Other(_) if size > bytes.len() || content["comment"].is_string() => Body::Unknown,
        body => body,
    }
}

/// Returns the path and the names of the query parameters of `url`, which is a URL or a path with a query.
fn path_of(url: &str) -> (String, Vec<String>) {
    let rest =
        url.split_once("://").map_or(url, |(_, rest)| rest.find('/').map_or("/", |at| &rest[at..]));
    let (path, query) = rest.split_once('?').unwrap_or((rest, ""));
    let query = query.split('#').next().unwrap_or_default();
    let names = query
        .split('&')
        .filter(|p| !p.is_empty())
        .map(|p| p.split('=').next().unwrap_or_default().to_owned());
    (path.split('#').next().unwrap_or_default().to_owned(), names.collect())
}

/// Writes a response to a file in the folder. The presigned URL of an artifact (the field `url`) is replaced with a
/// fixed URL, because it gives access without a key. Other fields are not changed.
///
/// # Errors
/// Fails if the file cannot be written.
pub fn save(folder: &Path, number: usize, exchange: &Exchange) -> Result<()> {
    let mut body = match &exchange.body {
        Body::Json(value) => value.clone(),
        _ => Value::Null,
    };
    if exchange.path.contains("/artifacts/") && body.get("url").is_some() {
        body["url"] = "https://storage.invalid/removed".into();
    }
    let capture = json!({
        "name": exchange.name,
        "method": exchange.method,
        "path": exchange.path,
        "status": exchange.status,
        "media_type": exchange.media_type,
        "body": body,
    });
    let file = folder.join(format!("{number:02}.json"));
    std::fs::create_dir_all(folder)
        .and_then(|()| std::fs::write(&file, format!("{capture:#}\n")))
        .with_context(|| file.display().to_string())
}
