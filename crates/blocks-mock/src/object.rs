//! Reads JSON into Rust types, and rejects lists where an object is expected. Without this check, serde would accept
//! `[1, 2]` for a struct with the fields `a` and `b`, as if it were `{"a": 1, "b": 2}`. The mock accepts only the
//! second form.

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

/// Reads a value of type `T` from JSON.
///
/// # Errors
/// Returns the first field that is not valid, and the reason.
pub fn from_value<T: DeserializeOwned + Serialize>(value: &Value) -> Result<T, String> {
    let read = serde_path_to_error::deserialize(value).map_err(|error| describe(&error))?;
    check_objects(&read, value)?;
    Ok(read)
}

/// Formats an error as the path of the invalid field and the reason. If the whole value is invalid, the text is only
/// the reason.
pub fn describe<E: std::fmt::Display>(error: &serde_path_to_error::Error<E>) -> String {
    match error.path().to_string().as_str() {
        "." => error.inner().to_string(),
        path => format!("field `{path}`: {}", error.inner()),
    }
}

/// Returns an error if `value` contains a list where an object is expected. `read` is the Rust value that was parsed
/// from `value`. Where `read` contains an object when it is converted back to JSON, `value` must not contain a list.
pub fn check_objects(read: &impl Serialize, value: &Value) -> Result<(), String> {
    let written = serde_json::to_value(read).map_err(|error| error.to_string())?;
    match find_list(value, &written, String::new()) {
        Some(path) if path.is_empty() => Err("expected an object, not a list".into()),
        Some(path) => Err(format!("field `{path}`: expected an object, not a list")),
        None => Ok(()),
    }
}

fn find_list(value: &Value, written: &Value, path: String) -> Option<String> {
    match (value, written) {
        (Value::Array(_), Value::Object(_)) => Some(path),
        (Value::Array(values), Value::Array(written)) => {
            let pairs = values.iter().zip(written).enumerate();
            pairs
                .map(|(i, (value, written))| find_list(value, written, format!("{path}[{i}]")))
                .find_map(|found| found)
        }
        (Value::Object(values), Value::Object(written)) => {
            values.iter().find_map(|(name, value)| {
                let path = match path.is_empty() {
                    true => name.clone(),
                    false => format!("{path}.{name}"),
                };
                find_list(value, written.get(name)?, path)
            })
        }
        _ => None,
    }
}
