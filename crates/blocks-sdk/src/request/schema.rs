//! Writes the part of a message that asks for JSON.

use serde_json::Value;

use crate::engine::error::Error;

/// The first line of the section that asks for JSON. The line must not change, because a program may search for it, for
/// example a test that reads the prompt.
const FIRST_LINE: &str = "Reply with JSON that conforms to this JSON Schema:";
const INSTRUCTIONS: &str = "Write one JSON value in one code block. Do not repeat the schema.";

/// Returns the message, followed by the section that asks for JSON:
///
/// ````text
/// Reply with JSON that conforms to this JSON Schema:
///
/// ```json
/// { … }
/// ```
///
/// Write one JSON value in one code block. Do not repeat the schema.
/// ````
pub(crate) fn with_schema(message: &str, schema: &Value) -> String {
    // A backtick is escaped, so that no string in the schema closes the code fence.
    let schema = format!("{schema:#}").replace('`', "\\u0060");
    format!("{message}\n\n{FIRST_LINE}\n\n```json\n{schema}\n```\n\n{INSTRUCTIONS}")
}

pub(crate) fn check_schema(schema: Option<&Value>) -> Result<(), Error> {
    match schema {
        None | Some(Value::Object(_) | Value::Bool(_)) => Ok(()),
        Some(_) => Err(Error::invalid_input(
            "invalid JSON Schema: expected an object, `true` or `false`",
        )),
    }
}

#[cfg(feature = "schemars")]
pub(crate) fn schema_of<T: schemars::JsonSchema>() -> Value {
    schemars::schema_for!(T).into()
}
