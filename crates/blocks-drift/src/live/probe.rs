//! The requests that a live check sends. None of them creates a session or a message, except those that `--create`
//! adds.

use reqwest::Method;
use serde_json::{Value, json};

/// The id of a session that does not exist.
pub const UNKNOWN_ID: &str = "00000000-0000-4000-8000-000000000000";

/// The key in the `Authorization` header of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Auth {
    /// The request has no `Authorization` header.
    None,
    /// The request has a wrong key.
    Wrong,
    /// The request has the key of the target.
    Key,
}

/// A request, and the statuses that its response may have.
#[derive(Clone, Debug)]
pub struct Probe {
    /// The name of the request in reports.
    pub name: &'static str,
    /// The method.
    pub method: Method,
    /// The path below `/rest/v1`.
    pub path: String,
    /// The query string, or an empty string.
    pub query: &'static str,
    /// The key in the `Authorization` header.
    pub auth: Auth,
    /// The JSON body of the request.
    pub body: Option<Value>,
    /// The expected statuses; 200 means any success.
    pub expected: &'static [u16],
}

impl Probe {
    fn get(name: &'static str, path: String, expected: &'static [u16]) -> Self {
        Self { name, method: Method::GET, path, query: "", auth: Auth::Key, body: None, expected }
    }

    fn post(name: &'static str, path: String, body: Value, expected: &'static [u16]) -> Self {
        Self { method: Method::POST, body: Some(body), ..Self::get(name, path, expected) }
    }

    fn query(self, query: &'static str) -> Self {
        Self { query, ..self }
    }

    fn auth(self, auth: Auth) -> Self {
        Self { auth, ..self }
    }
}

/// The statuses for invalid input. The vendor's pages say 400, but the live service sends 422.
const INVALID: &[u16] = &[422, 400];
/// The statuses for invalid input in a request about a missing session. The service responds with 404 if it searches
/// for the session before it checks the input.
const INVALID_OR_GONE: &[u16] = &[422, 400, 404];

const BAD_QUERIES: [&str; 7] =
    ["limit=0", "limit=101", "page=0", "direction=up", "type=none", "role=none", "gts=x"];

/// Returns probes that need no valid key: for every operation, one without a key and one with a wrong key.
pub fn without_key() -> Vec<Probe> {
    let mut probes = Vec::new();
    for (name, auth, expected) in
        [("no key", Auth::None, &[401u16][..]), ("wrong key", Auth::Wrong, &[403][..])]
    {
        let session = format!("/sessions/{UNKNOWN_ID}");
        let get = |path: String| Probe::get(name, path, expected).auth(auth);
        let post = |path: String| Probe::post(name, path, json!({}), expected).auth(auth);
        probes.extend([
            post("/sessions".to_owned()),
            get(session.clone()),
            post(format!("{session}/messages")),
            get(format!("{session}/messages")),
            get(format!("{session}/threads/{UNKNOWN_ID}/messages")),
            get(format!("{session}/artifacts/{UNKNOWN_ID}")),
        ]);
    }
    probes
}

/// Returns probes that the service rejects even with the right key: requests for missing sessions, and requests with
/// invalid input.
pub fn rejected() -> Vec<Probe> {
    let session = format!("/sessions/{UNKNOWN_ID}");
    let mut probes = vec![
        Probe::post("an empty body", "/sessions".to_owned(), json!({}), INVALID),
        Probe::get("no such session", session.clone(), &[404]),
        Probe::get("not a UUID", "/sessions/none".to_owned(), INVALID),
        Probe::post(
            "an empty follow-up",
            format!("{session}/messages"),
            json!({}),
            INVALID_OR_GONE,
        ),
        Probe::get("no such session", format!("{session}/messages"), &[404]),
        Probe::get("no such session", format!("{session}/threads/{UNKNOWN_ID}/messages"), &[404]),
        Probe::get("no such session", format!("{session}/artifacts/{UNKNOWN_ID}"), &[404]),
        Probe::get("not a UUID", format!("{session}/artifacts/none"), INVALID_OR_GONE),
    ];
    let bad = |query| {
        Probe::get("a bad query", format!("{session}/messages"), INVALID_OR_GONE).query(query)
    };
    probes.extend(BAD_QUERIES.map(bad));
    probes
}

/// Returns probes about an existing session: reads, requests for a missing thread and a missing artifact, and requests
/// with a bad query.
pub fn reads(session: &str) -> Vec<Probe> {
    let messages = format!("/sessions/{session}/messages");
    let mut probes = vec![
        Probe::get("the session", format!("/sessions/{session}"), &[200]),
        Probe::get("its messages", messages.clone(), &[200]),
        Probe::get("all its messages", messages.clone(), &[200]).query(
            "type=message&type=final_message&type=tool_call&role=user&direction=asc&limit=100",
        ),
        Probe::get("its messages, newest first", messages.clone(), &[200])
            .query("direction=desc&limit=1&gts=0"),
        Probe::get("no such thread", messages.clone(), &[200])
            .query("thread_id=00000000-0000-4000-8000-000000000000"),
        Probe::get(
            "no such artifact",
            format!("/sessions/{session}/artifacts/{UNKNOWN_ID}"),
            &[404],
        ),
    ];
    probes.extend(
        BAD_QUERIES.map(|query| Probe::get("a bad query", messages.clone(), INVALID).query(query)),
    );
    probes
}

/// Returns probes that read a thread and an artifact of a session. The ids are from earlier responses.
pub fn parts(session: &str, thread: Option<&str>, artifact: Option<&str>) -> Vec<Probe> {
    let thread = thread.map(|id| {
        Probe::get(
            "a thread's messages",
            format!("/sessions/{session}/threads/{id}/messages"),
            &[200],
        )
    });
    let artifact = artifact
        .map(|id| Probe::get("an artifact", format!("/sessions/{session}/artifacts/{id}"), &[200]));
    thread.into_iter().chain(artifact).collect()
}

/// Returns a probe that creates a session, which is billed.
pub fn create() -> Probe {
    let body = json!({"message": "Reply with the word ready.", "agent_name": "claude", "is_private": true});
    Probe::post("a new session", "/sessions".to_owned(), body, &[200])
}

/// Returns a probe that sends a follow-up, which is billed.
pub fn follow_up(session: &str) -> Probe {
    let body = json!({"message": "Reply with the word done."});
    Probe::post("a follow-up", format!("/sessions/{session}/messages"), body, &[200])
}
