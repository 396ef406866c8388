//! The JSON that the command prints for programs. A [`TurnReport`] and a [`CheckReport`] have the same fields after
//! success and after failure. Other commands, and `check` with an invalid command line, print a [`FailureReport`] after
//! a failure.
//!
//! These types define the format. `blocks schema` prints their JSON Schemas, which are also in the
//! folder `schema`.

use blocks_sdk::RawJson;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// How a prompt or a command ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// The prompt was sent; `--no-wait` does not wait for its reply.
    Started,
    /// The command succeeded, or the reply to the prompt is known.
    Completed,
    /// There was no reply before the time-out. The agent may still be working.
    TimedOut,
    /// The prompt or the command failed with an error.
    #[default]
    Failed,
    /// A create or follow-up may have taken effect although it failed. Check before you retry.
    Unknown,
    /// A signal or a closed standard output ended the command.
    Interrupted,
    /// Nothing was sent: a usage error, or a prompt that `batch` did not start after a failure.
    Refused,
}

impl Status {
    /// Returns the name of the status in JSON and in step outputs.
    pub fn name(self) -> &'static str {
        match self {
            Self::Started => "started",
            Self::Completed => "completed",
            Self::TimedOut => "timed_out",
            Self::Failed => "failed",
            Self::Unknown => "unknown",
            Self::Interrupted => "interrupted",
            Self::Refused => "refused",
        }
    }
}

/// The result of one prompt. `run`, `send` and `wait` print one object; `batch` prints one line for each prompt.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct TurnReport {
    /// The prompt's id, as it is in the prompts file. Only `batch` sets this field.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<Value>,
    /// How the prompt ended.
    pub status: Status,
    /// The exit code. `batch` reports the exit code that `run` would have for this prompt.
    pub exit_code: u8,
    /// The id of the session, once it is known.
    pub session_id: Option<String>,
    /// The id of the thread that contains the prompt and its reply, once it is known.
    pub thread_id: Option<String>,
    /// The address of the session's page for a person.
    pub session_html_url: Option<String>,
    /// The text of the reply.
    pub final_message: Option<String>,
    /// With a schema, the JSON value in the reply that conforms to the schema.
    #[serde(default)]
    pub structured_output: Option<RawJson>,
    /// `authentication`, `limit` or `other`, if the text of the reply looks like the report of a failure. Otherwise
    /// null. Only the text is judged, because the service sends such a report as an ordinary reply.
    #[serde(default)]
    pub failure_notice: Option<String>,
    /// Pull requests of the session, as the service sent them. Read after the reply.
    pub pull_requests: Vec<Value>,
    /// What went wrong.
    pub error: Option<ErrorReport>,
}

/// A line of standard error of `run`, `send` and `wait` with `--json` and `--follow`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event {
    /// The wait starts, because the prompt was accepted or its session was found.
    Started {
        /// The id of the session.
        session_id: Option<String>,
        /// The id of the thread that contains the prompt and its reply.
        thread_id: Option<String>,
        /// The address of the session's page for a person.
        session_html_url: Option<String>,
    },
    /// The agent wrote a message.
    Message {
        /// The message, as the service sent it.
        message: Value,
    },
    /// The agent called a tool.
    ToolCall {
        /// The name of the tool.
        name: String,
        /// The arguments of the call.
        arguments: Value,
        /// The message that contains the tool call, as the service sent it.
        message: Value,
    },
    /// Another minute passed without a message.
    Waiting {
        /// Time since the wait started.
        seconds: u64,
    },
    /// A warning, an error or advice, for a person.
    Note {
        /// The text.
        text: String,
    },
}

/// The report of a failed command that has no result, such as `show` after an error.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct FailureReport {
    /// How the command ended.
    pub status: Status,
    /// The exit code.
    pub exit_code: u8,
    /// What went wrong.
    pub error: ErrorReport,
}

/// A download to a file: `plan` and `artifact` with `--output` and `--json`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct DownloadReport {
    /// Always `completed`.
    pub status: Status,
    /// Always 0.
    pub exit_code: u8,
    /// The session.
    pub session_id: String,
    /// The artifact.
    pub artifact_id: String,
    /// The file that was written.
    pub file: String,
}

/// The sessions that `list` found, or that `forget` removed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ListReport {
    /// Always `completed`.
    pub status: Status,
    /// Always 0.
    pub exit_code: u8,
    /// The newest first.
    pub sessions: Vec<RegisteredSession>,
}

/// A session to which this user sent a prompt.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct RegisteredSession {
    /// The session.
    pub session_id: String,
    /// The address of the session's page for a person.
    pub session_html_url: Option<String>,
    /// The base URL to which this user last sent a prompt to the session.
    pub base_url: String,
    /// When this user last sent a prompt to the session from this machine, in UTC.
    pub started_at: String,
}

/// The result of `blocks check`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct CheckReport {
    /// The status of the check. It is `completed` if the service accepted the key.
    pub status: Status,
    /// The exit code.
    pub exit_code: u8,
    /// The base URL that requests go to, without user name, password, query and fragment; `not usable` if not a URL.
    pub base_url: String,
    /// Which of the variables HTTPS_PROXY, ALL_PROXY and NO_PROXY are set, in upper or lower case.
    pub proxy_variables: Vec<String>,
    /// The store in which processes count their requests; `off` if none, `not usable` if BLOCKS_LIMIT_URL is invalid.
    pub limit_store: String,
    /// Whether the store `limit_store` could be used.
    pub limit_is_shared: bool,
    /// What went wrong.
    pub error: Option<ErrorReport>,
}

/// What went wrong.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ErrorReport {
    /// The kind of error, such as `usage`, `status`, `connection` or `interrupted`.
    pub kind: String,
    /// A text for a person, which may have several lines.
    pub message: String,
    /// The status of the last response.
    pub http_status: Option<u16>,
    /// The service's code, such as `VALIDATION`.
    pub code: Option<String>,
    /// The service's id of the request.
    pub request_id: Option<String>,
    /// Whether the same command may succeed later, without sending a prompt twice. For `run`, `send`, and `batch`
    /// without a journal, false once the prompt had an effect. Then continue with the command in the field `resume`, if
    /// it is not null.
    pub retryable: bool,
    /// Whether a create or follow-up may have taken effect although it failed.
    pub may_have_taken_effect: bool,
    /// The command that continues to wait for the reply. Null if there is no reply to wait for, if the id of the
    /// session is unknown or not a UUID, or if it is unknown whether the service accepted a follow-up. Such a command
    /// could return the reply to an older prompt.
    pub resume: Option<String>,
}

/// Returns the name and the JSON Schema of each kind of output. `blocks schema NAME` prints the schema with this name.
pub fn schemas() -> [(&'static str, schemars::Schema); 9] {
    [
        ("result", schemars::schema_for!(TurnReport)),
        ("event", schemars::schema_for!(Event)),
        ("session", schemars::schema_for!(blocks_sdk::types::Session)),
        ("message", schemars::schema_for!(blocks_sdk::types::Message)),
        ("transcript", schemars::schema_for!(blocks_sdk::Transcript)),
        ("list", schemars::schema_for!(ListReport)),
        ("failure", schemars::schema_for!(FailureReport)),
        ("download", schemars::schema_for!(DownloadReport)),
        ("check", schemars::schema_for!(CheckReport)),
    ]
}
