//! Contains the low-level client of the Blocks Sessions API: code generated from `openapi/blocks.yaml`, and a hook that
//! adds the API key to every request.
//!
//! Most programs use the crate `blocks-sdk`, which is built on this crate and has a more convenient API.
//!
//! ```no_run
//! use blocks_api::{Client, hook::Hook};
//!
//! # async fn run(id: blocks_api::open::Id) -> Result<(), Box<dyn std::error::Error>> {
//! let hook = Hook::new("ApiKey my-key".parse()?);
//! let client = Client::new_with_client("https://api.blocks.team", Default::default(), hook);
//! let session = client.get_session().session_id(id).send().await?.into_inner();
//! println!("{}", session.title.unwrap_or_default());
//! # Ok(())
//! # }
//! ```
//!
//! The crate guarantees:
//! - **The key is added in one place**, and only to requests below the base URL. A request to another URL is an error.
//!   No `Debug` output contains the key.
//! - **This crate never repeats a request.** A method passes its request once to the [`Sender`](hook::Sender), or to
//!   the HTTP client if there is no sender. The settings of the HTTP client decide whether the HTTP client follows
//!   redirects or repeats a request.
//! - **Responses are read tolerantly.** Only a few fields are required, such as a session's `id`, a link's `href`, and
//!   the `items` of a page. If any other field cannot be read, the field is `None`, and `extra` contains its JSON text.
//!   A type without required fields, such as the type of `_links`, can be read from every JSON value. Fields that are
//!   not in the OpenAPI document are also kept in `extra`. The module [`open`] contains enums that keep unknown values,
//!   ids that need not be UUIDs, and times in the common formats of ISO 8601.
//! - **[`types`] and [`Client`] follow the OpenAPI document.** They are generated from this document. `cargo xtask
//!   codegen --check` fails if the generated code was edited by hand.

mod decode;
// Most methods of the generated builders have no doc comments. These methods, except `new`, set the field of the same
// name, and the OpenAPI document describes the fields. The field `extra` and a few other fields have no doc comments.
#[allow(missing_docs)]
mod generated;
pub mod hook;
pub mod json;
pub mod message;
pub mod open;

pub use generated::*;
