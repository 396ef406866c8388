#![doc = include_str!("../README.md")]

mod limit;

pub use limit::{FileLimitStore, LimitLocation, LimitName};
