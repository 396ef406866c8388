//! A session whose messages a test places one by one: what pages show while they shift.

use std::sync::{Arc, Mutex, MutexGuard};

use blocks_sdk::{Client, Sending, Session, Transport};
use reqwest::Request;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::{KEY, SESSION, THREAD};

/// The messages of one session, in the order in which the service sorts them.
#[derive(Clone, Default)]
pub struct World(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    messages: Vec<Value>,
    requests: usize,
    fail_next: usize,
    one_role: bool,
    /// Carried out after this many further requests.
    later: Vec<(usize, Change)>,
}

type Change = Box<dyn FnOnce(&mut Vec<Value>) + Send>;

impl World {
    /// A message with this number as its id.
    pub fn message(number: u128, ts: Option<f64>, role: &str) -> Value {
        json!({
            "id": Uuid::from_u128(number), "chat_thread_id": THREAD, "role": role,
            "type": "message", "message": number.to_string(), "ts": ts,
        })
    }

    /// Changes the messages now.
    pub fn change<T>(&self, change: impl FnOnce(&mut Vec<Value>) -> T) -> T {
        change(&mut self.state().messages)
    }

    /// Changes them after `requests` more.
    pub fn change_after(
        &self,
        requests: usize,
        change: impl FnOnce(&mut Vec<Value>) + Send + 'static,
    ) {
        let mut state = self.state();
        let at = state.requests + requests;
        state.later.push((at, Box::new(change)));
    }

    /// The next requests fail with 503.
    pub fn fail_next(&self, requests: usize) {
        self.state().fail_next = requests;
    }

    /// Answers 422 to a repeated `role`, as older deployments do.
    #[must_use]
    pub fn one_role_at_a_time(self) -> Self {
        self.state().one_role = true;
        self
    }

    /// How many requests were answered.
    pub fn requests(&self) -> usize {
        self.state().requests
    }

    /// The session, from the client's side.
    ///
    /// # Panics
    /// When no client can be built.
    pub fn session(&self) -> Session {
        let client = Client::builder(KEY).transport(self.clone()).build();
        let id: Uuid = SESSION.parse().expect("an id");
        client.expect("a client").session(id)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().expect("no test panics under the lock")
    }

    fn answer(&self, request: &Request) -> (u16, Value) {
        let mut state = self.state();
        state.requests += 1;
        let now = state.requests;
        let (due, later) = std::mem::take(&mut state.later)
            .into_iter()
            .partition(|(at, _)| *at < now);
        state.later = later;
        let due: Vec<(usize, Change)> = due;
        for (_, change) in due {
            change(&mut state.messages);
        }
        if state.fail_next > 0 {
            state.fail_next -= 1;
            return (503, json!({"error": "busy"}));
        }
        let query: Vec<(String, String)> = request.url().query_pairs().into_owned().collect();
        let all = |name: &str| -> Vec<&str> {
            let named = query.iter().filter(|(n, _)| n == name);
            named.map(|(_, value)| value.as_str()).collect()
        };
        let number = |name: &str| all(name)[0].parse::<usize>().expect("a number");
        let roles = all("role");
        if state.one_role && roles.len() > 1 {
            return (422, json!({"error": "role must be one of user, assistant"}));
        }
        let mut kept: Vec<Value> = state
            .messages
            .iter()
            .filter(|m| roles.is_empty() || roles.iter().any(|role| m["role"] == *role))
            .cloned()
            .collect();
        if all("direction") == ["desc"] {
            kept.reverse();
        }
        let (page, limit, total) = (number("page"), number("limit"), kept.len());
        let items: Vec<Value> = kept
            .into_iter()
            .skip((page - 1) * limit)
            .take(limit)
            .collect();
        let meta = json!({
            "total": total, "page": page, "limit": limit, "total_pages": total.div_ceil(limit),
        });
        (200, json!({"items": items, "meta": meta}))
    }
}

impl Transport for World {
    fn send(&self, request: Request) -> Sending<'_> {
        let (status, body) = self.answer(&request);
        let response = http::Response::builder()
            .status(status)
            .body(body.to_string())
            .expect("a response");
        Box::pin(async move { Ok(response.into()) })
    }
}
