//! The jobs of `bench/contest` on Onward and on the raw loops: what `onward-bench jobs` does, in a process of its own.
//! `onward_testkit::crash::jobs` has the same workflows and settings, to prove that what is measured here survives `kill -9`.

use std::process::ExitCode;
use std::time::{Duration, Instant};

use futures_util::future::try_join_all;
use onward::{Ctx, Onward, WorkflowHandle};
use onward_contest::{Contestant, Engine, Job, Orders, Ready, Runs, Take, enter_step, perform};

use crate::Result;
use crate::database::{Db, Fresh};
use crate::raw::Raw;

const QUEUE: &str = "work";

/// Perform a job: `onward` or `raw`, the job, the database, and how many where it is not the job's own number.
pub(crate) async fn jobs(arguments: Vec<String>) -> Result<ExitCode> {
    let orders = Orders::read(arguments)?;
    let count = orders.count;
    match orders.engine.as_str() {
        "onward" => Ok(perform(onward(orders), count).await),
        "raw" => Ok(perform(raw(orders), count).await),
        other => Err(format!("no engine here is called `{other}`; there are onward and raw").into()),
    }
}

#[onward::workflow]
async fn steps(ctx: &Ctx, count: u32) -> onward::Result<u32> {
    for number in 0..count {
        let body = async || {
            enter_step();
            Ok(number)
        };
        ctx.step("step", body).await?;
    }
    Ok(count)
}

#[onward::workflow]
async fn echo(ctx: &Ctx, payload: String) -> onward::Result<String> {
    let body = async || {
        enter_step();
        Ok(payload.clone())
    };
    Ok(ctx.step("same", body).await?)
}

struct Ours(Onward);

async fn onward(orders: Orders) -> Result<(Runs<Ours>, Ready)> {
    let engine = Onward::open(&orders.url).workflows::<(steps, echo)>().launch().await?;
    engine.queue(QUEUE).await?;
    let ready = Ready { durability: None, settings: "defaults".to_owned() };
    Ok((Runs::new(Ours(engine), &orders).await?, ready))
}

impl Engine for Ours {
    type Queued = WorkflowHandle<u32>;

    async fn run(&self, count: u32) -> Result<()> {
        self.0.start::<steps>(count).await?.result().await?;
        Ok(())
    }

    async fn echo(&self, payload: String) -> Result<String> {
        Ok(self.0.start::<echo>(payload).await?.result().await?)
    }

    async fn enqueue(&self) -> Result<WorkflowHandle<u32>> {
        Ok(self.0.start::<steps>(1).queue(QUEUE).await?)
    }

    async fn result(&self, queued: WorkflowHandle<u32>) -> Result<()> {
        queued.result().await?;
        Ok(())
    }

    async fn all_ended(&self, queued: Vec<WorkflowHandle<u32>>) -> Result<()> {
        try_join_all(queued.iter().map(|run| run.result())).await?;
        Ok(())
    }

    async fn close(self) -> Result<()> {
        Ok(self.0.shutdown(Duration::from_secs(5)).await?)
    }
}

/// The hand-written loops beside the jobs. A run through a queue is a run for them, and nothing is as large as in job e.
struct Loops {
    raw: Raw,
    orders: Orders,
}

async fn raw(orders: Orders) -> Result<(Loops, Ready)> {
    let db = if orders.url.starts_with("sqlite:") { Db::Sqlite } else { Db::Postgres };
    let mut raw = Raw::open(&Fresh { db, url: orders.url.clone() }).await?;
    raw.commits(100).await?;
    Ok((Loops { raw, orders }, Ready { durability: None, settings: String::new() }))
}

impl Contestant for Loops {
    async fn take(&mut self) -> Result<Take> {
        let Orders { job, count, .. } = self.orders;
        let mut millis = Vec::new();
        let began = Instant::now();
        match job {
            Job::A => self.raw.commits(count).await?,
            Job::B | Job::C => self.raw.run_all(count, job.steps()).await?,
            Job::D | Job::Dq => {
                for _ in 0..count {
                    let began = Instant::now();
                    self.raw.commits(1).await?;
                    millis.push(began.elapsed().as_secs_f64() * 1e3);
                }
            }
            Job::E => return Err("there is no raw loop for job e".into()),
        }
        Ok(Take { seconds: began.elapsed().as_secs_f64(), millis })
    }

    fn again(&self) -> u64 {
        0
    }

    async fn close(self) -> Result<()> {
        Ok(())
    }
}
