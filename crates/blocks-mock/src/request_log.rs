//! What was received and what was answered.

use tokio::time::Instant;

use crate::fault::Operation;

/// A request that was received, whether or not it was answered well.
///
/// ```
/// # #[tokio::main(flavor = "current_thread", start_paused = true)]
/// # async fn main() -> Result<(), blocks_sdk::Error> {
/// # let mock = blocks_mock::Mock::new();
/// # let client = blocks_sdk::Client::builder(mock.key()).service(mock.service()).build()?;
/// # let request = blocks_sdk::CreateSession::new(blocks_sdk::Agent::claude(), "Go.");
/// # let session = client.create_session(request).await?;
/// use blocks_mock::Operation;
///
/// let create = &mock.requests()[0];
/// assert_eq!(create.operation, Some(Operation::CreateSession));
/// assert_eq!((create.method.as_str(), create.target.as_str()), ("POST", "/rest/v1/sessions"));
/// assert!(create.body.contains(r#""message":"Go.""#));
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct RecordedRequest {
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

impl RecordedRequest {
    /// The first value of a header, by its name in lower case.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)]
    /// # async fn main() -> Result<(), blocks_sdk::Error> {
    /// # let mock = blocks_mock::Mock::new();
    /// # let client = blocks_sdk::Client::builder(mock.key()).service(mock.service()).build()?;
    /// # let request = blocks_sdk::CreateSession::new(blocks_sdk::Agent::claude(), "Go.");
    /// # let session = client.create_session(request).await?;
    /// let create = &mock.requests()[0];
    /// assert_eq!(create.header("authorization"), Some("ApiKey test-key"));
    /// # Ok(())
    /// # }
    /// ```
    pub fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(n, _)| n == name);
        found.map(|(_, value)| value.as_str())
    }
}

/// How much the ledger keeps.
///
/// ```
/// # #[tokio::main(flavor = "current_thread", start_paused = true)]
/// # async fn main() -> Result<(), blocks_sdk::Error> {
/// use blocks_mock::{RequestLog, Mock, Operation};
///
/// let mock = Mock::builder().request_log(RequestLog::Counts).build();
/// # let client = blocks_sdk::Client::builder(mock.key()).service(mock.service()).build()?;
/// # let _ = client.get_session(uuid::Uuid::nil()).await;
/// assert_eq!(mock.count(Operation::GetSession), 1);
/// assert!(mock.requests()[0].headers.is_empty());
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RequestLog {
    /// Every request, with headers and body.
    #[default]
    Full,
    /// Operation, time and status of each: for loads that would fill the memory.
    Counts,
}
