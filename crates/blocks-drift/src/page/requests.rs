//! Finds the requests in sample code, such as `curl` commands, and compares them with the operations of the page.

use std::sync::LazyLock;

use regex::Regex;

use super::compare::Comparison;
use super::samples::closing;
use crate::document::Operation;
use crate::finding::{Kind, Severity};

/// The pattern of a URL of the API, without its query. Its only group is the path. The host can be a variable or a
/// placeholder.
const URL: &str = r#"(?:https?://[^/\s"'`]+|[$<{][^/\s"'`]*)?(/rest/v\d+[^\s?#"'`)]*)"#;

/// A request in sample code.
#[derive(Clone, Debug, PartialEq)]
pub struct Request {
    /// The method, in capitals; `None` if the code does not state it, for example because it is a variable.
    pub method: Option<String>,
    /// The path without the query. A segment can be a variable or a placeholder.
    pub path: String,
    /// The line of the request.
    pub line: usize,
}

impl Request {
    /// Returns whether the request can be a request of the operation. A variable or placeholder in the path can have
    /// any value, so it never causes a finding.
    fn is_for(&self, operation: &Operation) -> bool {
        let template: Vec<&str> = operation.path.trim_matches('/').split('/').collect();
        let parts: Vec<&str> = self.path.trim_matches('/').split('/').collect();
        self.method.as_ref().is_none_or(|method| *method == operation.method)
            && template.len() == parts.len()
            && template
                .iter()
                .zip(&parts)
                .all(|(t, p)| t.starts_with('{') || t == p || p.contains(['$', '{', '<', ':']))
    }

    fn text(&self) -> String {
        self.method.as_ref().map_or_else(|| self.path.clone(), |m| format!("{m} {}", self.path))
    }
}

/// Returns the requests in a block of code. These are `curl` commands, and calls such as `fetch("…")` in JavaScript and
/// `requests.post("…")` in Python. A request whose path is a variable or is shortened with `...` is left out.
pub fn find(text: &str, line: usize) -> Vec<Request> {
    let mut found = Vec::new();
    // A block of JSON can contain a command in a string. Such a command is not sample code of the page.
    if !text.trim_start().starts_with(['{', '[']) {
        commands(text, line, &mut found);
        calls(text, line, &mut found);
    }
    found.retain(|request| !request.path.contains("...") && !request.path.contains('…'));
    found
}

/// Finds the `curl` commands.
fn commands(text: &str, line: usize, found: &mut Vec<Request>) {
    static CURL: LazyLock<Regex> =
        LazyLock::new(|| Regex::new(r"(?m)(?:^|[\s(;|&`])(curl)\s").expect("a pattern"));
    let (mut rest, mut line) = (text, line);
    while let Some(name) = CURL.captures(rest).and_then(|c| c.get(1)) {
        line += rest[..name.start()].matches('\n').count();
        let (words, end) = words(&rest[name.end()..]);
        if let Some((method, path)) = curl(&words) {
            found.push(Request { method, path, line });
        }
        let end = name.end() + end;
        line += rest[name.start()..end].matches('\n').count();
        rest = &rest[end..];
    }
}

/// Splits a command into words as a shell does, and returns the number of bytes of the command.
fn words(command: &str) -> (Vec<String>, usize) {
    let (mut words, mut word, mut at) = (Vec::new(), String::new(), 0);
    let mut quote: Option<char> = None;
    while let Some(c) = command[at..].chars().next() {
        at += c.len_utf8();
        match (quote, c) {
            (Some(open), c) if c == open => quote = None,
            // The end of the line is escaped, in a Unix shell, in `cmd.exe` or in PowerShell.
            (None, '\\' | '^' | '`') if line_break(&command[at..]) > 0 => {
                at += line_break(&command[at..]);
            }
            (None | Some('"'), '\\') => {
                let escaped = command[at..].chars().next();
                at += escaped.map_or(0, char::len_utf8);
                word.extend(escaped);
            }
            (Some(_), c) => word.push(c),
            (None, '"' | '\'') => quote = Some(c),
            (None, '\n' | '|' | ';') => break,
            (None, '#') if word.is_empty() => break,
            (None, '&') if command[at..].starts_with('&') => break,
            (None, c) if c.is_whitespace() => {
                if !word.is_empty() {
                    words.push(std::mem::take(&mut word));
                }
            }
            (None, c) => word.push(c),
        }
    }
    if !word.is_empty() {
        words.push(word);
    }
    (words, at)
}

/// Returns the number of bytes up to the end of the line, or 0 if the rest of the line is not empty. Copied code can
/// have spaces before the end of a line.
fn line_break(text: &str) -> usize {
    let rest = text.trim_start_matches([' ', '\t', '\r']);
    if rest.starts_with('\n') { text.len() - rest.len() + 1 } else { 0 }
}

/// Returns the method and the path of a `curl` command, or `None` if no word is a URL of the API.
fn curl(words: &[String]) -> Option<(Option<String>, String)> {
    // Before the last letter of a group such as `-sX`, only letters of options without a value are allowed. Otherwise
    // the value of another option, as in `-HX-Name:1`, would be taken for a method.
    static METHOD: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(r"^(?:-[sSfLkvigN#]*X|--request=|--request$)(.*)$").expect("a pattern")
    });
    static DATA: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(r"^(?:-[sSfLkvigN#]*[dF]|--data|--json|--form)").expect("a pattern")
    });
    static TARGET: LazyLock<Regex> =
        LazyLock::new(|| Regex::new(&format!("^{URL}")).expect("a pattern"));
    let path = words.iter().find_map(|word| TARGET.captures(word).map(|c| c[1].to_owned()))?;
    for (index, word) in words.iter().enumerate() {
        if let Some(found) = METHOD.captures(word) {
            let next = words.get(index + 1).map_or("", String::as_str);
            let method = if found[1].is_empty() { next } else { &found[1] };
            let known = method.chars().all(|c| c.is_ascii_alphabetic());
            return Some((known.then(|| method.to_uppercase()), path));
        }
    }
    let has = |names: [&str; 2]| words.iter().any(|word| names.contains(&word.as_str()));
    let method = match () {
        () if has(["-I", "--head"]) => "HEAD",
        () if has(["-G", "--get"]) => "GET",
        () if words.iter().any(|word| DATA.is_match(word)) => "POST",
        () => "GET",
    };
    Some((Some(method.to_owned()), path))
}

/// Finds the calls in JavaScript and Python.
fn calls(text: &str, line: usize, found: &mut Vec<Request>) {
    const BEFORE: &str = r#"\b(?:fetch|(?:requests|httpx|axios|client|session)\.(get|post|put|patch|delete|head))\(\s*f?["'`]"#;
    const AFTER: &str = r#"(?:\?[^"'`]*)?["'`]\s*(\)|,\s*\{?)"#;
    static CALL: LazyLock<Regex> =
        LazyLock::new(|| Regex::new(&format!("{BEFORE}{URL}{AFTER}")).expect("a pattern"));
    let (mut line, mut counted) = (line, 0);
    for call in CALL.captures_iter(text) {
        let (start, end) = call.get(0).map_or((0, 0), |m| (m.start(), m.end()));
        line += text[counted..start].matches('\n').count();
        counted = start;
        let method = match call.get(1) {
            Some(method) => Some(method.as_str().to_uppercase()),
            None if call[3].ends_with('{') => {
                let options = &text[end - 1..];
                // Without an end of the options, this call and the calls after it cannot be read.
                let Some(length) = closing(options) else { return };
                method_of(&options[..length])
            }
            None => (&call[3] == ")").then(|| "GET".to_owned()),
        };
        found.push(Request { method, path: call[2].to_owned(), line });
    }
}

/// Returns the method in the options of `fetch`. Returns `None` if the method may be a variable, or may be in an object
/// that the options include, as in `{ ...options }`.
fn method_of(options: &str) -> Option<String> {
    static METHOD: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(r#"\bmethod["']?\s*:\s*["'`]([A-Za-z]+)["'`]"#).expect("a pattern")
    });
    if let Some(found) = METHOD.captures(options) {
        return Some(found[1].to_uppercase());
    }
    (!options.contains("method") && !options.contains("...")).then(|| "GET".to_owned())
}

impl Comparison<'_> {
    /// Compares the requests in the page's sample code with the operations. A request must belong to an operation of
    /// the OpenAPI document. It need not belong to an operation of the page, because a sample can also read what it
    /// created. But at least one request must. A page with several operations has its findings at the first of them.
    pub(super) fn requests(&mut self) {
        let (page, document, operation) = (self.page, self.document, self.operation);
        let own: Vec<Operation> =
            page.operations.iter().filter_map(|(m, p, _)| document.operation(m, p)).collect();
        if own.first().is_none_or(|first| first.id != operation.id) {
            return;
        }
        self.facts += page.requests.len();
        let all = document.operations();
        let is_of = |request: &Request, operations: &[Operation]| {
            operations.iter().any(|operation| request.is_for(operation))
        };
        let shows_own = page.requests.iter().any(|request| is_of(request, &own));
        let expected = format!("{} {}", operation.method, operation.path);
        for request in &page.requests {
            if !shows_own || !is_of(request, &all) {
                self.add(
                    Kind::SampleRequest,
                    Severity::Breaking,
                    "the request in a sample",
                    &operation.pointer,
                    (&expected, &request.text()),
                    request.line,
                );
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_read_in_many_notations() {
        for (code, expected) in [
            ("curl https://a.b/rest/v1/s", "GET /rest/v1/s"),
            ("curl https://a.b/rest/v1/s/$ID?limit=2 | jq .", "GET /rest/v1/s/$ID"),
            ("ID=$(curl -s \"$BASE/rest/v1/s\" -d '{}')", "POST /rest/v1/s"),
            ("curl -sSX PUT \\  \n  \"<host>/rest/v1/s\"", "PUT /rest/v1/s"),
            ("curl --request put ^\r\n  /rest/v1/s", "PUT /rest/v1/s"),
            ("curl -XPATCH '{{base}}/rest/v1/s' --json '{}'", "PATCH /rest/v1/s"),
            ("curl -X $METHOD $BASE/rest/v1/s", "/rest/v1/s"),
            ("curl -G https://a.b/rest/v1/s -d limit=2", "GET /rest/v1/s"),
            ("curl -HX-Name:1 https://a.b/rest/v1/s", "GET /rest/v1/s"),
            ("curl https://a.b/rest/v1/s # with -X PUT", "GET /rest/v1/s"),
            ("curl https://a.b/rest/v1/s -d 'curl /rest/v2/s\n'", "POST /rest/v1/s"),
            ("curl https://a.b/rest/v1/s && curl -X PUT $NEXT", "GET /rest/v1/s"),
            ("fetch(`https://a.b/rest/v1/s/${id}?a=${b}`)", "GET /rest/v1/s/${id}"),
            ("fetch('/rest/v1/s', { headers: { A: `b ${c}` } })", "GET /rest/v1/s"),
            ("fetch('/rest/v1/s', {\n  \"method\": 'post',\n})", "POST /rest/v1/s"),
            ("fetch('/rest/v1/s', { ...options })", "/rest/v1/s"),
            ("fetch('/rest/v1/s', { method })", "/rest/v1/s"),
            ("fetch('/rest/v1/s', options)", "/rest/v1/s"),
            ("requests.post(f\"{base}/rest/v1/s\", json={})", "POST /rest/v1/s"),
        ] {
            let found: Vec<String> = find(code, 1).iter().map(Request::text).collect();
            assert_eq!(found, [expected], "{code}");
        }
        for code in [
            "curl \"$HREF\"",
            "curl https://a.b/rest/v1/...",
            "# use curl to send it",
            "fetch('/rest/v1/s/' + id)",
            "fetch('/rest/v1/s', { method: 'PUT'",
            "{ \"message\": \"Run curl https://a.b/rest/v1/s now.\" }",
        ] {
            assert_eq!(find(code, 1), Vec::<Request>::new(), "{code}");
        }
        let code = "\ncurl /rest/v1/s \\\n  -d '{\n}'\n\ncurl /rest/v1/s\nfetch('/rest/v1/s')";
        let lines: Vec<usize> = find(code, 7).iter().map(|r| r.line).collect();
        assert_eq!(lines, [8, 12, 13]);
    }
}
