//! The cargo feature `schema`: what is published of the types of workflows and steps.

use onward::Json;
use onward::prelude::*;
use onward::records::{Schemas, StepSchemas};
use onward_testkit::{TestDatabase, on_every_database};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

#[derive(Clone, Serialize, Deserialize, JsonSchema)]
struct Order {
    item: String,
    #[serde(default)]
    count: u32,
    to: Address,
}

#[derive(Clone, Serialize, Deserialize, JsonSchema)]
struct Address {
    city: String,
}

/// It has no schema.
#[derive(Clone, Serialize, Deserialize)]
struct Receipt {
    cents: u64,
}

#[onward::step(name = "charge card")]
async fn charge(_ctx: &Ctx, order: &Order, back_to: Option<Address>, receipt: Receipt) -> Result<u64> {
    let city = back_to.map_or(0, |it| it.city.len());
    Ok(receipt.cents * u64::from(order.count) + city as u64)
}

#[onward::step]
async fn plain(_receipt: &Receipt, _label: impl Into<String> + Clone + Send + Sync) -> Result<Receipt> {
    Ok(Receipt { cents: 1 })
}

#[onward::step]
async fn generic<T: Serialize + Clone + Send + Sync>(value: T, times: [u8; 2]) -> Result<String> {
    Ok(format!("{}{times:?}", serde_json::to_string(&value)?))
}

#[onward::workflow]
async fn checkout(ctx: &Ctx, order: Order) -> Result<Receipt> {
    let cents = ctx.branch("pay", async |ctx: Ctx| Ok(charge(&ctx, &order, None, Receipt { cents: 7 }).await?)).await?;
    generic(ctx, 7_u8, [1, 2]).await?;
    plain(ctx, &Receipt { cents }, "label").await?;
    Ok(Receipt { cents })
}

#[onward::workflow]
async fn pair(_ctx: &Ctx, left: u8, right: String) -> Result<Vec<String>> {
    Ok(vec![right; usize::from(left)])
}

fn value(schema: &Option<Json>) -> Value {
    schema.as_ref().map_or(Value::Null, |schema| schema.decode().unwrap())
}

#[test]
fn a_workflow_has_the_schemas_of_the_types_that_have_one() {
    let Schemas { input, output } = checkout::schemas();
    let input = value(&input);
    assert_eq!(input["title"], "Order");
    assert_eq!(input["properties"]["to"], json!({"$ref": "#/$defs/Address"}));
    assert_eq!(input["$defs"]["Address"]["required"], json!(["city"]));
    assert_eq!(input["required"], json!(["item", "to"]), "what may be left out of an input is not required");
    assert_eq!(output, None, "a receipt has none");
    let pair = pair::schemas();
    assert_eq!(value(&pair.input)["prefixItems"].as_array().map(Vec::len), Some(2));
    assert_eq!(value(&pair.output)["items"], json!({"type": "string"}));
}

#[on_every_database]
async fn steps_are_listed_with_their_schemas_once_they_were_executed(db: TestDatabase) {
    let onward = Onward::open(&db.url).workflows::<(checkout, pair)>().launch().await.unwrap();
    let listed = async || {
        let all = onward.workflows().await.unwrap();
        all.iter().find(|it| it.name == "checkout").unwrap().versions[0].clone()
    };
    assert_eq!(listed().await.schemas, checkout::schemas());
    assert!(listed().await.steps.is_empty(), "no workflow has called one yet");

    let order = Order { item: "lamp".into(), count: 2, to: Address { city: "Bern".into() } };
    for _ in 0..2 {
        onward.start::<checkout>(order.clone()).await.unwrap().result().await.unwrap();
    }
    while listed().await.steps.len() < 3 {
        tokio::task::yield_now().await;
    }
    let steps = listed().await.steps;
    let [StepSchemas { name, schemas: charge }, StepSchemas { name: second, schemas: generic }, plain] = &steps[..]
    else {
        panic!("{steps:#?}")
    };
    assert_eq!((name.as_str(), second.as_str()), ("charge card", "generic"));
    let arguments = value(&charge.input);
    assert_eq!(arguments["type"], "object");
    assert_eq!(arguments["required"], json!(["back_to", "order", "receipt"]));
    assert_eq!(arguments["properties"]["order"], json!({"$ref": "#/$defs/Order"}));
    assert_eq!(arguments["properties"]["receipt"], json!(true), "it may be anything");
    assert!(arguments["$defs"]["Order"].is_object() && arguments["$defs"]["Address"].is_object());
    assert_eq!(value(&charge.output)["type"], "integer");
    let generic = value(&generic.input);
    assert_eq!(
        (&generic["properties"]["value"], &generic["properties"]["times"]["type"]),
        (&json!(true), &json!("array"))
    );
    assert_eq!(plain, &StepSchemas { name: "plain".into(), schemas: Schemas::default() });
    onward.shutdown(secs(1)).await.unwrap();
}
