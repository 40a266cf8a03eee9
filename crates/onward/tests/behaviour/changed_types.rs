//! Types that change under running runs: what the code cannot read holds the run, and no workflow is given an error for it.

use std::fmt;

use onward::Filter;
use onward::prelude::*;
use onward::records::StepState;
use onward_testkit::{TestDatabase, on_every_database};
use serde::{Deserialize, Serialize};

use crate::house::{House, Log};

/// A workflow as it is deployed, with the fields of what it keeps and of its error.
macro_rules! deploy {
    ($module:ident { $($field:ident : $ty:ty $(, $default:ident)?);* }) => {
        mod $module {
            use super::*;

            #[derive(Clone, Debug, Default, Serialize, Deserialize)]
            pub(super) struct Kept {
                $($(#[serde($default)])? $field: $ty,)*
            }

            impl fmt::Display for Kept {
                fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                    write!(f, "{} cents are too few", self.cents)
                }
            }

            impl std::error::Error for Kept {}

            fn five() -> Kept {
                // A type of one field has no others to be left as they are.
                #[allow(clippy::needless_update)]
                let kept = Kept { cents: 5, ..Kept::default() };
                kept
            }

            #[onward::workflow(name = "gives")]
            pub(super) async fn gives(_: &Ctx) -> Result<Kept> {
                Ok(five())
            }

            #[onward::workflow(name = "fails")]
            pub(super) async fn fails(ctx: &Ctx) -> Result<Kept> {
                Ok(ctx.step("fail", async || Err(five().into())).errors::<Kept>().await?)
            }

            #[onward::workflow(name = "takes")]
            pub(super) async fn takes(ctx: &Ctx, from: String) -> Result<u64> {
                let kept: Result<Kept, Error> = match from.as_str() {
                    "step" => ctx.step("take", async || Ok(five())).await,
                    "transaction" => ctx.transaction("take", async |_| Ok(five())).await,
                    "child" => ctx.run::<gives>(()).await,
                    "started" => ctx.start::<gives>(()).await?.result(ctx).await,
                    "message" => ctx.recv("take").await,
                    "message in time" => ctx.recv("take").timeout(hours(9)).await.map(Option::unwrap),
                    "hook" => ctx.hook::<Kept>().token("take").await?.recv().await,
                    "event" => {
                        ctx.set_event("take", &five()).await?;
                        ctx.get_event(ctx.run_id(), "take").await.map(Option::unwrap)
                    }
                    "race" => {
                        let step = ctx.step("take", async || Ok(five()));
                        ctx.select((step, ctx.sleep(days(3)))).await.map(|either| match either {
                            Either::Left(kept) => kept,
                            Either::Right(()) => unreachable!("the step is faster"),
                        })
                    }
                    "many" => {
                        let steps = (0..3).map(|_| ctx.step("take", async || Ok(five())));
                        ctx.all(steps).await.map(|mut all| all.swap_remove(1))
                    }
                    "error" => ctx.step("take", async || Err::<Kept, _>(five().into())).errors::<Kept>().await,
                    "error of a child" => ctx.run::<fails>(()).await,
                    other => unreachable!("{other}"),
                };
                let kept = match kept {
                    Ok(kept) => kept,
                    Err(error) => match error.downcast::<Kept>() {
                        Ok(kept) => kept,
                        Err(other) => {
                            // Where a saga would compensate.
                            ctx.step("refund", async || Ok(ctx.state::<Log>().ran("refund"))).await?;
                            return Err(other.into());
                        }
                    },
                };
                ctx.sleep(hours(1)).await?;
                ctx.step("use", async || Ok(ctx.state::<Log>().ran("use"))).await?;
                Ok(kept.cents)
            }
        }
    };
}

deploy!(before { cents: u64 });
deploy!(broken { cents: u64; currency: String });
deploy!(mended { cents: u64; currency: Option<String>, default });

/// Where a value comes from, and what it is called in the reason.
const FROM: [(&str, &str); 11] = [
    ("step", "position 0 the run recorded step `take`"),
    ("transaction", "position 0 the run recorded transaction `take`"),
    ("child", "position 0 the run recorded child `gives`"),
    ("started", "position 1 the run recorded child `"),
    ("message", "position 0 the run recorded recv `take`"),
    ("message in time", "position 0 the run recorded recv `take`"),
    ("hook", "position 1 the run recorded recv `take`"),
    ("event", "position 1 the run recorded get_event `take`"),
    ("race", "position 0 the run recorded step `take`"),
    ("many", "position 0 the run recorded step `take`"),
    ("error", "position 0 the run recorded step `take`"),
];

#[on_every_database]
async fn a_recorded_value_that_the_code_cannot_read_holds_the_run_until_it_can(db: TestDatabase) {
    // Only what the lost executor had in memory does the next one load.
    let mut house = House::open(db, |b| b.park_after(days(1))).await;
    house.lose_executor_for(|b| b.workflows::<(before::takes, before::gives, before::fails)>()).await;
    for (from, _) in FROM {
        house.onward.start::<before::takes>(from.to_owned()).id(from).await.unwrap();
    }
    let five = serde_json::json!({"cents": 5});
    for run in ["message", "message in time"] {
        house.onward.handle_named(run).send("take", &five).await.unwrap();
    }
    let is_open = async || house.onward.resume_hook("take", &five).await.is_ok();
    house.until("the hook is open", is_open).await;
    let sleeps = async |id: &str| {
        let steps = house.onward.handle_named(id).steps().await.unwrap();
        steps.last().is_some_and(|step| step.name == "sleep" && step.state == StepState::Waiting)
    };
    for (from, _) in FROM {
        house.until("it sleeps", async || sleeps(from).await).await;
    }

    house.lose_executor_for(|b| b.workflows::<(broken::takes, broken::gives, broken::fails)>()).await;
    let is_held = async || {
        let held = Filter { statuses: vec![Status::Paused], ..Filter::default() };
        house.onward.list(held).await.unwrap().items.len() == FROM.len()
    };
    house.until("all are held", is_held).await;
    for (from, reason) in FROM {
        let run = house.onward.handle_named(from);
        let record = run.describe().await.unwrap();
        for part in [reason, "broken::Kept`", "missing field `currency`", "resume the run"] {
            assert!(record.reason.contains(part), "{from}: {part}: {}", record.reason);
        }
        assert_eq!(run.result().await.unwrap_err().code(), "decode", "{from}");
    }
    assert_eq!(house.log.count("refund"), 0, "nobody is given an error for it");

    house.lose_executor_for(|b| b.workflows::<(mended::takes, mended::gives, mended::fails)>()).await;
    for (from, _) in FROM {
        let run = house.onward.handle::<mended::takes>(from);
        run.resume().await.unwrap();
        assert_eq!(house.done(run.result()).await.unwrap(), 5, "{from}");
    }
    assert_eq!((house.log.count("refund"), house.log.count("use")), (0, FROM.len()));
}

#[onward::workflow]
async fn reads(ctx: &Ctx, run: String) -> Result<u32> {
    Ok(ctx.get_event::<u32>(&run, "size").timeout(days(9)).await?.unwrap_or_default())
}

#[on_every_database]
async fn an_event_of_another_type_holds_its_reader_which_goes_on_once_it_is_set_again(db: TestDatabase) {
    #[onward::workflow]
    async fn says(ctx: &Ctx) -> Result<()> {
        ctx.set_event("size", "large").await?;
        ctx.recv::<()>("again").await?;
        ctx.set_event("size", 7).await?;
        Ok(())
    }
    let house = House::open(db, |b| b.workflows::<(says, reads)>()).await;
    let says = house.onward.start::<says>(()).id("says").await.unwrap();
    let reads = house.onward.start::<reads>("says".to_owned()).await.unwrap();
    assert_eq!(house.done(reads.result()).await.unwrap_err().code(), "decode");
    let reason = reads.describe().await.unwrap().reason;
    assert!(reason.contains("event `size` of run") && reason.contains("`u32`"), "{reason}");
    assert!(reads.steps().await.unwrap().iter().all(|step| step.state.is_open()), "nothing of it is recorded");

    says.send("again", ()).await.unwrap();
    house.done(says.result()).await.unwrap();
    reads.resume().await.unwrap();
    assert_eq!(house.done(reads.result()).await.unwrap(), 7);
}

#[onward::workflow]
async fn chances(ctx: &Ctx) -> Result<()> {
    ctx.now().await?;
    ctx.random().await?;
    ctx.uuid().await?;
    ctx.step("fail", async || Err::<(), _>("no".into())).await.ok();
    ctx.sleep(days(1)).await?;
    Ok(())
}

/// A run whose file says something else than was recorded.
async fn changed(house: &House, file: &str, id: &str, from: &str, to: &str) -> WorkflowHandle<serde_json::Value> {
    let changed = file.lines().map(|line| match line.contains(from) {
        true => format!("{}\n", line.replace(from, to)),
        false => format!("{line}\n"),
    });
    let changed: String = changed.collect();
    assert_ne!(changed.trim(), file.trim(), "{from}");
    let run = house.onward.import_as(&changed, id).await.unwrap();
    run.resume().await.unwrap();
    run
}

#[on_every_database]
async fn times_and_numbers_and_errors_that_only_a_newer_version_knows_hold_the_run(db: TestDatabase) {
    let house = House::open(db, |b| b.workflow::<chances>()).await;
    let run = house.onward.start::<chances>(()).await.unwrap();
    house.until("it sleeps", async || run.steps().await.unwrap().len() == 5).await;
    let file = run.export().await.unwrap();
    let cases = [
        (r#""name":"now","output":""#, r#""name":"now","output":"yesterday "#, "position 0 the run recorded now"),
        (r#""name":"random","output":"#, r#""name":"random","output":-"#, "position 1 the run recorded random"),
        (r#""name":"uuid","output":""#, r#""name":"uuid","output":"x"#, "position 2 the run recorded uuid"),
        (r#""code":"failed""#, r#""code":"quota_exceeded""#, "an error with code `quota_exceeded` (no)"),
        (r#"{"code":"failed","#, r#"{"#, "position 3, step `fail` recorded an error that cannot be read"),
    ];
    for (at, (from, to, reason)) in cases.into_iter().enumerate() {
        let run = changed(&house, &file, &format!("changed {at}"), from, to).await;
        assert_eq!(house.done(run.result()).await.unwrap_err().code(), "decode", "{reason}");
        let record = run.describe().await.unwrap();
        assert!(record.status == Status::Paused && record.reason.contains(reason), "{reason}: {}", record.reason);
    }
}

#[on_every_database]
async fn a_typed_error_of_a_child_that_is_looked_into_and_cannot_be_read_holds_the_run(db: TestDatabase) {
    let house = House::open(db, |b| b.workflows::<(before::takes, before::fails)>()).await;
    let run = house.onward.start::<before::takes>("error of a child".to_owned()).await.unwrap();
    house.until("it sleeps", async || run.steps().await.unwrap().len() == 2).await;
    let file = run.export().await.unwrap();
    let run = changed(&house, &file, "changed", r#""value":{"cents":5}"#, r#""value":{"cents":"five"}"#).await;
    assert_eq!(house.done(run.result()).await.unwrap_err().code(), "decode");
    let reason = run.describe().await.unwrap().reason;
    assert!(
        reason.contains("position 0 the run recorded child `fails`") && reason.contains("before::Kept`"),
        "{reason}"
    );
    assert_eq!(house.log.count("refund"), 0);
}

#[on_every_database]
async fn a_failed_run_keeps_a_code_that_is_not_known_and_its_parent_is_held(db: TestDatabase) {
    #[onward::workflow]
    async fn fails(_: &Ctx) -> Result<()> {
        Err("no".into())
    }
    #[onward::workflow]
    async fn parent(ctx: &Ctx) -> Result<()> {
        Ok(ctx.run::<fails>(()).id("newer").await?)
    }
    let house = House::open(db, |b| b.workflows::<(fails, parent)>()).await;
    let run = house.onward.start::<fails>(()).await.unwrap();
    house.done(run.result()).await.unwrap_err();
    let file = run.export().await.unwrap().replace(r#""code":"failed""#, r#""code":"quota_exceeded""#);
    let newer = house.onward.import_as(&file, "newer").await.unwrap();
    let error = newer.result().await.unwrap_err();
    assert_eq!((error.code(), error.message()), ("quota_exceeded", "no"));

    let parent = house.onward.start::<parent>(()).await.unwrap();
    assert_eq!(house.done(parent.result()).await.unwrap_err().code(), "decode");
    let record = parent.describe().await.unwrap();
    assert!(record.status == Status::Paused && record.reason.contains("`quota_exceeded`"), "{}", record.reason);
}

mod moved {
    use super::*;

    macro_rules! refused {
        ($module:ident $($field:ident)?) => {
            pub(super) mod $module {
                use super::*;

                #[derive(Debug, Default, Serialize, Deserialize)]
                pub(in super::super) struct Refused { cents: u64, $($field: u64,)? }

                impl fmt::Display for Refused {
                    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                        f.write_str("refused")
                    }
                }

                impl std::error::Error for Refused {}

                #[onward::workflow(name = "asks")]
                pub(in super::super) async fn asks(ctx: &Ctx) -> Result<String> {
                    let error = ctx.run::<refuses>(()).await.unwrap_err();
                    let name = if error.is::<Refused>() { "typed" } else { "other" };
                    ctx.step(name, async || Ok(name.to_owned())).await?;
                    ctx.sleep(hours(1)).await?;
                    Ok(name.to_owned())
                }

                #[onward::workflow(name = "refuses")]
                pub(in super::super) async fn refuses(ctx: &Ctx) -> Result<()> {
                    Ok(ctx.step("refuse", async || Err(Refused::default().into())).errors::<Refused>().await?)
                }
            }
        };
    }

    refused!(old);
    refused!(new more);
}

/// A type of the same name in another module may be another type, so it alone holds no run.
#[on_every_database]
async fn a_divergence_names_the_error_that_could_not_be_read_before_it(db: TestDatabase) {
    let mut house = House::open(db, |b| b).await;
    house.lose_executor_for(|b| b.workflows::<(moved::old::asks, moved::old::refuses)>()).await;
    let run = house.onward.start::<moved::old::asks>(()).id("a").await.unwrap();
    house.until("it sleeps", async || run.steps().await.unwrap().len() == 3).await;
    house.lose_executor_for(|b| b.workflows::<(moved::new::asks, moved::new::refuses)>()).await;
    let run = house.onward.handle::<moved::new::asks>("a");
    let error = house.done(run.result()).await.unwrap_err();
    assert!(error.is_diverged(), "{error:?}");
    for part in ["step `typed`", "step `other`", "position 0 the run recorded child `refuses`", "missing field `more`"]
    {
        assert!(error.message().contains(part), "{part}: {error}");
    }
    house.lose_executor_for(|b| b.workflows::<(moved::old::asks, moved::old::refuses)>()).await;
    let run = house.onward.handle::<moved::old::asks>("a");
    run.resume().await.unwrap();
    assert_eq!(house.done(run.result()).await.unwrap(), "typed");
}
