//! What the agent does in a turn, and when, on tokio's clock.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// When the final message is there.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ReplyWhen {
    /// This long after the turn began.
    After(#[serde(with = "crate::duration")] Duration),
    /// Once its thread was looked at so many times without finding it.
    AfterPolls(u64),
    /// Never: the session is stuck.
    Never,
}

/// One thing that the agent does on its way.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Action {
    /// It writes a message.
    Message(String),
    /// It calls a tool.
    ToolCall {
        /// The tool's name.
        name: String,
        /// What it is given.
        #[serde(default)]
        input: Value,
    },
    /// It opens a pull request.
    PullRequest(String),
    /// It writes a plan, which becomes an artifact.
    Plan {
        /// The file's name.
        file_name: String,
        /// Its content.
        text: String,
    },
    /// The system posts a notice, which is in no thread.
    Notice(String),
}

/// An action and its time after the turn began.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Step {
    /// After the turn began.
    #[serde(with = "crate::duration", default)]
    pub at: Duration,
    /// What is done.
    #[serde(rename = "do")]
    pub action: Action,
}

/// What the agent does in one turn.
///
/// ```
/// use blocks_mock::{Action, Script};
/// use std::time::Duration;
///
/// let script = Script::reply("Done.")
///     .after(Duration::from_secs(60))
///     .at(Duration::from_secs(10), Action::Message("Looking.".into()))
///     .at(Duration::from_secs(50), Action::PullRequest("https://example.com/pull/1".into()));
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Script {
    /// The final message's text.
    pub text: String,
    /// When it is there.
    pub when: ReplyWhen,
    /// What comes before it.
    pub steps: Vec<Step>,
}

impl Script {
    /// Replies with `text` after one second.
    pub fn reply(text: impl Into<String>) -> Self {
        Self {
            text: text.into(),
            ..Self::default()
        }
    }

    /// Never replies.
    pub fn stuck() -> Self {
        Self {
            when: ReplyWhen::Never,
            ..Self::default()
        }
    }

    /// Replies after this time.
    #[must_use]
    pub fn after(mut self, duration: Duration) -> Self {
        self.when = ReplyWhen::After(duration);
        self
    }

    /// Replies once its thread was looked at so many times without finding it.
    #[must_use]
    pub fn after_polls(mut self, polls: u64) -> Self {
        self.when = ReplyWhen::AfterPolls(polls);
        self
    }

    /// Does `action` at this time after the turn began.
    #[must_use]
    pub fn at(mut self, at: Duration, action: Action) -> Self {
        self.steps.push(Step { at, action });
        self
    }
}

impl Default for Script {
    fn default() -> Self {
        Self {
            text: "Done.".into(),
            when: ReplyWhen::After(Duration::from_secs(1)),
            steps: Vec::new(),
        }
    }
}

/// A turn that begins, for [`MockBuilder::agent_fn`](crate::MockBuilder::agent_fn).
#[derive(Clone, Debug)]
pub struct TurnInfo {
    /// The session's number, from 0 in the order of creation.
    pub session: usize,
    /// The turn's number in its session, from 0.
    pub turn: usize,
    /// What the user wrote.
    pub message: String,
}
