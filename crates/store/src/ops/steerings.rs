//! Who steered a run, how and why: its history. And the last act on a queue or a schedule.

use onward_types::{Attribution, RunId, RunKey, Steering, SteeringAction, SteeringRecord, Timestamp};

use crate::driver::{Row, Tx, params, sql};
use crate::fault::Fault;

/// How many acts back the pause of a run is looked for.
const FAR: u32 = 100;

/// Add an act to the histories of these runs, whose rows are locked.
pub(crate) async fn add(tx: &mut Tx, runs: &[RunKey], steering: &Steering) -> Result<(), Fault> {
    if runs.is_empty() {
        return Ok(());
    }
    tx.execute(sql!("steerings/add"), &params![runs, written(steering)?.as_str()]).await.map(drop)
}

/// Up to `limit` acts on a run after number `after`, oldest first.
pub(crate) async fn list(tx: &mut Tx, run: RunKey, after: u64, limit: u32) -> Result<Vec<SteeringRecord>, Fault> {
    let after = i64::try_from(after).unwrap_or(i64::MAX);
    let rows = tx.query(sql!("steerings/list"), &params![run, after, limit]).await?;
    let record = |row: &Row| {
        let steering = read(&row.text("steering")?, "steerings")?;
        Ok(SteeringRecord::new(row.int("seq")?.unsigned_abs(), steering))
    };
    rows.iter().map(record).collect()
}

/// The latest acts on a run, newest first.
pub(crate) async fn latest(tx: &mut Tx, run: RunKey) -> Result<Vec<Steering>, Fault> {
    let rows = tx.query(sql!("steerings/latest"), &params![run, FAR]).await?;
    rows.iter().map(|row| read(&row.text("steering")?, "steerings")).collect()
}

/// The latest pause of a run that is known.
pub(crate) async fn last_pause(tx: &mut Tx, run: RunKey) -> Result<Option<Steering>, Fault> {
    Ok(latest(tx, run).await?.into_iter().find(|act| act.action == SteeringAction::Pause))
}

/// What a row of this table says about who steered what it describes.
pub(crate) fn of_row(row: &Row, column: &str, table: &str) -> Result<Option<Steering>, Fault> {
    row.opt_text(column)?.map(|text| read(&text, table)).transpose()
}

/// Whether the last act on a queue or a schedule, given by its row, is this one: then the caller, who finds that there is nothing
/// to do, has done it itself and lost the answer.
pub(crate) fn is_last(row: &Row, steering: &Steering, table: &str) -> Result<bool, Fault> {
    Ok(of_row(row, "steered", table)?.as_ref() == Some(steering))
}

/// How a run is stopped because another one was: `stopped` is what stopped that one, whose id is `id`. A version of Onward that
/// recorded nothing may have stopped it.
pub(crate) fn inherited(stopped: Option<Steering>, action: SteeringAction, id: &RunId, now: Timestamp) -> Steering {
    let stopped = stopped.unwrap_or_else(|| Steering::new(action, &Attribution::default(), now));
    let mut with = stopped.with(id);
    with.at = now;
    with
}

/// The recorded form of an act.
pub(crate) fn written(steering: &Steering) -> Result<String, Fault> {
    serde_json::to_string(steering).map_err(|error| Fault::corrupt(format!("an act cannot be written: {error}")))
}

fn read(text: &str, table: &str) -> Result<Steering, Fault> {
    serde_json::from_str(text).map_err(|error| Fault::corrupt(format!("an act in `{table}`: {error}")))
}
