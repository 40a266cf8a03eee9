//! The process that is thrown at: an executor with the one workflow.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use onward::{Clock, Onward, Result, Skew};
use onward_testkit::crash::bodies::Log;
use onward_testkit::crash::{Program, Said, World, brief, deployed, kept, load, program, tick};
use tokio::io::{AsyncBufReadExt, BufReader, stdin};

use crate::arguments::Arguments;
use crate::random::Random;

/// How long bodies may go on after a shutdown was asked for.
const PATIENCE: Duration = Duration::from_millis(100);
/// In microseconds.
const DAY: u64 = 86_400_000_000;

pub(crate) async fn work(mut arguments: Arguments) -> Result<()> {
    let database: String = arguments.required("--db")?;
    let log = Arc::new(Log::open(&arguments.required::<PathBuf>("--log")?)?);
    let desk = arguments.optional::<PathBuf>("--desk")?;
    let lease = arguments.optional("--lease")?.map(Duration::from_millis);
    let park_after = arguments.optional("--park-after")?.map(Duration::from_millis);
    let forget_every = arguments.optional("--forget-every")?.map(Duration::from_millis);
    let build = arguments.optional("--build")?.unwrap_or_default();
    let clock_jumps = arguments.optional("--clock-jumps")?.unwrap_or(false);
    arguments.finished()?;
    let clock = if clock_jumps { jumping() } else { Clock::system() };
    let open = || {
        let world = World { log: log.clone(), desk: desk.clone(), build };
        let mut builder = Onward::open(database.clone())
            .workflows::<(program, tick, load, brief, deployed)>()
            .clock(clock.clone())
            .state(world);
        builder = if let Some(lease) = lease { builder.lease(lease) } else { builder };
        if let Some(idle) = park_after { builder.park_after(idle) } else { builder }
    };
    let onward = loop {
        match open().launch().await {
            Ok(onward) => break onward,
            // The server may be down just now, as it may be when a machine boots.
            Err(error) if error.code() == "database" => tokio::time::sleep(Duration::from_millis(100)).await,
            Err(error) => return Err(error.into()),
        }
    };
    say(&Said::Ready(onward.executor_id().to_string()));
    if let Some(every) = forget_every {
        tokio::spawn(forget_briefs(onward.clone(), every));
    }
    let mut lines = BufReader::new(stdin()).lines();
    while let Some(line) = lines.next_line().await? {
        if line == "shutdown" {
            onward.shutdown(PATIENCE).await?;
            return Ok(());
        }
        let start = line.strip_prefix("start ").and_then(|rest| rest.split_once(' '));
        let (id, input) = start.ok_or_else(|| format!("`{line}` is no command"))?;
        tokio::spawn(start_run(onward.clone(), id.to_owned(), serde_json::from_str(input)?));
    }
    Ok(())
}

/// The clock of a machine that somebody sets again and again, by up to a day. What time it is the server says.
fn jumping() -> Clock {
    let skew = Skew::default();
    let clock = Clock::skewed(&skew);
    let mut random = Random::new(u64::from(std::process::id()));
    tokio::spawn(async move {
        loop {
            let micros = i64::try_from(random.between(0, 2 * DAY)).unwrap_or(0) - i64::try_from(DAY).unwrap_or(0);
            skew.set(micros);
            tokio::time::sleep(Duration::from_millis(random.between(50, 1_000))).await;
        }
    });
    clock
}

/// Delete runs that are not kept, more often than an executor does by itself.
async fn forget_briefs(onward: Onward, every: Duration) {
    loop {
        // What cannot be done now, for the database is away, is done the next time.
        onward.retain(&kept()).await.ok();
        tokio::time::sleep(every).await;
    }
}

async fn start_run(onward: Onward, id: String, input: Program) {
    let run = match onward.start::<program>(input).id(&id).await {
        Ok(run) => run,
        Err(error) => return say(&Said::Failed(format!("start {id}: {error}"))),
    };
    say(&Said::Started(id.clone()));
    match run.result().await {
        Ok(value) => say(&Said::Result(id, value)),
        Err(error) => say(&Said::Failed(format!("result {id}: {error}"))),
    }
}

/// A reader knows the line once it is out; a worker without a reader ends.
fn say(said: &Said) {
    println!("{}", said.line());
}
