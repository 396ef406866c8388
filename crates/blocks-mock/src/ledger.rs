//! What was received and what was answered.

use tokio::time::Instant;

use crate::fault::Operation;

/// A request that was received, whether or not it was answered well.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Received {
    /// When, on tokio's clock.
    pub at: Instant,
    /// Which operation; `None` for a path that is none.
    pub operation: Option<Operation>,
    /// The method.
    pub method: String,
    /// Path and query.
    pub target: String,
    /// Headers in the order of arrival, their names in lower case.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: String,
    /// The status answered; `None` when the connection broke before one was.
    pub status: Option<u16>,
}

impl Received {
    /// A header's value.
    pub fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(n, _)| n == name);
        found.map(|(_, value)| value.as_str())
    }
}

/// How much the ledger keeps.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LedgerMode {
    /// Every request, with headers and body.
    #[default]
    Full,
    /// Operation, time and status of each: for loads that would fill the memory.
    Counts,
}
