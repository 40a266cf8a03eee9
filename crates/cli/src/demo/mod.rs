//! `onward demo`: archives a folder with durable workflows, kills their executor, and proves that nothing was lost.
//!
//! Begin with `workflows.rs`, which is what a user writes. `executor.rs` is the process that is killed, `drive.rs` kills it,
//! `log.rs` and `evidence.rs` collect the facts, and `proof.rs` checks them.

mod archive;
mod drive;
mod evidence;
pub(crate) mod executor;
mod files;
mod log;
mod progress;
mod proof;
mod report;
mod workflows;

use std::cell::Cell;
use std::path::Path;
use std::time::{Duration, Instant, SystemTime};
use std::{fs, io};

use onward::Client;
use onward_store::DatabaseUrl;
use tempfile::TempDir;
use tokio::signal::unix::{SignalKind, signal};

use self::archive::Archive;
use self::drive::{Driven, Kills};
use self::evidence::Journal;
use self::executor::Plan;
use self::files::Files;
use self::progress::Progress;
use self::report::Report;
use self::workflows::{Folder, STEPS, archive_folder};
use crate::args::Demo;
use crate::exit::{Exit, Failure};
use crate::output;

/// The lease of the demo's executor, if no other executor uses the database.
const LEASE: Duration = Duration::from_secs(2);

/// The maximum time to wait for threads that still have the database open.
const REMOVE_WITHIN: Duration = Duration::from_secs(5);

pub(crate) async fn run(demo: Demo) -> Result<Exit, Failure> {
    check(demo.db.as_deref())?;
    // Before the working folder is created, so that neither signal can leave it behind.
    let mut interrupt = signal(SignalKind::interrupt()).map_err(Failure::io("listen for ctrl-c"))?;
    let mut terminate = signal(SignalKind::terminate()).map_err(Failure::io("listen for SIGTERM"))?;
    let work = WorkFolder::create(demo.keep)?;
    let started = Cell::new(false);
    // Dropping the future kills the executor.
    let ended = tokio::select! {
        report = archive(&demo, work.path(), &started) => report,
        _ = interrupt.recv() => Err(Failure::new(Exit::Failed, "interrupted")),
        _ = terminate.recv() => Err(Failure::new(Exit::Failed, "terminated")),
    };
    let id = work.name();
    if let (Err(_), Some(db), true) = (&ended, &demo.db, started.get()) {
        leave_nothing_running(db, &id).await;
    }
    let kept = work.close()?;
    let report = ended?;
    if demo.json {
        output::json(&report)?;
    } else {
        output::say(format!("\n{report}"))?;
        if let Some(db) = &demo.db {
            output::say(format!(
                "\nThe runs stay in the database: onward runs list --prefix {id} --db {}",
                hide_password(db)
            ))?;
        } else if let Some(work) = kept {
            output::say(format!("\nThe runs are kept: onward runs list --db {}", database_in(&work)))?;
        }
    }
    Ok(if report.proven { Exit::Done } else { Exit::Failed })
}

/// Refuses a database that the executor, which is another process, could not open.
fn check(db: Option<&str>) -> Result<(), Failure> {
    match db.map(str::parse).transpose()? {
        Some(DatabaseUrl::Sqlite { path: None, .. }) => {
            let message = "an in-memory database is visible only to its own process, and the demo has two: \
                           give the URL of a file or of PostgreSQL";
            Err(Failure::new(Exit::Usage, message))
        }
        _ => Ok(()),
    }
}

/// Archives the folder and proves the result. `started` says whether a run may exist.
async fn archive(demo: &Demo, work: &Path, started: &Cell<bool>) -> Result<Report, Failure> {
    let began = SystemTime::now();
    let files = files::list(&demo.folder, work)?;
    if files.paths.is_empty() {
        let message = format!("there are no files in `{}`: name another folder", demo.folder.display());
        return Err(Failure::new(Exit::Usage, message));
    }
    // Each file's steps, and the summary.
    let steps = files.paths.len() * STEPS.len() + 1;
    let kills = Kills::spread(demo.kills, steps)?;
    let archive = Archive::at(work);
    archive.create().map_err(Failure::io(format_args!("make folders in {}", work.display())))?;

    let db = demo.db.clone().unwrap_or_else(|| database_in(work));
    let client = Client::connect(&db).await.map_err(|error| Failure::from(error).check("--db"))?;
    let plan = Plan { db, work: work.to_owned(), lease: lease(&client).await? };
    let mut progress = Progress::new(steps);
    progress.event(format!("archiving the {} files of {}", files.paths.len(), files.source.display()));
    progress.event(format!("  in the working folder {}", work.display()));
    let (source, work) = (files.source.clone(), work.to_owned());
    let folder = Folder { source, work, files: files.paths.clone() };
    // Set before the answer arrives: if the demo is interrupted meanwhile, the run may have been created.
    started.set(true);
    let run = client.start::<archive_folder>(folder).id(name_of(&plan.work)).await;
    let run = run.inspect_err(|_| started.set(false))?;
    let driven = drive::drive(&plan, &client, &run, &kills, &mut progress).await?;
    progress.event("  checking the result");
    let journal = Journal::read(&client, run.id()).await?;
    prove(&archive, &files, began, &journal, driven)
}

fn prove(
    archive: &Archive,
    files: &Files,
    began: SystemTime,
    journal: &Journal,
    driven: Driven,
) -> Result<Report, Failure> {
    let Driven { summary, took, witnesses, tally } = driven;
    let of_files = proof::of_files(archive, files, began).map_err(Failure::io("read the archive"))?;
    let of_steps = proof::of_steps(tally.lines(), journal, &witnesses);
    let broken = [of_files.broken, of_steps.broken].concat();
    Ok(Report {
        files: summary.files,
        files_left_out: files.left_out,
        files_changed: of_files.changed,
        bytes: summary.bytes,
        bytes_archived: summary.packed,
        runs: journal.runs.len(),
        runs_recovered: journal.recovered(),
        steps: journal.steps.len(),
        bodies: of_steps.bodies,
        bodies_again: of_steps.again,
        bodies_after_lost_lease: of_steps.after_lost_lease,
        kills: witnesses.len(),
        seen_at_kills: witnesses.iter().map(|it| it.steps.len() + it.ended.len() * STEPS.len()).sum(),
        took_ms: u64::try_from(took.as_millis()).unwrap_or(u64::MAX),
        proven: broken.is_empty(),
        broken,
    })
}

/// Cancels the run after the demo failed or was interrupted: its working folder is removed, so no executor may continue it.
async fn leave_nothing_running(db: &str, id: &str) {
    let cancelled = async { Client::connect(db).await?.handle_named(id).cancel().await };
    match cancelled.await {
        // The demo had not started it yet.
        Err(error) if error.is_unknown_run() => {}
        Err(error) => eprintln!("onward: run {id} of the demo could not be cancelled: {error}"),
        Ok(_) => {}
    }
}

/// All executors of a database must have the same lease: if there are others, it is the default.
async fn lease(client: &Client) -> Result<Option<Duration>, Failure> {
    let others = client.executors().await?.iter().any(|executor| !executor.dead);
    Ok(if others { None } else { Some(LEASE) })
}

fn database_in(work: &Path) -> String {
    format!("sqlite:{}", work.join("onward.db").display())
}

fn name_of(work: &Path) -> String {
    work.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

/// The URL without its password.
fn hide_password(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else { return url.to_owned() };
    let Some((login, place)) = rest.split_once('@') else { return url.to_owned() };
    let user = login.split(':').next().unwrap_or_default();
    format!("{scheme}://{user}@{place}")
}

/// The folder with the archive, the log and the database. It is removed at the end unless it is to be kept.
struct WorkFolder {
    folder: TempDir,
    keep: bool,
}

impl WorkFolder {
    fn create(keep: bool) -> Result<WorkFolder, Failure> {
        let folder = tempfile::Builder::new().prefix("onward-demo-").tempdir();
        let folder = folder.map_err(Failure::io("make a working folder"))?;
        Ok(WorkFolder { folder, keep })
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Its name, which is also the id of the run.
    fn name(&self) -> String {
        name_of(self.path())
    }

    /// Removes it, or prints where it is.
    fn close(self) -> Result<Option<std::path::PathBuf>, Failure> {
        if self.keep {
            let kept = self.folder.keep();
            eprintln!("  the working folder is kept: {}", kept.display());
            return Ok(Some(kept));
        }
        remove(&self.folder.keep()).map_err(Failure::io("remove the working folder"))?;
        Ok(None)
    }
}

/// Removes a folder with everything in it.
///
/// The executor is dead by now, but a thread of this process that reads the database in the folder cannot be cancelled. It may
/// create a file after the folder was emptied, so this retries until that thread has ended.
fn remove(folder: &Path) -> io::Result<()> {
    let began = Instant::now();
    loop {
        match fs::remove_dir_all(folder) {
            Err(error) if error.kind() == io::ErrorKind::DirectoryNotEmpty && began.elapsed() < REMOVE_WITHIN => {
                std::thread::sleep(Duration::from_millis(1));
            }
            removed => return removed,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_working_folder_goes_although_somebody_still_writes_into_it() {
        let work = WorkFolder::create(false).unwrap();
        let folder = work.path().to_owned();
        std::thread::scope(|scope| {
            scope.spawn(|| {
                let until = Instant::now() + Duration::from_millis(200);
                // A write fails once the folder is gone.
                (0..).find(|n| fs::write(folder.join(format!("file-{n}")), "late").is_err() || Instant::now() > until)
            });
            while fs::read_dir(&folder).unwrap().next().is_none() {
                std::thread::yield_now();
            }
            work.close().unwrap();
        });
        assert!(!folder.exists());
    }
}
