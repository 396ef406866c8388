//! Builds the error of a call from the result of its last attempt.

use blocks_api::Error as ApiError;
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderName, LOCATION};
use reqwest::{StatusCode, Url};

use crate::engine::attempt::{Attempt, AttemptResult, NoResponse};
use crate::engine::call::Call;
use crate::engine::error::{CallContext, Error, ErrorKind};
use crate::engine::received::{compression, header};
use crate::engine::transport::{SendError, sources};

impl Call {
    /// Returns the error of the last attempt. `why` is the reason why a complete response cannot be used, such as
    /// invalid JSON.
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
            let (body, headers) = (received.body(), &received.headers);
            context.status = Some(received.status.as_u16());
            context.request_id = request_id(headers).map(str::to_owned);
            context.compression = compression(headers, &body);
            context.body = Some(body);
            too_large = received.too_large;
            content = content_of(headers);
            refused =
                Some(refusal(received.status, headers)).filter(|_| !received.status.is_success());
        }
        let host = context.host.clone().unwrap_or_default();
        let (kind, detail) = match (&result.no_response, refused) {
            (_, Some(refused)) => {
                let kind = match context.status {
                    Some(429) => ErrorKind::RateLimited,
                    _ => ErrorKind::Status,
                };
                let asked = context.retry_after;
                let retry = asked.map(|asked| format!(", retry after {asked:.0?}"));
                (kind, format!("{refused}{}", retry.unwrap_or_default()))
            }
            (None, None) if too_large => (
                ErrorKind::TooLarge,
                format!("the response is larger than {limit} bytes and was truncated"),
            ),
            (None, None) => {
                let why = match &context.compression {
                    Some(_) => "cannot decode the response".to_owned(),
                    None => why.unwrap_or_else(|| "unusable response".into()),
                };
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
                let what = if error.is_never_sent() {
                    no_connection(error, &host)
                } else {
                    let cause = innermost(error);
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

/// Describes an error status, and the target host of a redirect if the header `Location` contains a whole URL. Omits
/// the rest of the target URL, because its query may contain credentials.
pub(crate) fn refusal(status: StatusCode, headers: &HeaderMap) -> String {
    let location = header(headers, LOCATION);
    let host = location.and_then(|url| Some(Url::parse(url).ok()?.host_str()?.to_owned()));
    match host.filter(|_| status.is_redirection()) {
        Some(host) => format!("{status}, a redirect to {host} that is not followed"),
        None => status.to_string(),
    }
}

/// Describes the content type of a response if it is unexpected. Returns an empty string if the response has no content
/// type, or if the content type is JSON without a `charset`, as expected.
fn content_of(headers: &HeaderMap) -> String {
    let is_json = |kind: &&str| kind.contains("json") && !kind.contains("charset");
    match header(headers, CONTENT_TYPE).filter(|kind| !is_json(kind)) {
        Some(kind) => format!(" (content type {kind})"),
        None => String::new(),
    }
}

/// Returns the innermost cause of a failure. The outer errors are too general, for example `error sending request`.
pub(crate) fn innermost(error: &(dyn std::error::Error + 'static)) -> String {
    let mut cause = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    cause.to_string()
}

/// Describes why no byte of a request was sent to `host`, and what the user can do. Usually, the client could not
/// connect.
pub(crate) fn no_connection(error: &SendError, host: &str) -> String {
    let cause = innermost(error);
    let is_tunnel = sources(error).any(|cause| cause.to_string().starts_with("tunnel error"));
    // `NO_PROXY` has no effect on a proxy that the program has configured.
    let (through, proxy_advice) = match error.proxy() {
        Some(proxy) => (
            format!(" through the proxy {proxy}"),
            Some("; check the proxy, or name the host in NO_PROXY to connect without it"),
        ),
        None if is_tunnel => (
            " through the configured proxy".to_owned(),
            Some("; check the proxy that the program has configured"),
        ),
        None => (String::new(), None),
    };
    let advice = advice(&cause, proxy_advice);
    let cause = plain(&cause);
    format!("could not connect to {host}{through}: {cause}{advice}")
}

/// Rewords the error text of a library if the text is unclear to users. Returns all other texts unchanged.
fn plain(cause: &str) -> &str {
    match cause {
        "deadline has elapsed" | "operation timed out" | "timed out" => {
            "no connection within the time-out of connecting"
        }
        "tunnel error: proxy authorization required" => {
            "the proxy requires authorization (status 407)"
        }
        "tunnel error: unsuccessful" => "the proxy rejected the connection",
        "tunnel error: unexpected end of file" => "the proxy closed the connection",
        cause => cause,
    }
}

/// Returns advice for a failed connection. `KNOWN` contains parts of the error texts of rustls, OpenSSL, hyper, the
/// standard library and the operating system, with the advice for each. `proxy` is the advice for the proxy of the
/// connection, if there is one.
fn advice(cause: &str, proxy: Option<&'static str>) -> &'static str {
    const KNOWN: [(&[&str], &str); 7] = [
        (
            &[
                "unknownissuer",
                "unknown issuer",
                "self-signed",
                "self signed",
                "local issuer",
                "causedasendentity",
            ],
            "; on Linux, the variable SSL_CERT_FILE can name a file with certificate authorities",
        ),
        (
            &["expired", "not valid yet", "notvalidyet", "not yet valid"],
            "; check the clock of this machine, and renew the certificate of the server",
        ),
        (
            &["not valid for", "notvalidforname", "hostname mismatch"],
            "; check the host name, or the certificate of the server",
        ),
        (
            &["invalidcontenttype", "wrong version number"],
            "; the server does not speak TLS at this port: check the address",
        ),
        (
            &["proxy authorization required"],
            "; write user and password into the proxy's URL: http://USER:PASSWORD@HOST:PORT",
        ),
        (
            &["lookup", "resolve"],
            "; check the host name, and the network",
        ),
        (
            &["refused"],
            "; check the address, and that a server runs there",
        ),
    ];
    let cause = cause.to_ascii_lowercase();
    let known = { KNOWN.iter() }.find(|(texts, _)| texts.iter().any(|text| cause.contains(text)));
    match (known, proxy) {
        (Some((texts, _)), Some(proxy)) if ["lookup", "refused"].contains(&texts[0]) => proxy,
        (Some((_, advice)), _) => advice,
        (None, Some(proxy)) => proxy,
        (None, None) => "; check the network, and whether a firewall or a proxy is in between",
    }
}

/// Returns the reason why a response cannot be decoded. Returns `None` if there is no complete response with a 2xx
/// status.
///
/// # Errors
/// Returns an error if the request could not be built and was not sent.
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
            let error = Error::invalid_input("cannot build the request");
            Err(error.with_source(source.without_url()))
        }
        _ => Ok(None),
    }
}

/// Headers in which servers and gateways send the id of a request. The headers that are most useful to the service's
/// support team come first.
const REQUEST_IDS: [HeaderName; 10] = [
    HeaderName::from_static("x-request-id"),
    HeaderName::from_static("request-id"),
    HeaderName::from_static("x-correlation-id"),
    HeaderName::from_static("x-amzn-requestid"),
    HeaderName::from_static("x-amz-request-id"),
    HeaderName::from_static("x-ms-request-id"),
    HeaderName::from_static("x-guploader-uploadid"),
    HeaderName::from_static("x-amz-cf-id"),
    HeaderName::from_static("x-trace-id"),
    HeaderName::from_static("cf-ray"),
];

pub(crate) fn request_id(headers: &HeaderMap) -> Option<&str> {
    REQUEST_IDS.iter().find_map(|name| header(headers, name))
}
