//! Tests of the SDK with the mock, on tokio's paused clock. The mock's agent works for some time, the mock injects
//! faults, or a rate limit is exhausted.

use std::future::IntoFuture;
use std::time::Duration;

use blocks_mock::{Action, Dialect, Fault, Frequency, Mock, Operation, RateLimit, Script};
use blocks_sdk::{Agent, CreateSession, ErrorKind, FollowUp, MessageType, ToolCall, replies};
use futures_util::StreamExt;

use crate::{client, hello};

/// Returns the script of an agent that sends a message, a tool call, a plan, a pull request and the reply within a
/// minute.
fn busy() -> Script {
    let second = Duration::from_secs(1);
    let plan = Action::Plan {
        file_name: "../plan.md".into(),
        text: "1. Go.".into(),
    };
    let tool = Action::ToolCall {
        name: "bash".into(),
        input: serde_json::json!({"command": "ls"}),
    };
    Script::reply("Done.")
        .reply_after(60 * second)
        .step(10 * second, Action::Message("Looking.".into()))
        .step(20 * second, tool)
        .step(30 * second, plan)
        .step(
            50 * second,
            Action::PullRequest("https://example.com/1".into()),
        )
}

#[tokio::test(start_paused = true)]
async fn both_dialects_give_the_same_conversation() {
    for dialect in [Dialect::observed(), Dialect::documented()] {
        let is_duplicated = dialect.duplicated_final;
        let mock = Mock::builder().dialect(dialect).agent(busy()).build();
        let mut session = client(&mock).create_session(hello()).await.unwrap();
        assert_eq!(session.first_reply().await.unwrap().text(), "Done.");
        session.refresh().await.unwrap();
        assert_eq!(
            session.pull_requests()[0].url(),
            Some("https://example.com/1")
        );
        let next = session.follow_up(FollowUp::new("more")).await.unwrap();
        assert_eq!(next.reply().await.unwrap().text(), "Done.");

        let transcript = session.transcript().await.unwrap();
        let [first, second] = &transcript.turns[..] else {
            panic!("{transcript:?}");
        };
        assert_eq!(
            first.prompt.as_ref().unwrap().message.as_deref(),
            Some("hello")
        );
        assert_eq!(
            second.prompt.as_ref().unwrap().message.as_deref(),
            Some("more")
        );
        assert_eq!(
            first.reply.as_ref().unwrap().message.as_deref(),
            Some("Done.")
        );
        assert_eq!(first.repeated_reply.is_some(), is_duplicated);
        let call = ToolCall::of(&first.steps[1]).unwrap();
        assert_eq!(
            (call.name.as_str(), call.arguments().get("command")),
            ("bash", Some("ls".into()))
        );
        assert_eq!(first.steps.len(), 2, "the text of the reply is not a step");
        assert_eq!(transcript.notices.len(), usize::from(is_duplicated));
        let without = session
            .messages()
            .all()
            .types([MessageType::Message, MessageType::FinalMessage])
            .transcript()
            .await
            .unwrap();
        assert_eq!(without.turns[0].steps[0].type_, Some(MessageType::Message));
    }
}

#[tokio::test(start_paused = true)]
async fn a_plan_download_has_no_key_and_is_renewed_once() {
    let minute = Duration::from_secs(60);
    let mock = Mock::builder()
        .agent(busy())
        .presigned_url_ttl(minute)
        .build();
    let session = client(&mock).create_session(hello()).await.unwrap();
    session.first_reply().await.unwrap();
    let plan = session.plans().await.unwrap().remove(0).unwrap();
    assert_eq!(&plan.bytes().await.unwrap()[..], b"1. Go.");
    tokio::time::sleep(2 * minute).await;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("plan.md");
    plan.save(&path).await.unwrap();
    assert_eq!(std::fs::read(&path).unwrap(), b"1. Go.");
    // The first download succeeds. The second is rejected, because the URL has expired. The SDK then requests the
    // artifact again, and the third download uses its new URL.
    assert_eq!(
        (
            mock.count(Operation::Download),
            mock.count(Operation::GetArtifact)
        ),
        (3, 2)
    );
    let downloads = mock
        .requests()
        .into_iter()
        .filter(|r| r.operation == Some(Operation::Download));
    assert!(
        downloads
            .into_iter()
            .all(|r| r.header("authorization").is_none())
    );

    let again = plan.save(&path).await.unwrap_err();
    assert_eq!(again.kind(), ErrorKind::File, "nothing is overwritten");
    for fault in [Fault::ResetInBody, Fault::status(500), Fault::ResetBefore] {
        mock.inject(Operation::Download, Frequency::Always, fault);
        // The fault makes each download fail. The error must not show the signature of the URL.
        let fresh = session.artifact(plan.id()).await.unwrap();
        let error = fresh
            .save(folder.path().join("other.md"))
            .await
            .unwrap_err();
        mock.clear_faults();
        assert_eq!(error.operation(), Some("download"));
        let url = fresh
            .data()
            .url
            .as_ref()
            .unwrap()
            .as_str()
            .split_once("signature=")
            .unwrap()
            .1;
        assert!(!format!("{fresh:?} {error:?} {error}").contains(url));
    }
    let files = std::fs::read_dir(folder.path()).unwrap().count();
    assert_eq!(files, 1, "no incomplete file is left");
}

#[tokio::test(start_paused = true)]
async fn faults_of_a_create_make_at_most_one_session() {
    for (fault, sessions, known) in [
        (Fault::status_after_effect(503), 1, false),
        (Fault::ResetAfter, 1, false),
        (Fault::ResetInBody, 1, false),
        (Fault::Truncate, 1, true),
        (Fault::Html, 1, false),
        (Fault::ReplaceField("id".into(), true.into()), 1, false),
        (Fault::Delay(Duration::from_secs(3600)), 1, false),
        (Fault::status(503), 0, false),
    ] {
        let mock = Mock::builder()
            .fault(Operation::CreateSession, Frequency::ONCE, fault.clone())
            .build();
        let error = client(&mock).create_session(hello()).await.unwrap_err();
        assert!(error.may_have_taken_effect(), "{fault:?}");
        assert_eq!(mock.session_count(), sessions, "{fault:?}");
        assert_eq!(mock.count(Operation::CreateSession), 1, "{fault:?}");
        if known {
            assert_eq!(
                error.session_id(),
                Some(&mock.sessions()[0].into()),
                "{fault:?}"
            );
        }
    }
    for fault in [Fault::Refuse, Fault::rate_limited(None)] {
        let mock = Mock::builder()
            .fault(Operation::CreateSession, Frequency::Times(2), fault)
            .build();
        client(&mock).create_session(hello()).await.unwrap();
        assert_eq!(
            (mock.session_count(), mock.count(Operation::CreateSession)),
            (1, 3)
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_session_without_a_thread_is_not_lost() {
    let mock = Mock::builder()
        .fault(Operation::CreateSession, Frequency::ONCE, Fault::NullLinks)
        .build();
    let session = client(&mock).create_session(hello()).await.unwrap();
    let error = session.first_reply().await.unwrap_err();
    assert_eq!(error.session_id(), Some(&mock.sessions()[0].into()));
    let thread = mock.threads(session.id())[0];
    assert_eq!(
        session.turn_in_thread(thread).reply().await.unwrap().text(),
        "Done."
    );
}

#[tokio::test(start_paused = true)]
async fn a_hundred_sessions_stay_within_the_limit() {
    let mock = Mock::builder()
        .rate_limit(RateLimit::default())
        .reply_after(Duration::from_secs(90))
        .build();
    let client = client(&mock);
    let creates =
        (0..100).map(|n| client.create_session(CreateSession::new(Agent::claude(), n.to_string())));
    let sessions = futures_util::future::join_all(creates).await;
    let turns = sessions
        .into_iter()
        .map(|session| session.unwrap().first_turn().unwrap());
    let all: Vec<_> = replies(turns.map(|turn| turn.reply())).collect().await;
    assert!(all.iter().all(|(_, result)| result.is_ok()));
    assert!(mock.requests().iter().all(|r| r.status != Some(429)));
    assert_eq!(mock.session_count(), 100);
}

#[tokio::test(start_paused = true)]
async fn no_wait_ends_unpolled_while_creates_queue() {
    let limit = RateLimit::default();
    let mock = Mock::builder()
        .rate_limit(limit)
        .reply_after(Duration::from_secs(10))
        .build();
    let client = client(&mock);
    let one = |number: usize| {
        let client = client.clone();
        async move {
            let request = CreateSession::new(Agent::claude(), number.to_string());
            let session = client.create_session(request).await?;
            session
                .first_turn()?
                .reply()
                .timeout(Duration::from_secs(300))
                .await
        }
    };
    let all = futures_util::future::join_all((0..600).map(one)).await;
    assert_eq!(all.iter().filter(|result| result.is_err()).count(), 0);
    assert!(
        mock.requests()
            .iter()
            .all(|request| request.status != Some(429))
    );
}

#[tokio::test(start_paused = true)]
async fn the_follow_up_that_took_effect_last_is_the_latest() {
    let mock = Mock::builder()
        .reply_after(Duration::from_secs(600))
        .build();
    let session = client(&mock).create_session(hello()).await.unwrap();
    let slow = Fault::SlowBody {
        bytes: 100,
        every: Duration::from_secs(1),
    };
    // The follow-up A takes effect before B, but the response to A arrives after the response to B.
    mock.inject(Operation::CreateMessage, Frequency::ONCE, slow);
    let second = async {
        tokio::time::sleep(Duration::from_millis(100)).await;
        session.follow_up(FollowUp::new("B")).await
    };
    let (a, b) = tokio::join!(session.follow_up(FollowUp::new("A")), second);
    let (a, b) = tokio::join!(
        a.unwrap().reply().into_future(),
        b.unwrap().reply().into_future()
    );
    assert_eq!(a.unwrap_err().kind(), ErrorKind::Interrupted);
    assert_eq!(b.unwrap().text(), "Done.");
}
