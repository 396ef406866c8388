//! Runs a terminal session, and records the lines that are typed and printed.

use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

use super::sessions::{PROMPTS, Step, TerminalSession};
use crate::command::Mock;

/// The source of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Source {
    /// A command that was typed.
    Typed,
    /// Standard error.
    Error,
    /// Standard output.
    Output,
}

/// A line of a terminal session.
#[derive(Debug)]
pub struct Line {
    pub source: Source,
    pub text: String,
}

/// Lines that follow each other within this time are sorted, with standard error before standard output. Without the
/// sorting, the picture would depend on which stream is read first.
const TOGETHER: Duration = Duration::from_millis(100);

/// Runs a terminal session in its own temporary folder, and returns the recorded lines.
///
/// # Errors
/// Fails if the temporary folder cannot be written, if the mock does not start, or if bash or `kill` cannot be run. The
/// error names the folder or the program. A command that exits with an error is recorded like any other command.
pub fn record(session: &TerminalSession, blocks: &Path) -> Result<Vec<Line>, String> {
    let failed = |e: std::io::Error| format!("temporary folder: {e}");
    let temporary = tempfile::tempdir().map_err(failed)?;
    let folder = temporary.path();
    let script = folder.join("mock.json");
    std::fs::write(&script, session.mock.to_string()).map_err(failed)?;
    std::fs::write(folder.join("prompts.jsonl"), PROMPTS).map_err(failed)?;
    let mock = Mock::start(blocks, &script)?;
    let mut lines = Vec::new();
    for step in &session.steps {
        play(step, blocks, &mock, folder, &mut lines)?;
    }
    Ok(lines)
}

fn play(
    step: &Step,
    blocks: &Path,
    mock: &Mock,
    folder: &Path,
    lines: &mut Vec<Line>,
) -> Result<(), String> {
    let typed = match last_session(lines) {
        Some(session) => step.typed.replace("$SESSION", &session),
        None => step.typed.to_owned(),
    };
    // A command that will be interrupted replaces the shell, so that the command itself receives the signal.
    let exec = step.interrupted_after.map_or("", |_| "exec ");
    let places = blocks.parent().into_iter().map(Path::to_path_buf);
    let path = std::env::var_os("PATH").unwrap_or_default();
    let path = std::env::join_paths(places.chain(std::env::split_paths(&path)));
    let mut child = Command::new("bash")
        .args(["-c", &format!("{exec}{typed}")])
        .current_dir(folder)
        .envs(mock.variables.iter().cloned())
        .env("PATH", path.map_err(|e| e.to_string())?)
        .env("BLOCKS_REGISTER", "0")
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|e| format!("bash: {e}"))?;
    lines.push(Line {
        source: Source::Typed,
        text: typed,
    });
    let printed = listen(&mut child);
    while let Ok(first) = printed.recv() {
        let mut together = vec![first];
        while let Ok(next) = printed.recv_timeout(TOGETHER) {
            together.push(next);
        }
        together.sort_by_key(|line| line.source);
        let now = |line: &Line| {
            step.interrupted_after
                .is_some_and(|t| line.text.starts_with(t))
        };
        if together.iter().any(now) {
            interrupt(&child)?;
        }
        lines.append(&mut together);
    }
    child.wait().map_err(|e| format!("bash: {e}"))?;
    Ok(())
}

/// Returns the id of the session that was printed last.
fn last_session(lines: &[Line]) -> Option<String> {
    let shown = lines.iter().rev().find(|l| l.text.starts_with("session "));
    Some(shown?.text.rsplit('/').next()?.to_owned())
}

/// Returns a channel that receives the lines of both output streams as they arrive.
fn listen(child: &mut Child) -> Receiver<Line> {
    let (sender, receiver) = channel();
    if let Some(stream) = child.stdout.take() {
        forward(stream, Source::Output, sender.clone());
    }
    if let Some(stream) = child.stderr.take() {
        forward(stream, Source::Error, sender);
    }
    receiver
}

fn forward(stream: impl Read + Send + 'static, source: Source, sender: Sender<Line>) {
    std::thread::spawn(move || {
        for text in BufReader::new(stream).lines().map_while(Result::ok) {
            // If the recording has failed, the receiver no longer exists, and sending fails.
            let _ = sender.send(Line { source, text });
        }
    });
}

/// Sends SIGINT to a process, as Ctrl-C does.
fn interrupt(child: &Child) -> Result<(), String> {
    let id = child.id().to_string();
    let status = Command::new("kill").args(["-INT", &id]).status();
    status.map(drop).map_err(|e| format!("kill: {e}"))
}
