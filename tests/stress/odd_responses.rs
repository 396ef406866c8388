//! Tests of complete responses in which any optional field is absent or has an unexpected value. The SDK must read the
//! fields that a program needs in order to continue, for example the session's id. The SDK must also keep everything
//! that was received.

use blocks_sdk::{
    Agent, Client, CreateSession, FollowUp, JsonObject, Pending, RateLimit, RawJson, types,
};
use blocks_tests::{SESSION, Scripted, ScriptedResponse, THREAD, session_id, thread_id};
use proptest::prelude::*;
use serde_json::Value;

/// Number of cases. Each case has a response for each of the six operations.
const CASES: u32 = 3_400;

/// A JSON object, as the names and the JSON texts of its fields.
type Fields = Vec<(&'static str, String)>;

fn object(fields: &Fields) -> String {
    let field = |(name, raw): &(&str, String)| format!("\"{name}\":{raw}");
    let fields: Vec<_> = fields.iter().map(field).collect();
    format!("{{{}}}", fields.join(","))
}

fn quoted(text: &str) -> String {
    Value::from(text).to_string()
}

/// Generates the JSON text of an unexpected value, for example null, a very large number or 300 nested lists.
fn odd() -> impl Strategy<Value = String> {
    let deep = format!("{}{}", "[".repeat(300), "]".repeat(300));
    // A string as a strategy would be parsed again for each value.
    let text = prop::string::string_regex(".{0,20}").unwrap();
    prop_oneof![
        Just("null".to_owned()),
        prop::sample::select(vec![
            "true",
            "7",
            "-1",
            "1.0",
            "2.50",
            "1e999",
            "-1e999",
            "12345678901234567890123",
            "[]",
            "{}",
            "[1,[2,null]]",
            r#"{"text":"x"}"#,
            r#"{"a":1,"a":2}"#,
            r#"{"href":7}"#,
            r#"{"href":"https://x/rest/v1/y"}"#,
            "\"\"",
            "\"null\"",
            "\"soon\"",
            "\"m0\"",
            "\"task 1/2\"",
            "\"2026-01-02\"",
            "\"2026-01-02T03:04:05\"",
            "\"2026-01-02 03:04:05+00\"",
            "\"FINAL_MESSAGE\"",
            r#""cut \ud83d here""#,
            r#""\udc00\ud83d\ude00""#,
            r#""a\\ud83d""#,
            r#""\u0000\n""#,
            "\"caf\u{e9} \u{1f600}\"",
        ])
        .prop_map(str::to_owned),
        Just(deep),
        text.prop_map(|text| quoted(&text)),
    ]
}

/// The usual value of a field, as JSON text.
type Usual = BoxedStrategy<String>;

fn usual(raw: &'static str) -> Usual {
    Just(raw.to_owned()).boxed()
}

fn usual_text(text: &str) -> Usual {
    Just(quoted(text)).boxed()
}

/// Generates objects in which each field is as usual, absent or unexpected. Some objects also contain an unknown
/// field.
fn mutated(fields: Vec<(&'static str, Usual)>) -> impl Strategy<Value = Fields> {
    let odd = odd().boxed();
    let choices: Vec<_> = fields
        .into_iter()
        .map(|(name, usual)| field(name, usual, odd.clone()))
        .collect();
    (choices, prop::option::of(odd)).prop_map(|(fields, unknown)| {
        let unknown = unknown.map(|raw| ("newer_field", raw));
        fields.into_iter().flatten().chain(unknown).collect()
    })
}

fn field(
    name: &'static str,
    usual: Usual,
    odd: BoxedStrategy<String>,
) -> impl Strategy<Value = Option<(&'static str, String)>> {
    prop_oneof![
        5 => usual.prop_map(Some),
        1 => Just(None),
        4 => odd.prop_map(Some),
    ]
    .prop_map(move |raw| raw.map(|raw| (name, raw)))
}

fn link(href: String) -> String {
    object(&vec![("href", quoted(&href))])
}

fn links(names: &'static [&'static str]) -> Usual {
    let thread = format!(
        "https://api.prod.blocks.team/rest/v1/sessions/{SESSION}/threads/{THREAD}/messages"
    );
    let fields = names.iter().map(|name| {
        let query = if *name == "final_message" {
            "?type=final_message&role=assistant"
        } else {
            ""
        };
        (*name, Just(link(format!("{thread}{query}"))).boxed())
    });
    mutated(fields.collect())
        .prop_map(|fields| object(&fields))
        .boxed()
}

const TIME: &str = "\"2026-05-02T09:30:00.000Z\"";

fn session() -> impl Strategy<Value = Fields> {
    let id = prop::sample::select(vec![SESSION, "s 1/x", "sess_1"]);
    let plans = format!("[{},7,\"p1\"]", quoted(THREAD));
    let optional = mutated(vec![
        ("title", usual("\"A title\"")),
        (
            "pull_requests",
            usual(r#"["https://x/1",{"url":"https://x/2","status":"open"},7]"#),
        ),
        ("source_url", usual("null")),
        ("is_archived", usual("false")),
        ("is_private", usual("true")),
        ("created_at", usual(TIME)),
        ("updated_at", usual(TIME)),
        ("thread_id", usual_text(THREAD)),
        (
            "session_html_url",
            usual("\"https://blocks.team/app/w/sessions/x\""),
        ),
        ("session_group_id", usual_text(THREAD)),
        ("plan_artifact_ids", Just(plans).boxed()),
        (
            "_links",
            links(&["self", "messages", "thread", "final_message"]),
        ),
    ]);
    (optional, id).prop_map(|(mut fields, id)| {
        fields.insert(0, ("id", quoted(id)));
        fields
    })
}

fn message(text: &'static str) -> impl Strategy<Value = Fields> {
    let optional = mutated(vec![
        ("id", usual_text("0f4f7b0c-2b4e-4a53-8a64-2d1c9e7d3c33")),
        ("chat_id", usual_text(SESSION)),
        ("chat_thread_id", usual_text(THREAD)),
        ("task_id", usual("\"task-1\"")),
        ("role", usual("\"assistant\"")),
        ("type", usual("\"final_message\"")),
        ("ts", usual("1777714260.25")),
        ("created_at", usual(TIME)),
        ("updated_at", usual(TIME)),
        ("_links", links(&["self", "thread", "final_message"])),
    ]);
    optional.prop_map(move |mut fields| {
        fields.push(("message", text.to_owned()));
        fields
    })
}

/// Generates a page, as its items and its JSON text. Some items are not messages.
fn page() -> impl Strategy<Value = (Vec<String>, String)> {
    let item = prop_oneof![
        4 => message(r#""a step""#).prop_map(|fields| object(&fields)),
        1 => odd(),
    ];
    let items = prop::collection::vec(item, 0..4);
    let meta = mutated(vec![
        ("total", usual("3")),
        ("page", usual("1")),
        ("limit", usual("50")),
        ("total_pages", usual("1")),
    ]);
    let meta = meta.prop_map(|meta| object(&meta)).boxed();
    let rest = mutated(vec![
        ("meta", meta),
        ("_links", links(&["self", "new_messages"])),
    ]);
    (items, rest).prop_map(|(items, mut fields)| {
        fields.insert(0, ("items", format!("[{}]", items.join(","))));
        (items, object(&fields))
    })
}

fn artifact() -> impl Strategy<Value = Fields> {
    let optional = mutated(vec![
        ("file_name", usual("\"plan.md\"")),
        ("file_path", usual("\"plans/plan.md\"")),
        ("file_size_in_kb", usual("1.5")),
        ("mime_type", usual("\"text/markdown\"")),
        ("kind", usual("\"plan\"")),
        ("plan_id", usual("null")),
        ("created_at", usual(TIME)),
        ("id", usual_text(THREAD)),
    ]);
    optional.prop_map(|mut fields| {
        fields.push(("url", "\"https://storage.example/x?s=1\"".into()));
        fields
    })
}

/// Returns the text as the SDK repairs it: each unpaired surrogate is replaced with U+FFFD.
fn repaired(raw: &str) -> String {
    raw.replace(r"cut \ud83d here", "cut \u{fffd} here")
        .replace(r"\udc00\ud83d\ude00", "\u{fffd}\u{1f600}")
}

/// Returns whether both JSON texts have the same value, with every number written in the same way.
fn is_same(one: &str, other: &str) -> bool {
    if one == other {
        return true;
    }
    if let (Ok(one), Ok(other)) = (one.parse::<JsonObject>(), other.parse::<JsonObject>()) {
        let same = |(name, value): (&str, &RawJson)| {
            other
                .raw(name)
                .is_some_and(|raw| is_same(value.as_str(), raw))
        };
        return one.len() == other.len() && one.iter().all(same);
    }
    let list = |text| serde_json::from_str::<Vec<RawJson>>(text);
    if let (Ok(one), Ok(other)) = (list(one), list(other)) {
        let mut pairs = one.iter().zip(&other);
        return one.len() == other.len() && pairs.all(|(a, b)| is_same(a.as_str(), b.as_str()));
    }
    let text = |text| serde_json::from_str::<String>(text).ok();
    text(one).is_some() && text(one) == text(other)
}

fn check_kept(received: &str, kept: &impl serde::Serialize) -> Result<(), TestCaseError> {
    let (received, kept) = (repaired(received), serde_json::to_string(kept).unwrap());
    prop_assert!(
        is_same(&received, &kept),
        "received {received}\nkept     {kept}"
    );
    Ok(())
}

fn raw<'a>(fields: &'a Fields, name: &str) -> Option<&'a str> {
    let found = fields.iter().find(|(known, _)| *known == name);
    found.map(|(_, raw)| raw.as_str())
}

/// Returns whether a response contains the thread's id. The thread's id may be in one of two links, or in the field
/// whose name is in the parameter `id`.
fn names_thread(fields: &Fields, id: &str) -> bool {
    let linked = raw(fields, "_links").and_then(|raw| raw.parse::<JsonObject>().ok());
    let href = |name: &str| {
        Some(
            linked.as_ref()?.get(name)?["href"]
                .as_str()?
                .contains(THREAD),
        )
    };
    raw(fields, id) == Some(&quoted(THREAD))
        || href("thread") == Some(true)
        || href("final_message") == Some(true)
}

fn response(body: String) -> ScriptedResponse {
    ScriptedResponse::text(200, body)
}

/// Creates a client whose rate limit no test reaches.
fn client(script: &Scripted) -> Client {
    let limit = RateLimit::per_minute(u32::MAX).unwrap();
    script.builder().rate_limit(limit).build().unwrap()
}

async fn check_create(script: &Scripted, fields: &Fields) -> Result<(), TestCaseError> {
    script.replace([response(object(fields))]);
    let session = client(script)
        .create_session(CreateSession::new(Agent::claude(), "hello"))
        .await
        .unwrap();
    prop_assert_eq!(quoted(session.id().as_str()), raw(fields, "id").unwrap());
    check_kept(&object(fields), session.data())?;
    if names_thread(fields, "thread_id") {
        script.replace([response(r#"{"items":[{"message":"done"}]}"#.to_owned())]);
        let reply = session.first_reply().await.unwrap();
        prop_assert_eq!(reply.text(), "done");
        let path = script.seen()[0].url.path().to_owned();
        prop_assert!(path.starts_with("/rest/v1/"), "{}", path);
    } else if let Err(error) = session.first_turn() {
        prop_assert_eq!(error.session_id(), Some(session.id()));
    }
    Ok(())
}

async fn check_get(script: &Scripted, fields: &Fields) -> Result<(), TestCaseError> {
    script.replace([response(object(fields))]);
    let id = session_id();
    let session = client(script).get_session(id).await.unwrap();
    check_kept(&object(fields), session.data())
}

async fn check_follow_up(script: &Scripted, fields: &Fields) -> Result<(), TestCaseError> {
    script.replace([response(object(fields))]);
    let session = client(script).session(session_id());
    match session.follow_up(FollowUp::new("More.")).await {
        Ok(turn) => prop_assert_eq!(turn.session_id(), session.id()),
        Err(error) => {
            prop_assert!(!names_thread(fields, "chat_thread_id"), "{error}");
            prop_assert!(error.may_have_taken_effect(), "{error}");
            prop_assert_eq!(
                error.body().map(|body| body.into_owned()),
                Some(object(fields))
            );
        }
    }
    Ok(())
}

async fn check_page(
    script: &Scripted,
    (items, page): &(Vec<String>, String),
    of_thread: bool,
) -> Result<(), TestCaseError> {
    script.replace([response(page.clone())]);
    let session = client(script).session(session_id());
    let query = if of_thread {
        session.thread_messages(thread_id())
    } else {
        session.messages()
    };
    let read = query.send().await.unwrap();
    check_kept(page, read.data())?;
    prop_assert_eq!(read.messages().len(), items.len());
    for (message, item) in read.messages().iter().zip(items) {
        check_kept(item, message)?;
    }
    Ok(())
}

async fn check_reply(script: &Scripted, reply: &Fields) -> Result<(), TestCaseError> {
    let page = format!("{{\"items\":[{}]}}", object(reply));
    script.replace([response(page)]);
    let (session, thread) = (session_id(), thread_id());
    let reply = client(script).resume(Pending::new(session, thread)).reply();
    let reply = reply.await.unwrap();
    prop_assert_eq!(reply.text(), "cut \u{fffd} here");
    Ok(())
}

async fn check_artifact(script: &Scripted, fields: &Fields) -> Result<(), TestCaseError> {
    script.replace([response(object(fields))]);
    let session = client(script).session(session_id());
    let artifact = session.artifact(thread_id()).await.unwrap();
    check_kept(&object(fields), artifact.data())?;
    let url = artifact.data().url.as_ref().map(|url| url.as_str());
    prop_assert_eq!(url, Some("https://storage.example/x?s=1"));
    Ok(())
}

#[test]
fn odd_responses_are_read_and_kept_whole() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .unwrap();
    let script = Scripted::new([]);
    let config = ProptestConfig {
        max_shrink_iters: 300,
        failure_persistence: None,
        ..ProptestConfig::with_cases(CASES)
    };
    let all = (
        (session(), session(), message(r#""a prompt""#)),
        (page(), page(), message(r#""cut \ud83d here""#)),
        artifact(),
    );
    proptest!(config, |(((created, read, follow_up), (of_session, of_thread, reply), artifact) in all)| {
        runtime.block_on(async {
            check_create(&script, &created).await?;
            check_get(&script, &read).await?;
            check_follow_up(&script, &follow_up).await?;
            check_page(&script, &of_session, false).await?;
            check_page(&script, &of_thread, true).await?;
            check_reply(&script, &reply).await?;
            check_artifact(&script, &artifact).await
        })?;
    });
}

#[test]
fn a_message_of_any_json_value_is_read() {
    for text in ["7", "null", "[]", "\"x\"", "{}", r#"{"id":7}"#, r#"{"":1}"#] {
        let message: types::Message = serde_json::from_str(text).unwrap();
        assert_eq!(serde_json::to_string(&message).unwrap(), text);
    }
}
