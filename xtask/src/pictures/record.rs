//! Runs a scene, and takes down what is typed and printed.

use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

use super::scenes::{PROMPTS, Scene, Step};
use crate::command::Mock;

/// Where a line comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Source {
    /// The person at the keyboard.
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

/// Lines of both streams that come together are put in one order, so that the picture does not
/// change with who was read first.
const TOGETHER: Duration = Duration::from_millis(100);

/// Runs a scene in a folder of its own.
///
/// # Errors
/// What cannot be run.
pub fn record(scene: &Scene, blocks: &Path) -> Result<Vec<Line>, String> {
    let folder = std::env::temp_dir().join(format!("blocks-scene-{}", std::process::id()));
    let failed = |e: std::io::Error| format!("{}: {e}", folder.display());
    std::fs::create_dir_all(&folder).map_err(failed)?;
    let script = folder.join("mock.json");
    std::fs::write(&script, scene.mock.to_string()).map_err(failed)?;
    std::fs::write(folder.join("prompts.jsonl"), PROMPTS).map_err(failed)?;
    let mock = Mock::start(blocks, &script)?;
    let mut lines = Vec::new();
    for step in &scene.steps {
        play(step, blocks, &mock, &folder, &mut lines)?;
    }
    drop(mock);
    std::fs::remove_dir_all(&folder).map_err(failed)?;
    Ok(lines)
}

fn play(
    step: &Step,
    blocks: &Path,
    mock: &Mock,
    folder: &Path,
    lines: &mut Vec<Line>,
) -> Result<(), String> {
    let typed = match session(lines) {
        Some(session) => step.typed.replace("$SESSION", &session),
        None => step.typed.to_owned(),
    };
    // An interrupted command takes the shell's place, so that it gets the signal itself.
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

/// The session that was shown last.
fn session(lines: &[Line]) -> Option<String> {
    let shown = lines.iter().rev().find(|l| l.text.starts_with("session "));
    Some(shown?.text.rsplit('/').next()?.to_owned())
}

/// The lines of both streams, as they come.
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
            // Nobody listens any more when the recording failed.
            let _ = sender.send(Line { source, text });
        }
    });
}

/// As Ctrl-C does.
fn interrupt(child: &Child) -> Result<(), String> {
    let id = child.id().to_string();
    let status = Command::new("kill").args(["-INT", &id]).status();
    status.map(drop).map_err(|e| format!("kill: {e}"))
}
