//! Reads the messages of a turn while a wait polls for the reply of the turn.
//!
//! Each poll reads one page of the thread, which holds the messages of the turn. The pager chooses the page so that no
//! message is lost or repeated. The reply is the final message in the page. Sometimes the page does not show whether
//! the reply has arrived, for example if it contains a message of an unknown type. Then the next poll requests only the
//! reply, as every poll does in a wait that does not read messages.

use std::collections::VecDeque;

use blocks_api::open::{MessageRole, MessageType};
use blocks_api::types::Message;
use tokio::time::Instant;

use crate::engine::error::{Error, ErrorKind};
use crate::engine::rate_limit::Permit;
use crate::messages::MessagesQuery;
use crate::messages::pager::Pager;
use crate::session::turn::{PollResult, Progress, Turn};

pub(crate) struct Follower {
    pager: Pager,
    /// The messages of the last poll that were not returned yet.
    ready: VecDeque<Message>,
    /// The result of the last poll. It is returned after the messages in `ready`.
    end: Option<Result<Progress, Error>>,
    /// Whether the next poll requests only the reply.
    reply_alone: bool,
    /// Whether the thread may have more messages to read, according to the last poll.
    is_behind: bool,
}

impl Follower {
    /// Creates the follower of a turn; `None` if the id of the turn's thread is unknown.
    pub fn new(turn: &Turn, with_tools: bool) -> Option<Self> {
        // The vendor's own mock sends links such as `/threads/null/messages`. Here `null` is not an id, so the thread
        // is unknown.
        let thread = turn
            .thread_id()
            .filter(|thread| thread.as_str() != "null")?;
        let mut types = vec![MessageType::Message, MessageType::FinalMessage];
        if with_tools {
            types.push(MessageType::ToolCall);
        }
        let session = turn.session_id().clone();
        let query = MessagesQuery::new(turn.client().clone(), session, Some(thread.clone()))
            .types(types)
            .roles([MessageRole::Assistant]);
        Some(Self {
            // The pager's regular checks for late messages are disabled, because their requests would delay the reply.
            pager: Pager::new(query).without_checks(),
            ready: VecDeque::new(),
            end: None,
            reply_alone: false,
            is_behind: false,
        })
    }

    pub fn is_behind(&self) -> bool {
        self.is_behind
    }

    /// Reads one page, or only the reply.
    pub async fn poll(
        &mut self,
        turn: &Turn,
        permit: Permit,
        deadline: Instant,
    ) -> Result<PollResult, Error> {
        self.is_behind = false;
        if self.reply_alone {
            let result = turn.poll_with(permit, deadline).await;
            self.reply_alone = result.is_err();
            return result;
        }
        self.pager.resume();
        let (window, query) = self.pager.next_page();
        let (page, received) = match query.read_with_permit(permit, deadline).await {
            Ok((page, received)) => (Ok(page), Some(received)),
            Err(error) => (Err(error), None),
        };
        let used = self.pager.receive(window, page);
        if let Err(error) = used {
            self.reply_alone = error.kind() == ErrorKind::Incomplete;
            return Err(turn.with_pending(error));
        }
        let reply = self.take_messages().map(|message| turn.reply_of(message));
        self.is_behind = self.pager.is_behind();
        Ok(match received {
            Some(received) => PollResult::new(reply, received),
            // The page was too large to be read. The next poll reads a smaller page, or only the reply.
            None => PollResult {
                reply,
                received: None,
            },
        })
    }

    /// Moves the messages that the pager has found to `ready`, and returns the final message, if it is among them.
    fn take_messages(&mut self) -> Option<Message> {
        let mut last = None;
        for message in self.pager.take() {
            match message.type_ {
                Some(MessageType::FinalMessage) if last.is_none() => last = Some(message),
                Some(MessageType::Message | MessageType::ToolCall) => self.ready.push_back(message),
                // A message of an unknown type may be the reply, so the next poll requests only the reply.
                _ => {
                    self.reply_alone = true;
                    self.ready.push_back(message);
                }
            }
        }
        self.reply_alone |= self.pager.take_too_large().is_some();
        last
    }

    /// Returns the first item of a poll that ended with the result `end`. If the poll found messages, this item is the
    /// first message, and `end` is stored and returned after all messages. Otherwise this item is `end`.
    pub fn first_item(&mut self, end: Result<Progress, Error>) -> Result<Progress, Error> {
        match self.ready.pop_front() {
            None => end,
            Some(message) => {
                self.end = Some(end);
                Ok(Progress::Message(Box::new(message)))
            }
        }
    }

    /// Returns the next item of the last poll; `None` when another poll is needed.
    pub fn next_item(&mut self) -> Option<Result<Progress, Error>> {
        match self.ready.pop_front() {
            Some(message) => Some(Ok(Progress::Message(Box::new(message)))),
            None => self.end.take(),
        }
    }
}
