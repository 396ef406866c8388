//! Tests of `drift live`, which sends requests and compares the responses with the OpenAPI document. The mock server,
//! with and without faults, replaces the service. Other tests check captured responses, which are read from a HAR file
//! (a JSON file in which browsers and proxies record requests and responses), or from a folder that
//! `drift live --save FOLDER` wrote. A few tests compare a single response that is built in the test.

use blocks_drift::finding::{Kind, Severity};
use blocks_drift::live::exchange::{Body, Comparison, Exchange, parse_body};
use blocks_drift::live::{self, LiveOptions, Target};
use blocks_mock::{Fault, Frequency, Mock, Operation, RateLimit};
use serde_json::{Value, json};

use super::*;
use Kind::*;
use Severity::{Additive, Breaking, Informational};

async fn run(mock: blocks_mock::MockBuilder, options: LiveOptions) -> CheckResult {
    let mock = mock.start().await.unwrap();
    let target = Target { base: mock.url(), key: Some(mock.key().to_owned()) };
    let mut result = live::check(&DOCUMENT, &target, &options).await.unwrap();
    assert!(mock.requests().len() <= 62, "within the limit of requests");
    KNOWN.apply(&DOCUMENT, &mut result);
    result.findings.retain(|f| f.known.is_none());
    result
}

fn all() -> LiveOptions {
    LiveOptions { create: true, ..LiveOptions::default() }
}

#[tokio::test]
async fn the_observed_dialect_is_in_sync() {
    let result = run(live::mock::server(), all()).await;
    assert_eq!(result.errors, Vec::<String>::new());
    assert_eq!(result.findings, []);
}

#[tokio::test]
async fn nothing_is_created_unless_it_is_asked_for() {
    let mock = Mock::builder().start().await.unwrap();
    let target = Target { base: mock.url(), key: Some(mock.key().to_owned()) };
    live::check(&DOCUMENT, &target, &LiveOptions::default()).await.unwrap();
    assert_eq!(mock.session_count(), 0);
    let target =
        Target { base: "http://api.blocks.team".to_owned(), key: Some("a-key".to_owned()) };
    let error = live::check(&DOCUMENT, &target, &LiveOptions::default()).await.unwrap_err();
    assert!(error.to_string().contains("must be https"), "{error}");
}

/// The service is down, the key is rejected, or the session is missing. The result must contain an error ("could not
/// check"), and no difference from the OpenAPI document.
#[tokio::test]
async fn failures_of_the_setup_could_not_be_checked() {
    for fault in [Fault::status(503), Fault::rate_limited(None), Fault::ResetBefore] {
        let mock = live::mock::server().fault(Operation::GetSession, Frequency::Always, fault);
        let result = run(mock, LiveOptions::default()).await;
        assert!(!result.errors.is_empty());
        assert_eq!(result.findings, []);
    }
    let mock = live::mock::server().start().await.unwrap();
    let target = Target { base: mock.url(), key: Some("revoked".to_owned()) };
    let result = live::check(&DOCUMENT, &target, &all()).await.unwrap();
    assert!(result.errors[0].contains("the key was rejected"), "{:?}", result.errors);
    assert_eq!(result.findings, []);
    let session = Some("5f0c7a52-3a1e-4a53-9d5e-0d4f5b9b8a11".to_owned());
    let result = run(live::mock::server(), LiveOptions { session, ..LiveOptions::default() }).await;
    assert!(result.errors[0].contains("does not exist"), "{:?}", result.errors);
    assert_eq!(result.findings, []);
}

#[tokio::test]
async fn nothing_is_sent_after_a_429() {
    let fault = Fault::rate_limited(None);
    let mock = live::mock::server().fault(Operation::GetSession, Frequency::Always, fault);
    let mock = mock.start().await.unwrap();
    let target = Target { base: mock.url(), key: Some(mock.key().to_owned()) };
    let session = Some("5f0c7a52-3a1e-4a53-9d5e-0d4f5b9b8a11".to_owned());
    live::check(&DOCUMENT, &target, &LiveOptions { session, ..all() }).await.unwrap();
    let statuses: Vec<Option<u16>> = mock.requests().iter().map(|r| r.status).collect();
    let first = statuses.iter().position(|status| *status == Some(429)).unwrap();
    assert_eq!(first + 1, statuses.len(), "{statuses:?}");
}

/// The limit counts only requests with the right key. The first one checks the key, and the 17th checks the session.
#[tokio::test]
async fn nothing_is_sent_after_a_429_for_the_key_or_the_session() {
    for (requests, name) in [(0, "an empty body: "), (16, "the session: ")] {
        let limit = RateLimit { requests, ..RateLimit::default() };
        let mock = live::mock::server().rate_limit(limit).start().await.unwrap();
        let target = Target { base: mock.url(), key: Some(mock.key().to_owned()) };
        let session = Some("5f0c7a52-3a1e-4a53-9d5e-0d4f5b9b8a11".to_owned());
        let options = LiveOptions { session, ..all() };
        let result = live::check(&DOCUMENT, &target, &options).await.unwrap();
        let count = mock.requests().iter().filter(|r| r.status == Some(429)).count();
        assert_eq!((count, result.errors.len()), (1, 1), "{:?}", result.errors);
        assert!(result.errors[0].starts_with(name), "{:?}", result.errors);
        assert!(result.errors[0].contains("responded with 429"), "{:?}", result.errors);
    }
}

#[tokio::test]
async fn a_huge_body_is_an_error() {
    let fault = Fault::PadBody((16 << 20) + 1);
    let mock = live::mock::server().fault(Operation::GetSession, Frequency::Always, fault);
    let result = run(mock, LiveOptions::default()).await;
    let error = "the body is larger than 16777216 bytes";
    assert!(result.errors[0].ends_with(error), "{:?}", result.errors);
    assert_eq!(result.findings, []);
}

#[tokio::test]
async fn wrong_statuses_and_bodies_are_found() {
    for (operation, fault, kind) in [
        (Operation::GetSession, Fault::status(410), Status),
        (Operation::CreateSession, Fault::Html, NotJson),
        (Operation::CreateSession, Fault::InvalidJson, NotJson),
        (Operation::GetArtifact, Fault::Redirect("https://else.invalid/".to_owned()), Status),
    ] {
        let name = format!("{operation:?} {fault:?}");
        let mock = live::mock::server().fault(operation, Frequency::Always, fault);
        let result = run(mock, all()).await;
        assert!(result.findings.iter().any(|f| f.kind == kind), "{name}: {:#?}", result.findings);
    }
}

/// Returns the method and path of an operation, and a response that is valid under the OpenAPI document.
fn example(operation: &str) -> (String, String, Value) {
    let found = DOCUMENT.operations().into_iter().find(|o| o.id == operation).unwrap();
    let id = "5f0c7a52-3a1e-4a53-9d5e-0d4f5b9b8a11";
    let path = found
        .path
        .replace("{session_id}", id)
        .replace("{thread_id}", id)
        .replace("{artifact_id}", id);
    let (pointer, _) = DOCUMENT.response(&found, 200).unwrap();
    let mut body =
        DOCUMENT.get(&pointer).unwrap()["content"]["application/json"]["example"].clone();
    if operation.ends_with("Session") {
        body["session_group_id"] = Value::Null;
        body["plan_artifact_ids"] = json!([]);
    }
    if let Some(items) = body.get_mut("items").and_then(Value::as_array_mut) {
        for key in ["chat_id", "task_id", "created_at", "updated_at", "_links"] {
            items[0][key] = Value::Null;
        }
    }
    (found.method, path, body)
}

fn found(
    operation: &str,
    status: u16,
    media_type: &str,
    body: &str,
) -> Vec<(Kind, Severity, String)> {
    let (method, path, _) = example(operation);
    let exchange = Exchange {
        name: "a capture".to_owned(),
        method,
        path,
        query: Vec::new(),
        sent: None,
        status,
        media_type: Some(media_type.to_owned()),
        body: parse_body(body.as_bytes()),
    };
    let mut comparison = Comparison::new(&DOCUMENT);
    comparison.add(&exchange, None);
    comparison.finish().findings.into_iter().map(|f| (f.kind, f.severity, f.pointer)).collect()
}

/// Replaces one field of a valid response with `true`, or removes the field. Each change must cause a finding, except
/// `true` in a field that is a Boolean. The test repeats this for five of the six operations. It changes every field at
/// the top level of the response, of the first list item, and of `meta`.
#[test]
fn faults_of_bodies_are_found() {
    let mut count = 0;
    for operation in
        ["createSession", "getSession", "listSessionMessages", "listThreadMessages", "getArtifact"]
    {
        let (.., good) = example(operation);
        assert_eq!(found(operation, 200, "application/json", &good.to_string()), [], "{operation}");
        let mut places: Vec<String> =
            good.as_object().unwrap().keys().map(|k| format!("/{k}")).collect();
        if good.get("items").is_some() {
            places.extend(
                good["items"][0].as_object().unwrap().keys().map(|k| format!("/items/0/{k}")),
            );
            places.extend(good["meta"].as_object().unwrap().keys().map(|k| format!("/meta/{k}")));
        }
        for place in places {
            let (parent, name) = place.rsplit_once('/').unwrap();
            let mut wrong = good.clone();
            *wrong.pointer_mut(&place).unwrap() = json!(true);
            let wrong_type = found(operation, 200, "application/json", &wrong.to_string());
            let is_flag = name.starts_with("is_");
            assert!(
                is_flag
                    || wrong_type
                        .iter()
                        .any(|f| f.0 == Type && f.1 == Breaking && f.2.ends_with(name)),
                "{operation} {place}: {wrong_type:?}"
            );
            let mut less = good.clone();
            less.pointer_mut(parent).unwrap().as_object_mut().unwrap().remove(name);
            let missing = found(operation, 200, "application/json", &less.to_string());
            assert!(
                missing
                    .iter()
                    .any(|f| matches!(f.0, FieldRemoved | Required) && f.2.ends_with(name)),
                "{operation} without {place}: {missing:?}"
            );
            count += 2;
        }
    }
    assert!(count >= 60, "{count}");
}

#[test]
fn single_faults_are_found_with_their_severity() {
    let (.., session) = example("createSession");
    let edited = |change: &dyn Fn(&mut Value)| {
        let mut body = session.clone();
        change(&mut body);
        body.to_string()
    };
    let link = |href: &'static str| move |b: &mut Value| b["_links"]["self"]["href"] = href.into();
    let json = "application/json; charset=utf-8";
    for (status, media, body, kind, severity) in [
        (201, "text/plain", session.to_string(), MediaType, Breaking),
        (201, json, edited(&|b| b["cost"] = 7.into()), FieldAdded, Additive),
        (201, json, edited(&|b| b["id"] = Value::Null), Nullable, Breaking),
        // Only a sample of a page may contain a placeholder.
        (201, json, edited(&|b| b["id"] = "{not a uuid}".into()), Format, Informational),
        (201, json, edited(&link("/rest/v1/sessions")), Link, Breaking),
        (201, json, edited(&link("https://api.blocks.team/rest/v2/sessions/x")), Link, Breaking),
        (201, json, edited(&|b| b["_links"]["self"] = json!({"url": "x"})), Required, Breaking),
        (
            201,
            json,
            format!("{{\"id\": \"{}\", \"id\": 1}}", session["id"].as_str().unwrap()),
            NotJson,
            Breaking,
        ),
        (
            201,
            json,
            "{\"id\": \"5f0c7a52-3a1e-4a53-9d5e-0d4f5b9b8a11\"}".to_owned(),
            FieldRemoved,
            Breaking,
        ),
        (
            201,
            json,
            edited(&|b| drop(b.as_object_mut().unwrap().remove("title"))),
            FieldRemoved,
            Informational,
        ),
        (418, json, "{}".to_owned(), StatusAdded, Additive),
        (422, json, "{\"code\": \"TEAPOT\"}".to_owned(), CodeAdded, Additive),
        (401, json, "<html>".to_owned(), NotJson, Informational),
    ] {
        let found = found("createSession", status, media, &body);
        assert!(found.iter().any(|f| (f.0, f.1) == (kind, severity)), "{body}: {found:?}");
    }
    let (.., mut page) = example("listSessionMessages");
    for total in [json!(1.5), json!(9_223_372_036_854_775_808_u64)] {
        page["meta"]["total"] = total;
        let found = found("listSessionMessages", 200, json, &page.to_string());
        assert!(found.iter().any(|f| f.0 == Type && f.2.ends_with("total")), "{found:?}");
    }
}

#[test]
fn duplicate_keys_are_found() {
    let duplicate = Body::Other("a duplicate key".to_owned());
    let indented = format!("{}{{\"a\": 1, \"a\": 2}}", " ".repeat(300));
    for (text, is_duplicate) in [
        (indented.as_str(), true),
        (r#"[{"a": {"b": 1, "b": 1}}]"#, true),
        (r#"{"a": 1, "\u0061": 2}"#, true),
        (r#"[{"a": null}, {"a": {"a": [true, 1.5, -1, "a"]}}]"#, false),
        (r#"{"1": "duplicate", "1.0": 2}"#, false),
        (r#"{"title": "\ud83d\ude00", "id": 1, "id": 2}"#, true),
        (r#"{"\ud83d\ude00": 1, "\uD83D\uDE00": 2}"#, true),
        (r#"{"\ud83d\ude00": 1, "\ud83d\ude01": 2}"#, false),
        (r#"{"\\ud83d": 1, "\\ude00": 2}"#, false),
    ] {
        assert_eq!(parse_body(text.as_bytes()) == duplicate, is_duplicate, "{text}");
    }
}

/// The HAR file contains entries that cannot be compared (such as a redirect), or that are unusual but correct. None
/// must cause a finding. For a folder, a note must say how many files are neither HAR files nor written by `--save`.
#[test]
fn harmless_har_entries_raise_nothing() {
    let (.., session) = example("createSession");
    let url = "https://api.blocks.team/rest/v1/sessions";
    let entry = |method: &str, url: &str, response: Value| json!({"request": {"method": method, "url": url}, "response": response});
    let good = entry(
        "POST",
        url,
        json!({"status": 201, "content": {"mimeType": "application/json", "text": session.to_string()}}),
    );
    let get = |response: Value| {
        entry("GET", &format!("{url}/5f0c7a52-3a1e-4a53-9d5e-0d4f5b9b8a11"), response)
    };
    let with = |status: u16, content: Value| get(json!({"status": status, "content": content}));
    let text = session.to_string();
    let base64 = {
        use base64::Engine as _;
        base64::engine::general_purpose::STANDARD.encode(&text)
    };
    let entries = vec![
        entry("OPTIONS", url, json!({"status": 204, "content": {"text": ""}})),
        entry("HEAD", url, json!({"status": 200})),
        entry("CONNECT", "https://api.blocks.team:443/", json!({"status": 200})),
        entry(
            "GET",
            "https://other.example/rest/v1/sessions",
            json!({"status": 200, "content": {"text": "{}"}}),
        ),
        entry(
            "GET",
            "https://api.blocks.team/health",
            json!({"status": 200, "content": {"text": "ok"}}),
        ),
        entry("GET", "data:text/plain,x", json!({"status": 200})),
        json!({}),
        json!({"request": null, "response": null}),
        get(Value::Null),
        get(json!({})),
        get(json!({"status": null})),
        get(json!({"status": -1})),
        with(0, json!({})),
        with(101, json!({})),
        with(302, json!({"text": "moved"})),
        with(304, json!({"text": ""})),
        with(429, json!({"text": "slow"})),
        with(502, json!({"text": "<html>"})),
        with(200, json!({"mimeType": "text/event-stream", "text": "data: x"})),
        with(200, Value::Null),
        with(200, json!({})),
        with(200, json!({"text": null})),
        with(200, json!({"text": ""})),
        with(200, json!({"size": 99999, "text": &text[..40]})),
        with(200, json!({"mimeType": "x-unknown", "text": text})),
        with(200, json!({"mimeType": "", "text": text})),
        with(200, json!({"encoding": "base64", "text": base64, "mimeType": "application/json"})),
        with(
            200,
            json!({"encoding": "base64", "text": format!("{}\n{}", &base64[..20], &base64[20..])}),
        ),
        with(200, json!({"_file": "../other.json"})),
        with(200, json!({"mimeType": "application/json;charset=UTF-8", "text": text})),
        json!({"request": {"method": "post", "url": url, "postData": {"text": "{\"message\": \"m\", \"agent_name\": \"claude\"}"}}, "response": {"status": 200, "content": {"text": text}}}),
        json!({"request": {"method": "GET", "url": format!("{url}/5f0c7a52-3a1e-4a53-9d5e-0d4f5b9b8a11/messages?limit=1#x")}, "response": {"status": 200, "content": {}}}),
    ];
    let temporary = tempfile::tempdir().unwrap();
    let folder = temporary.path();
    for (index, entry) in entries.iter().enumerate() {
        let file = folder.join(format!("{index}.har"));
        let har = json!({"log": {"version": "1.2", "entries": [good, entry]}});
        std::fs::write(&file, format!("\u{feff}{har}")).unwrap();
        let result = live::check_captures(&DOCUMENT, &file, "https://api.blocks.team").unwrap();
        assert_eq!(result.findings, [], "{entry}");
        assert!(result.notes[0].contains("captured responses"), "{:?}", result.notes);
    }
    std::fs::write(folder.join("package.json"), "{\"name\": \"x\"}").unwrap();
    let result = live::check_captures(&DOCUMENT, folder, "https://api.blocks.team").unwrap();
    assert!(result.notes[0].contains("1 not a capture"), "{:?}", result.notes);
}

/// The HAR file contains a request with an unknown parameter and an unknown field. Both must be found, although the
/// response is valid.
#[test]
fn a_captured_request_is_compared_too() {
    let text = example("createSession").2.to_string();
    let url = "https://api.blocks.team/rest/v1/sessions";
    let file = tempfile::NamedTempFile::with_suffix(".har").unwrap();
    let sent = json!({"log": {"entries": [{"request": {"method": "POST", "url": format!("{url}?team=1"), "postData": {"text": "{\"message\": \"m\", \"agent_name\": \"claude\", \"model\": 1}"}}, "response": {"status": 200, "content": {"text": text}}}]}});
    std::fs::write(&file, sent.to_string()).unwrap();
    let result = live::check_captures(&DOCUMENT, file.path(), "https://api.blocks.team").unwrap();
    let names: Vec<&str> = result.findings.iter().map(|f| f.subject.as_str()).collect();
    assert_eq!(names, ["sent parameter `team`", "sent field `model`"]);
}

#[tokio::test]
async fn saved_responses_are_compared_without_the_key() {
    let folder = tempfile::tempdir().unwrap();
    let options = LiveOptions { save: Some(folder.path().to_owned()), ..all() };
    run(live::mock::server().key("a-secret-key"), options).await;
    let mut result =
        live::check_captures(&DOCUMENT, folder.path(), "https://api.blocks.team").unwrap();
    KNOWN.apply(&DOCUMENT, &mut result);
    let report = Report { document: &DOCUMENT, result: &result };
    assert_eq!(report.drift(), Vec::<&blocks_drift::finding::Finding>::new());
    for file in std::fs::read_dir(folder.path()).unwrap() {
        assert!(!std::fs::read_to_string(file.unwrap().path()).unwrap().contains("a-secret-key"));
    }
}

#[cfg(unix)]
#[test]
fn linked_folders_and_huge_files_are_not_read() {
    let temporary = tempfile::tempdir().unwrap();
    let folder = temporary.path();
    let (method, path, body) = example("getSession");
    let capture = json!({"method": method, "path": path, "status": 200, "body": body});
    std::fs::write(folder.join("a.json"), capture.to_string()).unwrap();
    std::os::unix::fs::symlink(folder, folder.join("again")).unwrap();
    let read =
        |path: &std::path::Path| live::check_captures(&DOCUMENT, path, "https://api.blocks.team");
    let notes = read(folder).unwrap().notes;
    assert!(notes[0].starts_with("1 captured responses in "), "{notes:?}");
    assert!(notes[0].ends_with("left out: 1 linked folder"), "{notes:?}");
    let huge = folder.join("huge.json");
    std::fs::File::create(&huge).unwrap().set_len((256 << 20) + 1).unwrap();
    let notes = read(folder).unwrap().notes;
    assert!(notes[0].ends_with("left out: 1 linked folder, 1 too large"), "{notes:?}");
    let error = format!("{:#}", read(&huge).unwrap_err());
    assert!(error.ends_with("huge.json: the file is larger than 268435456 bytes"), "{error}");
}
