//! Shares whether a create or follow-up may have had an effect. This is known even if the future of the request was
//! dropped, so that the request returned neither a result nor an error.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::engine::rate_limit::Permit;

/// Reports whether a create or follow-up may have had an effect, even if its future was dropped; see
/// [`CreatePermit::effect`](crate::CreatePermit::effect). Clones report on the same request.
#[derive(Clone, Debug, Default)]
pub struct CreateEffect(Arc<AtomicBool>);

impl CreateEffect {
    /// Returns whether the request may have taken effect until now.
    ///
    /// The value is false before the request is sent, and again in the pause after an attempt that certainly had no
    /// effect, for example because the response was a 429. While the future of the request runs, the value can change.
    /// After the future was dropped, the value is final. After the future has completed, the value is true if the
    /// request succeeded, and otherwise the same as
    /// [`Error::may_have_taken_effect`](crate::Error::may_have_taken_effect).
    pub fn may_have_taken_effect(&self) -> bool {
        self.0.load(Ordering::SeqCst)
    }

    pub(crate) fn set(&self, may_have_taken_effect: bool) {
        self.0.store(may_have_taken_effect, Ordering::SeqCst);
    }
}

/// What a call gets from its caller: the permit of its first attempt, if there is one, and where it reports its effect.
#[derive(Default)]
pub(crate) struct Prepared {
    pub permit: Option<Permit>,
    pub effect: CreateEffect,
}
