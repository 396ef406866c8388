//! Answers of the mock server, in sync and with faults, and captured ones.

use std::path::Path;

use blocks_mock::{Dialect, Fault, Mock, Operation, When};
use serde_json::{Value, json};
use xtask::drift::live::{self, Reach, Target, exchange::Exchange};

use super::*;

async fn ask(dialect: Dialect, fault: Option<(Operation, Fault)>, reach: Reach) -> Outcome {
    let mut mock = live::mock::server().dialect(dialect);
    if let Some((operation, fault)) = fault {
        mock = mock.fault(operation, When::Always, fault);
    }
    let mock = mock.start().await.unwrap();
    let target = Target {
        base: mock.url(),
        key: Some(mock.key().to_owned()),
    };
    let outcome = live::check(&document(), &target, &reach).await.unwrap();
    assert!(mock.received().len() <= 60, "within the limit of requests");
    outcome
}

fn all() -> Reach {
    Reach {
        create: true,
        ..Reach::default()
    }
}

#[tokio::test]
async fn the_observed_dialect_is_in_sync() {
    let outcome = ask(Dialect::observed(), None, all()).await;
    assert_eq!(
        (outcome.errors.len(), outcome.findings.as_slice()),
        (0, &[][..])
    );
    assert!(
        outcome.looked_at[0].starts_with("44 answers"),
        "{:?}",
        outcome.looked_at
    );
}

/// The pages name few errors; the documented dialect has a 400 and a code wherever one could be.
#[tokio::test]
async fn the_documented_dialect_has_more_errors_and_breaks_nothing() {
    let outcome = ask(Dialect::documented(), None, all()).await;
    assert_eq!(outcome.errors.len(), 0);
    assert!(!outcome.findings.is_empty());
    let others = outcome
        .findings
        .iter()
        .filter(|f| !matches!(f.kind, CodeAdded | StatusAdded));
    assert_eq!(others.collect::<Vec<_>>(), Vec::<&Finding>::new());
}

/// What costs money is done only when it is asked for.
#[tokio::test]
async fn a_key_is_not_sent_where_others_can_listen() {
    for (base, allowed) in [
        ("http://api.blocks.team", false),
        ("http://127.0.0.1.evil.example", false),
        ("ftp://127.0.0.1", false),
        ("http://127.0.0.1:1", true),
    ] {
        let target = Target {
            base: base.to_owned(),
            key: Some("a-secret-key".to_owned()),
        };
        let checked = live::check(&document(), &target, &Reach::default()).await;
        let refused = checked.is_err_and(|e| e.contains("must be https"));
        assert_eq!(refused, !allowed, "{base}");
    }
}

#[tokio::test]
async fn nothing_is_created_unless_it_is_asked_for() {
    let mock = Mock::builder().start().await.unwrap();
    let target = Target {
        base: mock.url(),
        key: Some(mock.key().to_owned()),
    };
    live::check(&document(), &target, &Reach::default())
        .await
        .unwrap();
    assert_eq!(mock.session_count(), 0);
    assert!(mock.received().len() > 20);
}

#[tokio::test]
async fn without_a_key_only_the_probes_that_need_none_are_sent() {
    let mock = Mock::builder().start().await.unwrap();
    let target = Target {
        base: mock.url(),
        key: None,
    };
    let outcome = live::check(&document(), &target, &Reach::default())
        .await
        .unwrap();
    assert_eq!((mock.received().len(), outcome.findings.len()), (12, 0));
    let reach = Reach {
        session: Some("5f0c7a52-3a1e-4a53-9d5e-0d4f5b9b8a11".to_owned()),
        ..Reach::default()
    };
    let error = live::check(&document(), &target, &reach).await.unwrap_err();
    assert!(error.contains("BLOCKS_API_KEY"), "{error}");
}

type Row = (Operation, Fault, Kind, Severity, &'static str);

/// What breaks the contract, and where in the document it is found.
#[rustfmt::skip] // A row to a line.
fn faults() -> Vec<Row> {
    use Operation::{CreateMessage, CreateSession, GetArtifact, GetSession, ListSessionMessages, ListThreadMessages};
    let field = |name: &str, value: Value| Fault::Field(name.to_owned(), value);
    let missing = |name: &str| Fault::Missing(vec![name.to_owned()]);
    let body = r#"{"code": "TEAPOT"}"#.to_owned();
    let code = Fault::Status { status: 422, body, retry_after: None, after_effect: false };
    vec![
        (CreateSession, field("id", json!("seven")), Format, Breaking, "        id: {"),
        (GetSession, missing("id"), Required, Breaking, "        id: {"),
        (GetSession, field("is_archived", json!("no")), Type, Breaking, "        is_archived: {"),
        (GetSession, field("cost", json!(1.5)), FieldAdded, Additive, "properties:"),
        (GetSession, field("created_at", json!("yesterday")), Format, Breaking, "        created_at: {"),
        (CreateMessage, field("_links", json!({"self": {"url": "x"}})), Required, Breaking, "        href: {"),
        (ListSessionMessages, missing("items"), Required, Breaking, "        items: {"),
        (ListThreadMessages, field("role", json!("system")), EnumAdded, Additive, "enum: [user, assistant]"),
        (GetArtifact, field("kind", json!("image")), EnumAdded, Additive, "enum: [plan, file]"),
        (GetArtifact, field("url", Value::Null), Nullable, Breaking, "        url: {"),
        (GetSession, Fault::status(410), Status, Breaking, "'404'"),
        (ListSessionMessages, Fault::status(402), Status, Breaking, "'401'"),
        (CreateSession, Fault::Html, NotJson, Breaking, "2XX:"),
        (CreateSession, Fault::InvalidJson, NotJson, Breaking, "2XX:"),
        (CreateSession, code, CodeAdded, Additive, "Unprocessable:"),
        (GetArtifact, Fault::Redirect("https://else.invalid/".to_owned()), Status, Breaking, "'404'"),
    ]
}

/// Each fault is found, at a line of the document, and with its weight.
#[tokio::test]
async fn a_broken_contract_is_found() {
    let document = document();
    for (operation, fault, kind, severity, at) in faults() {
        let name = format!("{operation:?} {fault:?}");
        let outcome = ask(Dialect::observed(), Some((operation, fault)), all()).await;
        let found = outcome.findings.iter().any(|f| {
            let line = document.0.place(&f.pointer).line;
            let text = document.0.text.lines().nth(line - 1).unwrap();
            f.kind == kind && f.severity == severity && text.contains(at)
        });
        assert!(
            found,
            "{name}: no {kind:?} {severity:?} at {at:?} in {:#?}",
            outcome.findings
        );
    }
}

/// A service that is down says nothing about the contract.
#[tokio::test]
async fn a_service_that_fails_could_not_be_checked() {
    for fault in [
        Fault::status(503),
        Fault::rate_limited(None),
        Fault::ResetBefore,
    ] {
        let outcome = ask(
            Dialect::observed(),
            Some((Operation::GetSession, fault)),
            Reach::default(),
        )
        .await;
        assert!(!outcome.errors.is_empty() && outcome.findings.is_empty());
        let document = document();
        let report = Report {
            document: &document,
            outcome: &outcome,
        };
        assert_eq!(report.exit_code(), 2);
    }
}

#[tokio::test]
async fn the_key_is_in_no_report_and_no_capture() {
    let folder = folder("key");
    let mock = live::mock::server()
        .key("a-secret-key")
        .start()
        .await
        .unwrap();
    mock.inject(Operation::GetSession, When::Always, Fault::ResetBefore);
    let target = Target {
        base: mock.url(),
        key: Some("a-secret-key".to_owned()),
    };
    let reach = Reach {
        save: Some(folder.clone()),
        ..all()
    };
    let document = document();
    let outcome = live::check(&document, &target, &reach).await.unwrap();
    let report = Report {
        document: &document,
        outcome: &outcome,
    };
    for format in <xtask::drift::report::Format as clap::ValueEnum>::value_variants() {
        assert!(!report.render(*format).contains("a-secret-key"));
    }
    for file in std::fs::read_dir(&folder).unwrap() {
        assert!(
            !std::fs::read_to_string(file.unwrap().path())
                .unwrap()
                .contains("a-secret-key")
        );
    }
}

#[tokio::test]
async fn saved_answers_are_checked_offline() {
    let folder = folder("saved");
    ask(
        Dialect::observed(),
        None,
        Reach {
            save: Some(folder.clone()),
            ..all()
        },
    )
    .await;
    let outcome = live::check_captures(&document(), &folder).unwrap();
    assert_eq!(outcome.findings, []);
    assert!(
        outcome.looked_at[0].starts_with("44 captured"),
        "{:?}",
        outcome.looked_at
    );
    let empty = self::folder("empty");
    std::fs::create_dir_all(&empty).unwrap();
    assert!(
        live::check_captures(&document(), &empty)
            .unwrap_err()
            .contains("no answer")
    );
}

/// A fresh folder of this test.
fn folder(name: &str) -> std::path::PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let _ = std::fs::remove_dir_all(&folder);
    folder
}

/// A captured answer in which one thing changed.
#[test]
fn a_change_of_a_captured_answer_is_found() {
    let document = document();
    let session = document
        .get("/paths/~1rest~1v1~1sessions/post/responses/2XX")
        .unwrap();
    let session = session["content"]["application/json"]["example"].clone();
    let find = |status: u16, change: &dyn Fn(&mut Value)| {
        let mut body = session.clone();
        change(&mut body);
        let exchange = Exchange {
            name: "a capture".to_owned(),
            method: "POST".to_owned(),
            path: "/rest/v1/sessions".to_owned(),
            status,
            body: Some(body),
        };
        let found = exchange.findings(&document, None);
        found
            .into_iter()
            .map(|f| (f.kind, f.severity, f.pointer))
            .collect::<Vec<_>>()
    };
    let property = |name: &str| format!("/components/schemas/Session/properties/{name}");
    assert_eq!(find(201, &|_| {}), [], "any success");
    for (name, value, kind, severity) in [
        ("title", json!(7), Type, Breaking),
        ("pull_requests", json!("x"), Type, Breaking),
        ("id", Value::Null, Nullable, Breaking),
        ("thread_id", json!("7"), Format, Breaking),
        ("updated_at", json!("2026"), Format, Breaking),
        ("plan_artifact_ids", json!({}), Type, Breaking),
        ("cost", json!(7), FieldAdded, Additive),
        ("_links", json!([]), Type, Breaking),
    ] {
        let found = find(200, &|body| body[name] = value.clone());
        assert_eq!(found, [(kind, severity, property(name))], "{name}");
    }
    for (name, value) in [
        ("title", Value::Null),
        (
            "pull_requests",
            json!(["x", {"url": "y", "status": "open"}, 7]),
        ),
        ("thread_id", Value::Null),
        ("created_at", json!("2026-05-02T09:30:00+02:00")),
        ("plan_artifact_ids", json!([])),
    ] {
        assert_eq!(find(200, &|body| body[name] = value.clone()), [], "{name}");
    }
    let pull_request = json!([{"url": "y", "state": "open"}]);
    let found = find(200, &|body| body["pull_requests"] = pull_request.clone());
    let place = "/components/schemas/PullRequest/anyOf/1/properties/state";
    assert_eq!(found, [(FieldAdded, Additive, place.to_owned())]);
    let status = find(418, &|body| *body = json!({"error": "x"}));
    let responses = "/paths/~1rest~1v1~1sessions/post/responses/418";
    assert_eq!(status, [(StatusAdded, Additive, responses.to_owned())]);
}
