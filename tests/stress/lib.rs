//! Tests with many thousands of cases. This library contains nothing else. All tests are unit tests of the library, so
//! that they are in one test program, which uses every core.
#![cfg(test)]

mod fault_matrix;
mod odd_responses;
mod paging_under_change;
mod soak;

use std::collections::BTreeMap;
use std::num::NonZero;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Calls `run` for each item, and returns the results in the order of the items. Each core runs one item at a time, and
/// each item has its own paused clock.
fn on_every_core<T: Sync, R: Send>(items: &[T], run: impl AsyncFn(&T) -> R + Sync) -> Vec<R> {
    let (next, results) = (AtomicUsize::new(0), Mutex::new(BTreeMap::new()));
    let work = || {
        loop {
            let index = next.fetch_add(1, Ordering::Relaxed);
            let Some(item) = items.get(index) else { break };
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .start_paused(true)
                .build()
                .expect("a runtime");
            let result = runtime.block_on(run(item));
            results.lock().expect("no panic").insert(index, result);
        }
    };
    let cores = std::thread::available_parallelism().map_or(1, NonZero::get);
    // The scope panics if one of its threads panicked.
    std::thread::scope(|scope| (0..cores).for_each(|_| drop(scope.spawn(work))));
    let results = results.into_inner().expect("no panic");
    assert_eq!(results.len(), items.len(), "every item ran");
    results.into_values().collect()
}
