//! The status and the headers of a successful response.

use std::fmt;

use http::{HeaderMap, HeaderValue};

use crate::engine::attempt::AttemptResult;
use crate::engine::failure::request_id;
use crate::engine::key::Key;

/// Contains the status and the headers of a successful response, for logs and support requests.
///
/// For an error response, use [`Error::status`](crate::Error::status) and
/// [`Error::request_id`](crate::Error::request_id).
///
/// ```
/// # mod doctest { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doctest.rs")); }
/// # doctest::with_session(async |session, client, mock| {
/// println!("request id: {:?}", session.response().request_id());
/// # assert!(session.response().headers().contains_key("content-type"));
/// # Ok(()) });
/// ```
#[derive(Clone, PartialEq)]
pub struct ResponseInfo {
    status: u16,
    headers: HeaderMap,
}

impl ResponseInfo {
    /// Takes the status and the headers from `result`, which contains a complete response. Redacts each header value
    /// that contains the API key.
    pub(crate) fn of(result: &mut AttemptResult, key: &Key) -> Self {
        let received = result.received.as_mut();
        let (status, mut headers) = received.map_or_else(Default::default, |received| {
            (received.status, std::mem::take(&mut received.headers))
        });
        for value in headers.values_mut() {
            if key.is_in(value.as_bytes()) {
                *value = HeaderValue::from_static("<redacted>");
            }
        }
        Self {
            status: status.as_u16(),
            headers,
        }
    }

    /// Returns the HTTP status.
    pub fn status(&self) -> u16 {
        self.status
    }

    /// Returns the headers.
    pub fn headers(&self) -> &HeaderMap {
        &self.headers
    }

    /// Returns the id that the service gave to the request, from a header such as `x-request-id`.
    pub fn request_id(&self) -> Option<&str> {
        request_id(&self.headers)
    }
}

/// Omits the headers, because there may be many, and because they may contain cookies.
impl fmt::Debug for ResponseInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResponseInfo")
            .field("status", &self.status)
            .field("request_id", &self.request_id())
            .finish_non_exhaustive()
    }
}
