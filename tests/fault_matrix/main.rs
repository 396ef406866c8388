//! Every operation of the SDK and every command of the CLI against every fault that the mock
//! can make, in paused time, with the same promises checked on each.
//!
//! Nothing is listed by hand that can be found: a run without a fault tells which operations an
//! act touches, the mock tells which faults it knows, and the OpenAPI document which fields can
//! be missing or of another type.

mod commands;
mod faults;
mod operations;
mod scene;
mod target;

use std::fmt::Write;

use blocks_mock::{Dialect, Frequency};

use scene::{Scene, Strike, dialects};

/// What was broken, told all together at the end.
#[derive(Default)]
struct Matrix {
    combinations: usize,
    violations: Vec<String>,
}

impl Matrix {
    /// Counts one combination, and keeps what was violated in it.
    fn ran(&mut self, name: &str, violations: Vec<String>) {
        self.combinations += 1;
        let violations = violations.into_iter();
        self.violations
            .extend(violations.map(|what| format!("{name}: {what}")));
    }

    /// Every combination of one act: in each dialect, without a fault and with each fault at
    /// each operation that the act touches, once and always.
    async fn fill(
        &mut self,
        name: &str,
        act: impl AsyncFn(Dialect, Option<Strike>) -> (Scene, Vec<String>),
    ) {
        let document = blocks_tests::document();
        for (dialect_name, dialect) in dialects() {
            let (scene, violations) = act(dialect.clone(), None).await;
            self.ran(&format!("{dialect_name}, {name}, no fault"), violations);
            for operation in scene.touched() {
                for fault in faults::of(operation, &document) {
                    for when in [Frequency::ONCE, Frequency::Always] {
                        let fault = fault.clone();
                        let strike = Strike {
                            operation,
                            when,
                            fault,
                        };
                        let told = format!("{dialect_name}, {name}, {strike:?}");
                        let (_, violations) = act(dialect.clone(), Some(strike)).await;
                        self.ran(&told, violations);
                    }
                }
            }
        }
    }

    fn end(self, of: &str) {
        println!(
            "{} combinations of {of} ran, {} promises broken",
            self.combinations,
            self.violations.len()
        );
        let mut text = String::new();
        for violation in self.violations.iter().take(25) {
            let _ = writeln!(text, "{violation}");
        }
        assert!(self.violations.is_empty(), "{text}");
        assert!(self.combinations >= 1_500, "{}", self.combinations);
    }
}

#[tokio::test(start_paused = true)]
async fn every_operation_meets_every_fault() {
    let mut matrix = Matrix::default();
    operations::all(&mut matrix).await;
    matrix.end("operation and fault");
}

#[tokio::test(start_paused = true)]
async fn every_command_meets_every_fault() {
    let mut matrix = Matrix::default();
    commands::all(&mut matrix).await;
    matrix.end("command and fault");
}
