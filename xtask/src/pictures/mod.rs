//! Draws the README's pictures, except the picture of the mock's page. Some pictures show runs of the command `blocks`
//! in a terminal. The program is built from this repository, unless the environment variable `BLOCKS` names a program.
//! Another picture is the figure, a chart that shows the results of the benchmark `fleet`.

mod figure;
mod record;
mod sessions;
mod svg;
mod terminal;

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::{command, root};

/// The arguments of `cargo xtask pictures`.
#[derive(clap::Args, Debug)]
pub struct Pictures {
    /// Draw from FILE, the output of `--bench fleet -- --json`, which runs for minutes
    #[arg(long, value_name = "FILE")]
    rows: Option<PathBuf>,
}

impl Pictures {
    /// Writes all pictures into `docs/`.
    ///
    /// # Errors
    /// Fails if a program cannot be built or run, or if a picture cannot be written. The error names the
    /// program or picture.
    pub fn draw(&self) -> Result<(), String> {
        let blocks = command::build()?;
        for session in sessions::all() {
            let lines = record::record(&session, &blocks)?;
            write(session.name, &terminal::draw(session.title, &lines))?;
        }
        let rows = match &self.rows {
            Some(path) => {
                std::fs::read_to_string(path).map_err(|e| format!("{}: {e}", path.display()))?
            }
            None => benchmark()?,
        };
        write("fleet", &figure::draw(&figure::rows(&rows)?))
    }
}

fn write(name: &str, svg: &str) -> Result<(), String> {
    let path = Path::new("docs").join(format!("{name}.svg"));
    println!("{}", path.display());
    std::fs::write(root().join(&path), svg).map_err(|e| format!("{}: {e}", path.display()))
}

/// Runs the benchmark and returns its output, with one row of JSON on each line.
fn benchmark() -> Result<String, String> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command
        .args("bench --package blocks-sdk --bench fleet -- --json".split(' '))
        .current_dir(root())
        .stderr(Stdio::inherit());
    let output = command.output().map_err(|e| format!("cargo bench: {e}"))?;
    if !output.status.success() {
        return Err("the benchmark failed".into());
    }
    String::from_utf8(output.stdout).map_err(|e| format!("cargo bench: {e}"))
}
