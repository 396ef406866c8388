//! Keeps the newest requests and the status of their responses, and counts all requests.

use std::collections::{HashMap, VecDeque};
use std::fmt;

use tokio::time::Instant;

use crate::fault::Operation;

/// Contains a received request, and the status of its response.
///
/// ```
#[doc = include_str!("doctest.txt")]
/// # let mock = blocks_mock::Mock::new();
/// # create(&mock).await?;
/// let create = &mock.requests()[0];
/// assert_eq!((create.method.as_str(), create.target.as_str()), ("POST", "/rest/v1/sessions"));
/// assert_eq!(create.header("authorization"), Some("ApiKey test-key"));
/// assert!(create.body.contains(r#""message":"Go.""#));
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
#[non_exhaustive]
pub struct RecordedRequest {
    /// Time of arrival, on the mock's clock.
    pub at: Instant,
    /// Operation that the method and the path select; `None` if the service has no such operation.
    pub operation: Option<Operation>,
    /// HTTP method.
    pub method: String,
    /// Path and query; empty with [`RequestLog::Counts`], like the headers and the body.
    pub target: String,
    /// Headers, with their names in lower case. Headers with the same name are next to each other, in the order of
    /// arrival.
    pub headers: Vec<(String, String)>,
    /// Request body; bytes that are not UTF-8 are replaced.
    pub body: String,
    /// Status of the response. The status is `None` before the mock responds. The status stays `None` if the mock
    /// closes the connection without a response, or if a client in this process drops the request before the response.
    /// On a port, the mock also responds to a client that has given up, because it cannot know whether the client still
    /// reads.
    pub status: Option<u16>,
}

impl RecordedRequest {
    /// Returns the first value of the header `name`. The name must be in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(n, _)| n == name);
        found.map(|(_, value)| value.as_str())
    }
}

/// Implements the trait by hand, because a client may have sent a real key by mistake.
impl fmt::Debug for RecordedRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let headers = self.headers.iter().map(|(name, value)| {
            let is_key = name == "authorization";
            (name, if is_key { "<redacted>" } else { value })
        });
        f.debug_struct("RecordedRequest")
            .field("at", &self.at)
            .field("operation", &self.operation)
            .field("method", &self.method)
            .field("target", &self.target)
            .field("headers", &headers.collect::<Vec<_>>())
            .field("body", &self.body)
            .field("status", &self.status)
            .finish()
    }
}

/// Selects how much of each request the log keeps.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RequestLog {
    /// Keeps everything, including path, headers and body.
    #[default]
    Full,
    /// Keeps only operation, method, time and status, to save memory under load.
    Counts,
}

/// Identifies a request in the log. Requests before and after a reset can have the same number.
#[derive(Clone, Copy)]
pub(crate) struct Logged {
    resets: usize,
    number: usize,
}

/// Contains the newest requests, and the number of requests of each operation. All requests are numbered from 0 in the
/// order of arrival.
#[derive(Debug, Default)]
pub(crate) struct Requests {
    kept: VecDeque<RecordedRequest>,
    /// Number of older requests that are no longer kept.
    pub dropped: usize,
    counts: HashMap<Option<Operation>, usize>,
    /// Number of resets before these requests.
    resets: usize,
}

impl Requests {
    /// Creates the empty log after a reset of the mock.
    pub fn after_reset(&self) -> Self {
        Self {
            resets: self.resets + 1,
            ..Self::default()
        }
    }

    /// Adds a request, and drops the oldest requests if more than `size` are kept.
    pub fn add(&mut self, request: RecordedRequest, size: usize) -> Logged {
        *self.counts.entry(request.operation).or_default() += 1;
        self.kept.push_back(request);
        let added = Logged {
            resets: self.resets,
            number: self.total() - 1,
        };
        self.shrink(size);
        added
    }

    /// Drops the oldest requests if more than `size` are kept.
    pub fn shrink(&mut self, size: usize) {
        let surplus = self.kept.len().saturating_sub(size);
        self.kept.drain(..surplus);
        self.dropped += surplus;
    }

    /// Records the status of a request's response, unless the request was dropped or the mock was reset meanwhile.
    pub fn set_status(&mut self, request: Logged, status: u16) {
        if request.resets != self.resets {
            return;
        }
        let place = request.number.checked_sub(self.dropped);
        if let Some(request) = place.and_then(|place| self.kept.get_mut(place)) {
            request.status = Some(status);
        }
    }

    /// Returns the requests that are kept, oldest first, with their numbers.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = (usize, &RecordedRequest)> {
        let first = self.dropped;
        let numbered = self.kept.iter().enumerate();
        numbered.map(move |(place, request)| (first + place, request))
    }

    pub fn count(&self, operation: Operation) -> usize {
        let count = self.counts.get(&Some(operation));
        count.copied().unwrap_or_default()
    }

    pub fn total(&self) -> usize {
        self.dropped + self.kept.len()
    }
}
