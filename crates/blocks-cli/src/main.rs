//! The command `blocks`. All its code is in the library, so that tests can run each part alone.

fn main() -> std::process::ExitCode {
    blocks_cli::main()
}
