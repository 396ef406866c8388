//! Query parameters and the enums of a response, on a page that this module writes itself.

use super::*;

const PAGE: &str = "\
GET /rest/v1/sessions/{id}/messages

Query parameters

type
string[]
One of message, final_message, tool_call.
role
string[]
Either user or assistant.
thread_id
string (uuid)
Of one thread.
gts
number
Later than.
page
integer
default:1
From 1.
limit
integer
default:50
Between 1 and 100.
direction
string
One of asc, desc.

Response

items
object[]
The messages.
items[].role
string | null
One of user, assistant.
";

/// What the change alone brings: such a short page differs anyhow.
fn brought(edits: &[Edit]) -> Vec<(Kind, Severity, String)> {
    let document = document();
    let find = |page: &str| -> Vec<(Kind, Severity, String)> {
        let outcome = outcome(&document, "page", page);
        outcome
            .findings
            .into_iter()
            .map(|f| (f.kind, f.severity, f.pointer))
            .collect()
    };
    let base = find(PAGE);
    find(&edit(PAGE, edits))
        .into_iter()
        .filter(|f| !base.contains(f))
        .collect()
}

#[test]
fn a_change_of_a_query_parameter_is_found() {
    let parameter = |name: &str| format!("/components/parameters/{name}");
    for (edits, expected) in [
        (
            ("default:50", "default:20"),
            (Default, Breaking, format!("{}/schema", parameter("Limit"))),
        ),
        (
            ("1 and 100", "1 and 50"),
            (Limit, Breaking, format!("{}/schema", parameter("Limit"))),
        ),
        (
            ("1 and 100", "1 and 500"),
            (Limit, Additive, format!("{}/schema", parameter("Limit"))),
        ),
        (
            ("One of asc, desc.", "One of asc, desc, none."),
            (
                EnumAdded,
                Additive,
                "/components/schemas/Direction/enum/none".to_owned(),
            ),
        ),
        (
            (
                "message, final_message, tool_call",
                "message, final_message",
            ),
            (
                EnumRemoved,
                Breaking,
                "/components/schemas/MessageType/enum/tool_call".to_owned(),
            ),
        ),
        (
            ("gts\nnumber\nLater than.\n", ""),
            (FieldRemoved, Breaking, parameter("Gts")),
        ),
        (
            ("gts\nnumber", "gts\nnumber\nrequired"),
            (Required, Breaking, format!("{}/schema", parameter("Gts"))),
        ),
    ] {
        let found = brought(&[edits]);
        assert_eq!(found, [expected], "{edits:?}");
    }
}

/// A new value in an answer weighs less than one that a request may no longer send.
#[test]
fn a_value_weighs_by_the_side_that_it_stands_on() {
    let role = |value: &str| format!("/components/schemas/MessageRole/enum/{value}");
    let found = brought(&[("One of user, assistant.", "One of user, assistant, system.")]);
    assert_eq!(found, [(EnumAdded, Additive, role("system"))]);
    let found = brought(&[(
        "string | null\nOne of user, assistant.",
        "string | null\nOne of user, nobody.",
    )]);
    assert_eq!(
        found,
        [
            (EnumAdded, Additive, role("nobody")),
            (EnumRemoved, Informational, role("assistant"))
        ]
    );
    let found = brought(&[("Either user or assistant.", "Either user or nobody.")]);
    assert_eq!(
        found,
        [
            (EnumAdded, Additive, role("nobody")),
            (EnumRemoved, Breaking, role("assistant"))
        ]
    );
}
