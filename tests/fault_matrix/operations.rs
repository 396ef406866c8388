//! The SDK's operations against every fault.

use std::pin::pin;
use std::time::Duration;

use blocks_mock::Dialect;
use blocks_sdk::{Error, ErrorKind, FollowUp, MessagesQuery};
use futures_util::StreamExt;
use tokio::time::{Instant, timeout};

use crate::Matrix;
use crate::scene::{Scene, Strike, check_error, hello};
use crate::target::Target;

/// Everything that a program can ask of the SDK.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Act {
    Create,
    Get,
    Refresh,
    FollowUp,
    Look,
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

impl Act {
    const ALL: [Self; 19] = [
        Self::Create,
        Self::Get,
        Self::Refresh,
        Self::FollowUp,
        Self::Look,
        Self::Reply,
        Self::Replies,
        Self::Page,
        Self::NewestPage,
        Self::Stream,
        Self::ThreadStream,
        Self::Watch,
        Self::Transcript,
        Self::Plans,
        Self::Artifact,
        Self::Bytes,
        Self::Save,
        Self::NextPage,
        Self::NewerPage,
    ];

    fn begins(self) -> bool {
        matches!(self, Self::Create | Self::FollowUp)
    }

    /// What it may take beside its requests.
    fn waits(self) -> Duration {
        match self {
            Self::Reply | Self::Replies | Self::Watch => WAIT,
            _ => Duration::ZERO,
        }
    }
}

/// The deadline of every wait.
const WAIT: Duration = Duration::from_secs(600);
/// A request: all of its attempts and pauses within 2 minutes, and the last attempt's minute.
const REQUEST: Duration = Duration::from_secs(185);

async fn act(act: Act, scene: &Scene, target: Option<&Target>) -> Result<(), Error> {
    let Scene {
        client, session, ..
    } = scene;
    let plan = || async {
        let id = session.plan_ids().last().expect("a plan");
        session.artifact(id).await
    };
    match act {
        Act::Create => drop(client.create_session(hello()).await?),
        Act::Get => drop(client.get_session(session.id()).await?),
        Act::Refresh => session.clone().refresh().await?,
        Act::FollowUp => drop(session.follow_up(FollowUp::new("more")).await?),
        Act::Look => drop(session.first_turn()?.poll_once().await?),
        Act::Reply => drop(session.first_turn()?.reply().timeout(WAIT).await?),
        Act::Replies => {
            let turns = [session.first_turn()?, session.first_turn()?];
            let mut replies = blocks_sdk::replies(turns.map(|turn| turn.reply().timeout(WAIT)));
            while let Some((_, result)) = replies.next().await {
                result?;
            }
        }
        Act::Page => drop(session.messages().all().send().await?),
        Act::NewestPage => drop(
            session
                .messages()
                .newest_first(true)
                .limit(1)
                .send()
                .await?,
        ),
        Act::Stream => drop(session.messages().all().collect().await?),
        Act::ThreadStream => {
            let turn = session.first_turn()?;
            let thread = turn.thread_id().expect("a thread");
            drop(session.thread_messages(thread).collect().await?);
        }
        Act::Watch => watch(session.messages().all()).await?,
        Act::Transcript => drop(session.transcript().await?),
        Act::Plans => {
            for plan in session.plans().await? {
                drop(plan?);
            }
        }
        Act::Artifact => drop(plan().await?),
        Act::Bytes => drop(plan().await?.bytes().await?),
        Act::Save => {
            let target = target.expect("a target");
            plan().await?.save(target.plan()).await?;
        }
        Act::NextPage => drop(session.messages().limit(1).send().await?.next().await?),
        Act::NewerPage => drop(session.messages().send().await?.newer().await?),
    }
    Ok(())
}

/// Watches for a while: a watch has no end of its own.
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

/// Runs one combination, and says what was broken.
async fn combination(doing: Act, dialect: Dialect, strike: Option<Strike>) -> (Scene, Vec<String>) {
    let scene = Scene::new(dialect, strike).await;
    let target = (doing == Act::Save).then(Target::new);
    let begun = Instant::now();
    let result = timeout(10 * WAIT, act(doing, &scene, target.as_ref())).await;
    let took = begun.elapsed();
    let exchanges = scene.recorder.exchanges();
    let mut violations = scene.check(usize::from(doing.begins()));
    violations.extend(target.and_then(|target| target.check(&scene)));
    // Each request that an act makes has its own time.
    let requests = u32::try_from(scene.touched().len()).unwrap_or(1) + 1;
    if took > doing.waits() + requests * REQUEST {
        violations.push(format!("it took {took:?}"));
    }
    match result {
        Err(_) => violations.push("it hangs".into()),
        Ok(Ok(())) => {}
        Ok(Err(error)) => {
            violations.extend(check_error(&error, &exchanges));
            violations.extend(check_fate(&error, &scene));
        }
    }
    (scene, violations)
}

/// A create or follow-up that failed and had its effect says so, and names the session where
/// its id came.
fn check_fate(error: &Error, scene: &Scene) -> Option<String> {
    let (sessions, messages) = scene.made();
    if messages > 0 && !error.may_have_taken_effect() {
        return Some(format!("its effect is kept secret: {error:?}"));
    }
    if error.may_have_taken_effect() && error.kind() == ErrorKind::InvalidInput {
        return Some(format!("invalid input with an effect: {error:?}"));
    }
    let made = *scene.mock.sessions().last()?;
    let came = error
        .body()
        .is_some_and(|body| body.contains(&made.to_string()));
    if sessions > 0 && came && error.session_id().is_none_or(|id| *id != made) {
        return Some(format!("the session's id came and is lost: {error:?}"));
    }
    None
}

pub async fn all(matrix: &mut Matrix) {
    for doing in Act::ALL {
        matrix
            .fill(&format!("{doing:?}"), async |dialect, strike| {
                combination(doing, dialect, strike).await
            })
            .await;
    }
}
