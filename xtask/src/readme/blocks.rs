//! The shell blocks of a page, and what each needs.

use pulldown_cmark::{CodeBlockKind, Event, Parser, Tag, TagEnd};

/// What a block needs to run.
#[derive(Debug, PartialEq, Eq)]
pub enum Needs {
    /// The repository as the current folder, and no key.
    Repository,
    /// An empty folder, the command, and a mock of the service.
    Mock,
    /// The same, for one command that runs until it is stopped.
    Serves,
    /// It is not run, for this reason.
    Skip(String),
}

/// A block for a shell.
#[derive(Debug)]
pub struct Block {
    /// Its first line.
    pub line: usize,
    pub needs: Needs,
    pub commands: Vec<String>,
}

/// The blocks of a page, each of them or its error.
pub fn parse(page: &str) -> Vec<Result<Block, String>> {
    let mut blocks = Vec::new();
    let mut comment = None;
    let mut open: Option<(usize, String)> = None;
    for (event, place) in Parser::new(page).into_offset_iter() {
        match event {
            Event::Html(html) | Event::InlineHtml(html) => comment = comment.or(note(&html)),
            Event::Start(Tag::CodeBlock(CodeBlockKind::Fenced(language)))
                if matches!(&*language, "sh" | "console" | "bash") =>
            {
                open = Some((line(page, place.start), String::new()));
            }
            Event::Text(text) => {
                if let Some((_, code)) = &mut open {
                    code.push_str(&text);
                }
                comment = comment.filter(|_| open.is_some());
            }
            Event::End(TagEnd::CodeBlock) => {
                if let Some((line, code)) = open.take() {
                    let needs = needs(comment.as_deref());
                    blocks.push(needs.map(|needs| Block {
                        line,
                        needs,
                        commands: commands(&code),
                    }));
                }
                comment = None;
            }
            _ => {}
        }
    }
    blocks
}

fn line(page: &str, place: usize) -> usize {
    page[..place].matches('\n').count() + 1
}

/// The text of a comment for this task.
fn note(html: &str) -> Option<String> {
    let text = html.trim().strip_prefix("<!--")?.strip_suffix("-->")?;
    Some(text.trim().strip_prefix("readme:")?.trim().to_owned())
}

fn needs(comment: Option<&str>) -> Result<Needs, String> {
    match comment {
        None => Ok(Needs::Repository),
        Some("mock") => Ok(Needs::Mock),
        Some("serves") => Ok(Needs::Serves),
        Some(other) => match other.strip_prefix("skip because ") {
            Some(reason) if !reason.is_empty() => Ok(Needs::Skip(reason.to_owned())),
            _ => Err(format!(
                "unknown comment `readme: {other}`; expected mock, serves or `skip because …`"
            )),
        },
    }
}

/// The commands of a block: its lines. A backslash joins a line to the next.
fn commands(code: &str) -> Vec<String> {
    let mut commands = Vec::new();
    let mut whole = String::new();
    for line in code.lines() {
        whole.push_str(line);
        if line.ends_with('\\') {
            whole.push('\n');
            continue;
        }
        let command = std::mem::take(&mut whole);
        if !command.trim().is_empty() && !command.starts_with('#') {
            commands.push(command);
        }
    }
    commands
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: &str = "\
Text.

```console
one
# no command
two \\
  and more
```

<!-- readme: mock -->
```sh
three
```

<!-- readme: skip because it costs money -->

```sh
four
```

```rust
five
```

<!-- readme: nonsense -->
```sh
six
```
";

    #[test]
    fn blocks_are_found_with_their_needs() {
        let blocks = parse(PAGE);
        let [Ok(one), Ok(three), Ok(four), Err(six)] = &blocks[..] else {
            panic!("{blocks:?}");
        };
        assert_eq!((one.line, &one.needs), (3, &Needs::Repository));
        assert_eq!(one.commands, ["one", "two \\\n  and more"]);
        assert_eq!((&three.needs, three.commands.len()), (&Needs::Mock, 1));
        assert_eq!(four.needs, Needs::Skip("it costs money".into()));
        assert!(six.contains("nonsense"), "{six}");
    }

    #[test]
    fn a_comment_applies_to_the_next_block_only() {
        let blocks = parse("<!-- readme: mock -->\n\nText.\n\n```sh\none\n```\n");
        assert_eq!(blocks[0].as_ref().unwrap().needs, Needs::Repository);
    }
}
