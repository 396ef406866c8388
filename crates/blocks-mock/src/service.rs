//! Processes a request: logs it, applies a fault, checks the key and the rate limit, and responds.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::header::{
    ALLOW, AUTHORIZATION, CONTENT_LENGTH, CONTENT_TYPE, DATE, HOST, LOCATION, RETRY_AFTER,
};
use http::{HeaderValue, Request, Response, StatusCode, request::Parts};
use http_body_util::BodyExt;
use serde_json::{Value, json};
use tower_service::Service;

use crate::body::MockBody;
use crate::fault::{Fault, Operation, RetryAfter};
use crate::handlers::{Failure, Handler};
use crate::mock::{Inner, Mock};
use crate::request_log::{RecordedRequest, RequestLog};
use crate::route::{Ids, Route, route};
use crate::settings::Settings;

/// Reports the end of a request when it is dropped. So the end is also reported if the client gives up and the future
/// of the response is dropped.
struct Ended<'a> {
    inner: &'a Inner,
    /// The request for the observer; `None` without an observer.
    request: Option<RecordedRequest>,
}

impl Drop for Ended<'_> {
    fn drop(&mut self) {
        if let (Some(observer), Some(request)) = (&self.inner.observer, &self.request) {
            observer(request);
        }
        self.inner.note_change();
    }
}

/// Serves a [`Mock`] as a tower service. The service accepts URLs with any host, so a client can keep its default base
/// URL.
#[derive(Clone)]
pub struct MockService(pub(crate) Mock);

impl<B> Service<Request<B>> for MockService
where
    B: http_body::Body<Data = Bytes> + Send + 'static,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    type Response = Response<MockBody>;
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = io::Result<Response<MockBody>>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let mock = self.0.clone();
        Box::pin(async move {
            let (parts, body) = request.into_parts();
            let body = body.collect().await.map_err(io::Error::other)?.to_bytes();
            mock.respond(&parts, body).await
        })
    }
}

impl Mock {
    /// Responds to one request.
    ///
    /// # Errors
    /// Returns an error if a fault, or a failed connection in a replayed capture, refuses or closes the connection.
    async fn respond(&self, parts: &Parts, body: Bytes) -> io::Result<Response<MockBody>> {
        if let Some(response) = self.control(parts, &body).await {
            return Ok(response);
        }
        let route = route(&parts.method, parts.uri.path());
        let operation = match route {
            Route::Operation(operation, _) => Some(operation),
            Route::WrongMethod(_) | Route::Nowhere => None,
        };
        let settings = self.inner.settings();
        let request = self.recorded(parts, operation, &body);
        let mut ended = Ended {
            inner: &self.inner,
            request: self.inner.observer.as_ref().map(|_| request.clone()),
        };
        let logged = self.record(request, &settings);
        let result = self.outcome(&route, parts, &body, settings).await;
        if let Ok(response) = &result {
            let status = response.status().as_u16();
            self.record_status(logged, status);
            if let Some(request) = &mut ended.request {
                request.status = Some(status);
            }
        }
        result
    }

    async fn outcome(
        &self,
        route: &Route<'_>,
        parts: &Parts,
        body: &Bytes,
        settings: Arc<Settings>,
    ) -> io::Result<Response<MockBody>> {
        let fault = match route {
            Route::Operation(operation, _) => {
                let random = || self.inner.clock.random();
                self.inner.state().faults.next(*operation, random)
            }
            Route::WrongMethod(_) | Route::Nowhere => None,
        };
        let delay = match &fault {
            Some(Fault::Delay(delay)) => settings.delay.saturating_add(*delay),
            _ => settings.delay,
        };
        // The request takes effect before the delay. If it took effect after the delay, a client that gives up during
        // the delay would prevent the effect, and a test would not notice that this client creates a session twice.
        let response = match &self.inner.capture {
            _ if fault.as_ref().is_some_and(Fault::prevents) => Ok(None),
            Some(capture) => self.replay(capture, parts, body).map(Some),
            None => Ok(Some(self.handle(route, parts, body, settings))),
        };
        if !delay.is_zero() {
            tokio::time::sleep(delay).await;
        }
        self.with_fault(response?, fault)
    }

    fn recorded(
        &self,
        parts: &Parts,
        operation: Option<Operation>,
        body: &Bytes,
    ) -> RecordedRequest {
        let mut request = RecordedRequest {
            at: self.inner.clock.instant(),
            operation,
            method: parts.method.to_string(),
            target: String::new(),
            headers: Vec::new(),
            body: String::new(),
            status: None,
        };
        if self.inner.request_log == RequestLog::Full {
            let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
            let target = parts.uri.path_and_query();
            request.target = target.map(ToString::to_string).unwrap_or_default();
            let headers = parts.headers.iter();
            request.headers = headers
                .map(|(name, value)| (name.to_string(), text(value.as_bytes())))
                .collect();
            request.body = text(body);
        }
        request
    }

    fn handle(
        &self,
        route: &Route<'_>,
        parts: &Parts,
        body: &Bytes,
        settings: Arc<Settings>,
    ) -> Response<MockBody> {
        let called = called(parts);
        let handler = Handler {
            inner: &self.inner,
            settings: &settings,
            called: &called,
        };
        let query = parts.uri.query().unwrap_or_default();
        let result = match route {
            Route::Operation(Operation::Download, Ids { part, .. }) => {
                let with_key = parts.headers.contains_key(AUTHORIZATION);
                return match handler.download(part, query, with_key) {
                    Ok(text) => response(200, "text/markdown", text),
                    Err(failure) => self.failed(failure, &settings),
                };
            }
            Route::Operation(operation, ids) => self
                .admit_request(parts, &settings)
                .and_then(|()| handler.handle(*operation, ids, query, body)),
            Route::WrongMethod(allowed) => Err(Failure::WrongMethod(allowed)),
            Route::Nowhere => Err(Failure::NotFound),
        };
        match result {
            Ok((status, value)) => json_response(status, &value),
            Err(failure) => self.failed(failure, &settings),
        }
    }

    fn admit_request(&self, parts: &Parts, settings: &Settings) -> Result<(), Failure> {
        let mut given = parts.headers.get_all(AUTHORIZATION).iter();
        let first = given.next().ok_or(Failure::Unauthenticated)?;
        let key = first
            .to_str()
            .ok()
            .and_then(|text| text.strip_prefix("ApiKey "))
            .filter(|key| *key == self.key())
            .ok_or(Failure::Forbidden)?;
        // A request with two `Authorization` headers is malformed, even if both headers contain the right key.
        if given.next().is_some() {
            return Err(Failure::Forbidden);
        }
        if self.admit(key, settings) {
            Ok(())
        } else {
            Err(Failure::RateLimited)
        }
    }

    /// Returns an error response with the status and the fields that the dialect selects.
    fn failed(&self, failure: Failure, settings: &Settings) -> Response<MockBody> {
        let dialect = &settings.dialect;
        let (status, code, text) = match &failure {
            Failure::Invalid(text) => (dialect.validation_status, Some("VALIDATION"), text.clone()),
            Failure::NotFound => (404, Some("NOT_FOUND"), "Not found".into()),
            // The documentation names no code for the other errors.
            Failure::Unauthenticated => (401, None, "Authorization: ApiKey <key> is needed".into()),
            Failure::Forbidden => (
                dialect.wrong_key_status,
                None,
                "The key is wrong, or the header is malformed".into(),
            ),
            Failure::RateLimited => (429, None, "Too many requests".into()),
            Failure::WrongMethod(_) => (405, None, "Method not allowed".into()),
            Failure::Storage(status, text) => {
                let xml = format!("<Error><Message>{text}</Message></Error>");
                return response(*status, "application/xml", xml);
            }
        };
        let body = match code {
            _ if !dialect.error_codes => json!({"error": text}),
            Some(code) => json!({"code": code, "message": text}),
            None => json!({"message": text}),
        };
        let mut response = json_response(status, &body);
        match failure {
            Failure::WrongMethod(allowed) => {
                let allowed = HeaderValue::from_static(allowed);
                response.headers_mut().insert(ALLOW, allowed);
            }
            Failure::RateLimited => {
                let limit = settings.rate_limit.as_ref();
                let retry_after = limit.and_then(|limit| limit.retry_after);
                self.set_retry_after(&mut response, retry_after);
            }
            _ => {}
        }
        response
    }

    fn set_retry_after(&self, response: &mut Response<MockBody>, retry_after: Option<RetryAfter>) {
        let headers = response.headers_mut();
        let header = |text: String| HeaderValue::try_from(text).ok();
        let clock = &self.inner.clock;
        let value = match retry_after {
            None => None,
            Some(RetryAfter::Seconds(seconds)) => header(seconds.to_string()),
            Some(RetryAfter::Date(seconds)) => {
                let now = clock.now().floor();
                if let Some(now) = header(clock.http_date(now)) {
                    headers.insert(DATE, now);
                }
                header(clock.http_date(now + seconds as f64))
            }
        };
        if let Some(value) = value {
            headers.insert(RETRY_AFTER, value);
        }
    }

    /// Applies a fault to a response. `original` is `None` if the fault prevents the operation.
    fn with_fault(
        &self,
        original: Option<Response<MockBody>>,
        fault: Option<Fault>,
    ) -> io::Result<Response<MockBody>> {
        let original = original.unwrap_or_else(|| response(200, "application/json", ""));
        let Some(fault) = fault else {
            return Ok(original);
        };
        let bytes = || original.body().bytes();
        Ok(match fault {
            Fault::Delay(_) => original,
            Fault::Refuse => return Err(io::ErrorKind::ConnectionRefused.into()),
            Fault::ResetBefore | Fault::ResetAfter => {
                return Err(io::ErrorKind::ConnectionReset.into());
            }
            Fault::Status {
                status,
                body,
                retry_after,
                ..
            } => {
                let mut failed = response(status, "application/json", body);
                self.set_retry_after(&mut failed, retry_after);
                failed
            }
            Fault::Redirect(to) => {
                let mut redirect = response(307, "text/plain", "");
                if let Ok(to) = HeaderValue::try_from(to) {
                    redirect.headers_mut().insert(LOCATION, to);
                }
                redirect
            }
            Fault::ResetInBody => {
                let bytes = bytes();
                let mut broken = original;
                broken
                    .headers_mut()
                    .insert(CONTENT_LENGTH, bytes.len().into());
                broken.map(|_| MockBody::broken(bytes.slice(..bytes.len() / 2)))
            }
            Fault::Truncate => {
                let bytes = bytes();
                original.map(|_| MockBody::whole(bytes.slice(..bytes.len() / 2)))
            }
            Fault::InvalidJson => original.map(|_| MockBody::whole("{\"id\": nonsense")),
            Fault::Html => response(200, "text/html", "<html><h1>It works</h1></html>"),
            Fault::ContentType(kind) => {
                let mut other = original;
                if let Ok(kind) = HeaderValue::try_from(kind) {
                    other.headers_mut().insert(CONTENT_TYPE, kind);
                }
                other
            }
            Fault::PadBody(size) => {
                let mut padded = bytes().to_vec();
                padded.resize(size.max(padded.len()), b' ');
                original.map(|_| MockBody::whole(padded))
            }
            Fault::SlowBody { bytes: size, every } => {
                let bytes = bytes();
                original.map(|_| MockBody::slow(&bytes, size, every))
            }
            Fault::ForeignLinks(_)
            | Fault::NullLinks
            | Fault::MissingFields(_)
            | Fault::ReplaceField(..) => {
                let Ok(mut value) = serde_json::from_slice::<Value>(&bytes()) else {
                    return Ok(original);
                };
                crate::json_faults::alter(&mut value, &fault);
                original.map(|_| MockBody::whole(value.to_string()))
            }
        })
    }
}

/// Returns the origin of the request's URL.
fn called(parts: &Parts) -> String {
    match (parts.uri.scheme_str(), parts.uri.authority()) {
        (Some(scheme), Some(authority)) => format!("{scheme}://{authority}"),
        _ => {
            let host = parts.headers.get(HOST).and_then(|v| v.to_str().ok());
            format!("http://{}", host.unwrap_or("localhost"))
        }
    }
}

pub(crate) fn response(
    status: u16,
    kind: &'static str,
    body: impl Into<Bytes>,
) -> Response<MockBody> {
    let mut response = Response::new(MockBody::whole(body));
    // Code in Rust can set an invalid status. The default, 200, would hide this mistake.
    let status = StatusCode::from_u16(status);
    *response.status_mut() = status.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let kind = HeaderValue::from_static(kind);
    response.headers_mut().insert(CONTENT_TYPE, kind);
    response
}

pub(crate) fn json_response(status: u16, value: &Value) -> Response<MockBody> {
    response(status, "application/json", value.to_string())
}

/// Adds a method that takes `&self`. A function for hyper's `service_fn` cannot call `Service::call` directly, because
/// `call` takes `&mut self`.
impl MockService {
    pub(crate) async fn serve<B>(&self, request: Request<B>) -> io::Result<Response<MockBody>>
    where
        B: http_body::Body<Data = Bytes> + Send + 'static,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        self.clone().call(request).await
    }
}
