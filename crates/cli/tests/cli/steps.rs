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

#[on_every_database]
async fn a_program_gets_what_was_recorded(db: TestDatabase) -> Result<()> {
    let _onward = some_runs(&db).await?;
    let steps = runs(&db, &["steps", "family", "--json"]).await.json();
    assert_eq!(steps.as_array().map(Vec::len), Some(2));
    assert_eq!((&steps[1]["kind"], &steps[1]["output"]), (&"child".into(), &"hello, second".into()));
    Ok(())
}
