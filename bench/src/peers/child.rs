//! One job in a process of its own, on a database of its own.

use std::path::PathBuf;
use std::process::Stdio;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use onward_contest::{Done, Job, Line, Orders, Ready};
use onward_testkit::PrivatePostgres;
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::time::timeout;
use tokio_postgres::{Client, NoTls};

use super::machine::{self, Versions};
use super::readings::{self, Readings};
use super::subject::{Keeps, Subject};
use super::tools::Tools;
use crate::Result;

/// A job that takes longer is given up.
const JOB_MAX: Duration = Duration::from_secs(120);
const START_MAX: Duration = Duration::from_secs(90);
const END_MAX: Duration = Duration::from_secs(30);

/// What a job brought, and what was read from outside.
#[derive(Clone, Debug)]
pub(crate) struct Measured {
    pub(crate) ready: Ready,
    pub(crate) done: Done,
    pub(crate) readings: Readings,
}

/// Where jobs are performed: the programs, and the databases.
pub(crate) struct Place {
    tools: Tools,
    folder: TempDir,
    server: PrivatePostgres,
    pub(crate) postgres: Client,
}

/// Where an engine keeps its runs.
pub(crate) struct Home {
    pub(crate) url: String,
    /// The SQLite file, or the folder.
    pub(crate) path: PathBuf,
    /// The name of the database.
    pub(crate) name: String,
}

impl Place {
    pub(crate) async fn new(tools: Tools) -> Result<Place> {
        let server = PrivatePostgres::start()?;
        let (postgres, connection) = tokio_postgres::connect(&server.url("postgres"), NoTls).await?;
        // The caller gets the error of a lost connection.
        tokio::spawn(async move { connection.await.ok() });
        Ok(Place { tools, folder: TempDir::with_prefix("onward-peers-")?, server, postgres })
    }

    /// Perform a job.
    pub(crate) async fn measure(&self, subject: Subject, job: Job) -> Result<Measured> {
        let home = self.home(subject).await?;
        let command = self.command(subject, job, &home, subject.count(job));
        let measured = self.watch(subject, command, &home).await;
        let forgotten = self.forget(subject, &home).await;
        let measured = measured?;
        forgotten?;
        Ok(measured)
    }

    /// The program that performs it, with its orders.
    pub(crate) fn command(&self, subject: Subject, job: Job, home: &Home, count: u32) -> Command {
        let orders = Orders { engine: subject.engine.to_owned(), job, url: home.url.clone(), count };
        let mut command = self.tools.program(subject);
        command.args(orders.arguments());
        command
    }

    /// A fresh database.
    pub(crate) async fn home(&self, subject: Subject) -> Result<Home> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = format!("{}_{}", subject.engine, COUNT.fetch_add(1, Ordering::Relaxed));
        let path = self.folder.path().join(&name);
        let url = match subject.keeps {
            Keeps::Sqlite => format!("sqlite:{}", path.display()),
            Keeps::Own => format!("folder:{}", path.display()),
            Keeps::Postgres => {
                self.postgres.batch_execute(&format!("create database {name}")).await?;
                self.server.url(&name)
            }
        };
        Ok(Home { url, path, name })
    }

    /// What is measured later must not suffer from what was left behind.
    pub(crate) async fn forget(&self, subject: Subject, home: &Home) -> Result<()> {
        match subject.keeps {
            Keeps::Postgres => {
                self.postgres.batch_execute(&format!("drop database {} with (force)", home.name)).await?;
            }
            Keeps::Own if home.path.exists() => std::fs::remove_dir_all(&home.path)?,
            Keeps::Own => {}
            Keeps::Sqlite => {
                for file in readings::sqlite_files(&home.path).filter(|file| file.exists()) {
                    std::fs::remove_file(file)?;
                }
            }
        }
        Ok(())
    }

    async fn watch(&self, subject: Subject, command: Command, home: &Home) -> Result<Measured> {
        let mut running = Running::start(command)?;
        let ready = running.ready().await?;
        let before = self.extent(subject, home).await?;
        let done = running.go().await?;
        let log = self.log_position().await?;
        let memory = readings::peak_memory(running.pid())?;
        let after = self.extent(subject, home).await?;
        running.end().await?;
        let readings = Readings {
            memory,
            disk: after.disk - before.disk,
            log: (subject.keeps == Keeps::Postgres).then_some(log - before.log),
        };
        Ok(Measured { ready, done, readings })
    }

    pub(crate) async fn versions(&self) -> Result<Versions> {
        machine::versions(&self.postgres).await
    }
}

/// A program at work. Dropped, it is killed, and whatever it has started.
pub(crate) struct Running {
    child: Child,
    input: ChildStdin,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Running {
    pub(crate) fn start(mut command: Command) -> Result<Running> {
        let piped = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = piped.spawn().map_err(|error| format!("cannot start a job: {error}"))?;
        let input = child.stdin.take().ok_or("a job has no standard input")?;
        let output = child.stdout.take().ok_or("a job has no standard output")?;
        Ok(Running { child, input, lines: BufReader::new(output).lines() })
    }

    pub(crate) fn pid(&self) -> Option<u32> {
        self.child.id()
    }

    /// Wait until it is warmed up.
    pub(crate) async fn ready(&mut self) -> Result<Ready> {
        match timeout(START_MAX, self.line()).await {
            Ok(Ok(Line::Ready(ready))) => Ok(ready),
            Ok(Ok(Line::Done(_))) => Err("it was done before it began".into()),
            Ok(Err(error)) => Err(error),
            Err(_) => Err(format!("not ready after {} s", START_MAX.as_secs()).into()),
        }
    }

    /// Let it perform its job.
    pub(crate) async fn go(&mut self) -> Result<Done> {
        self.input.write_all(b"go\n").await?;
        match timeout(JOB_MAX, self.line()).await {
            Ok(Ok(Line::Done(done))) => Ok(done),
            Ok(Ok(Line::Ready(_))) => Err("it was ready twice".into()),
            Ok(Err(error)) => Err(error),
            Err(_) => Err(format!("not done after {} s", JOB_MAX.as_secs()).into()),
        }
    }

    /// Let it end.
    pub(crate) async fn end(mut self) -> Result<()> {
        self.input.write_all(b"end\n").await?;
        let ended = timeout(END_MAX, self.child.wait()).await;
        let status = ended.map_err(|_| format!("not ended after {} s", END_MAX.as_secs()))??;
        if status.success() { Ok(()) } else { Err(self.last_words().await.into()) }
    }

    /// Its next line. An engine may say other things on its standard output, too.
    async fn line(&mut self) -> Result<Line> {
        while let Some(line) = self.lines.next_line().await? {
            if let Ok(line) = serde_json::from_str(&line) {
                return Ok(line);
            }
        }
        Err(self.last_words().await.into())
    }

    async fn last_words(&mut self) -> String {
        let mut said = String::new();
        if let Some(error) = &mut self.child.stderr {
            // What can still be read is told; it may be nothing.
            error.read_to_string(&mut said).await.ok();
        }
        let last = said.lines().rfind(|line| !line.is_empty()).unwrap_or("it ended without a word");
        last.trim_start_matches("error: ").to_owned()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let Some(own) = self.child.id() else { return };
        for id in readings::family(own) {
            if let Some(pid) = i32::try_from(id).ok().and_then(Pid::from_raw) {
                // It may have ended by itself.
                kill_process(pid, Signal::KILL).ok();
            }
        }
    }
}
