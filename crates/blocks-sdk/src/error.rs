//! One error: what happened, to which operation, and whether it may have taken effect.

use std::fmt;

use blocks_api::Error as ApiError;
use serde_json::Value;
use uuid::Uuid;

/// What kind of failure an [`Error`] is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ErrorKind {
    /// Refused before anything was sent.
    InvalidInput,
    /// The service answered, not with success: see [`Error::status`].
    Status,
    /// No whole answer came.
    Connection,
    /// A success that cannot be decoded; [`Error::body`] has what was received.
    Undecodable,
    /// A deadline passed while the agent was still working.
    Deadline,
}

/// Any failure of this crate.
#[derive(Debug)]
pub struct Error {
    kind: ErrorKind,
    operation: Option<&'static str>,
    detail: String,
    status: Option<u16>,
    body: Option<String>,
    fate_unknown: bool,
    session_id: Option<Uuid>,
    source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

impl Error {
    fn new(kind: ErrorKind, detail: String) -> Self {
        Self {
            kind,
            detail,
            operation: None,
            status: None,
            body: None,
            fate_unknown: false,
            session_id: None,
            source: None,
        }
    }

    pub(crate) fn invalid_input(detail: impl Into<String>) -> Self {
        Self::new(ErrorKind::InvalidInput, detail.into())
    }

    pub(crate) fn deadline(session_id: Uuid, detail: String) -> Self {
        Self {
            session_id: Some(session_id),
            ..Self::new(ErrorKind::Deadline, detail)
        }
    }

    /// A follow-up that the service took but gave no thread to wait on.
    pub(crate) fn without_thread(session_id: Uuid, message: &blocks_api::types::Message) -> Self {
        Self {
            operation: Some("createMessage"),
            session_id: Some(session_id),
            body: serde_json::to_string(message).ok(),
            fate_unknown: true,
            ..Self::new(
                ErrorKind::Undecodable,
                "the answer has no link to a reply".into(),
            )
        }
    }

    /// Reads all of an answer into the error, so that nothing received is lost.
    pub(crate) async fn from_api(
        operation: &'static str,
        creates: bool,
        error: ApiError<()>,
    ) -> Self {
        let mut this = match error {
            ApiError::UnexpectedResponse(response) => {
                let status = response.status();
                let body = response.text().await.unwrap_or_default();
                let mut e = Self::new(ErrorKind::Status, format!("{status}: {}", reason(&body)));
                e.status = Some(status.as_u16());
                e.fate_unknown = status.is_server_error() || status.as_u16() == 408;
                e.with_body(body)
            }
            ApiError::InvalidResponsePayload(bytes, source) => {
                let mut e = Self::new(
                    ErrorKind::Undecodable,
                    format!("cannot decode the answer: {source}"),
                );
                e.fate_unknown = true;
                e.source = Some(Box::new(source));
                e.with_body(String::from_utf8_lossy(&bytes).into_owned())
            }
            ApiError::CommunicationError(source) | ApiError::ResponseBodyError(source) => {
                let mut e = Self::new(ErrorKind::Connection, "no whole answer came".into());
                e.fate_unknown = !source.is_connect() && !source.is_builder();
                e.source = Some(Box::new(source.without_url()));
                e
            }
            ApiError::InvalidRequest(detail) | ApiError::Custom(detail) => {
                Self::invalid_input(detail)
            }
            other => Self::new(ErrorKind::Connection, other.to_string()),
        };
        this.operation = Some(operation);
        this.fate_unknown &= creates;
        this
    }

    fn with_body(mut self, body: String) -> Self {
        let id = serde_json::from_str::<Value>(&body)
            .ok()
            .and_then(|v| v["id"].as_str()?.parse().ok());
        self.session_id = id;
        self.body = Some(body);
        self
    }

    /// What kind of failure this is.
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// The operation that failed, as the OpenAPI document names it.
    pub fn operation(&self) -> Option<&'static str> {
        self.operation
    }

    /// The HTTP status, for [`ErrorKind::Status`].
    pub fn status(&self) -> Option<u16> {
        self.status
    }

    /// The body that came, whole.
    pub fn body(&self) -> Option<&str> {
        self.body.as_deref()
    }

    /// Whether a create or follow-up may have been carried out although it failed.
    /// Look at the dashboard before you send it again: each session is billed.
    pub fn may_have_taken_effect(&self) -> bool {
        self.fate_unknown
    }

    /// The session concerned, where its id is known or stood in the answer.
    pub fn session_id(&self) -> Option<Uuid> {
        self.session_id
    }

    /// Whether trying a read again may help.
    pub(crate) fn is_transient(&self) -> bool {
        match self.kind {
            ErrorKind::Connection | ErrorKind::Undecodable => true,
            ErrorKind::Status => self.status.is_some_and(|s| matches!(s, 408 | 429 | 500..)),
            _ => false,
        }
    }
}

/// The best message in an error body: the live service and the documentation differ.
fn reason(body: &str) -> String {
    let parsed: Value = serde_json::from_str(body).unwrap_or_default();
    ["error", "message", "code"]
        .iter()
        .find_map(|field| parsed[*field].as_str())
        .map_or_else(|| body.chars().take(200).collect(), str::to_owned)
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(operation) = self.operation {
            write!(f, "{operation} failed: ")?;
        }
        f.write_str(&self.detail)?;
        if self.fate_unknown {
            f.write_str(
                "; it may have taken effect all the same, so look before you send it again",
            )?;
        }
        Ok(())
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.source.as_deref().map(|e| e as _)
    }
}
