//! The one request to a foreign host: without the key, nowhere else, and not for ever.

use std::time::Duration;

use blocks_mock::{Action, Fault, Mock, Operation, Script, When};
use blocks_sdk::{Artifact, Client, ErrorKind};
use blocks_tests::{Answer, SESSION, Scripted, THREAD};
use serde_json::json;

use crate::hello;

/// An artifact whose bytes are at `url`. Any id will do.
fn artifact(url: &str) -> Answer {
    Answer::ok(&json!({"id": THREAD, "file_name": "plan.md", "url": url}))
}

/// A plan whose bytes come one by one.
async fn dripping(every: Duration) -> Artifact {
    let plan = Action::Plan {
        file_name: "plan.md".into(),
        text: "1. Go.".into(),
    };
    let agent = Script::reply("Done.").at(Duration::ZERO, plan);
    let mock = Mock::builder().agent(agent).build();
    let builder = Client::builder(mock.key()).service(mock.service());
    let session = builder.build().unwrap().create_session(hello()).await;
    let session = session.unwrap();
    session.reply().await.unwrap();
    let plan = session.plans().await.unwrap().remove(0);
    mock.inject(
        Operation::Download,
        When::ONCE,
        Fault::Drip { bytes: 1, every },
    );
    plan
}

#[tokio::test(start_paused = true)]
async fn an_address_that_others_can_listen_to_is_not_asked() {
    for url in [
        "http://storage.example/x?signature=s3cret",
        "http://127.0.0.1.evil.example/x?signature=s3cret",
        "ftp://storage.example/x?signature=s3cret",
        "file:///etc/passwd",
        "nonsense?signature=s3cret",
    ] {
        let script = Scripted::new([artifact(url)]);
        let session = script
            .client()
            .session(SESSION.parse::<blocks_sdk::Id>().unwrap());
        let artifact = session
            .artifact(THREAD.parse::<blocks_sdk::Id>().unwrap())
            .await
            .unwrap();
        let error = artifact.bytes().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput, "{url}");
        assert_eq!(script.count(), 1, "{url}");
        let told = format!("{artifact:?} {error} {error:?}");
        assert!(!told.contains("s3cret"), "{told}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_redirect_of_the_storage_host_is_an_error() {
    let redirect = Answer::text(302, "").header("location", "https://evil.example/");
    let script = Scripted::new([
        artifact("https://storage.example/x?signature=s3cret"),
        redirect,
    ]);
    let session = script
        .client()
        .session(SESSION.parse::<blocks_sdk::Id>().unwrap());
    let artifact = session
        .artifact(THREAD.parse::<blocks_sdk::Id>().unwrap())
        .await
        .unwrap();
    let error = artifact.bytes().await.unwrap_err();
    assert_eq!((error.status(), script.count()), (Some(302), 2));
    let asked = &script.seen()[1];
    assert_eq!(asked.url.host_str(), Some("storage.example"));
    assert_eq!(asked.authorization, None);
    assert!(!format!("{error} {error:?}").contains("s3cret"));
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_cannot_be_decoded_is_told_without_the_address() {
    let url = "https://storage.example/x?signature=s3cret";
    for answer in [
        Answer::ok(&json!({"id": [], "url": {"href": url}})),
        Answer::text(500, format!("see {url}")),
        Answer::text(404, format!(r#"{{"error": "no {url} here"}}"#)),
    ] {
        let script = Scripted::new([answer]);
        let session = script
            .client()
            .session(SESSION.parse::<blocks_sdk::Id>().unwrap());
        let error = session
            .artifact(THREAD.parse::<blocks_sdk::Id>().unwrap())
            .await
            .unwrap_err();
        let told = format!("{error} {error:?}");
        assert!(
            !told.contains("s3cret") && told.contains("https://storage"),
            "{told}"
        );
        assert!(error.body().unwrap().contains("s3cret"), "nothing is lost");
    }
}

#[tokio::test(start_paused = true)]
async fn a_save_that_is_dropped_leaves_nothing() {
    let every = Duration::from_secs(10);
    let plan = dripping(every).await;
    let folder = std::env::temp_dir().join(format!("blocks-dropped-{}", plan.id()));
    std::fs::create_dir(&folder).unwrap();
    let save = plan.save(folder.join("plan.md"));
    tokio::time::timeout(3 * every, save).await.unwrap_err();
    assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 0);
    std::fs::remove_dir(folder).unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_piece_that_does_not_come_ends_the_download() {
    let plan = dripping(Duration::from_secs(61)).await;
    let error = plan.bytes().await.unwrap_err();
    assert!(
        error.to_string().contains("nothing came for 60s"),
        "{error}"
    );
    assert_eq!(error.operation(), Some("download"));
}
