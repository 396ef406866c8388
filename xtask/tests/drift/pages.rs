//! Changes of a page: its fields.

use super::*;

pub(crate) type Row = (&'static str, &'static [Edit], &'static [Expected]);

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

pub(crate) fn run(rows: &[Row], name: &str) {
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
