//! The commands of `blocks`. Related commands, such as `run` and `send`, share one module.

pub mod about;
mod agent;
pub mod batch;
pub mod check;
pub mod download;
mod latest;
pub mod mock;
mod pending;
pub mod read;
pub mod sessions;
pub mod turn;
pub mod wait;
