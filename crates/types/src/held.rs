//! Where a run is held.

use serde::{Deserialize, Serialize};

use crate::{Error, Json};

/// The call at which a run is held. The data of an error that holds a run because of one of its calls:
/// `error.downcast::<HeldAt>()`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct HeldAt {
    /// The position of the call.
    pub position: u32,
}

impl HeldAt {
    /// The call at this position.
    #[must_use]
    pub const fn new(position: u32) -> HeldAt {
        HeldAt { position }
    }

    /// The position in a recorded error, if it names one.
    pub(crate) fn of(error: &Json) -> Option<u32> {
        let found = Error::from_json(error).ok()?.downcast::<HeldAt>().ok()?;
        Some(found.position)
    }
}
