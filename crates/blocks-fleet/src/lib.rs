#![doc = include_str!("../README.md")]

mod batch;
// The module `guide` is only a page of documentation, so it is compiled only for the documentation and its tests.
#[cfg(any(doc, doctest))]
#[doc = include_str!("../guide/many-processes.md")]
pub mod guide {}
mod journal;
mod limit;
mod locked;
#[cfg(feature = "redis")]
mod server;

pub use batch::{
    Batch, BatchError, BatchItem, BatchOptions, BatchPrompt, BatchWork, BeforeSend, ChangedPrompt,
    NotCreated, Replied, WorkFuture,
};
#[cfg(feature = "redis")]
pub use journal::RedisJournal;
pub use journal::{
    Created, Entry, FileJournal, Fingerprint, Journal, JournalError, JournalFuture, NoJournal,
    Retry, State, Step,
};
#[cfg(feature = "redis")]
pub use limit::RedisLimitStore;
pub use limit::{FileLimitStore, LimitLocation, LimitName};
