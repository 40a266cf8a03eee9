//! durare, on PostgreSQL and on SQLite.

use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use durare::{
    DurableContext, DurableEngine, ListFilter, PostgresProvider, SqliteProvider, StateProvider, WorkflowHandle,
    WorkflowOptions, WorkflowQueue,
};
use onward_contest::{Engine, Ready, Result, enter_step};
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};

use crate::sqlite::durability;

const QUEUE: &str = "work";
/// Many runs are under way at once: more than the default of 8.
const POSTGRES_CONNECTIONS: u32 = 20;
/// The default.
const SQLITE_CONNECTIONS: u32 = 5;

#[durare::step]
async fn trivial(ctx: &DurableContext, number: u32) -> durare::Result<u32> {
    enter_step();
    Ok(number)
}

#[durare::step]
async fn same(ctx: &DurableContext, payload: String) -> durare::Result<String> {
    enter_step();
    Ok(payload)
}

#[durare::workflow]
async fn steps(ctx: DurableContext, count: u32) -> durare::Result<u32> {
    for number in 0..count {
        trivial(&ctx, number).await?;
    }
    Ok(count)
}

#[durare::workflow]
async fn echo(ctx: DurableContext, payload: String) -> durare::Result<String> {
    same(&ctx, payload).await
}

pub struct Durare(DurableEngine);

pub async fn open(url: String) -> Result<(Durare, Ready)> {
    let polling = "queue: polled every 10 ms, 1,000 tasks an iteration";
    let (provider, ready): (Arc<dyn StateProvider>, Ready) = if url.starts_with("sqlite:") {
        // As `SqliteProvider::connect`, but for `synchronous`, which it sets to normal: then a commit is not synced.
        let options = SqliteConnectOptions::from_str(&url)?
            .create_if_missing(true)
            .foreign_keys(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .busy_timeout(Duration::from_secs(5));
        let pool = SqlitePoolOptions::new().max_connections(SQLITE_CONNECTIONS).connect_with(options).await?;
        let durability = Some(durability(&pool, SQLITE_CONNECTIONS).await?);
        let settings =
            format!("own pool of {SQLITE_CONNECTIONS} with synchronous=full (its default is normal); {polling}");
        (Arc::new(SqliteProvider::from_pool(pool)), Ready { durability, settings })
    } else {
        // As `PostgresProvider::connect`, but for the number of connections.
        let options = PgConnectOptions::from_str(&url)?.options([("search_path", "dbos")]);
        let pool = PgPoolOptions::new().max_connections(POSTGRES_CONNECTIONS).connect_with(options).await?;
        let settings = format!("own pool of {POSTGRES_CONNECTIONS} (its default has 8); {polling}");
        (Arc::new(PostgresProvider::from_pool_with_schema(pool, "dbos")?), Ready { durability: None, settings })
    };
    let mut engine = DurableEngine::new_with_version(provider, "1").await?;
    engine.register_queue(
        WorkflowQueue::new(QUEUE).base_polling_interval(Duration::from_millis(10)).max_tasks_per_iteration(1_000),
    );
    engine.launch().await?;
    Ok((Durare(engine), ready))
}

impl Engine for Durare {
    type Queued = WorkflowHandle<u32>;

    async fn run(&self, count: u32) -> Result<()> {
        self.0.start_with(Steps, count, WorkflowOptions::default()).await?.result().await?;
        Ok(())
    }

    async fn echo(&self, payload: String) -> Result<String> {
        Ok(self.0.start_with(Echo, payload, WorkflowOptions::default()).await?.result().await?)
    }

    async fn enqueue(&self) -> Result<WorkflowHandle<u32>> {
        Ok(self.0.start_with(Steps, 1, WorkflowOptions::default().queue(QUEUE)).await?)
    }

    async fn result(&self, queued: WorkflowHandle<u32>) -> Result<()> {
        queued.result().await?;
        Ok(())
    }

    /// One question for all of them: each handle would ask for its own run every 100 ms.
    async fn all_ended(&self, _: Vec<WorkflowHandle<u32>>) -> Result<()> {
        let open = ListFilter {
            status: vec!["ENQUEUED".to_owned(), "PENDING".to_owned()],
            limit: Some(1),
            load_input: false,
            load_output: false,
            ..ListFilter::default()
        };
        while !self.0.list_workflows(&open).await?.is_empty() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        Ok(())
    }

    async fn close(self) -> Result<()> {
        Ok(self.0.shutdown(Duration::from_secs(5)).await?)
    }
}
