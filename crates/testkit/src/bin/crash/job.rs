//! The process that performs a job of the benchmark over and over, says whatever it was given, and is killed.

use onward::client::Start;
use onward::{Data, Onward, Result, WorkflowHandle};
use onward_testkit::crash::jobs::{self, Job, PRODUCERS, QUEUE, Voice, echo, payload, steps, told};
use onward_testkit::crash::{Said, mix};
use tokio::io::{AsyncBufReadExt, BufReader, stdin};
use tokio::task::JoinSet;

use crate::arguments::Arguments;

pub(crate) async fn perform(mut arguments: Arguments) -> Result<()> {
    let database: String = arguments.required("--db")?;
    let job = arguments.required("--job")?;
    arguments.finished()?;
    let onward = jobs::open(&database, Voice::new(|said| say(&said))).await?;
    say(&Said::Ready(onward.executor_id().to_string()));
    let mut lines = BufReader::new(stdin()).lines();
    tokio::select! {
        failed = over_and_over(&onward, job) => failed,
        // Its caller is gone.
        line = lines.next_line() => Ok(line.map(|_| ())?),
    }
}

async fn over_and_over(onward: &Onward, job: Job) -> Result<()> {
    for round in 0.. {
        if let Err(error) = once(onward, job, round).await {
            say(&Said::Failed(error.to_string()));
            return Err(error);
        }
    }
    Ok(())
}

async fn once(onward: &Onward, job: Job, round: u64) -> Result<()> {
    match job {
        Job::A | Job::B => at_once((0..job.runs()).map(|_| run(onward.clone(), job.steps()))).await,
        Job::C => drain(onward, job.runs()).await,
        Job::D => {
            for _ in 0..job.runs() {
                run(onward.clone(), 1).await?;
            }
            Ok(())
        }
        Job::Dq => {
            for _ in 0..job.runs() {
                result(enqueue(onward).await?).await?;
            }
            Ok(())
        }
        Job::E => {
            let seed = mix(u64::from(std::process::id()), round);
            at_once((0..job.runs()).map(|number| repeat(onward.clone(), payload(mix(seed, number.into()))))).await
        }
    }
}

/// Each on a task of its own.
async fn at_once(runs: impl Iterator<Item = impl Future<Output = Result<()>> + Send + 'static>) -> Result<()> {
    let mut runs: JoinSet<Result<()>> = runs.collect();
    while let Some(run) = runs.join_next().await {
        run??;
    }
    Ok(())
}

async fn drain(onward: &Onward, runs: u32) -> Result<()> {
    let mut producers: JoinSet<Result<Vec<_>>> = JoinSet::new();
    for producer in 0..PRODUCERS {
        let (onward, runs) = (onward.clone(), (producer..runs).step_by(PRODUCERS as usize));
        producers.spawn(async move {
            let mut queued = Vec::new();
            for _ in runs {
                queued.push(enqueue(&onward).await?);
            }
            Ok(queued)
        });
    }
    let mut queued = Vec::new();
    while let Some(of_one) = producers.join_next().await {
        queued.extend(of_one??);
    }
    at_once(queued.into_iter().map(result)).await
}

async fn run(onward: Onward, count: u32) -> Result<()> {
    let run = started(onward.start::<steps>(count)).await?;
    result(run).await
}

async fn repeat(onward: Onward, payload: String) -> Result<()> {
    let run = started(onward.start::<echo>(payload.clone())).await?;
    let repeated = run.result().await?;
    if repeated != payload {
        return Err(format!("run {} gave another payload than it was given", run.id()).into());
    }
    say(&Said::Result(run.id().to_owned(), told(&repeated.into())));
    Ok(())
}

async fn enqueue(onward: &Onward) -> Result<WorkflowHandle<u64>> {
    started(onward.start::<steps>(1).queue(QUEUE)).await
}

async fn started<T: Data>(start: Start<'_, T>) -> Result<WorkflowHandle<T>> {
    let run = start.await?;
    say(&Said::Started(run.id().to_owned()));
    Ok(run)
}

async fn result(run: WorkflowHandle<u64>) -> Result<()> {
    let value = run.result().await?;
    say(&Said::Result(run.id().to_owned(), value));
    Ok(())
}

/// Once the line is out, it is known.
fn say(said: &Said) {
    println!("{}", said.line());
}
