//! PostgreSQL that grants few connections: Onward works with what it gets.

use onward::prelude::*;
use onward_testkit::TestDatabase;

#[onward::workflow]
async fn adds(ctx: &Ctx, n: u32) -> Result<u32> {
    let one = ctx.step("one", async || Ok(n + 1)).await?;
    Ok(ctx.step("two", async || Ok(one + 1)).await?)
}

/// For a role of its own, for as long as the test takes.
async fn with_a_limit_of(db: &TestDatabase, connections: u32) -> (String, String) {
    let (server, name) = db.url.rsplit_once('/').unwrap();
    let (scheme, host) = server.split_once("://").unwrap();
    let host = host.rsplit_once('@').map_or(host, |(_, host)| host);
    let name = name.split('?').next().unwrap();
    let role = format!("few_{}", name.replace('-', "_"));
    let statement = format!(
        "drop role if exists {role}; create role {role} login connection limit {connections}; \
         grant create on schema public to {role}"
    );
    execute(db, &statement).await;
    (format!("{scheme}://{role}@{host}/{name}"), role)
}

async fn execute(db: &TestDatabase, statement: &str) {
    let (client, connection) = tokio_postgres::connect(&db.url, tokio_postgres::NoTls).await.unwrap();
    tokio::spawn(connection);
    client.batch_execute(statement).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn all_runs_are_done_where_three_connections_are_granted() {
    let db = TestDatabase::postgres();
    let (url, role) = with_a_limit_of(&db, 3).await;
    let onward = Onward::open(url).workflow::<adds>().launch().await.unwrap();
    let mut runs = Vec::new();
    for n in 0..48 {
        runs.push((n, onward.start::<adds>(n).await.unwrap()));
    }
    for (n, run) in runs {
        let result = tokio::time::timeout(std::time::Duration::from_secs(60), run.result()).await;
        assert_eq!(result.expect("it stands still").unwrap(), n + 2);
    }
    onward.shutdown(std::time::Duration::from_secs(5)).await.unwrap();
    drop(onward);
    execute(&db, &format!("drop owned by {role}; drop role {role}")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_is_granted_none_is_told_which_setting_to_raise() {
    let db = TestDatabase::postgres();
    let (url, role) = with_a_limit_of(&db, 0).await;
    let error = Onward::open(url).workflow::<adds>().launch().await.expect_err("it has no connection");
    assert!(
        error.message().contains("An executor needs 3") && error.message().contains("`max_connections`"),
        "{error}"
    );
    execute(&db, &format!("drop owned by {role}; drop role {role}")).await;
}
