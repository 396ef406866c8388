//! What the agent does in a turn, and when, on tokio's clock.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::schema_reply::SchemaReply;

/// When the final message is there.
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
    /// This long after the turn began.
    After(
        #[serde(with = "crate::duration")]
        #[schemars(with = "String")]
        Duration,
    ),
    /// At so many looks at its thread: those before find nothing, this one finds it.
    AfterPolls(u64),
    /// Never: the session is stuck.
    Never,
}

/// One thing that the agent does on its way.
///
/// ```
/// use blocks_mock::Action;
///
/// let action: Action = serde_json::from_str(r#"{"tool_call": {"name": "bash", "input": "ls"}}"#)?;
/// assert_eq!(action, Action::ToolCall { name: "bash".into(), input: "ls".into() });
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
#[non_exhaustive]
pub enum Action {
    /// It writes a message.
    Message(String),
    /// It calls a tool.
    ToolCall {
        /// The tool's name.
        name: String,
        /// Its arguments: an object, whose keys the dialect may put at top level, or any value.
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
///
/// ```
/// use blocks_mock::{Action, Step};
///
/// let step: Step = serde_json::from_str(r#"{"at": "10s", "do": {"message": "Looking."}}"#)?;
/// assert_eq!(step.at, std::time::Duration::from_secs(10));
/// assert_eq!(step.action, Action::Message("Looking.".into()));
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Step {
    /// After the turn began.
    #[serde(with = "crate::duration", default)]
    #[schemars(with = "String")]
    pub at: Duration,
    /// What is done.
    #[serde(rename = "do")]
    pub action: Action,
}

/// The final texts with which agents were seen to report a failure. The service has no status:
/// the text is the only sign.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum FailureNotice {
    /// The agent could not log in to its model's provider.
    Authentication,
    /// The provider's rate limit or quota is exceeded.
    RateLimit,
    /// The subscription's limit is reached until a time of day.
    UsageLimit,
}

impl FailureNotice {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Authentication, Self::RateLimit, Self::UsageLimit];

    /// The text of the final message.
    ///
    /// ```
    /// use blocks_mock::FailureNotice;
    ///
    /// let text = FailureNotice::UsageLimit.text();
    /// assert_eq!(text, "You've hit your limit · resets 3pm (UTC)");
    /// ```
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

/// What the agent does in one turn.
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
    /// Replies in JSON if the prompt contains a JSON Schema.
    pub schema_reply: Option<SchemaReply>,
}

impl Script {
    /// Replies with `text` after one second.
    ///
    /// ```
    /// # use blocks_mock::Script;
    /// let script = Script::reply("Octopuses have three hearts.");
    /// assert_eq!(script.text, "Octopuses have three hearts.");
    /// ```
    pub fn reply(text: impl Into<String>) -> Self {
        Self {
            text: text.into(),
            ..Self::default()
        }
    }

    /// Never replies.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)]
    /// # async fn main() -> Result<(), blocks_sdk::Error> {
    /// # use blocks_mock::{Mock, Script};
    /// let mock = Mock::builder().agent(Script::no_reply()).build();
    /// # let client = blocks_sdk::Client::builder(mock.key()).service(mock.service()).build()?;
    /// # let request = blocks_sdk::CreateSession::new(blocks_sdk::Agent::claude(), "Go.");
    /// # let session = client.create_session(request).await?;
    /// let error = session.first_reply().await.unwrap_err(); // after 30 minutes of the paused clock
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

    /// Ends the turn with a notice of failure as its final message, as agents were seen to do.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)]
    /// # async fn main() -> Result<(), blocks_sdk::Error> {
    /// use blocks_mock::{FailureNotice, Mock, Script};
    ///
    /// let mock = Mock::builder().agent(Script::failure(FailureNotice::RateLimit)).build();
    /// # let client = blocks_sdk::Client::builder(mock.key()).service(mock.service()).build()?;
    /// # let request = blocks_sdk::CreateSession::new(blocks_sdk::Agent::claude(), "Go.");
    /// # let session = client.create_session(request).await?;
    /// let reply = session.first_reply().await?;
    /// assert!(reply.text().starts_with("Claude Code: Rate limit or quota exceeded."));
    /// # Ok(())
    /// # }
    /// ```
    pub fn failure(notice: FailureNotice) -> Self {
        Self::reply(notice.text())
    }

    /// Replies in JSON for the JSON Schema in the prompt, in the first turns of a session with an
    /// invalid reply; see [`SchemaReply`].
    pub fn schema_reply(invalid_replies: usize) -> Self {
        Self {
            schema_reply: Some(SchemaReply { invalid_replies }),
            ..Self::default()
        }
    }

    /// Replies after this time.
    ///
    /// ```
    /// # use blocks_mock::{ReplyTiming, Script};
    /// # use std::time::Duration;
    /// let slow = Script::reply("Done.").reply_after(Duration::from_secs(600));
    /// assert_eq!(slow.when, ReplyTiming::After(Duration::from_secs(600)));
    /// ```
    #[must_use]
    pub fn reply_after(mut self, duration: Duration) -> Self {
        self.when = ReplyTiming::After(duration);
        self
    }

    /// Replies at so many looks at its thread: those before find nothing, this one finds it.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)]
    /// # async fn main() -> Result<(), blocks_sdk::Error> {
    /// # use blocks_mock::{Mock, Operation, Script};
    /// let mock = Mock::builder().agent(Script::default().reply_after_polls(3)).build();
    /// # let client = blocks_sdk::Client::builder(mock.key()).service(mock.service()).build()?;
    /// # let request = blocks_sdk::CreateSession::new(blocks_sdk::Agent::claude(), "Go.");
    /// # let session = client.create_session(request).await?;
    /// session.first_reply().await?;
    /// let looks = mock.count(Operation::ListThreadMessages);
    /// # assert_eq!(looks, 3);
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn reply_after_polls(mut self, polls: u64) -> Self {
        self.when = ReplyTiming::AfterPolls(polls);
        self
    }

    /// Does `action` at this time after the turn began.
    ///
    /// ```
    /// # use blocks_mock::{Action, Script};
    /// # use std::time::Duration;
    /// let notice = Action::Notice("The agent is busy.".into());
    /// let script = Script::default().step(Duration::from_millis(500), notice);
    /// assert_eq!(script.steps.len(), 1);
    /// ```
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

/// A turn that begins, for [`MockBuilder::agent_fn`](crate::MockBuilder::agent_fn).
///
/// ```
/// # #[tokio::main(flavor = "current_thread", start_paused = true)]
/// # async fn main() -> Result<(), blocks_sdk::Error> {
/// use blocks_mock::{Mock, Script, TurnInfo};
/// use blocks_sdk::FollowUp;
///
/// let count = |turn: &TurnInfo| Script::reply(format!("turn {}", turn.turn));
/// let mock = Mock::builder().agent_fn(count).build();
/// # let client = blocks_sdk::Client::builder(mock.key()).service(mock.service()).build()?;
/// # let request = blocks_sdk::CreateSession::new(blocks_sdk::Agent::claude(), "Go.");
/// # let session = client.create_session(request).await?;
/// session.first_reply().await?;
/// let second = session.follow_up(FollowUp::new("Go on.")).await?;
/// assert_eq!(second.reply().await?.text(), "turn 1");
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct TurnInfo {
    /// The session's number, from 0 in the order of creation.
    pub session: usize,
    /// The turn's number in its session, from 0.
    pub turn: usize,
    /// What the user wrote.
    pub message: String,
    /// The session's title.
    pub title: String,
    /// The `agent_name` of the create.
    pub agent_name: Option<String>,
}
