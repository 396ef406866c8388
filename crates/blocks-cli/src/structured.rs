//! Finds the JSON in a reply, and checks it against the schema of `--schema` or of a line of the prompts file.

use std::path::Path;

use blocks_sdk::{Error, Reply};
use serde_json::Value;

use crate::exit::Exit;
use crate::host::Host;
use crate::input;
use crate::report::TurnReport;

#[cfg(any(test, not(feature = "schema-validation")))]
mod basic;

#[cfg(not(feature = "schema-validation"))]
use basic::Validator;
#[cfg(feature = "schema-validation")]
use library::Validator;

/// A JSON Schema and its validator.
pub struct ReplySchema {
    schema: Value,
    validator: Validator,
}

impl ReplySchema {
    /// Reads the file of `--schema`.
    ///
    /// # Errors
    /// A usage error: the file cannot be read, or is not a JSON Schema that this build supports.
    /// Nothing was sent yet.
    pub fn read(path: &Path, host: &Host) -> Result<Self, Exit> {
        let text = input::read_text("--schema", path, host)?;
        let invalid = |what: String| {
            let path = path.display();
            Exit::usage(format!("--schema {path}: invalid JSON Schema: {what}"))
        };
        let schema: Value = serde_json::from_str(&text).map_err(|e| invalid(e.to_string()))?;
        Self::new(schema).map_err(invalid)
    }

    /// Creates a validator for the schema.
    ///
    /// # Errors
    /// Describes why the value is not a JSON Schema, or why this build does not support the schema.
    pub fn new(schema: Value) -> Result<Self, String> {
        let validator = Validator::new(&schema)?;
        Ok(Self { schema, validator })
    }

    pub fn as_value(&self) -> &Value {
        &self.schema
    }

    /// Searches the reply for JSON, in the order that `Reply::json` of the SDK documents. Finds the first value that
    /// conforms to the schema, and stores this value in the report as one line of JSON.
    ///
    /// # Errors
    /// No value in the reply conforms to the schema. The error says why. For example, it says which part of a value
    /// does not conform to the schema, or that the reply contains no JSON.
    pub fn keep(&self, reply: &Reply, report: &mut TurnReport) -> Result<(), Error> {
        let mut steps = 0;
        let validate = |value: &Value| self.validator.validate(value, &mut steps);
        let found = reply.json_matching(&self.schema, validate)?;
        // Valid JSON is still valid without white space between its tokens, so `from_str` does not fail.
        let line = serde_json::from_str(&on_one_line(found.as_str())).unwrap_or(found);
        report.structured_output = Some(line);
        Ok(())
    }
}

/// Returns the `Exit` for a reply that does not conform to the schema.
pub fn mismatch_exit(error: &Error) -> Exit {
    let mut exit = Exit::from(error.clone());
    if let Some(mismatch) = error.reply_mismatch() {
        exit.error.message = format!("the reply does not conform to the schema: {mismatch}");
    }
    exit
}

/// Validates JSON with the crate `jsonschema`, which supports the JSON Schema drafts 4, 6, 7, 2019-09 and 2020-12. This
/// build does not read schemas from other files or from the network.
#[cfg(feature = "schema-validation")]
mod library {
    use serde_json::Value;

    use crate::text::shorten;

    /// Maximum characters of an error's description. The description contains the invalid value, which can be long.
    const MAX_ERROR: usize = 300;

    pub struct Validator(jsonschema::Validator);

    impl Validator {
        pub fn new(schema: &Value) -> Result<Self, String> {
            let validator = jsonschema::validator_for(schema);
            validator.map(Self).map_err(|error| describe(&error))
        }

        /// Validates one value of a reply. Does not count steps.
        pub fn validate(&self, value: &Value, _steps: &mut u32) -> Result<(), String> {
            self.0.validate(value).map_err(|error| describe(&error))
        }
    }

    /// Describes the error, and names the part of the value that is invalid.
    fn describe(error: &jsonschema::ValidationError<'_>) -> String {
        let what = shorten(&error.to_string(), MAX_ERROR);
        match error.instance_path.as_str() {
            "" => what,
            path => format!("{what} (at {path})"),
        }
    }
}

/// Removes the white space between the tokens of valid JSON. Numbers and the order of fields stay as they are.
fn on_one_line(json: &str) -> String {
    let (mut in_string, mut is_escaped) = (false, false);
    let is_kept = |c: &char| {
        let is_quote = *c == '"' && !is_escaped;
        is_escaped = in_string && *c == '\\' && !is_escaped;
        in_string ^= is_quote;
        in_string || !c.is_ascii_whitespace()
    };
    json.chars().filter(is_kept).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn white_space_in_strings_is_kept() {
        let pretty = "{\n  \"a b\": [1.0, \" \\\" \\\\\" , 2 ],\r\n\t\"c\" : \"\\\\\\\" d\"\n}";
        let line = on_one_line(pretty);
        assert_eq!(
            line,
            "{\"a b\":[1.0,\" \\\" \\\\\",2],\"c\":\"\\\\\\\" d\"}"
        );
        let value = |json: &str| serde_json::from_str::<Value>(json).unwrap();
        assert_eq!(value(&line), value(pretty));
    }
}
