//! Tests the limit stores, and batches whose workers share a journal.

mod file;
mod in_use;
#[cfg(feature = "redis")]
mod journal;
mod killed;
mod overtaken;
#[cfg(feature = "redis")]
mod redis;
#[cfg(feature = "redis")]
mod redis_server;
#[cfg(feature = "redis")]
mod script;
#[cfg(feature = "redis")]
mod simulated;
mod unavailable;
mod work;
#[cfg(feature = "redis")]
mod workers;

use std::time::Duration;

use blocks_fleet::LimitName;
use blocks_sdk::{LimitStore, SlotPurpose, SlotRequest, SlotResponse};

fn name() -> LimitName {
    LimitName::new("my-key", "https://api.blocks.team")
}

/// Returns a process's request for a slot, in which the process will send a create. A slot is the permission for one
/// request to the service. The process allows at most `capacity` slots in a window of about a minute.
fn create(process: u64, capacity: usize) -> SlotRequest {
    SlotRequest::new(process, capacity).demand(SlotPurpose::Create, Duration::ZERO, 1.0)
}

/// Returns the slot that the store granted, or `None`.
async fn take(store: &dyn LimitStore, request: &SlotRequest) -> Option<u64> {
    match store.take(request).await.expect("the store works") {
        SlotResponse::Taken { slot, .. } => Some(slot),
        _ => None,
    }
}
