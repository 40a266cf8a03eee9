//! Masking: named fields are hidden in what listings show, and nowhere else.

use onward::prelude::*;
use onward::{Filter, Json};
use onward_testkit::{TestDatabase, on_every_database};
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
    assert_eq!(result["card"]["number"], "secret", "whoever waits for the result gets it whole");

    let value = |json: &Json| json.decode::<Value>().unwrap();
    let listed = house.onward.list(Filter::default()).await.unwrap().items.remove(0);
    for record in [run.describe().await.unwrap(), listed] {
        assert_eq!(value(&record.input), json!({"password": "***", "user": "ada"}));
        assert_eq!(value(&record.output.unwrap()), json!({"card": {"number": "***", "name": "Ada"}, "number": 7}));
        assert_eq!(value(&record.attributes.unwrap()), json!({"password": "***"}));
    }
    let step = run.steps().await.unwrap().remove(0);
    assert_eq!(value(&step.output.unwrap()), json!({"password": "***", "ok": true}));
}
