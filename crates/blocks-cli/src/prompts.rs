//! The file of `blocks batch`: a prompt a line.

use std::collections::HashSet;

use blocks_sdk::CreateSession;
use serde_json::Value;

/// A line of the file.
#[derive(Debug)]
pub struct Prompt {
    /// The user's name for it; no other line has it.
    pub id: String,
    /// What to send.
    pub request: CreateSession,
}

/// Reads JSON Lines, each a create request with an `id` of the user's. Empty lines are left out.
///
/// # Errors
/// What is wrong, with the number of its line: the file is checked to its end before anything
/// is sent.
///
/// ```
/// let prompts = blocks_cli::prompts::parse(
///     r#"{"id": "docs", "agent_name": "claude", "message": "Document the parser."}"#,
/// )?;
/// assert_eq!(prompts[0].id, "docs");
/// # Ok::<(), String>(())
/// ```
pub fn parse(text: &str) -> Result<Vec<Prompt>, String> {
    let mut seen = HashSet::new();
    let mut prompts = Vec::new();
    for (number, line) in text.lines().enumerate() {
        if line.trim().is_empty() {
            continue;
        }
        let prompt = prompt(line).map_err(|what| format!("line {}: {what}", number + 1))?;
        if !seen.insert(prompt.id.clone()) {
            let id = &prompt.id;
            return Err(format!("line {}: the id `{id}` is there twice", number + 1));
        }
        prompts.push(prompt);
    }
    Ok(prompts)
}

fn prompt(line: &str) -> Result<Prompt, String> {
    let mut value: Value = serde_json::from_str(line).map_err(|e| format!("no JSON: {e}"))?;
    let id = value.as_object_mut().and_then(|object| object.remove("id"));
    let id = match id {
        Some(Value::String(id)) if !id.is_empty() => id,
        Some(Value::Number(id)) => id.to_string(),
        _ => return Err("an `id` of yours is needed, a text or a number".into()),
    };
    let request = CreateSession::from_json(value).map_err(|e| e.to_string())?;
    Ok(Prompt { id, request })
}
