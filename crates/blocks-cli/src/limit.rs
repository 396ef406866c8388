//! Opens the store of the shared rate limit: a folder or a Redis server. Processes with the same API key and the same
//! base URL count their requests together in this store.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use blocks_fleet::{LimitLocation, LimitName};
use blocks_sdk::{LimitFuture, LimitStore, LimitStoreError, SlotRequest, SlotResponse};

use tokio::time::timeout;

use crate::exit::Exit;
use crate::host::Host;
use crate::notes::Notes;

/// How much shorter the time-out of [`Reporting`] is than the client's time-out for a response of the store. If both
/// were equal, the client could stop waiting first, and [`Reporting`] could not warn the user.
const SOONER: Duration = Duration::from_millis(5);
const BASE_URL: &str = "https://api.blocks.team";

/// Returns the location of the rate limit's store. There is none with `--no-shared-limit`. Otherwise `BLOCKS_LIMIT_URL`
/// names it; the default is a folder in the user's state folder. If the user has no state folder, there is none either.
pub fn location(no_shared_limit: bool, host: &Host) -> Result<LimitLocation, Exit> {
    if no_shared_limit {
        return Ok(LimitLocation::Off);
    }
    if let Some(given) = host.var("BLOCKS_LIMIT_URL") {
        let location = given.to_str().ok_or("not valid UTF-8".to_owned());
        let location = location.and_then(str::parse);
        return location.map_err(|what| Exit::usage(format!("BLOCKS_LIMIT_URL: {what}")));
    }
    Ok(LimitLocation::of_user(|name| host.var(name)).unwrap_or(LimitLocation::Off))
}

/// Opens the store at `location` for the API key in the environment. Returns `None` if there is no key or no location.
/// The store writes the first error of [`LimitStore::take`] to `notes` as a warning.
pub fn store(
    location: &LimitLocation,
    host: &Host,
    notes: &Notes,
) -> Result<Option<Arc<dyn LimitStore>>, Exit> {
    let variable = |name| host.var(name).and_then(|value| value.into_string().ok());
    let Some(key) = variable("BLOCKS_API_KEY") else {
        return Ok(None);
    };
    let base_url = variable("BLOCKS_API_BASE_URL").unwrap_or_else(|| BASE_URL.to_owned());
    let store = location.open(&LimitName::new(&key, &base_url));
    let store = store.map_err(|error| Exit::usage(format!("BLOCKS_LIMIT_URL: {error}")))?;
    Ok(store.map(|store| {
        Arc::new(Reporting {
            store,
            notes: notes.clone(),
            is_reported: AtomicBool::new(false),
        }) as Arc<dyn LimitStore>
    }))
}

/// Wraps the store of the shared limit, and reports the first error of [`LimitStore::take`] to the user as a warning.
struct Reporting {
    store: Arc<dyn LimitStore>,
    notes: Notes,
    is_reported: AtomicBool,
}

impl Reporting {
    fn report(&self, error: &LimitStoreError) {
        if !self.is_reported.swap(true, Ordering::Relaxed) {
            let what = format!("{error}; only this command's own requests are counted");
            self.notes
                .note(&format!("warning: limit not shared: {what}"));
        }
    }
}

impl LimitStore for Reporting {
    fn take<'a>(&'a self, request: &'a SlotRequest) -> LimitFuture<'a, SlotResponse> {
        Box::pin(async move {
            let limit = self.store.response_timeout().saturating_sub(SOONER);
            let response = match timeout(limit, self.store.take(request)).await {
                Ok(response) => response,
                Err(_) => Err(LimitStoreError::new("no response from the limit's store")),
            };
            if let Err(error) = &response {
                self.report(error);
            }
            response
        })
    }

    fn pause(&self, pause: Duration) -> LimitFuture<'_, ()> {
        self.store.pause(pause)
    }

    fn give_back(&self, slot: u64) -> LimitFuture<'_, ()> {
        self.store.give_back(slot)
    }

    fn response_timeout(&self) -> Duration {
        self.store.response_timeout()
    }
}
