//! Changes of a page: its errors, samples and operation, and the form with components.

use super::pages::{Row, run};
use super::*;

const AROUND: &[Row] = &[
    (
        "a status changes",
        &[(
            "400VALIDATIONagent_name names",
            "409VALIDATIONagent_name names",
        )],
        &[(StatusAdded, Additive, "responses:", "409")],
    ),
    (
        "a status is added",
        &[(
            "400VALIDATIONagent_name names",
            "402UNPAIDThe plan ended.\n400VALIDATIONagent_name names",
        )],
        &[(StatusAdded, Additive, "responses:", "402")],
    ),
    (
        "a status goes",
        &[
            ("400 VALIDATION", "an error"),
            ("400VALIDATIONNo agent was named.\n", ""),
            (
                "400VALIDATIONagent_name names no agent of the product.\n",
                "",
            ),
        ],
        &[(StatusRemoved, Breaking, "'400'", "POST")],
    ),
    (
        "a code changes",
        &[("VALIDATION", "BAD_INPUT")],
        &[
            (CodeAdded, Additive, "x-error-codes", "BAD_INPUT"),
            (
                CodeRemoved,
                Breaking,
                "x-error-codes: [VALIDATION]",
                "BAD_INPUT",
            ),
        ],
    ),
    (
        "a code is added",
        &[(
            "400VALIDATIONagent_name names",
            "400AGENT_UNKNOWNagent_name names",
        )],
        &[(
            CodeAdded,
            Additive,
            "x-error-codes: [VALIDATION]",
            "AGENT_UNKNOWN",
        )],
    ),
    (
        "a sample is no JSON",
        &[("\"pull_requests\": [],", "\"pull_requests\": []")],
        &[(
            SampleBroken,
            Informational,
            "    Session:",
            "\"source_url\"",
        )],
    ),
    (
        "a sample has another type",
        &[("\"is_archived\": false", "\"is_archived\": \"no\"")],
        &[(Type, Breaking, "        is_archived: {", "\"is_archived\"")],
    ),
    (
        "a sample has null",
        &[(
            "\"id\": \"5f0c7a52-3a1e-4a53-9d5e-0d4f5b9b8a11\"",
            "\"id\": null",
        )],
        &[(Nullable, Breaking, "        id: {", "\"id\"")],
    ),
    (
        "a sample has an unknown field",
        &[(
            "\"is_archived\": false",
            "\"is_archived\": false,\n  \"cost\": 1.5",
        )],
        &[(FieldAdded, Additive, "properties:", "\"cost\"")],
    ),
    (
        "a sample lacks what is required",
        &[("  \"id\": \"5f0c7a52-3a1e-4a53-9d5e-0d4f5b9b8a11\",\n", "")],
        &[(Required, Breaking, "        id: {", "{")],
    ),
    (
        "a sample has a broken id",
        &[("\"thread_id\": \"8c1d2f6e-", "\"thread_id\": \"thread-")],
        &[(Format, Breaking, "        thread_id: {", "\"thread_id\"")],
    ),
    (
        "a sample has a broken date",
        &[(
            "\"created_at\": \"2026-05-02T09:30:00.000Z\"",
            "\"created_at\": \"2 May\"",
        )],
        &[(Format, Breaking, "        created_at: {", "\"created_at\"")],
    ),
    (
        "a link in a sample changes",
        &[("\"messages\": { \"href\"", "\"messages\": { \"url\"")],
        &[
            (Required, Breaking, "        href: {", "\"messages\""),
            (FieldAdded, Additive, "properties:", "\"messages\""),
        ],
    ),
    (
        "the path changes",
        &[("POST /rest/v1/sessions\n", "POST /rest/v2/sessions\n")],
        &[(OperationUnknown, Additive, "paths:", "POST /rest/v2")],
    ),
    (
        "the method changes",
        &[("POST /rest/v1/sessions\n", "PUT /rest/v1/sessions\n")],
        &[(OperationUnknown, Additive, "paths:", "PUT")],
    ),
];

const IN_MARKDOWN: &[Row] = &[
    (
        "a field is added",
        &[(
            "## Response",
            "<ParamField body=\"priority\" type=\"string\" required>\n  x\n</ParamField>\n\n## Response",
        )],
        &[(FieldAdded, Breaking, "properties:", "priority")],
    ),
    (
        "a field is removed",
        &[(
            "<ParamField body=\"profile\" type=\"object\">\n  A profile, by reference or in full.\n</ParamField>\n",
            "",
        )],
        &[(FieldRemoved, Breaking, "        profile: {", "message")],
    ),
    (
        "a field becomes optional",
        &[("type=\"string\" required>", "type=\"string\">")],
        &[(Required, Additive, "        message: {", "message")],
    ),
    (
        "a default changes",
        &[("default={false}", "default={true}")],
        &[(Default, Breaking, "        is_private: {", "is_private")],
    ),
    (
        "a value is added",
        &[("`cursor`, `kimi`", "`cursor`, `grok`, `kimi`")],
        &[(EnumAdded, Additive, "enum: [claude", "agent_name")],
    ),
    (
        "a response field is retyped",
        &[(
            "name=\"is_archived\" type=\"boolean\"",
            "name=\"is_archived\" type=\"number\"",
        )],
        &[(Type, Breaking, "        is_archived: {", "is_archived")],
    ),
    (
        "a response field becomes nullable",
        &[(
            "name=\"id\" type=\"string<uuid>\"",
            "name=\"id\" type=\"string<uuid> | null\"",
        )],
        &[(Nullable, Breaking, "        id: {", "name=\"id\"")],
    ),
    (
        "a described link is unknown",
        &[(
            "## Errors",
            "<ResponseField name=\"_links\" type=\"object | null\">\n  <ResponseField name=\"logs\" type=\"object | null\">\n  x\n  </ResponseField>\n</ResponseField>\n\n## Errors",
        )],
        &[
            (FieldAdded, Additive, "properties:", "logs"),
            (StaleDeviation, Informational, "_links", ""),
            (FieldRemoved, Breaking, "        self: &link", ""),
            (FieldRemoved, Breaking, "        messages: {", ""),
            (FieldRemoved, Breaking, "        thread: &threadLink", ""),
            (
                FieldRemoved,
                Breaking,
                "        final_message: &finalLink",
                "",
            ),
        ],
    ),
    (
        "a code changes",
        &[(
            "| `400` | `VALIDATION` | `agent_name`",
            "| `400` | `UNKNOWN` | `agent_name`",
        )],
        &[(CodeAdded, Additive, "x-error-codes", "UNKNOWN")],
    ),
    (
        "a request sample sends an unknown field",
        &[(
            "\"agent_name\": \"codex\",",
            "\"agent_name\": \"codex\", \"model\": \"x\",",
        )],
        &[(FieldAdded, Additive, "properties:", "model")],
    ),
    (
        "a request sample breaks the rule",
        &[("    \"agent_name\": \"codex\",\n", "")],
        &[(Rule, Breaking, "oneOf:", "'{")],
    ),
];

#[test]
fn a_change_of_errors_samples_or_operation_is_found() {
    run(AROUND, PLAIN);
}

#[test]
fn a_change_of_a_page_in_markdown_is_found() {
    run(IN_MARKDOWN, MARKDOWN);
}

/// A page that cannot be read is not a page in sync.
#[test]
fn a_page_without_sense_is_an_error() {
    let document = document();
    let page = xtask::read(PLAIN).unwrap();
    for (text, why) in [
        (String::new(), "no operation"),
        ("<!DOCTYPE html><html></html>".to_owned(), "HTML"),
        ("A guide.\n\nSome words.\n".to_owned(), "no operation"),
        (
            "POST /rest/v1/sessions\n\nNothing else.\n".to_owned(),
            "no field",
        ),
        (edit(&page, &[("Body\n", "Was sent\n")]), "request body"),
        (
            page.split("\nResponse\n").next().unwrap().to_owned(),
            "fields of the response",
        ),
        (
            edit(&page, &[("profile\nobject", "profile\nobjekt")]),
            "objekt",
        ),
        (
            edit(
                &page,
                &[
                    ("400VALIDATIONNo", "4xxVALIDATIONNo"),
                    ("StatusCodeReason\n", "4 VALIDATION\n"),
                ],
            ),
            "no status",
        ),
    ] {
        let page = PageText {
            name: "page".to_owned(),
            text,
        };
        let error = docs::check(&document, &page).unwrap_err();
        assert!(
            error.contains(why) && error.starts_with("page"),
            "{why}: {error}"
        );
    }
}
