//! Who paused or resumed a queue or a schedule, and why: in its record, and in the reasons of the runs that wait.

use onward::Tick;
use onward::prelude::*;
use onward::records::{Blocked, Initiator, QueueRecord, ReasonKind, SteeringAction};
use onward_testkit::{TestDatabase, on_every_database};

use crate::house::House;

#[onward::workflow]
async fn mail(ctx: &Ctx) -> Result<u32> {
    Ok(ctx.step("send", async || Ok(7)).await?)
}

#[onward::workflow]
async fn report(_ctx: &Ctx, _tick: Tick) -> Result<()> {
    Ok(())
}

async fn queue(house: &House) -> QueueRecord {
    house.onward.queue("mail").info().await.unwrap()
}

#[on_every_database]
async fn a_paused_queue_says_who_paused_it_and_why_and_so_do_the_runs_in_it(db: TestDatabase) {
    let house = House::open(db, |b| b.workflow::<mail>()).await;
    house.onward.queue("mail").await.unwrap();
    assert_eq!(queue(&house).await.steered, None, "nobody has paused it");
    let pause = house.onward.queue("mail").pause().by("ann").reason("the relay is down");
    let at = house.clock.now();
    assert!(pause.await.unwrap(), "it was open");
    let steered = queue(&house).await.steered.unwrap();
    assert_eq!((steered.action, steered.initiator), (SteeringAction::Pause, Initiator::Client));
    assert_eq!((steered.by.as_deref(), steered.reason.as_deref()), (Some("ann"), Some("the relay is down")));
    assert!(steered.at >= at && steered.at <= house.clock.now());
    assert_eq!(house.onward.queues().await.unwrap()[0].steered, Some(steered));

    let run = house.onward.start::<mail>(()).queue("mail").await.unwrap();
    let waits = run.describe().await.unwrap();
    assert_eq!(waits.reason, "queued: queue `mail` is paused by ann: \"the relay is down\"");
    let ReasonKind::Queue(wait) = waits.why.kind else { panic!("{:?}", waits.why) };
    let said = Some("paused by ann: \"the relay is down\"".to_owned());
    assert_eq!(wait.blocked, Some(Blocked::Paused { said }));

    assert!(house.onward.queue("mail").resume().by("bob").reason("it is up").await.unwrap());
    let resumed = queue(&house).await;
    assert!(!resumed.paused);
    assert_eq!(resumed.steered.unwrap().to_string(), "resumed by bob: \"it is up\"");
    assert_eq!(house.done(run.result()).await.unwrap(), 7);
}

#[on_every_database]
async fn of_two_who_pause_a_queue_the_second_changes_nothing_and_the_first_reason_stays(db: TestDatabase) {
    let house = House::open(db, |b| b.workflow::<mail>()).await;
    let other = Client::connect_with(&house.db.url, house.clock.clone()).await.unwrap();
    house.onward.queue("mail").await.unwrap();
    for _ in 0..5 {
        let (ann, bob) =
            (house.onward.queue("mail").pause().by("ann"), other.queue("mail").pause().by("bob").reason("too"));
        let (ann, bob) = tokio::join!(ann, bob);
        let (ann, bob) = (ann.unwrap(), bob.unwrap());
        assert_ne!(ann, bob, "exactly one of them has paused it");
        let by = queue(&house).await.steered.unwrap().by;
        assert_eq!(by.as_deref(), Some(if ann { "ann" } else { "bob" }));
        assert!(other.queue("mail").resume().await.unwrap());
        assert!(!other.queue("mail").resume().by("bob").await.unwrap(), "it was not paused");
        assert_eq!(queue(&house).await.steered.unwrap().by, None);
    }
    let unknown = house.onward.queue("nobody").pause().await.unwrap_err();
    assert_eq!(unknown.code(), "unknown_queue");
}

#[on_every_database]
async fn what_cannot_be_recorded_about_a_pause_is_refused_and_pauses_nothing(db: TestDatabase) {
    let house = House::open(db, |b| b.workflow::<report>()).await;
    house.onward.queue("mail").await.unwrap();
    let morning = house.onward.schedule::<report>("@daily").id("morning").await.unwrap();
    for (by, reason) in [("", "why"), ("a\nb", "why"), ("ann", " "), ("ann", "a\nb")] {
        let refused = [
            house.onward.queue("mail").pause().by(by).reason(reason).await.unwrap_err(),
            morning.pause().by(by).reason(reason).await.unwrap_err(),
            morning.resume().by(by).reason(reason).await.unwrap_err(),
        ];
        assert!(refused.iter().all(|error| error.code() == "invalid"), "{refused:?}");
    }
    assert!(!queue(&house).await.paused && !morning.describe().await.unwrap().paused);
}

#[on_every_database]
async fn a_schedule_says_who_paused_or_resumed_it_and_why(db: TestDatabase) {
    let house = House::open(db, |b| b.workflow::<report>()).await;
    let morning = house.onward.schedule::<report>("@daily").id("morning").await.unwrap();
    let said = async || morning.describe().await.unwrap().steered.map(|act| act.to_string());
    assert_eq!(said().await, None);
    assert!(morning.pause().by("ann").reason("public holiday").await.unwrap());
    assert!(!morning.pause().by("bob").reason("me too").await.unwrap());
    let expected = Some("paused by ann: \"public holiday\"".to_owned());
    assert_eq!(said().await, expected);
    house.onward.schedule::<report>("* * * * * *").id("morning").await.unwrap();
    assert_eq!(said().await, expected, "it stays paused, and says why");
    let listed = house.onward.schedules().await.unwrap();
    assert_eq!(listed[0].steered.as_ref().map(ToString::to_string), expected);

    assert!(morning.resume().by("bob").await.unwrap());
    assert!(!morning.resume().by("ann").await.unwrap());
    assert_eq!(said().await, Some("resumed by bob".to_owned()));
    let ticks = async || morning.describe().await.unwrap().last_tick.is_some();
    house.until("it ticks again", ticks).await;
    assert_eq!(said().await, Some("resumed by bob".to_owned()), "a tick is no act");
}
