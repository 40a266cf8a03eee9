//! What parked sleepers cost in memory.

use super::Finding;
use crate::Result;
use crate::database::Server;
use crate::jobs::parked::cost_of;

pub(super) async fn measure(server: &Server, runs: u32) -> Result<Vec<Finding>> {
    let cost = cost_of(server, runs).await?;
    Ok(vec![
        Finding::new(format!("resident, {runs} parked"), cost.after, "MiB").at_most(512.0),
        Finding::new("resident at most", cost.peak, "MiB"),
        Finding::new("until all were parked", cost.seconds, "s"),
    ])
}
