//! Tests downloads, which are the only requests to another host. A download sends no key, follows no redirect and obeys
//! its time-outs.

use std::time::Duration;

use blocks_mock::{Action, Fault, Frequency, Mock, Operation, Script};
use blocks_sdk::{Artifact, Client, Error, ErrorKind};
use blocks_tests::{SESSION, Scripted, ScriptedResponse, THREAD, session_id, thread_id};
use serde_json::json;

use crate::{client, hello};

/// Returns the response that describes an artifact whose bytes are at `url`. The artifact has an arbitrary id.
fn artifact(url: &str) -> ScriptedResponse {
    ScriptedResponse::ok(&json!({"id": THREAD, "file_name": "plan.md", "url": url}))
}

/// Reads the artifact that the next response of `script` describes.
async fn read(script: &Scripted) -> Result<Artifact, Error> {
    let session = script.client().session(session_id());
    session.artifact(thread_id()).await
}

/// Returns a plan whose first download is slow: the mock pauses for `every` before each byte.
async fn slow_plan(every: Duration) -> Artifact {
    let plan = Action::Plan {
        file_name: "plan.md".into(),
        text: "1. Go.".into(),
    };
    let agent = Script::reply("Done.").step(Duration::ZERO, plan);
    let mock = Mock::builder().agent(agent).build();
    let session = client(&mock).create_session(hello()).await;
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
async fn an_insecure_download_url_is_not_requested() {
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
        let text = format!("{artifact:?} {error} {error:?}");
        assert!(!text.contains("s3cret"), "{text}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_artifact_without_a_url_is_not_invalid_input() {
    for data in [
        json!({"id": THREAD, "url": null}),
        json!({"id": THREAD}),
        json!({"id": THREAD, "url": 7}),
    ] {
        let script = Scripted::new([ScriptedResponse::ok(&data)]);
        let artifact = read(&script).await.unwrap();
        let error = artifact.bytes().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::UntrustedLink, "{data}");
        assert!(error.to_string().contains(THREAD), "{error}");
        assert_eq!(script.count(), 1, "{data}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_redirect_of_the_storage_host_is_an_error() {
    let redirect = ScriptedResponse::text(302, "").header("location", "https://evil.example/");
    let script = Scripted::new([
        artifact("https://storage.example/x?signature=s3cret"),
        redirect,
    ]);
    let artifact = read(&script).await.unwrap();
    let error = artifact.bytes().await.unwrap_err();
    assert_eq!((error.status(), script.count()), (Some(302), 2));
    let request = &script.seen()[1];
    assert_eq!(request.url.host_str(), Some("storage.example"));
    assert_eq!(request.authorization, None);
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
        let (plan, _) = stored([ScriptedResponse::text(404, "gone").header(name, "req-7")]).await;
        let error = plan.bytes().await.unwrap_err();
        assert_eq!(error.request_id(), Some("req-7"), "{name}");
        assert!(error.to_string().contains("(request id req-7)"), "{error}");
    }
}

#[tokio::test(start_paused = true)]
async fn every_error_of_a_download_names_host_and_cause() {
    for (response, kind, cause) in [
        (
            ScriptedResponse::Refused,
            ErrorKind::Connection,
            "could not connect to storage.example: connection refused",
        ),
        (
            ScriptedResponse::Broken,
            ErrorKind::Connection,
            "connection reset",
        ),
        (
            ScriptedResponse::Silence,
            ErrorKind::Timeout,
            "no response within 60s",
        ),
        (
            ScriptedResponse::text(200, "1. G").breaking(),
            ErrorKind::Connection,
            "connection reset",
        ),
        (
            ScriptedResponse::bytes(200, vec![b'x'; (16 << 20) + 1]),
            ErrorKind::TooLarge,
            "the file is larger than 16777216 bytes; stream it or save it",
        ),
    ] {
        let (plan, _) = stored([response]).await;
        let error = plan.bytes().await.unwrap_err();
        let text = error.to_string();
        assert_eq!(error.kind(), kind, "{text}");
        assert!(
            text.starts_with("download at storage.example failed"),
            "{text}"
        );
        assert!(text.contains(cause), "{text}");
        assert!(!text.contains("s3cret"), "{text}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_compressed_file_is_an_error() {
    for encoding in ["gzip", "br", "zstd", "deflate", "GZIP"] {
        let responses = [200, 404].map(|status| {
            let compressed = ScriptedResponse::bytes(status, vec![0x1f, 0x8b, 8, 0]);
            compressed.header("content-encoding", encoding)
        });
        for response in responses {
            let (plan, script) = stored([response]).await;
            let error = plan.bytes().await.unwrap_err();
            let text = error.to_string();
            let found = text.contains(&format!("content encoding {encoding}"));
            assert!(found, "{text}");
            assert!(text.is_ascii(), "{text}");
            let seen = script.seen();
            assert_eq!(seen.len(), 2, "{encoding}");
            let accepts = "accept-encoding".to_owned();
            assert!(seen[1].headers.contains(&accepts), "{encoding}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn errors_hide_the_signature_of_a_download_url() {
    let url = "https://storage.example/x?signature=s3cret";
    for response in [
        ScriptedResponse::ok(&json!({"id": [], "url": {"href": url}})),
        ScriptedResponse::text(500, format!("see {url}")),
        ScriptedResponse::text(404, format!(r#"{{"error": "no {url} here"}}"#)),
    ] {
        let script = Scripted::new([response]);
        let session = script.client().session(session_id());
        let error = session.artifact(thread_id()).await.unwrap_err();
        let text = format!("{error} {error:?}");
        assert!(!text.contains("s3cret"), "{text}");
        assert!(text.contains("https://storage"), "{text}");
        assert!(error.body().unwrap().contains("s3cret"), "nothing is lost");
    }
}

#[tokio::test(start_paused = true)]
async fn a_save_that_is_dropped_leaves_nothing() {
    let every = Duration::from_secs(10);
    let plan = slow_plan(every).await;
    let folder = tempfile::tempdir().unwrap();
    let save = plan.save(folder.path().join("plan.md"));
    tokio::time::timeout(3 * every, save).await.unwrap_err();
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_stream_stays_at_its_end() {
    let plan = slow_plan(Duration::ZERO).await;
    let mut pieces = plan.stream().await.unwrap();
    while let Some(piece) = pieces.next().await {
        piece.unwrap();
    }
    assert!(pieces.next().await.is_none());
}

#[tokio::test(start_paused = true)]
async fn a_download_that_stops_is_an_error_or_starts_again() {
    use futures_util::TryStreamExt;

    let plan = slow_plan(Duration::from_secs(61)).await;
    let pieces = plan.stream().await.unwrap();
    let error = pieces.try_collect::<Vec<_>>().await.unwrap_err();
    assert!(error.to_string().contains("no data for 60s"), "{error}");
    assert_eq!(error.operation(), Some("download"));

    let plan = slow_plan(Duration::from_secs(61)).await;
    assert_eq!(plan.bytes().await.unwrap(), "1. Go.");
}

#[tokio::test(start_paused = true)]
async fn an_error_names_the_host_of_a_renewed_url() {
    use futures_util::TryStreamExt;

    let (plan, script) = stored([
        ScriptedResponse::text(403, "expired"),
        artifact("https://other.example/x"),
        ScriptedResponse::text(200, "1. G").breaking(),
    ])
    .await;
    let pieces = plan.stream().await.unwrap();
    let error = pieces.try_collect::<Vec<_>>().await.unwrap_err();
    let text = error.to_string();
    assert!(text.starts_with("download at other.example"), "{text}");
    assert_eq!(script.count(), 4);
}

/// Returns an artifact whose storage host sends these responses, and the transport that sends them.
async fn stored(responses: impl IntoIterator<Item = ScriptedResponse>) -> (Artifact, Scripted) {
    let script = Scripted::new([artifact("https://storage.example/x?signature=s3cret")]);
    script.then(responses);
    let session = script.client().session(session_id());
    let artifact = session.artifact(thread_id()).await;
    (artifact.unwrap(), script)
}

#[tokio::test(start_paused = true)]
async fn downloads_are_retried_like_every_read() {
    for fault in [
        ScriptedResponse::text(503, "busy"),
        ScriptedResponse::text(429, "busy"),
        ScriptedResponse::Refused,
        ScriptedResponse::Broken,
        ScriptedResponse::Silence,
        ScriptedResponse::text(200, "1. G").breaking(),
    ] {
        let (plan, script) = stored([fault.clone(), ScriptedResponse::text(200, "1. Go.")]).await;
        assert_eq!(plan.bytes().await.unwrap(), "1. Go.", "{fault:?}");
        assert_eq!(script.count(), 3, "{fault:?}");

        let (plan, script) = stored([fault.clone(), ScriptedResponse::text(200, "1. Go.")]).await;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("plan.md");
        plan.save(&path).await.unwrap();
        assert_eq!(
            std::fs::read_to_string(&path).unwrap(),
            "1. Go.",
            "{fault:?}"
        );
        assert_eq!(script.count(), 3, "{fault:?}");
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            let mode = path.metadata().unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600, "only this user can read the file");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_download_makes_five_attempts_in_all() {
    for fault in [
        ScriptedResponse::text(503, "busy"),
        ScriptedResponse::Refused,
        ScriptedResponse::Broken,
        ScriptedResponse::Silence,
        ScriptedResponse::text(200, "1. G").breaking(),
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
    let busy = ScriptedResponse::text(503, "").header("retry-after", "20");
    let (plan, script) = stored([busy, ScriptedResponse::text(200, "1. Go.")]).await;
    plan.bytes().await.unwrap();
    let seen = script.seen();
    assert!((seen[2].at - seen[1].at).as_secs() >= 20);
}

#[tokio::test(start_paused = true)]
async fn a_rejected_download_does_not_blame_the_key() {
    for status in [401, 404, 410] {
        let (plan, script) = stored([ScriptedResponse::text(status, "gone")]).await;
        let error = plan.bytes().await.unwrap_err();
        let text = error.to_string();
        assert_eq!((error.status(), script.count()), (Some(status), 2));
        assert!(
            text.contains("download at storage.example failed"),
            "{text}"
        );
        assert!(!text.contains("key"), "{text}");
        assert!(!text.contains("s3cret"), "{text}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_save_shows_no_file_before_it_is_complete() {
    let plan = slow_plan(Duration::from_secs(10)).await;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("plan.md");
    let mut save = Box::pin(plan.save(&path));
    let early = tokio::time::timeout(Duration::from_secs(15), &mut save).await;
    assert!(early.is_err());
    assert!(!path.exists());
    std::mem::forget(save);
    plan.save(&path).await.unwrap();
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "1. Go.");
}

#[tokio::test(start_paused = true)]
async fn a_file_that_appears_during_a_save_is_kept() {
    let plan = slow_plan(Duration::from_secs(10)).await;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("plan.md");
    let mut save = Box::pin(plan.save(&path));
    let early = tokio::time::timeout(Duration::from_secs(5), &mut save).await;
    assert!(early.is_err());
    std::fs::write(&path, "of another program").unwrap();
    let error = save.await.unwrap_err();
    assert!(error.to_string().contains("plan.md"), "{error}");
    let kept = std::fs::read_to_string(&path).unwrap();
    assert_eq!(kept, "of another program");
}

#[tokio::test(start_paused = true)]
async fn an_unreadable_plan_does_not_hide_the_others() {
    let ids = json!([THREAD, "0f4f7b0c-2b4e-4a53-8a64-2d1c9e7d3c33"]);
    let session = json!({"id": SESSION, "plan_artifact_ids": ids});
    let script = Scripted::new([
        ScriptedResponse::ok(&session),
        ScriptedResponse::text(404, "{}"),
        artifact("https://storage.example/x"),
    ]);
    let session = script.client().session(session_id());
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

/// Saves a plan of 64 KiB on a disk of 16 KiB. The next test mounts this disk, and runs this test in a child process.
/// Outside the child process, this test does nothing.
#[tokio::test]
async fn child_saves_to_a_full_disk() {
    let Some(folder) = std::env::var_os("BLOCKS_TEST_FULL_DISK") else {
        return;
    };
    let (plan, _) = stored([ScriptedResponse::text(200, "x".repeat(64 << 10))]).await;
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
                  downloads::child_saves_to_a_full_disk";
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
