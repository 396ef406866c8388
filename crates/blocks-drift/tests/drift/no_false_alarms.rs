//! Tests that a page causes no drift and no error if its text changes but its meaning does not.

use super::*;

type Edit = (&'static str, fn(&str, &str) -> String);

fn on_lines(text: &str, change: impl Fn(&str) -> String) -> String {
    text.lines().map(|l| change(l) + "\n").collect()
}

fn is_heading(form: &str, line: &str) -> bool {
    line.starts_with("## ")
        || (form == "txt"
            && ["Body", "Response", "Errors", "Path parameters", "Query parameters"]
                .contains(&line))
}

const EDITS: &[Edit] = &[
    ("line ends of Windows", |_, t| t.replace('\n', "\r\n")),
    ("spaces at line ends", |form, t| {
        if form == "txt" { on_lines(t, |l| format!("{l}  ")) } else { t.to_owned() + "  \n" }
    }),
    ("a byte order mark", |_, t| format!("\u{feff}{t}")),
    ("empty lines at the end", |_, t| t.to_owned() + "\n\n\n"),
    ("a sentence at the top", |form, t| {
        if form == "md" {
            t.replacen("\n\n", "\n\nSome words about it, as of 2026.\n\n", 1)
        } else {
            format!("Some words about it.\n\n{t}")
        }
    }),
    ("a section of prose", |form, t| {
        let heading = if form == "md" { "## Good to know" } else { "Good to know" };
        let at = t.lines().position(|l| is_heading(form, l) && l.contains("Errors"));
        let lines: Vec<&str> = t.lines().collect();
        match at {
            Some(at) => {
                [&lines[..at], &[heading, "", "An agent works for minutes.", ""], &lines[at..]]
                    .concat()
                    .join("\n")
                    + "\n"
            }
            None => format!("{t}\n{heading}\n\nAn agent works for minutes.\n"),
        }
    }),
    ("other words for headings", |form, t| {
        on_lines(t, |l| {
            if is_heading(form, l) {
                l.replace("Path parameters", "Path params")
                    .replace("Body", "Request body")
                    .replace("Errors", "Error codes")
            } else {
                l.to_owned()
            }
        })
    }),
    ("a picture in headings", |form, t| {
        on_lines(t, |l| {
            if is_heading(form, l) {
                l.replace("Body", "📦 Body").replace("Response", "\u{200b}Response")
            } else {
                l.to_owned()
            }
        })
    }),
    ("other ids", |_, t| t.replace("5f0c7a52-3a1e", "11111111-3a1e")),
    ("shortened ids", |_, t| t.replace("8c1d2f6e-7b7e-4f0e-9a51-6f2f3c1f2b22", "8c1d…")),
    ("names for ids", |_, t| {
        t.replace("\"8c1d2f6e-7b7e-4f0e-9a51-6f2f3c1f2b22\"", "\"<thread_id>\"")
    }),
    ("other texts in samples", |_, t| {
        t.replace("Parser renamed", "Another title").replace("Now document it.", "Write it down.")
    }),
    ("slashes in samples", |_, t| t.replace("Parser renamed", "Parser // renamed")),
    ("escaped quotation marks in samples", |_, t| {
        t.replace("Now document it.", "Now \\\"document}\\\" it.")
    }),
    ("other times", |_, t| t.replace("2026-05-02T", "2027-01-31T")),
    ("another host in links", |_, t| {
        t.replace("\"href\": \"https://api.blocks.team", "\"href\": \"https://eu.blocks.team")
    }),
    ("capitals in the rate limit", |_, t| {
        t.replace("100 requests / minute", "100 Requests / Minute")
    }),
    ("other descriptions", |_, t| {
        t.replace("The session to read.", "Which one.").replace("A profile,", "Some profile,")
    }),
    ("another word for one of", |_, t| t.replace("One of ", "Must be one of ")),
    ("a comment", |form, t| {
        if form == "md" {
            t.replacen("## ", "{/* <ParamField body=\"draft\" type=\"string\">x</ParamField> */}\n\n<!-- 500 GONE -->\n\n## ", 1)
        } else {
            t.to_owned() + "\n"
        }
    }),
    ("other attributes", |_, t| {
        t.replace(
            "type=\"string\" required>",
            "required type=\"string\" style={{ a: 1 }} placeholder=\"a & b\">",
        )
    }),
    ("a time in prose", |_, t| {
        t.replace("Polling\n\n", "Polling\n\nAfter 500 ms, wait 2 seconds. ")
    }),
    ("types in other words", |_, t| {
        t.replace("string (ISO 8601)", "ISO 8601 string")
            .replace("string[] (uuid[])", "array of string (uuid)")
    }),
    ("an operation that is not deprecated", |form, t| match form {
        "md" => t.replacen("title: ", "deprecated: false\ntitle: ", 1),
        _ => t.to_owned(),
    }),
    ("other things that are deprecated", |_, t| {
        t.replace(
            "Opens a session, files",
            "The old endpoint is deprecated. Deprecated agents have no name. Opens a session, files",
        )
        .replace("The session to read.", "The session to read. This field is deprecated.")
        .replace("What the user says next.", "Deprecated: use another one.")
    }),
    ("another method in the code", |_, t| {
        t.replace("sessions \\\n", "sessions --request POST \\\n")
            .replace("`, {\n  headers", "`, {\n  method: \"GET\", headers")
            .replace("\"POST\",\n  headers: {", "\"POST\",\n  headers: { Accept: \"*/*\",")
    }),
    ("variables in the code", |_, t| {
        t.replace("curl https://api.blocks.team", "curl -sS -H 'X-Trace: 1' $BASE")
            .replace("fetch(\"https://api.blocks.team", "fetch(\"")
            .replace("fetch(`https://api.blocks.team", "fetch(`${base}")
            .replace("sessions/$ID", "sessions/<session_id>")
    }),
    ("a second request in the code", |_, t| {
        let read = "https://api.blocks.team/rest/v1/sessions/";
        t.replace("\ncurl ", &format!("\ncurl {read}$ID | jq .\ncurl ")).replace(
            "\nconst response",
            &format!("\nawait fetch(`{read}${{id}}`);\nconst response"),
        )
    }),
    ("a rate limit in other words", |_, t| {
        t.replace("/ minute / API key", "per minute for each API key")
    }),
    ("a rate limit without its scope", |_, t| t.replace(" / API key", "")),
    ("RFC 3339 times", |_, t| t.replace("(ISO 8601)", "(RFC 3339)")),
    ("marks with capitals", |form, t| {
        if form == "txt" {
            on_lines(t, |l| if l == "required" { "Required".into() } else { l.into() })
        } else {
            t.replace("{null}", "{undefined}") + "\n"
        }
    }),
];

#[test]
fn harmless_edits_raise_nothing() {
    let (mut count, mut alarms) = (0, Vec::new());
    for (name, edit) in EDITS {
        let before = count;
        for form in FORMS {
            for (page, text) in pages(form).iter().enumerate() {
                let edited = edit(form, &text.text);
                if edited == text.text {
                    continue;
                }
                count += 1;
                let result = changed(form, page, &edited);
                if exit_code(&DOCUMENT, &result) != 0 {
                    let report = Report { document: &DOCUMENT, result: &result };
                    alarms.push(format!(
                        "{name}, {}: {:?} {:?}",
                        text.name,
                        result.errors,
                        report.drift()
                    ));
                }
            }
        }
        assert!(count > before, "{name}: nothing changed");
    }
    println!("{} false alarms of {count}", alarms.len());
    assert!(count >= 100, "{count}");
    assert!(alarms.is_empty(), "{} of {count}: {alarms:#?}", alarms.len());
}
