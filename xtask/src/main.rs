//! The repository's chores: `cargo xtask codegen [--check]`.

mod codegen;

use std::process::ExitCode;

const USAGE: &str = "\
Usage: cargo xtask codegen [--check]

  codegen          write crates/blocks-api/src/generated.rs from openapi/blocks.yaml
  codegen --check  write nothing; print a diff and exit 1 when the two differ";

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = args.iter().map(String::as_str).collect();
    let outcome = match words.as_slice() {
        ["codegen"] => codegen::write(),
        ["codegen", "--check"] => codegen::check(),
        ["--help" | "-h"] => {
            println!("{USAGE}");
            return ExitCode::SUCCESS;
        }
        _ => Err(USAGE.to_owned()),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("{message}");
            ExitCode::FAILURE
        }
    }
}
