//! The vendor's shapes: sessions, items and pages as JSON.

use serde_json::{Value, json};
use uuid::Uuid;

const LINKS: &str = "https://api.prod.blocks.team/rest/v1/sessions";
pub const TIME: &str = "2026-05-02T09:30:00";

/// A status and the text of its `error`.
pub type ErrorResponse = (u16, &'static str);

pub struct Turn {
    pub prompt: String,
    pub reply: String,
}

pub fn session(id: Uuid, turns: &[Turn], thread: Option<&str>) -> Value {
    let mut value = json!({
        "id": id, "title": turns[0].prompt, "pull_requests": ["https://example.com/pull/1"],
        "source_url": null, "is_archived": false, "is_private": false, "created_at": TIME,
        "updated_at": TIME, "thread_id": thread, "_links": links(id, thread.unwrap_or("null")),
        "session_html_url": format!("https://blocks.team/app/3f0e2c9a-workspace/sessions/{id}"),
    });
    value["_links"]["messages"] = json!({"href": format!("{LINKS}/{id}/messages")});
    if thread.is_none() {
        value["_links"]["thread"] = Value::Null;
    }
    value
}

pub fn links(id: Uuid, thread: &str) -> Value {
    let path = format!("{LINKS}/{id}/threads/{thread}/messages");
    json!({
        "self": {"href": format!("{LINKS}/{id}")}, "thread": {"href": path},
        "final_message": {"href": format!("{path}?type=final_message&role=assistant")},
    })
}

/// Returns the items of one turn, oldest first.
pub fn items(turns: &[Turn], index: usize) -> Vec<Value> {
    let number = index + 1;
    let item = |id: &str, role: &str, kind: &str, text: String| {
        json!({
            "id": format!("{id}{index}"), "chat_thread_id": format!("t{number}"), "role": role,
            "type": kind, "message": text, "ts": 1_777_714_200 + index,
        })
    };
    let newer = json!({"__name__": "Read", "file_path": "a.rs"});
    let older = json!({"__name__": "Bash", "input": r#"{"command": "ls"}"#});
    let mut items = vec![
        item("p", "user", "message", turns[index].prompt.clone()),
        item("c", "assistant", "tool_call", newer.to_string()),
        item("d", "assistant", "tool_call", older.to_string()),
        item(
            "m",
            "assistant",
            "final_message",
            turns[index].reply.clone(),
        ),
    ];
    items[3]["chat_thread_id"] = json!("t1");
    items
}

pub fn page(
    id: Uuid,
    turns: &[Turn],
    thread: Option<&str>,
    query: &str,
) -> Result<Value, ErrorResponse> {
    let pairs: Vec<_> = form_urlencoded::parse(query.as_bytes())
        .into_owned()
        .collect();
    let all = |name: &str, default: &[&str]| -> Vec<String> {
        let given = pairs.iter().filter(|(n, _)| n == name);
        let given: Vec<String> = given.map(|(_, value)| value.clone()).collect();
        if given.is_empty() {
            default.iter().map(ToString::to_string).collect()
        } else {
            given
        }
    };
    let number = |name: &str, default: &str| {
        let last = all(name, &[default])
            .pop()
            .and_then(|text| text.parse::<usize>().ok());
        last.filter(|n| *n > 0)
            .ok_or((422, "page and limit must be positive numbers"))
    };
    let (page, limit) = (number("page", "1")?, number("limit", "50")?);
    let (types, roles) = (
        all("type", &["message", "final_message"]),
        all("role", &["assistant"]),
    );
    let gts = all("gts", &["-1"])[0]
        .parse::<f64>()
        .map_err(|_| (422, "gts must be a number"))?;
    let thread = thread.map(str::to_owned).or(all("thread_id", &[]).pop());
    let mut found = Vec::new();
    for index in 0..turns.len() {
        if thread
            .as_ref()
            .is_some_and(|thread| *thread != format!("t{}", index + 1))
        {
            continue;
        }
        found.extend(items(turns, index));
    }
    let listed = |values: &[String], value: &Value| values.iter().any(|v| value == v);
    found.retain(|item| {
        let newer = item["ts"].as_f64().is_some_and(|ts| ts > gts);
        listed(&types, &item["type"]) && listed(&roles, &item["role"]) && newer
    });
    if all("direction", &["asc"]) == ["desc"] {
        found.reverse();
    }
    let own = match &thread {
        Some(thread) => format!("{LINKS}/{id}/threads/{thread}/messages"),
        None => format!("{LINKS}/{id}/messages"),
    };
    let total = found.len();
    let items: Vec<Value> = found
        .into_iter()
        .skip((page - 1) * limit)
        .take(limit)
        .collect();
    Ok(json!({
        "items": items,
        "meta": {"total": total, "page": page, "limit": limit, "total_pages": total.div_ceil(limit)},
        "_links": {"self": {"href": own}, "new_messages": {"href": format!("{own}?gts=1777714200")}},
    }))
}
