//! Tests of the command `blocks` against a mock of the service.

mod batch;
mod batches;
mod before_create;
mod ends;
mod every_end;
mod follow;
mod in_process;
mod limit;
mod messages;
mod process;
mod recording;
mod register;
mod safety;
mod side_files;
mod structured;
mod turns;

use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

use blocks_mock::{MockBuilder, MockServer};
use tempfile::TempDir;

/// A mock server that listens on a port. The server has a separate runtime, so that it can respond while a test waits
/// for a process.
struct Service {
    mock: MockServer,
    _runtime: tokio::runtime::Runtime,
}

impl Service {
    fn new(builder: MockBuilder) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let mock = runtime.block_on(builder.start()).unwrap();
        Self {
            mock,
            _runtime: runtime,
        }
    }

    /// Returns the command `blocks` with these arguments, configured for the mock.
    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = blocks(arguments);
        command.env("BLOCKS_API_KEY", self.mock.key());
        command.env("BLOCKS_API_BASE_URL", self.mock.url());
        command
    }

    fn run(&self, arguments: &[&str]) -> Ended {
        Ended::of(self.command(arguments).output().unwrap())
    }
}

/// Returns the command `blocks` with these arguments. Some variables that could change its behaviour are removed from
/// its environment, and others are set.
fn blocks(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_blocks"));
    command.args(arguments).stdin(Stdio::null());
    // Sets the folder for the files of the shared rate limit. The names of these files depend on the mock's port, so
    // each mock has its own files.
    command.env("XDG_STATE_HOME", env!("CARGO_TARGET_TMPDIR"));
    for name in [
        "BLOCKS_LIMIT_URL",
        "BLOCKS_API_KEY",
        "BLOCKS_API_BASE_URL",
        "CI",
        "GITHUB_ACTIONS",
        "GITHUB_OUTPUT",
        "GITHUB_STEP_SUMMARY",
    ] {
        command.env_remove(name);
    }
    // Turns off the register, the local list of sessions that `blocks list` prints.
    command.env("BLOCKS_REGISTER", "0");
    command
}

/// Starts a process whose standard output and standard error are pipes.
fn spawn(mut command: Command) -> Child {
    let command = command.stdout(Stdio::piped()).stderr(Stdio::piped());
    command.spawn().unwrap()
}

/// Sends a signal, such as `-TERM`, to a process.
fn kill(signal: &str, child: &Child) {
    let status = Command::new("kill")
        .args([signal, &child.id().to_string()])
        .status();
    assert!(status.unwrap().success());
}

#[derive(Debug)]
struct Ended {
    code: Option<i32>,
    out: String,
    err: String,
}

impl Ended {
    fn of(output: Output) -> Self {
        Self {
            code: output.status.code(),
            out: String::from_utf8_lossy(&output.stdout).into_owned(),
            err: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }
}

/// Checks each case in its own thread. The cases run at the same time, which is faster, because each case mostly waits
/// for a process.
fn all_together<T: Sync>(cases: &[T], check: impl Fn(&T) + Sync) {
    std::thread::scope(|scope| {
        for case in cases {
            scope.spawn(|| check(case));
        }
    });
}

/// A temporary folder that is removed when this value is dropped.
struct Folder(TempDir);

impl Folder {
    fn new(name: &str) -> Self {
        Self(TempDir::with_prefix(format!("blocks-cli-{name}-")).unwrap())
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn file(&self, name: &str) -> String {
        self.0.path().join(name).to_string_lossy().into_owned()
    }
}

/// Compares the help texts of all commands with `help.txt`, so that a reviewer sees each change.
/// `UPDATE_GOLDEN=1 cargo test -p blocks-cli` updates the file.
#[test]
fn the_whole_command_line_is_as_documented() {
    let mut text = String::new();
    for command in [
        "",
        "run",
        "send",
        "wait",
        "show",
        "messages",
        "transcript",
        "plan",
        "artifact",
        "batch",
        "list",
        "forget",
        "check",
        "mock",
        "schema",
        "completions",
        "man",
    ] {
        let arguments: Vec<&str> = [command, "--help"]
            .into_iter()
            .filter(|a| !a.is_empty())
            .collect();
        let ended = Ended::of(blocks(&arguments).output().unwrap());
        assert_eq!(ended.code, Some(0));
        text += &format!("$ blocks {}\n{}\n", arguments.join(" "), ended.out);
    }
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cli/help.txt");
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(&golden, &text).unwrap();
    }
    assert_eq!(std::fs::read_to_string(golden).unwrap(), text);
}
