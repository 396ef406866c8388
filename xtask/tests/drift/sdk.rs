//! The SDK as it is, against the document and against changes of it.

use xtask::drift::sdk;

use super::*;

#[tokio::test]
async fn the_sdk_is_in_sync() {
    let outcome = sdk::check(&document()).await.unwrap();
    assert_eq!(outcome.findings, []);
}

type Row = (&'static str, &'static [Edit], Kind, Severity, &'static str);

const ROWS: &[Row] = &[
    (
        "a response field is added",
        &[(
            "        title: { type: string, nullable: true, description: Its title. }",
            "        cost: { type: number }\n        title: { type: string, nullable: true, description: Its title. }",
        )],
        FieldRemoved,
        Breaking,
        "        cost: {",
    ),
    (
        "a request field is added",
        &[(
            "        is_private: { type: boolean, default: false",
            "        model: { type: string }\n        is_private: { type: boolean, default: false",
        )],
        FieldRemoved,
        Breaking,
        "        model: {",
    ),
    (
        "a response field is retyped",
        &[(
            "is_archived: { type: boolean",
            "is_archived: { type: string",
        )],
        Type,
        Breaking,
        "        is_archived: {",
    ),
    (
        "a response field becomes nullable",
        &[(
            "id: { type: string, format: uuid, description: The session's id.",
            "id: { type: string, format: uuid, nullable: true, description: The session's id.",
        )],
        Nullable,
        Breaking,
        "        id: {",
    ),
    (
        "a response field becomes optional",
        &[("      required: [items]\n", "")],
        Required,
        Breaking,
        "        items: {",
    ),
    (
        "a title is shorter",
        &[("maxLength: 200", "maxLength: 100")],
        Invalid,
        Breaking,
        "        title: { type: string, maxLength",
    ),
    (
        "an agent goes",
        &[("kimi, sisyphus", "kimi")],
        EnumAdded,
        Breaking,
        "enum: [claude",
    ),
    (
        "an agent comes",
        &[("kimi, sisyphus", "kimi, sisyphus, grok")],
        EnumRemoved,
        Informational,
        "enum: [claude",
    ),
    (
        "a parameter is added",
        &[(
            "        - $ref: '#/components/parameters/ThreadFilter'\n",
            "        - $ref: '#/components/parameters/ThreadFilter'\n        - { name: before, in: query, schema: { type: number } }\n",
        )],
        FieldRemoved,
        Breaking,
        "name: before",
    ),
    (
        "a parameter goes",
        &[(
            "        - $ref: '#/components/parameters/ThreadFilter'\n",
            "",
        )],
        FieldAdded,
        Breaking,
        "parameters: &messageQuery",
    ),
    (
        "a schema is added",
        &[(
            "    ErrorBody:\n",
            "    Cost: { type: object, properties: { sum: { type: number } } }\n    ErrorBody:\n",
        )],
        SchemaMissing,
        Breaking,
        "    Cost:",
    ),
    (
        "the rule takes a field more",
        &[(
            "        - required: [profile]\n",
            "        - required: [profile]\n        - required: [message]\n",
        )],
        Rule,
        Breaking,
        "oneOf:",
    ),
];

/// A change of the document that nobody carried into the SDK.
#[tokio::test]
async fn a_document_that_moved_on_is_found() {
    let text = document().0.text;
    for (change, edits, kind, severity, at) in ROWS {
        let document = document_of(&edit(&text, edits));
        let outcome = sdk::check(&document).await.unwrap();
        let found = outcome.findings.iter().any(|f| {
            let line = document.0.place(&f.pointer).line;
            let line = document.0.text.lines().nth(line - 1).unwrap();
            f.kind == *kind && f.severity == *severity && line.contains(at)
        });
        assert!(found, "{change}: {:#?}", outcome.findings);
    }
}
