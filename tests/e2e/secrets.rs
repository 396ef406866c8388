//! The key appears in no error, panic, log or `Debug` output.

use blocks_sdk::{Client, FollowUp};
use blocks_tests::{Captured, KEY, Scripted, ScriptedResponse, created, session_id};

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
    // For all threads, so that the log of the other tests is searched too.
    tracing::subscriber::set_global_default(subscriber).unwrap();

    // The worst case is a server that returns what it received.
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
        // A panic while a client is in use says no more than its `Debug`.
        let panicking = client.clone();
        let panic = tokio::spawn(async move { panic!("{panicking:?}") }).await;
        let panic = panic.unwrap_err().into_panic();
        note(panic.downcast_ref::<String>().cloned().unwrap_or_default());
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
    assert!(logged.contains("http.response.status_code=500"), "{logged}");
    assert!(
        !logged.contains("hello"),
        "a message's text is not logged: {logged}"
    );
    assert!(!logged.contains(KEY), "{logged}");
    assert!(!seen.contains(KEY), "{seen}");
}
