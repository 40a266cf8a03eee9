//! Workflows whose names are known when the program runs: functions by name, and children by name.

use onward::prelude::*;
use onward::records::StepKind;
use onward::{OnPanic, WorkflowFn};
use onward_testkit::{TestDatabase, on_every_database};
use serde_json::{Value, json};

use crate::codec::vault::Vault;
use crate::house::{House, Log};

/// A graph: each node is a child of a workflow that the node names, with what the nodes before it gave.
async fn interpret(ctx: Ctx, nodes: Value) -> Result<Value> {
    let mut given = Value::Null;
    for node in nodes.as_array().into_iter().flatten() {
        let name = node["run"].as_str().ok_or("a node names the workflow that it runs")?;
        given = ctx.run_named(name, json!({"given": given, "with": node["with"]})).await?;
    }
    Ok(given)
}

/// A workflow of the name that adds this number, in a step that is counted, after a message or at once.
fn adds(name: &str, number: i64, waits: bool) -> WorkflowFn {
    let of = name.to_owned();
    WorkflowFn::new(name, "1", move |ctx, input: Value| {
        let of = of.clone();
        async move {
            if waits {
                ctx.recv::<u8>("go").await?;
            }
            let sum = ctx.step("add", async || {
                ctx.state::<Log>().ran(&of);
                Ok(input["given"].as_i64().unwrap_or_default() + number)
            });
            Ok(Value::from(sum.await?))
        }
    })
}

#[on_every_database]
async fn a_graph_of_children_by_name_survives_the_loss_of_its_executor_and_runs_each_node_once(db: TestDatabase) {
    let mut house = House::open(db, |b| {
        let graph = b.workflow_fn("graph", "1", interpret);
        graph.register(adds("one", 1, false)).register(adds("ten", 10, true)).register(adds("hundred", 100, false))
    })
    .await;
    let nodes = json!([{"run": "one"}, {"run": "ten"}, {"run": "hundred"}]);
    let run = house.onward.start_named("graph", nodes).id("g").await.unwrap();
    house.until("the second node waits", async || run.children().await.unwrap().len() == 2).await;
    house.lose_executor().await;
    let run = house.onward.handle_named("g");
    house.until("the second node is there", async || run.children().await.unwrap().len() == 2).await;
    run.children().await.unwrap()[1].send("go", 1).await.unwrap();
    assert_eq!(house.done(run.result()).await.unwrap(), 111);
    assert_eq!(["one", "ten", "hundred"].map(|node| house.log.count(node)), [1, 1, 1]);
    let steps = run.steps().await.unwrap();
    let shown: Vec<_> = steps.iter().map(|step| (step.kind, step.name.as_str())).collect();
    assert_eq!(shown, ["one", "ten", "hundred"].map(|name| (StepKind::Child, name)));
    assert_eq!(run.children().await.unwrap().len(), 3);
}

fn says(version: &'static str) -> WorkflowFn {
    WorkflowFn::new("says", version, move |_ctx, (): ()| async move { Ok(version.to_owned()) })
}

#[onward::workflow]
async fn asks(ctx: &Ctx, version: Option<String>) -> Result<String> {
    let started = ctx.start_named("says", ()).typed::<String>();
    let child = match version {
        Some(version) => started.version(version).await?,
        None => started.await?,
    };
    Ok(child.result(ctx).await?)
}

#[on_every_database]
async fn a_child_by_name_has_the_newest_version_of_its_executor_or_the_one_that_is_given(db: TestDatabase) {
    let house = House::open(db, |b| b.workflow::<asks>().register(says("10")).register(says("9"))).await;
    for (given, said) in [(None, "10"), (Some("9"), "9")] {
        let run = house.onward.start::<asks>(given.map(str::to_owned)).await.unwrap();
        assert_eq!(house.done(run.result()).await.unwrap(), said);
        let child = run.children().await.unwrap().remove(0).describe().await.unwrap();
        assert_eq!(child.version.as_deref(), Some(said));
    }
}

#[on_every_database]
async fn a_child_by_name_that_no_executor_has_waits_for_one_and_says_so(db: TestDatabase) {
    let mut house = House::open(db, |b| b.workflow::<asks>()).await;
    house.onward.start::<asks>(None).id("any").await.unwrap();
    house.onward.start::<asks>(Some("2".into())).id("two").await.unwrap();
    let of = |run: &str| house.onward.handle_named(run);
    for (run, reason) in
        [("any", "no executor has workflow `says`"), ("two", "no executor has workflow `says` version 2")]
    {
        let waits = async || of(run).describe().await.unwrap().reason.contains("waits for child");
        house.until("the parent waits for its child", waits).await;
        let child = of(run).children().await.unwrap().remove(0).describe().await.unwrap();
        assert_eq!((child.status, child.reason.as_str()), (Status::Enqueued, reason));
    }
    // Now the executor has two versions, and none of them is the one that was given.
    house.lose_executor_for(|b| b.register(says("9")).register(says("10"))).await;
    let any = house.onward.handle::<asks>("any");
    assert_eq!(house.done(any.result()).await.unwrap(), "10", "who claims it decides");
    let two = house.onward.handle::<asks>("two");
    let child = two.children().await.unwrap().remove(0);
    let reason = child.describe().await.unwrap().reason;
    assert_eq!(reason, "no executor has workflow `says` version 2; there are versions 9 and 10");
    house.lose_executor_for(|b| b.register(says("2"))).await;
    let two = house.onward.handle::<asks>("two");
    assert_eq!(house.done(two.result()).await.unwrap(), "2");
    assert_eq!(two.children().await.unwrap().len(), 1, "no second child was created");
}

#[onward::workflow]
async fn delegates(ctx: &Ctx, attributes: Value) -> Result<Vec<String>> {
    let queued = ctx.run_named("says", ()).typed().queue("q").priority(7).id("queued").attributes(&attributes);
    let delayed = ctx.run_named("says", ()).typed().delay(hours(1)).timeout(hours(2)).id("delayed");
    Ok(vec![queued.await?, delayed.await?])
}

#[on_every_database]
async fn a_child_by_name_takes_the_options_of_any_run(db: TestDatabase) {
    let house = House::open(db, |b| b.workflow::<delegates>().register(says("3"))).await;
    house.onward.queue("q").await.unwrap();
    let run = house.onward.start::<delegates>(json!({"tenant": "acme"})).await.unwrap();
    assert_eq!(house.done(run.result()).await.unwrap(), ["3", "3"]);
    let queued = house.onward.handle_named("queued").describe().await.unwrap();
    assert_eq!((queued.queue.as_deref(), queued.priority, queued.version.as_deref()), (Some("q"), 7, Some("3")));
    assert_eq!(queued.attributes.unwrap().as_str(), r#"{"tenant":"acme"}"#);
    let delayed = house.onward.handle_named("delayed").describe().await.unwrap();
    assert_eq!((delayed.timeout, delayed.version.as_deref()), (Some(hours(2)), Some("3")));
}

#[onward::workflow]
async fn misspells(ctx: &Ctx) -> Result<Vec<String>> {
    let mut codes = Vec::new();
    for name in ["says@3", ""] {
        let refused = ctx.run_named(name, ()).await.unwrap_err();
        codes.push(refused.code().to_owned());
    }
    Ok(codes)
}

#[on_every_database]
async fn a_name_that_no_workflow_can_have_is_an_error_of_the_call(db: TestDatabase) {
    let house = House::open(db, |b| b.workflow::<misspells>()).await;
    let run = house.onward.start::<misspells>(()).await.unwrap();
    assert_eq!(house.done(run.result()).await.unwrap(), ["invalid", "invalid"]);
    assert!(run.children().await.unwrap().is_empty());
}

#[on_every_database]
async fn a_child_by_another_name_in_its_place_holds_the_run(db: TestDatabase) {
    let calls = |name: &'static str| {
        WorkflowFn::new("calls", "1", move |ctx, (): ()| async move {
            ctx.run_named(name, ()).await?;
            Ok(ctx.recv::<u8>("go").await?)
        })
    };
    let mut house = House::open(db, |b| b).await;
    house.lose_executor_for(|b| b.register(calls("says")).register(says("1"))).await;
    let run = house.onward.start_named("calls", ()).id("c").await.unwrap();
    house.until("it waits", async || run.describe().await.unwrap().reason.contains("topic `go`")).await;
    house.lose_executor_for(|b| b.register(calls("shouts")).register(says("1"))).await;
    let run = house.onward.handle_named("c");
    let held = house.done(run.result()).await.unwrap_err();
    assert_eq!(held.code(), "diverged", "{held}");
    assert!(held.message().contains("says") && held.message().contains("shouts"), "{held}");
}

#[on_every_database]
async fn a_function_that_panics_holds_its_run_or_fails_it_as_it_was_registered(db: TestDatabase) {
    fn early(_ctx: Ctx, (): ()) -> std::future::Ready<Result<u8>> {
        panic!("before there is a future")
    }
    let late = |_ctx: Ctx, (): ()| async { if true { panic!("too late") } else { Ok(1) } };
    let house = House::open(db, move |b| {
        let fails = |name, function| WorkflowFn::new(name, "1", function).on_panic(OnPanic::Fail);
        b.workflow_fn("early", "1", early).workflow_fn("late", "1", late).register(fails("early, fails", early))
    })
    .await;
    for (name, status, said) in [
        ("early", Status::Paused, "before there is a future"),
        ("late", Status::Paused, "too late"),
        ("early, fails", Status::Failed, "before there is a future"),
    ] {
        let run = house.onward.start_named(name, ()).await.unwrap();
        let error = house.done(run.result()).await.unwrap_err();
        assert_eq!((error.code(), run.status().await.unwrap()), ("panicked", status));
        assert!(error.message().contains(said), "{error}");
    }
}

#[onward::workflow(name = "says", version = "9")]
async fn also_says(_ctx: &Ctx) -> Result<u32> {
    Ok(9)
}

#[on_every_database]
async fn two_workflows_of_one_name_and_version_are_refused_at_launch(db: TestDatabase) {
    let open = || Onward::open(db.url.clone());
    let twice = open().register(says("9")).register(says("8")).register(says("9")).launch().await.unwrap_err();
    assert_eq!(twice.code(), "invalid");
    assert!(twice.message().starts_with("two workflows are called `says` in version 9"), "{twice}");
    let mixed = [
        open().register(says("9")).workflow::<also_says>().launch().await.unwrap_err(),
        open().workflow::<also_says>().register(says("9")).launch().await.unwrap_err(),
    ];
    for refused in mixed {
        assert_eq!(refused.code(), "invalid");
        assert!(refused.message().contains("also_says`"), "it says which type: {refused}");
    }
    let named = open().workflow_fn("a@b", "1", |_ctx, (): ()| async { Ok(()) }).launch().await.unwrap_err();
    assert!(named.code() == "invalid" && named.message().contains("`@`"), "{named}");
    let described = open().register(says("1").input_schema(json!(["no", "schema"]))).launch().await.unwrap_err();
    assert!(described.code() == "invalid" && described.message().contains("JSON Schema"), "{described}");
    open().workflow::<also_says>().workflow::<also_says>().launch().await.unwrap();
}

#[on_every_database]
async fn a_workflow_that_is_registered_while_the_executor_runs_executes_what_waited_for_it(db: TestDatabase) {
    let mut house = House::open(db, |b| b.workflow::<asks>()).await;
    let client = Client::connect_with(&house.db.url, house.clock.clone()).await.unwrap();
    let waits = client.start_named("says", ()).id("waits").await.unwrap();
    let parent = house.onward.start::<asks>(None).id("parent").await.unwrap();
    let has_child = async || parent.children().await.unwrap().len() == 1;
    house.until("the child waits", has_child).await;
    assert_eq!(waits.describe().await.unwrap().reason, "no executor has workflow `says`");

    house.onward.register(says("4")).await.unwrap();
    let listed = client.executors().await.unwrap();
    let has = |executor: &onward::records::ExecutorRecord| executor.workflows.iter().any(|it| it == "says@4");
    assert!(listed.iter().any(|executor| executor.id == house.onward.executor_id() && has(executor)));
    assert_eq!(house.done(waits.result()).await.unwrap(), "4");
    assert_eq!(house.done(parent.result()).await.unwrap(), "4");
    let here = house.onward.start_named("says", ()).await.unwrap();
    assert_eq!(house.done(here.result()).await.unwrap(), "4");

    let again = house.onward.register(says("4")).await.unwrap_err();
    assert!(
        again.code() == "already_registered" && again.message().contains("two workflows are called `says`"),
        "{again}"
    );
    let refused = house.onward.register(WorkflowFn::new("", "1", |_ctx, (): ()| async { Ok(()) })).await.unwrap_err();
    assert_eq!(refused.code(), "invalid");

    // The next process knows nothing of it.
    house.lose_executor().await;
    let waits = client.start_named("says", ()).await.unwrap();
    let reason = async || waits.describe().await.unwrap().reason == "no executor has workflow `says`";
    house.until("it waits for the workflow", reason).await;
    house.onward.shutdown(secs(1)).await.unwrap();
    assert_eq!(house.onward.register(says("4")).await.unwrap_err().code(), "stopped");
}

/// Gives a child by name its own input, and waits before it returns what came back.
async fn hands_on(ctx: Ctx, input: Value) -> Result<Value> {
    let back = ctx.run_named("echoes", &input).id("child").await?;
    ctx.recv::<u8>("go").await?;
    Ok(back)
}

#[on_every_database]
async fn what_functions_and_children_by_name_say_passes_through_codec_and_mask(db: TestDatabase) {
    let key = || Vault::new([9; 32]).key("new", [2; 32]);
    let mut house = House::open(db, move |b| {
        let echoes = b.workflow_fn("echoes", "1", |_ctx, input: Value| async move { Ok(input) });
        echoes.workflow_fn("hands on", "1", hands_on).codec(key()).mask(["card"])
    })
    .await;
    let input = json!({"card": "4242-4242", "item": "lamp"});
    house.onward.start_named("hands on", &input).id("run").await.unwrap();
    let run = house.onward.handle_named("run");
    let waits = async || run.describe().await.unwrap().reason.contains("topic `go`");
    house.until("the child has ended", waits).await;
    house.lose_executor().await;

    let run = house.onward.handle_named("run");
    run.send("go", 1).await.unwrap();
    assert_eq!(house.done(run.result()).await.unwrap(), input, "the caller gets it whole");
    let shown = json!({"card": "***", "item": "lamp"});
    for id in ["run", "child"] {
        let record = house.onward.handle_named(id).describe().await.unwrap();
        let values = [record.input.unwrap(), record.output.unwrap()].map(|json| json.decode::<Value>().unwrap());
        assert_eq!(values, [shown.clone(), shown.clone()], "{id}");
    }
    let client = Client::connect_with(&house.db.url, house.clock.clone()).await.unwrap();
    for id in ["run", "child"] {
        let stored = client.handle_named(id).describe().await.unwrap();
        assert!(
            !stored.input.as_ref().unwrap().as_str().contains("lamp"),
            "without the codec nobody reads it: {stored:?}"
        );
    }
}

#[tokio::test]
async fn a_detached_context_refuses_names_and_says_what_to_do() {
    let ctx = &Ctx::detached();
    let run = ctx.run_named("says", ()).await.unwrap_err();
    assert!(run.code() == "invalid" && run.message().contains("run it by its type"), "{run}");
    assert_eq!(ctx.start_named("says", ()).await.unwrap_err().code(), "invalid");
}
