//! Tests the control plane, which is the HTTP API at `/_mock/`, over a socket. Also tests the delay, the observer of
//! requests, and replies that conform to a schema.

use std::net::Ipv4Addr;
use std::time::Duration;

use blocks_mock::{Action, AgentRule, Fault, Frequency, Mock, MockBuilder, Script};
use http_body_util::BodyExt;
use serde_json::{Value, json};
use tower_service::Service;

use crate::{Socket, call, created, send};

struct Control(Socket);

impl Control {
    async fn new(builder: MockBuilder) -> Self {
        Self(Socket::new(builder).await)
    }

    async fn send(&self, method: &str, path: &str, body: Value) -> (u16, Value) {
        let url = format!("{}/_mock/{path}", self.0.mock.url());
        let method = method.parse().unwrap();
        let mut request = self.0.http.request(method, url);
        if !body.is_null() {
            request = request.json(&body);
        }
        let response = request.send().await.unwrap();
        (response.status().as_u16(), response.json().await.unwrap())
    }

    async fn get(&self, path: &str) -> Value {
        let (status, value) = self.send("GET", path, Value::Null).await;
        assert_eq!(status, 200, "{path}: {value}");
        value
    }

    async fn post(&self, path: &str, body: Value) -> Value {
        let (status, value) = self.send("POST", path, body).await;
        assert_eq!(status, 200, "{path}: {value}");
        value
    }

    async fn create(&self) -> String {
        self.0.create().await["id"].as_str().unwrap().to_owned()
    }

    /// Returns the texts of a session's messages, without the system notice and the prompt.
    async fn texts(&self, session: &str) -> Vec<String> {
        let value = self.get(&format!("sessions/{session}")).await;
        let messages = value["messages"].as_array().unwrap()[2..].iter();
        messages
            .map(|m| m["message"].as_str().unwrap().to_owned())
            .collect()
    }
}

fn no_reply() -> MockBuilder {
    Mock::builder().agent(Script::no_reply())
}

#[tokio::test]
async fn faults_are_added_listed_and_removed() {
    let control = Control::new(Mock::builder()).await;
    let rule = json!({"operation": "createSession", "when": {"times": 1},
        "fault": {"status": {"status": 503, "after_effect": true}}});
    let first = control.post("faults", rule.clone()).await["id"].clone();
    let second = control.post("faults", rule).await["id"].clone();
    assert_ne!(first, second);
    let (status, _) = control
        .send("DELETE", &format!("faults/{first}"), Value::Null)
        .await;
    assert_eq!(status, 200);
    let (status, _) = control
        .send("DELETE", &format!("faults/{first}"), Value::Null)
        .await;
    assert_eq!(status, 404);
    let items = control.get("faults").await["items"].clone();
    assert_eq!(items.as_array().unwrap().len(), 1);
    assert_eq!(items[0]["id"], second);
    for wrong in [
        json!({"when": "always", "fault": {"status": {"status": 600}}}),
        json!({"when": "always", "fault": {"status": {"status": 503, "colour": "red"}}}),
        json!({"when": "sometimes", "fault": "refuse"}),
        json!([null, "always", "refuse"]),
        json!({"when": "always", "fault": {"status": [503]}}),
        json!({"when": "always", "fault": {"pad_body": 1_u64 << 40}}),
        json!({"when": {"probability": 2}, "fault": "refuse"}),
        json!({"when": "always", "fault": {"content_type": "a\nb"}}),
        json!({"when": "always", "fault": {"redirect": "/é"}}),
        json!({"when": "always", "fault": {"delay": "1000000years"}}),
    ] {
        assert_eq!(
            control.send("POST", "faults", wrong.clone()).await.0,
            422,
            "{wrong}"
        );
    }
    assert_eq!(control.0.creating().send().await.unwrap().status(), 503);
    assert_eq!(
        control.0.mock.session_count(),
        1,
        "the request took effect before the fault"
    );
    let items = control.get("faults").await["items"].clone();
    assert_eq!(items, json!([]), "the fault is used up");
}

#[tokio::test]
async fn turns_continue_act_and_finish() {
    let control = Control::new(no_reply()).await;
    let session = control.create().await;
    let path = |end: &str| format!("sessions/{session}/{end}");
    control
        .post(&path("actions"), json!({"message": "Halfway."}))
        .await;
    control
        .post(
            &path("actions"),
            json!({"pull_request": "https://example.com/1"}),
        )
        .await;
    control
        .post(
            &path("actions"),
            json!({"plan": {"file_name": "plan.md", "text": "1."}}),
        )
        .await;
    control
        .post(&path("continue"), json!({"text": "Late.", "when": "never"}))
        .await;
    assert_eq!(control.texts(&session).await, ["Halfway."]);
    let finished = control
        .post(&path("finish"), json!({"text": "Done."}))
        .await;
    assert_eq!(
        (&finished["working"], &finished["pull_requests"][0]),
        (&json!(false), &json!("https://example.com/1"))
    );
    assert_eq!(
        control.texts(&session).await,
        ["Halfway.", "Done.", "Done."]
    );
    let (status, _) = control
        .send("POST", &path("continue"), json!({"text": "x"}))
        .await;
    assert_eq!(status, 409);
}

#[tokio::test]
async fn requests_are_filtered_and_waited_for() {
    let control = Control::new(Mock::builder()).await;
    let waiting =
        control.get("requests/wait?operation=createSession&status=200&count=2&timeout=30s");
    let creating = async {
        control.create().await;
        control.create().await
    };
    let (requests, last) = tokio::join!(waiting, creating);
    let items = requests["items"].as_array().unwrap();
    assert_eq!(items.len(), 2);
    assert!(items[1]["body"].as_str().unwrap().contains("claude"));
    control.0.get(&format!("/{last}")).await;
    let reads = control
        .get(&format!("requests?method=GET&contains={last}"))
        .await;
    assert_eq!(reads["items"].as_array().unwrap().len(), 1);
    let (status, value) = control
        .send("GET", "requests/wait?count=9&timeout=1ms", Value::Null)
        .await;
    assert_eq!(
        (status, &value["error"]),
        (409, &json!("3 of 9 requests matched before the time-out"))
    );
    for wrong in ["requests?colour=red", "requests/wait?timeout=0"] {
        assert_eq!(control.send("GET", wrong, Value::Null).await.0, 422);
    }
}

#[tokio::test(start_paused = true)]
async fn requests_without_a_response_are_waited_for() {
    for fault in [Fault::Refuse, Fault::ResetBefore, Fault::ResetAfter] {
        let mock = Mock::builder().control(true).build();
        mock.inject(None, Frequency::Always, fault.clone());
        let url = "http://localhost/_mock/requests/wait?count=1";
        let request = http::Request::get("http://localhost/rest/v1/sessions/x");
        let request = request.body(String::new()).unwrap();
        let mut service = mock.service();
        let ((status, _), result) =
            tokio::join!(send(&mock, "GET", url, None), service.call(request));
        assert!(result.is_err(), "{fault:?}");
        assert_eq!(status, 200, "{fault:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn requests_in_progress_are_waited_for() {
    let hour = Duration::from_secs(3600);
    let mock = Mock::builder().control(true).delay(hour).build();
    let url = "http://localhost/_mock/requests/wait?timeout=2s";
    let start = tokio::time::Instant::now();
    // The wait starts before the request arrives.
    let (status, value) = tokio::select! {
        biased;
        waited = send(&mock, "GET", url, None) => waited,
        response = call(&mock, "GET", "/x", None) => panic!("a response: {response:?}"),
    };
    assert_eq!(status, 200, "{value}");
    assert_eq!(value["items"][0]["status"], Value::Null);
    assert_eq!(start.elapsed(), Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn a_limit_does_not_limit_the_awaited_count() {
    let mock = Mock::builder().control(true).build();
    for _ in 0..3 {
        call(&mock, "GET", "/x", None).await;
    }
    let url = "http://localhost/_mock/requests/wait?count=3&limit=1";
    let (status, value) = send(&mock, "GET", url, None).await;
    assert_eq!(status, 200, "{value}");
    let items = value["items"].as_array().unwrap();
    assert_eq!((items.len(), &items[0]["number"]), (1, &json!(2)));
}

#[tokio::test]
async fn keys_other_than_its_own_are_hidden() {
    let control = Control::new(Mock::builder()).await;
    let url = format!("{}/rest/v1/sessions/x", control.0.mock.url());
    let request = control
        .0
        .http
        .get(url)
        .header("authorization", "ApiKey real-key-5b1");
    request.send().await.unwrap();
    let requests = control.get("requests").await.to_string();
    assert!(requests.contains("[hidden]"), "{requests}");
    assert!(!requests.contains("real-key-5b1"), "{requests}");
}

#[tokio::test]
async fn a_reset_restores_the_start() {
    let rule: AgentRule = serde_json::from_value(json!({"do": {"text": "Configured."}})).unwrap();
    let control = Control::new(Mock::builder().agent_rule(rule)).await;
    control.create().await;
    let (status, _) = control.send("PUT", "agents", json!([])).await;
    assert_eq!(status, 200);
    control
        .post("faults", json!({"when": "always", "fault": "refuse"}))
        .await;
    control
        .send("PATCH", "settings", json!({"delay": "1ms"}))
        .await;
    control.post("reset", Value::Null).await;
    assert_eq!(control.get("sessions").await["items"], json!([]));
    assert_eq!(control.get("requests").await["items"], json!([]));
    assert_eq!(control.get("faults").await["items"], json!([]));
    assert_eq!(control.get("settings").await["delay"], "0s");
    assert_eq!(
        control.get("agents").await["items"][0]["do"]["text"],
        "Configured."
    );
}

#[tokio::test]
async fn rules_choose_the_agent_and_fill_templates() {
    let control = Control::new(Mock::builder()).await;
    let rules = json!([
        {"when": {"message_contains": "other"}, "do": {"text": "no"}},
        {"when": {"turn": 0, "agent_name": "claude", "session": 0, "title_contains": "h"},
         "do": {"text": "{{message}} {{turn}} {{ session }} {{title}} {{none}} {{", "when": {"after": "0s"}}},
        {"do": {"text": "rest", "when": {"after": "0s"}}},
    ]);
    control.send("PUT", "agents", rules).await;
    let (first, second) = (control.create().await, control.create().await);
    assert_eq!(control.texts(&first).await[1], "hi 0 0 hi {{none}} {{");
    assert_eq!(control.texts(&second).await[1], "rest");
}

#[tokio::test]
async fn the_clock_freezes_and_advances() {
    let control = Control::new(Mock::builder().reply_after(Duration::from_secs(3600))).await;
    let frozen = control.post("clock", json!({"frozen": true})).await;
    assert_eq!(frozen["frozen"], true);
    let session = control.create().await;
    assert!(control.texts(&session).await.is_empty());
    let later = control.post("clock", json!({"advance": "1h"})).await;
    let passed = later["now"].as_f64().unwrap() - frozen["now"].as_f64().unwrap();
    assert!((passed - 3600.0).abs() < 1e-3, "{passed}");
    assert_eq!(control.texts(&session).await, ["Done.", "Done."]);
    assert_eq!(
        control.post("clock", json!({"frozen": false})).await["frozen"],
        false
    );
}

#[tokio::test]
async fn presigned_urls_expire_on_demand() {
    let control = Control::new(no_reply()).await;
    let session = control.create().await;
    let plan = json!({"plan": {"file_name": "plan.md", "text": "1."}});
    control
        .post(&format!("sessions/{session}/actions"), plan)
        .await;
    let (_, read) = control.0.get(&format!("/{session}")).await;
    let plan = read["plan_artifact_ids"][0].as_str().unwrap();
    let path = format!("/{session}/artifacts/{plan}");
    let (_, artifact) = control.0.get(&path).await;
    let status = |url: String| async {
        control
            .0
            .http
            .get(url)
            .send()
            .await
            .unwrap()
            .status()
            .as_u16()
    };
    let url = artifact["url"].as_str().unwrap().to_owned();
    assert_eq!(status(url.clone()).await, 200);
    control.post("urls/expire", Value::Null).await;
    assert_eq!(status(url).await, 403);
    let (_, renewed) = control.0.get(&path).await;
    assert_eq!(
        status(renewed["url"].as_str().unwrap().to_owned()).await,
        200
    );
}

#[tokio::test]
async fn other_methods_and_paths_are_refused() {
    let control = Control::new(Mock::builder()).await;
    let session = control.create().await;
    for (method, path, status) in [
        ("PUT", "faults".to_owned(), 405),
        ("DELETE", "requests/wait".into(), 405),
        ("GET", format!("sessions/{session}/finish"), 405),
        ("DELETE", format!("sessions/{session}"), 405),
        ("GET", format!("sessions/{session}/other"), 404),
        ("GET", "other".into(), 404),
    ] {
        assert_eq!(
            control.send(method, &path, Value::Null).await.0,
            status,
            "{method} {path}"
        );
    }
    let url = format!("{}/_mock/faults", control.0.mock.url());
    let refused = control.0.http.put(url).send().await.unwrap();
    assert_eq!(refused.headers()["allow"], "DELETE, GET, POST");
}

#[tokio::test]
async fn other_sites_are_refused() {
    let control = Control::new(Mock::builder()).await;
    let url = control.0.mock.url();
    for (name, value, status) in [
        ("origin", "https://evil.example".to_owned(), 403),
        ("origin", "null".into(), 403),
        ("origin", url.clone(), 200),
        ("host", "evil.example".into(), 403),
        ("host", "localhost:1".into(), 200),
    ] {
        let request = control
            .0
            .http
            .post(format!("{url}/_mock/reset"))
            .header(name, &value);
        assert_eq!(
            request.send().await.unwrap().status(),
            status,
            "{name}: {value}"
        );
    }
}

#[tokio::test]
async fn beyond_loopback_control_needs_consent() {
    let everywhere = || Mock::builder().listen(Ipv4Addr::UNSPECIFIED.into());
    for (builder, status) in [
        (everywhere(), 404),
        (everywhere().control(true), 200),
        (Mock::builder(), 200),
        (Mock::builder().control(false), 404),
    ] {
        let control = Control::new(builder).await;
        for path in ["/", "/_mock/requests", "/app/sessions/x"] {
            let url = control.0.mock.url() + path;
            assert_eq!(
                control.0.http.get(url).send().await.unwrap().status(),
                status,
                "{path}"
            );
        }
    }
}

#[tokio::test]
async fn urls_name_no_unspecified_address() {
    let plan = Action::Plan {
        file_name: "plan.md".into(),
        text: "1.".into(),
    };
    let script = Script::reply("Done.").step(Duration::ZERO, plan);
    let everywhere = Ipv4Addr::UNSPECIFIED.into();
    let socket = Socket::new(Mock::builder().agent(script).listen(everywhere)).await;
    let session = format!("/{}", socket.create().await["id"].as_str().unwrap());
    let (_, read) = socket.get(&session).await;
    let plan = read["plan_artifact_ids"][0].as_str().unwrap();
    let (_, artifact) = socket.get(&format!("{session}/artifacts/{plan}")).await;
    let url = artifact["url"].as_str().unwrap();
    assert!(url.starts_with("http://127.0.0.1:"), "{url}");
}

#[tokio::test]
async fn the_public_url_names_the_page() {
    let control = Control::new(no_reply().public_url("http://blocks.test:1/")).await;
    let made = control.0.create().await;
    let url = made["session_html_url"].as_str().unwrap();
    assert!(url.starts_with("http://blocks.test:1/app/"), "{url}");
    let path = url.strip_prefix("http://blocks.test:1").unwrap();
    let page = control
        .0
        .http
        .get(control.0.mock.url() + path)
        .send()
        .await
        .unwrap();
    assert!(
        page.headers()["content-security-policy"]
            .to_str()
            .unwrap()
            .contains("default-src 'none'")
    );
    assert!(page.text().await.unwrap().starts_with("<!doctype html>"));
}

#[tokio::test]
async fn the_host_is_compared_as_a_host() {
    for (public, host, status) in [
        ("http://Mock.Example", "mock.example", 200),
        ("http://mock:80", "mock", 200),
        ("https://mock.example/base/", "mock.example", 200),
        ("http://mock", "LOCALHOST:1", 200),
        ("http://mock", "other", 403),
    ] {
        let control = Control::new(no_reply().public_url(public)).await;
        let page = control.0.http.get(control.0.mock.url());
        let page = page.header("host", host).send().await.unwrap();
        assert_eq!(page.status(), status, "{public}, {host}");
    }
}

#[tokio::test]
async fn a_key_or_public_url_without_use_is_refused() {
    let builders = ["", "é", "a\nb", " x "].map(|key| Mock::builder().key(key));
    let urls = ["foo", "mock:8765"].map(|url| Mock::builder().public_url(url));
    for builder in builders.into_iter().chain(urls) {
        let error = builder.start().await.err().unwrap();
        assert_eq!(error.kind(), std::io::ErrorKind::InvalidInput, "{error}");
        assert!(error.to_string().starts_with("invalid "), "{error}");
    }
}

#[test]
fn the_error_for_a_short_fault_shows_the_right_form() {
    let file = r#"{"faults": [{"when": "always", "fault": {"status": 503}}]}"#;
    let error = blocks_mock::MockConfig::parse(file).unwrap_err();
    assert!(
        error.contains(r#"expected a fault, as in {"status": {"status": 503}}, "#),
        "{error}"
    );
}

#[tokio::test]
async fn events_report_a_change() {
    let control = Control::new(Mock::builder().reply_after(Duration::from_secs(3600))).await;
    let url = format!("{}/_mock/events", control.0.mock.url());
    let mut events = control.0.http.get(url).send().await.unwrap();
    assert_eq!(events.headers()["content-type"], "text/event-stream");
    assert_eq!(events.chunk().await.unwrap().unwrap(), "data: changed\n\n");
    control.create().await;
    assert_eq!(events.chunk().await.unwrap().unwrap(), "data: changed\n\n");
}

/// All changes of a round take place between two checks, and leave the same numbers of requests and faults.
#[tokio::test(start_paused = true)]
async fn events_report_equal_traffic_after_a_reset() {
    let mock = no_reply().control(true).build();
    let request = http::Request::get("http://localhost/_mock/events");
    let request = request.body(String::new()).unwrap();
    let mut events = mock.service().call(request).await.unwrap().into_body();
    for round in 0..20 {
        if round < 10 {
            mock.reset();
            created(&mock).await;
        } else {
            mock.clear_faults();
            mock.inject(None, Frequency::Always, Fault::status(500 + round));
        }
        let event = events.frame().await.unwrap().unwrap();
        let event = event.into_data().unwrap();
        assert_eq!(event, "data: changed\n\n", "round {round}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_request_that_was_given_up_is_reported() {
    let (send, receive) = std::sync::mpsc::channel();
    let send = std::sync::Mutex::new(send);
    let mock = Mock::builder()
        .delay(Duration::from_secs(3600))
        .on_request(move |request| send.lock().unwrap().send(request.status).unwrap())
        .build();
    let request = call(&mock, "GET", "/x", None);
    let given_up = tokio::time::timeout(Duration::from_secs(1), request).await;
    assert!(given_up.is_err());
    assert_eq!(receive.try_iter().collect::<Vec<_>>(), [None::<u16>]);
}

#[tokio::test]
async fn each_request_is_reported_once() {
    let (send, receive) = std::sync::mpsc::channel();
    let send = std::sync::Mutex::new(send);
    let builder = Mock::builder()
        .fault(
            None,
            blocks_mock::Frequency::ONCE,
            blocks_mock::Fault::ResetBefore,
        )
        .on_request(move |request| send.lock().unwrap().send(request.status).unwrap());
    let control = Control::new(builder).await;
    assert!(control.0.creating().send().await.is_err());
    control.create().await;
    control.get("requests").await;
    drop(control);
    assert_eq!(receive.try_iter().collect::<Vec<_>>(), [None, Some(200)]);
}

#[tokio::test]
async fn a_list_is_not_read_as_an_object() {
    const REASON: &str = "expected an object, not a list";
    const VARIANT: &str = "invalid type: sequence, expected struct variant";
    let control = Control::new(no_reply()).await;
    let session = control.create().await;
    let agents = |rule: Value| ("PUT", "agents".to_owned(), json!([rule]));
    let steps = |step: Value| {
        let path = format!("sessions/{session}/continue");
        ("POST", path, json!({"steps": [step]}))
    };
    let script = json!({"text": "x"});
    for ((method, path, body), field, reason) in [
        (
            agents(json!({"when": [], "do": script})),
            "[0].when",
            REASON,
        ),
        (agents(json!({"when": {}, "do": ["x"]})), "[0].do", REASON),
        (agents(json!([{}, script])), "[0]", REASON),
        (steps(json!(["1s", {"message": "x"}])), "steps[0]", REASON),
        (
            steps(json!({"do": {"plan": ["a", "b"]}})),
            "steps[0].do.plan",
            VARIANT,
        ),
    ] {
        let (status, value) = control.send(method, &path, body.clone()).await;
        let expected = format!("invalid body: field `{field}`: {reason}");
        assert_eq!((status, &value["error"]), (422, &json!(expected)), "{body}");
    }
}

#[tokio::test]
async fn settings_change_from_the_next_request_on() {
    let control = Control::new(Mock::builder()).await;
    let created = control.0.creating().send().await.unwrap();
    assert_eq!(created.status(), 200);
    let change = json!({
        "dialect": {"created_status": 201}, "rate_limit": {"requests": 2}, "request_log_size": 1,
    });
    let (status, changed) = control.send("PATCH", "settings", change).await;
    assert_eq!(status, 200, "{changed}");
    assert_eq!(changed["rate_limit"]["window"], "1m");
    assert_eq!(control.get("settings").await, changed);
    let requests = control.get("requests").await;
    assert_eq!(
        (
            &requests["dropped"],
            requests["items"][0]["number"].as_u64()
        ),
        (&json!(0), Some(0))
    );
    for status in [201, 201, 429] {
        let created = control.0.creating().send().await.unwrap();
        assert_eq!(created.status(), status);
    }
    let requests = control.get("requests").await;
    assert_eq!(requests["dropped"], 3);
    assert_eq!(requests["items"].as_array().unwrap().len(), 1);
    assert_eq!(
        (
            &requests["items"][0]["number"],
            &requests["items"][0]["status"]
        ),
        (&json!(3), &json!(429))
    );
    let (status, value) = control
        .send("GET", "requests/wait?count=2", Value::Null)
        .await;
    let error = "cannot wait for 2 requests: the request log keeps 1";
    assert_eq!((status, &value["error"]), (409, &json!(error)));
    let (status, value) = control
        .send(
            "PATCH",
            "settings",
            json!({"dialect": {"created_status": 100}}),
        )
        .await;
    let error = "field `dialect.created_status`: invalid status 100: expected 200 to 299";
    assert_eq!((status, &value["error"]), (422, &json!(error)));
    assert_eq!(control.get("settings").await, changed);
}

#[tokio::test]
async fn the_newest_requests_are_listed() {
    let control = Control::new(Mock::builder()).await;
    for _ in 0..3 {
        control.create().await;
    }
    let requests = control.get("requests?limit=2").await;
    let items = requests["items"].as_array().unwrap().iter();
    let numbers: Vec<_> = items.map(|item| item["number"].as_u64()).collect();
    assert_eq!(numbers, [Some(1), Some(2)]);
}

#[tokio::test(start_paused = true)]
async fn the_delay_passes_before_each_response() {
    let mock = Mock::builder().delay(Duration::from_secs(7)).build();
    let start = tokio::time::Instant::now();
    crate::call(&mock, "GET", "/x", None).await;
    assert_eq!(start.elapsed(), Duration::from_secs(7));
}

#[tokio::test(start_paused = true)]
async fn a_schema_in_the_prompt_decides_the_reply() {
    let rule = json!({"do": {"schema_reply": {"invalid_replies": 1}, "when": {"after": "0s"}}});
    let rule: AgentRule = serde_json::from_value(rule).unwrap();
    let mock = Mock::builder().agent_rule(rule).build();
    let schema = json!({"type": "object", "required": ["n"], "properties": {"n": {"type": "integer", "minimum": 4}}});
    let message = format!("Count.\n\n```json\n{schema}\n```");
    let create = json!({"message": message, "agent_name": "claude"});
    let (_, session) = crate::call(&mock, "POST", "", Some(create)).await;
    let path = format!("/{}/messages", session["id"].as_str().unwrap());
    let correct = json!({"message": "Reply with valid JSON."});
    crate::call(&mock, "POST", &path, Some(correct)).await;
    let query = format!("{path}?type=final_message&direction=asc");
    let (_, page) = crate::call(&mock, "GET", &query, None).await;
    let items = page["items"].as_array().unwrap().iter();
    let texts: Vec<_> = items
        .map(|item| item["message"].as_str().unwrap())
        .collect();
    assert_eq!(
        texts,
        ["```json\n{}\n```", "```json\n{\n  \"n\": 4\n}\n```"]
    );
}

#[tokio::test(start_paused = true)]
async fn a_schema_decides_the_reply_of_a_continued_turn() {
    for (invalid, expected) in [(0, "```json\n4\n```"), (1, "This reply contains no JSON.")] {
        let mock = no_reply().control(true).build();
        let message = "Count.\n\n```json\n{\"const\": 4}\n```";
        let create = json!({"message": message, "agent_name": "claude"});
        let (_, session) = call(&mock, "POST", "", Some(create)).await;
        let id = session["id"].as_str().unwrap();
        let url = format!("http://localhost/_mock/sessions/{id}");
        let script = json!({"schema_reply": {"invalid_replies": invalid}, "when": {"after": "0s"}});
        let (status, value) = send(&mock, "POST", &format!("{url}/continue"), Some(script)).await;
        assert_eq!(status, 200, "{value}");
        let (_, session) = send(&mock, "GET", &url, None).await;
        let last = session["messages"].as_array().unwrap().last().unwrap();
        assert_eq!(last["message"], expected);
    }
}
