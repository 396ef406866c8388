//! Makes texts from agents safe for terminals, CI logs and lines of JSON.

use std::fmt::Write;

use blocks_sdk::ToolCall;

/// Returns the name of the called tool and all its arguments.
pub fn tool_call(call: &ToolCall) -> String {
    let arguments = serde_json::to_string(&call.arguments()).unwrap_or_default();
    format!("[{}] {arguments}", call.name)
}

/// Returns the text, cut to at most `length` characters, with `…` where it was cut.
pub fn shorten(text: &str, length: usize) -> String {
    match text.char_indices().nth(length) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

/// Removes control characters, so that no escape sequence reaches a terminal. Line breaks and tabs stay. Also removes
/// characters that change the writing direction.
pub fn plain(text: &str) -> String {
    text.chars()
        .filter(|c| matches!(c, '\n' | '\t') || !(c.is_control() || is_invisible(*c)))
        .collect()
}

/// Returns whether the character is invisible and changes the writing direction of other characters.
fn is_invisible(c: char) -> bool {
    matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// Texts that start a command to a CI system, even in the middle of a line: `##[` in the logs of GitHub Actions and
/// Azure Pipelines, `##vso[` in those of Azure Pipelines, and `##teamcity[` in those of TeamCity.
const MARKS: [&str; 3] = ["##[", "##vso[", "##teamcity["];

/// Changes a text so that GitHub Actions, Azure Pipelines and TeamCity find no commands in it. Inserts a zero-width
/// space wherever the text contains one of the `MARKS`. Also inserts one into each `::` at the start of a line or after
/// white space at the start of a line, because this `::` starts a command to GitHub.
pub fn no_commands(text: &str) -> String {
    // In a CI log, a carriage return without a line feed also ends a line.
    let lines = text.split_inclusive(['\n', '\r']).map(|line| {
        let rest = line.trim_start();
        match rest.strip_prefix(':').filter(|rest| rest.starts_with(':')) {
            Some(end) => format!("{}\u{200b}{end}", &line[..line.len() - end.len()]),
            None => line.to_owned(),
        }
    });
    MARKS.iter().fold(lines.collect(), |text: String, mark| {
        text.replace(mark, &format!("#\u{200b}{}", &mark[1..]))
    })
}

/// Escapes control characters, characters that change the writing direction, and the `MARKS` in a line of JSON. The
/// parsed value stays the same.
pub fn safe_json(line: &str) -> String {
    let mut safe = String::with_capacity(line.len());
    for c in line.chars() {
        if c.is_control() || is_invisible(c) {
            let _ = write!(safe, "\\u{:04x}", u32::from(c));
        } else {
            safe.push(c);
        }
    }
    MARKS.iter().fold(safe, |line, mark| {
        line.replace(mark, &format!("\\u0023{}", &mark[1..]))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hostile_texts_do_not_get_through() {
        for text in [
            "\u{1b}[2J",
            "\u{1b}]0;title\u{7}",
            "\u{1b}]8;;http://evil\u{1b}\\x",
            "\u{9b}31m",
            "\u{1b}P+q\u{1b}\\",
            "\u{1b}c",
            "a\u{8}b",
            "\rover",
            "\u{7f}",
            "\u{0}",
            "\u{202e}gnp.exe",
            "\u{2066}x\u{2069}",
            "\u{85}",
            "\u{1b}[?1049h",
            "\u{90}q",
            "\u{61c}x",
        ] {
            let safe = plain(text);
            assert!(
                !safe.chars().any(|c| c.is_control() || is_invisible(c)),
                "{text:?}"
            );
            let json = safe_json(&serde_json::to_string(text).unwrap());
            assert_eq!(plain(&json), json, "{text:?}");
            assert_eq!(serde_json::from_str::<String>(&json).unwrap(), text);
        }
        assert_eq!(plain("two\nlines\tand é"), "two\nlines\tand é");
        let marks = ["##[", "##vso[", "##teamcity["];
        for text in [
            "::set-output name=x::y",
            "  ::error::x",
            "a\n::add-mask::x",
            "::stop-commands::t",
            "##[group]x",
            "\t##[error]x",
            "a\r::warning::x",
            "\r\n::debug::x",
            "\u{a0}::notice::x",
            "::endgroup::",
            "in a line ##[set-env name=PATH;]x",
            "##vso[task.setvariable variable=x]y",
            "##teamcity[buildStatus status='SUCCESS']",
            "###[error]x",
        ] {
            let safe = no_commands(text);
            let mut lines = safe.split(['\n', '\r']).map(str::trim_start);
            assert!(lines.all(|line| !line.starts_with("::")), "{safe:?}");
            assert!(marks.iter().all(|mark| !safe.contains(mark)), "{safe:?}");
            let json = serde_json::to_string(text).unwrap();
            let safe = safe_json(&json);
            assert!(marks.iter().all(|mark| !safe.contains(mark)), "{safe:?}");
            assert_eq!(serde_json::from_str::<String>(&safe).unwrap(), text);
        }
        assert_eq!(
            no_commands("a :: b\nstd::mem #[x]"),
            "a :: b\nstd::mem #[x]"
        );
    }
}
