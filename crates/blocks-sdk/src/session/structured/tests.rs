//! Tests the search for the JSON value in an agent's reply. The replies are from `corpus.txt`, or are generated.

use std::collections::BTreeMap;

use proptest::prelude::*;
use schemars::{JsonSchema, schema_for};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::finder::{count_steps, decode, find};
use crate::engine::mismatch::ReplyMismatch;

#[derive(Serialize, Deserialize, JsonSchema)]
struct Verdict {
    verdict: String,
    count: Option<u32>,
}

/// A type without required fields. So even its own schema is a value of the type.
#[derive(Serialize, Deserialize, JsonSchema)]
struct Optional {
    name: Option<String>,
    count: Option<u32>,
    inner: Option<Value>,
    list: Option<Vec<Value>>,
}

#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum Choice {
    Approve,
    Reject,
}

fn schema<T: JsonSchema>() -> Value {
    schema_for!(T).into()
}

/// Replaces the placeholders in a text with the schema. For example, `{{compact}}` becomes the schema on one line, and
/// `{{truncated}}` becomes the schema without its last two lines.
fn with_schema(text: &str, schema: &Value) -> String {
    let mut bare = schema.clone();
    for name in ["$schema", "title"] {
        bare.as_object_mut().and_then(|schema| schema.remove(name));
    }
    let pretty = format!("{schema:#}");
    let lines: Vec<_> = pretty.lines().collect();
    text.replace("{{schema}}", &pretty)
        .replace("{{compact}}", &schema.to_string())
        .replace("{{bare}}", &bare.to_string())
        .replace("{{truncated}}", &lines[..lines.len() - 2].join("\n"))
}

fn found<T: DeserializeOwned + Serialize + JsonSchema>(text: &str) -> Result<Value, ReplyMismatch> {
    let schema = schema::<T>();
    let found = find::<T>(&with_schema(text, &schema), &schema, &mut decode)?;
    Ok(serde_json::to_value(found).unwrap())
}

fn found_as(kind: &str, text: &str) -> Result<Value, ReplyMismatch> {
    match kind {
        "verdict" => found::<Verdict>(text),
        "optional" => found::<Optional>(text),
        "choice" => found::<Choice>(text),
        "map" => found::<BTreeMap<String, Value>>(text),
        "numbers" => found::<Vec<u32>>(text),
        "number" => found::<u32>(text),
        "text" => found::<String>(text),
        "any" => found::<Value>(text),
        _ => panic!("unknown type {kind}"),
    }
}

#[test]
fn replies_of_the_corpus_give_a_value_or_an_error() {
    let corpus = include_str!("corpus.txt");
    let mut wrong = Vec::new();
    let mut count = 0;
    for entry in corpus.split("%%% ").skip(1) {
        let (head, text) = entry.split_once('\n').unwrap();
        let [name, kind, expected] = head.split(" | ").collect::<Vec<_>>()[..] else {
            panic!("{head}");
        };
        let text = text.strip_suffix('\n').unwrap_or(text);
        let is_right = match (expected.split_at(2), found_as(kind, text)) {
            (("= ", value), Ok(found)) => serde_json::from_str::<Value>(value).unwrap() == found,
            (("! ", expected), Err(mismatch)) => {
                let (place, reason) = expected.split_once(' ').unwrap();
                place == format!("{}:{}", mismatch.line(), mismatch.column())
                    && mismatch.reason().starts_with(reason)
            }
            _ => false,
        };
        if !is_right {
            wrong.push(format!("{name}: {:?}", found_as(kind, text)));
        }
        count += 1;
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert_eq!(count, 113);
}

fn any_json() -> impl Strategy<Value = Value> {
    let scalar = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        any::<String>().prop_map(Value::from),
        "[{}\\[\\]\"\\\\`~, \n:]{0,12}".prop_map(Value::from),
    ];
    scalar.prop_recursive(4, 40, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            prop::collection::btree_map(any::<String>(), inner, 0..6)
                .prop_map(|fields| Value::Object(fields.into_iter().collect())),
        ]
    })
}

/// Generates prose that contains no JSON value, although it contains brackets.
fn any_prose() -> impl Strategy<Value = String> {
    let words = prop_oneof![
        "A[^{\\[\r\n]{0,30}",
        Just("It's {name} in \"{quotes}\", see [the guide](https://example.com/{id}).".to_owned()),
        Just("The value is in [0, 1) or {x | x > 1}; '{' and \"[\" are brackets.".to_owned()),
        Just("The set {\"a\": so on.\n".to_owned()),
        Just("A list [1, 2 and so on.\n".to_owned()),
        Just("- [ ] to do\n- [x] done".to_owned()),
    ];
    prop::collection::vec(words, 0..4).prop_map(|lines| lines.join("\n"))
}

/// Generates a value, and a reply that contains the value and prose. The layout of the reply is one that agents use,
/// for example a fenced block of JSON.
fn any_reply() -> impl Strategy<Value = (Value, String)> {
    let parts = (
        any_json(),
        any_prose(),
        any_prose(),
        0..9_u8,
        0..3_u8,
        any::<[bool; 3]>(),
    );
    parts.prop_map(
        |(value, before, after, form, echo, [is_pretty, is_windows, ends])| {
            let json = match is_pretty {
                true => format!("{value:#}"),
                false => value.to_string(),
            };
            let is_container = value.is_object() || value.is_array();
            let wrapped = match form {
                0 => format!("```json\n{json}\n```"),
                1 => format!("```\n{json}\n```"),
                2 => format!("  ~~~~ json\n{json}\n  ~~~~"),
                3 => format!("````markdown\n{after}\n```json\n{json}\n```\n````"),
                4 => format!("```markdown\n{after}\n```json\n{json}\n```\n```"),
                5 => format!("```json\n{json}"),
                6 if is_container => format!("Here: `{json}`."),
                7 if is_container => format!("Here:{json}and so on"),
                _ => json,
            };
            let schema = format!("{:#}", schema::<Value>());
            let echoed = match echo {
                0 => String::new(),
                1 => format!("```json\n{schema}\n```\n"),
                _ => format!("The schema is {schema}\n"),
            };
            let mut text = format!(
                "{echoed}{before}\n{wrapped}\n{}",
                if ends { &after } else { "" }
            );
            if is_windows {
                text = text.replace('\n', "\r\n");
            }
            (value, text)
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn any_value_in_any_wrapping_is_found((value, text) in any_reply()) {
        let found = find::<Value>(&text, &schema::<Value>(), &mut decode);
        prop_assert_eq!(found.map_err(|mismatch| mismatch.to_string()), Ok(value));
    }

    #[test]
    fn any_text_is_read_in_linear_time(text in "[{}\\[\\]\"\\\\`~, \n:)a1tu]{0,200}") {
        prop_assert!(count_steps(&text) <= 12 * text.len() + 12, "{}", count_steps(&text));
        if let Err(mismatch) = find::<Verdict>(&text, &schema::<Verdict>(), &mut decode) {
            prop_assert!(mismatch.offset() <= text.len());
        }
    }
}

#[test]
fn replies_of_five_megabytes_are_found() {
    let numbers: Vec<u32> = (1_000_000..1_000_000 + 600_000).collect();
    let json = serde_json::to_string(&numbers).unwrap();
    let text = format!("{{see}}\n```json\n{json}\n```\n");
    assert!(text.len() > 4_800_000, "{}", text.len());
    let found = find::<Vec<u32>>(&text, &schema::<Vec<u32>>(), &mut decode);
    assert_eq!(found.ok(), Some(numbers));
    let steps = count_steps(&text);
    assert!(
        steps <= 4 * text.len(),
        "{steps} steps for {} bytes",
        text.len()
    );
}

#[test]
fn hostile_replies_are_read_in_linear_time() {
    for part in [
        "[",
        "{",
        "[1,",
        "[1 ",
        "{\"",
        "{\"a\":",
        "{\"a\":1,\n\n",
        "\"",
        "\\",
        "[\"\\",
        "{x",
        "[[1 x",
        "[0,1)",
        "[0, 1)\n\n",
        "[[[[[[[[ 1)",
        "\n",
        " \n",
        "```\n",
        "```json\n{",
        "`",
        "````````````````\n```\n",
        "~~~\n```x\n",
        "1\n",
        "1 \"a\" ",
        "{\"a\":{\"b\"",
        "[{\"a\":1},",
        "{\"a\":\n\n\"",
        "[ ",
        "{ \n\n",
        "tru",
        "-",
        "{\"\\u",
        "[1]",
    ] {
        for text in [part.repeat(20_000), format!("{}x", part.repeat(20_000))] {
            let steps = count_steps(&text);
            assert!(
                steps <= 6 * text.len() + 6,
                "{part:?}: {steps} steps for {} bytes",
                text.len()
            );
        }
    }
}
