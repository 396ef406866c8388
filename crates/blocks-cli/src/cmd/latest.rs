//! Finds the newest prompt of a session.

use blocks_sdk::{Pending, SessionRef};

use crate::exit::{Code, Exit};

/// Finds the newest prompt of the session among the messages of the user, which are requested from the service. Fails if
/// the session has no prompt.
pub async fn latest(session: &SessionRef) -> Result<Pending, Exit> {
    match session.latest_turn().await? {
        Some(turn) => Ok(turn.pending().clone()),
        None => {
            let id = session.id();
            let message =
                format!("session {id} has no prompt to wait for; name a thread with --thread");
            Err(Exit::new(Code::Failed, "no_prompt", message))
        }
    }
}
