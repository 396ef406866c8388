//! Commands in a shell, each told with its end.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::sync::mpsc::channel;
use std::time::{Duration, Instant};

/// How many commands went well, and how many did not.
pub type Ended = (usize, usize);

/// Printed after a command; no command prints it by itself.
const MARK: &str = "\u{1}ended ";

/// How long a command that serves may take until it says so.
const SERVES: Duration = Duration::from_secs(10);

/// Runs commands in one shell, until one fails.
///
/// # Errors
/// The shell cannot be run.
pub fn follow(mut bash: Command, commands: &[String]) -> Result<Ended, String> {
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
    let (mut ok, mut printed, mut begun) = (0, Vec::new(), Instant::now());
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
        tell(command, begun, &result, &printed);
        if result.is_err() {
            child.wait().map_err(failed)?;
            return Ok((ok, 1));
        }
        ok += 1;
        printed.clear();
        begun = Instant::now();
    }
    child.wait().map_err(failed)?;
    match commands.next() {
        None => Ok((ok, 0)),
        Some(command) => {
            let result = Err("the shell ended".to_owned());
            tell(command, begun, &result, &printed);
            Ok((ok, 1))
        }
    }
}

/// Runs each command until it prints a line, and stops it.
///
/// # Errors
/// The shell cannot be run.
pub fn serve(mut bash: Command, commands: &[String]) -> Result<Ended, String> {
    // The command takes the shell's place, so that it is what is stopped.
    let command = commands.join("\n");
    bash.args(["-c", &format!("exec {command}")]);
    let failed = |e: std::io::Error| format!("bash: {e}");
    let mut child = bash.stdout(Stdio::piped()).spawn().map_err(failed)?;
    let begun = Instant::now();
    let (sender, receiver) = channel();
    if let Some(stream) = child.stdout.take() {
        std::thread::spawn(move || {
            let first = BufReader::new(stream).lines().map_while(Result::ok).next();
            // Nobody listens once it took too long.
            first.map(|line| sender.send(line))
        });
    }
    let said = receiver.recv_timeout(SERVES);
    let result = said.map(drop).map_err(|_| "it said nothing".to_owned());
    child.kill().map_err(failed)?;
    child.wait().map_err(failed)?;
    tell(&command, begun, &result, &[]);
    Ok(if result.is_ok() { (1, 0) } else { (0, 1) })
}

fn tell(command: &str, begun: Instant, result: &Result<(), String>, printed: &[String]) {
    let took = begun.elapsed().as_secs_f64();
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

    fn ended(commands: &[&str]) -> Ended {
        let commands: Vec<String> = commands.iter().map(|c| (*c).to_owned()).collect();
        follow(Command::new("bash"), &commands).unwrap()
    }

    #[test]
    fn one_shell_runs_all_until_one_fails() {
        assert_eq!(ended(&["x=1", "test $x = 1", "printf no-end"]), (3, 0));
        assert_eq!(ended(&["true", "false | cat", "true"]), (1, 1));
        assert_eq!(ended(&["exit 0", "true"]), (0, 1));
    }
}
