//! dbos, on PostgreSQL: it has no other database.

use std::time::Duration;

use dbos::sysdb::types::{WorkflowFilter, WorkflowStatus};
use dbos::{
    Config, DBOS, Enqueue, Error, QueueConflict, QueueOptions, StartOptions, WorkflowHandle, WorkflowRef, step,
};
use onward_contest::{Engine, Ready, Result, enter_step};

const QUEUE: &str = "work";
/// Many runs are under way at once: more than the default of 10.
const CONNECTIONS: u32 = 20;
const POLL: Duration = Duration::from_millis(10);

pub struct Dbos {
    dbos: DBOS,
    steps: WorkflowRef<u32, u32>,
    echo: WorkflowRef<String, String>,
}

async fn steps(count: u32) -> dbos::Result<u32> {
    for number in 0..count {
        let body = || async move {
            enter_step();
            Ok::<_, Error>(number)
        };
        step("step", body).await?;
    }
    Ok(count)
}

async fn echo(payload: String) -> dbos::Result<String> {
    let body = || {
        let payload = payload.clone();
        async move {
            enter_step();
            Ok::<_, Error>(payload)
        }
    };
    step("same", body).await
}

pub async fn open(url: String) -> Result<(Dbos, Ready)> {
    let dbos = DBOS::new(Config {
        app_version: Some("1".to_owned()),
        max_connections: CONNECTIONS,
        outcome_poll_interval: Some(POLL),
        ..Config::new("contest", url)
    });
    let steps = dbos.register_workflow("steps", steps)?;
    let echo = dbos.register_workflow("echo", echo)?;
    dbos.launch().await?;
    let options = QueueOptions { polling_interval: POLL, ..QueueOptions::default() };
    dbos.register_queue(QUEUE, options, QueueConflict::UpdateIfLatestVersion).await?;
    // A worker starts at its default of a second and comes down to the queue's own interval by a tenth each time it has
    // looked, which takes ten seconds: it is at work before anything is measured.
    tokio::time::sleep(Duration::from_secs(12)).await;
    let settings =
        format!("pool of {CONNECTIONS} (its default has 10); queue and results polled every {} ms", POLL.as_millis());
    Ok((Dbos { dbos, steps, echo }, Ready { durability: None, settings }))
}

impl Engine for Dbos {
    type Queued = WorkflowHandle<u32>;

    async fn run(&self, count: u32) -> Result<()> {
        self.steps.start(count).await?.result().await?;
        Ok(())
    }

    async fn echo(&self, payload: String) -> Result<String> {
        Ok(self.echo.start(payload).await?.result().await?)
    }

    async fn enqueue(&self) -> Result<WorkflowHandle<u32>> {
        let options = StartOptions { queue: Some(Enqueue::new(QUEUE)), ..StartOptions::default() };
        Ok(self.steps.start_with(1, options).await?)
    }

    async fn result(&self, queued: WorkflowHandle<u32>) -> Result<()> {
        queued.result().await?;
        Ok(())
    }

    /// One question for all of them: each handle would ask for its own run.
    async fn all_ended(&self, _: Vec<WorkflowHandle<u32>>) -> Result<()> {
        let open = WorkflowFilter {
            status: vec![WorkflowStatus::Enqueued, WorkflowStatus::Pending],
            limit: Some(1),
            ..WorkflowFilter::default()
        };
        while !self.dbos.list_workflows(&open).await?.is_empty() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        Ok(())
    }

    async fn close(self) -> Result<()> {
        self.dbos.shutdown().await;
        Ok(())
    }
}
