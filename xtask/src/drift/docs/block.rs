//! What both forms of a page are read into, before any meaning is given to it.

/// A piece of a page. Lines count from 1.
#[derive(Clone, Debug, PartialEq)]
pub enum Block {
    /// A heading.
    Heading {
        /// Its text.
        text: String,
        /// Its line.
        line: usize,
    },
    /// A field with its description.
    Field(RawField),
    /// A line or paragraph of prose.
    Text {
        /// The prose, without marks.
        text: String,
        /// Its first line.
        line: usize,
    },
    /// A block of code.
    Code {
        /// What it belongs to, where the block itself says it.
        section: Option<Section>,
        /// What stands beside its opening fence.
        label: String,
        /// The code.
        text: String,
        /// The line of its first character.
        line: usize,
    },
    /// A row of a table.
    Row {
        /// The column names, lower case.
        header: Vec<String>,
        /// The cells.
        cells: Vec<String>,
        /// Its line.
        line: usize,
    },
    /// A row whose cells run together, as a page's plain text has them.
    JoinedRow {
        /// The row.
        text: String,
        /// Its line.
        line: usize,
    },
}

/// A field as it is written.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RawField {
    /// The section, where the field itself says it.
    pub section: Option<Section>,
    /// The name, with the names of the fields around it in front, dot by dot.
    pub name: String,
    /// The type, as it is written.
    pub notation: String,
    /// Whether it is marked as required or as optional.
    pub required: Option<bool>,
    /// The default, as it is written.
    pub default: Option<String>,
    /// The description.
    pub text: String,
    /// The line of the name.
    pub line: usize,
}

/// What a field belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Section {
    /// A part of the path.
    Path,
    /// A query parameter.
    Query,
    /// The request body.
    Request,
    /// The response body.
    Response,
    /// The errors.
    Errors,
    /// Something that is not compared, such as headers.
    Other,
}

impl Section {
    /// The section that a heading opens, if it is one of those that pages use.
    pub fn of_heading(text: &str) -> Option<Self> {
        let text = text.trim().trim_end_matches(':').to_lowercase();
        let words: Vec<&str> = text.split_whitespace().collect();
        let rest = match words.as_slice() {
            [first, ..] => *first,
            [] => return None,
        };
        if words.len() > 3 {
            return None;
        }
        let last = words.last().copied().unwrap_or_default();
        // Such as `Example response`, but not `Error responses`.
        if matches!(rest, "example" | "sample" | "success" | "successful") && last == "response" {
            return Some(Self::Response);
        }
        Some(match (rest, last) {
            ("body", _) | ("request", "body" | "fields" | "parameters") => Self::Request,
            ("path", "path" | "parameters") => Self::Path,
            ("query", "query" | "parameters" | "string") => Self::Query,
            ("response" | "returns", _) => Self::Response,
            ("errors", _) | ("error", "responses" | "codes") => Self::Errors,
            (
                "headers" | "request" | "authorization" | "authentication" | "example" | "examples",
                _,
            ) => Self::Other,
            _ => return None,
        })
    }
}
