//! `cargo xtask drift`: which checks run on what, and the reports they give.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::deviations::{self, Deviations};
use super::docs::{self, source};
use super::document::{self, Document};
use super::finding::Outcome;
use super::live;
use super::report::{Format, Report};
use super::sdk;

/// The pages of the repository, which state the vendor's facts in words of our own.
const PAGES: [&str; 2] = [
    "xtask/tests/pages/create-session.txt",
    "xtask/tests/pages/create-session.md",
];

/// The arguments of `cargo xtask drift`.
#[derive(Args, Debug)]
pub struct Drift {
    #[command(subcommand)]
    check: Check,
    /// The form of the report.
    #[arg(long, value_enum, default_value_t = Format::Text, global = true)]
    format: Format,
    /// Also append a report to a file, such as `markdown=summary.md`; can be repeated.
    #[arg(long, value_name = "FORMAT=FILE", value_parser = output, global = true)]
    output: Vec<(Format, PathBuf)>,
}

#[derive(Subcommand, Debug)]
enum Check {
    /// Documentation pages against the document.
    Docs {
        /// A file, a URL, or - for standard input; without any, the pages of this repository.
        pages: Vec<String>,
        /// The URL of an index in Markdown, all pages of which are read.
        #[arg(long, value_name = "URL")]
        index: Option<String>,
    },
    /// Answers of the service against the document. Without flags nothing is created or billed;
    /// the service is that of BLOCKS_API_BASE_URL, the key that of BLOCKS_API_KEY.
    Live {
        /// Also read this session.
        #[arg(long, value_name = "ID", value_parser = uuid)]
        session: Option<String>,
        /// Also create a session and follow up in it; both are billed.
        #[arg(long)]
        create: bool,
        /// Ask the mock server of this repository instead.
        #[arg(long, conflicts_with_all = ["session", "captures"])]
        mock: bool,
        /// Ask nobody: read a HAR file, or a folder of answers as --save writes them.
        #[arg(long, value_name = "PATH", conflicts_with_all = ["session", "create", "save"])]
        captures: Option<PathBuf>,
        /// Write the answers to a folder.
        #[arg(long, value_name = "FOLDER")]
        save: Option<PathBuf>,
    },
    /// The SDK's types and requests against the document.
    Types,
    /// Every offline check: the repository's pages, the mock server, the SDK's types.
    All,
}

/// Runs this command again with the SDK compiled in, which the plain alias leaves out.
/// Nothing comes of it when the SDK does not build: then the other checks run here.
fn with_types() -> Option<u8> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let status = std::process::Command::new(cargo)
        .args([
            "run",
            "--quiet",
            "--package",
            "xtask",
            "--features",
            "types",
            "--",
        ])
        .args(std::env::args_os().skip(1))
        .status();
    let code = status.ok()?.code()?;
    u8::try_from(code).ok().filter(|code| *code <= 2)
}

/// An id goes into a path, so nothing else may.
fn uuid(text: &str) -> Result<String, String> {
    let shape = text.split('-').map(str::len).eq([8, 4, 4, 4, 12]);
    let digits = text.chars().all(|c| c == '-' || c.is_ascii_hexdigit());
    if shape && digits {
        Ok(text.to_owned())
    } else {
        Err("a session's id is a UUID".to_owned())
    }
}

fn output(text: &str) -> Result<(Format, PathBuf), String> {
    let (format, file) = text.split_once('=').ok_or("FORMAT=FILE is needed")?;
    let format = <Format as clap::ValueEnum>::from_str(format, true)?;
    Ok((format, PathBuf::from(file)))
}

impl Drift {
    /// Runs the checks and gives the exit code: 0 in sync, 1 drift, 2 could not check.
    pub async fn run(&self) -> u8 {
        let types = matches!(self.check, Check::Types | Check::All);
        if types
            && !sdk::BUILT_IN
            && let Some(code) = with_types()
        {
            return code;
        }
        match self.report().await {
            Ok(code) => code,
            Err(error) => {
                eprintln!("could not check: {error}");
                2
            }
        }
    }

    async fn report(&self) -> Result<u8, String> {
        let document = Document::parse(document::FILE, &crate::read(document::FILE)?)?;
        let known =
            Deviations::parse(deviations::FILE, &crate::read(deviations::FILE)?, &document)?;
        let mut outcome = self.check.outcome(&document).await;
        known.apply(&mut outcome);
        let report = Report {
            document: &document,
            outcome: &outcome,
        };
        for (format, file) in &self.output {
            append(file, &report.render(*format))?;
        }
        print!("{}", report.render(self.format));
        Ok(report.exit_code())
    }
}

impl Check {
    async fn outcome(&self, document: &Document) -> Outcome {
        let mut outcome = Outcome::default();
        match self {
            Self::Docs { pages, index } => {
                if let Some(index) = index {
                    outcome.attempt(read_index(document, index).await);
                }
                if pages.is_empty() && index.is_none() {
                    outcome.add(own_pages(document));
                }
                for page in pages {
                    let page = source::read(page).await;
                    outcome.attempt(page.and_then(|page| docs::check(document, &page)));
                }
            }
            Self::Live {
                captures: Some(path),
                ..
            } => {
                outcome.attempt(live::check_captures(document, path));
            }
            Self::Live {
                mock: true, save, ..
            } => outcome.attempt(mock(document, save.clone()).await),
            Self::Live {
                session,
                create,
                save,
                ..
            } => {
                let reach = live::Reach {
                    session: session.clone(),
                    create: *create,
                    save: save.clone(),
                };
                outcome.attempt(live::check(document, &live::Target::from_env(), &reach).await);
            }
            Self::Types => outcome.attempt(sdk::check(document).await),
            Self::All => {
                outcome.add(own_pages(document));
                outcome.attempt(mock(document, None).await);
                outcome.attempt(sdk::check(document).await);
            }
        }
        outcome
    }
}

async fn read_index(document: &Document, url: &str) -> Result<Outcome, String> {
    let mut outcome = Outcome::default();
    for page in source::read_index(url).await? {
        outcome.attempt(docs::check(document, &page));
    }
    Ok(outcome)
}

/// The mock server stands for the service; creating is free there.
async fn mock(document: &Document, save: Option<PathBuf>) -> Result<Outcome, String> {
    let server = live::mock::server().start().await;
    let mock = server.map_err(|e| format!("the mock server: {e}"))?;
    let target = live::Target {
        base: mock.url(),
        key: Some(mock.key().to_owned()),
    };
    let reach = live::Reach {
        session: None,
        create: true,
        save,
    };
    live::check(document, &target, &reach).await
}

fn own_pages(document: &Document) -> Outcome {
    let mut outcome = Outcome::default();
    for name in PAGES {
        let page = crate::read(name).map(|text| docs::PageText {
            name: name.to_owned(),
            text,
        });
        outcome.attempt(page.and_then(|page| docs::check(document, &page)));
    }
    outcome
}

fn append(file: &PathBuf, text: &str) -> Result<(), String> {
    use std::io::Write as _;
    std::fs::OpenOptions::new()
        .create(true)
        .append(true)
        .open(file)
        .and_then(|mut f| f.write_all(text.as_bytes()))
        .map_err(|e| format!("{}: {e}", file.display()))
}
