//! Waits for people: marked, shown with what there is to do, and listed over all runs.

use onward::Filter;
use onward::prelude::*;
use onward::records::{
    HookFilter, InboxFilter, MessageFilter, MessageState, PersonRequest, StepKind, WaitFor, WaitsFor,
};
use onward_testkit::{TestDatabase, on_every_database};

use crate::house::House;

#[onward::workflow]
async fn expense(ctx: &Ctx, n: u32) -> Result<bool> {
    let schema = serde_json::json!({"type": "boolean"});
    let request = PersonRequest::new(format!("Approve expense {n}")).schema(schema);
    Ok(ctx.recv("approval").from_person(request).timeout(days(14)).await?.unwrap_or(false))
}

#[onward::workflow]
async fn invite(ctx: &Ctx, token: String) -> Result<bool> {
    let hook = ctx.hook::<bool>().token(token).from_person("Accept the invitation").await?;
    Ok(hook.recv().await?)
}

#[onward::workflow]
async fn mixed(ctx: &Ctx) -> Result<()> {
    let person = ctx.recv::<bool>("approval").from_person("Approve");
    futures_util::future::try_join(person, ctx.recv::<bool>("payment")).await?;
    Ok(())
}

/// Asks in each of two generations, at the same hook.
#[onward::workflow]
async fn asks_twice(ctx: &Ctx, n: u32) -> Result<bool> {
    let hook = ctx.hook::<bool>().token("ask").from_person(format!("Answer {n}")).await?;
    let answer = hook.recv().await?;
    if n < 2 { Ok(ctx.continue_with(n + 1).await?) } else { Ok(answer) }
}

#[onward::workflow]
async fn gate(ctx: &Ctx) -> Result<()> {
    let hook = ctx.hook::<bool>().token("gate").await?;
    hook.recv().await?;
    Ok(())
}

async fn house(db: TestDatabase) -> House {
    House::open(db, |b| b.workflow::<expense>().workflow::<invite>().workflow::<mixed>().workflow::<gate>()).await
}

async fn asks(house: &House, id: &str) {
    let run = house.onward.handle_named(id);
    house.becomes("a person is wanted", async || run.describe().await.unwrap().why.person.is_some()).await;
}

async fn inbox(house: &House, filter: InboxFilter) -> Vec<String> {
    let listed = house.onward.inbox(filter).await.unwrap();
    listed.items.iter().map(|item| format!("{}: {}", item.run, item.request().unwrap().title)).collect()
}

#[on_every_database]
async fn a_wait_for_a_person_is_shown_with_what_there_is_to_do(db: TestDatabase) {
    let house = house(db).await;
    let run = house.onward.start::<expense>(17).id("e17").await.unwrap();
    asks(&house, "e17").await;
    let record = run.describe().await.unwrap();
    assert!(record.waits_for_person());
    assert_eq!(record.status.retab(record.waits_for_person()), "waiting_for_human");
    let sentence = "waits for a person: Approve expense 17 (a message on topic `approval` until 2026-01-15T00:00:00Z)";
    assert_eq!(record.reason, sentence);
    let person = record.waits[0].person.as_ref().unwrap();
    assert_eq!(
        (person.title.as_str(), person.schema.as_ref()),
        ("Approve expense 17", Some(&serde_json::json!({"type": "boolean"})))
    );
    assert_eq!(run.steps().await.unwrap()[0].person.as_ref(), Some(person));
    house.pass(hours(2)).await;
    run.send("approval", true).await.unwrap();
    assert!(house.done(run.result()).await.unwrap());
    let step = run.steps().await.unwrap().remove(0);
    assert_eq!(step.person.as_ref(), Some(person), "it is kept, so that the time of people can be added up");
    let took = step.finished_at.unwrap().duration_since(step.started_at.unwrap());
    assert!(took.as_secs() >= 2 * 3_600, "{took}");
    assert!(!run.describe().await.unwrap().waits_for_person());
    assert_eq!(inbox(&house, InboxFilter::default()).await, Vec::<String>::new());
}

#[on_every_database]
async fn an_answer_that_is_there_already_leaves_the_mark(db: TestDatabase) {
    let house = house(db).await;
    let run = house.onward.start::<expense>(1).id("e1").delay(hours(1)).await.unwrap();
    run.send("approval", true).await.unwrap();
    assert!(house.done(run.result()).await.unwrap());
    let steps = run.steps().await.unwrap();
    assert_eq!(steps[0].person.as_ref().map(|person| person.title.as_str()), Some("Approve expense 1"));
}

#[on_every_database]
async fn a_run_waits_for_a_person_only_if_all_that_it_waits_for_are_people(db: TestDatabase) {
    let house = house(db).await;
    let run = house.onward.start::<mixed>(()).id("m").await.unwrap();
    house.becomes("both wait", async || run.describe().await.unwrap().waits.len() == 2).await;
    assert!(!run.describe().await.unwrap().waits_for_person(), "it waits for a payment, too");
    run.send("payment", true).await.unwrap();
    house.becomes("the payment is taken", async || run.describe().await.unwrap().waits.len() == 1).await;
    assert!(run.describe().await.unwrap().waits_for_person());
}

#[on_every_database]
async fn a_hook_for_a_person_marks_what_is_received_at_it(db: TestDatabase) {
    let house = house(db).await;
    let run = house.onward.start::<invite>("ada".into()).id("i").await.unwrap();
    asks(&house, "i").await;
    let record = run.describe().await.unwrap();
    assert!(record.waits_for_person());
    assert!(matches!(&record.waits[0].wait_for, WaitFor::Hook { token, .. } if token == "ada"));
    let hook = run.hooks().await.unwrap().remove(0);
    assert_eq!(hook.person, Some(PersonRequest::new("Accept the invitation")));
    let resumed = house.onward.resume_hook("ada", true).key("click").await.unwrap();
    assert_eq!((resumed.run.as_str(), resumed.is_new), ("i", true));
    assert!(house.done(run.result()).await.unwrap());
    let hook = run.hooks().await.unwrap().remove(0);
    assert_eq!(hook.person, Some(PersonRequest::new("Accept the invitation")), "also when it is closed");
    let steps = run.steps().await.unwrap();
    let marked: Vec<StepKind> = steps.iter().filter(|step| step.person.is_some()).map(|step| step.kind).collect();
    assert_eq!(marked, [StepKind::Recv]);
}

#[on_every_database]
async fn the_inbox_has_what_people_have_to_do_in_all_runs(db: TestDatabase) {
    let mut house = house(db).await;
    for n in 1..=3 {
        let id = format!("e{n}");
        house.onward.start::<expense>(n).id(&id).await.unwrap();
        asks(&house, &id).await;
        house.pass(mins(1)).await;
    }
    house.onward.start::<invite>("ada".into()).id("i").await.unwrap();
    asks(&house, "i").await;
    house.onward.start::<gate>(()).id("g").await.unwrap();
    let all = ["i: Accept the invitation", "e3: Approve expense 3", "e2: Approve expense 2", "e1: Approve expense 1"];
    assert_eq!(inbox(&house, InboxFilter::default()).await, all);
    let expenses = InboxFilter { workflows: vec!["expense".into()], oldest_first: true, ..InboxFilter::default() };
    assert_eq!(inbox(&house, expenses.clone()).await, [all[3], all[2], all[1]]);
    let of_run = InboxFilter { run: Some(onward::RunId::new("e2").unwrap()), ..InboxFilter::default() };
    assert_eq!(inbox(&house, of_run).await, [all[2]]);

    // Page by page, in both directions.
    for oldest_first in [false, true] {
        let mut filter = InboxFilter { oldest_first, limit: Some(1), ..InboxFilter::default() };
        let mut seen = Vec::new();
        loop {
            let page = house.onward.inbox(filter.clone()).await.unwrap();
            seen.extend(page.items.iter().map(|item| item.run.to_string()));
            filter.after = page.next;
            if filter.after.is_none() {
                break;
            }
        }
        let wanted = if oldest_first { ["e1", "e2", "e3", "i"] } else { ["i", "e3", "e2", "e1"] };
        assert_eq!(seen, wanted);
    }
    let foreign = InboxFilter { after: Some("00".into()), ..InboxFilter::default() };
    assert_eq!(house.onward.inbox(foreign).await.unwrap_err().code(), "invalid");

    let persons = Filter { waits_for: Some(WaitsFor::Person), ..Filter::default() };
    assert_eq!(house.onward.list(persons).await.unwrap().items.len(), 4);
    house.onward.handle_named("e3").pause().await.unwrap();
    house.onward.handle_named("e2").cancel().await.unwrap();
    assert_eq!(inbox(&house, InboxFilter::default()).await, [all[0], all[3]]);
    house.lose_executor().await;
    assert_eq!(inbox(&house, InboxFilter::default()).await, [all[0], all[3]], "a crash loses nothing");
    let run = house.onward.handle_named("e1");
    run.send("approval", true).await.unwrap();
    assert_eq!(house.done(run.result()).await.unwrap(), true);
    assert_eq!(inbox(&house, InboxFilter::default()).await, [all[0]]);
}

#[on_every_database]
async fn open_hooks_of_all_runs_are_listed(db: TestDatabase) {
    let house = house(db).await;
    for token in ["ann", "ada", "bob"] {
        house.onward.start::<invite>(token.to_owned()).id(format!("run-{token}")).await.unwrap();
        asks(&house, &format!("run-{token}")).await;
        house.pass(mins(1)).await;
    }
    let gate = house.onward.start::<gate>(()).id("g").await.unwrap();
    let tokens = async |filter: HookFilter| {
        let listed = house.onward.hooks(filter).await.unwrap();
        listed.items.into_iter().map(|hook| hook.hook.token).collect::<Vec<_>>()
    };
    let waits = async || gate.describe().await.unwrap().waits.len() == 1;
    house.becomes("the gate waits", waits).await;
    assert_eq!(tokens(HookFilter::default()).await, ["gate", "bob", "ada", "ann"]);
    assert_eq!(tokens(HookFilter { for_people: true, ..HookFilter::default() }).await, ["bob", "ada", "ann"]);
    let prefix = HookFilter { token_prefix: Some("a".into()), oldest_first: true, ..HookFilter::default() };
    assert_eq!(tokens(prefix).await, ["ann", "ada"]);
    let run = HookFilter { run: Some(onward::RunId::new("run-bob").unwrap()), ..HookFilter::default() };
    assert_eq!(tokens(run).await, ["bob"]);
    let first = house.onward.hooks(HookFilter { limit: Some(2), ..HookFilter::default() }).await.unwrap();
    assert_eq!((first.items[0].run.as_str(), first.items[0].workflow.as_str()), ("g", "gate"));
    assert!(first.items[0].waits_since.is_some());
    assert_eq!(tokens(HookFilter { after: first.next, ..HookFilter::default() }).await, ["ada", "ann"]);

    house.onward.resume_hook("gate", true).await.unwrap();
    house.done(gate.result()).await.unwrap();
    house.onward.handle_named("run-ada").cancel().await.unwrap();
    assert_eq!(tokens(HookFilter::default()).await, ["bob", "ann"], "hooks of runs that have ended are not open");
    house.onward.handle_named("run-ada").resume().await.unwrap();
    assert_eq!(tokens(HookFilter::default()).await, ["bob", "ada", "ann"]);
}

#[on_every_database]
async fn a_request_that_cannot_be_shown_is_an_error_and_nothing_is_waited_for(db: TestDatabase) {
    #[onward::workflow]
    async fn untitled(ctx: &Ctx) -> Result<()> {
        ctx.recv::<bool>("approval").from_person("").await?;
        Ok(())
    }
    #[onward::workflow]
    async fn unhooked(ctx: &Ctx) -> Result<()> {
        ctx.hook::<bool>().from_person("x".repeat(2_000)).await?;
        Ok(())
    }
    let house = House::open(db, |b| b.workflow::<untitled>().workflow::<unhooked>()).await;
    let run = house.onward.start::<untitled>(()).await.unwrap();
    assert_eq!(house.done(run.result()).await.unwrap_err().code(), "invalid");
    let run = house.onward.start::<unhooked>(()).await.unwrap();
    assert_eq!(house.done(run.result()).await.unwrap_err().code(), "invalid");
}

#[on_every_database]
async fn what_people_have_to_do_goes_with_the_file_of_the_run_and_with_the_run(db: TestDatabase) {
    let house = house(db).await;
    let run = house.onward.start::<expense>(1).id("e1").await.unwrap();
    asks(&house, "e1").await;
    let file = run.export().await.unwrap();
    let copy = house.onward.import_as(&file, "copy").await.unwrap();
    assert_eq!(copy.steps().await.unwrap()[0].person, run.steps().await.unwrap()[0].person);
    copy.resume().await.unwrap();
    asks(&house, "copy").await;
    run.send("approval", true).await.unwrap();
    house.done(run.result()).await.unwrap();
    let fork = run.fork(1).id("fork").await.unwrap();
    assert_eq!(fork.steps().await.unwrap()[0].person, run.steps().await.unwrap()[0].person);
    assert_eq!(inbox(&house, InboxFilter::default()).await, ["copy: Approve expense 1"]);
}

#[on_every_database]
async fn who_sends_learns_whether_the_key_was_new(db: TestDatabase) {
    let house = house(db).await;
    let run = house.onward.start::<expense>(1).id("e1").delay(hours(1)).await.unwrap();
    let first = run.send("later", 1).key("k").await.unwrap();
    let again = run.send("later", 2).key("k").await.unwrap();
    assert_eq!((first.is_new, again.is_new, first.seq), (true, false, again.seq));
    let without = run.send("later", 3).await.unwrap();
    assert!(without.is_new && without.seq > first.seq);
    let message = |n: i32, key: &str| onward::client::Message::new("e1", "later", n).key(key);
    let sent = house.onward.send_all([message(4, "new"), message(5, "k"), message(6, "new")]).await.unwrap();
    let is_new: Vec<bool> = sent.iter().map(|sent| sent.is_new).collect();
    assert_eq!((is_new, sent[1].seq, sent[2].seq), (vec![true, false, false], first.seq, sent[0].seq));
    assert_eq!(run.messages().await.unwrap().len(), 3);

    house.onward.start::<gate>(()).id("g").await.unwrap();
    house.becomes("the gate is open", async || house.onward.handle_named("g").hooks().await.unwrap().len() == 1).await;
    house.onward.queue("none").await.unwrap();
    house.onward.handle_named("g").pause().await.unwrap();
    let first = house.onward.resume_hook("gate", true).key("k").await.unwrap();
    let again = house.onward.resume_hook("gate", true).key("k").await.unwrap();
    assert_eq!((first.is_new, again.is_new, first.seq), (true, false, again.seq));
}

#[on_every_database]
async fn messages_are_listed_by_what_became_of_them(db: TestDatabase) {
    let house = house(db).await;
    let run = house.onward.start::<expense>(1).id("e1").delay(hours(1)).await.unwrap();
    run.send("approval", "perhaps").await.unwrap();
    run.send("approval", true).await.unwrap();
    run.send("later", 1).await.unwrap();
    let states = async |filter: MessageFilter| {
        let all = run.list_messages(filter).await.unwrap();
        all.items.into_iter().map(|message| (message.state, message.taken_by)).collect::<Vec<_>>()
    };
    let of = |state| MessageFilter { states: vec![state], ..MessageFilter::default() };
    assert_eq!(states(of(MessageState::Pending)).await, [(MessageState::Pending, None); 3]);
    assert!(house.done(run.result()).await.unwrap());
    let all = [(MessageState::Refused, None), (MessageState::Taken, Some(0)), (MessageState::Pending, None)];
    let became = async || states(MessageFilter::default()).await == all;
    house.until("each is what it is", became).await;
    assert_eq!(states(MessageFilter::untaken()).await, [all[0], all[2]]);
    assert_eq!(states(of(MessageState::Taken)).await, [all[1]]);
    let topic = MessageFilter { topic: Some("later".into()), ..MessageFilter::default() };
    assert_eq!(states(topic).await, [all[2]]);
    let first = run.list_messages(MessageFilter { limit: Some(1), ..MessageFilter::default() }).await.unwrap();
    let rest = MessageFilter { after: first.next, ..MessageFilter::default() };
    assert_eq!(states(rest).await, all[1..]);
}

#[on_every_database]
async fn the_next_generation_asks_anew_and_has_no_requests_of_the_one_before(db: TestDatabase) {
    let house = House::open(db, |b| b.workflow::<asks_twice>()).await;
    let run = house.onward.start::<asks_twice>(1).id("a").await.unwrap();
    for n in 1..=2 {
        let title = format!("Answer {n}");
        let wanted = async || run.describe().await.unwrap().why.person.as_ref() == Some(&title);
        house.becomes("a person is wanted", wanted).await;
        assert_eq!(inbox(&house, InboxFilter::default()).await, [format!("a: {title}")]);
        let hooks = house.onward.hooks(HookFilter::default()).await.unwrap();
        let people: Vec<_> = hooks.items.into_iter().map(|open| open.hook.person).collect();
        assert_eq!(people, [Some(PersonRequest::new(title))]);
        house.onward.resume_hook("ask", true).await.unwrap();
    }
    assert!(house.done(run.result()).await.unwrap());
    let steps = run.steps().await.unwrap();
    let asked: Vec<_> = steps.iter().filter_map(|step| step.person.as_ref().map(|it| it.title.as_str())).collect();
    assert_eq!(asked, ["Answer 2"]);
}
