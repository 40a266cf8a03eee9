//! The two workflows of the demo: a run for the folder, and a run of five steps for each file.
//!
//! This is what a user of Onward writes. The rest of the demo starts it, kills it, and checks the result.

use std::path::{Path, PathBuf};

use onward::prelude::*;
use serde::{Deserialize, Serialize};

use super::archive::{Archive, Entry, Summary};
use super::log::StepLog;

/// The maximum number of files in progress at the same time.
pub(super) const AT_ONCE: usize = 16;

/// The steps of each file, in order.
pub(super) const STEPS: [&str; 5] = ["read", "hash", "compress", "store", "record"];

/// A folder to archive.
#[derive(Serialize, Deserialize)]
pub(super) struct Folder {
    pub(super) source: PathBuf,
    pub(super) work: PathBuf,
    /// The files, relative to `source`.
    pub(super) files: Vec<String>,
}

/// One file to archive.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct File {
    source: PathBuf,
    work: PathBuf,
    path: String,
}

#[onward::workflow]
pub(super) async fn archive_folder(ctx: &Ctx, folder: Folder) -> Result<Summary> {
    let Folder { source, work, files } = &folder;
    let file = |path: &String| File { source: source.clone(), work: work.clone(), path: path.clone() };
    let runs = files.iter().map(|path| ctx.run::<archive_file>(file(path)));
    let entries: Vec<Entry> = ctx.all(runs).limit(AT_ONCE).await?;
    Ok(summarize(ctx, work, &entries).await?)
}

#[onward::workflow]
pub(super) async fn archive_file(ctx: &Ctx, file: File) -> Result<Entry> {
    let bytes = read(ctx, &file).await?;
    let sha256 = hash(ctx, &file).await?;
    let packed = compress(ctx, &file).await?;
    store(ctx, &file, &sha256).await?;
    let entry = Entry { path: file.path.clone(), bytes, sha256, packed };
    record(ctx, &file, &entry).await?;
    Ok(entry)
}

// A body may run again if the process dies before its result is recorded. So each one is idempotent: it writes a unique file and
// renames it, and does the same with the same bytes the second time.

/// Copies the file into the working folder: later edits of the source do not matter.
#[onward::step]
async fn read(ctx: &Ctx, file: &File) -> Result<u64> {
    let source = file.source.join(&file.path);
    body(ctx, "read", &file.work, move |archive, run| archive.read(run, &source)).await
}

#[onward::step]
async fn hash(ctx: &Ctx, file: &File) -> Result<String> {
    body(ctx, "hash", &file.work, |archive, run| archive.hash(run)).await
}

#[onward::step]
async fn compress(ctx: &Ctx, file: &File) -> Result<u64> {
    body(ctx, "compress", &file.work, |archive, run| archive.compress(run)).await
}

#[onward::step]
async fn store(ctx: &Ctx, file: &File, sha256: &str) -> Result<()> {
    let sha256 = sha256.to_owned();
    body(ctx, "store", &file.work, move |archive, run| archive.store(run, &sha256)).await
}

#[onward::step]
async fn record(ctx: &Ctx, file: &File, entry: &Entry) -> Result<()> {
    let entry = entry.clone();
    body(ctx, "record", &file.work, move |archive, run| archive.record(run, &entry)).await
}

#[onward::step]
async fn summarize(ctx: &Ctx, work: &Path, entries: &[Entry]) -> Result<Summary> {
    let summary = Summary::of(entries);
    body(ctx, "summarize", work, move |archive, _| archive.summarize(summary)).await
}

/// Does the work on a thread that may block, between two lines in the log of what really ran.
async fn body<T: Send + 'static>(
    ctx: &Ctx,
    step: &'static str,
    work: &Path,
    act: impl FnOnce(&Archive, &str) -> std::io::Result<T> + Send + 'static,
) -> Result<T> {
    let log: &StepLog = ctx.state();
    let (run, archive) = (ctx.run_id().to_owned(), Archive::at(work));
    log.begin(&run, step, ctx.attempt()).await?;
    let done = tokio::task::spawn_blocking(move || act(&archive, &run)).await??;
    log.end(ctx.run_id(), step, ctx.attempt())?;
    Ok(done)
}
