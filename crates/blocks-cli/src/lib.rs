//! `blocks`: coding agents from a terminal, a script or CI.
//!
//! ```console
//! export BLOCKS_API_KEY=…
//! blocks run --agent claude "Add a test for the parser."
//! ```
//!
//! The reply, and nothing else, goes to standard output; what a person wants to know on the way
//! goes to standard error. It ends with 0 when done, 1 when failed, 2 after wrong use, 3 when the
//! agent was still at work at the deadline, 4 when a create or follow-up may have taken effect
//! although it failed, and 130 when interrupted. This library is the command's own: [`main`] is
//! the program, and [`run`] a command within another, such as a test.

mod args;
mod cmd;
mod exit;
mod github;
mod host;
mod output;
pub mod prompts;
mod text;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::Parser;

use args::{Args, Command};
use exit::{Code, Exit};
pub use host::Host;
use output::Output;

/// The command: reads the process's arguments and environment, and says how it ended.
pub fn main() -> ExitCode {
    let args = Args::parse();
    if args.verbose {
        tracing_subscriber::fmt()
            .with_max_level(tracing_subscriber::filter::LevelFilter::DEBUG)
            .with_writer(std::io::stderr)
            .with_target(false)
            .init();
    }
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    match runtime {
        Ok(runtime) => runtime.block_on(carry_out(args, Host::process())).into(),
        Err(error) => {
            Host::process().tell(&format!("error: no runtime can be started: {error}\n"));
            ExitCode::FAILURE
        }
    }
}

/// Carries out one command line, the program's name first, and gives its exit code.
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
    match Args::try_parse_from(line) {
        Ok(args) => carry_out(args, host).await,
        Err(error) => {
            host.tell(&error.to_string());
            u8::try_from(error.exit_code()).unwrap_or(Code::WrongUse as u8)
        }
    }
}

async fn carry_out(args: Args, host: Host) -> u8 {
    let output = Output::new(host, args.json, args.github_output);
    match command(args.command, &output).await {
        Ok(()) => 0,
        Err(exit) => {
            if !exit.message.is_empty() {
                output.note(&format!("error: {}", exit.message));
            }
            exit.code as u8
        }
    }
}

async fn command(command: Command, output: &Output) -> Result<(), Exit> {
    match command {
        Command::Run(args) => cmd::turn::run(args, output).await,
        Command::Send(args) => cmd::turn::send(args, output).await,
        Command::Wait(args) => cmd::turn::wait(args, output).await,
        Command::Show(args) => cmd::read::show(args, output).await,
        Command::Messages(args) => cmd::read::messages(args, output).await,
        Command::Transcript(args) => cmd::read::transcript(args, output).await,
        Command::Plan(args) => cmd::download::plan(args, output).await,
        Command::Artifact(args) => cmd::download::artifact(args, output).await,
        Command::Batch(args) => cmd::batch::batch(args, output).await,
        Command::Mock(args) => cmd::mock::mock(args, output).await,
        Command::Completions { shell } => {
            args::completions(shell);
            Ok(())
        }
        Command::Man => args::man().map_err(|e| Exit::failed(format!("no man page: {e}"))),
    }
}
