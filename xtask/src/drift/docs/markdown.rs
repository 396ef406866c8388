//! The Markdown form of a page, with components such as `<ParamField body="a" type="string">`.

use pulldown_cmark::{CodeBlockKind, Event, Options, Parser, Tag, TagEnd};
use quick_xml::events::{BytesStart, Event as Xml};

use super::block::{Block, RawField, Section};

const FIELDS: [&str; 2] = ["ParamField", "ResponseField"];

/// Whether a text is of this form and not plain.
pub fn is_markdown(text: &str) -> bool {
    let field = |l: &str| FIELDS.iter().any(|f| l.starts_with(&format!("<{f}")));
    text.starts_with("---\n")
        || text.lines().map(str::trim_start).any(|l| {
            l.starts_with("# ") || l.starts_with("## ") || l.starts_with("```") || field(l)
        })
}

/// Reads a page into blocks.
///
/// # Errors
/// A component that cannot be read, with its line.
pub fn blocks(text: &str) -> Result<Vec<Block>, String> {
    let (source, components) = normalise(text);
    let mut reader = Reader::default();
    reader.read(&source, 1, 0)?;
    if let Some(line) = components.iter().find(|line| !reader.seen.contains(line)) {
        return Err(format!("line {line}: the component on it cannot be read"));
    }
    if let Some(open) = reader.open.last() {
        return Err(format!("line {}: the component does not end", open.line));
    }
    Ok(reader.blocks)
}

/// Takes the indentation away, which would make code of what stands in a component, and
/// writes JSX values as plain attributes. Also the lines on which a field begins.
fn normalise(text: &str) -> (String, Vec<usize>) {
    let (mut out, mut components, mut fence) = (String::new(), Vec::new(), false);
    for (index, line) in text.lines().enumerate() {
        let trimmed = line.trim_start();
        let mark = trimmed.starts_with("```") || trimmed.starts_with("~~~");
        if fence && !mark {
            out.push_str(line);
        } else if mark {
            fence = !fence;
            out.push_str(trimmed);
        } else if matches!(trimmed.trim_end(), ">" | "/>") && out.ends_with('\n') {
            // Alone on its line it would be a quotation, and not the end of a tag.
            out.pop();
            out.push_str(&format!(" {trimmed}\n"));
        } else {
            if FIELDS.iter().any(|f| trimmed.contains(&format!("<{f}"))) {
                components.push(index + 1);
            }
            out.push_str(&plain_attributes(trimmed));
        }
        out.push('\n');
    }
    (out, components)
}

/// `required={true}` becomes `required="true"`.
fn plain_attributes(line: &str) -> String {
    let (mut out, mut rest) = (String::new(), line);
    while let Some(start) = rest.find("={") {
        let Some(length) = rest[start..].find('}') else {
            break;
        };
        let value = rest[start + 2..start + length].trim_matches(['"', '\'', '`']);
        out.push_str(&rest[..start]);
        out.push_str(&format!("=\"{value}\""));
        rest = &rest[start + length + 1..];
    }
    out + rest
}

/// A component that is open.
struct Open {
    name: String,
    line: usize,
    /// Where its field is in the blocks, if it is one.
    field: Option<usize>,
}

#[derive(Default)]
struct Reader {
    blocks: Vec<Block>,
    open: Vec<Open>,
    seen: Vec<usize>,
    text: String,
    text_line: usize,
    header: Vec<String>,
    cells: Vec<String>,
    code: Option<(String, usize)>,
    html: Option<usize>,
}

impl Reader {
    fn read(&mut self, source: &str, base: usize, depth: usize) -> Result<(), String> {
        let options = Options::ENABLE_TABLES | Options::ENABLE_YAML_STYLE_METADATA_BLOCKS;
        for (event, range) in Parser::new_ext(source, options).into_offset_iter() {
            let at = base + source[..range.start].matches('\n').count();
            self.event(event, at, depth)?;
        }
        Ok(())
    }

    fn event(&mut self, event: Event<'_>, line: usize, depth: usize) -> Result<(), String> {
        match event {
            Event::Start(Tag::CodeBlock(kind)) => {
                self.flush();
                let (label, line) = match kind {
                    CodeBlockKind::Fenced(info) => (info.to_string(), line + 1),
                    CodeBlockKind::Indented => (String::new(), line),
                };
                self.code = Some((label, line));
            }
            Event::End(TagEnd::CodeBlock) => {
                if let Some((label, line)) = self.code.take() {
                    let text = std::mem::take(&mut self.text);
                    let section = self.example();
                    self.blocks.push(Block::Code {
                        section,
                        label,
                        text,
                        line,
                    });
                }
            }
            Event::Start(Tag::HtmlBlock) => {
                self.flush();
                self.html = Some(line);
            }
            Event::End(TagEnd::HtmlBlock) => {
                let text = std::mem::take(&mut self.text);
                if let Some(line) = self.html.take() {
                    self.html_block(&text, line, depth)?;
                }
            }
            Event::Start(Tag::Heading { .. } | Tag::Paragraph | Tag::Item) => self.flush(),
            Event::End(TagEnd::Heading(_)) => {
                let text = std::mem::take(&mut self.text).trim().to_owned();
                self.blocks.push(Block::Heading { text, line });
            }
            Event::End(TagEnd::Paragraph | TagEnd::Item) => self.flush(),
            Event::End(TagEnd::MetadataBlock(_)) => self.metadata(line),
            Event::End(TagEnd::TableCell) => {
                let text = std::mem::take(&mut self.text).trim().to_owned();
                self.cells.push(text);
            }
            Event::End(TagEnd::TableHead) => {
                let cells = std::mem::take(&mut self.cells);
                self.header = cells.iter().map(|c| c.to_lowercase()).collect();
            }
            Event::End(TagEnd::TableRow) => {
                let (header, cells) = (self.header.clone(), std::mem::take(&mut self.cells));
                self.blocks.push(Block::Row {
                    header,
                    cells,
                    line,
                });
            }
            Event::InlineHtml(tag) => self.tag(&tag, line)?,
            Event::Text(text) | Event::Code(text) | Event::Html(text) => self.push(&text, line),
            Event::SoftBreak | Event::HardBreak => self.push(" ", line),
            _ => {}
        }
        Ok(())
    }

    fn push(&mut self, text: &str, line: usize) {
        if self.text.is_empty() {
            self.text_line = line;
        }
        self.text.push_str(text);
    }

    /// The side that an example around this place shows.
    fn example(&self) -> Option<Section> {
        self.open
            .iter()
            .rev()
            .find_map(|open| match open.name.as_str() {
                "RequestExample" => Some(Section::Request),
                "ResponseExample" => Some(Section::Response),
                _ => None,
            })
    }

    /// A block of HTML is read again as a paragraph, in which tags and prose are told apart.
    fn html_block(&mut self, text: &str, line: usize, depth: usize) -> Result<(), String> {
        if depth > 64 {
            return Err(format!("line {line}: tags that cannot be told from text"));
        }
        let paragraph = format!("\u{2060}{}", text.trim_end());
        self.read(&paragraph, line, depth + 1)
    }

    /// Gives the prose so far to the field that is open, or to the page.
    fn flush(&mut self) {
        let text = std::mem::take(&mut self.text);
        let text = text.trim_matches(|c: char| c.is_whitespace() || c == '\u{2060}');
        if text.is_empty() {
            return;
        }
        let field = self.open.iter().rev().find_map(|open| open.field);
        match field.and_then(|index| self.blocks.get_mut(index)) {
            Some(Block::Field(field)) => {
                field.text = format!("{} {text}", field.text).trim().to_owned()
            }
            _ => self.blocks.push(Block::Text {
                text: text.to_owned(),
                line: self.text_line,
            }),
        }
    }

    /// The values of a page's head, each as prose: one of them can name the operation.
    fn metadata(&mut self, line: usize) {
        let text = std::mem::take(&mut self.text);
        for (index, row) in text.lines().enumerate() {
            if let Some((_, value)) = row.split_once(':') {
                let text = value.trim().trim_matches(['"', '\'']).to_owned();
                self.blocks.push(Block::Text {
                    text,
                    line: line + index + 1,
                });
            }
        }
    }

    fn tag(&mut self, tag: &str, line: usize) -> Result<(), String> {
        self.flush();
        let wrong = |e: &dyn std::fmt::Display| format!("line {line}: {e}");
        let mut xml = quick_xml::Reader::from_str(tag);
        xml.config_mut().check_end_names = false;
        xml.config_mut().allow_unmatched_ends = true;
        match xml.read_event().map_err(|e| wrong(&e))? {
            Xml::Start(start) => self.open(&start, line, false),
            Xml::Empty(start) => self.open(&start, line, true),
            Xml::End(end) => {
                let name = end.name().as_ref().to_owned();
                if let Some(at) = self.open.iter().rposition(|o| o.name == name) {
                    self.open.truncate(at);
                }
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn open(&mut self, start: &BytesStart<'_>, line: usize, empty: bool) -> Result<(), String> {
        let name = start.name().as_ref().to_owned();
        let field = if FIELDS.contains(&name.as_str()) {
            let field = self.field(start, line)?;
            self.seen.push(line);
            self.blocks.push(Block::Field(field));
            Some(self.blocks.len() - 1)
        } else {
            None
        };
        // A tag that HTML never closes must not hold what follows it.
        if !empty && !matches!(name.as_str(), "br" | "hr" | "img" | "input") {
            self.open.push(Open { name, line, field });
        }
        Ok(())
    }

    fn field(&self, start: &BytesStart<'_>, line: usize) -> Result<RawField, String> {
        let mut field = RawField {
            line,
            ..RawField::default()
        };
        for attribute in start.html_attributes() {
            let attribute = attribute.map_err(|e| format!("line {line}: {e}"))?;
            let key = attribute.key.as_ref().to_owned();
            let value = quick_xml::escape::unescape(&attribute.value)
                .map_err(|e| format!("line {line}: {e}"))?
                .into_owned();
            let section = match key.as_str() {
                "body" => Some(Section::Request),
                "query" => Some(Section::Query),
                "path" => Some(Section::Path),
                "header" => Some(Section::Other),
                "name" => Some(Section::Response),
                _ => None,
            };
            match key.as_str() {
                _ if section.is_some() => (field.name, field.section) = (value, section),
                "type" => field.notation = value,
                "required" => field.required = Some(value != "false"),
                "optional" => field.required = Some(value == "false"),
                "default" => field.default = Some(value),
                _ => {}
            }
        }
        if field.name.is_empty() {
            return Err(format!("line {line}: a field without a name"));
        }
        let parent = self.open.iter().rev().find_map(|o| o.field);
        if let Some(Block::Field(parent)) = parent.and_then(|i| self.blocks.get(i)) {
            field.section = parent.section;
            if !field.name.starts_with(&format!("{}.", parent.name)) {
                field.name = format!("{}.{}", parent.name, field.name);
            }
        }
        Ok(field)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(text: &str) -> Vec<RawField> {
        let blocks = blocks(text).unwrap();
        blocks
            .into_iter()
            .filter_map(|b| match b {
                Block::Field(field) => Some(field),
                _ => None,
            })
            .collect()
    }

    #[test]
    fn components_are_read_with_lines_prose_and_nesting() {
        let text = "## Body\n\n<ParamField body=\"a\" type=\"string\" required>\n  Less `<` than 5 <= 6.\n</ParamField>\n\n\
            <ResponseField name=\"_links\" type=\"object\">\n  Links.\n  <Expandable title=\"more\">\n\n    <ResponseField\n      name=\"self\"\n      type={\"object | null\"}\n    >\n      This one.\n    </ResponseField>\n  </Expandable>\n</ResponseField>\n";
        let found = fields(text);
        assert_eq!(found.len(), 3, "{found:?}");
        assert_eq!(
            (found[0].name.as_str(), found[0].required, found[0].line),
            ("a", Some(true), 3)
        );
        assert_eq!(found[0].text, "Less < than 5 <= 6.");
        assert_eq!((found[2].name.as_str(), found[2].line), ("_links.self", 11));
        assert_eq!(
            (found[2].notation.as_str(), found[2].text.as_str()),
            ("object | null", "This one.")
        );
        assert_eq!(found[1].text, "Links.");
    }

    #[test]
    fn a_component_that_cannot_be_read_is_an_error_with_its_line() {
        for text in [
            "a\n\n<ParamField body=\"a\" type=\"string\n\nText\n",
            "a\n\n<ParamField body=\"a\" type=\"string\">\nText\n",
        ] {
            let error = blocks(text).unwrap_err();
            assert!(error.contains("line 3"), "{error}");
        }
    }

    #[test]
    fn tables_code_and_the_head_are_read() {
        let text = "---\ntitle: T\napi: \"POST /a\"\n---\n\n| Status | Code |\n| --- | --- |\n| `400` | X |\n\n```json 200\n{\n  \"a\": 1\n}\n```\n";
        let found = blocks(text).unwrap();
        assert!(
            found.contains(&Block::Text {
                text: "POST /a".into(),
                line: 3
            }),
            "{found:?}"
        );
        assert!(
            found
                .iter()
                .any(|b| matches!(b, Block::Row { cells, line: 8, .. } if cells[0] == "400"))
        );
        assert!(
            found
                .iter()
                .any(|b| matches!(b, Block::Code { label, line: 11, .. } if label == "json 200"))
        );
    }
}
