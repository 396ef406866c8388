//! Texts from elsewhere, made safe for where they go.

use std::fmt::Write;

use blocks_sdk::ToolCall;

/// The name of a tool and all its arguments.
pub fn tool_call(call: &ToolCall) -> String {
    let arguments = serde_json::to_string(&call.arguments()).unwrap_or_default();
    format!("[{}] {arguments}", call.name)
}

/// A text with at most so many characters, and a mark where it was cut.
pub fn shorten(text: &str, length: usize) -> String {
    match text.char_indices().nth(length) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

/// For a terminal: without control characters, so that no escape sequence gets through.
/// Line breaks and tabs stay.
pub fn plain(text: &str) -> String {
    text.chars()
        .filter(|c| matches!(c, '\n' | '\t') || !(c.is_control() || is_invisible(*c)))
        .collect()
}

/// Characters that change how others are shown, such as those that turn the direction.
fn is_invisible(c: char) -> bool {
    matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// Marks that start a command to a CI system wherever they are in a line: GitHub's older
/// form, Azure's and TeamCity's.
const MARKS: [&str; 3] = ["##[", "##vso[", "##teamcity["];

/// For a log that a CI system reads for commands: their marks, and GitHub's `::` at the start of
/// a line, are broken by a space of no width.
pub fn no_commands(text: &str) -> String {
    // A lone carriage return starts a line there, too.
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

/// Both for a line of JSON, whose meaning stays: what is not plain is escaped.
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
            assert!(MARKS.iter().all(|mark| !safe.contains(mark)), "{safe:?}");
            let json = serde_json::to_string(text).unwrap();
            let safe = safe_json(&json);
            assert!(MARKS.iter().all(|mark| !safe.contains(mark)), "{safe:?}");
            assert_eq!(serde_json::from_str::<String>(&safe).unwrap(), text);
        }
        assert_eq!(
            no_commands("a :: b\nstd::mem #[x]"),
            "a :: b\nstd::mem #[x]"
        );
    }
}
