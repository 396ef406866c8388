//! `cargo xtask`: the repository's chores, each with a name.

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use xtask::{codegen, drift, pictures, readme};

/// The repository's chores.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Cli {
    #[command(subcommand)]
    chore: Chore,
}

#[derive(Subcommand)]
enum Chore {
    /// Write crates/blocks-api/src/generated.rs from openapi/blocks.yaml.
    Codegen {
        /// Write nothing; print a diff and exit 1 when the two differ.
        #[arg(long)]
        check: bool,
    },
    /// Find where document, pages, service and SDK moved apart: exit 0 in sync, 1 drift, 2 could not check.
    Drift(drift::run::Drift),
    /// Write the README's pictures, docs/*.svg: sessions of the built command, and the fleet figure.
    Pictures(pictures::Pictures),
    /// Run every command and program of README.md and the guide; exit 1 when one does not work.
    Readme,
}

/// A chore that ends well, or says why not.
fn code(outcome: Result<(), String>) -> ExitCode {
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("{message}");
            ExitCode::FAILURE
        }
    }
}

fn main() -> ExitCode {
    match Cli::parse().chore {
        Chore::Codegen { check } => code(if check {
            codegen::check()
        } else {
            codegen::write()
        }),
        Chore::Pictures(pictures) => code(pictures.draw()),
        Chore::Readme => code(readme::check()),
        Chore::Drift(drift) => {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build();
            match runtime {
                Ok(runtime) => ExitCode::from(runtime.block_on(drift.run())),
                Err(error) => {
                    eprintln!("could not check: {error}");
                    ExitCode::from(2)
                }
            }
        }
    }
}
