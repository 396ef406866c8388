//! A mock server of the Blocks Sessions API, on a loopback port of its own.
//!
//! It knows the protocol, not the client: a mistake in the client's types cannot
//! hide in both ends of a test.
//!
//! ```
//! # tokio::runtime::Runtime::new().unwrap().block_on(async {
//! let mock = blocks_mock::MockServer::start().await?;
//! assert!(mock.url().starts_with("http://127.0.0.1:"));
//! # Ok::<(), std::io::Error>(())
//! # }).unwrap();
//! ```

mod handlers;
mod query;
mod server;
mod store;

pub use server::{MockServer, MockServerBuilder, Received};
