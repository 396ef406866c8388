//! Helpers for tests that use several crates.

mod captured;
mod recorder;
mod scripted;
mod shifting_session;
mod vendor;

use std::time::Duration;

use blocks_mock::{Action, Script};
use blocks_sdk::Id;
use serde_json::{Value, json};

pub use captured::Captured;
pub use recorder::{Exchange, Recorder};
pub use scripted::{Scripted, ScriptedResponse, SentRequest};
pub use shifting_session::{Deviation, Meta, Placed, ShiftingSession};
pub use vendor::Vendor;

/// The key of every client in these tests. Apart from seeds of the fuzz targets, the text occurs nowhere else, so any
/// output with this text is a leak.
pub const KEY: &str = "key-0d4f5b9b8a11-never-shown";

/// A fixed session id.
pub const SESSION: &str = "5f0c7a52-3a1e-4a53-9d5e-0d4f5b9b8a11";
/// A fixed id of a thread in the session [`SESSION`].
pub const THREAD: &str = "8c1d2f6e-7b7e-4f0e-9a51-6f2f3c1f2b22";

/// Returns [`SESSION`] as an id.
///
/// # Panics
/// Never.
pub fn session_id() -> Id {
    SESSION.parse().expect("an id")
}

/// Returns [`THREAD`] as an id.
///
/// # Panics
/// Never.
pub fn thread_id() -> Id {
    THREAD.parse().expect("an id")
}

/// Returns the OpenAPI document.
///
/// # Panics
/// If the document is missing or is not YAML.
pub fn document() -> Value {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../openapi/blocks.yaml");
    let text = std::fs::read_to_string(path).expect("the OpenAPI document");
    serde_yaml_ng::from_str(&text).expect("YAML")
}

/// Returns a session as in the response to a create.
pub fn created() -> Value {
    let session = format!("https://api.prod.blocks.team/rest/v1/sessions/{SESSION}");
    let thread = format!("{session}/threads/{THREAD}/messages");
    json!({
        "id": SESSION, "title": "A title", "pull_requests": [], "source_url": null,
        "is_archived": false, "is_private": false, "thread_id": THREAD,
        "created_at": "2026-05-02T09:30:00.000Z", "updated_at": "2026-05-02T09:30:00.000Z",
        "session_html_url": format!("https://blocks.team/app/sessions/{SESSION}"),
        "_links": {
            "self": {"href": session}, "messages": {"href": format!("{session}/messages")},
            "thread": {"href": thread},
            "final_message": {"href": format!("{thread}?type=final_message&role=assistant")},
        },
    })
}

/// Returns the script of an agent that immediately sends the reply "Done.". Before the reply, the agent sends a
/// message, a tool call, a notice, a pull request and a plan.
pub fn sample_agent() -> Script {
    let tool_call = Action::ToolCall {
        name: "bash".into(),
        input: json!({"command": "ls"}),
    };
    // The SDK must not use this file name as a path, because the file would be outside the chosen folder.
    let plan = Action::Plan {
        file_name: "../plan.md".into(),
        text: "1. Go.".into(),
    };
    let actions = [
        Action::Message("Working.".into()),
        tool_call,
        Action::Notice("Low on credit.".into()),
        Action::PullRequest("https://example.com/1".into()),
        plan,
    ];
    let script = Script::reply("Done.").reply_after(Duration::ZERO);
    actions
        .into_iter()
        .fold(script, |script, action| script.step(Duration::ZERO, action))
}

/// Returns a page of `items`.
pub fn page(items: Value) -> Value {
    json!({"items": items})
}

/// Returns a page with the agent's reply.
pub fn replied(text: &str) -> Value {
    page(
        json!([{"id": "0f4f7b0c-2b4e-4a53-8a64-2d1c9e7d3c33", "type": "final_message", "message": text}]),
    )
}
