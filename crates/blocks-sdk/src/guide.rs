//! The guide: how to do what most programs need. Every program in it runs unchanged.
//!
//! 1. [Getting started](getting_started)
//! 2. [Waiting and resuming](waiting)
//! 3. [Many sessions on one key](many_sessions)
//! 4. [Testing your own code with the mock](testing)
//! 5. [Checking drift in your CI](drift)
//! 6. [Errors and what to do](errors)
//! 7. [Scripts and CI](scripts), with the command `blocks`

#[doc = include_str!("../guide/getting-started.md")]
pub mod getting_started {}

#[doc = include_str!("../guide/waiting.md")]
pub mod waiting {}

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
