//! Retention: finding runs that are too old or too many, and deleting those whose result cannot be needed any more.
//!
//! The search runs on read connections, page by page in the order of ends, so that a long search blocks no writer. Each run
//! found is checked again when it is deleted.

use onward_types::{RunKey, Timestamp, from_micros};

use super::delete;
use crate::driver::{Row, Tx, params, sql};
use crate::fault::Fault;

/// How many runs are examined together.
pub(crate) const CHUNK: u32 = 500;
/// How many rows are deleted in one transaction, unless a single run has more: some 15 ms on SQLite, during which there is no
/// other writer.
pub(crate) const ROWS: i64 = 10_000;

/// A place in the order in which runs ended.
pub(crate) type Place = (Timestamp, RunKey);

/// The place before every run.
pub(crate) const BEGIN: Place = (Timestamp::MIN, RunKey(uuid::Uuid::nil()));

/// Every workflow that has runs.
pub(crate) async fn workflows(tx: &mut Tx) -> Result<Vec<String>, Fault> {
    tx.query(sql!("runs/workflows"), &[]).await?.iter().map(|row| row.text("workflow")).collect()
}

/// The newest run of a workflow after which `count` others have ended.
pub(crate) async fn boundary(tx: &mut Tx, workflow: &str, count: u64) -> Result<Option<Place>, Fault> {
    let count = i64::try_from(count).unwrap_or(i64::MAX);
    let row = tx.first(sql!("runs/boundary"), &params![workflow, count]).await?;
    row.as_ref().map(place).transpose()
}

/// The next runs of a workflow, after one place and up to another.
pub(crate) async fn expired(tx: &mut Tx, workflow: &str, after: Place, upto: Place) -> Result<Vec<Place>, Fault> {
    let page = params![workflow, after.0, after.1, upto.0, upto.1, CHUNK];
    tx.query(sql!("runs/expired"), &page).await?.iter().map(place).collect()
}

/// Split these runs into chunks of about [`ROWS`] rows. Runs that no longer exist are left out.
pub(crate) async fn chunks(tx: &mut Tx, keys: &[RunKey]) -> Result<Vec<Vec<RunKey>>, Fault> {
    let rows = tx.query(sql!("runs/sizes"), &params![keys]).await?;
    let sizes =
        rows.iter().map(|row| Ok((row.key("run_key")?, row.int("many")?))).collect::<Result<Vec<_>, Fault>>()?;
    Ok(cut(sizes))
}

fn cut(sizes: Vec<(RunKey, i64)>) -> Vec<Vec<RunKey>> {
    let (mut chunks, mut left) = (Vec::<Vec<RunKey>>::new(), 0);
    for (key, size) in sizes {
        match chunks.last_mut() {
            Some(chunk) if size <= left => chunk.push(key),
            _ => {
                left = ROWS;
                chunks.push(vec![key]);
            }
        }
        left -= size;
    }
    chunks
}

fn place(row: &Row) -> Result<Place, Fault> {
    Ok((from_micros(row.int("finished_at")?), row.key("run_key")?))
}

/// Delete those of these runs that ended by then and whose result cannot be needed any more.
pub(crate) async fn expire(tx: &mut Tx, keys: &[RunKey], by: Timestamp) -> Result<u64, Fault> {
    let rows = tx.query(sql!("runs/to_expire"), &params![keys, by]).await?;
    let keys: Vec<RunKey> = rows.iter().map(|row| row.key("run_key")).collect::<Result<_, _>>()?;
    if keys.is_empty() { Ok(0) } else { delete::delete_all(tx, &keys).await }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chunk_is_cut_by_its_rows_and_a_large_run_is_one_alone() {
        let key = |n: u128| RunKey(uuid::Uuid::from_u128(n));
        let sizes = [3_000, 6_000, 2_000, 40_000, 1, 9_999, 1].into_iter().zip(0..).map(|(size, n)| (key(n), size));
        let cut: Vec<Vec<u128>> =
            cut(sizes.collect()).iter().map(|it| it.iter().map(|key| key.0.as_u128()).collect()).collect();
        assert_eq!(cut, [vec![0, 1], vec![2], vec![3], vec![4, 5], vec![6]]);
    }

    #[test]
    fn what_is_too_old_or_too_many_is_found_in_the_order_of_ends() {
        let connection = crate::driver::sqlite::migrated();
        for sql in [sql!("runs/boundary"), sql!("runs/expired")] {
            let mut statement = connection.prepare(&format!("explain query plan {}", sql.sqlite())).unwrap();
            let given = vec![rusqlite::types::Null; statement.parameter_count()];
            let plan = statement.query_map(rusqlite::params_from_iter(given), |row| row.get::<_, String>("detail"));
            let plan = plan.unwrap();
            let plan: Vec<String> = plan.map(Result::unwrap).collect();
            assert!(plan.len() == 1 && plan[0].contains("runs_finished"), "{}: {plan:?}", sql.name);
        }
    }

    #[test]
    fn a_run_that_was_resumed_or_claimed_since_it_was_found_is_kept() {
        let connection = crate::driver::sqlite::migrated();
        let run = "insert into runs (run_key, id, workflow, version, status, recoveries_max, created_at, updated_at, input_hash,
            finished_at, executor) values (?1, ?2, 'w', '1', ?3, 1, 0, 0, 0, ?4, ?5)";
        let states = [
            ("ended", "cancelled", Some(1), None),
            ("resumed", "enqueued", None, None),
            ("claimed", "running", None, Some("a")),
            ("ended again", "cancelled", Some(9), None),
            ("not released", "cancelled", Some(1), Some("a")),
        ];
        let mut keys = Vec::new();
        for (n, (id, status, finished_at, executor)) in states.into_iter().enumerate() {
            let key = vec![u8::try_from(n).unwrap(); 16];
            connection.execute(run, rusqlite::params![key, id, status, finished_at, executor]).unwrap();
            keys.push(rusqlite::types::Value::from(key));
        }
        let mut statement = connection.prepare(sql!("runs/to_expire").sqlite()).unwrap();
        let found = statement.query_map((std::rc::Rc::new(keys), 5), |row| row.get::<_, Vec<u8>>("run_key")).unwrap();
        assert_eq!(
            found.map(Result::unwrap).collect::<Vec<_>>(),
            [vec![0; 16]],
            "of five only the one that ended by then"
        );
    }
}
