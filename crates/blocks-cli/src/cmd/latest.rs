//! The newest prompt of a session.

use blocks_sdk::{MessageRole, Pending, Session, types::Message};

use crate::exit::{Code, Exit};

/// Finds the newest prompt: each starts a thread with a user message. The service's order cannot
/// be used, because user messages often have no `ts`; `created_at` is compared instead.
pub async fn latest(session: &Session) -> Result<Pending, Exit> {
    let prompts = session.messages().roles([MessageRole::User]).newest_first();
    let page = prompts.limit(100).send().await?;
    let in_thread = |message: &&Message| message.chat_thread_id.is_some();
    let prompts: Vec<&Message> = page.messages().iter().filter(in_thread).collect();
    let fail = |what: &str| {
        let id = session.id();
        Exit::new(
            Code::Failed,
            "no_prompt",
            format!("session {id}: {what}; name the thread with --thread"),
        )
    };
    if prompts.len() > 1 && prompts.iter().any(|message| message.created_at.is_none()) {
        return Err(fail(
            "its messages have no times, so the newest prompt is unknown",
        ));
    }
    let newest = prompts.iter().max_by_key(|message| message.created_at);
    match newest.and_then(|message| message.chat_thread_id) {
        Some(thread) => Ok(Pending::new(session.id(), thread)),
        None => Err(fail("it has no prompt to wait for")),
    }
}
