//! The command `blocks`. Its code is in the library `blocks_cli`, so that tests can run the command inside the test
//! process.

fn main() -> std::process::ExitCode {
    blocks_cli::main()
}
