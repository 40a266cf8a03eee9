//! Patches: whether new code applies to a run.

use std::sync::Arc;

use onward_types::{Json, StepKind, Timestamp};

use super::State;

/// Positions from here on belong to patches, which are outside the order of calls.
pub(crate) const PATCHES: u32 = 1 << 31;

impl State {
    /// Whether a patch applies: it is recorded, or the run has no recorded history beyond this point.
    pub(crate) fn patched(&mut self, name: &Arc<str>, now: Timestamp) -> bool {
        if let Some(applies) = self.patches.get(name) {
            return *applies;
        }
        let applies = self.order.is_empty();
        if applies {
            let position = PATCHES + self.patches_recorded;
            self.patches_recorded += 1;
            self.record(position, StepKind::Patch, name.clone(), Ok(Json::from("true".to_owned())), now, now);
        }
        self.patches.insert(name.clone(), applies);
        applies
    }
}
