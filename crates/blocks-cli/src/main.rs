//! The command `blocks`; all of it is in the library, so that its parts can be tested alone.

fn main() -> std::process::ExitCode {
    blocks_cli::main()
}
