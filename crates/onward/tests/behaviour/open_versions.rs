//! Runs that were started by the name of their workflow alone: who claims one decides of which version it is.

use onward::client::EnqueueOptions;
use onward::prelude::*;
use onward::{Filter, Tick};
use onward_testkit::{TestDatabase, on_every_database};

use crate::house::House;

mod one {
    use super::*;

    #[onward::workflow(name = "ship")]
    pub(super) async fn ship(ctx: &Ctx) -> Result<u32> {
        ctx.sleep(hours(1)).await?;
        Ok(1)
    }
}

mod nine {
    use super::*;

    #[onward::workflow(name = "ship", version = "9")]
    pub(super) async fn ship(_ctx: &Ctx) -> Result<u32> {
        Ok(9)
    }
}

mod ten {
    use super::*;

    #[onward::workflow(name = "ship", version = "10")]
    pub(super) async fn ship(ctx: &Ctx) -> Result<u32> {
        Ok(ctx.step("ten", async || Ok(10)).await?)
    }
}

mod ticking {
    use super::*;

    #[onward::workflow(name = "report", version = "3")]
    pub(super) async fn report(_ctx: &Ctx, _tick: Tick) -> Result<u32> {
        Ok(3)
    }
}

fn ship(queue: &str, id: &str) -> EnqueueOptions {
    EnqueueOptions::new("ship", queue).id(id)
}

async fn client(house: &House) -> Client {
    Client::connect_with(&house.db.url, house.clock.clone()).await.unwrap()
}

async fn version(run: &WorkflowHandle<serde_json::Value>) -> Option<String> {
    run.describe().await.unwrap().version
}

#[on_every_database]
async fn a_run_that_is_enqueued_with_nobody_up_is_executed_by_the_version_that_comes(db: TestDatabase) {
    let mut house = House::open(db, |b| b).await;
    let client = client(&house).await;
    client.queue("free").await.unwrap();
    client.queue("limited").concurrency(1).partition_concurrency(1).await.unwrap();
    let keyed = ship("limited", "keyed").partition("acme");
    let runs = [
        client.enqueue(ship("free", "free"), ()).await.unwrap(),
        client.enqueue(ship("limited", "limited"), ()).await.unwrap(),
        client.enqueue(keyed, ()).await.unwrap(),
        client.start_named("ship", ()).id("plain").await.unwrap(),
        client.start_named("ship", ()).id("later").delay(mins(1)).await.unwrap(),
    ];
    assert_eq!(version(&runs[0]).await, None);
    assert_eq!(runs[0].describe().await.unwrap().reason, "no executor has workflow `ship`");
    assert_eq!(runs[3].describe().await.unwrap().reason, "no executor has workflow `ship`");
    let open = Filter { versions: vec![String::new()], ..Filter::default() };
    assert_eq!(client.list(open.clone()).await.unwrap().items.len(), 5);

    // In the order of texts the newest stands between the others.
    house.lose_executor_for(|b| b.workflows::<(one::ship, nine::ship, ten::ship)>()).await;
    for run in &runs {
        assert_eq!(house.done(run.result()).await.unwrap(), 10, "{}: the newest, by number", run.id());
        assert_eq!(version(run).await.as_deref(), Some("10"));
    }
    assert!(client.list(open).await.unwrap().items.is_empty());
}

#[on_every_database]
async fn a_run_that_waited_through_a_deploy_is_executed_by_the_new_version(db: TestDatabase) {
    let mut house = House::open(db, |b| b).await;
    house.lose_executor_for(|b| b.workflow::<one::ship>()).await;
    house.onward.queue("q").await.unwrap();
    house.onward.queue("q").pause().await.unwrap();
    // From the process that executes the old version, too.
    let run = house.onward.enqueue(ship("q", "waits"), ()).await.unwrap();
    let many = house.onward.enqueue_all([(ship("q", "other"), ())]).await.unwrap().remove(0).unwrap();
    assert_eq!((version(&run).await, version(&many).await), (None, None));
    house.lose_executor_for(|b| b.workflow::<nine::ship>()).await;
    let client = client(&house).await;
    client.queue("q").resume().await.unwrap();
    for id in ["waits", "other"] {
        assert_eq!(house.done(client.handle_named(id).result()).await.unwrap(), 9);
    }
}

#[on_every_database]
async fn once_claimed_a_run_keeps_its_version(db: TestDatabase) {
    let mut house = House::open(db, |b| b).await;
    house.lose_executor_for(|b| b.workflow::<one::ship>()).await;
    let client = client(&house).await;
    client.queue("q").await.unwrap();
    let run = client.enqueue(ship("q", "claimed"), ()).await.unwrap();
    house.until("it sleeps", async || run.steps().await.unwrap().len() == 1).await;
    assert_eq!(version(&run).await.as_deref(), Some("1"));
    house.lose_executor_for(|b| b.workflow::<nine::ship>()).await;
    house.pass(hours(2)).await;
    let reason = async || {
        run.describe().await.unwrap().reason.starts_with("no executor has workflow `ship` version 1; there is")
    };
    house.until("it waits for its own version", reason).await;
}

#[on_every_database]
async fn a_run_that_begins_where_it_is_enqueued_gets_its_version_there(db: TestDatabase) {
    let house = House::open(db, |b| b.workflow::<one::ship>()).await;
    house.onward.queue("q").await.unwrap();
    let run = house.onward.enqueue(ship("q", "here"), ()).await.unwrap();
    let begun = run.describe().await.unwrap();
    assert_eq!((begun.status, begun.version.as_deref()), (Status::Running, Some("1")));
    // A queue that does not let it begin leaves it to the executor that claims it.
    house.onward.queue("q").pause().await.unwrap();
    let waits = house.onward.enqueue(ship("q", "waits"), ()).await.unwrap();
    let waiting = waits.describe().await.unwrap();
    assert_eq!((waiting.status, waiting.version), (Status::Enqueued, None));
    let typed = house.onward.start::<one::ship>(()).queue("q").await.unwrap();
    assert_eq!(typed.describe().await.unwrap().version.as_deref(), Some("1"), "code knows its version");
}

#[on_every_database]
async fn each_run_of_a_schedule_by_name_gets_the_version_of_who_claims_it(db: TestDatabase) {
    let mut house = House::open(db, |b| b).await;
    let client = client(&house).await;
    let schedule = client.schedule_named("report", "@hourly").id("hourly").await.unwrap();
    assert_eq!(schedule.describe().await.unwrap().version, None);
    let now = schedule.trigger().await.unwrap();
    assert_eq!(version(&now).await, None);
    house.lose_executor_for(|b| b.workflow::<ticking::report>()).await;
    assert_eq!(house.done(now.result()).await.unwrap(), 3);
    assert_eq!(version(&now).await.as_deref(), Some("3"));
}

#[on_every_database]
async fn a_fork_has_the_version_of_its_run_or_the_newest(db: TestDatabase) {
    let mut house = House::open(db, |b| b).await;
    house.lose_executor_for(|b| b.workflow::<one::ship>()).await;
    let run = house.onward.start::<one::ship>(()).id("first").await.unwrap();
    house.until("it sleeps", async || run.steps().await.unwrap().len() == 1).await;
    run.cancel().await.unwrap();
    house.lose_executor_for(|b| b.workflow::<ten::ship>()).await;
    let run = house.onward.handle_named("first");
    let (same, newest) = (run.restart().await.unwrap(), run.restart().newest_version().await.unwrap());
    assert_eq!(house.done(newest.result()).await.unwrap(), 10);
    assert_eq!(version(&newest).await.as_deref(), Some("10"));
    assert_eq!(version(&same).await.as_deref(), Some("1"));
    assert_eq!(run.fork(0).version("").await.unwrap_err().code(), "invalid");
}

/// The runs that are not known yet. Runs of one moment have no order of their own.
async fn created_since(house: &House, known: &mut Vec<String>) -> Vec<WorkflowHandle<serde_json::Value>> {
    let all = house.onward.list(Filter::default()).await.unwrap().items;
    let new: Vec<String> = all.iter().map(|run| run.id.to_string()).filter(|id| !known.contains(id)).collect();
    assert_eq!(new.len(), 2);
    known.extend(new.iter().cloned());
    new.into_iter().map(|id| house.onward.handle_named(id)).collect()
}

#[on_every_database]
async fn forks_of_all_runs_that_match_keep_their_versions_or_have_the_newest_or_one_that_is_given(db: TestDatabase) {
    let mut house = House::open(db, |b| b).await;
    house.lose_executor_for(|b| b.workflow::<one::ship>()).await;
    for id in ["a", "b"] {
        let run = house.onward.start::<one::ship>(()).id(id).await.unwrap();
        house.until("it sleeps", async || run.steps().await.unwrap().len() == 1).await;
        run.cancel().await.unwrap();
    }
    house.lose_executor_for(|b| b.workflows::<(nine::ship, ten::ship)>()).await;
    let all = || Filter { statuses: vec![Status::Cancelled], ..Filter::default() };
    let mut known = vec!["a".to_owned(), "b".to_owned()];
    assert_eq!(house.onward.fork_all(all(), 0).await.unwrap().changed, 2);
    for kept in created_since(&house, &mut known).await {
        assert_eq!(version(&kept).await.as_deref(), Some("1"));
    }
    assert_eq!(house.onward.fork_all(all(), 0).newest_version().await.unwrap().changed, 2);
    for newest in created_since(&house, &mut known).await {
        assert_eq!(house.done(newest.result()).await.unwrap(), 10);
        assert_eq!(version(&newest).await.as_deref(), Some("10"));
    }
    assert_eq!(house.onward.fork_all(all(), 0).version("9").await.unwrap().changed, 2);
    for given in created_since(&house, &mut known).await {
        assert_eq!(house.done(given.result()).await.unwrap(), 9);
    }
    assert_eq!(house.onward.fork_all(all(), 0).version("9@").await.unwrap_err().code(), "invalid");
}

#[on_every_database]
async fn a_file_keeps_a_version_open(db: TestDatabase) {
    let mut house = House::open(db, |b| b).await;
    let client = client(&house).await;
    let run = client.enqueue(ship("q", "first"), ()).await.unwrap();
    let copy = client.import_as(&run.export().await.unwrap(), "copy").await.unwrap();
    assert_eq!(version(&copy).await, None);
    client.queue("q").await.unwrap();
    copy.resume().await.unwrap();
    house.lose_executor_for(|b| b.workflow::<nine::ship>()).await;
    assert_eq!(house.done(copy.result()).await.unwrap(), 9);
}
