//! Files and plans that an agent made: what they are, and their bytes.
//!
//! The bytes lie on a storage host behind a presigned URL. That is the one request to a
//! foreign host, and it never carries the API key.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use blocks_api::open::Id;
use blocks_api::types;
use bytes::Bytes;
use futures_core::Stream;
use futures_util::stream::{StreamExt, unfold};
use reqwest::header::{HeaderValue, USER_AGENT};
use reqwest::{Method, Request, Response, Url};
use tokio::io::AsyncWriteExt;
use tokio::time::timeout;
use uuid::Uuid;

use crate::builder::is_safe;
use crate::call::{Admission, Api, Operation};
use crate::client::Client;
use crate::error::{Context, Error, ErrorKind};
use crate::key::Key;
use crate::session::Session;

/// How errors of a download name it: it is no operation of the document.
const DOWNLOAD: &str = "download";

/// A file or a plan of a session: what the service says of it, and its bytes.
///
/// ```
/// # #[tokio::main(flavor = "current_thread", start_paused = true)]
/// # async fn main() -> Result<(), blocks_sdk::Error> {
/// # let plan = blocks_mock::Action::Plan { file_name: "plan.md".into(), text: "1. Look.".into() };
/// # let script = blocks_mock::Script::default().at(std::time::Duration::ZERO, plan);
/// # let mock = blocks_mock::Mock::builder().agent(script).build();
/// # let client = blocks_sdk::Client::builder(mock.key()).service(mock.service()).build()?;
/// # let request = blocks_sdk::CreateSession::new(blocks_sdk::Agent::claude(), "Go.");
/// # let session = client.create_session(request).await?;
/// let plans = session.plans().await?;
/// assert_eq!(plans[0].file_name(), Some("plan.md"));
/// assert_eq!(plans[0].bytes().await?, "1. Look.");
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Artifact {
    client: Client,
    session_id: Id,
    id: Id,
    data: types::Artifact,
}

impl Session {
    /// An artifact that is attached to this session. There is no list: ids come from
    /// [`plan_ids`](Self::plan_ids).
    ///
    /// # Errors
    /// Status 404 when it is not attached to this session.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)]
    /// # async fn main() -> Result<(), blocks_sdk::Error> {
    /// # let plan = blocks_mock::Action::Plan { file_name: "plan.md".into(), text: "1. Look.".into() };
    /// # let script = blocks_mock::Script::default().at(std::time::Duration::ZERO, plan);
    /// # let mock = blocks_mock::Mock::builder().agent(script).build();
    /// # let client = blocks_sdk::Client::builder(mock.key()).service(mock.service()).build()?;
    /// # let request = blocks_sdk::CreateSession::new(blocks_sdk::Agent::claude(), "Go.");
    /// # let session = client.create_session(request).await?;
    /// let mut session = session;
    /// session.refresh().await?; // plans are known once the session is read
    /// let plan = session.artifact(&session.plan_ids()[0]).await?;
    /// assert_eq!(plan.id(), &session.plan_ids()[0]);
    /// # Ok(())
    /// # }
    /// ```
    pub async fn artifact(&self, id: impl Into<Id>) -> Result<Artifact, Error> {
        Artifact::read(self.client().clone(), self.id().clone(), id.into()).await
    }

    /// The plans as of now, oldest first. Reads the session, then each plan.
    ///
    /// # Errors
    /// Whatever a request met.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)]
    /// # async fn main() -> Result<(), blocks_sdk::Error> {
    /// # let plan = blocks_mock::Action::Plan { file_name: "plan.md".into(), text: "1. Look.".into() };
    /// # let script = blocks_mock::Script::default().at(std::time::Duration::ZERO, plan);
    /// # let mock = blocks_mock::Mock::builder().agent(script).build();
    /// # let client = blocks_sdk::Client::builder(mock.key()).service(mock.service()).build()?;
    /// # let request = blocks_sdk::CreateSession::new(blocks_sdk::Agent::claude(), "Go.");
    /// # let session = client.create_session(request).await?;
    /// for plan in session.plans().await? {
    ///     println!("{}", plan.file_name().unwrap_or("a plan"));
    /// }
    /// # assert_eq!(session.plans().await?.len(), 1);
    /// # Ok(())
    /// # }
    /// ```
    pub async fn plans(&self) -> Result<Vec<Artifact>, Error> {
        let data = self.client().session_data(self.id()).await?;
        let mut plans = Vec::new();
        for id in data.plan_artifact_ids.unwrap_or_default() {
            plans.push(self.artifact(id).await?);
        }
        Ok(plans)
    }
}

impl Artifact {
    async fn read(client: Client, session_id: Id, id: Id) -> Result<Self, Error> {
        let operation = Operation::GET_ARTIFACT;
        let send = |api: Api| {
            let (session_id, id) = (session_id.clone(), id.clone());
            async move {
                let request = api.get_artifact().session_id(session_id).artifact_id(id);
                request.send().await
            }
        };
        let admission = Admission::Wait(operation.priority());
        let usable = |data: types::Artifact| match (&data.id, &data.url) {
            (None, None) => Err("the response has neither `id` nor `url`"),
            _ => Ok(data),
        };
        let data = client
            .call_for(operation, admission, None, usable, send)
            .await;
        Ok(Self {
            data: data.map_err(|error| error.with_session(&session_id))?,
            client,
            session_id,
            id,
        })
    }

    /// Everything the service sent. Its `url` gives access to whoever has it, for 6 days.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)]
    /// # async fn main() -> Result<(), blocks_sdk::Error> {
    /// # let plan = blocks_mock::Action::Plan { file_name: "plan.md".into(), text: "1. Look.".into() };
    /// # let script = blocks_mock::Script::default().at(std::time::Duration::ZERO, plan);
    /// # let mock = blocks_mock::Mock::builder().agent(script).build();
    /// # let client = blocks_sdk::Client::builder(mock.key()).service(mock.service()).build()?;
    /// # let request = blocks_sdk::CreateSession::new(blocks_sdk::Agent::claude(), "Go.");
    /// # let session = client.create_session(request).await?;
    /// use blocks_sdk::ArtifactKind;
    ///
    /// let plan = session.plans().await?.remove(0);
    /// assert_eq!(plan.data().kind, Some(ArtifactKind::Plan));
    /// assert_eq!(plan.data().mime_type.as_deref(), Some("text/markdown"));
    /// # Ok(())
    /// # }
    /// ```
    pub fn data(&self) -> &types::Artifact {
        &self.data
    }

    /// Its id.
    pub fn id(&self) -> &Id {
        &self.id
    }

    /// Its name, as the agent gave it: not a path to trust.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)]
    /// # async fn main() -> Result<(), blocks_sdk::Error> {
    /// # let plan = blocks_mock::Action::Plan { file_name: "plan.md".into(), text: "1. Look.".into() };
    /// # let script = blocks_mock::Script::default().at(std::time::Duration::ZERO, plan);
    /// # let mock = blocks_mock::Mock::builder().agent(script).build();
    /// # let client = blocks_sdk::Client::builder(mock.key()).service(mock.service()).build()?;
    /// # let request = blocks_sdk::CreateSession::new(blocks_sdk::Agent::claude(), "Go.");
    /// # let session = client.create_session(request).await?;
    /// let plan = session.plans().await?.remove(0);
    /// let name = plan.file_name().unwrap_or_default();
    /// // Only the last part, so that it cannot lead out of a folder.
    /// let safe = std::path::Path::new(name).file_name();
    /// assert_eq!(safe, Some("plan.md".as_ref()));
    /// # Ok(())
    /// # }
    /// ```
    pub fn file_name(&self) -> Option<&str> {
        self.data.file_name.as_deref()
    }

    /// Its bytes as they arrive. A URL that has expired is renewed once.
    /// Each piece has the attempt's time-out; the whole has none but yours.
    ///
    /// # Errors
    /// What the storage host answered, or a broken connection; also as an item of the
    /// stream, after which nothing follows. What was read before is then not whole.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)]
    /// # async fn main() -> Result<(), blocks_sdk::Error> {
    /// # let plan = blocks_mock::Action::Plan { file_name: "plan.md".into(), text: "1. Look.".into() };
    /// # let script = blocks_mock::Script::default().at(std::time::Duration::ZERO, plan);
    /// # let mock = blocks_mock::Mock::builder().agent(script).build();
    /// # let client = blocks_sdk::Client::builder(mock.key()).service(mock.service()).build()?;
    /// # let request = blocks_sdk::CreateSession::new(blocks_sdk::Agent::claude(), "Go.");
    /// # let session = client.create_session(request).await?;
    /// use futures_util::StreamExt;
    ///
    /// let plan = session.plans().await?.remove(0);
    /// let mut pieces = std::pin::pin!(plan.stream().await?);
    /// let mut length = 0;
    /// while let Some(piece) = pieces.next().await {
    ///     length += piece?.len();
    /// }
    /// assert_eq!(length, "1. Look.".len());
    /// # Ok(())
    /// # }
    /// ```
    pub async fn stream(&self) -> Result<impl Stream<Item = Result<Bytes, Error>> + Send, Error> {
        let response = match self.open().await {
            // The storage host says so when a presigned URL has expired.
            Err(error) if error.status() == Some(403) => {
                let client = self.client.clone();
                let renewed = Self::read(client, self.session_id.clone(), self.id.clone()).await?;
                renewed.open().await?
            }
            result => result?,
        };
        let expected = response.content_length();
        let each = self.client.timeouts.read;
        let key = self.client.core.key.clone();
        Ok(unfold(Some((response, 0, key)), move |state| async move {
            let (mut response, read, key) = state?;
            let chunk = timeout(each, response.chunk()).await;
            match chunk {
                Ok(Ok(Some(chunk))) => {
                    let read = read + chunk.len() as u64;
                    Some((Ok(chunk), Some((response, read, key))))
                }
                Ok(Ok(None)) if expected.is_none_or(|expected| expected == read) => None,
                Ok(Ok(None)) => Some((Err(broken("it ended too early".into(), &key)), None)),
                Ok(Err(source)) => {
                    let detail = "the connection broke in the middle".to_owned();
                    let error = broken(detail, &key).with_source(source.without_url());
                    Some((Err(error), None))
                }
                Err(_) => {
                    let error = broken(format!("nothing came for {each:?}"), &key);
                    Some((Err(error), None))
                }
            }
        }))
    }

    /// Its bytes, in memory: at most [`max_body`](crate::ClientBuilder::max_body), 16 MiB
    /// unless set. What may be larger goes through [`stream`](Self::stream) or
    /// [`save`](Self::save), which have no limit.
    ///
    /// # Errors
    /// Those of [`stream`](Self::stream), and that it is larger.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)]
    /// # async fn main() -> Result<(), blocks_sdk::Error> {
    /// # let plan = blocks_mock::Action::Plan { file_name: "plan.md".into(), text: "1. Look.".into() };
    /// # let script = blocks_mock::Script::default().at(std::time::Duration::ZERO, plan);
    /// # let mock = blocks_mock::Mock::builder().agent(script).build();
    /// # let client = blocks_sdk::Client::builder(mock.key()).service(mock.service()).build()?;
    /// # let request = blocks_sdk::CreateSession::new(blocks_sdk::Agent::claude(), "Go.");
    /// # let session = client.create_session(request).await?;
    /// let plan = session.plans().await?.remove(0);
    /// assert_eq!(plan.bytes().await?, "1. Look.");
    /// # Ok(())
    /// # }
    /// ```
    pub async fn bytes(&self) -> Result<Bytes, Error> {
        let core = &self.client.core;
        let mut stream = std::pin::pin!(self.stream().await?);
        let mut all = Vec::new();
        while let Some(chunk) = stream.next().await {
            all.extend_from_slice(&chunk?);
            if all.len() > core.max_body {
                let most = core.max_body;
                let detail = format!("it is larger than {most} bytes; stream it or save it");
                return Err(broken(detail, &core.key));
            }
        }
        Ok(all.into())
    }

    /// Writes its bytes to a new file: whole, or not at all. A file that is there already is
    /// an error, not overwritten.
    ///
    /// # Errors
    /// Those of [`stream`](Self::stream); [`ErrorKind::File`] when the file cannot be written.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)]
    /// # async fn main() -> Result<(), blocks_sdk::Error> {
    /// # let plan = blocks_mock::Action::Plan { file_name: "plan.md".into(), text: "1. Look.".into() };
    /// # let script = blocks_mock::Script::default().at(std::time::Duration::ZERO, plan);
    /// # let mock = blocks_mock::Mock::builder().agent(script).build();
    /// # let client = blocks_sdk::Client::builder(mock.key()).service(mock.service()).build()?;
    /// # let request = blocks_sdk::CreateSession::new(blocks_sdk::Agent::claude(), "Go.");
    /// # let session = client.create_session(request).await?;
    /// let plan = session.plans().await?.remove(0);
    /// # let folder = std::env::temp_dir();
    /// let path = folder.join(format!("{}.md", plan.id()));
    /// plan.save(&path).await?;
    /// assert_eq!(std::fs::read_to_string(&path).unwrap(), "1. Look.");
    /// assert!(plan.save(&path).await.is_err(), "the file is there already");
    /// # std::fs::remove_file(path).unwrap();
    /// # Ok(())
    /// # }
    /// ```
    pub async fn save(&self, path: impl AsRef<Path>) -> Result<(), Error> {
        let path = path.as_ref();
        let failed = |source| Error::file(format!("{} cannot be written", path.display()), source);
        // Reserves the name first, so that nobody else's file is lost when it is renamed over.
        let (reserved, _) = Unfinished::create(path).await.map_err(failed)?;
        let mut name = path.as_os_str().to_owned();
        name.push(format!(".{}.part", Uuid::new_v4()));
        let (partial, mut file) = Unfinished::create(name.as_ref()).await.map_err(failed)?;
        let mut stream = std::pin::pin!(self.stream().await?);
        while let Some(chunk) = stream.next().await {
            file.write_all(&chunk?).await.map_err(failed)?;
        }
        file.sync_all().await.map_err(failed)?;
        // Some systems rename no file that is open.
        drop(file);
        tokio::fs::rename(&partial.path, path)
            .await
            .map_err(failed)?;
        partial.finished();
        reserved.finished();
        Ok(())
    }

    /// The response that carries its bytes, asked for without the key.
    async fn open(&self) -> Result<Response, Error> {
        let core = &self.client.core;
        let url = self.data.url.as_ref().map_or("", |url| url.as_str());
        let url = Url::parse(url)
            .map_err(|e| Error::invalid_input(format!("the artifact's URL cannot be read: {e}")))?;
        if !is_safe(&url, core.allow_http) {
            return Err(Error::invalid_input(
                "the artifact's URL is not https, so anyone on the way could read the file",
            ));
        }
        let mut request = Request::new(Method::GET, url);
        let headers = request.headers_mut();
        headers.insert(USER_AGENT, core.user_agent.clone());
        headers.insert(reqwest::header::ACCEPT, HeaderValue::from_static("*/*"));
        let each = self.client.timeouts.read;
        let mut response = match timeout(each, core.transport.send(request)).await {
            Ok(Ok(response)) => response,
            Ok(Err(source)) => {
                return Err(broken(source.to_string(), &core.key).with_source(source));
            }
            Err(_) => {
                let detail = format!("no answer came within {each:?}");
                return Err(broken(detail, &core.key));
            }
        };
        if response.status().is_success() {
            return Ok(response);
        }
        let context = Context {
            operation: DOWNLOAD,
            attempts: 1,
            status: Some(response.status().as_u16()),
            body: Some(beginning(&mut response, each).await),
            ..Context::default()
        };
        let detail = format!("the storage host answered {}", response.status());
        let error = Error::of_call(ErrorKind::Status, detail, context, &core.key);
        Err(error.with_session(&self.session_id))
    }
}

/// A new file that is removed again unless it is finished, also when the save is dropped.
struct Unfinished {
    path: PathBuf,
    finished: bool,
}

impl Unfinished {
    async fn create(path: &Path) -> io::Result<(Self, tokio::fs::File)> {
        let file = tokio::fs::File::create_new(path).await?;
        let path = path.to_owned();
        let finished = false;
        Ok((Self { path, finished }, file))
    }

    fn finished(mut self) {
        self.finished = true;
    }
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        if !self.finished {
            // Best effort: why it was not finished is what there is to tell.
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

/// What the storage host says of its refusal: enough for a person, however much comes.
async fn beginning(response: &mut Response, each: Duration) -> Bytes {
    const MOST: usize = 64 << 10;
    let mut body = Vec::new();
    let read = async {
        while body.len() < MOST
            && let Ok(Some(chunk)) = response.chunk().await
        {
            let room = MOST - body.len();
            body.extend_from_slice(&chunk[..chunk.len().min(room)]);
        }
    };
    // What came until then is kept.
    let _ = timeout(each, read).await;
    body.into()
}

fn broken(detail: String, key: &Key) -> Error {
    let context = Context {
        operation: DOWNLOAD,
        attempts: 1,
        ..Context::default()
    };
    Error::of_call(ErrorKind::Connection, detail, context, key)
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
