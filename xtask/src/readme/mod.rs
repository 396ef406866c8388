//! Runs the commands of the README and the guide.
//!
//! Code blocks with the language `sh`, `console` or `bash` are run with bash. All commands of a code block run in the
//! same shell, until one fails. Each line is a command, except empty lines and comments. A backslash at the end of a
//! line joins the next line to it. A comment before a block says what the block needs:
//!
//! - without a comment, a block runs in the repository, without a key;
//! - `<!-- readme: mock -->`: the block runs in an empty folder, with `blocks` and a mock of the service;
//! - `<!-- readme: serves -->`: as `mock`, but the block is one command, which must print a line and is then stopped;
//! - `<!-- readme: script -->`: as `mock`, but the block is a script that is killed once, and run again;
//! - `<!-- readme: skip because … -->`: the block is not run, for this reason.
//!
//! A `yaml` block after one of these comments contains the steps of a GitHub Actions workflow. The script in the field
//! `run` of each step is run. Blocks of Rust are doc tests. They are run last, and only if no page is chosen.

mod blocks;
mod script;
mod shell;

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::{NamedTempFile, TempDir};

use crate::command::{self, Mock};
use crate::{read, root};
use blocks::{Block, Needs};

const GUIDE: &str = "crates/blocks-sdk/guide";

/// The settings of the mock for blocks that need the service.
const SCRIPT: &str = r#"{"agent": {"text": "Done.", "when": {"after": "1s"}, "steps": [
    {"do": {"message": "Looking."}},
    {"do": {"plan": {"file_name": "plan.md", "text": "1. Go."}}}
], "schema_reply": {"invalid_replies": 1}}}"#;

/// Runs the commands of the chosen pages and prints their results. If no page is chosen, runs the commands
/// of all pages and the doc tests.
///
/// # Errors
/// Fails if a command failed, or could not be run. Also fails if a page cannot be read or has an unknown comment.
pub fn check(chosen: Vec<String>) -> Result<(), String> {
    let has_doc_tests = chosen.is_empty();
    let pages = match has_doc_tests {
        true => all_pages()?,
        false => chosen,
    };
    let folders = Folders::new()?;
    let mut tally = Tally::default();
    for page in &pages {
        for block in blocks::parse(&read(page)?) {
            run(page, &block?, &folders, &mut tally)?;
        }
    }
    if has_doc_tests {
        let tests =
            "cargo test --quiet --doc -p blocks-sdk -p blocks-mock --features blocks-sdk/schemars"
                .to_owned();
        println!("the blocks of Rust:");
        tally.add(folders.shell(&[tests], &Needs::Repository)?);
    }
    let Tally {
        ok,
        skipped,
        failed,
    } = tally;
    println!("{ok} ok, {skipped} skipped, {failed} failed");
    if failed == 0 {
        Ok(())
    } else {
        Err(format!("{failed} commands of {} failed", pages.join(", ")))
    }
}

fn all_pages() -> Result<Vec<String>, String> {
    let mut pages = vec!["README.md".to_owned()];
    let guide = std::fs::read_dir(root().join(GUIDE)).map_err(|e| format!("{GUIDE}: {e}"))?;
    let names = guide
        .flatten()
        .map(|f| f.file_name().to_string_lossy().into_owned());
    let mut names: Vec<String> = names.filter(|name| name.ends_with(".md")).collect();
    names.sort();
    pages.extend(names.into_iter().map(|name| format!("{GUIDE}/{name}")));
    Ok(pages)
}

#[derive(Default)]
struct Tally {
    ok: usize,
    skipped: usize,
    failed: usize,
}

impl Tally {
    fn add(&mut self, (ok, failed): shell::Counts) {
        self.ok += ok;
        self.failed += failed;
    }
}

fn run(page: &str, block: &Block, folders: &Folders, tally: &mut Tally) -> Result<(), String> {
    if block.commands.is_empty() {
        return Ok(());
    }
    println!("{page}:{}", block.line);
    if let Needs::Skip(reason) = &block.needs {
        for command in &block.commands {
            println!("  {command} ... skipped because {reason}");
        }
        tally.skipped += block.commands.len();
        return Ok(());
    }
    if block.needs == Needs::Script {
        tally.add(folders.script(&block.code)?);
        return Ok(());
    }
    tally.add(folders.shell(&block.commands, &block.needs)?);
    Ok(())
}

/// The program and the folder that the commands use.
struct Folders {
    blocks: PathBuf,
    /// The folder into which `cargo install` installs, and in which `blocks` stores its state. A script has its own
    /// folder for the state.
    installed: TempDir,
}

impl Folders {
    fn new() -> Result<Self, String> {
        Ok(Self {
            blocks: command::build()?,
            installed: temporary()?,
        })
    }

    /// Runs commands in one shell until one fails. Returns how many succeeded and failed.
    fn shell(&self, commands: &[String], needs: &Needs) -> Result<shell::Counts, String> {
        let mut bash = Command::new("bash");
        bash.env("CARGO_INSTALL_ROOT", self.installed.path())
            .env("XDG_STATE_HOME", self.installed.path().join("state"))
            .env_remove("BLOCKS_API_KEY")
            .env_remove("BLOCKS_API_BASE_URL");
        // If the mock and the folder were dropped, the mock would stop and the folder would be deleted. So both are
        // kept until the commands have ended.
        let mut service = None;
        if *needs == Needs::Repository {
            bash.current_dir(root());
        } else {
            let mock = self.mock(SCRIPT)?;
            let folder = temporary()?;
            bash.current_dir(folder.path())
                .envs(mock.variables.iter().cloned());
            bash.env("GITHUB_OUTPUT", folder.path().join("github-output"));
            service = Some((mock, folder));
        }
        bash.env("PATH", self.path()?);
        let counts = match needs {
            Needs::Serves => shell::serve(bash, commands),
            _ => shell::run(bash, commands),
        };
        drop(service);
        counts
    }

    /// Runs a script that is killed once. The mock's agent is slow, so that the script can be killed in time.
    fn script(&self, code: &str) -> Result<shell::Counts, String> {
        let mock = self.mock(&SCRIPT.replace("1s", "4s"))?;
        let folder = temporary()?;
        let mut variables = mock.variables.clone();
        let state = folder.path().join("state").display().to_string();
        variables.push(("XDG_STATE_HOME".into(), state));
        variables.push(("BLOCKS_REGISTER".into(), "1".into()));
        variables.push(("PATH".into(), self.path()?.to_string_lossy().into_owned()));
        Ok(script::run(code, folder.path(), &variables))
    }

    fn mock(&self, settings: &str) -> Result<Mock, String> {
        let mut script = NamedTempFile::new().map_err(failed)?;
        script.write_all(settings.as_bytes()).map_err(failed)?;
        Mock::start(&self.blocks, script.path())
    }

    /// Returns the `PATH` for the commands, in which the folder of `blocks` is first.
    fn path(&self) -> Result<std::ffi::OsString, String> {
        let own = self.blocks.parent().into_iter().map(Path::to_path_buf);
        let path = std::env::var_os("PATH").unwrap_or_default();
        let path = std::env::join_paths(own.chain(std::env::split_paths(&path)));
        path.map_err(|e| e.to_string())
    }
}

fn temporary() -> Result<TempDir, String> {
    tempfile::tempdir().map_err(failed)
}

fn failed(error: std::io::Error) -> String {
    format!("temporary folder: {error}")
}
