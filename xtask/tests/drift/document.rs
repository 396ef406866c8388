//! Changes of the document, against a page that stays.

use super::*;

const ROWS: &[(&str, &[Edit], &[Expected])] = &[
    (
        "a request field is added",
        &[(
            "        is_private: { type: boolean, default: false,",
            "        priority: { type: string }\n        is_private: { type: boolean, default: false,",
        )],
        &[(FieldRemoved, Breaking, "priority", "message")],
    ),
    (
        "a request field is renamed",
        &[("        agent_id: { type", "        agent_uuid: { type")],
        &[
            (FieldRemoved, Breaking, "agent_uuid", "message"),
            (FieldAdded, Additive, "properties:", "agent_id"),
        ],
    ),
    (
        "a request field is retyped",
        &[(
            "is_private: { type: boolean, default: false",
            "is_private: { type: string, default: false",
        )],
        &[(Type, Breaking, "is_private: {", "is_private")],
    ),
    (
        "a request field becomes required",
        &[(
            "required: [message]\n      oneOf",
            "required: [message, is_private]\n      oneOf",
        )],
        &[(Required, Additive, "is_private: {", "is_private")],
    ),
    (
        "a default changes",
        &[("default: false", "default: true")],
        &[(Default, Breaking, "is_private: {", "is_private")],
    ),
    (
        "a value is removed",
        &[("cursor, kimi, sisyphus", "cursor, sisyphus")],
        &[(EnumAdded, Additive, "enum: [claude", "agent_name")],
    ),
    (
        "the rule loses a field",
        &[("        - required: [profile]\n", "")],
        &[(Rule, Additive, "oneOf:", "exactly one")],
    ),
    (
        "a response field is no longer nullable",
        &[(
            "source_url: { type: string, nullable: true,",
            "source_url: { type: string,",
        )],
        &[(Nullable, Breaking, "source_url", "source_url")],
    ),
    (
        "a format is dropped",
        &[(
            "created_at: { type: string, format: date-time, nullable: true, description: When it was created. }",
            "created_at: { type: string, nullable: true }",
        )],
        &[(Format, Informational, "created_at", "created_at")],
    ),
    (
        "a known deviation is mended",
        &[(
            "title: { type: string, nullable: true",
            "title: { type: string",
        )],
        &[(StaleDeviation, Informational, "properties/title", "")],
    ),
    (
        "a code is added",
        &[(
            "x-error-codes: [VALIDATION]",
            "x-error-codes: [VALIDATION, NO_AGENT]",
        )],
        &[(CodeRemoved, Breaking, "NO_AGENT", "400")],
    ),
    (
        "an error is removed",
        &[(
            "        '400': { $ref: '#/components/responses/Invalid' }\n        '401': { $ref: '#/components/responses/Unauthenticated' }\n        '403': { $ref: '#/components/responses/Forbidden' }\n        '422': { $ref: '#/components/responses/Unprocessable' }\n        '429': { $ref: '#/components/responses/RateLimited' }\n  /rest/v1/sessions/{session_id}:",
            "        '401': { $ref: '#/components/responses/Unauthenticated' }\n        '403': { $ref: '#/components/responses/Forbidden' }\n        '422': { $ref: '#/components/responses/Unprocessable' }\n        '429': { $ref: '#/components/responses/RateLimited' }\n  /rest/v1/sessions/{session_id}:",
        )],
        &[(StatusAdded, Additive, "responses:", "400")],
    ),
];

#[test]
fn a_change_of_the_document_is_found() {
    let (text, page) = (document().0.text, xtask::read(PLAIN).unwrap());
    for (change, edits, expected) in ROWS {
        let document = document_of(&edit(&text, edits));
        assert_found(
            change,
            &document,
            &outcome(&document, PLAIN, &page),
            &page,
            expected,
        );
    }
}
