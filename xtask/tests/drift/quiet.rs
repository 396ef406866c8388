//! Changes that mean nothing.

use super::*;

type Row = (&'static str, &'static [Edit]);

const PLAIN_PAGE: &[Row] = &[
    (
        "order of fields",
        &[
            ("profile\nobject\nA profile, by reference or in full.\n", ""),
            (
                "agent_name\nstring\nAn agent",
                "profile\nobject\nA profile.\nagent_name\nstring\nAn agent",
            ),
        ],
    ),
    (
        "wording of a description",
        &[(
            "What the user says first.",
            "The words that the work starts with, whatever they are.",
        )],
    ),
    (
        "wording of values",
        &[(
            "One of claude, codex, gemini, opencode, cursor, kimi.",
            "Either `claude`, `codex`, `gemini`, `opencode`, `cursor`, or `kimi`.",
        )],
    ),
    (
        "order of values",
        &[("claude, codex, gemini", "gemini, claude, codex")],
    ),
    (
        "wording of the rule",
        &[(
            "Give exactly one of agent_id, agent_name, or profile.",
            "You must send exactly one of `profile`, `agent_name` and `agent_id`.",
        )],
    ),
    ("white space at line ends", &[("\n", "  \n")]),
    ("line ends of another system", &[("\n", "\r\n")]),
    (
        "empty lines between fields",
        &[("agent_id\nstring (uuid)", "\nagent_id\nstring (uuid)")],
    ),
    (
        "a heading in other words",
        &[
            ("\nBody\n", "\nRequest body\n"),
            ("\nErrors\n", "\nError responses\n"),
        ],
    ),
    (
        "order of a union",
        &[
            ("string (uuid) | null", "null | string (uuid)"),
            ("source_url\nstring | null", "source_url\nstring or null"),
        ],
    ),
    ("a format in other words", &[("(ISO 8601)", "(date-time)")]),
    (
        "a default without quotes",
        &[("default:\"false\"", "default: false")],
    ),
    (
        "values in a sample",
        &[
            ("Parser renamed", "Another title"),
            ("\"is_private\": true", "\"is_private\": false"),
        ],
    ),
    (
        "order in a sample",
        &[
            ("  \"is_archived\": false,\n", ""),
            ("  \"title\"", "  \"is_archived\": false,\n  \"title\""),
        ],
    ),
    (
        "a sample that shows less",
        &[("  \"source_url\": null,\n", "")],
    ),
    (
        "tabs in the table of errors",
        &[("400VALIDATION", "400\tVALIDATION\t")],
    ),
    (
        "another sentence in the table of errors",
        &[("No agent was named.", "Every one of the three was missing.")],
    ),
    (
        "a row of the table twice",
        &[(
            "400VALIDATIONNo agent was named.\n",
            "400VALIDATIONNo agent was named.\n400VALIDATIONNo agent was given.\n",
        )],
    ),
    (
        "text around the page",
        &[
            ("To the top of the page", "Menu\n\nSearch\n\nTo the top"),
            (
                "of the product.\n",
                "of the product.\n\nWas this of help?\n\nYes\nNo\n",
            ),
        ],
    ),
    (
        "code in another language",
        &[("const answer = await fetch", "let reply = client.post")],
    ),
];

const MARKDOWN_PAGE: &[Row] = &[
    (
        "order of attributes",
        &[(
            "body=\"message\" type=\"string\" required",
            "required type='string' body='message'",
        )],
    ),
    (
        "attributes on lines of their own",
        &[(
            "<ParamField body=\"profile\" type=\"object\">",
            "<ParamField\n  body=\"profile\"\n  type=\"object\"\n>",
        )],
    ),
    (
        "values as expressions",
        &[
            (
                "type=\"string\" required",
                "type={\"string\"} required={true}",
            ),
            ("default={false}", "default=\"false\""),
        ],
    ),
    (
        "a list in an accordion",
        &[
            (
                "<ResponseField name=\"id\"",
                "<Accordion title=\"more\">\n\n  <ResponseField name=\"id\"",
            ),
            ("## Errors", "</Accordion>\n\n## Errors"),
        ],
    ),
    (
        "notes and cards",
        &[("## Body", "<Card title=\"x\" href=\"/y\" />\n\n## Body")],
    ),
    (
        "marks in prose",
        &[(
            "What the user says first.",
            "What the **user** says [first](/x), 1 < 2.",
        )],
    ),
    (
        "the operation in a heading",
        &[
            (
                "api: \"POST https://api.blocks.team/rest/v1/sessions\"\n",
                "",
            ),
            (
                "Opens a session",
                "# POST /rest/v1/sessions\n\nOpens a session",
            ),
        ],
    ),
    (
        "request fields in a table",
        &[(
            "<ParamField body=\"agent_id\" type=\"string<uuid>\">\n  An agent that the workspace made itself.\n</ParamField>",
            "| Field | Type | Required | Description |\n| --- | --- | --- | --- |\n| `agent_id` | string (uuid) | no | An agent. |",
        )],
    ),
    (
        "an example after all else",
        &[
            (
                "<ResponseExample>\n```json 200",
                "<ResponseExample>\n```json",
            ),
            (
                "## Response\n",
                "## Parameters\n\nThe above.\n\n## Response\n",
            ),
            (
                "<RequestExample>\n```bash curl",
                "## Example request\n\n<RequestExample>\n```bash curl",
            ),
        ],
    ),
    (
        "a sample of an error",
        &[(
            "## Errors\n",
            "## Errors\n\n```json\n{ \"error\": \"Name an agent.\" }\n```\n",
        )],
    ),
    (
        "an example in another section",
        &[
            ("</ResponseExample>", "</ResponseExample>\n\n## Response"),
            (
                "## Response\n\n<ResponseExample>\n```json 200",
                "<ResponseExample>\n```json",
            ),
        ],
    ),
];

const DOCUMENT: &[Row] = &[
    ("comments", &[("paths:\n", "# Where things are.\npaths:\n")]),
    (
        "descriptions",
        &[(
            "description: The first user message.",
            "description: Said first.",
        )],
    ),
    (
        "examples",
        &[(
            "example: { agent_name: claude,",
            "example: { agent_name: kimi,",
        )],
    ),
    ("order of values", &[("[claude, codex,", "[codex, claude,")]),
    (
        "style",
        &[(
            "        title: { type: string, nullable: true, description: Its title. }",
            "        title:\n          nullable: true\n          type: string",
        )],
    ),
    (
        "an operation that the page is not about",
        &[("operationId: getArtifact", "operationId: readArtifact")],
    ),
    (
        "a width of numbers",
        &[(
            "total: { type: integer, format: int64,",
            "total: { type: integer, format: int32,",
        )],
    ),
];

#[test]
fn a_page_that_means_the_same_raises_nothing() {
    let document = document();
    for (rows, name) in [(PLAIN_PAGE, PLAIN), (MARKDOWN_PAGE, MARKDOWN)] {
        let page = xtask::read(name).unwrap();
        for (change, edits) in rows {
            let page = edit(&page, edits);
            assert_found(
                change,
                &document,
                &outcome(&document, name, &page),
                &page,
                &[],
            );
        }
    }
}

#[test]
fn a_document_that_means_the_same_raises_nothing() {
    let (text, page) = (document().0.text, xtask::read(PLAIN).unwrap());
    for (change, edits) in DOCUMENT {
        let document = document_of(&edit(&text, edits));
        assert_found(
            change,
            &document,
            &outcome(&document, PLAIN, &page),
            &page,
            &[],
        );
    }
}
