//! Runs a script that can be killed and run again.
//!
//! The script runs `blocks` with the option `--pending`, which writes a file after the prompt was sent. SIGKILL kills
//! the script as soon as this file exists. Then the script is run again. The second run must succeed and print the
//! reply, and `blocks list` must list only one session.

use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use super::shell::Counts;

const NAME: &str = "script.sh";
/// The time limit for the script to send its prompt.
const STARTS: Duration = Duration::from_secs(30);

/// Runs the script in a folder, and prints the result. If bash cannot be run, the script counts as failed.
pub fn run(code: &str, folder: &Path, variables: &[(String, String)]) -> Counts {
    let started = Instant::now();
    let result = kill_and_rerun(code, folder, variables);
    let took = started.elapsed().as_secs_f64();
    match result {
        Ok(()) => println!("  killed and run again ... ok ({took:.1} s)"),
        Err(why) => {
            println!("  killed and run again ... FAILED, {why} ({took:.1} s)");
            return (0, 1);
        }
    }
    (1, 0)
}

fn kill_and_rerun(code: &str, folder: &Path, variables: &[(String, String)]) -> Result<(), String> {
    let failed = |e: std::io::Error| format!("bash: {e}");
    std::fs::write(folder.join(NAME), code).map_err(failed)?;
    let command = |program: &str, arguments: &[&str]| {
        let mut command = Command::new(program);
        command
            .args(arguments)
            .current_dir(folder)
            .envs(variables.iter().cloned())
            .stdin(Stdio::null());
        command
    };
    // The script and the command that it runs are in one process group, so that one signal kills both.
    let mut first = command("bash", &[NAME])
        .process_group(0)
        .spawn()
        .map_err(failed)?;
    let start = Instant::now();
    while !has_pending(folder) && start.elapsed() < STARTS {
        std::thread::sleep(Duration::from_millis(20));
    }
    let group = format!("-{}", first.id());
    let killed = command("kill", &["-KILL", "--", &group]).status();
    first.wait().map_err(failed)?;
    if !has_pending(folder) || !killed.map_err(failed)?.success() {
        return Err("it could not be killed while it waited for its reply".into());
    }
    let second = command("bash", &[NAME]).output().map_err(failed)?;
    if !second.status.success() || !text(&second).contains("Done.") {
        return Err(format!("the second run: {}", text(&second)));
    }
    let listed = command("blocks", &["list"]).output().map_err(failed)?;
    match text(&listed).lines().count() {
        1 => Ok(()),
        count => Err(format!("it started {count} sessions instead of one")),
    }
}

fn has_pending(folder: &Path) -> bool {
    let files = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let mut names = files.map(|file| file.file_name().to_string_lossy().into_owned());
    names.any(|name| name.ends_with(".pending"))
}

fn text(output: &Output) -> String {
    let (out, err) = (&output.stdout, &output.stderr);
    String::from_utf8_lossy(out).into_owned() + &String::from_utf8_lossy(err)
}
