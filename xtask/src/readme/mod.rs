//! Runs the commands of the README and the guide.
//!
//! bash runs the blocks of `sh` and `console`, all commands of a block in one shell. A command is
//! a line; a backslash joins the next one to it. A comment before a block says what it needs:
//!
//! - none: the repository, and no key;
//! - `<!-- readme: mock -->`: an empty folder, the command `blocks`, and a mock of the service;
//! - `<!-- readme: serves -->`: the same, and it runs until it is stopped;
//! - `<!-- readme: skip because … -->`: it is not run, for this reason.
//!
//! Blocks of Rust are doc tests. They are run last.

mod blocks;
mod shell;

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::{NamedTempFile, TempDir};

use crate::command::{self, Mock};
use crate::{read, root};
use blocks::{Block, Needs};

const GUIDE: &str = "crates/blocks-sdk/guide";

/// The script of the agent, for blocks that need the service.
const SCRIPT: &str = r#"{"agent": {"text": "Done.", "when": {"after": "1s"}, "steps": [
    {"do": {"message": "Looking."}},
    {"do": {"plan": {"file_name": "plan.md", "text": "1. Go."}}}
]}}"#;

/// Runs all commands, and prints the result of each.
///
/// # Errors
/// A command failed, or could not be run.
pub fn check() -> Result<(), String> {
    let mut pages = vec!["README.md".to_owned()];
    let guide = std::fs::read_dir(root().join(GUIDE)).map_err(|e| format!("{GUIDE}: {e}"))?;
    let names = guide
        .flatten()
        .map(|f| f.file_name().to_string_lossy().into_owned());
    let mut names: Vec<String> = names.filter(|name| name.ends_with(".md")).collect();
    names.sort();
    pages.extend(names.into_iter().map(|name| format!("{GUIDE}/{name}")));

    let folders = Folders::new()?;
    let mut tally = Tally::default();
    for page in &pages {
        for block in blocks::parse(&read(page)?) {
            run(page, &block?, &folders, &mut tally)?;
        }
    }
    let tests =
        "cargo test --quiet --doc -p blocks-sdk -p blocks-mock --features blocks-sdk/schemars"
            .to_owned();
    println!("the blocks of Rust:");
    tally.add(folders.shell(&[tests], &Needs::Repository)?);
    let Tally {
        ok,
        skipped,
        failed,
    } = tally;
    println!("{ok} ok, {skipped} skipped, {failed} failed");
    if failed == 0 {
        Ok(())
    } else {
        Err(format!(
            "{failed} commands of README.md or the guide failed"
        ))
    }
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
    tally.add(folders.shell(&block.commands, &block.needs)?);
    Ok(())
}

/// The folders in which commands run.
struct Folders {
    blocks: PathBuf,
    /// Where `cargo install` installs.
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
        // Dropped after the commands: the mock stops, and the folder is removed.
        let mut service = None;
        if *needs == Needs::Repository {
            bash.current_dir(root());
        } else {
            let mut script = NamedTempFile::new().map_err(failed)?;
            script.write_all(SCRIPT.as_bytes()).map_err(failed)?;
            let mock = Mock::start(&self.blocks, script.path())?;
            let folder = temporary()?;
            bash.current_dir(folder.path())
                .envs(mock.variables.iter().cloned());
            service = Some((mock, folder));
        }
        let own = self.blocks.parent().into_iter().map(Path::to_path_buf);
        let path = std::env::var_os("PATH").unwrap_or_default();
        let path = std::env::join_paths(own.chain(std::env::split_paths(&path)));
        bash.env("PATH", path.map_err(|e| e.to_string())?);
        let counts = match needs {
            Needs::Serves => shell::serve(bash, commands),
            _ => shell::run(bash, commands),
        };
        drop(service);
        counts
    }
}

fn temporary() -> Result<TempDir, String> {
    tempfile::tempdir().map_err(failed)
}

fn failed(error: std::io::Error) -> String {
    format!("temporary folder: {error}")
}
