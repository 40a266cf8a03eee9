//! Pages of what one run has, and of schedules and executors: one shape for all of them.

use onward::prelude::*;
use onward::records::{HookFilter, InboxFilter, MessageFilter, Paging, StepFilter};
use onward::{Page, Tick};
use onward_testkit::{TestDatabase, on_every_database};

use crate::house::House;

#[onward::workflow]
async fn talks(ctx: &Ctx) -> Result<()> {
    for n in 0..5_u32 {
        ctx.set_event(format!("event-{n}"), n).await?;
        ctx.stream(format!("stream-{n}")).append(n).await?;
        ctx.step("count", async || Ok(n)).await?;
    }
    let _hooks = (ctx.hook::<u32>().token("token-b").await?, ctx.hook::<u32>().token("token-a").await?);
    Ok(ctx.sleep(days(300)).await?)
}

#[onward::workflow]
async fn report(_: &Ctx, _: Tick) -> Result<()> {
    Ok(())
}

/// Reads pages of two to the end and back, and returns what was seen on the way there.
async fn there_and_back<T>(
    read: impl AsyncFn(Paging) -> Result<Page<T>, Error>,
    name: impl Fn(&T) -> String,
) -> Vec<String> {
    let names = |page: &Page<T>| page.items.iter().map(&name).collect::<Vec<_>>();
    let few = Paging { limit: Some(2), ..Paging::default() };
    let mut page = read(few.clone()).await.unwrap();
    assert!(page.previous.is_none());
    let mut pages = vec![names(&page)];
    while let Some(next) = page.next {
        page = read(Paging { after: Some(next), ..few.clone() }).await.unwrap();
        pages.push(names(&page));
    }
    let there = pages.concat();
    pages.pop();
    while let Some(previous) = page.previous {
        page = read(Paging { before: Some(previous), ..few.clone() }).await.unwrap();
        assert_eq!(Some(names(&page)), pages.pop(), "the same page on the way back");
    }
    assert!(pages.is_empty(), "{pages:?}");
    there
}

#[on_every_database]
async fn everything_that_a_run_has_is_read_in_pages_in_both_directions(db: TestDatabase) {
    let house = House::open(db, |b| b.workflow::<talks>()).await;
    let run = house.onward.start::<talks>(()).await.unwrap();
    for n in 0..5_u32 {
        run.send("topic", n).await.unwrap();
    }
    house.becomes("it sleeps", async || run.steps().await.unwrap().len() == 18).await;
    let numbered = |what: &str| (0..5).map(|n| format!("{what}-{n}")).collect::<Vec<_>>();
    let events = there_and_back(async |paging| run.list_events(paging).await, |event| event.key.clone()).await;
    assert_eq!(events, numbered("event"));
    let streams = there_and_back(async |paging| run.list_streams(paging).await, |stream| stream.key.clone()).await;
    assert_eq!(streams, numbered("stream"));
    let hooks = there_and_back(async |paging| run.list_hooks(paging).await, |hook| hook.token.clone()).await;
    assert_eq!(hooks, ["token-b", "token-a"], "in the order in which they were opened");
    let messages = async |Paging { limit, after, before }| {
        run.list_messages(MessageFilter { limit, after, before, ..MessageFilter::untaken() }).await
    };
    let messages = there_and_back(messages, |it| it.body.to_string()).await;
    assert_eq!(messages, ["0", "1", "2", "3", "4"]);
    let steps = async |names: Vec<String>, paging: Paging| {
        let Paging { limit, after, before } = paging;
        run.list_steps(StepFilter { names, limit, after, before, ..StepFilter::default() }).await
    };
    let position = |step: &onward::records::StepRecord| step.position.to_string();
    let all = there_and_back(async |paging| steps(Vec::new(), paging).await, position).await;
    assert_eq!(all, (0..18).map(|n| n.to_string()).collect::<Vec<_>>());
    let counts = there_and_back(async |paging| steps(vec!["count".into()], paging).await, position).await;
    assert_eq!(counts, ["2", "5", "8", "11", "14"], "only steps of that name");
    let nobody = there_and_back(async |paging| steps(vec!["\0".into()], paging).await, position).await;
    assert!(nobody.is_empty());
    let cursor = run.list_events(Paging { limit: Some(1), ..Paging::default() }).await.unwrap().next;
    let other = run.list_streams(Paging { after: cursor, ..Paging::default() }).await.unwrap_err();
    assert_eq!(other.code(), "invalid", "a cursor of another list");
}

#[on_every_database]
async fn schedules_and_executors_are_read_in_pages(db: TestDatabase) {
    let house = House::open(db, |b| b.workflow::<report>()).await;
    for id in ["c", "a", "b"] {
        house.onward.schedule::<report>("@daily").id(id).await.unwrap();
    }
    let schedules = there_and_back(async |paging| house.onward.list_schedules(paging).await, |it| it.id.clone()).await;
    assert_eq!(schedules, ["a", "b", "c"]);
    let executors =
        there_and_back(async |paging| house.onward.list_executors(paging).await, |it| it.id.to_string()).await;
    assert_eq!(executors, [house.onward.executor_id().to_string()]);
}

#[onward::workflow]
async fn asks(ctx: &Ctx, n: u32) -> Result<bool> {
    let hook = ctx.hook::<bool>().token(format!("token-{n}")).from_person(format!("Answer {n}")).await?;
    Ok(hook.recv().await?)
}

#[on_every_database]
async fn what_waits_for_people_and_open_hooks_are_read_in_pages_in_both_directions(db: TestDatabase) {
    let house = House::open(db, |b| b.workflow::<asks>()).await;
    for n in 0..5_u32 {
        house.onward.start::<asks>(n).id(format!("run-{n}")).await.unwrap();
        let waits = async || house.onward.inbox(InboxFilter::default()).await.unwrap().items.len() > n as usize;
        house.becomes("one more waits", waits).await;
    }
    for oldest_first in [true, false] {
        let mut tokens: Vec<String> = (0..5).map(|n| format!("token-{n}")).collect();
        let mut titles: Vec<String> = (0..5).map(|n| format!("Answer {n}")).collect();
        if !oldest_first {
            tokens.reverse();
            titles.reverse();
        }
        let hooks = async |Paging { limit, after, before }| {
            house.onward.hooks(HookFilter { oldest_first, limit, after, before, ..HookFilter::default() }).await
        };
        assert_eq!(there_and_back(hooks, |open| open.hook.token.clone()).await, tokens);
        let inbox = async |Paging { limit, after, before }| {
            house.onward.inbox(InboxFilter { oldest_first, limit, after, before, ..InboxFilter::default() }).await
        };
        assert_eq!(there_and_back(inbox, |item| item.request().unwrap().title.clone()).await, titles);
    }
    let run = Some(onward::RunId::new("run-3").unwrap());
    let of_one = async |Paging { limit, after, before }| {
        house.onward.inbox(InboxFilter { run: run.clone(), limit, after, before, ..InboxFilter::default() }).await
    };
    assert_eq!(there_and_back(of_one, |item| item.request().unwrap().title.clone()).await, ["Answer 3"]);
    let next = house.onward.inbox(InboxFilter { limit: Some(1), ..InboxFilter::default() }).await.unwrap().next;
    let hooks = HookFilter { after: next.clone(), ..HookFilter::default() };
    assert_eq!(house.onward.hooks(hooks).await.unwrap_err().code(), "invalid", "a cursor of another list");
    let both = InboxFilter { after: next.clone(), before: next, ..InboxFilter::default() };
    assert_eq!(house.onward.inbox(both).await.unwrap_err().code(), "invalid");
}
