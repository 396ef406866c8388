//! Makes one attempt of a call: sends the request and reads the response. A time-out drops the future of the attempt.
//! The received bytes are stored outside of this future, so that the error can contain the bytes.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use chrono::Utc;
use http::header::{CONNECTION, CONTENT_LENGTH, HeaderMap, TRANSFER_ENCODING};
use http::{Response, StatusCode, Version};

use crate::engine::body::BoxError;
use crate::engine::key::Key;
use crate::engine::received::charset;
use crate::engine::repair::repair;
use crate::engine::retry::Outcome;
use crate::engine::retry_after::retry_after;
use crate::engine::transport::{SendError, SendFuture};

/// The reason why an attempt ended without a complete response.
pub(crate) enum NoResponse {
    Send(SendError),
    Body(BoxError),
    /// The JSON ends too early, and no header gives the length of the body. The connection may have been cut: without a
    /// length, the client cannot distinguish a cut connection from the end of the body.
    CutShort,
    /// The attempt took longer than this time-out.
    Timeout(Duration),
}

/// The received part of a response.
#[derive(Default)]
pub(crate) struct Received {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub too_large: bool,
    version: Version,
    first: Option<Bytes>,
    rest: BytesMut,
}

impl Received {
    fn push(&mut self, chunk: Bytes, limit: usize) {
        let length = self.rest.len() + self.first.as_ref().map_or(0, Bytes::len);
        let room = limit.saturating_sub(length);
        self.too_large = chunk.len() > room;
        let chunk = chunk.slice(..chunk.len().min(room));
        // Most bodies arrive in one piece. That piece is kept without a copy.
        if self.first.is_none() && self.rest.is_empty() {
            self.first = Some(chunk);
            return;
        }
        if let Some(first) = self.first.take() {
            self.rest.extend_from_slice(&first);
        }
        self.rest.extend_from_slice(&chunk);
    }

    /// Converts a 2xx response into the type that the generated client decodes. Returns `None` for other statuses,
    /// because the generated client decodes only 2xx responses. The result has no headers, because the generated client
    /// does not read headers.
    fn response(&mut self, key: &Key) -> Option<Response<Bytes>> {
        if !self.status.is_success() {
            return None;
        }
        // A server may repeat the API key in a response, for example in an id. The client writes ids into paths and
        // logs, so the key is replaced here.
        let body = key.scrub_bytes(repair(self.body(), || charset(&self.headers)));
        let mut response = Response::new(body);
        *response.status_mut() = self.status;
        Some(response)
    }

    /// Returns whether version and headers show that only the end of the connection marks the end of the body. For
    /// HTTP/1.1, this function requires the header `Connection: close`, although a response without this header can
    /// also end with the connection.
    fn ends_with_connection(&self) -> bool {
        let headers = &self.headers;
        let has_length =
            headers.contains_key(CONTENT_LENGTH) || headers.contains_key(TRANSFER_ENCODING);
        let closes = headers
            .get_all(CONNECTION)
            .iter()
            .filter_map(|value| value.to_str().ok())
            .flat_map(|value| value.split(','))
            .any(|option| option.trim().eq_ignore_ascii_case("close"));
        !has_length && (closes || self.version == Version::HTTP_10)
    }

    /// Returns the received part of the body.
    pub fn body(&mut self) -> Bytes {
        let rest = &mut self.rest;
        let body = self.first.get_or_insert_with(|| rest.split().freeze());
        body.clone()
    }
}

/// The result of an attempt.
#[derive(Default)]
pub(crate) struct AttemptResult {
    pub received: Option<Received>,
    pub no_response: Option<NoResponse>,
}

impl AttemptResult {
    pub fn outcome(&self) -> Outcome {
        match (&self.no_response, &self.received) {
            (None, Some(r)) => Outcome::Status(r.status.as_u16()),
            // An error status decides the outcome, even if the body of the response was cut off.
            (Some(_), Some(r)) if !r.status.is_success() => Outcome::Status(r.status.as_u16()),
            (Some(NoResponse::Send(error)), _) if error.is_never_sent() => Outcome::NotSent,
            _ => Outcome::Broken,
        }
    }

    /// Returns the pause that an error response asks for with `Retry-After`.
    pub fn asked(&self) -> Option<Duration> {
        let refusal = self.received.as_ref().filter(|r| !r.status.is_success())?;
        retry_after(&refusal.headers, Utc::now())
    }
}

/// An attempt in progress.
#[derive(Default)]
pub(crate) struct Attempt(Mutex<AttemptResult>);

impl Attempt {
    fn state(&self) -> MutexGuard<'_, AttemptResult> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns the result of the attempt, and leaves an empty result for the next attempt.
    pub fn take(&self) -> AttemptResult {
        std::mem::take(&mut self.state())
    }

    /// Records that the attempt ended without a complete response.
    pub fn fail(&self, cause: NoResponse) {
        self.state().no_response = Some(cause);
    }

    /// Handles a response whose JSON ends too early. If only the end of the connection marks the end of the body, the
    /// connection may have been cut, and the rest of the body may be missing. Then this function records
    /// [`NoResponse::CutShort`].
    pub fn end_early(&self) {
        let mut state = self.state();
        let received = state.received.as_ref();
        if received.is_some_and(Received::ends_with_connection) {
            state.no_response = Some(NoResponse::CutShort);
        }
    }

    /// Waits for the response, reads the body, and keeps at most `limit` bytes of the body. Returns the response if the
    /// response is complete and has a 2xx status.
    pub async fn receive(
        &self,
        sending: SendFuture<'_>,
        limit: usize,
        key: &Key,
    ) -> Option<Response<Bytes>> {
        let (head, mut body) = match sending.await {
            Ok(response) => response.into_parts(),
            Err(error) => {
                self.fail(NoResponse::Send(error));
                return None;
            }
        };
        self.state().received = Some(Received {
            status: head.status,
            headers: head.headers,
            version: head.version,
            ..Received::default()
        });
        loop {
            let chunk = body.chunk().await;
            let mut state = self.state();
            let received = state.received.as_mut()?;
            match chunk {
                Ok(Some(chunk)) => received.push(chunk, limit),
                Ok(None) => return received.response(key),
                Err(error) => {
                    state.no_response = Some(NoResponse::Body(error));
                    return None;
                }
            }
            if received.too_large {
                return None;
            }
        }
    }
}
