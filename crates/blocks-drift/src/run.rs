//! `cargo xtask drift`: runs the chosen checks, and prints a report.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use clap::{Parser, Subcommand};

use crate::deviations::{self, Deviations};
use crate::document::{self, Document};
use crate::finding::CheckResult;
use crate::limited;
use crate::page::{self, PageText, source};
use crate::report::{Format, Report};
use crate::{coverage, live, sdk};

/// The names, without ending, of the files in `tests/pages`. These files state the facts of the vendor's documentation
/// pages in our own words.
pub const PAGES: [&str; 5] = ["create", "get", "messages", "follow-up", "quick-start"];

/// Compare the document with pages, live responses, the mock and the SDK: exit 0 in sync, 1 drift, 2 could not check.
#[derive(Parser, Debug)]
#[command(name = "cargo xtask drift", bin_name = "cargo xtask drift")]
pub struct Drift {
    #[command(subcommand)]
    check: Check,
    /// The form of the report.
    #[arg(long, value_enum, default_value_t = Format::Text, global = true)]
    format: Format,
    /// Also append a report to a file, such as `markdown=summary.md`; can be repeated.
    #[arg(long, value_name = "FORMAT=FILE", value_parser = output, global = true)]
    output: Vec<(Format, PathBuf)>,
    /// Use another list of known deviations.
    #[arg(long, value_name = "FILE", global = true)]
    deviations: Option<PathBuf>,
}

#[derive(Subcommand, Debug)]
enum Check {
    /// Compare documentation pages with the OpenAPI document.
    Docs {
        /// A file, a URL, or - for standard input; default: the pages of this repository.
        pages: Vec<String>,
        /// Instead of the default, read the pages on its host that this index links to.
        #[arg(long, value_name = "URL")]
        index: Option<String>,
    },
    /// Compare responses of the service with the OpenAPI document. Without flags nothing is created or billed.
    /// BLOCKS_API_BASE_URL names the service, and BLOCKS_API_KEY is the key.
    Live {
        /// Also read this session.
        #[arg(long, value_name = "ID", value_parser = session_id)]
        session: Option<String>,
        /// Also create a session and follow up in it; both are billed.
        #[arg(long)]
        create: bool,
        /// Use the mock server of this repository instead.
        #[arg(long, conflicts_with_all = ["session", "captures"])]
        mock: bool,
        /// Send nothing, and read a HAR file or a folder of responses that --save wrote.
        #[arg(long, value_name = "PATH", conflicts_with_all = ["session", "create", "save"])]
        captures: Option<PathBuf>,
        /// Write the compared responses to a folder.
        #[arg(long, value_name = "FOLDER")]
        save: Option<PathBuf>,
    },
    /// Compare the requests, enums and limits of the SDK with the OpenAPI document.
    Sdk,
    /// Run every offline check: the repository's pages, the mock server, the SDK.
    All,
}

/// Parses a session id. Only a UUID is accepted, because the id becomes a part of a request's path. Another text, such
/// as `../x`, could change the path.
fn session_id(text: &str) -> Result<String, String> {
    uuid::Uuid::try_parse(text).map(|id| id.to_string()).map_err(|e| e.to_string())
}

fn output(text: &str) -> Result<(Format, PathBuf), String> {
    let (format, file) = text.split_once('=').ok_or("FORMAT=FILE is needed")?;
    let format = <Format as clap::ValueEnum>::from_str(format, true)?;
    Ok((format, PathBuf::from(file)))
}

impl Drift {
    /// Runs the checks, prints the report, and returns the exit code. It is 0 without drift, 1 with drift, and 2 if
    /// something could not be checked, even if there is drift too. It is 141 if standard output was closed.
    pub async fn run(&self) -> u8 {
        match self.report().await {
            Ok(code) => code,
            Err(error) => {
                eprintln!("could not check: {error:#}");
                2
            }
        }
    }

    async fn report(&self) -> Result<u8> {
        let document = Document::parse(document::FILE, &crate::read(document::FILE)?)?;
        let (name, known) = match &self.deviations {
            Some(file) => {
                let name = file.display().to_string();
                let text = limited::text_file(file).with_context(|| name.clone())?;
                (name, text)
            }
            None => (deviations::FILE.to_owned(), crate::read(deviations::FILE)?),
        };
        let known = Deviations::parse(&name, &known, &document)?;
        let mut result = self.check.result(&document).await;
        known.apply(&document, &mut result);
        let report = Report { document: &document, result: &result };
        for (format, file) in &self.output {
            append(file, &report.render(*format)).with_context(|| file.display().to_string())?;
        }
        print(&report.render(self.format), report.exit_code())
    }
}

/// Prints the report. Returns `code`, or 141 if standard output was closed, as in `drift sdk | head -0`. The command
/// `blocks` ends in the same way. The macro `print!` would panic.
fn print(report: &str, code: u8) -> Result<u8> {
    let mut out = std::io::stdout();
    match out.write_all(report.as_bytes()).and_then(|()| out.flush()) {
        Ok(()) => Ok(code),
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(141),
        Err(error) => Err(error).context("standard output"),
    }
}

impl Check {
    async fn result(&self, document: &Document) -> CheckResult {
        let mut result = CheckResult::default();
        match self {
            Self::Docs { pages, index } => {
                for page in pages {
                    let page = source::read(page).await;
                    result.attempt(page.and_then(|page| page::check(document, &page)));
                }
                if let Some(index) = index {
                    match source::read_index(index).await {
                        Ok(pages) => check_index(document, &pages, &mut result),
                        Err(error) => result.errors.push(format!("{error:#}")),
                    }
                } else if pages.is_empty() {
                    own_pages(document, &mut result);
                }
            }
            Self::Live { captures: Some(path), .. } => {
                result.attempt(live::check_captures(
                    document,
                    path,
                    &live::Target::from_env().base,
                ));
            }
            Self::Live { mock: true, save, .. } => {
                result.attempt(mock(document, save.clone()).await);
            }
            Self::Live { session, create, save, .. } => {
                let options = live::LiveOptions {
                    session: session.clone(),
                    create: *create,
                    save: save.clone(),
                };
                result.attempt(live::check(document, &live::Target::from_env(), &options).await);
            }
            Self::Sdk => result.attempt(sdk::check(document).await),
            Self::All => {
                own_pages(document, &mut result);
                result.attempt(mock(document, None).await);
                result.attempt(sdk::check(document).await);
            }
        }
        result
    }
}

/// Compares all documentation pages with the OpenAPI document. If there are no errors, also reports each operation that
/// no page describes, and each fact about the whole API (such as the rate limit) that no page states.
pub fn check_index(document: &Document, pages: &[PageText], result: &mut CheckResult) {
    for page in pages {
        result.attempt(page::check_indexed(document, page));
    }
    coverage::judge(document, result);
}

/// Compares the mock server's responses with the OpenAPI document. The check always creates a session, because a
/// session of the mock server costs nothing.
async fn mock(document: &Document, save: Option<PathBuf>) -> Result<CheckResult> {
    let mock = live::mock::server().start().await.context("the mock server")?;
    let target = live::Target { base: mock.url(), key: Some(mock.key().to_owned()) };
    let options = live::LiveOptions { session: None, create: true, save };
    live::check(document, &target, &options).await
}

fn own_pages(document: &Document, result: &mut CheckResult) {
    for (page, form) in PAGES.iter().flat_map(|page| [(page, "txt"), (page, "md")]) {
        let name = format!("crates/blocks-drift/tests/pages/{page}.{form}");
        let text = crate::read(&name).map(|text| PageText { name, text });
        result.attempt(text.and_then(|text| page::check(document, &text)));
    }
    coverage::judge(document, result);
}

fn append(file: &Path, text: &str) -> std::io::Result<()> {
    if let Some(folder) = file.parent() {
        std::fs::create_dir_all(folder)?;
    }
    std::fs::OpenOptions::new().create(true).append(true).open(file)?.write_all(text.as_bytes())
}
