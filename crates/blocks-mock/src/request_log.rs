//! Keeps the newest requests and the status of their responses, and counts all requests.

use std::collections::{HashMap, VecDeque};

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
#[derive(Clone, Debug)]
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
    /// Status of the response. The status is `None` before the mock responds. The status stays `None` if the mock or
    /// the client closes the connection before a response.
    pub status: Option<u16>,
}

impl RecordedRequest {
    /// Returns the first value of the header `name`. The name must be in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(n, _)| n == name);
        found.map(|(_, value)| value.as_str())
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

/// Contains the newest requests, and the number of requests of each operation. All requests are numbered from 0 in the
/// order of arrival.
#[derive(Debug, Default)]
pub(crate) struct Requests {
    kept: VecDeque<RecordedRequest>,
    /// Number of older requests that are no longer kept.
    pub dropped: usize,
    pub responses: usize,
    counts: HashMap<Option<Operation>, usize>,
}

impl Requests {
    /// Adds a request, and drops the oldest requests if more than `size` are kept. Returns the number of the new
    /// request.
    pub fn add(&mut self, request: RecordedRequest, size: usize) -> usize {
        *self.counts.entry(request.operation).or_default() += 1;
        self.kept.push_back(request);
        let number = self.total() - 1;
        self.shrink(size);
        number
    }

    /// Drops the oldest requests if more than `size` are kept.
    pub fn shrink(&mut self, size: usize) {
        let surplus = self.kept.len().saturating_sub(size);
        self.kept.drain(..surplus);
        self.dropped += surplus;
    }

    /// Records the status of a request's response, unless the request was dropped meanwhile.
    pub fn set_status(&mut self, number: usize, status: u16) {
        self.responses += 1;
        let place = number.checked_sub(self.dropped);
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
