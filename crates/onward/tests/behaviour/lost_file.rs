//! A SQLite file that is deleted under its executor: callers get the error, and nothing is acknowledged as durable.

use onward::prelude::*;
use onward_testkit::TestDatabase;

use crate::house::House;

#[onward::workflow]
async fn quick(ctx: &Ctx, n: u32) -> Result<u32> {
    Ok(ctx.step("double", async || Ok(n * 2)).await?)
}

#[tokio::test]
async fn starts_fail_and_the_trouble_is_named_once_the_file_is_gone() {
    let db = TestDatabase::sqlite();
    let house = House::open(db.clone(), |b| b.workflow::<quick>()).await;
    assert_eq!(house.onward.start::<quick>(1).await.unwrap().result().await.unwrap(), 2);
    std::fs::remove_file(db.url.strip_prefix("sqlite:").unwrap()).unwrap();
    // It is looked for each few milliseconds.
    while house.onward.start::<quick>(0).await.is_ok() {}
    for n in 0..3 {
        let refused = house.onward.start::<quick>(n).await.unwrap_err();
        assert!(refused.message().contains("was deleted, moved or replaced while it was open"), "{refused}");
    }
    let is_named = async || house.onward.trouble().iter().any(|it| it.message.contains("nothing more is written"));
    house.until("the trouble is named", is_named).await;
}
