//! Tests of `onward runs steps`.

use onward::prelude::*;
use onward_testkit::{TestDatabase, on_every_database};

use crate::harness::{assert_golden, runs, some_runs};

#[on_every_database]
async fn each_durable_call_is_a_row(db: TestDatabase) -> Result<()> {
    let _onward = some_runs(&db).await?;
    for id in ["greeting", "refusal", "waiting", "family"] {
        let said = runs(&db, &["steps", id]).await;
        assert_eq!((said.code, said.err.as_str()), (0, ""), "{id}");
        assert_golden(&format!("steps {id}"), &said.out);
    }
    Ok(())
}

/// It takes a patch before its first call, one between two calls, and one after the last.
#[onward::workflow]
async fn patches(ctx: &Ctx) -> Result<()> {
    ctx.patched("first").await?;
    ctx.step("one", async || Ok(())).await?;
    ctx.patched("middle").await?;
    ctx.step("two", async || Ok(())).await?;
    ctx.patched("last").await?;
    Ok(())
}

#[on_every_database]
async fn a_patch_is_shown_where_it_was_taken(db: TestDatabase) -> Result<()> {
    let onward = Onward::open(&db.url).workflow::<patches>().launch().await?;
    onward.start::<patches>(()).id("p").await?.result().await?;
    let said = runs(&db, &["steps", "p"]).await;
    let rows: Vec<Vec<&str>> = said.out.lines().map(|row| row.split_whitespace().take(3).collect()).collect();
    let expected = [
        ["-", "patch", "first"],
        ["0", "step", "one"],
        ["-", "patch", "middle"],
        ["1", "step", "two"],
        ["-", "patch", "last"],
    ];
    assert_eq!(rows[1..], expected, "{said:?}");
    Ok(())
}

#[on_every_database]
async fn a_program_gets_what_was_recorded(db: TestDatabase) -> Result<()> {
    let _onward = some_runs(&db).await?;
    let steps = runs(&db, &["steps", "family", "--json"]).await.json();
    assert_eq!(steps.as_array().map(Vec::len), Some(2));
    assert_eq!((&steps[1]["kind"], &steps[1]["output"]), (&"child".into(), &"hello, second".into()));
    Ok(())
}

#[on_every_database]
async fn a_part_of_what_was_recorded_is_shown_where_it_is_asked_for(db: TestDatabase) -> Result<()> {
    let _onward = some_runs(&db).await?;
    let shown = async |more: &[&str]| runs(&db, &[&["steps", "family", "--json"], more].concat()).await.json();
    let positions = async |more: &[&str]| {
        let steps = shown(more).await.as_array().cloned().unwrap_or_default();
        steps.iter().filter_map(|step| step["position"].as_u64()).collect::<Vec<_>>()
    };
    assert_eq!(positions(&[]).await, [0, 1]);
    assert_eq!(positions(&["--from", "1"]).await, [1]);
    assert_eq!(positions(&["--limit", "1"]).await, [0]);
    assert_eq!(shown(&[]).await[0]["output"], "hello, first");
    assert!(shown(&["--without-output"]).await[0].get("output").is_none());
    assert_eq!(runs(&db, &["steps", "family", "--from", "2"]).await.out, "no durable calls from that position on\n");
    Ok(())
}
