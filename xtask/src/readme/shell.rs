//! Runs commands in a shell and prints the result of each.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::sync::mpsc::channel;
use std::time::{Duration, Instant};

/// The number of commands that succeeded, and the number that failed.
pub type Counts = (usize, usize);

/// The mark that the shell prints after each command, before the exit code of the command. The mark starts with a
/// control character, so that no command prints the mark by itself.
const MARK: &str = "\u{1}ended ";

/// The time limit for a server to print its first line.
const SERVES: Duration = Duration::from_secs(10);

/// Runs commands in one shell, until one of them fails.
///
/// # Errors
/// Fails if the shell cannot be run, or if the output is not UTF-8.
pub fn run(mut bash: Command, commands: &[String]) -> Result<Counts, String> {
    let mut script = "set -o pipefail\nexec 2>&1 < /dev/null\n".to_owned();
    for command in commands {
        script += command;
        script +=
            &format!("\ncode=$?; printf '\\n{MARK}%s\\n' $code; [ $code = 0 ] || exit $code\n");
    }
    let failed = |e: std::io::Error| format!("bash: {e}");
    bash.arg("-c").arg(script).stdout(Stdio::piped());
    let mut child = bash.spawn().map_err(failed)?;
    let mut commands = commands.iter();
    let (mut ok, mut printed, mut started) = (0, Vec::new(), Instant::now());
    let stream = child.stdout.take();
    for line in stream.into_iter().flat_map(|s| BufReader::new(s).lines()) {
        let line = line.map_err(failed)?;
        let Some(code) = line.strip_prefix(MARK) else {
            printed.push(line);
            continue;
        };
        let command = commands.next().map(String::as_str).unwrap_or_default();
        let result = match code {
            "0" => Ok(()),
            code => Err(format!("exit code {code}")),
        };
        print(command, started, &result, &printed);
        if result.is_err() {
            child.wait().map_err(failed)?;
            return Ok((ok, 1));
        }
        ok += 1;
        printed.clear();
        started = Instant::now();
    }
    child.wait().map_err(failed)?;
    match commands.next() {
        None => Ok((ok, 0)),
        Some(command) => {
            let result = Err("the shell ended".to_owned());
            print(command, started, &result, &printed);
            Ok((ok, 1))
        }
    }
}

/// Runs one command until it prints a line, and then stops the command. If the command prints no line within the time
/// limit, it is stopped and counts as failed. `commands` contains the lines of the command.
///
/// # Errors
/// Fails if the shell cannot be run.
pub fn serve(mut bash: Command, commands: &[String]) -> Result<Counts, String> {
    // The command replaces the shell, so that `kill` stops the command itself.
    let command = commands.join("\n");
    bash.args(["-c", &format!("exec {command}")]);
    let failed = |e: std::io::Error| format!("bash: {e}");
    let mut child = bash.stdout(Stdio::piped()).spawn().map_err(failed)?;
    let started = Instant::now();
    let (sender, receiver) = channel();
    if let Some(stream) = child.stdout.take() {
        std::thread::spawn(move || {
            let first = BufReader::new(stream).lines().map_while(Result::ok).next();
            // After the time limit, the receiver no longer exists. Then sending fails, and the error is ignored.
            first.map(|line| sender.send(line))
        });
    }
    let first = receiver.recv_timeout(SERVES);
    let result = first.map(drop).map_err(|_| "no output".to_owned());
    child.kill().map_err(failed)?;
    child.wait().map_err(failed)?;
    print(&command, started, &result, &[]);
    Ok(if result.is_ok() { (1, 0) } else { (0, 1) })
}

fn print(command: &str, started: Instant, result: &Result<(), String>, printed: &[String]) {
    let took = started.elapsed().as_secs_f64();
    match result {
        Ok(()) => println!("  {command} ... ok ({took:.1} s)"),
        Err(why) => {
            println!("  {command} ... FAILED, {why} ({took:.1} s)");
            let from = printed.len().saturating_sub(40);
            printed[from..]
                .iter()
                .for_each(|line| println!("    | {line}"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(commands: &[&str]) -> Counts {
        let commands: Vec<String> = commands.iter().map(|c| (*c).to_owned()).collect();
        run(Command::new("bash"), &commands).unwrap()
    }

    #[test]
    fn one_shell_runs_all_until_one_fails() {
        assert_eq!(counts(&["x=1", "test $x = 1", "printf no-end"]), (3, 0));
        assert_eq!(counts(&["true", "false | cat", "true"]), (1, 1));
        assert_eq!(counts(&["exit 0", "true"]), (0, 1));
    }
}
