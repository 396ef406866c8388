//! Tests of the SDK against a server whose responses have the shapes of the vendor's public mock.

use blocks_sdk::{Agent, Client, CreateSession, FollowUp, MessageType, Session, ToolCall};
use blocks_tests::Vendor;

async fn created(vendor: &Vendor) -> Session {
    let client = Client::builder(Vendor::KEY).service(vendor.clone()).build();
    let request = CreateSession::new(Agent::claude(), "Go.");
    client.unwrap().create_session(request).await.unwrap()
}

#[tokio::test(start_paused = true)]
async fn replies_with_short_ids_are_read() {
    let vendor = Vendor::new();
    let session = created(&vendor).await;
    let turn = session.first_turn().unwrap();
    assert_eq!(turn.thread_id().map(|id| id.as_str()), Some("t1"));
    assert_eq!(turn.reply().await.unwrap().text(), "Done.");

    vendor.set_reply("Documented.");
    let second = session
        .follow_up(FollowUp::new("Document it."))
        .await
        .unwrap();
    assert_eq!(second.thread_id().map(|id| id.as_str()), Some("t2"));
    assert_eq!(second.reply().await.unwrap().text(), "Documented.");
    assert_eq!(vendor.post_count(), 2, "one create and one follow-up");
}

#[tokio::test(start_paused = true)]
async fn a_session_that_is_read_again_keeps_its_turn() {
    let vendor = Vendor::new();
    let mut session = created(&vendor).await;
    session.refresh().await.unwrap();
    assert_eq!(session.first_reply().await.unwrap().text(), "Done.");

    let same = session.client().get_session(session.id()).await.unwrap();
    assert!(
        same.first_turn().is_err(),
        "a link to the thread `null` leads nowhere"
    );
    let latest = same.latest_turn().await.unwrap().unwrap();
    assert_eq!(latest.reply().await.unwrap().text(), "Done.");
}

#[tokio::test(start_paused = true)]
async fn messages_and_tool_calls_are_read_in_order() {
    let vendor = Vendor::new();
    let session = created(&vendor).await;
    session.first_reply().await.unwrap();
    let messages = session.messages().all().collect().await.unwrap();
    let ids: Vec<_> = messages
        .iter()
        .map(|m| m.id.as_ref().unwrap().as_str())
        .collect();
    assert_eq!(ids, ["p0", "c0", "d0", "m0"]);
    let calls: Vec<ToolCall> = messages.iter().filter_map(ToolCall::of).collect();
    assert_eq!(calls.len(), 2);
    for call in &calls {
        assert!(!call.arguments().is_empty(), "{call:?}");
    }
    let transcript = session.transcript().await.unwrap();
    assert_eq!(transcript.turns.len(), 1);
    assert_eq!(transcript.turns[0].thread_id.as_str(), "t1");
    let reply = transcript.turns[0].reply.as_ref().unwrap();
    assert_eq!(reply.message.as_deref(), Some("Done."));

    let mut watch = session.messages().all().watch();
    let mut watched = Vec::new();
    while let Some(message) = watch.next().await {
        let message = message.unwrap();
        watched.push(message.id.unwrap().to_string());
        if message.type_ == Some(MessageType::FinalMessage) {
            break;
        }
    }
    assert_eq!(watched, ["p0", "c0", "d0", "m0"]);
}
