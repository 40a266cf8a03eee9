//! Masking: named fields are hidden in every record that a client shows, and nowhere else.

use std::fmt;

use onward::prelude::*;
use onward::records::StepFilter;
use onward::{Filter, Json};
use onward_testkit::{TestDatabase, on_every_database};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::house::House;

#[onward::workflow]
async fn login(ctx: &Ctx, input: Value) -> Result<Value> {
    let seen = ctx.step("check", async || Ok(json!({"password": input["password"], "ok": true}))).await?;
    Ok(json!({"card": {"number": seen["password"], "name": "Ada"}, "number": 7}))
}

#[on_every_database]
async fn named_fields_are_hidden_in_listings_and_seen_by_workflows(db: TestDatabase) {
    let house = House::open(db, |b| b.workflow::<login>().mask(["password", "card.number"])).await;
    let input = json!({"password": "secret", "user": "ada"});
    let start = house.onward.start::<login>(input).attributes(json!({"password": "secret"}));
    let run = start.await.unwrap();
    let result = run.result().await.unwrap();
    assert_eq!(result["card"]["number"], "secret", "a caller that waits for the result gets it whole");

    let value = |json: &Json| json.decode::<Value>().unwrap();
    let listed = house.onward.list(Filter::default()).await.unwrap().items.remove(0);
    for record in [run.describe().await.unwrap(), listed] {
        assert_eq!(value(record.input.as_ref().unwrap()), json!({"password": "***", "user": "ada"}));
        assert_eq!(value(&record.output.unwrap()), json!({"card": {"number": "***", "name": "Ada"}, "number": 7}));
        assert_eq!(value(&record.attributes.unwrap()), json!({"password": "***"}));
    }
    let step = run.steps().await.unwrap().remove(0);
    assert_eq!(value(&step.output.unwrap()), json!({"password": "***", "ok": true}));
}

#[derive(Debug, Serialize, Deserialize)]
struct Refused {
    password: String,
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("refused")
    }
}

impl std::error::Error for Refused {}

#[onward::step(attempts = 2, backoff = "1ms..1ms")]
async fn tries(_ctx: &Ctx, input: Value) -> Result<Value, Refused> {
    Err(Refused { password: input["password"].as_str().unwrap_or_default().to_owned() })
}

/// Says its secret in every way in which a run can say something.
#[onward::workflow]
async fn tells(ctx: &Ctx, input: Value) -> Result<Value> {
    ctx.step("gives", async || Ok(input.clone())).await?;
    ctx.set_event("says", &input).await?;
    ctx.stream("speaks").append(&input).await?;
    tries(ctx, input.clone()).await?;
    Ok(input)
}

#[on_every_database]
async fn no_record_that_a_client_gives_shows_what_is_masked(db: TestDatabase) {
    const SECRET: &str = "s3cret";
    let house = House::open(db, |b| b.workflow::<tells>()).await;
    let client = Client::connect_with(&house.db.url, house.clock.clone()).await.unwrap().mask(["password"]);
    client.queue("q").await.unwrap();
    let secret = json!({"password": SECRET, "user": "ada"});
    let started = client.start_named("tells", &secret).queue("q").attributes(&secret).id("r").await.unwrap();
    assert_eq!(house.done(started.result()).await.unwrap_err().downcast::<Refused>().unwrap().password, SECRET);
    client.queue("q").pause().await.unwrap();
    client.start_named("tells", &secret).queue("q").id("waits").await.unwrap();
    let schedule = client.schedule_named("tells", "@daily").queue("q").attributes(&secret).id("s").await.unwrap();

    let run = client.handle_named("r");
    let mut chunks = Vec::new();
    let mut stream = run.read_stream::<Json>("speaks").chunks();
    while let Some(chunk) = stream.next().await {
        chunks.push(chunk.unwrap());
    }
    let page = StepFilter { from: 1, ..StepFilter::default() };
    let shown = [
        ("describe", format!("{:?}", run.describe().await.unwrap())),
        ("list", format!("{:?}", client.list(Filter::default()).await.unwrap())),
        ("list of what is queued", {
            format!("{:?}", client.list(Filter { queued: true, ..Filter::default() }).await.unwrap())
        }),
        ("steps", format!("{:?}", run.steps().await.unwrap())),
        ("list_steps", format!("{:?}", run.list_steps(page).await.unwrap())),
        ("events", format!("{:?}", run.events().await.unwrap())),
        ("chunks", format!("{chunks:?}")),
        ("streams", format!("{:?}", run.streams().await.unwrap())),
        ("hooks", format!("{:?}", run.hooks().await.unwrap())),
        ("schedules", format!("{:?}", client.schedules().await.unwrap())),
        ("schedule", format!("{:?}", schedule.describe().await.unwrap())),
        ("queues", format!("{:?}", client.queues().await.unwrap())),
    ];
    for (call, text) in &shown {
        assert!(!text.contains(SECRET), "{call} shows it: {text}");
    }
    for call in ["describe", "list", "steps", "events", "chunks", "schedules", "schedule"] {
        let text = &shown.iter().find(|(shown, _)| *shown == call).unwrap().1;
        assert!(text.contains("***"), "{call} shows nothing at all: {text}");
    }
    let record = run.describe().await.unwrap();
    assert!(record.error.unwrap().as_str().contains(r#""password":"***""#), "the error of the run");
    let attempts = run.steps().await.unwrap().into_iter().flat_map(|step| step.attempts);
    let errors: Vec<String> = attempts.filter_map(|attempt| attempt.error).map(|error| error.to_string()).collect();
    assert!(!errors.is_empty() && errors.iter().all(|error| error.contains(r#""password":"***""#)), "{errors:?}");
    // A caller that waits for a value gets it whole.
    assert_eq!(run.get_event::<Value>("says").await.unwrap().unwrap(), secret);
    assert_eq!(run.read_stream::<Value>("speaks").next().await.unwrap().unwrap(), secret);
}
