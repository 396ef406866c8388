//! The error of a call, from what its last attempt received.

use blocks_api::Error as ApiError;
use reqwest::header::{
    CONTENT_ENCODING, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, LOCATION,
};
use reqwest::{StatusCode, Url};

use crate::engine::attempt::{Attempt, AttemptResult, NoResponse};
use crate::engine::call::Call;
use crate::engine::error::{CallContext, Error, ErrorKind};

impl Call {
    /// The error of an attempt that was the last; `why` says what is wrong with a complete response.
    pub(crate) fn failure(
        &self,
        result: AttemptResult,
        why: Option<String>,
        mut context: CallContext,
    ) -> Error {
        let limit = self.core.max_body;
        let mut too_large = false;
        let mut refused = None;
        let mut content = String::new();
        if let Some(mut received) = result.received {
            context.status = Some(received.status.as_u16());
            context.request_id = request_id(&received.headers).map(str::to_owned);
            context.body = Some(received.body());
            too_large = received.too_large;
            content = content_of(&received.headers);
            refused = Some(refusal(received.status, &received.headers))
                .filter(|_| !received.status.is_success());
        }
        let host = context.host.clone().unwrap_or_default();
        let is_refused_by_limit = context.status == Some(429);
        let (kind, detail) = match (&result.no_response, refused) {
            (_, Some(refused)) if is_refused_by_limit => {
                let asked = context.retry_after;
                let retry = asked.map(|asked| format!(", retry after {asked:.0?}"));
                let detail = format!("{refused}{}", retry.unwrap_or_default());
                (ErrorKind::RateLimited, detail)
            }
            (_, Some(refused)) => (ErrorKind::Status, refused),
            (None, None) if too_large => (
                ErrorKind::TooLarge,
                format!("the response is larger than {limit} bytes and was truncated"),
            ),
            (None, None) => {
                let why = why.unwrap_or_else(|| "the response cannot be used".into());
                (ErrorKind::Undecodable, format!("{why}{content}"))
            }
            (Some(NoResponse::Timeout(limit)), None) => (
                ErrorKind::Timeout,
                format!("no complete response within {limit:.1?}"),
            ),
            (Some(NoResponse::CutShort), None) => (
                ErrorKind::Connection,
                "the connection closed before the response was complete".to_owned(),
            ),
            (Some(NoResponse::Send(error)), None) => {
                let cause = innermost(error);
                let what = if error.is_never_sent() {
                    format!(
                        "could not connect to {host}: {cause}{}",
                        certificate_hint(&cause)
                    )
                } else {
                    format!("the connection closed after the request may have been sent: {cause}")
                };
                (ErrorKind::Connection, what)
            }
            (Some(NoResponse::Body(source)), None) => (
                ErrorKind::Connection,
                format!(
                    "the connection closed before the response was complete: {}",
                    innermost(source.as_ref())
                ),
            ),
        };
        let error = self.error(kind, detail, context);
        match result.no_response {
            Some(NoResponse::Send(source)) => error.with_source(source),
            Some(NoResponse::Body(source)) => error.with_boxed_source(source),
            None | Some(NoResponse::Timeout(_) | NoResponse::CutShort) => error,
        }
    }
}

/// A status that is no success, and the host that a redirect names. Its query may hold credentials.
fn refusal(status: StatusCode, headers: &HeaderMap) -> String {
    let location = headers.get(LOCATION).and_then(|value| value.to_str().ok());
    let host = location.and_then(|url| Some(Url::parse(url).ok()?.host_str()?.to_owned()));
    match host.filter(|_| status.is_redirection()) {
        Some(host) => format!("{status}, a redirect to {host} that is not followed"),
        None => status.to_string(),
    }
}

/// What a response says that it contains, where that is not plain JSON.
fn content_of(headers: &HeaderMap) -> String {
    let text = |name| {
        headers
            .get(name)
            .and_then(|value: &HeaderValue| value.to_str().ok())
    };
    let mut content = String::new();
    if let Some(kind) = text(CONTENT_TYPE).filter(|kind| !kind.contains("json")) {
        content.push_str(&format!(" (content type {kind})"));
    }
    if let Some(encoding) = text(CONTENT_ENCODING) {
        content.push_str(&format!(" (content encoding {encoding})"));
    }
    content
}

/// The cause of a failure, which its outer errors describe in general words only.
pub(crate) fn innermost(error: &(dyn std::error::Error + 'static)) -> String {
    let mut cause = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    cause.to_string()
}

fn certificate_hint(cause: &str) -> &'static str {
    let cause = cause.to_ascii_lowercase();
    if cause.contains("unknownissuer") || cause.contains("unknown issuer") {
        "; the environment variable SSL_CERT_FILE adds a certificate authority"
    } else {
        ""
    }
}

/// Why a response cannot be decoded; `None` when there is no complete response.
///
/// # Errors
/// When the request cannot be built, and so was not sent.
pub(crate) fn undecodable(error: ApiError<()>, attempt: &Attempt) -> Result<Option<String>, Error> {
    match error {
        ApiError::InvalidResponsePayload(_, source) => {
            if source.is_eof() {
                attempt.end_early();
            }
            Ok(Some(format!("cannot decode the response: {source}")))
        }
        ApiError::InvalidRequest(detail) | ApiError::Custom(detail) => {
            Err(Error::invalid_input(detail))
        }
        ApiError::CommunicationError(source) => {
            let error = Error::invalid_input("the request cannot be built");
            Err(error.with_source(source.without_url()))
        }
        _ => Ok(None),
    }
}

/// What servers and gateways call the id of a request, in the order of their use to the service's support.
const REQUEST_IDS: [HeaderName; 7] = [
    HeaderName::from_static("x-request-id"),
    HeaderName::from_static("request-id"),
    HeaderName::from_static("x-correlation-id"),
    HeaderName::from_static("x-amzn-requestid"),
    HeaderName::from_static("x-amz-cf-id"),
    HeaderName::from_static("x-trace-id"),
    HeaderName::from_static("cf-ray"),
];

pub(crate) fn request_id(headers: &HeaderMap) -> Option<&str> {
    REQUEST_IDS
        .iter()
        .find_map(|name| headers.get(name)?.to_str().ok())
}
