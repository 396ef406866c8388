//! Where the document, the code and the service moved apart.
//!
//! Four sides can drift from one another. Code against document is `codegen --check`; here
//! are the vendor's pages, the live answers, and the SDK's types, each against the document.

pub mod deviations;
pub mod docs;
pub mod document;
pub mod finding;
pub mod live;
pub mod marked;
pub mod report;
pub mod run;
pub mod sdk;
pub mod shape;
pub mod validate;
