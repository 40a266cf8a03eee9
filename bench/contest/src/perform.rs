//! How a program performs a job under the eyes of another.

use std::io::Write;
use std::process::ExitCode;

use serde::{Deserialize, Serialize};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

use crate::{Result, Take};

/// What is over sooner than this is done again, and the median of the takes counts.
const LONG_ENOUGH: f64 = 1.0;
const TAKES_MAX: usize = 5;

/// The engine that performs a job.
pub trait Contestant: Send + Sized + 'static {
    /// Perform it once.
    fn take(&mut self) -> impl Future<Output = Result<Take>> + Send;

    /// How many step bodies were entered more than once.
    fn again(&self) -> u64;

    /// End in good order.
    fn close(self) -> impl Future<Output = Result<()>> + Send;
}

/// What a program says, a line of JSON each.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Line {
    /// It is warmed up and waits for a line on its standard input.
    Ready(Ready),
    /// It has done the job, and stays as it is until there is another line.
    Done(Done),
}

/// How an engine was set up.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Ready {
    /// What its own connections say about durability, where they can be asked.
    pub durability: Option<String>,
    /// What was set for it that is no default.
    pub settings: String,
}

/// What a job brought.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Done {
    /// How many steps, in job a, or runs one take had.
    pub count: u32,
    /// The takes. There is more than one where one is over in less than a second.
    pub takes: Vec<Take>,
    /// How many step bodies were entered again, though nothing had crashed.
    pub again: u64,
}

/// Perform the job of these orders with the contestant that `open` gives.
pub async fn perform<C: Contestant>(
    open: impl Future<Output = Result<(C, Ready)>> + Send + 'static,
    count: u32,
) -> ExitCode {
    // On a task of its own, as in a server: the main thread is not one of the runtime's workers.
    let done = tokio::spawn(work(open, count)).await;
    match done.map_err(Into::into).flatten() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn work<C: Contestant>(open: impl Future<Output = Result<(C, Ready)>>, count: u32) -> Result<()> {
    let mut watcher = Watcher::new();
    let (mut contestant, ready) = watcher.during(open).await?;
    say(&Line::Ready(ready))?;
    watcher.word().await?;
    let takes = watcher.during(takes(&mut contestant)).await?;
    say(&Line::Done(Done { count, takes, again: contestant.again() }))?;
    watcher.word().await?;
    contestant.close().await
}

async fn takes(contestant: &mut impl Contestant) -> Result<Vec<Take>> {
    let mut takes = Vec::new();
    let mut seconds = 0.0;
    while takes.is_empty() || (seconds < LONG_ENOUGH && takes.len() < TAKES_MAX) {
        let take = contestant.take().await?;
        seconds += take.seconds;
        takes.push(take);
    }
    Ok(takes)
}

fn say(line: &Line) -> Result<()> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{}", serde_json::to_string(line)?)?;
    Ok(out.flush()?)
}

/// The process that holds our standard input. Once it is closed, no process waits for the result.
struct Watcher(UnboundedReceiver<()>);

impl Watcher {
    /// A thread of its own: a read of the runtime's would keep the process from ending.
    fn new() -> Watcher {
        let (word, words) = unbounded_channel();
        std::thread::spawn(move || std::io::stdin().lines().map_while(Result::ok).try_for_each(|_| word.send(())));
        Watcher(words)
    }

    async fn word(&mut self) -> Result<()> {
        self.0.recv().await.ok_or_else(|| "nobody is watching any more".into())
    }

    /// Do this, unless nobody is watching any more.
    async fn during<T>(&mut self, work: impl Future<Output = Result<T>>) -> Result<T> {
        tokio::select! {
            done = work => done,
            word = self.word() => Err(word.err().unwrap_or_else(|| "told to go on in the middle of the work".into())),
        }
    }
}
