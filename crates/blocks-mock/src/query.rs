//! The filters of a page of messages, read as the service reads them.

use serde_json::{Value, json};

/// One page of `messages` (oldest first) under the query's filters, or what is wrong with it.
pub fn page(messages: Vec<Value>, query: &[(String, String)], path: &str) -> Result<Value, String> {
    let one = |name: &str| {
        query
            .iter()
            .rev()
            .find(|(k, _)| k == name)
            .map(|(_, v)| v.as_str())
    };
    let types = choices(
        query,
        "type",
        &["message", "final_message", "tool_call"],
        &["message", "final_message"],
    )?;
    let roles = choices(query, "role", &["user", "assistant"], &["assistant"])?;
    let page = number(one("page"), 1, usize::MAX, 1, "page")?;
    let limit = number(one("limit"), 1, 100, 50, "limit")?;
    let gts: Option<f64> = match one("gts") {
        Some(text) => Some(
            text.parse()
                .map_err(|_| "gts must be a number".to_owned())?,
        ),
        None => None,
    };
    let mut kept: Vec<Value> = messages
        .into_iter()
        .filter(|m| types.iter().any(|t| m["type"] == *t))
        .filter(|m| roles.iter().any(|r| m["role"] == *r))
        .filter(|m| one("thread_id").is_none_or(|id| m["chat_thread_id"] == id))
        .filter(|m| gts.is_none_or(|gts| m["ts"].as_f64().is_some_and(|ts| ts > gts)))
        .collect();
    match one("direction") {
        None | Some("asc") => {}
        Some("desc") => kept.reverse(),
        Some(_) => return Err("direction must be asc or desc".into()),
    }
    let total = kept.len();
    let cursor = kept
        .iter()
        .filter_map(|m| m["ts"].as_f64())
        .reduce(f64::max)
        .unwrap_or_else(|| chrono::Utc::now().timestamp() as f64);
    let items: Vec<Value> = kept
        .into_iter()
        .skip((page - 1).saturating_mul(limit))
        .take(limit)
        .collect();
    Ok(json!({
        "items": items,
        "meta": {"total": total, "page": page, "limit": limit, "total_pages": total.div_ceil(limit)},
        "_links": {
            "self": {"href": path},
            "new_messages": {"href": format!("{path}?gts={cursor}")},
        },
    }))
}

fn choices<'a>(
    query: &'a [(String, String)],
    name: &str,
    allowed: &[&str],
    default: &[&'a str],
) -> Result<Vec<&'a str>, String> {
    let given: Vec<&str> = query
        .iter()
        .filter(|(k, _)| k == name)
        .map(|(_, v)| v.as_str())
        .collect();
    if let Some(bad) = given.iter().find(|v| !allowed.contains(v)) {
        return Err(format!("{name} cannot be {bad}"));
    }
    Ok(if given.is_empty() {
        default.to_vec()
    } else {
        given
    })
}

fn number(
    text: Option<&str>,
    min: usize,
    max: usize,
    default: usize,
    name: &str,
) -> Result<usize, String> {
    match text.map(str::parse) {
        None => Ok(default),
        Some(Ok(n)) if (min..=max).contains(&n) => Ok(n),
        Some(_) => Err(format!("{name} is out of range")),
    }
}
