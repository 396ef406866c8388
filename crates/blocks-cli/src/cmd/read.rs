//! The commands `show`, `messages` and `transcript`, which print what the service has stored about a session.

use std::pin::pin;
use std::time::Duration;

use blocks_sdk::{
    Id, MessageRole, MessageType, SessionRef, ToolCall, Watch, WatchEvent, types::Message,
};
use futures_util::StreamExt;
use tokio::time::{Instant, interval_at};

use crate::args::{Format, MessagesArgs, Order, SessionArgs, TranscriptArgs};
use crate::exit::{Exit, with_causes};
use crate::output::Output;
use crate::text;

/// The pause before the newest prompt is read again after a temporary error.
const PAUSE: Duration = Duration::from_secs(5);

pub async fn show(args: SessionArgs, output: &Output) -> Result<(), Exit> {
    let session = args.session.resolve(output.host())?;
    let session = output.client()?.get_session(session).await?;
    let data = session.data();
    if output.is_json() {
        return output.json(data);
    }
    let mut lines = vec![
        format!(
            "title          {}",
            data.title.as_deref().unwrap_or("(none)")
        ),
        format!("id             {}", session.id()),
    ];
    lines.extend(
        session
            .html_url()
            .map(|url| format!("url            {url}")),
    );
    lines.extend(
        data.created_at
            .as_ref()
            .map(|at| format!("created        {at}")),
    );
    for pull_request in session.pull_requests() {
        let place = pull_request.url().unwrap_or("(unknown)");
        lines.push(format!("pull request   {place}"));
    }
    lines.extend(
        session
            .plan_ids()
            .iter()
            .map(|id| format!("plan           {id}")),
    );
    output.text(&lines.join("\n"))
}

pub async fn messages(args: MessagesArgs, output: &Output) -> Result<(), Exit> {
    let session = args.session.resolve(output.host())?;
    let session = output.client()?.session(session);
    let mut types: Vec<MessageType> = args.types.into_iter().map(Into::into).collect();
    let mut roles: Vec<MessageRole> = args.roles.into_iter().map(Into::into).collect();
    let added = match args.until_done {
        true => Added::add_final_messages(&mut types, &mut roles),
        false => Added::default(),
    };
    let mut messages = session.messages().types(types).roles(roles);
    if let Some(thread) = args.thread {
        messages = messages.thread_id(thread);
    }
    if let Some(ts) = args.newer_than {
        messages = messages.newer_than(ts);
    }
    messages = messages.newest_first(matches!(args.direction, Order::Desc));
    if let Some(page) = args.page {
        let page = messages.page(page).limit(args.limit).send().await?;
        return page.messages().iter().try_for_each(|m| line(m, output));
    }
    // If the final message is not newer than the time of --newer-than, a watch would never receive it.
    let thread = args.thread.map(Id::from);
    let is_over =
        args.until_done && args.newer_than.is_some() && has_final_message(&session, thread).await?;
    if args.follow && !is_over {
        // With --thread, only the messages of one turn are printed, so a newer turn does not matter.
        let session = args.thread.is_none().then_some(&session);
        let until_done = args.until_done.then_some(added);
        return follow(messages.watch(), until_done, session, output).await;
    }
    let mut stream = pin!(messages.stream());
    while let Some(message) = until_closed(stream.next(), output).await? {
        let message = message?;
        if !added.contains(&message) {
            line(&message, output)?;
        }
    }
    Ok(())
}

/// Returns whether the turn in this thread has ended. Without a thread, returns whether the newest turn of the session
/// has ended.
async fn has_final_message(session: &SessionRef, thread: Option<Id>) -> Result<bool, Exit> {
    let thread = match thread {
        Some(thread) => Some(thread),
        None => match session.latest_turn().await {
            Ok(turn) => turn.and_then(|turn| turn.thread_id().cloned()),
            Err(error) if error.is_unknown_turn() => None,
            Err(error) => return Err(error.into()),
        },
    };
    let Some(thread) = thread else {
        return Ok(false);
    };
    let messages = session.messages().types([MessageType::FinalMessage]);
    let page = messages.thread_id(thread).send().await?;
    Ok(!page.messages().is_empty())
}

/// The messages that `--until-done` reads although the user did not ask for them. The end of a turn is recognised by
/// its final message, and `--type` and `--role` can exclude the final messages. They are then read, and not printed.
#[derive(Clone, Copy, Default)]
struct Added {
    final_messages: bool,
    assistant: bool,
}

impl Added {
    /// Adds what is missing to the types and roles of the user, so that they include the final messages. Empty types or
    /// roles already include them.
    fn add_final_messages(types: &mut Vec<MessageType>, roles: &mut Vec<MessageRole>) -> Self {
        let added = Self {
            final_messages: !types.is_empty() && !types.contains(&MessageType::FinalMessage),
            assistant: !roles.is_empty() && !roles.contains(&MessageRole::Assistant),
        };
        if added.final_messages {
            types.push(MessageType::FinalMessage);
        }
        if added.assistant {
            roles.push(MessageRole::Assistant);
        }
        added
    }

    fn contains(self, message: &Message) -> bool {
        self.final_messages && message.type_ == Some(MessageType::FinalMessage)
            || self.assistant && message.role == Some(MessageRole::Assistant)
    }
}

/// Prints messages as they arrive. With `until_done`, ends after the final message of the newest turn, and does not
/// print the messages that the user did not ask for. A poll that fails with a temporary error does not end the command.
/// If several polls in a row fail, only the first of them is reported.
async fn follow(
    mut watch: Watch,
    until_done: Option<Added>,
    session: Option<&SessionRef>,
    output: &Output,
) -> Result<(), Exit> {
    const MINUTE: Duration = Duration::from_secs(60);
    let start = Instant::now();
    let mut minutes = interval_at(start + MINUTE, MINUTE);
    loop {
        let event = tokio::select! {
            biased;
            event = until_closed(watch.next_event(), output) => event?,
            _ = minutes.tick() => {
                output.show_minute("still following", start.elapsed());
                continue;
            }
        };
        let Some(event) = event else {
            return Ok(());
        };
        match event? {
            WatchEvent::Message(message) => {
                if until_done.is_none_or(|added| !added.contains(&message)) {
                    minutes.reset();
                    line(&message, output)?;
                }
                if until_done.is_some()
                    && message.type_ == Some(MessageType::FinalMessage)
                    && is_newest(&message, session, output).await?
                {
                    return Ok(());
                }
            }
            WatchEvent::PollFailed { error, failures: 1 } => {
                let error = with_causes(&error);
                output.note(&format!("a poll failed, still following: {error}"));
            }
            _ => {}
        }
    }
}

/// Returns whether a final message belongs to the newest turn of the session, or whether this is not known.
async fn is_newest(
    message: &Message,
    session: Option<&SessionRef>,
    output: &Output,
) -> Result<bool, Exit> {
    let Some((session, thread)) = session.zip(message.chat_thread_id.as_ref()) else {
        return Ok(true);
    };
    loop {
        match until_closed(session.latest_turn(), output).await? {
            Ok(Some(turn)) => return Ok(turn.thread_id() == Some(thread)),
            Ok(None) => return Ok(true),
            Err(error) if error.is_unknown_turn() => return Ok(true),
            Err(error) if error.is_transient() => {
                let error = with_causes(&error);
                output.note(&format!(
                    "cannot read the newest prompt, trying again: {error}"
                ));
                until_closed(tokio::time::sleep(PAUSE), output).await?;
            }
            Err(error) => return Err(error.into()),
        }
    }
}

/// Waits for `next`. Fails if a signal arrives, or if no process reads standard output any more, as after `| head`.
async fn until_closed<T>(next: impl Future<Output = T>, output: &Output) -> Result<T, Exit> {
    tokio::select! {
        biased;
        value = next => Ok(value),
        by = output.host().interruption_or_closed_output() => Err(by.into()),
    }
}

/// Prints one message, as a line of JSON or as its role and text.
fn line(message: &Message, output: &Output) -> Result<(), Exit> {
    if output.is_json() {
        return output.json(message);
    }
    let role = message.role.as_ref().map_or("?", |role| role.as_str());
    output.text(&format!("{role}: {}", content(message)))
}

fn content(message: &Message) -> String {
    match ToolCall::of(message) {
        Some(call) => text::tool_call(&call),
        None => message.message.clone().unwrap_or_default(),
    }
}

pub async fn transcript(args: TranscriptArgs, output: &Output) -> Result<(), Exit> {
    let session = args.session.resolve(output.host())?;
    let session = output.client()?.session(session);
    let mut query = session.messages().all();
    if !args.tools {
        query = query.types([MessageType::Message, MessageType::FinalMessage]);
    }
    let transcript = query.transcript().await?;
    if output.is_json() || args.format == Format::Json {
        return output.json(&transcript);
    }
    let mut parts = Vec::new();
    for notice in &transcript.notices {
        parts.push(format!("> notice: {}", content(notice)));
    }
    for turn in &transcript.turns {
        if let Some(prompt) = &turn.prompt {
            parts.push(format!("## You\n\n{}", content(prompt)));
        }
        for step in &turn.steps {
            parts.push(match step.type_ {
                Some(MessageType::ToolCall) => format!("    {}", content(step)),
                _ => content(step),
            });
        }
        parts.push(match &turn.reply {
            Some(reply) => format!("## Agent\n\n{}", content(reply)),
            None => "_No reply._".to_owned(),
        });
    }
    output.text(&parts.join("\n\n"))
}
