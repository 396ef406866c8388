//! `cargo xtask drift`: which checks run on what, and the reports they give.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::deviations::{self, Deviations};
use super::docs::{self, source};
use super::document::{self, Document};
use super::finding::Outcome;
use super::report::{Format, Report};

/// The pages of the repository, which state the vendor's facts in words of our own.
const PAGES: [&str; 2] = ["xtask/tests/pages/create-session.txt", "xtask/tests/pages/create-session.md"];

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
    /// Every offline check: the repository's pages.
    All,
}

fn output(text: &str) -> Result<(Format, PathBuf), String> {
    let (format, file) = text.split_once('=').ok_or("FORMAT=FILE is needed")?;
    let format = <Format as clap::ValueEnum>::from_str(format, true)?;
    Ok((format, PathBuf::from(file)))
}

impl Drift {
    /// Runs the checks and gives the exit code: 0 in sync, 1 drift, 2 could not check.
    pub async fn run(&self) -> u8 {
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
        let known = Deviations::parse(deviations::FILE, &crate::read(deviations::FILE)?)?;
        let mut outcome = self.check.outcome(&document).await;
        known.apply(&mut outcome);
        let report = Report { document: &document, outcome: &outcome };
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
            Self::All => outcome.add(own_pages(document)),
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

fn own_pages(document: &Document) -> Outcome {
    let mut outcome = Outcome::default();
    for name in PAGES {
        let page = crate::read(name).map(|text| docs::PageText { name: name.to_owned(), text });
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
