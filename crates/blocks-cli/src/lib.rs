//! The command `blocks` runs coding agents from a terminal, a script or CI.
//!
//! ```console
//! export BLOCKS_API_KEY=…
//! blocks run --agent claude "Add a test for the parser."
//! ```
//!
//! Standard output gets only the result, such as the reply. Progress and warnings go to standard error. `blocks --help`
//! lists the exit codes, and [`report`] documents the JSON that `--json` prints. [`main`] runs the command line of this
//! process. [`run`] runs a given command line inside another program, such as a test.

mod args;
mod cmd;
mod exit;
mod files;
mod github;
mod host;
mod input;
mod limit;
mod notes;
mod output;
pub mod prompts;
mod record;
mod register;
pub mod report;
mod signals;
mod structured;
mod text;
mod values;
mod waiting;

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;

use args::{Args, Command, Unparsed};
use cmd::wait::showing;
use exit::{Code, Exit};
use host::Recording;
pub use host::{Host, Interruption, Signals};
use output::{Output, OutputOptions};
use report::{Status, TurnReport};
use waiting::Waiting;

/// Runs the command with the process's arguments and environment, and returns the exit code.
pub fn main() -> ExitCode {
    let line: Vec<OsString> = std::env::args_os().collect();
    if let Ok(args) = Args::try_parse_from(&line)
        && args.verbose
    {
        tracing_subscriber::fmt()
            .with_max_level(tracing_subscriber::filter::LevelFilter::DEBUG)
            .with_writer(|| Waiting(std::io::stderr()))
            .with_target(false)
            .init();
    }
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    match runtime {
        Ok(runtime) => {
            let ended = runtime.block_on(async {
                signals::survive_file_size_limit();
                run(line, Host::process()).await
            });
            ended.into()
        }
        Err(error) => {
            Host::process().write_stderr(&format!("error: cannot start the runtime: {error}\n"));
            ExitCode::FAILURE
        }
    }
}

/// Runs one command line, whose first word is the program's name, and returns the exit code.
///
/// ```
/// # #[tokio::main(flavor = "current_thread", start_paused = true)]
/// # async fn main() -> Result<(), blocks_sdk::Error> {
/// let mock = blocks_mock::Mock::new();
/// let client = blocks_sdk::Client::builder(mock.key()).service(mock.service()).build()?;
/// let host = blocks_cli::Host::new(client, std::io::sink(), std::io::sink());
/// let line = ["blocks", "run", "--agent", "claude", "Add a test for the parser."];
/// assert_eq!(blocks_cli::run(line, host).await, 0);
/// assert_eq!(mock.session_count(), 1);
/// # Ok(())
/// # }
/// ```
pub async fn run<T>(line: impl IntoIterator<Item = T>, host: Host) -> u8
where
    T: Into<OsString> + Clone,
{
    let line: Vec<OsString> = line.into_iter().map(Into::into).collect();
    match Args::try_parse_from(&line) {
        Ok(args) => execute(args, host).await,
        Err(error) => report_parse_error(&error, &line, host),
    }
}

/// Prints help or the version to standard output, or reports a usage error. Returns the exit code.
fn report_parse_error(error: &clap::Error, line: &[OsString], host: Host) -> u8 {
    let unparsed = Unparsed::new(line);
    let options = OutputOptions {
        json: unparsed.json,
        github: unparsed.github_output && unparsed.is_turn,
        ..OutputOptions::default()
    };
    let output = Output::new(host, options);
    let text = error.to_string();
    if !error.use_stderr() {
        let printed = output.bytes(text.as_bytes());
        return printed.map_or_else(|exit| exit.code as u8, |()| 0);
    }
    let message = text.strip_prefix("error: ").unwrap_or(&text).trim_end();
    let exit = Exit::usage(message);
    if !unparsed.is_turn && unparsed.json {
        return output.report_failure(&exit);
    }
    // The text from clap, the command-line parser, already starts with `error: `, or is the help text if the command
    // line is empty. So it is printed without another `error: `. It repeats arguments, which can contain a command to a
    // CI system, so it is printed as a note, without such commands and without control characters.
    output.note(text.trim_end());
    match unparsed.is_turn {
        true => refuse_turn(exit, &output),
        false => Code::Usage as u8,
    }
}

/// Reports that the command line of `run`, `send` or `wait` is invalid. Prints the report as JSON if the command line
/// contains `--json`. If the command line contains `--github-output`, writes the report to GitHub's step outputs and
/// job summary, unless the file of the outputs cannot be opened. The caller prints the error on standard error.
fn refuse_turn(exit: Exit, output: &Output) -> u8 {
    let report = TurnReport {
        status: Status::Refused,
        exit_code: Code::Usage as u8,
        error: Some(*exit.error),
        ..TurnReport::default()
    };
    if output.is_json() {
        // An error of this write is ignored: the exit code already shows that the command failed.
        let _ = output.json(&report);
    }
    if output.open_github().is_ok() {
        output.report_to_github(&report, false);
    }
    Code::Usage as u8
}

async fn execute(args: Args, host: Host) -> u8 {
    let options = OutputOptions {
        json: args.json,
        github: args.github_output,
        raw: args.raw,
        events: args.json && args.command.follows(),
        no_shared_limit: args.no_shared_limit,
        request_timeout: args.request_timeout.map(|timeout| timeout.0),
    };
    let (unsupported, is_turn) = (args.unsupported_option(), args.command.is_turn());
    let files = args.written_files();
    let recording = args.record.map(|path| Recording {
        path,
        texts: args.record_texts,
    });
    let output = Output::new(host.recording(recording), options);
    let refused = unsupported.map(Exit::usage);
    if let Some(exit) = refused.or_else(|| same_file(files, &output)) {
        return match is_turn && !exit.is_reported {
            true => {
                output.note_error(&exit);
                refuse_turn(exit, &output)
            }
            false => output.report_failure(&exit),
        };
    }
    let code = dispatch(args.command, &output).await;
    output.host().finish_recording();
    code
}

/// Returns a usage error if the command would write two outputs to one file, because one of them would be lost. Called
/// before anything is sent. `named` are the files that the options name.
fn same_file(mut named: Vec<(&'static str, PathBuf)>, output: &Output) -> Option<Exit> {
    let host = output.host();
    let variable = |name: &'static str| {
        let path = host.var(name).filter(|_| output.is_github())?;
        Some((name, PathBuf::from(path)))
    };
    named.extend(variable("GITHUB_OUTPUT"));
    if let Some((name, _)) = named.iter().find(|(_, path)| host.out_is(path)) {
        let what = format!("{name} and standard output are the same file; nothing was sent");
        // The error is not printed as JSON, because it would be written to the file.
        return Some(Exit::usage(what).reported());
    }
    // Standard output may be appended to the job summary, which is also only appended to.
    named.extend(variable("GITHUB_STEP_SUMMARY"));
    let (first, second) = files::first_same(&named)?;
    let what = format!("{first} and {second} are the same file; nothing was sent");
    Some(Exit::usage(what))
}

async fn dispatch(command: Command, output: &Output) -> u8 {
    match command {
        Command::Run(args) => cmd::turn::run(args, output).await,
        Command::Send(args) => cmd::turn::send(args, output).await,
        Command::Wait(args) => cmd::turn::wait(args, output).await,
        Command::Batch(args) => finish(cmd::batch::batch(args, output).await, output),
        Command::Mock(args) => finish(cmd::mock::mock(args, output).await, output),
        command => {
            let result = output.host().interruptible(read(command, output)).await;
            finish(result.unwrap_or_else(|by| Err(by.into())), output)
        }
    }
}

/// Runs a command that sends no prompt. If a signal arrives, the caller drops this future at the `await` that it has
/// reached. This is safe, because the command sent no prompt whose outcome could become unknown.
async fn read(command: Command, output: &Output) -> Result<(), Exit> {
    const READING: &str = "reading the session";
    match command {
        Command::Show(args) => showing(output, READING, cmd::read::show(args, output)).await,
        // With `--follow`, the command itself prints a line each minute.
        Command::Messages(args) if args.follow => cmd::read::messages(args, output).await,
        Command::Messages(args) => {
            showing(output, READING, cmd::read::messages(args, output)).await
        }
        Command::Transcript(args) => {
            showing(output, READING, cmd::read::transcript(args, output)).await
        }
        Command::Plan(args) => showing(output, READING, cmd::download::plan(args, output)).await,
        Command::Artifact(args) => {
            showing(output, READING, cmd::download::artifact(args, output)).await
        }
        Command::List => cmd::sessions::list(output),
        Command::Forget(args) => cmd::sessions::forget(args, output).await,
        Command::Check => cmd::check::check(output).await,
        Command::Schema { name } => cmd::about::schema(name.as_deref(), output),
        Command::Completions { shell } => output.bytes(&args::completions(shell)),
        Command::Man(args) => cmd::about::man(&args, output),
        Command::Run(_) | Command::Send(_) | Command::Wait(_) => Ok(()),
        Command::Batch(_) | Command::Mock(_) => Ok(()),
    }
}

fn finish(result: Result<(), Exit>, output: &Output) -> u8 {
    match result {
        Ok(()) => 0,
        Err(exit) => output.report_failure(&exit),
    }
}
