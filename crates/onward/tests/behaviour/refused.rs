//! Messages that do not fit: they end nothing and hold nothing, are kept and shown, and are looked at again by other code.

use onward::prelude::*;
use onward_testkit::{TestDatabase, on_every_database};
use serde::{Deserialize, Serialize};

use crate::house::House;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
enum Decision {
    Ship,
    Refund,
}

#[onward::workflow]
async fn decides(ctx: &Ctx) -> Result<Decision> {
    Ok(ctx.recv("decision").await?)
}

/// The one message of a run that nobody has taken, once it was refused.
async fn refused<T: onward::Data>(house: &House, run: &WorkflowHandle<T>) -> onward::records::MessageRecord {
    let is_refused = async || run.messages().await.unwrap().iter().any(|message| message.refused.is_some());
    house.until("the message is refused", is_refused).await;
    run.messages().await.unwrap().remove(0)
}

async fn waits<T: onward::Data>(house: &House, run: &WorkflowHandle<T>) {
    house.until("it waits", async || run.describe().await.unwrap().reason.starts_with("waits for a message")).await;
}

#[on_every_database]
async fn what_does_not_fit_is_kept_with_the_reason_and_the_run_waits_on(db: TestDatabase) {
    let mut house = House::open(db, |b| b.workflow::<decides>()).await;
    let run = house.onward.start::<decides>(()).id("order-3").delay(hours(1)).await.unwrap();
    // Nobody knows yet what it will wait for.
    run.send("decision", "yes").key("form-1").await.unwrap();
    house.pass(hours(1)).await;
    let message = refused(&house, &run).await;
    let why = message.refused.as_deref().unwrap();
    assert!(
        why.starts_with("it is not a `behaviour::refused::Decision`: unknown variant, expected `Ship` or"),
        "{why}"
    );
    assert_eq!((message.topic.as_str(), message.body.as_str()), ("decision", "\"yes\""));
    assert_eq!(message.key.as_deref(), Some("form-1"));

    let shown = async || {
        let reason = run.describe().await.unwrap().reason;
        reason == format!("waits for a message on topic `decision`; 1 message was refused: {why}")
    };
    house.until("the reason says so", shown).await;
    house.until("it has left memory", async || house.onward.resident_runs() == 0).await;
    house.pass(mins(1)).await;
    for _ in 0..20 {
        house.pass(secs(1)).await;
    }
    assert_eq!(run.describe().await.unwrap().owners, 1, "a message that was refused wakes nobody");

    house.lose_executor().await;
    let run = house.onward.handle::<decides>("order-3");
    house.until("another executor looks at it", async || run.describe().await.unwrap().owners == 2).await;
    run.send("decision", &Decision::Refund).await.unwrap();
    assert_eq!(house.done(run.result()).await.unwrap(), Decision::Refund);
    assert_eq!(run.messages().await.unwrap().len(), 1, "nobody has taken it");
}

#[on_every_database]
async fn the_sender_is_told_at_once_what_the_run_waits_for_and_can_send_again(db: TestDatabase) {
    let house = House::open(db, |b| b.workflow::<decides>()).await;
    let run = house.onward.start::<decides>(()).id("order-3").await.unwrap();
    waits(&house, &run).await;
    let error = run.send("decision", "yes").key("form-1").await.unwrap_err();
    let said = r#"run `order-3` waits on topic `decision` for one of "Ship", "Refund": got "yes". Nothing was sent"#;
    assert_eq!((error.code(), error.message()), ("invalid", said));
    let two =
        [onward::client::Message::new("order-3", "news", 1), onward::client::Message::new("order-3", "decision", 1)];
    assert_eq!(house.onward.send_all(two).await.unwrap_err().code(), "invalid");
    assert_eq!(run.messages().await.unwrap(), [], "all or none");

    run.send("decision", &Decision::Ship).key("form-1").await.unwrap();
    assert_eq!(house.done(run.result()).await.unwrap(), Decision::Ship);
    // The same key is the same message, whatever comes with it: it was sent.
    run.send("decision", "yes").key("form-1").await.unwrap();
}

mod of_two_types {
    use super::*;

    #[onward::workflow]
    pub(super) async fn one_after_the_other(ctx: &Ctx) -> Result<(u32, String)> {
        let number = ctx.recv("n").await?;
        // A replay gives the same messages to the same calls.
        ctx.sleep(hours(1)).await?;
        Ok((number, ctx.recv("n").await?))
    }

    #[onward::workflow]
    pub(super) async fn at_once(ctx: &Ctx) -> Result<(u32, String)> {
        let both = tokio::join!(ctx.recv("n"), ctx.recv("n"));
        ctx.sleep(hours(1)).await?;
        Ok((both.0?, both.1?))
    }
}

#[on_every_database]
async fn a_later_call_takes_what_an_earlier_one_refused(db: TestDatabase) {
    use of_two_types::one_after_the_other;
    let mut house = House::open(db, |b| b.workflow::<one_after_the_other>()).await;
    let run = house.onward.start::<one_after_the_other>(()).id("r").delay(mins(1)).await.unwrap();
    for text in ["first", "second"] {
        run.send("n", text).await.unwrap();
    }
    run.send("n", 7).await.unwrap();
    house.pass(mins(1)).await;
    house.until("the number is taken", async || run.steps().await.unwrap().len() == 2).await;
    house.lose_executor().await;
    let run = house.onward.handle::<one_after_the_other>("r");
    assert_eq!(house.done(run.result()).await.unwrap(), (7, "first".to_owned()));
}

#[on_every_database]
async fn what_was_sent_is_not_refused_when_it_is_sent_again_to_a_call_that_it_does_not_fit(db: TestDatabase) {
    use of_two_types::one_after_the_other;
    let house = House::open(db, |b| b.workflow::<one_after_the_other>()).await;
    let run = house.onward.start::<one_after_the_other>(()).id("r").await.unwrap();
    waits(&house, &run).await;
    run.send("n", 7).key("form-1").await.unwrap();
    house.until("it sleeps", async || run.steps().await.unwrap().len() == 2).await;
    run.wake_up().await.unwrap();
    waits(&house, &run).await;
    assert_eq!(run.send("n", 7).await.unwrap_err().code(), "invalid", "it waits for a text now");
    run.send("n", 7).key("form-1").await.unwrap();
    run.send("n", "text").await.unwrap();
    assert_eq!(house.done(run.result()).await.unwrap(), (7, "text".to_owned()));
}

#[on_every_database]
async fn of_two_calls_that_wait_at_once_each_takes_what_fits_it(db: TestDatabase) {
    use of_two_types::at_once;
    let mut house = House::open(db, |b| b.workflow::<at_once>()).await;
    let run = house.onward.start::<at_once>(()).id("r").await.unwrap();
    waits(&house, &run).await;
    let error = run.send("n", true).await.unwrap_err();
    assert!(error.message().contains("waits on topic `n` for a number, or a string: got true"), "{error}");
    run.send("n", "text").await.unwrap();
    house.until("one is taken", async || run.steps().await.unwrap().iter().any(|step| step.output.is_some())).await;
    run.send("n", 7).await.unwrap();
    house.until("it sleeps", async || run.steps().await.unwrap().len() == 3).await;
    house.lose_executor().await;
    let run = house.onward.handle::<at_once>("r");
    assert_eq!(house.done(run.result()).await.unwrap(), (7, "text".to_owned()));
    assert_eq!(run.messages().await.unwrap(), []);
}

#[onward::workflow]
async fn waits_a_minute(ctx: &Ctx) -> Result<Option<u32>> {
    Ok(ctx.recv("n").timeout(mins(1)).await?)
}

#[on_every_database]
async fn a_call_whose_only_message_does_not_fit_times_out_as_if_nobody_had_sent(db: TestDatabase) {
    let house = House::open(db, |b| b.workflow::<waits_a_minute>()).await;
    let run = house.onward.start::<waits_a_minute>(()).delay(mins(1)).await.unwrap();
    // More than are read at once.
    let texts = (0..400).map(|n| onward::client::Message::new(run.id(), "n", format!("text {n}")));
    house.onward.send_all(texts).await.unwrap();
    assert_eq!(house.done(run.result()).await.unwrap(), None);
    assert_eq!(run.messages().await.unwrap().len(), 400);
}

#[onward::workflow]
async fn waits_an_hour(ctx: &Ctx) -> Result<Option<u32>> {
    Ok(ctx.recv("n").timeout(hours(1)).await?)
}

#[on_every_database]
async fn a_timeout_is_not_put_off_by_what_does_not_fit(db: TestDatabase) {
    let mut house = House::open(db, |b| b.workflow::<waits_an_hour>()).await;
    let run = house.onward.start::<waits_an_hour>(()).id("r").delay(mins(1)).await.unwrap();
    run.send("n", "text").await.unwrap();
    house.pass(mins(1)).await;
    refused(&house, &run).await;
    house.pass(mins(50)).await;
    // The next owner looks at the message again, in the middle of the wait.
    house.lose_executor().await;
    let run = house.onward.handle::<waits_an_hour>("r");
    house.until("another executor looks at it", async || run.describe().await.unwrap().owners > 1).await;
    house.pass(mins(11)).await;
    // No leaps: how long it took is what counts.
    house.until("it has ended", async || run.status().await.unwrap().is_terminal()).await;
    assert_eq!(run.result().await.unwrap(), None);
    let record = run.describe().await.unwrap();
    let took = record.finished_at.unwrap().duration_since(record.started_at.unwrap()).as_secs();
    assert!((3_600..3_600 + 1_200).contains(&took), "it took {took} s: the time began again");
}

#[on_every_database]
async fn a_message_behind_many_that_do_not_fit_is_found(db: TestDatabase) {
    let house = House::open(db, |b| b.workflow::<waits_a_minute>()).await;
    let run = house.onward.start::<waits_a_minute>(()).delay(mins(1)).await.unwrap();
    let texts = (0..700).map(|n| onward::client::Message::new(run.id(), "n", format!("text {n}")));
    house.onward.send_all(texts).await.unwrap();
    run.send("n", 7).await.unwrap();
    assert_eq!(house.done(run.result()).await.unwrap(), Some(7));
}

#[onward::workflow]
async fn races(ctx: &Ctx) -> Result<(bool, u32)> {
    let raced = ctx.select((ctx.recv::<bool>("n"), ctx.sleep(mins(1)))).await?;
    Ok((matches!(raced, Either::Left(_)), ctx.recv("n").await?))
}

#[on_every_database]
async fn a_race_is_not_won_by_a_message_that_does_not_fit(db: TestDatabase) {
    let house = House::open(db, |b| b.workflow::<races>()).await;
    let run = house.onward.start::<races>(()).delay(mins(1)).await.unwrap();
    run.send("n", 7).await.unwrap();
    assert_eq!(house.done(run.result()).await.unwrap(), (false, 7));
}

#[onward::workflow]
async fn asks(ctx: &Ctx) -> Result<(bool, Option<bool>)> {
    let hook = ctx.hook::<bool>().token("t1").await?;
    ctx.sleep(hours(1)).await?;
    let first = hook.recv().await?;
    Ok((first, hook.recv().timeout(mins(5)).await?))
}

#[on_every_database]
async fn a_hook_stays_open_for_a_payload_that_fits(db: TestDatabase) {
    let house = House::open(db, |b| b.workflow::<asks>()).await;
    let run = house.onward.start::<asks>(()).id("r").await.unwrap();
    house.until("it is open", async || run.hooks().await.unwrap().len() == 1).await;
    let error = house.onward.resume_hook("t1", "wrong").key("k").await.unwrap_err();
    let said = "run `r` waits at the hook `t1` for `true` or `false`: got \"wrong\". Nothing was sent";
    assert_eq!((error.code(), error.message()), ("invalid", said), "it is told before the run waits");
    house.onward.resume_hook("t1", true).key("k").await.unwrap();
    house.until("it sleeps", async || run.steps().await.unwrap().len() == 2).await;
    house.pass(hours(1)).await;
    house.until("it waits for the second one", async || run.steps().await.unwrap().len() == 4).await;
    assert_eq!(house.onward.resume_hook("t1", "wrong").await.unwrap_err().code(), "invalid");
    assert_eq!(house.done(run.result()).await.unwrap(), (true, None));
    assert_eq!(house.onward.resume_hook("t1", true).await.unwrap_err().code(), "gone");
}

#[onward::workflow]
async fn collects(ctx: &Ctx, n: usize) -> Result<Vec<u32>> {
    let mut all = Vec::new();
    for _ in 0..n {
        all.push(ctx.recv::<u32>("n").await?);
    }
    Ok(all)
}

#[on_every_database]
async fn what_was_refused_can_be_deleted_or_replaced_in_its_place(db: TestDatabase) {
    let house = House::open(db, |b| b.workflow::<collects>()).await;
    let run = house.onward.start::<collects>(1).id("r").delay(mins(1)).await.unwrap();
    for text in ["one", "two"] {
        run.send("n", text).key(text).await.unwrap();
    }
    house.pass(mins(1)).await;
    let both = async || run.messages().await.unwrap().iter().filter(|it| it.refused.is_some()).count() == 2;
    house.until("both are refused", both).await;
    // What it waits for is recorded with the wait, which is opened when nothing is left to look at.
    let waits = async || run.describe().await.unwrap().reason.starts_with("waits for a message");
    house.until("it waits for another one", waits).await;
    let messages = run.messages().await.unwrap();
    let error = run.replace_message(messages[1].seq, "three").await.unwrap_err();
    assert!(error.message().contains("for a number: got \"three\""), "{error}");
    assert_eq!(run.messages().await.unwrap().len(), 2, "the old one stays");

    run.delete_message(messages[0].seq).await.unwrap();
    assert_eq!(run.delete_message(messages[0].seq).await.unwrap_err().code(), "unknown_message");
    assert_eq!(run.replace_message(messages[0].seq, &1).await.unwrap_err().code(), "unknown_message");
    let seq = run.replace_message(messages[1].seq, &2).await.unwrap();
    assert_eq!(house.done(run.result()).await.unwrap(), [2]);
    let error = run.delete_message(seq).await.unwrap_err();
    assert_eq!(
        (error.code(), error.message().ends_with("taken by its call at position 0")),
        ("message_taken", true),
        "{error}"
    );
    // Its key was that of the message before, and is used.
    run.send("n", 3).key("two").await.unwrap();
    assert_eq!(run.messages().await.unwrap(), []);
    let nobody = house.onward.handle_named("nobody");
    assert!(nobody.messages().await.unwrap_err().is_unknown_run());
    assert!(nobody.delete_message(1).await.unwrap_err().is_unknown_run());
}

#[on_every_database]
async fn a_message_that_waits_is_taken_back_while_nobody_executes_the_run(db: TestDatabase) {
    let house = House::open(db, |b| b.workflow::<collects>()).await;
    let run = house.onward.start::<collects>(3).id("r").delay(hours(1)).await.unwrap();
    for n in 1..=4 {
        run.send("n", n).await.unwrap();
    }
    let messages = run.messages().await.unwrap();
    run.delete_message(messages[0].seq).await.unwrap();
    run.replace_message(messages[1].seq, &20).await.unwrap();
    let shown: Vec<String> = run.messages().await.unwrap().iter().map(|message| message.body.to_string()).collect();
    assert_eq!(shown, ["20", "3", "4"], "it keeps its place");
    let first = onward::records::MessageFilter { limit: Some(1), ..onward::records::MessageFilter::untaken() };
    let second =
        onward::records::MessageFilter { after: run.list_messages(first.clone()).await.unwrap().next, ..first };
    let page = run.list_messages(second).await.unwrap();
    assert_eq!(page.items[0].body.as_str(), "3");
    assert_eq!(house.done(run.result()).await.unwrap(), [20, 3, 4]);
}

#[onward::workflow]
async fn works(ctx: &Ctx) -> Result<u32> {
    let gate = ctx.state::<std::sync::Arc<tokio::sync::Semaphore>>().clone();
    ctx.step("wait", async || Ok(gate.acquire().await.map(drop)?)).await?;
    Ok(ctx.recv("n").await?)
}

#[on_every_database]
async fn what_an_executor_may_be_taking_is_not_taken_back(db: TestDatabase) {
    let gate = std::sync::Arc::new(tokio::sync::Semaphore::new(0));
    let state = gate.clone();
    let house = House::open(db, move |b| b.workflow::<works>().state(state.clone())).await;
    let run = house.onward.start::<works>(()).id("r").await.unwrap();
    run.send("n", 7).await.unwrap();
    let seq = run.messages().await.unwrap()[0].seq;
    let error = run.delete_message(seq).await.unwrap_err();
    assert!(error.code() == "message_taken" && error.message().contains("pause the run"), "{error}");
    gate.add_permits(1);
    assert_eq!(house.done(run.result()).await.unwrap(), 7);
}

#[on_every_database]
async fn an_executor_that_is_lost_after_a_refusal_loses_neither_that_nor_what_comes_then(db: TestDatabase) {
    let mut house = House::open(db, |b| b.workflow::<collects>()).await;
    let run = house.onward.start::<collects>(2).id("r").delay(mins(1)).await.unwrap();
    run.send("n", "bad").await.unwrap();
    house.pass(mins(1)).await;
    let before = refused(&house, &run).await;
    house.lose_executor().await;
    let run = house.onward.handle::<collects>("r");
    run.send("n", 1).await.unwrap();
    house.until("it is taken", async || run.steps().await.unwrap().iter().any(|step| step.output.is_some())).await;
    house.lose_executor().await;
    let run = house.onward.handle::<collects>("r");
    assert_eq!(run.messages().await.unwrap(), [before]);
    run.send("n", 2).await.unwrap();
    assert_eq!(house.done(run.result()).await.unwrap(), [1, 2]);
}

mod old {
    use super::*;

    #[derive(Serialize, Deserialize)]
    pub(super) enum Decision {
        Ship,
    }

    #[onward::workflow(name = "deployed")]
    pub(super) async fn deployed(ctx: &Ctx) -> Result<u32> {
        match ctx.recv("decision").await? {
            Decision::Ship => Ok(ctx.recv("n").await?),
        }
    }
}

mod new {
    use super::*;

    #[derive(Serialize, Deserialize)]
    pub(super) enum Decision {
        Ship,
        Hold,
    }

    #[onward::workflow(name = "deployed")]
    pub(super) async fn deployed(ctx: &Ctx) -> Result<u32> {
        match ctx.recv("decision").await? {
            Decision::Ship => Ok(ctx.recv("n").await?),
            Decision::Hold => Ok(0),
        }
    }
}

#[on_every_database]
async fn other_code_looks_at_what_was_refused_before_it_looks_at_what_came_later(db: TestDatabase) {
    let mut house = House::open(db, |b| b).await;
    house.lose_executor_for(|b| b.workflow::<old::deployed>()).await;
    let run = house.onward.start::<old::deployed>(()).id("r").delay(mins(1)).await.unwrap();
    run.send("decision", &new::Decision::Hold).await.unwrap();
    house.pass(mins(1)).await;
    refused(&house, &run).await;
    house.until("it has left memory", async || house.onward.resident_runs() == 0).await;

    // Nobody sends anything: what was sent is enough.
    house.lose_executor_for(|b| b.workflow::<new::deployed>()).await;
    let run = house.onward.handle::<new::deployed>("r");
    assert_eq!(house.done(run.result()).await.unwrap(), 0);
}

#[on_every_database]
async fn what_other_code_waits_for_is_not_held_against_what_this_code_waited_for(db: TestDatabase) {
    let mut house = House::open(db, |b| b).await;
    house.lose_executor_for(|b| b.workflow::<old::deployed>()).await;
    let run = house.onward.start::<old::deployed>(()).id("r").await.unwrap();
    waits(&house, &run).await;
    assert_eq!(run.send("decision", &new::Decision::Hold).await.unwrap_err().code(), "invalid");
    house.until("it has left memory", async || house.onward.resident_runs() == 0).await;

    house.lose_executor_for(|b| b.workflow::<new::deployed>()).await;
    let run = house.onward.handle::<new::deployed>("r");
    run.send("decision", &new::Decision::Hold).await.unwrap();
    assert_eq!(house.done(run.result()).await.unwrap(), 0);
}

#[on_every_database]
async fn a_run_that_goes_on_elsewhere_says_what_it_waits_for_there(db: TestDatabase) {
    // Only what the lost executor had in memory does the next one load.
    let mut house = House::open(db, |b| b.park_after(days(1))).await;
    house.lose_executor_for(|b| b.workflow::<old::deployed>()).await;
    let run = house.onward.start::<old::deployed>(()).id("r").await.unwrap();
    waits(&house, &run).await;
    house.lose_executor_for(|b| b.workflow::<new::deployed>()).await;
    let run = house.onward.handle::<new::deployed>("r");
    let told = async || matches!(run.send("decision", "no").await, Err(error) if error.message().contains("\"Hold\""));
    house.until("the new form is known", told).await;
    run.send("decision", &new::Decision::Hold).await.unwrap();
    assert_eq!(house.done(run.result()).await.unwrap(), 0);
}

#[onward::workflow]
async fn passes_on(ctx: &Ctx, to: String) -> Result<()> {
    Ok(ctx.send(&to, "decision", "yes").await?)
}

#[on_every_database]
async fn a_run_that_sends_what_does_not_fit_goes_on_and_the_other_one_shows_it(db: TestDatabase) {
    let house = House::open(db, |b| b.workflows::<(decides, passes_on)>()).await;
    let run = house.onward.start::<decides>(()).id("order-3").await.unwrap();
    waits(&house, &run).await;
    let sender = house.onward.start::<passes_on>("order-3".to_owned()).await.unwrap();
    house.done(sender.result()).await.unwrap();
    assert!(refused(&house, &run).await.refused.unwrap().contains("expected `Ship` or `Refund`"));
}

/// A type whose `Deserialize` panics.
#[derive(Serialize)]
struct Panics;

impl<'de> Deserialize<'de> for Panics {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Panics, D::Error> {
        match u32::deserialize(deserializer)? {
            7 => Ok(Panics),
            n => panic!("{n} is not 7"),
        }
    }
}

#[onward::workflow]
async fn lucky(ctx: &Ctx) -> Result<()> {
    ctx.recv::<Panics>("n").await?;
    Ok(())
}

#[on_every_database]
async fn a_message_at_which_a_type_panics_is_refused(db: TestDatabase) {
    let house = House::open(db, |b| b.workflow::<lucky>()).await;
    let run = house.onward.start::<lucky>(()).await.unwrap();
    run.send("n", 6).await.unwrap();
    assert_eq!(refused(&house, &run).await.refused.as_deref(), Some("decoding it panicked: 6 is not 7"));
    run.send("n", 7).await.unwrap();
    house.done(run.result()).await.unwrap();
}

#[on_every_database]
async fn a_masked_field_is_hidden_in_messages_and_no_reason_quotes_a_value(db: TestDatabase) {
    let house = House::open(db, |b| b.workflow::<decides>()).await;
    let run = house.onward.start::<decides>(()).id("r").delay(mins(1)).await.unwrap();
    run.send("decision", serde_json::json!({"password": "hunter2"})).await.unwrap();
    run.send("decision", "hunter2").await.unwrap();
    house.pass(mins(1)).await;
    let both = async || run.messages().await.unwrap().iter().filter(|it| it.refused.is_some()).count() == 2;
    house.until("both are refused", both).await;
    let client = Client::connect_with(&house.db.url, house.clock.clone()).await.unwrap().mask(["password"]);
    let shown = client.handle_named("r").messages().await.unwrap();
    assert_eq!(shown[0].body.as_str(), r#"{"password":"***"}"#);
    assert!(shown.iter().all(|it| !it.refused.as_deref().unwrap().contains("hunter2")), "{shown:?}");
}

#[on_every_database]
async fn an_import_knows_what_was_refused(db: TestDatabase) {
    let house = House::open(db, |b| b.workflow::<decides>()).await;
    let run = house.onward.start::<decides>(()).id("r").delay(mins(1)).await.unwrap();
    run.send("decision", "yes").key("k").await.unwrap();
    house.pass(mins(1)).await;
    let before = refused(&house, &run).await;
    let file = run.export().await.unwrap();
    let copy = house.onward.import_as(&file, "copy").await.unwrap();
    let after = copy.messages().await.unwrap().remove(0);
    assert_eq!((after.refused, after.refused_at, after.key), (before.refused, before.refused_at, before.key));
    copy.replace_message(after.seq, &Decision::Ship).await.unwrap();
    copy.resume().await.unwrap();
    assert_eq!(house.done(copy.result()).await.unwrap(), "Ship");
}
