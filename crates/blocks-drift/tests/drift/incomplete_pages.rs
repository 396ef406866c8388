//! Tests with pages that are cut off, removed or replaced, or that cannot be parsed. The check must never report "in
//! sync" for such a page. Some of these pages describe their operations in a form that the check does not recognize
//! (`Send a GET to`). Only pages about no operation, such as guides, may be skipped.

use blocks_drift::finding::{Kind, Severity};

use super::*;

#[test]
fn cut_pages_are_never_in_sync() {
    let (mut count, mut silent) = (0, Vec::new());
    for form in FORMS {
        for (page, text) in pages(form).iter().enumerate() {
            let lines: Vec<&str> = text.text.trim_end().lines().collect();
            for end in 0..lines.len() {
                count += 1;
                let result = changed(form, page, &(lines[..end].join("\n") + "\n"));
                if exit_code(&DOCUMENT, &result) == 0 {
                    silent.push(format!(
                        "{} cut before line {}: {}",
                        text.name,
                        end + 1,
                        lines[end]
                    ));
                }
            }
        }
    }
    println!("{count} cuts");
    assert!(silent.is_empty(), "{} of {count}: {silent:#?}", silent.len());
}

#[test]
fn lost_pages_are_never_in_sync() {
    for form in FORMS {
        for (index, page) in pages(form).iter().enumerate() {
            let hidden = |from: &str, to: &str| page.text.replace(from, to);
            for text in [
                String::new(),
                "Moved.\n".to_owned(),
                "# Page not found\n".to_owned(),
                "<!DOCTYPE html><html></html>".to_owned(),
                "<!-- cached -->\n<html></html>".to_owned(),
                hidden(" /rest/v1", " /api/v2")
                    .replace("team/rest/v1", "team/api/v2")
                    .replace("100 requests", "some"),
                hidden("GET ", "HEAD ").replace("POST ", "HEAD ").replace("100 requests", "some"),
                hidden("GET ", "Send a GET to ")
                    .replace("POST ", "Send a POST to ")
                    .replace("api: \"", "about: \"x")
                    .replace("openapi: ", "about: x")
                    .replace("100 requests", "some"),
            ] {
                let result = changed(form, index, &text);
                assert_ne!(exit_code(&DOCUMENT, &result), 0, "{}: {text}", page.name);
            }
            let mut rest = pages(form);
            rest.remove(index);
            assert_eq!(
                exit_code(&DOCUMENT, &check_pages(&DOCUMENT, &rest)),
                1,
                "without {}",
                page.name
            );
        }
    }
}

/// Makes one field, row, heading or component (such as `<ParamField>`) of a page unreadable. The check must return an
/// error that names a line near it.
#[test]
fn what_is_not_understood_is_an_error_with_its_line() {
    let number = |text: &str, part: &str| {
        let exact = text.lines().position(|l| l == part);
        exact.or_else(|| text.lines().position(|l| l.contains(part))).unwrap() + 1
    };
    for (page, form, from, to, part) in [
        (0, "txt", "profile\nobject", "profile\nobjekt", "objekt"),
        (0, "txt", "\nBody\n", "\nWhat is sent\n", "message"),
        (0, "txt", "source_url\nstring | null", "string | null", "string | null"),
        (0, "txt", "400VALIDATIONNo", "4xxVALIDATIONNo", "4xxVALIDATION"),
        (0, "txt", "400VALIDATIONNo", "VALIDATIONNo", "VALIDATIONNo"),
        (2, "txt", "\nQuery parameters\n", "\nOptional filters\n", "type"),
        (2, "md", "type=\"number\"", "type=\"nummer\"", "nummer"),
        (0, "md", "<Note>", "<Notice>", "<Notice>"),
        (0, "md", "required>", "requierd>", "requierd"),
        (0, "md", "required>", "required=\"perhaps\">", "perhaps"),
        (0, "md", "</ParamField>\n\n## Response", "## Response", "artifact_ids"),
        (1, "md", "| Status |", "| State  |", "`404`"),
        (1, "md", "## Errors", "<SharedErrors />\n\n## Errors", "SharedErrors"),
    ] {
        let text = pages(form)[page].text.replacen(from, to, 1);
        assert_ne!(text, pages(form)[page].text, "{from}");
        let page = PageText { name: "page".to_owned(), text };
        let error = format!("{:#}", blocks_drift::page::check(&DOCUMENT, &page).unwrap_err());
        let text = page.text.replace("</Notice>", "</Note>");
        let line = number(&text, part);
        let near =
            (line.saturating_sub(3)..=line + 3).any(|l| error.contains(&format!("line {l}:")));
        assert!(error.starts_with("page"), "{to}: {error}");
        assert!(near, "{to}: line {line}: {error}");
    }
}

/// A page can list its fields in a Markdown table instead of components such as `<ParamField>`. The table must be
/// compared in the same way.
#[test]
fn tables_of_fields_are_read() {
    let page = "# List\n\n`GET /rest/v1/sessions/{session_id}/messages`\n\n## Query parameters\n\n| Parameter | Type | Required | Default | Description |\n| --- | --- | --- | --- | --- |\n| page | number | ✗ | 1 | Minimum 1. |\n| team | string | ✓ | | New. |\n| view | string | | | New. |\n\n## Response\n\n| Field | Type | Description |\n| --- | --- | --- |\n| `items` | object[] | The messages. |\n";
    let check = |text: &str| {
        blocks_drift::page::check(&DOCUMENT, &PageText { name: "page".into(), text: text.into() })
    };
    let result = check(page).unwrap();
    let added: Vec<(&str, String)> = result
        .findings
        .iter()
        .filter(|f| f.pointer.contains("/get/parameters/"))
        .map(|f| (f.pointer.rsplit('/').next().unwrap(), f.severity.to_string()))
        .collect();
    assert_eq!(added, [("team", "breaking".to_owned()), ("view", "additive".to_owned())]);
    for (from, to) in [
        ("| Parameter |", "| Thing |"),
        ("✗", "perhaps"),
        ("## Query parameters", "## Filters"),
        ("| Type | Required", "| Kind | Required"),
    ] {
        assert!(check(&page.replace(from, to)).is_err(), "{to}");
    }
}

/// The page has only a sample of the request, which may not show all fields. So no field must count as removed, and the
/// check must report an error.
#[test]
fn a_request_with_only_a_sample_is_an_error() {
    let text = "# Create\n\n`POST /rest/v1/sessions`\n\n## Body\n\n```json\n{\"message\": \"Hi\", \"agent_name\": \"claude\"}\n```\n\n## Response\n\n| Field | Type | Description |\n| --- | --- | --- |\n| `id` | string | The id. |\n";
    let page = PageText { name: "page".into(), text: text.into() };
    let result = blocks_drift::page::check(&DOCUMENT, &page).unwrap();
    let error = "createSession has a request body, and the page has neither its fields nor a complete sample";
    assert!(result.errors.iter().any(|e| e.contains(error)), "{:?}", result.errors);
    let breaking = |f: &&Finding| {
        f.severity == Severity::Breaking && f.pointer.contains("CreateSessionRequest")
    };
    let breaking: Vec<&Finding> = result.findings.iter().filter(breaking).collect();
    assert!(breaking.is_empty(), "{breaking:?}");
}

/// Comments and `...` are removed from a sample before it is parsed. A finding must still name the right line of the page.
#[test]
fn a_finding_in_a_shortened_sample_has_its_line() {
    let head = "# Get\n\n`GET /rest/v1/sessions/{session_id}`\n\n## Response\n\n| Field | Type | Description |\n| --- | --- | --- |\n| `id` | string | The id. |\n\n```json\n{\n";
    for removed in [
        "// The session.\n",
        "  // The session.\n",
        "...\n",
        "  \"id\": \"a196cec6-49cb-4c48-8e4c-2707fb5d6709\",\n\n\n...,\n",
        "  \"title\": \"Go.\",\n  \"...\": \"...\",\n",
    ] {
        let text = format!("{head}{removed}  \"session_html_url\": 7\n}}\n```\n");
        let wrong = text.lines().position(|line| line.contains(": 7")).unwrap() + 1;
        let page = PageText { name: "page".into(), text };
        let result = blocks_drift::page::check(&DOCUMENT, &page).unwrap();
        let is_wrong = |f: &&Finding| f.subject == "response sample `session_html_url`";
        let lines: Vec<_> = result.findings.iter().filter(is_wrong).map(|f| f.line).collect();
        assert_eq!(lines, [Some(wrong)], "{removed}: {:?} {:?}", result.findings, result.errors);
    }
}

/// A very deep sample must not overflow the stack of the YAML parser.
#[test]
fn a_very_deep_sample_is_broken() {
    let head = "# Get\n\n`GET /rest/v1/sessions/{session_id}`\n\n## Response\n\n| Field | Type | Description |\n| --- | --- | --- |\n| `id` | string | The id. |\n\n```json\n";
    for sample in ["- ".repeat(30_000) + "1", "[".repeat(30_000)] {
        let page = PageText { name: "page".into(), text: format!("{head}{sample}\n```\n") };
        let result = blocks_drift::page::check(&DOCUMENT, &page).unwrap();
        let broken = result.findings.iter().any(|f| f.kind == Kind::SampleBroken);
        assert!(broken, "{:?} {:?}", result.findings, result.errors);
    }
}

/// A guide or a changelog that quotes a request, or a guide that cannot be parsed, is not compared with the OpenAPI
/// document. A note says why.
#[test]
fn guides_are_left_out_with_a_note() {
    for text in [
        "# Changelog\n\nGET /rest/v1/sessions/{session_id} is faster now.\n",
        "# Guide\n\n## Step 1\n\n```http\nPOST /rest/v1/sessions\n```\n",
        "# Guide\n\n<Card title=\"x\">\n\nNot closed.\n",
    ] {
        let mut pages = pages("md");
        pages.push(PageText { name: "guide".to_owned(), text: text.to_owned() });
        let result = check_pages(&DOCUMENT, &pages);
        assert_eq!(exit_code(&DOCUMENT, &result), 0, "{text}: {:?}", result.errors);
        assert!(result.notes.iter().any(|n| n.starts_with("guide: left out")), "{text}");
    }
}

/// A byte order mark must not hide the operation at the top of a page.
#[test]
fn an_operation_after_a_byte_order_mark_is_found() {
    for mark in ["", "\u{feff}"] {
        let text = format!("{mark}# POST /rest/v1/sessions\n\n<Card title=\"x\">\n\nNot closed.\n");
        let page = PageText { name: "page".to_owned(), text };
        assert!(check_indexed(&DOCUMENT, &page).is_err());
    }
}
