//! Implements the control plane of the mock, and serves its web page (`page.html`). The control plane is an HTTP API at
//! `/_mock/`. Tests use the API to read and change the mock. `openapi/mock.yaml` describes the API, except
//! `/_mock/events`, which only the web page uses.

use std::net::IpAddr;
use std::time::Duration;

use bytes::Bytes;
use http::header::{ALLOW, CACHE_CONTROL, CONTENT_SECURITY_POLICY, HOST, ORIGIN};
use http::{HeaderValue, Method, Response, request::Parts};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::body::MockBody;
use crate::duration;
use crate::fault::{FaultRule, Frequency, Operation};
use crate::host;
use crate::mock::Mock;
use crate::object;
use crate::request_log::RecordedRequest;
use crate::rules::AgentRule;
use crate::script::{Action, Script};
use crate::service::{json_response, response};
use crate::store::Session;

const PAGE: &str = include_str!("page.html");
/// Content security policy of the web pages. A page may use only inline scripts and inline styles, and may send
/// requests only to its own origin.
const POLICY: &str = "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; \
    connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

struct Refusal(u16, String);

impl Refusal {
    /// Returns 405 if the path exists with other methods, and otherwise 404.
    fn no_operation(path: &[&str]) -> Self {
        match allowed(path) {
            Some(methods) => Self(405, format!("use {methods}")),
            None => Self(404, "the control plane has no such path".into()),
        }
    }
}

/// Returns the HTTP methods that a path below `/_mock/` allows; `None` if the path does not exist.
fn allowed(path: &[&str]) -> Option<&'static str> {
    Some(match path {
        ["settings"] => "GET, PATCH",
        ["requests" | "sessions" | "events"] | ["requests", "wait"] | ["sessions", _] => "GET",
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

type ControlResult = Result<Value, Refusal>;

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Finish {
    text: String,
}

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct ClockChange {
    #[serde(default)]
    frozen: Option<bool>,
    #[serde(default)]
    advance: Option<String>,
}

impl Mock {
    /// Responds to a request for the control plane or a page. Returns `None` for any other request, and if the control
    /// plane is disabled.
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
        let result = match segments[..] {
            ["requests", "wait"] if parts.method == Method::GET => self.wait(query).await,
            _ => self.act(&parts.method, &segments, query, body),
        };
        if parts.method != Method::GET {
            self.inner.note_change();
        }
        Some(match result {
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

    /// Rejects requests whose `Origin` header names another web site, because a browser sends them for that site. The
    /// `Host` header is also checked, because a site can make its own host name resolve to a loopback address (DNS
    /// rebinding). The browser would then treat the mock as a part of the site, and the site could read the responses.
    fn check_caller(&self, parts: &Parts) -> Result<(), Refusal> {
        let text = |name| parts.headers.get(name).and_then(|v| v.to_str().ok());
        let host = text(HOST).or(parts.uri.authority().map(|a| a.as_str()));
        let host = host.unwrap_or_default();
        let name = host::name(host).unwrap_or_default();
        let address = name.trim_matches(['[', ']']).parse::<IpAddr>().is_ok();
        let public = host::has_host(&self.inner.origin(), host);
        if !(address || public || name == "localhost") {
            return Err(Refusal(
                403,
                format!("unknown host `{host}`: use localhost, an IP address or the public URL"),
            ));
        }
        match text(ORIGIN) {
            Some(origin) if !host::has_host(origin, host) => Err(Refusal(
                403,
                "a request of another origin is rejected".into(),
            )),
            _ => Ok(()),
        }
    }

    fn act(&self, method: &Method, segments: &[&str], query: &str, body: &Bytes) -> ControlResult {
        let (get, post) = (method == Method::GET, method == Method::POST);
        let delete = method == Method::DELETE;
        match *segments {
            ["requests"] if get => {
                let filter = Filter::read(query)?;
                let items = self.matching_requests(&filter);
                Ok(json!({"items": items, "dropped": self.inner.state().requests.dropped}))
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
                let rules: Vec<AgentRule> = read(body)?;
                *self.inner.rules() = rules;
                Ok(json!({}))
            }
            ["clock"] if get => Ok(self.clock_json()),
            ["clock"] if post => {
                let change: ClockChange = read(body)?;
                let by = change.advance.map(|text| duration::parse(&text));
                let by = by.transpose().map_err(invalid)?;
                self.inner
                    .clock
                    .change(change.frozen, by.unwrap_or_default());
                Ok(self.clock_json())
            }
            ["urls", "expire"] if post => {
                self.expire_urls();
                Ok(json!({}))
            }
            ["settings"] if get => Ok(json!(*self.inner.settings())),
            ["settings"] if method == Method::PATCH => {
                let patch: Value = parse(body)?;
                let changed = self
                    .inner
                    .change_settings(|settings| settings.patched(&patch));
                changed.map(|settings| json!(*settings)).map_err(invalid)
            }
            ["sessions"] if get => Ok(json!({"items": self.all_sessions()})),
            ["sessions", _, ref rest @ ..] if !in_session(method, rest) => {
                Err(Refusal::no_operation(segments))
            }
            ["sessions", id, ref rest @ ..] => {
                let id = crate::query::uuid(id)
                    .ok_or_else(|| invalid(format!("invalid session id `{id}`")))?;
                self.act_in_session(id, method, rest, body)
            }
            _ => Err(Refusal::no_operation(segments)),
        }
    }

    fn act_in_session(
        &self,
        id: Uuid,
        method: &Method,
        rest: &[&str],
        body: &Bytes,
    ) -> ControlResult {
        let post = *method == Method::POST;
        let (settings, clock) = (self.inner.settings(), &self.inner.clock);
        let dialect = &settings.dialect;
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
                if !session.finish(latest, text, clock.now(), dialect, clock) {
                    return Err(Refusal(409, "the latest turn has ended".into()));
                }
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

    async fn wait(&self, query: &str) -> ControlResult {
        let filter = Filter::read(query)?;
        let size = self.inner.settings().request_log_size;
        if filter.count > size {
            let count = filter.count;
            let text = format!("cannot wait for {count} requests: the request log keeps {size}");
            return Err(Refusal(409, text));
        }
        let reached = async {
            loop {
                let changed = self.inner.changed.notified();
                if self.count_matching(&filter) >= filter.count {
                    return;
                }
                changed.await;
            }
        };
        let reached = tokio::time::timeout(filter.timeout, reached).await.is_ok();
        // After a time-out, the requests are counted once more. Otherwise the error could say that all requests
        // matched.
        let (matched, count) = (self.count_matching(&filter), filter.count);
        if !reached && matched < count {
            let text = format!("{matched} of {count} requests matched before the time-out");
            return Err(Refusal(409, text));
        }
        Ok(json!({"items": self.matching_requests(&filter)}))
    }

    /// Returns the number of requests that match `filter`. The limit of `filter` is ignored.
    fn count_matching(&self, filter: &Filter) -> usize {
        let state = self.inner.state();
        let requests = state.requests.iter();
        requests
            .filter(|(_, request)| filter.matches(request))
            .count()
    }

    /// Returns the newest requests that match `filter`, at most `filter.limit`. The oldest of these requests is the
    /// first in the list.
    fn matching_requests(&self, filter: &Filter) -> Vec<Value> {
        let state = self.inner.state();
        let newest_first = state.requests.iter().rev();
        let matching = newest_first.filter(|(_, request)| filter.matches(request));
        let mut items: Vec<Value> = matching
            .take(filter.limit)
            .map(|(number, request)| self.request_json(number, request))
            .collect();
        items.reverse();
        items
    }

    fn request_json(&self, number: usize, request: &RecordedRequest) -> Value {
        let own = format!("ApiKey {}", self.key());
        let headers = request.headers.iter().map(|(name, value)| {
            // An `Authorization` header is shown only if it contains the mock's key. Other values of this header are
            // hidden, because a client may have sent a real key by mistake.
            let hidden = name == "authorization" && *value != own;
            json!([name, if hidden { "[hidden]" } else { value }])
        });
        json!({
            "number": number, "at": self.inner.clock.at(request.at), "operation": request.operation,
            "method": request.method, "target": request.target,
            "headers": headers.collect::<Vec<_>>(), "body": request.body, "status": request.status,
        })
    }

    /// Returns the faults, except those that were used as often as [`Frequency::Times`] allows.
    fn faults(&self) -> Vec<Value> {
        let state = self.inner.state();
        let rules = state.faults.rules.iter();
        rules
            .filter(|(_, rule)| rule.when != Frequency::Times(0))
            .map(|(id, rule)| json!({"id": id, "rule": rule}))
            .collect()
    }

    fn clock_json(&self) -> Value {
        json!({"now": self.now(), "frozen": self.inner.clock.is_frozen()})
    }

    fn all_sessions(&self) -> Vec<Value> {
        let settings = self.inner.settings();
        let mut state = self.inner.state();
        let sessions = state.sessions.values_mut();
        let advanced = sessions.map(|session| {
            session.advance(&settings.dialect, &self.inner.clock);
            summary(session)
        });
        advanced.collect()
    }

    /// Returns two numbers. If one of them changes, the data of the web page may have changed. The first number counts
    /// the changes that requests and tests make, and never becomes smaller. The second number is the sum of all
    /// sessions, messages, pull requests and plans, because agents add some of these without a request.
    pub(crate) fn version(&self) -> (u64, usize) {
        let settings = self.inner.settings();
        let changes = self.inner.changes();
        let mut state = self.inner.state();
        let mut shown = state.sessions.len();
        for session in state.sessions.values_mut() {
            session.advance(&settings.dialect, &self.inner.clock);
            shown += session.messages.len() + session.pull_requests.len() + session.plans.len();
        }
        (changes, shown)
    }
}

/// Returns whether the control plane allows a method for a path. `rest` is the part of the path after the session's id.
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

fn read<T: DeserializeOwned + Serialize>(body: &[u8]) -> Result<T, Refusal> {
    object::from_value(&parse(body)?).map_err(|error| invalid(format!("invalid body: {error}")))
}

fn parse(body: &[u8]) -> Result<Value, Refusal> {
    serde_json::from_slice(body).map_err(|error| invalid(format!("invalid body: {error}")))
}

fn invalid(text: String) -> Refusal {
    Refusal(422, text)
}

/// Selects the requests to list or to wait for.
struct Filter {
    operation: Option<Operation>,
    method: Option<String>,
    status: Option<u16>,
    contains: Option<String>,
    /// The number of requests to wait for.
    count: usize,
    timeout: Duration,
    /// The largest number of requests to list.
    limit: usize,
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
            limit: usize::MAX,
        };
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            let wrong = || invalid(format!("invalid {name} `{value}`"));
            match &*name {
                "operation" => {
                    let operation = serde_json::from_value(json!(value));
                    filter.operation = Some(operation.map_err(|_| wrong())?);
                }
                "method" => filter.method = Some(value.into_owned()),
                "status" => filter.status = Some(value.parse().map_err(|_| wrong())?),
                "contains" => filter.contains = Some(value.into_owned()),
                "count" => filter.count = value.parse().map_err(|_| wrong())?,
                "limit" => filter.limit = value.parse().map_err(|_| wrong())?,
                "timeout" => filter.timeout = duration::parse(&value).map_err(invalid)?,
                _ => return Err(invalid(format!("unknown filter `{name}`"))),
            }
        }
        Ok(filter)
    }

    fn matches(&self, request: &RecordedRequest) -> bool {
        self.operation
            .is_none_or(|operation| request.operation == Some(operation))
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
