//! The order of changes, and what a batch of many runs does.

use onward_testkit::{TestDatabase, on_every_database};
use onward_types::Status;

use super::world::*;

#[on_every_database]
async fn a_run_that_is_written_is_read_back(db: TestDatabase) {
    let store = open(&db).await;
    let executor = Executor::join(&store).await;
    let run = executor.start("order-1").await;
    run.writes(vec![step(1, "paid"), step(2, "shipped"), finish(&store, "done")]).await;
    assert_eq!(outputs(&store, &run.id).await, ["paid", "shipped"]);
    let record = record(&store, &run.id).await;
    assert_eq!((record.status, record.executor), (Status::Succeeded, None));
    assert_eq!(record.output.unwrap().decode::<String>().unwrap(), "done");
}
