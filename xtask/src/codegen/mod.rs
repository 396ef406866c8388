//! Generates `generated.rs` from the OpenAPI document, in three steps: check, lower and emit.

mod check;
mod emit;
mod lower;
mod reduce;
mod tolerant;

use std::io::ErrorKind;

use serde_json::Value;
use similar::TextDiff;

use crate::{read, root};

const DOCUMENT: &str = "openapi/blocks.yaml";
const GENERATED: &str = "crates/blocks-api/src/generated.rs";

/// Returns the source that is generated from the OpenAPI document.
///
/// # Errors
/// Fails if the OpenAPI document is wrong; the error says what is wrong, and usually where. Also fails if rustfmt
/// cannot be run.
pub fn generate() -> Result<String, String> {
    render(&read(DOCUMENT)?)
}

/// Returns the source that is generated from an OpenAPI document in YAML.
fn render(yaml: &str) -> Result<String, String> {
    emit::emit(&lower_yaml(yaml)?).map_err(|e| format!("{DOCUMENT}: {e}"))
}

fn lower_yaml(yaml: &str) -> Result<Value, String> {
    check::check(DOCUMENT, yaml)?;
    let mut document: Value =
        serde_yaml_ng::from_str(yaml).map_err(|e| format!("{DOCUMENT}: {e}"))?;
    lower::lower(&mut document);
    Ok(document)
}

/// Reads a file by its path in the repository. Returns an empty text if the file does not exist, so that a deleted
/// `generated.rs` can be generated again.
fn read_or_empty(name: &str) -> Result<String, String> {
    match std::fs::read_to_string(root().join(name)) {
        Err(e) if e.kind() == ErrorKind::NotFound => Ok(String::new()),
        result => result.map_err(|e| format!("{name}: {e}")),
    }
}

/// Writes the generated source, and restores the old source if the new one does not compile.
///
/// # Errors
/// Fails if the OpenAPI document is wrong, or if the code does not compile. If the code does not compile, the file gets
/// its old contents back; it is empty if it did not exist.
pub fn write() -> Result<(), String> {
    let (old, new) = (read_or_empty(GENERATED)?, generate()?);
    let put = |text: &str| {
        std::fs::write(root().join(GENERATED), text).map_err(|e| format!("{GENERATED}: {e}"))
    };
    put(&new)?;
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut build = std::process::Command::new(cargo);
    build
        .args(["check", "--quiet", "--package", "blocks-api"])
        .current_dir(root());
    let status = build.status().map_err(|e| format!("cargo: {e}"));
    if !status.as_ref().is_ok_and(std::process::ExitStatus::success) {
        put(&old)?;
        status?;
        return Err(format!(
            "the code of {DOCUMENT} does not compile; {GENERATED} has its old contents"
        ));
    }
    Ok(())
}

/// Compares the generated source with the checked-in source.
///
/// # Errors
/// Fails with a diff if the two sources differ, or if the source cannot be generated.
pub fn check() -> Result<(), String> {
    let (old, new) = (read_or_empty(GENERATED)?, generate()?);
    if old == new {
        return Ok(());
    }
    let diff = TextDiff::from_lines(&old, &new);
    Err(format!(
        "{}\n{GENERATED} does not follow from {DOCUMENT}. Run `cargo xtask codegen` and commit the result.",
        diff.unified_diff().header("checked in", "generated")
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_document_gives_the_same_bytes() {
        assert_eq!(generate().unwrap(), generate().unwrap());
    }

    /// Checks that the generated code in the repository is up to date. This test also runs in `cargo test --workspace`,
    /// which builds `serde_json` with the features that all crates together enable. One of these features could change
    /// the order of JSON maps, but it must not change the generated code.
    #[test]
    fn the_checked_in_code_follows_from_the_document() {
        check().unwrap();
    }

    /// Tests that code is generated for these changes of the OpenAPI document: new fields, a new parameter, a new value
    /// of an enum, and a new operation. The enums are written by hand, so the new value is not in the generated code.
    #[test]
    fn valid_changes_are_generated() {
        let field = "        title: { type: string, nullable: true,";
        let operation = "  /rest/v1/sessions/{session_id}/artifacts:\n    parameters:\n      - $ref: '#/components/parameters/SessionId'\n    get:\n      operationId: listArtifacts\n      responses:\n        2XX:\n          description: The artifacts.\n          content: { application/json: { schema: { $ref: '#/components/schemas/MessagePage' } } }\n";
        for (from, to, part) in [
            (field, format!("        cost: {{ type: number, nullable: true, description: What it costs. }}\n{field}"), "pub cost: "),
            ("        title: { type: string, maxLength", "        model: { type: string, description: A model. }\n        title: { type: string, maxLength".to_owned(), "pub model: "),
            ("      parameters: &messageQuery\n", "      parameters: &messageQuery\n        - { name: before, in: query, schema: { type: number } }\n".to_owned(), "before"),
            ("enum: [plan, file]", "enum: [plan, file, image]".to_owned(), "ArtifactKind"),
            ("  /rest/v1/sessions/{session_id}/messages:\n", format!("{operation}  /rest/v1/sessions/{{session_id}}/messages:\n"), "fn list_artifacts"),
        ] {
            let yaml = read(DOCUMENT).unwrap();
            let changed = yaml.replacen(from, &to, 1);
            assert_ne!(yaml, changed, "{from}");
            assert!(render(&changed).unwrap().contains(part), "{to}");
        }
    }

    /// Tests that each kind of field that the check accepts in a response gets a type that `blocks_api::decode` can
    /// read.
    #[test]
    fn every_kind_of_response_field_is_generated() {
        let link = "anyOf: [{ $ref: '#/components/schemas/Session' }, { type: object, nullable: true, maxProperties: 0 }]";
        for (field, part) in [
            ("default: { type: boolean, nullable: true }".to_owned(), "pub default: ::std::option::Option<bool>"),
            ("labels: { type: object, nullable: true, additionalProperties: true }".to_owned(), "pub labels: ::std::option::Option<crate::json::JsonObject>"),
            ("labels: { type: object, nullable: true, additionalProperties: { type: string } }".to_owned(), "BTreeMap<"),
            ("tokens: { type: integer, minimum: 0 }".to_owned(), "pub tokens: ::std::option::Option<u64>"),
            ("usage: { type: object, additionalProperties: true, properties: { a: { type: number } } }".to_owned(), "pub usage: ::std::option::Option<MessageUsage>"),
            (format!("parent: {{ description: Its parent., {link} }}"), "pub parent: ::std::option::Option<Session>"),
            ("owner: { $ref: '#/components/schemas/Session' }".to_owned(), "pub owner: ::std::option::Option<Session>"),
            ("any: { description: Any. }".to_owned(), "pub any: ::std::option::Option<::serde_json::Value>"),
        ] {
            let id = "        chat_id: { type: string, x-usual-format: uuid,";
            let yaml = read(DOCUMENT).unwrap();
            let changed = yaml.replacen(id, &format!("        {field}\n{id}"), 1);
            assert_ne!(yaml, changed, "{field}");
            let code = render(&changed).unwrap_or_else(|e| panic!("{field}: {e}"));
            assert!(code.contains(part), "{field}");
        }
    }

    #[test]
    fn a_missing_file_is_empty() {
        assert_eq!(read_or_empty("no/such/file.rs").unwrap(), "");
        assert!(read_or_empty("crates").is_err());
    }

    #[test]
    fn an_operation_that_cannot_be_generated_is_named() {
        let yaml = read(DOCUMENT)
            .unwrap()
            .replace("      operationId: getArtifact\n", "");
        let error = render(&yaml).unwrap_err();
        assert!(error.contains("artifacts~1{artifact_id}"), "{error}");
    }

    #[test]
    fn a_schema_that_cannot_be_generated_is_named() {
        let code = "code: { type: string,";
        let yaml = read(DOCUMENT)
            .unwrap()
            .replace(code, &format!("{code} pattern: '(',"));
        let error = render(&yaml).unwrap_err();
        assert!(error.contains("components.schemas.ErrorBody"), "{error}");
    }

    #[test]
    fn a_misshapen_document_is_an_error_with_its_place() {
        let yaml = read(DOCUMENT)
            .unwrap()
            .replace("operationId: getArtifact", "operationId: [1]");
        let error = render(&yaml).unwrap_err();
        assert!(
            error.contains(
                "#/paths/~1rest~1v1~1sessions~1{session_id}~1artifacts~1{artifact_id}/get"
            ),
            "{error}"
        );
    }
}
