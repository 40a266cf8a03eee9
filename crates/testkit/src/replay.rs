//! Recorded runs against the code of today: what tells, before a deploy, which runs it would hold.

use std::path::Path;
use std::{fmt, fs};

use onward::{Builder, Onward, Workflow};
use onward_engine::Rehearsal;

/// What the replay of one run has shown.
pub use onward_engine::{Replayed, Verdict};

/// Replay the runs of workflow `W` in a file that [`export`](onward::WorkflowHandle::export) or `onward runs export` made. The code is
/// executed over what was recorded: no body of a step runs, nothing that is not recorded begins, and nothing is written but to a
/// scratch database in memory.
///
/// Runs that have ended and runs that have not are replayed alike. The error lists every run that the code would not continue, or
/// whose recorded result it no longer returns.
///
/// ```
/// use onward::prelude::*;
/// use onward_testkit::{TestEnvironment, Verdict, replay};
///
/// #[onward::workflow]
/// async fn checkout(ctx: &Ctx, cents: u64) -> Result<u64> {
///     let receipt = ctx.step("charge", async || Ok(cents)).await?;
///     ctx.sleep(days(3)).await?;
///     Ok(receipt)
/// }
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<()> {
/// # let env = TestEnvironment::launch(Onward::open("sqlite::memory:").workflow::<checkout>()).await?;
/// # let run = env.start::<checkout>(4200).id("order-17").await?;
/// # env.settle().await?;
/// # let file = run.export().await?;
/// // In your tests: let file = include_str!("order-17.json");
/// let replayed = replay::<checkout>(&file).await?;
/// assert_eq!(replayed[0].verdict, Verdict::Waits(vec!["position 1: sleep `sleep`".into()]));
/// # env.close().await?; Ok(()) }
/// ```
///
/// # Errors
/// If the file cannot be parsed, has no run of the workflow, or a verdict [is not fine](Verdict::is_fine).
pub async fn replay<W: Workflow>(file: &str) -> Result<Vec<Replayed>, ReplayError> {
    let replay = Replay::new(Onward::open("sqlite::memory:").workflow::<W>())?;
    let all = replay.runs(file).await?;
    let others: Vec<&str> = all.iter().map(|it| &*it.workflow).collect();
    if !others.contains(&W::NAME) {
        return Err(ReplayError::new(format!("the file has no run of workflow `{}`, but of {others:?}", W::NAME)));
    }
    judged(all.into_iter().filter(|it| it.workflow == W::NAME).map(|it| (String::new(), it)).collect())
}

/// Replays recorded runs with the workflows, the states and the codec of a [`Builder`]. [`replay`] is the short form for one workflow.
///
/// ```
/// # use onward::prelude::*;
/// # use onward_testkit::{Replay, TestEnvironment};
/// # #[onward::workflow]
/// # async fn ship(ctx: &Ctx, _: ()) -> Result<()> { Ok(ctx.sleep(days(3)).await?) }
/// # #[onward::workflow]
/// # async fn checkout(ctx: &Ctx, _: ()) -> Result<()> { Ok(ctx.run::<ship>(()).await?) }
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<()> {
/// # let env = TestEnvironment::launch(Onward::open("sqlite::memory:").workflows::<(checkout, ship)>()).await?;
/// # let run = env.start::<checkout>(()).id("order-17").await?;
/// # env.settle().await?;
/// # let file = run.export().await?;
/// # env.close().await?;
/// let replay = Replay::new(Onward::open("sqlite::memory:").workflows::<(checkout, ship)>())?;
/// for run in replay.file(&file).await? {
///     println!("{run}"); // run `order-17` (checkout 1): waits where the recorded run waits: position 0: child `ship`
/// }
/// # let folder = std::env::temp_dir().join(format!("onward-replay-{}", std::process::id()));
/// # std::fs::create_dir_all(&folder)?;
/// # std::fs::write(folder.join("order-17.json"), &file)?;
/// // Every file of a folder: let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/histories");
/// assert_eq!(replay.folder(&folder).await?.len(), 2);
/// # std::fs::remove_dir_all(&folder)?;
/// # Ok(()) }
/// ```
pub struct Replay(Rehearsal);

impl Replay {
    /// Replay with what this builder has. Its database is not opened.
    ///
    /// # Errors
    /// If two of its workflows have the same name and version.
    pub fn new(builder: Builder) -> Result<Replay, ReplayError> {
        Ok(Replay(builder.rehearsal()?))
    }

    /// Replay every run of a file.
    ///
    /// # Errors
    /// If the file cannot be parsed, or a verdict [is not fine](Verdict::is_fine).
    pub async fn file(&self, text: &str) -> Result<Vec<Replayed>, ReplayError> {
        judged(self.runs(text).await?.into_iter().map(|run| (String::new(), run)).collect())
    }

    /// Replay every run of every file in a folder, in the order of their names.
    ///
    /// # Errors
    /// If the folder has no file, a file cannot be read or parsed, or a verdict [is not fine](Verdict::is_fine).
    pub async fn folder(&self, folder: impl AsRef<Path>) -> Result<Vec<Replayed>, ReplayError> {
        let folder = folder.as_ref();
        let failed = |error: std::io::Error| ReplayError::new(format!("cannot read {}: {error}", folder.display()));
        let entries = fs::read_dir(folder).and_then(Iterator::collect::<std::io::Result<Vec<_>>>).map_err(failed)?;
        let mut files: Vec<_> = entries.into_iter().map(|entry| entry.path()).filter(|path| path.is_file()).collect();
        files.sort();
        if files.is_empty() {
            return Err(ReplayError::new(format!("there is no file in {}", folder.display())));
        }
        let mut all = Vec::new();
        for path in files {
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            let in_file = |said: &dyn fmt::Display| ReplayError::new(format!("{name}: {said}"));
            let text = fs::read_to_string(&path).map_err(|error| in_file(&error))?;
            let runs = self.runs(&text).await.map_err(|error| in_file(&error))?;
            all.extend(runs.into_iter().map(|run| (format!("{name}: "), run)));
        }
        judged(all)
    }

    async fn runs(&self, text: &str) -> Result<Vec<Replayed>, ReplayError> {
        Ok(self.0.replay(text).await?)
    }
}

impl fmt::Debug for Replay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Replay")
    }
}

/// Why recorded runs and the code do not go together, a line for each run.
///
/// ```
/// # use onward::prelude::*;
/// # use onward_testkit::{TestEnvironment, replay};
/// # mod old {
/// #     use onward::prelude::*;
/// #     #[onward::workflow]
/// #     pub async fn checkout(ctx: &Ctx, _: ()) -> Result<()> { Ok(ctx.step("charge", async || Ok(())).await?) }
/// # }
/// #[onward::workflow]
/// async fn checkout(ctx: &Ctx, _: ()) -> Result<()> { Ok(ctx.step("bill", async || Ok(())).await?) } // was `charge`
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<()> {
/// # let env = TestEnvironment::launch(Onward::open("sqlite::memory:").workflow::<old::checkout>()).await?;
/// # let run = env.start::<old::checkout>(()).id("order-17").await?;
/// # env.result(&run).await?;
/// # let file = run.export().await?;
/// # env.close().await?;
/// let error = replay::<checkout>(&file).await.unwrap_err();
/// assert!(error.to_string().contains("at position 0 the run recorded step `charge`, but the code now calls step `bill`"));
/// assert_eq!(error.runs().len(), 1);
/// # Ok(()) }
/// ```
#[derive(Debug)]
pub struct ReplayError {
    message: String,
    runs: Vec<Replayed>,
}

impl ReplayError {
    fn new(message: String) -> ReplayError {
        ReplayError { message, runs: Vec::new() }
    }

    /// Every run that was replayed, also those that are fine; none if a file could not be read.
    #[must_use]
    pub fn runs(&self) -> &[Replayed] {
        &self.runs
    }
}

impl fmt::Display for ReplayError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for ReplayError {}

impl From<onward::Error> for ReplayError {
    fn from(error: onward::Error) -> ReplayError {
        ReplayError::new(error.to_string())
    }
}

/// The runs, each with the name of its file if there are several; an error if one of them is not fine.
fn judged(all: Vec<(String, Replayed)>) -> Result<Vec<Replayed>, ReplayError> {
    let bad: Vec<String> =
        all.iter().filter(|(_, run)| !run.verdict.is_fine()).map(|(file, run)| format!("{file}{run}")).collect();
    let runs: Vec<Replayed> = all.into_iter().map(|(_, run)| run).collect();
    if bad.is_empty() { Ok(runs) } else { Err(ReplayError { message: bad.join("\n"), runs }) }
}
