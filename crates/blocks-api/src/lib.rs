//! The low level of the Blocks Sessions API: code generated from
//! `openapi/blocks.yaml`, and the seam that every request passes.
//!
//! Most programs want the ergonomic crate `blocks-sdk`, which is built on this one.
//!
//! ```no_run
//! use blocks_api::{Client, seam::Seam};
//!
//! # async fn run(id: uuid::Uuid) -> Result<(), Box<dyn std::error::Error>> {
//! let seam = Seam::new("ApiKey my-key".parse()?);
//! let client = Client::new_with_client("https://api.blocks.team", Default::default(), seam);
//! let session = client.get_session().session_id(id).send().await?.into_inner();
//! println!("{}", session.title.unwrap_or_default());
//! # Ok(())
//! # }
//! ```
//!
//! What holds:
//! - **The key is added in one place**, to requests to the base URL only; one that leaves it is
//!   refused. It is in no `Debug` output.
//! - **Nothing is repeated here.** A method sends its request once, over the
//!   [`Policy`](seam::Policy), or over the HTTP client where there is none.
//! - **Unknown is not an error.** A field of an answer that is not in the document is kept in
//!   `extra`, and a value of an enum that is not, as [`open`] tells.
//! - **[`types`] and [`Client`] follow the document.** They are generated and never edited by
//!   hand, and a check holds them to it.

// The builders' methods repeat the fields, which the document describes.
#[allow(missing_docs)]
mod generated;
pub mod open;
pub mod seam;

pub use generated::*;
