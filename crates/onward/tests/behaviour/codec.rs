//! Codecs: what the tables hold, who can read it, and what happens to a run that cannot be read.

use std::fmt;

use futures_util::StreamExt;
use onward::codec::{Codec, Encoded, Payload};
use onward::prelude::*;
use onward::records::{ChunkBody, StepState};
use onward::sql::SqlTx;
use onward::{Builder, Json};
use onward_testkit::{TestDatabase, on_every_database};
use serde::{Deserialize, Serialize};

use self::vault::Vault;
use crate::house::{House, Log};

#[path = "../../examples/vault.rs"]
pub(crate) mod vault;

const SECRET: &str = "4242-4242";

fn old() -> Vault {
    Vault::new([9; 32]).key("old", [1; 32])
}

fn rotated() -> Vault {
    old().key("new", [2; 32])
}

fn only_new() -> Vault {
    Vault::new([9; 32]).key("new", [2; 32])
}

#[derive(Debug, Serialize, Deserialize)]
struct Declined {
    card: String,
}

impl fmt::Display for Declined {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the card was declined")
    }
}

impl std::error::Error for Declined {}

#[onward::step(attempts = 2, backoff = "1ms..1ms")]
async fn charge(card: &str) -> Result<String, Declined> {
    Err(Declined { card: card.to_owned() })
}

#[onward::workflow]
async fn pay(ctx: &Ctx, card: String) -> Result<String> {
    let seen = ctx.step("see", async || {
        ctx.state::<Log>().ran("see");
        Ok(format!("saw {card}"))
    });
    let seen = seen.await?;
    ctx.sleep(hours(1)).await?;
    let declined = charge(ctx, &card).await.unwrap_err().downcast::<Declined>()?;
    Ok(format!("{seen}, {} was declined", declined.card))
}

#[onward::workflow]
async fn shop(ctx: &Ctx, card: String) -> Result<String> {
    Ok(ctx.run::<pay>(card).id("pay").await?)
}

/// Says its secret in every way in which a run can say something, and is told another one.
#[onward::workflow]
async fn talk(ctx: &Ctx, secret: String) -> Result<String> {
    ctx.set_event("said", &secret).await?;
    let words = ctx.stream("words");
    words.append(&secret).await?;
    words.append_bytes(secret.as_bytes()).await?;
    ctx.step("body", async || Ok(ctx.stream("words").append(&secret).await?)).await?;
    let sql = ctx.transaction("sql", async |_| {
        ctx.state::<Log>().ran("sql");
        Ok(format!("sql {secret}"))
    });
    let sql = sql.await?;
    let heard = ctx.recv::<String>("ear").await?;
    Ok(format!("{sql}, {heard}"))
}

#[onward::workflow]
async fn overhears(ctx: &Ctx, run: String) -> Result<Option<String>> {
    Ok(ctx.get_event::<String>(&run, "said").timeout(days(300)).await?)
}

/// In which tables a text stands, as text or as bytes.
#[onward::workflow]
async fn tables_with(ctx: &Ctx, is_postgres: bool, text: (String, String)) -> Result<Vec<String>> {
    // It comes in two halves, for this input stands in the tables, too.
    let (plain, is_in_row) = (text.0 + &text.1, if is_postgres { "to_jsonb(t)::text" } else { "" });
    let hex: String = plain.bytes().map(|byte| format!("{byte:02x}")).collect();
    let tables = match is_postgres {
        true => "select tablename::text as name from pg_tables where schemaname = current_schema()",
        false => "select name from sqlite_master where type = 'table'",
    };
    let found = ctx.transaction("look", async |tx| {
        let mut found = Vec::new();
        for table in tx.query(tables, ()).await? {
            let table: String = table.get("name")?;
            let row = if is_postgres { is_in_row.to_owned() } else { columns(&tx, &table).await? };
            let sql = format!("select count(*) as n from \"{table}\" t where {row} like $1 or {row} like $2");
            let like = (format!("%{plain}%"), format!("%{hex}%"));
            if tx.first(&sql, like).await?.map(|row| row.get::<i64>("n")).transpose()? != Some(0) {
                found.push(table);
            }
        }
        found.sort();
        Ok(found)
    });
    Ok(found.await?)
}

/// All of a row of a table of SQLite.
async fn columns(tx: &SqlTx, table: &str) -> Result<String, Error> {
    let columns = tx.query("select name from pragma_table_info($1)", (table,)).await?;
    let quoted = |column: String| format!("coalesce(cast(\"{column}\" as text), '')");
    let columns = columns.iter().map(|row| row.get("name").map(quoted)).collect::<Result<Vec<_>, _>>()?;
    Ok(format!("({})", columns.join(" || ' ' || ")))
}

fn house(b: Builder) -> Builder {
    b.workflows::<(pay, shop, talk, overhears, tables_with)>().codec(old())
}

#[on_every_database]
async fn the_tables_hold_no_plain_payload_and_whoever_has_the_codec_reads_it(db: TestDatabase) {
    let house = House::open(db.clone(), house).await;
    let run = house.onward.start::<shop>(SECRET.to_owned()).id("shop").await.unwrap();
    let result = house.done(run.result()).await.unwrap();
    assert_eq!(result, format!("saw {SECRET}, {SECRET} was declined"));
    assert!(
        run.describe().await.unwrap().input.as_ref().unwrap().as_str().contains(SECRET),
        "with the codec listings are plain"
    );

    let blind = Client::connect(&db.url).await.unwrap();
    for id in ["shop", "pay"] {
        let (run, steps) = {
            let handle = blind.handle_named(id);
            (handle.describe().await.unwrap(), handle.steps().await.unwrap())
        };
        assert!(
            run.input.as_ref().unwrap().as_str().contains("xchacha20poly1305")
                && run.input.as_ref().unwrap().as_str().contains("old"),
            "{run:?}"
        );
        let shown = format!("{run:?} {steps:?}");
        assert!(!shown.contains(SECRET), "{shown}");
    }
    let steps = blind.handle_named("pay").steps().await.unwrap();
    let error = steps.last().unwrap().error.as_ref().unwrap();
    assert!(error.as_str().contains("the card was declined"), "messages are for people: {error}");
    let unread = blind.handle::<shop>("shop").result().await.unwrap_err();
    assert_eq!(unread.code(), "decode");
    assert!(unread.message().contains("`old`") && unread.message().contains("configure this process"), "{unread}");

    let seeing = blind.codec(old());
    assert_eq!(seeing.handle::<shop>("shop").result().await.unwrap(), result);
    let started = seeing.start::<pay>("from a client".to_owned()).id("theirs").await.unwrap();
    assert!(house.done(started.result()).await.unwrap().starts_with("saw from a client"));
}

#[on_every_database]
async fn a_run_goes_on_after_a_crash_and_a_rotation_of_keys(db: TestDatabase) {
    let mut house = House::open(db, house).await;
    let run = house.onward.start::<pay>(SECRET.to_owned()).id("p").await.unwrap();
    house.until("it sleeps", async || run.steps().await.unwrap().len() == 2).await;
    house.lose_executor_for(|b| b.codec(rotated())).await;
    let run = house.onward.handle::<pay>("p");
    assert_eq!(house.done(run.result()).await.unwrap(), format!("saw {SECRET}, {SECRET} was declined"));
    assert_eq!(house.log.count("see"), 1);
    let again = house.onward.start::<pay>(SECRET.to_owned()).id("p").await.unwrap();
    assert_eq!(again.status().await.unwrap(), Status::Succeeded, "the same input is the same run under any key");
    let other = house.onward.start::<pay>("another".to_owned()).id("p").await.unwrap_err();
    assert!(other.is_conflict());
}

#[on_every_database]
async fn a_run_that_cannot_be_decoded_is_held_alone_and_loses_nothing(db: TestDatabase) {
    let mut house = House::open(db, house).await;
    let run = house.onward.start::<pay>(SECRET.to_owned()).id("p").await.unwrap();
    house.until("it sleeps", async || run.steps().await.unwrap().len() == 2).await;
    house.lose_executor_for(|b| b.codec(only_new())).await;
    let fine = house.onward.start::<pay>("fine".to_owned()).await.unwrap();
    assert_eq!(house.done(fine.result()).await.unwrap(), "saw fine, fine was declined");
    let held = house.onward.handle::<pay>("p").describe().await.unwrap();
    assert_eq!(held.status, Status::Paused);
    assert!(held.reason.contains("does not have that key") && held.reason.contains("`old`"), "{}", held.reason);

    house.lose_executor_for(|b| b.codec(rotated())).await;
    let run = house.onward.handle::<pay>("p");
    run.resume().await.unwrap();
    assert_eq!(house.done(run.result()).await.unwrap(), format!("saw {SECRET}, {SECRET} was declined"));
    assert_eq!(house.log.count("see"), 2, "once for each run");
}

#[on_every_database]
async fn a_parent_that_cannot_read_its_childs_output_is_held_and_records_nothing(db: TestDatabase) {
    let mut house = House::open(db, house).await;
    let child = house.onward.start::<pay>(SECRET.to_owned()).id("pay").await.unwrap();
    house.done(child.result()).await.unwrap();
    house.lose_executor_for(|b| b.codec(only_new())).await;
    let parent = house.onward.start::<shop>(SECRET.to_owned()).id("shop").await.unwrap();
    assert_eq!(house.done(parent.result()).await.unwrap_err().code(), "decode");
    assert_eq!(parent.status().await.unwrap(), Status::Paused);

    house.lose_executor_for(|b| b.codec(rotated())).await;
    let parent = house.onward.handle::<shop>("shop");
    parent.resume().await.unwrap();
    assert!(house.done(parent.result()).await.unwrap().starts_with("saw"));
}

/// Refuses to encode what it does not like, and nothing else.
struct Prude;

impl Codec for Prude {
    fn name(&self) -> &str {
        "prude"
    }

    fn encode(&self, plain: &[u8], _: Payload) -> Result<Encoded> {
        if plain.windows(4).any(|word| word == b"rude") {
            Err("that word is not written down")?;
        }
        Ok(Encoded { key: String::new(), data: plain.to_vec() })
    }

    fn decode(&self, encoded: &Encoded, _: Payload) -> Result<Vec<u8>> {
        Ok(encoded.data.clone())
    }

    fn hash_key(&self) -> [u8; 32] {
        [0; 32]
    }
}

#[onward::workflow]
async fn speak(ctx: &Ctx, about: String) -> Result<String> {
    ctx.step("first", async || Ok(1)).await?;
    Ok(ctx.step("speak", async || Ok(format!("r{about}"))).await?)
}

#[onward::workflow]
async fn write(ctx: &Ctx, about: String) -> Result<String> {
    ctx.step("first", async || Ok(1)).await?;
    Ok(ctx.transaction("write", async |_| Ok(format!("r{about}"))).await?)
}

#[onward::workflow]
async fn whisper(ctx: &Ctx, about: String) -> Result<String> {
    ctx.step("first", async || Ok(1)).await?;
    ctx.send(ctx.run_id(), "ear", format!("r{about}")).await?;
    Ok(about)
}

#[on_every_database]
async fn a_value_that_cannot_be_encoded_holds_its_run_and_a_start_is_refused(db: TestDatabase) {
    let house = House::open(db.clone(), |b| b.workflows::<(speak, write, whisper)>().codec(Prude)).await;
    let refused = house.onward.start::<speak>("rude".to_owned()).id("no").await.unwrap_err();
    assert!(refused.code() == "encode" && refused.message().contains("not written down"), "{refused}");
    assert!(house.onward.handle::<speak>("no").describe().await.unwrap_err().is_unknown_run());
    let client = Client::connect(&db.url).await.unwrap().codec(Prude);
    assert_eq!(client.start::<speak>("rude".to_owned()).await.unwrap_err().code(), "encode");

    let speaks = house.onward.start::<speak>("ude".to_owned()).await.unwrap();
    let writes = house.onward.start::<write>("ude".to_owned()).await.unwrap();
    let whispers = house.onward.start::<whisper>("ude".to_owned()).await.unwrap();
    for run in [speaks, writes, whispers] {
        assert_eq!(house.done(run.result()).await.unwrap_err().code(), "encode");
        let record = run.describe().await.unwrap();
        assert!(record.status == Status::Paused && record.reason.contains("not written down"), "{record:?}");
        let recorded = run.steps().await.unwrap().into_iter().filter(|step| step.state == StepState::Succeeded);
        assert_eq!(recorded.count(), 1, "what came before is recorded");
    }
    let fine = house.onward.start::<speak>("ight".to_owned()).await.unwrap();
    assert_eq!(house.done(fine.result()).await.unwrap(), "right");
}

async fn words(run: &WorkflowHandle<String>) -> Vec<ChunkBody> {
    run.read_stream::<String>("words").chunks().map(|chunk| chunk.unwrap().body).collect().await
}

#[on_every_database]
async fn whatever_a_run_says_and_is_told_is_encoded_and_read_again_after_a_crash(db: TestDatabase) {
    const TOLD: &str = "7777-7777";
    let is_postgres = db.is_postgres();
    let mut house = House::open(db, house).await;
    let start = house.onward.start::<talk>(SECRET.to_owned()).id("t");
    let run = start.attributes(serde_json::json!({"shown": "5555-5555"})).await.unwrap();
    house.until("it waits for a message", async || run.steps().await.unwrap().len() == 6).await;
    assert_eq!(run.get_event::<String>("said").await.unwrap().unwrap(), SECRET);
    assert_eq!(run.events().await.unwrap()[0].value.as_str(), format!("\"{SECRET}\""));
    run.send("ear", TOLD).await.unwrap();
    house.lose_executor_for(|b| b.codec(rotated())).await;
    let run = house.onward.handle::<talk>("t");
    assert_eq!(house.done(run.result()).await.unwrap(), format!("sql {SECRET}, {TOLD}"));
    let json = ChunkBody::Json(Json::encode(SECRET).unwrap());
    assert_eq!(words(&run).await, [json.clone(), ChunkBody::Bytes(SECRET.as_bytes().into()), json]);
    let fork = run.fork(6).id("f").input(TOLD).await.unwrap();
    assert_eq!(house.done(fork.result()).await.unwrap(), format!("sql {SECRET}, {TOLD}"));
    assert_eq!(house.log.count("sql"), 1);

    let tables = async |text: &str| {
        let (left, right) = text.split_at(4);
        let look = house.onward.start::<tables_with>((is_postgres, (left.to_owned(), right.to_owned())));
        house.done(look.await.unwrap().result()).await.unwrap()
    };
    assert_eq!((tables(SECRET).await, tables(TOLD).await), (vec![], vec![]));
    let shown: &[&str] = if is_postgres { &["runs"] } else { &["run_attributes", "runs"] };
    assert_eq!(tables("5555-5555").await, shown, "attributes are for queries");
}

#[on_every_database]
async fn a_message_that_cannot_be_decoded_is_refused_until_an_executor_has_the_key(db: TestDatabase) {
    let mut house = House::open(db.clone(), house).await;
    let run = house.onward.start::<talk>(SECRET.to_owned()).id("t").await.unwrap();
    let ahead = Client::connect_with(&db.url, house.clock.clone()).await.unwrap().codec(only_new());
    ahead.send("t", "another", "is never taken").await.unwrap();
    ahead.send("t", "ear", "news").await.unwrap();
    let refused = async || {
        let reason = run.describe().await.unwrap().reason;
        reason.contains("1 message was refused: the message was encoded by codec") && reason.contains("key `new`")
    };
    house.until("the reason says so", refused).await;
    assert_eq!(run.status().await.unwrap(), Status::Running);
    assert_eq!(ahead.handle::<talk>("t").get_event::<String>("said").await.unwrap_err().code(), "decode");
    let unread = ahead.handle::<talk>("t").read_stream::<String>("words").next().await.unwrap().unwrap_err();
    assert_eq!(unread.code(), "decode");

    house.lose_executor_for(|b| b.codec(rotated())).await;
    let run = house.onward.handle::<talk>("t");
    assert_eq!(house.done(run.result()).await.unwrap(), format!("sql {SECRET}, news"));
}

#[on_every_database]
async fn an_event_that_cannot_be_decoded_holds_the_run_that_reads_it(db: TestDatabase) {
    let is_postgres = db.is_postgres();
    let mut house = House::open(db, house).await;
    let says = house.onward.start::<talk>(SECRET.to_owned()).id("t").await.unwrap();
    assert_eq!(
        house.done(says.get_event::<String>("said").timeout(days(36_500))).await.unwrap().as_deref(),
        Some(SECRET)
    );
    house.lose_executor_for(|b| b.codec(only_new())).await;
    let reads = house.onward.start::<overhears>("t".to_owned()).id("o").await.unwrap();
    assert_eq!(house.done(reads.result()).await.unwrap_err().code(), "decode");
    assert_eq!(reads.status().await.unwrap(), Status::Paused);
    assert!(reads.steps().await.unwrap().iter().all(|step| step.state.is_open()), "nothing of it is recorded");

    house.lose_executor_for(|b| b.codec(rotated())).await;
    let reads = house.onward.handle::<overhears>("o");
    reads.resume().await.unwrap();
    assert_eq!(house.done(reads.result()).await.unwrap().as_deref(), Some(SECRET));
    let (left, right) = SECRET.split_at(4);
    let look = house.onward.start::<tables_with>((is_postgres, (left.to_owned(), right.to_owned()))).await.unwrap();
    assert_eq!(house.done(look.result()).await.unwrap(), [""; 0], "what was read is recorded encoded");
}

#[on_every_database]
async fn documents_are_encoded_and_whoever_lacks_the_codec_is_told(db: TestDatabase) {
    let house = House::open(db.clone(), house).await;
    house.onward.documents("key").put("k", SECRET).await.unwrap();
    let (head, tail) = SECRET.split_at(4);
    let given = (db.is_postgres(), (head.to_owned(), tail.to_owned()));
    let found = house.onward.start::<tables_with>(given).await.unwrap();
    assert_eq!(house.done(found.result()).await.unwrap(), [""; 0]);
    let read = house.onward.documents("key").get::<String>("k").await.unwrap().unwrap();
    assert_eq!(read.value, SECRET);
    let other = Client::connect_with(&db.url, house.clock.clone()).await.unwrap();
    let refused = other.documents("key").get::<String>("k").await.unwrap_err();
    assert!(refused.code() == "decode" && refused.message().contains("the document was encoded by codec"), "{refused}");
    assert!(other.documents("key").list().await.unwrap()[0].value.as_str().starts_with("{\"onward:codec\""));
}
