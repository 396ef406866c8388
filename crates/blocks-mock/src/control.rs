//! The control plane below `/_mock/`, and the page. `openapi/mock.yaml` describes it.

use std::net::IpAddr;
use std::time::Duration;

use bytes::Bytes;
use http::header::{ALLOW, CACHE_CONTROL, CONTENT_SECURITY_POLICY, HOST, ORIGIN};
use http::{HeaderValue, Method, Response, request::Parts};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::body::MockBody;
use crate::fault::FaultRule;
use crate::mock::Mock;
use crate::request_log::RecordedRequest;
use crate::rules::AgentRule;
use crate::script::{Action, Script};
use crate::service::{json_response, response};
use crate::store::Session;

const PAGE: &str = include_str!("page.html");
/// Scripts and styles of the page itself, connections to itself, and nothing else.
const POLICY: &str = "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; \
    connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

struct Refusal(u16, String);

impl Refusal {
    /// For a path and method that the control plane does not have together.
    fn no_operation(path: &[&str]) -> Self {
        match allowed(path) {
            Some(methods) => Self(405, format!("use {methods}")),
            None => Self(404, "no such operation of the control plane".into()),
        }
    }
}

/// The methods of a path below `/_mock/`.
fn allowed(path: &[&str]) -> Option<&'static str> {
    Some(match path {
        ["requests" | "settings" | "sessions" | "events"]
        | ["requests", "wait"]
        | ["sessions", _] => "GET",
        ["reset"] | ["urls", "expire"] | ["sessions", _, "finish" | "continue" | "actions"] => {
            "POST"
        }
        ["faults"] => "DELETE, GET, POST",
        ["faults", _] => "DELETE",
        ["agents"] => "GET, PUT",
        ["clock"] => "GET, POST",
        _ => return None,
    })
}

type Answer = Result<Value, Refusal>;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Finish {
    text: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ClockChange {
    #[serde(default)]
    frozen: Option<bool>,
    #[serde(default)]
    advance: Option<String>,
}

impl Mock {
    /// Responds to what belongs to the control plane or the page; `None` is for the service.
    pub(crate) async fn control(&self, parts: &Parts, body: &Bytes) -> Option<Response<MockBody>> {
        let path = parts.uri.path();
        let control = path.strip_prefix("/_mock/");
        let page = path == "/" || path.starts_with("/app/");
        if !self.inner.control() || (control.is_none() && !page) {
            return None;
        }
        if let Err(Refusal(status, text)) = self.check_caller(parts) {
            return Some(json_response(status, &json!({"error": text})));
        }
        let Some(path) = control else {
            return Some(match parts.method {
                Method::GET => {
                    let mut page = response(200, "text/html; charset=utf-8", PAGE);
                    let policy = HeaderValue::from_static(POLICY);
                    page.headers_mut().insert(CONTENT_SECURITY_POLICY, policy);
                    page
                }
                _ => json_response(405, &json!({"error": "use GET"})),
            });
        };
        if path == "events" && parts.method == Method::GET {
            let mut events = response(200, "text/event-stream", "");
            let no_store = HeaderValue::from_static("no-store");
            events.headers_mut().insert(CACHE_CONTROL, no_store);
            return Some(events.map(|_| MockBody::events(self.clone())));
        }
        let query = parts.uri.query().unwrap_or_default();
        let segments: Vec<&str> = path.split('/').collect();
        let answer = match segments[..] {
            ["requests", "wait"] if parts.method == Method::GET => self.wait(query).await,
            _ => self.act(&parts.method, &segments, query, body),
        };
        Some(match answer {
            Ok(value) => json_response(200, &value),
            Err(Refusal(status, text)) => {
                let mut refused = json_response(status, &json!({"error": text}));
                if let Some(methods) = allowed(&segments).filter(|_| status == 405) {
                    let methods = HeaderValue::from_static(methods);
                    refused.headers_mut().insert(ALLOW, methods);
                }
                refused
            }
        })
    }

    /// Refuses pages of other sites: a browser would let them send here, and a name that leads
    /// to loopback would let them read.
    fn check_caller(&self, parts: &Parts) -> Result<(), Refusal> {
        let text = |name| parts.headers.get(name).and_then(|v| v.to_str().ok());
        let host = text(HOST).or(parts.uri.authority().map(|a| a.as_str()));
        let host = host.unwrap_or_default();
        let name = host.rsplit_once(':').map_or(host, |(name, port)| {
            if port.bytes().all(|b| b.is_ascii_digit()) {
                name
            } else {
                host
            }
        });
        let address = name.trim_matches(['[', ']']).parse::<IpAddr>().is_ok();
        let public = self.inner.origin();
        let public = public
            .split_once("://")
            .is_some_and(|(_, public)| public == host);
        if !(address || public || name == "localhost") {
            return Err(Refusal(
                403,
                format!("the host `{host}` is not this mock's"),
            ));
        }
        match text(ORIGIN) {
            Some(origin) if origin.split_once("://").is_none_or(|(_, of)| of != host) => Err(
                Refusal(403, "requests from other origins are refused".into()),
            ),
            _ => Ok(()),
        }
    }

    fn act(&self, method: &Method, segments: &[&str], query: &str, body: &Bytes) -> Answer {
        let (get, post) = (method == Method::GET, method == Method::POST);
        let delete = method == Method::DELETE;
        match *segments {
            ["requests"] if get => {
                let filter = Filter::read(query)?;
                Ok(json!({"items": self.matching_requests(&filter)}))
            }
            ["reset"] if post => {
                self.reset();
                Ok(json!({}))
            }
            ["faults"] if get => Ok(json!({"items": self.faults()})),
            ["faults"] if post => {
                let rule: FaultRule = read(body)?;
                Ok(json!({"id": self.inner.state().faults.add(rule)}))
            }
            ["faults"] if delete => {
                self.clear_faults();
                Ok(json!({}))
            }
            ["faults", id] if delete => {
                let id = id.parse().ok();
                let removed = id.is_some_and(|id| self.inner.state().faults.remove(id));
                found(removed.then(|| json!({})))
            }
            ["agents"] if get => Ok(json!({"items": *self.inner.rules()})),
            ["agents"] if method == Method::PUT => {
                let rules: Vec<AgentRule> = read_any(body)?;
                *self.inner.rules() = rules;
                Ok(json!({}))
            }
            ["clock"] if get => Ok(self.clock_json()),
            ["clock"] if post => {
                let change: ClockChange = read(body)?;
                let by = change.advance.map(|text| duration(&text)).transpose()?;
                self.inner
                    .clock
                    .change(change.frozen, by.unwrap_or_default());
                Ok(self.clock_json())
            }
            ["urls", "expire"] if post => {
                self.expire_urls();
                Ok(json!({}))
            }
            ["settings"] if get => Ok(json!({
                "dialect": self.inner.dialect, "rate_limit": self.inner.limit,
                "now": self.now(), "origin": self.inner.origin(),
            })),
            ["sessions"] if get => Ok(json!({"items": self.all_sessions()})),
            ["sessions", _, ref rest @ ..] if !in_session(method, rest) => {
                Err(Refusal::no_operation(segments))
            }
            ["sessions", id, ref rest @ ..] => {
                let id = id
                    .parse()
                    .map_err(|_| Refusal(422, "not a session's id".into()))?;
                self.act_in_session(id, method, rest, body)
            }
            _ => Err(Refusal::no_operation(segments)),
        }
    }

    fn act_in_session(&self, id: Uuid, method: &Method, rest: &[&str], body: &Bytes) -> Answer {
        let post = *method == Method::POST;
        let (dialect, clock) = (&self.inner.dialect, &self.inner.clock);
        let mut state = self.inner.state();
        let session = found(state.sessions.get_mut(&id))?;
        session.advance(dialect, clock);
        match rest {
            [] if *method == Method::GET => {
                let messages = session.messages.iter();
                let messages: Vec<_> = messages.map(|m| m.json(session, dialect, clock)).collect();
                let mut value = summary(session);
                value["messages"] = json!(messages);
                value["plans"] = json!(
                    session
                        .plans
                        .iter()
                        .map(|p| &p.file_name)
                        .collect::<Vec<_>>()
                );
                return Ok(value);
            }
            ["finish"] if post => {
                let Finish { text } = read(body)?;
                let latest = session.threads.len().saturating_sub(1);
                session.finish(latest, text, clock.now(), dialect, clock);
            }
            ["continue"] if post => {
                let script: Script = read(body)?;
                if !session.continue_turn(script, clock) {
                    return Err(Refusal(409, "the latest turn has ended".into()));
                }
            }
            ["actions"] if post => {
                let action: Action = read(body)?;
                session.act_now(action, dialect, clock);
            }
            _ => return Err(Refusal::no_operation(&["sessions"])),
        }
        Ok(summary(session))
    }

    async fn wait(&self, query: &str) -> Answer {
        let filter = Filter::read(query)?;
        let reached = async {
            loop {
                let changed = self.inner.changed.notified();
                let items = self.matching_requests(&filter);
                if items.len() >= filter.count {
                    return items;
                }
                changed.await;
            }
        };
        match tokio::time::timeout(filter.timeout, reached).await {
            Ok(items) => Ok(json!({"items": items})),
            Err(_) => {
                let items = self.matching_requests(&filter).len();
                let text = format!(
                    "{items} of {} requests came within the time-out",
                    filter.count
                );
                Err(Refusal(409, text))
            }
        }
    }

    fn matching_requests(&self, filter: &Filter) -> Vec<Value> {
        let state = self.inner.state();
        let numbered = state.received.iter().enumerate();
        let matching = numbered.filter(|(_, request)| filter.matches(request));
        matching
            .map(|(number, request)| self.request_json(number, request))
            .collect()
    }

    fn request_json(&self, number: usize, request: &RecordedRequest) -> Value {
        let own = format!("ApiKey {}", self.key());
        let headers = request.headers.iter().map(|(name, value)| {
            // Another key may be a real one, sent here by mistake.
            let hidden = name == "authorization" && *value != own;
            json!([name, if hidden { "[hidden]" } else { value }])
        });
        json!({
            "number": number, "at": self.inner.clock.at(request.at), "operation": request.operation,
            "method": request.method, "target": request.target,
            "headers": headers.collect::<Vec<_>>(), "body": request.body, "status": request.status,
        })
    }

    fn faults(&self) -> Vec<Value> {
        let state = self.inner.state();
        let rules = state.faults.rules.iter();
        rules
            .map(|(id, rule)| json!({"id": id, "rule": rule}))
            .collect()
    }

    fn clock_json(&self) -> Value {
        json!({"now": self.now(), "frozen": self.inner.clock.is_frozen()})
    }

    fn all_sessions(&self) -> Vec<Value> {
        let mut state = self.inner.state();
        let sessions = state.sessions.values_mut();
        let advanced = sessions.map(|session| {
            session.advance(&self.inner.dialect, &self.inner.clock);
            summary(session)
        });
        advanced.collect()
    }

    /// Changes with everything that the page shows.
    pub(crate) fn version(&self) -> [usize; 4] {
        let mut state = self.inner.state();
        let answered = state.received.iter().filter(|r| r.status.is_some()).count();
        let (requests, faults) = (state.received.len(), state.faults.rules.len());
        let mut shown = state.sessions.len();
        for session in state.sessions.values_mut() {
            session.advance(&self.inner.dialect, &self.inner.clock);
            shown += session.messages.len() + session.pull_requests.len() + session.plans.len();
        }
        [requests, answered, faults, shown]
    }
}

/// Whether a session has this operation.
fn in_session(method: &Method, rest: &[&str]) -> bool {
    match rest {
        [] => *method == Method::GET,
        ["finish" | "continue" | "actions"] => *method == Method::POST,
        _ => false,
    }
}

fn summary(session: &Session) -> Value {
    json!({
        "id": session.id, "title": session.title, "turns": session.threads.len(),
        "working": session.is_working(), "pull_requests": session.pull_requests,
        "message_count": session.messages.len(),
    })
}

fn found<T>(value: Option<T>) -> Result<T, Refusal> {
    value.ok_or(Refusal(404, "not found".into()))
}

/// Reads a body that is an object. Serde would take a list of its fields, too.
fn read<T: DeserializeOwned>(body: &[u8]) -> Result<T, Refusal> {
    match body.trim_ascii_start().first() {
        Some(b'{') => read_any(body),
        _ => Err(Refusal(422, "invalid body: expected an object".into())),
    }
}

fn read_any<T: DeserializeOwned>(body: &[u8]) -> Result<T, Refusal> {
    serde_json::from_slice(body).map_err(|e| Refusal(422, format!("invalid body: {e}")))
}

fn duration(text: &str) -> Result<Duration, Refusal> {
    let parsed = humantime::parse_duration(text).ok();
    // A century is more than any test needs, and can be added to any time.
    parsed
        .filter(|duration| duration.as_secs() < 100 * 366 * 86_400)
        .ok_or_else(|| Refusal(422, format!("invalid duration `{text}`")))
}

/// Which requests, and how many of them to wait for.
struct Filter {
    operation: Option<String>,
    method: Option<String>,
    status: Option<u16>,
    contains: Option<String>,
    count: usize,
    timeout: Duration,
}

impl Filter {
    fn read(query: &str) -> Result<Self, Refusal> {
        let mut filter = Self {
            operation: None,
            method: None,
            status: None,
            contains: None,
            count: 1,
            timeout: Duration::from_secs(10),
        };
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            let invalid = || Refusal(422, format!("invalid {name} `{value}`"));
            match &*name {
                "operation" => filter.operation = Some(value.into_owned()),
                "method" => filter.method = Some(value.into_owned()),
                "status" => filter.status = Some(value.parse().map_err(|_| invalid())?),
                "contains" => filter.contains = Some(value.into_owned()),
                "count" => filter.count = value.parse().map_err(|_| invalid())?,
                "timeout" => filter.timeout = duration(&value)?,
                _ => return Err(Refusal(422, format!("unknown filter `{name}`"))),
            }
        }
        Ok(filter)
    }

    fn matches(&self, request: &RecordedRequest) -> bool {
        let name = serde_json::to_value(request.operation).unwrap_or_default();
        self.operation.as_deref().is_none_or(|o| name == o)
            && self.method.as_deref().is_none_or(|m| m == request.method)
            && self
                .status
                .is_none_or(|status| request.status == Some(status))
            && self
                .contains
                .as_deref()
                .is_none_or(|part| request.target.contains(part) || request.body.contains(part))
    }
}
