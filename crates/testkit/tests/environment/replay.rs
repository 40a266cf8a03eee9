//! Recorded runs against other code than that which recorded them.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use onward::prelude::*;
use onward_testkit::{Replay, ReplayError, TestDatabase, TestEnvironment, Verdict, on_every_database, replay};

/// How often bodies ran.
#[derive(Clone, Default)]
struct Bodies(Arc<AtomicUsize>);

/// The code that recorded the runs.
mod old {
    use super::*;

    #[onward::workflow]
    pub(crate) async fn checkout(ctx: &Ctx, cents: u64) -> Result<String> {
        let bodies = ctx.state::<Bodies>().clone();
        let receipt = ctx.step("charge", async || Ok((bodies.0.fetch_add(1, Ordering::SeqCst), cents).1)).await?;
        let parcel = ctx.run::<ship>(receipt);
        let label = match ctx.select((parcel, ctx.sleep(days(3)))).await? {
            Either::Left(label) => label,
            Either::Right(()) => "lost".to_owned(),
        };
        let at = ctx.now().await?;
        ctx.recv::<bool>("paid").timeout(days(30)).await?;
        Ok(format!("{label} on {at}"))
    }

    #[onward::workflow]
    pub(crate) async fn ship(ctx: &Ctx, receipt: u64) -> Result<String> {
        ctx.sleep(days(1)).await?;
        Ok(format!("label {receipt}"))
    }
}

/// Code of today, each time with another change.
mod new {
    pub(super) mod another_step {
        use onward::prelude::*;
        #[onward::workflow]
        pub(crate) async fn checkout(ctx: &Ctx, cents: u64) -> Result<String> {
            ctx.step("bill", async || Ok(cents)).await?;
            Ok(String::new())
        }
    }
    pub(super) mod another_type {
        use onward::prelude::*;
        #[onward::workflow]
        pub(crate) async fn checkout(ctx: &Ctx, _: u64) -> Result<String> {
            Ok(ctx.step("charge", async || Ok(String::new())).await?)
        }
    }
    pub(super) mod another_wait {
        use onward::prelude::*;
        #[onward::workflow]
        pub(crate) async fn ship(ctx: &Ctx, _: u64) -> Result<String> {
            Ok(ctx.recv::<String>("label").await?)
        }
    }
    pub(super) mod another_result {
        use onward::prelude::*;
        #[onward::workflow]
        pub(crate) async fn ship(ctx: &Ctx, receipt: u64) -> Result<String> {
            ctx.sleep(days(1)).await?;
            Ok(format!("LABEL {receipt}"))
        }
    }
    pub(super) mod more {
        use onward::prelude::*;
        #[onward::workflow]
        pub(crate) async fn ship(ctx: &Ctx, receipt: u64) -> Result<String> {
            ctx.sleep(days(1)).await?;
            ctx.step("notify", async || Ok(())).await?;
            Ok(format!("label {receipt}"))
        }
    }
    pub(super) mod less {
        use onward::prelude::*;
        #[onward::workflow]
        pub(crate) async fn ship(_: &Ctx, receipt: u64) -> Result<String> {
            Ok(format!("label {receipt}"))
        }
    }
    pub(super) mod another_version {
        use onward::prelude::*;
        #[onward::workflow(version = "2")]
        pub(crate) async fn ship(_: &Ctx, receipt: u64) -> Result<String> {
            Ok(format!("label {receipt}"))
        }
    }
    pub(super) mod panics {
        use onward::prelude::*;
        #[onward::workflow]
        pub(crate) async fn ship(ctx: &Ctx, receipt: u64) -> Result<String> {
            assert!(ctx.is_replaying_for_ever_or(receipt > 1_000_000), "only the rich are served");
            Ok(String::new())
        }
        trait Never {
            fn is_replaying_for_ever_or(&self, or: bool) -> bool;
        }
        impl Never for Ctx {
            fn is_replaying_for_ever_or(&self, or: bool) -> bool {
                or
            }
        }
    }
}

/// The files of the family at four moments: while the child sleeps, after it has ended, after everything has ended, and cancelled.
async fn files(db: &TestDatabase) -> Result<[String; 4]> {
    let builder = Onward::open(db.url.clone()).workflows::<(old::checkout, old::ship)>().state(Bodies::default());
    let env = TestEnvironment::launch(builder).await?;
    let run = env.start::<old::checkout>(4200).id("order-17").await?;
    env.advance(hours(1)).await?;
    let early = run.export().all().await?;
    env.advance(days(2)).await?;
    let late = run.export().all().await?;
    run.send("paid", true).await?;
    env.result(&run).await?;
    let ended = run.export().all().await?;
    let run = env.start::<old::checkout>(4200).id("order-18").await?;
    env.advance(hours(1)).await?;
    run.cancel().await?;
    env.settle().await?;
    let cancelled = run.export().all().await?;
    env.close().await?;
    Ok([early, late, ended, cancelled])
}

fn verdict_of(error: &ReplayError) -> &Verdict {
    assert_eq!(error.runs().len(), 1, "{error}");
    &error.runs()[0].verdict
}

#[on_every_database]
async fn the_code_that_recorded_a_run_continues_it(db: TestDatabase) -> Result<()> {
    let bodies = Bodies::default();
    let builder = Onward::open("sqlite::memory:").workflows::<(old::checkout, old::ship)>().state(bodies.clone());
    let replay = Replay::new(builder)?;
    let [early, late, ended, cancelled] = files(&db).await?;
    let said = async |file: &str| -> Result<Vec<String>> {
        Ok(replay.file(file).await?.iter().map(|run| format!("{} {}", run.workflow, run.verdict)).collect())
    };
    let waits = "waits where the recorded run waits";
    assert_eq!(
        said(&early).await?,
        [
            format!("checkout {waits}: position 1: child `ship`, position 2: sleep `sleep`"),
            format!("ship {waits}: position 0: sleep `sleep`")
        ]
    );
    assert_eq!(
        said(&late).await?,
        [format!("checkout {waits}: position 4: recv `paid`"), "ship finished as recorded".into()]
    );
    assert_eq!(said(&ended).await?, ["checkout finished as recorded", "ship finished as recorded"]);
    assert_eq!(said(&cancelled).await?, said(&early).await?);
    assert_eq!(bodies.0.load(Ordering::SeqCst), 0, "no body runs");
    Ok(())
}

#[on_every_database]
async fn another_call_is_a_divergence_with_its_position(db: TestDatabase) -> Result<()> {
    let [early, late, ended, _] = files(&db).await?;
    let error = replay::<new::another_step::checkout>(&late).await.unwrap_err();
    let Verdict::Diverged { position: Some(0), message } = verdict_of(&error) else { panic!("{error}") };
    assert!(message.contains("recorded step `charge`, but the code now calls step `bill`"), "{message}");

    let error = replay::<new::another_wait::ship>(&early).await.unwrap_err();
    let Verdict::Diverged { position: Some(0), message } = verdict_of(&error) else { panic!("{error}") };
    assert!(message.contains("waits for a timer at position 0"), "{message}");

    let error = replay::<new::more::ship>(&ended).await.unwrap_err();
    let Verdict::Diverged { position: None, message } = verdict_of(&error) else { panic!("{error}") };
    assert!(message.contains("the run ended there") && message.contains("position 1: step `notify`"), "{message}");

    let error = replay::<new::less::ship>(&ended).await.unwrap_err();
    let Verdict::Diverged { position: Some(0), message } = verdict_of(&error) else { panic!("{error}") };
    assert!(message.contains("the code returned, but the run recorded sleep"), "{message}");
    Ok(())
}

#[on_every_database]
async fn a_value_that_cannot_be_read_another_result_and_a_panic_are_found(db: TestDatabase) -> Result<()> {
    let [early, late, ended, _] = files(&db).await?;
    let error = replay::<new::another_type::checkout>(&late).await.unwrap_err();
    let Verdict::Unreadable(message) = verdict_of(&error) else { panic!("{error}") };
    assert!(message.contains("position 0") && message.contains("`charge`"), "{message}");

    let error = replay::<new::another_result::ship>(&ended).await.unwrap_err();
    let Verdict::Differs { recorded, returned } = verdict_of(&error) else { panic!("{error}") };
    assert_eq!((&**recorded, &**returned), ("\"label 4200\"", "\"LABEL 4200\""));
    assert!(replay::<new::another_result::ship>(&early).await?[0].verdict.is_fine(), "it has returned nothing yet");

    let error = replay::<new::panics::ship>(&early).await.unwrap_err();
    let Verdict::Panicked(message) = verdict_of(&error) else { panic!("{error}") };
    assert!(message.contains("only the rich are served"), "{message}");
    Ok(())
}

#[on_every_database]
async fn a_version_that_the_code_does_not_have_is_found(db: TestDatabase) -> Result<()> {
    let [early, ..] = files(&db).await?;
    let error = replay::<new::another_version::ship>(&early).await.unwrap_err();
    let Verdict::Unknown(message) = verdict_of(&error) else { panic!("{error}") };
    assert!(message.contains("needs `ship` in version 1, and the code has version 2"), "{message}");
    let error = replay::<new::another_step::checkout>("{}").await.unwrap_err();
    assert!(error.runs().is_empty(), "{error}");
    Ok(())
}

#[on_every_database]
async fn a_folder_is_replayed_file_by_file(db: TestDatabase) -> Result<()> {
    let [early, late, ..] = files(&db).await?;
    let place = TestDatabase::sqlite();
    let file = place.url.strip_prefix("sqlite:").unwrap().to_owned();
    let folder = std::path::Path::new(&file).with_file_name("histories");
    std::fs::create_dir(&folder)?;
    std::fs::write(folder.join("early.json"), early)?;
    std::fs::write(folder.join("late.json"), late)?;
    let todays = Replay::new(
        Onward::open("sqlite::memory:").workflows::<(old::checkout, old::ship)>().state(Bodies::default()),
    )?;
    assert_eq!(todays.folder(&folder).await?.len(), 4);

    let without = Replay::new(Onward::open("sqlite::memory:").workflow::<old::checkout>().state(Bodies::default()))?;
    let error = without.folder(&folder).await.unwrap_err();
    let lines: Vec<String> = error.to_string().lines().map(str::to_owned).collect();
    assert_eq!((lines.len(), error.runs().len()), (2, 4), "{error}");
    assert!(lines[0].starts_with("early.json: run ") && lines[1].starts_with("late.json: run "), "{error}");

    std::fs::write(folder.join("none.json"), "no history")?;
    assert!(todays.folder(&folder).await.unwrap_err().to_string().starts_with("none.json: "));
    Ok(())
}
