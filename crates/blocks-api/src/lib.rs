//! The low level of the Blocks Sessions API: code generated from
//! `openapi/blocks.yaml`, and the seam that every request passes.
//!
//! Most programs want the ergonomic crate `blocks-sdk`, which is built on this one.

// The builders' methods repeat the fields, which the document describes.
#[allow(missing_docs)]
mod generated;
pub mod open;
pub mod seam;

pub use generated::*;
