//! Tests that links are followed on the configured base URL only, so that the key is sent to no other host.

use blocks_tests::{
    KEY, SESSION, Scripted, ScriptedResponse, THREAD, created, page, replied, session_id,
};
use serde_json::json;

use crate::hello;

/// Returns the response to a create, in which `href` is the link to the reply.
fn linking(href: &str) -> ScriptedResponse {
    let mut session = created();
    session["_links"]["final_message"]["href"] = href.into();
    ScriptedResponse::ok(&session)
}

#[tokio::test(start_paused = true)]
async fn links_are_followed_on_the_base_url_or_replaced() {
    let path = format!("/rest/v1/sessions/{SESSION}/threads/{THREAD}/messages?type=final_message");
    for (href, is_used) in [
        (format!("https://api.prod.blocks.team{path}"), true),
        (format!("https://evil.example{path}"), true),
        (format!("https://user:pass@evil.example:99{path}#x"), true),
        (format!("//evil.example{path}"), true),
        (path.clone(), true),
        (format!("/rest/v1/../..{path}"), true),
        ("/rest/v1/../../admin".into(), false),
        ("/rest/v1/..%2f..%2fadmin".into(), false),
        ("https://evil.example/collect".into(), false),
        (format!("/api{path}"), false),
        ("/rest/v2/sessions".into(), false),
        ("https://api.blocks.team:99999/rest/v1/x".into(), false),
        ("null".into(), false),
        (String::new(), false),
        (path.replace(THREAD, "null"), false),
        (format!("file://{path}"), false),
        (format!("ftp://api.blocks.team{path}"), false),
    ] {
        let script = Scripted::new([linking(&href), ScriptedResponse::ok(&replied("done"))]);
        let session = script.client().create_session(hello()).await.unwrap();
        let result = session.first_reply().await;
        let seen = script.seen();
        assert_eq!(result.unwrap().text(), "done", "{href}");
        // If the link cannot be used, the SDK requests a path that it builds from the ids. Only this path contains
        // `role`.
        let role = if is_used { "" } else { "&role=assistant" };
        let expected = format!("https://api.blocks.team{path}{role}");
        assert_eq!(seen[1].url.as_str(), expected, "{href}");
        assert_eq!(seen.len(), 2, "{href}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_rejected_link_is_reported_without_secrets() {
    let href = format!("https://evil.example/{KEY}?X-Amz-Signature=s3cret");
    let pending = json!({"session_id": SESSION, "final_message": href});
    let script = Scripted::new([]);
    let turn = script
        .client()
        .resume(serde_json::from_value(pending).unwrap());
    let error = turn.reply().await.unwrap_err();
    let text = format!("{error} {error:?}");
    assert!(
        text.contains("https://evil.example/<redacted>?<redacted>`"),
        "{text}"
    );
    assert!(!text.contains(KEY) && !text.contains("s3cret"), "{text}");
    assert_eq!(script.count(), 0);
}

#[tokio::test(start_paused = true)]
async fn filters_that_links_lose_are_restored() {
    let mut response = page(json!([]));
    let path = format!("https://api.prod.blocks.team/rest/v1/sessions/{SESSION}/messages");
    response["_links"] =
        json!({"self": {"href": path}, "new_messages": {"href": format!("{path}?gts=12.5")}});
    let script = Scripted::new([ScriptedResponse::ok(&response)]);
    let client = script.client();
    let messages = client.session(session_id()).messages().all();
    let page = messages.newer_than(3.0).limit(9).send().await.unwrap();
    let newer = page.newer().await.unwrap().unwrap();
    newer.newer().await.unwrap().unwrap();
    let filters = "type=message&type=final_message&type=tool_call&role=user&role=assistant\
                   &gts=12.5&page=1&limit=9&direction=asc";
    for seen in &script.seen()[1..] {
        assert_eq!(seen.url.query(), Some(filters));
        assert_eq!(seen.url.host_str(), Some("api.blocks.team"));
        assert_eq!(
            seen.authorization.as_deref(),
            Some(format!("ApiKey {KEY}").as_str())
        );
    }
}
