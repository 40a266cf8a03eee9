//! Counting runs: by workflow and state, exactly, whatever happens to runs that were counted before.

use std::collections::BTreeMap;

use onward::Filter;
use onward::prelude::*;
use onward::records::{Not, Retention};
use onward_testkit::{TestDatabase, on_every_database};

use crate::house::House;

#[onward::workflow]
async fn quick(_: &Ctx, n: u32) -> Result<u32> {
    if n == 13 { Err("unlucky".into()) } else { Ok(n) }
}

#[onward::workflow]
async fn naps(ctx: &Ctx, seconds: u64) -> Result<()> {
    Ok(ctx.sleep(secs(seconds)).await?)
}

/// What `counts` says once it is what a list shows: between the two calls a run may go on. Runs that are counted end while the
/// clock stands still: a leap of it while a commit is under way is longer than a commit may take.
async fn counts(house: &House) -> BTreeMap<String, u64> {
    house.becomes("what is counted is what is there", async || counted(house).await == listed(house).await).await;
    counted(house).await
}

async fn listed(house: &House) -> BTreeMap<String, u64> {
    let mut listed = BTreeMap::<String, u64>::new();
    for run in house.onward.list(Filter { limit: Some(10_000), ..Filter::default() }).await.unwrap().items {
        *listed.entry(format!("{} {}", run.workflow, run.status)).or_default() += 1;
    }
    listed
}

async fn counted(house: &House) -> BTreeMap<String, u64> {
    let counts = house.onward.counts().await.unwrap();
    let counted: BTreeMap<String, u64> =
        counts.iter().map(|it| (format!("{} {}", it.workflow, it.status), it.runs)).collect();
    assert_eq!(counts.len(), counted.len(), "one count for each workflow and state");
    counted
}

/// Waits until what ended is counted, and not read any more.
async fn are_counted(house: &House) {
    // Later than the time by which counting stays behind, and than any task sleeps.
    house.pass(mins(5)).await;
    let kept = "select cast(coalesce(sum(runs), 0) as bigint) from run_counts";
    let ended = "select count(*) from runs where finished_at is not null";
    house.until("all that ended is counted", async || number(house, kept).await == number(house, ended).await).await;
}

/// The number that a query answers.
async fn number(house: &House, sql: &str) -> i64 {
    let url = &house.db.url;
    if let Some(path) = url.strip_prefix("sqlite:") {
        return rusqlite::Connection::open(path).unwrap().query_row(sql, [], |row| row.get(0)).unwrap();
    }
    let (client, connection) = tokio_postgres::connect(url, tokio_postgres::NoTls).await.unwrap();
    let reading = tokio::spawn(connection);
    let number = client.query_one(sql, &[]).await.unwrap().get(0);
    drop(client);
    reading.await.unwrap().unwrap();
    number
}

#[on_every_database]
async fn counts_are_exact_whatever_happens_to_runs_that_were_counted(db: TestDatabase) {
    let house = House::open(db, |b| b.workflows::<(quick, naps)>()).await;
    assert!(house.onward.counts().await.unwrap().is_empty());
    for n in 10..16 {
        house.onward.start::<quick>(n).id(format!("q-{n}")).await.unwrap().result().await.ok();
    }
    for id in ["n-1", "n-2", "n-3"] {
        house.onward.start::<naps>(1_000_000).id(id).await.unwrap();
    }
    house.onward.handle_named("n-1").cancel().await.unwrap();
    house.onward.handle_named("n-2").cancel().await.unwrap();
    let expected = BTreeMap::from(
        [("quick succeeded", 5), ("quick failed", 1), ("naps cancelled", 2), ("naps running", 1)]
            .map(|(name, runs)| (name.to_owned(), runs)),
    );
    assert_eq!(counts(&house).await, expected);
    are_counted(&house).await;
    assert_eq!(counts(&house).await, expected, "they are counted once");

    // Each of these was counted.
    house.onward.handle_named("n-1").resume().await.unwrap();
    assert_eq!(counts(&house).await["naps cancelled"], 1);
    house.onward.handle_named("q-10").delete().await.unwrap();
    assert_eq!(counts(&house).await["quick succeeded"], 4);
    let file = house.onward.handle_named("q-13").export().await.unwrap();
    house.onward.import_as(&file, "copy").await.unwrap();
    assert_eq!(counts(&house).await["quick failed"], 2, "it ended when it ended where it came from");
    house.onward.handle_named("n-1").cancel().await.unwrap();
    are_counted(&house).await;
    assert_eq!(counts(&house).await["naps cancelled"], 2);
    house.onward.delete_all(Filter { workflows: vec!["quick".into()], ..Filter::default() }).await.unwrap();
    assert_eq!(counts(&house).await.keys().collect::<Vec<_>>(), ["naps cancelled", "naps running"]);
    house.onward.recount().await.unwrap();
    assert_eq!(counts(&house).await["naps cancelled"], 2);
    are_counted(&house).await;
    assert_eq!(counts(&house).await["naps cancelled"], 2);
}

#[on_every_database]
async fn runs_that_retention_deletes_are_no_longer_counted(db: TestDatabase) {
    let keep = Retention { max_count: Some(2), ..Retention::default() };
    let house = House::open(db, move |b| b.workflow::<quick>().retention(keep.clone())).await;
    for n in 0..6 {
        house.onward.start::<quick>(n).await.unwrap().result().await.unwrap();
    }
    house
        .until("four are deleted", async || house.onward.list(Filter::default()).await.unwrap().items.len() == 2)
        .await;
    assert_eq!(counts(&house).await["quick succeeded"], 2);
    are_counted(&house).await;
    assert_eq!(counts(&house).await["quick succeeded"], 2);
}

#[on_every_database]
async fn the_runs_of_any_filter_are_counted_by_state_up_to_a_limit(db: TestDatabase) {
    let house = House::open(db, |b| b.workflows::<(quick, naps)>()).await;
    for n in 10..16 {
        let run = house.onward.start::<quick>(n).id(format!("q-{n}")).authenticated_as("ann", ["r"]);
        run.await.unwrap().result().await.ok();
    }
    house.onward.start::<naps>(1_000_000).id("n").await.unwrap();
    let count = async |filter: Filter| {
        let counts = house.onward.count(filter).await.unwrap();
        assert_eq!(counts.runs, counts.statuses.values().sum::<u64>());
        (counts.statuses.into_iter().map(|(status, runs)| (status.as_str(), runs)).collect::<Vec<_>>(), counts.more)
    };
    let f = Filter::default;
    let quick_ones = vec![("succeeded", 5), ("failed", 1)];
    assert_eq!(count(f()).await, (vec![("running", 1), ("succeeded", 5), ("failed", 1)], false));
    assert_eq!(count(Filter { workflows: vec!["quick".into()], ..f() }).await, (quick_ones.clone(), false));
    let not = Not { workflows: vec!["naps".into()], statuses: vec![Status::Failed], ..Not::default() };
    assert_eq!(count(Filter { not, ..f() }).await, (vec![("succeeded", 5)], false));
    assert_eq!(count(Filter { statuses: vec![Status::Failed], ..f() }).await, (vec![("failed", 1)], false));
    assert_eq!(count(Filter { users: vec!["ann".into()], ..f() }).await, (quick_ones, false));
    assert_eq!(count(Filter { users: vec!["bob".into()], ..f() }).await, (vec![], false));
    assert_eq!(
        count(Filter { id_prefix: Some("q-".into()), limit: Some(2), ..f() }).await,
        (vec![("succeeded", 2)], true)
    );
    let failed = Filter { ids: vec![onward::RunId::new("q-13").unwrap()], limit: Some(1), ..f() };
    assert_eq!(count(failed).await, (vec![("failed", 1)], false));
}
