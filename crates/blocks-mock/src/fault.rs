//! Describes faults, with which a test makes the mock fail: what fails, at which operation, and how often.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Names an operation of the service by its `operationId`, or a download.
///
/// ```
/// use blocks_mock::Operation;
///
/// let name = serde_json::to_string(&Operation::ListThreadMessages)?;
/// assert_eq!(name, r#""listThreadMessages""#);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub enum Operation {
    /// `POST /rest/v1/sessions`
    CreateSession,
    /// `GET /rest/v1/sessions/{session_id}`
    GetSession,
    /// `POST /rest/v1/sessions/{session_id}/messages`
    CreateMessage,
    /// `GET /rest/v1/sessions/{session_id}/messages`
    ListSessionMessages,
    /// `GET /rest/v1/sessions/{session_id}/threads/{thread_id}/messages`
    ListThreadMessages,
    /// `GET /rest/v1/sessions/{session_id}/artifacts/{artifact_id}`
    GetArtifact,
    /// `GET` of a presigned URL of the storage host.
    Download,
}

impl Operation {
    /// All operations.
    pub const ALL: [Self; 7] = [
        Self::CreateSession,
        Self::GetSession,
        Self::CreateMessage,
        Self::ListSessionMessages,
        Self::ListThreadMessages,
        Self::GetArtifact,
        Self::Download,
    ];
}

/// Sets a `Retry-After` header in either of its forms.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RetryAfter {
    /// Delta-seconds.
    Seconds(u64),
    /// An HTTP date that is this many seconds after the current time of the mock. The response then also has a `Date`
    /// header with this current time. So a client can compute the pause from the two headers, even if the client's
    /// clock is wrong.
    Date(u64),
}

/// Describes a fault of one request. If a fault prevents the operation from taking effect, the request does not count
/// towards the [`RateLimit`](crate::RateLimit).
///
/// ```
#[doc = include_str!("doctest.txt")]
/// use blocks_mock::{Fault, Frequency, Mock, Operation};
///
/// let fault = Fault::ResetInBody;
/// let mock = Mock::builder().fault(Operation::GetSession, Frequency::ONCE, fault).build();
/// # let (client, session) = create(&mock).await?;
/// client.get_session(session.id()).await?;
/// assert_eq!(mock.count(Operation::GetSession), 2, "the SDK has sent a read again");
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(
    rename_all = "snake_case",
    deny_unknown_fields,
    // Without this text, the error for `{"status": 503}` would name only a type of the mock.
    expecting = "a fault, as in {\"status\": {\"status\": 503}}, \
        {\"slow_body\": {\"bytes\": 10, \"every\": \"1s\"}} or {\"replace_field\": [\"title\", \"x\"]}"
)]
#[non_exhaustive]
pub enum Fault {
    /// A response with this status and body. `after_effect` selects whether the operation takes effect before the
    /// response.
    Status {
        /// Status, 200 to 599.
        #[serde(deserialize_with = "final_status")]
        #[schemars(range(min = 200, max = 599))]
        status: u16,
        /// Body.
        #[serde(default)]
        body: String,
        /// A `Retry-After` header.
        #[serde(default)]
        retry_after: Option<RetryAfter>,
        /// Whether the operation takes effect before the response.
        #[serde(default)]
        after_effect: bool,
    },
    /// A pause before the response. The operation takes effect before the pause, so it also takes effect if the client
    /// gives up during the pause.
    Delay(
        #[serde(with = "crate::duration")]
        #[schemars(with = "String")]
        Duration,
    ),
    /// A refused connection: an error in a client of the same process. If the mock listens on a port, the client is
    /// already connected. The mock then closes the connection without a response.
    Refuse,
    /// A closed connection without a response. The operation does not take effect.
    ResetBefore,
    /// A closed connection without a response, after the operation has taken effect.
    ResetAfter,
    /// A closed connection in the middle of the body.
    ResetInBody,
    /// Half of the body. The response ends without an error after this half.
    Truncate,
    /// A body that is not valid JSON.
    InvalidJson,
    /// A response with status 200 and an HTML page.
    Html,
    /// The response with another content type.
    ContentType(#[serde(deserialize_with = "header_value")] String),
    /// White space after the body, until the body has this many bytes. A script file and the control plane accept at
    /// most 256 MiB.
    PadBody(
        #[serde(deserialize_with = "body_size")]
        #[schemars(range(max = 268_435_456))]
        usize,
    ),
    /// A redirect to this URL.
    Redirect(#[serde(deserialize_with = "header_value")] String),
    /// The body in pieces, each after a pause.
    SlowBody {
        /// Largest size of a piece in bytes; 0 counts as 1.
        bytes: usize,
        /// Pause before each piece.
        #[serde(with = "crate::duration")]
        #[schemars(with = "String")]
        every: Duration,
    },
    /// The response with links to this origin.
    ForeignLinks(String),
    /// The response with null as the thread's id, as the link to the thread and as the link to the final message.
    NullLinks,
    /// The response without these fields. For a page, the fields are also removed from its items.
    MissingFields(Vec<String>),
    /// The response with this value in the named field. For a page, the field is also set in its items.
    ReplaceField(String, Value),
}

fn header_value<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    let text = String::deserialize(deserializer)?;
    match text.bytes().all(|byte| (b' '..=b'~').contains(&byte)) {
        true => Ok(text),
        false => Err(serde::de::Error::custom(format!(
            "invalid header value `{text}`: expected printable ASCII"
        ))),
    }
}

fn body_size<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<usize, D::Error> {
    const LARGEST: usize = 256 << 20;
    match usize::deserialize(deserializer)? {
        size @ ..=LARGEST => Ok(size),
        size => Err(serde::de::Error::custom(format!(
            "invalid size {size}: expected at most {LARGEST}"
        ))),
    }
}

fn probability<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
    let probability = f64::deserialize(deserializer)?;
    match probability {
        0.0..=1.0 => Ok(probability),
        _ => Err(serde::de::Error::custom(format!(
            "invalid probability {probability}: expected 0 to 1"
        ))),
    }
}

/// Reads a status from 200 to 599. A status below 200 is rejected, because a client would then wait for a further
/// response.
fn final_status<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<u16, D::Error> {
    let status = u16::deserialize(deserializer)?;
    match status {
        200..=599 => Ok(status),
        _ => Err(serde::de::Error::custom(format!(
            "invalid status {status}: expected 200 to 599"
        ))),
    }
}

impl Fault {
    /// Creates a fault that responds with this status. The operation does not take effect.
    ///
    /// # Panics
    /// The status is not from 200 to 599.
    pub fn status(status: u16) -> Self {
        Self::with_status(status, false)
    }

    /// Creates a fault that responds with this status after the operation has taken effect.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)]
    /// # async fn main() -> Result<(), blocks_sdk::Error> {
    /// use blocks_mock::{Fault, Frequency, Mock, Operation};
    /// use blocks_sdk::{Agent, Client, CreateSession};
    ///
    /// let fault = Fault::status_after_effect(503);
    /// let mock = Mock::builder().fault(Operation::CreateSession, Frequency::ONCE, fault).build();
    /// let client = Client::builder(mock.key()).service(mock.service()).build()?;
    /// let created = client.create_session(CreateSession::new(Agent::claude(), "Go.")).await;
    /// assert_eq!((created.unwrap_err().status(), mock.session_count()), (Some(503), 1));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Panics
    /// The status is not from 200 to 599.
    pub fn status_after_effect(status: u16) -> Self {
        Self::with_status(status, true)
    }

    fn with_status(status: u16, after_effect: bool) -> Self {
        assert!(
            (200..=599).contains(&status),
            "invalid status {status}: expected 200 to 599"
        );
        Self::Status {
            status,
            body: r#"{"error": "a fault of the mock"}"#.into(),
            retry_after: None,
            after_effect,
        }
    }

    /// Creates a fault that responds with 429, with or without `Retry-After`.
    pub fn rate_limited(retry_after: Option<RetryAfter>) -> Self {
        Self::Status {
            status: 429,
            body: r#"{"error": "Too many requests"}"#.into(),
            retry_after,
            after_effect: false,
        }
    }

    /// Returns whether this fault prevents the operation from taking effect.
    pub(crate) fn prevents(&self) -> bool {
        match self {
            Self::Status { after_effect, .. } => !after_effect,
            Self::Refuse | Self::ResetBefore | Self::Redirect(_) => true,
            _ => false,
        }
    }
}

/// Sets how often a fault is used.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Frequency {
    /// The fault is used for every request to which it applies.
    Always,
    /// The fault is used for the first requests to which it applies. The value is the number of these requests.
    Times(u64),
    /// The fault is used with this probability, from 0 to 1, for each request to which it applies. The mock's seed
    /// determines the random numbers.
    Probability(
        #[serde(deserialize_with = "probability")]
        #[schemars(range(min = 0.0, max = 1.0))]
        f64,
    ),
}

impl Frequency {
    /// The fault is used only for the next request to which it applies.
    pub const ONCE: Self = Self::Times(1);
}

/// Combines a fault with its operation and its frequency.
///
/// ```
/// use blocks_mock::{Fault, FaultRule, Frequency};
///
/// let rule: FaultRule = serde_json::from_str(r#"{"when": "always", "fault": {"delay": "250ms"}}"#)?;
/// assert_eq!((rule.operation, rule.when), (None, Frequency::Always));
/// assert_eq!(rule.fault, Fault::Delay(std::time::Duration::from_millis(250)));
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FaultRule {
    /// Operation to which the fault applies; `None` for all operations.
    #[serde(default)]
    pub operation: Option<Operation>,
    /// How often the fault is used.
    pub when: Frequency,
    /// Fault.
    pub fault: Fault,
}

/// Contains the faults, including those that were used as often as [`Frequency::Times`] allows. The first fault that
/// applies to a request is used.
#[derive(Debug, Default)]
pub(crate) struct Faults {
    /// The rules with their ids.
    pub rules: Vec<(u64, FaultRule)>,
    added: u64,
}

impl Faults {
    pub fn new(rules: Vec<FaultRule>) -> Self {
        let mut faults = Self::default();
        for rule in rules {
            faults.add(rule);
        }
        faults
    }

    pub fn add(&mut self, rule: FaultRule) -> u64 {
        self.added += 1;
        self.rules.push((self.added, rule));
        self.added
    }

    pub fn remove(&mut self, id: u64) -> bool {
        let before = self.rules.len();
        self.rules.retain(|(other, _)| *other != id);
        self.rules.len() < before
    }

    pub fn next(&mut self, operation: Operation, random: impl Fn() -> f64) -> Option<Fault> {
        let rule = self.rules.iter_mut().find(|(_, rule)| {
            let here = rule.operation.is_none_or(|at| at == operation);
            here && match rule.when {
                Frequency::Always => true,
                Frequency::Times(left) => left > 0,
                Frequency::Probability(p) => random() < p,
            }
        })?;
        if let Frequency::Times(left) = &mut rule.1.when {
            *left -= 1;
        }
        Some(rule.1.fault.clone())
    }
}
