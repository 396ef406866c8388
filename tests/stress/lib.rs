//! Tests with many thousands of cases. They are unit tests of an empty library, so that one test
//! program runs all of them, on every core.
#![cfg(test)]

mod fault_matrix;
mod odd_responses;
mod paging_under_change;
mod soak;
