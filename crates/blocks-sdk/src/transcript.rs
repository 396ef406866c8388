//! A session as a conversation: its turns put together from its messages.

use std::collections::HashMap;

use blocks_api::open::{MessageRole, MessageType};
use blocks_api::types::Message;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

use crate::error::Error;
use crate::session::Session;

/// The conversation of a session. Every message that the service gave is in it exactly once.
///
/// ```
/// # #[tokio::main(flavor = "current_thread", start_paused = true)]
/// # async fn main() -> Result<(), blocks_sdk::Error> {
/// # let mock = blocks_mock::Mock::new();
/// # let client = blocks_sdk::Client::builder(mock.key()).service(mock.service()).build()?;
/// # let request = blocks_sdk::CreateSession::new(blocks_sdk::Agent::claude(), "Go.");
/// # let session = client.create_session(request).await?;
/// session.reply().await?;
/// let transcript = session.transcript(true).await?;
/// assert_eq!((transcript.turns.len(), transcript.notices.len()), (1, 1));
/// // It is data: store it, and read it again.
/// let text = serde_json::to_string(&transcript).unwrap();
/// assert_eq!(serde_json::from_str::<blocks_sdk::Transcript>(&text).unwrap(), transcript);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemars", derive(schemars::JsonSchema))]
pub struct Transcript {
    /// The turns, in the order in which they began.
    pub turns: Vec<TranscriptTurn>,
    /// Notices of the system, which belong to no thread.
    pub notices: Vec<Message>,
}

/// One turn: what the user asked, what the agent did, and its reply.
///
/// ```
/// # #[tokio::main(flavor = "current_thread", start_paused = true)]
/// # async fn main() -> Result<(), blocks_sdk::Error> {
/// # let mock = blocks_mock::Mock::new();
/// # let client = blocks_sdk::Client::builder(mock.key()).service(mock.service()).build()?;
/// # let request = blocks_sdk::CreateSession::new(blocks_sdk::Agent::claude(), "Go.");
/// # let session = client.create_session(request).await?;
/// session.reply().await?;
/// let turn = session.transcript(true).await?.turns.remove(0);
/// assert_eq!(turn.prompt.and_then(|prompt| prompt.message).as_deref(), Some("Go."));
/// assert_eq!(turn.reply.and_then(|reply| reply.message).as_deref(), Some("Done."));
/// assert!(turn.steps.is_empty() && turn.doubled.is_some());
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemars", derive(schemars::JsonSchema))]
pub struct TranscriptTurn {
    /// The thread.
    pub thread_id: Uuid,
    /// The user's message; the service gives one for each thread.
    pub prompt: Option<Message>,
    /// What came on the way, tool calls included, without the text of the reply.
    pub steps: Vec<Message>,
    /// The reply; `None` while the agent works, or when it was interrupted.
    pub reply: Option<Message>,
    /// The last message on the way, where it repeats the reply word for word, as the
    /// service does in a finished thread.
    pub doubled: Option<Message>,
}

/// A call of a tool. Its result is not told by the service.
///
/// ```
/// use blocks_sdk::ToolCall;
///
/// let call: ToolCall = serde_json::from_str(r#"{"__name__": "bash", "input": {"command": "ls"}}"#)?;
/// assert_eq!((call.name.as_str(), &call.input["command"]), ("bash", &"ls".into()));
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemars", derive(schemars::JsonSchema))]
pub struct ToolCall {
    /// The tool.
    #[serde(rename = "__name__")]
    pub name: String,
    /// What it was given.
    #[serde(default)]
    pub input: Value,
}

impl ToolCall {
    /// The tool call that a message is; `None` for other messages, and for one whose text is
    /// not of the form that was seen so far.
    ///
    /// ```
    /// use blocks_sdk::{ToolCall, types::Message};
    ///
    /// let message: Message = serde_json::from_value(serde_json::json!({
    ///     "id": "5f0c7a52-3a1e-4a53-9d5e-0d4f5b9b8a11", "type": "tool_call",
    ///     "message": r#"{"__name__": "bash", "input": {"command": "ls"}}"#,
    /// }))?;
    /// assert_eq!(ToolCall::of(&message).unwrap().name, "bash");
    /// # Ok::<(), serde_json::Error>(())
    /// ```
    pub fn of(message: &Message) -> Option<Self> {
        let is_call = message.type_ == Some(MessageType::ToolCall);
        let text = message.message.as_deref().filter(|_| is_call)?;
        serde_json::from_str(text).ok()
    }
}

impl Transcript {
    /// Puts messages, oldest first, together into turns.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)]
    /// # async fn main() -> Result<(), blocks_sdk::Error> {
    /// # let mock = blocks_mock::Mock::new();
    /// # let client = blocks_sdk::Client::builder(mock.key()).service(mock.service()).build()?;
    /// # let request = blocks_sdk::CreateSession::new(blocks_sdk::Agent::claude(), "Go.");
    /// # let session = client.create_session(request).await?;
    /// use blocks_sdk::Transcript;
    ///
    /// # session.reply().await?;
    /// // Messages that were stored as they came make the same conversation.
    /// let messages = session.messages().everything().collect().await?;
    /// assert_eq!(Transcript::from_messages(messages), session.transcript(true).await?);
    /// # Ok(())
    /// # }
    /// ```
    pub fn from_messages(messages: impl IntoIterator<Item = Message>) -> Self {
        let mut transcript = Self::default();
        let mut places: HashMap<Uuid, usize> = HashMap::new();
        for message in messages {
            let Some(thread_id) = message.chat_thread_id else {
                transcript.notices.push(message);
                continue;
            };
            let place = *places.entry(thread_id).or_insert_with(|| {
                transcript.turns.push(TranscriptTurn::new(thread_id));
                transcript.turns.len() - 1
            });
            transcript.turns[place].add(message);
        }
        transcript
            .turns
            .iter_mut()
            .for_each(TranscriptTurn::set_double_aside);
        transcript
    }
}

impl TranscriptTurn {
    fn new(thread_id: Uuid) -> Self {
        Self {
            thread_id,
            prompt: None,
            steps: Vec::new(),
            reply: None,
            doubled: None,
        }
    }

    fn add(&mut self, message: Message) {
        let is_prompt = message.role == Some(MessageRole::User) && self.prompt.is_none();
        let is_reply = message.type_ == Some(MessageType::FinalMessage) && self.reply.is_none();
        if is_prompt {
            self.prompt = Some(message);
        } else if is_reply {
            self.reply = Some(message);
        } else {
            self.steps.push(message);
        }
    }

    fn set_double_aside(&mut self) {
        let Some(reply) = &self.reply else { return };
        let is_text = |m: &Message| m.type_ == Some(MessageType::Message);
        let last = self.steps.iter().rposition(is_text);
        if let Some(last) = last.filter(|last| self.steps[*last].message == reply.message) {
            self.doubled = Some(self.steps.remove(last));
        }
    }
}

impl Session {
    /// The whole conversation, in memory; `tool_calls` says whether with them.
    ///
    /// For a session too long for that, [`Messages::stream`](crate::Messages::stream) holds
    /// one page.
    ///
    /// # Errors
    /// Whatever a request met.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)]
    /// # async fn main() -> Result<(), blocks_sdk::Error> {
    /// # let mock = blocks_mock::Mock::new();
    /// # let client = blocks_sdk::Client::builder(mock.key()).service(mock.service()).build()?;
    /// # let request = blocks_sdk::CreateSession::new(blocks_sdk::Agent::claude(), "Go.");
    /// # let session = client.create_session(request).await?;
    /// for turn in session.transcript(false).await?.turns {
    ///     let text = |m: Option<blocks_sdk::types::Message>| m.and_then(|m| m.message);
    ///     println!("> {:?}\n{:?}", text(turn.prompt), text(turn.reply));
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub async fn transcript(&self, tool_calls: bool) -> Result<Transcript, Error> {
        let mut messages = self.messages().everything();
        if !tool_calls {
            messages = messages.types([MessageType::Message, MessageType::FinalMessage]);
        }
        Ok(Transcript::from_messages(messages.collect().await?))
    }
}
