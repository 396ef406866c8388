//! Shows how to do common tasks. Every program in the guide runs unchanged.
//!
//! 1. [Getting started](getting_started)
//! 2. [Waiting and resuming](waiting)
//! 3. [Structured replies](structured_replies)
//! 4. [Many sessions on one key](many_sessions)
//! 5. [Testing your own code with the mock](testing)
//! 6. [Checking drift in your CI](drift)
//! 7. [Errors and what to do](errors)
//! 8. [Scripts and CI](scripts), with the command `blocks`
//! 9. [Settings](settings) of programs and of the command
//! 10. [Formats](formats) of the command's output and input files

#[doc = include_str!("../guide/getting-started.md")]
pub mod getting_started {}

#[doc = include_str!("../guide/waiting.md")]
pub mod waiting {}

// The programs on this page need the feature `schemars`, so they are tested only with this feature.
#[cfg(any(feature = "schemars", not(doctest)))]
#[doc = include_str!("../guide/structured-replies.md")]
pub mod structured_replies {}

#[doc = include_str!("../guide/many-sessions.md")]
pub mod many_sessions {}

#[doc = include_str!("../guide/testing.md")]
pub mod testing {}

#[doc = include_str!("../guide/drift.md")]
pub mod drift {}

#[doc = include_str!("../guide/errors.md")]
pub mod errors {}

#[doc = include_str!("../guide/scripts.md")]
pub mod scripts {}

#[doc = include_str!("../guide/settings.md")]
pub mod settings {}

#[doc = include_str!("../guide/formats.md")]
pub mod formats {}
