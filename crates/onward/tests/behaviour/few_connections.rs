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

#[tokio::test(flavor = "multi_thread")]
async fn an_executor_that_loses_the_connection_that_writes_gives_up_another_one_for_it() {
    let db = TestDatabase::postgres();
    let (url, role) = with_a_limit_of(&db, 6).await;
    let onward = Onward::open(url).workflow::<adds>().launch().await.unwrap();
    let (watch, connection) = tokio_postgres::connect(&db.url, tokio_postgres::NoTls).await.unwrap();
    tokio::spawn(connection);
    let sessions = async || {
        let query = format!("select count(*) from pg_stat_activity where usename = '{role}'");
        watch.query_one(&query, &[]).await.unwrap().get::<_, i64>(0)
    };
    // Many who read at the same time use all that are granted.
    let all_in_use = async {
        while sessions().await < 6 {
            let reads = (0..20).map(|_| onward.list(onward::Filter::default()));
            for read in futures_util::future::join_all(reads).await {
                read.unwrap();
            }
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(60), all_in_use).await.expect("they use fewer");
    let of_writer = format!("usename = '{role}' and application_name like 'onward-writer-%'");
    let statement = format!(
        "alter role {role} connection limit 5; select pg_terminate_backend(pid) from pg_stat_activity where {of_writer}"
    );
    execute(&db, &statement).await;
    let run = onward.start::<adds>(1).await.unwrap();
    let result = tokio::time::timeout(std::time::Duration::from_secs(60), run.result()).await;
    assert_eq!(result.expect("nothing is written any more").unwrap(), 3);
    assert!(sessions().await <= 5);
    onward.shutdown(std::time::Duration::from_secs(5)).await.unwrap();
    drop((run, onward));
    execute(&db, &format!("drop owned by {role}; drop role {role}")).await;
}
