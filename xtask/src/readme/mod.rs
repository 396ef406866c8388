//! Runs what the README and the guide tell people to type, so that it stays true.
//!
//! Blocks of `sh` and `console` are run by bash, a command after another in one shell; a command
//! is a line, with those that a backslash joins to it. A comment before a block says what it needs:
//!
//! - none: the repository, and no key;
//! - `<!-- readme: mock -->`: an empty folder, the command `blocks`, and a mock of the service;
//! - `<!-- readme: serves -->`: the same, and it runs until it is stopped;
//! - `<!-- readme: skip because … -->`: it is not run here, for this reason.
//!
//! Blocks of Rust are doc tests already, which are run last.

mod blocks;
mod shell;

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::command::{self, Mock};
use crate::{read, root};
use blocks::{Block, Needs};

const GUIDE: &str = "crates/blocks-sdk/guide";

/// What the agent does for the blocks that need a service.
const SCRIPT: &str = r#"{"agent": {"text": "Done.", "when": {"after": "1s"}, "steps": [
    {"do": {"message": "Looking."}},
    {"do": {"plan": {"file_name": "plan.md", "text": "1. Go."}}}
]}}"#;

/// Runs everything, and tells each command's end.
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

    let place = Place::new()?;
    let mut tally = Tally::default();
    for page in &pages {
        for block in blocks::parse(&read(page)?) {
            run(page, &block?, &place, &mut tally)?;
        }
    }
    let tests =
        "cargo test --quiet --doc -p blocks-sdk -p blocks-mock --features blocks-sdk/schemars"
            .to_owned();
    println!("the blocks of Rust:");
    tally.add(place.shell(&[tests], &Needs::Repository)?);
    let Tally {
        ok,
        skipped,
        failed,
    } = tally;
    println!("{ok} ok, {skipped} skipped, {failed} failed");
    if failed == 0 {
        Ok(())
    } else {
        Err("not everything that is written there works".into())
    }
}

#[derive(Default)]
struct Tally {
    ok: usize,
    skipped: usize,
    failed: usize,
}

impl Tally {
    fn add(&mut self, (ok, failed): shell::Ended) {
        self.ok += ok;
        self.failed += failed;
    }
}

fn run(page: &str, block: &Block, place: &Place, tally: &mut Tally) -> Result<(), String> {
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
    tally.add(place.shell(&block.commands, &block.needs)?);
    Ok(())
}

/// Where commands run.
struct Place {
    blocks: PathBuf,
    /// Empty folders, and what is installed.
    scratch: PathBuf,
}

impl Place {
    fn new() -> Result<Self, String> {
        let scratch = std::env::temp_dir().join(format!("blocks-readme-{}", std::process::id()));
        std::fs::create_dir_all(&scratch).map_err(|e| format!("{}: {e}", scratch.display()))?;
        Ok(Self {
            blocks: command::build()?,
            scratch,
        })
    }

    /// Runs commands in one shell until one fails; how many went well, and how many did not.
    fn shell(&self, commands: &[String], needs: &Needs) -> Result<shell::Ended, String> {
        let mut bash = Command::new("bash");
        bash.env("CARGO_INSTALL_ROOT", self.scratch.join("installed"))
            .env_remove("BLOCKS_API_KEY")
            .env_remove("BLOCKS_API_BASE_URL");
        let mut service = None;
        if *needs == Needs::Repository {
            bash.current_dir(root());
        } else {
            let folder = self.scratch.join("empty");
            fresh(&folder)?;
            let script = self.scratch.join("mock.json");
            std::fs::write(&script, SCRIPT).map_err(|e| format!("{}: {e}", script.display()))?;
            let mock = Mock::start(&self.blocks, &script)?;
            bash.current_dir(folder)
                .envs(mock.variables.iter().cloned());
            service = Some(mock);
        }
        let own = self.blocks.parent().into_iter().map(Path::to_path_buf);
        let path = std::env::var_os("PATH").unwrap_or_default();
        let path = std::env::join_paths(own.chain(std::env::split_paths(&path)));
        bash.env("PATH", path.map_err(|e| e.to_string())?);
        let ended = match needs {
            Needs::Serves => shell::serve(bash, commands),
            _ => shell::follow(bash, commands),
        };
        drop(service);
        ended
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        // What is left of it is in the folder for temporary files.
        let _ = std::fs::remove_dir_all(&self.scratch);
    }
}

fn fresh(folder: &Path) -> Result<(), String> {
    let failed = |e: std::io::Error| format!("{}: {e}", folder.display());
    if folder.exists() {
        std::fs::remove_dir_all(folder).map_err(failed)?;
    }
    std::fs::create_dir_all(folder).map_err(failed)
}
