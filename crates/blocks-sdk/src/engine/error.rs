//! The error type of this crate. An error says what failed, in which operation, and whether the operation may have
//! taken effect. The error also contains the status, the request id, the body and the session's id, as far as they were
//! received.

use std::borrow::Cow;
use std::error::Error as StdError;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use blocks_api::open::{Id, InvalidId};
use bytes::Bytes;

use crate::engine::key::Key;
use crate::engine::mismatch::ReplyMismatch;
use crate::engine::pending::Pending;
use crate::engine::received::{self, excerpt, find_id, parse, sentence, without_queries};
use crate::engine::repair::text;

/// Names the kind of failure of an [`Error`].
///
/// ```
/// # mod doctest { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doctest.rs")); }
/// # doctest::with_client(async |client, mock| {
/// use blocks_sdk::ErrorKind;
///
/// let error = client.get_session(uuid::Uuid::nil()).await.unwrap_err();
/// assert_eq!((error.kind(), error.status()), (ErrorKind::Status, Some(404)));
/// # Ok(()) });
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The input was invalid; nothing was sent.
    InvalidInput,
    /// The response had an error status or was a redirect: see [`Error::status`]. If the service responds with 429, the
    /// kind is `RateLimited`.
    Status,
    /// The connection failed before a complete response arrived, or the runtime was shut down before.
    Connection,
    /// An attempt took longer than its time-out, or the call got its first permit after the time-out of the call.
    Timeout,
    /// A successful response cannot be decoded, or a necessary part of the response is missing. [`Error::body`] returns
    /// the received body, except after a download.
    Undecodable,
    /// A response or file is larger than [`ClientBuilder::max_body`](crate::ClientBuilder::max_body). A repeated
    /// request would have the same result.
    TooLarge,
    /// The client did not follow a link, or did not download an artifact. An artifact is a file or plan that an agent
    /// created. The URL is invalid, or its scheme or path is not allowed.
    UntrustedLink,
    /// The client cannot be set up, for example because of the key, the base URL, a proxy variable or TLS.
    Configuration,
    /// Messages of a list may be missing. For example, the pages contain fewer messages than the total that the service
    /// reported. Another example: the last messages that the client read were deleted before the client read the next
    /// page, so that the client cannot find the message at which to continue.
    Incomplete,
    /// The time-out of a wait passed before there was a reply: see [`Error::pending`].
    Deadline,
    /// A follow-up interrupted the turn for which the client waited.
    Interrupted,
    /// The client cannot identify the turn to wait for. For example, the session exists, but no response contained the
    /// id of the thread that holds the messages of the turn. The client needs this id to request the reply. Another
    /// example: the times of the messages do not show which turn is the newest.
    UnknownTurn,
    /// The last attempt got a 429, or the rate limiter granted no permit within the call's time-out. See
    /// [`Error::retry_after`]. A create has no effect if it fails with this kind of error.
    RateLimited,
    /// A file could not be written.
    File,
    /// The reply does not contain the expected JSON: see [`Error::reply_mismatch`].
    ReplyMismatch,
}

/// Describes a failure of this crate.
///
/// [`Display`](fmt::Display) writes one line for a person. Programs should use the methods instead.
///
/// ```
/// use blocks_sdk::{Agent, ErrorKind};
///
/// let error = Agent::from_fields(None, Some("cluade"), None).unwrap_err();
/// assert_eq!(error.kind(), ErrorKind::InvalidInput);
/// assert!(error.to_string().contains("did you mean claude?"));
/// ```
#[derive(Clone)]
pub struct Error(Box<Inner>);

#[derive(Clone)]
struct Inner {
    kind: ErrorKind,
    operation: Option<&'static str>,
    /// The path of a [raw request](crate::RawRequest), because `operation` names only the method of a raw request.
    path: Option<String>,
    host: Option<String>,
    detail: String,
    status: Option<u16>,
    code: Option<String>,
    message: Option<String>,
    request_id: Option<String>,
    retry_after: Option<Duration>,
    body: Option<Bytes>,
    attempts: u32,
    outcome_unknown: bool,
    session_id: Option<Id>,
    pending: Option<Pending>,
    mismatch: Option<Arc<ReplyMismatch>>,
    source: Option<Arc<dyn StdError + Send + Sync>>,
}

/// The data of one call, from which the error of the call is built.
#[derive(Default)]
pub(crate) struct CallContext {
    pub operation: &'static str,
    pub attempts: u32,
    pub status: Option<u16>,
    pub request_id: Option<String>,
    pub retry_after: Option<Duration>,
    pub body: Option<Bytes>,
    /// The content encoding of the body, if the body is compressed although the client never asks for compression.
    pub compression: Option<String>,
    pub outcome_unknown: bool,
    pub host: Option<String>,
}

/// The result of the last poll of a wait.
#[derive(Debug, Default)]
pub(crate) enum LastPoll {
    /// No poll was made.
    #[default]
    None,
    /// The poll returned a page without a reply.
    NoReply { status: u16, body: Bytes },
    /// The poll failed with an error that did not end the wait.
    Failed(Error),
}

impl Error {
    fn new(kind: ErrorKind, detail: String) -> Self {
        Self(Box::new(Inner {
            kind,
            operation: None,
            path: None,
            host: None,
            detail: sentence(&detail),
            status: None,
            code: None,
            message: None,
            request_id: None,
            retry_after: None,
            body: None,
            attempts: 0,
            outcome_unknown: false,
            session_id: None,
            pending: None,
            mismatch: None,
            source: None,
        }))
    }

    pub(crate) fn invalid_input(detail: impl Into<String>) -> Self {
        Self::new(ErrorKind::InvalidInput, detail.into())
    }

    pub(crate) fn untrusted_link(detail: impl Into<String>) -> Self {
        Self::new(ErrorKind::UntrustedLink, detail.into())
    }

    pub(crate) fn configuration(detail: impl Into<String>) -> Self {
        Self::new(ErrorKind::Configuration, detail.into())
    }

    pub(crate) fn unknown_turn(detail: impl Into<String>) -> Self {
        Self::new(ErrorKind::UnknownTurn, detail.into())
    }

    /// Creates the error of a call. The error contains the status, the request id and the body, as far as they were
    /// received. The API key is removed from them.
    pub(crate) fn of_call(
        kind: ErrorKind,
        detail: String,
        context: CallContext,
        key: &Key,
    ) -> Self {
        let body = context.body.map(|body| key.scrub_bytes(body));
        let parsed = body.as_deref().map(parse).unwrap_or_default();
        // The JSON parser removes escapes, so the key is also removed from the parsed texts. Then no text contains the
        // key, even if it had escapes that `scrub_bytes` does not know.
        let scrub = |text: String| key.scrub(text);
        let message = received::message(&parsed, context.status).map(scrub);
        let code = received::code(&parsed).map(scrub);
        let reason = match kind {
            ErrorKind::Status | ErrorKind::RateLimited => message.clone().or_else(|| code.clone()),
            ErrorKind::Undecodable => message.clone(),
            _ => None,
        };
        let words = || match kind {
            _ if context.compression.is_some() => String::new(),
            ErrorKind::Status => excerpt(body.as_deref()),
            // A body that is not JSON may be a log-in page or an error page of a proxy, so the error contains an
            // excerpt. A JSON body needs no excerpt, because the error of the JSON decoder contains the position of the
            // mistake.
            ErrorKind::Undecodable if parsed.is_null() => excerpt(body.as_deref()),
            _ => String::new(),
        };
        let reason = reason.unwrap_or_else(words);
        let mut detail = match reason.is_empty() {
            false => format!("{detail}: {reason}"),
            true => detail,
        };
        if let Some(compression) = &context.compression {
            detail.push_str(&format!(
                "; its body is compressed (content encoding {compression}), which was not requested: \
                 no proxy or gateway in between may compress responses"
            ));
        }
        // `without_queries` removes escapes, so the key is removed once more. It is also removed first, because a key
        // with a `?` could be cut in two.
        let detail = key.scrub(without_queries(&key.scrub(detail)));
        let mut error = Self::new(kind, detail);
        let inner = &mut error.0;
        inner.operation = Some(context.operation);
        inner.host = context.host;
        inner.attempts = context.attempts;
        inner.status = context.status;
        inner.request_id = context.request_id.map(|id| key.scrub(id));
        inner.retry_after = context.retry_after;
        inner.outcome_unknown = context.outcome_unknown;
        let is_success = context
            .status
            .is_some_and(|status| (200..300).contains(&status));
        if context.outcome_unknown
            && let Some(body) = &body
        {
            inner.session_id = find_id(body, is_success);
        }
        inner.body = body;
        inner.message = message;
        inner.code = code;
        error
    }

    /// Creates the error of a wait that reached its time-out. The error contains the status and the body that the last
    /// poll received. If the last poll failed, the error also contains the other data of the failure.
    pub(crate) fn deadline(pending: Pending, after: Duration, last: LastPoll, key: &Key) -> Self {
        let cause = match &last {
            LastPoll::Failed(error) => format!(" (last error: {error})"),
            LastPoll::None | LastPoll::NoReply { .. } => String::new(),
        };
        let (what, advice) = match &last {
            LastPoll::Failed(error) if error.operation() == Some("createMessage") => (
                "no corrected reply",
                "the correction was not sent; `Error::reply_mismatch` contains the reply",
            ),
            _ => ("no reply", "resume with `Error::pending`"),
        };
        let session = pending.session_id();
        let detail = format!("{what} from session {session} within {after:?}{cause}; {advice}");
        let mut error = Self::new(ErrorKind::Deadline, detail).with_pending(pending);
        let inner = &mut error.0;
        match last {
            LastPoll::None => {}
            LastPoll::NoReply { status, body } => {
                inner.status = Some(status);
                inner.body = Some(key.scrub_bytes(body));
            }
            LastPoll::Failed(last) => {
                inner.status = last.0.status;
                inner.code = last.0.code.clone();
                inner.message = last.0.message.clone();
                inner.request_id = last.0.request_id.clone();
                inner.retry_after = last.0.retry_after;
                inner.body = last.0.body.clone();
                inner.source = Some(Arc::new(last));
            }
        }
        error
    }

    /// Creates the error of a request whose task was dropped because its runtime was shut down.
    pub(crate) fn abandoned() -> Self {
        let detail = "the runtime was shut down while the request was in progress".to_owned();
        let mut error = Self::new(ErrorKind::Connection, detail);
        error.0.outcome_unknown = true;
        error
    }

    pub(crate) fn interrupted(pending: Pending) -> Self {
        let detail = format!(
            "a follow-up to session {} interrupted this turn; wait for the follow-up's reply",
            pending.session_id()
        );
        Self::new(ErrorKind::Interrupted, detail).with_pending(pending)
    }

    pub(crate) fn unexpected_reply(session: &Id, mismatch: ReplyMismatch) -> Self {
        let detail = format!(
            "the reply of session {session} does not contain the expected JSON: {mismatch}; its text is in \
             `Error::reply_mismatch`, and a follow-up can ask for a correction"
        );
        Self::new(ErrorKind::ReplyMismatch, detail)
            .with_session(session)
            .with_reply_mismatch(Some(mismatch.into()))
    }

    pub(crate) fn incomplete(detail: String) -> Self {
        Self::new(ErrorKind::Incomplete, detail)
    }

    pub(crate) fn file(detail: String, source: std::io::Error) -> Self {
        Self::new(ErrorKind::File, detail).with_source(source)
    }

    pub(crate) fn with_source(mut self, source: impl StdError + Send + Sync + 'static) -> Self {
        self.0.source = Some(Arc::new(source));
        self
    }

    pub(crate) fn with_boxed_source(mut self, source: Box<dyn StdError + Send + Sync>) -> Self {
        self.0.source = Some(source.into());
        self
    }

    /// Adds the path of a raw request.
    pub(crate) fn with_path(mut self, path: String) -> Self {
        self.0.path = Some(sentence(&path));
        self
    }

    pub(crate) fn with_session(mut self, id: &Id) -> Self {
        self.0.session_id = Some(id.clone());
        self
    }

    pub(crate) fn with_pending(mut self, pending: Pending) -> Self {
        self.0.session_id = Some(pending.session_id().clone());
        self.0.pending = Some(pending);
        self
    }

    #[cfg(feature = "schemars")]
    pub(crate) fn shared_reply_mismatch(&self) -> Option<Arc<ReplyMismatch>> {
        self.0.mismatch.clone()
    }

    pub(crate) fn with_reply_mismatch(mut self, mismatch: Option<Arc<ReplyMismatch>>) -> Self {
        self.0.mismatch = mismatch;
        self
    }

    /// Returns the kind of failure.
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// Returns the name of the failed operation. The name is the id of the operation in the OpenAPI document, such as
    /// `getSession`. Downloads and [raw requests](crate::RawRequest) have other names, such as `GET request` and
    /// `download`.
    pub fn operation(&self) -> Option<&'static str> {
        self.0.operation
    }

    /// Returns the HTTP status, if there was a response. If the time-out of a wait passed, this is the status of the
    /// last poll. Returns `None` if a download failed after a successful response.
    pub fn status(&self) -> Option<u16> {
        self.0.status
    }

    /// Returns the service's error code, such as `VALIDATION`. The live service often sends no code.
    pub fn code(&self) -> Option<&str> {
        self.0.code.as_deref()
    }

    /// Returns the error message of the service.
    pub fn message(&self) -> Option<&str> {
        self.0.message.as_deref()
    }

    /// Returns the id that the service gave to the request, from a header such as `x-request-id`.
    pub fn request_id(&self) -> Option<&str> {
        self.0.request_id.as_deref()
    }

    /// Returns the pause that the service asks for with `Retry-After`, usually with a 429. If the client sent nothing
    /// because of an earlier pause, returns the rest of this pause.
    pub fn retry_after(&self) -> Option<Duration> {
        self.0.retry_after
    }

    /// Returns the received part of the body, up to [`ClientBuilder::max_body`](crate::ClientBuilder::max_body). For an
    /// error response to a download, the limit is 64 KiB. Bytes that are not valid Unicode are replaced by U+FFFD, and
    /// the API key by `<redacted>`.
    pub fn body(&self) -> Option<Cow<'_, str>> {
        self.0.body.as_deref().map(|body| text(body, || None))
    }

    /// Returns the received bytes of the body, for content that is not text, such as a compressed body. Only the API
    /// key is replaced. If the key had escapes of JSON, such as `\u0041` for `A`, these bytes are UTF-8.
    pub fn body_bytes(&self) -> Option<&[u8]> {
        self.0.body.as_deref()
    }

    /// Returns the number of attempts of the failed call, or zero if there was no attempt. Also returns zero if the
    /// error is not from a single call, for example if the time-out of a wait passed.
    pub fn attempts(&self) -> u32 {
        self.0.attempts
    }

    /// Returns whether a failed create or follow-up may have taken effect. A [raw request](crate::RawRequest) with a
    /// method other than `GET` and `HEAD` counts as a create.
    ///
    /// Check in the Blocks dashboard whether the session or follow-up exists before you send the request again, because
    /// each session is billed.
    ///
    /// ```
    /// # mod doctest { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doctest.rs")); }
    /// # doctest::with_client(async |client, mock| {
    /// # let request = blocks_sdk::CreateSession::new(blocks_sdk::Agent::claude(), "Go.");
    /// mock.inject(None, blocks_mock::Frequency::ONCE, blocks_mock::Fault::ResetAfter);
    /// let error = client.create_session(request).await.unwrap_err();
    /// assert!(error.may_have_taken_effect());
    /// assert_eq!(mock.session_count(), 1, "it exists, although the response was lost");
    /// # Ok(()) });
    /// ```
    pub fn may_have_taken_effect(&self) -> bool {
        self.0.outcome_unknown
    }

    /// Returns the id of the session, if the client knows the id. The client knows the id before the call, or finds the
    /// id in the received part of a response.
    pub fn session_id(&self) -> Option<&Id> {
        self.0.session_id.as_ref()
    }

    /// Returns the handle to a pending reply after a failed wait, for [`Client::resume`](crate::Client::resume).
    ///
    /// ```
    /// # mod doctest { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doctest.rs")); }
    /// # doctest::with_session(async |session, client, mock| {
    /// let error = session.first_turn()?.reply().timeout(Default::default()).await.unwrap_err();
    /// let pending = error.pending().expect("a wait knows what it waited for").clone();
    /// assert_eq!(client.resume(pending).reply().await?.text(), "Done.");
    /// # Ok(()) });
    /// ```
    pub fn pending(&self) -> Option<&Pending> {
        self.0.pending.as_ref()
    }

    /// Returns the last reply that did not contain the expected JSON, and the reason for the mismatch. The client may
    /// send a follow-up that asks for a corrected reply. If this follow-up or the wait for its reply fails, the error
    /// contains the mismatch of the last reply, too.
    pub fn reply_mismatch(&self) -> Option<&ReplyMismatch> {
        self.0.mismatch.as_deref()
    }

    /// Returns whether the status is 404: the resource does not exist, or belongs to another workspace.
    pub fn is_not_found(&self) -> bool {
        self.0.status == Some(404)
    }

    /// Returns whether the status is 400 or 422, because the service found the input invalid.
    pub fn is_validation(&self) -> bool {
        matches!(self.0.status, Some(400 | 422))
    }

    /// Returns whether the status is 401 or 403. In a response of the service, this usually means that the key is
    /// missing, wrong, or for another environment. A storage host sends 403 if a presigned URL has expired.
    pub fn is_unauthorized(&self) -> bool {
        matches!(self.0.status, Some(401 | 403))
    }

    /// Returns whether the request was rate limited, by status 429 or by the client: see [`Error::retry_after`].
    pub fn is_rate_limited(&self) -> bool {
        self.0.kind == ErrorKind::RateLimited || self.0.status == Some(429)
    }

    /// Returns whether the input was invalid, so that nothing was sent.
    pub fn is_invalid_input(&self) -> bool {
        self.0.kind == ErrorKind::InvalidInput
    }

    /// Returns whether the client cannot be set up. The cause is, for example, the key, the base URL, a proxy variable
    /// or TLS.
    pub fn is_configuration(&self) -> bool {
        self.0.kind == ErrorKind::Configuration
    }

    /// Returns whether the connection failed, or the runtime was shut down, before a complete response arrived.
    pub fn is_connection(&self) -> bool {
        self.0.kind == ErrorKind::Connection
    }

    /// Returns whether an attempt took longer than its time-out. Also returns true if the call got its first permit
    /// after the time-out of the call. If the call got no permit, use [`Error::is_rate_limited`].
    pub fn is_timeout(&self) -> bool {
        self.0.kind == ErrorKind::Timeout
    }

    /// Returns whether a successful response cannot be decoded, or a necessary part of the response is missing.
    pub fn is_undecodable(&self) -> bool {
        self.0.kind == ErrorKind::Undecodable
    }

    /// Returns whether a response or file is larger than [`ClientBuilder::max_body`](crate::ClientBuilder::max_body).
    pub fn is_too_large(&self) -> bool {
        self.0.kind == ErrorKind::TooLarge
    }

    /// Returns whether the client did not follow a link or the URL of an artifact: see [`ErrorKind::UntrustedLink`].
    pub fn is_untrusted_link(&self) -> bool {
        self.0.kind == ErrorKind::UntrustedLink
    }

    /// Returns whether messages of a list may be missing: see [`ErrorKind::Incomplete`].
    pub fn is_incomplete(&self) -> bool {
        self.0.kind == ErrorKind::Incomplete
    }

    /// Returns whether the time-out of a wait passed. [`Error::pending`] returns a handle with which the wait can be
    /// resumed.
    pub fn is_deadline(&self) -> bool {
        self.0.kind == ErrorKind::Deadline
    }

    /// Returns whether a follow-up interrupted the awaited turn.
    pub fn is_interrupted(&self) -> bool {
        self.0.kind == ErrorKind::Interrupted
    }

    /// Returns whether the client could not identify the turn to wait for.
    pub fn is_unknown_turn(&self) -> bool {
        self.0.kind == ErrorKind::UnknownTurn
    }

    /// Returns whether a file could not be written.
    pub fn is_file(&self) -> bool {
        self.0.kind == ErrorKind::File
    }

    /// Returns whether a read may succeed if the same request is sent again later.
    pub fn is_transient(&self) -> bool {
        match self.0.kind {
            ErrorKind::Connection
            | ErrorKind::Timeout
            | ErrorKind::Undecodable
            | ErrorKind::RateLimited => true,
            ErrorKind::Status => matches!(self.0.status, Some(408 | 429 | 500..)),
            _ => false,
        }
    }

    /// Returns the advice for the user at the end of the error message.
    fn advice(&self) -> &'static str {
        // A download needs no advice about the key, because the storage host never receives the key.
        if self.0.operation == Some("download") {
            return "";
        }
        if self.0.outcome_unknown {
            return "; it may have taken effect, so check the dashboard before you retry";
        }
        match self.0.status {
            Some(401 | 403) => {
                "; check that the API key belongs to this workspace and environment and has not expired"
            }
            Some(404) => "; check the id, and that the key is of the same workspace",
            Some(429) => "; other programs may be using this key",
            _ => "",
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let inner = &self.0;
        if let Some(operation) = inner.operation {
            f.write_str(operation)?;
            if let Some(path) = &inner.path {
                write!(f, " for {path}")?;
            }
            if let Some(host) = &inner.host {
                write!(f, " at {host}")?;
            }
            f.write_str(" failed")?;
            if inner.attempts > 1 {
                write!(f, " after {} attempts", inner.attempts)?;
            }
            f.write_str(": ")?;
        }
        f.write_str(&inner.detail)?;
        if let Some(id) = inner.session_id.as_ref().filter(|_| inner.outcome_unknown) {
            write!(f, " (session {id})")?;
        }
        if let Some(id) = &inner.request_id {
            write!(f, " (request id {})", sentence(id))?;
        }
        f.write_str(self.advice())
    }
}

/// Prints the most important fields that have a value. Prints the whole body, but without the queries of URLs, because
/// a query may grant access.
impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let inner = &self.0;
        let mut fields = f.debug_struct("Error");
        fields
            .field("kind", &inner.kind)
            .field("detail", &inner.detail);
        if let Some(operation) = inner.operation {
            fields
                .field("operation", &operation)
                .field("attempts", &inner.attempts);
        }
        if let Some(path) = &inner.path {
            fields.field("path", path);
        }
        if let Some(status) = inner.status {
            fields.field("status", &status);
        }
        if let Some(body) = self.body() {
            fields.field("body", &without_queries(&body));
        }
        if let Some(id) = &inner.request_id {
            fields.field("request_id", id);
        }
        if inner.outcome_unknown {
            fields.field("may_have_taken_effect", &true);
        }
        if let Some(id) = &inner.session_id {
            fields.field("session_id", &id);
        }
        if let Some(mismatch) = &inner.mismatch {
            fields.field("reply_mismatch", mismatch);
        }
        if let Some(source) = &inner.source {
            fields.field("source", source);
        }
        fields.finish_non_exhaustive()
    }
}

impl From<InvalidId> for Error {
    fn from(error: InvalidId) -> Self {
        Self::invalid_input(error.to_string())
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.0.source.as_deref().map(|source| source as _)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_predicate_is_true_for_one_kind() {
        let predicates = [
            (
                ErrorKind::InvalidInput,
                Error::is_invalid_input as fn(&Error) -> bool,
            ),
            (ErrorKind::Configuration, Error::is_configuration),
            (ErrorKind::Connection, Error::is_connection),
            (ErrorKind::Timeout, Error::is_timeout),
            (ErrorKind::RateLimited, Error::is_rate_limited),
            (ErrorKind::Undecodable, Error::is_undecodable),
            (ErrorKind::TooLarge, Error::is_too_large),
            (ErrorKind::UntrustedLink, Error::is_untrusted_link),
            (ErrorKind::Incomplete, Error::is_incomplete),
            (ErrorKind::Deadline, Error::is_deadline),
            (ErrorKind::Interrupted, Error::is_interrupted),
            (ErrorKind::UnknownTurn, Error::is_unknown_turn),
            (ErrorKind::File, Error::is_file),
        ];
        let key = Key::new("secret".to_owned().into()).unwrap();
        for (kind, _) in predicates {
            let error = Error::of_call(kind, "failed".into(), CallContext::default(), &key);
            let matching = predicates.iter().filter(|(_, is_kind)| is_kind(&error));
            let kinds: Vec<_> = matching.map(|(kind, _)| *kind).collect();
            assert_eq!(kinds, [kind]);
        }
    }

    #[test]
    fn no_escape_brings_the_key_into_an_error() {
        let key = Key::new("secret".to_owned().into()).unwrap();
        let echo = r#"["s\u0065cret"]"#;
        let utf_16: Vec<u8> = echo.encode_utf16().flat_map(u16::to_le_bytes).collect();
        for (kind, detail, body) in [
            (ErrorKind::Status, "500", utf_16),
            (
                ErrorKind::Undecodable,
                r"unusable response (content type text/s\u0065cret)",
                Vec::new(),
            ),
        ] {
            let context = CallContext {
                body: Some(body.into()),
                ..CallContext::default()
            };
            let error = Error::of_call(kind, detail.into(), context, &key);
            let text = format!("{error} {error:?} {:?}", error.body());
            assert!(!text.contains("secret"), "{text}");
            assert!(!text.contains("u0065"), "{text}");
            assert!(error.to_string().contains("<redacted>"), "{text}");
        }
    }

    #[test]
    fn what_a_server_says_stays_one_short_sentence() {
        let key = Key::new("secret".to_owned().into()).unwrap();
        let context = CallContext {
            operation: "getSession",
            status: Some(400),
            body: Some(format!(r#"{{"error": "a\n\u001b[2Jb{}"}}"#, "é".repeat(5000)).into()),
            ..CallContext::default()
        };
        let error = Error::of_call(ErrorKind::Status, "400 Bad Request".into(), context, &key);
        let text = error.to_string();
        assert!(
            text.starts_with("getSession failed: 400 Bad Request: a  [2Jbé"),
            "{text}"
        );
        assert!(text.chars().count() < 700 && text.ends_with('…'), "{text}");
        assert_eq!(error.message().map(|m| m.chars().count()), Some(5007));
    }
}
