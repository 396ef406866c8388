//! Builds the command `blocks`, starts `blocks mock`, and runs the programs of other packages.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// Builds the command `blocks` and returns its path. If the environment variable `BLOCKS` contains a path, returns that
/// path and builds nothing.
///
/// # Errors
/// Fails if cargo cannot be started, or if the command does not build.
pub fn build() -> Result<PathBuf, String> {
    if let Some(built) = std::env::var_os("BLOCKS") {
        return Ok(built.into());
    }
    let mut command = cargo();
    command
        .args(["build", "--quiet", "--package", "blocks-cli"])
        .current_dir(crate::root());
    let status = command.status().map_err(|e| format!("cargo: {e}"))?;
    if !status.success() {
        return Err("blocks-cli does not build".into());
    }
    // Cargo puts this program (xtask) and `blocks` into the same folder.
    let this = std::env::current_exe().map_err(|e| format!("this program: {e}"))?;
    Ok(this.with_file_name(format!("blocks{}", std::env::consts::EXE_SUFFIX)))
}

fn cargo() -> Command {
    Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
}

/// Runs the program of a package with the arguments, and returns the exit code of the program.
///
/// # Errors
/// Fails if cargo cannot be started, or if the program was stopped by a signal.
pub fn run(package: &str, arguments: &[std::ffi::OsString]) -> Result<u8, String> {
    let mut command = cargo();
    command
        .args(["run", "--quiet", "--package", package, "--"])
        .args(arguments);
    let status = command.status().map_err(|e| format!("cargo: {e}"))?;
    let code = status.code().and_then(|code| u8::try_from(code).ok());
    code.ok_or_else(|| format!("{package} was stopped: {status}"))
}

/// A process of `blocks mock`, which is stopped when the value is dropped.
pub struct Mock {
    process: Child,
    /// The environment variables with the mock's base URL and key.
    pub variables: Vec<(String, String)>,
}

impl Mock {
    /// Starts the mock with the settings of a JSON file.
    ///
    /// # Errors
    /// Fails if the mock does not start, or does not print its address and its key.
    pub fn start(blocks: &Path, script: &Path) -> Result<Self, String> {
        let mut command = Command::new(blocks);
        command.arg("mock").arg("--script").arg(script);
        let mut process = command
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|e| format!("blocks mock: {e}"))?;
        let output = process.stdout.take();
        let mut mock = Self {
            process,
            variables: Vec::new(),
        };
        let lines = output.into_iter().flat_map(|o| BufReader::new(o).lines());
        for line in lines.map_while(Result::ok).take(2) {
            let pair = line.strip_prefix("export ").and_then(|l| l.split_once('='));
            let (name, value) =
                pair.ok_or_else(|| format!("unexpected output of blocks mock: {line}"))?;
            mock.variables.push((name.into(), value.into()));
        }
        if mock.variables.len() == 2 {
            Ok(mock)
        } else {
            Err("blocks mock did not start".into())
        }
    }
}

impl Drop for Mock {
    fn drop(&mut self) {
        // Errors are ignored, because the process may have ended already.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
