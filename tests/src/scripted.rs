//! A transport for a client. It sends nothing over the network, but responds from a script with one entry for each
//! request.

use std::collections::VecDeque;
use std::io::{self, ErrorKind};
use std::sync::{Arc, Mutex, MutexGuard};

use blocks_sdk::{Body, Client, ClientBuilder, SendError, SendFuture, Transport};
use bytes::Bytes;
use futures_util::stream;
use http::{Method, Request};
use reqwest::Url;
use serde_json::Value;
use tokio::time::Instant;

use crate::KEY;

/// The response to one request, or the way in which the request fails.
#[derive(Clone, Debug)]
pub enum ScriptedResponse {
    /// A response of the service, complete or cut off.
    Response {
        /// The status.
        status: u16,
        /// Headers.
        headers: Vec<(&'static str, String)>,
        /// The body.
        body: Bytes,
        /// Whether the connection closes after `body`, before the response is complete.
        broken: bool,
    },
    /// No connection can be made.
    Refused,
    /// The connection closes after the request was sent.
    Broken,
    /// The service never responds.
    Silence,
}

impl ScriptedResponse {
    /// Creates a response with a body of text.
    pub fn text(status: u16, body: impl Into<String>) -> Self {
        Self::bytes(status, body.into())
    }

    /// Creates a response with any body.
    pub fn bytes(status: u16, body: impl Into<Bytes>) -> Self {
        Self::Response {
            status,
            headers: Vec::new(),
            body: body.into(),
            broken: false,
        }
    }

    /// Creates a response with the status 200 and a body of JSON.
    pub fn ok(body: &Value) -> Self {
        Self::text(200, body.to_string())
    }

    /// Adds a header.
    #[must_use]
    pub fn header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        if let Self::Response { headers, .. } = &mut self {
            headers.push((name, value.into()));
        }
        self
    }

    /// Makes the connection close after the body, before the response is complete.
    #[must_use]
    pub fn breaking(mut self) -> Self {
        if let Self::Response { broken, .. } = &mut self {
            *broken = true;
        }
        self
    }
}

/// A request as it was sent.
#[derive(Clone, Debug)]
pub struct SentRequest {
    /// When the request was sent, on tokio's clock.
    pub at: Instant,
    /// The method.
    pub method: Method,
    /// The URL.
    pub url: Url,
    /// The `Authorization` header.
    pub authorization: Option<String>,
    /// The names of all headers.
    pub headers: Vec<String>,
    /// The body.
    pub body: String,
}

/// Responds from a script. The last entry is the response to all later requests.
#[derive(Clone)]
pub struct Scripted(Arc<Mutex<State>>);

struct State {
    responses: VecDeque<ScriptedResponse>,
    seen: Vec<SentRequest>,
}

impl Scripted {
    /// Creates a transport with this script.
    pub fn new(responses: impl IntoIterator<Item = ScriptedResponse>) -> Self {
        Self(Arc::new(Mutex::new(State {
            responses: responses.into_iter().collect(),
            seen: Vec::new(),
        })))
    }

    /// Returns a builder of a client that uses this transport.
    pub fn builder(&self) -> ClientBuilder {
        Client::builder(KEY).transport(self.clone())
    }

    /// Returns a client that uses this transport.
    ///
    /// # Panics
    /// If the client cannot be built.
    pub fn client(&self) -> Client {
        self.builder().build().expect("a client")
    }

    /// Returns all requests that were sent so far.
    pub fn seen(&self) -> Vec<SentRequest> {
        self.state().seen.clone()
    }

    /// Returns the number of requests so far.
    pub fn count(&self) -> usize {
        self.state().seen.len()
    }

    /// Replaces the rest of the script, and removes all recorded requests.
    pub fn replace(&self, responses: impl IntoIterator<Item = ScriptedResponse>) {
        let mut state = self.state();
        state.responses = responses.into_iter().collect();
        state.seen.clear();
    }

    /// Adds responses to the end of the script.
    pub fn then(&self, responses: impl IntoIterator<Item = ScriptedResponse>) {
        self.state().responses.extend(responses);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().expect("no test panics under the lock")
    }

    fn next(&self, request: &Request<Body>) -> ScriptedResponse {
        let mut state = self.state();
        state.seen.push(seen(request));
        if state.responses.len() > 1 {
            state.responses.pop_front().expect("more than one")
        } else {
            state
                .responses
                .front()
                .cloned()
                .unwrap_or(ScriptedResponse::Refused)
        }
    }
}

pub(crate) fn seen(request: &Request<Body>) -> SentRequest {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let body = request.body().as_bytes();
    let key = request.headers().get("authorization");
    SentRequest {
        at: Instant::now(),
        method: request.method().clone(),
        url: Url::parse(&request.uri().to_string()).expect("an absolute URL"),
        authorization: key.map(|value| text(value.as_bytes())),
        headers: request.headers().keys().map(ToString::to_string).collect(),
        body: text(body.unwrap_or_default()),
    }
}

impl Transport for Scripted {
    fn send(&self, request: Request<Body>) -> SendFuture<'_> {
        let response = self.next(&request);
        Box::pin(async move {
            let error = |kind: ErrorKind| io::Error::from(kind);
            match response {
                ScriptedResponse::Refused => {
                    Err(SendError::never_sent(error(ErrorKind::ConnectionRefused)))
                }
                ScriptedResponse::Broken => {
                    Err(SendError::may_be_sent(error(ErrorKind::ConnectionReset)))
                }
                ScriptedResponse::Silence => std::future::pending().await,
                ScriptedResponse::Response {
                    status,
                    headers,
                    body,
                    broken,
                } => {
                    let mut builder = http::Response::builder().status(status);
                    for (name, value) in headers {
                        builder = builder.header(name, value);
                    }
                    let mut chunks = vec![Ok(body)];
                    if broken {
                        chunks.push(Err(error(ErrorKind::ConnectionReset)));
                    }
                    let body = Body::from_stream(stream::iter(chunks));
                    Ok(builder.body(body).expect("a response"))
                }
            }
        })
    }
}
