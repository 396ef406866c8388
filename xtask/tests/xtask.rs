//! Tests the program `xtask`, which `cargo xtask` builds and runs. `cargo test` builds this program for these tests, so
//! that `.ci/run` can use it later without another build.

use std::process::{Command, Output};

fn xtask(arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_xtask"));
    command.args(arguments).output().unwrap()
}

#[test]
fn a_task_that_is_unknown_is_a_usage_error() {
    let ended = xtask(&["codgen"]);
    assert_eq!(ended.status.code(), Some(2));
    let text = String::from_utf8(ended.stderr).unwrap();
    assert!(text.contains("'codegen'"), "{text}");
}
