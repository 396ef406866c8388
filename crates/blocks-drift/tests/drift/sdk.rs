//! Compares the SDK with the OpenAPI document, which must cause no finding. Then compares it with changed documents,
//! each of which must cause a finding.

use blocks_drift::finding::{Kind, Severity};
use blocks_drift::sdk;

use super::*;

#[tokio::test]
async fn the_sdk_is_in_sync() {
    let result = sdk::check(&DOCUMENT).await.unwrap();
    assert_eq!(result.findings, []);
}

#[test]
fn a_closed_output_ends_the_command_quietly() {
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_blocks-drift"));
    let ended = command.arg("sdk").stdout(writer).output().unwrap();
    assert_eq!(ended.status.code(), Some(141), "{ended:?}");
    assert!(ended.stderr.is_empty(), "{ended:?}");
}

/// Errors and stale entries name the list that `--deviations` gives.
#[test]
fn another_list_of_deviations_is_named() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let name = file.path().display().to_string();
    let stale = "- { place: '#/a', scope: createSession, document: x, sdk: y, evidence: e, date: 2026-05-31 }\n";
    for (text, code, part) in [
        ("", 0, "drift: in sync".to_owned()),
        ("- { place: '#/a' }\n", 2, format!("could not check: {name}:1: ")),
        (stale, 1, format!("::notice file={name},line=1,")),
    ] {
        std::fs::write(file.path(), text).unwrap();
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_blocks-drift"));
        command.args(["sdk", "--format", "github", "--deviations", &name]);
        let ended = command.output().unwrap();
        let shown = [ended.stdout, ended.stderr].concat();
        let shown = String::from_utf8(shown).unwrap();
        assert!(shown.contains(&part), "{part}: {shown}");
        assert_eq!(ended.status.code(), Some(code), "{shown}");
    }
}

#[tokio::test]
async fn changed_documents_are_found() {
    use Kind::*;
    use Severity::{Breaking, Informational};
    for (from, to, kind, severity) in [
        (
            "        is_private: { type: boolean, default",
            "        model: { type: string }\n        is_private: { type: boolean, default",
            FieldRemoved,
            Breaking,
        ),
        ("maxLength: 200", "maxLength: 100", Limit, Breaking),
        ("maxLength: 200", "maxLength: 300", Limit, Breaking),
        ("maximum: 100,", "maximum: 50,", Limit, Breaking),
        ("kimi, sisyphus", "kimi", EnumAdded, Breaking),
        ("kimi, sisyphus", "kimi, sisyphus, grok", EnumRemoved, Informational),
        ("        - $ref: '#/components/parameters/ThreadFilter'\n", "", FieldAdded, Breaking),
        (
            "        - $ref: '#/components/parameters/ThreadFilter'\n",
            "        - $ref: '#/components/parameters/ThreadFilter'\n        - { name: before, in: query, schema: { type: number } }\n",
            FieldRemoved,
            Breaking,
        ),
        ("name: Authorization", "name: X-Key", Security, Breaking),
        ("url: https://api.blocks.team", "url: https://api.example", Server, Breaking),
    ] {
        let text = replaced(&DOCUMENT.0.text, from, to);
        let found = match sdk::check(&document(&text)).await {
            Ok(result) => result.findings,
            Err(error) => panic!("{to}: {error}"),
        };
        assert!(found.iter().any(|f| (f.kind, f.severity) == (kind, severity)), "{to}: {found:#?}");
    }
}
