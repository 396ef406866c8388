//! The parsed blocks of a page, such as headings, fields and table rows. Pages in plain text and pages in Markdown are
//! parsed into the same blocks. Lines count from 1.

/// A parsed block of a page, before it is interpreted as facts about the API.
#[derive(Clone, Debug, PartialEq)]
pub enum Block {
    /// A heading. In plain text, headings have no levels, so `level` is 2.
    Heading { text: String, level: u8, line: usize },
    /// A method and a path, without other words (see [`operation`]). `text` is the unparsed text, which can contain the
    /// base URL.
    Operation { method: String, path: String, text: String, line: usize },
    /// A mark that the operation of the page is deprecated.
    Deprecated { line: usize },
    /// A field with its description.
    Field(RawField),
    /// A line or paragraph of prose.
    Text { text: String, line: usize },
    /// A block of code. `line` is the line of the code's first character.
    Code { section: Option<Section>, label: String, text: String, line: usize },
    /// A row of a table. The column names are in lower case.
    Row { header: Vec<String>, cells: Vec<String>, line: usize },
    /// A row of an error table that was copied as plain text without separators between the cells.
    JoinedRow { text: String, line: usize },
}

/// A field of a page, with its type and default as unparsed strings.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RawField {
    /// The section, if the field itself states it, as `<ParamField query="page">` does. Otherwise the heading above the
    /// field determines the section.
    pub section: Option<Section>,
    /// The names of the enclosing fields and the name of this field, joined by dots.
    pub name: String,
    /// The unparsed type.
    pub notation: String,
    /// Whether the field is marked as required or as optional; `None` without a mark.
    pub required: Option<bool>,
    /// Whether the field is marked as deprecated.
    pub deprecated: bool,
    /// The unparsed default.
    pub default: Option<String>,
    /// The description.
    pub text: String,
    /// The line of the name.
    pub line: usize,
}

/// The part of an operation that a field or a sample belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, strum::Display)]
#[strum(serialize_all = "lowercase")]
pub enum Section {
    Path,
    Query,
    Header,
    Request,
    Response,
    Errors,
    /// Sample code that sends a request. This section contains no fields.
    Example,
}

impl Section {
    /// Returns the section that a heading starts. Returns `None` if the heading contains a word that is not in the
    /// lists of this function, contains none of the keywords, or has more than four words. Such a heading, for example
    /// `How polling works`, starts a part of the page that contains only prose.
    pub fn of_heading(text: &str) -> Option<Self> {
        const FILL: &str = " the http an of a parameter parameters param params field fields \
            string schema example examples sample samples success successful code codes status \
            attribute attributes properties property object payload 200 201 400 404 ok json and \
            possible optional required ";
        let lower = text.to_lowercase();
        let words: Vec<&str> =
            lower.split(|c: char| !c.is_alphanumeric()).filter(|w| !w.is_empty()).collect();
        let has = |list: &[&str]| words.iter().any(|w| list.contains(w));
        let keywords = [
            (Self::Errors, &["error", "errors"][..]),
            (Self::Path, &["path", "url", "uri", "route"]),
            (Self::Query, &["query"]),
            (
                Self::Header,
                &["header", "headers", "authorization", "authorizations", "authentication"],
            ),
            (Self::Response, &["response", "responses", "returns"]),
            (Self::Request, &["body"]),
            (Self::Example, &["request", "example", "examples", "usage"]),
        ];
        let known = |word: &&str| {
            FILL.contains(&format!(" {word} ")) || keywords.iter().any(|(_, k)| k.contains(word))
        };
        if words.is_empty() || words.len() > 4 || !words.iter().all(known) {
            return None;
        }
        let found = keywords.iter().find(|(_, list)| has(list)).map(|(section, _)| *section)?;
        let fields = has(&["parameters", "fields", "payload", "params", "attributes"]);
        Some(match found {
            Self::Response if has(&["code", "codes", "status"]) => Self::Errors,
            Self::Example if has(&["request"]) && fields => Self::Request,
            found => found,
        })
    }
}

/// Parses a text that consists only of a method and a path. The name of a file may come before the method, as in
/// `openapi.json POST /rest/v1/sessions`. The version of HTTP may come after the path. The path may be a whole URL.
pub fn operation(text: &str) -> Option<(String, String)> {
    let mut words = text.split_whitespace().map(|w| w.trim_matches(['`', '"', '\'', '*']));
    let mut method = words.next()?;
    if [".json", ".yaml", ".yml"].iter().any(|e| method.ends_with(e)) {
        method = words.next()?;
    }
    let method = method.to_uppercase();
    let known = ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"];
    let target = words.next().filter(|_| known.contains(&method.as_str()))?;
    let version = words.next();
    if version.is_some_and(|version| !version.starts_with("HTTP/")) || words.next().is_some() {
        return None;
    }
    let path = match target.split_once("://") {
        Some((_, rest)) => &rest[rest.find('/')?..],
        None => target,
    };
    let path = path.split(['?', '#']).next()?.trim_end_matches('/');
    path.starts_with('/').then(|| (method, path.to_owned()))
}

/// Replaces non-breaking spaces with spaces, and removes characters without width and byte order marks.
pub fn clean(text: &str) -> String {
    text.chars()
        .filter(|c| !matches!(c, '\u{200b}'..='\u{200d}' | '\u{2060}' | '\u{feff}'))
        .map(|c| if c == '\u{a0}' { ' ' } else { c })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::operation;

    #[test]
    fn an_operation_is_a_method_and_a_path_without_other_words() {
        let post = Some(("POST".to_owned(), "/rest/v1/sessions".to_owned()));
        for text in [
            "POST /rest/v1/sessions",
            "`post` `/rest/v1/sessions/`",
            "openapi.json POST /rest/v1/sessions",
            "POST https://api.blocks.team/rest/v1/sessions?a=b HTTP/1.1",
        ] {
            assert_eq!(operation(text), post, "{text}");
        }
        for text in [
            "",
            "POST",
            "/rest/v1/sessions",
            "POST sessions",
            "POST /rest/v1/sessions creates a session",
            "POST /rest/v1/sessions HTTP/1.1 creates a session",
            "Send POST /rest/v1/sessions",
        ] {
            assert_eq!(operation(text), None, "{text}");
        }
    }
}
