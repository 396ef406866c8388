#![doc = include_str!("../README.md")]

mod limit;
#[cfg(feature = "redis")]
mod server;

#[cfg(feature = "redis")]
pub use limit::RedisLimitStore;
pub use limit::{FileLimitStore, LimitLocation, LimitName};
