//! Groups the messages of a session into turns.

use std::collections::HashMap;

use blocks_api::open::{Id, MessageRole, MessageType};
use blocks_api::types::Message;
use serde::{Deserialize, Serialize};

use crate::engine::error::Error;
use crate::messages::MessagesQuery;
use crate::session::reference::SessionRef;

/// Contains the conversation of a session. Each message that was read is in one of the turns or in the
/// notices, exactly once.
///
/// ```
/// # mod doctest { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doctest.rs")); }
/// # doctest::with_session(async |session, client, mock| {
/// session.first_reply().await?;
/// let transcript = session.transcript().await?;
/// assert_eq!((transcript.turns.len(), transcript.notices.len()), (1, 1));
/// // A transcript can be stored and read again.
/// let text = serde_json::to_string(&transcript).unwrap();
/// assert_eq!(serde_json::from_str::<blocks_sdk::Transcript>(&text).unwrap(), transcript);
/// # Ok(()) });
/// ```
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemars", derive(schemars::JsonSchema))]
pub struct Transcript {
    /// The turns, in the order in which they started.
    pub turns: Vec<TranscriptTurn>,
    /// The messages without the id of a thread, for example notices that the service added to the session.
    pub notices: Vec<Message>,
}

/// Contains one turn: the user's prompt, the agent's work, and the reply.
///
/// ```
/// # mod doctest { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doctest.rs")); }
/// # doctest::with_session(async |session, client, mock| {
/// session.first_reply().await?;
/// let turn = session.transcript().await?.turns.remove(0);
/// assert_eq!(turn.prompt.and_then(|prompt| prompt.message).as_deref(), Some("Go."));
/// assert_eq!(turn.reply.and_then(|reply| reply.message).as_deref(), Some("Done."));
/// assert!(turn.steps.is_empty() && turn.repeated_reply.is_some());
/// # Ok(()) });
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemars", derive(schemars::JsonSchema))]
pub struct TranscriptTurn {
    /// The id of the thread.
    pub thread_id: Id,
    /// The user's message that started the turn; `None` if this message was not read, for example because of a filter.
    pub prompt: Option<Message>,
    /// All other messages of the turn: usually the agent's messages before the reply, and the tool calls.
    pub steps: Vec<Message>,
    /// The reply; `None` if the agent still works, if the turn was interrupted, or if the reply was not read.
    pub reply: Option<Message>,
    /// The last message with the type `message`, if it has the same text as the reply. Most finished threads
    /// contain such a copy.
    pub repeated_reply: Option<Message>,
}

impl Transcript {
    /// Groups messages into turns. The messages must be in the order of their creation, the oldest first.
    ///
    /// ```
    /// # mod doctest { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doctest.rs")); }
    /// # doctest::with_session(async |session, client, mock| {
    /// use blocks_sdk::Transcript;
    ///
    /// # session.first_reply().await?;
    /// // Messages that your program stored give the same transcript.
    /// let messages = session.messages().all().collect().await?;
    /// assert_eq!(Transcript::from_messages(messages), session.transcript().await?);
    /// # Ok(()) });
    /// ```
    pub fn from_messages(messages: impl IntoIterator<Item = Message>) -> Self {
        let mut transcript = Self::default();
        let mut places: HashMap<Id, usize> = HashMap::new();
        for message in messages {
            let Some(thread_id) = message.chat_thread_id.clone() else {
                transcript.notices.push(message);
                continue;
            };
            let place = *places.entry(thread_id.clone()).or_insert_with(|| {
                transcript.turns.push(TranscriptTurn::new(thread_id));
                transcript.turns.len() - 1
            });
            transcript.turns[place].add(message);
        }
        transcript
            .turns
            .iter_mut()
            .for_each(TranscriptTurn::set_repeated_reply_aside);
        transcript
    }
}

impl TranscriptTurn {
    fn new(thread_id: Id) -> Self {
        Self {
            thread_id,
            prompt: None,
            steps: Vec::new(),
            reply: None,
            repeated_reply: None,
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

    fn set_repeated_reply_aside(&mut self) {
        let Some(reply) = &self.reply else { return };
        let is_text = |m: &Message| m.type_ == Some(MessageType::Message);
        let last = self.steps.iter().rposition(is_text);
        if let Some(last) = last.filter(|last| self.steps[*last].message == reply.message) {
            self.repeated_reply = Some(self.steps.remove(last));
        }
    }
}

impl SessionRef {
    /// Reads the whole conversation with its tool calls into memory. Omits messages of types and roles that this
    /// release does not know.
    ///
    /// Use [`MessagesQuery::transcript`] for a part of the conversation. If a session does not fit into memory, use
    /// [`MessagesQuery::stream`], which does not keep the messages that it has returned.
    ///
    /// # Errors
    /// Any error of a request; see [`ErrorKind`](crate::ErrorKind).
    pub async fn transcript(&self) -> Result<Transcript, Error> {
        self.messages().all().transcript().await
    }
}

impl MessagesQuery {
    /// Reads the messages and groups them into turns, in memory. The oldest turn is always first, even if
    /// [`newest_first`](Self::newest_first) was set.
    ///
    /// # Errors
    /// The errors of [`collect`](Self::collect).
    ///
    /// ```
    /// # mod doctest { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doctest.rs")); }
    /// # doctest::with_session(async |session, client, mock| {
    /// use blocks_sdk::MessageType;
    ///
    /// // Omit tool calls.
    /// let types = [MessageType::Message, MessageType::FinalMessage];
    /// for turn in session.messages().all().types(types).transcript().await?.turns {
    ///     let text = |message: Option<blocks_sdk::types::Message>| message?.message;
    ///     println!("> {:?}\n{:?}", text(turn.prompt), text(turn.reply));
    /// }
    /// # Ok(()) });
    /// ```
    pub async fn transcript(self) -> Result<Transcript, Error> {
        let messages = self.newest_first(false).collect().await?;
        Ok(Transcript::from_messages(messages))
    }
}
