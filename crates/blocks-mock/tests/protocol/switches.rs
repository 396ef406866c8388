//! Where sources disagree, one test for each switch.

use blocks_mock::{Action, Dialect, Mock, Script};
use serde_json::{Value, json};
use std::time::Duration;

use crate::Socket;

async fn speaking(change: impl FnOnce(&mut Dialect)) -> Socket {
    let mut dialect = Dialect::observed();
    change(&mut dialect);
    let script = Script::reply("Done.").after(Duration::ZERO);
    let script = script.at(
        Duration::ZERO,
        Action::PullRequest("https://example.com/1".into()),
    );
    Socket::new(Mock::builder().dialect(dialect).agent(script)).await
}

/// A created session, and the page of all its messages.
async fn session_and_messages(socket: &Socket) -> (Value, Value) {
    let made = socket.create().await;
    let id = made["id"].as_str().unwrap();
    let path = format!("/{id}/messages?role=user&role=assistant");
    let (status, page) = socket.get(&path).await;
    assert_eq!(status, 200, "{page}");
    (made, page)
}

#[tokio::test]
async fn validation_failures_have_the_status_and_form_of_the_dialect() {
    for (status, codes) in [(400, true), (422, false), (400, false), (422, true)] {
        let socket = speaking(|dialect| {
            dialect.validation_status = status;
            dialect.error_codes = codes;
        })
        .await;
        let (answered, body) = socket.get("/not-a-uuid").await;
        assert_eq!(answered, status);
        assert_eq!(body["code"] == "VALIDATION", codes, "{body}");
        assert_eq!(body["error"].is_string(), !codes, "{body}");
    }
}

#[tokio::test]
async fn a_create_answers_200_or_201() {
    for status in [200, 201] {
        let socket = speaking(|dialect| dialect.created_status = status).await;
        assert_eq!(socket.creating().send().await.unwrap().status(), status);
    }
}

#[tokio::test]
async fn pages_begin_with_the_oldest_or_the_newest() {
    for newest_first in [false, true] {
        let socket = speaking(|dialect| dialect.newest_first = newest_first).await;
        let (_, page) = session_and_messages(&socket).await;
        assert_eq!(
            page["items"][0]["type"] == "final_message",
            newest_first,
            "{page}"
        );
    }
}

#[tokio::test]
async fn pull_requests_are_texts_or_objects() {
    for objects in [false, true] {
        let socket = speaking(|dialect| dialect.pull_request_objects = objects).await;
        let made = socket.create().await;
        let (_, session) = socket
            .get(&format!("/{}", made["id"].as_str().unwrap()))
            .await;
        let expected = match objects {
            true => json!([{"url": "https://example.com/1", "status": "open"}]),
            false => json!(["https://example.com/1"]),
        };
        assert_eq!(session["pull_requests"], expected);
    }
}

#[tokio::test]
async fn links_name_the_origin_that_was_called_or_another() {
    for origin in [None, Some("https://elsewhere.example".to_owned())] {
        let socket = speaking(|dialect| dialect.link_origin = origin.clone()).await;
        let made = socket.create().await;
        let href = made["_links"]["self"]["href"].as_str().unwrap();
        let expected = origin.unwrap_or_else(|| socket.mock.url());
        assert!(href.starts_with(&format!("{expected}/rest/v1/")), "{href}");
    }
}

#[tokio::test]
async fn links_of_a_page_keep_or_drop_its_filters() {
    for drop in [false, true] {
        let socket = speaking(|dialect| dialect.links_drop_filters = drop).await;
        let (_, page) = session_and_messages(&socket).await;
        for name in ["self", "new_messages"] {
            let href = page["_links"][name]["href"].as_str().unwrap();
            assert_eq!(href.contains("role=user"), !drop, "{href}");
            assert_eq!(href.contains("gts="), name == "new_messages", "{href}");
        }
    }
}

#[tokio::test]
async fn the_final_text_comes_once_or_twice() {
    for doubled in [false, true] {
        let socket = speaking(|dialect| dialect.doubled_final = doubled).await;
        let (_, page) = session_and_messages(&socket).await;
        let items = page["items"].as_array().unwrap();
        let times = items.iter().filter(|m| m["message"] == "Done.").count();
        assert_eq!(times, if doubled { 2 } else { 1 });
    }
}

#[tokio::test]
async fn system_notices_are_in_no_thread() {
    for notices in [false, true] {
        let socket = speaking(|dialect| dialect.system_notices = notices).await;
        let (_, page) = session_and_messages(&socket).await;
        let items = page["items"].as_array().unwrap();
        assert_eq!(items.iter().any(|m| m["chat_thread_id"].is_null()), notices);
    }
}

#[tokio::test]
async fn a_repeated_role_is_taken_or_refused() {
    for (refused, status) in [(false, 200), (true, 422)] {
        let socket = speaking(|dialect| dialect.repeated_role_refused = refused).await;
        let made = socket.create().await;
        let path = format!("/{}/messages", made["id"].as_str().unwrap());
        let both = format!("{path}?role=user&role=assistant");
        assert_eq!(socket.get(&both).await.0, status);
        assert_eq!(socket.get(&format!("{path}?role=user")).await.0, 200);
    }
}

#[tokio::test]
async fn the_users_messages_have_a_ts_or_none() {
    for null in [false, true] {
        let socket = speaking(|dialect| dialect.user_ts_null = null).await;
        let (_, page) = session_and_messages(&socket).await;
        let items = page["items"].as_array().unwrap();
        let user = items.iter().find(|m| m["role"] == "user").unwrap();
        assert_eq!(user["ts"].is_null(), null);
    }
}

#[tokio::test]
async fn items_are_whole_or_bare() {
    for bare in [false, true] {
        let socket = speaking(|dialect| dialect.bare_items = bare).await;
        let (_, page) = session_and_messages(&socket).await;
        for name in ["chat_id", "task_id", "created_at", "updated_at"] {
            assert_eq!(page["items"][0].get(name).is_none(), bare, "{name}");
        }
    }
}

#[tokio::test]
async fn fields_beyond_the_documentation_are_there_or_not() {
    for observed in [false, true] {
        let socket = speaking(|dialect| dialect.observed_fields = observed).await;
        let made = socket.create().await;
        assert_eq!(made.get("plan_artifact_ids").is_some(), observed);
        assert_eq!(made.get("session_group_id").is_some(), observed);
    }
}

#[tokio::test]
async fn the_seventh_agent_is_known_or_not() {
    for (known, status) in [(true, 200), (false, 422)] {
        let socket = speaking(|dialect| dialect.sisyphus = known).await;
        let body = json!({"message": "hi", "agent_name": "sisyphus"});
        let request = socket.request(reqwest::Method::POST, "").json(&body);
        assert_eq!(request.send().await.unwrap().status(), status);
    }
}

#[tokio::test]
async fn several_agents_are_refused_or_not() {
    for (refused, status) in [(true, 422), (false, 200)] {
        let socket = speaking(|dialect| dialect.several_agents_refused = refused).await;
        let body = json!({"message": "hi", "agent_name": "claude", "profile": {"name": "x"}});
        let request = socket.request(reqwest::Method::POST, "").json(&body);
        assert_eq!(request.send().await.unwrap().status(), status);
    }
}
