//! The error of a call, from what its last attempt received.

use blocks_api::Error as ApiError;
use reqwest::header::{HeaderMap, HeaderName};

use crate::attempt::{Break, Ended};
use crate::call::Call;
use crate::error::{Context, Error, ErrorKind};

impl Call {
    /// The error of an attempt that was the last; `why` tells what is wrong with a whole answer.
    pub(crate) fn failure(&self, ended: Ended, why: Option<String>, mut context: Context) -> Error {
        let limit = self.core.max_body;
        let mut too_large = false;
        let mut refusal = None;
        if let Some(mut received) = ended.received {
            context.status = Some(received.status.as_u16());
            context.request_id = request_id(&received.headers);
            context.body = Some(received.body());
            too_large = received.too_large;
            refusal = Some(received.status).filter(|status| !status.is_success());
        }
        let (kind, detail) = match (&ended.broke, refusal) {
            (_, Some(status)) => (ErrorKind::Status, status.to_string()),
            (None, None) if too_large => (
                ErrorKind::Undecodable,
                format!("the answer is larger than {limit} bytes, of which the first were kept"),
            ),
            (None, None) => (
                ErrorKind::Undecodable,
                why.unwrap_or_else(|| "the answer is not usable".into()),
            ),
            (Some(Break::Timeout), None) => (
                ErrorKind::Timeout,
                format!("no whole answer came within {:?}", self.attempt_timeout),
            ),
            (Some(Break::Send(error)), None) => (ErrorKind::Connection, error.to_string()),
            (Some(Break::Body(_)), None) => (
                ErrorKind::Connection,
                "the connection broke in the middle of the answer".into(),
            ),
        };
        let error = self.error(kind, detail, context);
        match ended.broke {
            Some(Break::Send(source)) => error.with_source(source),
            Some(Break::Body(source)) => error.with_source(source.without_url()),
            None | Some(Break::Timeout) => error,
        }
    }
}

/// Why an answer cannot be decoded; `None` when there is no whole answer.
///
/// # Errors
/// When the request cannot be built, and so was not sent.
pub(crate) fn undecodable(error: ApiError<()>) -> Result<Option<String>, Error> {
    match error {
        ApiError::InvalidResponsePayload(_, source) => {
            Ok(Some(format!("cannot decode the answer: {source}")))
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

/// What servers call the number of a request.
const REQUEST_IDS: [HeaderName; 2] = [
    HeaderName::from_static("x-request-id"),
    HeaderName::from_static("request-id"),
];

fn request_id(headers: &HeaderMap) -> Option<String> {
    REQUEST_IDS.iter().find_map(|name| {
        let value = headers.get(name)?.to_str().ok()?;
        Some(value.to_owned())
    })
}
