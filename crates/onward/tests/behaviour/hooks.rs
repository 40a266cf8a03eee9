//! Hooks: tokens by which the world outside reaches a run.

use std::time::Duration;

use onward::prelude::*;
use onward::records::HookState;
use onward_testkit::{TestDatabase, on_every_database};

use crate::house::{House, Log};

/// Takes `n` payloads from the hook that has a token.
#[onward::workflow]
async fn takes(ctx: &Ctx, token: String, n: usize) -> Result<Vec<u32>> {
    let hook = ctx.hook::<u32>().token(token).await?;
    let mut all = Vec::new();
    for _ in 0..n {
        all.push(hook.recv().await?);
        ctx.step("work", async || Ok(ctx.state::<Log>().ran("work"))).await?;
    }
    Ok(all)
}

/// Opened for as long as it sleeps.
#[onward::workflow]
async fn opens(ctx: &Ctx, token: String) -> Result<String> {
    match ctx.hook::<u32>().token(token).await {
        Ok(hook) => {
            ctx.sleep(days(1)).await?;
            Ok(hook.token().to_owned())
        }
        Err(conflict) => Ok(format!("{}: {}", conflict.code(), conflict.message())),
    }
}

async fn is_open(house: &House, id: &str) -> bool {
    let steps = house.onward.handle_named(id).steps().await.unwrap();
    steps.first().is_some_and(|step| step.output.is_some())
}

#[onward::workflow]
async fn opens_then_sleeps(ctx: &Ctx) -> Result<Vec<String>> {
    let hook = ctx.hook::<String>().token("parcel").await?;
    ctx.sleep(hours(1)).await?;
    Ok(vec![hook.recv().await?, hook.recv().await?, hook.recv().await?])
}

#[on_every_database]
async fn payloads_come_in_order_those_from_before_anyone_waits_too(db: TestDatabase) {
    let house = House::open(db, |b| b.workflow::<opens_then_sleeps>()).await;
    let run = house.onward.start::<opens_then_sleeps>(()).id("p").await.unwrap();
    house.until("the hook is open", async || is_open(&house, "p").await).await;
    for payload in ["packed", "sent", "there"] {
        let reached = house.onward.resume_hook("parcel", payload).await.unwrap().run;
        assert_eq!(reached.as_str(), "p");
    }
    assert_eq!(house.done(run.result()).await.unwrap(), ["packed", "sent", "there"]);
}

#[on_every_database]
async fn a_parked_run_is_woken_by_a_payload_from_another_process(db: TestDatabase) {
    let house = House::open(db, |b| b.workflow::<takes>()).await;
    let run = house.onward.start::<takes>(("t".into(), 1)).await.unwrap();
    house.until("it has left memory", async || house.onward.resident_runs() == 0).await;
    assert_eq!(run.describe().await.unwrap().reason, "waits for a payload to the hook `t`");
    assert_eq!(run.wake_up().await.unwrap().sleeps, 0, "a hook is no sleep");
    let client = Client::connect_with(&house.db.url, house.clock.clone()).await.unwrap();
    client.resume_hook("t", 7).await.unwrap();
    assert_eq!(house.done(run.result()).await.unwrap(), [7]);
}

#[on_every_database]
async fn each_payload_is_taken_once_when_executors_are_lost(db: TestDatabase) {
    let mut house = House::open(db, |b| b.workflow::<takes>()).await;
    house.onward.start::<takes>(("t".into(), 3)).id("r").await.unwrap();
    house.until("the hook is open", async || is_open(&house, "r").await).await;
    for n in 0..3_usize {
        house.onward.resume_hook("t", n).await.unwrap();
        house.until("it was taken", async || house.log.count("work") == n + 1).await;
        let run = house.onward.handle_named("r");
        house.until("it is recorded", async || run.steps().await.unwrap().len() >= 2 * n + 3).await;
        house.lose_executor().await;
    }
    let run = house.onward.handle::<takes>("r");
    assert_eq!(house.done(run.result()).await.unwrap(), [0, 1, 2]);
    assert_eq!(house.log.count("work"), 3);
}

#[onward::workflow]
async fn shows_its_token(ctx: &Ctx) -> Result<Vec<String>> {
    let hook = ctx.hook::<String>().await?;
    ctx.set_event("token", hook.token()).await?;
    Ok(vec![hook.token().to_owned(), hook.recv().await?])
}

#[on_every_database]
async fn a_token_that_nobody_chose_is_made_once_and_cannot_be_guessed(db: TestDatabase) {
    let mut house = House::open(db, |b| b.workflow::<shows_its_token>()).await;
    let other = house.onward.start::<shows_its_token>(()).await.unwrap();
    let run = house.onward.start::<shows_its_token>(()).id("r").await.unwrap();
    let token = house.done(run.get_event::<String>("token").timeout(days(36_500))).await.unwrap().unwrap();
    assert_eq!(token.len(), 32);
    assert_ne!(house.done(other.get_event::<String>("token").timeout(days(36_500))).await.unwrap().unwrap(), token);
    house.lose_executor().await;
    house.onward.resume_hook(&token, "hello").await.unwrap();
    let run = house.onward.handle::<shows_its_token>("r");
    assert_eq!(house.done(run.result()).await.unwrap(), [token, "hello".to_owned()]);
}

#[on_every_database]
async fn a_token_that_is_held_is_a_conflict_that_names_the_holder_and_leaves_it_alone(db: TestDatabase) {
    let house = House::open(db, |b| b.workflows::<(takes, opens)>()).await;
    let holder = house.onward.start::<takes>(("t".into(), 1)).id("holder").await.unwrap();
    house.until("the hook is open", async || is_open(&house, "holder").await).await;
    let second = house.onward.start::<opens>("t".into()).await.unwrap();
    let refused = house.done(second.result()).await.unwrap();
    assert_eq!(refused, "token_taken: the token `t` belongs to run `holder`: choose another token, or end that run");
    house.onward.resume_hook("t", 1).await.unwrap();
    assert_eq!(house.done(holder.result()).await.unwrap(), [1]);
}

#[on_every_database]
async fn of_eight_runs_that_want_one_token_at_once_one_gets_it(db: TestDatabase) {
    let house = House::open(db, |b| b.workflow::<opens>()).await;
    let mut runs = Vec::new();
    for _ in 0..8 {
        runs.push(house.onward.start::<opens>("t".into()).await.unwrap());
    }
    let mut got = Vec::new();
    for run in &runs {
        got.push(house.done(run.result()).await.unwrap());
    }
    assert_eq!(got.iter().filter(|got| *got == "t").count(), 1, "{got:?}");
    let winner = runs.iter().zip(&got).find(|(_, got)| *got == "t").unwrap().0.id();
    let names_it = |got: &&String| got.starts_with("token_taken: ") && got.contains(&format!("`{winner}`"));
    assert_eq!(got.iter().filter(names_it).count(), 7, "{got:?}");
}

#[onward::workflow]
async fn opens_and_fails(ctx: &Ctx) -> Result<()> {
    let hook = ctx.hook::<u32>().token("t").await?;
    Err(format!("{} is of no use", hook.token()).into())
}

#[on_every_database]
async fn when_a_run_has_ended_however_its_token_is_free_and_who_sends_to_it_is_told(db: TestDatabase) {
    let mut house = House::open(db, |b| b.workflows::<(takes, opens, opens_and_fails)>()).await;
    let gone = async |house: &House, run: &str, how: &str| {
        let error = house.onward.resume_hook("t", 1).await.unwrap_err();
        assert_eq!(error.code(), "gone");
        let says = format!("run `{run}`, which had the token `t`, has ended ({how}) and takes no more payloads");
        assert_eq!(error.message(), says);
    };
    let fails = house.onward.start::<opens_and_fails>(()).id("fails").await.unwrap();
    house.done(fails.result()).await.unwrap_err();
    gone(&house, "fails", "failed").await;

    let succeeds = house.onward.start::<opens>("t".into()).id("succeeds").await.unwrap();
    assert_eq!(house.done(succeeds.result()).await.unwrap(), "t");
    gone(&house, "succeeds", "succeeded").await;

    let cancelled = house.onward.start::<opens>("t".into()).id("cancelled").await.unwrap();
    house.until("the hook is open", async || is_open(&house, "cancelled").await).await;
    cancelled.cancel().await.unwrap();
    gone(&house, "cancelled", "cancelled").await;

    house.onward.start::<takes>(("t".into(), 1)).id("last").await.unwrap();
    house.until("the hook is open", async || is_open(&house, "last").await).await;
    house.lose_executor().await;
    assert_eq!(house.onward.resume_hook("t", 3).await.unwrap().run.as_str(), "last");
    assert_eq!(house.done(house.onward.handle::<takes>("last").result()).await.unwrap(), [3]);
}

#[onward::workflow]
async fn closes_and_opens_again(ctx: &Ctx) -> Result<Vec<u32>> {
    let hook = ctx.hook::<u32>().token("t").await?;
    ctx.sleep(hours(1)).await?;
    let first = hook.recv().await?;
    hook.close();
    ctx.sleep(hours(1)).await?;
    let again = ctx.hook::<u32>().token("t").await?;
    Ok(vec![first, again.recv().await?])
}

#[on_every_database]
async fn a_closed_hook_is_unknown_and_who_opens_it_again_gets_nothing_from_before(db: TestDatabase) {
    let mut house = House::open(db, |b| b.workflow::<closes_and_opens_again>()).await;
    let run = house.onward.start::<closes_and_opens_again>(()).id("r").await.unwrap();
    house.until("the hook is open", async || is_open(&house, "r").await).await;
    for payload in [1, 2] {
        house.onward.resume_hook("t", payload).await.unwrap();
    }
    house.pass(hours(1)).await;
    house.until("it is closed", async || run.steps().await.unwrap().len() == 4).await;
    let unknown = house.onward.resume_hook("t", 3).await.unwrap_err();
    assert_eq!(unknown.code(), "unknown_hook");
    house.lose_executor().await;
    house.pass(hours(1)).await;
    let run = house.onward.handle::<closes_and_opens_again>("r");
    house.until("it is open again", async || run.steps().await.unwrap().len() == 6).await;
    house.lose_executor().await;
    house.onward.resume_hook("t", 4).await.unwrap();
    let run = house.onward.handle::<closes_and_opens_again>("r");
    assert_eq!(house.done(run.result()).await.unwrap(), [1, 4]);
}

#[onward::workflow]
async fn waits_an_hour(ctx: &Ctx) -> Result<(Option<u32>, Option<u32>)> {
    let hook = ctx.hook::<u32>().token("t").await?;
    let first = hook.recv().timeout(hours(1)).await?;
    // A race that the hook loses takes nothing from it.
    if let Either::Left(early) = ctx.select((hook.recv(), ctx.sleep(mins(1)))).await? {
        return Err(format!("{early} came too early").into());
    }
    ctx.sleep(days(1)).await?;
    Ok((first, hook.recv().timeout(hours(1)).await?))
}

#[on_every_database]
async fn a_hook_may_be_waited_for_with_a_timeout_and_in_a_race(db: TestDatabase) {
    let mut house = House::open(db, |b| b.workflow::<waits_an_hour>()).await;
    let run = house.onward.start::<waits_an_hour>(()).id("r").await.unwrap();
    // The hour counts from the wait that is recorded.
    house.until("it waits", async || run.steps().await.unwrap().len() == 2).await;
    house.lose_executor().await;
    house.pass(hours(1)).await;
    house.until("it sleeps for long", async || run.steps().await.unwrap().iter().any(|step| step.position == 4)).await;
    house.onward.resume_hook("t", 5).await.unwrap();
    let run = house.onward.handle::<waits_an_hour>("r");
    assert_eq!(house.done(run.result()).await.unwrap(), (None, Some(5)));
}

#[on_every_database]
async fn the_same_key_is_the_same_payload(db: TestDatabase) {
    let house = House::open(db, |b| b.workflow::<takes>()).await;
    let run = house.onward.start::<takes>(("t".into(), 2)).id("r").await.unwrap();
    house.until("the hook is open", async || is_open(&house, "r").await).await;
    for (payload, key) in [(1, "k"), (2, "k"), (3, "l")] {
        house.onward.resume_hook("t", payload).key(key).await.unwrap();
    }
    assert_eq!(house.done(run.result()).await.unwrap(), [1, 3]);
}

#[onward::workflow]
async fn takes_from_three(ctx: &Ctx) -> Result<(u32, u32, u32)> {
    let (one, two) = (ctx.hook::<u32>().token("one").await?, ctx.hook::<u32>().token("two").await?);
    Ok((one.recv().await?, two.recv().await?, ctx.recv("topic").await?))
}

#[on_every_database]
async fn one_key_is_another_one_at_each_hook_and_for_a_message(db: TestDatabase) {
    let house = House::open(db, |b| b.workflow::<takes_from_three>()).await;
    let run = house.onward.start::<takes_from_three>(()).id("r").await.unwrap();
    house.until("both hooks are open", async || run.hooks().await.unwrap().len() == 2).await;
    run.send("topic", 3).key("k").await.unwrap();
    house.onward.resume_hook("two", 2).key("k").await.unwrap();
    house.onward.resume_hook("one", 1).key("k").await.unwrap();
    assert_eq!(house.done(run.result()).await.unwrap(), (1, 2, 3));
}

#[onward::workflow]
async fn opens_what_cannot_be(ctx: &Ctx) -> Result<Vec<String>> {
    let mut codes = Vec::new();
    for token in [String::new(), "a\0b".into(), "x".repeat(513)] {
        codes.push(ctx.hook::<()>().token(token).await.unwrap_err().code().to_owned());
    }
    let longest = ctx.hook::<()>().token("x".repeat(512)).await?;
    codes.push(longest.recv().timeout(secs(1)).await?.is_none().to_string());
    let nested = ctx.step("outer", async || Ok(ctx.hook::<()>().await.unwrap_err().code().to_owned()));
    codes.push(nested.await?);
    Ok(codes)
}

#[on_every_database]
async fn a_token_that_cannot_be_is_an_error_and_loses_nothing(db: TestDatabase) {
    let house = House::open(db, |b| b.workflow::<opens_what_cannot_be>()).await;
    let run = house.onward.start::<opens_what_cannot_be>(()).await.unwrap();
    let codes = house.done(run.result()).await.unwrap();
    assert_eq!(codes, ["invalid", "invalid", "invalid", "true", "nested"]);
    assert_eq!(house.onward.resume_hook("nobody's", 1).await.unwrap_err().code(), "unknown_hook");
    assert_eq!(house.onward.resume_hook("", 1).await.unwrap_err().code(), "invalid");
    assert_eq!(house.onward.resume_hook("nobody's", 1).key("").await.unwrap_err().code(), "invalid");
}

#[on_every_database]
async fn the_hooks_of_a_run_are_listed_open_and_closed(db: TestDatabase) {
    let mut house = House::open(db, |b| b.workflows::<(closes_and_opens_again, opens)>()).await;
    let shown = async |house: &House, id: &str| -> Vec<(u32, String, HookState)> {
        let hooks = house.onward.handle_named(id).hooks().await.unwrap();
        hooks.into_iter().map(|hook| (hook.position, hook.token, hook.state)).collect()
    };
    let of = |all: &[(u32, HookState)]| all.iter().map(|(at, state)| (*at, "t".to_owned(), *state)).collect::<Vec<_>>();
    let run = house.onward.start::<closes_and_opens_again>(()).id("r").await.unwrap();
    house.until("the hook is open", async || is_open(&house, "r").await).await;
    assert_eq!(shown(&house, "r").await, of(&[(0, HookState::Open)]));
    let opened_at = run.hooks().await.unwrap()[0].opened_at;
    assert!(opened_at >= run.describe().await.unwrap().created_at && opened_at <= house.clock.now());
    house.onward.resume_hook("t", 1).await.unwrap();
    house.pass(hours(1)).await;
    house.until("it is closed", async || run.steps().await.unwrap().len() == 4).await;
    assert_eq!(shown(&house, "r").await, of(&[(0, HookState::Closed)]));
    house.lose_executor().await;
    house.pass(hours(1)).await;
    let run = house.onward.handle::<closes_and_opens_again>("r");
    house.until("it is open again", async || run.steps().await.unwrap().len() == 6).await;
    assert_eq!(shown(&house, "r").await, of(&[(0, HookState::Closed), (4, HookState::Open)]));
    run.cancel().await.unwrap();
    assert_eq!(shown(&house, "r").await, of(&[(0, HookState::Closed), (4, HookState::Closed)]));
    // Another run has the token now; that this one had it stays known.
    house.onward.start::<opens>("t".into()).id("o").await.unwrap();
    house.until("the hook is open", async || is_open(&house, "o").await).await;
    assert_eq!(shown(&house, "o").await, of(&[(0, HookState::Open)]));
    assert_eq!(shown(&house, "r").await, of(&[(0, HookState::Closed), (4, HookState::Closed)]));
    assert!(house.onward.handle_named("nobody").hooks().await.unwrap_err().is_unknown_run());
}

/// Loses the race for each hook while it is being opened, and goes on for long.
#[onward::workflow]
async fn loses_races(ctx: &Ctx, tokens: Vec<String>) -> Result<()> {
    for token in tokens {
        if let Either::Left(hook) = ctx.select((ctx.hook::<u32>().token(token), ctx.sleep(secs(0)))).await? {
            return Err(format!("{} was opened in no time", hook.token()).into());
        }
    }
    Ok(ctx.sleep(days(300)).await?)
}

#[onward::workflow]
async fn opens_all(ctx: &Ctx, tokens: Vec<String>) -> Result<()> {
    let mut open = Vec::new();
    for token in tokens {
        open.push(ctx.hook::<u32>().token(token).await?);
    }
    Ok(())
}

#[on_every_database]
async fn a_hook_whose_opening_lost_a_race_holds_no_token(db: TestDatabase) {
    let house = House::open(db, |b| b.workflows::<(loses_races, opens_all)>()).await;
    let tokens: Vec<String> = (0..40).map(|n| format!("t-{n}")).collect();
    let run = house.onward.start::<loses_races>(tokens.clone()).await.unwrap();
    house.until("it sleeps", async || run.describe().await.unwrap().reason.contains("sleeps")).await;
    let all = house.onward.start::<opens_all>(tokens).await.unwrap();
    // No leaps: the run sleeps for some time only.
    house.until("all are opened", async || all.status().await.unwrap().is_terminal()).await;
    all.result().await.unwrap();
    assert!(!run.status().await.unwrap().is_terminal());
}

#[onward::workflow]
async fn is_ready_twice_at_once(ctx: &Ctx) -> Result<()> {
    // While the body keeps the thread, the hook is opened elsewhere: the next poll finds both done.
    let slow = ctx.step("slow", async || {
        tokio::task::yield_now().await;
        onward_testkit::hold_thread(Duration::from_millis(100));
        Ok(())
    });
    if let Either::Right(_) = ctx.select((slow, ctx.hook::<u32>().token("t"))).await? {
        return Err("the step came first".into());
    }
    Ok(ctx.sleep(days(300)).await?)
}

#[on_every_database]
async fn a_hook_that_was_opened_when_it_lost_a_race_is_closed(db: TestDatabase) {
    let house = House::open(db, |b| b.workflows::<(is_ready_twice_at_once, opens_all)>()).await;
    let run = house.onward.start::<is_ready_twice_at_once>(()).await.unwrap();
    house.until("it sleeps", async || run.describe().await.unwrap().reason.contains("sleeps")).await;
    let other = house.onward.start::<opens_all>(vec!["t".to_owned()]).await.unwrap();
    house.done(other.result()).await.unwrap();
}

/// Has a token, in a transaction that ends without it.
#[onward::workflow]
async fn holds_for_a_while(ctx: &Ctx, token: String) -> Result<bool> {
    let held = ctx.transaction("hold", async |tx| {
        let insert = "insert into hooks (token, run_key, position, opened_at) values ($1, gen_random_uuid(), 0, 0)";
        tx.execute(insert, (token.clone(),)).await?;
        ctx.state::<Log>().ran("held");
        while ctx.state::<Log>().count("let go") == 0 {
            onward_testkit::between_looks().await;
        }
        Err::<(), _>("that was all".into())
    });
    Ok(held.await.is_err())
}

#[onward::workflow]
async fn waits_a_minute_for_a_hook(ctx: &Ctx) -> Result<bool> {
    let lost = matches!(ctx.select((ctx.hook::<u32>().token("t"), ctx.sleep(mins(1)))).await?, Either::Right(()));
    ctx.state::<Log>().ran("lost");
    ctx.sleep(days(300)).await?;
    Ok(lost)
}

/// Until a session of the database waits for a lock that another one holds.
async fn until_a_session_waits_for_another(house: &House) {
    let session = crate::leases::session(&house.db.url).await;
    let waits = "select 1 from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'";
    let one_waits = async || session.query_opt(waits, &[]).await.unwrap().is_some();
    house.becomes("a session waits for another", one_waits).await;
}

#[on_every_database(
    only = "postgres",
    because = "SQLite has one writer, and nobody opens anything beside a transaction"
)]
async fn a_hook_that_is_opened_after_its_race_was_lost_is_closed_all_the_same(db: TestDatabase) {
    let house = House::open(db, |b| b.workflows::<(holds_for_a_while, waits_a_minute_for_a_hook, opens)>()).await;
    // The clock stands still meanwhile: with its seat the executor would lose the transaction that holds the token.
    let holds = house.onward.start::<holds_for_a_while>("t".into()).await.unwrap();
    house.becomes("the token is held", async || house.log.count("held") == 1).await;
    let run = house.onward.start::<waits_a_minute_for_a_hook>(()).id("r").await.unwrap();
    house.becomes("it waits", async || run.describe().await.unwrap().reason.contains("sleeps")).await;
    until_a_session_waits_for_another(&house).await;
    house.pass(mins(2)).await;
    house.becomes("the race is lost", async || house.log.count("lost") == 1).await;
    house.log.ran("let go");
    assert!(house.done(holds.result()).await.unwrap());
    house.until("it sleeps for long", async || run.steps().await.unwrap().iter().any(|step| step.position == 2)).await;
    let other = house.onward.start::<opens>("t".into()).await.unwrap();
    assert_eq!(house.done(other.result()).await.unwrap(), "t");
}

#[onward::workflow]
async fn puts_back(ctx: &Ctx, token: String, run: String) -> Result<u64> {
    let put = ctx.transaction("put", async |tx| {
        let insert =
            "insert into hooks (token, run_key, position, opened_at) select $1, run_key, 0, 0 from runs where id = $2";
        Ok(tx.execute(insert, (token.clone(), run.clone())).await?)
    });
    Ok(put.await?)
}

#[on_every_database]
async fn a_lost_hook_whose_close_was_lost_in_a_crash_is_closed_by_the_replay(db: TestDatabase) {
    let mut house = House::open(db, |b| b.workflows::<(loses_races, puts_back)>().park_after(days(1))).await;
    let run = house.onward.start::<loses_races>(vec!["t".into()]).id("r").await.unwrap();
    house.until("it sleeps", async || run.steps().await.unwrap().len() == 2).await;
    assert_eq!(run.hooks().await.unwrap(), []);
    let put = house.onward.start::<puts_back>(("t".into(), "r".into())).await.unwrap();
    // The clock stands still: a run that is parked would not be replayed.
    house.becomes("it is put back", async || put.status().await.unwrap().is_terminal()).await;
    assert_eq!(put.result().await.unwrap(), 1);
    assert_eq!(run.hooks().await.unwrap().len(), 1, "as a crash between the opening and the close leaves it");
    house.lose_executor().await;
    let run = house.onward.handle::<loses_races>("r");
    house.until("it is closed", async || run.hooks().await.unwrap().is_empty()).await;
    assert!(!run.status().await.unwrap().is_terminal());
}
