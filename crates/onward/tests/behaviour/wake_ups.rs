//! What others do is noticed at once. The clock stands still in the end of each of these tests, so the sweep of each second
//! does not come by and repairs nothing: a wake-up that is lost shows.

use std::time::Duration;

use onward::prelude::*;
use onward_testkit::{TestDatabase, on_every_database};

use crate::house::House;
use crate::queues::{Job, watched, work};

#[onward::workflow]
async fn answers(ctx: &Ctx) -> Result<u32> {
    Ok(ctx.recv("n").await?)
}

#[onward::workflow]
async fn sends(ctx: &Ctx, to: String) -> Result<()> {
    Ok(ctx.send(&to, "n", 7).await?)
}

#[onward::workflow]
async fn is_called(ctx: &Ctx) -> Result<u32> {
    let hook = ctx.hook::<u32>().token("t").await?;
    Ok(hook.recv().await?)
}

#[onward::workflow]
async fn says(ctx: &Ctx) -> Result<()> {
    Ok(ctx.set_event("size", 7).await?)
}

#[onward::workflow]
async fn reads(ctx: &Ctx) -> Result<Option<u32>> {
    Ok(ctx.get_event::<u32>("said", "size").timeout(days(1)).await?)
}

#[onward::workflow]
async fn has_a_child(ctx: &Ctx) -> Result<u32> {
    Ok(ctx.run::<answers>(()).id("child").await?)
}

#[onward::workflow]
async fn sleeps(ctx: &Ctx) -> Result<u32> {
    ctx.sleep(days(1)).await?;
    Ok(7)
}

async fn open(db: TestDatabase) -> House {
    House::open(db, |b| b.workflows::<(answers, sends, is_called, says, reads, has_a_child, sleeps)>()).await
}

async fn succeeds<T: Data>(house: &House, run: &WorkflowHandle<T>) {
    let succeeded = async || run.status().await.unwrap() == Status::Succeeded;
    house.becomes(&format!("{} has succeeded", run.id()), succeeded).await;
}

async fn is_asleep<T: Data>(house: &House, run: &WorkflowHandle<T>) {
    let waits = async || !run.steps().await.unwrap().is_empty();
    house.becomes(&format!("{} waits", run.id()), waits).await;
}

async fn all_are_parked(house: &House) {
    house.until("all have left memory", async || house.onward.resident_runs() == 0).await;
}

#[on_every_database]
async fn what_another_process_starts_begins(db: TestDatabase) {
    let house = open(db).await;
    house.onward.queue("q").await.unwrap();
    let client = Client::connect_with(&house.db.url, house.clock.clone()).await.unwrap();
    succeeds(&house, &client.start::<says>(()).await.unwrap()).await;
    succeeds(&house, &client.start::<says>(()).queue("q").await.unwrap()).await;
}

#[on_every_database]
async fn a_message_reaches_a_run_in_memory(db: TestDatabase) {
    let house = open(db).await;
    let client = Client::connect_with(&house.db.url, house.clock.clone()).await.unwrap();
    for sender in [&*house.onward, &client] {
        let run = house.onward.start::<answers>(()).await.unwrap();
        is_asleep(&house, &run).await;
        sender.send(run.id(), "n", 7).await.unwrap();
        succeeds(&house, &run).await;
    }
}

#[on_every_database]
async fn a_message_wakes_a_parked_run(db: TestDatabase) {
    let house = open(db).await;
    let run = house.onward.start::<answers>(()).await.unwrap();
    all_are_parked(&house).await;
    run.send("n", 7).await.unwrap();
    succeeds(&house, &run).await;
}

#[on_every_database]
async fn a_message_of_another_run_wakes_a_parked_run_and_reaches_one_in_memory(db: TestDatabase) {
    let house = open(db).await;
    let parked = house.onward.start::<answers>(()).await.unwrap();
    all_are_parked(&house).await;
    let resident = house.onward.start::<answers>(()).await.unwrap();
    is_asleep(&house, &resident).await;
    for run in [&parked, &resident] {
        house.onward.start::<sends>(run.id().to_owned()).await.unwrap();
        succeeds(&house, run).await;
    }
}

#[on_every_database]
async fn a_payload_wakes_the_run_that_has_the_hook(db: TestDatabase) {
    let house = open(db).await;
    let run = house.onward.start::<is_called>(()).await.unwrap();
    all_are_parked(&house).await;
    house.onward.resume_hook("t", 7).await.unwrap();
    succeeds(&house, &run).await;
}

#[on_every_database]
async fn an_event_wakes_the_parked_runs_that_wait_for_it_and_those_in_memory(db: TestDatabase) {
    let house = open(db).await;
    // It has to be there: for a run that is not, a reader looks now and then.
    house.onward.start::<says>(()).id("said").delay(hours(1)).await.unwrap();
    let parked = house.onward.start::<reads>(()).await.unwrap();
    all_are_parked(&house).await;
    let resident = house.onward.start::<reads>(()).await.unwrap();
    is_asleep(&house, &resident).await;
    house.onward.handle::<says>("said").set_delay(secs(0)).await.unwrap();
    succeeds(&house, &parked).await;
    succeeds(&house, &resident).await;
}

#[on_every_database]
async fn the_end_of_a_child_wakes_its_parent(db: TestDatabase) {
    let house = open(db).await;
    let parent = house.onward.start::<has_a_child>(()).await.unwrap();
    all_are_parked(&house).await;
    house.onward.send("child", "n", 7).await.unwrap();
    succeeds(&house, &parent).await;
}

#[on_every_database]
async fn a_sleep_that_is_ended_goes_on_whether_parked_or_in_memory(db: TestDatabase) {
    let house = open(db).await;
    let parked = house.onward.start::<sleeps>(()).await.unwrap();
    all_are_parked(&house).await;
    let resident = house.onward.start::<sleeps>(()).await.unwrap();
    is_asleep(&house, &resident).await;
    for run in [&parked, &resident] {
        assert_eq!(run.wake_up().await.unwrap().sleeps, 1);
        succeeds(&house, run).await;
    }
}

#[on_every_database]
async fn a_run_that_is_steered_leaves_memory_and_comes_back(db: TestDatabase) {
    let house = open(db).await;
    let run = house.onward.start::<answers>(()).await.unwrap();
    is_asleep(&house, &run).await;
    let is_let_go = async || house.onward.resident_runs() == 0;
    let is_back = async || house.onward.resident_runs() == 1;
    run.cancel().await.unwrap();
    house.becomes("the cancelled run is released", is_let_go).await;
    run.resume().await.unwrap();
    house.becomes("the cancelled run is back", is_back).await;
    run.pause().await.unwrap();
    house.becomes("the paused run is released", is_let_go).await;
    run.resume().await.unwrap();
    house.becomes("the paused run is back", is_back).await;
    run.send("n", 7).await.unwrap();
    succeeds(&house, &run).await;
}

#[on_every_database]
async fn what_is_resumed_while_its_owner_lets_go_comes_back(db: TestDatabase) {
    let house = open(db).await;
    let run = house.onward.start::<answers>(()).await.unwrap();
    is_asleep(&house, &run).await;
    run.cancel().await.unwrap();
    run.resume().await.unwrap();
    run.send("n", 7).await.unwrap();
    succeeds(&house, &run).await;
}

#[on_every_database]
async fn a_delay_that_is_ended_ends(db: TestDatabase) {
    let house = open(db).await;
    house.onward.queue("q").await.unwrap();
    let alone = house.onward.start::<says>(()).delay(days(1)).await.unwrap();
    let queued = house.onward.start::<says>(()).queue("q").delay(days(1)).await.unwrap();
    for run in [&alone, &queued] {
        run.set_delay(secs(0)).await.unwrap();
        succeeds(&house, run).await;
    }
}

#[on_every_database]
async fn what_is_to_start_later_starts_at_its_moment(db: TestDatabase) {
    let house = open(db).await;
    house.onward.queue("q").await.unwrap();
    let alone = house.onward.start::<says>(()).delay(millis(300)).await.unwrap();
    let queued = house.onward.start::<says>(()).queue("q").delay(millis(300)).await.unwrap();
    // Before the next sweep.
    house.clock.advance(millis(300));
    succeeds(&house, &alone).await;
    succeeds(&house, &queued).await;
}

#[on_every_database]
async fn a_fork_and_a_restart_begin(db: TestDatabase) {
    let house = open(db).await;
    let run = house.onward.start::<says>(()).await.unwrap();
    succeeds(&house, &run).await;
    succeeds(&house, &run.fork(0).await.unwrap()).await;
    succeeds(&house, &run.restart().await.unwrap()).await;
}

#[on_every_database]
async fn a_slot_that_becomes_free_is_given_on(db: TestDatabase) {
    let (house, gauge) = watched(db).await;
    house.onward.queue("q").concurrency(1).await.unwrap();
    let start = async |name: &str, takes| house.onward.start::<work>(Job::new(name, takes)).queue("q").await.unwrap();
    let mut runs = Vec::new();
    for name in ["a", "b", "c", "d"] {
        runs.push(start(name, 0).await);
    }
    for run in &runs {
        succeeds(&house, run).await;
    }
    let stays = start("stays", 60_000).await;
    house.becomes("it has the slot", async || gauge.now("q") == 1).await;
    let next = start("next", 0).await;
    stays.cancel().await.unwrap();
    succeeds(&house, &next).await;
}

#[on_every_database]
async fn a_parked_run_that_is_paused_gives_its_slot_on(db: TestDatabase) {
    let house = open(db).await;
    house.onward.queue("q").concurrency(1).await.unwrap();
    let has_it = house.onward.start::<sleeps>(()).queue("q").await.unwrap();
    is_asleep(&house, &has_it).await;
    all_are_parked(&house).await;
    let next = house.onward.start::<says>(()).queue("q").await.unwrap();
    // While others come and go, the queue is looked at, and there is no slot in it.
    for _ in 0..3 {
        succeeds(&house, &house.onward.start::<says>(()).await.unwrap()).await;
    }
    assert_eq!(next.status().await.unwrap(), Status::Enqueued);
    has_it.pause().await.unwrap();
    succeeds(&house, &next).await;
}

#[on_every_database]
async fn a_child_that_is_cancelled_wakes_its_parent(db: TestDatabase) {
    let house = open(db).await;
    let parent = house.onward.start::<has_a_child>(()).await.unwrap();
    all_are_parked(&house).await;
    house.onward.handle::<answers>("child").cancel().await.unwrap();
    house.becomes("its parent has failed", async || parent.status().await.unwrap() == Status::Failed).await;
}

#[on_every_database]
async fn a_queue_that_is_resumed_or_may_run_more_does(db: TestDatabase) {
    let (house, gauge) = watched(db).await;
    house.onward.queue("q").concurrency(1).await.unwrap();
    house.onward.queue("q").pause().await.unwrap();
    for name in ["a", "b", "c"] {
        house.onward.start::<work>(Job::new(name, 60_000)).queue("q").await.unwrap();
    }
    house.onward.queue("q").resume().await.unwrap();
    house.becomes("one runs", async || gauge.now("q") == 1).await;
    house.onward.queue("q").concurrency(2).await.unwrap();
    house.becomes("two run", async || gauge.now("q") == 2).await;
}

#[onward::workflow]
async fn loads(ctx: &Ctx, rows: Vec<u32>) -> Result<usize> {
    ctx.now().await?;
    Ok(rows.len())
}

#[on_every_database]
async fn a_batch_that_is_full_begins(db: TestDatabase) {
    let house = House::open(db, |b| b.workflow::<loads>()).await;
    let client = Client::connect_with(&house.db.url, house.clock.clone()).await.unwrap();
    let push = async |row| client.batch::<loads>("acme").max(2).within(mins(10)).push(row).await.unwrap();
    push(1).await;
    succeeds(&house, &push(2).await).await;
}

#[on_every_database]
async fn a_reader_of_an_event_hears_of_it_while_no_sweep_comes_by(db: TestDatabase) {
    let house = House::open(db, |b| b.workflow::<repeats>()).await;
    let run = house.onward.start::<repeats>(()).await.unwrap();
    for n in 0..10_u32 {
        let (handle, key) = (run.clone(), n.to_string());
        let waiting = tokio::spawn(async move { handle.get_event::<u32>(key).await.unwrap() });
        house.pass(Duration::ZERO).await;
        run.send("word", n).await.unwrap();
        house.becomes("the event is heard of", async || waiting.is_finished()).await;
        assert_eq!(waiting.await.unwrap(), Some(n));
    }
}

#[onward::workflow]
async fn repeats(ctx: &Ctx) -> Result<()> {
    for _ in 0..10 {
        let word: u32 = ctx.recv("word").await?;
        ctx.set_event(word.to_string(), word).await?;
    }
    Ok(())
}

#[on_every_database]
async fn a_deadline_is_kept_to_the_moment(db: TestDatabase) {
    let house = open(db).await;
    let run = house.onward.start::<sleeps>(()).timeout(millis(300)).await.unwrap();
    is_asleep(&house, &run).await;
    // Before the next sweep.
    house.clock.advance(millis(300));
    house.becomes("it is cancelled", async || run.status().await.unwrap() == Status::Cancelled).await;
}

#[on_every_database(only = "postgres", because = "a SQLite file has one executor")]
async fn what_an_executor_releases_is_taken_up_by_another(db: TestDatabase) {
    let house = open(db).await;
    let run = house.onward.start::<answers>(()).await.unwrap();
    is_asleep(&house, &run).await;
    let other = Onward::open(&house.db.url).clock(house.clock.clone()).workflow::<answers>().launch().await.unwrap();
    house.onward.shutdown(secs(1)).await.unwrap();
    house.becomes("the other has it", async || other.resident_runs() == 1).await;
    other.send(run.id(), "n", 7).await.unwrap();
    house.becomes("it ends there", async || other.handle_named(run.id()).status().await.unwrap().is_terminal()).await;
}
