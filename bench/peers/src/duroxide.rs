//! duroxide, on SQLite.

use std::fs::File;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use duroxide::providers::sqlite::SqliteProvider;
use duroxide::runtime::registry::ActivityRegistry;
use duroxide::runtime::{ObservabilityConfig, Runtime, RuntimeOptions};
use duroxide::{ActivityContext, Client, OrchestrationContext, OrchestrationRegistry, OrchestrationStatus};
use onward_contest::{Engine, Ready, Result, enter_step};

use crate::sqlite::{durability, make_full};

const CONNECTIONS: u32 = 5;
const PATIENCE: Duration = Duration::from_secs(600);

pub struct Duroxide {
    runtime: Arc<Runtime>,
    client: Client,
    started: AtomicU64,
}

async fn trivial(_: ActivityContext, number: String) -> std::result::Result<String, String> {
    enter_step();
    Ok(number)
}

async fn steps(ctx: OrchestrationContext, count: String) -> std::result::Result<String, String> {
    let number: u32 = count.parse().map_err(|error| format!("{error}"))?;
    for number in 0..number {
        ctx.schedule_activity("trivial", number.to_string()).await?;
    }
    Ok(count)
}

async fn echo(ctx: OrchestrationContext, payload: String) -> std::result::Result<String, String> {
    ctx.schedule_activity("trivial", payload).await
}

pub async fn open(url: String) -> Result<(Duroxide, Ready)> {
    // It opens no file that is not there.
    let path = url.trim_start_matches("sqlite:");
    File::create(path)?;
    let provider = Arc::new(SqliteProvider::new(&url, None).await?);
    // It asks for `synchronous = wal`, which SQLite does not know and takes for normal: then a commit is not synced.
    make_full(provider.get_pool(), CONNECTIONS).await?;
    let durability = Some(durability(provider.get_pool(), CONNECTIONS).await?);
    let activities = ActivityRegistry::builder().register("trivial", trivial).build();
    let orchestrations = OrchestrationRegistry::builder().register("steps", steps).register("echo", echo).build();
    let options = RuntimeOptions {
        dispatcher_min_poll_interval: Duration::from_millis(5),
        observability: ObservabilityConfig { log_level: "error".to_owned(), ..ObservabilityConfig::default() },
        ..RuntimeOptions::default()
    };
    let runtime = Runtime::start_with_options(provider.clone(), activities, orchestrations, options).await;
    let settings =
        "synchronous=full on each of its connections (it comes with normal); polled every 5 ms (its default: \
                    100); 2 orchestration and 2 activity workers, its default and the best of 1, 2 and 4; no log lines"
            .to_owned();
    Ok((
        Duroxide { runtime, client: Client::new(provider), started: AtomicU64::new(0) },
        Ready { durability, settings },
    ))
}

impl Duroxide {
    async fn start(&self, name: &str, input: String) -> Result<String> {
        let id = format!("{name}-{}", self.started.fetch_add(1, Ordering::Relaxed));
        self.client.start_orchestration(&id, name, input).await?;
        Ok(id)
    }

    async fn output(&self, id: &str) -> Result<String> {
        match self.client.wait_for_orchestration(id, PATIENCE).await? {
            OrchestrationStatus::Completed { output, .. } => Ok(output),
            other => Err(format!("run {id} ended otherwise: {other:?}").into()),
        }
    }
}

impl Engine for Duroxide {
    type Queued = String;

    async fn run(&self, count: u32) -> Result<()> {
        let id = self.start("steps", count.to_string()).await?;
        self.output(&id).await.map(drop)
    }

    async fn echo(&self, payload: String) -> Result<String> {
        let id = self.start("echo", payload).await?;
        self.output(&id).await
    }

    /// Every start goes through a queue.
    async fn enqueue(&self) -> Result<String> {
        self.start("steps", "1".to_owned()).await
    }

    async fn result(&self, id: String) -> Result<()> {
        self.output(&id).await.map(drop)
    }

    /// One question for all of them: each would ask for the whole history of its own run.
    async fn all_ended(&self, _: Vec<String>) -> Result<()> {
        while self.client.get_system_metrics().await?.running_instances > 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        Ok(())
    }

    async fn close(self) -> Result<()> {
        self.runtime.shutdown(None).await;
        Ok(())
    }
}
