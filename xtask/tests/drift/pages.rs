//! Changes of a page.

use super::*;

type Row = (&'static str, &'static [Edit], &'static [Expected]);

const REQUEST: &[Row] = &[
    (
        "a field is added",
        &[(
            "Artifacts that go",
            "Artifacts.\npriority\nstring\nArtifacts that go",
        )],
        &[(FieldAdded, Additive, "properties:", "priority")],
    ),
    (
        "a required field is added",
        &[(
            "Artifacts that go",
            "Artifacts.\npriority\nstring\nrequired\nArtifacts that go",
        )],
        &[(FieldAdded, Breaking, "properties:", "priority")],
    ),
    (
        "a field is removed",
        &[("profile\nobject\nA profile, by reference or in full.\n", "")],
        &[(FieldRemoved, Breaking, "        profile: {", "message")],
    ),
    (
        "a field is renamed",
        &[("message\nstring\nrequired", "prompt\nstring\nrequired")],
        &[
            (FieldAdded, Breaking, "properties:", "prompt"),
            (FieldRemoved, Breaking, "message: {", "prompt"),
            // The sample keeps the old name, which the document still has.
        ],
    ),
    (
        "a field is retyped",
        &[(
            "is_private\nboolean\ndefault",
            "is_private\nstring\ndefault",
        )],
        &[(Type, Breaking, "        is_private: {", "is_private")],
    ),
    (
        "a list becomes one value",
        &[("string[] (uuid[])", "string (uuid)")],
        &[(Type, Breaking, "        artifact_ids: {", "artifact_ids")],
    ),
    (
        "a field takes more types",
        &[("profile\nobject", "profile\nobject | string")],
        &[(Type, Additive, "        profile: {", "profile")],
    ),
    (
        "a field becomes required",
        &[(
            "agent_id\nstring (uuid)\n",
            "agent_id\nstring (uuid)\nrequired\n",
        )],
        &[(Required, Breaking, "        agent_id: {", "agent_id")],
    ),
    (
        "a field becomes optional",
        &[("string\nrequired\nWhat", "string\nWhat")],
        &[(Required, Additive, "        message: {", "message")],
    ),
    (
        "a field becomes nullable",
        &[("profile\nobject", "profile\nobject | null")],
        &[(Nullable, Additive, "        profile: {", "profile")],
    ),
    (
        "a default changes",
        &[("default:\"false\"", "default:\"true\"")],
        &[(Default, Breaking, "        is_private: {", "is_private")],
    ),
    (
        "a default goes",
        &[("default:\"false\"\n", "")],
        &[(
            Default,
            Informational,
            "        is_private: {",
            "is_private",
        )],
    ),
    (
        "a default comes",
        &[(
            "agent_name\nstring\n",
            "agent_name\nstring\ndefault:\"claude\"\n",
        )],
        &[(Default, Additive, "        agent_name:", "agent_name")],
    ),
    (
        "a value is added",
        &[("cursor, kimi", "cursor, grok, kimi")],
        &[(EnumAdded, Additive, "enum: [claude", "agent_name")],
    ),
    (
        "a value is removed",
        &[("cursor, kimi", "cursor")],
        &[(EnumRemoved, Breaking, "enum: [claude", "agent_name")],
    ),
    (
        "a value is renamed",
        &[("cursor, kimi", "cursor, kimi-k2")],
        &[
            (EnumAdded, Additive, "enum: [claude", "agent_name"),
            (EnumRemoved, Breaking, "enum: [claude", "agent_name"),
        ],
    ),
    (
        "the values go",
        &[("One of claude, codex, gemini, opencode, cursor, kimi. ", "")],
        &[
            (
                EnumUnstated,
                Informational,
                "        agent_name:",
                "agent_name",
            ),
            (StaleDeviation, Informational, "sisyphus", ""),
        ],
    ),
    (
        "a format is dropped",
        &[("agent_id\nstring (uuid)", "agent_id\nstring")],
        &[(Format, Additive, "        agent_id: {", "agent_id")],
    ),
    (
        "a format changes",
        &[("agent_id\nstring (uuid)", "agent_id\nstring (ulid)")],
        &[(Format, Breaking, "        agent_id: {", "agent_id")],
    ),
    (
        "the format of items is dropped",
        &[("string[] (uuid[])", "string[]")],
        &[(Format, Additive, "        artifact_ids: {", "artifact_ids")],
    ),
    (
        "a limit comes",
        &[(
            "What the user says first.",
            "What the user says first, at most 4000 characters.",
        )],
        &[(Limit, Breaking, "        message: {", "message")],
    ),
    (
        "the rule takes a field more",
        &[(
            "agent_id, agent_name, or profile",
            "agent_id, agent_name, template, or profile",
        )],
        &[(Rule, Additive, "oneOf:", "exactly one")],
    ),
    (
        "the rule loses a field",
        &[("agent_id, agent_name, or profile", "agent_id or agent_name")],
        &[(Rule, Breaking, "oneOf:", "exactly one")],
    ),
    (
        "the rule is weaker",
        &[("exactly one of", "at least one of")],
        &[(Rule, Additive, "oneOf:", "at least one")],
    ),
    (
        "the rule goes",
        &[("Give exactly one of agent_id, agent_name, or profile. ", "")],
        &[(Rule, Informational, "oneOf:", "message")],
    ),
];

const RESPONSE: &[Row] = &[
    (
        "a field is added",
        &[("Links to the parts", "cost\nnumber\nLinks to the parts")],
        &[(FieldAdded, Additive, "properties:", "cost")],
    ),
    (
        "a field is removed",
        &[
            (
                "source_url\nstring | null\nWhere the session came from, such as a chat.\n",
                "",
            ),
            ("  \"source_url\": null,\n", ""),
        ],
        &[(FieldRemoved, Breaking, "        source_url: {", "id")],
    ),
    (
        "a field is no longer described",
        &[(
            "source_url\nstring | null\nWhere the session came from, such as a chat.\n",
            "",
        )],
        &[(
            FieldUndescribed,
            Informational,
            "        source_url: {",
            "id",
        )],
    ),
    (
        "a field is renamed",
        &[
            ("source_url\n", "origin_url\n"),
            ("\"source_url\"", "\"origin_url\""),
        ],
        &[
            (FieldAdded, Additive, "properties:", "origin_url"),
            (FieldRemoved, Breaking, "        source_url: {", "id"),
        ],
    ),
    (
        "a field is retyped",
        &[("is_archived\nboolean", "is_archived\nstring")],
        &[(Type, Breaking, "        is_archived: {", "is_archived")],
    ),
    (
        "a field becomes nullable",
        &[(
            "id\nstring (uuid)\nWhich",
            "id\nstring (uuid) | null\nWhich",
        )],
        &[(Nullable, Breaking, "        id: {", "id")],
    ),
    (
        "a field is never null any more",
        &[(
            "thread_id\nstring (uuid) | null",
            "thread_id\nstring (uuid)",
        )],
        &[(Nullable, Informational, "        thread_id: {", "thread_id")],
    ),
    (
        "a field becomes nullable as the document has it",
        &[("title\nstring\n", "title\nstring | null\n")],
        &[(StaleDeviation, Informational, "properties/title", "")],
    ),
    (
        "a format is dropped",
        &[("created_at\nstring (ISO 8601)", "created_at\nstring")],
        &[(Format, Breaking, "        created_at: {", "created_at")],
    ),
    (
        "a format comes",
        &[(
            "session_html_url\nstring\n",
            "session_html_url\nstring (hostname)\n",
        )],
        &[(
            Format,
            Informational,
            "        session_html_url: {",
            "session_html_url",
        )],
    ),
    (
        "a field becomes optional",
        &[(
            "id\nstring (uuid)\nWhich",
            "id\nstring (uuid)\noptional\nWhich",
        )],
        &[(Required, Breaking, "        id: {", "id")],
    ),
    (
        "a field becomes required",
        &[(
            "source_url\nstring | null\n",
            "source_url\nstring | null\nrequired\n",
        )],
        &[(
            Required,
            Informational,
            "        source_url: {",
            "source_url",
        )],
    ),
];

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

fn run(rows: &[Row], name: &str) {
    let (document, page) = (document(), xtask::read(name).unwrap());
    for (change, edits, expected) in rows {
        let page = edit(&page, edits);
        let outcome = outcome(&document, name, &page);
        assert_found(change, &document, &outcome, &page, expected);
    }
}

#[test]
fn a_change_of_a_request_is_found() {
    run(REQUEST, PLAIN);
}

#[test]
fn a_change_of_a_response_is_found() {
    run(RESPONSE, PLAIN);
}

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
