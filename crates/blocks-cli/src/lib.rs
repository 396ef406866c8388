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
//! although it failed, and 130 when interrupted. This library is the command's own: its one promise is [`main`].

mod args;
mod cmd;
mod exit;
mod github;
mod output;
pub mod prompts;
mod text;

use clap::Parser;

use args::{Args, Command};
use exit::Exit;

/// The command: reads the process's arguments and environment, and says how it ended.
pub fn main() -> std::process::ExitCode {
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
    let result = match runtime {
        Ok(runtime) => runtime.block_on(run(args)),
        Err(error) => Err(Exit::failed(format!("no runtime can be started: {error}"))),
    };
    match result {
        Ok(()) => std::process::ExitCode::SUCCESS,
        Err(exit) => {
            if !exit.message.is_empty() {
                output::note(&format!("error: {}", exit.message));
            }
            exit.code.into()
        }
    }
}

async fn run(args: Args) -> Result<(), Exit> {
    let output = output::Output::new(args.json, args.github_output);
    match args.command {
        Command::Run(args) => cmd::turn::run(args, &output).await,
        Command::Send(args) => cmd::turn::send(args, &output).await,
        Command::Wait(args) => cmd::turn::wait(args, &output).await,
        Command::Show(args) => cmd::read::show(args, &output).await,
        Command::Messages(args) => cmd::read::messages(args, &output).await,
        Command::Transcript(args) => cmd::read::transcript(args, &output).await,
        Command::Plan(args) => cmd::download::plan(args).await,
        Command::Artifact(args) => cmd::download::artifact(args).await,
        Command::Batch(args) => cmd::batch::batch(args).await,
        Command::Mock(args) => cmd::mock::mock(args).await,
        Command::Completions { shell } => {
            args::completions(shell);
            Ok(())
        }
        Command::Man => args::man().map_err(|e| Exit::failed(format!("no man page: {e}"))),
    }
}
