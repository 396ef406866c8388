//! Lists faults of every kind that the mock can inject.

use std::time::Duration;

use blocks_mock::{Fault, Operation, RetryAfter};
use serde_json::{Value, json};

const FOREIGN: &str = "https://evil.example";

/// Returns the faults to inject into an operation. Some faults apply to every response, and the other faults apply to
/// the fields of the operation's response.
pub fn of(operation: Operation, document: &Value) -> Vec<Fault> {
    let mut all = of_any_response();
    all.extend(of_fields(operation, document));
    all
}

fn of_any_response() -> Vec<Fault> {
    let second = Duration::from_secs(1);
    let mut all = Vec::new();
    for status in [400, 401, 403, 404, 409, 418, 422, 429] {
        // These statuses say that the request had no effect. So no fault sends them after an effect, because no client
        // could detect this effect. After a status of the next loop, the request may have taken effect.
        all.push(Fault::status(status));
    }
    for status in [302, 408, 500, 502, 503, 504, 599] {
        all.push(Fault::status(status));
        all.push(Fault::status_after_effect(status));
    }
    let pauses = [0, 2, 100_000].map(RetryAfter::Seconds);
    for pause in pauses.into_iter().chain([RetryAfter::Date(7)]) {
        all.push(Fault::rate_limited(Some(pause)));
    }
    for body in [
        "",
        "<html>Bad Gateway</html>",
        r#"{"code": "X", "message": "no"}"#,
    ] {
        all.push(Fault::Status {
            status: 502,
            body: body.into(),
            retry_after: None,
            after_effect: true,
        });
    }
    all.extend([
        Fault::Delay(second),
        Fault::Delay(3600 * second),
        Fault::Refuse,
        Fault::ResetBefore,
        Fault::ResetAfter,
        Fault::ResetInBody,
        Fault::Truncate,
        Fault::InvalidJson,
        Fault::Html,
        Fault::ContentType("text/plain".into()),
        Fault::ContentType("application/octet-stream".into()),
        Fault::PadBody(200_000),
        Fault::PadBody(MAX_BODY + 1),
        Fault::Redirect(format!("{FOREIGN}/rest/v1/sessions")),
        Fault::Redirect("/rest/v1/sessions".into()),
        Fault::SlowBody {
            bytes: 100,
            every: Duration::from_millis(10),
        },
        Fault::SlowBody {
            bytes: 1,
            every: 20 * second,
        },
        Fault::ForeignLinks(FOREIGN.into()),
        Fault::ForeignLinks(String::new()),
        Fault::NullLinks,
        Fault::ReplaceField("brand_new".into(), json!({"a": [1]})),
        Fault::ReplaceField("role".into(), json!("oracle")),
        Fault::ReplaceField("type".into(), json!("dream")),
    ]);
    for url in [
        "https://evil.example/x",
        "http://evil.example/x",
        "file:///x",
        "",
    ] {
        all.push(Fault::ReplaceField("url".into(), json!(url)));
    }
    all
}

/// Maximum size of a response body that the clients of these tests accept. One fault sends a larger body.
pub const MAX_BODY: usize = 1 << 20;

/// Returns the faults in which each field of the operation's response is missing, null or of another type.
fn of_fields(operation: Operation, document: &Value) -> Vec<Fault> {
    let schemas: &[&str] = match operation {
        Operation::CreateSession | Operation::GetSession => &["Session"],
        Operation::CreateMessage => &["Message"],
        Operation::ListSessionMessages | Operation::ListThreadMessages => {
            &["MessagePage", "Message"]
        }
        Operation::GetArtifact => &["Artifact"],
        _ => &[],
    };
    let properties = schemas.iter().flat_map(|schema| {
        let properties = &document["components"]["schemas"][*schema]["properties"];
        properties.as_object().expect("properties").keys()
    });
    let faults = properties.flat_map(|name| {
        [
            Fault::MissingFields(vec![name.clone()]),
            Fault::ReplaceField(name.clone(), Value::Null),
            Fault::ReplaceField(name.clone(), json!([7])),
        ]
    });
    faults.collect()
}

/// Checks that the list of faults contains every kind of fault of the mock. The kinds are read from the mock's error
/// for an unknown kind, which lists all known kinds.
#[test]
fn every_kind_of_fault_is_used() {
    let error = serde_json::from_str::<Fault>("\"?\"")
        .unwrap_err()
        .to_string();
    let (_, known) = error.split_once("expected one of ").unwrap();
    let known: Vec<&str> = known.split('`').skip(1).step_by(2).collect();
    assert!(known.len() > 15, "{error}");
    let all = of(Operation::GetSession, &blocks_tests::document());
    for kind in known {
        let has = |fault: &Fault| match serde_json::to_value(fault).unwrap() {
            Value::String(name) => name == kind,
            value => value.get(kind).is_some(),
        };
        assert!(all.iter().any(has), "no fault of the kind {kind}");
    }
}
