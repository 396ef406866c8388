//! The CLI's commands against every fault, each in this process and in its own streams.

use std::io::Write;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use blocks_cli::Host;
use blocks_mock::Dialect;
use blocks_tests::KEY;
use serde_json::{Value, json};
use tokio::time::{Instant, timeout};

use crate::Matrix;
use crate::scene::{Scene, Strike};
use crate::target::Target;

/// A command line after `blocks`. `SESSION`, `THREAD`, `PLAN` and `FOLDER` stand for the scene's.
const LINES: [&str; 19] = [
    "run --agent claude --timeout 10m hello",
    "run --agent claude --no-wait hello",
    "run --agent claude --timeout 10m --json hello",
    "run --agent claude --timeout 10m --pending FOLDER/pending hello",
    "send SESSION --timeout 10m more",
    "wait SESSION --timeout 10m",
    "wait SESSION --thread THREAD --timeout 10m",
    "show SESSION",
    "show SESSION --json",
    "messages SESSION",
    "messages SESSION --page 1 --limit 2",
    "messages SESSION --type tool_call --role assistant --json",
    "transcript SESSION --tools",
    "transcript SESSION --format json",
    "plan SESSION",
    "plan SESSION --output FOLDER/plan.md",
    "artifact SESSION PLAN",
    "artifact SESSION PLAN --output FOLDER/plan.md",
    "batch FOLDER/prompts --journal FOLDER/journal --timeout 10m",
];

const DONE: u8 = 0;
const WRONG_USE: u8 = 2;
const STILL_RUNNING: u8 = 3;
const FATE_UNKNOWN: u8 = 4;

/// Longer than any of them may take: a wait of 10 minutes, and a few requests with all of
/// their attempts.
const LONGEST: Duration = Duration::from_secs(600 + 5 * 185);

/// A stream that is kept.
#[derive(Clone, Default)]
struct Kept(Arc<Mutex<Vec<u8>>>);

impl Kept {
    fn text(&self) -> String {
        let bytes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        String::from_utf8_lossy(&bytes).into_owned()
    }
}

impl Write for Kept {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

async fn combination(line: &str, dialect: Dialect, strike: Option<Strike>) -> (Scene, Vec<String>) {
    let scene = Scene::new(dialect, strike).await;
    let target = Target::new();
    let prompts = ["a", "b"].map(|id| {
        let prompt = json!({"id": id, "agent_name": "claude", "message": id});
        format!("{prompt}\n")
    });
    let begins = line.starts_with("run") || line.starts_with("send");
    let batch = line.starts_with("batch");
    if batch {
        target.write("prompts", &prompts.concat());
    }
    let session = scene.session.id().to_string();
    let thread = scene.mock.threads(scene.session.id())[0].to_string();
    let plan = scene.session.plan_ids()[0].to_string();
    let words = line.split(' ').map(|word| {
        word.replace("SESSION", &session)
            .replace("THREAD", &thread)
            .replace("PLAN", &plan)
            .replace("FOLDER", &target.folder())
    });
    let (out, err) = (Kept::default(), Kept::default());
    let host = Host::new(scene.client.clone(), out.clone(), err.clone());
    let words: Vec<String> = ["blocks".to_owned()].into_iter().chain(words).collect();
    let begun = Instant::now();
    let code = timeout(2 * LONGEST, blocks_cli::run(words, host)).await;
    let mut violations = scene.check(usize::from(begins) + 2 * usize::from(batch));
    violations.extend(target.check(&scene));
    if begun.elapsed() > LONGEST {
        violations.push(format!("it took {:?}", begun.elapsed()));
    }
    let Ok(code) = code else {
        violations.push("it hangs".into());
        return (scene, violations);
    };
    let ended = Ended {
        code,
        out: out.text(),
        err: err.text(),
    };
    violations.extend(ended.check());
    if begins {
        violations.extend(ended.check_begun(&scene));
    }
    if batch {
        violations.extend(ended.check_batch());
    }
    (scene, violations)
}

/// How a command ended.
#[derive(Debug)]
struct Ended {
    code: u8,
    out: String,
    err: String,
}

impl Ended {
    fn check(&self) -> Vec<String> {
        let mut violations = Vec::new();
        let told = format!("{}{}", self.out, self.err);
        if told.contains(KEY) || told.contains("signature=") {
            violations.push("a secret is shown".into());
        }
        let error = self.err.lines().find(|line| line.starts_with("error: "));
        if (self.code == DONE) == error.is_some() {
            violations.push(format!("its end and its words disagree: {self:?}"));
        }
        if ![DONE, 1, WRONG_USE, STILL_RUNNING, FATE_UNKNOWN].contains(&self.code) {
            violations.push(format!("an exit code that is not documented: {self:?}"));
        }
        if self.err.contains(char::is_control)
            && self.err.lines().any(|l| l.contains(char::is_control))
        {
            violations.push(format!("control characters reach the terminal: {self:?}"));
        }
        violations
    }

    /// What was begun is known: its session's id was told, or that one may exist.
    fn check_begun(&self, scene: &Scene) -> Option<String> {
        let (_, messages) = scene.made();
        let session = *scene.mock.sessions().last()?;
        let told = format!("{}{}", self.out, self.err).contains(&session.to_string());
        let known = told || self.code == FATE_UNKNOWN;
        (messages > 0 && !known).then(|| format!("a lost session: {self:?}"))
    }

    /// Each prompt has one result.
    fn check_batch(&self) -> Option<String> {
        let results: Vec<Value> = self
            .out
            .lines()
            .filter_map(|line| serde_json::from_str(line).ok())
            .collect();
        let of = |id: &str| results.iter().filter(|r| r["id"] == id).count();
        (of("a") != 1 || of("b") != 1).then(|| format!("a prompt without its result: {self:?}"))
    }
}

pub async fn all(matrix: &mut Matrix) {
    for line in LINES {
        matrix
            .fill(line, async |dialect, strike| {
                combination(line, dialect, strike).await
            })
            .await;
    }
}
