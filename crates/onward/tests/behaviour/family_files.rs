//! A run and its family as files: they find each other again wherever they come, in one file or in several.

use onward::calls::ChildRun;
use onward::prelude::*;
use onward::{Clock, Filter};
use onward_testkit::{TestDatabase, on_every_database};

use crate::house::{House, Log};

/// It waits for a word, and says it once more.
#[onward::workflow]
async fn leaf(ctx: &Ctx) -> Result<String> {
    ctx.step("begin", async || Ok(ctx.state::<Log>().ran("begin"))).await?;
    Ok(ctx.recv::<String>("word").await?)
}

#[onward::workflow]
async fn branch(ctx: &Ctx) -> Result<String> {
    Ok(format!("{}.", ctx.run::<leaf>(()).id("leaf").await?))
}

/// It starts one child apart, and waits for another.
#[onward::workflow]
async fn trunk(ctx: &Ctx) -> Result<String> {
    let apart = ctx.start::<leaf>(()).await?;
    let below = ctx.run::<branch>(()).await;
    ctx.step("note", async || Ok(ctx.state::<Log>().ran(if below.is_ok() { "ok" } else { "error" }))).await?;
    Ok(format!("{} {}", below?, apart.result(ctx).await?))
}

/// Another database with an executor, of the time of the first one.
async fn elsewhere(clock: &Clock, log: &Log) -> Onward {
    let there = Onward::open("sqlite::memory:").clock(clock.clone()).state(log.clone());
    there.workflows::<(trunk, branch, leaf)>().launch().await.unwrap()
}

/// A family at work: `trunk`, its child apart, `branch` and `leaf`.
async fn family(db: TestDatabase) -> (House, WorkflowHandle<String>, String) {
    let house = House::open(db, |b| b.workflows::<(trunk, branch, leaf)>()).await;
    let run = house.onward.start::<trunk>(()).id("trunk").await.unwrap();
    house.until("both leaves wait for a word", async || waiting(&house.onward).await == 2).await;
    let apart = run.children().await.unwrap()[0].id().to_owned();
    (house, run, apart)
}

async fn waiting(onward: &Onward) -> usize {
    let runs = onward.list(Filter { workflows: vec!["leaf".into()], ..Filter::default() }).await.unwrap().items;
    runs.iter().filter(|run| run.reason.contains("topic `word`")).count()
}

async fn word(onward: &Onward, leaf: &str) {
    onward.send(leaf, "word", leaf).await.unwrap();
}

#[on_every_database]
async fn a_family_that_travels_in_one_file_goes_on_where_it_comes(db: TestDatabase) {
    let (house, run, apart) = family(db).await;
    let file = run.export().await.unwrap();
    assert_eq!(file.matches("onward_run").count(), 4);
    let there = elsewhere(&house.clock, &house.log).await;
    let came = there.import_all(&file).await.unwrap();
    assert_eq!(came.len(), 4);
    for run in &came {
        assert_eq!(run.status().await.unwrap(), Status::Paused);
    }
    let trunk = there.handle::<trunk>("trunk");
    assert_eq!(trunk.children().await.unwrap().len(), 2);
    // What came with it goes on with it.
    assert_eq!(trunk.resume().await.unwrap().runs, 4);
    word(&there, "leaf").await;
    word(&there, &apart).await;
    assert_eq!(house.done(trunk.result()).await.unwrap(), format!("leaf. {apart}"));
    assert_eq!((house.log.count("begin"), house.log.count("error")), (2, 0), "what was recorded is not done again");
    assert!(!run.status().await.unwrap().is_terminal(), "those that were exported are as they were");
}

#[on_every_database]
async fn members_that_travel_in_files_of_their_own_find_each_other_in_any_order(db: TestDatabase) {
    let (house, run, apart) = family(db).await;
    let branch = run.children().await.unwrap()[1].id().to_owned();
    let ids = ["trunk", &branch, "leaf", &apart];
    let mut files = Vec::new();
    for id in ids {
        files.push(house.onward.handle_named(id).export().alone().await.unwrap());
    }
    for order in [[0, 1, 2, 3], [3, 2, 1, 0], [2, 0, 3, 1]] {
        let there = elsewhere(&house.clock, &house.log).await;
        for at in order {
            there.import(&files[at]).await.unwrap();
        }
        assert_eq!(there.handle_named("trunk").children().await.unwrap().len(), 2, "{order:?}");
        assert_eq!(there.handle_named(&branch).children().await.unwrap().len(), 1, "{order:?}");
        for id in ids {
            there.handle_named(id).resume().await.unwrap();
        }
        word(&there, "leaf").await;
        word(&there, &apart).await;
        let result = house.done(there.handle::<trunk>("trunk").result()).await;
        assert_eq!(result.unwrap(), format!("leaf. {apart}"), "{order:?}");
    }
    assert_eq!((house.log.count("begin"), house.log.count("error")), (2, 0));
}

#[on_every_database]
async fn a_run_without_its_child_is_held_until_that_has_come(db: TestDatabase) {
    let (house, run, apart) = family(db).await;
    let branch = run.children().await.unwrap()[1].id().to_owned();
    let alone = run.export().alone().await.unwrap();
    let there = elsewhere(&house.clock, &house.log).await;
    let trunk = there.import(&alone).await.unwrap();
    trunk.resume().await.unwrap();
    house.until("it is held", async || trunk.status().await.unwrap() == Status::Paused).await;
    let held = trunk.describe().await.unwrap();
    assert!(held.reason.contains("`branch`") && held.reason.contains("position 1"), "{}", held.reason);
    assert!(held.reason.contains("Import its file"), "{}", held.reason);

    for id in [branch.as_str(), &apart] {
        let file = house.onward.handle_named(id).export().await.unwrap();
        there.import(&file).await.unwrap().resume().await.unwrap();
    }
    trunk.resume().await.unwrap();
    word(&there, "leaf").await;
    word(&there, &apart).await;
    assert_eq!(house.done(there.handle::<trunk>("trunk").result()).await.unwrap(), format!("leaf. {apart}"));
    assert_eq!(house.log.count("error"), 0);
}

#[on_every_database]
async fn a_copy_of_a_family_has_children_of_its_own_beside_the_first(db: TestDatabase) {
    let (house, run, apart) = family(db).await;
    let file = run.export().await.unwrap();
    let copy = house.onward.import_as(&file, "copy").await.unwrap();
    let children: Vec<String> = copy.children().await.unwrap().iter().map(|child| child.id().to_owned()).collect();
    assert_eq!(children[0], apart.replacen("trunk", "copy", 1));
    assert_eq!(run.children().await.unwrap().len(), 2, "the first has only its own");
    let lone = house.onward.handle_named(&apart).export().alone().await.unwrap();
    house.onward.import_as(&lone, "lone").await.unwrap();
    assert_eq!(run.children().await.unwrap().len(), 2, "a copy of its child is not its child");
    copy.resume().await.unwrap();
    for leaf in ["copy-leaf", &children[0]] {
        word(&house.onward, leaf).await;
    }
    let result = house.done(house.onward.handle::<trunk>("copy").result()).await.unwrap();
    assert_eq!(result, format!("copy-leaf. {}", children[0]));
    assert!(!run.status().await.unwrap().is_terminal());
    for leaf in ["leaf", &apart] {
        word(&house.onward, leaf).await;
    }
    assert_eq!(house.done(run.result()).await.unwrap(), format!("leaf. {apart}"));
}

#[on_every_database]
async fn a_parent_keeps_the_children_that_it_found_where_copies_of_them_come_later(db: TestDatabase) {
    let (house, run, apart) = family(db).await;
    let branch = run.children().await.unwrap()[1].id().to_owned();
    let ids = ["trunk", &branch, "leaf", &apart];
    let mut files = Vec::new();
    for id in ids {
        files.push(house.onward.handle_named(id).export().alone().await.unwrap());
    }
    for order in [[0, 1, 2, 3], [3, 2, 1, 0]] {
        let there = elsewhere(&house.clock, &house.log).await;
        for at in order {
            there.import(&files[at]).await.unwrap();
        }
        there.import_as(&files[1], "copied-branch").await.unwrap();
        there.import_as(&files[3], "copied-leaf").await.unwrap();
        assert_eq!(there.handle_named("trunk").children().await.unwrap().len(), 2, "{order:?}");
        for id in ids.into_iter().chain(["copied-leaf"]) {
            there.handle_named(id).resume().await.unwrap();
        }
        for leaf in ["copied-leaf", "leaf", &apart] {
            word(&there, leaf).await;
        }
        let result = house.done(there.handle::<trunk>("trunk").result()).await;
        assert_eq!(result.unwrap(), format!("leaf. {apart}"), "{order:?}");
    }
    assert_eq!(house.log.count("error"), 0);
}

#[on_every_database]
async fn of_two_copies_of_a_child_that_came_before_its_parent_the_parent_has_one(db: TestDatabase) {
    let (house, _, apart) = family(db).await;
    let alone = async |id: &str| house.onward.handle_named(id).export().alone().await.unwrap();
    let there = elsewhere(&house.clock, &house.log).await;
    let file = alone(&apart).await;
    for copy in ["one", "other"] {
        there.import_as(&file, copy).await.unwrap();
    }
    there.import(&alone("trunk").await).await.unwrap();
    let children = there.handle_named("trunk").children().await.unwrap();
    assert_eq!(children.len(), 1);
}

#[on_every_database]
async fn of_two_copies_of_a_child_that_came_before_it_a_parent_hears_the_one_that_it_has(db: TestDatabase) {
    let (house, run, apart) = family(db).await;
    let branch = run.children().await.unwrap()[1].id().to_owned();
    let alone = async |id: &str| house.onward.handle_named(id).export().alone().await.unwrap();
    let there = elsewhere(&house.clock, &house.log).await;
    let file = alone(&apart).await;
    let copies = ["one", "other"];
    for copy in copies {
        there.import_as(&file, copy).await.unwrap();
    }
    for id in ["trunk", &branch, "leaf"] {
        there.import(&alone(id).await).await.unwrap();
    }
    let trunk = there.handle::<trunk>("trunk");
    let children = trunk.children().await.unwrap();
    let has = children.iter().map(|child| child.id()).find(|id| copies.contains(id)).expect("it has one of the two");
    for id in ["trunk", &branch, "leaf", has] {
        there.handle_named(id).resume().await.unwrap();
    }
    for leaf in ["leaf", has] {
        word(&there, leaf).await;
    }
    assert_eq!(house.done(trunk.result()).await.unwrap(), format!("leaf. {has}"));
}

#[on_every_database]
async fn what_was_cancelled_with_a_run_comes_back_with_it_where_their_files_come_in_any_order(db: TestDatabase) {
    let (house, run, apart) = family(db).await;
    let branch = run.children().await.unwrap()[1].id().to_owned();
    run.cancel().await.unwrap();
    let mut files = Vec::new();
    for id in ["trunk", &branch, "leaf", &apart] {
        files.push(house.onward.handle_named(id).export().alone().await.unwrap());
    }
    for order in [[0, 1, 2, 3], [3, 2, 1, 0], [2, 0, 3, 1]] {
        let there = elsewhere(&house.clock, &house.log).await;
        for at in order {
            there.import(&files[at]).await.unwrap();
        }
        assert_eq!(there.handle_named("trunk").resume().await.unwrap().runs, 4, "{order:?}");
    }
}

#[onward::workflow]
async fn hears(ctx: &Ctx, of: ChildRun<String>) -> Result<String> {
    Ok(of.result(ctx).await?)
}

#[onward::workflow]
async fn shares(ctx: &Ctx) -> Result<String> {
    let apart = ctx.start::<leaf>(()).id("shared").await?;
    Ok(ctx.run::<hears>(apart).id("hears").await?)
}

#[on_every_database]
async fn a_run_travels_with_the_one_that_it_waits_for_though_another_started_that(db: TestDatabase) {
    let house = House::open(db, |b| b.workflows::<(shares, hears, leaf)>()).await;
    house.onward.start::<shares>(()).await.unwrap();
    let waits = async || {
        let hears = house.onward.handle_named("hears").steps().await.unwrap_or_default();
        hears.len() == 1 && waiting(&house.onward).await == 1
    };
    house.until("it waits for the run that its parent started", waits).await;
    let file = house.onward.handle_named("hears").export().await.unwrap();
    let there = Onward::open("sqlite::memory:").clock(house.clock.clone()).state(house.log.clone());
    let there = there.workflows::<(hears, leaf)>().launch().await.unwrap();
    let came = there.import_all(&file).await.unwrap();
    assert_eq!(came.iter().map(|run| run.id()).collect::<Vec<_>>(), ["hears", "shared"]);
    assert_eq!(came[0].resume().await.unwrap().runs, 2);
    word(&there, "shared").await;
    assert_eq!(house.done(there.handle::<hears>("hears").result()).await.unwrap(), "shared");
}

#[on_every_database]
async fn what_was_cancelled_or_paused_travels_as_it_was(db: TestDatabase) {
    let (house, run, apart) = family(db).await;
    house.onward.handle_named(&apart).pause().await.unwrap();
    house.onward.handle_named("leaf").pause().await.unwrap();
    let paused = run.export().await.unwrap();
    run.cancel().await.unwrap();
    let cancelled = run.export().await.unwrap();
    assert_eq!(cancelled.matches("onward_run").count(), 4);

    let there = elsewhere(&house.clock, &house.log).await;
    there.import(&paused).await.unwrap();
    let trunk = there.handle::<trunk>("trunk");
    assert_eq!(trunk.resume().await.unwrap().runs, 2, "what somebody had paused stays so");
    assert_eq!(there.handle_named("leaf").status().await.unwrap(), Status::Paused);

    let there = elsewhere(&house.clock, &house.log).await;
    there.import(&cancelled).await.unwrap();
    let trunk = there.handle::<trunk>("trunk");
    assert_eq!(trunk.status().await.unwrap(), Status::Cancelled);
    assert_eq!(trunk.resume().await.unwrap().runs, 4);
    for leaf in ["leaf", &apart] {
        assert_eq!(there.handle_named(leaf).status().await.unwrap(), Status::Paused, "{leaf}");
        there.handle_named(leaf).resume().await.unwrap();
        word(&there, leaf).await;
    }
    assert_eq!(house.done(trunk.result()).await.unwrap(), format!("leaf. {apart}"));
    assert_eq!(house.log.count("error"), 0);
}

#[on_every_database]
async fn what_has_ended_and_is_asked_for_by_nobody_travels_only_where_all_do(db: TestDatabase) {
    let (house, run, apart) = family(db).await;
    word(&house.onward, "leaf").await;
    house.until("the branch has ended", async || house.log.count("ok") == 1).await;
    let open = run.export().await.unwrap();
    assert_eq!(open.matches("onward_run").count(), 2, "the child apart is still asked for");
    assert_eq!(run.export().all().await.unwrap().matches("onward_run").count(), 4);
    word(&house.onward, &apart).await;
    house.done(run.result()).await.unwrap();
    assert_eq!(run.export().await.unwrap().matches("onward_run").count(), 1);
    let all = run.export().all().await.unwrap();
    run.delete().with_children().await.unwrap();
    assert_eq!(house.onward.import_all(&all).await.unwrap().len(), 4);
    assert_eq!(run.children().await.unwrap().len(), 2);
}

#[on_every_database]
async fn a_child_that_has_ended_travels_while_its_parent_has_not_asked_for_it(db: TestDatabase) {
    let (house, run, apart) = family(db).await;
    word(&house.onward, &apart).await;
    let ended = async || house.onward.handle_named(&apart).status().await.unwrap() == Status::Succeeded;
    house.until("the child apart has ended", ended).await;
    let file = run.export().await.unwrap();
    assert_eq!(file.matches("onward_run").count(), 4);
    let there = elsewhere(&house.clock, &house.log).await;
    let trunk = there.import(&file).await.unwrap();
    trunk.resume().await.unwrap();
    word(&there, "leaf").await;
    assert_eq!(house.done(there.handle::<trunk>("trunk").result()).await.unwrap(), format!("leaf. {apart}"));
}

#[on_every_database]
async fn of_a_file_that_meets_a_taken_id_nothing_is_created(db: TestDatabase) {
    let (house, run, _) = family(db).await;
    let file = run.export().await.unwrap();
    let there = elsewhere(&house.clock, &house.log).await;
    there.start::<leaf>(()).id("leaf").await.unwrap();
    let refused = there.import(&file).await.unwrap_err();
    assert!(refused.is_conflict() && refused.message().contains("`leaf`"), "{refused}");
    assert_eq!(there.list(Filter::default()).await.unwrap().items.len(), 1);
}

/// A file of the first form: a run without the keys of its family.
const FIRST_FORM: &str = concat!(
    r#"{"onward_run":1,"id":"old","workflow":"leaf","version":"1","status":"running","owners":1,"recoveries_max":100,"#,
    r#""created_at":1767225600000000,"updated_at":1767225600000000,"started_at":1767225600000000,"input_hash":1,"input":null}"#,
    "\n",
    r#"{"row":"checkpoint","position":0,"seq":1,"kind":"step","name":"begin","output":1,"started_at":1767225600000000,"#,
    r#""finished_at":1767225600000000}"#,
    "\n",
);

#[on_every_database]
async fn a_file_of_the_first_form_is_still_imported(db: TestDatabase) {
    let house = House::open(db, |b| b.workflow::<leaf>()).await;
    house.clock.advance(days(1));
    let newer = house.onward.start::<leaf>(()).delay(days(9)).await.unwrap();
    house.clock.advance(days(1));
    let run = house.onward.import(FIRST_FORM).await.unwrap();
    let all = house.onward.list(Filter::default()).await.unwrap().items;
    let ids: Vec<&str> = all.iter().map(|run| run.id.as_str()).collect();
    assert_eq!(ids, [newer.id(), "old"], "listed by when they were made");
    run.resume().await.unwrap();
    word(&house.onward, "old").await;
    assert_eq!(house.done(house.onward.handle::<leaf>("old").result()).await.unwrap(), "old");
    assert_eq!(house.log.count("begin"), 0);
}
