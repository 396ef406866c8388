//! What goes wrong: which fault, at which operation, how often.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// One of the six operations, as the OpenAPI document names them, or a download.
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
    /// The storage host's answer to a presigned URL.
    Download,
}

impl Operation {
    /// All of them.
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

/// `Retry-After`, in either of its forms.
///
/// ```
/// # #[tokio::main(flavor = "current_thread", start_paused = true)]
/// # async fn main() -> Result<(), blocks_sdk::Error> {
/// use blocks_mock::{Fault, Frequency, Operation, RetryAfter};
///
/// # let mock = blocks_mock::Mock::new();
/// # let client = blocks_sdk::Client::builder(mock.key()).service(mock.service()).build()?;
/// let wait = Fault::rate_limited(Some(RetryAfter::Seconds(7)));
/// mock.inject(Operation::GetSession, Frequency::ONCE, wait);
/// # let begin = tokio::time::Instant::now();
/// let read = client.get_session(uuid::Uuid::nil()).await;
/// assert!(read.unwrap_err().is_not_found(), "the first answer was a 429, the second this");
/// # assert_eq!(begin.elapsed().as_secs(), 7);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RetryAfter {
    /// Delta-seconds.
    Seconds(u64),
    /// An HTTP date so many seconds from now; a `Date` header goes with it.
    Date(u64),
}

/// What goes wrong with a request.
///
/// ```
/// # #[tokio::main(flavor = "current_thread", start_paused = true)]
/// # async fn main() -> Result<(), blocks_sdk::Error> {
/// use blocks_mock::{Fault, Frequency, Mock};
///
/// let mock = Mock::builder().fault(None, Frequency::ONCE, Fault::ResetInBody).build();
/// # let client = blocks_sdk::Client::builder(mock.key()).service(mock.service()).build()?;
/// # let request = blocks_sdk::CreateSession::new(blocks_sdk::Agent::claude(), "Go.");
/// assert!(client.create_session(request).await.is_err());
/// assert_eq!(mock.session_count(), 1, "the break came after the effect");
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
#[non_exhaustive]
pub enum Fault {
    /// Another status and body; the operation has no effect, or has it before (`after_effect`).
    Status {
        /// The status, 200 to 599.
        #[serde(deserialize_with = "final_status")]
        #[schemars(range(min = 200, max = 599))]
        status: u16,
        /// The body.
        #[serde(default)]
        body: String,
        /// A `Retry-After` header.
        #[serde(default)]
        retry_after: Option<RetryAfter>,
        /// The operation takes effect all the same.
        #[serde(default)]
        after_effect: bool,
    },
    /// The answer comes later.
    Delay(
        #[serde(with = "crate::duration")]
        #[schemars(with = "String")]
        Duration,
    ),
    /// No connection. Over a socket, where one was made already, it is closed without an answer.
    Refuse,
    /// The connection breaks before the operation has an effect.
    ResetBefore,
    /// The connection breaks after the effect, without an answer.
    ResetAfter,
    /// The connection breaks in the middle of the answer.
    ResetInBody,
    /// The answer ends in the middle, as if it were whole.
    Truncate,
    /// The answer's bytes are no JSON.
    InvalidJson,
    /// A success whose body is an HTML page.
    Html,
    /// Another content type.
    ContentType(#[serde(deserialize_with = "header_value")] String),
    /// White space after the body, up to this many bytes in all; at most 256 MiB.
    PadBody(
        #[serde(deserialize_with = "body_size")]
        #[schemars(range(max = 268_435_456))]
        usize,
    ),
    /// A redirect to this URL.
    Redirect(#[serde(deserialize_with = "header_value")] String),
    /// The answer comes in pieces of this many bytes, with this pause before each.
    SlowBody {
        /// Bytes in a piece.
        bytes: usize,
        /// The pause.
        #[serde(with = "crate::duration")]
        #[schemars(with = "String")]
        every: Duration,
    },
    /// Links name this origin.
    ForeignLinks(String),
    /// Links to the thread and the final message are null, and so is the thread's id.
    NullLinks,
    /// Fields of the answer, and of its items, are missing.
    MissingFields(Vec<String>),
    /// A field of the answer, and of its items, has this value: unknown, or of another type.
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

/// A status that a response can end with.
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
    /// A status without effect, and with an error body.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)]
    /// # async fn main() -> Result<(), blocks_sdk::Error> {
    /// # let mock = blocks_mock::Mock::new();
    /// # let client = blocks_sdk::Client::builder(mock.key()).service(mock.service()).build()?;
    /// # let request = blocks_sdk::CreateSession::new(blocks_sdk::Agent::claude(), "Go.");
    /// # let session = client.create_session(request).await?;
    /// use blocks_mock::{Fault, Frequency, Operation};
    ///
    /// mock.inject(Operation::GetSession, Frequency::Times(2), Fault::status(503));
    /// client.get_session(session.id()).await?;
    /// assert_eq!(mock.count(Operation::GetSession), 3, "a read is tried again");
    /// # Ok(())
    /// # }
    /// ```
    pub fn status(status: u16) -> Self {
        Self::Status {
            status,
            body: r#"{"error": "a fault of the mock"}"#.into(),
            retry_after: None,
            after_effect: false,
        }
    }

    /// A status after the effect: the worst a client can meet.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)]
    /// # async fn main() -> Result<(), blocks_sdk::Error> {
    /// use blocks_mock::{Fault, Frequency, Mock, Operation};
    ///
    /// let fault = Fault::status_after_effect(503);
    /// let mock = Mock::builder().fault(Operation::CreateSession, Frequency::ONCE, fault).build();
    /// # let client = blocks_sdk::Client::builder(mock.key()).service(mock.service()).build()?;
    /// # let request = blocks_sdk::CreateSession::new(blocks_sdk::Agent::claude(), "Go.");
    /// let error = client.create_session(request).await.unwrap_err();
    /// assert_eq!((error.status(), mock.session_count()), (Some(503), 1));
    /// # Ok(())
    /// # }
    /// ```
    pub fn status_after_effect(status: u16) -> Self {
        Self::Status {
            status,
            body: r#"{"error": "a fault of the mock"}"#.into(),
            retry_after: None,
            after_effect: true,
        }
    }

    /// A 429 that asks to wait.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)]
    /// # async fn main() -> Result<(), blocks_sdk::Error> {
    /// use blocks_mock::{Fault, Frequency, Mock};
    ///
    /// let mock = Mock::builder().fault(None, Frequency::ONCE, Fault::rate_limited(None)).build();
    /// # let client = blocks_sdk::Client::builder(mock.key()).service(mock.service()).build()?;
    /// # let request = blocks_sdk::CreateSession::new(blocks_sdk::Agent::claude(), "Go.");
    /// client.create_session(request).await?;
    /// let answers: Vec<_> = mock.requests().iter().map(|request| request.status).collect();
    /// assert_eq!(answers, [Some(429), Some(200)]);
    /// # Ok(())
    /// # }
    /// ```
    pub fn rate_limited(retry_after: Option<RetryAfter>) -> Self {
        Self::Status {
            status: 429,
            body: r#"{"error": "Too many requests"}"#.into(),
            retry_after,
            after_effect: false,
        }
    }

    /// Whether the operation is not carried out.
    pub(crate) fn prevents(&self) -> bool {
        match self {
            Self::Status { after_effect, .. } => !after_effect,
            Self::Refuse | Self::ResetBefore | Self::Redirect(_) => true,
            _ => false,
        }
    }
}

/// How often a fault happens.
///
/// ```
/// use blocks_mock::{Fault, Frequency, Mock, Operation};
///
/// let mock = Mock::builder()
///     .fault(Operation::CreateSession, Frequency::ONCE, Fault::Refuse)
///     .fault(None, Frequency::Probability(0.1), Fault::status(500))
///     .seed(7)
///     .build();
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Frequency {
    /// Every time.
    Always,
    /// The next so many times.
    Times(u64),
    /// Each time with this probability, 0 to 1, from the mock's seed.
    Probability(
        #[serde(deserialize_with = "probability")]
        #[schemars(range(min = 0.0, max = 1.0))]
        f64,
    ),
}

impl Frequency {
    /// The next time.
    pub const ONCE: Self = Self::Times(1);
}

/// A fault with its place and frequency.
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
    /// At which operation; `None` is at any.
    #[serde(default)]
    pub operation: Option<Operation>,
    /// How often.
    pub when: Frequency,
    /// What.
    pub fault: Fault,
}

/// The rules in force. The first that applies is carried out.
#[derive(Debug, Default)]
pub(crate) struct Faults {
    /// Each with its id.
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
