//! A simulated service with one session. A test can change the messages of the session between two requests.

use std::sync::{Arc, Mutex, MutexGuard};

use blocks_sdk::{Body, Client, ClientBuilder, RateLimit, SendFuture, SessionRef, Transport};
use http::Request;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::{KEY, SESSION, THREAD};

/// One message of a [`ShiftingSession`].
#[derive(Clone, Debug)]
pub struct Placed {
    /// The number that the message's id contains.
    pub number: u128,
    /// The role of the message.
    pub role: &'static str,
    /// The message as the JSON that the service sends.
    pub json: String,
}

impl Placed {
    /// Creates a message of this role, with the number as its id and its text.
    pub fn new(number: u128, ts: Option<f64>, role: &'static str) -> Self {
        Self::with(number, role, &json!({"ts": ts}))
    }

    /// Creates a message of this role with these fields, which replace the usual fields of the same name.
    ///
    /// # Panics
    /// If `fields` is not an object.
    pub fn with(number: u128, role: &'static str, fields: &Value) -> Self {
        let mut message = json!({
            "id": Uuid::from_u128(number), "chat_thread_id": THREAD, "role": role,
            "type": "message", "message": number.to_string(),
        });
        let fields = fields.as_object().expect("an object");
        for (name, value) in fields {
            message[name] = value.clone();
        }
        Self {
            number,
            role,
            json: message.to_string(),
        }
    }
}

/// How the service deviates from its documentation.
#[derive(Clone, Debug, Default)]
pub struct Deviation {
    /// Whether the service responds with 422 if the query contains `role` twice, as older deployments do.
    pub one_role_at_a_time: bool,
    /// The maximum number of messages on a page, even if the request's `limit` is larger.
    pub cap: Option<usize>,
    /// The content of the field `meta` of each page.
    pub meta: Meta,
    /// Whether the service ignores the request's parameter `page`, and always responds with the first page.
    pub ignores_page: bool,
    /// The number of messages on every page except the last, even if the request's `limit` is smaller or larger.
    pub ignores_limit: Option<usize>,
    /// The number of a page that the service sends without messages, although the list has messages there.
    pub empty_page: Option<usize>,
}

/// The content of a page's field `meta`, which normally contains the total, the page number, the limit and the number
/// of pages.
#[derive(Clone, Copy, Debug, Default)]
pub enum Meta {
    /// `meta` contains the correct numbers.
    #[default]
    Right,
    /// The page has no `meta`.
    Missing,
    /// `meta` contains only the total number of messages.
    Total,
    /// The number of pages is computed from the `limit` of the request, even if the pages contain fewer messages.
    RequestedLimit,
    /// The total is the number of messages on this page, not in the whole session.
    TotalOfPage,
    /// The total is too large by this number.
    Extra(usize),
}

/// The messages of one session, in the order in which the service sorts them.
#[derive(Clone, Default)]
pub struct ShiftingSession(Arc<Mutex<State>>);

type Change = Box<dyn FnOnce(&mut Vec<Placed>) + Send>;

#[derive(Default)]
struct State {
    messages: Vec<Placed>,
    requests: usize,
    /// The error statuses of the next responses.
    failures: Vec<u16>,
    deviation: Deviation,
    /// The planned changes. Each change is made after this number of requests, before the next request.
    later: Vec<(usize, Change)>,
}

impl ShiftingSession {
    /// Creates a session with these messages.
    pub fn new(messages: Vec<Placed>) -> Self {
        let session = Self::default();
        session.change(|all| *all = messages);
        session
    }

    /// Makes the service deviate from its documentation.
    #[must_use]
    pub fn deviating(self, deviation: Deviation) -> Self {
        self.state().deviation = deviation;
        self
    }

    /// Changes the messages now.
    pub fn change<T>(&self, change: impl FnOnce(&mut Vec<Placed>) -> T) -> T {
        change(&mut self.state().messages)
    }

    /// Changes the messages after `requests` more requests.
    pub fn change_after(
        &self,
        requests: usize,
        change: impl FnOnce(&mut Vec<Placed>) + Send + 'static,
    ) {
        let mut state = self.state();
        let at = state.requests + requests;
        state.later.push((at, Box::new(change)));
    }

    /// Makes the next `requests` requests fail with this status.
    pub fn fail_next(&self, requests: usize, status: u16) {
        self.state().failures = vec![status; requests];
    }

    /// Returns the number of requests so far.
    pub fn requests(&self) -> usize {
        self.state().requests
    }

    /// Returns a handle to the session. The handle's client has a rate limit that no test reaches.
    ///
    /// # Panics
    /// If the client cannot be built.
    pub fn session(&self) -> SessionRef {
        self.session_with(|builder| {
            let limit = RateLimit::per_minute(u32::MAX);
            builder.rate_limit(limit.expect("a limit"))
        })
    }

    /// Returns a handle to the session. `set` configures the handle's client.
    ///
    /// # Panics
    /// If the client cannot be built.
    pub fn session_with(&self, set: impl FnOnce(ClientBuilder) -> ClientBuilder) -> SessionRef {
        let builder = Client::builder(KEY).transport(self.clone());
        let id: Uuid = SESSION.parse().expect("an id");
        set(builder).build().expect("a client").session(id)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().expect("no test panics under the lock")
    }

    fn respond(&self, request: &Request<Body>) -> (u16, String) {
        let mut state = self.state();
        state.requests += 1;
        let now = state.requests;
        let later = std::mem::take(&mut state.later);
        let (due, later): (Vec<_>, _) = later.into_iter().partition(|(at, _)| *at < now);
        state.later = later;
        for (_, change) in due {
            change(&mut state.messages);
        }
        if let Some(status) = state.failures.pop() {
            return (status, r#"{"error": "busy"}"#.into());
        }
        let url = reqwest::Url::parse(&request.uri().to_string()).expect("an absolute URL");
        let query: Vec<(String, String)> = url.query_pairs().into_owned().collect();
        let all = |name: &str| -> Vec<&str> {
            let named = query.iter().filter(|(n, _)| n == name);
            named.map(|(_, value)| value.as_str()).collect()
        };
        let number = |name: &str| all(name)[0].parse::<usize>().expect("a number");
        let roles = all("role");
        if state.deviation.one_role_at_a_time && roles.len() > 1 {
            return (
                422,
                r#"{"error": "role must be one of user, assistant"}"#.into(),
            );
        }
        let wanted = |m: &&Placed| roles.is_empty() || roles.contains(&m.role);
        let mut listed: Vec<&Placed> = state.messages.iter().filter(wanted).collect();
        if all("direction") == ["desc"] {
            listed.reverse();
        }
        (
            200,
            state
                .deviation
                .page(&listed, number("page"), number("limit")),
        )
    }
}

impl Deviation {
    fn page(&self, listed: &[&Placed], page: usize, requested: usize) -> String {
        let total = listed.len();
        let limit = self.cap.unwrap_or(requested).min(requested);
        let limit = self.ignores_limit.unwrap_or(limit);
        let start = if self.ignores_page {
            0
        } else {
            (page - 1) * limit
        };
        let is_empty = self.empty_page == Some(page);
        let shown = listed
            .iter()
            .skip(start)
            .take(if is_empty { 0 } else { limit });
        let items: Vec<&str> = shown.map(|message| message.json.as_str()).collect();
        let pages = |limit: usize| total.div_ceil(limit);
        let meta = match self.meta {
            Meta::Right => json!({
                "total": total, "page": page, "limit": limit, "total_pages": pages(limit),
            }),
            Meta::Missing => Value::Null,
            Meta::Total => json!({"total": total}),
            Meta::RequestedLimit => json!({
                "total": total, "page": page, "limit": requested, "total_pages": pages(requested),
            }),
            Meta::TotalOfPage => json!({"total": items.len(), "limit": limit}),
            Meta::Extra(extra) => json!({"total": total + extra}),
        };
        let items = items.join(",");
        match meta {
            Value::Null => format!(r#"{{"items": [{items}]}}"#),
            meta => format!(r#"{{"items": [{items}], "meta": {meta}}}"#),
        }
    }
}

impl Transport for ShiftingSession {
    fn send(&self, request: Request<Body>) -> SendFuture<'_> {
        let (status, body) = self.respond(&request);
        let response = http::Response::builder()
            .status(status)
            .body(Body::from(body))
            .expect("a response");
        Box::pin(async move { Ok(response) })
    }
}
