//! Prepares text of a response for error messages. The functions shorten a text, put a text on one line, or remove the
//! queries of URLs. Also finds the id of the session and the message of an error in a response.

use blocks_api::json::RawJson;
use blocks_api::open::Id;
use bytes::Bytes;
use reqwest::StatusCode;
use reqwest::header::{CONTENT_ENCODING, CONTENT_TYPE, HeaderMap, HeaderValue};
use serde_json::Value;

use crate::engine::repair::{repair, text};

/// Parses a body as JSON. Returns `null` if the body is not JSON, or if `serde_json` cannot represent the JSON.
pub(crate) fn parse(body: &[u8]) -> Value {
    let body = repair(Bytes::copy_from_slice(body), || None);
    serde_json::from_slice(&body).unwrap_or_default()
}

/// Returns the value of a header, if the value is valid text.
pub(crate) fn header(
    headers: &HeaderMap,
    name: impl reqwest::header::AsHeaderName,
) -> Option<&str> {
    headers.get(name).map(HeaderValue::to_str)?.ok()
}

/// Returns the character encoding that the `Content-Type` header names.
pub(crate) fn charset(headers: &HeaderMap) -> Option<&str> {
    let mut parameters = header(headers, CONTENT_TYPE)?.split(';').skip(1);
    let is_charset = |name: &str| name.trim().eq_ignore_ascii_case("charset");
    parameters.find_map(|parameter| {
        let (name, value) = parameter.split_once('=')?;
        is_charset(name).then(|| value.trim().trim_matches('"'))
    })
}

/// Returns the compression of a body, such as `gzip`, or `None` if no compression is recognized. Checks the headers,
/// and then the first bytes of the body. The client never asks for compression, so a compressed body is unexpected.
pub(crate) fn compression(headers: &HeaderMap, body: &[u8]) -> Option<String> {
    let named = header(headers, CONTENT_ENCODING).map(str::trim);
    if let Some(encoding) = named.filter(|encoding| !is_plain(encoding)) {
        return Some(sentence(encoding));
    }
    let magic = match body {
        [0x1f, 0x8b, 8, ..] => "gzip",
        [0x28, 0xb5, 0x2f, 0xfd, ..] => "zstd",
        [0x78, 0x01 | 0x5e | 0x9c | 0xda, ..] if std::str::from_utf8(body).is_err() => "deflate",
        _ => return None,
    };
    Some(magic.to_owned())
}

/// Returns whether the value of `Content-Encoding` names no compression. `aws-chunked` describes an upload to a storage
/// host. Some storage hosts keep this value, and repeat it in the response to a download.
fn is_plain(encodings: &str) -> bool {
    encodings.split(',').map(str::trim).all(|encoding| {
        let is = |plain| encoding.eq_ignore_ascii_case(plain);
        encoding.is_empty() || is("identity") || is("aws-chunked")
    })
}

/// Shortens received text for use in a sentence. The result is on one line and has no control characters. If the text
/// is longer than 600 characters, the result is the first 600 characters and `…`.
pub(crate) fn sentence(text: &str) -> String {
    const LONGEST: usize = 600;
    let mut chars = text.chars().map(|c| if c.is_control() { ' ' } else { c });
    let mut short: String = chars.by_ref().take(LONGEST).collect();
    if chars.next().is_some() {
        short.push('…');
    }
    short
}

/// Replaces the query of each URL in a text with `<redacted>`. The query of a presigned URL contains a signature that
/// grants access. The text may be JSON, in which a URL can have escapes, such as `\/` for `/`. So this function also
/// removes these escapes from the whole text, including the escapes of JSON text inside a JSON string.
///
/// The escapes are removed only from a text with a query. Any other text is unchanged, because it may not be JSON.
pub(crate) fn without_queries(original: &str) -> String {
    let plain = RawJson::without_escapes(original.as_bytes());
    let plain = RawJson::without_nested_escapes(&plain);
    let text = String::from_utf8_lossy(&plain);
    let mut shown = String::with_capacity(text.len());
    let mut rest = &*text;
    while let Some(start) = rest.find("://") {
        let (before, address) = rest.split_at(start + 3);
        shown.push_str(before);
        let ends = |c: char| c.is_whitespace() || c.is_control() || "\"'<>`\\".contains(c);
        let (address, after) = address.split_at(address.find(ends).unwrap_or(address.len()));
        match address.split_once('?') {
            Some((place, query)) if !query.is_empty() => {
                shown.push_str(place);
                shown.push_str("?<redacted>");
            }
            _ => shown.push_str(address),
        }
        rest = after;
    }
    shown.push_str(rest);
    match shown == *text {
        true => original.to_owned(),
        false => shown,
    }
}

/// Returns the text of a body as one line. If this line is longer than 200 characters, returns its first 200 characters
/// and `…`. An error may show this text if the body contains no error message.
pub(crate) fn excerpt(body: Option<&[u8]>) -> String {
    const LONGEST: usize = 200;
    let text = text(body.unwrap_or_default(), || None);
    let mut words = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if let Some((end, _)) = words.char_indices().nth(LONGEST) {
        words.truncate(end);
        words.push('…');
    }
    words
}

/// Returns the error message in a body, from fields such as `error` and `detail`, which services and gateways use. A
/// text that only repeats the status, such as `Not Found`, is returned only if these fields contain no other text.
pub(crate) fn message(body: &Value, status: Option<u16>) -> Option<String> {
    const NAMES: [&str; 7] = [
        "error",
        "message",
        "detail",
        "details",
        "errors",
        "error_description",
        "title",
    ];
    let mut texts = NAMES.iter().filter_map(|name| words(&body[*name]));
    let first = texts.next()?;
    let repeats = |text: &str| {
        let phrase = status
            .and_then(|status| StatusCode::from_u16(status).ok())
            .and_then(|status| status.canonical_reason());
        let number = status.map(|status| status.to_string());
        phrase.is_some_and(|phrase| text.eq_ignore_ascii_case(phrase))
            || number.as_deref() == Some(text)
    };
    if repeats(&first) {
        return texts.find(|text| !repeats(text)).or(Some(first));
    }
    Some(first)
}

/// Returns the error code in a body, if the field `code` or `error.code` is a string.
pub(crate) fn code(body: &Value) -> Option<String> {
    let nested = &body["error"]["code"];
    let code = [&body["code"], nested].into_iter().find_map(Value::as_str);
    code.map(str::to_owned)
}

/// Converts a JSON value to text. Leaves a string unchanged, joins the items of a list, and takes the text of an object
/// from its field `message` or a similar field.
fn words(value: &Value) -> Option<String> {
    let text = match value {
        Value::String(text) => text.clone(),
        Value::Array(items) => {
            let items: Vec<_> = items.iter().filter_map(words).collect();
            items.join(", ")
        }
        Value::Object(object) => ["message", "msg", "error", "detail", "description"]
            .iter()
            .find_map(|name| words(object.get(*name)?))?,
        _ => return None,
    };
    (!text.trim().is_empty()).then_some(text)
}

/// Returns the id of the session in a body, from the field `id` of the outermost object or of its object `session`, or
/// from a link. Other objects, such as the agent, can have an `id` of their own. Finds the id also in a body that was
/// cut off or is not JSON, if the id is a UUID. In an error response, the field `id` may identify the error and not a
/// session. So the field is used only if the response is successful, or if the body contains `_links`.
pub(crate) fn find_id(body: &[u8], is_success: bool) -> Option<Id> {
    let text = text(body, || None);
    let linked = || {
        let mut links = text.split("/sessions/").skip(1);
        links.find_map(|rest| rest.get(..36)?.parse().ok())
    };
    let parsed = parse(body);
    if !is_success && parsed["_links"].is_null() && !text.contains("\"_links\"") {
        return linked();
    }
    let field = match parsed.is_null() {
        true => field_id(&text),
        false => [&parsed["id"], &parsed["session"]["id"]]
            .into_iter()
            .find_map(|id| Id::from_service(id.as_str()?)),
    };
    field.or_else(linked)
}

/// Returns the UUID in the field `id` of the outermost object, or of its object `session`. The text need not be
/// complete JSON, so this function only counts the braces outside of strings.
fn field_id(text: &str) -> Option<Id> {
    let (mut depth, mut is_session) = (0, false);
    let (mut rest, mut name) = (text, "");
    while let Some(at) = rest.find(['{', '}', '"']) {
        let (mark, after) = (rest.as_bytes()[at], &rest[at + 1..]);
        rest = after;
        match mark {
            b'{' => {
                if depth == 1 {
                    is_session = name == "session";
                }
                depth += 1;
            }
            b'}' => depth -= 1,
            _ => {
                let end = end_of_string(after)?;
                (name, rest) = (&after[..end], &after[end + 1..]);
                let is_id = name == "id" && (depth == 1 || (depth == 2 && is_session));
                if is_id
                    && let Some(value) = rest.trim_start().strip_prefix(':')
                    && let Some(value) = value.trim_start().strip_prefix('"')
                    && let Some((id, _)) = value.split_once('"')
                    && let Ok(id) = id.parse()
                {
                    return Some(id);
                }
            }
        }
    }
    None
}

/// Returns the position of the quote that ends a JSON string. `text` starts after the quote that starts the string.
fn end_of_string(text: &str) -> Option<usize> {
    let mut is_escaped = false;
    text.bytes().position(|byte| {
        let ends = byte == b'"' && !is_escaped;
        is_escaped = byte == b'\\' && !is_escaped;
        ends
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_found_in_what_was_received() {
        let id = "a196cec6-49cb-4c48-8e4c-2707fb5d6709";
        let other = "b2a7dfd7-5adc-4d59-9f5d-3818fc6e7810";
        for body in [
            format!(r#"{{"id": "{id}", "title": 7}}"#),
            format!(r#"{{"title":"x", "id" : "{id}", "pull_req"#),
            format!(r#"<pre>{{"id":"{id}"}}</pre>"#),
            format!(r#"{{"session":{{"id":"{id}"}}}}"#),
            format!(r#"{{"agent":{{"id":"{other}"}},"session":{{"id":"{id}","#),
            format!(r#"{{"session":{{"agent":{{"id":"{other}"}},"id":"{id}","#),
            format!(r#"{{"agent":{{"id":"{other}","x":"\"}}"}},"id":"{id}","#),
            format!(r#"{{"agent":{{"id":"{other}"}},"url":"https://x/sessions/{id}"}}"#),
            format!(r#"{{"_links":{{"self":{{"href":"https://x/rest/v1/sessions/{id}"#),
        ] {
            let found = find_id(body.as_bytes(), true).map(|id| id.to_string());
            assert_eq!(found.as_deref(), Some(id), "{body}");
        }
        for body in [
            "",
            "{\"id\": 7}",
            "\"id\":\"x\"",
            "{\"ids\": [1]",
            "/sessions/1",
            &format!(r#"{{"agent":{{"id":"{other}"}}}}"#),
            &format!(r#"{{"agent":{{"id":"{other}"}},"tit"#),
            &format!(r#"{{"session":{{"agent":{{"id":"{other}"}},"#),
        ] {
            assert_eq!(find_id(body.as_bytes(), true), None, "{body}");
        }
    }

    #[test]
    fn only_a_real_compression_is_recognized() {
        for (encoding, expected) in [
            ("", None),
            ("identity", None),
            ("aws-chunked", None),
            ("AWS-chunked, identity", None),
            ("aws-chunked,gzip", Some("aws-chunked,gzip")),
            ("br", Some("br")),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(CONTENT_ENCODING, HeaderValue::from_static(encoding));
            assert_eq!(compression(&headers, b"text").as_deref(), expected);
        }
    }

    #[test]
    fn the_id_of_an_error_is_not_a_sessions() {
        let id = "a196cec6-49cb-4c48-8e4c-2707fb5d6709";
        let error = format!(r#"{{"error": "bad gateway", "id": "{id}"}}"#);
        assert_eq!(find_id(error.as_bytes(), false), None);
        let session = format!(r#"{{"id": "{id}", "_links": {{"self": null}}}}"#);
        let found = find_id(session.as_bytes(), false).map(|id| id.to_string());
        assert_eq!(found.as_deref(), Some(id));
    }

    #[test]
    fn the_reason_is_found_in_every_usual_shape() {
        for (body, reason) in [
            (r#"{"error": "no credit"}"#, "no credit"),
            (
                r#"{"statusCode": 400, "error": "Bad Request", "message": "agent_name must be one of a, b"}"#,
                "agent_name must be one of a, b",
            ),
            (
                r#"{"error": "Bad Request", "message": ["a is missing", "b is empty"]}"#,
                "a is missing, b is empty",
            ),
            (r#"{"error": "Bad Request"}"#, "Bad Request"),
            (r#"{"error": {"code": "x", "message": "inner"}}"#, "inner"),
            (
                r#"{"detail": [{"loc": ["body"], "msg": "field required"}]}"#,
                "field required",
            ),
            (r#"{"errors": [{"message": "one"}, "two"]}"#, "one, two"),
            (r#"{"message": "", "detail": "plain"}"#, "plain"),
        ] {
            assert_eq!(
                message(&parse(body.as_bytes()), Some(400)).as_deref(),
                Some(reason),
                "{body}"
            );
        }
        assert_eq!(message(&parse(b"[]"), Some(400)), None);
    }

    #[test]
    fn addresses_are_shown_without_queries() {
        for (text, shown) in [
            (
                r#"{"url": "https://s.example/a?sig=1&x=2", "n": "a?b"}"#,
                r#"{"url": "https://s.example/a?<redacted>", "n": "a?b"}"#,
            ),
            (
                r#"{"url": "https:\/\/s.example\/a\u003fx=2\u0026sig=1", "n": "a\/b"}"#,
                r#"{"url": "https://s.example/a?<redacted>", "n": "a/b"}"#,
            ),
            (
                r#"{"input": "{\"url\":\"https:\\/\\/s.example\\/a\\u003fsig=1\"}"}"#,
                r#"{"input": "{\"url\":\"https://s.example/a?<redacted>\"}"}"#,
            ),
            ("see http://x/?a://y?b", "see http://x/?<redacted>"),
            (
                "https://x/a and https://y/b?",
                "https://x/a and https://y/b?",
            ),
            ("none", "none"),
            (r"write `\u003f` as `\\/`", r"write `\u003f` as `\\/`"),
        ] {
            assert_eq!(without_queries(text), shown);
        }
    }

    #[test]
    fn an_excerpt_is_one_line_and_short() {
        let page = "<html>\n  <h1>Bad\tGateway</h1>".to_owned() + &"é".repeat(500);
        let text = excerpt(Some(page.as_bytes()));
        assert!(text.starts_with("<html> <h1>Bad Gateway</h1>é"));
        assert_eq!(text.chars().count(), 201);
    }
}
