//! The pending file, which the option `--pending` names. The file stores the ids and the link with which a later
//! command finds a reply that was not received yet.
//!
//! `run` and `send` write the file after the service has accepted the prompt, or may have accepted it in a session
//! whose id was received. `run` and `send` remove the file after they have printed the reply. `blocks wait --pending`
//! reads the file, and marks it as replied after it has printed the reply. With `--correct`, all three commands replace
//! the file after they have sent a correction. `run` and `send` may replace a file that is marked as replied. If the
//! path is a symbolic link, all commands use the file to which the link refers, and leave the link unchanged.

use std::path::Path;

use blocks_sdk::{Id, Pending};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::exit::Exit;
use crate::files::{NewFile, resolve};
use crate::host::Host;
use crate::input;
use crate::report::TurnReport;

/// Content of the pending file.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Content {
    /// Id of the session.
    pub session_id: String,
    /// Id of the prompt's thread, which contains the messages of the turn. `None` if the service named no thread.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub thread_id: Option<String>,
    /// Id of the thread of the prompt that was the newest before a follow-up was sent. Only set if the outcome of the
    /// follow-up is unknown. If this thread is still the newest, the service has not accepted the follow-up, and the
    /// reply in this thread is the reply to the older prompt. A hash of the follow-up would not show this, because a
    /// nightly job sends the same text each time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub previous_thread_id: Option<String>,
    /// Link to the reply. Without a link, the file refers to the session's newest prompt.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub final_message: Option<String>,
    /// Whether the reply was already printed. Then there is nothing left to wait for.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub replied: bool,
}

impl Content {
    /// Describes a prompt that was sent. `previous` is the thread for `previous_thread_id`. Returns `None` if the
    /// report contains no session id.
    pub fn new(
        report: &TurnReport,
        pending: Option<&Pending>,
        previous: Option<&Id>,
    ) -> Option<Self> {
        let stored = pending.and_then(|pending| serde_json::to_value(pending).ok());
        let link = stored
            .as_ref()
            .and_then(|value| value["final_message"].as_str());
        Some(Self {
            session_id: report.session_id.clone()?,
            thread_id: report.thread_id.clone(),
            previous_thread_id: previous.map(ToString::to_string),
            final_message: link.map(str::to_owned),
            replied: false,
        })
    }

    /// Returns the SDK's handle to the reply, if the file contains the link to the reply.
    pub fn pending(&self) -> Result<Option<Pending>, serde_json::Error> {
        if self.final_message.is_none() {
            return Ok(None);
        }
        let value: Value = serde_json::to_value(self)?;
        serde_json::from_value(value).map(Some)
    }
}

/// A new pending file, which has a temporary name until it is written. The command creates the file before it sends
/// anything. If the path cannot be written, the command then ends with a usage error.
pub struct PendingFile(NewFile);

impl PendingFile {
    /// Creates the file under a temporary name beside the file that `path` names.
    ///
    /// # Errors
    /// A usage error: the file exists and is not marked as replied, or the file cannot be written.
    pub fn create(path: &Path) -> Result<Self, Exit> {
        let wrong = |what: &str| {
            let path = path.display();
            Exit::usage(format!("--pending {path}: {what}; nothing was sent"))
        };
        if path == Path::new("-") {
            return Err(wrong("a file is needed"));
        }
        let file = resolve(path);
        if file.symlink_metadata().is_ok() {
            match existing(&file) {
                Some(Content { replied: true, .. }) => {}
                Some(_) => {
                    return Err(wrong(
                        "a reply is pending there; read it with `blocks wait --pending`, or remove the file",
                    ));
                }
                None => return Err(wrong("the file exists")),
            }
        }
        NewFile::create(&file)
            .map(Self)
            .map_err(|e| wrong(&e.to_string()))
    }

    pub fn path(&self) -> &Path {
        self.0.path()
    }

    /// Writes the content, and renames the file to its final name. Fails if another program has created a file of this
    /// name in the meantime. Only a pending file that is marked as replied is replaced.
    pub fn write(self, content: &Content) -> Result<(), Exit> {
        let path = self.path().to_owned();
        let bytes = serde_json::to_vec(content).map_err(std::io::Error::from);
        let written = bytes.and_then(|bytes| match existing(&path) {
            Some(Content { replied: true, .. }) => self.0.replace(&bytes),
            _ => self.0.write(&bytes),
        });
        written.map_err(|error| cannot_write(&path, &error))
    }
}

/// Returns the content of the pending file at the path, or `None` if the path has no pending file.
fn existing(path: &Path) -> Option<Content> {
    serde_json::from_slice(&input::read_file(path).ok()?).ok()
}

/// Replaces the pending file with a file that refers to a later prompt, such as a correction of the reply.
pub fn replace(path: &Path, content: &Content) -> Result<(), Exit> {
    let bytes = serde_json::to_vec(content).map_err(std::io::Error::from);
    let written = bytes.and_then(|bytes| NewFile::create(&resolve(path))?.replace(&bytes));
    written.map_err(|error| cannot_write(path, &error))
}

fn cannot_write(path: &Path, error: &std::io::Error) -> Exit {
    let path = path.display();
    Exit::failed(format!("cannot write --pending {path}: {error}"))
}

/// Marks the file as replied, after the reply was printed.
pub fn mark_replied(path: &Path, content: &Content) -> std::io::Result<()> {
    let mut content = content.clone();
    content.replied = true;
    NewFile::create(&resolve(path))?.replace(&serde_json::to_vec(&content)?)
}

/// Reads a pending file that an earlier command wrote.
pub fn read(path: &Path, host: &Host) -> Result<Content, Exit> {
    let text = input::read_text("--pending", path, host)?;
    let path = path.display();
    let wrong = |what: String| Exit::usage(format!("--pending {path}: not a pending file: {what}"));
    if text.trim().is_empty() {
        return Err(wrong("it is empty".into()));
    }
    let content: Content = serde_json::from_str(&text).map_err(|e| wrong(e.to_string()))?;
    content.pending().map_err(|e| wrong(e.to_string()))?;
    Ok(content)
}
