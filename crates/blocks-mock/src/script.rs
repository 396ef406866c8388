//! Describes the actions and the reply of an agent in one turn.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::schema_reply::SchemaReply;

/// Sets the time of the final message.
///
/// ```
/// use blocks_mock::{ReplyTiming, Script};
///
/// assert_eq!(Script::no_reply().when, ReplyTiming::Never);
/// let when: ReplyTiming = serde_json::from_str(r#"{"after": "1m 30s"}"#)?;
/// assert_eq!(when, ReplyTiming::After(std::time::Duration::from_secs(90)));
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ReplyTiming {
    /// The final message is sent this long after the start of the turn.
    After(
        #[serde(with = "crate::duration")]
        #[schemars(with = "String")]
        Duration,
    ),
    /// The final message is sent in the response to the poll with this number. Polls are counted from 1, and earlier
    /// polls find no reply. A poll is a request for the messages of the turn's thread whose page would contain the
    /// reply. The path or `thread_id` names the thread. For example, a request for tool calls is not a poll.
    AfterPolls(u64),
    /// The final message is never sent.
    Never,
}

/// Describes an action of the agent before its reply.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
#[non_exhaustive]
pub enum Action {
    /// Writes a message.
    Message(String),
    /// Calls a tool.
    ToolCall {
        /// Name of the tool.
        name: String,
        /// Arguments: an object or any other value. The message contains the fields of an object and the tool's name in
        /// one object, such as `{"command": "ls", "__name__": "bash"}`, unless the dialect sets `tool_input_text`.
        #[serde(default)]
        input: Value,
    },
    /// Opens a pull request.
    PullRequest(String),
    /// Writes a plan, which becomes an artifact.
    Plan {
        /// Name of the file.
        file_name: String,
        /// Content of the file.
        text: String,
    },
    /// Adds a notice of the service to the session. The notice is in no thread.
    Notice(String),
}

/// Combines an action with its time.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Step {
    /// Time after the start of the turn. If the turn ends before this time, the action does not take place.
    #[serde(with = "crate::duration", default)]
    #[schemars(with = "String")]
    pub at: Duration,
    /// The action.
    #[serde(rename = "do")]
    pub action: Action,
}

/// Selects the text of a final message that reports a failure. Agents of the live service have sent these texts.
/// Messages have no status field, so only the text shows that a turn failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum FailureNotice {
    /// The agent could not log in to its model's provider.
    Authentication,
    /// The provider's rate limit or quota is exceeded.
    RateLimit,
    /// The usage limit of the agent's subscription is reached. The text contains the time at which the limit is reset.
    UsageLimit,
}

impl FailureNotice {
    /// All notices.
    pub const ALL: [Self; 3] = [Self::Authentication, Self::RateLimit, Self::UsageLimit];

    /// Returns the text of the final message.
    pub fn text(self) -> &'static str {
        match self {
            Self::Authentication => {
                "Claude Code: Authentication failed. Check the credentials of your workspace."
            }
            Self::RateLimit => {
                "Claude Code: Rate limit or quota exceeded. Wait, or check the plan of your account."
            }
            Self::UsageLimit => "You've hit your limit · resets 3pm (UTC)",
        }
    }
}

/// Describes the actions and the reply of an agent in one turn.
///
/// ```
/// use blocks_mock::{Action, Script};
/// use std::time::Duration;
///
/// let script = Script::reply("Done.")
///     .reply_after(Duration::from_secs(60))
///     .step(Duration::from_secs(10), Action::Message("Looking.".into()))
///     .step(Duration::from_secs(50), Action::PullRequest("https://example.com/pull/1".into()));
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Script {
    /// Text of the final message.
    pub text: String,
    /// Time of the final message.
    pub when: ReplyTiming,
    /// Actions before the final message.
    pub steps: Vec<Step>,
    /// Replies with JSON if the prompt, or an earlier prompt of the session, contains a JSON Schema.
    pub schema_reply: Option<SchemaReply>,
}

impl Script {
    /// Creates a script that replies with `text` after one second.
    pub fn reply(text: impl Into<String>) -> Self {
        Self {
            text: text.into(),
            ..Self::default()
        }
    }

    /// Creates a script that does not reply.
    ///
    /// ```
    #[doc = include_str!("doctest.txt")]
    /// # use blocks_mock::{Mock, Script};
    /// let mock = Mock::builder().agent(Script::no_reply()).build();
    /// # let (_, session) = create(&mock).await?;
    /// let error = session.first_reply().await.unwrap_err(); // after one hour of the paused clock
    /// assert_eq!(error.kind(), blocks_sdk::ErrorKind::Deadline);
    /// # Ok(())
    /// # }
    /// ```
    pub fn no_reply() -> Self {
        Self {
            when: ReplyTiming::Never,
            ..Self::default()
        }
    }

    /// Creates a script that replies with the text of a failure notice after one second.
    pub fn failure(notice: FailureNotice) -> Self {
        Self::reply(notice.text())
    }

    /// Creates a script that replies with JSON that conforms to the JSON Schema in the prompt. In the first
    /// `invalid_replies` turns of a session, the reply is invalid. [`SchemaReply`] says which keywords are ignored.
    pub fn schema_reply(invalid_replies: usize) -> Self {
        Self {
            schema_reply: Some(SchemaReply { invalid_replies }),
            ..Self::default()
        }
    }

    /// Sets how long after the start of the turn the agent replies. Default: one second.
    #[must_use]
    pub fn reply_after(mut self, duration: Duration) -> Self {
        self.when = ReplyTiming::After(duration);
        self
    }

    /// Sets the number of the first poll that returns the reply. For example, with 3 the first two polls of the turn's
    /// thread find no reply.
    #[must_use]
    pub fn reply_after_polls(mut self, polls: u64) -> Self {
        self.when = ReplyTiming::AfterPolls(polls);
        self
    }

    /// Adds an action that the agent does after the time `at`, counted from the start of the turn. If the turn ends
    /// before this time, the agent does not do the action.
    #[must_use]
    pub fn step(mut self, at: Duration, action: Action) -> Self {
        self.steps.push(Step { at, action });
        self
    }
}

impl Default for Script {
    fn default() -> Self {
        Self {
            text: "Done.".into(),
            when: ReplyTiming::After(Duration::from_secs(1)),
            steps: Vec::new(),
            schema_reply: None,
        }
    }
}

/// Describes a turn that is about to start, so that the function of
/// [`MockBuilder::agent_fn`](crate::MockBuilder::agent_fn) can choose its script.
#[derive(Clone, Debug)]
pub struct TurnInfo {
    /// Number of the session, from 0 in the order of creation.
    pub session: usize,
    /// Number of the turn in its session, from 0.
    pub turn: usize,
    /// The user's message.
    pub message: String,
    /// Title of the session.
    pub title: String,
    /// The field `agent_name` of the request that created the session.
    pub agent_name: Option<String>,
}
