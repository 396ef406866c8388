//! A small server whose responses have the shapes of the vendor's public mock. It was written only
//! from the contract and shares no code with `blocks-mock`, so that a mistake in `blocks-mock` is
//! not repeated here.
//!
//! Each turn has a prompt, two tool calls (one in each known shape) and a final message. Only a
//! session's id is a UUID. The first turn has the thread `t1`, the task `task-1` and the final
//! message `m0`; a follow-up has `t2`, `task-2` and `m1`. List items lack `chat_id`, `task_id` and
//! the times. The final message of a follow-up names the first thread. Links name another host, and
//! the links of a page do not repeat the page's filters.

mod shapes;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{Method, Request, Response};
use http_body_util::{BodyExt, Full};
use serde_json::{Value, json};
use tower_service::Service;
use uuid::Uuid;

use shapes::{ErrorResponse, TIME, Turn, items, links, page, session};

/// A service whose responses have the shapes of the vendor's mock. Clones are the same service.
///
/// It is a tower service for `Client::builder(Vendor::KEY).service(vendor.clone())`.
#[derive(Clone)]
pub struct Vendor(Arc<Mutex<State>>);

/// A request as it was received.
struct VendorRequest {
    method: Method,
    /// Path and query.
    target: String,
    /// Every `Authorization` header.
    authorization: Vec<String>,
    body: String,
}

struct State {
    reply: String,
    sessions: HashMap<Uuid, Vec<Turn>>,
    post_count: usize,
}

impl Vendor {
    /// The key that the service accepts.
    pub const KEY: &str = "vendor-key-9c41e07a-never-shown";

    /// Creates a service in which the first poll of a turn already gets the reply "Done.".
    pub fn new() -> Self {
        Self(Arc::new(Mutex::new(State {
            reply: "Done.".into(),
            sessions: HashMap::new(),
            post_count: 0,
        })))
    }

    /// Sets the reply of the turns that start later.
    pub fn set_reply(&self, text: impl Into<String>) {
        self.state().reply = text.into();
    }

    /// Returns the number of POST requests that were received, including rejected requests.
    pub fn post_count(&self) -> usize {
        self.state().post_count
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn respond(&self, request: &VendorRequest) -> Response<Full<Bytes>> {
        let mut state = self.state();
        if request.method == Method::POST {
            state.post_count += 1;
        }
        let (status, body) = state.handle(request).unwrap_or_else(|(status, text)| {
            let body = json!({"error": text});
            (status, body)
        });
        let mut response = Response::new(Full::from(body.to_string()));
        *response.status_mut() = http::StatusCode::from_u16(status).expect("a status");
        let json = http::HeaderValue::from_static("application/json");
        response.headers_mut().insert("content-type", json);
        response
    }
}

impl Default for Vendor {
    fn default() -> Self {
        Self::new()
    }
}

type Handled = Result<(u16, Value), ErrorResponse>;

impl State {
    fn handle(&mut self, request: &VendorRequest) -> Handled {
        if request.authorization != [format!("ApiKey {}", Vendor::KEY)] {
            return Err((401, "Unauthorized"));
        }
        let (path, query) = request
            .target
            .split_once('?')
            .unwrap_or((&request.target, ""));
        let segments: Vec<&str> = path.split('/').collect();
        let ["", "rest", "v1", "sessions", rest @ ..] = &segments[..] else {
            return Err((404, "Not found"));
        };
        let post = request.method == Method::POST;
        let Some((id, rest)) = rest.split_first() else {
            return if post {
                self.create(&request.body)
            } else {
                Err((405, "Use POST"))
            };
        };
        let id: Uuid = id.parse().map_err(|_| (422, "session_id must be a UUID"))?;
        let turn = self.turn(&request.body);
        let turns = self
            .sessions
            .get_mut(&id)
            .ok_or((404, "Session not found"))?;
        match rest {
            [] if !post => Ok((200, session(id, turns, None))),
            ["messages"] if post => {
                turns.push(turn?);
                let number = turns.len();
                let mut message = items(turns, number - 1).swap_remove(0);
                message["chat_id"] = json!(id);
                message["task_id"] = json!(format!("task-{number}"));
                message["created_at"] = json!(TIME);
                message["updated_at"] = json!(TIME);
                message["_links"] = links(id, &format!("t{number}"));
                Ok((200, message))
            }
            ["messages"] => Ok((200, page(id, turns, None, query)?)),
            ["threads", thread, "messages"] if !post => {
                Ok((200, page(id, turns, Some(thread), query)?))
            }
            _ => Err((404, "Not found")),
        }
    }

    fn turn(&self, body: &str) -> Result<Turn, ErrorResponse> {
        let body: Value = serde_json::from_str(body).unwrap_or_default();
        let prompt = body["message"].as_str().filter(|text| !text.is_empty());
        Ok(Turn {
            prompt: prompt.ok_or((422, "message is required"))?.to_owned(),
            reply: self.reply.clone(),
        })
    }

    fn create(&mut self, body: &str) -> Handled {
        let turn = self.turn(body)?;
        let body: Value = serde_json::from_str(body).unwrap_or_default();
        let agents = ["agent_id", "agent_name", "profile"];
        if agents
            .iter()
            .filter(|name| body.get(**name).is_some())
            .count()
            != 1
        {
            return Err((422, "one of agent_id, agent_name, profile is required"));
        }
        let (id, turns) = (Uuid::new_v4(), vec![turn]);
        let made = session(id, &turns, Some("t1"));
        self.sessions.insert(id, turns);
        Ok((200, made))
    }
}

impl<B> Service<Request<B>> for Vendor
where
    B: http_body::Body<Data = Bytes> + Send + 'static,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    type Response = Response<Full<Bytes>>;
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = io::Result<Self::Response>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let vendor = self.clone();
        Box::pin(async move {
            let (parts, body) = request.into_parts();
            let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
            let headers = parts.headers.get_all("authorization").iter();
            let target = parts.uri.path_and_query();
            let body = body.collect().await.map_err(io::Error::other)?.to_bytes();
            Ok(vendor.respond(&VendorRequest {
                method: parts.method.clone(),
                target: target.map(ToString::to_string).unwrap_or_default(),
                authorization: headers.map(|value| text(value.as_bytes())).collect(),
                body: text(&body),
            }))
        })
    }
}
