//! Compares the SDK with the OpenAPI document. A recorder captures the requests of the SDK's builders instead of
//! sending them. Each request must be valid under the OpenAPI document. For the operations of these requests, at least
//! one builder must send each top-level field and each query parameter of the OpenAPI document. The check also compares
//! the values of the SDK's enums, some limits (such as the length of a title), the base URL, and the authentication
//! header.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context as _, Result, bail};
use blocks_sdk::{
    Agent, AgentName, ArtifactKind, Body, Client, CreateSession, Direction, ErrorKind, FollowUp,
    MessageRole, MessageType, RetryPolicy, SendError, SendFuture, Transport,
};
use serde_json::{Map, Value, json};
use uuid::Uuid;

use crate::document::{Document, Operation};
use crate::finding::{CheckResult, Finding, Kind, NOTHING, Severity, Side, finding};
use crate::shape::Shape;
use crate::spanned::step;
use crate::validate;

const ID: Uuid = Uuid::from_u128(0x5f0c_7a52_3a1e_4a53_9d5e_0d4f_5b9b_8a11);

/// A request that the recorder captured.
struct Sent {
    method: String,
    path: String,
    base: String,
    authorization: String,
    query: BTreeSet<String>,
    body: Option<Value>,
}

/// A transport for the SDK that records the requests and sends nothing.
#[derive(Clone, Default)]
struct Recorder(Arc<Mutex<Vec<Sent>>>);

impl Transport for Recorder {
    fn send(&self, request: blocks_sdk::http::Request<Body>) -> SendFuture<'_> {
        let bytes = request.body().as_bytes();
        let url = reqwest::Url::parse(&request.uri().to_string()).expect("an absolute URL");
        let header = request.headers().get("authorization").and_then(|v| v.to_str().ok());
        let sent = Sent {
            method: request.method().to_string(),
            path: url.path().to_owned(),
            base: url.origin().ascii_serialization(),
            authorization: header.unwrap_or_default().to_owned(),
            query: url.query_pairs().map(|(name, _)| name.into_owned()).collect(),
            body: bytes.and_then(|b| serde_json::from_slice(b).ok()),
        };
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(sent);
        Box::pin(async { Err(SendError::may_be_sent("recorded, and not sent")) })
    }
}

/// Compares the SDK's requests, enums and limits with the OpenAPI document.
///
/// # Errors
/// Fails if the SDK rejects one of the requests that this function builds, or if no client can be created.
pub async fn check(document: &Document) -> Result<CheckResult> {
    let mut result = CheckResult::default();
    enums(document, &mut result);
    limits(document, &mut result).await?;
    let recorder = Recorder::default();
    for request in creates() {
        // Each request uses a new client, because the rate limiter of a shared client would delay the requests.
        let sent = client(&recorder)?.create_session(request).await;
        allowed(sent.err())?;
    }
    for request in follow_ups() {
        let sent = client(&recorder)?.session(ID).follow_up(request).await;
        allowed(sent.err())?;
    }
    let messages = client(&recorder)?.session(ID).messages().all();
    let messages = messages.thread_id(ID).newer_than(1.5).page(2).limit(10).newest_first(true);
    allowed(messages.send().await.err())?;
    let thread = client(&recorder)?.session(ID).thread_messages(ID).all();
    allowed(thread.newer_than(1.5).page(2).limit(10).send().await.err())?;
    let sent = std::mem::take(&mut *recorder.0.lock().unwrap_or_else(PoisonError::into_inner));
    compare(document, &sent, &mut result);
    Ok(result)
}

fn client(recorder: &Recorder) -> Result<Client> {
    let builder = Client::builder("no-key").transport(recorder.clone()).retry(RetryPolicy::none());
    builder.build().context("blocks_sdk")
}

/// Fails if the SDK rejected the input before it sent the request. Every other error is expected, because the recorder
/// ends each request with an error. So a request without an error also fails.
fn allowed(error: Option<blocks_sdk::Error>) -> Result<()> {
    match error {
        Some(error) if error.kind() == ErrorKind::InvalidInput => {
            bail!("blocks_sdk rejects a request that it must accept: {error}")
        }
        Some(_) => Ok(()),
        None => bail!("blocks_sdk: a request that was never sent got a response"),
    }
}

/// Checks these limits of the OpenAPI document: the minimum and the maximum of `limit`, the minimum of `page`, and the
/// maximum length of a title. For example, if a title has at most 200 characters, the SDK must accept 200 characters
/// and reject 201.
async fn limits(document: &Document, result: &mut CheckResult) -> Result<()> {
    let is_accepted = |error: Option<blocks_sdk::Error>| {
        error.is_none_or(|e| e.kind() != ErrorKind::InvalidInput)
    };
    let recorder = Recorder::default();
    let limit = |name: &str, keyword: &str| {
        let operation = document.operation("GET", "/rest/v1/sessions/{id}/messages")?;
        let (_, pointer) =
            document.parameters(&operation, "query").into_iter().find(|(n, _)| n == name)?;
        let shape = Shape::of(document, &format!("{pointer}/schema"));
        Some((format!("{pointer}/schema"), *shape.limits.get(keyword)?))
    };
    let title = "/components/schemas/CreateSessionRequest/properties/title";
    let length = Shape::of(document, title).limits.get("maxLength").map(|l| (title.to_owned(), *l));
    for (name, keyword, found) in [
        ("limit", "minimum", limit("limit", "minimum")),
        ("limit", "maximum", limit("limit", "maximum")),
        ("page", "minimum", limit("page", "minimum")),
        ("title", "maxLength", length),
    ] {
        let Some((pointer, stated)) = found else {
            continue;
        };
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "limits are small and positive"
        )]
        let stated = stated as u64;
        let beyond = if keyword == "minimum" { stated.saturating_sub(1) } else { stated + 1 };
        for (value, allowed) in [(stated, true), (beyond, false)] {
            let client = client(&recorder)?;
            let error = match name {
                "limit" => client.session(ID).messages().limit(value).send().await.err(),
                "page" => client.session(ID).messages().page(value).send().await.err(),
                _ => {
                    let title = "t".repeat(usize::try_from(value)?);
                    client
                        .create_session(CreateSession::new(Agent::Id(ID), "m").title(title))
                        .await
                        .err()
                }
            };
            if is_accepted(error) != allowed {
                let other = format!("{value} is {}", if allowed { "rejected" } else { "accepted" });
                let found = finding(
                    Kind::Limit,
                    Severity::Breaking,
                    &format!("the limit of `{name}`"),
                    &pointer,
                    (&format!("{keyword} {stated}"), &other),
                );
                result.report(Side::Sdk, "", "blocks_sdk", vec![found]);
            }
        }
    }
    Ok(())
}

/// Compares the values of the SDK's enums with the OpenAPI document. A value that only the OpenAPI document has is an
/// informational finding, because the SDK can still represent it: as text, like every unknown value. A value that only
/// the SDK has is a breaking finding, because the service does not know the value.
fn enums(document: &Document, result: &mut CheckResult) {
    let known = [
        ("AgentName", AgentName::KNOWN),
        ("ArtifactKind", ArtifactKind::KNOWN),
        ("Direction", Direction::KNOWN),
        ("MessageRole", MessageRole::KNOWN),
        ("MessageType", MessageType::KNOWN),
    ];
    for (name, known) in known {
        let shape = Shape::of(document, &format!("/components/schemas/{name}"));
        let list = shape.values.map_or_else(Vec::new, |v| v.list);
        let place = |value: &str| format!("/components/schemas/{name}/enum/{}", step(value));
        let removed = list.iter().filter(|v| !known.contains(&v.as_str())).map(|value| {
            finding(
                Kind::EnumRemoved,
                Severity::Informational,
                &format!("the value `{value}`"),
                &place(value),
                ("a value", NOTHING),
            )
        });
        let added = known.iter().filter(|v| !list.iter().any(|l| l == *v)).map(|value| {
            finding(
                Kind::EnumAdded,
                Severity::Breaking,
                &format!("the value `{value}`"),
                &place(value),
                (NOTHING, "a value"),
            )
        });
        result.report(Side::Sdk, name, "blocks_sdk", removed.chain(added).collect());
        result.cover(Side::Sdk, name, "blocks_sdk", known.len());
    }
}

/// Returns two create requests for each known agent name, two for an agent id, and two for a profile. The first request
/// of each pair has only the required fields. The second request also has optional fields.
fn creates() -> Vec<CreateSession> {
    let object = || Map::from_iter([("name".to_owned(), json!("x"))]);
    let names = AgentName::KNOWN.iter().map(|n| Agent::Name(AgentName::from((*n).to_owned())));
    let agents = names.chain([Agent::Id(ID), Agent::Profile(object())]);
    agents
        .flat_map(|agent| {
            let least = CreateSession::new(agent, "message");
            let most = least.clone().private(true).title("t".repeat(200)).artifacts([ID]);
            [least, most.session_group(ID).config_values(object())]
        })
        .collect()
}

fn follow_ups() -> Vec<FollowUp> {
    let profile = Map::from_iter([("name".to_owned(), json!("x"))]);
    let least = FollowUp::new("message");
    vec![least.clone(), least.artifacts([ID]).profile(profile)]
}

fn compare(document: &Document, sent: &[Sent], result: &mut CheckResult) {
    for operation in document.operations() {
        let is_own = |s: &&Sent| {
            document.operation_of_request(&s.method, &s.path).is_some_and(|o| o.id == operation.id)
        };
        let own: Vec<&Sent> = sent.iter().filter(is_own).collect();
        if !own.is_empty() {
            let mut found = bodies(document, &operation, &own);
            found.extend(queries(document, &operation, &own));
            result.report(Side::Sdk, &operation.id, "blocks_sdk", found);
            result.cover(Side::Sdk, &operation.id, "blocks_sdk", own.len());
        }
    }
    let mut found = Vec::new();
    let server = document.0.value["servers"][0]["url"].as_str().unwrap_or_default();
    let scheme =
        document.0.value["components"]["securitySchemes"].as_object().and_then(|s| s.iter().next());
    for sent in sent {
        if sent.base != server.trim_end_matches('/') {
            found.push(finding(
                Kind::Server,
                Severity::Breaking,
                "the base URL",
                "/servers/0/url",
                (server, &sent.base),
            ));
        }
        let (name, header) = scheme
            .map_or(("", ""), |(name, s)| (name.as_str(), s["name"].as_str().unwrap_or_default()));
        let word = sent.authorization.split(' ').next().unwrap_or_default();
        if word != name || !header.eq_ignore_ascii_case("authorization") {
            let texts = (format!("{header}: {name}"), format!("Authorization: {word}"));
            let place = format!("/components/securitySchemes/{name}");
            found.push(finding(
                Kind::Security,
                Severity::Breaking,
                "the authentication header",
                &place,
                (&texts.0, &texts.1),
            ));
        }
    }
    result.report(Side::Sdk, "", "blocks_sdk", found);
    result.cover(Side::Sdk, "", "blocks_sdk", 2);
}

fn bodies(document: &Document, operation: &Operation, sent: &[&Sent]) -> Vec<Finding> {
    let Some(schema) = document.request_schema(operation) else {
        return Vec::new();
    };
    let (mut seen, mut found) = (BTreeSet::new(), Vec::new());
    for body in sent.iter().filter_map(|s| s.body.as_ref()) {
        seen.extend(body.as_object().into_iter().flat_map(Map::keys));
        // Every difference is breaking, even an unknown field, because the service may reject a request that the
        // OpenAPI document does not allow.
        found.extend(validate::check(document, &schema, body).into_iter().map(|v| Finding {
            severity: Severity::Breaking,
            subject: format!("sent field `{}`", v.finding.subject),
            ..v.finding
        }));
    }
    for (name, place) in
        Shape::of(document, &schema).properties.iter().filter(|(n, _)| !seen.contains(n))
    {
        let text = Shape::of(document, place).type_text();
        found.push(finding(
            Kind::FieldRemoved,
            Severity::Breaking,
            &format!("sent field `{name}`"),
            place,
            (&text, "no builder sends it"),
        ));
    }
    found
}

fn queries(document: &Document, operation: &Operation, sent: &[&Sent]) -> Vec<Finding> {
    let seen: BTreeSet<&String> = sent.iter().flat_map(|s| &s.query).collect();
    let known = document.parameters(operation, "query");
    let unsent = known.iter().filter(|(name, _)| !seen.contains(name)).map(|(name, place)| {
        finding(
            Kind::FieldRemoved,
            Severity::Breaking,
            &format!("query parameter `{name}`"),
            place,
            ("a parameter", "no builder sends it"),
        )
    });
    let unknown = seen.iter().filter(|n| !known.iter().any(|(k, _)| k == **n)).map(|name| {
        let place = format!("{}/parameters/{}", operation.pointer, step(name));
        finding(
            Kind::FieldAdded,
            Severity::Breaking,
            &format!("query parameter `{name}`"),
            &place,
            (NOTHING, "sent"),
        )
    });
    let required =
        ["header", "query"].into_iter().flat_map(|place| document.parameters(operation, place));
    let required = required.filter(|(name, place)| {
        document.get(place).is_some_and(|p| p["required"] == true) && !seen.contains(name)
    });
    let required: Vec<Finding> = required
        .map(|(name, place)| {
            finding(
                Kind::Required,
                Severity::Breaking,
                &format!("parameter `{name}`"),
                &place,
                ("required", "no builder sends it"),
            )
        })
        .collect();
    unsent.chain(unknown).chain(required).collect()
}
