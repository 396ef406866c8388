//! What was received, as an error tells it: short, on one line, and without secrets; and what can
//! be found in it.

use blocks_api::open::Id;
use serde_json::Value;

/// A body as JSON; null when it is none.
pub(crate) fn parse(body: &[u8]) -> Value {
    serde_json::from_slice(body).unwrap_or_default()
}

/// A text from elsewhere as a part of one sentence: on one line, without control characters,
/// and no longer than a person reads.
pub(crate) fn sentence(text: &str) -> String {
    const LONGEST: usize = 600;
    let mut chars = text.chars().map(|c| if c.is_control() { ' ' } else { c });
    let mut short: String = chars.by_ref().take(LONGEST).collect();
    if chars.next().is_some() {
        short.push('…');
    }
    short
}

/// A text without the queries of the addresses in it: a presigned one is as good as a password.
pub(crate) fn without_queries(text: &str) -> String {
    let mut told = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find("://") {
        let (before, address) = rest.split_at(start + 3);
        told.push_str(before);
        let ends = |c: char| c.is_whitespace() || c.is_control() || "\"'<>`\\".contains(c);
        let (address, after) = address.split_at(address.find(ends).unwrap_or(address.len()));
        match address.split_once('?') {
            Some((place, query)) if !query.is_empty() => {
                told.push_str(place);
                told.push_str("?<redacted>");
            }
            _ => told.push_str(address),
        }
        rest = after;
    }
    told.push_str(rest);
    told
}

/// The beginning of a body that has no message of its own, on one line.
pub(crate) fn excerpt(body: Option<&[u8]>) -> String {
    const LONGEST: usize = 200;
    let text = String::from_utf8_lossy(body.unwrap_or_default());
    let mut words = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if let Some((end, _)) = words.char_indices().nth(LONGEST) {
        words.truncate(end);
        words.push('…');
    }
    words
}

/// The session's `id` in a body, also in one that is cut short or no JSON throughout; or the
/// session that a link in it names.
pub(crate) fn find_id(body: &[u8]) -> Option<Id> {
    if let Some(id) = parse(body)["id"].as_str() {
        return Id::from_service(id);
    }
    let text = String::from_utf8_lossy(body);
    let mut fields = text.split("\"id\"").skip(1);
    let field = fields.find_map(|rest| {
        let value = rest.trim_start().strip_prefix(':')?.trim_start();
        value.strip_prefix('"')?.split('"').next()?.parse().ok()
    });
    let mut links = text.split("/sessions/").skip(1);
    field.or_else(|| links.find_map(|rest| rest.get(..36)?.parse().ok()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_found_in_what_was_received() {
        let id = "a196cec6-49cb-4c48-8e4c-2707fb5d6709";
        for body in [
            format!(r#"{{"id": "{id}", "title": 7}}"#),
            format!(r#"{{"title":"x", "id" : "{id}", "pull_req"#),
            format!(r#"<pre>{{"id":"{id}"}}</pre>"#),
            format!(r#"{{"_links":{{"self":{{"href":"https://x/rest/v1/sessions/{id}"#),
        ] {
            let found = find_id(body.as_bytes()).map(|id| id.to_string());
            assert_eq!(found.as_deref(), Some(id), "{body}");
        }
        for body in [
            "",
            "{\"id\": 7}",
            "\"id\":\"x\"",
            "{\"ids\": [1]",
            "/sessions/1",
        ] {
            assert_eq!(find_id(body.as_bytes()), None, "{body}");
        }
    }

    #[test]
    fn an_address_is_told_without_its_query() {
        for (text, told) in [
            (
                r#"{"url": "https://s.example/a?sig=1&x=2", "n": "a?b"}"#,
                r#"{"url": "https://s.example/a?<redacted>", "n": "a?b"}"#,
            ),
            ("see http://x/?a://y?b", "see http://x/?<redacted>"),
            (
                "https://x/a and https://y/b?",
                "https://x/a and https://y/b?",
            ),
            ("none", "none"),
        ] {
            assert_eq!(without_queries(text), told);
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
