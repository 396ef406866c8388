//! Runs calls of the SDK, which together use every operation of the API, and nine commands of the CLI with every kind
//! of fault that the mock can inject, on tokio's paused clock. A combination is a call or command, a fault and a
//! dialect. The dialect selects whether the mock behaves like the live service or like the documentation. The same
//! guarantees are checked for each combination.
//!
//! The operations and fields are not listed by hand. A run without a fault shows which operations are called. The
//! OpenAPI document lists the fields of each response. A test checks that the list of faults contains every kind of
//! fault that the mock knows.

mod commands;
mod faults;
mod operations;
mod output_dir;
mod setup;

use blocks_mock::{Dialect, Frequency};
use serde_json::Value;

use setup::{InjectedFault, Setup, dialects};

/// The result of one combination: the setup after the run, and the guarantees that were broken.
type Result = (Setup, Vec<String>);

/// The results of one operation or command in one dialect: the number of combinations that ran, and the guarantees
/// that were broken.
#[derive(Default)]
struct Part {
    combinations: usize,
    violations: Vec<String>,
}

impl Part {
    fn add(&mut self, name: &str, violations: Vec<String>) {
        self.combinations += 1;
        let violations = violations.into_iter();
        self.violations
            .extend(violations.map(|violation| format!("{name}: {violation}")));
    }
}

/// Runs all combinations of one operation or command in one dialect. The first run has no fault. The other runs inject
/// each fault into each operation that the first run called. Each fault is injected in two runs: into one request
/// only, and into every request.
async fn part<T: Copy>(
    item: T,
    name: &str,
    dialect: &Dialect,
    document: &Value,
    run: &impl AsyncFn(T, Dialect, Option<InjectedFault>) -> Result,
) -> Part {
    let mut part = Part::default();
    let (setup, violations) = run(item, dialect.clone(), None).await;
    part.add(&format!("{name}, no fault"), violations);
    for operation in setup.called() {
        for fault in faults::of(operation, document) {
            for frequency in [Frequency::ONCE, Frequency::Always] {
                let injected = InjectedFault {
                    operation,
                    frequency,
                    fault: fault.clone(),
                };
                let name = format!("{name}, {injected:?}");
                let (_, violations) = run(item, dialect.clone(), Some(injected)).await;
                part.add(&name, violations);
            }
        }
    }
    part
}

/// Runs all combinations of `items` in both dialects, and fails if a guarantee was broken. Each core runs one item in
/// one dialect at a time, on a separate paused clock.
fn matrix<T: Copy + std::fmt::Debug + Sync>(
    what: &str,
    items: &[T],
    run: impl AsyncFn(T, Dialect, Option<InjectedFault>) -> Result + Sync,
) {
    let document = blocks_tests::document();
    let inputs: Vec<_> = items
        .iter()
        .flat_map(|item| dialects().map(|dialect| (*item, dialect)))
        .collect();
    let parts = crate::on_every_core(&inputs, async |(item, (dialect_name, dialect))| {
        let name = format!("{dialect_name}, {item:?}");
        part(*item, &name, dialect, &document, &run).await
    });
    let combinations: usize = parts.iter().map(|part| part.combinations).sum();
    let violations: Vec<String> = parts.into_iter().flat_map(|part| part.violations).collect();
    let broken = violations.len();
    println!("{combinations} combinations of {what} and fault, {broken} guarantees broken");
    let first: Vec<String> = violations.into_iter().take(25).collect();
    assert!(first.is_empty(), "{}", first.join("\n"));
    assert!(combinations >= 1_500, "{combinations}");
}

#[test]
fn every_operation_with_every_kind_of_fault() {
    matrix("operation", &operations::ALL, operations::run);
}

#[test]
fn nine_commands_with_every_kind_of_fault() {
    matrix("command", &commands::ALL, commands::run);
}
