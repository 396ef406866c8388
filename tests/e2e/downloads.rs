//! The one request to a foreign host: without the key, nowhere else, and not for ever.

use std::time::Duration;

use blocks_mock::{Action, Fault, Frequency, Mock, Operation, Script};
use blocks_sdk::{Artifact, Client, Error, ErrorKind, Id};
use blocks_tests::{Answer, SESSION, Scripted, THREAD};
use serde_json::json;

use crate::hello;

/// An artifact whose bytes are at `url`. Any id will do.
fn artifact(url: &str) -> Answer {
    Answer::ok(&json!({"id": THREAD, "file_name": "plan.md", "url": url}))
}

/// The artifact that the next answer of `script` describes.
async fn read(script: &Scripted) -> Result<Artifact, Error> {
    let session = script.client().session(SESSION.parse::<Id>().unwrap());
    session.artifact(THREAD.parse::<Id>().unwrap()).await
}

/// A plan whose bytes come one by one.
async fn dripping(every: Duration) -> Artifact {
    let plan = Action::Plan {
        file_name: "plan.md".into(),
        text: "1. Go.".into(),
    };
    let agent = Script::reply("Done.").step(Duration::ZERO, plan);
    let mock = Mock::builder().agent(agent).build();
    let builder = Client::builder(mock.key()).service(mock.service());
    let session = builder.build().unwrap().create_session(hello()).await;
    let session = session.unwrap();
    session.first_reply().await.unwrap();
    let plan = session.plans().await.unwrap().remove(0).unwrap();
    mock.inject(
        Operation::Download,
        Frequency::ONCE,
        Fault::SlowBody { bytes: 1, every },
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
        "/plans/plan.md",
        "",
    ] {
        let script = Scripted::new([artifact(url)]);
        let artifact = read(&script).await.unwrap();
        let error = artifact.bytes().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::UntrustedLink, "{url}");
        assert_eq!(script.count(), 1, "{url}");
        let told = format!("{artifact:?} {error} {error:?}");
        assert!(!told.contains("s3cret"), "{told}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_artifact_without_a_url_is_not_invalid_input() {
    for data in [
        json!({"id": THREAD, "url": null}),
        json!({"id": THREAD}),
        json!({"id": THREAD, "url": 7}),
    ] {
        let script = Scripted::new([Answer::ok(&data)]);
        let artifact = read(&script).await.unwrap();
        let error = artifact.bytes().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::UntrustedLink, "{data}");
        assert!(error.to_string().contains(THREAD), "{error}");
        assert_eq!(script.count(), 1, "{data}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_redirect_of_the_storage_host_is_an_error() {
    let redirect = Answer::text(302, "").header("location", "https://evil.example/");
    let script = Scripted::new([
        artifact("https://storage.example/x?signature=s3cret"),
        redirect,
    ]);
    let artifact = read(&script).await.unwrap();
    let error = artifact.bytes().await.unwrap_err();
    assert_eq!((error.status(), script.count()), (Some(302), 2));
    let asked = &script.seen()[1];
    assert_eq!(asked.url.host_str(), Some("storage.example"));
    assert_eq!(asked.authorization, None);
    let text = format!("{error} {error:?}");
    assert!(
        text.contains("a redirect to evil.example that is not followed"),
        "{text}"
    );
    assert!(!text.contains("s3cret"));
}

#[tokio::test(start_paused = true)]
async fn the_id_of_a_storage_request_is_in_its_error() {
    for name in [
        "x-amz-request-id",
        "x-ms-request-id",
        "x-guploader-uploadid",
    ] {
        let (plan, _) = stored([Answer::text(404, "gone").header(name, "req-7")]).await;
        let error = plan.bytes().await.unwrap_err();
        assert_eq!(error.request_id(), Some("req-7"), "{name}");
        assert!(error.to_string().contains("(request id req-7)"), "{error}");
    }
}

#[tokio::test(start_paused = true)]
async fn every_error_of_a_download_names_host_and_cause() {
    for (answer, kind, cause) in [
        (
            Answer::Refused,
            ErrorKind::Connection,
            "could not connect to storage.example: connection refused",
        ),
        (Answer::Broken, ErrorKind::Connection, "connection reset"),
        (
            Answer::Silence,
            ErrorKind::Timeout,
            "no response within 60s",
        ),
        (
            Answer::text(200, "1. G").breaking(),
            ErrorKind::Connection,
            "connection reset",
        ),
        (
            Answer::bytes(200, vec![b'x'; (16 << 20) + 1]),
            ErrorKind::TooLarge,
            "the file is larger than 16777216 bytes; stream it or save it",
        ),
    ] {
        let (plan, _) = stored([answer]).await;
        let error = plan.bytes().await.unwrap_err();
        let text = error.to_string();
        assert_eq!(error.kind(), kind, "{text}");
        assert!(
            text.starts_with("download at storage.example failed"),
            "{text}"
        );
        assert!(text.contains(cause) && !text.contains("s3cret"), "{text}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_compressed_file_is_never_taken_for_the_file() {
    for encoding in ["gzip", "br", "zstd", "deflate", "GZIP"] {
        let answers = [200, 404].map(|status| {
            let packed = Answer::bytes(status, vec![0x1f, 0x8b, 8, 0]);
            packed.header("content-encoding", encoding)
        });
        for answer in answers {
            let (plan, script) = stored([answer]).await;
            let error = plan.bytes().await.unwrap_err();
            let text = error.to_string();
            let found = text.contains(&format!("content encoding {encoding}"));
            assert!(found && text.is_ascii(), "{text}");
            assert_eq!(script.count(), 2, "{encoding}");
        }
    }
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
async fn a_download_that_stops_is_an_error_or_starts_again() {
    use futures_util::TryStreamExt;

    let plan = dripping(Duration::from_secs(61)).await;
    let pieces = plan.stream().await.unwrap();
    let error = pieces.try_collect::<Vec<_>>().await.unwrap_err();
    assert!(error.to_string().contains("no data for 60s"), "{error}");
    assert_eq!(error.operation(), Some("download"));

    let plan = dripping(Duration::from_secs(61)).await;
    assert_eq!(plan.bytes().await.unwrap(), "1. Go.");
}

/// A session whose one artifact is at a storage host that answers by `answers`.
async fn stored(answers: impl IntoIterator<Item = Answer>) -> (Artifact, Scripted) {
    let script = Scripted::new([artifact("https://storage.example/x?signature=s3cret")]);
    script.then(answers);
    let session = script
        .client()
        .session(SESSION.parse::<blocks_sdk::Id>().unwrap());
    let artifact = session
        .artifact(THREAD.parse::<blocks_sdk::Id>().unwrap())
        .await;
    (artifact.unwrap(), script)
}

#[tokio::test(start_paused = true)]
async fn downloads_are_retried_like_every_read() {
    for fault in [
        Answer::text(503, "busy"),
        Answer::text(429, "busy"),
        Answer::Refused,
        Answer::Broken,
        Answer::Silence,
        Answer::text(200, "1. G").breaking(),
    ] {
        let (plan, script) = stored([fault.clone(), Answer::text(200, "1. Go.")]).await;
        assert_eq!(plan.bytes().await.unwrap(), "1. Go.", "{fault:?}");
        assert_eq!(script.count(), 3, "{fault:?}");

        let (plan, script) = stored([fault.clone(), Answer::text(200, "1. Go.")]).await;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("plan.md");
        plan.save(&path).await.unwrap();
        assert_eq!(
            std::fs::read_to_string(&path).unwrap(),
            "1. Go.",
            "{fault:?}"
        );
        assert_eq!(script.count(), 3, "{fault:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_download_makes_five_attempts_in_all() {
    for fault in [
        Answer::text(503, "busy"),
        Answer::Refused,
        Answer::Broken,
        Answer::Silence,
        Answer::text(200, "1. G").breaking(),
    ] {
        let (plan, script) = stored(vec![fault.clone(); 30]).await;
        let error = plan.bytes().await.unwrap_err();
        assert_eq!((error.attempts(), script.count()), (5, 6), "{fault:?}");

        let (plan, script) = stored(vec![fault.clone(); 30]).await;
        let folder = tempfile::tempdir().unwrap();
        let error = plan.save(folder.path().join("p")).await.unwrap_err();
        assert_eq!((error.attempts(), script.count()), (5, 6), "{fault:?}");
        let files = std::fs::read_dir(folder.path()).unwrap().count();
        assert_eq!(files, 0, "{fault:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_storage_host_decides_when_to_retry() {
    let busy = Answer::text(503, "").header("retry-after", "20");
    let (plan, script) = stored([busy, Answer::text(200, "1. Go.")]).await;
    plan.bytes().await.unwrap();
    let seen = script.seen();
    assert!((seen[2].at - seen[1].at).as_secs() >= 20);
}

#[tokio::test(start_paused = true)]
async fn a_refused_download_does_not_blame_the_key() {
    for status in [401, 404, 410] {
        let (plan, script) = stored([Answer::text(status, "gone")]).await;
        let error = plan.bytes().await.unwrap_err();
        let text = error.to_string();
        assert_eq!((error.status(), script.count()), (Some(status), 2));
        assert!(
            text.contains("download at storage.example failed"),
            "{text}"
        );
        assert!(!text.contains("key") && !text.contains("s3cret"), "{text}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_encoded_file_is_an_error_that_names_the_encoding() {
    let packed = Answer::text(200, "x").header("content-encoding", "gzip");
    let (plan, script) = stored([packed]).await;
    let error = plan.bytes().await.unwrap_err();
    assert!(error.to_string().contains("gzip"), "{error}");
    assert_eq!(script.count(), 2);
    assert!(
        script.seen()[1]
            .headers
            .contains(&"accept-encoding".to_owned())
    );
}

#[tokio::test(start_paused = true)]
async fn a_save_shows_no_file_before_it_is_complete() {
    let plan = dripping(Duration::from_secs(10)).await;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("plan.md");
    let mut save = Box::pin(plan.save(&path));
    let early = tokio::time::timeout(Duration::from_secs(15), &mut save).await;
    assert!(early.is_err() && !path.exists());
    std::mem::forget(save);
    plan.save(&path).await.unwrap();
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "1. Go.");
}

#[tokio::test(start_paused = true)]
async fn a_plan_that_cannot_be_read_does_not_lose_the_others() {
    let ids = json!([THREAD, "0f4f7b0c-2b4e-4a53-8a64-2d1c9e7d3c33"]);
    let session = json!({"id": SESSION, "plan_artifact_ids": ids});
    let script = Scripted::new([
        Answer::ok(&session),
        Answer::text(404, "{}"),
        artifact("https://storage.example/x"),
    ]);
    let session = script
        .client()
        .session(SESSION.parse::<blocks_sdk::Id>().unwrap());
    let plans = session.plans().await.unwrap();
    let read: Vec<bool> = plans.iter().map(Result::is_ok).collect();
    assert_eq!(read, [false, true]);
}

#[tokio::test]
async fn headers_for_the_service_do_not_reach_the_storage() {
    let plan = Action::Plan {
        file_name: "plan.md".into(),
        text: "1. Go.".into(),
    };
    let agent = Script::default().step(Duration::ZERO, plan);
    let server = Mock::builder().agent(agent).start().await.unwrap();
    let client = Client::builder(server.key())
        .base_url(server.url())
        .configure_http(|http| {
            let token = http::HeaderValue::from_static("s3cret");
            let name = http::HeaderName::from_static("x-gateway-token");
            http.default_headers([(name, token)].into_iter().collect())
        })
        .build()
        .unwrap();
    let session = client.create_session(hello()).await.unwrap();
    let plan = session.plans().await.unwrap().remove(0).unwrap();
    assert_eq!(plan.bytes().await.unwrap(), "1. Go.");
    let received = server.requests();
    let tokens: Vec<_> = received
        .iter()
        .map(|request| request.header("x-gateway-token"))
        .collect();
    let sent = Some("s3cret");
    assert_eq!(tokens, [sent, sent, sent, None]);
    for request in &received {
        assert_eq!(request.header("accept-encoding"), Some("identity"));
    }
}

/// Runs as a child process of the next test, on a disk of 16 KiB.
#[tokio::test]
async fn save_to_the_folder_that_a_variable_names() {
    let Some(folder) = std::env::var_os("BLOCKS_TEST_FULL_DISK") else {
        return;
    };
    let (plan, _) = stored([Answer::text(200, "x".repeat(64 << 10))]).await;
    let path = std::path::Path::new(&folder).join("plan.md");
    let error = plan.save(&path).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::File);
    assert!(error.to_string().contains("No space left"), "{error}");
    assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 0);
    println!("the disk was full");
}

#[test]
#[cfg(target_os = "linux")]
fn a_full_disk_is_an_error_and_leaves_no_file() {
    let folder = tempfile::tempdir().unwrap();
    let test = std::env::current_exe().unwrap();
    let script = "mount -t tmpfs -o size=16k none \"$0\" && exec \"$1\" --exact --nocapture \
                  downloads::save_to_the_folder_that_a_variable_names";
    let output = std::process::Command::new("unshare")
        .args(["--user", "--map-root-user", "--mount", "sh", "-c", script])
        .arg(folder.path())
        .arg(test)
        .env("BLOCKS_TEST_FULL_DISK", folder.path())
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(text.contains("the disk was full"), "{text}{errors}");
}
