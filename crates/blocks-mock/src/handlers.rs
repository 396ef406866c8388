//! The six operations and the storage host's downloads.

use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, Query, Request, State as Shared};
use axum::http::{HeaderMap, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Json, Response};
use axum::routing::{get, post};
use chrono::Utc;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::query;
use crate::server::{Received, State};
use crate::store::{Session, Thread};

type App = Shared<Arc<State>>;
type Pairs = Query<Vec<(String, String)>>;
type Answer = Result<Json<Value>, Failure>;

const AGENTS: [&str; 7] = [
    "claude", "codex", "gemini", "opencode", "cursor", "kimi", "sisyphus",
];

pub struct Failure(StatusCode, String);

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        (self.0, Json(json!({"error": self.1}))).into_response()
    }
}

fn invalid(message: impl Into<String>) -> Failure {
    Failure(StatusCode::UNPROCESSABLE_ENTITY, message.into())
}

fn not_found() -> Failure {
    Failure(StatusCode::NOT_FOUND, "not found".into())
}

fn uuid(text: &str) -> Result<Uuid, Failure> {
    text.parse()
        .map_err(|_| invalid(format!("{text} is not a UUID")))
}

pub fn router(state: Arc<State>) -> Router {
    let session = "/rest/v1/sessions/{session}";
    Router::new()
        .route("/rest/v1/sessions", post(create_session))
        .route(session, get(get_session))
        .route(
            &format!("{session}/messages"),
            post(create_message).get(list_session),
        )
        .route(
            &format!("{session}/threads/{{thread}}/messages"),
            get(list_thread),
        )
        .route(
            &format!("{session}/artifacts/{{artifact}}"),
            get(get_artifact),
        )
        .layer(middleware::from_fn_with_state(
            Arc::clone(&state),
            authenticate,
        ))
        .route("/storage/{artifact}", get(download))
        .layer(middleware::from_fn_with_state(Arc::clone(&state), record))
        .with_state(state)
}

async fn record(Shared(state): App, request: Request, next: Next) -> Response {
    let headers = request
        .headers()
        .iter()
        .map(|(name, value)| {
            (
                name.to_string(),
                String::from_utf8_lossy(value.as_bytes()).into_owned(),
            )
        })
        .collect();
    state.store().received.push(Received {
        method: request.method().to_string(),
        target: request.uri().to_string(),
        headers,
    });
    next.run(request).await
}

async fn authenticate(Shared(state): App, request: Request, next: Next) -> Response {
    let given = request
        .headers()
        .get(header::AUTHORIZATION)
        .and_then(|v| v.to_str().ok());
    match given.and_then(|text| text.strip_prefix("ApiKey ")) {
        Some(key) if key == state.key => next.run(request).await,
        Some(_) => Failure(StatusCode::FORBIDDEN, "wrong key".into()).into_response(),
        None => Failure(
            StatusCode::UNAUTHORIZED,
            "Authorization: ApiKey <key> is needed".into(),
        )
        .into_response(),
    }
}

fn body(bytes: &Bytes) -> Result<Value, Failure> {
    let value: Value = serde_json::from_slice(bytes).map_err(|e| invalid(e.to_string()))?;
    if value["message"].as_str().is_none_or(str::is_empty) {
        return Err(invalid("message is required"));
    }
    let ids = &value["artifact_ids"];
    let good = ids.is_null()
        || ids.as_array().is_some_and(|ids| {
            ids.iter()
                .all(|id| id.as_str().is_some_and(|id| id.parse::<Uuid>().is_ok()))
        });
    if good {
        Ok(value)
    } else {
        Err(invalid("artifact_ids must be UUIDs"))
    }
}

fn check_agent(body: &Value) -> Result<(), Failure> {
    let given = ["agent_id", "agent_name", "profile"]
        .iter()
        .filter(|f| !body[**f].is_null())
        .count();
    if given != 1 {
        return Err(invalid(
            "exactly one of agent_id, agent_name, profile is needed",
        ));
    }
    match &body["agent_name"] {
        Value::Null => {}
        name if AGENTS.iter().any(|a| name == a) => {}
        name => return Err(invalid(format!("unknown agent {name}"))),
    }
    match &body["agent_id"] {
        Value::Null => Ok(()),
        id => uuid(id.as_str().unwrap_or_default()).map(|_| ()),
    }
}

async fn create_session(Shared(state): App, bytes: Bytes) -> Answer {
    let body = body(&bytes)?;
    check_agent(&body)?;
    let title = body["title"].as_str().unwrap_or("New session").to_owned();
    if title.chars().count() > 200 {
        return Err(invalid("title is longer than 200 characters"));
    }
    let thread = Thread::new(
        body["message"].as_str().unwrap_or_default(),
        &state.reply,
        state.reply_after,
    );
    let (id, thread_id) = (Uuid::new_v4(), thread.id);
    let session = Session {
        title,
        is_private: body["is_private"].as_bool().unwrap_or(false),
        session_group_id: body["session_group_id"].clone(),
        created_at: Utc::now(),
        plan_id: Uuid::new_v4(),
        threads: vec![thread],
    };
    let answer = session_json(&state, id, &session, Some(thread_id));
    state.store().sessions.insert(id, session);
    Ok(Json(answer))
}

fn session_json(state: &State, id: Uuid, session: &Session, thread: Option<Uuid>) -> Value {
    let base = format!("{}/rest/v1/sessions/{id}", state.origin());
    let plans: &[Uuid] = if session.has_plan() {
        std::slice::from_ref(&session.plan_id)
    } else {
        &[]
    };
    json!({
        "id": id, "title": session.title, "pull_requests": [], "source_url": null,
        "is_archived": false, "is_private": session.is_private,
        "created_at": session.created_at, "updated_at": session.created_at,
        "thread_id": thread, "session_group_id": session.session_group_id,
        "plan_artifact_ids": plans,
        "session_html_url": format!("https://blocks.team/app/sessions/{id}"),
        "_links": {
            "self": {"href": base}, "messages": {"href": format!("{base}/messages")},
            "thread": thread.map(|t| json!({"href": thread_link(&base, t)})),
            "final_message": thread.map(|t| json!({"href": final_link(&base, t)})),
        },
    })
}

fn thread_link(base: &str, thread: Uuid) -> String {
    format!("{base}/threads/{thread}/messages")
}

fn final_link(base: &str, thread: Uuid) -> String {
    format!(
        "{}?type=final_message&role=assistant",
        thread_link(base, thread)
    )
}

async fn get_session(Shared(state): App, Path(id): Path<String>) -> Answer {
    let id = uuid(&id)?;
    let store = state.store();
    let session = store.sessions.get(&id).ok_or_else(not_found)?;
    Ok(Json(session_json(&state, id, session, None)))
}

async fn create_message(Shared(state): App, Path(id): Path<String>, bytes: Bytes) -> Answer {
    let id = uuid(&id)?;
    let body = body(&bytes)?;
    let mut store = state.store();
    let session = store.sessions.get_mut(&id).ok_or_else(not_found)?;
    session.threads.iter_mut().for_each(Thread::interrupt);
    let thread = Thread::new(
        body["message"].as_str().unwrap_or_default(),
        &state.reply,
        state.reply_after,
    );
    let mut answer = thread.user_message(id);
    let base = format!("{}/rest/v1/sessions/{id}", state.origin());
    answer["_links"] = json!({
        "self": {"href": format!("{base}/messages")},
        "thread": {"href": thread_link(&base, thread.id)},
        "final_message": {"href": final_link(&base, thread.id)},
    });
    session.threads.push(thread);
    Ok(Json(answer))
}

async fn list_session(Shared(state): App, Path(id): Path<String>, Query(query): Pairs) -> Answer {
    let id = uuid(&id)?;
    let store = state.store();
    let session = store.sessions.get(&id).ok_or_else(not_found)?;
    let all = session
        .threads
        .iter()
        .flat_map(|t| t.messages(id))
        .collect();
    let path = format!("{}/rest/v1/sessions/{id}/messages", state.origin());
    query::page(all, &query, &path).map(Json).map_err(invalid)
}

async fn list_thread(
    Shared(state): App,
    Path((id, thread)): Path<(String, String)>,
    Query(mut query): Pairs,
) -> Answer {
    let (id, thread) = (uuid(&id)?, uuid(&thread)?);
    // Ignored on this path.
    query.retain(|(name, _)| name != "thread_id");
    let store = state.store();
    let session = store.sessions.get(&id).ok_or_else(not_found)?;
    let all = session
        .threads
        .iter()
        .filter(|t| t.id == thread)
        .flat_map(|t| t.messages(id))
        .collect();
    let path = thread_link(&format!("{}/rest/v1/sessions/{id}", state.origin()), thread);
    query::page(all, &query, &path).map(Json).map_err(invalid)
}

async fn get_artifact(Shared(state): App, Path((id, artifact)): Path<(String, String)>) -> Answer {
    let (id, artifact) = (uuid(&id)?, uuid(&artifact)?);
    let store = state.store();
    let session = store.sessions.get(&id).ok_or_else(not_found)?;
    if !session.has_plan() || session.plan_id != artifact {
        return Err(not_found());
    }
    Ok(Json(json!({
        "id": artifact, "url": format!("http://{}/storage/{artifact}?signature=mock", state.address),
        "file_name": "plan.md", "file_path": "plan.md", "file_size_in_kb": 0.1,
        "mime_type": "text/markdown", "kind": "plan", "plan_id": artifact,
        "created_at": session.created_at,
    })))
}

async fn download(headers: HeaderMap) -> Response {
    if headers.contains_key(header::AUTHORIZATION) {
        return Failure(
            StatusCode::BAD_REQUEST,
            "only one authentication mechanism".into(),
        )
        .into_response();
    }
    "# Plan\n".into_response()
}
