//! What the SDK's builders send, taken down before it leaves: it must be valid under the
//! document, and every field and parameter of the document must come from some builder.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use blocks_sdk::{
    Agent, AgentName, Client, CreateSession, ErrorKind, FollowUp, RetryPolicy, SendError, Sending,
    Transport,
};
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::finding;
use crate::drift::document::{Document, Operation};
use crate::drift::finding::{Kind, Outcome, Severity, Side};
use crate::drift::marked::step;
use crate::drift::shape::Shape;
use crate::drift::validate;

const ID: Uuid = Uuid::from_u128(0x5f0c_7a52_3a1e_4a53_9d5e_0d4f_5b9b_8a11);

/// A request as it would have left.
struct Sent {
    method: String,
    path: String,
    query: BTreeSet<String>,
    body: Option<Value>,
}

/// Takes requests down and sends none.
#[derive(Clone, Default)]
struct Recorder(Arc<Mutex<Vec<Sent>>>);

impl Transport for Recorder {
    fn send(&self, request: reqwest::Request) -> Sending<'_> {
        let bytes = request.body().and_then(|b| b.as_bytes());
        let sent = Sent {
            method: request.method().to_string(),
            path: request.url().path().to_owned(),
            query: request
                .url()
                .query_pairs()
                .map(|(name, _)| name.into_owned())
                .collect(),
            body: bytes.and_then(|b| serde_json::from_slice(b).ok()),
        };
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(sent);
        Box::pin(async { Err(SendError::may_be_sent("taken down, and not sent")) })
    }
}

/// Compares what the builders send.
///
/// # Errors
/// A builder refuses what the document allows.
pub async fn check(document: &Document) -> Result<Outcome, String> {
    let recorder = Recorder::default();
    for request in creates() {
        // A new client for each: the rate limit of one would make them wait.
        let outcome = client(&recorder)?.create_session(request).await;
        refused(outcome.err())?;
    }
    for request in follow_ups() {
        let outcome = client(&recorder)?.session(ID).follow_up(request).await;
        refused(outcome.err())?;
    }
    let messages = client(&recorder)?.session(ID).messages().everything();
    let messages = messages
        .thread_id(ID)
        .newer_than(1.5)
        .page(2)
        .limit(10)
        .newest_first();
    refused(messages.send().await.err())?;
    let thread = client(&recorder)?
        .session(ID)
        .thread_messages(ID)
        .everything();
    refused(thread.newer_than(1.5).page(2).limit(10).send().await.err())?;
    let sent = std::mem::take(&mut *recorder.0.lock().unwrap_or_else(PoisonError::into_inner));
    Ok(compare(document, &sent))
}

fn client(recorder: &Recorder) -> Result<Client, String> {
    let builder = Client::builder("no-key")
        .transport(recorder.clone())
        .retry(RetryPolicy::none());
    builder.build().map_err(|e| format!("blocks_sdk: {e}"))
}

/// The recorder breaks each request off; refused is what never reached it.
fn refused(error: Option<blocks_sdk::Error>) -> Result<(), String> {
    match error {
        Some(error) if error.kind() == ErrorKind::InvalidInput => Err(format!(
            "blocks_sdk refuses what the document allows: {error}"
        )),
        Some(_) => Ok(()),
        None => Err("blocks_sdk: a request was answered that was never sent".to_owned()),
    }
}

/// Every way to name an agent, with as little and as much as a request can have.
fn creates() -> Vec<CreateSession> {
    let object = || Map::from_iter([("name".to_owned(), json!("x"))]);
    let names = AgentName::KNOWN
        .iter()
        .map(|n| Agent::Name(AgentName::from((*n).to_owned())));
    let agents = names.chain([Agent::Id(ID), Agent::Profile(object())]);
    agents
        .flat_map(|agent| {
            let least = CreateSession::new(agent, "message");
            let most = least
                .clone()
                .private()
                .title("t".repeat(200))
                .artifacts([ID]);
            [least, most.session_group(ID).config_values(object())]
        })
        .collect()
}

fn follow_ups() -> Vec<FollowUp> {
    let profile = Map::from_iter([("name".to_owned(), json!("x"))]);
    let least = FollowUp::new("message");
    vec![least.clone(), least.artifacts([ID]).profile(profile)]
}

fn compare(document: &Document, sent: &[Sent]) -> Outcome {
    let mut outcome = Outcome::default();
    for operation in document.operations() {
        let own: Vec<&Sent> = sent
            .iter()
            .filter(|s| {
                document
                    .operation_of_request(&s.method, &s.path)
                    .is_some_and(|o| o.id == operation.id)
            })
            .collect();
        if !own.is_empty() {
            bodies(document, &operation, &own, &mut outcome);
            queries(document, &operation, &own, &mut outcome);
            outcome.covered.push((Side::Sdk, operation.id.clone()));
        }
    }
    outcome.looked_at.push(format!(
        "blocks_sdk: {} requests of its builders",
        sent.len()
    ));
    outcome
}

fn bodies(document: &Document, operation: &Operation, sent: &[&Sent], outcome: &mut Outcome) {
    let Some(schema) = document.request_schema(operation) else {
        return;
    };
    let mut seen: BTreeSet<&String> = BTreeSet::new();
    for body in sent.iter().filter_map(|s| s.body.as_ref()) {
        seen.extend(body.as_object().into_iter().flat_map(Map::keys));
        for v in validate::check(document, &schema, body) {
            let subject = format!("sent field `{}`", v.name());
            // Whatever the document does not allow, a service that follows it may refuse.
            let found = finding(
                &operation.id,
                v.kind,
                Severity::Breaking,
                &subject,
                &v.pointer,
                &v.document,
                &v.other,
            );
            if !outcome.findings.contains(&found) {
                outcome.findings.push(found);
            }
        }
    }
    for (name, place) in Shape::of(document, &schema).properties {
        if !seen.contains(&name) {
            let subject = format!("sent field `{name}`");
            let text = Shape::of(document, &place).type_text();
            outcome.findings.push(finding(
                &operation.id,
                Kind::FieldRemoved,
                Severity::Breaking,
                &subject,
                &place,
                &text,
                "no builder sends it",
            ));
        }
    }
}

fn queries(document: &Document, operation: &Operation, sent: &[&Sent], outcome: &mut Outcome) {
    let seen: BTreeSet<&String> = sent.iter().flat_map(|s| &s.query).collect();
    let known = document.parameters(operation, "query");
    for (name, place) in known.iter().filter(|(name, _)| !seen.contains(name)) {
        let subject = format!("query parameter `{name}`");
        outcome.findings.push(finding(
            &operation.id,
            Kind::FieldRemoved,
            Severity::Breaking,
            &subject,
            place,
            "a parameter",
            "no builder sends it",
        ));
    }
    for name in seen
        .into_iter()
        .filter(|n| !known.iter().any(|(k, _)| k == *n))
    {
        let place = format!("{}/parameters/{}", operation.pointer, step(name));
        let subject = format!("query parameter `{name}`");
        outcome.findings.push(finding(
            &operation.id,
            Kind::FieldAdded,
            Severity::Breaking,
            &subject,
            &place,
            "nothing",
            "sent",
        ));
    }
}
