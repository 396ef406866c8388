//! Reads the query parameters for a page of messages.

use uuid::Uuid;

use crate::store::{Message, Names};

/// Contains the query parameters of one request.
pub struct Query {
    types: Vec<String>,
    roles: Vec<String>,
    thread: Option<Uuid>,
    gts: Option<f64>,
    pub page: u64,
    pub limit: u64,
    pub descending: bool,
    /// All parameters of the request except `gts` and `page`, each as `&name=value`. The links of the page
    /// contain them unless the dialect sets `links_drop_filters`.
    pub sent: String,
}

impl Query {
    /// Reads a query string. If the path names a thread (`of_thread`), the parameter `thread_id` is ignored.
    pub fn read(query: &str, of_thread: bool, names: &Names<'_>) -> Result<Self, String> {
        let dialect = names.dialect;
        let pairs: Vec<(String, String)> = form_urlencoded::parse(query.as_bytes())
            .into_owned()
            .collect();
        let all = |name: &str| -> Vec<String> {
            let named = pairs.iter().filter(|(n, _)| n == name);
            named.map(|(_, value)| value.clone()).collect()
        };
        let one = |name: &str| all(name).into_iter().next_back();
        let roles = choices("role", all("role"), &["user", "assistant"], &["assistant"])?;
        if all("role").len() > 1 && dialect.repeated_role_rejected {
            return Err("role must be one of user, assistant".into());
        }
        let direction = one("direction");
        let descending = match direction.as_deref() {
            None => dialect.newest_first,
            Some("asc") => false,
            Some("desc") => true,
            Some(_) => return Err("direction must be asc or desc".into()),
        };
        let thread = match one("thread_id").filter(|_| !of_thread) {
            Some(text) => Some(names.read_thread(&text).ok_or("thread_id must be a UUID")?),
            None => None,
        };
        let gts = match one("gts") {
            Some(text) => Some(
                text.parse::<f64>()
                    .ok()
                    .filter(|gts| gts.is_finite())
                    .ok_or("gts must be a number")?,
            ),
            None => None,
        };
        let sent = pairs
            .iter()
            .filter(|(name, _)| !matches!(name.as_str(), "gts" | "page"))
            .map(|(name, value)| format!("&{name}={}", encode(value)))
            .collect();
        Ok(Self {
            types: choices(
                "type",
                all("type"),
                &["message", "final_message", "tool_call"],
                &["message", "final_message"],
            )?,
            roles,
            thread,
            gts,
            page: number("page", one("page"), u64::MAX, 1)?,
            limit: number("limit", one("limit"), 100, 50)?,
            descending,
            sent,
        })
    }

    pub fn wants(&self, message: &Message) -> bool {
        let is = |choices: &[String], value: &str| choices.iter().any(|c| c == value);
        is(&self.types, &message.kind)
            && is(&self.roles, &message.role)
            && self.thread.is_none_or(|id| message.thread == Some(id))
            && self
                .gts
                .is_none_or(|gts| message.ts.is_some_and(|ts| ts > gts))
    }
}

fn encode(value: &str) -> String {
    form_urlencoded::byte_serialize(value.as_bytes()).collect()
}

/// Reads a UUID in the form with 36 characters. Other forms of a UUID, for example without hyphens, are rejected.
pub fn uuid(text: &str) -> Option<Uuid> {
    (text.len() == 36).then(|| text.parse().ok()).flatten()
}

fn choices(
    name: &str,
    given: Vec<String>,
    allowed: &[&str],
    default: &[&str],
) -> Result<Vec<String>, String> {
    if given.is_empty() {
        return Ok(default.iter().map(|&d| d.to_owned()).collect());
    }
    match given.iter().find(|v| !allowed.contains(&v.as_str())) {
        Some(_) => Err(format!("{name} must be one of {}", allowed.join(", "))),
        None => Ok(given),
    }
}

fn number(name: &str, text: Option<String>, max: u64, default: u64) -> Result<u64, String> {
    let Some(text) = text else {
        return Ok(default);
    };
    let whole = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    // A number that is too large for a `u64` counts as the largest `u64`. So a page number of 30 digits is valid, and
    // selects an empty page.
    match whole.then(|| text.parse().unwrap_or(u64::MAX)) {
        Some(n) if (1..=max).contains(&n) => Ok(n),
        _ => Err(format!("{name} is not a whole number in its range")),
    }
}
