//! Processes every request: adds the API key, and rejects a URL outside the base URL. If the client has a [`Sender`],
//! the sender sends the request.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use bytes::Bytes;
use progenitor_client::{ClientHooks, OperationInfo};
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderName, HeaderValue};
use reqwest::{Request, Response, ResponseBuilderExt, Url};

use crate::decode;
pub use crate::decode::FromJson;
use crate::{Client, ClientInfo, Error, ResponseValue};

/// The header with the version of the OpenAPI document. The generated code adds this header, and the hook removes it,
/// because the service does not know the header.
const API_VERSION: HeaderName = HeaderName::from_static("api-version");

/// The status of the response that the generated code gets if the [`Sender`] returns no response.
const FAILED: u16 = 599;

/// Sends the request of one attempt.
///
/// A crate that uses the client can implement this trait to control how each request is sent, for example with a time
/// limit. A sender makes only one attempt. To make another attempt, call the generated method again.
pub trait Sender: Send + Sync {
    /// Sends `request` once, and returns the response with its whole body. If this method returns `None`, the generated
    /// method fails with [`Error::UnexpectedResponse`]. The sender itself must store the cause of the failure, because
    /// progenitor's error type cannot contain the cause.
    fn execute(
        &self,
        request: Request,
    ) -> Pin<Box<dyn Future<Output = Option<http::Response<Bytes>>> + Send + '_>>;
}

/// Contains the API key of a [`Client`], and the [`Sender`] that sends the client's requests, if there is one.
#[derive(Clone)]
pub struct Hook {
    authorization: HeaderValue,
    sender: Option<Arc<dyn Sender>>,
}

impl Hook {
    /// Creates a hook that adds the header `Authorization` with this value to every request. The hook has no sender, so
    /// each request is passed to the HTTP client once.
    ///
    /// ```
    /// use blocks_api::{Client, hook::Hook};
    ///
    /// let hook = Hook::new("ApiKey my-key".parse()?);
    /// let client = Client::new_with_client("https://api.blocks.team", Default::default(), hook);
    /// assert!(!format!("{client:?}").contains("my-key"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn new(mut authorization: HeaderValue) -> Self {
        authorization.set_sensitive(true);
        Self {
            authorization,
            sender: None,
        }
    }

    /// Creates a hook that has the same key and sends each request through `sender`.
    pub fn with_sender(&self, sender: Arc<dyn Sender>) -> Self {
        Self {
            authorization: self.authorization.clone(),
            sender: Some(sender),
        }
    }
}

impl fmt::Debug for Hook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Hook { key: <redacted> }")
    }
}

impl ClientHooks<Hook> for Client {
    async fn pre<E>(&self, request: &mut Request, _: &OperationInfo) -> Result<(), Error<E>> {
        if !is_below(self.baseurl(), request.url().as_str()) {
            return Err(Error::InvalidRequest(
                "the request leaves the base URL".into(),
            ));
        }
        let headers = request.headers_mut();
        headers.remove(API_VERSION);
        headers.insert(AUTHORIZATION, self.inner().authorization.clone());
        Ok(())
    }

    async fn exec(&self, request: Request, _: &OperationInfo) -> reqwest::Result<Response> {
        let Some(sender) = &self.inner().sender else {
            return self.client().execute(request).await;
        };
        let url = request.url().clone();
        let response = sender.execute(request).await.unwrap_or_else(failed);
        let (head, body) = response.into_parts();
        // Setting the URL saves time. Without a URL, reqwest would parse a placeholder URL for each response.
        let response = http::Response::builder().status(head.status).url(url);
        let mut response = response.body(body).unwrap_or_else(|_| failed());
        *response.headers_mut() = head.headers;
        Ok(response.into())
    }
}

/// Returns the response that the generated code gets if the sender returns no response.
fn failed() -> http::Response<Bytes> {
    let mut failed = http::Response::default();
    *failed.status_mut() = http::StatusCode::from_u16(FAILED).unwrap_or_default();
    failed
}

/// Sends `request` in the same way as a generated method. Returns the response if its status is a success.
async fn execute(
    client: &Client,
    operation_id: &'static str,
    request: reqwest::RequestBuilder,
) -> Result<http::Response<Bytes>, Error<()>> {
    let info = OperationInfo { operation_id };
    let mut request = request.build()?;
    client.pre(&mut request, &info).await?;
    if let Some(sender) = &client.inner().sender {
        let response = sender.execute(request).await.unwrap_or_else(failed);
        return match response.status().is_success() {
            true => Ok(response),
            false => Err(Error::UnexpectedResponse(response.into())),
        };
    }
    let mut response = client.client().execute(request).await?;
    if !response.status().is_success() {
        return Err(Error::UnexpectedResponse(response));
    }
    let mut complete = http::Response::default();
    *complete.status_mut() = response.status();
    *complete.headers_mut() = std::mem::take(response.headers_mut());
    *complete.body_mut() = response.bytes().await.map_err(Error::ResponseBodyError)?;
    Ok(complete)
}

/// Returns whether `url` is below `base`. The scheme, host and port must be equal, and the path of `url` must start
/// with the path of `base`, followed by `/`. `url` must be the normalized text that the URL parser returns.
fn is_below(base: &str, url: &str) -> bool {
    let starts_with = |base: &str| {
        let base = base.trim_end_matches('/');
        let rest = url.strip_prefix(base);
        // Nothing is below a base without a host, such as `https://`: the URL parser would take the host from the path.
        base.contains("://") && rest.is_some_and(|rest| rest.starts_with('/'))
    };
    // Most base URLs are in normalized form already, and a comparison of texts is quicker than parsing the base URL.
    starts_with(base) || Url::parse(base).is_ok_and(|base| starts_with(base.as_str()))
}

/// Requests `url`, and reads the response as a `T`, for example as a page of messages. The request goes through the
/// same hook as the request of a generated method. `operation_id` is the name that the OpenAPI document gives to the
/// operation to which the URL belongs.
///
/// This function decodes the body itself, because a generated method would copy the body before decoding.
///
/// # Errors
/// The errors of a generated method, and [`Error::InvalidRequest`] if `url` is outside the base URL.
pub async fn follow<T: FromJson>(
    client: &Client,
    operation_id: &'static str,
    url: reqwest::Url,
) -> Result<ResponseValue<T>, Error<()>> {
    let response = execute(client, operation_id, client.client().get(url)).await?;
    let (head, body) = response.into_parts();
    match decode::from_slice(&body) {
        Ok(inner) => Ok(ResponseValue::new(inner, head.status, head.headers)),
        Err(error) => Err(Error::InvalidResponsePayload(body, error)),
    }
}

/// Sends a request with any method, and with `json` as its body if there is one. The request goes through the same hook
/// as the request of a generated method. Returns the body if the status is a success.
///
/// # Errors
/// The errors of a generated method, and [`Error::InvalidRequest`] if `url` is outside the base URL.
pub async fn send(
    client: &Client,
    operation_id: &'static str,
    method: http::Method,
    url: reqwest::Url,
    json: Option<Bytes>,
) -> Result<ResponseValue<Bytes>, Error<()>> {
    let mut request = client.client().request(method, url);
    if let Some(json) = json {
        request = request.header(CONTENT_TYPE, "application/json").body(json);
    }
    let (head, body) = execute(client, operation_id, request).await?.into_parts();
    Ok(ResponseValue::new(body, head.status, head.headers))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_stays_on_the_base_url() {
        for (base, url, home) in [
            ("https://a.b", "https://a.b/rest", true),
            ("https://a.b/", "https://a.b/rest", true),
            ("http://[::1]:80", "http://[::1]/rest", true),
            ("https://A.b:443/", "https://a.b/rest", true),
            ("https://a.b:8443", "https://a.b:8443/rest", true),
            ("https://a.b:8443", "https://a.b/rest", false),
            ("not a URL", "https://a.b/rest", false),
            ("https://", "https://rest/v1/x", false),
            ("https:", "https://rest/v1/x", false),
            ("https:///", "https://rest/v1/x", false),
            ("https://a.b", "https://a.b.evil/rest", false),
            ("https://a.b", "https://a.b:8443/rest", false),
            ("https://a.b", "https://a.b@evil/rest", false),
            ("https://a.b", "http://a.b/rest", false),
            ("https://a.b", "https://a.b", false),
        ] {
            assert_eq!(is_below(base, url), home, "{base} {url}");
        }
    }
}
