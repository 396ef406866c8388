//! Reads the query parameters for a page of messages.

use std::ops::Range;

use uuid::Uuid;

use crate::dialect::Dialect;
use crate::store::{FINAL, MESSAGE, Message, Session};

/// Contains the query parameters of one request.
pub struct Query {
    types: Vec<String>,
    roles: Vec<String>,
    /// Id of the thread whose messages are requested, by the path or by the parameter `thread_id`. The id has the form
    /// that the dialect selects, but the thread may not exist.
    pub thread: Option<String>,
    gts: Option<f64>,
    pub page: u64,
    pub limit: u64,
    pub descending: bool,
    /// All parameters of the request except `gts` and `page`, each as `&name=value`. The links of the page
    /// contain them unless the dialect sets `links_drop_filters`.
    pub sent: String,
}

impl Query {
    /// Reads a query string. If the path names a thread, the parameter `thread_id` is ignored.
    pub fn read(query: &str, in_path: Option<&str>, dialect: &Dialect) -> Result<Self, String> {
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
        let thread = in_path.map(str::to_owned).or_else(|| one("thread_id"));
        if !dialect.short_ids && thread.as_deref().is_some_and(|id| uuid(id).is_none()) {
            return Err("thread_id must be a UUID".into());
        }
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
            page: number("page", one("page"), LARGEST, 1)?,
            limit: number("limit", one("limit"), 100, 50)?,
            descending,
            sent,
        })
    }

    /// Returns whether a message is on one of the pages. The caller selects the messages of the thread.
    pub fn wants(&self, message: &Message) -> bool {
        self.selects((&*message.role, &*message.kind), message.ts)
    }

    fn selects(&self, (role, kind): (&str, &str), ts: Option<f64>) -> bool {
        let is = |choices: &[String], value: &str| choices.iter().any(|c| c == value);
        is(&self.types, kind)
            && is(&self.roles, role)
            && self.gts.is_none_or(|gts| ts.is_some_and(|ts| ts > gts))
    }

    /// Returns the places of this page's messages among the messages of all pages, counted from 0.
    pub fn places(&self) -> Range<u64> {
        let start = (self.page - 1).saturating_mul(self.limit);
        start..start.saturating_add(self.limit)
    }

    /// Returns whether this page would contain the reply in a thread if the agent replied at the time `now`.
    pub fn can_show_reply(
        &self,
        session: &Session,
        thread: Uuid,
        now: f64,
        dialect: &Dialect,
    ) -> bool {
        if !self.selects(FINAL, Some(now)) {
            return false;
        }
        let before = session
            .of_thread(thread)
            .filter(|message| self.wants(message) && (message.sort_key() > now) == self.descending);
        let mut place = before.count() as u64;
        if dialect.duplicated_final && !self.descending && self.selects(MESSAGE, Some(now)) {
            place += 1;
        }
        self.places().contains(&place)
    }
}

/// The largest number in a response. The OpenAPI document says that numbers have 64 bits, one of them for the sign.
const LARGEST: u64 = i64::MAX.unsigned_abs();

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
    // A larger number counts as the largest number. So a page number of 30 digits is valid, and selects an empty page.
    match whole.then(|| text.parse::<u64>().unwrap_or(LARGEST).min(LARGEST)) {
        Some(n) if (1..=max).contains(&n) => Ok(n),
        _ => Err(format!("{name} is not a whole number in its range")),
    }
}
