//! Marks the journals that the batches of this process use, so that two batches never use one journal value at the same
//! time.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::Journal;

/// The addresses of the journals that batches use. A journal at one of these addresses is kept by an [`InUse`], so no
/// other journal can get the same address.
static ADDRESSES: Mutex<BTreeSet<usize>> = Mutex::new(BTreeSet::new());

/// Marks a journal as in use until it is dropped.
pub(crate) struct InUse(Arc<dyn Journal>);

impl InUse {
    /// Marks a journal. Returns `None` if another batch uses it.
    pub fn mark(journal: &Arc<dyn Journal>) -> Option<Self> {
        let is_free = match address(journal) {
            Some(address) => addresses().insert(address),
            None => true,
        };
        // The value is created only if the journal was free: the drop of a value removes the mark.
        is_free.then(|| Self(Arc::clone(journal)))
    }
}

impl Drop for InUse {
    fn drop(&mut self) {
        if let Some(address) = address(&self.0) {
            addresses().remove(&address);
        }
    }
}

/// Returns the address of a journal. Returns `None` for a journal without data, such as `NoJournal`, because it cannot
/// record anything that a second batch would read.
fn address(journal: &Arc<dyn Journal>) -> Option<usize> {
    let has_data = size_of_val(&**journal) > 0;
    has_data.then(|| Arc::as_ptr(journal).cast::<()>().addr())
}

fn addresses() -> MutexGuard<'static, BTreeSet<usize>> {
    ADDRESSES.lock().unwrap_or_else(PoisonError::into_inner)
}
