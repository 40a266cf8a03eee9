//! Who managed runs, and with what result.

use std::collections::BTreeMap;

use super::{Examples, at, id, text};
use onward_types::{
    Attribution, BulkPreview, BulkResult, Initiator, Refusal, Status, Steered, Steering, SteeringAction, SteeringRecord,
};

pub(super) fn add(to: &mut Examples) {
    use SteeringAction::{Cancel, Pause, Resume, SetDelay, StartNow, WakeUp};
    to.values(&[Cancel, Pause, Resume, StartNow, WakeUp, SetDelay]);
    use Initiator::{Client, Deadline, Executor, Import, Run, Schedule};
    to.values(&[Client, Run, Deadline, Executor, Schedule, Import]);
    let nobody = Attribution::default();
    to.add(&nobody);
    let (by, reason) = (text("ann"), text("duplicate"));
    let ann = Attribution { initiator: Client, by, reason, deadline: Some(at(0)) };
    to.add(&ann);
    to.add(&Steering::new(Cancel, &nobody, at(0)));
    let cancelled = Steering::new(Cancel, &ann, at(0)).with(&id("order-17"));
    to.add(&cancelled);
    to.add(&SteeringRecord::new(1, cancelled));
    to.add(&Steered::new(Status::Running, 1));
    let refusal = Refusal::new("illegal_move", Status::Failed, "it has ended", id("order-17"));
    to.add(&refusal);
    to.add(&BulkResult::default());
    let mut result = BulkResult::default();
    (result.matched, result.changed, result.refused, result.runs) = (4, 2, 1, 3);
    result.refusals = vec![refusal];
    to.add(&result);
    to.add(&BulkPreview::default());
    let mut preview = BulkPreview::default();
    (preview.matched, preview.would_change, preview.unchanged, preview.refused) = (4, 2, 1, 1);
    preview.by_status = BTreeMap::from([(Status::Running, 3), (Status::Failed, 1)]);
    preview.refusals = result.refusals;
    to.add(&preview);
}
