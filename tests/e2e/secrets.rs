//! Tests that the key appears in no error, panic, log or `Debug` output.

use blocks_sdk::http::Method;
use blocks_sdk::{Client, FollowUp, HttpTransport};
use blocks_tests::{
    Captured, KEY, Scripted, ScriptedResponse, THREAD, created, page, session_id, thread_id,
};
use serde_json::json;

use crate::hello;

#[tokio::test(start_paused = true)]
async fn the_key_appears_nowhere() {
    let log = Captured::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_span_events(tracing_subscriber::fmt::format::FmtSpan::FULL)
        .with_writer(move || writer.clone())
        .finish();
    // This subscriber records the log of all threads, so that the log of the tests that run at the same time is
    // searched too.
    tracing::subscriber::set_global_default(subscriber).unwrap();

    // In the worst case, the response of the server contains the key that the server received.
    let echo = format!(r#"{{"error": "ApiKey {KEY} is wrong", "id": "{KEY}"}}"#);
    let mut seen = String::new();
    let mut note = |text: String| seen.push_str(&text);
    for response in [
        ScriptedResponse::text(500, echo.clone()).header("x-request-id", KEY),
        ScriptedResponse::text(200, echo.clone()),
        ScriptedResponse::text(200, format!("\"{KEY}\"")),
        ScriptedResponse::text(422, echo.clone()).breaking(),
        ScriptedResponse::Broken,
        ScriptedResponse::Refused,
        ScriptedResponse::ok(&created()),
    ] {
        let script = Scripted::new([response]);
        let builder = script.builder();
        note(format!("{builder:?}"));
        let client = builder.build().unwrap();
        note(format!("{client:?}"));
        match client.create_session(hello()).await {
            Ok(session) => note(format!("{session:?} {:?}", session.first_turn())),
            Err(error) => {
                note(format!("{error} {error:?} {error:#?} {:?}", error.body()));
                note(format!("{:?} {:?}", error.message(), error.request_id()));
                let mut source = std::error::Error::source(&error);
                while let Some(cause) = source {
                    note(format!("{cause} {cause:?}"));
                    source = cause.source();
                }
            }
        }
        let session = client.session(session_id());
        if let Err(error) = session.follow_up(FollowUp::new("more")).await {
            note(format!("{error} {error:?}"));
        }
        // A panic's message can contain the `Debug` output of a client. This output must not show the key.
        let panicking = client.clone();
        let panic = tokio::spawn(async move { panic!("{panicking:?}") }).await;
        let panic = panic.unwrap_err().into_panic();
        note(panic.downcast_ref::<String>().cloned().unwrap_or_default());
    }
    let client = Scripted::new([ScriptedResponse::text(400, "")]).client();
    for method in ["PUT", "PURGE"] {
        let method = Method::from_bytes(method.as_bytes()).unwrap();
        client
            .request(method, "/rest/v1/x")
            .send()
            .await
            .unwrap_err();
    }
    for wrong in [format!("{KEY}\n{KEY}"), format!("{KEY} x")] {
        note(format!("{:?}", Client::builder(wrong).build().unwrap_err()));
    }
    let url = format!("https://user:{KEY}@api.blocks.team");
    let builder = Client::builder(KEY).base_url(url);
    note(format!("{builder:?}"));
    note(format!("{:?}", builder.build().unwrap_err()));

    let logged = log.text();
    assert!(logged.contains("createSession"), "{logged}");
    assert!(logged.contains("attempt"), "{logged}");
    for method in ["POST", "PUT", "_OTHER"] {
        let field = format!("http.request.method={method:?}");
        assert!(logged.contains(&field), "{field}: {logged}");
    }
    assert!(logged.contains("http.response.status_code=500"), "{logged}");
    assert!(
        !logged.contains("hello"),
        "a message's text is not logged: {logged}"
    );
    assert!(!logged.contains(KEY), "{logged}");
    assert!(!seen.contains(KEY), "{seen}");
}

#[tokio::test(start_paused = true)]
async fn debug_output_has_no_secrets() {
    let mut session = created();
    session["title"] = KEY.into();
    let url = "https://storage.example/x?signature=s3cret";
    let script = Scripted::new([
        ScriptedResponse::ok(&session).header("x-echo", KEY),
        ScriptedResponse::ok(&page(json!([{"id": "m0", "message": KEY}]))),
        ScriptedResponse::ok(&json!({"id": THREAD, "file_name": "plan.md", "url": url})),
        ScriptedResponse::ok(&session),
    ]);
    let builder = script.builder();
    let builder_text = format!("{builder:?}");
    let client = builder.build().unwrap();
    let session = client.create_session(hello()).await.unwrap();
    let page = session.messages().send().await.unwrap();
    let artifact = session.artifact(thread_id()).await.unwrap();
    let detached = client.create_session_detached(hello());
    let permit = client.acquire_create().await.unwrap();
    let path = format!("/rest/v1/{KEY}?signature=s3cret#s3cret");
    let raw = client.request(Method::GET, path).query("a", "s3cret");
    for (name, text) in [
        ("ClientBuilder", builder_text),
        ("Client", format!("{client:?}")),
        ("Session", format!("{session:?}")),
        ("SessionRef", format!("{:?}", session.reference())),
        ("Turn", format!("{:?}", session.first_turn().unwrap())),
        ("Page", format!("{page:?}")),
        ("CreatePermit", format!("{permit:?}")),
        ("Detached", format!("{detached:?}")),
        ("Artifact", format!("{artifact:?}")),
        ("RawRequest", format!("{raw:?}")),
        (
            "HttpTransport",
            format!("{:?}", HttpTransport::new().unwrap()),
        ),
    ] {
        assert!(text.starts_with(name), "{name}: {text}");
        assert!(!text.contains(KEY), "{name}: {text}");
        assert!(!text.contains("s3cret"), "{name}: {text}");
    }
    detached.await.unwrap();
}
