//! `run`, `send` and `wait`: one turn of the agent.

use std::time::Duration;

use blocks_sdk::{
    Agent, CreateSession, Error, ErrorKind, FollowUp, MessageRole, Pending, Progress, Session, Turn,
};

use super::pending::{self, PendingFile};
use super::text_of;
use crate::args::{RunArgs, SendArgs, WaitArgs, WaitOptions};
use crate::exit::{Code, Exit};
use crate::output::{Outcome, Output};

pub async fn run(args: RunArgs, output: &Output) -> Result<(), Exit> {
    let profile = match &args.profile {
        Some(argument) => match serde_json::from_str(&text_of(argument)?) {
            Ok(profile) => Some(profile),
            Err(e) => {
                return Err(Exit::wrong_use(format!(
                    "--profile must be a JSON object: {e}"
                )));
            }
        },
        None => None,
    };
    let agent = Agent::from_fields(args.agent_id, args.agent.as_deref(), profile)?;
    let mut request = CreateSession::new(agent, text_of(&args.prompt)?).artifacts(args.artifact);
    if args.private {
        request = request.private();
    }
    if let Some(title) = args.title {
        request = request.title(title);
    }
    if let Some(group) = args.session_group {
        request = request.session_group(group);
    }
    let client = output.client()?;
    let pending = args.wait.pending_file()?;
    let session = interruptible(client.create_session(request)).await??;
    let turn = session.turn()?;
    follow(&turn, session, pending, &args.wait, output).await
}

pub async fn send(args: SendArgs, output: &Output) -> Result<(), Exit> {
    let client = output.client()?;
    let session = client.session(args.session);
    let request = FollowUp::new(text_of(&args.prompt)?);
    let pending = args.wait.pending_file()?;
    let turn = interruptible(session.follow_up(request)).await??;
    follow(&turn, session, pending, &args.wait, output).await
}

impl WaitOptions {
    fn pending_file(&self) -> Result<Option<PendingFile>, Exit> {
        let path = self.pending.as_deref();
        path.map(PendingFile::create).transpose()
    }
}

/// What comes after a create or follow-up.
async fn follow(
    turn: &Turn,
    session: Session,
    pending: Option<PendingFile>,
    options: &WaitOptions,
    output: &Output,
) -> Result<(), Exit> {
    let begun = Outcome::new("started", turn.pending(), Some(&session));
    output.begun(&begun)?;
    if let Some(Err(error)) = pending.map(|file| file.write(turn.pending())) {
        let what = go_on(turn.pending());
        return Err(Exit::failed(format!("--pending: {error}; {what}")));
    }
    if options.no_wait {
        output.note(&go_on(turn.pending()));
        return output.ended(&begun);
    }
    reply(turn, session, options.timeout, output).await
}

pub async fn wait(args: WaitArgs, output: &Output) -> Result<(), Exit> {
    let client = output.client()?;
    let pending = match (args.pending, args.session, args.thread) {
        (Some(path), ..) => pending::read(&path)?,
        (None, Some(session), Some(thread)) => Pending::new(session, thread),
        (None, Some(session), None) => latest(&client.session(session)).await?,
        (None, None, _) => return Err(Exit::wrong_use("give a session or --pending")),
    };
    let session = client.session(pending.session_id());
    reply(&client.resume(pending), session, args.timeout, output).await
}

/// The latest turn of a session: each begins with the user's message.
async fn latest(session: &Session) -> Result<Pending, Exit> {
    let prompts = session.messages().roles([MessageRole::User]).newest_first();
    let page = prompts.limit(1).send().await?;
    let thread = page
        .messages()
        .first()
        .and_then(|m| m.chat_thread_id.clone());
    let thread = thread.ok_or_else(|| {
        Exit::failed(format!(
            "session {} has no turn to wait for; name it with --thread",
            session.id()
        ))
    })?;
    Ok(Pending::new(session.id(), thread))
}

/// Waits, and tells the end.
async fn reply(
    turn: &Turn,
    mut session: Session,
    timeout: Duration,
    output: &Output,
) -> Result<(), Exit> {
    let waited = interruptible(progress(turn, timeout, output)).await;
    output.waited();
    let reply = match waited {
        Ok(Ok(text)) => text,
        Ok(Err(error)) if error.kind() == ErrorKind::Deadline => {
            output.ended(&Outcome::new("timed_out", turn.pending(), Some(&session)))?;
            let timeout = humantime::format_duration(timeout);
            let message = format!("no reply within {timeout}; {}", go_on(turn.pending()));
            return Err(Exit::new(Code::StillRunning, message));
        }
        Ok(Err(error)) => return Err(error.into()),
        Err(exit) => {
            return Err(Exit::new(
                exit.code,
                format!("interrupted; {}", go_on(turn.pending())),
            ));
        }
    };
    // Pull requests are there only now. The reply is worth more than they are.
    if let Err(error) = session.refresh().await {
        output.note(&format!("the pull requests cannot be read: {error}"));
    }
    let mut outcome = Outcome::new("completed", turn.pending(), Some(&session));
    outcome.final_message = Some(reply);
    output.ended(&outcome)
}

async fn progress(turn: &Turn, timeout: Duration, output: &Output) -> Result<String, Error> {
    let mut progress = turn.reply().timeout(timeout).progress();
    while let Some(step) = progress.next().await {
        match step? {
            Progress::Waiting { elapsed, .. } => output.waiting(elapsed),
            Progress::Replied(reply) => return Ok(reply.text().to_owned()),
            _ => {}
        }
    }
    Ok(String::new())
}

/// What to type to go on waiting.
fn go_on(pending: &Pending) -> String {
    let thread = pending.thread_id();
    let thread = thread
        .map(|id| format!(" --thread {id}"))
        .unwrap_or_default();
    format!("wait on with: blocks wait {}{thread}", pending.session_id())
}

/// `future`, unless the user interrupts it first.
pub async fn interruptible<T>(future: impl Future<Output = T>) -> Result<T, Exit> {
    tokio::select! {
        value = future => Ok(value),
        _ = tokio::signal::ctrl_c() => Err(Exit::new(
            Code::Interrupted,
            "interrupted; what was sent may have begun, so look before you try again",
        )),
    }
}
