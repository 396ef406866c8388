//! What goes wrong: which fault, at which operation, how often.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// One of the six operations, as the OpenAPI document names them, or a download.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
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
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RetryAfter {
    /// Delta-seconds.
    Seconds(u64),
    /// An HTTP date so many seconds from now; a `Date` header goes with it.
    Date(u64),
}

/// What goes wrong with a request.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Fault {
    /// Another status and body; the operation has no effect, or has it before (`after_effect`).
    Status {
        /// The status.
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
    Delay(#[serde(with = "crate::duration")] Duration),
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
    ContentType(String),
    /// White space after the answer, up to this many bytes in all.
    Size(usize),
    /// A redirect to this address.
    Redirect(String),
    /// The answer comes in pieces of this many bytes, with this pause before each.
    Drip {
        /// Bytes in a piece.
        bytes: usize,
        /// The pause.
        #[serde(with = "crate::duration")]
        every: Duration,
    },
    /// Links name this origin.
    ForeignLinks(String),
    /// Links to the thread and the final message are null, and so is the thread's id.
    NullLinks,
    /// Fields of the answer, and of its items, are missing.
    Missing(Vec<String>),
    /// A field of the answer, and of its items, has this value: unknown, or of another type.
    Field(String, Value),
}

impl Fault {
    /// A status without effect, and with an error body.
    pub fn status(status: u16) -> Self {
        Self::Status {
            status,
            body: r#"{"error": "a fault of the mock"}"#.into(),
            retry_after: None,
            after_effect: false,
        }
    }

    /// A status after the effect: the worst a client can meet.
    pub fn status_after_effect(status: u16) -> Self {
        Self::Status {
            status,
            body: r#"{"error": "a fault of the mock"}"#.into(),
            retry_after: None,
            after_effect: true,
        }
    }

    /// A 429 that asks to wait.
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
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum When {
    /// Every time.
    Always,
    /// The next so many times.
    Times(u64),
    /// Each time with this probability, from the mock's seed.
    Probability(f64),
}

impl When {
    /// The next time.
    pub const ONCE: Self = Self::Times(1);
}

/// A fault with its place and frequency.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FaultRule {
    /// At which operation; `None` is at any.
    #[serde(default)]
    pub operation: Option<Operation>,
    /// How often.
    pub when: When,
    /// What.
    pub fault: Fault,
}

/// The rules in force. The first that applies is carried out.
#[derive(Debug, Default)]
pub(crate) struct Faults(pub Vec<FaultRule>);

impl Faults {
    pub fn next(&mut self, operation: Operation, random: impl Fn() -> f64) -> Option<Fault> {
        let rule = self.0.iter_mut().find(|rule| {
            let here = rule.operation.is_none_or(|at| at == operation);
            here && match rule.when {
                When::Always => true,
                When::Times(left) => left > 0,
                When::Probability(p) => random() < p,
            }
        })?;
        if let When::Times(left) = &mut rule.when {
            *left -= 1;
        }
        Some(rule.fault.clone())
    }
}
