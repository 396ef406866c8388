//! Finds the blocks of shell code on a page, and the environment that each block needs.

use pulldown_cmark::{CodeBlockKind, Event, Parser, Tag, TagEnd};
use serde::Deserialize;

/// The environment that a block of code needs.
#[derive(Debug, PartialEq, Eq)]
pub enum Needs {
    /// The block runs in the repository, without a key.
    Repository,
    /// The block runs in an empty folder, with the command and a mock of the service.
    Mock,
    /// Like `Mock`, but the block is one command, for example a server. The command must print a line, and is then
    /// stopped.
    Serves,
    /// The block is one script. It runs in an empty folder, with the command and a mock of the service. It is killed
    /// after it has sent its prompt, and is then run again.
    Script,
    /// The block is not run, for this reason.
    Skip(String),
}

/// A block of shell code.
#[derive(Debug)]
pub struct Block {
    /// The line number at which the block starts.
    pub line: usize,
    pub needs: Needs,
    pub commands: Vec<String>,
    /// The content of the block, as it is on the page.
    pub code: String,
}

/// Finds the blocks of a page. Each result is a block, or the error of that block.
pub fn parse(page: &str) -> Vec<Result<Block, String>> {
    let mut blocks = Vec::new();
    let mut comment = None;
    let mut open: Option<(usize, String)> = None;
    let mut is_workflow = false;
    for (event, place) in Parser::new(page).into_offset_iter() {
        match event {
            Event::Html(html) | Event::InlineHtml(html) => comment = comment.or(note(&html)),
            Event::Start(Tag::CodeBlock(CodeBlockKind::Fenced(language)))
                if matches!(&*language, "sh" | "console" | "bash")
                    || (&*language == "yaml" && comment.is_some()) =>
            {
                is_workflow = &*language == "yaml";
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
                    let commands = match is_workflow {
                        true => steps(&code),
                        false => Ok(commands(&code)),
                    };
                    let needs = needs(comment.as_deref());
                    blocks.push(needs.and_then(|needs| {
                        Ok(Block {
                            line,
                            needs,
                            commands: commands?,
                            code,
                        })
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

/// Returns the text after `readme:` in an HTML comment, for example `mock`; `None` for other HTML.
fn note(html: &str) -> Option<String> {
    let text = html.trim().strip_prefix("<!--")?.strip_suffix("-->")?;
    Some(text.trim().strip_prefix("readme:")?.trim().to_owned())
}

fn needs(comment: Option<&str>) -> Result<Needs, String> {
    match comment {
        None => Ok(Needs::Repository),
        Some("mock") => Ok(Needs::Mock),
        Some("serves") => Ok(Needs::Serves),
        Some("script") => Ok(Needs::Script),
        Some(other) => match other.strip_prefix("skip because ") {
            Some(reason) if !reason.is_empty() => Ok(Needs::Skip(reason.to_owned())),
            _ => Err(format!(
                "unknown comment `readme: {other}`; expected mock, serves, script or `skip because …`"
            )),
        },
    }
}

/// Splits a block into commands: one for each line. A backslash joins a line to the next line. Empty lines, and lines
/// that start with `#`, are left out.
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

/// Returns the commands of a GitHub Actions workflow's steps, which are in the fields `run`. Each step runs in its own
/// shell, which ends at the first failure.
fn steps(yaml: &str) -> Result<Vec<String>, String> {
    #[derive(Deserialize)]
    struct Step {
        run: String,
    }
    let steps: Vec<Step> =
        serde_yaml_ng::from_str(yaml).map_err(|e| format!("invalid steps of a workflow: {e}"))?;
    let shell = |step: Step| format!("(set -e\n{}\n)", step.run);
    Ok(steps.into_iter().map(shell).collect())
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

```yaml
- run: not a step of this page
```

<!-- readme: mock -->
```yaml
- name: A step
  run: |
    five
    six
```

<!-- readme: nonsense -->
```sh
six
```
";

    #[test]
    fn blocks_are_found_with_their_needs() {
        let blocks = parse(PAGE);
        let [Ok(one), Ok(three), Ok(four), Ok(step), Err(six)] = &blocks[..] else {
            panic!("{blocks:?}");
        };
        assert_eq!((one.line, &one.needs), (3, &Needs::Repository));
        assert_eq!(one.commands, ["one", "two \\\n  and more"]);
        assert_eq!((&three.needs, three.commands.len()), (&Needs::Mock, 1));
        assert_eq!(four.needs, Needs::Skip("it costs money".into()));
        assert_eq!(step.needs, Needs::Mock);
        assert_eq!(step.commands, ["(set -e\nfive\nsix\n\n)"]);
        assert!(six.contains("nonsense"), "{six}");
    }

    #[test]
    fn a_comment_applies_to_the_next_block_only() {
        let blocks = parse("<!-- readme: mock -->\n\nText.\n\n```sh\none\n```\n");
        assert_eq!(blocks[0].as_ref().unwrap().needs, Needs::Repository);
    }
}
