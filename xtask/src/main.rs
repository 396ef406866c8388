//! `cargo xtask`: the maintainers' tasks, each of which is a subcommand.

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use xtask::{codegen, command, pictures, readme};

/// The repository's tasks.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Cli {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Write crates/blocks-api/src/generated.rs from openapi/blocks.yaml.
    Codegen {
        /// Write nothing; print a diff and exit 1 if generated.rs is out of date.
        #[arg(long)]
        check: bool,
    },
    /// Start the drift check of crates/blocks-drift: exit 0 in sync, 1 drift, 2 could not check.
    #[command(disable_help_flag = true)]
    Drift {
        /// The arguments of the check; `--help` lists them.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<std::ffi::OsString>,
    },
    /// Draw docs/*.svg: runs of `blocks` in a terminal, and a chart of reply delays.
    Pictures(pictures::Pictures),
    /// Run the commands and programs of README.md and the guide; exit 1 when one does not work.
    Readme {
        /// Only these pages, without the doc tests.
        pages: Vec<String>,
    },
}

/// Prints the error of a task, and returns the exit code.
fn code(result: Result<(), String>) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("{message}");
            ExitCode::FAILURE
        }
    }
}

fn main() -> ExitCode {
    match Cli::parse().task {
        Task::Codegen { check } => code(if check {
            codegen::check()
        } else {
            codegen::write()
        }),
        Task::Pictures(pictures) => code(pictures.draw()),
        Task::Readme { pages } => code(readme::check(pages)),
        // Cargo itself exits with other codes, for example 101 if the crate does not build. These codes are replaced
        // by 2, which means "could not check".
        Task::Drift { arguments } => match command::run("blocks-drift", &arguments) {
            Ok(code @ 0..=2) => ExitCode::from(code),
            Ok(_) => ExitCode::from(2),
            Err(error) => {
                eprintln!("could not check: {error}");
                ExitCode::from(2)
            }
        },
    }
}
