//! Handles the six operations of the service, such as `CreateSession`, and the downloads of artifacts (files of a
//! session, such as a plan). The body of a response is JSON, except for a download.

use std::sync::PoisonError;

use serde_json::{Map, Value, json};
use uuid::Uuid;

use crate::fault::Operation;
use crate::mock::Inner;
use crate::query::{Query, uuid};
use crate::route::Ids;
use crate::settings::Settings;
use crate::store::{Artifact, Names, Session};

/// The values of `agent_name` that the documentation lists.
const AGENTS: [&str; 6] = ["claude", "codex", "gemini", "opencode", "cursor", "kimi"];

/// Id of the mock's only workspace. If the field `workspace_in_html_url` of the `Dialect` is true, the URL of each
/// session's web page (`session_html_url`) contains this id.
const WORKSPACE: Uuid = Uuid::from_u128(0x7d1c_4f0a_52b3_4c6e_9a0d_3f5e_8b27_61c4);

/// Describes why a request is rejected. The `Dialect` selects, for example, whether an invalid request gets 400 or 422.
#[derive(Debug)]
pub enum Failure {
    Invalid(String),
    NotFound,
    Unauthenticated,
    Forbidden,
    RateLimited,
    WrongMethod(&'static str),
    /// An error of the storage host, from which artifacts are downloaded: the status and the text.
    Storage(u16, &'static str),
}

type HandlerResult = Result<(u16, Value), Failure>;

/// Handles one request.
pub struct Handler<'a> {
    pub inner: &'a Inner,
    pub settings: &'a Settings,
    /// The origin (scheme, host and port) of the request's URL. The links in `_links` have this origin, unless the
    /// dialect sets `link_origin`.
    pub called: &'a str,
}

impl Handler<'_> {
    pub fn handle(
        &self,
        operation: Operation,
        ids: &Ids<'_>,
        query: &str,
        body: &[u8],
    ) -> HandlerResult {
        if operation == Operation::CreateSession {
            return self.create_session(body);
        }
        let invalid = |name: &str| Failure::Invalid(format!("{name} must be a UUID"));
        let id = uuid(ids.session).ok_or_else(|| invalid("session_id"))?;
        if operation == Operation::CreateMessage {
            return self.create_message(id, body);
        }
        let mut state = self.inner.state();
        let session = state.sessions.get_mut(&id).ok_or(Failure::NotFound);
        match operation {
            Operation::GetSession => {
                let session = self.advanced(session?);
                Ok((200, self.session(session, None)))
            }
            Operation::ListSessionMessages => self.list(session, None, query),
            Operation::ListThreadMessages => self.list(session, Some(ids.part), query),
            Operation::GetArtifact => {
                let artifact = uuid(ids.part).ok_or_else(|| invalid("artifact_id"))?;
                let session = self.advanced(session?);
                let found = session.plans.iter().find(|plan| plan.id == artifact);
                Ok((200, self.artifact(found.ok_or(Failure::NotFound)?)))
            }
            Operation::CreateSession | Operation::CreateMessage | Operation::Download => {
                Err(Failure::NotFound)
            }
        }
    }

    fn advanced<'s>(&self, session: &'s mut Session) -> &'s mut Session {
        session.advance(&self.settings.dialect, &self.inner.clock);
        session
    }

    fn create_session(&self, body: &[u8]) -> HandlerResult {
        let (dialect, clock) = (&self.settings.dialect, &self.inner.clock);
        let body = object(body, &SESSION_FIELDS)?;
        self.check_agent(&body)?;
        let message = body["message"].as_str().unwrap_or_default();
        let title = match body.get("title").and_then(Value::as_str) {
            Some(title) if title.chars().count() > 200 => {
                return Err(Failure::Invalid(
                    "title has more than 200 characters".into(),
                ));
            }
            Some(title) => title.to_owned(),
            None => message.chars().take(60).collect(),
        };
        let is_private = dialect.forced_private || body.get("is_private") == Some(&json!(true));
        let group = body.get("session_group_id").cloned().unwrap_or_default();
        let mut session = Session::new(clock.id(), title, is_private, group, clock);
        session.agent_name = body
            .get("agent_name")
            .and_then(Value::as_str)
            .map(str::to_owned);
        // The number is taken before `script` is called, because another create can start during this call.
        {
            let mut state = self.inner.state();
            session.number = state.next_session;
            state.next_session += 1;
        }
        let script = self.inner.script(&session.next_turn(message));
        let (thread, _) = session.start_turn(message, script, dialect, clock);
        let response = self.session(&session, Some(thread));
        let mut state = self.inner.state();
        state.user_messages += 1;
        // A reset during `script` sets the next number back to 0.
        state.next_session = state.next_session.max(session.number + 1);
        state.sessions.insert(session.id, session);
        Ok((dialect.created_status, response))
    }

    fn check_agent(&self, body: &Map<String, Value>) -> Result<(), Failure> {
        let dialect = &self.settings.dialect;
        let given = ["agent_id", "agent_name", "profile"]
            .iter()
            .filter(|field| body.contains_key(**field))
            .count();
        if given == 0 || (given > 1 && dialect.several_agents_rejected) {
            return Err(Failure::Invalid(
                "exactly one of agent_id, agent_name, profile is needed".into(),
            ));
        }
        let Some(name) = body.get("agent_name").and_then(Value::as_str) else {
            return Ok(());
        };
        if AGENTS.contains(&name) || (dialect.sisyphus && name == "sisyphus") {
            Ok(())
        } else {
            Err(Failure::Invalid(format!("unknown agent_name {name}")))
        }
    }

    fn create_message(&self, id: Uuid, body: &[u8]) -> HandlerResult {
        let (dialect, clock) = (&self.settings.dialect, &self.inner.clock);
        let body = object(body, &MESSAGE_FIELDS)?;
        let text = body["message"].as_str().unwrap_or_default();
        let follow_up = &self.inner.follow_up;
        let _only_follow_up = follow_up.lock().unwrap_or_else(PoisonError::into_inner);
        let turn = {
            let mut state = self.inner.state();
            let session = state.sessions.get_mut(&id).ok_or(Failure::NotFound)?;
            self.advanced(session).next_turn(text)
        };
        let script = self.inner.script(&turn);
        let state = &mut *self.inner.state();
        // The state was not locked while `script` was called, so a reset of the mock may have removed the session.
        let session = state.sessions.get_mut(&id).ok_or(Failure::NotFound)?;
        state.user_messages += 1;
        let (thread, message) = session.start_turn(text, script, dialect, clock);
        let base = self.base(session.id);
        let mut response = session
            .messages
            .iter()
            .find(|m| m.id == message)
            .map(|m| m.json(session, dialect, clock))
            .unwrap_or_default();
        let thread = Names { session, dialect }.thread(thread);
        response["_links"] = json!({
            "self": {"href": format!("{base}/messages")},
            "thread": {"href": thread_link(&base, &thread)},
            "final_message": {"href": final_link(&base, &thread)},
        });
        Ok((200, response))
    }

    fn base(&self, session: Uuid) -> String {
        let origin = self.settings.dialect.link_origin.as_deref();
        format!(
            "{}/rest/v1/sessions/{session}",
            origin.unwrap_or(self.called)
        )
    }

    fn session(&self, session: &Session, thread: Option<Uuid>) -> Value {
        let (dialect, clock) = (&self.settings.dialect, &self.inner.clock);
        let (id, base) = (session.id, self.base(session.id));
        let pull_requests: Vec<Value> = session
            .pull_requests
            .iter()
            .map(|url| match dialect.pull_request_objects {
                true => json!({"url": url, "status": "open"}),
                false => json!(url),
            })
            .collect();
        let created = dialect.time(clock.iso(session.created));
        let thread = thread.map(|thread| Names { session, dialect }.thread(thread));
        let final_message = match &thread {
            None if dialect.null_thread_link => Some(final_link(&base, "null")),
            thread => thread.as_deref().map(|thread| final_link(&base, thread)),
        };
        let workspace = match dialect.workspace_in_html_url {
            true => format!("{WORKSPACE}/"),
            false => String::new(),
        };
        let mut response = json!({
            "id": id, "title": session.title, "pull_requests": pull_requests, "source_url": null,
            "is_archived": false, "is_private": session.is_private,
            "created_at": created, "updated_at": created, "thread_id": thread,
            "session_html_url": format!("{}/app/{workspace}sessions/{id}", self.inner.html_origin()),
            "_links": {
                "self": {"href": base}, "messages": {"href": format!("{base}/messages")},
                "thread": thread.map(|t| json!({"href": thread_link(&base, &t)})),
                "final_message": final_message.map(|href| json!({"href": href})),
            },
        });
        if dialect.observed_fields {
            let plans: Vec<Uuid> = session.plans.iter().map(|plan| plan.id).collect();
            response["session_group_id"] = session.group.clone();
            response["plan_artifact_ids"] = json!(plans);
        }
        response
    }

    /// Returns a page of a session's messages. `in_path` is the id of the thread in the path, if the path contains one.
    fn list(
        &self,
        session: Result<&mut Session, Failure>,
        in_path: Option<&str>,
        query: &str,
    ) -> HandlerResult {
        let (dialect, clock) = (&self.settings.dialect, &self.inner.clock);
        // An invalid id or parameter is reported also if the session does not exist, as by the other operations.
        let query = Query::read(query, in_path, dialect).map_err(Failure::Invalid)?;
        let session = self.advanced(session?);
        let names = Names { session, dialect };
        let thread = query.thread.as_deref().map(|id| names.read_thread(id));
        let is_known = thread.is_none_or(|id| names.session.threads.iter().any(|t| t.id == id));
        if in_path.is_some() && !is_known && dialect.unknown_thread_rejected {
            return Err(Failure::NotFound);
        }
        if let Some(thread) = thread
            && query.can_show_reply(session, thread, clock.now(), dialect)
        {
            session.count_poll(thread);
            session.advance(dialect, clock);
        }
        let session = &*session;
        let (mut total, mut newest) = (0, None::<f64>);
        let mut items = Vec::new();
        let mut take = |message: &crate::store::Message| {
            if !query.wants(message) {
                return;
            }
            if query.places().contains(&total) {
                items.push(message.json(session, dialect, clock));
            }
            total += 1;
            newest = message.ts.into_iter().chain(newest).reduce(f64::max);
        };
        match (thread, query.descending) {
            (Some(id), false) => session.of_thread(id).for_each(&mut take),
            (Some(id), true) => session.of_thread(id).rev().for_each(&mut take),
            (None, false) => session.messages.iter().for_each(&mut take),
            (None, true) => session.messages.iter().rev().for_each(&mut take),
        }
        let base = self.base(session.id);
        let path = match in_path {
            Some(thread) => thread_link(&base, thread),
            None => format!("{base}/messages"),
        };
        let newest = newest.filter(|_| !items.is_empty());
        let cursor = newest.unwrap_or_else(|| clock.now().floor());
        let kept = if dialect.links_drop_filters {
            ""
        } else {
            &query.sent
        };
        let own = match kept.strip_prefix('&') {
            Some(kept) => format!("{path}?{kept}"),
            None => path.clone(),
        };
        Ok((
            200,
            json!({
                "items": items,
                "meta": {
                    "total": total, "page": query.page, "limit": query.limit,
                    "total_pages": total.div_ceil(query.limit),
                },
                "_links": {
                    "self": {"href": own},
                    "new_messages": {"href": format!("{path}?gts={cursor}{kept}")},
                },
            }),
        ))
    }

    fn artifact(&self, artifact: &Artifact) -> Value {
        let clock = &self.inner.clock;
        let expires = clock.now() + self.settings.presigned_url_ttl.as_secs_f64();
        let url = format!(
            "{}/storage/{}?expires={expires}&signature={}",
            self.inner.origin(),
            artifact.id,
            signature(
                artifact.id,
                &expires.to_string(),
                self.inner.url_generation()
            ),
        );
        json!({
            "id": artifact.id, "url": url, "file_name": artifact.file_name,
            "file_path": artifact.file_name, "file_size_in_kb": artifact.text.len() as f64 / 1024.0,
            "mime_type": "text/markdown", "kind": "plan", "plan_id": artifact.id,
            "created_at": self.settings.dialect.time(clock.iso(artifact.created)),
        })
    }

    /// Handles the download of an artifact from the storage host. The request needs a valid signature, and must not
    /// contain an `Authorization` header. `with_key` says whether it contains one.
    pub fn download(&self, artifact: &str, query: &str, with_key: bool) -> Result<String, Failure> {
        if with_key {
            return Err(Failure::Storage(400, "Only one auth mechanism allowed"));
        }
        let value = |name: &str| {
            let mut pairs = form_urlencoded::parse(query.as_bytes());
            let found = pairs.find(|(n, _)| n == name);
            found
                .map(|(_, value)| value.into_owned())
                .unwrap_or_default()
        };
        let id = uuid(artifact).ok_or(Failure::Storage(404, "NoSuchKey"))?;
        let expires = value("expires");
        let fresh = expires
            .parse::<f64>()
            .is_ok_and(|at| at > self.inner.clock.now());
        let (sent, latest) = (value("signature"), self.inner.url_generation());
        let generation =
            (0..=latest).find(|generation| sent == signature(id, &expires, *generation));
        if generation.is_none() {
            return Err(Failure::Storage(403, "SignatureDoesNotMatch"));
        }
        if !fresh || generation != Some(latest) {
            return Err(Failure::Storage(403, "Request has expired"));
        }
        let state = self.inner.state();
        let mut plans = state.sessions.values().flat_map(|s| &s.plans);
        let found = plans.find(|plan| plan.id == id);
        found
            .map(|plan| plan.text.clone())
            .ok_or(Failure::Storage(404, "NoSuchKey"))
    }
}

/// Returns the signature of a presigned URL. The signature is a hash of the arguments without a secret, which is enough
/// because the mock has only test data.
fn signature(id: Uuid, expires: &str, generation: u64) -> String {
    use std::hash::{DefaultHasher, Hash, Hasher};
    let mut hasher = DefaultHasher::new();
    (id, expires, generation).hash(&mut hasher);
    format!("{:016x}", hasher.finish())
}

fn thread_link(base: &str, thread: &str) -> String {
    format!("{base}/threads/{thread}/messages")
}

fn final_link(base: &str, thread: &str) -> String {
    let thread = thread_link(base, thread);
    format!("{thread}?type=final_message&role=assistant")
}

type Check = fn(&Value) -> bool;

const SESSION_FIELDS: [(&str, Check, &str); 9] = [
    ("message", is_message, "a string that is not empty"),
    ("agent_name", Value::is_string, "a string"),
    ("agent_id", is_uuid, "a UUID"),
    ("profile", Value::is_object, "an object"),
    ("is_private", Value::is_boolean, "a boolean"),
    ("artifact_ids", is_uuids, "an array of UUIDs"),
    ("title", Value::is_string, "a string"),
    ("session_group_id", is_uuid, "a UUID"),
    ("config_values", Value::is_object, "an object"),
];

const MESSAGE_FIELDS: [(&str, Check, &str); 3] = [
    ("message", is_message, "a string that is not empty"),
    ("artifact_ids", is_uuids, "an array of UUIDs"),
    ("profile", Value::is_object, "an object"),
];

fn is_message(value: &Value) -> bool {
    value.as_str().is_some_and(|text| !text.is_empty())
}

fn is_uuid(value: &Value) -> bool {
    value.as_str().is_some_and(|text| uuid(text).is_some())
}

fn is_uuids(value: &Value) -> bool {
    value.as_array().is_some_and(|ids| ids.iter().all(is_uuid))
}

/// Parses a request body as a JSON object. Checks that it has a `message`, and that the value of each field in `fields`
/// is valid if the field is present.
fn object(body: &[u8], fields: &[(&str, Check, &str)]) -> Result<Map<String, Value>, Failure> {
    let value: Value = serde_json::from_slice(body)
        .map_err(|e| Failure::Invalid(format!("the body is not valid JSON: {e}")))?;
    let Value::Object(object) = value else {
        return Err(Failure::Invalid("the body must be an object".into()));
    };
    if !object.contains_key("message") {
        return Err(Failure::Invalid("message is required".into()));
    }
    for (name, check, expected) in fields {
        if object.get(*name).is_some_and(|value| !check(value)) {
            return Err(Failure::Invalid(format!("{name} must be {expected}")));
        }
    }
    Ok(object)
}
