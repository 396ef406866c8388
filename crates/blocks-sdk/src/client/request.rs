//! Sends requests to endpoints of the service for which this crate has no function.

use std::fmt;

use blocks_api::hook;
use bytes::Bytes;
use http::Method;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::client::Client;
use crate::engine::call::{Admission, Api, Operation};
use crate::engine::error::Error;
use crate::engine::response::ResponseInfo;

impl Client {
    /// Creates a request to any path below `/rest/v1/`, for endpoints that this release does not support.
    ///
    /// Like every call, the request uses the key, the rate limiter and the retry policy of the client. A `GET` or
    /// `HEAD` is retried like a read. A request with any other method is sent again only when the request certainly had
    /// no effect.
    ///
    /// ```
    /// # mod doctest { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doctest.rs")); }
    /// # doctest::with_session(async |session, client, mock| {
    /// use blocks_sdk::{Value, http::Method};
    ///
    /// let path = format!("/rest/v1/sessions/{}/messages", session.id());
    /// let request = client.request(Method::GET, path).query("limit", 1);
    /// let page: Value = request.send().await?.json()?;
    /// assert_eq!(page["meta"]["limit"], 1);
    /// # Ok(()) });
    /// ```
    pub fn request(&self, method: Method, path: impl Into<String>) -> RawRequest {
        RawRequest {
            client: self.clone(),
            method,
            path: path.into(),
            query: Vec::new(),
            body: None,
        }
    }
}

/// Sends a request to any path; see [`Client::request`].
#[derive(Clone)]
#[must_use = "a request does nothing until it is sent"]
pub struct RawRequest {
    client: Client,
    method: Method,
    path: String,
    query: Vec<(String, String)>,
    body: Option<Result<Bytes, String>>,
}

impl RawRequest {
    /// Adds a query parameter. To send a list, add one parameter with the same name for each item.
    pub fn query(mut self, name: impl Into<String>, value: impl ToString) -> Self {
        self.query.push((name.into(), value.to_string()));
        self
    }

    /// Sets the body, as JSON.
    pub fn json(mut self, body: &impl Serialize) -> Self {
        let bytes = serde_json::to_vec(body).map(Bytes::from);
        self.body = Some(bytes.map_err(|error| error.to_string()));
        self
    }

    /// Sends the request.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidInput`](crate::ErrorKind::InvalidInput), before anything is sent, when the path is not below
    /// `/rest/v1/` or the body cannot be serialized. An error of another kind when the request fails.
    pub async fn send(self) -> Result<RawResponse, Error> {
        let core = &self.client.engine.core;
        if !self.path.starts_with("/rest/v1/") {
            return Err(Error::invalid_input(
                "the path of a request must start with /rest/v1/",
            ));
        }
        let mut url = core
            .resolve(&self.path)
            .map_err(|error| Error::invalid_input(error.to_string()))?;
        if !self.query.is_empty() {
            url.query_pairs_mut().extend_pairs(&self.query);
        }
        let body = self
            .body
            .transpose()
            .map_err(|error| Error::invalid_input(format!("cannot serialize the body: {error}")))?;
        let operation = operation(&self.method);
        let send = |api: Api| {
            let (method, url, body) = (self.method.clone(), url.clone(), body.clone());
            async move { hook::send(&api, operation.id, method, url, body).await }
        };
        let admission = Admission::Wait(operation.priority());
        let engine = &self.client.engine;
        // Errors contain this path. The query is omitted, because its values may be secret.
        let path = core.key.scrub(url.path().to_owned());
        let sent = engine.call(operation, admission, send).await;
        let (body, info) = sent.map_err(|error| error.with_path(path))?;
        Ok(RawResponse { info, body: *body })
    }
}

/// Returns the operation of a raw request with this HTTP method. Errors and tracing spans contain the id of the
/// operation. Methods other than `GET` and `HEAD` count as creates, which are not repeated after an unknown outcome.
fn operation(method: &Method) -> Operation {
    match method.as_str() {
        "GET" => Operation::reading("GET request"),
        "HEAD" => Operation::reading("HEAD request"),
        "POST" => Operation::creating("POST request"),
        "PUT" => Operation::creating("PUT request"),
        "PATCH" => Operation::creating("PATCH request"),
        "DELETE" => Operation::creating("DELETE request"),
        _ => Operation::creating("request"),
    }
}

impl fmt::Debug for RawRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The query is omitted, because its values may be secret.
        let path = self.path.split(['?', '#']).next().unwrap_or_default();
        let path = self.client.engine.core.key.scrub(path.to_owned());
        f.debug_struct("RawRequest")
            .field("method", &self.method)
            .field("path", &path)
            .finish_non_exhaustive()
    }
}

/// Contains the successful response to a [`RawRequest`].
#[derive(Clone)]
pub struct RawResponse {
    info: ResponseInfo,
    body: Bytes,
}

impl RawResponse {
    /// Returns the status and the headers.
    pub fn info(&self) -> &ResponseInfo {
        &self.info
    }

    /// Returns the body in UTF-8. In the body, invalid Unicode is replaced with U+FFFD, and the API key with
    /// `<redacted>`.
    pub fn body(&self) -> &Bytes {
        &self.body
    }

    /// Decodes the body as JSON.
    ///
    /// # Errors
    /// An error when the body is not valid JSON, or when the JSON cannot be decoded as `T`.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T, serde_json::Error> {
        serde_json::from_slice(&self.body)
    }
}

impl fmt::Debug for RawResponse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RawResponse")
            .field("info", &self.info)
            .field("length", &self.body.len())
            .finish_non_exhaustive()
    }
}
