//! What a program sees through the public interface, in paused time.

mod connections;
mod creating;
mod downloads;
mod encodings;
mod errors;
mod following;
mod limits;
mod links;
mod mocked;
mod paging;
mod paging_under_change;
mod rate_limit;
mod raw;
mod reading;
mod recording;
mod secrets;
mod sockets;
mod structured;
mod tolerant;
mod vendor;
mod vendor_commands;
mod waiting;

use blocks_sdk::{Agent, CreateSession};

fn hello() -> CreateSession {
    CreateSession::new(Agent::claude(), "hello")
}
