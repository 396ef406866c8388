//! Compares exchanges (requests and their responses) with the OpenAPI document.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::fmt;

use serde::de::{Deserialize, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::Value;

use crate::document::{Document, Operation};
use crate::finding::{CheckResult, Finding, Kind, NOTHING, Severity, Side, finding};
use crate::page::rules_errors_samples::links;
use crate::shape::Shape;
use crate::spanned::step;
use crate::validate;

/// The body of a response.
#[derive(Clone, Debug, PartialEq)]
pub enum Body {
    /// The body was not recorded.
    Unknown,
    /// The body is JSON.
    Json(Value),
    /// The body is not JSON, or is JSON with a duplicate key. The string says which of the two applies.
    Other(String),
}

/// A request and the response to it.
#[derive(Clone, Debug)]
pub struct Exchange {
    /// The name of the exchange in reports.
    pub name: String,
    /// The method, in capitals.
    pub method: String,
    /// The path, without the query.
    pub path: String,
    /// The names of the query parameters; empty if only the response is compared.
    pub query: Vec<String>,
    /// The JSON body of the request; `None` if there is none, or if only the response is compared.
    pub sent: Option<Value>,
    /// The status.
    pub status: u16,
    /// The media type, if it is known.
    pub media_type: Option<String>,
    /// The body.
    pub body: Body,
}

/// Parses a body. JSON with a duplicate key becomes [`Body::Other`], because parsers differ in which of the two values
/// they return.
pub fn parse_body(text: &[u8]) -> Body {
    match serde_json::from_slice::<Value>(text) {
        Err(_) => Body::Other("not JSON".to_owned()),
        Ok(_) if serde_json::from_slice::<UniqueKeys>(text).is_err() => {
            Body::Other("a duplicate key".to_owned())
        }
        Ok(value) => Body::Json(value),
    }
}

/// Accepts any JSON value without duplicate keys.
struct UniqueKeys;

impl<'de> Deserialize<'de> for UniqueKeys {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Self)
    }
}

impl<'de> Visitor<'de> for UniqueKeys {
    type Value = Self;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_bool<E>(self, _: bool) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_str<E>(self, _: &str) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Self, A::Error> {
        while items.next_element::<Self>()?.is_some() {}
        Ok(self)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Self, A::Error> {
        let mut keys = HashSet::new();
        while let Some((key, _)) = entries.next_entry::<String, Self>()? {
            if !keys.insert(key) {
                return Err(A::Error::custom("a duplicate key"));
            }
        }
        Ok(self)
    }
}

/// The fields that a program needs to wait for a reply or to read the reply. If no response of an operation has one of
/// these fields, the difference is breaking.
const NEEDED: [&str; 8] =
    ["_links", "thread_id", "thread", "final_message", "items", "href", "message", "id"];

/// The comparison of several exchanges with the OpenAPI document.
pub struct Comparison<'a> {
    document: &'a Document,
    /// The findings so far.
    pub result: CheckResult,
    /// Two sets of properties for each operation, as JSON pointers. The first set contains the properties that the
    /// schemas list for the objects in the operation's successful responses. The second set contains the properties of
    /// the first set that a compared response had.
    seen: BTreeMap<String, (BTreeSet<String>, BTreeSet<String>)>,
}

impl<'a> Comparison<'a> {
    /// Creates a comparison without exchanges.
    pub fn new(document: &'a Document) -> Self {
        Self { document, result: CheckResult::default(), seen: BTreeMap::new() }
    }

    /// Compares one exchange. `expected` contains the statuses that are allowed for this request. If `expected` is
    /// `None`, every status that the OpenAPI document lists for the operation is allowed.
    pub fn add(&mut self, exchange: &Exchange, expected: Option<&[u16]>) {
        let Some(operation) = self.document.operation_of_request(&exchange.method, &exchange.path)
        else {
            let scope = format!("{} {}", exchange.method, exchange.path);
            let found = finding(
                Kind::OperationUnknown,
                Severity::Additive,
                "the operation",
                "/paths",
                (NOTHING, &exchange.status.to_string()),
            );
            return self.result.report(Side::Service, &scope, &exchange.name, vec![found]);
        };
        let mut found = self.status(exchange, &operation, expected);
        let mut facts = 1;
        if let Some((pointer, schema)) = self.document.response(&operation, exchange.status) {
            found.extend(self.media_type(exchange, &pointer));
            if let Some(schema) = schema {
                facts += 1;
                found.extend(self.body(exchange, &operation, &pointer, &schema));
            }
        }
        found.extend(self.request(exchange, &operation));
        self.result.report(Side::Service, &operation.id, &exchange.name, found);
        self.result.cover(Side::Service, &operation.id, &exchange.name, facts);
    }

    /// Returns the result of the comparison. For each operation, the result also has a finding for each property that
    /// the schemas list for an object in a successful response, but that was in no compared response.
    pub fn finish(mut self) -> CheckResult {
        for (operation, (possible, shown)) in std::mem::take(&mut self.seen) {
            let absent = possible.difference(&shown).map(|pointer| {
                let name = pointer.rsplit('/').next().unwrap_or_default();
                let severity = if NEEDED.contains(&name) {
                    Severity::Breaking
                } else {
                    Severity::Informational
                };
                let text = Shape::of(self.document, pointer).type_text();
                finding(
                    Kind::FieldRemoved,
                    severity,
                    &format!("response field `{name}`"),
                    pointer,
                    (&text, "in no response"),
                )
            });
            let absent = absent.collect();
            self.result.report(Side::Service, &operation, "all responses", absent);
        }
        self.result
    }

    fn status(
        &self,
        exchange: &Exchange,
        operation: &Operation,
        expected: Option<&[u16]>,
    ) -> Vec<Finding> {
        let responses = format!("{}/responses", operation.pointer);
        let status = exchange.status.to_string();
        // An expected status of 200 means any 2xx status, because the OpenAPI document does not name an exact status.
        let fits =
            |e: &u16| *e == exchange.status || (*e == 200 && (200..300).contains(&exchange.status));
        if let Some(expected) = expected.filter(|e| !e.iter().any(fits)) {
            let name = |s: &u16| {
                if *s == 200 { "2XX".to_owned() } else { s.to_string() }
            };
            let wanted: Vec<String> = expected.iter().map(name).collect();
            let pointer = format!("{responses}/{}", wanted[0]);
            return vec![finding(
                Kind::Status,
                Severity::Breaking,
                "the status",
                &pointer,
                (&wanted.join(" or "), &status),
            )];
        }
        if self.document.response(operation, exchange.status).is_some() {
            return Vec::new();
        }
        vec![finding(
            Kind::StatusAdded,
            Severity::Additive,
            "the status",
            &format!("{responses}/{status}"),
            (NOTHING, &status),
        )]
    }

    /// Returns the severity of a wrong media type or body. For an error response, the severity is only informational,
    /// because the response may be an HTML page from a proxy. A successful response is assumed to be from the service.
    fn severity(exchange: &Exchange) -> Severity {
        if exchange.status < 300 { Severity::Breaking } else { Severity::Informational }
    }

    fn media_type(&self, exchange: &Exchange, pointer: &str) -> Option<Finding> {
        let known = self.document.media_types(pointer);
        let given = exchange.media_type.as_deref()?;
        let given = given.split(';').next()?.trim().to_lowercase();
        if known.is_empty() || known.contains(&given) || !matches!(exchange.body, Body::Json(_)) {
            return None;
        }
        Some(finding(
            Kind::MediaType,
            Self::severity(exchange),
            "the media type",
            pointer,
            (&known.join(", "), &given),
        ))
    }

    fn body(
        &mut self,
        exchange: &Exchange,
        operation: &Operation,
        pointer: &str,
        schema: &str,
    ) -> Vec<Finding> {
        let body = match &exchange.body {
            Body::Unknown => return Vec::new(),
            Body::Other(what) => {
                return vec![finding(
                    Kind::NotJson,
                    Self::severity(exchange),
                    "the body",
                    pointer,
                    ("JSON", what),
                )];
            }
            Body::Json(body) => body,
        };
        let mut found: Vec<Finding> = validate::check(self.document, schema, body)
            .into_iter()
            .map(|v| Finding {
                subject: format!("response field `{}`", v.finding.subject),
                // A text from the service can be long, so it is cut off after 60 characters.
                other: v.finding.other.chars().take(60).collect(),
                ..v.finding
            })
            .collect();
        if exchange.status < 300 {
            for (instance, why) in links(self.document, body) {
                if let Some(why) = why {
                    let subject = format!("the link `{instance}`");
                    found.push(finding(
                        Kind::Link,
                        Severity::Breaking,
                        &subject,
                        &self.document.resolve(schema),
                        ("a link to an operation", why),
                    ));
                }
            }
            let seen = self.seen.entry(operation.id.clone()).or_default();
            record(self.document, schema, body, seen, 0);
        } else {
            found.extend(self.code(exchange, pointer, body));
        }
        found
    }

    fn code(&self, exchange: &Exchange, pointer: &str, body: &Value) -> Option<Finding> {
        let code: String = body["code"].as_str()?.chars().take(60).collect();
        let resolved = self.document.resolve(pointer);
        let known = self.document.get(&resolved)?["x-error-codes"].as_array();
        if known.is_some_and(|k| k.iter().any(|k| *k == code)) {
            return None;
        }
        let place = format!("{resolved}/x-error-codes/{}", step(&code));
        Some(finding(
            Kind::CodeAdded,
            Severity::Additive,
            &format!("error {}, code {code}", exchange.status),
            &place,
            (NOTHING, "a code"),
        ))
    }

    /// Compares a captured request with the OpenAPI document: the names of the query parameters, and the body if the
    /// request succeeded.
    fn request(&self, exchange: &Exchange, operation: &Operation) -> Vec<Finding> {
        let mut found = Vec::new();
        let known = self.document.parameters(operation, "query");
        for name in exchange.query.iter().filter(|n| !known.iter().any(|(k, _)| k == *n)) {
            let place = format!("{}/parameters/{}", operation.pointer, step(name));
            found.push(finding(
                Kind::FieldAdded,
                Severity::Additive,
                &format!("sent parameter `{name}`"),
                &place,
                (NOTHING, "sent"),
            ));
        }
        let schema = self.document.request_schema(operation).filter(|_| exchange.status < 300);
        if let (Some(schema), Some(sent)) = (schema, &exchange.sent) {
            found.extend(validate::check(self.document, &schema, sent).into_iter().map(|v| {
                Finding {
                    severity: Severity::Additive,
                    subject: format!("sent field `{}`", v.finding.subject),
                    ..v.finding
                }
            }));
        }
        found
    }
}

/// Adds JSON pointers of properties to the two sets in `seen`. The first set gets each property that the schema lists
/// for `value` and for the objects in `value`. The second set gets each of these properties that is in `value`.
fn record(
    document: &Document,
    schema: &str,
    value: &Value,
    seen: &mut (BTreeSet<String>, BTreeSet<String>),
    depth: usize,
) {
    let shape = Shape::of(document, schema);
    match value {
        Value::Object(map) if depth < 8 => {
            for (name, place) in &shape.properties {
                seen.0.insert(place.clone());
                if let Some(value) = map.get(name) {
                    seen.1.insert(place.clone());
                    record(document, place, value, seen, depth + 1);
                }
            }
        }
        Value::Array(items) => {
            for (item, shape) in items.iter().zip(shape.items.iter().cycle()) {
                // If the schema of the items allows several types or any type, as for a pull request, an object may
                // have another form than the listed properties. Then it is not a difference if a listed property is
                // missing. So the properties of such items are not recorded.
                if shape.types.len() == 1 {
                    record(document, &shape.pointer, item, seen, depth + 1);
                }
            }
        }
        _ => {}
    }
}
