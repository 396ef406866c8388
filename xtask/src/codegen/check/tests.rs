//! Tests that broken OpenAPI documents are rejected, and that each error names the right place.

use super::*;

/// Edits that break the OpenAPI document: the replaced text, its replacement, and a part of the expected error.
const BROKEN: &[(&str, &str, &str)] = &[
    ("openapi: 3.0.3\n", "openapi: 3.1.0\n", "/openapi"),
    (
        "openapi: 3.0.3\n",
        "openapi: 3.0.3\nopenapi: 3.0.3\n",
        "duplicate",
    ),
    (
        "openapi: 3.0.3\n",
        "openapi: 3.0.3\nwebhooks: {}\n",
        "/webhooks",
    ),
    (
        "  /rest/v1/sessions:\n",
        "  rest/v1/sessions:\n",
        "/paths/rest~1v1~1sessions",
    ),
    (
        "  /rest/v1/sessions/{session_id}:\n",
        "  /rest/v1/sessions:\n",
        "duplicate",
    ),
    (
        "  /rest/v1/sessions/{session_id}:\n",
        "  /rest/v1/sessions/{id}:\n",
        "/paths/~1rest~1v1~1sessions~1{id}/get",
    ),
    (
        "  /rest/v1/sessions:\n",
        "  /rest/v1/sessions/{session_id}/none: {}\n  /rest/v1/sessions:\n",
        "none",
    ),
    (
        "operationId: getSession",
        "operationId: create_session",
        "/paths/create_session",
    ),
    ("      operationId: getSession\n", "", "/get"),
    (
        "operationId: getSession",
        "operationID: getSession",
        "/get/operationID",
    ),
    (
        "    SessionId:\n",
        "    SessionId:\n      explode: false\n",
        "/components/parameters/SessionId",
    ),
    (
        "      name: page\n      in: query",
        "      name: page\n      in: cookie",
        "/components/parameters/Page",
    ),
    (
        "      in: path\n      required: true",
        "      in: path\n      required: false",
        "/components/parameters/SessionId",
    ),
    (
        "        - $ref: '#/components/parameters/Role'\n",
        "        - $ref: '#/components/parameters/Role'\n        - $ref: '#/components/parameters/Role'\n",
        "messages",
    ),
    (
        "    Direction:\n      type: string",
        "    Direction:\n      type: [string, 'null']",
        "/components/schemas/Direction/type",
    ),
    (
        "    Direction:\n      type: string",
        "    Direction:\n      type: text",
        "/components/schemas/Direction/type",
    ),
    (
        "    Direction:\n      type: string",
        "    Direction:\n      const: asc\n      type: string",
        "/components/schemas/Direction/const",
    ),
    (
        "enum: [asc, desc]",
        "enum: []",
        "/components/schemas/Direction/enum",
    ),
    (
        "enum: [asc, desc]",
        "enum: [asc, desc, ASC]",
        "/components/schemas/Direction/enum",
    ),
    (
        "enum: [asc, desc]",
        "enum: [asc, 1]",
        "/components/schemas/Direction/enum",
    ),
    (
        "    Link:\n      type: object",
        "    Link:\n      <<: { nullable: true }\n      type: object",
        "/components/schemas/Link/<<",
    ),
    (
        "    Link:\n      type: object",
        "    link: { type: object }\n    Link:\n      type: object",
        "/components/schemas/",
    ),
    (
        "    Link:\n      type: object",
        "    Link:\n      proprties: {}\n      type: object",
        "/components/schemas/Link/proprties",
    ),
    (
        "    Link:\n      type: object",
        "    Link:\n      if: {}\n      type: object",
        "/components/schemas/Link/if",
    ),
    (
        "required: [href]",
        "required: [hrf]",
        "/components/schemas/Link/required",
    ),
    (
        "required: [href]",
        "required: true",
        "/components/schemas/Link/required",
    ),
    (
        "        href: { type: string,",
        "        extra: { type: string }\n        href: { type: string,",
        "/components/schemas/Link/properties/extra",
    ),
    (
        "        href: { type: string,",
        "        Href: { type: string }\n        href: { type: string,",
        "/components/schemas/Link/properties/",
    ),
    (
        "        href: { type: string,",
        "        '-': { type: string }\n        href: { type: string,",
        "/components/schemas/Link/properties/-",
    ),
    (
        "        href: { type: string,",
        "        href: { type: string, items: {},",
        "/components/schemas/Link/properties/href/items",
    ),
    (
        "url: { $ref: '#/components/schemas/PresignedUrl' }",
        "url: { $ref: '#/components/schemas/PresignedUrl', nullable: true }",
        "/components/schemas/Artifact/properties/url",
    ),
    (
        "url: { $ref: '#/components/schemas/PresignedUrl' }",
        "url: { $ref: '#/components/schemas/None' }",
        "/components/schemas/Artifact/properties/url",
    ),
    (
        "    PresignedUrl:\n      type: string",
        "    A: { $ref: '#/components/schemas/A' }\n    PresignedUrl:\n      type: string",
        "/components/schemas/A",
    ),
    (
        "minimum: 1, maximum: 100",
        "minimum: 101, maximum: 100",
        "/components/parameters/Limit/schema/maximum",
    ),
    (
        "minimum: 1, maximum: 100",
        "multipleOf: 2, maximum: 100",
        "/components/parameters/Limit/schema/multipleOf",
    ),
    (
        "items: { type: array, description: The messages., items: { $ref: '#/components/schemas/Message' } }",
        "items: { type: array, description: The messages. }",
        "/components/schemas/MessagePage/properties/items",
    ),
    ("  - ApiKey: []", "  - Bearer: []", "/security/0"),
    (
        "        '404': { $ref: '#/components/responses/NotFound' }",
        "        '4004': { $ref: '#/components/responses/NotFound' }",
        "/responses/4004",
    ),
    (
        "      responses: *messagePage",
        "      responses: {}",
        "/responses",
    ),
    (
        "          application/json:\n            schema: { $ref: '#/components/schemas/CreateSessionRequest' }",
        "          text/plain:\n            schema: { $ref: '#/components/schemas/CreateSessionRequest' }",
        "/requestBody",
    ),
    (
        "        href: { type: string,",
        "        a: { type: object, properties: { b: { type: string } } }\n        href: { type: string,",
        "/components/schemas/Link/properties/a: an object in a response needs",
    ),
    (
        "        href: { type: string,",
        "        a: { type: object }\n        href: { type: string,",
        "/components/schemas/Link/properties/a: an object in a response needs",
    ),
    (
        "        href: { type: string,",
        "        a: { type: array, items: { type: object, additionalProperties: false } }\n        href: { type: string,",
        "/components/schemas/Link/properties/a/items: an object",
    ),
    (
        "        href: { type: string,",
        "        a: { type: object, additionalProperties: { type: string, format: date } }\n        href: { type: string,",
        "/components/schemas/Link/properties/a/additionalProperties/format",
    ),
    (
        "        href: { type: string,",
        "        a: { type: string, pattern: x }\n        href: { type: string,",
        "/components/schemas/Link/properties/a/pattern",
    ),
    (
        "        href: { type: string,",
        "        a: { type: array, minItems: 2, maxItems: 2, items: { type: string } }\n        href: { type: string,",
        "/components/schemas/Link/properties/a/maxItems",
    ),
    (
        "        href: { type: string,",
        "        a: { anyOf: [{ type: string }, { type: number }] }\n        href: { type: string,",
        "/components/schemas/Link/properties/a/anyOf",
    ),
    (
        "        href: { type: string,",
        "        a: { oneOf: [{ $ref: '#/components/schemas/Link' }] }\n        href: { type: string,",
        "/components/schemas/Link/properties/a/oneOf",
    ),
    (
        "        href: { type: string,",
        "        a: { nullable: true }\n        href: { type: string,",
        "/components/schemas/Link/properties/a/nullable",
    ),
    (
        "        href: { type: string,",
        "        a_request: { type: object, additionalProperties: true, properties: { b: { type: string } } }\n        href: { type: string,",
        "/components/schemas/Link/properties/a_request",
    ),
    (
        "        href: { type: string,",
        "        a: { type: string, enum: [x] }\n        href: { type: string,",
        "/components/schemas/Link/properties/a/enum",
    ),
    (
        "        href: { type: string,",
        "        a: { type: string, nullable: yes }\n        href: { type: string,",
        "/components/schemas/Link/properties/a/nullable: `nullable` must be true or false",
    ),
    (
        "        href: { type: string,",
        "        a: { type: string, nullable: 'true' }\n        href: { type: string,",
        "/components/schemas/Link/properties/a/nullable: `nullable` must be true or false",
    ),
    (
        "        href: { type: string,",
        "        a: { type: string, x-usualformat: uuid }\n        href: { type: string,",
        "/components/schemas/Link/properties/a/x-usualformat",
    ),
    (
        "        href: { type: string,",
        "        a: { type: string, x-usual-format: datetime }\n        href: { type: string,",
        "/components/schemas/Link/properties/a/x-usual-format",
    ),
    (
        "        href: { type: string,",
        "        a: { type: integer, x-usual-format: uuid }\n        href: { type: string,",
        "/components/schemas/Link/properties/a/x-usual-format",
    ),
    (
        "        href: { type: string,",
        "        a: { $ref: '#/components/responses/NotFound' }\n        href: { type: string,",
        "/components/schemas/Link/properties/a: the reference",
    ),
    (
        "        href: { type: string,",
        "        a: { $ref: '#/components/schemas/Link/properties/href' }\n        href: { type: string,",
        "/components/schemas/Link/properties/a: the reference",
    ),
    (
        "        href: { type: string,",
        "        a:\n          $ref: #/components/schemas/Link\n        href: { type: string,",
        "/components/schemas/Link/properties/a: `$ref` must be a text in quotes",
    ),
    (
        "x-needed: [href]",
        "x-needed: [hrf]",
        "/components/schemas/Link/x-needed",
    ),
    (
        "x-needed: [href]",
        "x-need: [href]",
        "/components/schemas/Link/x-need",
    ),
    (
        "x-error-codes: [NOT_FOUND]",
        "x-error-code: [NOT_FOUND]",
        "/components/responses/NotFound/x-error-code",
    ),
    (
        "      description: A link. Its host can differ from the one that was called.\n      additionalProperties: true\n",
        "      description: A link.\n",
        "/components/schemas/Link: an object in a response needs",
    ),
    (
        "    Link:\n      type: object",
        "    Timestamp: { type: integer }\n    Link:\n      type: object",
        "/components/schemas/Timestamp",
    ),
    (
        "    Link:\n      type: object",
        "    Colour: { type: string, enum: [red] }\n    Link:\n      type: object",
        "/components/schemas/Colour/enum: an enum is written by hand",
    ),
    (
        "        '401': { $ref: '#/components/responses/Unauthenticated' }",
        "        '401': { $ref: '#/components/schemas/ErrorBody' }",
        "/responses/401: the reference",
    ),
];

#[test]
fn the_document_passes() {
    check("d.yaml", &crate::read("openapi/blocks.yaml").unwrap()).unwrap();
}

#[test]
fn broken_documents_are_errors_with_a_place() {
    let text = crate::read("openapi/blocks.yaml").unwrap();
    for (from, to, place) in BROKEN {
        let broken = text.replacen(from, to, 1);
        assert_ne!(text, broken, "{from}");
        let error = check("d.yaml", &broken).expect_err(to);
        let line: usize = error
            .split(':')
            .nth(1)
            .and_then(|l| l.trim().parse().ok())
            .expect(&error);
        assert!(line > 0, "{to}: {error}");
        assert!(error.contains(place), "{to}: {error}");
    }
    assert!(BROKEN.len() >= 30);
    for text in [
        "",
        "- 1\n",
        "1",
        "a: [",
        "\u{feff}openapi: 3.0.3\n",
        "openapi: 3.0.3\npaths: {}\n",
        "1: 2\n",
    ] {
        let error = check("d.yaml", text).expect_err(text);
        assert!(error.starts_with("d.yaml:"), "{error}");
    }
}
