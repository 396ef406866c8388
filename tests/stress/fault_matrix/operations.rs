//! Runs calls of the SDK with every kind of fault that the mock can inject.

use std::pin::pin;
use std::time::Duration;

use blocks_mock::Dialect;
use blocks_sdk::{Error, ErrorKind, FollowUp, MessagesQuery};
use blocks_tests::Exchange;
use futures_util::StreamExt;
use tokio::time::{Instant, timeout};

use super::output_dir::OutputDir;
use super::setup::{InjectedFault, Setup, check_error, hello};

/// A call that a program can make to the SDK.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Call {
    Create,
    Get,
    Refresh,
    FollowUp,
    PollOnce,
    Reply,
    Replies,
    Page,
    NewestPage,
    Stream,
    ThreadStream,
    Watch,
    Transcript,
    Plans,
    Artifact,
    Bytes,
    Save,
    NextPage,
    NewerPage,
}

pub const ALL: [Call; 19] = [
    Call::Create,
    Call::Get,
    Call::Refresh,
    Call::FollowUp,
    Call::PollOnce,
    Call::Reply,
    Call::Replies,
    Call::Page,
    Call::NewestPage,
    Call::Stream,
    Call::ThreadStream,
    Call::Watch,
    Call::Transcript,
    Call::Plans,
    Call::Artifact,
    Call::Bytes,
    Call::Save,
    Call::NextPage,
    Call::NewerPage,
];

impl Call {
    fn is_prompt(self) -> bool {
        matches!(self, Self::Create | Self::FollowUp)
    }

    /// Returns how long the call may wait, without the time that its requests take.
    fn wait(self) -> Duration {
        match self {
            Self::Reply | Self::Replies | Self::Watch => WAIT,
            _ => Duration::ZERO,
        }
    }
}

/// The time-out of every wait.
const WAIT: Duration = Duration::from_secs(600);
/// Maximum duration of a request: 2 minutes for all attempts and pauses, one more minute for the last attempt, and 5 s
/// of tolerance.
const REQUEST: Duration = Duration::from_secs(185);

async fn send(call: Call, setup: &Setup, output: Option<&OutputDir>) -> Result<(), Error> {
    let Setup {
        client, session, ..
    } = setup;
    let plan = || async {
        let id = session.plan_ids().last().expect("a plan");
        session.artifact(id).await
    };
    match call {
        Call::Create => drop(client.create_session(hello()).await?),
        Call::Get => drop(client.get_session(session.id()).await?),
        Call::Refresh => session.clone().refresh().await?,
        Call::FollowUp => drop(session.follow_up(FollowUp::new("more")).await?),
        Call::PollOnce => drop(session.first_turn()?.poll_once().await?),
        Call::Reply => drop(session.first_turn()?.reply().timeout(WAIT).await?),
        Call::Replies => {
            let other = setup.other.as_ref().expect("another session");
            let turns = [session.first_turn()?, other.first_turn()?];
            let mut replies = blocks_sdk::replies(turns.map(|turn| turn.reply().timeout(WAIT)));
            while let Some((_, result)) = replies.next().await {
                result?;
            }
        }
        Call::Page => drop(session.messages().all().send().await?),
        Call::NewestPage => drop(
            session
                .messages()
                .newest_first(true)
                .limit(1)
                .send()
                .await?,
        ),
        Call::Stream => drop(session.messages().all().collect().await?),
        Call::ThreadStream => {
            let turn = session.first_turn()?;
            let thread = turn.thread_id().expect("a thread");
            drop(session.thread_messages(thread).collect().await?);
        }
        Call::Watch => watch(session.messages().all()).await?,
        Call::Transcript => drop(session.transcript().await?),
        Call::Plans => {
            for plan in session.plans().await? {
                drop(plan?);
            }
        }
        Call::Artifact => drop(plan().await?),
        Call::Bytes => drop(plan().await?.bytes().await?),
        Call::Save => {
            let output = output.expect("a folder");
            plan().await?.save(output.plan()).await?;
        }
        Call::NextPage => drop(session.messages().limit(1).send().await?.next().await?),
        Call::NewerPage => drop(session.messages().send().await?.newer().await?),
    }
    Ok(())
}

/// Watches for a minute, since a watch does not end.
async fn watch(messages: MessagesQuery) -> Result<(), Error> {
    let mut watch = pin!(messages.watch());
    let seen = async {
        while let Some(message) = watch.next().await {
            message?;
        }
        Ok(())
    };
    timeout(WAIT / 10, seen).await.unwrap_or(Ok(()))
}

/// Runs a call with a fault. The dialect selects whether the mock behaves like the live service or like the
/// documentation.
pub async fn run(call: Call, dialect: Dialect, fault: Option<InjectedFault>) -> super::Result {
    let mut setup = Setup::new(dialect).await;
    if call == Call::Replies {
        setup.add_session().await;
    }
    setup.inject(fault);
    let output = (call == Call::Save).then(OutputDir::new);
    let started = Instant::now();
    let result = timeout(10 * WAIT, send(call, &setup, output.as_ref())).await;
    let elapsed = started.elapsed();
    let exchanges = setup.recorder.exchanges();
    let mut violations = setup.check(usize::from(call.is_prompt()));
    violations.extend(output.and_then(|output| output.check(&setup)));
    // The time limit allows `REQUEST` for each operation that was called, and for one more request.
    let requests = u32::try_from(setup.called().len()).unwrap_or(1) + 1;
    if elapsed > call.wait() + requests * REQUEST {
        violations.push(format!("it took {elapsed:?}"));
    }
    match result {
        Err(_) => violations.push("it does not end".into()),
        Ok(Ok(())) => {}
        Ok(Err(error)) => {
            violations.extend(check_last_exchange(call, &error, &exchanges));
            violations.extend(check_effect(&error, &setup));
        }
    }
    (setup, violations)
}

/// Checks that the error contains the response of the last exchange (a request and its response). `Call::Replies` waits
/// for two sessions, so the last exchange may be of the session that did not fail. The check therefore uses the last
/// exchange of the session that the error names.
fn check_last_exchange(call: Call, error: &Error, exchanges: &[Exchange]) -> Vec<String> {
    let mut exchanges = exchanges.iter().rev();
    let last = match error.pending() {
        Some(pending) if call == Call::Replies => {
            let id = pending.session_id().to_string();
            exchanges.find(|exchange| exchange.path.contains(&id))
        }
        _ => exchanges.next(),
    };
    check_error(error, last)
}

/// Checks the error of a create or follow-up that took effect. The error must say that the request
/// may have taken effect, and must contain the session's id if the response contained the id.
fn check_effect(error: &Error, setup: &Setup) -> Option<String> {
    let (sessions, messages) = setup.created();
    if messages > 0 && !error.may_have_taken_effect() {
        return Some(format!("the error hides its effect: {error:?}"));
    }
    if error.may_have_taken_effect() && error.kind() == ErrorKind::InvalidInput {
        return Some(format!("invalid input with an effect: {error:?}"));
    }
    let created = *setup.mock.sessions().last()?;
    let received = error
        .body()
        .is_some_and(|body| body.contains(&created.to_string()));
    if sessions > 0 && received && error.session_id().is_none_or(|id| *id != created) {
        return Some(format!("the received session id is lost: {error:?}"));
    }
    None
}
