//! Samples, and the rows of errors whose cells run together.

use super::block::Section;
use super::facts::{Page, Sample};
use super::prose;

/// An error status, with the code that comes with it.
#[derive(Clone, Debug, PartialEq)]
pub struct ErrorCase {
    /// The status.
    pub status: u16,
    /// The code.
    pub code: Option<String>,
    /// The line that says so.
    pub line: usize,
}

/// The JSON sample in a block of code, if it is or holds one.
pub fn sample(label: &str, text: &str, line: usize, section: Option<Section>) -> Option<Sample> {
    let mut words = label.split_whitespace();
    let language = words.next().unwrap_or_default().to_lowercase();
    let words: Vec<String> = words.map(str::to_lowercase).collect();
    let number = |w: &String| w.parse().ok().filter(|s| (100..600).contains(s));
    let status = words.iter().find_map(number);
    // Any error has the same body.
    let status = status.or((section == Some(Section::Errors)).then_some(400));
    let section = match section {
        Some(Section::Response | Section::Errors) => Section::Response,
        _ if status.is_some() || words.iter().any(|w| w == "response") => Section::Response,
        _ => Section::Request,
    };
    let start = text.trim_start();
    if matches!(language.as_str(), "json" | "jsonc")
        || (language.is_empty() && start.starts_with(['{', '[']))
    {
        return Some(Sample {
            section,
            status,
            text: text.to_owned(),
            line,
        });
    }
    // The body of a curl command.
    let open = text.find("'{").filter(|_| text.contains("curl"))? + 1;
    let close = open + text[open..].find("}'")? + 1;
    Some(Sample {
        section: Section::Request,
        status: None,
        text: text[open..close].to_owned(),
        line: line + text[..open].matches('\n').count(),
    })
}

/// Rows such as `400VALIDATIONNone of them was given.`: the last capital can belong to the
/// code or to the sentence. A code that is known decides, then how the sentence begins.
pub fn joined_rows(
    page: &mut Page,
    rows: &[(&str, usize)],
    known: &[String],
) -> Result<(), String> {
    for (text, line) in rows {
        let digits = text.chars().take_while(char::is_ascii_digit).count();
        let status: u16 = text[..digits]
            .parse()
            .ok()
            .filter(|s| (100..600).contains(s))
            .ok_or_else(|| format!("line {line}: no status in `{text}`"))?;
        let rest = text[digits..].trim_start();
        let run = rest
            .chars()
            .take_while(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || *c == '_')
            .count();
        let (long, short) = (&rest[..run], &rest[..run.saturating_sub(1)]);
        let stated = |code: &str| {
            let on_page = page.errors.iter().any(|e| e.code.as_deref() == Some(code));
            on_page || known.iter().any(|k| k == code)
        };
        let sentence = rest[run..]
            .split([' ', ',', '.'])
            .next()
            .unwrap_or_default();
        let field = page.fields.iter().any(|f| f.name() == sentence) || sentence.contains('_');
        let code = if stated(long) {
            long
        } else if stated(short) {
            short
        } else if field || !rest[run..].starts_with(|c: char| c.is_ascii_lowercase()) {
            long
        } else {
            short
        };
        if !code.is_empty() && !prose::is_code(code) {
            return Err(format!("line {line}: no code in `{text}`"));
        }
        let code = (!code.is_empty()).then(|| code.to_owned());
        page.add_errors(vec![ErrorCase {
            status,
            code,
            line: *line,
        }]);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn joined_cells_are_told_apart() {
        let mut page = Page::default();
        let rows = [
            ("400VALIDATIONNone of them.", 1),
            ("400VALIDATIONagent_name is wrong.", 2),
            ("404GONE_AWAYThe thing left.", 3),
            ("409TAKENsome_field is taken.", 4),
        ];
        joined_rows(&mut page, &rows, &["VALIDATION".to_owned()]).unwrap();
        let codes: Vec<_> = page
            .errors
            .iter()
            .map(|e| e.code.as_deref().unwrap())
            .collect();
        assert_eq!(codes, ["VALIDATION", "GONE_AWAY", "TAKEN"]);
    }

    #[test]
    fn the_body_of_a_curl_command_is_a_sample() {
        let text = "curl -X POST https://x \\\n  -d '{\n  \"a\": 1\n}'\n";
        let sample = sample("bash", text, 10, Some(Section::Other)).unwrap();
        assert_eq!(
            (sample.text.as_str(), sample.line),
            ("{\n  \"a\": 1\n}", 11)
        );
        assert!(super::sample("javascript", "fetch({})", 1, None).is_none());
    }

    #[test]
    fn a_sample_knows_its_side_and_status() {
        let (request, response) = (Section::Request, Section::Response);
        for (label, section, side, status) in [
            ("json", Some(Section::Request), request, None),
            ("json 201", Some(Section::Other), response, Some(201)),
            ("json Response", None, response, None),
            ("json", Some(Section::Response), response, None),
            (
                "json 404 Not found",
                Some(Section::Errors),
                response,
                Some(404),
            ),
            ("json", Some(Section::Errors), response, Some(400)),
        ] {
            let sample = sample(label, "{}", 1, section).unwrap();
            assert_eq!((sample.section, sample.status), (side, status), "{label}");
        }
    }
}
