//! Parses the Markdown form of a page. The format is MDX: Markdown with components, such as
//! `<ParamField body="a" type="string">`.

use std::sync::LazyLock;

use ::markdown::mdast::{AttributeContent, AttributeValue, Node};
use ::markdown::{Constructs, ParseOptions};
use anyhow::{Result, anyhow, bail};
use regex::Regex;

use super::block::{Block, RawField, Section, operation};
use super::notation::Notation;

/// The components that only contain or decorate other content.
const CONTAINERS: &str = " RequestExample ResponseExample CodeGroup Tabs Tab Expandable Accordion \
    AccordionGroup Note Warning Info Tip Check Danger Callout Card CardGroup Cards Columns Column \
    Steps Step Frame Panel Update Icon Tooltip Badge Latex View ";

/// Returns whether the text is Markdown rather than plain text.
pub fn is_markdown(text: &str) -> bool {
    text.starts_with("---\n")
        || text.lines().map(str::trim_start).any(|l| {
            let hashes = l.trim_start_matches('#');
            (hashes.len() < l.len() && hashes.starts_with(' '))
                || ["```", "<ParamField", "<ResponseField", "| ---", "|---", "| :--"]
                    .iter()
                    .any(|mark| l.starts_with(mark))
        })
}

/// Parses a page into blocks.
///
/// # Errors
/// Fails if the page is not MDX, or contains a component that cannot be read; the error contains the line.
pub fn blocks(text: &str) -> Result<Vec<Block>> {
    let options = ParseOptions {
        constructs: Constructs {
            frontmatter: true,
            gfm_table: true,
            mdx_esm: false,
            ..Constructs::mdx()
        },
        ..ParseOptions::mdx()
    };
    static OPENED: LazyLock<Regex> =
        LazyLock::new(|| Regex::new(r"\((\d+):\d+").expect("a pattern"));
    let tree = ::markdown::to_mdast(&escape(text), &options).map_err(|message| {
        // If an element is not closed, the position of the parser's error is not the start of the element. The line of
        // the start is only in the message of the error, for example 3 in `(3:1-3:14)`.
        let opened = OPENED.captures(&message.reason).and_then(|c| c[1].parse().ok());
        let line: usize = opened.unwrap_or(match message.place.as_deref() {
            Some(::markdown::message::Place::Position(at)) => at.start.line,
            Some(::markdown::message::Place::Point(at)) => at.line,
            None => 1,
        });
        anyhow!("line {line}: {}", message.reason)
    })?;
    let mut reader = Reader::default();
    reader.children(&tree)?;
    Ok(reader.blocks)
}

/// Prepares a page for the MDX parser. Comments are removed, but their line breaks are kept. `<` is escaped unless it
/// is in code, or starts a component or a common HTML tag. Void tags such as `<br>` are closed. The MDX parser would
/// reject an unescaped `<` or an unclosed tag.
fn escape(text: &str) -> String {
    static COMMENT: LazyLock<Regex> =
        LazyLock::new(|| Regex::new(r"(?s)<!--.*?-->|\{/\*.*?\*/\}").expect("a pattern"));
    static VOID: LazyLock<Regex> =
        LazyLock::new(|| Regex::new(r"<(br|hr|img|input)\b([^>]*?)\s*/?>").expect("a pattern"));
    static TAG: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(r"^</?([A-Z]|(a|b|br|hr|img|input|div|span|p|table|thead|tbody|tr|td|th|ul|ol|li|code|pre|strong|em|i|sup|sub|details|summary|h[1-6])\b)|^</?>").expect("a pattern")
    });
    let text = COMMENT.replace_all(text, |found: &regex::Captures<'_>| {
        "\n".repeat(found[0].matches('\n').count())
    });
    let (mut out, mut fence) = (String::with_capacity(text.len()), false);
    // `tag` is true inside a tag, `quote` is true inside a quoted attribute, and `braces` is the number of open braces.
    let (mut tag, mut quote, mut braces) = (false, false, 0usize);
    for line in text.split_inclusive('\n') {
        let mark = line.trim_start().starts_with("```") || line.trim_start().starts_with("~~~");
        if mark {
            fence = !fence;
        }
        if mark || fence {
            out.push_str(line);
            continue;
        }
        let line = VOID.replace_all(line, "<$1$2/>");
        let mut code = false;
        for (at, c) in line.char_indices() {
            match c {
                '"' if tag => quote ^= true,
                '{' if tag && !quote => braces += 1,
                '}' if tag && !quote => braces = braces.saturating_sub(1),
                '>' if tag && !quote && braces == 0 => tag = false,
                '`' if !tag => code ^= true,
                '<' if !tag && !code && TAG.is_match(&line[at..]) => tag = true,
                '<' if !tag && !code => out.push('\\'),
                _ => {}
            }
            out.push(c);
        }
    }
    out
}

#[derive(Default)]
struct Reader {
    blocks: Vec<Block>,
    /// The indexes in `blocks` of the fields whose elements are not closed yet. The outermost field is first.
    fields: Vec<usize>,
    /// The section, if a component around the current node, such as `<ResponseExample>`, determines it.
    section: Option<Section>,
}

fn line_of(node: &Node) -> usize {
    node.position().map_or(1, |p| p.start.line)
}

/// Returns the text of a node, with line breaks.
fn text_of(node: &Node) -> String {
    match node {
        Node::Text(text) => text.value.clone(),
        Node::InlineCode(code) => code.value.clone(),
        Node::MdxTextExpression(e) => format!("{{{}}}", e.value),
        Node::Break(_) => "\n".to_owned(),
        Node::MdxJsxTextElement(e) if e.name.as_deref() == Some("br") => "\n".to_owned(),
        Node::List(list) => {
            let items = list.children.iter().map(|i| text_of(i).trim().to_owned());
            items.collect::<Vec<_>>().join(", ")
        }
        _ => node.children().into_iter().flatten().map(text_of).collect(),
    }
}

impl Reader {
    fn children(&mut self, node: &Node) -> Result<()> {
        node.children().into_iter().flatten().try_for_each(|child| self.node(child))
    }

    fn node(&mut self, node: &Node) -> Result<()> {
        let line = line_of(node);
        match node {
            Node::Yaml(yaml) => self.front_matter(&yaml.value, line),
            Node::Heading(heading) => {
                let text = text_of(node).trim().to_owned();
                match operation(&text) {
                    Some((method, path)) => {
                        self.blocks.push(Block::Operation { method, path, text, line });
                    }
                    None => self.blocks.push(Block::Heading { text, level: heading.depth, line }),
                }
            }
            Node::Code(code) => {
                let label = [code.lang.as_deref(), code.meta.as_deref()];
                let label = label.into_iter().flatten().collect::<Vec<_>>().join(" ");
                let block = Block::Code {
                    section: self.section,
                    label,
                    text: code.value.clone(),
                    line: line + 1,
                };
                self.blocks.push(block);
            }
            Node::Table(_) => self.table(node),
            Node::List(_) => self.list(node)?,
            Node::MdxJsxFlowElement(e) => self.element(node, e.name.as_deref(), &e.attributes)?,
            Node::MdxJsxTextElement(e) => self.element(node, e.name.as_deref(), &e.attributes)?,
            Node::Paragraph(_) => self.paragraph(node)?,
            Node::Root(_) | Node::Blockquote(_) | Node::ListItem(_) => self.children(node)?,
            _ => self.prose(&text_of(node), line),
        }
        Ok(())
    }

    /// Reads the components of a paragraph, and the text between them.
    fn paragraph(&mut self, node: &Node) -> Result<()> {
        let (mut text, mut line) = (String::new(), line_of(node));
        for child in node.children().into_iter().flatten() {
            match child {
                Node::MdxJsxTextElement(e)
                    if e.name.as_deref().is_some_and(|n| n.starts_with(char::is_uppercase)) =>
                {
                    self.prose(&std::mem::take(&mut text), line);
                    self.node(child)?;
                    line = child.position().map_or(line, |p| p.end.line);
                }
                _ => text.push_str(&text_of(child)),
            }
        }
        self.prose(&text, line);
        Ok(())
    }

    /// Adds prose to the description of the innermost open field, or to the page if no field is open. A line that
    /// contains only a method and a path becomes a separate block if no field is open.
    fn prose(&mut self, text: &str, line: usize) {
        if let Some(Block::Field(field)) = self.fields.last().and_then(|f| self.blocks.get_mut(*f))
        {
            field.text = format!("{} {}", field.text, text.trim()).trim().replace('\n', " ");
            return;
        }
        let mut rest = String::new();
        let mut first = line;
        for (index, part) in text.lines().enumerate() {
            match operation(part) {
                Some((method, path)) => {
                    let (text, line) = (part.to_owned(), line + index);
                    self.blocks.push(Block::Operation { method, path, text, line });
                    first = line + 1;
                }
                None => rest = format!("{rest} {}", part.trim()),
            }
        }
        if !rest.trim().is_empty() {
            self.blocks.push(Block::Text { text: rest.trim().to_owned(), line: first });
        }
    }

    fn front_matter(&mut self, text: &str, line: usize) {
        for (index, row) in text.lines().enumerate() {
            let Some((key, value)) = row.split_once(':') else {
                continue;
            };
            let value = value.trim().trim_matches(['"', '\'']);
            let line = line + index + 1;
            let text = value.to_owned();
            self.blocks.push(match (key.trim(), operation(value)) {
                ("api" | "openapi", Some((method, path))) => {
                    Block::Operation { method, path, text, line }
                }
                ("deprecated", _) if value.split_whitespace().next() == Some("true") => {
                    Block::Deprecated { line }
                }
                _ => Block::Text { text, line },
            });
        }
    }

    fn table(&mut self, node: &Node) {
        let mut header = Vec::new();
        for (index, row) in node.children().into_iter().flatten().enumerate() {
            let cells = row.children().into_iter().flatten();
            let cells: Vec<String> = cells.map(|c| text_of(c).trim().to_owned()).collect();
            if index == 0 {
                header = cells.iter().map(|c| c.to_lowercase()).collect();
            } else {
                self.blocks.push(Block::Row { header: header.clone(), cells, line: line_of(row) });
            }
        }
    }

    /// Reads the items of a list. An item that starts with a name and a type in parentheses is the description of a
    /// field. Example: `title (string, required): A short title`. Any other item is read as ordinary text. In a
    /// component of a field, the whole list is a part of the field's description.
    fn list(&mut self, node: &Node) -> Result<()> {
        static ITEM: LazyLock<Regex> = LazyLock::new(|| {
            Regex::new(
                r"^([a-z_][A-Za-z0-9_.\[\]]*)\s*\(([^)]*(?:\([^)]*\)[^)]*)?)\)\s*[:—–-]?\s*(.*)$",
            )
            .expect("a pattern")
        });
        if !self.fields.is_empty() {
            self.prose(&text_of(node), line_of(node));
            return Ok(());
        }
        for item in node.children().into_iter().flatten() {
            let text = text_of(item).replace('\n', " ");
            let found = ITEM.captures(text.trim());
            match found.filter(|f| Notation::parse(&f[2]).is_some()) {
                Some(found) => self.blocks.push(Block::Field(RawField {
                    name: found[1].to_owned(),
                    notation: found[2].to_owned(),
                    text: found[3].to_owned(),
                    line: line_of(item),
                    ..RawField::default()
                })),
                None => self.children(item)?,
            }
        }
        Ok(())
    }

    fn element(
        &mut self,
        node: &Node,
        name: Option<&str>,
        attributes: &[AttributeContent],
    ) -> Result<()> {
        let (name, line) = (name.unwrap_or_default(), line_of(node));
        if matches!(name, "ParamField" | "ResponseField") {
            let field = self.field(name, attributes, line)?;
            self.blocks.push(Block::Field(field));
            self.fields.push(self.blocks.len() - 1);
            self.children(node)?;
            self.fields.pop();
            return Ok(());
        }
        if name.starts_with(char::is_uppercase) && !CONTAINERS.contains(&format!(" {name} ")) {
            bail!(
                "line {line}: the component <{name}> is unknown, so what it shows cannot be read"
            );
        }
        let before = self.section;
        let title = attributes.iter().find_map(|a| match a {
            AttributeContent::Property(p) if p.name == "title" => match &p.value {
                Some(AttributeValue::Literal(text)) => Section::of_heading(text),
                _ => None,
            },
            _ => None,
        });
        match name {
            "RequestExample" => self.section = Some(Section::Example),
            "ResponseExample" => self.section = Some(Section::Response),
            "Tab" | "Accordion" => self.section = title.or(before),
            _ => {}
        }
        // If the component is inside a paragraph, its text is read as a paragraph of its own.
        let inline = matches!(node, Node::MdxJsxTextElement(_));
        if inline {
            self.paragraph(node)?
        } else {
            self.children(node)?
        }
        self.section = before;
        Ok(())
    }

    fn field(
        &self,
        component: &str,
        attributes: &[AttributeContent],
        line: usize,
    ) -> Result<RawField> {
        let mut field = RawField { line, ..RawField::default() };
        for attribute in attributes {
            let AttributeContent::Property(attribute) = attribute else {
                bail!("line {line}: an attribute that is spread cannot be read");
            };
            let value = match &attribute.value {
                None => "true".to_owned(),
                Some(AttributeValue::Literal(text)) => text.clone(),
                Some(AttributeValue::Expression(e)) => unquote(e.value.trim()),
            };
            let flag = || match value.to_lowercase().as_str() {
                "true" | "" | "yes" | "required" => Ok(true),
                "false" | "no" => Ok(false),
                other => Err(anyhow!("line {line}: `{other}` is neither true nor false")),
            };
            match attribute.name.as_str() {
                "body" => (field.name, field.section) = (value, Some(Section::Request)),
                "query" => (field.name, field.section) = (value, Some(Section::Query)),
                "path" => (field.name, field.section) = (value, Some(Section::Path)),
                "header" => (field.name, field.section) = (value, Some(Section::Header)),
                "name" => (field.name, field.section) = (value, Some(Section::Response)),
                "type" => field.notation = value,
                "required" => field.required = Some(flag()?),
                "optional" => field.required = Some(!flag()?),
                "deprecated" => field.deprecated = flag()?,
                "default" => field.default = Some(value),
                "id" | "key" | "style" | "className" | "icon" | "placeholder" | "initialValue"
                | "pre" | "post" | "hidden" | "title" => {}
                other => bail!("line {line}: the attribute `{other}` of <{component}> is unknown"),
            }
        }
        if field.name.is_empty() {
            bail!("line {line}: <{component}> has no name");
        }
        if let Some(Block::Field(parent)) = self.fields.last().and_then(|f| self.blocks.get(*f)) {
            field.section = parent.section;
            if !field.name.starts_with(&format!("{}.", parent.name)) {
                field.name = format!("{}.{}", parent.name, field.name);
            }
        }
        Ok(field)
    }
}

/// Returns the content of a JavaScript string literal, or any other expression unchanged.
fn unquote(text: &str) -> String {
    ['"', '\'', '`']
        .into_iter()
        .find_map(|quote| text.strip_prefix(quote)?.strip_suffix(quote))
        .unwrap_or(text)
        .to_owned()
}
