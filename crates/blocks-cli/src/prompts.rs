//! Parses the prompts file of `blocks batch`, which has one prompt per line.

use std::collections::HashSet;

use blocks_fleet::Fingerprint;
use blocks_sdk::CreateSession;
use serde_json::Value;

/// A prompt, which is one line of the prompts file.
#[derive(Debug)]
pub struct Prompt {
    /// The unique id that the user gave this prompt, as a string.
    pub id: String,
    /// The id in its original form, as a string or a number.
    pub given_id: Value,
    /// The request that creates the session of this prompt.
    pub request: CreateSession,
    /// The JSON Schema that the reply must conform to, from the field `schema`.
    pub schema: Option<Value>,
    /// The hashes of the line's fields, without its id. `batch` adds the schema of `--schema` if the line has none. The
    /// journal, which records earlier runs, also contains these hashes for each id. If they differ, the user changed
    /// the prompt after the earlier run.
    pub fingerprint: Fingerprint,
}

/// Parses JSON Lines. Each line is the JSON body of a request that creates a session, with two more fields: a unique
/// `id`, and optionally `schema`, the JSON Schema of the reply. Lines that are empty or contain only white space are
/// skipped.
///
/// # Errors
/// Describes the first error and its line number. The whole file is checked before anything is
/// sent.
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
            return Err(format!("line {}: duplicate id `{id}`", number + 1));
        }
        prompts.push(prompt);
    }
    Ok(prompts)
}

fn prompt(line: &str) -> Result<Prompt, String> {
    let mut value: Value = serde_json::from_str(line).map_err(|e| format!("invalid JSON: {e}"))?;
    let given_id = value.as_object_mut().and_then(|object| object.remove("id"));
    let given_id = given_id.unwrap_or_default();
    let id = match &given_id {
        Value::String(id) if !id.is_empty() => id.clone(),
        Value::Number(id) => id.to_string(),
        _ => return Err("missing or invalid `id`: expected a unique string or number".into()),
    };
    let fingerprint = Fingerprint::new(&value);
    let schema = value.as_object_mut().and_then(|line| line.remove("schema"));
    let request = CreateSession::from_json(value).map_err(|e| e.to_string())?;
    Ok(Prompt {
        id,
        given_id,
        request,
        schema: schema.filter(|schema| !schema.is_null()),
        fingerprint,
    })
}
