//! Compares a page's statements about the whole API with the OpenAPI document: base URL, authentication header, rate
//! limit.

use std::sync::LazyLock;

use regex::{Captures, Regex};

use super::facts::Page;
use crate::document::Document;
use crate::finding::{CheckResult, Finding, Kind, Severity, Side, finding};

static URL: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r#"(https?://[A-Za-z0-9.-]+(?::\d+)?)(/rest/v\d+)"#).expect("a pattern")
});
static BASE: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"(?i)base\s*URL\W*(https?://[A-Za-z0-9.-]+)").expect("a pattern"));
static HEADER: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r#"((?i:authorization)|[Xx]-[A-Za-z-]+|[A-Z][A-Za-z]*-(?:Key|Token))["']?\s*[:=]\s*["'`]?([A-Z][A-Za-z]+)\s+["'`]?[$<{\[a-zA-Z]"#).expect("a pattern")
});
static LIMIT: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"(?i)(\d[\d,]*)\s*(?:requests?|calls?)\s*(?:/|per|a|each|every)\s*(?:an?\s+)?(minute|second|hour|day)(?:[\s,(]*(?:/|\b(?:per|and|for)\b)\s*(?:(?:an?|each|every|the|your|one)\s+)?(?:API[\s-]*)?(key|workspace|organi[sz]ation|team|account|user|member|project|session|agent|IP)\b)?").expect("a pattern")
});

/// A rate limit.
struct Limit {
    number: String,
    /// The unit of time, such as `minute`.
    unit: String,
    /// The kind of thing whose requests are counted together, such as `key`; `None` if the text does not state it.
    scope: Option<String>,
}

impl Limit {
    /// Returns the limit in a match of `LIMIT`.
    fn of(found: &Captures<'_>) -> Self {
        Self {
            number: found[1].replace(',', ""),
            unit: found[2].to_lowercase(),
            scope: found.get(3).map(|scope| scope.as_str().to_lowercase()),
        }
    }

    /// Returns whether two texts state the same limit. If one of them states no scope, the scope is not compared.
    fn is_same(&self, other: &Self) -> bool {
        let scopes = self.scope.as_ref().zip(other.scope.as_ref());
        (&self.number, &self.unit) == (&other.number, &other.unit)
            && scopes.is_none_or(|(own, other)| own == other)
    }
}

impl std::fmt::Display for Limit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} requests per {}", self.number, self.unit)?;
        self.scope.as_ref().map_or(Ok(()), |scope| write!(f, " and {scope}"))
    }
}

/// Compares the base URL, the authentication header and the rate limit on a page with the OpenAPI document. Returns the
/// number of compared statements. If a page repeats a statement, each repetition counts.
pub fn compare(document: &Document, page: &Page, result: &mut CheckResult) -> usize {
    let value = &document.0.value;
    let server = value["servers"][0]["url"].as_str().unwrap_or_default().trim_end_matches('/');
    let scheme = value["components"]["securitySchemes"].as_object().and_then(|s| s.iter().next());
    let header =
        scheme.map(|(name, s)| format!("{}: {name}", s["name"].as_str().unwrap_or_default()));
    let limit = LIMIT.captures(value["info"]["description"].as_str().unwrap_or_default());
    let limit = limit.map(|found| Limit::of(&found));
    let place =
        scheme.map_or_else(String::new, |(name, _)| format!("/components/securitySchemes/{name}"));
    let (mut findings, mut facts) = (Vec::new(), 0);
    let mut check = |kind: Kind,
                     subject: &str,
                     pointer: &str,
                     document: &str,
                     other: String,
                     line: usize,
                     same: bool| {
        facts += 1;
        result.stated.insert(kind);
        if !same {
            let texts = (document, other.as_str());
            let found = finding(kind, Severity::Breaking, subject, pointer, texts);
            findings.push(Finding { line: Some(line), ..found });
        }
    };
    for (text, line) in &page.text {
        // The URL of a link is not compared, because the service may send links with another host.
        let urls = URL.captures_iter(text).filter(|c| !is_link(text, c));
        for found in urls.chain(BASE.captures_iter(text)) {
            check(
                Kind::Server,
                "the base URL",
                "/servers/0/url",
                server,
                found[1].to_owned(),
                *line,
                &found[1] == server,
            );
        }
        if let Some(header) = &header {
            for found in HEADER.captures_iter(text) {
                let other = format!("{}: {}", &found[1], &found[2]);
                let same = other.eq_ignore_ascii_case(header);
                check(
                    Kind::Security,
                    "the authentication header",
                    &place,
                    header,
                    other,
                    *line,
                    same,
                );
            }
        }
        if let Some(limit) = &limit {
            for found in LIMIT.captures_iter(text) {
                let other = Limit::of(&found);
                let same = limit.is_same(&other);
                check(
                    Kind::RateLimit,
                    "the rate limit",
                    "/info/description",
                    &limit.to_string(),
                    other.to_string(),
                    *line,
                    same,
                );
            }
        }
    }
    result.report(Side::Page, "", &page.name, findings);
    facts
}

/// Returns whether a URL in a line is the value of a field `href`.
fn is_link(line: &str, url: &Captures<'_>) -> bool {
    let before = url.get(0).map_or("", |url| &line[..url.start()]);
    before.trim_end_matches(['"', '\'', ':', ' ']).ends_with("href")
}
