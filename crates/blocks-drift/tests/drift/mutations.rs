//! Tests that changes of a page's meaning cause a finding. The tests change every field, known texts and the samples of
//! all pages, in plain text and in Markdown. Another test changes the OpenAPI document.

use blocks_drift::finding::{Kind, Severity};
use blocks_drift::run::PAGES;
use regex::Regex;

use super::*;
use Kind::*;

/// A changed page, and the finding that it must cause.
struct Mutation {
    what: String,
    form: &'static str,
    page: usize,
    text: String,
    kinds: Vec<Kind>,
    severity: Severity,
    /// A string that must be in the finding's pointer, in its subject, or in the page's statement.
    place: String,
}

/// A field of a page. `line` is the line of the field's name, counted from 0, and `kind` is the field's type.
struct Field {
    line: usize,
    name: String,
    kind: String,
    sent: bool,
    path: bool,
    required: bool,
}

fn fields(form: &str, text: &str) -> Vec<Field> {
    let is_component =
        |line: &str| ["<ParamField ", "<ResponseField "].iter().any(|c| line.contains(c));
    let attribute = |line: &str, name: &str| {
        let (_, rest) = line.split_once(&format!(" {name}=\""))?;
        Some(rest.split_once('"')?.0.to_owned())
    };
    let lines: Vec<&str> = text.lines().collect();
    let (mut found, mut section) = (Vec::new(), "");
    for (line, content) in lines.iter().enumerate() {
        if form == "md" && is_component(content) {
            let name = ["body", "query", "path", "name"].iter().find_map(|a| attribute(content, a));
            found.push(Field {
                line,
                name: name.unwrap(),
                kind: attribute(content, "type").unwrap(),
                sent: content.contains("ParamField"),
                path: content.contains(" path="),
                required: content.contains(" required"),
            });
        }
        if ["Body", "Response", "Path parameters", "Query parameters", "Errors"].contains(content) {
            section = content;
        }
        let next = lines.get(line + 1).copied().unwrap_or_default();
        let kinds = ["string", "boolean", "number", "object"];
        let word =
            !content.is_empty() && content.chars().all(|c| c.is_ascii_lowercase() || c == '_');
        if form == "txt"
            && word
            && !kinds.contains(content)
            && kinds.iter().any(|k| next.starts_with(k))
        {
            found.push(Field {
                line,
                name: (*content).to_owned(),
                kind: next.to_owned(),
                sent: section != "Response",
                path: section.starts_with("Path"),
                required: lines.get(line + 2) == Some(&"required"),
            });
        }
    }
    found
}

/// Returns `text` after `change` was applied to one line.
fn at(text: &str, line: usize, change: impl Fn(&str) -> String) -> String {
    let lines =
        text.lines().enumerate().map(|(i, l)| if i == line { change(l) } else { l.to_owned() });
    lines.collect::<Vec<_>>().join("\n") + "\n"
}

fn of_fields(form: &'static str, page: usize, text: &str, found: &mut Vec<Mutation>) {
    let original = text;
    for field in fields(form, text) {
        let (name, line) = (&field.name, field.line);
        let type_line = if form == "md" { line } else { line + 1 };
        let mut add = |what: &str, text: String, kinds: &[Kind], severity, place: String| {
            let what = format!("{}.{form}: {what} of {name}", PAGES[page]);
            found.push(Mutation { what, form, page, text, kinds: kinds.to_vec(), severity, place });
        };
        let other = if field.kind.starts_with("boolean") { "number" } else { "boolean" };
        let retyped = at(text, type_line, |l| l.replacen(&field.kind, other, 1));
        add("another type", retyped, &[Type], Severity::Breaking, name.clone());
        let renamed = at(text, line, |l| l.replacen(name.as_str(), &format!("{name}_new"), 1));
        let added = if field.required { Severity::Breaking } else { Severity::Additive };
        add("another name", renamed, &[FieldAdded], added, format!("{name}_new"));
        if !field.path {
            let text = if form == "md" {
                at(text, line, |l| {
                    l.replacen(
                        &format!("type=\"{}\"", field.kind),
                        &format!("type=\"{} | null\"", field.kind),
                        1,
                    )
                })
            } else {
                at(text, type_line, |l| format!("{l} | null"))
            };
            if field.sent {
                add("null", text, &[Nullable], Severity::Additive, name.clone());
                let mut lines: Vec<String> = original.lines().map(str::to_owned).collect();
                match (form, field.required) {
                    ("md", true) => lines[line] = lines[line].replace(" required", ""),
                    ("md", false) => {
                        lines[line] = lines[line].replace("<ParamField", "<ParamField required")
                    }
                    (_, true) => drop(lines.remove(line + 2)),
                    (_, false) => lines.insert(line + 2, "required".to_owned()),
                }
                let text = lines.join("\n") + "\n";
                let severity = if field.required { Severity::Additive } else { Severity::Breaking };
                add("another mark", text, &[Required], severity, name.clone());
            }
        }
        let lines: Vec<&str> = original.lines().collect();
        let others = fields(form, original);
        let ends = |i: &usize| match form {
            "md" => lines[i - 1].starts_with("</"),
            _ => lines[*i].is_empty() || others.iter().any(|f| f.line == *i),
        };
        let end = (line + 1..lines.len()).find(ends).unwrap();
        let text = [&lines[..line], &lines[end..]].concat().join("\n") + "\n";
        // The description of the field was removed. `shown` is true if the check still finds the field elsewhere on the
        // page. A field of a response is still in the sample. A path parameter is still in the path, but the check
        // reads the path only if no path parameter is described, so the removed one must be the only one.
        let shown = !field.sent || (field.path && others.iter().filter(|f| f.path).count() == 1);
        let (kind, severity) = match shown {
            true => (FieldUndescribed, Severity::Informational),
            false => (FieldRemoved, Severity::Breaking),
        };
        let place = if field.path && shown { "in the path only" } else { name };
        add("no description", text, &[kind], severity, place.to_owned());
        if field.kind.contains("uuid") {
            let text = at(original, type_line, |l| l.replace("uuid", "ulid"));
            // The keyword `x-usual-format` states the usual format of a response field, and the service may also send
            // other formats. So another format on the page is then only an informational finding.
            let usual = DOCUMENT.0.text.contains("x-usual-format") && !field.sent;
            let severity = if usual { Severity::Informational } else { Severity::Breaking };
            add("another format", text, &[Format], severity, name.clone());
        }
    }
}

/// Replacements of text, and the finding that each must cause: its kind, its severity, and a part of its place. Each
/// replacement is made on every page that contains the text, one page at a time. A replacement that removes an
/// operation is not made on the quick start.
const WORDS: &[(&str, &str, Kind, Severity, &str)] = &[
    ("Minimum 1, maximum 100", "Minimum 1, maximum 500", Limit, Severity::Additive, "Limit"),
    ("Minimum 1, maximum 100", "Minimum 5, maximum 100", Limit, Severity::Breaking, "Limit"),
    ("Minimum 1, maximum 100.", "", Limit, Severity::Informational, "Limit"),
    ("Minimum 1.", "Minimum 0.", Limit, Severity::Additive, "Page"),
    (
        "What the user says first.",
        "At most 9,000 characters.",
        Limit,
        Severity::Breaking,
        "message",
    ),
    ("tool_call", "tool_use", EnumAdded, Severity::Additive, "tool_use"),
    (", kimi", "", EnumRemoved, Severity::Breaking, "kimi"),
    (", `kimi`", "", EnumRemoved, Severity::Breaking, "kimi"),
    ("newest first", "oldest first", Order, Severity::Informational, "oldest first"),
    ("Always user", "Always assistant", EnumRemoved, Severity::Informational, "user"),
    ("Always `user`", "Always `assistant`", EnumRemoved, Severity::Informational, "user"),
    ("exactly one of", "at least one of", Rule, Severity::Additive, "oneOf"),
    ("**exactly one of**", "one of", Rule, Severity::Informational, "oneOf"),
    ("NOT_FOUND", "GONE_AWAY", CodeRemoved, Severity::Breaking, "NOT_FOUND"),
    ("NOT_FOUND", "GONE_AWAY", CodeAdded, Severity::Additive, "GONE_AWAY"),
    ("BAD_REQUEST", "NO_MESSAGE", CodeRemoved, Severity::Breaking, "BAD_REQUEST"),
    ("404", "410", StatusRemoved, Severity::Breaking, "responses/404"),
    ("404", "410", StatusAdded, Severity::Additive, "responses/410"),
    ("400", "409", StatusRemoved, Severity::Breaking, "responses/400"),
    ("400", "409", StatusAdded, Severity::Additive, "responses/409"),
    ("ApiKey", "Bearer", Security, Severity::Breaking, "Bearer"),
    (
        "https://api.blocks.team",
        "https://rest.blocks.team",
        Server,
        Severity::Breaking,
        "rest.blocks",
    ),
    (
        "POST https://api.blocks.team",
        "POST https://api.eu.blocks.team",
        Server,
        Severity::Breaking,
        "api.eu",
    ),
    ("100 requests", "60 requests", RateLimit, Severity::Breaking, "60 requests"),
    ("minute / API key", "minute / workspace", RateLimit, Severity::Breaking, "workspace"),
    ("default:\"1\"", "default:\"0\"", Default, Severity::Breaking, "Page"),
    ("default={1}", "default={0}", Default, Severity::Breaking, "Page"),
    ("default:\"50\"", "default:\"20\"", Default, Severity::Breaking, "Limit"),
    ("default={50}", "default={20}", Default, Severity::Breaking, "Limit"),
    ("default={50}", "", Default, Severity::Informational, "Limit"),
    ("default:\"assistant\"", "default:\"user\"", Default, Severity::Additive, "Role"),
    ("default:\"desc\"", "default:\"asc\"", Default, Severity::Additive, "Direction"),
    ("default:\"false\"", "default:\"true\"", Default, Severity::Breaking, "is_private"),
    ("default={false}", "default={true}", Default, Severity::Breaking, "is_private"),
    (
        "POST /rest/v1/sessions",
        "PUT /rest/v1/sessions",
        OperationRemoved,
        Severity::Breaking,
        "post",
    ),
    (
        "/rest/v1/sessions/{session_id}\n",
        "/rest/v2/sessions/{session_id}\n",
        OperationRemoved,
        Severity::Breaking,
        "get",
    ),
    (
        "threads/{thread_id}/messages",
        "thread/{thread_id}/messages",
        OperationRemoved,
        Severity::Breaking,
        "threads",
    ),
    (
        "agent_name: \"codex\"",
        "agent: \"codex\"",
        FieldAdded,
        Severity::Additive,
        "properties/agent",
    ),
    ("message: \"Now", "text: \"Now", FieldAdded, Severity::Additive, "properties/text"),
    ("\"agent_name\": \"codex\"", "\"agent_name\": 7", Type, Severity::Breaking, "agent_name"),
    ("/messages?type=final", "/notes?type=final", Link, Severity::Breaking, "href"),
    (
        "curl https://api.blocks.team/rest/v1",
        "curl https://api.blocks.team/rest/v2",
        SampleRequest,
        Severity::Breaking,
        "/rest/v2",
    ),
    ("curl https", "curl -X PUT https", SampleRequest, Severity::Breaking, "PUT /rest"),
    (" \\\n  -d '{ \"message\": \"Now", " # '", SampleRequest, Severity::Breaking, "GET /rest"),
    ("team/rest/v1/sessions\", {", "team/rest/v2\", {", SampleRequest, Severity::Breaking, "/v2"),
    ("method: \"POST\"", "method: \"PUT\"", SampleRequest, Severity::Breaking, "PUT /rest"),
    (
        "title: \"Open a session\"",
        "title: \"Open a session\"\ndeprecated: true",
        Deprecated,
        Severity::Informational,
        "sessions/post",
    ),
    (
        "Opens a session, files its first message and starts the agent.\n\n",
        "<Warning>This endpoint is deprecated and will be removed in May. Use `POST /rest/v2/sessions`.</Warning>\n\n",
        Deprecated,
        Severity::Informational,
        "sessions/post",
    ),
    (
        "Opens a session, files",
        "The operation is deprecated. Opens a session, files",
        Deprecated,
        Severity::Informational,
        "sessions/post",
    ),
    (
        "To the top of the page\n\nPOST",
        "Deprecated: this endpoint is going away\n\nPOST",
        Deprecated,
        Severity::Informational,
        "post",
    ),
];

fn of_words(form: &'static str, page: usize, text: &str, found: &mut Vec<Mutation>) {
    for (from, to, kind, severity, place) in WORDS {
        let quoted = matches!(kind, OperationRemoved) && PAGES[page] == "quick-start";
        if text.contains(from) && !quoted {
            let what = format!("{}.{form}: {from} becomes {to}", PAGES[page]);
            let text = text.replace(from, to);
            let (kinds, place) = (vec![*kind], (*place).to_owned());
            found.push(Mutation { what, form, page, text, kinds, severity: *severity, place });
        }
    }
}

/// Adds mutations of each field whose value is on one line of a response sample: another name, and another type. A list
/// or an object gets only another name.
fn of_samples(form: &'static str, page: usize, text: &str, found: &mut Vec<Mutation>) {
    let member = Regex::new(r#"^ {2,6}"([a-z_]+)": (.*[^{\[,]),?$"#).unwrap();
    let start = text.lines().position(|l| l.contains("Response")).unwrap_or(0);
    for (line, content) in text.lines().enumerate().skip(start) {
        let Some(c) = member.captures(content) else {
            continue;
        };
        let mut add = |what: &str, text: String, kinds: &[Kind], severity, place: String| {
            let what = format!("{}.{form}: {what} of {} in the sample", PAGES[page], &c[1]);
            found.push(Mutation { what, form, page, text, kinds: kinds.to_vec(), severity, place });
        };
        let renamed = at(text, line, |l| l.replacen(&c[1], &format!("{}_new", &c[1]), 1));
        add("another name", renamed, &[FieldAdded], Severity::Additive, format!("{}_new", &c[1]));
        if !c[2].starts_with('[') && !c[2].starts_with('{') {
            let retyped = at(text, line, |l| l.replacen(&c[2], "[7]", 1));
            add("another type", retyped, &[Type, EnumAdded], Severity::Breaking, c[1].to_owned());
        }
    }
}

fn mutations() -> Vec<Mutation> {
    let mut found = Vec::new();
    for form in FORMS {
        for (page, text) in pages(form).iter().enumerate() {
            of_fields(form, page, &text.text, &mut found);
            of_words(form, page, &text.text, &mut found);
            of_samples(form, page, &text.text, &mut found);
        }
    }
    for (from, to, ..) in WORDS {
        let what = format!(": {from} becomes {to}");
        assert!(found.iter().any(|m| m.what.ends_with(&what)), "no page contains {from}");
    }
    found
}

/// Runs in two threads, because this test takes longer than all others.
#[test]
fn changes_of_pages_are_found() {
    let mutations = mutations();
    assert!(mutations.len() >= 600, "{}", mutations.len());
    std::thread::scope(|scope| {
        for half in mutations.chunks(mutations.len().div_ceil(2)) {
            scope.spawn(move || mutations_are_found(half));
        }
    });
}

fn mutations_are_found(mutations: &[Mutation]) {
    let (mut missed, mut silent) = (Vec::new(), Vec::new());
    for m in mutations {
        assert_ne!(pages(m.form)[m.page].text, m.text, "{}: nothing changed", m.what);
        let result = changed(m.form, m.page, &m.text);
        let is_it = |f: &Finding| {
            f.known.is_none()
                && m.kinds.contains(&f.kind)
                && f.severity == m.severity
                && [&f.pointer, &f.other, &f.subject].iter().any(|t| t.contains(&m.place))
        };
        if !result.findings.iter().any(is_it) {
            let drift: Vec<&Finding> =
                result.findings.iter().filter(|f| f.known.is_none()).collect();
            missed.push(format!("{}: {:?} {drift:?}", m.what, result.errors));
        }
        if exit_code(&DOCUMENT, &result) == 0 {
            silent.push(&m.what);
        }
    }
    println!("{} of {} changes found", mutations.len() - missed.len(), mutations.len());
    assert!(silent.is_empty(), "in sync: {silent:#?}");
    assert!(missed.is_empty(), "{} missed: {missed:#?}", missed.len());
}

#[test]
fn changes_of_the_document_are_found() {
    for (from, to, kind) in [
        ("maximum: 100,", "maximum: 50,", Limit),
        ("x-error-codes: [NOT_FOUND]", "x-error-codes: [GONE]", CodeAdded),
        ("name: Authorization", "name: X-Key", Security),
        ("url: https://api.blocks.team", "url: https://api.example", Server),
        ("100 requests per minute", "200 requests per minute", RateLimit),
        ("default: 50", "default: 20", Default),
        (
            "in: query\n      description: The page,",
            "in: query\n      required: true\n      description: The page,",
            Required,
        ),
        ("      name: limit\n      in: query", "      name: limit\n      in: header", FieldAdded),
        ("enum: [asc, desc]", "enum: [asc, desc, none]", EnumRemoved),
    ] {
        let text = replaced(&DOCUMENT.0.text, from, to);
        let document = document(&text);
        for form in FORMS {
            let result = check_pages(&document, &pages(form));
            let found = result.findings.iter().any(|f| f.kind == kind && f.known.is_none());
            assert!(found, "{form}: {from}: {:#?}", result.findings);
        }
    }
}
