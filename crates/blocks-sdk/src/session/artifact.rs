//! Reads the data and the content of files and plans that an agent created.
//!
//! The content is on a storage host, at a presigned URL: a URL whose query grants access. All other requests of the
//! client go to the service. A request to the storage host never contains the API key.

use std::fmt;
use std::io;
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use blocks_api::open::Id;
use blocks_api::types;
use bytes::Bytes;
use chrono::Utc;
use futures_core::Stream;
use futures_util::stream::{BoxStream, StreamExt, unfold};
use http::header::{ACCEPT, ACCEPT_ENCODING, HeaderValue, USER_AGENT};
use http::{Request, Response, Uri};
use http_body::Body as _;
use reqwest::Url;
use tokio::io::{AsyncSeekExt, AsyncWriteExt};
use tokio::time::{sleep, timeout};

use crate::client::Client;
use crate::engine::body::Body;
use crate::engine::call::{Admission, Api, BoxFuture, Operation};
use crate::engine::effect::Prepared;
use crate::engine::error::{CallContext, Error, ErrorKind};
use crate::engine::failure::{innermost, no_connection, refusal, request_id};
use crate::engine::http::is_safe;
use crate::engine::key::Key;
use crate::engine::received::compression;
use crate::engine::response::ResponseInfo;
use crate::engine::retry_after::retry_after;
use crate::session::reference::SessionRef;

/// The operation name of a download in errors. The OpenAPI document has no such operation.
const DOWNLOAD: &str = "download";

/// Describes a file or a plan of a session, and downloads its content.
///
/// ```
/// # mod doctest { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doctest.rs")); }
/// # doctest::with_plan(async |session, client, mock| {
/// let plan = session.plans().await?.remove(0)?;
/// assert_eq!(plan.file_name(), Some("plan.md"));
/// assert_eq!(plan.bytes().await?, "1. Look.");
/// # Ok(()) });
/// ```
#[derive(Clone)]
pub struct Artifact {
    client: Client,
    session_id: Id,
    id: Id,
    data: Box<types::Artifact>,
    response: Arc<ResponseInfo>,
}

impl SessionRef {
    /// Reads an artifact that is attached to this session. The service has no operation that lists artifacts. The ids
    /// of plans are in [`Session::plan_ids`](crate::Session::plan_ids).
    ///
    /// # Errors
    /// Any error of the request, for example with the status 404 when the artifact is not attached to this session.
    ///
    /// ```
    /// # mod doctest { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doctest.rs")); }
    /// # doctest::with_plan(async |mut session, client, mock| {
    /// session.refresh().await?; // only a read returns the ids of plans
    /// let plan = session.artifact(&session.plan_ids()[0]).await?;
    /// assert_eq!(plan.id(), &session.plan_ids()[0]);
    /// # Ok(()) });
    /// ```
    pub async fn artifact(&self, id: impl Into<Id>) -> Result<Artifact, Error> {
        Artifact::read(self.client().clone(), self.id().clone(), id.into()).await
    }

    /// Reads the session, and then each plan of the session, oldest first. Each plan has its own result, so that the
    /// other plans are returned even if one plan cannot be read.
    ///
    /// # Errors
    /// Any error of the request that reads the session.
    ///
    /// ```
    /// # mod doctest { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doctest.rs")); }
    /// # doctest::with_plan(async |session, client, mock| {
    /// for plan in session.plans().await? {
    ///     println!("{}", plan?.file_name().unwrap_or("a plan"));
    /// }
    /// # assert_eq!(session.plans().await?.len(), 1);
    /// # Ok(()) });
    /// ```
    pub async fn plans(&self) -> Result<Vec<Result<Artifact, Error>>, Error> {
        let (data, _) = self.client().session_data(self.id()).await?;
        let mut plans = Vec::new();
        for id in data.plan_artifact_ids.unwrap_or_default() {
            plans.push(self.artifact(id).await);
        }
        Ok(plans)
    }
}

impl Artifact {
    fn read(client: Client, session_id: Id, id: Id) -> BoxFuture<'static, Result<Self, Error>> {
        Box::pin(async move {
            let operation = Operation::GET_ARTIFACT;
            let send = |api: Api| {
                let (session_id, id) = (session_id.clone(), id.clone());
                async move {
                    let request = api.get_artifact().session_id(session_id).artifact_id(id);
                    request.send().await
                }
            };
            let admission = Admission::Wait(operation.priority());
            let usable = |data: Box<types::Artifact>| match (&data.id, &data.url) {
                (None, None) => Err("the response has neither `id` nor `url`"),
                _ => Ok(data),
            };
            let data = client
                .engine
                .call_for(
                    operation,
                    admission,
                    Prepared::default(),
                    None,
                    usable,
                    send,
                )
                .await;
            let (data, response) = data.map_err(|error| error.with_session(&session_id))?;
            Ok(Self {
                data,
                response: Arc::new(response),
                client,
                session_id,
                id,
            })
        })
    }

    /// Returns all data that the service sent. Anyone who knows the `url` can read the content for 6 days.
    ///
    /// ```
    /// # mod doctest { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doctest.rs")); }
    /// # doctest::with_plan(async |session, client, mock| {
    /// use blocks_sdk::ArtifactKind;
    ///
    /// let plan = session.plans().await?.remove(0)?;
    /// assert_eq!(plan.data().kind, Some(ArtifactKind::Plan));
    /// assert_eq!(plan.data().mime_type.as_deref(), Some("text/markdown"));
    /// # Ok(()) });
    /// ```
    pub fn data(&self) -> &types::Artifact {
        &self.data
    }

    /// Returns the status and the headers of the response that contained this data.
    pub fn response(&self) -> &ResponseInfo {
        &self.response
    }

    /// Returns the id.
    pub fn id(&self) -> &Id {
        &self.id
    }

    /// Returns the file name that the agent chose. Check the name before you use the name as a path, because it may
    /// contain `..`.
    ///
    /// ```
    /// # mod doctest { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doctest.rs")); }
    /// # doctest::with_plan(async |session, client, mock| {
    /// let plan = session.plans().await?.remove(0)?;
    /// let name = plan.file_name().unwrap_or_default();
    /// // Use only the last part of the path, so that the file cannot be outside of the folder.
    /// let safe = std::path::Path::new(name).file_name();
    /// assert_eq!(safe, Some("plan.md".as_ref()));
    /// # Ok(()) });
    /// ```
    pub fn file_name(&self) -> Option<&str> {
        self.data.file_name.as_deref()
    }

    /// Streams the content. If the URL has expired, the client requests a new URL once. If no piece of the content
    /// arrives within the time-out of an attempt ([`attempt_timeout`](crate::ClientBuilder::attempt_timeout)), the
    /// download fails. The whole download has no time-out.
    ///
    /// # Errors
    /// An error response of the storage host, a compressed response, a failed connection, a URL that is missing or not
    /// allowed, or an error of the request for a new URL. If the download fails after this method returned, the last
    /// item of the stream is an error. Then the pieces before this error are not the whole file.
    ///
    /// ```
    /// # mod doctest { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doctest.rs")); }
    /// # doctest::with_plan(async |session, client, mock| {
    /// let plan = session.plans().await?.remove(0)?;
    /// let mut pieces = plan.stream().await?;
    /// let mut length = 0;
    /// while let Some(piece) = pieces.next().await {
    ///     length += piece?.len();
    /// }
    /// assert_eq!(length, "1. Look.".len());
    /// # Ok(()) });
    /// ```
    pub async fn stream(&self) -> Result<Download, Error> {
        let mut attempts = 0;
        let (response, host) = self.open(&mut attempts).await?;
        let length = response.body().size_hint().exact();
        // A `select!` may poll the stream again after its end.
        let pieces = self.pieces(response, attempts, host).fuse().boxed();
        Ok(Download { pieces, length })
    }

    /// Streams the content of a response of `host` in pieces.
    fn pieces(
        &self,
        response: Response<Body>,
        attempts: u32,
        host: Option<String>,
    ) -> impl Stream<Item = Result<Bytes, Error>> + Send + use<> {
        let expected = response.body().size_hint().exact();
        let each = self.client.engine.timeouts.read;
        let end = (host, self.client.engine.core.key.clone());
        unfold(Some((response, 0, end)), move |state| async move {
            let (mut response, read, (host, key)) = state?;
            let end = |kind, detail| failed(kind, detail, attempts, host.clone(), &key);
            let chunk = timeout(each, response.body_mut().chunk()).await;
            let error = match chunk {
                Ok(Ok(Some(chunk))) => {
                    let read = read + chunk.len() as u64;
                    return Some((Ok(chunk), Some((response, read, (host, key)))));
                }
                Ok(Ok(None)) if expected.is_none_or(|expected| expected == read) => return None,
                Ok(Ok(None)) => {
                    let detail = "the file ended before its announced length".to_owned();
                    end(ErrorKind::Connection, detail)
                }
                Ok(Err(source)) => {
                    let cause = innermost(source.as_ref());
                    let detail =
                        format!("the connection closed before the file was complete: {cause}");
                    end(ErrorKind::Connection, detail).with_boxed_source(source)
                }
                Err(_) => end(ErrorKind::Timeout, format!("no data for {each:?}")),
            };
            Some((Err(error), None))
        })
    }

    /// Reads the content into memory. The limit is [`max_body`](crate::ClientBuilder::max_body), by default 16 MiB. Use
    /// [`stream`](Self::stream) or [`save`](Self::save) for larger files.
    ///
    /// # Errors
    /// The errors of [`stream`](Self::stream), and [`ErrorKind::TooLarge`] when the content exceeds the limit.
    ///
    /// ```
    /// # mod doctest { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doctest.rs")); }
    /// # doctest::with_plan(async |session, client, mock| {
    /// let plan = session.plans().await?.remove(0)?;
    /// assert_eq!(plan.bytes().await?, "1. Look.");
    /// # Ok(()) });
    /// ```
    pub async fn bytes(&self) -> Result<Bytes, Error> {
        let mut attempts = 0;
        loop {
            let (response, host) = self.open(&mut attempts).await?;
            match self.collect(response, attempts, host).await {
                Err(error) if self.may_repeat(&error, attempts) => {
                    self.pause(&error, attempts).await;
                }
                result => return result,
            }
        }
    }

    async fn collect(
        &self,
        response: Response<Body>,
        attempts: u32,
        host: Option<String>,
    ) -> Result<Bytes, Error> {
        let core = &self.client.engine.core;
        let mut stream = std::pin::pin!(self.pieces(response, attempts, host.clone()));
        let mut all = Vec::new();
        while let Some(chunk) = stream.next().await {
            all.extend_from_slice(&chunk?);
            if all.len() > core.max_body {
                let most = core.max_body;
                let detail = format!("the file is larger than {most} bytes; stream it or save it");
                return Err(failed(
                    ErrorKind::TooLarge,
                    detail,
                    attempts,
                    host,
                    &core.key,
                ));
            }
        }
        Ok(all.into())
    }

    /// Returns whether to restart a download that failed with `error` after it had started.
    fn may_repeat(&self, error: &Error, attempts: u32) -> bool {
        let is_cut = matches!(error.kind(), ErrorKind::Connection | ErrorKind::Timeout);
        is_cut && attempts < self.client.engine.retry.max_attempts
    }

    /// Returns whether to request the content again after `error`. The content is not requested again if the storage
    /// host asks with `Retry-After` for a pause that is longer than the time-out of a call that reads, by default 2
    /// minutes.
    fn is_passing(&self, error: &Error) -> bool {
        let longest = self
            .client
            .engine
            .retry
            .timeout_of(false, self.client.engine.timeouts);
        let requested = error.retry_after().unwrap_or_default();
        let is_encoded = error.kind() == ErrorKind::Undecodable;
        error.is_transient() && !is_encoded && requested <= longest
    }

    /// Waits before the next attempt. The pause is the backoff, or the `Retry-After` of the storage host if that is
    /// longer. A `Retry-After` is shortened to `max_retry_after` of the retry policy.
    async fn pause(&self, error: &Error, attempt: u32) {
        let backoff = self.client.engine.retry.backoff(attempt, fastrand::f64());
        let requested = error.retry_after().unwrap_or_default();
        sleep(backoff.max(requested.min(self.client.engine.retry.max_retry_after))).await;
    }

    /// Writes the content to a new file. On Unix, only this user can read the file. Until the whole content is on the
    /// disk, the file has a temporary name. If a file already exists at `path`, this method fails and does not
    /// overwrite it. A download that is cut off is restarted, up to the retry policy's number of attempts. Dropping the
    /// future removes the partial file.
    ///
    /// # Errors
    /// The errors of [`stream`](Self::stream), and [`ErrorKind::File`] when the file cannot be written, for example
    /// because the disk is full.
    ///
    /// ```
    /// # mod doctest { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doctest.rs")); }
    /// # doctest::with_plan(async |session, client, mock| {
    /// let plan = session.plans().await?.remove(0)?;
    /// # let folder = std::env::temp_dir();
    /// let path = folder.join(format!("{}.md", plan.id()));
    /// plan.save(&path).await?;
    /// assert_eq!(std::fs::read_to_string(&path).unwrap(), "1. Look.");
    /// assert!(plan.save(&path).await.is_err(), "the file is there already");
    /// # std::fs::remove_file(path).unwrap();
    /// # Ok(()) });
    /// ```
    pub async fn save(&self, path: impl AsRef<Path>) -> Result<(), Error> {
        let path = path.as_ref();
        let failed = |source: io::Error| {
            let detail = format!("cannot write {}: {source}", path.display());
            Error::file(detail, source)
        };
        // The path is checked before the download, so that nothing is downloaded if a file already exists there.
        // `persist_noclobber` checks again, because another program may create the file during the download.
        if path.symlink_metadata().is_ok() {
            return Err(failed(io::ErrorKind::AlreadyExists.into()));
        }
        let folder = path
            .parent()
            .filter(|folder| !folder.as_os_str().is_empty());
        let partial = tempfile::Builder::new()
            .prefix(".blocks-")
            .suffix(".part")
            .tempfile_in(folder.unwrap_or(Path::new(".")))
            .map_err(failed)?;
        let (file, partial) = partial.into_parts();
        let mut file = tokio::fs::File::from_std(file);
        let mut attempts = 0;
        loop {
            let (response, host) = self.open(&mut attempts).await?;
            let pieces = self.pieces(response, attempts, host);
            match write_all(pieces, &mut file, failed).await {
                Err(error) if self.may_repeat(&error, attempts) => {
                    self.pause(&error, attempts).await;
                }
                result => break result?,
            }
            file.set_len(0).await.map_err(failed)?;
            file.rewind().await.map_err(failed)?;
        }
        // tokio writes in the background, and reports a failed write at the next write or flush, but not at `sync_all`.
        // So the file is flushed first.
        file.flush().await.map_err(failed)?;
        file.sync_all().await.map_err(failed)?;
        // The file is closed first, because some systems cannot rename an open file.
        drop(file.into_std().await);
        partial
            .persist_noclobber(path)
            .map_err(|error| failed(error.error))
    }

    /// Requests the content and returns the response and its host. Repeats the request after a temporary error, such as
    /// a 503, up to the retry policy's number of attempts. If the presigned URL has expired, requests a new URL once.
    async fn open(&self, attempts: &mut u32) -> Result<(Response<Body>, Option<String>), Error> {
        let mut renewed = None;
        loop {
            let artifact = renewed.as_ref().unwrap_or(self);
            *attempts += 1;
            match artifact.open_once(*attempts).await {
                // The storage host sends this status when a presigned URL has expired.
                Err(error) if error.status() == Some(403) && renewed.is_none() => {
                    let (session, id) = (self.session_id.clone(), self.id.clone());
                    renewed = Some(Self::read(self.client.clone(), session, id).await?);
                    // The request with the expired URL does not count as an attempt.
                    *attempts -= 1;
                }
                Err(error)
                    if self.is_passing(&error)
                        && *attempts < self.client.engine.retry.max_attempts =>
                {
                    self.pause(&error, *attempts).await;
                }
                // A new URL may have another host than the expired URL.
                result => return result.map(|response| (response, artifact.host())),
            }
        }
    }

    /// Returns the host of the content's URL; `None` if the URL has no host or cannot be read.
    fn host(&self) -> Option<String> {
        let url = Url::parse(self.data.url.as_ref()?.as_str()).ok()?;
        url.host_str().map(str::to_owned)
    }

    /// Sends one request for the content, without the key.
    async fn open_once(&self, attempts: u32) -> Result<Response<Body>, Error> {
        let core = &self.client.engine.core;
        let url = self.data.url.as_ref().map_or("", |url| url.as_str());
        let refused = |why: String| Error::untrusted_link(why).with_session(&self.session_id);
        let url = Url::parse(url)
            .map_err(|e| refused(format!("cannot read the URL of artifact {}: {e}", self.id)))?;
        if !is_safe(&url, core.allow_http) {
            return Err(refused(format!(
                "the URL of artifact {} is not https, so others on the network could read the file",
                self.id
            )));
        }
        let host = url.host_str().map(str::to_owned);
        let uri = Uri::try_from(url.as_str())
            .map_err(|e| refused(format!("cannot use the URL of artifact {}: {e}", self.id)))?;
        let mut request = Request::new(Body::empty());
        *request.uri_mut() = uri;
        let headers = request.headers_mut();
        headers.insert(USER_AGENT, core.user_agent.clone());
        headers.insert(ACCEPT, HeaderValue::from_static("*/*"));
        headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
        let each = self.client.engine.timeouts.read;
        let context = || CallContext {
            operation: DOWNLOAD,
            attempts,
            host: host.clone(),
            ..CallContext::default()
        };
        let error = |kind, detail| Error::of_call(kind, detail, context(), &core.key);
        let mut response = match timeout(each, core.downloads.send(request)).await {
            Ok(Ok(response)) => response,
            Ok(Err(source)) => {
                let detail = match source.is_never_sent() {
                    true => no_connection(&source, host.as_deref().unwrap_or_default()),
                    false => format!("cannot download the file: {}", innermost(&source)),
                };
                return Err(error(ErrorKind::Connection, detail).with_source(source));
            }
            Err(_) => {
                return Err(error(
                    ErrorKind::Timeout,
                    format!("no response within {each:?}"),
                ));
            }
        };
        if !response.status().is_success() {
            let body = start_of_body(&mut response, each).await;
            let headers = response.headers();
            let context = CallContext {
                status: Some(response.status().as_u16()),
                request_id: request_id(headers).map(str::to_owned),
                retry_after: retry_after(headers, Utc::now()),
                compression: compression(headers, &body),
                body: Some(body),
                ..context()
            };
            let refusal = refusal(response.status(), headers);
            let detail = format!("the storage host responded with {refusal}");
            let error = Error::of_call(ErrorKind::Status, detail, context, &core.key);
            return Err(error.with_session(&self.session_id));
        }
        if let Some(compression) = compression(response.headers(), &[]) {
            let context = CallContext {
                compression: Some(compression),
                ..context()
            };
            let detail = "the file cannot be used".to_owned();
            return Err(Error::of_call(
                ErrorKind::Undecodable,
                detail,
                context,
                &core.key,
            ));
        }
        Ok(response)
    }
}

/// Streams the content of an artifact; see [`Artifact::stream`].
#[must_use = "a stream reads nothing until it is polled"]
pub struct Download {
    pieces: BoxStream<'static, Result<Bytes, Error>>,
    length: Option<u64>,
}

impl Download {
    /// Returns the next piece of the content; `None` at the end.
    pub async fn next(&mut self) -> Option<Result<Bytes, Error>> {
        StreamExt::next(&mut self.pieces).await
    }

    /// Returns the length of the whole file, if the response of the storage host contains a header with this length.
    pub fn length(&self) -> Option<u64> {
        self.length
    }
}

impl Stream for Download {
    type Item = Result<Bytes, Error>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.pieces.as_mut().poll_next(context)
    }
}

impl fmt::Debug for Download {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Download")
            .field("length", &self.length)
            .finish_non_exhaustive()
    }
}

async fn write_all(
    pieces: impl Stream<Item = Result<Bytes, Error>>,
    file: &mut tokio::fs::File,
    failed: impl Fn(io::Error) -> Error,
) -> Result<(), Error> {
    let mut pieces = std::pin::pin!(pieces);
    while let Some(piece) = pieces.next().await {
        file.write_all(&piece?).await.map_err(&failed)?;
    }
    Ok(())
}

/// Reads at most the first 64 KiB of an error response. This is enough for the text of the error.
async fn start_of_body(response: &mut Response<Body>, each: Duration) -> Bytes {
    const MOST: usize = 64 << 10;
    let mut body = Vec::new();
    let read = async {
        while body.len() < MOST
            && let Ok(Some(chunk)) = response.body_mut().chunk().await
        {
            let room = MOST - body.len();
            body.extend_from_slice(&chunk[..chunk.len().min(room)]);
        }
    };
    // If the time-out passes, the part that arrived before it is kept.
    let _ = timeout(each, read).await;
    body.into()
}

/// Creates the error of a download that failed after it had started.
fn failed(
    kind: ErrorKind,
    detail: String,
    attempts: u32,
    host: Option<String>,
    key: &Key,
) -> Error {
    let context = CallContext {
        operation: DOWNLOAD,
        attempts,
        host,
        ..CallContext::default()
    };
    Error::of_call(kind, detail, context, key)
}

impl fmt::Debug for Artifact {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Artifact")
            .field("session_id", &self.session_id)
            .field("id", &self.id)
            .field("file_name", &self.data.file_name)
            .field("url", &self.data.url)
            .finish_non_exhaustive()
    }
}
