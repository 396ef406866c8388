//! Texts from elsewhere, made safe for where they go.

/// For a terminal: without control characters, so that no escape sequence gets through.
/// Line breaks and tabs stay.
pub fn plain(text: &str) -> String {
    text.chars()
        .filter(|c| matches!(c, '\n' | '\t') || !(c.is_control() || is_invisible(*c)))
        .collect()
}

/// Characters that change how others are shown, such as those that turn the direction.
fn is_invisible(c: char) -> bool {
    matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// For a log that a CI system reads for commands: the two forms of them that GitHub knows
/// (`::set-output::` and `##[group]`, at the start of a line) are broken by a space of no width.
pub fn no_commands(text: &str) -> String {
    let break_at = |line: &str, start: usize| {
        let (before, after) = line.split_at(start + 1);
        format!("{before}\u{200b}{after}")
    };
    // A lone carriage return begins a line there, too.
    text.split_inclusive(['\n', '\r'])
        .map(|line| {
            let start = line.len() - line.trim_start().len();
            let rest = &line[start..];
            if rest.starts_with("::") || rest.starts_with("##[") {
                break_at(line, start)
            } else {
                line.to_owned()
            }
        })
        .collect()
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
        ] {
            let safe = plain(text);
            assert!(
                !safe.chars().any(|c| c.is_control() || is_invisible(c)),
                "{text:?}"
            );
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
        ] {
            let safe = no_commands(text);
            let lines = safe.split(['\n', '\r']).map(str::trim_start);
            assert!(
                lines
                    .clone()
                    .all(|l| !l.starts_with("::") && !l.starts_with("##[")),
                "{safe:?}"
            );
        }
        assert_eq!(no_commands("a :: b\nstd::mem"), "a :: b\nstd::mem");
    }
}
