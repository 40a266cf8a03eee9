//! Finding runs by what they wait for.
//!
//! Neither database knows how many runs wait for something. If there are few, they are looked up and given to the search by
//! their keys; if there are many, the search walks through all runs in the order of the list and finds some soon.

use onward_types::{RunKey, Timestamp, WaitsFor, micros};

use crate::driver::{Param, Tx, params, sql};
use crate::fault::Fault;

/// Looking up this many runs takes some 10 ms on SQLite and 30 on PostgreSQL.
const FEW: u32 = 5_000;

/// The prefix of the topics of hooks, and the first text after all texts with this prefix.
const HOOKS: (&str, &str) = ("onward:hook/", "onward:hook0");
/// After every topic.
const END: &str = "\u{10ffff}";

/// The parameters 60 to 66 of `runs/pick`.
pub(super) async fn parameters(tx: &mut Tx, waits_for: Option<&WaitsFor>, now: Timestamp) -> Result<[Param; 7], Fault> {
    let mut given = [const { Param::Null }; 7];
    let Some(waits_for) = waits_for else { return Ok(given) };
    if topic(waits_for).is_some_and(|topic| topic.contains('\0')) {
        // No text in PostgreSQL contains it.
        given[0] = Param::from(&Vec::<RunKey>::new());
        return Ok(given);
    }
    match waits_for {
        WaitsFor::Queue => given[4] = Param::from(true),
        WaitsFor::Executor => {
            let rows = tx.query(sql!("runs/unclaimed"), &params![now, FEW + 1]).await?;
            match few(&rows)? {
                Some(keys) => given[6] = Param::from(&keys),
                None => given[5] = Param::from(micros(now)),
            }
        }
        _ => match few_waiting(tx, waits_for).await? {
            Some(keys) => given[0] = Param::from(&keys),
            None => {
                let kinds: Vec<String> = kinds(waits_for).iter().map(|&kind| kind.to_owned()).collect();
                (given[1], given[2], given[3]) =
                    (Param::from(&kinds), Param::from(topic(waits_for)), Param::from(are_hooks(waits_for)));
            }
        },
    }
    Ok(given)
}

/// The runs with such a wait, if they are few.
async fn few_waiting(tx: &mut Tx, waits_for: &WaitsFor) -> Result<Option<Vec<RunKey>>, Fault> {
    let mut found = Vec::new();
    match waits_for {
        WaitsFor::Child => found.extend(tx.query(sql!("waits/for_children"), &params![FEW + 1]).await?),
        WaitsFor::Timer | WaitsFor::Retry => {
            for &kind in kinds(waits_for) {
                found.extend(tx.query(sql!("waits/without_topic"), &params![kind, FEW + 1]).await?);
            }
        }
        _ => {
            for &kind in kinds(waits_for) {
                for (from, before) in topics(waits_for) {
                    let range = params![kind, from.as_str(), before.as_str(), FEW + 1];
                    found.extend(tx.query(sql!("waits/of_kind"), &range).await?);
                    if found.len() > FEW as usize {
                        return Ok(None);
                    }
                }
            }
        }
    }
    few(&found)
}

fn few(rows: &[crate::driver::Row]) -> Result<Option<Vec<RunKey>>, Fault> {
    if rows.len() > FEW as usize {
        return Ok(None);
    }
    let mut keys = rows.iter().map(|row| row.key("run_key")).collect::<Result<Vec<_>, _>>()?;
    keys.sort_unstable();
    keys.dedup();
    Ok(Some(keys))
}

/// The kinds of waits as they are stored.
fn kinds(waits_for: &WaitsFor) -> &'static [&'static str] {
    match waits_for {
        WaitsFor::Timer => &["timer"],
        WaitsFor::Retry => &["retry"],
        WaitsFor::Message { .. } | WaitsFor::Hook => &["message", "person"],
        WaitsFor::Child => &["child"],
        WaitsFor::Event { .. } => &["event"],
        WaitsFor::Person => &["person"],
        _ => &[],
    }
}

fn topic(waits_for: &WaitsFor) -> Option<&str> {
    match waits_for {
        WaitsFor::Message { topic } => topic.as_deref(),
        WaitsFor::Event { key } => key.as_deref(),
        _ => None,
    }
}

/// Whether only hooks, or all but hooks are meant.
fn are_hooks(waits_for: &WaitsFor) -> Option<bool> {
    match waits_for {
        WaitsFor::Message { topic: None } => Some(false),
        WaitsFor::Hook => Some(true),
        _ => None,
    }
}

/// The ranges of the topics that are meant.
fn topics(waits_for: &WaitsFor) -> Vec<(String, String)> {
    let range = |(from, before): (&str, &str)| (from.to_owned(), before.to_owned());
    match (topic(waits_for), are_hooks(waits_for)) {
        (Some(topic), _) => vec![(topic.to_owned(), format!("{topic}\u{1}"))],
        (None, Some(true)) => vec![range(HOOKS)],
        (None, Some(false)) => vec![range(("", HOOKS.0)), range((HOOKS.1, END))],
        (None, None) => vec![range(("", END))],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_and_hooks_are_found_by_their_indexes() {
        let connection = crate::driver::sqlite::migrated();
        for (sql, index) in [
            (sql!("waits/of_kind"), "waits_kind (kind=? AND topic>? AND topic<?)"),
            (sql!("waits/without_topic"), "waits_kind (kind=? AND topic=?)"),
            (sql!("waits/for_children"), "waits_child"),
            (sql!("runs/unclaimed"), "runs_ready (ready_at>? AND ready_at<?)"),
            (sql!("people/inbox_newest"), "waits_people ("),
            (sql!("people/inbox_oldest"), "waits_people ("),
            (sql!("queues/holders"), "runs_slots (queue=?)"),
            (sql!("queues/ahead"), "runs_queued (queue=?"),
            (sql!("queues/used", split), "runs_slots (queue=? AND partition_key=?)"),
        ] {
            let mut statement = connection.prepare(&format!("explain query plan {}", sql.sqlite())).unwrap();
            let given = vec![rusqlite::types::Null; statement.parameter_count()];
            let plan = statement.query_map(rusqlite::params_from_iter(given), |row| row.get::<_, String>("detail"));
            let plan: Vec<String> = plan.unwrap().map(Result::unwrap).collect();
            assert!(plan.iter().any(|line| line.contains(index)), "{}: {index}: {plan:#?}", sql.name);
            assert!(!plan.iter().any(|line| line.contains("TEMP B-TREE")) || sql.name == "queues/holders", "{plan:#?}");
        }
    }
}
