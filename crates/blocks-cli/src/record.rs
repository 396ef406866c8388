//! Implements the option `--record`, which writes requests and responses without secrets to a HAR file. HAR (HTTP
//! Archive) is the JSON format in which browsers export their network log.

mod file;
mod redact;

use std::path::Path;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::{Duration, SystemTime};

use blocks_sdk::{Body, SendFuture, Transport};
use bytes::Bytes;
use http::HeaderMap;
use http::Request;
use http_body::{Body as HttpBody, Frame, SizeHint};
use reqwest::Url;
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::exit::Exit;
use crate::signals::LastWords;
use file::HarFile;
use redact::Redactor;

/// Maximum number of recorded bytes of a response body. The body of a request is recorded in full.
const MAX_BODY: usize = 16 << 20;

/// A recording. Clones write to the same file.
#[derive(Clone)]
pub(crate) struct Recorder(Arc<Mutex<State>>);

struct State {
    file: HarFile,
    redactor: Redactor,
    /// The first write error. Nothing is recorded after an error.
    error: Option<std::io::Error>,
    /// A lock that prevents the end of the process while an entry is written. The thread that handles signals takes
    /// this lock before it ends the process.
    exit_lock: LastWords,
}

impl Recorder {
    /// Creates the file, and fails if the file exists. If `texts` is true, prompts and replies are recorded, too.
    pub fn create(path: &Path, texts: bool, exit_lock: LastWords) -> Result<Self, Exit> {
        let file = HarFile::create(path).map_err(|error| {
            let hint = match error.kind() {
                std::io::ErrorKind::AlreadyExists => "; name a file that does not exist",
                _ => "",
            };
            Exit::usage(format!(
                "cannot create --record {}: {error}{hint}",
                path.display()
            ))
        })?;
        Ok(Self(Arc::new(Mutex::new(State {
            file,
            redactor: Redactor::new(texts),
            error: None,
            exit_lock,
        }))))
    }

    /// Returns a transport that records what `inner` sends and receives.
    pub fn wrap(&self, inner: Arc<dyn Transport>) -> RecordingTransport {
        RecordingTransport {
            inner,
            recorder: self.clone(),
        }
    }

    /// Removes the file if no request was recorded. Returns a description of the first write error, if there was one.
    pub fn finish(&self) -> Option<String> {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        state.file.remove_if_empty();
        let error = state.error.take()?;
        let (path, entries) = (state.file.path().display(), state.file.entries());
        let rest = match entries {
            0 => "there is no recording".to_owned(),
            _ => format!("it contains the first {entries} requests"),
        };
        Some(format!("cannot write --record {path}: {error}; {rest}"))
    }

    fn add(&self, exchange: &Exchange) {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if state.error.is_some() {
            return;
        }
        let entry = exchange.entry(&mut state.redactor);
        let exit_lock = Arc::clone(&state.exit_lock);
        let _no_exit = exit_lock.lock().unwrap_or_else(PoisonError::into_inner);
        state.error = state.file.add(&entry).err();
    }
}

/// A transport that records the requests of a client and their responses.
pub(crate) struct RecordingTransport {
    inner: Arc<dyn Transport>,
    recorder: Recorder,
}

impl Transport for RecordingTransport {
    fn send(&self, request: Request<Body>) -> SendFuture<'_> {
        let mut exchange = Exchange::new(&request, self.recorder.clone());
        Box::pin(async move {
            let response = self.inner.send(request).await.inspect_err(|error| {
                exchange.is_connected = !error.is_never_sent();
            })?;
            exchange.response = Some(Received {
                status: response.status(),
                headers: response.headers().clone(),
                body: Vec::new(),
                size: 0,
                is_complete: false,
            });
            Ok(response.map(|body| Body::new(RecordedBody { body, exchange })))
        })
    }

    fn connect_timeout(&self) -> Option<Duration> {
        self.inner.connect_timeout()
    }
}

/// One request and its response. `Drop` records the exchange, so that a request is recorded even if
/// the command stops waiting for its response.
struct Exchange {
    recorder: Recorder,
    started: SystemTime,
    start: Instant,
    method: String,
    url: Url,
    headers: HeaderMap,
    body: Option<Bytes>,
    is_connected: bool,
    response: Option<Received>,
}

struct Received {
    status: http::StatusCode,
    headers: HeaderMap,
    body: Vec<u8>,
    /// Number of received bytes. The field `body` contains only the first [`MAX_BODY`] of these bytes.
    size: usize,
    is_complete: bool,
}

impl Exchange {
    fn new(request: &Request<Body>, recorder: Recorder) -> Self {
        let body = request.body().as_bytes();
        Self {
            recorder,
            started: SystemTime::now(),
            start: Instant::now(),
            method: request.method().to_string(),
            url: Url::parse(&request.uri().to_string()).expect("requests have absolute URLs"),
            headers: request.headers().clone(),
            body: body.map(Bytes::copy_from_slice),
            is_connected: true,
            response: None,
        }
    }

    /// Returns the exchange as an entry of a HAR file.
    fn entry(&self, redactor: &mut Redactor) -> Value {
        redactor.add_secrets(&self.headers);
        let time = self.start.elapsed().as_secs_f64() * 1000.0;
        let target = redactor.target(&self.url, &self.headers);
        let mut request = json!({
            "method": self.method, "url": target.url, "httpVersion": "HTTP/1.1", "cookies": [],
            "headers": redactor.request_headers(&self.headers), "queryString": target.query,
            "headersSize": -1, "bodySize": self.body.as_ref().map_or(0, Bytes::len),
        });
        if let Some(body) = &self.body {
            let content = redactor.content(body, &self.headers, None);
            request["postData"] = json!({
                "mimeType": content["mimeType"], "params": [],
                "text": content.get("text").unwrap_or(&json!("")),
            });
        }
        let mut entry = json!({
            "startedDateTime": humantime::format_rfc3339_millis(self.started).to_string(),
            "time": time, "request": request, "response": self.response(redactor), "cache": {},
            "timings": {"send": 0, "wait": time, "receive": 0},
        });
        if !self.is_connected {
            entry["_connected"] = json!(false);
        }
        entry
    }

    fn response(&self, redactor: &mut Redactor) -> Value {
        let Some(received) = &self.response else {
            return json!({
                "status": 0, "statusText": "", "httpVersion": "", "cookies": [], "headers": [],
                "content": {"size": 0, "mimeType": "x-unknown"}, "redirectURL": "",
                "headersSize": -1, "bodySize": -1,
            });
        };
        let mut content = redactor.content(&received.body, &received.headers, Some(&self.url));
        content["size"] = json!(received.size);
        let is_complete = received.is_complete && received.size == received.body.len();
        if received.size > received.body.len() {
            content["comment"] = json!(format!("only the first {MAX_BODY} bytes were recorded"));
        } else if !is_complete {
            content["comment"] = json!("the response was cut off");
        }
        let mut response = json!({
            "status": received.status.as_u16(),
            "statusText": received.status.canonical_reason().unwrap_or_default(),
            "httpVersion": "HTTP/1.1", "cookies": [],
            "headers": redactor.response_headers(&received.headers),
            "content": content, "redirectURL": "", "headersSize": -1, "bodySize": received.size,
        });
        if !is_complete {
            response["_complete"] = json!(false);
        }
        response
    }
}

impl Drop for Exchange {
    fn drop(&mut self) {
        self.recorder.clone().add(self);
    }
}

/// A response body that is recorded while the client reads it.
struct RecordedBody {
    body: Body,
    exchange: Exchange,
}

impl HttpBody for RecordedBody {
    type Data = Bytes;
    type Error = <Body as HttpBody>::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        let this = &mut *self;
        let polled = Pin::new(&mut this.body).poll_frame(context);
        let ended = matches!(polled, Poll::Ready(None)) || this.body.is_end_stream();
        if let Some(received) = &mut this.exchange.response {
            if let Poll::Ready(Some(Ok(frame))) = &polled
                && let Some(bytes) = frame.data_ref()
            {
                let space = MAX_BODY - received.body.len();
                received
                    .body
                    .extend_from_slice(&bytes[..space.min(bytes.len())]);
                received.size += bytes.len();
            }
            let failed = matches!(polled, Poll::Ready(Some(Err(_))));
            received.is_complete = ended && !failed;
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
