//! Removes API keys, presigned URLs (links that give access without a key), and common forms of tokens from a
//! recording. Without `--record-texts`, also removes every text that is not known to be harmless. For example, a prompt
//! is removed, but an id or a date is kept.

use std::borrow::Cow;
use std::collections::HashMap;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use blocks_sdk::RawJson;
use http::HeaderMap;
use http::header::{
    ACCEPT, AUTHORIZATION, CONTENT_TYPE, DATE, HeaderName, LOCATION, RETRY_AFTER, USER_AGENT,
};
use reqwest::Url;
use serde_json::{Map, Value, json};

const REMOVED: &str = "[removed]";
/// Replacement for a URL. No host has this name, because the top-level domain `.invalid` is reserved.
const REMOVED_URL: &str = "https://removed.invalid/";
/// Prefix of the URL that replaces a presigned URL. A number is appended: 1 for the first presigned URL of the
/// recording, 2 for the second, and so on.
const STORAGE: &str = "https://storage.invalid/";

const REQUEST_HEADERS: [HeaderName; 3] = [ACCEPT, CONTENT_TYPE, USER_AGENT];
const RESPONSE_HEADERS: [HeaderName; 5] = [
    CONTENT_TYPE,
    DATE,
    LOCATION,
    RETRY_AFTER,
    HeaderName::from_static("x-request-id"),
];
/// Query parameters that are recorded if their value is a number or an id. The name and the value of any other query
/// parameter are replaced with `removed`.
const PARAMETERS: [&str; 7] = [
    "type",
    "role",
    "thread_id",
    "gts",
    "page",
    "limit",
    "direction",
];
/// Parts of names. If the name of a query parameter or field contains one of these parts, the value is treated as a
/// secret. Exceptions are values of fields such as `session_id`, if they have the form that the field usually has.
/// Another exception is a field whose value is not a text.
const SECRET_NAMES: [&str; 12] = [
    "auth",
    "cookie",
    "credential",
    "expires",
    "jwt",
    "key",
    "passw",
    "secret",
    "session",
    "sig",
    "token",
    "x-",
];
/// Names of authentication schemes. The word after such a name is treated as a secret, for example `abc123` in the text
/// `Bearer abc123`.
const SCHEMES: [&str; 4] = ["apikey", "basic", "bearer", "token"];
/// Prefixes of the tokens of common services.
const TOKEN_PREFIXES: [&str; 18] = [
    "AIza",
    "AKIA",
    "ASIA",
    "SG.",
    "eyJ",
    "ghp_",
    "gho_",
    "ghs_",
    "ghu_",
    "ghr_",
    "github_pat_",
    "glpat-",
    "hf_",
    "npm_",
    "pypi-",
    "sk-",
    "sk_",
    "xox",
];

/// Removes secrets from a recording. Without `--record-texts`, also removes texts. Remembers the API keys and the
/// presigned URLs of the recording.
pub struct Redactor {
    texts: bool,
    /// The API keys, each in all the forms in which a text may contain it. [`encodings`] returns these forms.
    secrets: Vec<String>,
    /// A map from each presigned URL to the number that replaces it in the recording.
    downloads: HashMap<String, usize>,
}

/// A request URL from which the secrets were removed.
pub struct Target {
    pub url: String,
    pub query: Vec<Value>,
}

impl Redactor {
    pub fn new(texts: bool) -> Self {
        Self {
            texts,
            secrets: Vec::new(),
            downloads: HashMap::new(),
        }
    }

    /// Remembers the API key of a request, so that the key is removed in each form that [`encodings`] returns.
    pub fn add_secrets(&mut self, headers: &HeaderMap) {
        for value in headers.get_all(AUTHORIZATION) {
            let text = String::from_utf8_lossy(value.as_bytes()).into_owned();
            let key = text.rsplit(' ').next().unwrap_or_default();
            for form in encodings(key) {
                if !self.secrets.contains(&form) {
                    self.secrets.push(form);
                }
            }
        }
    }

    /// Returns the URL of a request without secrets. A request without an `Authorization` header is a download from a
    /// presigned URL. The presigned URL is replaced by `STORAGE` and a number.
    pub fn target(&mut self, url: &Url, headers: &HeaderMap) -> Target {
        if !headers.contains_key(AUTHORIZATION) {
            return Target {
                url: self.download(url.as_str()),
                query: Vec::new(),
            };
        }
        let mut query = Vec::new();
        let mut redacted = url.clone();
        let _ = redacted.set_username("");
        let _ = redacted.set_password(None);
        redacted.set_fragment(None);
        redacted.set_query(None);
        redacted.set_path(&self.path(url.path()));
        for (name, value) in url.query_pairs() {
            let (name, value) = self.parameter(&name, &value);
            redacted.query_pairs_mut().append_pair(&name, &value);
            query.push(json!({"name": name, "value": value}));
        }
        Target {
            url: self.scrub(redacted.as_str()),
            query,
        }
    }

    pub fn request_headers(&self, headers: &HeaderMap) -> Value {
        self.headers(headers, &REQUEST_HEADERS)
    }

    pub fn response_headers(&self, headers: &HeaderMap) -> Value {
        self.headers(headers, &RESPONSE_HEADERS)
    }

    fn headers(&self, headers: &HeaderMap, allowed: &[HeaderName]) -> Value {
        let mut kept = Vec::new();
        for name in allowed {
            let value = headers.get(name).and_then(|value| value.to_str().ok());
            let value = value.and_then(|value| match name.as_str() {
                "content-type" => media_type(value).map(Cow::Borrowed),
                "date" | "retry-after" => is_time(value).then_some(Cow::Borrowed(value)),
                "location" => self.redirect(value).map(Cow::Owned),
                "x-request-id" => is_id(value).then_some(Cow::Borrowed(value)),
                _ => (value.len() <= 100).then_some(Cow::Borrowed(value)),
            });
            if let Some(value) = value {
                kept.push(json!({"name": name.as_str(), "value": self.scrub(&value)}));
            }
        }
        Value::Array(kept)
    }

    /// Returns the HAR object that describes a body, without secrets. For a response body, `url` is the URL of its
    /// request. For a request body, `url` is `None`.
    pub fn content(&mut self, body: &[u8], headers: &HeaderMap, url: Option<&Url>) -> Value {
        let media = headers
            .get(CONTENT_TYPE)
            .and_then(|value| value.to_str().ok());
        let media = media.and_then(media_type).unwrap_or("x-unknown");
        let mut content = json!({"size": body.len(), "mimeType": self.scrub(media)});
        if body.is_empty() {
            content["text"] = json!("");
            return content;
        }
        if let Ok(mut value) = serde_json::from_slice::<Value>(body) {
            let is_artifact = url.is_some_and(|url| url.path().contains("/artifacts/"));
            let download = value["url"]
                .as_str()
                .filter(|_| is_artifact && value.is_object());
            let download = download.map(|url| self.download(url));
            self.value(&mut value, "");
            if let Some(download) = download {
                value["url"] = download.into();
            }
            content["text"] = value.to_string().into();
            return content;
        }
        match std::str::from_utf8(body) {
            _ if !self.texts => content["comment"] = json!("the text was removed"),
            Ok(text) => content["text"] = self.scrub(text).into(),
            Err(_) if self.contains_secret(&String::from_utf8_lossy(body)) => {
                content["comment"] = json!("the content was removed: it contains the API key");
            }
            Err(_) => {
                content["text"] = STANDARD.encode(body).into();
                content["encoding"] = json!("base64");
            }
        }
        content
    }

    /// Returns the replacement for a presigned URL. The same URL always gets the same number.
    fn download(&mut self, url: &str) -> String {
        let next = self.downloads.len() + 1;
        let number = *self.downloads.entry(url.to_owned()).or_insert(next);
        format!("{STORAGE}{number}")
    }

    fn value(&self, value: &mut Value, name: &str) {
        match value {
            Value::String(text) => *text = self.string(name, text),
            Value::Array(values) => {
                for value in values {
                    self.value(value, name);
                }
            }
            Value::Object(object) => {
                let fields = std::mem::take(object);
                *object = fields
                    .into_iter()
                    .map(|field| self.field(field))
                    .collect::<Map<_, _>>();
            }
            // A number with more than 20 characters may be a secret. Numbers from the service are shorter.
            Value::Number(number) if number.to_string().len() > 20 => *value = json!(0),
            _ => {}
        }
    }

    fn field(&self, (name, mut value): (String, Value)) -> (String, Value) {
        let is_name = |name: &str| {
            let is_part = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
            name.len() <= 40 && name.chars().all(is_part)
        };
        self.value(&mut value, &name);
        match self.texts || is_name(&name) {
            true => (self.scrub(&name), value),
            false => (REMOVED.to_owned(), value),
        }
    }

    fn string(&self, name: &str, text: &str) -> String {
        if text.is_empty() {
            return String::new();
        }
        let is_known = match name {
            "href" => return self.link(text),
            "session_html_url" => return self.page(text),
            "created_at" | "updated_at" => is_time(text),
            "mime_type" => media_type(text) == Some(text),
            "role" | "type" | "kind" | "status" | "code" | "agent_name" => is_word(text),
            name if name == "id" || name.ends_with("_id") || name.ends_with("_ids") => is_id(text),
            _ => false,
        };
        if is_known {
            return self.scrub(text);
        }
        let is_secret = name != "session_group_id" && is_secret_name(name);
        match text.starts_with("http://") || text.starts_with("https://") {
            _ if self.texts && !is_secret => self.scrub(text),
            true => REMOVED_URL.to_owned(),
            false => REMOVED.to_owned(),
        }
    }

    /// Removes texts from a link to the service's API. Replaces each path part and each query parameter that may
    /// contain text. Also removes the user name, the password and the fragment. Any other URL is replaced completely.
    fn link(&self, text: &str) -> String {
        let Ok(mut url) = Url::parse(text) else {
            return REMOVED_URL.to_owned();
        };
        if !url.path().starts_with("/rest/v1/") {
            return REMOVED_URL.to_owned();
        }
        let pairs: Vec<_> = url
            .query_pairs()
            .map(|(name, value)| self.parameter(&name, &value))
            .collect();
        let _ = url.set_username("");
        let _ = url.set_password(None);
        url.set_fragment(None);
        url.set_query(None);
        url.set_path(&self.path(url.path()));
        for (name, value) in pairs {
            url.query_pairs_mut().append_pair(&name, &value);
        }
        self.scrub(url.as_str())
    }

    /// Returns the URL of a session's page without user name, password, query and fragment. Replaces each path part for
    /// which [`is_id`] returns false.
    fn page(&self, text: &str) -> String {
        let Ok(mut url) = Url::parse(text) else {
            return REMOVED_URL.to_owned();
        };
        let _ = url.set_username("");
        let _ = url.set_password(None);
        url.set_fragment(None);
        url.set_query(None);
        url.set_path(&self.path(url.path()));
        self.scrub(url.as_str())
    }

    /// Returns the target of a redirect, changed like the URL in [`Self::page`]. The target is a URL or a path. Returns
    /// `None` for any other text.
    fn redirect(&self, text: &str) -> Option<String> {
        let path = text.split(['?', '#']).next().unwrap_or_default();
        if path.starts_with('/') && !path.starts_with("//") {
            return Some(self.path(path));
        }
        let is_url = text.starts_with("http://") || text.starts_with("https://");
        is_url.then(|| self.page(text))
    }

    fn path(&self, path: &str) -> String {
        let parts = path
            .split('/')
            .map(|part| match part.is_empty() || is_id(part) {
                true => part,
                false => "removed",
            });
        parts.collect::<Vec<_>>().join("/")
    }

    fn parameter(&self, name: &str, value: &str) -> (String, String) {
        let is_number = value.len() <= 20 && value.parse::<f64>().is_ok();
        match PARAMETERS.contains(&name) && (is_number || is_id(value)) {
            true => (name.to_owned(), self.scrub(value)),
            false => ("removed".to_owned(), "removed".to_owned()),
        }
    }

    fn contains_secret(&self, text: &str) -> bool {
        let lower = text.to_ascii_lowercase();
        self.secrets.iter().any(|secret| lower.contains(secret))
    }

    /// Removes from a text the API keys, the secrets in URLs, and the tokens that [`without_tokens`] recognises. The
    /// text may contain JSON, in which escapes, such as `\/` for `/`, can hide a secret.
    fn scrub(&self, text: &str) -> String {
        let text = self.scrub_as(text, RawJson::without_escapes);
        // A string of the JSON can contain JSON with its own escapes.
        self.scrub_as(&text, RawJson::without_nested_escapes)
    }

    /// Removes the secrets from a text whose escapes `without` removes. Keeps the escapes if they hide no secret.
    fn scrub_as(&self, text: &str, without: impl Fn(&[u8]) -> Cow<'_, [u8]>) -> String {
        let plain = without(text.as_bytes());
        let plain = String::from_utf8_lossy(&plain);
        let scrubbed = self.scrub_plain(&plain);
        match scrubbed == plain {
            true => text.to_owned(),
            false => scrubbed,
        }
    }

    fn scrub_plain(&self, text: &str) -> String {
        let mut text = text.to_owned();
        for secret in &self.secrets {
            // The conversion to ASCII lower case keeps the position of each byte, so `at` is also an offset in `text`.
            let lower = text.to_ascii_lowercase();
            let (mut kept, mut from) = (String::new(), 0);
            // The replacement is not searched, because a short secret can be a part of it.
            for (at, _) in lower.match_indices(secret.as_str()) {
                kept.push_str(&text[from..at]);
                kept.push_str(REMOVED);
                from = at + secret.len();
            }
            kept.push_str(&text[from..]);
            text = kept;
        }
        without_tokens(&without_queries(&text))
    }
}

/// Returns the forms of a key that are searched for in a text: the key itself, the key in a JSON string, and the key in
/// percent-encoding and in Base64. The forms are in lower case, because the search ignores case.
fn encodings(key: &str) -> Vec<String> {
    if key.is_empty() {
        return Vec::new();
    }
    let percent = |encode_all: bool| -> String {
        let encoded = key.bytes().map(|byte| match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' if !encode_all => {
                (byte as char).to_string()
            }
            byte => format!("%{byte:02x}"),
        });
        encoded.collect()
    };
    let quoted = serde_json::to_string(key).unwrap_or_default();
    let mut forms = vec![
        key.to_owned(),
        quoted.trim_matches('"').to_owned(),
        percent(false),
        percent(true),
    ];
    // Base64 encodes groups of 3 bytes, so a key has three forms: one for each position at which it can start in a
    // group. The first and last characters of a form also depend on the bytes around the key, so these characters are
    // left out.
    for before in 0..3 {
        let padded = [&[0; 2][..before], key.as_bytes()].concat();
        let whole = STANDARD_NO_PAD.encode(&padded[..padded.len() - padded.len() % 3]);
        let form = whole.get([0, 2, 3][before]..).unwrap_or_default();
        if form.len() >= 8 {
            forms.push(form.replace('+', "-").replace('/', "_"));
            forms.push(form.to_owned());
        }
    }
    forms
        .iter_mut()
        .for_each(|form| form.make_ascii_lowercase());
    // The longest form is replaced first. Otherwise a shorter form could match, and the rest of the
    // longer form would remain.
    forms.sort_by_key(|form| std::cmp::Reverse(form.len()));
    forms.dedup();
    forms
}

/// Removes user names, passwords, and queries and fragments that contain secrets, from the URLs in a text.
fn without_queries(text: &str) -> String {
    let mut redacted = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find("://") {
        let (before, address) = rest.split_at(start + 3);
        redacted.push_str(before);
        let ends = |c: char| c.is_whitespace() || c.is_control() || "\"'<>`\\".contains(c);
        let (address, after) = address.split_at(address.find(ends).unwrap_or(address.len()));
        let host_end = address.find(['/', '?', '#']).unwrap_or(address.len());
        let (host, place) = address.split_at(host_end);
        redacted.push_str(host.rsplit_once('@').map_or(host, |(_, host)| host));
        match place.split_once(['?', '#']) {
            Some((path, query)) if query.split(['&', ';', '?', '#']).any(is_secret_pair) => {
                redacted.push_str(path);
                redacted.push_str("?removed");
            }
            _ => redacted.push_str(place),
        }
        rest = after;
    }
    redacted.push_str(rest);
    redacted
}

fn is_secret_pair(pair: &str) -> bool {
    let name = pair.split('=').next().unwrap_or_default();
    is_secret_name(name) || pair.contains("%3D") || pair.contains("%3d")
}

fn is_secret_name(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    SECRET_NAMES.iter().any(|part| name.contains(part))
}

/// Removes from a text the words of at least 16 characters that have a prefix of a token. Also removes each word after
/// a scheme such as `Bearer`, and each value after a secret name, as in `token=…` or `token: …`, if the word or value
/// has at least 6 characters.
fn without_tokens(text: &str) -> String {
    let is_part = |c: char| c.is_ascii_alphanumeric() || "-_.+/=~".contains(c);
    let mut redacted = String::with_capacity(text.len());
    let mut after_name = false;
    let mut rest = text;
    while !rest.is_empty() {
        let end = rest.find(|c| !is_part(c)).unwrap_or(rest.len());
        let (word, after) = rest.split_at(end);
        let (name, value) = match word.split_once('=') {
            Some((name, value)) if is_secret_name(name) => (name, value),
            _ => ("", word),
        };
        let is_token = value.len() >= 16
            && TOKEN_PREFIXES
                .iter()
                .any(|prefix| value.starts_with(prefix));
        if (is_token || !name.is_empty() || after_name) && value.len() >= 6 {
            if !name.is_empty() {
                redacted.push_str(name);
                redacted.push('=');
            }
            redacted.push_str(REMOVED);
        } else {
            redacted.push_str(word);
        }
        let gap_end = after.find(is_part).unwrap_or(after.len());
        let (gap, next) = after.split_at(gap_end);
        redacted.push_str(gap);
        if !word.is_empty() || !gap.is_empty() {
            let lower = word.to_ascii_lowercase();
            let scheme = SCHEMES.contains(&lower.as_str()) && gap == " ";
            let named = gap.trim_start_matches('"').starts_with(':') && is_secret_name(&lower);
            after_name = scheme || named;
        }
        rest = next;
    }
    redacted
}

/// Returns the media type of a `Content-Type` header, without its parameters.
fn media_type(value: &str) -> Option<&str> {
    let media = value.split(';').next().unwrap_or_default().trim();
    let is_part = |c: char| c.is_ascii_alphanumeric() || "/+.-".contains(c);
    let is_valid = media.len() <= 80 && media.contains('/') && media.chars().all(is_part);
    is_valid.then_some(media)
}

/// Returns whether the text is a UUID or a short id. A short id has at most 20 characters, which are letters, digits,
/// `_` or `-`.
fn is_id(text: &str) -> bool {
    let is_part = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    let is_short = text.len() <= 20 && text.chars().all(is_part);
    is_short || uuid::Uuid::try_parse(text).is_ok_and(|_| text.len() == 36)
}

fn is_word(text: &str) -> bool {
    text.len() <= 30 && text.chars().all(|c| c.is_ascii_alphabetic() || c == '_')
}

/// Returns whether the text looks like a date or a number of seconds.
fn is_time(text: &str) -> bool {
    let is_part = |c: char| c.is_ascii_alphanumeric() || " ,:.+-".contains(c);
    text.len() <= 35 && text.chars().all(is_part) && text.contains(|c: char| c.is_ascii_digit())
}
