//! The durable calls of a run: recorded results, attempts and open waits.

use onward_types::{
    Attempt, Error, Heartbeat, Json, Page, Paging, RunId, Status, StepFilter, StepKind, StepRecord, StepState, Wait,
    WaitFor, from_micros,
};

use super::{find, outcome};
use crate::driver::{Row, Tx, params, sql};
use crate::fault::Fault;
use crate::ops::{self, people, waits};
use crate::records::Outcome;

/// The name of the list of steps in its cursors.
const LIST: &str = "steps";

/// Part of the durable calls of a run.
#[derive(Debug, Default)]
struct Part {
    /// Only calls with one of these names; none means all.
    names: Vec<String>,
    /// The first and the last position.
    from: u32,
    upto: u32,
    backwards: bool,
    limit: i64,
    with_output: bool,
}

/// All durable calls of a run, by position. `None` if the run does not exist.
pub(crate) async fn all(tx: &mut Tx, id: &RunId) -> Result<Option<Vec<StepRecord>>, Fault> {
    let part = Part { upto: u32::MAX, limit: i64::MAX, with_output: true, ..Part::default() };
    steps(tx, id, &part).await
}

/// A page of the durable calls of a run. `None` if the run does not exist.
pub(crate) async fn page(tx: &mut Tx, id: &RunId, filter: &StepFilter) -> Result<Option<Page<StepRecord>>, Fault> {
    let paging = Paging { limit: filter.limit, after: filter.after.clone(), before: filter.before.clone() };
    let (place, backwards) = paging.from(LIST)?;
    let place = place.map(|place| place.first_chunk::<4>().map_or(0, |position| u32::from_be_bytes(*position)));
    let (after, before) = if backwards { (None, place) } else { (place, None) };
    let from = filter.from.max(after.map_or(0, |after| after.saturating_add(1)));
    let upto = before.map_or(u32::MAX, |before| before.saturating_sub(1));
    // One more than the page holds, to learn whether there is another page.
    let limit = i64::from(paging.limit()) + 1;
    let is_possible = |name: &&String| !name.contains('\0');
    let names: Vec<String> = filter.names.iter().filter(is_possible).cloned().collect();
    let is_empty = before == Some(0) || after == Some(u32::MAX) || (names.is_empty() && !filter.names.is_empty());
    let part = Part { names, from, upto, backwards, limit, with_output: filter.with_output };
    let Some(mut found) = steps(tx, id, &part).await? else { return Ok(None) };
    if is_empty {
        found.clear();
    }
    Ok(Some(paging.page(LIST, found, |step| step.position.to_be_bytes().to_vec())))
}

/// The durable calls of a run: recorded results, attempts and open waits, in the order in which they are read. `None` if the run
/// does not exist.
async fn steps(tx: &mut Tx, id: &RunId, part: &Part) -> Result<Option<Vec<StepRecord>>, Fault> {
    let Some(run) = find(tx, id).await? else { return Ok(None) };
    let Part { names, from, upto, backwards, limit, with_output } = part;
    let given = params![run.key, *from, *upto, *limit, *with_output, names, !names.is_empty()];
    let sql = if *backwards { sql!("checkpoints/of_run_back") } else { sql!("checkpoints/of_run") };
    let mut steps = Vec::new();
    for row in tx.query(sql, &given).await? {
        let mut step = recorded(&row)?;
        step.output = step.output.filter(|_| *with_output);
        steps.push(step);
    }
    for (_, wait) in waits::shown(tx, &[run.key]).await? {
        waiting(&mut steps, wait);
    }
    for row in tx.query(sql!("checkpoints/attempts_of_run"), &params![run.key]).await? {
        attempted(&mut steps, &row)?;
    }
    let is_over = |run: Outcome| matches!(run.status, Status::Succeeded | Status::Failed);
    if steps.iter().any(|step| step.state.is_open()) && outcome(tx, run.key).await?.is_some_and(is_over) {
        // A crash may have come after a race ended and before the loss was recorded.
        steps.iter_mut().filter(|step| step.state.is_open()).for_each(|step| step.state = StepState::Cancelled);
    }
    for row in tx.query(sql!("runs/children_of"), &params![run.key]).await? {
        let (id, position) = (row.text("id")?, row.count("parent_position")?);
        if let Some(step) = steps.iter_mut().find(|step| step.position == position) {
            step.child = Some(RunId::recorded(id));
        }
    }
    if steps.iter().any(|step| step.kind == StepKind::Recv) {
        for (position, request) in people::of_run(tx, run.key, *from).await? {
            if let Some(step) = steps.iter_mut().find(|step| step.position == position) {
                step.person = Some(request);
            }
        }
    }
    // Waits and attempts were read completely; those outside the page are removed here.
    steps.retain(|step| (*from..=*upto).contains(&step.position) && (names.is_empty() || names.contains(&step.name)));
    steps.sort_by_key(|step| step.position);
    if *backwards {
        steps.reverse();
    }
    steps.truncate(usize::try_from(*limit).unwrap_or(usize::MAX));
    Ok(Some(steps))
}

fn recorded(row: &Row) -> Result<StepRecord, Fault> {
    let kind: StepKind = row.text("kind")?.parse()?;
    let result = ops::result(row)?;
    let child = match (&kind, &result) {
        (StepKind::Start, Ok(output)) => output.decode::<Started>().ok().map(|it| it.id),
        _ => None,
    };
    Ok(StepRecord {
        position: row.count("position")?,
        seq: Some(row.int("seq")?.unsigned_abs()),
        kind,
        name: row.text("name")?,
        state: if result.is_ok() { StepState::Succeeded } else { StepState::Failed },
        output: result.as_ref().ok().cloned(),
        error: result.err(),
        child,
        started_at: Some(from_micros(row.int("started_at")?)),
        finished_at: Some(from_micros(row.int("finished_at")?)),
        person: None,
        notes: row.opt_text("notes")?.map(Json::from),
        attempts: Vec::new(),
        attempts_dropped: 0,
    })
}

/// The recorded result of starting a child.
#[derive(serde::Deserialize)]
struct Started {
    id: RunId,
}

fn open_step(position: u32, kind: StepKind, name: &str, state: StepState) -> StepRecord {
    StepRecord {
        position,
        seq: None,
        kind,
        name: name.to_owned(),
        state,
        output: None,
        error: None,
        child: None,
        started_at: None,
        finished_at: None,
        person: None,
        notes: None,
        attempts: Vec::new(),
        attempts_dropped: 0,
    }
}

fn waiting(steps: &mut Vec<StepRecord>, wait: Wait) {
    let kind = waits::kind_of_call(&wait.wait_for);
    // Once resumed, a run that had paused itself passes the pause as soon as an executor has it.
    let is_resumed = matches!(wait.wait_for, WaitFor::Resume { resumed_at: Some(_) });
    let state = if is_resumed { StepState::Running } else { StepState::Waiting };
    let mut step = open_step(wait.position, kind, &wait.name, state);
    step.started_at = Some(wait.since);
    if let WaitFor::Child { run, .. } = wait.wait_for {
        step.child = Some(run);
    }
    if steps.iter().all(|other| other.position != step.position) {
        steps.push(step);
    }
}

fn attempted(steps: &mut Vec<StepRecord>, row: &Row) -> Result<(), Fault> {
    let position = row.count("position")?;
    let attempt = Attempt {
        attempt: row.count("attempt")?,
        started_at: from_micros(row.int("started_at")?),
        finished_at: row.opt_int("finished_at")?.map(from_micros),
        error: row.opt_text("error")?.map(Json::from),
        notes: row.opt_text("notes")?.map(Json::from),
        heartbeat: heartbeat(row)?,
    };
    let at = match steps.iter().position(|step| step.position == position) {
        Some(at) => at,
        None => {
            steps.push(open_step(position, StepKind::Step, &row.text("name")?, StepState::Running));
            steps.len() - 1
        }
    };
    let step = &mut steps[at];
    if matches!(step.state, StepState::Running | StepState::Cancelled) {
        let given_up = attempt.error.as_ref().and_then(|error| Error::from_json(error).ok());
        step.state = match given_up {
            Some(error) if error.is_cancelled() => StepState::Cancelled,
            _ => StepState::Running,
        };
    }
    step.started_at = step.started_at.map_or(Some(attempt.started_at), |at| Some(at.min(attempt.started_at)));
    // Every attempt from the first one on had a row before the next one began.
    let recorded = u32::try_from(step.attempts.len()).unwrap_or(u32::MAX).saturating_add(1);
    step.attempts_dropped = attempt.attempt.saturating_sub(recorded);
    step.attempts.push(attempt);
    Ok(())
}

fn heartbeat(row: &Row) -> Result<Option<Heartbeat>, Fault> {
    let heartbeat = |at, progress| Heartbeat { at: from_micros(at), progress: Json::from(progress) };
    Ok(row.opt_int("beat_at")?.zip(row.opt_text("progress")?).map(|(at, progress)| heartbeat(at, progress)))
}
